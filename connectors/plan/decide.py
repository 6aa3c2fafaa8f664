"""The plan of one synchronisation, phase by phase: who leaves, who is spared, who comes, groups, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from connectors.directory import GroupState, Snapshot
from connectors.plan.addresses import find_holders, meet_newcomers
from connectors.plan.brake import people_at_start
from connectors.plan.groups import Member, mirror_groups
from connectors.plan.joining import Entries, JoiningRules, find_returns
from connectors.plan.leaving import Departures, Leaver, LeavingRules, question_rules
from connectors.plan.licences import Licences
from connectors.plan.lines import (
    CONFIRMED,
    SAME_ADDRESS,
    SAME_IDENTITY,
    SAME_PERSON,
    account_change,
    because,
    change_order,
    held_order,
    skipped_order,
)
from connectors.plan.marks import Marks
from connectors.plan.memory import Findings, remember
from connectors.plan.naming import follow_directory, watch_deleted
from connectors.plan.situations import Bond, Census, Known, account_name, disabled_newcomer, take_census
from connectors.plan.values import (
    AccountFacts,
    Change,
    Held,
    Limits,
    LinkNote,
    Mark,
    Roster,
    Rules,
    Skipped,
    SyncPlan,
)
from connectors.states import Attention, ChangeKind, HoldCause, MarkKind, Situation, SkipReason
from tenants.states import AccountRole, AccountStatus, ManagedBy

_LEAVES_EVERY_GROUP = (AccountStatus.DELETED, AccountStatus.PERSONAL)
_NEEDS_A_PERSON = frozenset(
    {
        SkipReason.NO_EMAIL,
        SkipReason.TWO_NEWCOMERS,
        SkipReason.ADDRESS_PERSONAL,
        SkipReason.RESTORE_TAKEN,
        SkipReason.RESTORE_TWICE,
        SkipReason.NOT_CLAIMED,
        SkipReason.DELETED_BY_PERSON,
        SkipReason.HANDED_BACK,
        SkipReason.OTHER_CONNECTOR,
        SkipReason.UNREAD,
    }
)
"""Reasons that a connector shows as *people skipped*; the others are as the rules or a person want it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold what happens to accounts, for one answer to the question who is spared."""

    departures: Departures
    entries: Entries
    licences_wanted: int

    @property
    def changes(self) -> list[Change]:
        return self.departures.changes + self.entries.changes

    @property
    def held(self) -> list[Held]:
        return list(self.departures.held.values()) + self.entries.held

    @property
    def skipped(self) -> list[Skipped]:
        return self.departures.skipped + self.entries.skipped


def plan_sync(rules: Rules, snapshot: Snapshot, roster: Roster, limits: Limits) -> SyncPlan:
    """Return everything one synchronisation does, holds and skips, with the reason of each.

    Level-triggered, total, deterministic, and independent of the order of what it is given.
    """
    complete = snapshot.sync_group.complete
    marks = Marks(roster.marks)
    census = take_census(rules, snapshot, roster, marks)
    empty = complete and not census.scope and not snapshot.sync_group.unread
    holders = find_holders(roster.accounts)
    arrivals = meet_newcomers(rules, census, holders, marks, _owner_stays(snapshot, census))
    joined = {one.account.id for one in arrivals.joined}
    disowned = [one for one in census.known if one.account.id in joined]
    known = [one for one in census.known if one.account.id not in joined] + list(arrivals.joined)
    unconfirmed = [one for one in census.unconfirmed if one.account.id not in joined]
    unconfirmed += arrivals.unconfirmed

    kept = _keep_vouched(known, marks, complete=complete)
    question = question_rules(rules, known, marks)
    returns = find_returns(rules, known, marks)
    at_start = people_at_start(roster.accounts)
    leaving_rules = LeavingRules(
        rules=rules,
        limits=limits,
        marks=marks,
        at_start=at_start,
        nobody_in_scope=empty,
        left_out={person.object_id for person in census.left_out},
    )
    joining_rules = JoiningRules(
        rules=rules, limits=limits, marks=marks, at_start=at_start, scope=census.scope, holders=holders
    )

    def draft_sparing(spared: Set[int]) -> Draft:
        departures = leaving_rules.decide(question.leavers, spared)
        licences = Licences(roster.licences, roster.active, departures.licences_freed)
        entries = joining_rules.decide(returns, arrivals, departures.changes, licences)
        return Draft(departures, entries, licences.wanted)

    draft = draft_sparing(frozenset())
    leaving = leaving_rules.leaving_administrators(question.leavers)
    if leaving and not _another_administrator(roster.accounts, leaving, draft.entries.changes):
        draft = draft_sparing(leaving)

    statuses = {change.account_id: change for change in draft.changes}
    following, notes = follow_directory(known, statuses, complete=complete)
    watched = watch_deleted(snapshot, census.scope, roster.accounts)
    changes = [_bond(one) for one in known if one.bond is not Bond.LINKED] + draft.changes + following
    if complete:
        changes += mirror_groups(
            rules,
            snapshot.additional,
            roster.mirrors,
            _active_at_the_end(known, draft.changes) if snapshot.additional else {},
            roster.accounts,
            frozenset(
                [
                    *(account.id for account in census.unread.values() if account.link is not None),
                    *(
                        change.account_id
                        for change in draft.departures.changes
                        if change.account_id is not None and change.status in _LEAVES_EVERY_GROUP
                    ),
                ]
            ),
        )
    held = [Held(_bond(one, confirmed=False), HoldCause.ADMIN) for one in unconfirmed] + draft.held
    skipped = [*census.skipped, *question.skipped, *draft.skipped]
    # Whose account has just become another person's has none: in scope, that is a disabled newcomer.
    skipped += [disabled_newcomer(one.person) for one in disowned if one.in_scope and one.person is not None]
    done = question.answered_by(draft.departures.changes)
    marks_set, marks_ended = remember(
        marks,
        Findings(
            snapshot=snapshot,
            scope=census.scope,
            changes=changes,
            held=held,
            skipped=skipped,
            asking={
                HoldCause.BRAKE: question.asking.keys() - done,
                HoldCause.EMPTY_GROUP: question.asking_removed - done,
                HoldCause.GROWTH: draft.entries.asking,
                HoldCause.ADMIN: {one.object_id for one in unconfirmed},
            },
            returned={one.object_id for one in [*known, *unconfirmed] if one.returned},
            unknown=snapshot.unread.keys() | census.unread.keys(),
            unread_accounts={account.id for account in census.unread.values()},
        ),
        kept,
    )
    return SyncPlan(
        changes=tuple(sorted(changes, key=change_order)),
        held=tuple(sorted(held, key=held_order)),
        skipped=tuple(sorted(skipped, key=skipped_order)),
        left_out=census.left_out,
        notes=tuple(sorted([*notes, *(note for _, note in watched)], key=_account_of)),
        marks_set=marks_set,
        marks_ended=marks_ended,
        bars_ended=census.bars_ended,
        vouched_seen=tuple(sorted(one.account.id for one in known if one.account.vouched)),
        attention=_attention(snapshot, empty, held, skipped, draft.licences_wanted),
        in_scope=len(census.scope),
        licences_wanted=draft.licences_wanted,
        second_look=_second_look(question.leavers, disowned, [owner for owner, _ in watched], snapshot, census),
        second_group_look=any(
            demand.situation is Situation.REMOVED for leaver in question.leavers for demand in leaver.demands
        )
        or any(Situation.REMOVED in one.holding for one in disowned),
    )


def _account_of(note: LinkNote) -> int:
    return note.account_id


def _owner_stays(snapshot: Snapshot, census: Census) -> Callable[[AccountFacts], bool]:
    """Return the question whether an account's owner is enabled and in scope, or cannot be known not to be."""

    def owner_stays(account: AccountFacts) -> bool:
        object_id = account.object_id.lower()
        return account.tenant_id.lower() == snapshot.tenant_id.lower() and (
            object_id in census.unread or (object_id in census.scope and snapshot.people[object_id].enabled)
        )

    return owner_stays


