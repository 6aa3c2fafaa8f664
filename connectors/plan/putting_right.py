"""What can be given back of that which a run took away, and why the rest cannot: decided purely."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.states import ChangeKind
from tenants.states import AccountStatus, Hand, Labelled, PendingReason


class Obstacle(Labelled):
    """Say why an account stays as it is; the label is its sentence, with the next step."""

    BACK = "back", "Is back already."
    WAITS = "waits", "Waits for approval already. Approve the account under Users."
    BY_PERSON_DISABLED = "person_disabled", "A person disabled it. Enable it under Users, if that was wrong too."
    BY_PERSON_DELETED = "person_deleted", "A person deleted it. Restore it under Users, if that was wrong too."
    AGAIN = "again", "A later run took it away once more. Put that run right instead."
    TOO_LATE = "too_late", "The days in which it could be restored are over."
    WITHDRAWN = "withdrawn", "It had never been active. Its owner gets a new account when the rules say so."
    PERSONAL = "personal", "It left the company with its owner as a personal account."
    GONE = "gone", "There is no such account any more."
    OTHER_PERSON = "other_person", "It belongs to somebody else of the directory now."
    ADDRESS_TAKEN = "address_taken", "Another account has its address now. Delete that one first, or keep it instead."
    ADDRESS_TWICE = "address_twice", "Two deleted accounts have this address. Restore the right one under Users."
    OWNER_TAKEN = "owner_taken", "The same person in Entra has another account now. Delete that one first."
    LICENCE = "licence", "No licence is left for it. Get more, and put the run right once more."


SETTLED = frozenset({Obstacle.BACK, Obstacle.WAITS})
"""Obstacles of which nobody needs to be told as of a failure: there is nothing left to put right."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Hold what a run took from one account, and how that account stands now.

    `before` is the status that the run found, None where its record does not say; a pending one waited for what
    `waited_for` says. `status` is None where there is no such account any more. `owner` is whose identity it carries.
    `again` says that a later run took it away once more. `address_taken` and `owner_taken` tell of another, living
    account.
    """

    line: int
    object_id: str
    kind: ChangeKind
    name: str
    email: str
    before: AccountStatus | None = AccountStatus.ACTIVE
    waited_for: PendingReason = PendingReason.RULE
    account_id: int | None = None
    status: AccountStatus | None = None
    administrator: bool = False
    was_active: bool = True
    disabled_by: Hand = Hand.NONE
    deleted_by: Hand = Hand.NONE
    restorable: bool = False
    owner: str = ""
    again: bool = False
    address_taken: bool = False
    owner_taken: bool = False


@dataclass(frozen=True, slots=True)
class Return:
    """Hold how one account comes back."""

    loss: Loss
    kind: ChangeKind
    status: AccountStatus
    pending_reason: PendingReason = PendingReason.NONE


@dataclass(frozen=True, slots=True)
class Remedy:
    """Hold what putting a run right does, and what it leaves; `free` are the licences of before, None if unlimited."""

    returns: tuple[Return, ...]
    left: tuple[tuple[Loss, Obstacle], ...]
    free: int | None

    @property
    def taken(self) -> int:
        """Return how many licences it takes."""
        return sum(one.status is AccountStatus.ACTIVE for one in self.returns)

    @property
    def missing(self) -> int:
        """Return how many more licences would let everybody back."""
        return sum(obstacle is Obstacle.LICENCE for _, obstacle in self.left)

    @property
    def counts(self) -> dict[ChangeKind, int]:
        """Return how many come back in which way."""
        return dict(Counter(one.kind for one in self.returns))

    @property
    def seen(self) -> str:
        """Return a word for what a page shows of it, so that what is done is what was shown."""
        shown = [(one.loss.account_id, one.kind.value, one.status.value) for one in self.returns]
        return hashlib.blake2b(repr(shown).encode(), digest_size=16).hexdigest()


def remedy_for(losses: Iterable[Loss], free: int | None) -> Remedy:
    """Decide who comes back, administrators first, then by address; whoever cannot is left with the reason."""
    ordered = sorted(losses, key=lambda loss: (not loss.administrator, loss.email.lower(), loss.line))
    found = [(loss, _obstacle(loss)) for loss in ordered]
    wanted = Counter(loss.email.lower() for loss, obstacle in found if obstacle is None)
    returns: list[Return] = []
    left: list[tuple[Loss, Obstacle]] = []
    licences = free
    for loss, why_not in found:
        obstacle = why_not
        if obstacle is None and wanted[loss.email.lower()] > 1:
            obstacle = Obstacle.ADDRESS_TWICE
        if obstacle is None:
            comes = _return(loss)
            if comes.status is not AccountStatus.ACTIVE or licences is None:
                returns.append(comes)
                continue
            if licences > 0:
                licences -= 1
                returns.append(comes)
                continue
            obstacle = Obstacle.LICENCE
        left.append((loss, obstacle))
    return Remedy(tuple(returns), tuple(left), free)


def _obstacle(loss: Loss) -> Obstacle | None:
    """Return why an account cannot come back, licences and its rivals aside."""
    if loss.status is AccountStatus.PERSONAL or loss.kind is ChangeKind.CONVERT:
        return Obstacle.PERSONAL
    if loss.kind is ChangeKind.WITHDRAW:
        return Obstacle.WITHDRAWN
    match loss.status:
        case None:
            return Obstacle.GONE
        case AccountStatus.ACTIVE:
            return Obstacle.BACK
        case AccountStatus.PENDING:
            return Obstacle.WAITS
        case AccountStatus.DISABLED:
            return _obstacle_of_disabled(loss)
        case _:
            return _obstacle_of_deleted(loss)


def _obstacle_of_disabled(loss: Loss) -> Obstacle | None:
    if loss.disabled_by is Hand.PERSON:
        return Obstacle.BY_PERSON_DISABLED
    if loss.again:
        return Obstacle.AGAIN
    if loss.kind is ChangeKind.DELETE:
        # It was deleted as a disabled one, and somebody has restored it to that.
        return Obstacle.BACK
    return None if loss.owner in ("", loss.object_id) else Obstacle.OTHER_PERSON


def _obstacle_of_deleted(loss: Loss) -> Obstacle | None:
    if not loss.restorable:
        return Obstacle.TOO_LATE
    if loss.deleted_by is Hand.PERSON:
        return Obstacle.BY_PERSON_DELETED
    if loss.again or loss.kind is ChangeKind.DISABLE:
        return Obstacle.AGAIN
    if loss.address_taken:
        return Obstacle.ADDRESS_TAKEN
    return Obstacle.OWNER_TAKEN if loss.owner_taken else None


def _return(loss: Loss) -> Return:
    """Say how an account comes back: what the run did is undone, nothing else."""
    waited = loss.before is AccountStatus.PENDING
    if loss.status is AccountStatus.DISABLED:
        if waited:
            return Return(loss, ChangeKind.SUSPEND, AccountStatus.PENDING, loss.waited_for)
        return Return(loss, ChangeKind.ENABLE, AccountStatus.ACTIVE)
    if loss.disabled_by is not Hand.NONE:
        return Return(loss, ChangeKind.RESTORE, AccountStatus.DISABLED)
    if waited or not loss.was_active:
        return Return(loss, ChangeKind.RESTORE, AccountStatus.PENDING, loss.waited_for)
    return Return(loss, ChangeKind.RESTORE, AccountStatus.ACTIVE)
