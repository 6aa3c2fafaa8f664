"""Runs from end to end over the emulated wire: what they do, what they leave when disturbed, and what they cost."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from connectors.models import AccountLink, Connector, SyncChange, SyncRun
from connectors.states import Action, ConnectorStatus, Outcome, RunState, RunTrigger, Situation
from connectors.sync import preview, prune, run, run_seconds, unlink_personal
from tenants import roster
from tenants.audit import sentence_of
from tenants.models import Account, AuditEntry, User
from tenants.roster import Act, perform
from tenants.states import Hand, LoginKind, ManagedBy
from tests.conftest import LONG
from tests.entra_emulator import Emulator
from tests.entra_emulator.server import serving
from tests.stage import Stage


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    return Stage(emulator, "Ada Lovelace", "Grace Hopper", "Alan Turing", additional=["Engineers"])


# What a run does


def test_the_first_run_creates_everybody_links_them_and_connects(stage: Stage) -> None:
    stage.tenant.add_member(stage.groups["Engineers"].id, stage.people["ada"].id)
    result = stage.run()
    assert stage.statuses() == {"ada": "active", "grace": "active", "alan": "active"}
    assert stage.links() == 3
    assert stage.members() == {"Engineers": {"ada"}}
    assert {account.managed_by for account in Account.objects.all()} == {ManagedBy.AZURE_AD}
    row = stage.refreshed()
    assert (row.status, row.lease_token, row.in_scope, row.completed_runs) == (ConnectorStatus.CONNECTED, "", 3, 1)
    assert result.run is not None
    run = SyncRun.objects.get(pk=result.run.pk)
    assert (run.state, run.first, run.counts) == (
        RunState.SUCCEEDED,
        True,
        {"applied.create": 3, "applied.group_create": 1, "applied.group_join": 1},
    )
    assert run.requests == len(stage.emulator.journal.where())
    entry = AuditEntry.objects.get(action="connector.synchronised")
    assert entry.detail == {"run": run.pk, "trigger": "schedule", "counts": run.counts}
    assert sentence_of(entry) == (
        f"Connector Microsoft Entra ID synchronised Microsoft Entra ID (run {run.pk}, Schedule):"
        " 3 created, 1 groups created, 1 joined a group."
    )


def test_a_run_after_it_finds_nothing_to_do(stage: Stage) -> None:
    stage.run()
    stage.clock.advance(minutes=5)
    second = stage.run()
    assert second.run is not None
    assert stage.changes(second) == []
    assert SyncRun.objects.get(pk=second.run.pk).quiet is True


def test_consecutive_quiet_scheduled_runs_fold_into_one_line(stage: Stage) -> None:
    stage.run()
    for _ in range(4):
        stage.clock.advance(minutes=5)
        stage.run()
    first, quiet = stage.runs()
    assert (first.quiet, quiet.quiet, quiet.times) == (False, True, 4)
    assert quiet.finished_at == stage.clock.now
    stage.run(RunTrigger.MANUAL)
    stage.run()
    assert [(run.trigger, run.quiet, run.times) for run in stage.runs()] == [
        ("schedule", False, 1),
        ("schedule", True, 4),
        ("manual", True, 1),
        ("schedule", True, 1),
    ]


def test_every_kind_of_leaving_follows_its_rule(db: None, emulator: Emulator) -> None:
    names = [f"Person{number:02d} Ofmany" for number in range(20)]
    stage = Stage(emulator, *names, rules={Situation.DELETED: Action.DELETE})
    stage.run()
    stage.clock.advance(minutes=5)
    stage.tenant.disable_user(stage.people["person00"].id)
    stage.tenant.remove_member(stage.group.id, stage.people["person01"].id)
    stage.tenant.soft_delete_user(stage.people["person02"].id)
    result = stage.run()
    assert stage.changes(result) == [
        ("applied", "delete", "person02"),
        ("applied", "disable", "person00"),
        ("applied", "disable", "person01"),
    ]
    assert {name: status for name, status in stage.statuses().items() if status != "active"} == {
        "person00": "disabled",
        "person01": "disabled",
        "person02": "deleted",
    }


def test_a_preview_is_the_very_plan_of_the_run_and_writes_nothing(stage: Stage) -> None:
    planned = preview(stage.refreshed(), clock=stage.clock)
    assert (Account.objects.count(), SyncRun.objects.count(), stage.refreshed().lease_token) == (0, 0, "")
    result = stage.run()
    assert result.run is not None
    lines = SyncChange.objects.filter(run=result.run).values_list("kind", "object_id", "because")
    assert list(lines) == [
        (change.kind, change.object_id, change.because.sentence()) for change in planned.plan.changes
    ]


def test_a_line_about_a_group_carries_the_groups_name(stage: Stage) -> None:
    engineers, ada = stage.groups["Engineers"], stage.people["ada"]
    stage.tenant.add_member(engineers.id, ada.id)
    stage.run()
    stage.tenant.rename_group(engineers.id, "Builders")
    stage.tenant.remove_member(engineers.id, ada.id)
    stage.run()
    stage.tenant.delete_group(engineers.id)
    stage.run()
    lines = SyncChange.objects.filter(connector=stage.connector).exclude(group_name="").order_by("pk")
    assert list(lines.values_list("kind", "group_name")) == [
        ("group_create", "Engineers"),
        ("group_join", "Engineers"),
        ("group_rename", "Builders"),
        ("group_leave", "Engineers"),
        ("group_hand_back", "Builders"),
    ]


# Reads that fail change nothing


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "retry_after": 0},
        {"status": 500, "retry_after": 0},
        {"truncate": True},
        {"document": {"unexpected": 1}},
    ],
    ids=str,
)
def test_a_broken_members_read_changes_nothing_and_the_next_run_goes_on(stage: Stage, fault: dict[str, Any]) -> None:
    stage.run()
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    stage.hire("Edsger Dijkstra")
    stage.emulator.faults.add(path="/members", times=None, **fault)
    before = stage.statuses()
    stage.clock.advance(minutes=5)
    failed = stage.run()
    assert failed.run is not None
    assert (failed.run.state, stage.statuses()) == (RunState.FAILED, before)
    assert stage.refreshed().status == ConnectorStatus.CONNECTED
    stage.emulator.faults.clear()
    stage.clock.advance(minutes=5)
    stage.run()
    assert stage.statuses() == {**before, "ada": "disabled", "edsger": "active"}
    row = stage.refreshed()
    assert (row.unreachable_since, row.failure) == (None, "")


def test_unreachable_since_is_the_first_failure(stage: Stage) -> None:
    stage.run()
    stage.emulator.faults.add(path="/members", times=None, status=503, retry_after=0)
    stage.clock.advance(minutes=5)
    since = stage.clock.now
    stage.run()
    stage.clock.advance(minutes=5)
    stage.run()
    assert stage.refreshed().unreachable_since == since
    assert [(run.state, run.times) for run in stage.runs()] == [(RunState.SUCCEEDED, 1), (RunState.FAILED, 2)]


def test_whoever_is_slowed_down_by_microsoft_is_not_out_of_its_reach(stage: Stage) -> None:
    stage.run()
    Connector.objects.filter(pk=stage.connector.pk).update(unreachable_since=stage.clock.now)
    stage.emulator.faults.add(path="/members", times=None, status=429, retry_after="600")
    stage.run()
    assert (stage.refreshed().unreachable_since, stage.connector.throttled_until is not None) == (None, True)


def test_the_time_for_a_run_is_that_of_everybody_it_may_have_to_ask_about(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator)
    stage.hire_many(60)
    stage.run()
    assert (stage.refreshed().people, run_seconds(stage.connector)) == (60, settings.PBPORTAL_RUN_SECONDS + 1)
    stage.tenant.delete_group(stage.group.id)
    for _ in range(2):
        stage.run()
        assert (stage.refreshed().in_scope, stage.connector.people) == (0, 60)


def test_an_upgrade_gives_each_connector_the_size_it_has(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Lovelace", "Grace Hopper")
    stage.run()
    measure = importlib.import_module("connectors.migrations.0007_people").measure
    for in_scope, people in ((0, 2), (70, 70)):
        Connector.objects.update(in_scope=in_scope, people=0)
        measure(apps, None)
        assert stage.refreshed().people == people


def test_a_long_throttle_frees_the_worker_and_keeps_status_and_place(stage: Stage) -> None:
    stage.run()
    stage.emulator.faults.add(path="/members", status=429, retry_after=120)
    stage.clock.advance(minutes=5)
    stage.run()
    row = stage.refreshed()
    assert (row.status, row.lease_token) == (ConnectorStatus.CONNECTED, "")
    assert row.throttled_until is not None
    refused = stage.run(clock=lambda: row.throttled_until - timedelta(seconds=1))
    assert refused.run is None
    stage.clock.advance(minutes=5)
    stage.run()
    assert stage.refreshed().throttled_until is None


# Microsoft refuses


def test_trap_24_a_refused_secret_is_unauthorized_and_is_not_tried_again(stage: Stage) -> None:
    stage.run()
    stage.tenant.expire_secret(stage.app.client_id)
    Connector.objects.filter(pk=stage.connector.pk).update(generation=2)
    stage.clock.advance(minutes=5)
    stage.run()
    row = stage.refreshed()
    assert row.status == ConnectorStatus.UNAUTHORIZED
    assert "expired" in row.status_sentence
    asked = len(stage.emulator.journal.where())
    assert stage.run().run is None
    assert len(stage.emulator.journal.where()) == asked


def test_consent_revoked_in_the_middle_of_a_run_changes_nothing(stage: Stage) -> None:
    stage.run()
    before = stage.statuses()
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)

    def revoke() -> None:
        stage.tenant.revoke_consent(stage.app.client_id)
        stage.tenant.revoke_tokens(stage.app.client_id)

    stage.emulator.faults.add(path="/members", times=1, call=revoke)
    stage.clock.advance(minutes=5)
    stage.run()
    assert (stage.refreshed().status, stage.statuses()) == (ConnectorStatus.UNAUTHORIZED, before)


def test_an_old_run_cannot_undo_a_new_verification(stage: Stage) -> None:
    stage.run()
    stage.tenant.expire_secret(stage.app.client_id)
    Connector.objects.filter(pk=stage.connector.pk).update(generation=2)

    def verify_again() -> None:
        Connector.objects.filter(pk=stage.connector.pk).update(generation=3)

    stage.emulator.faults.add(path="/token", times=None, call=verify_again)
    stage.clock.advance(minutes=5)
    result = stage.run()
    assert result.run is not None
    assert (result.run.state, stage.refreshed().status) == (RunState.FAILED, ConnectorStatus.CONNECTED)


def test_a_secret_that_cannot_be_opened_is_a_status_with_a_sentence(stage: Stage, settings: Any) -> None:
    settings.PBPORTAL_FIELD_KEYS = ["bm90LXRoZS1rZXktdGhhdC1zZWFsZWQtaXQtMzJieSE="]
    result = stage.run()
    assert result.run is not None
    row = stage.refreshed()
    assert (row.status, row.failure) == (ConnectorStatus.UNAUTHORIZED, "credentials_unreadable")
    assert row.status_sentence != ""


# People act meanwhile


def test_a_connector_removed_in_the_middle_of_a_run_is_written_to_no_more(stage: Stage) -> None:
    stage.run()
    stage.hire("Edsger Dijkstra")

    def remove() -> None:
        Connector.objects.filter(pk=stage.connector.pk).update(
            status=ConnectorStatus.REMOVED,
            secret=None,
            lease_token="",
            lease_until=None,
            removed_at=stage.clock.now,
        )

    stage.emulator.faults.add(path="/members", times=1, call=remove)
    stage.clock.advance(minutes=5)
    stage.run(RunTrigger.MANUAL)
    assert stage.refreshed().status == ConnectorStatus.REMOVED
    assert "edsger" not in stage.statuses()
    assert [run.state for run in stage.runs()] == [RunState.SUCCEEDED, RunState.ABANDONED]


def test_a_person_who_acts_between_reading_and_writing_is_planned_with(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Lovelace", "Grace Hopper", licences=3)
    stage.run()
    stage.hire("Alan Turing")
    acted = []

    def take_the_last_licence(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        # The roster has just been read: now somebody is quicker.
        if "connectors_syncchange" in sql and sql.startswith("SELECT") and not acted:
            acted.append(True)
            with roster.changing(stage.company.pk) as ledger:
                ledger.create([roster.NewAccount("By", "Hand", "hand@brightwater.example")])
        return result

    stage.clock.advance(minutes=5)
    with connection.execute_wrapper(take_the_last_licence):
        stage.run()
    assert acted == [True]
    assert stage.statuses() == {"ada": "active", "grace": "active", "hand": "active", "alan": "pending"}


def test_a_request_during_a_run_asks_for_one_more(stage: Stage) -> None:
    refused = []

    def ask() -> None:
        refused.append(run(stage.connector.pk, RunTrigger.MANUAL, clock=stage.clock).refused)

    stage.emulator.faults.add(path="/members", times=1, call=ask)
    result = stage.run()
    assert refused == ["A run of this connector is going on; one more follows as soon as it ends."]
    assert result.again is True


# One bad record, and crashes


def test_one_bad_record_never_stops_the_others(stage: Stage) -> None:
    def refuse_grace(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # PostgreSQL gets a list for each column, SQLite one long list: the text of either tells.
        if sql.startswith("INSERT INTO") and "tenants_account" in sql and "grace@brightwater.example" in repr(params):
            raise IntegrityError("a constraint nobody thought of")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse_grace):
        result = stage.run()
    assert stage.statuses() == {"ada": "active", "alan": "active"}
    assert stage.changes(result) == [
        ("applied", "create", "ada"),
        ("applied", "create", "alan"),
        ("failed", "create", "grace"),
    ]
    stage.clock.advance(minutes=5)
    stage.run()
    assert stage.statuses() == {"ada": "active", "alan": "active", "grace": "active"}


KILLED = """
import os, signal, sys
import django
django.setup()
from django.db import connection
from connectors.states import RunTrigger
from connectors.sync import run
from tests.conftest import LONG
from tests.entra_emulator import Emulator

