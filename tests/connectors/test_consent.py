"""Microsoft's consent, there and back: who may answer, what an answer may say, and what counts for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from connectors import lifecycle
from connectors.models import Connector, ConsentRequest
from connectors.states import Cloud
from connectors.views.guide import guide_for
from tenants.models import AuditEntry
from tenants.roles import Role
from tests.connectors.wizard_scene import CALLBACKS, ORIGIN, Visit, state_of, text_of, told
from tests.entra_emulator import Emulator

pytestmark = pytest.mark.django_db


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture(params=["partner", "business"])
def visit(request: pytest.FixtureRequest, emulator: Emulator) -> Visit:
    return Visit(emulator, request.param)


@pytest.fixture
def partner(emulator: Emulator) -> Visit:
    return Visit(emulator)


def sent_to_microsoft(visit: Visit, connector: Connector) -> str:
    """Press Verify Connection where consent is missing; return the address at Microsoft."""
    answer = visit.enter(connector)
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def proven(connector: Connector) -> str:
    connector.refresh_from_db()
    return connector.tenant_id


def rows() -> list[object]:
    found: list[object] = list(AuditEntry.objects.order_by("pk").values())
    # A sealed secret equals nothing but itself.
    return found + [{**row, "secret": ""} for row in Connector.objects.order_by("pk").values()]


def test_consent_is_given_takes_effect_after_a_while_and_is_then_verified(visit: Visit) -> None:
    visit.emulator.consent_delay = 30
    connector = visit.begin()
    url = sent_to_microsoft(visit, connector)
    target = urlsplit(url)
    asked = dict(parse_qsl(target.query))
    assert f"{target.scheme}://{target.netloc}{target.path}" == (
        f"https://login.microsoftonline.com/{visit.tenant.id}/adminconsent"
    )
    assert (asked["client_id"], asked["redirect_uri"]) == (
        visit.app.client_id,
        f"{ORIGIN}{CALLBACKS[visit.portal]}",
    )
    back = visit.client.get(visit.at_microsoft(url))
    waiting = visit.step(connector, "azure/consent/")
    assert (back.status_code, back.headers["Location"]) == (302, waiting)
    page = visit.client.get(waiting)
    assert "Not yet: looking again in 3 seconds" in text_of(page)
    assert 'hx-trigger="load delay:3s"' in page.content.decode()
    assert proven(connector) == ""
    visit.emulator.clock.advance(seconds=30)
    again = visit.client.get(waiting, headers={"HX-Request": "true"})
    assert "The consent works" in text_of(again)
    assert proven(connector) == ""
    done = visit.client.post(visit.step(connector, "azure/verify/"))
    assert "Connection Verified" in told(visit.client, done)
    assert proven(connector) == visit.tenant.id


def test_looking_whether_a_consent_works_saves_nothing(partner: Visit) -> None:
    connector = partner.begin()
    sent_to_microsoft(partner, connector)
    before = rows()
    partner.client.get(partner.step(connector, "azure/consent/"))
    partner.tenant.grant_consent(partner.app.client_id)
    partner.client.get(partner.step(connector, "azure/consent/"))
    assert rows() == before


def test_the_page_stops_looking_by_itself_in_the_end(partner: Visit) -> None:
    connector = partner.begin()
    sent_to_microsoft(partner, connector)
    page = partner.client.get(partner.step(connector, "azure/consent/"), {"look": "16"})
    assert ("hx-trigger" in page.content.decode(), "Check again" in text_of(page)) == (False, True)


@pytest.mark.parametrize("how", ["documented", "seen"])
def test_trap_07_a_declined_consent_is_no_success_though_it_says_admin_consent(visit: Visit, how: str) -> None:
    visit.emulator.consent_refusal = how
    connector = visit.begin()
    answer = visit.at_microsoft(sent_to_microsoft(visit, connector), "decline")
    assert "admin_consent=True" in answer
    visit.tenant.grant_consent(visit.app.client_id)
    before = rows()
    shown = told(visit.client, visit.client.get(answer))
    assert "Consent was declined at Microsoft." in shown
    assert (proven(connector), rows()) == ("", before)


def test_a_cancelled_sign_in_a_person_without_the_right_and_one_of_another_tenant_say_so(partner: Visit) -> None:
    other = partner.emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    hattie = other.add_user("Hattie Sable")
    other.make_administrator(hattie.id)
    nobody = partner.tenant.add_user("Ada Lovelace")
    connector = partner.begin()
    for step, person, sentence in (
        ("cancel", None, "The sign-in at Microsoft was cancelled before consent was given."),
        ("return", nobody, "has no right to give consent"),
        ("accept", hattie, "does not belong to this tenant"),
    ):
        back = partner.at_microsoft(sent_to_microsoft(partner, connector), step, person)
        shown = told(partner.client, partner.client.get(back))
        assert sentence in shown
    assert proven(connector) == ""


def test_trap_07_the_tenant_in_the_answer_is_compared_and_never_believed(visit: Visit) -> None:
    other = visit.emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    connector = visit.begin()
    state = state_of(sent_to_microsoft(visit, connector))
    forged = f"{CALLBACKS[visit.portal]}?admin_consent=True&tenant={other.id}&state={state}"
    shown = told(visit.client, visit.client.get(forged))
    assert f"Consent was given in another tenant ({other.id})" in shown
    connector.refresh_from_db()
    assert (connector.tenant, connector.tenant_id) == (visit.tenant.id, "")


def test_an_answer_counts_once(visit: Visit) -> None:
    connector = visit.begin()
    answer = visit.at_microsoft(sent_to_microsoft(visit, connector))
    assert visit.client.get(answer).headers["Location"] == visit.step(connector, "azure/consent/")
    again = visit.client.get(answer)
    assert "was used before" in told(visit.client, again)


def neutral(page: HttpResponse, visit: Visit) -> bool:
    """Say whether a page tells nothing of anybody."""
    shown = page.content.decode()
    return page.status_code == 200 and "This page has changed nothing." in shown and visit.company.name not in shown


def test_an_answer_in_another_browser_changes_nothing_and_tells_nothing(visit: Visit) -> None:
    connector = visit.begin()
    answer = visit.at_microsoft(sent_to_microsoft(visit, connector))
    before = (rows(), list(ConsentRequest.objects.values()))
    same_person = visit.sign_in(visit.user)
    colleague = visit.sign_in(visit.sign_up())
    for browser in (Client(), same_person, colleague):
        assert neutral(browser.get(answer), visit)
    assert (rows(), list(ConsentRequest.objects.values())) == before
    assert visit.client.get(answer).headers["Location"] == visit.step(connector, "azure/consent/")


def test_a_state_is_of_one_session_and_of_one_person(partner: Visit) -> None:
    connector = partner.begin()
    link = lifecycle.begin_consent(connector, redirect_uri=f"{ORIGIN}/", session="a word", user=partner.user)
    state = state_of(link)
    assert lifecycle.finish_consent(state, session="another word", user=partner.user) is None
    assert lifecycle.finish_consent(state, session="a word", user=partner.sign_up()) is None
    assert lifecycle.finish_consent(state, session="", user=partner.user) is None
    assert lifecycle.finish_consent(state, session="a word", user=partner.user) == lifecycle.Returned(connector, "")


def test_a_forged_state_and_none_at_all_are_neutral(visit: Visit) -> None:
    connector = visit.begin()
    sent_to_microsoft(visit, connector)
    before = (rows(), list(ConsentRequest.objects.values()))
    for query in ("", "?state=", "?state=made-up&admin_consent=True", "?error=access_denied&state=%00", "?state=é"):
        assert neutral(visit.client.get(CALLBACKS[visit.portal] + query), visit)
    assert (rows(), list(ConsentRequest.objects.values())) == before


def test_an_answer_at_the_other_portals_address_is_neutral(visit: Visit) -> None:
    connector = visit.begin()
    state = state_of(sent_to_microsoft(visit, connector))
    [other] = [path for portal, path in CALLBACKS.items() if portal != visit.portal]
    assert neutral(visit.client.get(f"{other}?admin_consent=True&state={state}"), visit)


def test_a_tab_left_open_for_more_than_an_hour_must_begin_again(partner: Visit) -> None:
    connector = partner.begin()
    answer = partner.at_microsoft(sent_to_microsoft(partner, connector))
    assert ConsentRequest.objects.get().expires_at <= timezone.now() + timedelta(minutes=60)
    ConsentRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "took longer than an hour" in told(partner.client, partner.client.get(answer))
    assert proven(connector) == ""


def test_an_answer_for_credentials_that_were_changed_since_counts_for_nothing(partner: Visit) -> None:
    connector = partner.begin()
    answer = partner.at_microsoft(sent_to_microsoft(partner, connector))
    lifecycle.correct(
        connector, tenant=partner.tenant.id, client_id=partner.app.client_id, secret="another", actor="Somebody else"
    )
    assert "changed or verified by somebody meanwhile" in told(partner.client, partner.client.get(answer))


def test_somebody_who_lost_the_right_meanwhile_gets_no_further(partner: Visit) -> None:
    connector = partner.begin()
    answer = partner.at_microsoft(sent_to_microsoft(partner, connector))
    partner.user.memberships.update(role=Role.PARTNER_VIEWER)
    assert partner.client.get(answer).status_code == 403


def test_the_customers_administrator_consents_in_another_browser_and_check_again_sees_it(visit: Visit) -> None:
    connector = visit.begin()
    sent_to_microsoft(visit, connector)
    page = visit.client.get(visit.step(connector, "azure/"))
    connector.refresh_from_db()
    link = f"https://login.microsoftonline.com/{visit.tenant.id}/adminconsent?client_id={visit.app.client_id}"
    assert link in text_of(page)
    assert "Check again" in text_of(page)
    before = rows()
    elsewhere = lifecycle.consent_link(connector, redirect_uri=f"{ORIGIN}{CALLBACKS[visit.portal]}")
    assert neutral(Client().get(visit.at_microsoft(elsewhere)), visit)
    assert rows() == before
    checked = visit.client.get(visit.step(connector, "azure/consent/"))
    assert "The consent works" in text_of(checked)


def test_a_missing_permission_is_named_while_waiting(partner: Visit) -> None:
    partner.app.roles = ("Group.Read.All",)
    connector = partner.begin()
    answer = partner.at_microsoft(sent_to_microsoft(partner, connector))
    partner.client.get(answer)
    page = text_of(partner.client.get(partner.step(connector, "azure/consent/")))
    assert "The application permission User.Read.All is not granted in this tenant." in page


def test_consent_that_was_revoked_is_asked_for_again_by_verify_connection(partner: Visit) -> None:
    connector = partner.verified()
    partner.tenant.revoke_consent(partner.app.client_id)
    answer = partner.client.post(partner.step(connector, "azure/verify/"))
    assert answer.headers["Location"].startswith("https://login.microsoftonline.com/")
    by_script = partner.client.post(partner.step(connector, "azure/verify/"), headers={"HX-Request": "true"})
    assert by_script.headers["HX-Redirect"].startswith("https://login.microsoftonline.com/")


@pytest.mark.parametrize(
    ("cloud", "login", "portal", "cli"),
    [
        (Cloud.GLOBAL, "https://login.microsoftonline.com/", "https://portal.azure.com/", "AzureCloud"),
        (Cloud.US_GOVERNMENT, "https://login.microsoftonline.us/", "https://portal.azure.us/", "AzureUSGovernment"),
        (Cloud.US_DOD, "https://login.microsoftonline.us/", "https://portal.azure.us/", "AzureUSGovernment"),
        (Cloud.CHINA, "https://login.chinacloudapi.cn/", "https://portal.azure.cn/", "AzureChinaCloud"),
    ],
)
def test_trap_25_every_address_follows_the_cloud(cloud: Cloud, login: str, portal: str, cli: str) -> None:
    row = Connector(tenant="contoso.example", client_id="0f0f0f0f-0000-4000-8000-000000000000", cloud=cloud)
    assert lifecycle.consent_link(row, redirect_uri=f"{ORIGIN}/azure/callback").startswith(login)
    guide = guide_for(row)
    [(_, links)] = guide.links
    assert {link.startswith(portal) for link in (links.register, links.permissions, links.secrets, links.overview)} == {
        True
    }
    assert f"az cloud set --name {cli}\n" in guide.script


def test_browsers_are_sent_to_the_login_that_the_settings_name(partner: Visit, settings: Any) -> None:
    settings.ENTRA_LOGIN_ORIGINS = {"https://login.microsoftonline.com": "http://127.0.0.1:8400"}
    connector = partner.begin()
    assert sent_to_microsoft(partner, connector).startswith("http://127.0.0.1:8400/")
