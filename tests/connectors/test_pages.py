"""Integrations, a connector's page and its runs: what they say, and that a page costs the same whatever it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from connectors import lifecycle
from connectors.models import Connector, SyncRun
from connectors.states import ConnectorStatus, RunState, RunTrigger
from tenants.roles import Role
from tenants.states import AccountRole
from tests.connectors.wizard_scene import text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_account, make_group, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace", "Grace Hopper")


class Visitor:
    """Hold a browser in one of the portals, and where the company's pages are in it."""

    def __init__(self, stage: Stage, portal: str, role: Role = Role.PARTNER_ADMINISTRATOR) -> None:
        self.client = Client()
        if portal == "partner":
            self.before = f"/partner/companies/{stage.company.slug}/"
            self.client.force_login(make_staff(stage.company.partner, role))
        else:
            self.before = "/business/"
            user = make_account(stage.company, role=AccountRole.ADMIN, claimed=True).user
            assert user is not None
            self.client.force_login(user)

    def get(self, rest: str, **words: Any) -> HttpResponse:
        return self.client.get(self.before + rest, **words)

    def post(self, rest: str, data: dict[str, Any]) -> HttpResponse:
        return self.client.post(self.before + rest, data)

    def queries(self, rest: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert self.get(rest).status_code == 200
        return len(captured)


@pytest.fixture(params=["partner", "business"])
def visitor(request: pytest.FixtureRequest, stage: Stage) -> Visitor:
    return Visitor(stage, request.param)


def more_of_everything(stage: Stage) -> None:
    """Let the company have many of whatever a page lists."""
    for number in range(6):
        Connector.objects.create(
            company=stage.company,
            tenant=f"tenant-{number}.example",
            tenant_id=f"00000000-0000-4000-8000-00000000000{number}",
            status=ConnectorStatus.CONNECTED,
            sync_group_id=stage.group.id,
        )
        people = [make_account(stage.company) for _ in range(5)]
        make_group(stage.company, f"Group {number}", *people)
        SyncRun.objects.create(
            connector=stage.connector,
            company=stage.company,
            connector_name="Microsoft Entra ID",
            trigger=RunTrigger.MANUAL,
            state=RunState.FAILED,
            started_at=stage.clock.now,
            finished_at=stage.clock.now,
            sentence="Microsoft was out of reach.",
        )


def test_no_page_asks_more_of_the_database_for_more_rows(stage: Stage, visitor: Visitor) -> None:
    result = stage.run(RunTrigger.MANUAL)
    assert result.run is not None
    group = make_group(stage.company, "Dispatch", make_account(stage.company))
    pages = [
        "connectors/",
        f"connectors/{stage.connector.pk}/",
        f"connectors/{stage.connector.pk}/runs/",
        f"runs/{result.run.pk}/",
        "users/",
        "groups/",
        f"groups/{group.pk}/",
    ]
    for page in pages:
        visitor.get(page)
    before = {page: visitor.queries(page) for page in pages}
    more_of_everything(stage)
    assert {page: visitor.queries(page) for page in pages} == before


def test_integrations_list_status_and_attention_and_renew_themselves_until_settled(
    stage: Stage, visitor: Visitor
) -> None:
    page = visitor.get("connectors/")
    assert "Waiting for connect" in text_of(page)
    assert 'hx-trigger="every 3s"' in page.content.decode()
    stage.run()
    later = visitor.get("connectors/", headers={"HX-Request": "true"})
    assert ("Connected" in text_of(later), "<html" in later.content.decode()) == (True, False)
    assert "hx-trigger" not in later.content.decode()


def test_synchronize_now_pause_and_resume_for_a_selection(stage: Stage, visitor: Visitor) -> None:
    def act(action: str) -> str:
        chosen = {"action": action, "selected": [str(stage.connector.pk)]}
        answer = visitor.post("connectors/actions/", chosen)
        return text_of(visitor.client.get(answer.headers["Location"]))

    assert "a run was asked for, and begins within seconds" in act("synchronise")
    assert OrmQ.objects.count() == 1
    assert ": paused." in act("pause")
    assert "resume it first" in act("synchronise")
    assert "What the next run would do" in act("resume")
    assert ": paused." in act("pause")
    answer = visitor.post("connectors/actions/", {"action": "pause"})
    assert "No connector is selected" in text_of(visitor.client.get(answer.headers["Location"]))
    assert visitor.post("connectors/actions/", {"action": "explode"}).status_code == 404


def test_a_connectors_page_answers_the_four_questions(stage: Stage, visitor: Visitor) -> None:
    stage.hire("Kiosk Machine", mail=None, user_principal_name="kiosk@brightwater.onmicrosoft.com")
    stage.run()
    page = text_of(visitor.get(f"connectors/{stage.connector.pk}/"))
    for words in (
        "Can we reach Microsoft? Yes.",
        "Did the last run work? Succeeded",
        "3 people in Password Boss Users , 2 with an active account. 1 skipped",
        "The directory has no usable email address for this person.",
        "Does it seem stuck?",
    ):
        assert words in page


def test_runs_tell_what_they_did_to_whom(stage: Stage, visitor: Visitor) -> None:
    result = stage.run(RunTrigger.MANUAL)
    assert result.run is not None
    assert "2 created" in text_of(visitor.get(f"connectors/{stage.connector.pk}/runs/"))
    run = f"runs/{result.run.pk}/"
    assert {"Ada", "Grace"} <= set(text_of(visitor.get(run)).split())
    found = set(text_of(visitor.get(f"{run}?q=ada&outcome=applied")).split())
    assert ("Ada" in found, "Grace" in found) == (True, False)
    assert "Grace" not in text_of(visitor.get(f"{run}?q=ada%00"))


def test_an_unfinished_setup_is_gone_on_with(stage: Stage, visitor: Visitor) -> None:
    row, _ = lifecycle.begin(stage.company, actor="Test")
    answer = visitor.get(f"connectors/{row.pk}/")
    assert answer.headers["Location"] == f"{visitor.before}connectors/{row.pk}/setup/"
    assert "Setup incomplete" in text_of(visitor.get("connectors/"))


def test_a_viewer_sees_and_does_nothing(stage: Stage) -> None:
    viewer = Visitor(stage, "partner", Role.PARTNER_VIEWER)
    page = text_of(viewer.get("connectors/"))
    assert ("Waiting for connect" in page, "Synchronize Now" in page, "Install" in page.split()) == (True, False, False)
    assert "Azure Auth" not in text_of(viewer.get(f"connectors/{stage.connector.pk}/"))


def test_home_is_the_integrations(visitor: Visitor) -> None:
    assert visitor.get("").headers["Location"] == f"{visitor.before}connectors/"


def primary(page: HttpResponse) -> list[tuple[str, str]]:
    """Return the primary buttons of a page, each with where it leads."""
    found = re.findall(r'<a class="button[^"]* button--primary" href="([^"]*)">(.*?)</a>', page.content.decode())
    return [(re.sub(r"<span.*", "", words), url) for url, words in found]


def test_an_unfinished_setup_says_its_step_and_goes_on_with_the_lists_one_primary_button(
    stage: Stage, visitor: Visitor
) -> None:
    Connector.objects.update(status=ConnectorStatus.SETUP_INCOMPLETE, sync_group_id="")
    later = Connector.objects.create(company=stage.company)
    page = visitor.get("connectors/")
    setup = f"{visitor.before}connectors/{stage.connector.pk}/setup/"
    assert primary(page) == [("Continue setup", setup)]
    words = text_of(page)
    assert ("Step 3 of 4 is next Nothing is synchronised yet." in words, "Step 1 of 4 is next" in words) == (True, True)
    assert f'href="{visitor.before}connectors/{later.pk}/setup/"' in page.content.decode()
    Connector.objects.all().delete()
    assert primary(visitor.get("connectors/")) == [("Install", f"{visitor.before}connectors/install/")]


def test_a_viewer_is_told_of_an_unfinished_setup_and_not_sent_there(stage: Stage) -> None:
    Connector.objects.update(status=ConnectorStatus.SETUP_INCOMPLETE)
    page = Visitor(stage, "partner", Role.PARTNER_VIEWER).get("connectors/")
    assert ("Step 4 of 4 is next" in text_of(page), "Continue setup" in text_of(page)) == (True, False)


def test_the_list_says_what_puts_a_refused_connector_right(stage: Stage, visitor: Visitor) -> None:
    Connector.objects.update(
        status=ConnectorStatus.UNAUTHORIZED,
        status_sentence="The client secret has expired.",
        status_reference="AADSTS7000222",
    )
    page = visitor.get("connectors/")
    assert "Microsoft refuses the connection The client secret has expired. Enter a new secret" in text_of(page)
    replace = f"{visitor.before}connectors/{stage.connector.pk}/setup/azure/replace/?with=secret"
    assert f'<a href="{replace}">Enter a new secret<' in page.content.decode()


def test_the_page_lists_every_additional_group_though_one_cannot_be_read(stage: Stage, visitor: Visitor) -> None:
    for name in ("Engineers", "Sales"):
        stage.select(name)
    stage.emulator.faults.add(
        path=f"/groups/{stage.connector.selected_groups.get(name='Sales').directory_id}/members", times=None, status=403
    )
    stage.run()
    assert stage.refreshed().attention == ["group_unreadable"]
    page = text_of(visitor.get(f"connectors/{stage.connector.pk}/"))
    listed = page.partition("Additional groups")[2]
    assert [name for name in ("Engineers", "Sales") if name in listed] == ["Engineers", "Sales"]
