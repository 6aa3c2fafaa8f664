"""The search over all companies: what it finds for whom, where each thing found leads, and what it costs."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.world import Cast, entering, make_account, make_company

pytestmark = pytest.mark.django_db

FIND = "/partner/find/"


def found(client: Client, text: str) -> tuple[list[str], list[str]]:
    """Return the names of the companies, and the addresses of the accounts, that a search lists."""
    context = client.get(FIND, {"q": text}).context
    return [one.name for one in context["companies"]], [one.account.email for one in context["people"]]


def said(client: Client, text: str) -> str:
    page = unescape(client.get(FIND, {"q": text}).content.decode()).partition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_finds_companies_and_people_by_every_word_that_was_typed(cast: Cast) -> None:
    ada = make_account(cast.brightwater, first_name="Ada", last_name="Lovelace", email="ada@brightwater.example")
    make_account(cast.sable, first_name="Ada", last_name="Byron", email="ada@sable.example")
    make_account(cast.quarrystone, first_name="Ada", last_name="King", email="ada@quarrystone.example")
    maren = entering(cast.maren)
    assert found(maren, "brightwater") == (["Brightwater Logistics"], [ada.email, cast.amara.email])
    assert found(maren, "  LOGISTICS  bright ") == (["Brightwater Logistics"], [])
    assert found(maren, "ada love") == ([], [ada.email])
    assert found(maren, "ada") == ([], ["ada@sable.example", ada.email])
    assert found(maren, "quarry") == ([], [])
    assert found(entering(cast.operator), "quarry ada") == ([], ["ada@quarrystone.example"])
    assert found(entering(cast.operator), "quarry")[0] == ["Quarrystone Legal"]
    assert "Nothing is called “quarry”" in said(maren, "quarry")


def test_each_leads_to_where_it_is_and_to_why(cast: Cast) -> None:
    ada = make_account(cast.brightwater, first_name="Ada", last_name="Lovelace", email="ada+1@brightwater.example")
    gone = make_account(cast.brightwater, "deleted", first_name="Ada", last_name="Gone", email="gone@bw.example")
    before = f"/partner/companies/{cast.brightwater.slug}/"
    people = entering(cast.viewer).get(FIND, {"q": "ada"}).context["people"]
    assert [(one.account, one.url, one.why_url) for one in people] == [
        (ada, f"{before}users/?q=ada%2B1%40brightwater.example", f"{before}why/?account={ada.pk}"),
        (gone, f"{before}users/?q=gone%40bw.example&status=deleted", f"{before}why/?account={gone.pk}"),
    ]
    for one in people:
        listed = entering(cast.viewer).get(one.url).context["found"]
        assert [account.pk for account in listed] == [one.account.pk]
    page = said(entering(cast.viewer), "ada")
    assert "Ada Lovelace ada+1@brightwater.example Brightwater Logistics Active Why?" in page
    company = entering(cast.viewer).get(FIND, {"q": "brightw"}).content.decode()
    assert f'<a class="cell-main" href="{before}"><bdi>Brightwater Logistics</bdi></a>' in company


@pytest.mark.parametrize("text", ["", " ", "a", " \x00a "])
def test_needs_two_letters(cast: Cast, text: str) -> None:
    maren = entering(cast.maren)
    assert found(maren, text) == ([], [])
    assert ("One letter is too few" in said(maren, text)) is ("a" in text)


def test_lists_fifty_of_each_and_says_that_there_are_more(cast: Cast) -> None:
    maren = entering(cast.maren)
    for number in range(50):
        make_account(
            make_company(cast.harbour, f"Many {number:02d}"), first_name="Manya", email=f"many{number}@x.example"
        )
    more = (
        "These are the first 50; more companies fit. Add a word to see fewer.",
        "These are the first 50; more people fit. Add a word to see fewer.",
    )
    assert [len(one) for one in found(maren, "many")] == [50, 50]
    assert [sentence in said(maren, "many") for sentence in more] == [False, False]
    make_account(make_company(cast.harbour, "Many more"), first_name="Manya", email="many@x.example")
    assert [len(one) for one in found(maren, "many")] == [50, 50]
    assert [sentence in said(maren, "many") for sentence in more] == [True, True]


def test_costs_the_same_for_few_and_for_many(cast: Cast) -> None:
    client = entering(cast.maren)
    costs = []
    for size in (1, 30):
        for number in range(size):
            make_account(make_company(cast.harbour, f"Many {size} {number}"), first_name="Manya")
        with CaptureQueriesContext(connection) as queries:
            assert client.get(FIND, {"q": "many"}).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1]


def test_is_in_the_header_of_the_partner_portal_alone(cast: Cast) -> None:
    form = f'<form class="site__find" role="search" method="get" action="{FIND}">'
    paths = ("/partner/", "/partner/tenants/account/", "/accounts/2fa/", "/partner/nothing/")
    assert [form in entering(cast.maren).get(path).content.decode() for path in paths] == [True] * 4
    assert cast.amara.user is not None
    own = entering(cast.amara.user)
    assert [form in own.get(path).content.decode() for path in ("/business/users/", "/account/")] == [False] * 2
    assert own.get(FIND).status_code == 302
