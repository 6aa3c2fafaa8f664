"""The rows of django-q2's Schedule: one for each connector that is due, and those of the portal's own upkeep."""

from __future__ import annotations

import ast
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_q.models import Schedule

from connectors import sync
from connectors.models import Connector
from connectors.sync.lease import RUNNABLE

logger = logging.getLogger(__name__)

SYNC_MINUTES = 5
RECONCILE = "reconcile"
ROWS_PER_STATEMENT = 500
# The scheduler looks every 30 seconds; a row this much further away than its period was not set by it or by us.
SLACK = timedelta(minutes=1)
# Coprime with the seconds of a period, so that connectors one after the other spread evenly over it.
STRIDE = 37


def due(connector: Connector) -> bool:
    """Say whether the schedule runs this connector: it is saved, accepted by Microsoft, and nobody paused it."""
    return connector.status in RUNNABLE and connector.paused_at is None


def connectors_by_size() -> QuerySet[Connector]:
    """Return connectors with only the fields that ``due`` and ``task_seconds`` read."""
    found: QuerySet[Connector] = Connector.objects.only("status", "paused_at", "people", "completed_runs")
    return found.order_by()


def task_seconds(connector: Connector) -> int:
    """Return after how many seconds the queue ends a run of this connector, in whole minutes.

    A run ends its own reading before that, with a sentence; the size of a company is known after its first run.
    """
    most: int = settings.PBPORTAL_RUN_SECONDS_MOST
    if not connector.completed_runs:
        return most
    reading = int(sync.run_seconds(connector)) // 60
    return min(most, 60 * (reading + reading // 2 + 1))


def literal(value: object) -> str:
    """Write a value the way the scheduler reads it; raises TypeError for anything but ints, texts and what holds them.

    One argument that the scheduler cannot read stops every schedule, as often as it looks.
    """
    _check(value)
    text = repr(value)
    if ast.literal_eval(text) != value:
        raise TypeError("The queue cannot read these arguments back.")
    return text


def _check(value: object) -> None:
    if isinstance(value, tuple):
        for part in value:
            _check(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            _check(key)
            _check(part)
    elif type(value) not in (int, str):
        raise TypeError(f"The queue carries numbers and texts, never a {type(value).__name__}.")


@dataclass(frozen=True, slots=True)
class Row:
    """Hold what one Schedule row must say; `phase` is the second of its period in which it is due."""

    name: str
    func: str
    minutes: int
    args: tuple[int, ...] = ()
    seconds: int = 0
    phase: int = 0
    dated: bool = False

    def fields(self) -> dict[str, Any]:
        """Return every column that decides what runs and when, but for the next time."""
        return {
            "name": self.name,
            "func": self.func,
            "args": repr(self.args),
            "kwargs": repr({"q_options": {"timeout": self.seconds}}) if self.seconds else None,
            "hook": None,
            "schedule_type": Schedule.MINUTES,
            "minutes": self.minutes,
            "repeats": -1,
            "cron": None,
            "cluster": None,
            "intended_date_kwarg": "due_at" if self.dated else None,
        }

    def made(self, next_run: datetime) -> Schedule:
        """Return the row, unsaved; raises TypeError for arguments that the scheduler could not read."""
        literal(self.args)
        return Schedule(**self.fields(), next_run=next_run)

    def next_run(self, now: datetime) -> datetime:
        """Return the next time of this row's phase: the same whenever and however often the row is written anew."""
        period = self.minutes * 60
        wait = (self.phase - int(now.timestamp())) % period or period
        return now.replace(microsecond=0) + timedelta(seconds=wait)

    def is_soon(self, next_run: datetime | None, now: datetime) -> bool:
        return next_run is not None and next_run <= now + timedelta(minutes=self.minutes) + SLACK


UPKEEP = (
    Row(RECONCILE, "connectors.schedule.reconcile", minutes=1),
    # Apart from the reconciler: a mail server that does not answer takes nobody's time but this one's.
    Row("notify", "connectors.schedule.notify_people", minutes=1, phase=30, seconds=240),
    Row("tidy", "connectors.schedule.tidy", minutes=60),
)


def name_of(connector_id: int) -> str:
    return f"sync:{connector_id}"


def row_of(connector: Connector) -> Row:
    """Return the row that a connector which is due must have."""
    return Row(
        name_of(connector.pk),
        "connectors.schedule.sync_connector",
        minutes=SYNC_MINUTES,
        args=(connector.pk,),
        seconds=task_seconds(connector),
        phase=connector.pk * STRIDE % (SYNC_MINUTES * 60),
        dated=True,
    )


def ensure(connector: Connector) -> None:
    """Give a connector its one Schedule row where it is due, and none where it is not, in the caller's transaction."""
    if due(connector):
        _mend({name_of(connector.pk): row_of(connector)}, _rows(name_of(connector.pk)), timezone.now())
    else:
        clear(connector.pk)


def clear(connector_id: int) -> None:
    """Take a connector out of the schedule, in the caller's transaction."""
    Schedule.objects.filter(name=name_of(connector_id)).delete()


def repair(now: datetime) -> int:
    """Make the Schedule rows say what they must; return how many were missing or wrong.

    What no connector and no upkeep asks for goes: a row holds the name of any function to call.
    """
    wanted = {row.name: row for row in UPKEEP}
    for connector in connectors_by_size().filter(status__in=RUNNABLE).iterator():
        if due(connector):
            row = row_of(connector)
            wanted[row.name] = row
    gone, new = _mend(wanted, _rows(), now)
    if gone or new:
        logger.info("The schedules are mended: %s rows were outdated, wrong or too many, %s are new.", gone, new)
    return max(gone, new)


def _rows(name: str = "") -> QuerySet[Any, dict[str, Any]]:
    found: QuerySet[Any, dict[str, Any]] = (Schedule.objects.filter(name=name) if name else Schedule.objects).values(
        "pk", "next_run", *UPKEEP[0].fields()
    )
    return found.order_by("pk")


def _mend(wanted: dict[str, Row], found: QuerySet[Any, dict[str, Any]], now: datetime) -> tuple[int, int]:
    """Write anew what is wrong of the found rows, keeping times that are right; return how many went and came."""
    wrong: list[int] = []
    times: dict[str, datetime] = {}
    right: set[str] = set()
    for values in found:
        pk, next_run = values.pop("pk"), values.pop("next_run")
        row = wanted.get(values["name"])
        if row is not None and row.is_soon(next_run, now):
            if row.name not in right and values == row.fields():
                right.add(row.name)
                continue
            times.setdefault(row.name, next_run)
        wrong.append(pk)
    missing = [row for name, row in wanted.items() if name not in right]
    if wrong or missing:
        with transaction.atomic():
            for start in range(0, len(wrong), ROWS_PER_STATEMENT):
                Schedule.objects.filter(pk__in=wrong[start : start + ROWS_PER_STATEMENT]).delete()
            Schedule.objects.bulk_create(
                [row.made(times.get(row.name) or row.next_run(now)) for row in missing],
                batch_size=ROWS_PER_STATEMENT,
            )
    return len(wrong), len(missing)
