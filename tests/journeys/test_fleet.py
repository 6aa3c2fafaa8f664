"""A technician's morning: from the fleet to a company and its connector, and one rule set for several companies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from connectors.models import Connector
from connectors.states import Situation
from connectors.sync.load import rules_of
from tests.demo import fleet_rows
from tests.demo.fleet import make_tenants
from tests.journeys.browsing import Visitor
from tests.journeys.scene import MAREN, Scene

Newcomer = Callable[..., Visitor]


@pytest.fixture
def fleet(scene: Scene) -> Scene:
    make_tenants(scene.emulator)
    fleet_rows.seed_fleet()
    return scene


def connector_of(company: str) -> Connector:
    found: Connector = Connector.objects.get(company__name=company)
    return found


def test_from_the_fleet_to_a_company_and_its_connector(fleet: Scene, visitor: Newcomer) -> None:
    one = visitor()
    one.enter_as(fleet.user(MAREN))
    one.open("/")
    assert (one.page.url, one.heading) == (f"{fleet.origin}{reverse('admin:index')}", "Fleet")
    first = one.page.locator("tbody tr:not(.table__group)").first
    assert "Aldermoor Dental Group" in first.inner_text()
    one.look()
    one.page.get_by_label("Company or domain").fill("coldwater")
    one.press("Filter")
    assert one.page.url.endswith("?q=coldwater&status=&attention=&secret=")
    one.reads("12 changes are held")
    one.follow("Coldwater Marine")
    assert one.heading == "Microsoft Entra ID"
    one.follow("Connectors")
    assert one.heading == "Connectors"
    one.follow("Companies")
    one.page.get_by_label("Company", exact=True).fill("coldwater")
    one.press("Search")
    one.follow("Coldwater Marine")
    assert one.heading == "Connectors"


def test_one_rule_set_for_several_companies(fleet: Scene, visitor: Newcomer) -> None:
    one = visitor()
    one.enter_as(fleet.user(MAREN))
    one.open(reverse("admin:index"))
    names = ("Coldwater Marine", "Te Awa Health", "Fjordlys Energi AS")
    for name in names:
        one.page.get_by_role("checkbox", name=f"Select {name}").check()
    one.reads("3 selected")
    one.page.get_by_text("Actions", exact=True).click()
    with one.page.expect_navigation():
        one.page.get_by_role("button", name="Apply a rule set…").click()
    assert one.heading == "Apply a rule set to 3 connectors"
    one.page.get_by_label("Somebody is removed from the sync group").select_option("nothing")
    one.press("Show what it would do")
    one.reads("12 Disabled, held until a person decides")
    one.page.get_by_text("Nobody is concerned now.").nth(1).wait_for()
    one.look()
    one.page.get_by_role("checkbox", name="Te Awa Health").uncheck()
    one.press("Apply to those selected")
    assert one.heading == "2 of 2 took the rule set"
    one.look()
    saved = {name: rules_of(connector_of(name)).actions[Situation.REMOVED].value for name in names}
    assert saved == {"Coldwater Marine": "nothing", "Te Awa Health": "disable", "Fjordlys Energi AS": "nothing"}


def test_a_rule_set_without_script(fleet: Scene, visitor: Newcomer) -> None:
    one = visitor(script=False)
    one.enter_as(fleet.user(MAREN))
    row = connector_of("Te Awa Health")
    one.open(f"{reverse('admin:fleet-rules')}?connectors={row.pk}")
    one.page.get_by_label("Somebody comes back").select_option("pending")
    one.press("Show what it would do")
    one.follow("See what it would do there")
    one.reads("Nobody is concerned now.")
    one.look()
    one.follow("Seen: back to the rule set")
    one.press("Apply to those selected")
    assert one.heading == "1 of 1 took the rule set"
    assert rules_of(row).actions[Situation.RETURNED].value == "pending"
