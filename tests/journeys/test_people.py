"""What an administrator does with a company's people, and how people sign in."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import reverse

from tenants.models import Account
from tenants.states import AccountStatus
from tests import world
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import AMARA, BRIGHTWATER, MAREN, SABLE, Scene

Newcomer = Callable[..., Visitor]
SEEN = """() => {
  const box = document.activeElement.getBoundingClientRect();
  return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === document.activeElement;
}"""
"""Whether what has the focus is there to be seen."""


def test_disabling_several_asks_first(scene: Scene, visitor: Newcomer) -> None:
    company = scene.company(BRIGHTWATER)
    chosen = [
        world.make_account(company, first_name="Ada", last_name=f"Zimmer {number}", email=f"ada{number}@zimmer.example")
        for number in (1, 2)
    ]
    one = visitor()
    one.enter_as(scene.user(AMARA))
    one.open(reverse("business:users"))
    bar = one.page.get_by_role("group", name="Actions for the selection", include_hidden=True)
    assert bar.is_visible() is False
    for account in chosen:
        one.page.get_by_role("checkbox", name=account.email).check()
    assert bar.locator("[data-ticked]").inner_text() == "2 selected"
    one.look()
    one.press("Actions for those selected…")
    assert one.heading == "2 people: what shall happen?"
    one.look()
    one.press("Disable: 2 people")
    one.reads("Disable: done for 2 people.")
    one.look()
    named = Account.objects.filter(pk__in=[account.pk for account in chosen])
    assert set(named.values_list("status", flat=True)) == {AccountStatus.DISABLED}


def test_from_an_email_to_why_without_script(scene: Scene, visitor: Newcomer) -> None:
    world.make_account(scene.company(SABLE), first_name="Ada", last_name="Zimmer", email="ada@zimmer.example")
    one = visitor(script=False)
    one.enter_as(scene.user(MAREN))
    one.open(reverse("admin:index"))
    one.page.get_by_role("banner").get_by_label("Find a company or person").fill("ada@zimmer")
    one.strike("Enter")
    assert one.heading == "Find a company or person"
    one.look()
    one.follow("Why? Ada Zimmer")
    assert reverse("partner:why", args=[scene.company(SABLE).slug]) in one.page.url
    one.page.set_viewport_size({"width": 390, "height": 800})
    with one.page.expect_navigation():
        one.page.get_by_role("banner").get_by_role("link", name="Find a company or person").click()
    assert one.heading == "Find a company or person"


def test_heads_sort_with_the_keyboard_also_on_a_phone(scene: Scene, visitor: Newcomer) -> None:
    for name in ("Abel", "Berg"):
        world.make_account(scene.company(SABLE), first_name="Ada", last_name=name, email=f"{name}@zimmer.example")
    one = visitor()
    one.enter_as(scene.user(MAREN))
    for width in (1280, 390):
        one.page.set_viewport_size({"width": width, "height": 800})
        one.open(f"{reverse('partner:users', args=[scene.company(SABLE).slug])}?sort=name")
        one.go_to("Name", "link")
        assert one.page.evaluate(SEEN) is True
        one.strike("Enter")
        assert one.page.url.endswith("?sort=-name")
        assert "Marsh" in one.page.locator("tbody tr").first.inner_text()


def test_signing_in_with_a_password(scene: Scene, visitor: Newcomer) -> None:
    one = visitor()
    one.open(reverse("admin:tenants_company_changelist"))
    assert one.heading == "Sign in"
    one.page.get_by_label("Email").fill(MAREN)
    one.page.get_by_label("Password").fill("not this one")
    one.press("Sign in")
    one.reads("Email and password do not belong together.")
    one.page.get_by_label("Password").fill(world.PASSWORD)
    one.press("Sign in")
    assert one.page.url == f"{scene.origin}{reverse('admin:tenants_company_changelist')}"
    one.page.get_by_text("Maren Lindqvist").first.click()
    one.page.get_by_role("button", name="Sign out").click()
    one.page.wait_for_url(f"**{reverse('account_login')}")


def test_signing_in_with_microsoft(scene: Scene, visitor: Newcomer) -> None:
    tenant = scene.tenant(people.SABLE_STREET)
    owen = tenant.user("Owen Marsh")
    world.make_account(
        scene.company(SABLE),
        first_name="Owen",
        last_name="Marsh",
        email="owen.marsh@sablestreet.example",
        directory_tenant_id=tenant.id,
        directory_object_id=owen.id,
    )
    for name, heading in (("Lena Fischer", "You cannot sign in this way"), ("Owen Marsh", "Your sign-in")):
        one = visitor()
        one.open(reverse("account_login"))
        one.press("Sign in with Microsoft")
        page = one.page
        page.get_by_label("Person").select_option(page.get_by_role("option", name=name).get_attribute("value"))
        one.press("Sign in")
        one.press("Accept")
        assert one.heading == heading
        one.look()