seen = []
def die_in_the_second_chunk(execute, sql, params, many, context):
    if sql.startswith("INSERT INTO") and "tenants_account" in sql:
        seen.append(True)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)

with connection.execute_wrapper(die_in_the_second_chunk):
    run(int(sys.argv[1]), RunTrigger.MANUAL)
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_mid_apply_leaves_whole_chunks_and_the_next_run_completes_it(
    child_environment: dict[str, str], emulator: Emulator
) -> None:
    stage = Stage(emulator)
    stage.hire_many(1_500)
    with serving(emulator) as server:
        child = subprocess.run(
            [sys.executable, "-c", KILLED, str(stage.connector.pk)],
            env={
                **child_environment,
                "ENTRA_SESSION": "tests.entra_emulator.forward.session",
                "EMULATOR_URL": server.url,
            },
            timeout=120,
            check=False,
        )
    assert child.returncode == -signal.SIGKILL
    assert Account.objects.count() == 1_000
    assert AccountLink.objects.count() == 1_000
    assert SyncChange.objects.filter(outcome=Outcome.APPLIED).count() == 1_000
    assert [run.state for run in stage.runs()] == [RunState.RUNNING]
    stage.clock.advance(minutes=5)
    result = stage.run()
    assert result.run is not None
    assert Account.objects.count() == 1_500
    assert AccountLink.objects.count() == 1_500
    assert SyncChange.objects.filter(outcome=Outcome.APPLIED).count() == 1_500
    assert [run.state for run in stage.runs()] == [RunState.ABANDONED, RunState.SUCCEEDED]


