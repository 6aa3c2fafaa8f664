"""Each thing that needs a person says on the connector's page how many, and leads to where it is mended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus
from tenants.roles import Role
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace", "Grace Hopper")


def notices(stage: Stage, role: Role) -> dict[str, str]:
    """Return the next step of each notice on the connector's page, and where it leads: '' where there is none."""
    client = Client()
    client.force_login(make_staff(stage.company.partner, role))
    before = f"/partner/companies/{stage.company.slug}/"
    page = client.get(f"{before}connectors/{stage.connector.pk}/").content.decode()
    several = re.search(r'<ul class="notice__list">.*?</ul>', page, re.DOTALL)
    if several:
        lines = re.findall(r"<li><b>([^<]+)\.</b>[^<]*(?:<a href=\"([^\"]*)\">)?", several[0])
        return {title: url.removeprefix(before) for title, url in lines}
    found = {}
    for part in page.split('<p class="notice__title">')[1:]:
        title, _, rest = part.partition("</p>")
        link = re.search(
            r'<a class="button button--(?:s|primary)" href="([^"]*)">', rest.partition('class="notice ')[0]
        )
        found[title] = link[1].removeprefix(before) if link else ""
    return found


def test_each_need_leads_to_where_it_is_mended(stage: Stage) -> None:
    number = stage.connector.pk
    Connector.objects.filter(pk=number).update(
        attention=[
            Attention.SYNC_GROUP_EMPTY,
            Attention.GROUP_UNREADABLE,
            Attention.SPARED,
            Attention.LICENCES_SHORT,
            Attention.HELD,
        ],
        secret_expires_on=timezone.now().date() + timedelta(days=7),
        unreachable_since=timezone.now(),
    )
    everything = {
        "Changes are held": f"connectors/{number}/held/",
        "Nobody is in the sync group": f"connectors/{number}/setup/groups/",
        "An additional group cannot be read": f"connectors/{number}/setup/groups/",
        "The last administrators are leaving": "users/?role=admin",
        "Licences are short": "users/?status=pending",
        "Microsoft is unreachable": f"connectors/{number}/runs/",
        "The secret or certificate expires soon": f"connectors/{number}/setup/azure/replace/?with=secret",
    }
    assert notices(stage, Role.PARTNER_ADMINISTRATOR) == everything
    # A viewer is not led to where only others may go.
    assert notices(stage, Role.PARTNER_VIEWER) == {
        title: "" if "/setup/" in url else url for title, url in everything.items()
    }


def test_several_needs_are_one_notice_and_a_single_one_has_its_button(stage: Stage) -> None:
    client = Client()
    client.force_login(make_staff(stage.company.partner))
    address = f"/partner/companies/{stage.company.slug}/connectors/{stage.connector.pk}/"
    told = {}
    for attention in ([], [Attention.SPARED], [Attention.SPARED, Attention.SKIPPED, Attention.LICENCES_SHORT]):
        Connector.objects.filter(pk=stage.connector.pk).update(attention=attention)
        page = client.get(address).content.decode()
        titles = re.findall(r'<p class="notice__title">([^<]+)</p>', page)
        told[len(attention)] = (titles, page.count('class="notice__do"'), page.count("<li><b>"))
    assert told == {
        0: ([], 0, 0),
        1: (["The last administrators are leaving"], 1, 0),
        3: (["3 things need a person"], 0, 3),
    }


def test_an_unauthorized_connector_leads_to_azure_auth(stage: Stage) -> None:
    Connector.objects.filter(pk=stage.connector.pk).update(
        status=ConnectorStatus.UNAUTHORIZED, status_sentence="A Conditional Access policy blocks this application."
    )
    azure = f"connectors/{stage.connector.pk}/setup/azure/"
    assert notices(stage, Role.PARTNER_TECHNICIAN) == {"Microsoft refuses the connection": azure}
    assert notices(stage, Role.PARTNER_VIEWER) == {"Microsoft refuses the connection": ""}
