"""People, accounts and readings for the planner's tests, and a plan told in short lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from connectors.directory import GroupReading, GroupState, Person, Snapshot
from connectors.plan import (
    AccountFacts,
    Limits,
    Link,
    Mark,
    MirrorFacts,
    Roster,
    Rules,
    SyncPlan,
    plan_sync,
)
from connectors.states import RULE_CHOICES, Action, ChangeKind, HoldCause, MarkKind, Situation
from tenants.states import AccountStatus, Hand, ManagedBy, PendingReason

TENANT = "tenant"
LOOSE = Limits(destructive_floor=1000, half_floor=1000, growth_floor=1000)
"""A brake that never stops anything."""
FIRST = replace(Limits(), first_run=True)

ACTIVE: dict[str, Any] = {"status": AccountStatus.ACTIVE, "was_active": True}
PENDING: dict[str, Any] = {"status": AccountStatus.PENDING, "pending_reason": PendingReason.RULE}
WAITING: dict[str, Any] = {"status": AccountStatus.PENDING, "pending_reason": PendingReason.LICENCE}
DISABLED: dict[str, Any] = {"status": AccountStatus.DISABLED, "was_active": True, "disabled_by": Hand.CONNECTOR}
DISABLED_BY_PERSON: dict[str, Any] = {**DISABLED, "disabled_by": Hand.PERSON}
DELETED: dict[str, Any] = {
    "status": AccountStatus.DELETED,
    "was_active": True,
    "deleted_by": Hand.CONNECTOR,
    "restorable": True,
}
DELETED_BY_PERSON: dict[str, Any] = {**DELETED, "deleted_by": Hand.PERSON, "barred": True}
PERSONAL: dict[str, Any] = {
    "status": AccountStatus.PERSONAL,
    "managed_by": ManagedBy.PB,
    "tenant_id": "",
    "object_id": "",
    "link": None,
}
BY_HAND: dict[str, Any] = {"managed_by": ManagedBy.PB, "tenant_id": "", "object_id": "", "link": None}
HANDED_BACK: dict[str, Any] = {"managed_by": ManagedBy.PB, "link": None}


def person(name: str, **facts: Any) -> Person:
    """Return an enabled member called by this name, whose object id it is."""
    known: dict[str, Any] = {
        "object_id": name,
        "enabled": True,
        "guest": False,
        "display_name": name.title(),
        "given_name": name.title(),
        "surname": "Test",
        "mail": f"{name}@firm.example",
        "user_principal_name": f"{name}@upn.example",
    }
    return Person(**(known | facts))


def account(number: int, name: str, **facts: Any) -> AccountFacts:
    """Return this person's Active account, linked to the connector and as the directory has it."""
    known: dict[str, Any] = {
        "id": number,
        "email": f"{name}@firm.example",
        "first_name": name.title(),
        "last_name": "Test",
        "managed_by": ManagedBy.AZURE_AD,
        "tenant_id": TENANT,
        "object_id": name,
        "link": Link(f"{name}@firm.example"),
        **ACTIVE,
    }
    return AccountFacts(**(known | facts))


def rules(*, direct: bool = False, guests: bool = True, onmicrosoft: bool = False, **actions: str) -> Rules:
    """Return the recommended rules, but for those named: `rules(removed="delete")`."""
    chosen = {situation: choices[0] for situation, choices in RULE_CHOICES.items()}
    chosen |= {Situation(name): Action(action) for name, action in actions.items()}
    return Rules(chosen, direct, not guests, onmicrosoft)


def group(name: str, members: Iterable[str] | Mapping[str, str] = (), state: str = "complete") -> GroupReading:
    """Return a group by this name as it was read; a mapping names the nested group of each member."""
    via = members if isinstance(members, Mapping) else dict.fromkeys(members, "")
    return GroupReading(name.lower(), GroupState(state), name, dict(via))


