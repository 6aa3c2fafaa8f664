"""Runs disturbed at their worst moments: settings that move, changes the database refuses, ends in mid-transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from connectors.decisions import approve
from connectors.lifecycle import has_losses, pause, remedy_of, save_rules
from connectors.models import AccountLink, Connector, PersonMark, SyncRun
from connectors.states import Action, ChangeKind, ConnectorStatus, MarkKind, RunState, RunTrigger, Situation
from connectors.sync import abandon_dead
from connectors.sync.apply import CHUNK
from tenants import roster
from tenants.audit import sentence_of
from tenants.models import Account, AuditEntry, Invitation, User
from tests.entra_emulator import Emulator
from tests.stage import Stage


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    return Stage(emulator, "Ada Lovelace", "Grace Hopper", "Alan Turing")


def before_statement(matches: Callable[[str, str], bool], act: Callable[[], None], *, times: int = 1) -> Any:
    """Return an execute wrapper that acts before the first statements whose text and parameters match."""
    acted: list[str] = []

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if len(acted) < times and matches(sql, repr(params)):
            acted.append(sql)
            act()
        return execute(sql, params, many, context)

    return wrapper


def refuse() -> None:
    raise IntegrityError("a constraint nobody thought of")


# Settings that move


def test_a_sync_group_chosen_just_before_the_lease_is_the_one_that_is_read(stage: Stage) -> None:
    stage.run()
    other = stage.tenant.add_group("New Password Boss Users")
    for user in stage.people.values():
        stage.tenant.add_member(other.id, user.id)
    stage.hire("Edsger Dijkstra")

    def choose_the_other() -> None:
        Connector.objects.filter(pk=stage.connector.pk).update(
            sync_group_id=other.id, sync_group_name="", settings_revision=F("settings_revision") + 1
        )

    stage.clock.advance(minutes=5)
    taking = before_statement(
        lambda sql, _: sql.startswith("UPDATE") and "lease_taken_at" in sql,
        choose_the_other,
    )
    with connection.execute_wrapper(taking):
        stage.run()
    assert stage.refreshed().sync_group_id == other.id
    assert stage.statuses() == {"ada": "active", "grace": "active", "alan": "active"}


def test_a_setting_changed_while_reading_is_read_for(stage: Stage) -> None:
    nested = stage.tenant.add_group("Night shift")
    stage.tenant.add_member(stage.group.id, nested.id)
    edsger = stage.tenant.add_user("Edsger Dijkstra", mail="edsger@brightwater.example")
    stage.tenant.add_member(nested.id, edsger.id)
    stage.run()
    assert stage.statuses()["edsger"] == "active"
    row = Connector.objects.filter(pk=stage.connector.pk)
    row.update(direct_members_only=True, settings_revision=F("settings_revision") + 1)
    stage.emulator.faults.add(path=f"/groups/{nested.id}/members", times=None, status=403)

    def nested_after_all() -> None:
        row.update(direct_members_only=False, settings_revision=F("settings_revision") + 1)

    stage.emulator.faults.add(path=f"/groups/{stage.group.id}/", times=1, call=nested_after_all)
    stage.clock.advance(minutes=5)
    stage.run()
    assert stage.refreshed().direct_members_only is False
    assert stage.statuses()["edsger"] == "active"


def test_invitations_that_are_switched_off_while_a_run_goes_on_are_not_sent(stage: Stage) -> None:
    stage.run()
    before = Invitation.objects.count()

    def switched_off() -> None:
        save_rules(stage.connector, actions={}, settings={"send_invitations": False}, actor="Ann")

    stage.hire("Edsger Dijkstra")
    stage.emulator.faults.add(path=f"/groups/{stage.group.id}/members", times=1, call=switched_off)
    stage.run()
    assert (stage.statuses()["edsger"], before, Invitation.objects.count()) == ("active", 3, 3)


def test_a_decision_just_before_a_manual_run_has_its_record_is_no_fault(stage: Stage) -> None:
    def decide() -> None:
        Connector.objects.filter(pk=stage.connector.pk).update(settings_revision=F("settings_revision") + 1)

    recording = before_statement(
        lambda sql, _: sql.startswith("UPDATE") and "lease_until" in sql and "lease_taken_at" not in sql, decide
    )
    with connection.execute_wrapper(recording):
        result = stage.run(RunTrigger.MANUAL)
    assert result.run is not None
    assert SyncRun.objects.get(pk=result.run.pk).state == RunState.SUCCEEDED


# Changes the database refuses


def test_who_could_not_be_created_is_not_recorded_as_having_joined(stage: Stage) -> None:
    engineers = stage.select("Engineers")
    for name in ("ada", "grace"):
        stage.tenant.add_member(engineers.id, stage.people[name].id)
    refusing = before_statement(
        lambda sql, params: sql.startswith("INSERT INTO") and "tenants_account" in sql and "grace@" in params,
        refuse,
        times=2,
    )
    with connection.execute_wrapper(refusing):
        result = stage.run()
    assert stage.members() == {"Engineers": {"ada"}}
    assert [line for line in stage.changes(result) if line[2] == "grace"] == [("failed", "create", "grace")]
    stage.run()
    assert stage.members() == {"Engineers": {"ada", "grace"}}


def test_an_account_that_could_not_be_linked_is_not_disabled(stage: Stage) -> None:
    edsger = stage.tenant.add_user("Edsger Dijkstra", account_enabled=False)
    with roster.changing(stage.company.pk) as ledger:
        ledger.create(
            [
                roster.NewAccount(
                    "Edsger",
                    "Dijkstra",
                    "edsger@brightwater.example",
                    tenant_id=stage.tenant.id,
                    object_id=edsger.id,
                )
            ]
        )
    account = stage.account("edsger")
    refusing = before_statement(
        lambda sql, params: (
            sql.startswith("INSERT INTO")
            and "connectors_accountlink" in sql
            and "ON CONFLICT" in sql
            and "edsger@" in params
        ),
        refuse,
        times=2,
    )
    with connection.execute_wrapper(refusing):
        result = stage.run()
    assert [line for line in stage.changes(result) if line[2] == "edsger"] == [("failed", "adopt", "edsger")]
    assert (stage.statuses()["edsger"], AccountLink.objects.filter(account=account).exists()) == ("active", False)
    stage.run()
    assert (stage.statuses()["edsger"], AccountLink.objects.filter(account=account).exists()) == ("disabled", True)


def test_an_approval_stays_until_the_database_takes_the_change(stage: Stage) -> None:
    stage.run()
    for user in stage.people.values():
        stage.tenant.disable_user(user.id)
    stage.run()
    assert stage.statuses() == {"ada": "active", "grace": "active", "alan": "active"}
    ada = stage.people["ada"].id
    maren = User.objects.create_superuser(email="maren@example.com", password="a-long-word-for-tests")
    approve(stage.connector, [(ada, ChangeKind.DISABLE)], actor=maren)
    refusing = before_statement(
        lambda sql, params: sql.startswith("UPDATE") and "tenants_account" in sql and "'disabled'" in params,
        refuse,
        times=2,
    )
    with connection.execute_wrapper(refusing):
        stage.run()
    assert stage.statuses()["ada"] == "active"
    marks = PersonMark.objects.filter(connector=stage.connector, object_id=ada).values_list("kind", flat=True)
    assert set(marks) == {MarkKind.HELD, MarkKind.APPROVED}
    stage.run()
    assert stage.statuses()["ada"] == "disabled"


def test_a_name_longer_than_an_account_holds_is_cut(stage: Stage) -> None:
    stage.hire("Longa Person")
    user = stage.people["longa"]
    user.given_name, user.surname, user.display_name = None, None, "L" * 256
    result = stage.run()
    assert [line[:2] for line in stage.changes(result)] == [("applied", "create")] * 4
    assert stage.account("longa").first_name == "L" * 200
    assert stage.changes(stage.run()) == []


# Ends in the middle


def test_a_time_limit_in_the_first_chunk_leaves_a_record_and_frees_the_lease(stage: Stage) -> None:
    def end() -> None:
        raise SystemExit("the queue's time limit")

    ending = before_statement(lambda sql, _: sql.startswith("INSERT INTO") and "tenants_account" in sql, end)
    with connection.execute_wrapper(ending), pytest.raises(SystemExit):
        stage.run()
    connection.check_constraints()
    assert [(run.state, run.trigger) for run in stage.runs()] == [(RunState.FAILED, RunTrigger.SCHEDULE)]
    row = stage.refreshed()
    assert (row.lease_token, row.last_record_id) == ("", stage.runs()[0].pk)
    stage.run()
    assert stage.statuses() == {"ada": "active", "grace": "active", "alan": "active"}


def written(captured: CaptureQueriesContext) -> list[str]:
    """Return which of a run's two rows each statement of the last transaction wrote, in order."""
    texts = [query["sql"] for query in captured.captured_queries]
    start = max(number for number, sql in enumerate(texts) if sql.startswith(("BEGIN", "SAVEPOINT")))
    rows = {'UPDATE "connectors_connector"': "connector", 'UPDATE "connectors_syncrun"': "run"}
    return [row for sql in texts[start:] for words, row in rows.items() if sql.startswith(words)]


