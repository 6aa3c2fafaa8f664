"""From a connector that needs a person to the run that does what was approved, in both portals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from connectors.models import Connector
from tenants.models import Account
from tenants.states import AccountStatus
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import DELIA, MAREN, SABLE, Scene
from tests.world import PASSWORD

Newcomer = Callable[..., Visitor]


def braked(scene: Scene) -> tuple[Connector, int]:
    """Connect Sable Street, and let everybody but two leave the group at once; return how many are held."""
    connector = scene.connect(SABLE, people.SABLE_STREET)
    tenant = scene.tenant(people.SABLE_STREET)
    group = tenant.group(people.SYNC_GROUP)
    for person in list(tenant.people_in(group.id, direct=True))[2:]:
        tenant.remove_member(group.id, person.id)
    scene.synchronise(connector)
    return connector, connector.marks.filter(kind="held").count()


def disabled(connector: Connector) -> int:
    return Account.objects.filter(link__connector=connector, status=AccountStatus.DISABLED).count()


@pytest.mark.parametrize(("portal", "who"), [("partner", MAREN), ("business", DELIA)])
def test_held_changes_are_approved_and_done(scene: Scene, visitor: Newcomer, portal: str, who: str) -> None:
    connector, number = braked(scene)
    assert number > 1
    company = [connector.company.slug] if portal == "partner" else []
    one = visitor(script=portal == "partner")
    one.enter_as(scene.user(who))
    if portal == "partner":
        one.open(reverse("admin:index"))
        one.page.get_by_role("link", name=SABLE, exact=True).click()
        one.page.wait_for_url(f"**/connectors/{connector.pk}/")
    else:
        one.open(reverse("business:connector", args=[connector.pk]))
    one.page.get_by_role("main").get_by_role("table").get_by_role("link").first.click()
    one.reads(f"{number} changes were held")
    one.follow("Held changes")
    assert one.heading == f"Disable {number} accounts?"
    one.follow(f"Disable these {number}…")
    assert one.heading == "Confirm it is you"
    one.page.get_by_label("Password").fill(PASSWORD)
    one.press("Confirm")
    assert one.heading == f"Disable exactly these {number}?"
    one.press(f"Disable exactly these {number}")
    one.reads(f"Approved for {number} people.")
    assert disabled(connector) == 0
    scene.work()
    if not one.script:
        one.follow("Reload")
    one.reads("by a decision about held changes")
    one.reads(f"{number} disabled")
    assert disabled(connector) == number
    one.look()
    one.open(reverse(f"{portal}:held", args=[*company, connector.pk]))
    one.reads("Nothing is held")


def test_one_is_approved_and_the_others_are_kept(scene: Scene, visitor: Newcomer) -> None:
    connector, number = braked(scene)
    one = visitor()
    one.enter_as(scene.user(MAREN), sure=True)
    one.open(reverse("partner:held", args=[connector.company.slug, connector.pk]))
    one.page.get_by_role("checkbox").first.check()
    one.press("Disable those selected…")
    one.press("Disable exactly this one")
    scene.work()
    one.reads("1 disabled")
    one.open(reverse("partner:held", args=[connector.company.slug, connector.pk]))
    one.follow(f"Keep these {number - 1} accounts…")
    one.press(f"Keep these {number - 1} accounts")
    scene.work()
    one.open(reverse("partner:held", args=[connector.company.slug, connector.pk]))
    one.reads("Nothing is held")
    assert disabled(connector) == 1
