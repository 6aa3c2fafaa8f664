"""The worker of one machine: the queue's processes, and the watchdog that restarts them when they are stuck."""

from __future__ import annotations

from connectors.worker.watch import Watch
from connectors.worker.watchdog import Watchdog

__all__ = ["Watch", "Watchdog"]
