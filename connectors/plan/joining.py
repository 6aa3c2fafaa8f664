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
from connectors.plan.table import TABLE, Move, State
from connectors.plan.values import Because, Change, Held, Limits, Rules, Skipped
from connectors.states import ChangeKind, HoldCause, Situation, SkipReason
from tenants.states import AccountStatus, PendingReason

_ACTIVATE = Move(ChangeKind.ACTIVATE, AccountStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class Return:
    """Hold an account whose owner is back, and what the rule asks for it."""

    known: Known
    move: Move

    @property
    def order(self) -> tuple[str, int]:
        return self.known.account.email.lower(), self.known.account.id


@dataclass(frozen=True, slots=True)
class Returns:
    """Hold the owners who are back: `held_situations` are the object ids for whom RETURNED holds at all."""

    enabling: tuple[Return, ...]
    restoring: tuple[Return, ...]
    waiting: tuple[Known, ...]
    skipped: tuple[Skipped, ...]
    holding: frozenset[str]


@dataclass(slots=True)
class Entries:
    """Gather what is applied, held and skipped of those who return, wait or are new.

    `asking` are people for whom the rules ask a creation or restoration, be it possible or not.
    """

    changes: list[Change] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    asking: set[str] = field(default_factory=set)
    licences_wanted: int = 0


def find_returns(rules: Rules, known: Iterable[Known], marks: Marks) -> Returns:
    """Return whose owner is enabled and in scope again, and who waits for a licence only."""
    rows = TABLE[Situation.RETURNED]
    enabling: list[Return] = []
    restoring: list[Return] = []
    waiting: list[Known] = []
    skipped: list[Skipped] = []
    holding: set[str] = set()
    for one in known:
        if one.state is State.ACTIVE or not one.back:
            continue
        row = rows.get(one.state)
        if row is None:
            if one.account.pending_reason is PendingReason.LICENCE:
                waiting.append(one)
            continue
        holding.add(one.object_id)
        cell = row[rules.actions[Situation.RETURNED]]
        if isinstance(cell, SkipReason):
            skipped.append(account_skipped(one, Situation.RETURNED, cell))
        elif marks.kept(one.object_id, Situation.RETURNED):
            skipped.append(account_skipped(one, Situation.RETURNED, SkipReason.KEPT))
        elif cell is not None:
            (restoring if cell.kind is ChangeKind.RESTORE else enabling).append(Return(one, cell))
    return Returns(
        enabling=tuple(enabling),
        restoring=tuple(sorted(restoring, key=lambda back: back.order)),
        waiting=tuple(sorted(waiting, key=lambda one: (one.account.waiting_since, one.account.id))),
        skipped=tuple(skipped),
        holding=frozenset(holding),
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
        coming = [back for back in restoring if not self._held_before(back.known.object_id, back.move)]
        new, skipped = self._newcomers(arrivals, ends, coming, twice, result)

        unapproved = {
            back.known.object_id for back in coming if not self._approved(back.known.object_id, back.move)
        } | {
            one.object_id
            for one, move in new
            if not self._approved(one.object_id, move) and not self._held_before(one.object_id, move)
        }
        braked = too_much_growth(self.limits, unapproved, self.at_start)
        if braked and unapproved.intersection(back.known.object_id for back in coming):
            # A held restoration takes no address: its rival is not skipped for it any more, but braked as well.
            coming = [back for back in coming if self._approved(back.known.object_id, back.move)]
            new, skipped = self._newcomers(arrivals, ends, coming, twice, result)
        result.skipped += skipped
        self._grant(returns, restoring, new, licences, braked, result)
        result.licences_wanted = licences.wanted
        return result

    def _approved(self, object_id: str, move: Move) -> bool:
        return self.marks.approved(object_id, move.kind)

    def _held_before(self, object_id: str, move: Move) -> bool:
        return self.marks.held(object_id, HoldCause.GROWTH) and not self._approved(object_id, move)

    def _restorations(
        self, returns: Returns, ends: Mapping[int | None, AccountStatus | None], result: Entries
    ) -> tuple[list[Return], dict[str, int]]:
        """Return who can be restored, and the addresses that two restorations want (with one of the accounts)."""
        wanted = Counter(back.known.account.email.lower() for back in returns.restoring)
        restoring: list[Return] = []
        twice: dict[str, int] = {}
        for back in returns.restoring:
            account = back.known.account
            address = account.email.lower()
            holder = self.holders.get(address)
            result.asking.add(back.known.object_id)
            if holder is not None and ends.get(holder.id) is not AccountStatus.DELETED:
                result.skipped.append(
                    account_skipped(back.known, Situation.RETURNED, SkipReason.RESTORE_TAKEN, other=holder.id)
                )
            elif wanted[address] > 1:
                twice.setdefault(address, account.id)
                result.skipped.append(account_skipped(back.known, Situation.RETURNED, SkipReason.RESTORE_TWICE))
            else:
                restoring.append(back)
        return restoring, twice

    def _newcomers(
        self,
        arrivals: Arrivals,
        ends: Mapping[int | None, AccountStatus | None],
        coming: Iterable[Return],
        twice: Mapping[str, int],
        result: Entries,
    ) -> tuple[list[tuple[Newcomer, Move]], list[Skipped]]:
        """Return who can get a new account, and the others with the reason why not."""
        returning = {**twice, **{back.known.account.email.lower(): back.known.account.id for back in coming}}
        rule = self.rules.actions[Situation.NEW]
        cell = TABLE[Situation.NEW][State.NO_ACCOUNT][rule]
        new: list[tuple[Newcomer, Move]] = []
        skipped: list[Skipped] = []

        for one in arrivals.newcomers:
            if isinstance(cell, Move) and not self.marks.declined(one.object_id):
                result.asking.add(one.object_id)
            reason, other = self._obstacle(one, cell, arrivals.contested, ends, returning)
            if reason is None and isinstance(cell, Move):
                new.append((one, cell))
            elif reason is not None:
                question = (
                    other is not None
                    and reason is SkipReason.ADDRESS_TAKEN
                    and not self.marks.someone_else(one.object_id, other)
                )
                skipped.append(
                    Skipped(
                        one.object_id,
                        reason,
                        Situation.NEW,
                        name=one.person.name,
                        email=one.address or one.person.mail,
                        other=other,
                        question=question,
                    )
                )
        return new, skipped

    def _obstacle(
        self,
        one: Newcomer,
        cell: Move | SkipReason | None,
        contested: Set[str],
        ends: Mapping[int | None, AccountStatus | None],
        returning: Mapping[str, int],
    ) -> tuple[SkipReason | None, int | None]:
        """Return why a newcomer gets no account, and the account in the way; None where nothing is."""
        holder = self.holders.get(one.address)
        free = holder is None or ends.get(holder.id) is AccountStatus.DELETED
        declined = self.marks.declined(one.object_id)
        wanted = isinstance(cell, Move) or (holder is not None and adoptable(holder))
        if wanted and not declined and one.address in contested:
            return SkipReason.TWO_NEWCOMERS, None
        if isinstance(cell, SkipReason):
            return cell, None
        if declined:
            return SkipReason.DECLINED, None
        if not one.address:
            return SkipReason.NO_EMAIL, None
        if holder is not None and not free:
            if AccountStatus.PERSONAL in (holder.status, ends.get(holder.id)):
                return SkipReason.ADDRESS_PERSONAL, holder.id
            return SkipReason.ADDRESS_TAKEN, holder.id
        if one.address in returning:
            return SkipReason.ADDRESS_TAKEN, returning[one.address]
        return None, None

    def _grant(
        self,
        returns: Returns,
        restoring: Iterable[Return],
        new: Iterable[tuple[Newcomer, Move]],
        licences: Licences,
        braked: bool,
        result: Entries,
    ) -> None:
        """Give out the licences: those who wait, those who return, those who are new."""
        for one in returns.waiting:
            if licences.take():
                result.changes.append(status_change(one, _ACTIVATE, because(evidence=LICENCE_FREE)))

        entering = list(returns.enabling)
        for back in restoring:
            approved = self._approved(back.known.object_id, back.move)
            if not approved and (braked or self._held_before(back.known.object_id, back.move)):
                change = status_change(back.known, back.move, self._reason(Situation.RETURNED, BACK, ""))
                result.held.append(Held(change, HoldCause.GROWTH))
            else:
                entering.append(back)
        for back in sorted(entering, key=lambda back: back.order):
            approved = back.move.kind is ChangeKind.RESTORE and self._approved(back.known.object_id, back.move)
            move = licences.grant(back.move)
            reason = self._reason(Situation.RETURNED, _evidence(move, BACK), self._via(back.known.object_id), approved)
            result.changes.append(status_change(back.known, move, reason, approved=approved))

        for newcomer, asked in new:
            approved = self._approved(newcomer.object_id, asked)
            held = not approved and (braked or self._held_before(newcomer.object_id, asked))
            move = asked if held else licences.grant(asked)
            reason = self._reason(Situation.NEW, _evidence(move, IN_SCOPE), self._via(newcomer.object_id), approved)
            change = creation(newcomer.person, newcomer.address, move, reason, approved=approved)
            if held:
                result.held.append(Held(change, HoldCause.GROWTH))
            else:
                result.changes.append(change)

    def _via(self, object_id: str) -> str:
        return self.scope[object_id]

    def _reason(self, situation: Situation, evidence: str, via: str, approved: bool = False) -> Because:
        return because(situation, self.rules.actions[situation], APPROVED if approved else "", via, evidence)


def _evidence(move: Move, evidence: str) -> str:
    return NO_LICENCE if move.pending_reason is PendingReason.LICENCE else evidence
