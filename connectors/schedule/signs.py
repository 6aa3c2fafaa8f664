"""The words in which the cluster's processes tell the watchdog what they do."""

from __future__ import annotations

from enum import StrEnum


class Sign(StrEnum):
    """Name what a process of the cluster tells: one line each, the sign, a task's id or 0, and the process."""

    GUARDING = "guarding"
    LOOKING = "looking"
    FETCHED = "fetched"
    BEGUN = "begun"
    ENDED = "ended"
    SETTLED = "settled"
