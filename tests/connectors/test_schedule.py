"""The schedule: who is due and when, what is queued and by whom, and how wrong rows are put right."""

from __future__ import annotations

import logging
import pydoc
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.scheduler import scheduler
from django_q.signing import SignedPackage

from connectors import schedule
from connectors.models import Connector, SyncRun, WorkerBeat
from connectors.schedule import owners
from connectors.schedule.rows import literal, row_of, task_seconds
from connectors.schedule.tasks import follow_up
from connectors.states import ConnectorStatus, RunState, RunTrigger
from tenants.models import Company
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_company, make_staff

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
LIVE = {"tenant_id": "7d2f9c64-5b0e-4a57-8d2e-6f0f3f1f1f10", "sync_group_id": "8e3a0d75-6c1f-4b68-9e3f-7a1a4a2a2a21"}


def connector_of(company: Company, status: ConnectorStatus = ConnectorStatus.CONNECTED, **fields: Any) -> Connector:
    made: Connector = Connector.objects.create(
        company=company, status=status, **{**LIVE, "tenant_id": str(uuid.uuid4()), **fields}
    )
    return made


def connectors(count: int) -> list[Connector]:
    company = make_company()
    return [connector_of(company) for _ in range(count)]


# The scheduler looks after connections of its own, which a test's transaction would not survive.
with_scheduler = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace")


def queued() -> list[tuple[str, tuple[Any, ...], int | None]]:
    """Return what waits in the queue, oldest first: function, arguments, seconds."""
    packages = [
        SignedPackage.loads(payload) for payload in OrmQ.objects.order_by("pk").values_list("payload", flat=True)
    ]
    return [(package["func"].rpartition(".")[2], package["args"], package.get("timeout")) for package in packages]


def carry_out() -> int:
    """Do what waits in the queue, as a worker does; return how many tasks there were."""
    count = 0
    while fetched := owners.fetch("test", 1):
        for pk, payload in fetched:
            package = SignedPackage.loads(payload)
            pydoc.locate(package["func"])(*package["args"], **package["kwargs"])
            OrmQ.objects.filter(pk=pk).delete()
            count += 1
    return count


def names() -> list[str]:
    return sorted(Schedule.objects.values_list("name", flat=True))


# Who is due


@pytest.mark.parametrize("status", ConnectorStatus)
@pytest.mark.parametrize("paused", [False, True])
def test_who_is_due(status: ConnectorStatus, paused: bool) -> None:
    connector = Connector(status=status, paused_at=NOW if paused else None)
    assert schedule.due(connector) is (status in (ConnectorStatus.WAITING, ConnectorStatus.CONNECTED) and not paused)


def test_a_connector_has_one_row_while_it_is_due(db: None) -> None:
    [connector] = connectors(1)
    schedule.ensure(connector)
    schedule.ensure(connector)
    assert names() == [f"sync:{connector.pk}"]
    connector.paused_at = timezone.now()
    schedule.ensure(connector)
    assert names() == []
    connector.paused_at = None
    schedule.ensure(connector)
    schedule.clear(connector.pk)
    assert names() == []


def test_a_second_ensure_keeps_the_next_time(db: None) -> None:
    [connector] = connectors(1)
    schedule.ensure(connector)
    soon = timezone.now() + timedelta(seconds=7)
    Schedule.objects.update(next_run=soon)
    schedule.ensure(connector)
    other = Connector(pk=connector.pk + 1, status=ConnectorStatus.CONNECTED)
    assert schedule.next_runs([connector, other]) == {connector.pk: soon}
    connector.status = ConnectorStatus.UNAUTHORIZED
    assert schedule.next_runs([connector, other]) == {}


def test_connectors_spread_evenly_over_the_five_minutes() -> None:
    rows = [row_of(Connector(pk=pk, status=ConnectorStatus.CONNECTED)) for pk in range(1, 301)]
    assert sorted(row.next_run(NOW) for row in rows) == [NOW + timedelta(seconds=wait) for wait in range(1, 301)]