def _keep_vouched(known: Iterable[Known], marks: Marks, *, complete: bool) -> list[Mark]:
    """Return the *keep* that people decided by enabling, restoring or approving an account; planning heeds them.

    Where the group could not be read REMOVED may hold still, and is kept as well.
    """
    kept = []
    for one in known:
        if one.account.vouched and one.account.link is not None:
            holding = one.holding if complete or one.person is None else one.holding | {Situation.REMOVED}
            for situation in holding & one.account.link.situations:
                kept.append(Mark(one.object_id, MarkKind.KEPT, situation.value))
                marks.keep(one.object_id, situation)
    return kept


def _another_administrator(accounts: Iterable[AccountFacts], leaving: Set[int], entries: Iterable[Change]) -> bool:
    """Say whether an administrator who is not leaving is Active at the end."""
    activated = {change.account_id for change in entries if change.status is AccountStatus.ACTIVE}
    return any(
        account.role is AccountRole.ADMIN
        and account.id not in leaving
        and (account.status is AccountStatus.ACTIVE or account.id in activated)
        for account in accounts
    )


def _bond(one: Known, *, confirmed: bool = True) -> Change:
    """Write down how an account becomes this connector's; an administrator's by a person's word alone."""
    if one.bond is Bond.RELINKED:
        reason = because(SAME_ADDRESS, Situation.NEW, decision=SAME_PERSON)
        before, after = account_name(one.account), one.person.name if one.person is not None else ""
        return account_change(one, ChangeKind.RELINK, reason, before=before, after=after)
    reason = because(
        SAME_ADDRESS if one.bond is Bond.ADOPTED else SAME_IDENTITY,
        Situation.NEW if one.bond is Bond.ADOPTED else None,
        decision=CONFIRMED if confirmed and one.account.role is AccountRole.ADMIN else "",
    )
    return account_change(
        one,
        ChangeKind.ADOPT,
        reason,
        before=one.account.managed_by.label,
        after=ManagedBy.AZURE_AD.label,
    )


