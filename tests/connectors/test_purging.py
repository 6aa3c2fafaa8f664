"""Deleted accounts: restored in their days, purged after them or by hand, and what a connector makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from connectors import schedule, sync
from connectors.models import AccountLink, PersonMark, SyncChange
from connectors.states import Action, MarkKind, Outcome, Situation, SkipReason
from tenants import roster
from tenants.models import Account
from tenants.states import AccountStatus
from tests.connectors.portal_visit import Visitor
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_staff


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        stage = Stage(
            emulator,
            "Ada Lovelace",
            "Grace Hopper",
            "Alan Turing",
            rules={Situation.REMOVED: Action.DELETE},
            half_floor=9,
        )
        stage.run()
        stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
        stage.run()
        assert stage.statuses()["ada"] == "deleted"
        yield stage


def thirty_days_pass() -> None:
    Account.objects.filter(status=AccountStatus.DELETED).update(restorable_until=timezone.now() - timedelta(seconds=1))


def test_the_schedule_purges_and_forgets_whom_it_was_about(stage: Stage) -> None:
    ada = stage.account("ada")
    PersonMark.objects.create(
        connector=stage.connector, object_id=ada.directory_object_id, kind=MarkKind.KEPT, value="removed"
    )
    PersonMark.objects.create(connector=stage.connector, object_id="somebody without", kind=MarkKind.DECLINED)
    schedule.tidy()
    assert (AccountLink.objects.count(), PersonMark.objects.count()) == (3, 2)
    thirty_days_pass()
    schedule.tidy()
    ada.refresh_from_db()
    assert (ada.email, ada.full_name, ada.directory_object_id) == ("", "", "")
    assert (ada.status, ada.deleted_by, ada.deleted_at is not None) == (AccountStatus.DELETED, "connector", True)
    assert AccountLink.objects.filter(directory_email__startswith="ada").count() == 0
    assert [(mark.kind, mark.object_id) for mark in PersonMark.objects.all()] == [("declined", "somebody without")]
    # The record of the deletion outlives it, for as long as runs are kept.
    line = SyncChange.objects.get(kind="delete", outcome=Outcome.APPLIED)
    assert (line.email, line.account_id) == ("ada@brightwater.example", ada.pk)


def test_who_comes_back_after_the_purge_is_new(stage: Stage) -> None:
    thirty_days_pass()
    schedule.tidy()
    stage.tenant.add_member(stage.group.id, stage.people["ada"].id)
    result = stage.run()
    assert result.run is not None
    result.run.refresh_from_db()
    assert result.run.counts == {"applied.create": 1}
    assert Account.objects.filter(email="ada@brightwater.example").count() == 1


def test_a_purge_by_hand_lets_the_next_run_know(stage: Stage) -> None:
    stage.run()
    stage.tenant.add_member(stage.group.id, stage.people["ada"].id)
    roster.perform(roster.Act.PURGE, stage.company, [stage.account("ada").pk], actor=make_staff(stage.company.partner))
    result = stage.run()
    assert result.run is not None
    result.run.refresh_from_db()
    assert result.run.counts == {"applied.create": 1}


def test_whom_a_person_deleted_and_purged_is_not_created_again(stage: Stage) -> None:
    actor = make_staff(stage.company.partner)
    grace = stage.account("grace")
    roster.perform(roster.Act.DELETE, stage.company, [grace.pk], actor=actor)
    roster.perform(roster.Act.PURGE, stage.company, [grace.pk], actor=actor)
    assert sync.forget_purged() == 1
    stage.run()
    line = SyncChange.objects.get(outcome=Outcome.SKIPPED)
    assert (line.object_id, line.cause) == (grace.directory_object_id, SkipReason.DELETED_BY_PERSON)
    assert Account.objects.filter(email__startswith="grace").count() == 0


@pytest.mark.parametrize("portal", ["partner", "business"])
def test_the_pages_restore_and_purge_after_asking(portal: str, stage: Stage) -> None:
    visitor = Visitor(stage.company, portal)
    ada = stage.account("ada")
    page = visitor.post("users/?status=deleted", {"selected": [str(ada.pk)]}).content.decode()
    assert "Restore: 1 person" in page
    assert "Purge now: 1 person" in page
    assert "nobody can restore them" in page
    assert "Confirm it is you" in visitor.told(
        visitor.post("users/?status=deleted", {"ids": str(ada.pk), "act": "purge"})
    )
    assert stage.account("ada").purged_at is None
    visitor.says_who()
    told = visitor.told(visitor.post("users/?status=deleted", {"ids": str(ada.pk), "act": "purge"}))
    assert "Purge now: done for 1 person." in told
    assert "Ada" not in told
