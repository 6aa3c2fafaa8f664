"""A connector's life after its installation: removed and installed again, and what went wrong put right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from connectors import decisions
from connectors.models import Connector
from connectors.states import ConnectorStatus
from tenants.models import Account
from tenants.states import AccountStatus, ManagedBy
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import DELIA, MAREN, SABLE, Scene
from tests.world import PASSWORD

Newcomer = Callable[..., Visitor]


def managed(scene: Scene) -> dict[str, str]:
    """Map the addresses of everybody with a Microsoft identity to who manages their account."""
    known = Account.objects.filter(company=scene.company(SABLE)).exclude(directory_object_id="")
    return dict(known.values_list("email", "managed_by"))


def test_removed_and_installed_again(scene: Scene, visitor: Newcomer) -> None:
    connector = scene.connect(SABLE, people.SABLE_STREET, additional=("Brewers",))
    before = managed(scene)
    assert set(before.values()) == {ManagedBy.AZURE_AD}
    one = visitor()
    one.enter_as(scene.user(MAREN))
    one.open(reverse("partner:connector", args=[connector.company.slug, connector.pk]))
    one.follow("Remove this connector…")
    assert one.heading == "Confirm it is you"
    one.page.get_by_label("Password").fill(PASSWORD)
    one.press("Confirm")
    assert one.heading == "Remove Microsoft Entra ID?"
    one.look()
    one.press(f"Remove, and hand back {len(before)} accounts")
    one.reads("Nothing is synchronised any more")
    one.look()
    connector.refresh_from_db()
    assert (connector.status, connector.secret) == (ConnectorStatus.REMOVED, None)
    assert managed(scene) == dict.fromkeys(before, ManagedBy.PB)

    # The same tenant again: nobody is new.
    one.follow("Install")
    one.press("Install")
    one.page.get_by_label("I have saved the token").check()
    one.press("Next")
    client_id, secret = people.portal_application(people.SABLE_STREET)
    one.page.get_by_label("Client ID").fill(client_id)
    one.page.get_by_label("Client Secret").fill(secret)
    one.page.get_by_label("Tenant ID").fill(people.SABLE_STREET)
    one.press("Verify Connection")
    one.reads("Connection Verified")
    one.follow("Next")
    one.press("Use as sync group", of=people.SYNC_GROUP)
    one.press("Select", of="Brewers")
    one.follow("Next")
    one.reads(": 8 people in")
    one.press("Save Changes")
    one.reads("Waiting for connect")
    scene.work()
    one.reads("Connected")
    assert managed(scene) == before
    newest = Connector.objects.filter(company=scene.company(SABLE)).latest("pk")
    assert newest.links.count() == len(before)
    one.open(reverse("partner:connectors", args=[connector.company.slug]))
    one.reads("Their history is kept.")
    one.look()


def test_a_wrong_mass_removal_is_put_right(scene: Scene, visitor: Newcomer) -> None:
    connector = scene.connect(SABLE, people.SABLE_STREET)
    tenant = scene.tenant(people.SABLE_STREET)
    group = tenant.group(people.SYNC_GROUP)
    before = set(Account.objects.filter(link__connector=connector, status=AccountStatus.ACTIVE))
    for person in list(tenant.people_in(group.id, direct=True)):
        if not person.display_name.startswith("Hattie"):
            tenant.remove_member(group.id, person.id)
    scene.synchronise(connector)
    number = len(decisions.holds_of(connector))
    assert number > 4

    # Somebody approves too quickly.
    one = visitor()
    one.enter_as(scene.user(DELIA), sure=True)
    one.open(reverse("business:held", args=[connector.pk]))
    one.follow(f"Disable these {number}…")
    one.press(f"Disable exactly these {number}")
    one.reads(f"Approved for {number} people.")
    scene.work()
    one.reads(f"{number} disabled")
    lost = Account.objects.filter(link__connector=connector, status=AccountStatus.DISABLED).count()
    assert lost == number

    # And sees it on the very page of that run.
    one.follow("Put this run right…")
    assert one.heading == f"Bring back {lost} people?"
    one.look()
    one.press(f"Bring back and keep {lost} people")
    one.reads(f"The run is put right: {lost} enabled.")
    one.look()
    scene.work()
    scene.synchronise(connector)
    assert set(Account.objects.filter(link__connector=connector, status=AccountStatus.ACTIVE)) == before


def test_paused_and_resumed(scene: Scene, visitor: Newcomer) -> None:
    connector = scene.connect(SABLE, people.SABLE_STREET)
    one = visitor()
    one.enter_as(scene.user(MAREN))
    page = reverse("partner:connector", args=[connector.company.slug, connector.pk])
    one.open(page)
    one.follow("Pause…")
    one.page.get_by_label("Reason").fill("The tenant moves to another domain")
    one.page.get_by_label("Until").fill(f"{timezone.now() + timedelta(days=2):%Y-%m-%dT%H:%M}")
    one.press("Pause Microsoft Entra ID")
    one.reads("The tenant moves to another domain.")
    one.reads("It goes on by itself then")
    one.look()
    tenant = scene.tenant(people.SABLE_STREET)
    person = tenant.people_in(tenant.group(people.SYNC_GROUP).id, direct=True)[0]
    tenant.remove_member(tenant.group(people.SYNC_GROUP).id, person.id)

    # Seen first, then confirmed, then done.
    one.follow("Resume…")
    one.reads("What the next run would do")
    one.reads(person.display_name)
    one.look()
    one.press("Resume Microsoft Entra ID")
    one.reads("is resumed. The first run begins within seconds.")
    scene.work()
    connector.refresh_from_db()
    assert (connector.paused_at, connector.status) == (None, ConnectorStatus.CONNECTED)
    assert Account.objects.get(directory_object_id=person.id).status == AccountStatus.DISABLED


def test_a_setting_is_changed_after_its_difference_was_seen(scene: Scene, visitor: Newcomer) -> None:
    connector = scene.connect(SABLE, people.SABLE_STREET)
    tenant = scene.tenant(people.SABLE_STREET)
    person = tenant.people_in(tenant.group(people.SYNC_GROUP).id, direct=True)[0]
    tenant.disable_user(person.id)
    one = visitor()
    one.enter_as(scene.user(DELIA))
    one.open(reverse("business:step-rules", args=[connector.pk]))
    one.page.get_by_label("Somebody is disabled in Entra").select_option(value="nothing")
    one.page.get_by_label("Send invitations").uncheck()
    one.page.locator("#preview a.small[href*='disabled=nothing']:not([href*=send_invitations])").wait_for()
    one.follow("See all, and search")
    one.reads("What this would change")
    one.reads("The sync rule says: do nothing.")
    one.look()
    connector.refresh_from_db()
    assert connector.send_invitations

    one.press("Save Changes")
    one.reads("The rules and settings are saved. The next run follows them.")
    scene.work()
    connector.refresh_from_db()
    assert not connector.send_invitations
    assert Account.objects.get(directory_object_id=person.id).status == AccountStatus.ACTIVE
    one.open(reverse("business:step-rules", args=[connector.pk]))
    one.page.get_by_label("Somebody is disabled in Entra").select_option(value="disable")
    one.page.locator("#preview a.small[href*='disabled=disable']").wait_for()
    one.follow("See all, and search")
    one.reads(person.display_name)
    one.press("Save Changes")
    scene.work()
    assert Account.objects.get(directory_object_id=person.id).status == AccountStatus.DISABLED
