"""What the health pages tell, and what they keep to themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from connectors import schedule
from connectors.models import Connector
from connectors.states import ConnectorStatus, RunTrigger
from tests.world import make_company

GUID = "7d2f9c64-5b0e-4a57-8d2e-6f0f3f1f1f10"


@pytest.fixture
def at_work(db: None) -> Connector:
    """A worker that was just heard, schedules that are in time, and a task that was just queued."""
    connector: Connector = Connector.objects.create(
        company=make_company(name="Canary Holdings"),
        name="Canary connector",
        status=ConnectorStatus.CONNECTED,
        tenant_id=GUID,
        sync_group_id=GUID,
    )
    schedule.repair(timezone.now())
    schedule.beat("machine:1:aa", timezone.now())
    schedule.request(connector.pk, RunTrigger.MANUAL)
    return connector


def told(client: Client) -> tuple[int, Any]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["problems"]


def test_the_process_answers_without_asking_anything(client: Client) -> None:
    # Without the database fixture, a query would fail this test.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/healthz").status_code == 405


def test_ready_is_told_with_numbers_and_without_names(client: Client, at_work: Connector) -> None:
    answer = client.get("/readyz")
    facts = answer.json()
    assert answer.status_code == 200
    assert {name: type(value) for name, value in facts.items()} == {
        "ok": bool,
        "database": bool,
        "migrations_missing": int,
        "worker_beat_age_seconds": float,
        "oldest_task_age_seconds": float,
        "schedule_late_seconds": float,
        "problems": list,
    }
    assert (facts["ok"], facts["migrations_missing"], facts["problems"]) == (True, 0, [])
    assert Connector.objects.get().company.name == "Canary Holdings"
    for kept in ("Canary", "machine", GUID):
        assert kept not in answer.content.decode()


def test_ready_costs_the_same_few_queries(client: Client, at_work: Connector) -> None:
    schedule.request_all({at_work.pk: RunTrigger.MANUAL})
    with CaptureQueriesContext(connection) as queries:
        client.get("/readyz")
    assert len(queries) <= 6


def test_a_silent_worker_is_not_ready(client: Client, at_work: Connector) -> None:
    schedule.beat("machine:1:aa", timezone.now() - timedelta(seconds=61))
    assert told(client) == (503, ["No worker is alive: start manage.py worker."])
    schedule.beat("machine:2:bb", timezone.now())
    assert told(client) == (200, [])
    schedule.leave("machine:1:aa")
    schedule.leave("machine:2:bb")
    assert told(client) == (503, ["No worker is alive: start manage.py worker."])


def test_a_task_that_waits_too_long_is_not_ready_and_one_that_runs_long_is(client: Client, at_work: Connector) -> None:
    OrmQ.objects.update(lock=timezone.now() - timedelta(minutes=6))
    assert told(client) == (503, ["Tasks wait too long: add workers, or look into the worker's log."])
    OrmQ.objects.update(key="pbportal@machine:1:aa", lock=timezone.now() + timedelta(hours=1))
    assert told(client) == (200, [])


def test_schedules_that_stand_still_are_not_ready(client: Client, at_work: Connector) -> None:
    Schedule.objects.filter(name="reconcile").update(next_run=timezone.now() - timedelta(minutes=3))
    assert told(client) == (503, ["What is due is not queued: look into the worker's log."])
    Schedule.objects.all().delete()
    assert told(client) == (503, ["What is due is not queued: look into the worker's log."])


def test_a_missing_migration_is_not_ready(client: Client, at_work: Connector) -> None:
    [latest] = MigrationLoader(connection).graph.leaf_nodes("connectors")
    MigrationRecorder(connection).record_unapplied(*latest)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {
            "ok": False,
            "database": True,
            "migrations_missing": 1,
            "problems": ["The database lacks migrations: run manage.py migrate."],
        },
    )
