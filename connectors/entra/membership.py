"""Who is in which group: complete readings of groups and their people, nested ones included, or none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from connectors.directory import GroupReading, GroupState, Person, Snapshot, Unavailable, Unexpected
from connectors.entra.graph import Answered, Ask, Graph, Restart
from connectors.entra.records import (
    GROUP_FIELDS,
    PERSON_FIELDS,
    GroupRecord,
    Odd,
    group,
    identity,
    name_of,
    person,
)
from connectors.entra.refusals import GROUPS, USERS, Refused, consent_missing, explain

PAGE = 999
"""Members on a page: the most Graph gives."""

_READINGS = 3
"""How often a listing whose pages expire is begun, at most."""

_EXPIRED = "Microsoft's pages expired again and again while a group was read."
_AT_ONCE = 200
_READS_HIDDEN = "Member.Read.Hidden"
_PROBE = {GROUPS: "/groups?$top=1&$select=id", USERS: "/users?$top=1&$select=id"}


def ensure(graph: Graph, permission: str) -> None:
    """Raise ConsentMissing where the application may not read any user, or any group.

    A 403 about one object says only that this one is refused; this tells the two apart.
    """
    try:
        graph.get(Ask(_PROBE[permission]))
    except Refused as refused:
        if refused.forbidden:
            raise consent_missing(frozenset({permission}), refused.reference) from None
        raise


def hides_members(graph: Graph, record: GroupRecord) -> bool:
    """Say whether a group's members are hidden (HiddenMembership) from this application."""
    return record.hidden and _READS_HIDDEN not in (graph.tokens.token().permissions or ())


def group_ask(group_id: str) -> Ask:
    return Ask(f"/groups/{quote(group_id, safe='')}?$select={GROUP_FIELDS}")


@dataclass(slots=True)
class Looked:
    """Hold what is known of people after asking for each by id; in `unread` each has a sentence why."""

    people: dict[str, Person] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


def look(graph: Graph, ids: Iterable[str]) -> Looked:
    """Ask for each person by object id. Only Request_ResourceNotFound means gone; anything odd means unread.

    Raises Refused where Microsoft fails at any user it is asked about, and not at some records alone.
    """
    looked = Looked()
    wanted = sorted({object_id.lower() for object_id in ids})
    shared: dict[str, str] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        asks = [Ask(f"/users/{quote(object_id, safe='')}?$select={PERSON_FIELDS}") for object_id in some]
        answers = graph.answers(asks)
        if all(isinstance(answer, Refused) and answer.failed for answer in answers):
            # Where any user can be read, these few cannot; else Microsoft is out of order.
            ensure(graph, USERS)
        for object_id, answer in zip(some, answers, strict=True):
            _sort(graph, looked, object_id, answer, shared)
    return looked


def _sort(graph: Graph, looked: Looked, object_id: str, answer: Answered, shared: dict[str, str]) -> None:
    if isinstance(answer, Refused):
        if answer.gone:
            looked.gone.add(object_id)
            return
        if answer.status == 401:
            raise explain(answer)
        if answer.forbidden:
            ensure(graph, USERS)
        verb = "fails to show" if answer.failed else "does not show"
        looked.unread[object_id] = f"Microsoft {verb} this person's record ({answer.word})."
        return
    found = answer.get("id")
    try:
        if not isinstance(found, str) or found.lower() != object_id:
            raise Odd
        looked.people[object_id] = person(answer, object_id, shared)
    except Odd:
        looked.unread[object_id] = "Microsoft's record of this person is incomplete."


@dataclass(slots=True)
class _Listing:
    """Hold one group's own members, or why they are not known."""

    name: str
    state: GroupState = GroupState.COMPLETE
    sentence: str = ""
    people: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)


