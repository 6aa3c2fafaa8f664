"""Installing a connector in either portal, from Install to Connected, following what the screen says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.urls import reverse

from connectors.models import Connector
from connectors.states import ConnectorStatus
from tenants.models import Account
from tenants.states import AccountStatus
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import DELIA, MAREN, SABLE, Scene

Newcomer = Callable[..., Visitor]


@dataclass(frozen=True)
class Way:
    """Hold who installs, in which portal."""

    email: str
    namespace: str

    def url(self, scene: Scene, name: str, *arguments: int) -> str:
        """Return the address of a company page in this portal."""
        company = [scene.company(SABLE).slug] if self.namespace == "partner" else []
        return reverse(f"{self.namespace}:{name}", args=[*company, *arguments])


WAYS = (Way(MAREN, "partner"), Way(DELIA, "business"))


def fill_in(visitor: Visitor, *, secret: str, client_id: str = "", tenant: str = "") -> None:
    """Enter what was noted in Entra, and verify."""
    own_id, _ = people.portal_application(people.SABLE_STREET)
    visitor.page.get_by_label("Client ID").fill(client_id or own_id)
    visitor.page.get_by_label("Client Secret").fill(secret)
    visitor.page.get_by_label("Tenant ID").fill(tenant or people.SABLE_STREET)
    visitor.press("Verify Connection")


def consent_as(visitor: Visitor, name: str, *, button: str = "Accept") -> None:
    """Sign in at Microsoft's own pages, and answer its question."""
    page = visitor.page
    page.get_by_label("Person").select_option(page.get_by_role("option", name=name).get_attribute("value"))
    visitor.press("Sign in")
    visitor.press(button)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.namespace)
def test_from_install_to_connected(way: Way, scene: Scene, visitor: Newcomer) -> None:
    tenant = scene.tenant(people.SABLE_STREET)
    client_id, secret = people.portal_application(people.SABLE_STREET)
    tenant.revoke_consent(client_id)
    one = visitor()
    page = one.page

    def look() -> None:
        # The tours look at the same pages in the partner portal.
        if way.namespace == "business":
            one.look()

    # Integrations, and the token.
    one.sign_in(way.email)
    one.open(way.url(scene, "connectors"))
    one.follow("Install")
    one.press("Install")
    assert one.heading == "Save the authentication token"
    [token] = [text for text in page.get_by_role("main").locator("code").all_inner_texts() if text.startswith("pbc_")]
    page.get_by_label("I have saved the token").check()
    one.press("Next")
    connector = Connector.objects.get(company=scene.company(SABLE))
    assert token not in page.content()

    # A wrong secret first: the sentence stands at its field.
    fill_in(one, secret="wrong-secret-0123456789-wrong-secret")
    one.reads("The client secret is wrong. Enter the value of a secret of this application, not its Secret ID.")
    look()

    # Then consent is missing: Microsoft asks its administrator, and sends back.
    fill_in(one, secret=secret)
    assert page.url.startswith(f"{scene.microsoft}/{people.SABLE_STREET}/adminconsent?")
    consent_as(one, "Hattie Sable")
    one.reads("Connection Verified")
    connector.refresh_from_db()
    assert connector.tenant_id == tenant.id
    look()

    # Groups: searched as one types, the green button, an additional one.
    one.follow("Next")
    page.get_by_role("main").get_by_role("searchbox").press_sequentially("brew")
    one.reads("1 group matches “brew”")
    page.get_by_role("main").get_by_role("searchbox").fill("")
    one.press("Use as sync group", of=people.SYNC_GROUP)
    one.press("Select", of="Brewers")
    look()
    one.follow("Next")

    # Rules with their preview, which comes by itself, and follows what is chosen.
    one.reads(": 8 people in")
    look()
    assert figure(one, "New accounts") == "8"
    with page.expect_response(lambda answer: "/preview/" in answer.url and "new=create_pending" in answer.url):
        page.get_by_label("Somebody new is in the sync group").select_option(value="create_pending")
    one.page.wait_for_function("document.body.textContent.includes('Pending approval')")
    with page.expect_response(lambda answer: "/preview/" in answer.url and "new=create" in answer.url):
        page.get_by_label("Somebody new is in the sync group").select_option(value="create")
    page.get_by_text("New accounts").first.wait_for()
    one.press("Save Changes")

    # The list waits, and turns by itself.
    one.reads("Waiting for connect")
    look()
    ticked = page.get_by_role("checkbox", name="Select Microsoft Entra ID")
    ticked.check()
    with page.expect_response(lambda answer: answer.url.endswith(way.url(scene, "connectors"))):
        pass
    assert scene.work() >= 1
    one.reads("Connected")
    # Whoever ticks, or goes through the list with the keyboard, is not thrown out of it when it renews itself.
    page.locator("[data-aloud]", has_text="Microsoft Entra ID: Connected").wait_for(state="attached")
    assert ticked.is_checked()
    assert ticked.evaluate("(box) => box === document.activeElement")
    # And goes on counting in the list that is new.
    bar = page.get_by_role("group", name="Actions for the selected connectors", include_hidden=True)
    every = page.get_by_role("checkbox", name="Select all")
    assert (bar.locator("[data-ticked]").inner_text(), every.is_checked()) == ("1 selected", True)
    every.uncheck()
    assert (ticked.is_checked(), bar.is_visible()) == (False, False)
    every.check()
    assert (ticked.is_checked(), bar.is_visible()) == (True, True)
    look()
    connector.refresh_from_db()
    assert connector.status == ConnectorStatus.CONNECTED
    active = Account.objects.filter(company=connector.company, link__connector=connector, status=AccountStatus.ACTIVE)
    assert active.count() == 8

    # Synchronize Now from the Actions menu, and its run.
    page.get_by_text("Actions", exact=True).click()
    one.press("Synchronize Now")
    one.reads("a run was asked for")
    scene.work()
    one.follow("Microsoft Entra ID")
    one.reads("Are the right people in the group?")
    look()
    page.get_by_role("region", name="Recent runs").get_by_role("link").last.click()
    one.reads("Requests to Microsoft")
    look()


