"""The planner: what one synchronisation does, decided purely from what is and what should be."""

from __future__ import annotations

from connectors.plan.decide import plan_sync
from connectors.plan.values import (
    PLANNER_VERSION,
    AccountFacts,
    Because,
    Change,
    Held,
    LeftOut,
    Limits,
    Link,
    LinkNote,
    Mark,
    MirrorFacts,
    Roster,
    Rules,
    Skipped,
    SyncPlan,
)

__all__ = [
    "PLANNER_VERSION",
    "AccountFacts",
    "Because",
    "Change",
    "Held",
    "LeftOut",
    "Limits",
    "Link",
    "LinkNote",
    "Mark",
    "MirrorFacts",
    "Roster",
    "Rules",
    "Skipped",
    "SyncPlan",
    "plan_sync",
]