def test_every_end_of_a_run_locks_the_connector_ahead_of_its_record(stage: Stage) -> None:
    stage.run()
    stage.run()
    with CaptureQueriesContext(connection) as quiet:
        stage.run(RunTrigger.MANUAL)
    stage.emulator.faults.add(path="/members", times=None, status=503, retry_after=0)
    with CaptureQueriesContext(connection) as failed:
        stage.run(RunTrigger.MANUAL)
    stage.emulator.faults.clear()

    def end() -> None:
        raise SystemExit("the queue's time limit")

    stage.emulator.faults.add(path="/members", times=1, call=end)
    with CaptureQueriesContext(connection) as broken, pytest.raises(SystemExit):
        stage.run(RunTrigger.MANUAL)
    assert {name: written(captured)[:2] for name, captured in [("quiet", quiet), ("failed", failed)]} == {
        "quiet": ["connector", "run"],
        "failed": ["connector", "run"],
    }
    assert written(broken)[:2] == ["connector", "run"]


def test_a_run_that_fails_after_its_connector_was_taken_away_leaves_one_record(stage: Stage) -> None:
    stage.run()

    def take_away() -> None:
        Connector.objects.filter(pk=stage.connector.pk).update(
            lease_token="", lease_until=None, paused_at=stage.clock.now
        )

    stage.emulator.faults.add(path="/members", times=1, call=take_away, status=404)
    stage.run()
    assert [run.state for run in stage.runs()] == [RunState.SUCCEEDED]


