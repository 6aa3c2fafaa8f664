"""Removing a connector by its page, and installing the same tenant again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from connectors import decisions, lifecycle
from connectors.models import AccountLink, Connector, GroupLink, PersonMark, SyncRun
from connectors.states import Action, ConnectorStatus, HoldCause, MarkKind, RunState, RunTrigger, Situation
from connectors.sync import run
from tenants.models import Account
from tenants.roles import Role
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import hidden
from tests.entra_emulator import Emulator
from tests.stage import Stage

PEOPLE = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Joan Clarke", "Edith Clarke")


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        stage = Stage(
            emulator, *PEOPLE, additional=["Engineers"], rules={Situation.DELETED: Action.DELETE}, half_floor=1_000
        )
        stage.tenant.add_member(stage.groups["Engineers"].id, stage.people["ada"].id)
        stage.run()
        yield stage


@pytest.fixture(params=["partner", "business"])
def visitor(request: pytest.FixtureRequest, stage: Stage) -> Visitor:
    return Visitor(stage.company, request.param)


@pytest.fixture
def sure(visitor: Visitor) -> Visitor:
    """Return a visitor who has just said who they are."""
    visitor.says_who()
    return visitor


def page_of(stage: Stage) -> str:
    return f"connectors/{stage.connector.pk}/remove/"


# The page


def test_the_page_says_in_numbers_what_it_would_do(stage: Stage, sure: Visitor) -> None:
    stage.tenant.disable_user(stage.people["grace"].id)
    stage.tenant.soft_delete_user(stage.people["alan"].id)
    stage.run()
    PersonMark.objects.create(
        connector=stage.connector, object_id="one", kind=MarkKind.HELD, value="disable", other=HoldCause.BRAKE
    )
    PersonMark.objects.create(connector=stage.connector, object_id="two", kind=MarkKind.DECLINED)
    PersonMark.objects.create(connector=stage.connector, object_id="two", kind=MarkKind.KEPT, value="removed")
    page = sure.reads(page_of(stage))
    for words in (
        "Active accounts 3",
        "Pending accounts 0",
        "Disabled accounts 1",
        "Accounts handed back They stay as they are. Managed By becomes PB. 4",
        "Groups handed back With the members they have now. From then on they are edited here. 1",
        "Deleted accounts They can be restored by a person until their 30 days are over. 1",
        "keep their accounts. 1",
        "forgotten with the connector. 1",
        "Remove, and hand back 4 accounts",
        "Pause Microsoft Entra ID",
    ):
        assert words in page
    assert "A run is going on now" not in page


def test_a_run_that_is_going_on_is_told_of(stage: Stage, sure: Visitor) -> None:
    now = timezone.now()
    Connector.objects.update(lease_token="a" * 32, lease_taken_at=now, lease_until=now + timedelta(seconds=90))
    assert "A run is going on now" in sure.reads(page_of(stage))


def test_it_is_done_once_it_is_clear_who_asks(stage: Stage, visitor: Visitor) -> None:
    asked = visitor.post(page_of(stage), {"seen": lifecycle.removal_of(stage.connector).seen})
    again = urlsplit(asked.headers["Location"])
    assert (again.path, parse_qs(again.query)) == (
        "/accounts/reauthenticate/",
        {"next": [visitor.before + page_of(stage)]},
    )
    assert visitor.get(page_of(stage)).headers["Location"] == asked.headers["Location"]
    assert stage.refreshed().status == ConnectorStatus.CONNECTED
    visitor.says_who()
    seen = hidden(visitor.get(page_of(stage)), "seen")
    told = visitor.told(visitor.post(page_of(stage), {"seen": seen}))
    assert "Microsoft Entra ID was removed. 5 accounts and 1 group are managed in Password Boss now." in told
    assert "Nothing is synchronised any more" in told
    row = stage.refreshed()
    assert (row.status, row.secret, AccountLink.objects.count(), GroupLink.objects.count()) == ("removed", None, 0, 0)
    assert set(Account.objects.exclude(directory_object_id="").values_list("status", "managed_by")) == {
        (AccountStatus.ACTIVE, ManagedBy.PB)
    }
    assert "Removed Their history is kept." in visitor.reads("connectors/")
    assert "5 created" in visitor.reads(f"connectors/{row.pk}/")
    assert visitor.get(page_of(stage)).headers["Location"] == f"{visitor.before}connectors/{row.pk}/"


def test_a_removal_is_the_one_that_was_shown(stage: Stage, sure: Visitor) -> None:
    seen = hidden(sure.get(page_of(stage)), "seen")
    stage.hire("Lise Meitner")
    stage.run()
    told = sure.told(sure.post(page_of(stage), {"seen": seen}))
    assert "nothing was removed" in told
    assert "Remove, and hand back 6 accounts" in told
    assert "nothing was removed" in sure.told(sure.post(page_of(stage), {}))
    assert stage.refreshed().status == ConnectorStatus.CONNECTED


def test_a_run_in_flight_loses_its_lease_in_the_same_moment(stage: Stage) -> None:
    now = timezone.now()
    Connector.objects.update(lease_token="a" * 32, lease_taken_at=now, lease_until=now + timedelta(seconds=90))
    SyncRun.objects.create(
        connector=stage.connector,
        company=stage.company,
        connector_name="Microsoft Entra ID",
        trigger=RunTrigger.MANUAL,
        state=RunState.RUNNING,
        started_at=now,
    )
    visitor = Visitor(stage.company)
    visitor.says_who()
    seen = hidden(visitor.get(page_of(stage)), "seen")
    Connector.objects.update(lease_token="", lease_taken_at=None, lease_until=None)
    assert lifecycle.removal_of(stage.refreshed()).seen == seen
    Connector.objects.update(lease_token="a" * 32, lease_taken_at=now, lease_until=now + timedelta(seconds=90))
    visitor.post(page_of(stage), {"seen": seen})
    assert SyncRun.objects.latest("pk").state == RunState.ABANDONED


def test_who_may_not_rule_may_not_remove(stage: Stage) -> None:
    for role in (Role.PARTNER_TECHNICIAN, Role.PARTNER_VIEWER):
        other = Visitor(stage.company, role=role)
        other.says_who()
        assert [other.get(page_of(stage)).status_code, other.post(page_of(stage), {}).status_code] == [403, 403]
        assert "Remove this connector" not in other.reads(f"connectors/{stage.connector.pk}/")
    assert "Remove this connector" in Visitor(stage.company).reads(f"connectors/{stage.connector.pk}/")


def test_the_page_costs_the_same_for_few_and_many(stage: Stage, sure: Visitor) -> None:
    sure.get(page_of(stage))
    few = sure.queries(page_of(stage))
    stage.hire_many(30)
    Connector.objects.update(growth_floor=1_000)
    stage.run()
    assert lifecycle.removal_of(stage.connector).accounts == 35
    assert sure.queries(page_of(stage)) == few


def test_an_unfinished_setup_is_removed_where_it_is_gone_on_with(stage: Stage, sure: Visitor) -> None:
    begun, _ = lifecycle.begin(stage.company, actor="Test")
    assert "Remove it…" in sure.reads("connectors/install/")
    page = sure.get(f"connectors/{begun.pk}/remove/")
    told = sure.told(sure.post(f"connectors/{begun.pk}/remove/", {"seen": hidden(page, "seen")}))
    assert "0 accounts and 0 groups are managed" in told
    assert "Remove it…" not in sure.reads("connectors/install/")


# Installing again


def again(stage: Stage) -> Connector:
    """Install a connector to the same tenant, as a company does that has changed its mind."""
    row: Connector = Connector.objects.create(
        company=stage.company,
        tenant=stage.tenant.id,
        tenant_id=stage.tenant.id,
        client_id=stage.app.client_id,
        secret=stage.app.secret,
        status=ConnectorStatus.WAITING,
        sync_group_id=stage.group.id,
        sync_group_name=stage.group.display_name,
    )
    row.selected_groups.create(directory_id=stage.groups["Engineers"].id, name="Engineers")
    return row


def test_the_same_tenant_installed_again_recognises_the_same_people(stage: Stage) -> None:
    stage.tenant.disable_user(stage.people["grace"].id)
    stage.tenant.soft_delete_user(stage.people["alan"].id)
    stage.run()
    before = dict(Account.objects.values_list("directory_object_id", "pk"))
    joined = stage.members()["Engineers"]
    lifecycle.remove(stage.connector, actor="Test")
    # Meanwhile: one is renamed and has another address, one comes back, one is restored in the directory.
    ada = stage.people["ada"].id
    stage.tenant.update_user(ada, surname="King", mail="ada.king@brightwater.example")
    stage.tenant.enable_user(stage.people["grace"].id)
    stage.tenant.restore_user(stage.people["alan"].id)
    stage.tenant.add_member(stage.group.id, stage.people["alan"].id)
    row = again(stage)
    result = run(row.pk, RunTrigger.SCHEDULE, clock=stage.clock)
    assert result.run is not None
    result.run.refresh_from_db()
    assert dict(Account.objects.values_list("directory_object_id", "pk")) == before
    assert stage.statuses() == dict.fromkeys(("ada", "grace", "alan", "joan", "edith"), "active")
    assert (AccountLink.objects.filter(connector=row).count(), stage.account("ada").last_name) == (5, "King")
    assert set(Account.objects.values_list("managed_by", flat=True)) == {ManagedBy.AZURE_AD}
    assert stage.members()["Engineers"] == joined == {"ada"}
    assert GroupLink.objects.get().connector_id == row.pk
    assert (result.run.counts["applied.adopt"], "applied.create" in result.run.counts) == (5, False)


def test_who_left_meanwhile_is_recognised_and_the_rules_apply(stage: Stage) -> None:
    lifecycle.remove(stage.connector, actor="Test")
    stage.tenant.remove_member(stage.group.id, stage.people["joan"].id)
    row = again(stage)
    run(row.pk, RunTrigger.SCHEDULE, clock=stage.clock)
    joan = stage.account("joan")
    assert (joan.status, joan.disabled_by, joan.link.connector_id) == (AccountStatus.DISABLED, Hand.CONNECTOR, row.pk)


def test_an_administrator_is_recognised_once_a_person_confirmed_it(stage: Stage) -> None:
    Account.objects.filter(email__startswith="ada@").update(role=AccountRole.ADMIN)
    lifecycle.remove(stage.connector, actor="Test")
    row = again(stage)
    run(row.pk, RunTrigger.SCHEDULE, clock=stage.clock)
    ada = stage.account("ada")
    assert [(hold.object_id, hold.cause) for hold in decisions.holds_of(row)] == [
        (ada.directory_object_id, HoldCause.ADMIN)
    ]
    assert ada.managed_by == ManagedBy.PB
    decisions.confirm_administrator(row, ada.directory_object_id, ada.pk, actor="Test")
    run(row.pk, RunTrigger.SCHEDULE, clock=stage.clock)
    ada.refresh_from_db()
    assert (ada.managed_by, ada.link.connector_id, decisions.holds_of(row)) == (ManagedBy.AZURE_AD, row.pk, [])
