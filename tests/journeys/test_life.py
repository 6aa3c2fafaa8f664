"""A connector's life after its installation: removed and installed again, and what went wrong put right."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import reverse

from connectors.models import Connector
from connectors.states import ConnectorStatus
from tenants.models import Account
from tenants.states import ManagedBy
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import MAREN, SABLE, Scene
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
