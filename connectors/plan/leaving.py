"""Who loses what: the strongest action of the situations that hold, its weaker fallbacks, holds and the brake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from connectors.plan.brake import too_much_destruction
from connectors.plan.lines import (
    ABSENT,
    APPROVED,
    BLOCKED,
    LEFT_OUT,
    OUTSIDE,
    account_skipped,
    because,
    status_change,
)
from connectors.plan.marks import Marks
from connectors.plan.situations import Known
from connectors.plan.table import TABLE, Move
from connectors.plan.values import Change, Held, Limits, Rules, Skipped
from connectors.states import DESTRUCTIVE, ChangeKind, HoldCause, Situation, SkipReason
from tenants.states import AccountRole, AccountStatus

_STRENGTH = {
    kind: place
    for place, kind in enumerate((ChangeKind.DISABLE, ChangeKind.CONVERT, ChangeKind.DELETE, ChangeKind.WITHDRAW))
}
"""WITHDRAW meets no other: it is all that is ever asked of an account that was never Active."""
_ORDER = (Situation.DISABLED, Situation.REMOVED, Situation.DELETED)
"""Equal actions: the earlier one gives the reason."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Hold what one situation asks of an account."""

    situation: Situation
    move: Move

    @property
    def strength(self) -> int:
        return _STRENGTH[self.move.kind]