def test_the_phase_of_a_connector_does_not_move_when_its_row_is_written_again() -> None:
    row = row_of(Connector(pk=11, status=ConnectorStatus.CONNECTED))
    first = row.next_run(NOW)
    assert row.next_run(first - timedelta(seconds=1)) == first
    assert row.next_run(first) == first + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("completed_runs", "people", "seconds"),
    [(0, 0, 1_800), (1, 0, 420), (1, 500, 420), (1, 10_000, 660), (1, 100_000, 1_800)],
)
def test_the_time_of_a_task_grows_with_the_company(
    settings: Any, completed_runs: int, people: int, seconds: int
) -> None:
    settings.PBPORTAL_RUN_SECONDS, settings.PBPORTAL_RUN_SECONDS_MOST = 240, 1_800
    assert task_seconds(Connector(completed_runs=completed_runs, people=people)) == seconds


# What the scheduler makes of it


@with_scheduler
def test_the_schedule_alone_synchronises_a_connector(stage: Stage) -> None:
    schedule.ensure(stage.connector)
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=1))
    scheduler()
    assert queued() == [("sync_connector", (stage.connector.pk,), 1_800)]
    assert carry_out() == 1
    assert stage.refreshed().status == ConnectorStatus.CONNECTED
    assert [run.trigger for run in stage.runs()] == [RunTrigger.SCHEDULE]
    assert schedule.next_runs([stage.refreshed()])[stage.connector.pk] > timezone.now()


def test_a_scheduled_task_that_came_late_is_not_done_twice(stage: Stage) -> None:
    due_at = timezone.now()
    for _ in range(3):
        schedule.sync_connector(stage.connector.pk, due_at.isoformat())
    assert len(stage.runs()) == 1
    schedule.sync_connector(stage.connector.pk, (timezone.now() + timedelta(seconds=1)).isoformat())
    assert [run.times for run in stage.runs()] == [1, 1]


def test_a_run_that_ended_in_the_future_by_a_wrong_clock_holds_up_no_other(stage: Stage) -> None:
    stage.run()
    ahead = timezone.now() + timedelta(days=2)
    Connector.objects.filter(pk=stage.connector.pk).update(last_run_at=ahead)
    schedule.sync_connector(stage.connector.pk, timezone.now().isoformat())
    assert stage.refreshed().last_run_at < ahead


@with_scheduler
def test_one_row_that_cannot_be_read_stops_all_and_repair_lets_them_go_on() -> None:
    for connector in connectors(3):
        schedule.ensure(connector)
    past = timezone.now() - timedelta(minutes=2)
    Schedule.objects.update(next_run=past)
    bad = Schedule.objects.order_by("pk").first()
    assert bad is not None
    Schedule.objects.filter(pk=bad.pk).update(args="(UUID('8e3a0d75-6c1f-4b68-9e3f-7a1a4a2a2a21'),)")
    scheduler()
    assert (queued(), Schedule.objects.filter(next_run=past).count()) == ([], 3)
    assert schedule.schedules_stand_still(timezone.now()) is True
    assert schedule.repair(timezone.now()) == 4  # the bad one, and the three of the upkeep that were never there
    scheduler()
    assert sorted(function for function, _, _ in queued()) == ["sync_connector"] * 3
    assert schedule.schedules_stand_still(timezone.now()) is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"func": "os.system"},
        {"args": "('rm',)"},
        {"args": None},
        {"kwargs": "1"},
        {"kwargs": "{'q_options': {'timeout': 1}}"},
        {"hook": "os.system"},
        {"schedule_type": Schedule.ONCE},
        {"minutes": 1},
        {"repeats": 0},
        {"cluster": "another"},
        {"intended_date_kwarg": None},
        {"next_run": None},
        {"next_run": NOW + timedelta(days=2)},
    ],
)
def test_a_wrong_row_is_written_anew(db: None, wrong: dict[str, Any]) -> None:
    connectors(2)
    schedule.repair(NOW)
    before = sorted(Schedule.objects.values_list("name", "func", "args", "kwargs", "next_run"))
    pk = Schedule.objects.filter(name__startswith="sync:").order_by("pk").values_list("pk", flat=True)[0]
    Schedule.objects.filter(pk=pk).update(**wrong)
    assert schedule.repair(NOW) == 1
    assert sorted(Schedule.objects.values_list("name", "func", "args", "kwargs", "next_run")) == before
    assert schedule.repair(NOW) == 0


