"""What the queue looks like from outside: for the health pages, the watchdog and the fleet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q
from django_q.models import Schedule

from connectors.models import Connector, WorkerBeat
from connectors.schedule.owners import QUEUE, waiting
from connectors.schedule.rows import RECONCILE, due, name_of

# Two passes of the scheduler, and one that takes long.
LATE = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """Hold how long ago a worker was heard, the oldest waiting task was queued, and the oldest schedule was due.

    None where there is no worker, no waiting task, no schedule; a schedule that is not due yet is 0 late.
    """

    beat: timedelta | None
    oldest_task: timedelta | None
    schedule: timedelta | None


def facts(now: datetime) -> QueueFacts:
    """Read three dates: three queries, whatever is queued."""
    beat_at = WorkerBeat.objects.aggregate(last=Max("at"))["last"]
    queued_at = waiting(QUEUE).aggregate(first=Min("lock"))["first"]
    due_at = Schedule.objects.aggregate(first=Min("next_run"))["first"]
    return QueueFacts(_since(beat_at, now), _since(queued_at, now), _since(due_at, now))


def _since(then: datetime | None, now: datetime) -> timedelta | None:
    return None if then is None else max(now - then, timedelta())


def schedules_stand_still(now: datetime) -> bool:
    """Say whether what is due has not been queued, or what mends the schedules is missing among them."""
    found = Schedule.objects.aggregate(first=Min("next_run"), reconcile=Count("pk", filter=Q(name=RECONCILE)))
    return not found["reconcile"] or found["first"] is None or found["first"] < now - LATE


def next_runs(connectors: Iterable[Connector]) -> dict[int, datetime]:
    """Return when the schedule runs these connectors next, by id; one that is not due is missing.

    The row of one that Microsoft has just refused is there until the schedules are mended.
    """
    names = {name_of(connector.pk): connector.pk for connector in connectors if due(connector)}
    found = Schedule.objects.filter(name__in=names, next_run__isnull=False).values_list("name", "next_run")
    return {names[name]: next_run for name, next_run in found}