# What runs cost, whatever the number of people

MANY = 10_000 if LONG else 1_200
"""More than one chunk; ten thousand take too long for every day."""


def queries_of(stage: Stage) -> int:
    stage.clock.advance(minutes=5)
    with CaptureQueriesContext(connection) as captured:
        stage.run()
    return len(captured)


@pytest.mark.parametrize("people", [10, MANY])
def test_a_quiet_run_costs_the_same_few_queries_for_few_and_many(db: None, emulator: Emulator, people: int) -> None:
    stage = Stage(emulator, additional=["Engineers"])
    stage.hire_many(people)
    for _ in range(3):
        stage.clock.advance(minutes=5)
        stage.run()
    assert queries_of(stage) == 9


@pytest.mark.parametrize("people", [10, MANY])
def test_a_run_with_one_change_costs_at_most_thirty_queries(db: None, emulator: Emulator, people: int) -> None:
    stage = Stage(emulator, additional=["Engineers"])
    stage.hire_many(people)
    for _ in range(3):
        stage.clock.advance(minutes=5)
        stage.run()
    stage.tenant.remove_member(stage.group.id, stage.people["person00003"].id)
    leaving = queries_of(stage)
    stage.hire("Ada Lovelace")
    joining = queries_of(stage)
    assert (leaving, joining) == (26, 27)


