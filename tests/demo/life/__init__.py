"""Twelve weeks of a connector's life, step by step, in the order they are told."""

from __future__ import annotations

from collections.abc import Callable

from tests.demo.life import coming, credentials, ending, mistakes
from tests.demo.life.scene import Life

Step = tuple[str, Callable[[Life], None]]

STEPS: tuple[Step, ...] = (
    *coming.SETTLING,
    *coming.WEEKS,
    *mistakes.EMPTIED,
    *coming.LICENCES,
    *credentials.WARNED,
    *credentials.EXPIRED,
    *mistakes.PUT_RIGHT,
    *mistakes.DRIP,
    *ending.DELETED,
    *ending.REMOVED,
    *ending.PURGED,
)
