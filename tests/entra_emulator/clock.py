"""The emulator's own clock: the machine's time, moved forward on demand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tell the emulator's time.

    Follows the machine's clock plus everything it was advanced by; with ``start`` it stands still at
    that moment until advanced.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._ahead = timedelta()

    def now(self) -> datetime:
        return (self._start or datetime.now(UTC)) + self._ahead

    def timestamp(self) -> float:
        return self.now().timestamp()

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        self._ahead += timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)


def iso(moment: datetime) -> str:
    """Write a moment as Graph does: UTC, whole seconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