def test_more_changes_grow_with_chunks_not_rows(db: None, emulator: Emulator) -> None:
    costs = []
    for number, people in enumerate((100, 900)):
        stage = Stage(emulator, name=f"Company {number}", domain=f"company{number}.example")
        stage.hire_many(people)
        costs.append(queries_of(stage))
    assert costs[0] == costs[1]


def test_a_company_of_another_hand_is_never_touched(stage: Stage, emulator: Emulator) -> None:
    other = Stage(emulator, "Ada Lovelace", name="Sable Street Brewing", domain="sable.example")
    other.run()
    Account.objects.filter(company=other.company).update(disabled_by=Hand.PERSON, status="disabled")
    stage.run()
    assert other.statuses() == {"ada": "disabled"}


# What is kept no longer


def test_old_runs_are_pruned_but_for_those_a_page_still_shows(stage: Stage, settings: Any) -> None:
    stage.hire("No Address", mail=None, user_principal_name=f"noaddress@{stage.tenant.initial_domain}")
    stage.run()
    stage.run(RunTrigger.MANUAL)
    stage.run(RunTrigger.MANUAL)
    findings, old, last = (run.pk for run in stage.runs())
    assert stage.refreshed().findings_id == findings
    later = stage.clock.now + timedelta(days=settings.PBPORTAL_KEEP_RUNS_DAYS + 1)
    assert prune(stage.clock.now) == 0
    assert prune(later) == 1
    assert [run.pk for run in stage.runs()] == [findings, last]
    assert not SyncChange.objects.filter(run=old).exists()