def figure(one: Visitor, label: str) -> str:
    """Return a number of the preview by what stands above it."""
    return one.page.locator(".figure", has_text=label).locator(".figure__value").inner_text()


def test_with_the_keyboard_alone(scene: Scene, visitor: Newcomer) -> None:
    _, secret = people.portal_application(people.SABLE_STREET)
    client_id, _ = people.portal_application(people.SABLE_STREET)
    one = visitor()
    one.enter_as(scene.user(DELIA))
    one.open(reverse("business:install"))
    one.go_to("Install", "button")
    one.strike("Enter")
    one.go_to("I have saved the token", "checkbox")
    one.page.keyboard.press("Space")
    one.go_to("Next", "button")
    one.strike("Enter")
    for label, text in (("Client ID", client_id), ("Client Secret", secret), ("Tenant ID", people.SABLE_STREET)):
        one.go_to(label, "textbox")
        one.page.keyboard.insert_text(text)
    one.strike("Enter")
    one.reads("Connection Verified")
    one.go_to("Next", "link")
    one.strike("Enter")
    one.go_to("Use as sync group : Password Boss Users", "button")
    one.strike("Enter")
    one.go_to("Next", "link")
    one.strike("Enter")
    one.reads(": 8 people in")
    one.go_to("Save Changes", "button")
    one.strike("Enter")
    one.reads("Waiting for connect")
    scene.work()
    one.reads("Connected")


def test_without_script(scene: Scene, visitor: Newcomer) -> None:
    tenant = scene.tenant(people.SABLE_STREET)
    client_id, secret = people.portal_application(people.SABLE_STREET)
    tenant.revoke_consent(client_id)
    one = visitor(script=False)
    one.enter_as(scene.user(MAREN))
    one.open(WAYS[0].url(scene, "install"))
    one.press("Install")
    one.page.get_by_label("I have saved the token").check()
    one.press("Next")
    fill_in(one, secret=secret)
    consent_as(one, "Hattie Sable")
    assert one.heading == "Waiting for the consent to take effect"
    one.reads("The consent works")
    one.look()
    one.press("Verify Connection")
    one.reads("Connection Verified")
    one.follow("Next")
    one.page.get_by_role("main").get_by_role("searchbox").fill("password")
    one.press("Search")
    one.press("Use as sync group", of=people.SYNC_GROUP)
    one.follow("Next")
    one.press("Show the preview")
    one.reads(": 8 people in")
    one.look()
    one.press("Save Changes")
    one.reads("Waiting for connect")
    scene.work()
    one.open(one.page.url)
    one.reads("Connected")


# What goes wrong at Microsoft


@pytest.mark.parametrize(
    ("name", "button", "sentence"),
    [
        ("Hattie Sable", "Cancel", "Consent was declined at Microsoft."),
        ("Owen Marsh", "Return to the application without granting consent", "has no right to give consent"),
        ("Ivy Lantern", "", "does not belong to this tenant"),
    ],
)
def test_consent_that_does_not_come(name: str, button: str, sentence: str, scene: Scene, visitor: Newcomer) -> None:
    client_id, secret = people.portal_application(people.SABLE_STREET)
    scene.tenant(people.SABLE_STREET).revoke_consent(client_id)
    one = visitor()
    one.enter_as(scene.user(DELIA))
    one.open(reverse("business:install"))
    one.press("Install")
    one.page.get_by_label("I have saved the token").check()
    one.press("Next")
    fill_in(one, secret=secret)
    page = one.page
    page.get_by_label("Person").select_option(page.get_by_role("option", name=name).get_attribute("value"))
    one.press("Sign in")
    if button:
        one.press(button)
    one.reads(sentence)
    one.look()
    assert Connector.objects.get(company=scene.company(SABLE)).tenant_id == ""


def test_consent_in_another_browser_changes_nothing(scene: Scene, visitor: Newcomer) -> None:
    client_id, secret = people.portal_application(people.SABLE_STREET)
    scene.tenant(people.SABLE_STREET).revoke_consent(client_id)
    one, other = visitor(), visitor()
    one.enter_as(scene.user(DELIA))
    one.open(reverse("business:install"))
    one.press("Install")
    one.page.get_by_label("I have saved the token").check()
    one.press("Next")
    fill_in(one, secret=secret)
    one.open(reverse("business:step-auth", args=[Connector.objects.get(company=scene.company(SABLE)).pk]))
    link = one.page.locator("code", has_text="/adminconsent?").inner_text()
    other.page.goto(link.replace("\u200b", ""))
    consent_as(other, "Hattie Sable")
    assert other.heading == "Thank you"
    other.look()
    assert Connector.objects.get(company=scene.company(SABLE)).tenant_id == ""
    one.follow("Check again")
    one.reads("Connection Verified")
