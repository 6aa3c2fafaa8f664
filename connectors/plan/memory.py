"""Which marks a plan sets and which it ends: holds, approvals, *keep*, declined creations, decisions used up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from connectors.directory import Snapshot
from connectors.plan.marks import Marks
from connectors.plan.situations import holding_now
from connectors.plan.values import Change, Held, Mark, Skipped
from connectors.states import HoldCause, MarkKind, Situation, SkipReason


@dataclass(frozen=True, slots=True)
class Findings:
    """Hold what a plan found, as far as marks depend on it.

    `asking` maps each cause of a hold to the people of whom the rules still ask something that it covers;
    `returned` are those for whom RETURNED holds. `unread` are people nothing is known about.
    """

    snapshot: Snapshot
    scope: Mapping[str, str]
    changes: Iterable[Change]
    held: Iterable[Held]
    skipped: Iterable[Skipped]
    asking: Mapping[HoldCause, Set[str]]
    returned: Set[str]
    unread: Set[str]


def remember(marks: Marks, findings: Findings, kept: Iterable[Mark]) -> tuple[frozenset[Mark], frozenset[Mark]]:
    """Return the marks to set and the marks to end; `kept` are decisions this run takes note of."""
    holds = {
        Mark(held.change.object_id, MarkKind.HELD, held.change.kind.value, held.cause.value) for held in findings.held
    }
    before = frozenset(marks.all)
    ended = _Endings(findings, holds)
    return (
        frozenset((holds | set(kept)) - before),
        frozenset(mark for mark in before - holds if ended.says(mark)),
    )


class _Endings:
    """Answer whether a mark has come to its end."""

    def __init__(self, findings: Findings, holds: Set[Mark]) -> None:
        self.snapshot = findings.snapshot
        self.complete = findings.snapshot.sync_group.complete
        self.scope = findings.scope
        self.unread = findings.unread
        self.returned = findings.returned
        self.asking = findings.asking
        self.asked_anything = frozenset().union(*findings.asking.values())
        self.approved = {(change.object_id, change.kind.value) for change in findings.changes if change.approved}
        self.freed = {object_id for object_id, _ in self.approved}
        self.held = {(hold.object_id, hold.other) for hold in holds}
        self.waiting = {
            (skip.object_id, str(skip.other)) for skip in findings.skipped if skip.reason is SkipReason.ADDRESS_TAKEN
        }

    def says(self, mark: Mark) -> bool:
        object_id = mark.object_id.lower()
        match mark.kind:
            case MarkKind.HELD:
                return self._hold_ends(object_id, mark)
            case MarkKind.APPROVED:
                return (object_id, mark.value) in self.approved or (
                    self._judged(object_id) and object_id not in self.asked_anything
                )
            case MarkKind.KEPT:
                return self._keep_ends(object_id, mark.value)
            case MarkKind.DECLINED:
                return self.complete and bool(self.scope) and object_id not in self.scope
            case MarkKind.SOMEONE_ELSE:
                return self.complete and (object_id, mark.value) not in self.waiting
            case _:
                # Decisions that are used once: what they allowed has happened, or cannot happen any more.
                return self._judged(object_id)

    def _judged(self, object_id: str) -> bool:
        return self.complete and object_id not in self.unread

    def _hold_ends(self, object_id: str, mark: Mark) -> bool:
        if (object_id, mark.other) in self.held or object_id in self.freed:
            return True
        return self._judged(object_id) and object_id not in self.asking[HoldCause(mark.other)]

    def _keep_ends(self, object_id: str, situation: str) -> bool:
        """Say whether it is positively known that the situation does not hold any more."""
        person = self.snapshot.people.get(object_id)
        if person is None and object_id not in self.snapshot.gone:
            return False
        in_scope = object_id in self.scope
        if situation == Situation.RETURNED:
            absent = bool(self.scope) or (person is not None and not person.enabled)
            return self.complete and absent and object_id not in self.returned
        if situation == Situation.REMOVED and not self.complete and person is not None:
            return False
        return situation not in holding_now(person, in_scope=in_scope, complete=self.complete)
