"""Delta: rounds of pages that tell what changed since a token, for users and groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.entra_emulator.graph.access import GROUPS, HIDDEN_MEMBERS, USERS, Caller
from tests.entra_emulator.graph.errors import GraphError, bad_request
from tests.entra_emulator.graph.projection import DEFAULTS, ODATA_TYPE, parse_select
from tests.entra_emulator.history import CHANGED, CREATED, MEMBER, RESTORED, Change
from tests.entra_emulator.objects import DirectoryObject, Group, ServicePrincipal
from tests.entra_emulator.tokens import BadToken, seal, unseal

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator

PAGE = 200
MEMBERS_AT_ONCE = 100
TOKEN_LIFETIME = 7 * 24 * 3600
MAX_IDS = 50
ID_CLAUSE = re.compile(r"id eq '([0-9a-f-]{36})'", re.IGNORECASE)


@dataclass(frozen=True)
class Tracking:
    """What a round of delta tracks: folded into every token, never asked for again."""

    select: tuple[str, ...] | None
    members: bool
    ids: frozenset[str] | None

    def as_state(self) -> dict[str, Any]:
        ids = sorted(self.ids) if self.ids is not None else None
        return {"s": self.select, "m": self.members, "i": ids}

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Tracking:
        ids = frozenset(state["i"]) if state["i"] is not None else None
        return cls(tuple(state["s"]) if state["s"] is not None else None, state["m"], ids)


@dataclass
class Round:
    """One round under way: its entries, made when it began, and where the next one starts."""

    tracking: Tracking
    until: int
    entries: list[dict[str, Any]] = field(default_factory=list)


class Delta:
    """Answers ``/users/delta`` and ``/groups/delta``.

    Source: microsoft-graph-docs concepts/delta-query-overview.md, delta-query-groups.md,
    delta-query-users.md.
    """

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._rounds: dict[str, Round] = {}

    def answer(
        self,
        caller: Caller,
        kind: type[DirectoryObject],
        origin: str,
        params: dict[str, str],
        prefer: str,
        page_limit: int | None,
    ) -> dict[str, Any]:
        """Answer one request of a round; raise `GraphError`. ``origin`` is Graph's own."""
        caller.need(GROUPS if kind is Group else USERS)
        name = "groups" if kind is Group else "users"
        base = f"{origin}/v1.0/{name}/delta"
        tokens = {key.lower(): value for key, value in params.items() if key.lower() in ("$deltatoken", "$skiptoken")}
        others = set(params) - {key for key in params if key.lower() in tokens}
        if tokens and others and tokens.get("$deltatoken", "").lower() not in ("latest", ""):
            raise bad_request(f"'{min(others)}' belongs on the first request of a delta only.")
        if "$skiptoken" in tokens:
            key, at, page = self._resume(caller, name, tokens["$skiptoken"], base)
            return self._page(caller, name, base, key, at, page, page_limit)
        token = tokens.get("$deltatoken", "")
        if token and token.lower() != "latest":
            state = self._read(caller, name, token, base)
            begun = Round(Tracking.of_state(state), len(caller.tenant.log))
            begun.entries = self._since(caller, kind, begun.tracking, state["from"], "return=minimal" in prefer)
        else:
            begun = Round(_tracking(kind, params), len(caller.tenant.log))
            if token.lower() != "latest":
                begun.entries = self._everything(caller, kind, begun.tracking)
        if caller.tenant.untidy:
            begun.entries = _untidy(begun.entries)
        key = f"{len(self._rounds) + 1}"
        self._rounds[key] = begun
        return self._page(caller, name, base, key, 0, 1, page_limit)

    # --- tokens --------------------------------------------------------------------------------

    def _seal(self, caller: Caller, name: str, **state: Any) -> str:
        moment = self.emulator.clock.timestamp()
        return seal(self.emulator.key, {"d": name, "t": caller.tenant.id, "x": moment + TOKEN_LIFETIME, **state})

    def _read(self, caller: Caller, name: str, token: str, base: str) -> dict[str, Any]:
        """Read a token: 400 for a malformed one, 400 syncStateNotFound for an old one, 410 after a reset.

        The code of the expired one: devblogs.microsoft.com, Duration of change tracking tokens; the
        410 with Location: concepts/delta-query-overview.md, synchronisation reset.
        """
        try:
            state = unseal(self.emulator.key, token)
        except BadToken:
            raise bad_request("Badly formed content.") from None
        if state.get("d") != name or state.get("t") != caller.tenant.id:
            raise bad_request("Badly formed content.")
        if state["x"] < self.emulator.clock.timestamp():
            raise GraphError(400, "syncStateNotFound", "The sync state generation is not found.")
        if state["from"] < caller.tenant.delta_valid_from:
            location = {"Location": f"{base}?$deltatoken="}
            raise GraphError(410, "resyncRequired", "Resync is required.", location)
        return state

    def _resume(self, caller: Caller, name: str, token: str, base: str) -> tuple[str, int, int]:
        state = self._read(caller, name, token, base)
        if state["r"] not in self._rounds:
            raise GraphError(400, "syncStateNotFound", "The sync state generation is not found.")
        return state["r"], state["e"], state["n"]

    # --- pages ---------------------------------------------------------------------------------

    def _page(
        self, caller: Caller, name: str, base: str, key: str, at: int, page: int, page_limit: int | None
    ) -> dict[str, Any]:
        begun = self._rounds[key]
        size = PAGE if page_limit is None else page_limit
        stop = min(at + size, len(begun.entries))
        select = begun.tracking.select
        document: dict[str, Any] = {"@odata.context": f"{base.removesuffix(f'/{name}/delta')}/$metadata#{name}"}
        if select:
            document["@odata.context"] += f"({','.join(select)})"
        if stop < len(begun.entries):
            token = self._seal(caller, name, r=key, e=stop, n=page + 1, **{"from": begun.until})
            document["@odata.nextLink"] = f"{base}?$skiptoken={quote(token)}"
        else:
            state = {**begun.tracking.as_state(), "from": begun.until}
            document["@odata.deltaLink"] = f"{base}?$deltatoken={quote(self._seal(caller, name, **state))}"
        document["value"] = begun.entries[at:stop]
        return document

    # --- entries -------------------------------------------------------------------------------

    def _everything(self, caller: Caller, kind: type[DirectoryObject], tracking: Tracking) -> list[dict[str, Any]]:
        tenant = caller.tenant
        objects: dict[str, Any] = tenant.groups if kind is Group else tenant.people
        entries: list[dict[str, Any]] = []
        for id in sorted(objects):
            if tracking.ids is None or id in tracking.ids:
                living = [member for member in tenant.members.get(id, ()) if tenant.get(member)]
                members = [(member, True) for member in living]
                entries += self._entries(caller, objects[id], tracking, None, members)
        if tenant.untidy:
            gone = [item for item in tenant.deleted.values() if type(item) is kind]
            entries += [{"id": item.id, "@removed": {"reason": "changed"}} for item in gone]
        return entries

    def _since(
        self, caller: Caller, kind: type[DirectoryObject], tracking: Tracking, start: int, minimal: bool
    ) -> list[dict[str, Any]]:
        changes: dict[str, list[Change]] = {}
        for change in caller.tenant.log[start:]:
            if change.kind is kind and (tracking.ids is None or change.id in tracking.ids):
                changes.setdefault(change.id, []).append(change)
        entries: list[dict[str, Any]] = []
        for id, happened in changes.items():
            entries += self._entries_of(caller, kind, id, happened, tracking, minimal)
        return entries

    def _entries_of(
        self,
        caller: Caller,
        kind: type[DirectoryObject],
        id: str,
        happened: list[Change],
        tracking: Tracking,
        minimal: bool,
    ) -> list[dict[str, Any]]:
        tenant = caller.tenant
        item = (tenant.groups if kind is Group else tenant.people).get(id)
        if item is None:
            # Soft-deleted is restorable, "changed"; anything else is gone for good.
            return [{"id": id, "@removed": {"reason": "changed" if id in tenant.deleted else "deleted"}}]
        names = frozenset().union(*(change.names for change in happened if change.what == CHANGED))
        appeared = any(change.what in (CREATED, RESTORED) for change in happened)
        members: list[tuple[str, bool]] = []
        if tracking.members:
            touched = dict.fromkeys(change.member for change in happened if change.what == MEMBER)
            if any(change.what == CREATED for change in happened):
                touched |= dict.fromkeys(tenant.members[id])
            members = [(member, member in tenant.members[id]) for member in touched]
        tracked = names if tracking.select is None else names & set(tracking.select)
        if not (appeared or tracked or members):
            return []
        kinds: dict[str, type[DirectoryObject] | None] = {change.member: change.member_kind for change in happened}
        shown = frozenset(tracked) if minimal and not appeared else None
        return self._entries(caller, item, tracking, shown, members, kinds, cleared=frozenset(tracked))

    def _entries(
        self,
        caller: Caller,
        item: DirectoryObject,
        tracking: Tracking,
        only: frozenset[str] | None,
        members: list[tuple[str, bool]],
        kinds: dict[str, type[DirectoryObject] | None] | None = None,
        cleared: frozenset[str] = frozenset(),
    ) -> list[dict[str, Any]]:
        """Write one object, on several entries where its members are many.

        A property never set is absent, one cleared is null. Members carry their type and id only.
        """
        names = tracking.select if tracking.select is not None else DEFAULTS[type(item)]
        head: dict[str, Any] = {"id": item.id}
        for name in names:
            value = item.get(name)
            if (only is None or name in only) and (value not in (None, []) or name in cleared):
                head[name] = value
        hidden = isinstance(item, Group) and item.hidden and not caller.roles & HIDDEN_MEMBERS
        if not tracking.members or hidden:
            return [head]
        written = []
        for id, there in members:
            found = caller.tenant.get(id) or caller.tenant.deleted.get(id)
            kind = type(found) if found else (kinds or {}).get(id)
            if kind is None or kind is ServicePrincipal:
                continue
            entry: dict[str, Any] = {"@odata.type": f"#microsoft.graph.{ODATA_TYPE[kind]}", "id": id}
            written.append(entry if there else {**entry, "@removed": {"reason": "deleted"}})
        slices = [written[at : at + MEMBERS_AT_ONCE] for at in range(0, len(written), MEMBERS_AT_ONCE)]
        return [{**head, "members@delta": members_slice} for members_slice in slices] or [head]