def test_repair_adds_what_is_missing_and_takes_what_nobody_asks_for(db: None) -> None:
    company = make_company()
    kept = connector_of(company)
    kinds = (ConnectorStatus.SETUP_INCOMPLETE, ConnectorStatus.UNAUTHORIZED)
    for connector in [connector_of(company, status) for status in kinds] + [connector_of(company, paused_at=NOW)]:
        Schedule.objects.create(**row_of(connector).fields(), next_run=NOW)
    Schedule.objects.create(name="sync:999999", func="connectors.schedule.sync_connector", args="(999999,)")
    Schedule.objects.create(name=None, func="os.system", args="('true',)")
    Schedule.objects.create(**row_of(kept).fields(), next_run=NOW)
    Schedule.objects.create(**row_of(kept).fields(), next_run=NOW)
    assert schedule.repair(NOW) == 6
    assert names() == sorted(["notify", "reconcile", f"sync:{kept.pk}", "tidy"])


@pytest.mark.parametrize("count", [1, 120])
def test_a_repair_that_finds_nothing_wrong_costs_the_same_for_few_and_many(db: None, count: int) -> None:
    connectors(count)
    schedule.repair(NOW)
    with CaptureQueriesContext(connection) as queries:
        assert schedule.repair(NOW) == 0
    assert len(queries) == 2


@pytest.mark.parametrize("value", [uuid.uuid4(), 1.5, None, True, NOW, [1], (1, (None,)), {"a": 1.5}])
def test_only_numbers_and_texts_go_into_the_queue(value: object) -> None:
    with pytest.raises(TypeError):
        literal(value)


def test_what_goes_into_the_queue_can_be_read_back() -> None:
    assert literal((7, 'Zoë\'s \\ "name"')) == repr((7, 'Zoë\'s \\ "name"'))


# Asking for a run


def test_a_request_runs_at_once_with_the_name_of_who_asked(stage: Stage) -> None:
    staff = make_staff(stage.company.partner)
    schedule.request(stage.connector.pk, RunTrigger.MANUAL, by_id=staff.pk)
    assert queued() == [("requested", (stage.connector.pk, "manual", staff.pk), 1_800)]
    carry_out()
    [run] = stage.runs()
    assert (run.trigger, run.by, run.state) == (RunTrigger.MANUAL, staff, RunState.SUCCEEDED)


def test_a_request_of_a_transaction_that_is_rolled_back_is_never_run(stage: Stage) -> None:
    with transaction.atomic():
        schedule.request(stage.connector.pk, RunTrigger.MANUAL)
        assert len(queued()) == 1
        transaction.set_rollback(True)
    assert queued() == []


@pytest.mark.parametrize("count", [1, 60])
def test_a_request_for_many_costs_the_same_as_for_one(db: None, count: int) -> None:
    triggers = {connector.pk: RunTrigger.MANUAL for connector in connectors(count)}
    with CaptureQueriesContext(connection) as queries:
        schedule.request_all(triggers)
    assert len(queries) == 2
    assert [arguments for _, arguments, _ in queued()] == [(pk, "manual", 0) for pk in triggers]


def test_a_request_that_meets_a_run_is_followed_by_one_more_when_it_ends(stage: Stage) -> None:
    Connector.objects.update(lease_token="a", lease_until=timezone.now() + timedelta(seconds=60))
    for _ in range(3):
        schedule.requested(stage.connector.pk, RunTrigger.API, 0)
    assert (follow_up(), queued()) == (0, [])
    Connector.objects.update(lease_token="", lease_until=None)
    assert (follow_up(), follow_up()) == (1, 0)
    assert queued() == [("requested", (stage.connector.pk, "api", 0), 1_800)]
    carry_out()
    assert ([run.trigger for run in stage.runs()], queued()) == ([RunTrigger.API], [])


