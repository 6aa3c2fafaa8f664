"""Who gets what: those who return, those who wait for a licence and those who are new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from connectors.plan.addresses import Arrivals, Holders, Newcomer, adoptable
from connectors.plan.brake import too_much_growth
from connectors.plan.licences import Licences
from connectors.plan.lines import (
    APPROVED,
    BACK,
    IN_SCOPE,
    LICENCE_FREE,
    NO_LICENCE,
    account_skipped,
    because,
    creation,
    status_change,
)
from connectors.plan.marks import Marks
from connectors.plan.situations import Known
from connectors.plan.table import TABLE, Cell, Move, Row, State
from connectors.plan.values import AccountFacts, Because, Change, Held, Limits, Rules, Skipped
from connectors.states import GROWTH, ChangeKind, HoldCause, Situation, SkipReason
from tenants.states import AccountStatus, PendingReason

_NO_ROW: Row = {}
_ACTIVATE = Move(ChangeKind.ACTIVATE, AccountStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class Return:
    """Hold an account whose owner is back, and what the rule asks for it."""

    known: Known
    move: Move

    @property
    def order(self) -> tuple[str, int]:
        return self.address, self.known.account.id

    @property
    def address(self) -> str:
        return self.known.account.email.lower()


@dataclass(frozen=True, slots=True)
class Returns:
    """Hold the accounts whose owners are back, as RETURNED and its rule sort them."""

    enabling: tuple[Return, ...]
    restoring: tuple[Return, ...]
    waiting: tuple[Known, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Creations:
    """Hold who can get a new account, who cannot, and for whom the rules ask one."""

    fitting: list[tuple[Newcomer, Move]]
    skipped: list[Skipped]
    asking: set[str]


@dataclass(slots=True)
class Entries:
    """Gather what is applied, held and skipped of those who return, wait or are new.

    `asking` are people for whom the rules ask a creation or restoration, be it possible or not.
    """

    changes: list[Change] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    asking: set[str] = field(default_factory=set)


def find_returns(rules: Rules, known: Iterable[Known], marks: Marks) -> Returns:
    """Return whose owner is enabled and in scope again, and who waits for a licence only."""
    rows = TABLE[Situation.RETURNED]
    enabling: list[Return] = []
    restoring: list[Return] = []
    waiting: list[Known] = []
    skipped: list[Skipped] = []
    for one in known:
        if one.state is State.ACTIVE or not one.back:
            continue
        cell = rows.get(one.state, _NO_ROW).get(rules.actions[Situation.RETURNED])
        if cell is None:
            if one.account.pending_reason is PendingReason.LICENCE:
                waiting.append(one)
        elif isinstance(cell, SkipReason):
            skipped.append(account_skipped(one, Situation.RETURNED, cell))
        elif marks.kept(one.object_id, Situation.RETURNED):
            skipped.append(account_skipped(one, Situation.RETURNED, SkipReason.KEPT))
        elif cell.kind is ChangeKind.RESTORE and marks.declined(one.object_id):
            skipped.append(account_skipped(one, Situation.RETURNED, SkipReason.DECLINED))
        else:
            (restoring if cell.kind is ChangeKind.RESTORE else enabling).append(Return(one, cell))
    return Returns(
        enabling=tuple(enabling),
        restoring=tuple(sorted(restoring, key=lambda back: back.order)),
        waiting=tuple(sorted(waiting, key=lambda one: (one.account.waiting_since, one.account.id))),
        skipped=tuple(skipped),
    )


class JoiningRules:
    """Decide who gets what, given what happens to those who leave."""

    def __init__(
        self,
        *,
        rules: Rules,
        limits: Limits,
        marks: Marks,
        at_start: Set[str],
        scope: Mapping[str, str],
        holders: Holders,
    ) -> None:
        self.rules = rules
        self.limits = limits
        self.marks = marks
        self.at_start = at_start
        self.scope = scope
        self.holders = holders

    def decide(self, returns: Returns, arrivals: Arrivals, departures: Iterable[Change], licences: Licences) -> Entries:
        """Return what happens to those who return, wait or are new, in the order of their claim to a licence."""
        ends = {change.account_id: change.status for change in departures}
        result = Entries(skipped=list(returns.skipped))
        restoring, twice = self._restorations(returns, ends, result)
        new = self._creations(arrivals, ends, self._taken(restoring, twice, braked=False))
        braked = self._braked(restoring, new)
        if braked:
            # A held restoration does not happen: who wants its address is not in its way, and is held as well.
            new = self._creations(arrivals, ends, self._taken(restoring, twice, braked=True))
        result.skipped += new.skipped
        result.asking |= new.asking

        for one in returns.waiting:
            if licences.take():
                result.changes.append(status_change(one, _ACTIVATE, because(LICENCE_FREE)))
        self._enter(returns.enabling, restoring, braked, licences, result)
        self._create(new.fitting, braked, licences, result)
        return result

    def _braked(self, restoring: Iterable[Return], new: Creations) -> bool:
        """Say whether the creations and restorations that nobody has judged yet are too many."""
        people = {
            *(back.known.object_id for back in restoring if self._unjudged(back.known.object_id, back.move)),
            *(one.object_id for one, move in new.fitting if self._unjudged(one.object_id, move)),
        }
        return too_much_growth(self.limits, people, self.at_start)

    def _unjudged(self, object_id: str, move: Move) -> bool:
        return not self.marks.approved(object_id, move.kind) and not self.marks.covered(object_id, GROWTH)

    def _stopped(self, object_id: str, move: Move, braked: bool) -> bool:
        """Say whether a creation or restoration waits for a person."""
        return (braked or self.marks.covered(object_id, GROWTH)) and not self.marks.approved(object_id, move.kind)

    def _restorations(
        self, returns: Returns, ends: Mapping[int | None, AccountStatus | None], result: Entries
    ) -> tuple[list[Return], dict[str, int]]:
        """Return who can be restored, and the addresses that two restorations want, each with one of the accounts."""
        wanted = Counter(back.address for back in returns.restoring)
        restoring: list[Return] = []
        twice: dict[str, int] = {}
        for back in returns.restoring:
            holder = self.holders.get(back.address)
            result.asking.add(back.known.object_id)
            if holder is not None and ends.get(holder.id) is not AccountStatus.DELETED:
                result.skipped.append(
                    account_skipped(back.known, Situation.RETURNED, SkipReason.RESTORE_TAKEN, other=holder.id)
                )
            elif wanted[back.address] > 1:
                twice.setdefault(back.address, back.known.account.id)
                result.skipped.append(account_skipped(back.known, Situation.RETURNED, SkipReason.RESTORE_TWICE))
            else:
                restoring.append(back)
        return restoring, twice

    def _taken(self, restoring: Iterable[Return], twice: Mapping[str, int], *, braked: bool) -> Mapping[str, int]:
        """Return the addresses that restorations take, or that several want, each with an account."""
        taken = dict(twice)
        for back in restoring:
            if not self._stopped(back.known.object_id, back.move, braked):
                taken[back.address] = back.known.account.id
        return taken

    def _creations(
        self,
        arrivals: Arrivals,
        ends: Mapping[int | None, AccountStatus | None],
        returning: Mapping[str, int],
    ) -> Creations:
        """Return who can get a new account, while restorations take these addresses."""
        cell = TABLE[Situation.NEW][State.NO_ACCOUNT][self.rules.actions[Situation.NEW]]
        fitting: list[Newcomer] = []
        skipped: list[Skipped] = []
        asking: set[str] = set()
        for one in arrivals.newcomers:
            holder = self.holders.get(one.address)
            reason, other = self._unwanted(one, cell, holder), None
            if reason is None:
                asking.add(one.object_id)
                reason, other = self._obstacle(one, holder, arrivals.contested, ends, returning)
            if reason is None:
                fitting.append(one)
            else:
                skipped.append(self._newcomer_skipped(one, reason, other))
        return Creations([(one, cell) for one in fitting if isinstance(cell, Move)], skipped, asking)

    def _unwanted(self, one: Newcomer, cell: Cell, holder: AccountFacts | None) -> SkipReason | None:
        """Return why nothing is asked for a newcomer; an account that is here already is asked for in any case."""
        if holder is not None and adoptable(holder):
            return None
        if isinstance(cell, SkipReason):
            return cell
        return SkipReason.DECLINED if self.marks.declined(one.object_id) else None

    def _obstacle(
        self,
        one: Newcomer,
        holder: AccountFacts | None,
        contested: Set[str],
        ends: Mapping[int | None, AccountStatus | None],
        returning: Mapping[str, int],
    ) -> tuple[SkipReason | None, int | None]:
        """Return why a newcomer cannot get an account, and the account in the way; None where nothing is."""
        if not one.address:
            return SkipReason.NO_EMAIL, None
        if one.address in contested:
            return SkipReason.TWO_NEWCOMERS, None
        if holder is not None and ends.get(holder.id) is not AccountStatus.DELETED:
            if AccountStatus.PERSONAL in (holder.status, ends.get(holder.id)):
                return SkipReason.ADDRESS_PERSONAL, holder.id
            return SkipReason.ADDRESS_TAKEN, holder.id
        if one.address in returning:
            return SkipReason.ADDRESS_TAKEN, returning[one.address]
        return None, None

    def _newcomer_skipped(self, one: Newcomer, reason: SkipReason, other: int | None) -> Skipped:
        return Skipped(
            one.object_id,
            reason,
            Situation.NEW,
            name=one.person.name,
            email=one.address or one.person.mail,
            other=other,
            question=reason is SkipReason.ADDRESS_TAKEN
            and other is not None
            and not self.marks.someone_else(one.object_id, other),
        )

    def _enter(
        self,
        enabling: Iterable[Return],
        restoring: Iterable[Return],
        braked: bool,
        licences: Licences,
        result: Entries,
    ) -> None:
        """Let those in who return, as far as the brake does not stop them."""
        for back in sorted([*enabling, *restoring], key=lambda back: back.order):
            object_id = back.known.object_id
            if back.move.kind in GROWTH and self._stopped(object_id, back.move, braked):
                reason = self._reason(Situation.RETURNED, BACK, object_id)
                result.held.append(Held(status_change(back.known, back.move, reason), HoldCause.GROWTH))
                continue
            approved = self.marks.approved(object_id, back.move.kind)
            move = licences.grant(back.move)
            reason = self._reason(Situation.RETURNED, _evidence(move, BACK), object_id, approved)
            result.changes.append(status_change(back.known, move, reason, approved=approved))

    def _create(self, new: Iterable[tuple[Newcomer, Move]], braked: bool, licences: Licences, result: Entries) -> None:
        """Let those in who are new, as far as the brake does not stop them."""
        for one, asked in new:
            approved = self.marks.approved(one.object_id, asked.kind)
            held = self._stopped(one.object_id, asked, braked)
            move = asked if held else licences.grant(asked)
            reason = self._reason(Situation.NEW, _evidence(move, IN_SCOPE), one.object_id, approved)
            change = creation(one.person, one.address, move, reason, approved=approved)
            if held:
                result.held.append(Held(change, HoldCause.GROWTH))
            else:
                result.changes.append(change)

    def _reason(self, situation: Situation, evidence: str, object_id: str, approved: bool = False) -> Because:
        rule = self.rules.actions[situation]
        return because(evidence, situation, rule, decision=APPROVED if approved else "", via=self.scope[object_id])


def _evidence(move: Move, evidence: str) -> str:
    return NO_LICENCE if move.pending_reason is PendingReason.LICENCE else evidence
