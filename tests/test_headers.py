"""The headers and cookies that every answer carries, whatever it answers."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.world import PASSWORD, make_company, make_operator, make_partner, make_staff

ALWAYS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = {
    "default-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


@pytest.mark.django_db
def test_every_answer_carries_them(client: Client) -> None:
    partner = make_partner()
    company = make_company(partner)
    client.force_login(make_staff(partner))
    users = reverse("partner:users", args=[company.slug])
    for address, status in (
        (users, 200),
        (reverse("home"), 302),
        (reverse("partner:users", args=["nobody"]), 404),
        (reverse("admin:tenants_partner_add"), 403),
        (reverse("api-status", args=[uuid.uuid4()]), 401),
        (reverse("healthz"), 200),
        (reverse("account_logout"), 200),
    ):
        answer = client.get(address)
        assert answer.status_code == status, address
        assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS, address
        policy = {part.strip() for part in answer.headers["Content-Security-Policy"].split(";")}
        assert policy >= POLICY, address
        assert "unsafe" not in answer.headers["Content-Security-Policy"], address
        assert "camera=()" in answer.headers["Permissions-Policy"], address
        assert "no-store" in answer.headers["Cache-Control"], address


@pytest.mark.django_db
def test_on_https_cookies_are_of_this_host_alone_and_plain_http_is_sent_there(client: Client, settings: Any) -> None:
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = 31_536_000, True
    operator = make_operator()
    answer = client.get(reverse("account_login"))
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/accounts/login/")
    page = client.get(reverse("account_login"), secure=True)
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    client.post(reverse("account_login"), {"login": operator.email, "password": PASSWORD}, secure=True)
    assert {
        name: (bool(cookie["secure"]), cookie["path"], cookie["domain"], cookie["samesite"])
        for name, cookie in client.cookies.items()
    } == dict.fromkeys(("__Host-sessionid", "__Host-csrftoken"), (True, "/", "", "Lax"))
    assert client.cookies["__Host-sessionid"]["httponly"] is True


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example"])
def test_a_request_to_another_host_is_refused(client: Client, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    assert client.get(reverse("account_login"), headers={"host": host}).status_code == 400
    assert client.get(reverse("account_login"), headers={"host": "localhost"}).status_code == 200


@pytest.mark.django_db
def test_a_form_from_another_origin_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.get(reverse("account_login"))
    word = client.cookies["csrftoken"].value
    operator = make_operator()
    form = {"login": operator.email, "password": PASSWORD, "csrfmiddlewaretoken": word}
    refused = client.post(reverse("account_login"), form, headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    let_in = client.post(reverse("account_login"), form, headers={"origin": "http://testserver"})
    assert let_in.status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "http://testserver.evil.example/",
        "\t//evil.example",
    ],
)
def test_no_link_leads_out_of_the_portal(elsewhere: str) -> None:
    operator = make_operator()
    for name, form in (
        ("account_login", {"login": operator.email, "password": PASSWORD}),
        ("account_reauthenticate", {"password": PASSWORD}),
        ("account_logout", {}),
    ):
        client = Client()
        if name != "account_login":
            client.force_login(operator)
        answer = client.post(f"{reverse(name)}?next={elsewhere}", form | {"next": elsewhere})
        assert answer.status_code in (200, 302), name
        location = answer.headers.get("Location", "/")
        assert location.startswith("/"), name
        assert not location.startswith(("//", "/\\")), name
