"""Which marks a plan sets and which it ends: holds, approvals, *keep*, declined creations, decisions used up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from connectors.directory import Snapshot
from connectors.plan.marks import Marks
from connectors.plan.situations import holding_now
from connectors.plan.values import Change, Held, Mark, Skipped
from connectors.states import DESTRUCTIVE, HoldCause, MarkKind, Situation, SkipReason


@dataclass(frozen=True, slots=True)
class Findings:
    """Hold what a plan found, as far as marks depend on it.

    `asking` maps each cause of a hold to the people of whom the rules still ask something that it covers;
    `returned` are those for whom RETURNED holds. Of `unknown` people nothing is known; `unread_accounts` are theirs.
    """

    snapshot: Snapshot
    scope: Mapping[str, str]
    changes: Iterable[Change]
    held: Iterable[Held]
    skipped: Iterable[Skipped]
    asking: Mapping[HoldCause, Set[str]]
    returned: Set[str]
    unknown: Set[str]
    unread_accounts: Set[int]


def remember(marks: Marks, findings: Findings, kept: Iterable[Mark]) -> tuple[frozenset[Mark], frozenset[Mark]]:
    """Return the marks to set and the marks to end; `kept` are decisions this run takes note of."""
    holds = {
        Mark(held.change.object_id, MarkKind.HELD, held.change.kind.value, held.cause.value) for held in findings.held
    }
    before = frozenset(marks.all)
    endings = _Endings(findings, holds)
    return (
        frozenset((holds | set(kept)) - before),
        frozenset(mark for mark in before - holds if endings.ended(mark)),
    )


class _Endings:
    """Answer whether a mark has come to its end."""

    def __init__(self, findings: Findings, holds: Set[Mark]) -> None:
        self.findings = findings
        self.complete = findings.snapshot.sync_group.complete
        self.approved = {change.object_id for change in findings.changes if change.approved}
        self.held = {hold.object_id for hold in holds}
        self.in_question = {
            (skip.object_id, str(skip.other)) for skip in findings.skipped if skip.reason is SkipReason.ADDRESS_TAKEN
        }

    def ended(self, mark: Mark) -> bool:
        object_id = mark.object_id.lower()
        match mark.kind:
            case MarkKind.HELD:
                # One hold a person: what is shown of them now takes the place of what was shown before.
                replaced = object_id in self.held or object_id in self.approved
                return replaced or self._asked_no_more(object_id, HoldCause(mark.other))
            case MarkKind.APPROVED:
                cause = HoldCause.BRAKE if mark.value in DESTRUCTIVE else HoldCause.GROWTH
                return object_id in self.approved or self._asked_no_more(object_id, cause)
            case MarkKind.KEPT:
                return self._over(object_id, mark.value)
            case MarkKind.DECLINED:
                return bool(self.findings.scope) and not self._may_be_in_scope(object_id)
            case MarkKind.SAME_PERSON:
                # Used once, or not at all: whose owner is there still, or who is another connector's, is asked about
                # again, and nobody's account is given away weeks later by what was decided today.
                waits = self._in_question(mark) and int(mark.value) in self.findings.unread_accounts
                return self._judged(object_id) and not waits
            case MarkKind.CONFIRMED:
                return self._asked_no_more(object_id, HoldCause.ADMIN)
            case _:
                return self._judged(object_id) and not self._in_question(mark)

    def _in_question(self, mark: Mark) -> bool:
        return (mark.object_id.lower(), mark.value) in self.in_question

    def _may_be_in_scope(self, object_id: str) -> bool:
        """Say whether a person is in scope, or may be; the owner of a deleted account is not looked up otherwise."""
        findings = self.findings
        return not self.complete or object_id in findings.scope or object_id in findings.snapshot.unread

    def _judged(self, object_id: str) -> bool:
        """Say whether the snapshot allows a conclusion about a person."""
        return self.complete and object_id not in self.findings.unknown

    def _asked_no_more(self, object_id: str, cause: HoldCause) -> bool:
        return self._judged(object_id) and object_id not in self.findings.asking[cause]

    def _over(self, object_id: str, situation: str) -> bool:
        """Say whether it is positively known that a kept situation does not hold any more."""
        snapshot = self.findings.snapshot
        if situation == Situation.RETURNED:
            returned = object_id in self.findings.returned
            return not returned and (object_id in self.findings.scope or not self._may_be_in_scope(object_id))
        person = snapshot.people.get(object_id)
        if person is None and object_id not in snapshot.gone:
            return False
        if situation == Situation.REMOVED and not self.complete:
            return False
        in_scope = object_id in self.findings.scope
        return situation not in holding_now(person, in_scope=in_scope, complete=self.complete)