def test_the_run_that_follows_is_whose_request_met_the_one_before(stage: Stage) -> None:
    asking, other = make_staff(stage.company.partner), make_staff(stage.company.partner)
    Connector.objects.update(lease_token="a", lease_until=timezone.now() + timedelta(seconds=60))
    for user in (asking, other):
        schedule.requested(stage.connector.pk, RunTrigger.MANUAL, user.pk)
    Connector.objects.update(lease_token="", lease_until=None)
    assert (follow_up(), queued()) == (1, [("requested", (stage.connector.pk, "manual", asking.pk), 1_800)])
    carry_out()
    assert ([run.by for run in stage.runs()], stage.refreshed().run_again_by) == ([asking], None)


def test_a_run_that_breaks_off_is_told_without_its_secret_and_harms_nothing_else(
    stage: Stage, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ENTRA_SESSION = "tests.no_such_module.session"
    schedule.request(stage.connector.pk, RunTrigger.MANUAL)
    with caplog.at_level(logging.ERROR):
        assert carry_out() == 1
    [record] = [record for record in caplog.records if record.name == "connectors.schedule.tasks"]
    assert record.getMessage() == f"The run of connector {stage.connector.pk} broke off."
    assert stage.app.secret
    assert stage.app.secret not in caplog.text
    assert stage.refreshed().lease_token == ""


# Upkeep


def test_the_reconciler_puts_right_what_a_crash_left(stage: Stage) -> None:
    now = timezone.now()
    pk = stage.connector.pk
    Connector.objects.update(
        lease_token="dead",
        lease_until=now - timedelta(seconds=1),
        lease_taken_at=now - timedelta(minutes=3),
        run_again=RunTrigger.MANUAL,
    )
    SyncRun.objects.create(
        connector=stage.connector,
        company=stage.company,
        connector_name="Microsoft Entra ID",
        trigger=RunTrigger.SCHEDULE,
        state=RunState.RUNNING,
        started_at=now - timedelta(minutes=3),
    )
    schedule.request(pk, RunTrigger.COMMAND)
    schedule.beat("lost", now - timedelta(minutes=3))
    assert len(owners.fetch("lost", 1) or []) == 1
    assert owners.fetch("another", 1) is None
    schedule.reconcile()
    assert [run.state for run in stage.runs()] == [RunState.ABANDONED]
    assert names() == sorted(["notify", "reconcile", f"sync:{pk}", "tidy"])
    assert [arguments for _, arguments, _ in queued()] == [(pk, "command", 0), (pk, "manual", 0)]
    assert carry_out() == 2
    assert [run.state for run in stage.runs()] == [RunState.ABANDONED, RunState.SUCCEEDED, RunState.SUCCEEDED]


def test_the_tasks_of_a_worker_that_lives_stay_its_own(db: None) -> None:
    [first, second] = connectors(2)
    schedule.request_all({first.pk: RunTrigger.MANUAL, second.pk: RunTrigger.MANUAL})
    schedule.beat("alive", timezone.now())
    fetched = owners.fetch("alive", 1) or []
    assert [SignedPackage.loads(payload)["args"][0] for _, payload in fetched] == [first.pk]
    assert owners.give_back_of_the_dead(timezone.now()) == 0
    others = owners.fetch("another", 5) or []
    assert [SignedPackage.loads(payload)["args"][0] for _, payload in others] == [second.pk]
    schedule.leave("alive")
    again = owners.fetch("another", 5) or []
    assert [SignedPackage.loads(payload)["args"][0] for _, payload in again] == [first.pk]
    assert schedule.workers("alive") == []


def test_tidying_forgets_what_was_kept_long_enough(db: None) -> None:
    now = timezone.now()
    for name, days in (("old", 8), ("fresh", 6)):
        when = now - timedelta(days=days)
        Task.objects.create(id=name, name=name, func="f", started=when, stopped=when, success=False)
    schedule.beat("gone", now - timedelta(days=2))
    schedule.beat("quiet", now - timedelta(hours=2))
    schedule.tidy()
    assert list(Task.objects.values_list("id", flat=True)) == ["fresh"]
    assert list(WorkerBeat.objects.values_list("cluster", flat=True)) == ["quiet"]
