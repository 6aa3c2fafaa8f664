"""Pages that ask again who somebody is: whom, when, and that nothing chosen before is lost by it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from tenants.models import User
from tenants.portals import place_page
from tenants.roles import Can, Role
from tenants.signin.again import FORM_SECONDS, asks_again
from tests.world import PASSWORD, confirm_again, make_company, make_staff

pytestmark = pytest.mark.django_db

CHOSEN = "/partner/companies/x/connectors/1/held/decide/?p=ada&p=ben"
AGAIN = (
    "/accounts/reauthenticate/?next=%2Fpartner%2Fcompanies%2Fx%2Fconnectors%2F1%2Fheld%2Fdecide%2F%3Fp%3Dada%26p%3Dben"
)


@asks_again
def page(request: HttpRequest, word: str) -> HttpResponse:
    return HttpResponse(f"{request.method} {word}")


@pytest.fixture
def maren() -> User:
    return make_staff(make_company().partner)


def request_of(user: User, method: str, seconds_ago: float | None) -> HttpRequest:
    client = Client()
    client.force_login(user)
    if seconds_ago is not None:
        confirm_again(client, seconds_ago=seconds_ago)
    request: HttpRequest = getattr(RequestFactory(), method)(CHOSEN)
    request.user = user
    request.session = SessionStore(client.session.session_key)
    setattr(request, "_messages", _Said())  # noqa: B010 (a plain assignment is no attribute that Django's types know)
    return request


class _Said(list[Any]):
    """Gather messages as the middleware would."""

    def add(self, level: int, message: str, extra_tags: str = "") -> None:
        self.append(message)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("seconds_ago", [None, FORM_SECONDS + 60])
def test_who_has_not_confirmed_lately_is_asked_and_led_back(
    maren: User, method: str, seconds_ago: float | None
) -> None:
    request = request_of(maren, method, seconds_ago)
    answer = page(request, "done")
    assert (answer.status_code, answer.headers["Location"]) == (302, AGAIN)
    said = [str(one).partition(":")[0] for one in get_messages(request)]
    assert said == (["Nothing has been done yet"] if method == "post" else [])


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_has_just_confirmed_acts(maren: User, method: str) -> None:
    answer = page(request_of(maren, method, 10), "done")
    assert isinstance(answer, HttpResponse)
    assert answer.content.decode() == f"{method.upper()} done"


def test_a_form_may_lie_open_for_longer_than_its_page_is_shown_without_asking(maren: User) -> None:
    asked = {method: page(request_of(maren, method, 600), "done").status_code for method in ("get", "post")}
    assert asked == {"get": 302, "post": 200}


def test_who_may_not_act_is_refused_and_not_asked() -> None:
    company = make_company()

    @place_page(Can.RULE_CONNECTORS)
    @asks_again
    def guarded(request: HttpRequest, place: object) -> HttpResponse:
        return HttpResponse("done")

    request = request_of(make_staff(company.partner, Role.PARTNER_TECHNICIAN), "get", None)
    request.resolver_match = type("Match", (), {"namespace": "partner"})()
    with pytest.raises(PermissionDenied):
        guarded(request, company=company.slug)


def test_the_password_leads_back_to_what_was_chosen(maren: User) -> None:
    client = Client()
    client.force_login(maren)
    answer = client.post(AGAIN, {"password": PASSWORD, "next": CHOSEN})
    assert answer.headers["Location"] == CHOSEN
    assert client.get(reverse("mfa_index")).status_code == 200
    request = request_of(maren, "get", None)
    request.session = client.session
    assert page(request, "done").status_code == 200