def test_an_account_that_a_person_converted_loses_its_link(stage: Stage) -> None:
    stage.run()
    ada = stage.account("ada")
    Account.objects.filter(pk=ada.pk).update(user=User.objects.create_user("ada@brightwater.example"))
    with roster.changing(stage.company.pk) as ledger:
        ledger.convert([ada.pk])
    stage.clock.advance(minutes=5)
    stage.run()
    assert (unlink_personal(), stage.links(), stage.statuses()["ada"]) == (1, 2, "personal")


def test_a_run_remembers_its_latest_requests_for_a_support_case(stage: Stage) -> None:
    done = stage.run(RunTrigger.MANUAL).run
    quiet = stage.run(RunTrigger.MANUAL).run
    stage.emulator.faults.add(path="/members", status=403, times=None)
    failed = stage.run(RunTrigger.MANUAL).run
    for run_of_a_person in (done, quiet, failed):
        assert run_of_a_person is not None
        run_of_a_person.refresh_from_db()
        [latest, *_] = run_of_a_person.calls
        assert set(latest) == {"what", "status", "seconds", "id"}
        assert (len(latest["id"]), "?" in latest["what"]) == (36, False)
    assert done is not None
    assert f"GET graph.microsoft.com/v1.0/groups/{stage.group.id}" in " ".join(call["what"] for call in done.calls)


def test_an_additional_group_that_microsoft_fails_at_stops_no_off_boarding_and_is_told_once(
    db: None, emulator: Emulator
) -> None:
    stage = Stage(emulator, "Ada Lovelace", "Grace Hopper", additional=["Engineers", "Sales"])
    stage.tenant.add_member(stage.groups["Engineers"].id, stage.people["ada"].id)
    stage.run()
    before = len(stage.runs())
    emulator.faults.add(path=f"/groups/{stage.groups['Engineers'].id}/members", times=None, status=403)
    stage.tenant.disable_user(stage.people["ada"].id)
    for _ in range(5):
        stage.clock.advance(minutes=5)
        stage.run()
    assert stage.statuses() == {"ada": "disabled", "grace": "active"}
    assert stage.members() == {"Engineers": {"ada"}}
    assert stage.refreshed().attention == ["group_unreadable"]
    assert [(run.quiet, run.times) for run in stage.runs()[before:]] == [(False, 1), (True, 4)]


def test_an_account_that_a_person_deleted_and_restored_is_kept_though_its_owner_left_meanwhile(stage: Stage) -> None:
    stage.run()
    operator = User.objects.create(email="op@harbourridge.example", kind=LoginKind.STAFF, is_superuser=True)
    ada = stage.account("ada").pk
    perform(Act.DELETE, stage.company, [ada], actor=operator)
    stage.run()
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    for _ in range(3):
        stage.clock.advance(hours=8)
        stage.run()
    perform(Act.RESTORE, stage.company, [ada], actor=operator)
    stage.clock.advance(minutes=5)
    result = stage.run()
    assert (stage.statuses()["ada"], stage.changes(result)) == ("active", [("skipped", "kept", "ada")])
