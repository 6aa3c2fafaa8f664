"""The pages of requests that lead nowhere: ours in look and words, and silent about everybody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client
from django.urls import path
from django.utils.html import strip_tags

from pbportal.urls import handler403, handler404
from pbportal.urls import urlpatterns as routes
from tenants.models import User
from tenants.states import AccountStatus
from tests.world import Cast, make_account

pytestmark = pytest.mark.django_db


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the password is swordfish")


urlpatterns = [path("broken/", broken), *routes]
__all__ = ["handler403", "handler404", "urlpatterns"]


def visit(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def words(answer: Any) -> str:
    """Return what a page says, without its markup."""
    return " ".join(strip_tags(answer.content.decode()).split())


def test_a_foreign_company_and_none_at_all_are_one_page(cast: Cast) -> None:
    assert cast.amara.user is not None
    for user, inside, foreign, nothing in (
        (
            cast.maren,
            f"/partner/companies/{cast.brightwater.slug}/users/",
            f"/partner/companies/{cast.quarrystone.slug}/users/",
            "/partner/companies/none-such/users/",
        ),
        (cast.amara.user, "/business/users/", f"/partner/companies/{cast.quarrystone.slug}/users/", "/nothing/here/"),
    ):
        client = visit(user)
        assert client.get(inside).status_code == 200
        seen = [client.get(address) for address in (foreign, nothing)]
        assert [answer.status_code for answer in seen] == [404, 404]
        assert words(seen[0]) == words(seen[1])
        assert "We could not find that page" in words(seen[0])
        assert cast.quarrystone.name not in words(seen[0])


def test_each_sees_the_own_portal_around_it(cast: Cast) -> None:
    assert cast.amara.user is not None
    seen = {
        name: words(visit(user).get("/nothing/here/"))
        for name, user in (("staff", cast.maren), ("company", cast.amara.user), ("stranger", None))
    }
    assert {name: "Partner portal" in text for name, text in seen.items()} == {
        "staff": True,
        "company": False,
        "stranger": False,
    }
    assert {name: "Brightwater Logistics" in text for name, text in seen.items()} == {
        "staff": False,
        "company": True,
        "stranger": False,
    }
    assert "Sign in" in seen["stranger"]


def test_who_has_left_is_told_of_no_company(cast: Cast) -> None:
    gone = make_account(cast.brightwater, AccountStatus.DISABLED, claimed=True)
    assert cast.brightwater.name not in words(visit(gone.user).get("/nothing/here/"))


def test_without_the_right_it_says_who_has_it(cast: Cast) -> None:
    ordinary = make_account(cast.brightwater, claimed=True)
    address = "/business/connectors/"
    answer = visit(ordinary.user).get(address)
    assert (answer.status_code, visit(cast.amara.user).get(address).status_code) == (403, 200)
    assert "An administrator of your company can do this, or give you the right to." in words(answer)
    viewer = visit(cast.viewer).get(f"/partner/companies/{cast.brightwater.slug}/connectors/install/")
    assert viewer.status_code == 403
    assert "A partner administrator can do this, or give you the right to." in words(viewer)


def test_a_page_from_before_signing_in_says_so(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.maren)
    answer = client.post("/accounts/logout/", {"csrfmiddlewaretoken": "x" * 64})
    assert answer.status_code == 403
    assert "That page was out of date" in words(answer)


def test_a_request_that_no_page_sends_is_refused_in_words() -> None:
    answer = visit(None).get("/accounts/login/?" + "x&" * 2000)
    assert answer.status_code == 400
    assert "We could not read that request" in words(answer)


@pytest.mark.urls(__name__)
def test_our_own_mistake_shows_nothing_of_it(cast: Cast) -> None:
    answer = visit(cast.maren).get("/broken/")
    assert answer.status_code == 500
    assert "it is our mistake" in words(answer)
    assert "swordfish" not in answer.content.decode()


def test_our_own_mistake_asks_the_database_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert "it is our mistake" in render_to_string("500.html")
