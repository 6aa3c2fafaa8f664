"""Known mistakes that a test must notice, each as a small change of a production file."""

from __future__ import annotations

from tests.mistakes import plan, reading, roster, signin, sync
from tests.mistakes.row import Mistake, Patch

ALL: tuple[Mistake, ...] = (*reading.MISTAKES, *plan.MISTAKES, *sync.MISTAKES, *roster.MISTAKES, *signin.MISTAKES)

TRAPS = (*range(1, 7), *range(8, 26), *range(27, 30))
"""The traps that concern reading, tokens or identity; the others belong to pages and notifications."""

__all__ = ["ALL", "TRAPS", "Mistake", "Patch"]
