"""The plain pages of connectors: what they show, what they let whom do to a selection, and that they cost little."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ

from connectors import decisions, lifecycle
from connectors.models import Connector, PersonMark, SyncRun
from connectors.states import Action, ConnectorStatus, Situation
from tenants.models import AuditEntry, User
from tenants.roles import Role
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_operator, make_staff

LIST = "admin:connectors_connector_changelist"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    return Stage(
        emulator,
        "Ada Lovelace",
        "Grace Hopper",
        additional=["Engineers"],
        rules={Situation.DELETED: Action.DELETE},
    )


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, name: str, *arguments: object, query: str = "") -> str:
    """Return what a page shows, without its tags."""
    response = client.get(reverse(name, args=arguments) + query)
    assert response.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def act(client: Client, action: str, *connectors: Connector) -> tuple[int, list[str]]:
    """Do an action to a selection; return the status and the messages."""
    response = client.post(reverse(LIST), {"action": action, "_selected_action": [row.pk for row in connectors]})
    return response.status_code, [str(message) for message in get_messages(response.wsgi_request)]


def test_a_connectors_page_shows_its_state_and_no_secret(stage: Stage) -> None:
    token = lifecycle.regenerate_token(stage.connector, actor="ops")
    stage.run()
    lifecycle.pause(stage.connector, reason="Migration", actor="ops")
    page = text(as_(make_operator()), "admin:connectors_connector_change", stage.connector.pk)
    shown = [
        "Connected",
        "Paused. By ops since",
        "Migration.",
        stage.tenant.id,
        "Password Boss Users",
        "Engineers",
    ]
    assert [word for word in shown if word not in page] == []
    row = stage.refreshed()
    assert row.secret is not None
    hidden = [stage.app.secret, row.secret.stored(), row.token_hash, token, "sealed", "Save"]
    assert [word for word in hidden if word in page] == []


def test_the_runs_their_lines_and_the_marks_are_shown(stage: Stage) -> None:
    stage.run()
    for first in ("ada", "grace"):
        stage.tenant.remove_member(stage.group.id, stage.people[first].id)
    stage.run()
    hold = decisions.holds_of(stage.connector)[0]
    decisions.approve(stage.connector, [(hold.object_id, hold.kind)], actor="Maren")
    client = as_(make_operator())
    first_run, second_run = SyncRun.objects.order_by("pk")
    query = f"?connector__id__exact={stage.connector.pk}"
    assert "applied create 2" in text(client, "admin:connectors_syncrun_changelist", query=query)
    assert "applied create 2" in text(client, "admin:connectors_syncrun_change", first_run.pk)
    lines = text(client, "admin:connectors_syncchange_changelist", query=f"?run__id__exact={second_run.pk}")
    assert ("ada@brightwater.example" in lines, "grace@brightwater.example" in lines, "2 changes" in lines) == (
        True,
        True,
        False,
    )
    assert "Created" not in lines.partition("because")[2]
    marks = text(client, "admin:connectors_personmark_changelist")
    assert ("Approved" in marks, "Maren" in marks) == (True, True)
    assert (
        f"run__id__exact={second_run.pk}"
        in as_(make_operator("two@portal.example"))
        .get(reverse("admin:connectors_connector_change", args=[stage.connector.pk]))
        .content.decode()
    )


def test_a_selection_is_synchronised_and_each_row_is_told_of(stage: Stage, emulator: Emulator) -> None:
    second = Stage(emulator, name="Sable Street Brewing", domain="sable.example").connector
    lifecycle.pause(second, actor="ops")
    draft = Connector.objects.create(company=stage.company, name="Second tenant")
    technician = make_staff(stage.company.partner, Role.PARTNER_TECHNICIAN)
    status, messages = act(as_(technician), "synchronise", stage.connector, second, draft)
    assert (status, messages) == (
        302,
        [
            "Microsoft Entra ID of Brightwater Logistics: A run was asked for.",
            "Second tenant of Brightwater Logistics: The connector's setup is not finished: finish it and save.",
            "Microsoft Entra ID of Sable Street Brewing: The connector was paused by ops: resume it first.",
        ],
    )
    assert OrmQ.objects.count() == 1


def test_a_selection_is_paused_by_name(stage: Stage) -> None:
    technician = make_staff(stage.company.partner, Role.PARTNER_TECHNICIAN, name="Tomasz")
    draft = Connector.objects.create(company=stage.company, name="Second tenant")
    assert act(as_(technician), "pause", stage.connector, draft)[1] == [
        "Microsoft Entra ID of Brightwater Logistics: Paused.",
        "Second tenant of Brightwater Logistics: This connector does not synchronise yet: finish its setup and save it"
        " first.",
    ]
    assert stage.refreshed().paused_by.startswith("Tomasz (")
    entries = AuditEntry.objects.order_by("pk").values_list("action", "actor__name")
    assert list(entries) == [("connector.paused", "Tomasz")]


def test_resuming_a_selection_leads_to_what_it_would_do(stage: Stage) -> None:
    technician = make_staff(stage.company.partner, Role.PARTNER_TECHNICIAN)
    lifecycle.pause(stage.connector, actor="ops")
    chosen = {"action": "resume", "_selected_action": [stage.connector.pk]}
    answer = as_(technician).post(reverse(LIST), chosen)
    assert answer.headers["Location"] == f"{reverse('admin:fleet-resume')}?connectors={stage.connector.pk}"
    assert "Brightwater Logistics" in as_(technician).get(answer.headers["Location"]).content.decode()
    assert stage.refreshed().paused_at is not None


def test_who_only_looks_is_offered_no_action_and_refused_one(stage: Stage, emulator: Emulator) -> None:
    viewer = make_staff(stage.company.partner, Role.PARTNER_VIEWER)
    assert "Synchronize Now" not in text(as_(viewer), LIST)
    assert act(as_(viewer), "pause", stage.connector) == (200, [])
    technician = make_staff(stage.company.partner, Role.PARTNER_TECHNICIAN)
    assert "Synchronize Now" in text(as_(technician), LIST)
    # With the right at one partner and only sight at another, a mixed selection is refused whole.
    elsewhere = make_staff(make_partner_of(stage, emulator), Role.PARTNER_TECHNICIAN, name="Both")
    elsewhere.memberships.create(partner=stage.company.partner, role=Role.PARTNER_VIEWER)
    rows = list(Connector.objects.order_by("pk"))
    assert len(rows) == 2
    assert act(as_(elsewhere), "pause", *rows)[0] == 403
    assert Connector.objects.exclude(paused_at=None).count() == 0


def make_partner_of(stage: Stage, emulator: Emulator) -> object:
    """Move a second company with a connector to a partner of its own, and return that."""
    other = Stage(emulator, name="Quarrystone Legal", domain="quarrystone.example").company
    partner = type(other.partner).objects.create(name="Northgate Systems", slug="northgate")
    type(other).objects.filter(pk=other.pk).update(partner=partner)
    return partner


def test_nothing_about_a_connector_is_changed_or_deleted_on_its_page(stage: Stage) -> None:
    client = as_(make_operator())
    for name in ("connector", "syncrun", "syncchange", "personmark"):
        assert client.get(reverse(f"admin:connectors_{name}_add")).status_code == 403
    change = reverse("admin:connectors_connector_change", args=[stage.connector.pk])
    assert client.post(change, {"name": "Taken over", "status": "removed"}).status_code == 403
    delete = reverse("admin:connectors_connector_delete", args=[stage.connector.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert (stage.refreshed().status, stage.connector.name) == (ConnectorStatus.WAITING, "Microsoft Entra ID")


@pytest.mark.parametrize("page", ["connector", "syncrun", "syncchange", "personmark"])
def test_a_list_costs_the_same_for_one_row_and_for_three(page: str, stage: Stage, emulator: Emulator) -> None:
    client = as_(make_operator())

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse(f"admin:connectors_{page}_changelist")).status_code == 200
        return len(queries)

    def grow(one: Stage) -> None:
        one.run()
        PersonMark.objects.create(connector=one.connector, object_id="one", kind="declined")

    grow(stage)
    cost()
    before = cost()
    for number in range(2):
        grow(Stage(emulator, "Ada Lovelace", name=f"Company {number}", domain=f"c{number}.example"))
    assert cost() == before
