"""How a change is written down: its order, its texts, its reason; one shared reason serves many changes."""

from __future__ import annotations

from functools import lru_cache

from connectors.directory import Person
from connectors.plan.situations import Known, account_name
from connectors.plan.table import Move
from connectors.plan.values import Because, Change, Held, Skipped
from connectors.states import Action, ChangeKind, Situation, SkipReason
from tenants.states import AccountStatus, PendingReason

BLOCKED = "the directory says that the account is disabled"
OUTSIDE = "not a member of the sync group at two complete reads"
LEFT_OUT = "a member of the sync group whom a setting leaves out"
ABSENT = "the directory does not hold this person any more"
IN_SCOPE = "enabled and in the sync group"
BACK = "enabled and in the sync group again"
LICENCE_FREE = "a licence is free"
NO_LICENCE = "no licence was left"
SAME_ADDRESS = "an account of this company has the same email address"
SAME_IDENTITY = "the account carries this person's Microsoft identity"
OTHER_NAME = "the directory has another name"
OTHER_EMAIL = "the directory has another email address"
MEMBER = "an active member of the directory group"
NO_MEMBER = "not an active member of the directory group"
GROUP_CHOSEN = "chosen as an additional group"
GROUP_GONE = "the directory group was deleted"
GROUP_NOT_CHOSEN = "not an additional group any more"
APPROVED = "approved by a person"
CONFIRMED = "confirmed by a person"
SAME_PERSON = "a person decided: same person"

_ORDER = {
    kind: place
    for place, kind in enumerate(
        (
            ChangeKind.ADOPT,
            ChangeKind.RELINK,
            ChangeKind.DISABLE,
            ChangeKind.CONVERT,
            ChangeKind.DELETE,
            ChangeKind.WITHDRAW,
            ChangeKind.ACTIVATE,
            ChangeKind.ENABLE,
            ChangeKind.RESTORE,
            ChangeKind.SUSPEND,
            ChangeKind.CREATE,
            ChangeKind.CREATE_PENDING,
            ChangeKind.RENAME,
            ChangeKind.EMAIL,
            ChangeKind.GROUP_HAND_BACK,
            ChangeKind.GROUP_TAKE_UP,
            ChangeKind.GROUP_CREATE,
            ChangeKind.GROUP_RENAME,
            ChangeKind.GROUP_LEAVE,
            ChangeKind.GROUP_JOIN,
        )
    )
}
"""Links first, then what frees licences and addresses, then what needs them, then what follows from all that."""


def change_order(change: Change) -> tuple[int, str, str, int]:
    """Return the place of a change among those of a plan; no two have the same."""
    return (
        _ORDER[change.kind],
        change.email.lower(),
        change.directory_group_id,
        change.account_id or 0,
    )


def held_order(held: Held) -> tuple[int, str, str, int]:
    """Return the place of a held change among those of a plan."""
    return change_order(held.change)


def skipped_order(skipped: Skipped) -> tuple[str, str]:
    """Return the place of a skipped situation among those of a plan; those of one person stay as they were found."""
    return skipped.email.lower(), skipped.object_id


@lru_cache(maxsize=1024)
def because(
    evidence: str,
    situation: Situation | None = None,
    rule: Action | None = None,
    *,
    decision: str = "",
    via: str = "",
) -> Because:
    """Return the reason, the same value for the same words: a plan may hold 100,000 of them."""
    return Because(situation, rule, decision, via, evidence)


def directory_name(person: Person) -> tuple[str, str]:
    """Return first and last name as the directory has them; the display name serves where both are missing."""
    if person.given_name or person.surname:
        return person.given_name, person.surname
    return person.display_name, ""


def account_change(
    known: Known,
    kind: ChangeKind,
    reason: Because,
    *,
    before: str,
    after: str,
    first_name: str = "",
    last_name: str = "",
) -> Change:
    """Write down a change of an existing account that leaves its status as it is."""
    account = known.account
    return Change(
        kind=kind,
        object_id=known.object_id,
        because=reason,
        account_id=account.id,
        name=account_name(account),
        email=account.email,
        first_name=first_name,
        last_name=last_name,
        before=before,
        after=after,
    )


def standing(status: AccountStatus, reason: PendingReason) -> str:
    """Say how an account stands before a change; who waits for a licence is told apart, to be put back so."""
    return f"{status.label}, no licence" if reason is PendingReason.LICENCE else status.label


def status_change(known: Known, move: Move, reason: Because, *, approved: bool = False) -> Change:
    """Write down a change of an existing account's status."""
    account = known.account
    return Change(
        kind=move.kind,
        object_id=known.object_id,
        because=reason,
        account_id=account.id,
        name=account_name(account),
        email=account.email,
        before=standing(account.status, account.pending_reason),
        after=move.status.label,
        status=move.status,
        pending_reason=move.pending_reason,
        approved=approved,
    )


def creation(person: Person, address: str, move: Move, reason: Because, *, approved: bool) -> Change:
    """Write down a new account. Where the directory has no name at all, the address's local part is the name."""
    first, last = directory_name(person)
    return Change(
        kind=move.kind,
        object_id=person.object_id,
        because=reason,
        name=person.name,
        email=address,
        first_name=first or ("" if last else address.partition("@")[0]),
        last_name=last,
        after=move.status.label,
        status=move.status,
        pending_reason=move.pending_reason,
        approved=approved,
    )


def account_skipped(known: Known, situation: Situation, reason: SkipReason, *, other: int | None = None) -> Skipped:
    """Write down a situation of an existing account that leads to no change."""
    account = known.account
    return Skipped(known.object_id, reason, situation, account.id, account_name(account), account.email, other)


def waiting_for_licence(move: Move) -> Move:
    """Return what becomes of a move that needs a licence where none is left."""
    kind = {ChangeKind.ENABLE: ChangeKind.SUSPEND, ChangeKind.CREATE: ChangeKind.CREATE_PENDING}.get(
        move.kind, move.kind
    )
    return Move(kind, AccountStatus.PENDING, PendingReason.LICENCE)
