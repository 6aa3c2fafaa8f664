"""The fleet's page: who is on it and in which order, what a line says, whom a filter finds, and what roles may do."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from connectors.fleet import Bar
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.views.strip import draw
from tenants.models import AuditEntry, Company, StaffMembership
from tenants.roles import Role
from tests.connectors.fleet_scene import Fleet, hold, make_connector, make_run
from tests.connectors.wizard_scene import text_of
from tests.world import make_account, make_company, make_operator, make_partner, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def a_fleet_of_all_kinds(fleet: Fleet) -> None:
    """Save a company of each kind."""
    today = timezone.now().date()
    fleet.connector("Fjordlys Energi", people=2)
    fleet.connector("Aldermoor Dental", ConnectorStatus.UNAUTHORIZED)
    hold(fleet.connector("Brightwater Logistics", people=3), 2)
    fleet.connector("Oakhaven Trust", secret_expires_on=today + timedelta(days=5))
    fleet.connector("Kestrel Architects", secret_expires_on=today - timedelta(days=1))
    fleet.connector("Haddad and Sons", ConnectorStatus.WAITING)
    fleet.connector("Sable Street Brewing", ConnectorStatus.SETUP_INCOMPLETE)
    fleet.connector("Meridian Legal", paused_at=timezone.now(), paused_by="Tomasz")
    fleet.company("Never Installed")
    fleet.connector("Gone Away", ConnectorStatus.REMOVED)


WORST_FIRST = [
    "Aldermoor Dental",
    "Kestrel Architects",
    "Brightwater Logistics",
    "Oakhaven Trust",
    "Meridian Legal",
    "Sable Street Brewing",
    "Haddad and Sons",
    "Fjordlys Energi",
    "Gone Away",
    "Never Installed",
]


def test_the_worst_come_first_and_companies_without_a_connector_are_there_too(fleet: Fleet) -> None:
    a_fleet_of_all_kinds(fleet)
    assert fleet.names() == WORST_FIRST
    page = text_of(fleet.get())
    for words in (
        "8 connectors in 10 companies",
        "Need a person now 3",
        "To keep an eye on 3",
        "Fine 2",
        "Without a connector 2",
        "Microsoft refuses the connection The client secret is wrong. Enter a new secret",
        "2 changes are held",
        "Step 2 of 4 is next Nothing is synchronised yet. Continue setup",
        "Not installed Its connector was removed on 3 Nov 2026. Nobody is synchronised. Install",
        "Not installed Nobody is synchronised. Install",
    ):
        assert words in page, words


def test_another_partners_companies_are_neither_listed_nor_counted(fleet: Fleet) -> None:
    other = make_partner("Northgate Systems")
    row = make_connector(make_company(other, "Quarrystone Legal"), people=4)
    fleet.connector("Fjordlys Energi", people=2)
    page = text_of(fleet.get())
    assert ("Fjordlys" in page, "Quarrystone" in page, "Northgate" in page) == (True, False, False)
    assert "1 connector in 1 company" in page
    assert fleet.names("?q=quarrystone") == []
    assert fleet.names(f"?partner={other.pk}") == []
    operator = fleet.enter(make_operator())
    assert fleet.names(client=operator) == ["Fjordlys Energi", "Quarrystone Legal"]
    assert fleet.names(f"?partner={other.pk}", operator) == ["Quarrystone Legal"]
    assert "No connector is selected" in fleet.act("pause", row)
    assert Connector.objects.filter(paused_at=None).count() == 2


FOUND = {
    "?q=KEST": ["Kestrel Architects"],
    "?q=meridian-legal.example": ["Meridian Legal"],
    "?q=nobody": [],
    "?status=unauthorized": ["Aldermoor Dental"],
    "?status=none": ["Gone Away", "Never Installed"],
    "?status=removed": ["Gone Away"],
    "?attention=paused": ["Meridian Legal"],
    "?attention=secret_expires": ["Oakhaven Trust"],
    "?secret=ended": ["Kestrel Architects"],
    "?secret=7": ["Kestrel Architects", "Oakhaven Trust"],
    "?secret=unknown&status=waiting": ["Haddad and Sons"],
    "?show=attention": ["Aldermoor Dental", "Kestrel Architects", "Brightwater Logistics"],
    "?show=approval": ["Brightwater Logistics"],
    "?show=secrets": ["Kestrel Architects", "Oakhaven Trust"],
    "?show=accounts": ["Brightwater Logistics", "Fjordlys Energi"],
    "?show=short": [],
    "?status=made-up&attention=%00&secret=x&partner=me&show=all&page=zero": WORST_FIRST,
}


@pytest.mark.parametrize("query", FOUND)
def test_a_filter_finds(fleet: Fleet, query: str) -> None:
    a_fleet_of_all_kinds(fleet)
    assert fleet.names(query) == FOUND[query]


def test_each_figure_is_a_link_to_as_many_lines_as_it_says(fleet: Fleet) -> None:
    a_fleet_of_all_kinds(fleet)
    figures = fleet.get().context["figures"]
    assert {one.label: one.value for one in figures} == {
        "Connected": "5",
        "Need a person now": "3",
        "Waiting for approval": "1",
        "Secrets end soon": "2",
        "Accounts": "5",
        "Licences short": "0",
    }
    for one in figures:
        if one.label != "Accounts":
            assert len(fleet.names(one.url)) == int(one.value), one.label
    filtered = fleet.get("/partner/?q=kest&show=secrets&page=2").context["figures"]
    assert [(one.url, one.current) for one in filtered if one.label.startswith("Secrets")] == [("?q=kest", True)]
    assert [one.url for one in filtered if one.label == "Connected"] == ["?q=kest&show=connected"]


def test_accounts_with_unlimited_licences_are_told_apart_from_those_that_are_counted(fleet: Fleet) -> None:
    def note() -> str:
        [found] = [one for one in fleet.get().context["figures"] if one.label == "Accounts"]
        return f"{found.value} {found.note}"

    unlimited = fleet.connector("Harbour Lights", people=4).company
    assert note() == "4 licences are unlimited"
    limited = fleet.connector("Fjordlys Energi", people=2).company
    Company.objects.filter(pk=limited.pk).update(licences=1300)
    assert note() == "6 2 of 1,300 licences, and 4 unlimited"
    Company.objects.filter(pk=unlimited.pk).update(licences=4)
    assert note() == "6 of 1,304 licences"
    assert "2 2 of 1,300 used" in text_of(fleet.get())


def test_a_line_shows_its_runs_accounts_and_times(fleet: Fleet) -> None:
    row = fleet.connector("Fjordlys Energi", people=2, last_success_at=timezone.now())
    make_account(row.company)
    row.company.licences = 7
    row.company.save()
    make_run(row, 30, 3.5, quiet=True, times=300)
    make_run(row, 3.4, counts={"applied.create": 2})
    page = text_of(fleet.get())
    assert "2 3 of 7 used" in page
    [part] = fleet.get().context["parts"]
    words = part.lines[0].strip.words
    said = r"changes made \d\d:\d\d–\d\d:\d\d; otherwise nothing to do; no run in 3 of 24 hours"
    assert re.fullmatch(f"Runs in the last 24 hours: {said}", words)
    assert f'role="img" aria-label="{words}"' in fleet.get().content.decode()


def test_a_strip_tells_its_bars_apart_by_their_height() -> None:
    strip = draw(tuple(Bar) * 4 + (Bar.NONE,) * 4, timezone.now())
    heights = {css: re.match(r"M\d+ [\d.]+h5v([\d.]+)h-5z", path) for css, path in strip.paths}
    assert {css: found and found[1] for css, found in heights.items()} == {
        "s-none": "1.5",
        "s-ok": "5",
        "s-change": "11",
        "s-warn": "15",
        "s-bad": "20",
    }


def test_the_csv_holds_what_the_filter_finds_and_nothing_that_a_spreadsheet_executes(fleet: Fleet) -> None:
    a_fleet_of_all_kinds(fleet)
    make_connector(make_company(make_partner("Northgate Systems"), "Quarrystone Legal"))
    make_connector(fleet.company("=HYPERLINK(evil)", slug="evil"), people=1, name="+1")
    rows = list(csv.reader(io.StringIO(fleet.csv())))
    assert [row[0] for row in rows[1:]] == [*WORST_FIRST[:7], "'=HYPERLINK(evil)", *WORST_FIRST[7:]]
    assert {len(row) for row in rows} == {len(rows[0])}
    columns = dict(zip(rows[0], rows[8], strict=True))
    assert (columns["Connector"], columns["Status"], columns["Accounts"]) == ("'+1", "Connected", "1")
    held = list(csv.DictReader(io.StringIO(fleet.csv("?show=approval"))))
    assert [(row["Company"], row["Held"]) for row in held] == [("Brightwater Logistics", "2")]


def test_an_empty_fleet_says_what_will_be_there_and_the_first_step(fleet: Fleet) -> None:
    assert "Add your first company" in text_of(fleet.get())
    viewer = fleet.enter(make_staff(fleet.partner, Role.PARTNER_VIEWER))
    page = text_of(fleet.get(client=viewer))
    assert ("No connectors yet" in page, "Add your first company" in page) == (True, False)


# What is done to the ticked ones


def test_the_ticked_ones_are_synchronised_and_paused(fleet: Fleet) -> None:
    one, two = fleet.connector("Fjordlys Energi"), fleet.connector("Te Awa Health")
    draft = fleet.connector("Sable Street Brewing", ConnectorStatus.SETUP_INCOMPLETE)
    assert "Fjordlys Energi, Te Awa Health: paused." in fleet.act("pause", one, two)
    said = fleet.act("synchronise", one, draft)
    assert "Fjordlys Energi: The connector was paused by" in said
    assert "Sable Street Brewing: The connector's setup is not finished: finish it and save." in said
    Connector.objects.filter(pk=two.pk).update(paused_at=None)
    assert "Te Awa Health: a run was asked for." in fleet.act("synchronise", two)
    assert OrmQ.objects.count() == 1
    assert AuditEntry.objects.filter(action="connector.paused").count() == 2
    assert "No connector is selected" in fleet.act("pause")
    assert fleet.client.post("/partner/fleet/actions/", {"action": "explode"}).status_code == 404


def test_everything_that_the_filter_finds_is_acted_on_and_nothing_else(fleet: Fleet) -> None:
    rows = [fleet.connector(f"Fjordlys {number:02d}") for number in range(7)]
    other = fleet.connector("Te Awa Health")
    fleet.company("Fjordlys without")
    said = fleet.act("pause", other, query="?q=fjordlys", everything="1")
    assert "7 connectors: paused." in said
    assert set(Connector.objects.exclude(paused_at=None)) == set(rows)


def test_each_reason_is_told_once_with_those_it_holds_for(fleet: Fleet) -> None:
    rows = [fleet.connector(f"Draft {number}", ConnectorStatus.SETUP_INCOMPLETE) for number in range(7)]
    assert "7 connectors: This connector does not synchronise yet" in fleet.act("pause", *rows)


@pytest.mark.parametrize(
    ("role", "offered", "answer"),
    [
        (Role.PARTNER_ADMINISTRATOR, {"Synchronize Now", "Add company", "Install", "Enter a new secret"}, 302),
        (Role.PARTNER_TECHNICIAN, {"Synchronize Now", "Install", "Enter a new secret"}, 302),
        (Role.PARTNER_VIEWER, set(), 403),
    ],
)
def test_a_role_is_offered_what_it_may_do_and_refused_the_rest(role: Role, offered: set[str], answer: int) -> None:
    fleet = Fleet(role)
    row = fleet.connector("Aldermoor Dental", ConnectorStatus.UNAUTHORIZED)
    fleet.company("Never Installed")
    page = fleet.get()
    buttons = {"Synchronize Now", "Add company", "Install", "Enter a new secret"}
    assert {words for words in buttons if re.search(rf"\b{words}\b(?! it)", text_of(page))} == offered
    assert ("type=checkbox" in page.content.decode().replace('"', "")) == (role is not Role.PARTNER_VIEWER)
    posted = fleet.client.post("/partner/fleet/actions/", {"action": "synchronise", "selected": [row.pk]})
    assert posted.status_code == answer


def test_with_the_right_at_one_partner_alone_a_mixed_selection_is_refused_whole(fleet: Fleet) -> None:
    mine = fleet.connector("Fjordlys Energi")
    other = make_partner("Northgate Systems")
    looked_at = make_connector(make_company(other, "Quarrystone Legal"))
    both = make_staff(fleet.partner, Role.PARTNER_TECHNICIAN, name="Both")
    StaffMembership.objects.create(partner=other, user=both, role=Role.PARTNER_VIEWER)
    client = fleet.enter(both)
    data = {"action": "pause", "selected": [mine.pk, looked_at.pk]}
    assert client.post("/partner/fleet/actions/", data).status_code == 403
    assert Connector.objects.exclude(paused_at=None).count() == 0
    ticks = re.findall(r'name="selected" value="(\d+)"', client.get("/partner/").content.decode())
    assert ticks == [str(mine.pk)]
    fleet.act("pause", client=client, everything="1")
    assert list(Connector.objects.exclude(paused_at=None)) == [mine]


def test_the_page_costs_the_same_for_few_companies_and_for_three_hundred(fleet: Fleet) -> None:
    a_fleet_of_all_kinds(fleet)
    fleet.get()
    few = fleet.queries("/partner/")
    companies = Company.objects.bulk_create(
        Company(partner=fleet.partner, name=f"Company {number:03d}", slug=f"company-{number}") for number in range(300)
    )
    Connector.objects.bulk_create(
        Connector(company=company, status="connected", tenant_id=f"t{company.pk}", sync_group_id="g")
        for company in companies
    )
    for row in Connector.objects.filter(company__in=companies)[:20]:
        make_run(row, 2)
    assert fleet.queries("/partner/") == few
    assert fleet.queries("/partner/?show=connected&q=company&page=2") == few
    assert few <= 15
    many = fleet.queries("/partner/fleet.csv?q=company")
    assert fleet.queries("/partner/fleet.csv?q=kestrel") == many
    assert "Fine 44 of 302 on this page" in text_of(fleet.get())
