"""A connector that Microsoft refuses: each cause leads to what puts it right, in the fleet and on its own pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from connectors import lifecycle
from connectors.entra import forget_tokens
from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus
from tenants.roles import Role
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage

pytestmark = pytest.mark.django_db

ACTOR = "Command line (ops)"
TOKEN = "/oauth2/v2.0/token"


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace", "Grace Hopper")


def strike(**words: object) -> Callable[[Stage], object]:
    return lambda stage: stage.emulator.faults.add(times=None, **words)


def take_certificate_out(stage: Stage) -> None:
    lifecycle.make_certificate(stage.connector, years=1, actor=ACTOR)
    stage.tenant.add_certificate(stage.app.client_id, stage.refreshed().next_certificate)
    lifecycle.use_certificate(stage.connector, actor=ACTOR)
    stage.tenant.remove_certificate(stage.app.client_id)


SECRET = ("Enter a new secret", "replace/?with=secret")
CONSENT = ("Grant consent", "")
IDS = ("Correct the IDs", "replace/?with=secret")
VERIFY = ("Verify the connection", "")
CAUSES: dict[str, tuple[Callable[[Stage], object], tuple[str, str]]] = {
    "the secret expired": (lambda stage: stage.tenant.expire_secret(stage.app.client_id), SECRET),
    "the secret was deleted": (lambda stage: stage.tenant.remove_secret(stage.app.client_id), SECRET),
    "the certificate was taken out": (take_certificate_out, ("Renew the certificate", "replace/?with=certificate")),
    "the consent was revoked": (lambda stage: stage.tenant.revoke_consent(stage.app.client_id), CONSENT),
    "one permission was revoked": (
        lambda stage: stage.tenant.revoke_consent(stage.app.client_id, ["User.Read.All"]),
        CONSENT,
    ),
    "the application was deleted": (lambda stage: stage.tenant.delete_app(stage.app.client_id), IDS),
    "the tenant is gone": (strike(path=TOKEN, status=400, aadsts=90002), IDS),
    "a policy blocks": (strike(path=TOKEN, status=400, aadsts=53003), VERIFY),
    "the application is disabled": (lambda stage: stage.tenant.disable_app(stage.app.client_id), VERIFY),
}


def refused(stage: Stage, cause: str) -> Connector:
    """Let a connector that worked be refused at its next run."""
    stage.run()
    CAUSES[cause][0](stage)
    forget_tokens()
    stage.clock.advance(minutes=5)
    stage.run()
    row = stage.refreshed()
    assert row.status == ConnectorStatus.UNAUTHORIZED, row.failure
    return row


def primary(page: str) -> list[tuple[str, str]]:
    """Return the primary buttons of a page, and where those lead that are links."""
    found = re.findall(
        r'<(a|button) class="button button--primary[^"]*"(?: href="([^"]*)")?[^>]*>(.*?)</\1>', page, re.S
    )
    return [(re.sub(r"<[^>]*>", "", words).strip(), url) for _, url, words in found]


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_leads_to_what_puts_it_right_in_the_fleet_and_on_the_page(stage: Stage, cause: str) -> None:
    row = refused(stage, cause)
    words, rest = CAUSES[cause][1]
    visitor = Visitor(stage.company)
    there = f"{visitor.before}connectors/{row.pk}/setup/azure/{rest}"
    fleet = visitor.client.get("/partner/").content.decode()
    assert f'<a href="{there}">{words}<span' in fleet
    overview = visitor.get(f"connectors/{row.pk}/").content.decode()
    assert primary(overview) == [(words, there)]
    azure = visitor.get(f"connectors/{row.pk}/setup/azure/").content.decode()
    assert primary(azure) == [(words, there) if rest else ("Verify Connection", "")]
    assert azure.count(">Verify Connection</button>") == 1


def test_a_token_without_the_permission_leads_to_consent_though_microsoft_refused_nothing(stage: Stage) -> None:
    stage.run()
    stage.tenant.revoke_consent(stage.app.client_id)
    visitor = Visitor(stage.company)
    azure = f"connectors/{stage.connector.pk}/setup/azure/"
    assert visitor.post(f"{azure}verify/", {}).status_code == 302
    assert (stage.refreshed().status, stage.connector.status_reference) == (ConnectorStatus.UNAUTHORIZED, "")
    overview = visitor.get(f"connectors/{stage.connector.pk}/").content.decode()
    assert primary(overview) == [("Grant consent", visitor.before + azure)]


def test_a_run_cannot_be_asked_for_and_the_cause_is_said_once(stage: Stage) -> None:
    Connector.objects.update(secret_expires_on=timezone.now().date() - timedelta(days=1))
    row = refused(stage, "the secret expired")
    page = Visitor(stage.company).reads(f"connectors/{row.pk}/")
    said = [page.count(words) for words in ("The client secret", "its value", "good until", "Synchronize Now", "..")]
    # Synchronize Now is what the first run was started by.
    assert said == [1, 1, 0, page.count("Started by Synchronize Now"), 0]
    assert "No run is planned until Microsoft accepts the connection again." in page
    fleet = text_of(Visitor(stage.company).client.get("/partner/"))
    assert "Also: the secret" not in fleet


def test_the_icons_say_what_the_words_beside_them_say(stage: Stage) -> None:
    row = refused(stage, "the secret expired")

    def icons() -> list[str]:
        page = Visitor(stage.company).get(f"connectors/{row.pk}/").content.decode()
        return re.findall(r'class="icon (is-\w+)"', page.partition('<dl class="qa">')[2].partition("</dl>")[0])

    assert icons() == ["is-bad", "is-warn", "is-ok", "is-warn"]
    stage.tenant.add_secret(stage.app.client_id)
    lifecycle.replace_secret(row, secret=stage.app.secret, secret_expires_on=None, actor=ACTOR)
    stage.run()
    assert icons() == ["is-ok", "is-ok", "is-ok", "is-ok"]
    lifecycle.pause(row, reason="Holidays", actor=ACTOR)
    assert icons() == ["is-ok", "is-ok", "is-ok", "is-warn"]


def test_the_day_of_a_credential_is_past_once_it_is_over(stage: Stage) -> None:
    stage.run()
    page = f"connectors/{stage.connector.pk}/"
    Connector.objects.update(secret_expires_on=timezone.now().date())
    assert "The client secret is good until" in Visitor(stage.company).reads(page)
    Connector.objects.update(secret_expires_on=timezone.now().date() - timedelta(days=1))
    assert "The client secret ended on" in Visitor(stage.company).reads(page)


def test_what_was_tried_again_in_vain_is_said_once(stage: Stage) -> None:
    row = refused(stage, "the secret expired")
    visitor = Visitor(stage.company)
    page = text_of(visitor.post(f"connectors/{row.pk}/setup/azure/verify/", {}))
    assert (page.count("The client secret has expired."), page.count("The connection is not verified")) == (1, 1)


def test_a_viewer_is_told_and_offered_nothing_that_is_refused(stage: Stage) -> None:
    row = refused(stage, "the secret expired")
    viewer = Visitor(stage.company, role=Role.PARTNER_VIEWER)
    assert primary(viewer.get(f"connectors/{row.pk}/").content.decode()) == []
    assert "Microsoft refuses the connection" in viewer.reads(f"connectors/{row.pk}/")
    assert "Enter a new secret" not in text_of(viewer.client.get("/partner/"))


def test_a_secret_that_cannot_be_opened_is_entered_anew(stage: Stage) -> None:
    Connector.objects.update(
        status=ConnectorStatus.UNAUTHORIZED,
        status_sentence="What it signs in with cannot be opened.",
        failure=Attention.CREDENTIALS_UNREADABLE,
    )
    visitor = Visitor(stage.company)
    [(words, _)] = primary(visitor.get(f"connectors/{stage.connector.pk}/").content.decode())
    assert words == "Enter a new secret"


@pytest.mark.parametrize(
    ("cause", "helps"),
    [
        ("the consent was revoked", True),
        ("the application was deleted", True),
        ("the secret expired", False),
        ("the tenant is gone", False),
    ],
)
def test_the_link_for_who_gives_consent_stands_where_consent_may_help(stage: Stage, cause: str, helps: bool) -> None:
    stage.run()
    azure = f"connectors/{stage.connector.pk}/setup/azure/"
    assert "Somebody else gives consent?" not in Visitor(stage.company).reads(azure)
    refused(stage, cause)
    partner, business = Visitor(stage.company).reads(azure), Visitor(stage.company, "business").reads(azure)
    assert ("Somebody else gives consent?" in partner, "Somebody else gives consent?" in business) == (helps, helps)
    assert ("the customer’s Microsoft tenant" in partner, "your Microsoft tenant" in business) == (helps, helps)
    assert "customer" not in business
