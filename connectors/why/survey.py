"""One person's part of a plan: the lines that concern them, and what they were decided from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.directory import Person, Snapshot
from connectors.plan import AccountFacts, Change, Held, Roster, Rules, Skipped, SyncPlan
from connectors.plan.addresses import adoptable, find_holders
from connectors.plan.email import usable_address
from connectors.plan.situations import account_name, find_owners
from connectors.states import ChangeKind, LeftOutReason
from connectors.why.values import Facts, Licences, Wait
from tenants.states import AccountStatus, PendingReason

_BONDS = (ChangeKind.ADOPT, ChangeKind.RELINK)


@dataclass(frozen=True, slots=True)
class Survey:
    """Hold the very plan of the next run, with all that it was made from."""

    rules: Rules
    snapshot: Snapshot
    roster: Roster
    plan: SyncPlan


def survey(facts: Facts, seen: Survey, *, object_id: str) -> Facts:
    """Return the facts with what the plan and its sources say of one person.

    `facts` already holds the person's own record where the snapshot need not have it, and the account asked about,
    if one was. '' is the object ID of somebody the directory does not know.
    """
    snapshot, plan = seen.snapshot, seen.plan
    object_id = object_id.lower()
    person = snapshot.people.get(object_id) or facts.person
    gone = object_id in snapshot.gone
    person = None if gone else person
    group = snapshot.sync_group
    address = usable_address(person, allow_onmicrosoft=seen.rules.allow_onmicrosoft) if person is not None else ""
    account, holder = _accounts(seen, facts.account, object_id, address)
    bond, change = _changes(plan.changes, object_id, account)
    left_out = next((one.reason for one in plan.left_out if one.object_id == object_id), None)
    return Facts(
        asked=facts.asked,
        tenant=facts.tenant,
        group_name=group.name or facts.group_name,
        group_state=group.state,
        group_sentence=group.sentence,
        rules=seen.rules,
        stopped=facts.stopped,
        person=person,
        gone=gone,
        unread=snapshot.unread.get(object_id, "") or ("" if person is not None or gone else facts.unread),
        via=group.members.get(object_id),
        address=address,
        account=account,
        holder=holder,
        twins=_twins(seen, object_id, address),
        bond=bond,
        change=change,
        held=_held(plan.held, object_id, account),
        skipped=_skipped(plan.skipped, object_id, account),
        left_out=LeftOutReason(left_out) if left_out is not None else None,
        licences=_licences(seen, object_id, account),
        restorable_until=facts.restorable_until,
        decisions=facts.decisions,
        last=facts.last,
    )


def _accounts(
    seen: Survey, asked: AccountFacts | None, object_id: str, address: str
) -> tuple[AccountFacts | None, AccountFacts | None]:
    """Return a person's account, and somebody else's that has their address."""
    owner = find_owners(seen.snapshot.tenant_id, seen.roster.accounts).get(object_id) if object_id else None
    own = owner[0] if owner is not None else asked
    holder = find_holders(seen.roster.accounts).get(address) if address else None
    if holder is None or (own is not None and holder.id == own.id):
        return own, None
    if own is None and adoptable(holder):
        return holder, None
    return own, holder


def _is_theirs(object_id: str, account: AccountFacts | None, line_id: str, account_id: int | None) -> bool:
    return line_id == object_id or (account is not None and account_id == account.id)


def _changes(
    changes: Iterable[Change], object_id: str, account: AccountFacts | None
) -> tuple[Change | None, Change | None]:
    """Return how an account becomes, or ceases to be, theirs, and what its status becomes."""
    bond = change = None
    for one in changes:
        if one.directory_group_id or not _is_theirs(object_id, account, one.object_id, one.account_id):
            continue
        if one.kind in _BONDS:
            bond = one
        elif one.status is not None:
            change = one
    return bond, change


def _held(held: Iterable[Held], object_id: str, account: AccountFacts | None) -> Held | None:
    return next(
        (one for one in held if _is_theirs(object_id, account, one.change.object_id, one.change.account_id)), None
    )


def _skipped(skipped: Iterable[Skipped], object_id: str, account: AccountFacts | None) -> tuple[Skipped, ...]:
    return tuple(one for one in skipped if _is_theirs(object_id, account, one.object_id, one.account_id))


def _twins(seen: Survey, object_id: str, address: str) -> tuple[str, ...]:
    """Return the other people in the sync group who have no account and the same address."""
    if not address or object_id not in seen.snapshot.sync_group.members:
        return ()
    owners = find_owners(seen.snapshot.tenant_id, seen.roster.accounts)
    twins = []
    for other in seen.snapshot.sync_group.members.keys() - owners.keys() - {object_id}:
        person = seen.snapshot.people[other]
        if person.enabled and usable_address(person, allow_onmicrosoft=seen.rules.allow_onmicrosoft) == address:
            twins.append(person.name)
    return tuple(sorted(twins))


def _licences(seen: Survey, object_id: str, account: AccountFacts | None) -> Licences:
    """Return the licences, and how many are missing until it is this person's turn after the next run."""
    used = sum(one.status is AccountStatus.ACTIVE for one in seen.roster.accounts)
    purchased = seen.roster.licences
    if purchased is None:
        return Licences(None, used)
    queue = _queue(seen)
    place = next(
        (
            number
            for number, (who, account_id, _) in enumerate(queue)
            if who == object_id or (account is not None and account_id == account.id)
        ),
        None,
    )
    if place is None:
        return Licences(purchased, used)
    ends = {one.account_id: one.status for one in seen.plan.changes if one.status is not None}
    at_the_end = sum(ends.get(one.id, one.status) is AccountStatus.ACTIVE for one in seen.roster.accounts) + sum(
        one.account_id is None and one.status is AccountStatus.ACTIVE for one in seen.plan.changes
    )
    return Licences(
        purchased,
        used,
        tuple(wait for _, _, wait in queue[:place]),
        max(place + 1 - (purchased - at_the_end), 1),
    )


def _queue(seen: Survey) -> list[tuple[str, int | None, Wait]]:
    """Return who still waits for a licence after the plan, in the order in which they get one.

    The order is the planner's: those who wait already, then who returns, then who is new.
    """
    ends = {one.account_id: one for one in seen.plan.changes if one.status is not None and one.account_id is not None}
    waiting = [
        one
        for one in seen.roster.accounts
        if one.link is not None
        and not one.barred
        and one.status is AccountStatus.PENDING
        and one.pending_reason is PendingReason.LICENCE
        and one.id not in ends
        and _back(seen, one.object_id.lower())
    ]
    waiting.sort(key=lambda one: (one.waiting_since, one.id))
    queue: list[tuple[str, int | None, Wait]] = [
        (one.object_id.lower(), one.id, Wait(account_name(one), _moment(one.waiting_since))) for one in waiting
    ]
    coming = [one for one in seen.plan.changes if one.pending_reason is PendingReason.LICENCE]
    coming.sort(key=lambda one: (one.account_id is None, one.email.lower(), one.object_id))
    return queue + [(one.object_id, one.account_id, Wait(one.name, None)) for one in coming]


def _back(seen: Survey, object_id: str) -> bool:
    person: Person | None = seen.snapshot.people.get(object_id)
    left_out = any(one.object_id == object_id for one in seen.plan.left_out)
    return person is not None and person.enabled and object_id in seen.snapshot.sync_group.members and not left_out


def _moment(waiting_since: int) -> datetime | None:
    return datetime.fromtimestamp(waiting_since / 1000, UTC) if waiting_since else None
