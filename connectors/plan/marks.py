"""What a connector remembers about people between runs: asked while planning, brought up to date by a plan."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.plan.values import Mark
from connectors.states import ChangeKind, HoldCause, MarkKind, Situation


class Marks:
    """Answer what is remembered about a person; `kept` are decisions this very run takes note of."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self.all = tuple(marks)
        self._known = {(mark.object_id.lower(), mark.kind, mark.value) for mark in self.all}
        self._held = {(mark.object_id.lower(), mark.other) for mark in self.all if mark.kind is MarkKind.HELD}

    def held(self, object_id: str, cause: HoldCause) -> bool:
        return (object_id, cause) in self._held

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