class _Walk:
    """Read groups and all groups nested in them, each once, however often and in whatever circle they are nested.

    With `records`, it is the sync group: the people's records are read along, and what Microsoft fails at ends the
    reading. Without, ids alone are read, and of those in `same` the copy that is there; a group that Microsoft fails
    at, or lists oddly, is unreadable, and stops nobody else. `listings` were read before in the same reading, and are
    not asked for again.
    """

    def __init__(
        self, graph: Graph, *, records: bool, same: Mapping[str, Person], listings: Mapping[str, _Listing]
    ) -> None:
        self.people: dict[str, Person] = {}
        self.blank: set[str] = set()
        self.listings = dict(listings)
        self._graph = graph
        self._records = records
        self._same = same

    def read(self, roots: Sequence[str], *, lenient: bool) -> list[GroupReading]:
        """Return one reading for each root. `lenient` takes nested groups that cannot be read for empty."""
        waiting = sorted({root.lower() for root in roots} - self.listings.keys())
        while waiting:
            self._read_level(waiting)
            nested = {group_id for read in waiting for group_id in self.listings[read].groups}
            waiting = sorted(nested - self.listings.keys())
        return [self._reading(root.lower(), lenient=lenient) for root in roots]

    def _read_level(self, ids: list[str]) -> None:
        answers = self._graph.answers([group_ask(group_id) for group_id in ids])
        for group_id, answer in zip(ids, answers, strict=True):
            self.listings[group_id] = self._opened(group_id, answer)
        readable = [group_id for group_id in ids if self.listings[group_id].state is GroupState.COMPLETE]
        fields = PERSON_FIELDS if self._records else "id,displayName"
        asks = [
            Ask(f"/groups/{quote(group_id, safe='')}/members?$select={fields}&$top={PAGE}") for group_id in readable
        ]
        for group_id, ask, first in zip(readable, asks, self._graph.answers(asks), strict=True):
            self.listings[group_id] = self._filled(self.listings[group_id].name, group_id, ask, first)

    def _opened(self, group_id: str, answer: Answered) -> _Listing:
        if isinstance(answer, Refused):
            return self._refused("", group_id, answer)
        try:
            record: GroupRecord | None = group(answer)
        except Odd:
            record = None
        # Without its name it is a record of nulls, and then its visibility says nothing either.
        if record is None or record.id != group_id or not record.name:
            return _Listing("", GroupState.UNREADABLE, "Microsoft's record of this group is incomplete.")
        if hides_members(self._graph, record):
            return _Listing(
                record.name,
                GroupState.UNREADABLE,
                f"The members of “{record.name}” are hidden (HiddenMembership) from this application."
                " Choose a group whose members are visible.",
            )
        return _Listing(record.name)

    def _filled(self, name: str, group_id: str, ask: Ask, first: Answered) -> _Listing:
        page: Answered | None = first
        for _ in range(_READINGS):
            if isinstance(page, Refused):
                return self._refused(name, group_id, page)
            listing = _Listing(name)
            people: dict[str, Person] = {}
            blank: set[str] = set()
            try:
                for items in self._graph.pages(ask, page):
                    self._take(items, listing, people, blank)
            except Restart:
                page = None
            except Refused as refused:
                return self._refused(name, group_id, refused)
            except Unexpected as trouble:
                if self._records:
                    raise
                return _Listing(name, GroupState.UNREADABLE, trouble.sentence)
            else:
                self.people.update(people)
                self.blank |= blank
                return listing
        if self._records:
            raise Unavailable(f"{_EXPIRED} Nothing was changed; the next run tries again.")
        return _Listing(name, GroupState.UNREADABLE, _EXPIRED)

    def _take(self, items: list[Any], listing: _Listing, people: dict[str, Person], blank: set[str]) -> None:
        shared: dict[str, str] = {}
        for item in items:
            kind, object_id = identity(item)
            if kind == "user":
                if self._records:
                    try:
                        people[object_id] = person(item, object_id, shared)
                    except Odd:
                        blank.add(object_id)
                elif object_id in self._same:
                    object_id = self._same[object_id].object_id
                listing.people.append(object_id)
            elif kind == "group":
                listing.groups[object_id] = name_of(item)

    def _refused(self, name: str, group_id: str, refused: Refused) -> _Listing:
        if refused.gone:
            return _Listing(
                name, GroupState.GONE, f"The group {f'“{name}”' if name else group_id} is not in the tenant any more."
            )
        if refused.status == 401 or (refused.failed and self._records):
            raise explain(refused)
        if refused.forbidden:
            ensure(self._graph, GROUPS)
        verb = "fails to show" if refused.failed else "does not let this application read"
        return _Listing(
            name, GroupState.UNREADABLE, f"Microsoft {verb} {f'“{name}”' if name else 'this group'} ({refused.word})."
        )

    def _reading(self, root: str, *, lenient: bool) -> GroupReading:
        """Put a root and everything nested in it together; the nearest group that lists a person is theirs."""
        own = self.listings[root]
        if own.state is not GroupState.COMPLETE:
            return GroupReading(root, own.state, own.name, sentence=own.sentence)
        members = dict.fromkeys(own.people, "")
        seen, level = {root}, dict(own.groups)
        while level:
            following: dict[str, str] = {}
            # By name, so that the same directory always gives the same answer.
            for group_id, listed_as in sorted(level.items(), key=lambda entry: (entry[1], entry[0])):
                if group_id in seen:
                    continue
                seen.add(group_id)
                nested = self.listings[group_id]
                name = nested.name or listed_as or group_id
                if nested.state is not GroupState.COMPLETE:
                    if lenient:
                        continue
                    return GroupReading(root, GroupState.UNREADABLE, own.name, sentence=_blocked(name, nested))
                for object_id in nested.people:
                    members.setdefault(object_id, name)
                following.update(nested.groups)
            level = following
        return GroupReading(root, GroupState.COMPLETE, own.name, members)


