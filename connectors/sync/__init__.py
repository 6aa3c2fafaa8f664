"""The shell around the planner: it takes the lease, reads, plans, applies and records."""

from __future__ import annotations

from connectors.sync.asking import ask, last_change, people_matching, without_connector
from connectors.sync.lease import LeaseLost, abandon_dead
from connectors.sync.prune import forget_purged, prune, unlink_personal
from connectors.sync.reading import credentials_of, directory_of, run_seconds
from connectors.sync.record import abandon, told
from connectors.sync.run import Draft, Preview, Result, preview, run

__all__ = [
    "Draft",
    "LeaseLost",
    "Preview",
    "Result",
    "abandon",
    "abandon_dead",
    "ask",
    "credentials_of",
    "directory_of",
    "forget_purged",
    "last_change",
    "people_matching",
    "preview",
    "prune",
    "run",
    "run_seconds",
    "told",
    "unlink_personal",
    "without_connector",
]
