"""The lease: who may run, who may not and what they are told, and real processes that want it at once."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from connectors.models import Connector, SyncRun
from connectors.states import ConnectorStatus, RunState, RunTrigger
from connectors.sync.lease import LEASE, Lease, LeaseLost, SettingsMoved, abandon_dead, take
from tests.entra_emulator import Emulator
from tests.stage import Stage


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace")


def taken(stage: Stage, trigger: RunTrigger = RunTrigger.SCHEDULE) -> Lease:
    lease = take(stage.connector.pk, trigger, stage.clock)
    assert isinstance(lease, Lease)
    return lease


def test_a_free_connector_is_taken_for_ninety_seconds(stage: Stage) -> None:
    lease = taken(stage)
    row = stage.refreshed()
    assert (row.lease_token, row.lease_until) == (lease.token, stage.clock.now + LEASE)


def test_a_schedule_that_meets_a_run_leaves_no_flag(stage: Stage) -> None:
    taken(stage)
    refusal = take(stage.connector.pk, RunTrigger.SCHEDULE, stage.clock)
    assert refusal == "A run of this connector is going on; the next one follows by the schedule."
    assert stage.refreshed().run_again == ""


def test_a_request_that_meets_a_run_leaves_one_flag_that_the_next_lease_takes(stage: Stage) -> None:
    lease = taken(stage)
    for trigger in (RunTrigger.MANUAL, RunTrigger.API):
        refusal = take(stage.connector.pk, trigger, stage.clock)
        assert refusal == "A run of this connector is going on; one more follows as soon as it ends."
    assert stage.refreshed().run_again == RunTrigger.MANUAL
    lease.release()
    taken(stage)
    assert stage.refreshed().run_again == ""


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"status": ConnectorStatus.SETUP_INCOMPLETE},
            "The connector's setup is not finished: finish it and save.",
        ),
        (
            {"status": ConnectorStatus.UNAUTHORIZED},
            "Microsoft refuses the connection: mend what its page says, then verify the connection again.",
        ),
    ],
)
def test_a_connector_that_cannot_run_says_why(stage: Stage, values: dict[str, str], sentence: str) -> None:
    Connector.objects.filter(pk=stage.connector.pk).update(**values)
    assert take(stage.connector.pk, RunTrigger.MANUAL, stage.clock) == sentence
    assert stage.refreshed().lease_token == ""


def test_a_removed_connector_says_so(stage: Stage) -> None:
    Connector.objects.filter(pk=stage.connector.pk).update(
        status=ConnectorStatus.REMOVED, secret=None, removed_at=stage.clock.now
    )
    refusal = take(stage.connector.pk, RunTrigger.MANUAL, stage.clock)
    assert refusal == "The connector was removed: install it again to synchronise."


def test_a_paused_connector_names_who_paused_it(stage: Stage) -> None:
    Connector.objects.filter(pk=stage.connector.pk).update(paused_at=stage.clock.now, paused_by="Grace Okonkwo")
    refusal = take(stage.connector.pk, RunTrigger.MANUAL, stage.clock)
    assert refusal == "The connector was paused by Grace Okonkwo: resume it first."


def test_a_throttled_connector_waits_and_then_runs(stage: Stage) -> None:
    Connector.objects.filter(pk=stage.connector.pk).update(throttled_until=stage.clock.now + timedelta(minutes=2))
    refusal = take(stage.connector.pk, RunTrigger.MANUAL, stage.clock)
    assert isinstance(refusal, str)
    assert refusal.startswith("Microsoft asked to wait until ")
    stage.clock.advance(minutes=3)
    taken(stage)


def test_a_dead_lease_is_taken_over_and_its_run_called_abandoned(stage: Stage) -> None:
    taken(stage)
    SyncRun.objects.create(
        connector=stage.connector,
        company=stage.company,
        connector_name="x",
        trigger=RunTrigger.MANUAL,
        state=RunState.RUNNING,
        started_at=stage.clock.now,
    )
    stage.clock.advance(seconds=91)
    taken(stage)
    assert [run.state for run in stage.runs()] == [RunState.ABANDONED]


def test_a_run_that_died_before_it_had_a_row_gets_one(stage: Stage) -> None:
    taken(stage)
    began = stage.clock.now
    stage.clock.advance(seconds=91)
    assert abandon_dead(stage.clock.now) == 1
    assert [(run.state, run.started_at) for run in stage.runs()] == [(RunState.ABANDONED, began)]
    assert stage.refreshed().lease_token == ""


def test_a_living_lease_is_not_abandoned(stage: Stage) -> None:
    taken(stage)
    stage.clock.advance(seconds=89)
    assert abandon_dead(stage.clock.now) == 0
    assert stage.runs() == []


def test_every_write_of_a_lost_lease_is_refused(stage: Stage) -> None:
    lost = taken(stage)
    stage.clock.advance(seconds=91)
    winner = taken(stage)
    with pytest.raises(LeaseLost):
        lost.fence(stage.connector.settings_revision)
    with pytest.raises(LeaseLost):
        lost.release(failure="must not be written")
    row = stage.refreshed()
    assert (row.lease_token, row.failure) == (winner.token, "")


def test_a_young_lease_costs_no_statement_to_renew(stage: Stage, django_assert_num_queries: object) -> None:
    lease = taken(stage)
    with django_assert_num_queries(0):  # type: ignore[operator]
        lease.renew()
    lease._renewed -= 16
    with django_assert_num_queries(1):  # type: ignore[operator]
        lease.renew()


def test_renewing_notices_a_revoked_lease(stage: Stage) -> None:
    lease = taken(stage)
    Connector.objects.filter(pk=stage.connector.pk).update(lease_token="", lease_until=None)
    lease._renewed -= 16
    with pytest.raises(LeaseLost):
        lease.renew()


def test_a_changed_setting_is_told_from_a_lost_lease(stage: Stage) -> None:
    lease = taken(stage)
    Connector.objects.filter(pk=stage.connector.pk).update(settings_revision=99)
    with pytest.raises(SettingsMoved):
        lease.fence(stage.connector.settings_revision)


CONTENDER = """
import json, sys, time
import django
django.setup()
from django.utils import timezone
from connectors.states import RunTrigger
from connectors.sync.lease import Lease, take
held = []
end = time.monotonic() + 60
while len(held) < 15 and time.monotonic() < end:
    lease = take(int(sys.argv[1]), RunTrigger.SCHEDULE, timezone.now)
    if isinstance(lease, Lease):
        began = time.monotonic()
        time.sleep(0.002)
        held.append((began, time.monotonic()))
        lease.release()
    else:
        time.sleep(0.001)
print(json.dumps(held))
"""


@pytest.mark.django_db(transaction=True)
def test_real_processes_never_hold_it_at_once(child_environment: dict[str, str]) -> None:
    emulator = Emulator()
    connector = Stage(emulator, "Ada Lovelace").connector
    command = [sys.executable, "-c", CONTENDER, str(connector.pk)]
    contenders = [subprocess.Popen(command, env=child_environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    held = []
    for contender in contenders:
        out, _ = contender.communicate(timeout=120)
        assert contender.returncode == 0
        mine = json.loads(out)
        assert len(mine) == 15
        held += mine
    held.sort()
    overlaps = [(one, two) for one, two in itertools.pairwise(held) if two[0] < one[1]]
    assert overlaps == []
