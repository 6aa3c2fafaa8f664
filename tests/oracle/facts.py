"""The oracle's own plain values: a directory, a company, a connector with its memory, and how a run ends."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.directory import GroupState, Person
from connectors.states import RULE_CHOICES, Action, ChangeKind, LeftOutReason, MarkKind, Situation, SkipReason
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason

Rules = dict[Situation, Action]


def recommended_rules(**changed: Action) -> Rules:
    """Return the first choice of every rule, but for those named (`removed=Action.DELETE`)."""
    rules = {situation: choices[0] for situation, choices in RULE_CHOICES.items()}
    return rules | {Situation(name): action for name, action in changed.items()}


@dataclass
class DirectoryGroup:
    """Hold a directory group: people directly in it, groups directly in it, and whether it may be read."""

    name: str = ""
    people: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    readable: bool = True


@dataclass
class Directory:
    """Hold all that is true in one tenant: who is not in `people` does not exist, and no more does a group.

    `unread` are those of the people whose records say nothing usable: they exist, and nothing more is known.
    """

    tenant_id: str
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, DirectoryGroup] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    def state(self, group_id: str) -> GroupState:
        """Say whether the group and every group nested in it can be read."""
        if group_id not in self.groups:
            return GroupState.GONE
        reached = {group_id} | {inner for inner, _ in self._nested(group_id)}
        if all(self.groups[one].readable for one in reached):
            return GroupState.COMPLETE
        return GroupState.UNREADABLE

    def members(self, group_id: str) -> dict[str, str]:
        """Map everybody in the group to the name of the nested group they are in it by; '' is direct."""
        found: dict[str, str] = {}
        for inner, via in self._nested(group_id):
            for object_id in self.groups[inner].people:
                found.setdefault(object_id, via)
        found.update(dict.fromkeys(self.groups[group_id].people, ""))
        return {object_id: via for object_id, via in found.items() if object_id in self.people}

    def _nested(self, group_id: str) -> Iterator[tuple[str, str]]:
        waiting, reached = [group_id], {group_id}
        while waiting:
            for inner in sorted(self.groups[waiting.pop(0)].groups & self.groups.keys() - reached):
                reached.add(inner)
                waiting.append(inner)
                yield inner, self.groups[inner].name or inner


@dataclass
class Account:
    """Hold one account. `link` is the connector that manages it, '' for none.

    `deleted_at` and `waiting_since` are seconds of whatever clock the caller has. `restorable` is what the 30 days say.
    `situations` is what held at the last run; `directory_email` what the directory last reported.
    """

    id: int
    email: str
    first_name: str = ""
    last_name: str = ""
    status: AccountStatus = AccountStatus.ACTIVE
    role: AccountRole = AccountRole.USER
    pending_reason: PendingReason = PendingReason.NONE
    managed_by: ManagedBy = ManagedBy.PB
    was_active: bool = False
    disabled_by: Hand = Hand.NONE
    deleted_by: Hand = Hand.NONE
    deleted_at: float = 0
    restorable: bool = False
    claimed: bool = False
    barred: bool = False
    vouched: bool = False
    waiting_since: float = 0
    tenant_id: str = ""
    object_id: str = ""
    link: str = ""
    directory_email: str = ""
    situations: frozenset[Situation] = frozenset()

    @property
    def living(self) -> bool:
        return self.status is not AccountStatus.DELETED

    @property
    def here(self) -> bool:
        """Say whether a rule can still move it: it lives, and it belongs to the company."""
        return self.living and self.status is not AccountStatus.PERSONAL

    @property
    def address(self) -> str:
        return self.email.lower()


@dataclass
class Group:
    """Hold one group of the company; `link` is the connector that mirrors it now, '' for none."""

    id: int
    name: str
    managed_by: ManagedBy = ManagedBy.PB
    tenant_id: str = ""
    directory_id: str = ""
    link: str = ""
    members: set[int] = field(default_factory=set)


@dataclass
class Company:
    """Hold a company's licences (None: unlimited), accounts and groups."""

    licences: int | None = None
    accounts: list[Account] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    @property
    def active(self) -> int:
        return sum(account.status is AccountStatus.ACTIVE for account in self.accounts)

    def living_at(self, address: str) -> Account | None:
        """Return the one living account that has this address (lower case)."""
        return next((one for one in self.accounts if one.living and one.address == address), None)

    def copy(self) -> Company:
        return deepcopy(self)


class Decision(NamedTuple):
    """Hold one thing remembered about a directory person: a hold, or what a person decided."""

    object_id: str
    kind: MarkKind
    value: str = ""
    other: str = ""


@dataclass
class Brake:
    """Hold a connector's limits."""

    floor: int = 5
    percent: int = 20
    half_floor: int = 2
    half_percent: int = 50
    growth_floor: int = 10
    growth_percent: int = 50

    def stops(self, gone: int, of: int) -> bool:
        """Say whether so many destroyed, of so many, are too many."""
        over = gone >= self.floor and gone * 100 > self.percent * of
        return over or (gone >= self.half_floor and gone * 100 >= self.half_percent * of)

    def stops_growth(self, new: int, of: int) -> bool:
        """Say whether so many newcomers, beside so many, are too many."""
        return new > self.growth_floor and new * 100 > self.growth_percent * of


@dataclass
class Connector:
    """Hold a connector: what a person chose, what it remembers, and its last 24 hours.

    `destroyed` and `grown` are object ids: of the last 24 hours, without approval; of `destroyed` who is not back.
    """

    name: str
    tenant_id: str
    sync_group: str
    additional: tuple[str, ...] = ()
    rules: Rules = field(default_factory=recommended_rules)
    direct_members_only: bool = False
    leave_out_guests: bool = False
    allow_onmicrosoft: bool = False
    brake: Brake = field(default_factory=Brake)
    memory: set[Decision] = field(default_factory=set)
    first_run: bool = True
    destroyed: frozenset[str] = frozenset()
    grown: frozenset[str] = frozenset()


@dataclass
class End:
    """Hold how a run ends.

    held: person → the action that waits. skipped: (person, reason). done: (person or directory group, kind) of all
    that was applied; `approved` those of it that a person approved. `memory` is what the connector remembers now.
    """

    company: Company
    memory: set[Decision] = field(default_factory=set)
    held: dict[str, ChangeKind] = field(default_factory=dict)
    skipped: set[tuple[str, SkipReason]] = field(default_factory=set)
    left_out: dict[str, LeftOutReason] = field(default_factory=dict)
    done: list[tuple[str, ChangeKind]] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
