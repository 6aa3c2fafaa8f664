"""Sessions and what ends them, limits that all processes share, and answers whose time tells nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.core.handlers.base import BaseHandler
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client, RequestFactory
from django.urls import reverse

from pbportal.afterwards import AfterwardsMiddleware, afterwards
from tenants.models import StaffMembership, User
from tests.conftest import ROOT
from tests.world import PASSWORD, make_account, make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db
NEW = "twelve green bottles hanging"


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    cache.clear()


def signed_in(user: User) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert client.get(reverse("usersessions_list")).status_code == 200
    return client


@pytest.fixture
def maren() -> User:
    return make_staff(make_partner())


def test_a_new_password_ends_the_other_sessions(maren: User) -> None:
    here, there = signed_in(maren), signed_in(maren)
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert here.post(reverse("account_change_password"), form).status_code == 302
    pages = [client.get(reverse("admin:index")).status_code for client in (here, there)]
    assert pages == [200, 302]


def test_a_password_set_by_a_link_ends_every_session(maren: User) -> None:
    client = signed_in(maren)
    Client().post(reverse("account_reset_password"), {"email": maren.email})
    path = re.search(r"https?://[^/]+(/accounts/\S+)", str(mail.outbox[-1].body))
    assert path is not None
    other = Client()
    form = other.get(path[1]).headers["Location"]
    other.post(form, {"password1": NEW, "password2": NEW})
    assert client.get(reverse("admin:index")).status_code == 302


def test_a_session_is_a_new_one_after_signing_in(maren: User) -> None:
    client = Client()
    client.get(reverse("account_login"))
    session = client.session
    session["planted"] = "yes"
    session.save()
    client.cookies["sessionid"] = before = session.session_key
    client.post(reverse("account_login"), {"login": maren.email, "password": PASSWORD})
    assert client.cookies["sessionid"].value not in ("", before)


def test_staff_who_are_removed_or_ended_see_nothing_at_the_next_request(maren: User) -> None:
    company = make_company(StaffMembership.objects.get(user=maren).partner)
    users = reverse("partner:users", args=[company.slug])
    client = signed_in(maren)
    assert client.get(users).status_code == 200
    StaffMembership.objects.filter(user=maren).delete()
    assert client.get(users).status_code == 404
    User.objects.filter(pk=maren.pk).update(is_active=False)
    assert client.get(users).status_code == 302


def test_limits_are_counted_for_all_processes_together(
    maren: User, child_environment: dict[str, str], transactional_db: None
) -> None:
    for _ in range(5):
        # The library counts for each host name apart.
        Client(SERVER_NAME="localhost").post(reverse("account_login"), {"login": maren.email, "password": "wrong one"})
    code = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        f"page = Client(SERVER_NAME='localhost').post({reverse('account_login')!r}, "
        f"{{'login': {maren.email!r}, 'password': {PASSWORD!r}}})\n"
        "print('Too many sign-ins failed' in page.content.decode())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "True", ran.stderr


@pytest.mark.parametrize(
    ("proxies", "forged", "refused"),
    [
        # Nobody stands in front: what a stranger writes into the header is not believed.
        (0, [f"10.0.0.{number}" for number in range(40)], True),
        # One proxy, which appends whom it saw: what stands before that is the stranger's own word.
        (1, [f"10.0.0.{number}, 192.0.2.7" for number in range(40)], True),
        (1, [f"192.0.2.{number}" for number in range(40)], False),
    ],
)
def test_a_forged_address_does_not_get_round_a_limit(
    settings: Any, proxies: int, forged: list[str], refused: bool
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    answers = [
        Client().post(
            reverse("account_reset_password"), {"email": f"nobody-{number}@x.example"}, headers={"x-forwarded-for": one}
        )
        for number, one in enumerate(forged)
    ]
    assert (429 in {answer.status_code for answer in answers}) is refused


class CountingHasher(MD5PasswordHasher):
    """Count what takes the time: hashing."""

    count = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).count += 1
        return super().encode(password, salt)


def test_an_unknown_address_takes_as_much_hashing_as_a_known_one(maren: User, settings: Any) -> None:
    account = make_account(make_company(), claimed=True)
    assert account.user is not None
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    took = []
    for email in (maren.email, "nobody@x.example", account.email):
        CountingHasher.count = 0
        Client().post(reverse("account_login"), {"login": email, "password": "wrong password"})
        took.append(CountingHasher.count)
    assert took == [1, 1, 1]


class Answer:
    """Stand for an answer on its way: the server closes it when its last byte has left."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def close(self) -> None:
        self._told.append("closed")


def test_what_is_put_off_is_done_when_the_answer_is_closed() -> None:
    told: list[str] = []

    def respond(request: Any) -> Any:
        afterwards(request, lambda: told.append("mail"))
        return Answer(told)

    response = AfterwardsMiddleware(respond)(RequestFactory().get("/"))
    assert told == []
    response.close()
    assert told == ["mail", "closed"]


def test_a_mail_for_a_new_password_leaves_after_its_page(maren: User) -> None:
    handler = BaseHandler()
    handler.load_middleware()
    request = RequestFactory().post(reverse("account_reset_password"), {"email": maren.email})
    request._dont_enforce_csrf_checks = True
    response = handler.get_response(request)
    assert (response.headers["Location"], mail.outbox) == (reverse("account_reset_password_done"), [])
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)
    assert [message.to for message in mail.outbox] == [[maren.email]]


def test_a_session_ends_twelve_hours_after_signing_in_however_busy(maren: User) -> None:
    with time_machine.travel("2026-11-23T08:00:00Z", tick=False) as clock:
        client = signed_in(maren)
        for hours in range(1, 13):
            clock.move_to(datetime(2026, 11, 23, 8 + hours, tzinfo=UTC))
            session = client.session
            session["busy"] = hours
            session.save()
            assert client.get(reverse("admin:index")).status_code == 200
        clock.shift(1)
        assert client.get(reverse("admin:index")).status_code == 302
        assert "_auth_user_id" not in client.session


def test_signing_in_and_out_and_failing_are_logged_without_the_address(
    maren: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tenants.signin.events")
    client = signed_in(maren)
    client.post(reverse("account_logout"))
    for email in (maren.email, "nobody@x.example"):
        Client().post(reverse("account_login"), {"login": email, "password": "wrong one"})
    told = [record for record in caplog.records if record.name == "tenants.signin.events"]
    assert [(record.getMessage(), vars(record)["login"], vars(record)["address"]) for record in told] == [
        ("A login signed in.", maren.pk, "127.0.0.1"),
        ("A login signed out.", maren.pk, "127.0.0.1"),
        ("Signing in failed.", maren.pk, "127.0.0.1"),
        ("Signing in failed.", None, "127.0.0.1"),
    ]
    assert not any(maren.email in str(vars(record)) for record in told)