def reading(
    scope: Iterable[Person] = (),
    *,
    outside: Iterable[Person] = (),
    gone: Iterable[str] = (),
    via: Mapping[str, str] | None = None,
    state: str = "complete",
    groups: Iterable[GroupReading] = (),
    unread: Iterable[str] = (),
    unread_outside: Iterable[str] = (),
) -> Snapshot:
    """Return a snapshot: who is in the sync group, who was looked up and is outside, and who is gone.

    `unread` are in the group, `unread_outside` are not.
    """
    members = {one.object_id: (via or {}).get(one.object_id, "") for one in scope}
    people = {one.object_id: one for one in [*scope, *outside]}
    sync_group = GroupReading("sync", GroupState(state), "Sync", members, unread=frozenset(unread))
    asked = frozenset([*(one.object_id for one in outside), *gone])
    told = dict.fromkeys([*unread, *unread_outside], "Its record is incomplete.")
    return Snapshot(TENANT, sync_group, people, asked, frozenset(gone), tuple(groups), told)


def roster(
    *accounts: AccountFacts,
    marks: Iterable[Mark] = (),
    mirrors: Iterable[MirrorFacts] = (),
    licences: int | None = None,
) -> Roster:
    active = sum(one.status is AccountStatus.ACTIVE for one in accounts)
    return Roster(accounts, tuple(mirrors), frozenset(marks), licences, active)


def plan(
    snapshot: Snapshot, *accounts: AccountFacts, by: Rules | None = None, limits: Limits = LOOSE, **more: Any
) -> SyncPlan:
    return plan_sync(by or rules(), snapshot, roster(*accounts, **more), limits)


def held(name: str, kind: str, cause: str = "brake") -> Mark:
    return Mark(name, MarkKind.HELD, ChangeKind(kind).value, HoldCause(cause).value)


def approved(name: str, kind: str) -> Mark:
    return Mark(name, MarkKind.APPROVED, ChangeKind(kind).value)


def kept(name: str, situation: str) -> Mark:
    return Mark(name, MarkKind.KEPT, Situation(situation).value)


def mark(name: str, kind: str, value: object = "") -> Mark:
    return Mark(name, MarkKind(kind), str(value))


def told(made: SyncPlan) -> list[str]:
    """Return the plan's changes in their order, then what is held, then what is skipped."""
    lines = []
    for change in made.changes:
        who = change.object_id or f"account {change.account_id}"
        line = f"{change.kind.value} {who}"
        if change.kind in (ChangeKind.GROUP_JOIN, ChangeKind.GROUP_LEAVE):
            line += f" {change.directory_group_id}"
        if change.kind in (ChangeKind.RESTORE, ChangeKind.SUSPEND, ChangeKind.CREATE_PENDING):
            line += f" → {change.status}{change.pending_reason and ' ' + change.pending_reason.value}"
        lines.append(line + (" approved" if change.approved else ""))
    lines += [f"held {one.change.kind.value} {one.change.object_id}: {one.cause.value}" for one in made.held]
    for skip in made.skipped:
        other = f" {skip.other}" if skip.other is not None else ""
        lines.append(f"skipped {skip.object_id}: {skip.reason.value}{other}{'?' if skip.question else ''}")
    return lines


def marks_told(made: SyncPlan) -> list[str]:
    """Return the marks the plan sets (+) and ends (-)."""
    return [
        f"{sign}{one.kind.value} {one.object_id} {one.value}".strip()
        for sign, marks in (("+", made.marks_set), ("-", made.marks_ended))
        for one in sorted(marks)
    ]


def crowd(number: int, start: int = 1) -> list[str]:
    return [f"p{one:03}" for one in range(start, start + number)]


def people(names: Iterable[str]) -> list[Person]:
    return [person(name) for name in names]


def accounts_of(names: Iterable[str], **facts: Any) -> list[AccountFacts]:
    return [account(int(name[1:]), name, **facts) for name in names]


def counts(made: SyncPlan) -> tuple[int, int]:
    return len(made.changes), len(made.held)
