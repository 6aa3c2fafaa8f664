"""The sync rules as one table: situation × state of the account × the rule's choice → what happens.

The planner looks its decisions up here, and `docs/sync-rules.md` is printed from here (`python -m connectors.plan`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from connectors.plan.values import AccountFacts
from connectors.states import RULE_CHOICES, Action, ChangeKind, HoldCause, Situation, SkipReason
from tenants.states import AccountStatus, Hand, PendingReason


class State(Enum):
    """Say what a person's account is to the rules, in the words of their documentation."""

    NO_ACCOUNT = "no account"
    BARRED = "deleted by a person, the owner still in scope"
    HANDED_BACK = "handed back by a person"
    ACTIVE = "Active"
    PENDING = "Pending approval, was Active before"
    NEVER_ACTIVE = "Pending approval, never Active"
    DISABLED = "Disabled by the connector"
    DISABLED_BY_PERSON = "Disabled by a person"
    DELETED = "Deleted by the connector within 30 days"
    DELETED_DISABLED = "Deleted by the connector within 30 days, Disabled by a person before"


@dataclass(frozen=True, slots=True)
class Move:
    """Hold the change a rule asks for, and what the account ends in."""

    kind: ChangeKind
    status: AccountStatus
    pending_reason: PendingReason = PendingReason.NONE


Cell: TypeAlias = Move | SkipReason | None
"""What one rule does to an account in one state; None: nothing, it is there already or past it."""
Row: TypeAlias = Mapping[Action, Cell]

NOT_OURS = {
    State.BARRED: SkipReason.DELETED_BY_PERSON,
    State.HANDED_BACK: SkipReason.HANDED_BACK,
}
"""States in which a person's decision keeps the connector from an account, whatever the rules say."""

_DISABLE = Move(ChangeKind.DISABLE, AccountStatus.DISABLED)
_CONVERT = Move(ChangeKind.CONVERT, AccountStatus.PERSONAL)
_DELETE = Move(ChangeKind.DELETE, AccountStatus.DELETED)
_WITHDRAW = Move(ChangeKind.WITHDRAW, AccountStatus.DELETED)
_RESTORE_DISABLED = Move(ChangeKind.RESTORE, AccountStatus.DISABLED)


def _whatever(situation: Situation, cell: Cell) -> Row:
    return dict.fromkeys(RULE_CHOICES[situation], cell)


def _leaving(*, disable: Cell, convert: Cell, delete: Cell) -> Row:
    return {
        Action.DISABLE: disable,
        Action.DELETE: delete,
        Action.CONVERT: convert,
        Action.NOTHING: SkipReason.RULE,
    }


_LEAVING: Mapping[State, Row] = {
    State.ACTIVE: _leaving(disable=_DISABLE, convert=_CONVERT, delete=_DELETE),
    State.PENDING: _leaving(disable=_DISABLE, convert=_CONVERT, delete=_DELETE),
    State.NEVER_ACTIVE: _leaving(disable=_WITHDRAW, convert=_WITHDRAW, delete=_WITHDRAW),
    State.DISABLED: _leaving(disable=None, convert=_CONVERT, delete=_DELETE),
    State.DISABLED_BY_PERSON: _leaving(disable=None, convert=_CONVERT, delete=_DELETE),
    State.DELETED: _whatever(Situation.REMOVED, None),
    State.DELETED_DISABLED: _whatever(Situation.REMOVED, None),
}

TABLE: Mapping[Situation, Mapping[State, Row]] = {
    Situation.NEW: {
        State.NO_ACCOUNT: {
            Action.CREATE: Move(ChangeKind.CREATE, AccountStatus.ACTIVE),
            Action.CREATE_PENDING: Move(ChangeKind.CREATE_PENDING, AccountStatus.PENDING, PendingReason.RULE),
            Action.NOTHING: SkipReason.RULE,
        },
        **{state: _whatever(Situation.NEW, reason) for state, reason in NOT_OURS.items()},
    },
    Situation.DISABLED: {
        State.NO_ACCOUNT: _whatever(Situation.DISABLED, SkipReason.DISABLED_NEWCOMER),
        **{state: _whatever(Situation.DISABLED, reason) for state, reason in NOT_OURS.items()},
        **_LEAVING,
    },
    Situation.REMOVED: _LEAVING,
    Situation.DELETED: _LEAVING,
    Situation.RETURNED: {
        State.DISABLED: {
            Action.ENABLE: Move(ChangeKind.ENABLE, AccountStatus.ACTIVE),
            Action.PENDING: Move(ChangeKind.SUSPEND, AccountStatus.PENDING, PendingReason.RULE),
            Action.NOTHING: SkipReason.RULE,
        },
        State.DISABLED_BY_PERSON: _whatever(Situation.RETURNED, SkipReason.DISABLED_BY_PERSON),
        State.DELETED: {
            Action.ENABLE: Move(ChangeKind.RESTORE, AccountStatus.ACTIVE),
            Action.PENDING: Move(ChangeKind.RESTORE, AccountStatus.PENDING, PendingReason.RULE),
            Action.NOTHING: SkipReason.RULE,
        },
        State.DELETED_DISABLED: {
            Action.ENABLE: _RESTORE_DISABLED,
            Action.PENDING: _RESTORE_DISABLED,
            Action.NOTHING: SkipReason.RULE,
        },
    },
}
"""What happens before people's decisions, addresses, licences and the brake have their say."""


def state_of(account: AccountFacts) -> State | None:
    """Return what an account is to the rules; None where no rule reaches it any more."""
    deleted = account.status is AccountStatus.DELETED
    if account.status is AccountStatus.PERSONAL:
        return None
    if account.barred:
        return State.BARRED if deleted else State.HANDED_BACK
    if account.status is AccountStatus.ACTIVE:
        return State.ACTIVE
    if account.status is AccountStatus.PENDING:
        return State.PENDING if account.was_active else State.NEVER_ACTIVE
    if account.status is AccountStatus.DISABLED:
        return State.DISABLED if account.disabled_by is Hand.CONNECTOR else State.DISABLED_BY_PERSON
    if account.deleted_by is Hand.CONNECTOR and account.restorable:
        return State.DELETED_DISABLED if account.disabled_by is Hand.PERSON else State.DELETED
    return None


def _words(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, SkipReason):
        return f"skipped: {cell.label}"
    reason = f" ({cell.pending_reason.label})" if cell.pending_reason else ""
    return f"{cell.kind.label} → {cell.status.label}{reason}"


def markdown() -> str:
    """Return the documentation of the sync rules."""
    lines = [
        "# The sync rules",
        "",
        "Printed by `python -m connectors.plan` from the table the planner decides by; do not edit.",
        "A dash means that nothing happens: the account is there already, or past it.",
    ]
    for situation, rows in TABLE.items():
        choices = RULE_CHOICES[situation]
        lines += [
            "",
            f"## {situation.label}",
            "",
            "| the account | " + " | ".join(choice.label for choice in choices) + " |",
            "| --- |" + " --- |" * len(choices),
        ]
        for state, row in rows.items():
            lines.append(f"| {state.value} | " + " | ".join(_words(row[choice]) for choice in choices) + " |")
    lines += ["", "## Why a situation leads to no change", ""]
    lines += [f"- {reason.label}" for reason in SkipReason]
    lines += ["", "## Why a change is held", ""]
    lines += [f"- {cause.label}" for cause in HoldCause]
    return "\n".join(lines) + "\n"
