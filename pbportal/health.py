"""Two pages for machines: /healthz says that this process answers, /readyz what it would take to do its work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import Error as DatabaseFault
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from connectors import schedule

# The worker tells of itself every ten seconds, the scheduler looks every thirty.
BEAT_AGE_MOST = timedelta(seconds=60)
SCHEDULE_LATE_MOST = timedelta(seconds=120)
TASK_AGE_MOST = timedelta(minutes=5)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer, without asking anything: whoever gets no answer restarts this process."""
    return JsonResponse({"ok": True})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Tell database, migrations, worker and queue, without a name of anybody: 503 with what is wrong where it is."""
    facts: dict[str, Any] = {"database": False}
    problems: list[str] = []
    try:
        facts |= {"database": True, "migrations_missing": _migrations_missing()}
        if facts["migrations_missing"]:
            problems.append("The database lacks migrations: run manage.py migrate.")
        else:
            _look_at_queue(facts, problems)
    except DatabaseFault:
        facts = {"database": False}
        problems = ["The database does not answer."]
    return JsonResponse({"ok": not problems, **facts, "problems": problems}, status=503 if problems else 200)


def _migrations_missing() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _look_at_queue(facts: dict[str, Any], problems: list[str]) -> None:
    found = schedule.facts(timezone.now())
    facts["worker_beat_age_seconds"] = _seconds(found.beat)
    facts["oldest_task_age_seconds"] = _seconds(found.oldest_task)
    facts["schedule_late_seconds"] = _seconds(found.schedule)
    if found.beat is None or found.beat > BEAT_AGE_MOST:
        problems.append("No worker is alive: start manage.py worker.")
    if found.oldest_task is not None and found.oldest_task > TASK_AGE_MOST:
        problems.append("Tasks wait too long: add workers, or look into the worker's log.")
    if found.schedule is None or found.schedule > SCHEDULE_LATE_MOST:
        problems.append("What is due is not queued: look into the worker's log.")


def _seconds(age: timedelta | None) -> float | None:
    return None if age is None else round(age.total_seconds(), 1)
