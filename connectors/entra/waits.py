"""How long to wait before asking Microsoft again."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom

LONGEST_IN_PLACE = 10.0
"""Seconds a worker is held for; a longer wait is handed to the schedule."""

LONGEST = 24 * 3600.0
_chance = SystemRandom()


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks for, None where it says nothing usable.

    RFC 9110 knows whole seconds and an HTTP date; Graph sends decimals too, above all inside a `$batch`.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST)


def backoff(attempt: int) -> float:
    """Return seconds to wait after the given attempt (0 is the first): about 1, 2, 4 and so on, never in step."""
    return min(2.0**attempt, 8.0) * _chance.uniform(0.75, 1.25)