def _active_at_the_end(known: Iterable[Known], changes: Sequence[Change]) -> Mapping[str, Member]:
    """Return who has an Active account through this connector when the plan is done, by object id."""
    changed = {change.account_id for change in changes}
    active: dict[str, Member] = {
        one.object_id: one.account
        for one in known
        if one.account.status is AccountStatus.ACTIVE and one.account.id not in changed
    }
    active.update((change.object_id, change) for change in changes if change.status is AccountStatus.ACTIVE)
    return active


def _attention(
    snapshot: Snapshot,
    empty: bool,
    held: Iterable[Held],
    skipped: Iterable[Skipped],
    licences_wanted: int,
) -> frozenset[Attention]:
    """Return what the connector needs a person for, as far as a plan can tell."""
    found = set()
    group = snapshot.sync_group
    if group.state is GroupState.GONE:
        found.add(Attention.SYNC_GROUP_MISSING)
    elif group.state is GroupState.UNREADABLE:
        found.add(Attention.SYNC_GROUP_UNREADABLE)
    elif empty:
        found.add(Attention.SYNC_GROUP_EMPTY)
    if any(reading.state is GroupState.UNREADABLE for reading in snapshot.additional):
        found.add(Attention.GROUP_UNREADABLE)
    if any(True for _ in held):
        found.add(Attention.HELD)
    if any(skip.question or skip.reason in _NEEDS_A_PERSON for skip in skipped):
        found.add(Attention.SKIPPED)
    if any(skip.reason is SkipReason.SPARED for skip in skipped):
        found.add(Attention.SPARED)
    if licences_wanted:
        found.add(Attention.LICENCES_SHORT)
    return frozenset(found)


def _second_look(
    leavers: Iterable[Leaver],
    disowned: Iterable[Known],
    watched: Iterable[str],
    snapshot: Snapshot,
    census: Census,
) -> frozenset[str]:
    """Return whose own record is read again before they lose anything, and who was not looked up at all.

    A second look calls only those gone whom it looked up: the watched are among them, or would be forgotten.
    """
    overlooked = (
        object_id
        for object_id, account in census.unread.items()
        if account.link is not None and account.status is not AccountStatus.DELETED and object_id not in snapshot.unread
    )
    return frozenset(
        [
            *(leaver.known.object_id for leaver in leavers),
            *(one.object_id for one in disowned),
            *overlooked,
            *watched,
        ]
    )
