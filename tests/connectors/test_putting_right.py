"""Putting a run right: who comes back, what keeps them, what is recorded, and what the page says before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from connectors import decisions, lifecycle
from connectors.models import AccountLink, Connector, PersonMark, SyncChange, SyncRun
from connectors.states import Action, ChangeKind, ConnectorStatus, MarkKind, Outcome, RunState, RunTrigger, Situation
from connectors.sync import run as synchronise
from tenants import roster
from tenants.audit import sentence_of
from tenants.models import Account, AuditEntry, Company
from tenants.roles import Role
from tenants.states import AccountStatus, Hand, ManagedBy, PendingReason
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import hidden
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_account, make_staff

ACTOR = "Maren"
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn")
LOST = ("ada", "ben", "cleo", "dan", "eve", "finn")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


def braked(emulator: Emulator, action: Action = Action.DISABLE, licences: int | None = None) -> Stage:
    """Return a company of six who were all taken out of the group, which a person approved too quickly."""
    stage = Stage(
        emulator, *(f"{name} Example" for name in NAMES), licences=licences, rules={Situation.REMOVED: action}
    )
    stage.hire("Gus Example")
    stage.run()
    for name in LOST:
        stage.tenant.remove_member(stage.group.id, stage.people[name].id)
    stage.run()
    decisions.approve_all(
        stage.connector, seen=decisions.holds_digest(decisions.holds_of(stage.connector)), actor=ACTOR
    )
    stage.run(RunTrigger.APPROVAL)
    return stage


@pytest.fixture
def wronged(db: None, emulator: Emulator) -> Stage:
    stage = braked(emulator)
    assert set(stage.statuses().values()) == {"disabled", "active"}
    return stage


@pytest.fixture
def deleted(db: None, emulator: Emulator) -> Stage:
    stage = braked(emulator, Action.DELETE)
    assert set(stage.statuses().values()) == {"deleted", "active"}
    return stage


def bad_run(stage: Stage) -> SyncRun:
    found: SyncRun = SyncRun.objects.get(connector=stage.connector, trigger=RunTrigger.APPROVAL)
    return found


def put_right(stage: Stage) -> SyncRun:
    row = bad_run(stage)
    return lifecycle.put_right(row, seen=lifecycle.remedy_of(row).seen, actor=ACTOR)


def left(stage: Stage) -> dict[str, str]:
    """Return why people stay as they are, by first name."""
    return {loss.email.partition("@")[0]: obstacle for loss, obstacle in lifecycle.remedy_of(bad_run(stage)).left}


def kept(stage: Stage) -> set[tuple[str, str]]:
    names = {user.id: name for name, user in stage.people.items()}
    marks = PersonMark.objects.filter(connector=stage.connector, kind=MarkKind.KEPT)
    return {(names[mark.object_id], mark.value) for mark in marks}


# What it does


def test_those_it_disabled_are_enabled_and_kept_until_their_situation_ends(wronged: Stage) -> None:
    record = put_right(wronged)
    assert wronged.statuses() == dict.fromkeys((*LOST, "gus"), "active")
    assert kept(wronged) == {(name, "removed") for name in LOST}
    assert set(PersonMark.objects.values_list("by", flat=True)) == {ACTOR}
    # Runs leave them alone, however often, and a new situation is judged for itself.
    wronged.run()
    wronged.run()
    assert set(wronged.statuses().values()) == {"active"}
    wronged.tenant.disable_user(wronged.people["ada"].id)
    wronged.run()
    assert wronged.statuses()["ada"] == "disabled"
    # Back in the group, the keep has ended: whoever leaves once more, leaves.
    wronged.tenant.add_member(wronged.group.id, wronged.people["ben"].id)
    wronged.run()
    assert ("ben", "removed") not in kept(wronged)
    wronged.tenant.remove_member(wronged.group.id, wronged.people["ben"].id)
    wronged.run()
    assert wronged.statuses()["ben"] == "disabled"
    assert record.trigger == RunTrigger.PUT_RIGHT


def test_those_it_deleted_are_restored_and_join_their_mirrors_again(db: None, emulator: Emulator) -> None:
    stage = braked(emulator, Action.DELETE)
    engineers = stage.select("Engineers")
    stage.tenant.add_member(engineers.id, stage.people["ada"].id)
    put_right(stage)
    assert set(stage.statuses().values()) == {"active"}
    stage.run()
    assert stage.members() == {"Engineers": {"ada"}}
    assert kept(stage) == {(name, "removed") for name in LOST}


def test_it_is_recorded_with_everybody_and_with_who_did_it(wronged: Stage) -> None:
    before = bad_run(wronged)
    roster.perform(
        roster.Act.ENABLE, wronged.company, [wronged.account("finn").pk], actor=make_staff(wronged.company.partner)
    )
    record = put_right(wronged)
    assert (record.state, record.counts, record.by_label) == (
        RunState.SUCCEEDED,
        {"applied.enable": 5, "skipped.back": 1},
        ACTOR,
    )
    lines = SyncChange.objects.filter(run=record)
    shown = {(line.outcome, line.kind, line.before, line.after, line.decided_by) for line in lines}
    assert shown == {("applied", "enable", "Disabled", "Active", ACTOR), ("skipped", "", "", "", "")}
    assert lines.filter(outcome=Outcome.SKIPPED).get().because == "Is back already."
    entry = AuditEntry.objects.get(action="connector.put_right")
    assert sentence_of(entry) == (
        f"{ACTOR} put right what a run of Microsoft Entra ID had done (run {before.pk}, put right by {record.pk}):"
        " 5 enabled."
    )
    assert wronged.refreshed().last_record_id == record.pk


def test_what_comes_back_does_not_count_for_the_brake(deleted: Stage) -> None:
    put_right(deleted)
    deleted.hire_many(10)
    deleted.run()
    assert len([status for status in deleted.statuses().values() if status == "active"]) == 17
    assert decisions.holds_of(deleted.connector) == []


def test_pressed_twice_it_is_done_once(wronged: Stage) -> None:
    put_right(wronged)
    with pytest.raises(lifecycle.Refused, match="Nobody can be brought back"):
        put_right(wronged)
    assert set(left(wronged).values()) == {"back"}
    assert SyncRun.objects.filter(trigger=RunTrigger.PUT_RIGHT).count() == 1


def test_a_list_that_changed_since_does_nothing(wronged: Stage) -> None:
    seen = lifecycle.remedy_of(bad_run(wronged)).seen
    Account.objects.filter(email__startswith="ada@").update(disabled_by=Hand.PERSON)
    with pytest.raises(lifecycle.Changed):
        lifecycle.put_right(bad_run(wronged), seen=seen, actor=ACTOR)
    assert (set(wronged.statuses().values()), kept(wronged)) == ({"disabled", "active"}, set())


# Who cannot


def test_short_licences_bring_some_back_and_the_rest_with_more(db: None, emulator: Emulator) -> None:
    stage = braked(emulator, licences=7)
    Company.objects.update(licences=3)
    remedy = lifecycle.remedy_of(bad_run(stage))
    assert (remedy.free, remedy.taken, remedy.missing) == (2, 2, 4)
    put_right(stage)
    assert {name for name, status in stage.statuses().items() if status == "active"} == {"ada", "ben", "gus"}
    assert left(stage) == {"ada": "back", "ben": "back"} | dict.fromkeys(("cleo", "dan", "eve", "finn"), "licence")
    Company.objects.update(licences=None)
    put_right(stage)
    assert set(stage.statuses().values()) == {"active"}


def test_licences_cut_below_use_bring_nobody_back(db: None, emulator: Emulator) -> None:
    stage = braked(emulator, licences=7)
    Company.objects.update(licences=0)
    assert lifecycle.remedy_of(bad_run(stage)).free == 0
    with pytest.raises(lifecycle.Refused, match="Nobody can be brought back"):
        put_right(stage)


def test_what_happened_since_is_left_as_it_is(deleted: Stage) -> None:
    company, actor = deleted.company, make_staff(deleted.company.partner)

    def act(act: roster.Act, *names: str) -> None:
        roster.perform(act, company, [deleted.account(name).pk for name in names], actor=actor)

    # Back already; restored and then deleted, or disabled, by a person; purged; its address in use again.
    act(roster.Act.RESTORE, "ada", "ben", "cleo")
    act(roster.Act.DELETE, "ben")
    act(roster.Act.DISABLE, "cleo")
    Account.objects.filter(email__startswith="dan@").update(restorable_until=timezone.now())
    roster.purge_deleted(timezone.now())
    make_account(company, email="EVE@brightwater.example")
    assert left(deleted) == {
        "ada": "back",
        "ben": "person_deleted",
        "cleo": "person_disabled",
        "dan": "too_late",
        "eve": "address_taken",
    }
    record = put_right(deleted)
    assert record.counts["applied.restore"] == 1
    assert deleted.account("finn").status == AccountStatus.ACTIVE
    assert kept(deleted) == {("finn", "removed")}


def test_a_later_run_is_put_right_for_itself(wronged: Stage) -> None:
    lifecycle.save_rules(wronged.connector, actions={Situation.DELETED: Action.DELETE}, actor=ACTOR)
    wronged.tenant.soft_delete_user(wronged.people["ada"].id)
    later = wronged.run(RunTrigger.MANUAL).run
    assert later is not None
    assert left(wronged) == {"ada": "again"}
    lifecycle.put_right(later, seen=lifecycle.remedy_of(later).seen, actor=ACTOR)
    # It had been disabled before that run deleted it, and is now what the first run left.
    assert wronged.statuses()["ada"] == "disabled"
    wronged.run()
    assert (wronged.statuses()["ada"], left(wronged)) == ("disabled", {})
    put_right(wronged)
    wronged.run()
    assert set(wronged.statuses().values()) == {"active"}
    assert {(name, word) for name, word in kept(wronged) if name == "ada"} == {("ada", "deleted")}


def test_a_run_that_goes_on_is_put_right_once_it_ended(wronged: Stage) -> None:
    SyncRun.objects.filter(pk=bad_run(wronged).pk).update(state=RunState.RUNNING, finished_at=None)
    with pytest.raises(lifecycle.Refused, match="Pause the connector to stop it"):
        put_right(wronged)


# Connectors


def test_a_connector_that_was_removed_since_keeps_nobody_and_they_come_back(wronged: Stage) -> None:
    lifecycle.remove(wronged.connector, actor=ACTOR)
    put_right(wronged)
    assert set(Account.objects.values_list("status", "managed_by")) == {(AccountStatus.ACTIVE, ManagedBy.PB)}
    assert PersonMark.objects.count() == 0
    assert wronged.refreshed().status == ConnectorStatus.REMOVED


def test_the_connector_that_was_installed_since_keeps_them(wronged: Stage) -> None:
    lifecycle.remove(wronged.connector, actor=ACTOR)
    row = Connector.objects.create(
        company=wronged.company,
        tenant=wronged.tenant.id,
        tenant_id=wronged.tenant.id,
        client_id=wronged.app.client_id,
        secret=wronged.app.secret,
        status=ConnectorStatus.WAITING,
        sync_group_id=wronged.group.id,
    )
    synchronise(row.pk, RunTrigger.SCHEDULE, clock=wronged.clock)
    assert AccountLink.objects.filter(connector=row).count() == 7
    put_right(wronged)
    assert PersonMark.objects.filter(connector=row, kind=MarkKind.KEPT).count() == 6
    synchronise(row.pk, RunTrigger.SCHEDULE, clock=wronged.clock)
    assert set(wronged.statuses().values()) == {"active"}


def test_a_run_that_is_planning_plans_anew(wronged: Stage) -> None:
    lifecycle.save_rules(wronged.connector, actions={Situation.REMOVED: Action.DELETE}, actor=ACTOR)
    Connector.objects.update(destructive_floor=1_000, half_floor=1_000)
    acted: list[SyncRun] = []

    def quicker_than_the_run(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        # The roster has just been read: the run is about to delete everybody.
        if "connectors_syncchange" in sql and sql.startswith("SELECT") and not acted:
            acted.append(bad_run(wronged))
            put_right(wronged)
        return result

    before = wronged.refreshed().settings_revision
    with connection.execute_wrapper(quicker_than_the_run):
        wronged.run()
    assert len(acted) == 1
    assert set(wronged.statuses().values()) == {"active"}
    assert wronged.refreshed().settings_revision == before + 1


def test_holds_and_approvals_of_those_who_came_back_are_gone(wronged: Stage) -> None:
    ada = wronged.people["ada"].id
    for kind in (MarkKind.HELD, MarkKind.APPROVED):
        PersonMark.objects.create(
            connector=wronged.connector,
            object_id=ada,
            kind=kind,
            value=ChangeKind.DELETE,
            other="brake" if kind is MarkKind.HELD else "",
        )
    put_right(wronged)
    assert set(PersonMark.objects.values_list("kind", flat=True)) == {MarkKind.KEPT}


def test_it_costs_the_same_for_few_and_for_many(db: None, emulator: Emulator) -> None:
    def cost(number: int) -> int:
        stage = Stage(emulator, name=f"Company {number}", domain=f"c{number}.example", half_floor=1_000)
        stage.hire_many(number)
        Connector.objects.update(destructive_floor=1_000)
        stage.run()
        row = stage.run(RunTrigger.APPROVAL).run
        assert row is not None
        SyncChange.objects.bulk_create(
            SyncChange(
                run=row,
                connector=stage.connector,
                outcome=Outcome.APPLIED,
                kind=ChangeKind.DISABLE,
                situation=Situation.REMOVED,
                account=account,
                object_id=account.directory_object_id,
                email=account.email,
                before="Active",
            )
            for account in Account.objects.filter(company=stage.company)
        )
        Account.objects.filter(company=stage.company).update(status="disabled", disabled_by="connector")
        with CaptureQueriesContext(connection) as queries:
            lifecycle.put_right(row, seen=lifecycle.remedy_of(row).seen, actor=ACTOR)
        assert set(stage.statuses().values()) == {"active"}
        return len(queries)

    assert cost(3) == cost(60)


# The page


@pytest.mark.parametrize("portal", ["partner", "business"])
def test_the_page_shows_who_comes_back_and_does_exactly_that(portal: str, db: None, emulator: Emulator) -> None:
    stage = braked(emulator, licences=7)
    visitor = Visitor(stage.company, portal)
    Company.objects.update(licences=4)
    row = bad_run(stage)
    assert "Put this run right…" in visitor.reads(f"runs/{row.pk}/")
    free = 4 - Account.objects.filter(status=AccountStatus.ACTIVE).count()
    page = visitor.get(f"runs/{row.pk}/put-right/")
    said = visitor.reads(f"runs/{row.pk}/put-right/")
    for words in (
        f"Bring back {free} people?",
        f"Licences are short: {6 - free} people stay as they are",
        f"Free now Of 4 purchased. {free}",
        "Free afterwards 0",
        f"Bring back and keep {free} people",
        "No licence is left for it.",
    ):
        assert words in said
    told = visitor.told(visitor.post(f"runs/{row.pk}/put-right/", {"seen": hidden(page, "seen")}))
    assert f"The run is put right: {free} enabled." in told
    assert "Puts right what the run of" in told
    # Nothing was read or braked, so no page says so.
    assert "Held nothing" not in told
    assert "Held nothing" in visitor.reads(f"runs/{row.pk}/")
    assert "Nobody can be brought back" in visitor.reads(f"runs/{row.pk}/put-right/")
    assert "Nobody can be brought back" in visitor.told(visitor.post(f"runs/{row.pk}/put-right/", {"seen": ""}))


def test_the_page_costs_the_same_for_few_and_many(wronged: Stage) -> None:
    visitor = Visitor(wronged.company)
    page = f"runs/{bad_run(wronged).pk}/put-right/"
    visitor.get(page)
    few = visitor.queries(page)
    accounts = [make_account(wronged.company, AccountStatus.DISABLED, disabled_by=Hand.CONNECTOR) for _ in range(60)]
    SyncChange.objects.bulk_create(
        SyncChange(
            run=bad_run(wronged),
            connector=wronged.connector,
            outcome=Outcome.APPLIED,
            kind=ChangeKind.DISABLE,
            account=account,
            email=account.email,
            before="Active",
        )
        for account in accounts
    )
    assert "Bring back and keep 66 people" in visitor.reads(page)
    assert visitor.queries(page) == few


def test_only_who_rules_and_ends_accounts_may(wronged: Stage) -> None:
    row = bad_run(wronged)
    for role in (Role.PARTNER_TECHNICIAN, Role.PARTNER_VIEWER):
        other = Visitor(wronged.company, role=role)
        assert other.get(f"runs/{row.pk}/put-right/").status_code == 403
        assert other.post(f"runs/{row.pk}/put-right/", {}).status_code == 403
        assert "Put this run right" not in other.reads(f"runs/{row.pk}/")


def test_a_run_that_took_nothing_is_not_offered(wronged: Stage) -> None:
    first = wronged.runs()[0]
    visitor = Visitor(wronged.company)
    assert "Put this run right" not in visitor.reads(f"runs/{first.pk}/")
    assert "Nobody can be brought back" in visitor.reads(f"runs/{first.pk}/put-right/")


def test_thirty_days_later_nobody_is_restored(deleted: Stage) -> None:
    Account.objects.filter(status=AccountStatus.DELETED).update(restorable_until=timezone.now() - timedelta(seconds=1))
    assert set(left(deleted).values()) == {"too_late"}


WITHOUT_RUNS = {"unauthorized": {"status": ConnectorStatus.UNAUTHORIZED}, "paused": {"paused_at": timezone.now()}}


@pytest.mark.parametrize("state", WITHOUT_RUNS.values(), ids=WITHOUT_RUNS)
def test_a_connector_that_does_not_run_does_not_stand_in_the_way(state: dict[str, Any], wronged: Stage) -> None:
    Connector.objects.update(**state)
    OrmQ.objects.all().delete()
    put_right(wronged)
    assert set(wronged.statuses().values()) == {"active"}
    assert kept(wronged) == {(name, "removed") for name in LOST}
    assert OrmQ.objects.count() == 0


@pytest.mark.parametrize("action", [Action.DISABLE, Action.DELETE])
def test_who_waited_for_a_licence_waits_for_one_again(db: None, emulator: Emulator, action: Action) -> None:
    stage = Stage(emulator, "Ada Example", "Ben Example", licences=1, rules={Situation.REMOVED: action})
    stage.run()
    assert stage.statuses() == {"ada": "active", "ben": "pending"}
    Account.objects.filter(email__startswith="ben@").update(was_active=True)
    ben = stage.people["ben"].id
    stage.tenant.remove_member(stage.group.id, ben)
    run = stage.run().run
    assert run is not None
    line = run.changes.get(outcome=Outcome.APPLIED, object_id=ben)
    assert (line.before, stage.statuses()["ben"]) == ("Pending approval, no licence", f"{action}d")
    stage.tenant.add_member(stage.group.id, ben)
    lifecycle.put_right(run, seen=lifecycle.remedy_of(run).seen, actor=ACTOR)
    account = stage.account("ben")
    assert (account.status, account.pending_reason) == (AccountStatus.PENDING, PendingReason.LICENCE)
    with roster.changing(stage.company.pk) as ledger:
        ledger.set_licences(2)
    stage.run()
    assert stage.statuses() == {"ada": "active", "ben": "active"}
