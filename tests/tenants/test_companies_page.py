"""The list of companies: who is on it, what a search finds, what it offers to whom, and a new company's first step."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tenants.models import Company
from tests.world import Cast, entering, make_account, make_company

pytestmark = pytest.mark.django_db

LIST = "/partner/tenants/company/"


def names(client: Client, query: str = "") -> list[str]:
    return [company.name for company, _, _ in client.get(f"{LIST}{query}", follow=True).context["companies"]]


def test_lists_ones_own_and_finds_by_name(cast: Cast) -> None:
    maren = entering(cast.maren)
    assert names(maren) == ["Brightwater Logistics", "Sable Street Brewing"]
    assert names(maren, "?q=sable") == ["Sable Street Brewing"]
    assert names(maren, "?q=quarrystone") == []
    assert "Quarrystone Legal" not in names(maren, f"?partner__id__exact={cast.elsewhere.pk}")
    assert "No company fits this search" in maren.get(f"{LIST}?q=quarrystone").content.decode()
    operator = entering(cast.operator)
    assert names(operator, f"?partner__id__exact={cast.elsewhere.pk}") == ["Quarrystone Legal"]


def test_names_partners_only_to_who_sees_several(cast: Cast) -> None:
    told = {who: entering(getattr(cast, who)).get(LIST).context["partners"] for who in ("operator", "maren")}
    assert {who: [one["label"] for one in partners] for who, partners in told.items()} == {
        "operator": ["Harbour Ridge IT", "Northgate Systems"],
        "maren": [],
    }


def test_leads_to_each_company_and_lets_administrators_add_and_change(cast: Cast) -> None:
    make_account(cast.brightwater, "pending")
    pages = {who: entering(getattr(cast, who)).get(LIST).content.decode() for who in ("maren", "tomasz", "viewer")}
    for page in pages.values():
        assert f'href="/partner/companies/{cast.brightwater.slug}/"' in page
        assert "<b>1 of 210</b> licences in use" in page
        assert '<td class="num tight" data-label="Pending">1</td>' in page
    offered = {who: ("Add company" in page, "Settings" in page) for who, page in pages.items()}
    assert offered == {"maren": (True, True), "tomasz": (False, False), "viewer": (False, False)}


def test_licences_are_said_in_full_words_and_readable_numbers(cast: Cast) -> None:
    company = cast.brightwater
    said = []
    for licences in (3000, 1, None):
        company.licences = licences
        company.save()
        for page in (LIST, f"/partner/companies/{company.slug}/users/"):
            [words] = re.findall(
                r"<span><b>([\d, of]+)</b>([^<]*)</span>", entering(cast.maren).get(page).content.decode()
            )[:1]
            said.append("".join(words))
    each = ["1 of 3,000 licences in use", "1 of 1 licence in use", "1 licence in use, unlimited"]
    assert said == [words for words in each for _ in range(2)]


def test_pages_through_many(cast: Cast) -> None:
    for number in range(60):
        make_company(cast.harbour, f"Company {number:02d}")
    maren = entering(cast.maren)
    assert len(names(maren)) == 50
    page = maren.get(f"{LIST}?q=company")
    assert page.context["next_url"] == "?p=2&q=company"
    assert names(maren, "?p=2&q=company") == [f"Company {number}" for number in range(50, 60)]


def test_the_first_of_all(cast: Cast) -> None:
    Company.objects.visible_to(cast.maren).update(partner=cast.elsewhere)
    assert "Add your first company" in entering(cast.maren).get(LIST).content.decode()
    assert "An administrator of your partner adds them." in entering(cast.viewer).get(LIST).content.decode()


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/partner/", "Fleet"),
        ("/partner/tenants/company/", "Companies"),
        ("/partner/tenants/company/add/", "Companies"),
        ("/partner/tenants/account/", "Companies"),
        ("/partner/connectors/syncrun/", "Fleet"),
        ("/partner/companies/brightwater-logistics/users/", "Companies"),
    ],
)
def test_the_navigation_follows_the_work_and_says_where_one_is(cast: Cast, path: str, part: str) -> None:
    entries = entering(cast.maren).get(path).context["navigation"]
    assert [entry.label for entry in entries] == ["Fleet", "Companies", "Activity", "Staff"]
    assert [entry.label for entry in entries if entry.current] == [part]
