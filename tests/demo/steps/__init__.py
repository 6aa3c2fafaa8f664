"""The story, step by step, in the order it is told."""

from __future__ import annotations

from collections.abc import Callable

from tests.demo.scene import Scene
from tests.demo.steps import arriving, braking, failing, grouping, leaving, licensing, living

Step = tuple[str, Callable[[Scene], None]]

STEPS: tuple[Step, ...] = (
    *arriving.FIRST,
    *leaving.STEPS,
    *arriving.AGAIN,
    *grouping.STEPS,
    *licensing.STEPS,
    *grouping.SYNC_GROUP_STEPS,
    *braking.STEPS,
    *failing.STEPS,
    *living.STEPS,
)
