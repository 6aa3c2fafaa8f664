"""Runs that are cut off at the worst moment: what is written stays whole, and what must not be lost is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection

from connectors.models import Connector, PersonMark, SyncChange
from connectors.states import ConnectorStatus, RunState, RunTrigger
from tenants import roster
from tenants.models import Account
from tenants.states import AccountRole
from tests.entra_emulator import Emulator
from tests.stage import Stage


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace", "Alan Turing", "Grace Hopper")


def at_insert(table: str, then: Callable[[set[str]], None]) -> Any:
    """Call `then` with the first names a statement is about, before each insert into a table."""

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT INTO") and f'"{table}"' in sql:
            told = repr(params).lower()
            then({name for name in ("ada", "alan", "grace") if f"{name}@brightwater" in told})
        return execute(sql, params, many, context)

    return connection.execute_wrapper(watch)


def test_a_connector_taken_away_between_two_transactions_is_written_to_no_more(stage: Stage) -> None:
    def refuse_all_three_then_remove(names: set[str]) -> None:
        if len(names) > 1:
            raise IntegrityError("each by itself, then")
        Connector.objects.filter(pk=stage.connector.pk).update(
            status=ConnectorStatus.REMOVED, secret=None, lease_token="", lease_until=None, removed_at=stage.clock.now
        )

    with at_insert("tenants_account", refuse_all_three_then_remove):
        stage.run()
    # What went on in the same transaction as the removal is complete; nothing follows it.
    assert stage.statuses() == {"ada": "active"}
    assert (stage.refreshed().status, [run.state for run in stage.runs()]) == (
        ConnectorStatus.REMOVED,
        [RunState.ABANDONED],
    )


def test_a_change_is_never_without_its_record(stage: Stage) -> None:
    def end_of_time(names: set[str]) -> None:
        raise SystemExit("the time limit")

    with at_insert("connectors_syncchange", end_of_time), pytest.raises(SystemExit):
        stage.run()
    assert (stage.statuses(), stage.links(), SyncChange.objects.count()) == ({}, 0, 0)
    stage.clock.advance(minutes=5)
    stage.run()
    assert (stage.statuses(), SyncChange.objects.count()) == ({"ada": "active", "alan": "active", "grace": "active"}, 3)


def test_who_is_held_is_remembered_before_anything_is_done(stage: Stage) -> None:
    with roster.changing(stage.company.pk) as ledger:
        [chief] = ledger.create(
            [roster.NewAccount("Ada", "Lovelace", "ada@brightwater.example", role=AccountRole.ADMIN)]
        )

    def break_off_in_the_middle(names: set[str]) -> None:
        if names == {"grace"}:
            raise SystemExit("the time limit")
        if len(names) > 1:
            raise IntegrityError("each by itself, then")

    with at_insert("tenants_account", break_off_in_the_middle), pytest.raises(SystemExit):
        stage.run()
    assert stage.statuses() == {"ada": "active", "alan": "active"}
    [mark] = PersonMark.objects.all()
    assert (mark.object_id, mark.kind, mark.value, mark.other) == (stage.people["ada"].id, "held", "adopt", "admin")
    assert Account.objects.get(pk=chief.pk).directory_object_id == ""


@pytest.mark.parametrize("trigger", [RunTrigger.SCHEDULE, RunTrigger.MANUAL])
def test_a_run_that_breaks_off_gives_its_lease_back_and_says_so(stage: Stage, trigger: RunTrigger) -> None:
    def end_of_time(names: set[str]) -> None:
        raise SystemExit("the time limit")

    with at_insert("tenants_account", end_of_time), pytest.raises(SystemExit):
        stage.run(trigger)
    row = stage.refreshed()
    [run] = stage.runs()
    assert (row.lease_token, row.last_record_id, row.completed_runs) == ("", run.pk, 0)
    assert (run.state, run.finished_at, row.failure) == (RunState.FAILED, stage.clock.now, run.sentence)
    assert run.sentence.startswith("This run was ended by a fault in the portal or by its time limit.")
