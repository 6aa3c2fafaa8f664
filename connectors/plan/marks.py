"""What a connector remembers about people between runs: asked while planning, brought up to date by a plan."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.plan.values import Mark
from connectors.states import DESTRUCTIVE, GROWTH, ChangeKind, HoldCause, MarkKind, Situation


class Marks:
    """Answer what is remembered about a person."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self.all = tuple(marks)
        self._known = {(mark.object_id.lower(), mark.kind, mark.value) for mark in self.all}
        self._covered = {
            (mark.object_id.lower(), family)
            for mark in self.all
            for family in (DESTRUCTIVE, GROWTH)
            if mark.kind is MarkKind.HELD and mark.value in family and mark.other != HoldCause.EMPTY_GROUP
        }
        self._wait_for_group = {mark.object_id.lower() for mark in self.all if mark.other == HoldCause.EMPTY_GROUP}

    def covered(self, object_id: str, family: frozenset[ChangeKind]) -> bool:
        """Say whether an earlier hold of the brake covers whatever of a family of changes is asked of a person.

        What destroys is one family, what creates or restores the other: who came back is not kept out by the first.
        """
        return (object_id, family) in self._covered

    def waits_for_group(self, object_id: str) -> bool:
        """Say whether a person's REMOVED change is held since nobody was in the sync group."""
        return object_id in self._wait_for_group

    def approved(self, object_id: str, kind: ChangeKind) -> bool:
        return (object_id, MarkKind.APPROVED, kind) in self._known

    def kept(self, object_id: str, situation: Situation) -> bool:
        return (object_id, MarkKind.KEPT, situation) in self._known

    def keep(self, object_id: str, situation: Situation) -> None:
        self._known.add((object_id, MarkKind.KEPT, situation))

    def declined(self, object_id: str) -> bool:
        return (object_id, MarkKind.DECLINED, "") in self._known

    def same_person(self, object_id: str, account_id: int) -> bool:
        return (object_id, MarkKind.SAME_PERSON, str(account_id)) in self._known

    def someone_else(self, object_id: str, account_id: int) -> bool:
        return (object_id, MarkKind.SOMEONE_ELSE, str(account_id)) in self._known

    def confirmed(self, object_id: str, account_id: int) -> bool:
        return (object_id, MarkKind.CONFIRMED, str(account_id)) in self._known