# What a run says


def test_a_new_name_of_the_sync_group_is_saved_also_without_additional_groups(stage: Stage) -> None:
    stage.run()
    stage.tenant.rename_group(stage.group.id, "Password people")
    stage.run()
    assert stage.refreshed().sync_group_name == "Password people"


def test_people_who_act_all_the_time_are_not_called_an_unreachable_microsoft(stage: Stage) -> None:
    stage.run()
    stage.hire("Edsger Dijkstra")

    def act() -> None:
        with roster.changing(stage.company.pk) as ledger:
            ledger.set_role([stage.account("ada").pk], stage.account("ada").role)

    acting = before_statement(
        lambda sql, _: sql.startswith("SELECT") and "connectors_syncchange" in sql, act, times=100
    )
    with connection.execute_wrapper(acting):
        result = stage.run()
    assert result.run is not None
    row = stage.refreshed()
    assert (result.run.state, row.status, row.unreachable_since) == (
        RunState.FAILED,
        ConnectorStatus.CONNECTED,
        None,
    )


def test_an_account_handed_back_and_lifted_is_the_directorys_again(stage: Stage) -> None:
    stage.run()
    maren = User.objects.create_superuser(email="maren@example.com", password="a-long-word-for-tests")
    ada = stage.account("ada")
    roster.perform(roster.Act.HAND_BACK, stage.company, [ada.pk], actor=maren)
    stage.run()
    roster.perform(roster.Act.LIFT_BAR, stage.company, [ada.pk], actor=maren)
    stage.run()
    assert Account.objects.get(pk=ada.pk).managed_by == "azure_ad"


