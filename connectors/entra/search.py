"""Finding groups to choose: by name as it is typed, with what a person needs to recognise the right one."""

from __future__ import annotations

import itertools
from urllib.parse import quote

from connectors.directory import GroupSummary, SyncGroupMissing
from connectors.entra.credentials import is_guid
from connectors.entra.graph import Answered, Ask, Graph, Restart
from connectors.entra.membership import ensure, group_ask, hides_members
from connectors.entra.records import GROUP_FIELDS, GroupRecord, Odd, group, identity, name_of
from connectors.entra.refusals import GROUPS, Refused, explain

_LONGEST = 120
_PAGES = 5
_SAMPLE = 3
# These read an index that lags by seconds to minutes: good enough to choose from, never to decide by.
_FROM_INDEX = {"ConsistencyLevel": "eventual"}


def search(graph: Graph, text: str, *, limit: int) -> list[GroupSummary]:
    """Return groups whose name begins with the text, or has words that do; the best matches first."""
    text = " ".join(text.split())[:_LONGEST]
    asks = _asks(text, limit)
    found: dict[str, GroupRecord] = {}
    for ask, answer in zip(asks, graph.answers(asks), strict=True):
        for record in _records(graph, ask, answer, limit):
            found.setdefault(record.id, record)
    wanted = text.casefold()

    def rank(record: GroupRecord) -> tuple[bool, bool, str, str]:
        name = record.name.casefold()
        return (name != wanted and record.id != wanted, not name.startswith(wanted), name, record.id)

    return _summaries(graph, sorted(found.values(), key=rank)[:limit])


def one(graph: Graph, group_id: str) -> GroupSummary:
    """Return one group by its object id; raise SyncGroupMissing where the tenant has none."""
    missing = SyncGroupMissing(
        "This tenant has no such group: it was deleted, or the id is another object's. Choose a group that exists."
    )
    if not is_guid(group_id):
        raise missing
    answer = graph.answers([group_ask(group_id)])[0]
    if isinstance(answer, Refused) and answer.gone:
        raise missing
    records = _records(graph, group_ask(group_id), answer, 1)
    if not records:
        raise missing
    return _summaries(graph, records)[0]


def _asks(text: str, limit: int) -> list[Ask]:
    shape = f"$select={GROUP_FIELDS}&$top={limit}"
    if not text:
        return [Ask(f"/groups?{shape}")]
    literal = quote(text.replace("'", "''"), safe="")
    words = quote(text.replace("\\", "\\\\").replace('"', '\\"'), safe="")
    asks = [Ask(f"/groups?$filter=startswith(displayName,'{literal}')&{shape}")]
    if any(sign.isalnum() for sign in text):  # the index knows words alone: for signs it lists everything
        asks.append(Ask(f"/groups?$search=%22displayName%3A{words}%22&{shape}", _FROM_INDEX))
    if is_guid(text):
        asks.append(group_ask(text))
    return asks


def _records(graph: Graph, ask: Ask, answer: Answered, limit: int) -> list[GroupRecord]:
    if isinstance(answer, Refused):
        if answer.forbidden:
            ensure(graph, GROUPS)
        if answer.forbidden or answer.failed or answer.status == 401:
            raise explain(answer)
        # The index does not take every text that a person types; a prefix it always does.
        return []
    if "value" not in answer:
        answer = {"value": [answer]}
    found: list[GroupRecord] = []
    try:
        for items in itertools.islice(graph.pages(ask, answer), _PAGES):
            for item in items:
                try:
                    found.append(group(item))
                except Odd:
                    continue
            if len(found) >= limit:
                break
    except Restart:
        return found
    return found


def _summaries(graph: Graph, records: list[GroupRecord]) -> list[GroupSummary]:
    hidden = {record.id for record in records if hides_members(graph, record)}
    visible = [record.id for record in records if record.id not in hidden]
    asks = [
        Ask(f"/groups/{group_id}/members?$count=true&$top=5&$select=id,displayName", _FROM_INDEX)
        for group_id in visible
    ]
    told = dict(zip(visible, graph.answers(asks), strict=True))
    return [_summary(record, told.get(record.id), readable=record.id not in hidden) for record in records]


def _summary(record: GroupRecord, members: Answered | None, *, readable: bool) -> GroupSummary:
    count: int | None = None
    sample: tuple[str, ...] = ()
    if isinstance(members, dict):
        told = members.get("@odata.count")
        count = told if type(told) is int and told >= 0 else None
        sample = _first_names(members.get("value"))
    return GroupSummary(
        id=record.id,
        name=record.name or record.id,
        kind=_kind(record),
        members=count,
        sample=sample,
        warning=_warning(record, count, readable=readable),
        readable=readable,
    )


def _first_names(items: object) -> tuple[str, ...]:
    people = [item for item in items if identity(item)[0] == "user"] if isinstance(items, list) else []
    return tuple(name for name in map(name_of, people) if name)[:_SAMPLE]


def _kind(record: GroupRecord) -> str:
    if record.unified:
        kind = "Microsoft 365"
    elif record.security_enabled:
        kind = "Mail-enabled security" if record.mail_enabled else "Security"
    elif record.mail_enabled:
        kind = "Distribution"
    else:
        kind = "Group"
    return f"Dynamic {kind if kind.startswith('Microsoft') else kind.lower()}" if record.dynamic else kind


def _warning(record: GroupRecord, members: int | None, *, readable: bool) -> str:
    sentences = []
    if not readable:
        sentences.append("Its members are hidden from this application, so it cannot be synchronised.")
    if members == 0:
        sentences.append("Nobody is in it.")
    if not record.security_enabled:
        sentences.append("It is not a security group: its owners, not only administrators, may decide who is in it.")
    if record.dynamic:
        sentences.append("A rule in Entra decides who is in it, and may be changed there.")
    return " ".join(sentences)