def _blocked(name: str, nested: _Listing) -> str:
    if nested.state is GroupState.GONE:
        return f"“{name}”, nested in this group, vanished while it was read. The next run reads it again."
    return f"“{name}”, nested in this group, cannot be read. {nested.sentence}"


@dataclass(slots=True)
class _Scope:
    """Hold the sync group as it was read, its people, and every group met on the way."""

    reading: GroupReading
    looked: Looked
    listings: Mapping[str, _Listing]


def _scope(graph: Graph, group_id: str, *, lenient: bool) -> _Scope:
    walk = _Walk(graph, records=True, same={}, listings={})
    reading = walk.read([group_id], lenient=lenient)[0]
    blank = walk.blank - walk.people.keys()
    looked = Looked(walk.people)
    if blank:
        # Nulls where a record should be mean that users may not be read at all, or one odd record.
        ensure(graph, USERS)
        second = look(graph, blank)
        looked = Looked(walk.people | second.people, second.gone, second.unread)
        if looked.unread and not looked.people:
            raise Unexpected("Microsoft lists the people of the sync group, but tells nothing of any of them.")
    return _Scope(_without(reading, looked), looked, walk.listings)


def _without(reading: GroupReading, looked: Looked) -> GroupReading:
    """Take out of a group whoever is gone, and tell apart who is in it and could not be read."""
    ids = looked.gone | looked.unread.keys()
    if not ids or not reading.complete:
        return reading
    members = {object_id: via for object_id, via in reading.members.items() if object_id not in ids}
    unread = reading.unread | (reading.members.keys() & looked.unread.keys())
    return replace(reading, members=members, unread=unread - looked.gone)


def read_snapshot(
    graph: Graph,
    sync_group_id: str,
    *,
    additional: Sequence[str],
    known: Collection[str],
    direct_members_only: bool,
) -> Snapshot:
    """Read the sync group, everybody known who is not in it, and the additional groups."""
    scope = _scope(graph, sync_group_id, lenient=direct_members_only)
    people, unread = scope.looked.people, scope.looked.unread
    known = {object_id.lower() for object_id in known}
    # A listed person whom the look by id did not find is gone only where somebody asked for them.
    gone = scope.looked.gone & known
    looked = look(graph, known - people.keys() - gone - unread.keys())
    asked = frozenset(looked.people) | looked.gone | gone
    people.update(looked.people)
    walk = _Walk(graph, records=False, same=people, listings=scope.listings)
    readings = walk.read(additional, lenient=direct_members_only) if additional else []
    return Snapshot(
        tenant_id=graph.tokens.tenant_id,
        sync_group=scope.reading,
        people=people,
        asked=asked,
        gone=frozenset(looked.gone | gone),
        additional=tuple(readings),
        unread={**unread, **looked.unread},
    )


def read_again(
    graph: Graph,
    first: Snapshot,
    *,
    people: Collection[str],
    sync_group_id: str,
    removed: bool,
    direct_members_only: bool,
) -> Snapshot:
    """Look at some people a second time, and at the sync group where somebody is about to leave it."""
    group_now, seen = first.sync_group, Looked()
    if removed:
        scope = _scope(graph, sync_group_id, lenient=direct_members_only)
        seen = scope.looked
        group_now = _union(first.sync_group, scope.reading)
    looked = look(graph, people)
    # Gone in the first look alone is no longer known to be gone; unread in the second look is no longer known.
    forgotten = (first.gone | looked.unread.keys()) - looked.gone
    records = {**first.people, **seen.people, **looked.people}
    for object_id in looked.gone | looked.unread.keys():
        records.pop(object_id, None)
    group_now = _without(group_now, looked)
    asked = (first.asked - forgotten) | looked.people.keys() | looked.gone
    settled = records.keys() | looked.gone
    unread = {
        object_id: why
        for object_id, why in {**first.unread, **seen.unread, **looked.unread}.items()
        if object_id not in settled
    }
    return Snapshot(
        tenant_id=first.tenant_id,
        sync_group=replace(group_now, unread=group_now.unread & unread.keys()),
        people=records,
        asked=asked,
        gone=frozenset(looked.gone),
        additional=first.additional,
        unread=unread,
    )


def _union(first: GroupReading, second: GroupReading) -> GroupReading:
    """Join two readings of one group: whoever is in either is in it, and what could not be read stays so."""
    for reading in (second, first):
        if not reading.complete:
            return reading
    members = dict(second.members)
    for object_id, via in first.members.items():
        if members.setdefault(object_id, via) and not via:
            members[object_id] = ""
    return replace(second, members=members, unread=(first.unread | second.unread) - members.keys())