def _tracking(kind: type[DirectoryObject], params: dict[str, str]) -> Tracking:
    """Read the parameters of a first request."""
    for name in params:
        if name.startswith("$") and name.lower() not in ("$select", "$filter", "$deltatoken"):
            raise bad_request(f"'{name}' is not supported for change tracking.")
    words = params["$select"].split(",") if "$select" in params else None
    members = kind is Group and (words is None or "members" in words)
    select = None
    if words is not None:
        rest = ",".join(word for word in words if not (kind is Group and word == "members"))
        select = parse_select(rest, (kind,), collection=True) if rest else ()
    return Tracking(select, members, _ids(params.get("$filter")))


def _ids(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    clauses = [ID_CLAUSE.fullmatch(clause.strip()) for clause in text.split(" or ")]
    ids = [clause[1].lower() for clause in clauses if clause]
    if len(ids) != len(clauses):
        raise bad_request("Change tracking filters by id only.", "Request_UnsupportedQuery")
    if len(ids) > MAX_IDS:
        raise bad_request(f"At most {MAX_IDS} ids can be tracked.", "Request_UnsupportedQuery")
    return frozenset(ids)


def _untidy(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say the first thing twice, and the second time last: the order and number of entries mean nothing."""
    return [*entries, *entries[:1]]