@dataclass(frozen=True, slots=True)
class Leaver:
    """Hold an account that some situation would move to the right; `demands` are ordered, strongest first."""

    known: Known
    demands: tuple[Demand, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what the rules ask before protections and brake.

    `asking` tells of whom the rules ask something in a leaving situation, be it possible or not, and how strong the
    strongest of it is; `asking_removed` are those of whom REMOVED does.
    """

    leavers: tuple[Leaver, ...]
    skipped: tuple[Skipped, ...]
    asking: Mapping[str, int]
    asking_removed: frozenset[str]

    def answered_by(self, changes: Iterable[Change]) -> frozenset[str]:
        """Return the people of whom nothing stronger is asked than what these changes do, or can be any more."""
        return frozenset(
            change.object_id
            for change in changes
            # A personal account is not the connector's any more.
            if change.kind is ChangeKind.CONVERT or _STRENGTH[change.kind] >= self.asking[change.object_id]
        )


@dataclass(slots=True)
class Departures:
    """Gather what is applied, held (by object id) and skipped of the leavers, and how many licences that frees."""

    changes: list[Change] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    licences_freed: int = 0


def question_rules(rules: Rules, known: Iterable[Known], marks: Marks) -> Question:
    """Return what the rules ask in the leaving situations, people's *keep* and unclaimed accounts left out."""
    leavers: list[Leaver] = []
    skipped: list[Skipped] = []
    asking: dict[str, int] = {}
    asking_removed: set[str] = set()
    for one in known:
        if not one.holding:
            continue
        demands = []
        for situation in _ORDER:
            if situation not in one.holding:
                continue
            cell = TABLE[situation][one.state][rules.actions[situation]]
            if cell is None:
                continue
            if isinstance(cell, SkipReason):
                skipped.append(account_skipped(one, situation, cell))
                continue
            if marks.kept(one.object_id, situation):
                skipped.append(account_skipped(one, situation, SkipReason.KEPT))
                continue
            strength = _STRENGTH[cell.kind]
            asking[one.object_id] = max(asking.get(one.object_id, strength), strength)
            if situation is Situation.REMOVED:
                asking_removed.add(one.object_id)
            if cell.kind is ChangeKind.CONVERT and not one.account.claimed:
                skipped.append(account_skipped(one, situation, SkipReason.NOT_CLAIMED))
                continue
            demands.append(Demand(situation, cell))
        if demands:
            demands.sort(key=lambda demand: -demand.strength)
            leavers.append(Leaver(one, tuple(demands)))
    return Question(tuple(leavers), tuple(skipped), asking, frozenset(asking_removed))


class LeavingRules:
    """Decide which leavers lose what, given who is spared."""

    def __init__(
        self,
        *,
        rules: Rules,
        limits: Limits,
        marks: Marks,
        at_start: Set[str],
        nobody_in_scope: bool,
        left_out: Set[str],
    ) -> None:
        self.rules = rules
        self.limits = limits
        self.marks = marks
        self.at_start = at_start
        self.nobody_in_scope = nobody_in_scope
        self.left_out = left_out

    def waits_for_the_group(self, leaver: Leaver, demand: Demand) -> bool:
        """Say whether a demand of REMOVED is held because nobody was, or is, in the sync group."""
        object_id = leaver.known.object_id
        return (
            demand.situation is Situation.REMOVED
            and (self.nobody_in_scope or self.marks.waits_for_group(object_id))
            and not self.marks.approved(object_id, demand.move.kind)
            and not self.marks.covered(object_id, DESTRUCTIVE)
        )

    def leaving_administrators(self, leavers: Iterable[Leaver]) -> frozenset[int]:
        """Return the Active administrators' accounts that would be changed if nothing were braked."""
        return frozenset(
            leaver.known.account.id
            for leaver in leavers
            if leaver.known.account.role is AccountRole.ADMIN
            and leaver.known.account.status is AccountStatus.ACTIVE
            and not all(self.waits_for_the_group(leaver, demand) for demand in leaver.demands)
        )

    def decide(self, leavers: Iterable[Leaver], spared: Set[int]) -> Departures:
        """Return what happens to the leavers while the spared accounts stay as they are."""
        result = Departures()
        candidates: list[tuple[Leaver, Demand]] = []
        for leaver in leavers:
            if leaver.known.account.id in spared:
                result.skipped.append(account_skipped(leaver.known, leaver.demands[0].situation, SkipReason.SPARED))
                continue
            candidate = self._before_the_brake(leaver, result)
            if candidate is not None:
                candidates.append((leaver, candidate))
        if not self._braked(candidates):
            self._apply(candidates, result)
            return result
        for leaver, demand in candidates:
            self._hold(leaver, demand, HoldCause.BRAKE, result)
        weaker = [
            (leaver, demand)
            for leaver, strongest in candidates
            for demand in leaver.demands
            if demand.strength < strongest.strength and not self.waits_for_the_group(leaver, demand)
        ]
        if not self._braked(weaker):
            self._apply(weaker, result)
        return result

    def _before_the_brake(self, leaver: Leaver, result: Departures) -> Demand | None:
        """Return the demand the brake has to judge, if decisions and the empty group leave one."""
        object_id = leaver.known.object_id
        for demand in leaver.demands:
            if self.marks.approved(object_id, demand.move.kind):
                self._apply([(leaver, demand)], result, approved=True)
                return None
            if self.marks.covered(object_id, DESTRUCTIVE):
                self._hold(leaver, demand, HoldCause.BRAKE, result)
                return None
            if not self.waits_for_the_group(leaver, demand):
                return demand
            self._hold(leaver, demand, HoldCause.EMPTY_GROUP, result)
        return None

    def _braked(self, candidates: list[tuple[Leaver, Demand]]) -> bool:
        people = {leaver.known.object_id for leaver, _ in candidates}
        return too_much_destruction(self.limits, people, self.at_start)

    def _apply(self, candidates: list[tuple[Leaver, Demand]], result: Departures, *, approved: bool = False) -> None:
        for leaver, demand in candidates:
            result.changes.append(self._change(leaver, demand, approved=approved))
            if demand.move.kind is ChangeKind.CONVERT:
                result.held.pop(leaver.known.object_id, None)
            result.licences_freed += leaver.known.account.status is AccountStatus.ACTIVE

    def _hold(self, leaver: Leaver, demand: Demand, cause: HoldCause, result: Departures) -> None:
        """Hold a change; a person has one hold, which shows the strongest, and the brake's covers the person."""
        object_id = leaver.known.object_id
        before = result.held.get(object_id)
        change = self._change(leaver, demand) if before is None else before.change
        result.held[object_id] = Held(change, cause)

    def _change(self, leaver: Leaver, demand: Demand, *, approved: bool = False) -> Change:
        situation = demand.situation
        if situation is Situation.DISABLED:
            evidence = BLOCKED
        elif situation is Situation.DELETED:
            evidence = ABSENT
        else:
            evidence = LEFT_OUT if leaver.known.object_id in self.left_out else OUTSIDE
        rule = self.rules.actions[situation]
        reason = because(evidence, situation, rule, decision=APPROVED if approved else "")
        return status_change(leaver.known, demand.move, reason, approved=approved)
