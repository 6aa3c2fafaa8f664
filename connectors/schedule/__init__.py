"""The only door to django-q2: when connectors run, who asks for one more run, and what carries the queue out."""

from __future__ import annotations

from connectors.schedule.asking import request, request_all
from connectors.schedule.facts import QueueFacts, facts, next_runs, schedules_stand_still
from connectors.schedule.owners import beat, give_back, leave, workers
from connectors.schedule.pauses import end_pauses, unpause
from connectors.schedule.rows import clear, due, ensure, repair
from connectors.schedule.tasks import (
    notify_people,
    reconcile,
    requested,
    sync_connector,
    tidy,
)

__all__ = [
    "QueueFacts",
    "beat",
    "clear",
    "due",
    "end_pauses",
    "ensure",
    "facts",
    "give_back",
    "leave",
    "next_runs",
    "notify_people",
    "reconcile",
    "repair",
    "request",
    "request_all",
    "requested",
    "schedules_stand_still",
    "sync_connector",
    "tidy",
    "unpause",
    "workers",
]