# Runs that end before their end


def between_chunks(act: Callable[[], object]) -> Any:
    """Return an execute wrapper that acts once, after the first chunk was written and before the next one begins."""

    def matches(sql: str, params: str) -> bool:
        return sql.startswith("SAVEPOINT") and SyncRun.objects.filter(state=RunState.RUNNING, done__gt=0).exists()

    return before_statement(matches, lambda: act() and None)


@pytest.fixture
def leaving(db: None, emulator: Emulator) -> Stage:
    """More people than one chunk holds were disabled in the directory, and nothing stops that."""
    stage = Stage(emulator, rules={Situation.REMOVED: Action.NOTHING}, destructive_floor=10_000, half_floor=10_000)
    stage.hire_many(CHUNK + 2)
    stage.run()
    *disabled, removed = stage.people.values()
    for person in disabled:
        stage.tenant.disable_user(person.id)
    stage.tenant.remove_member(stage.group.id, removed.id)
    stage.clock.advance(minutes=5)
    return stage


def synchronised(run: SyncRun) -> list[str]:
    entries = AuditEntry.objects.filter(action="connector.synchronised", detail__run=run.pk)
    return [sentence_of(entry) for entry in entries]


def test_what_a_run_did_until_it_was_paused_is_told_and_can_be_put_right(leaving: Stage) -> None:
    with connection.execute_wrapper(between_chunks(lambda: pause(leaving.connector, actor="Ann"))):
        leaving.run()
    row = leaving.runs()[-1]
    assert (row.state, row.counts, row.done) == (RunState.ABANDONED, {"applied.disable": CHUNK}, CHUNK)
    assert has_losses(row)
    assert len(remedy_of(row).returns) == CHUNK
    assert synchronised(row) == [
        f"Connector Microsoft Entra ID synchronised Microsoft Entra ID (run {row.pk}, Schedule): {CHUNK:,} disabled."
    ]


def test_a_run_that_fails_after_it_changed_something_says_so(leaving: Stage) -> None:
    def rules_change_and_microsoft_answers_oddly() -> None:
        save_rules(leaving.connector, actions={Situation.REMOVED: Action.DISABLE}, settings={}, actor="Ann")
        leaving.emulator.faults.add(path="/members", times=None, document={"value": {}})

    with connection.execute_wrapper(between_chunks(rules_change_and_microsoft_answers_oddly)):
        leaving.run()
    row = leaving.runs()[-1]
    assert (row.state, row.counts) == (RunState.FAILED, {"applied.disable": CHUNK})
    assert row.sentence == (
        f"Microsoft answered a listing without its items. Nothing more was changed. Before that: {CHUNK:,} disabled."
    )
    assert len(synchronised(row)) == 1


def test_what_a_run_did_before_a_fault_of_the_portals_own_is_told(leaving: Stage) -> None:
    with connection.execute_wrapper(between_chunks(refuse_everything)), pytest.raises(KeyboardInterrupt):
        leaving.run()
    row = leaving.runs()[-1]
    assert (row.state, row.counts, len(synchronised(row))) == (RunState.FAILED, {"applied.disable": CHUNK}, 1)


def refuse_everything() -> None:
    raise KeyboardInterrupt


def test_what_a_worker_did_before_it_was_killed_is_told_when_its_lease_is_freed(stage: Stage) -> None:
    stage.run()
    now = stage.clock.now
    Connector.objects.update(lease_token="of a dead worker", lease_until=now, lease_taken_at=now)
    row = SyncRun.objects.create(
        connector=stage.connector,
        company=stage.company,
        connector_name=stage.connector.name,
        trigger=RunTrigger.MANUAL,
        by_label="Ann",
        state=RunState.RUNNING,
        started_at=now,
        counts={"applied.disable": 3},
    )
    assert abandon_dead(now + timedelta(seconds=1)) == 1
    row.refresh_from_db()
    assert (row.state, synchronised(row)) == (
        RunState.ABANDONED,
        [f"Ann synchronised Microsoft Entra ID (run {row.pk}, Synchronize Now): 3 disabled."],
    )
