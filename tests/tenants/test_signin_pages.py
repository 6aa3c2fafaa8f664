"""Signing in with a password and a second factor, what is refused, and that every page of it is the portal's own."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from cryptography.fernet import Fernet
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from connectors.models import AccountLink, Connector
from tenants.models import Account, Company, User
from tenants.signin.sessions import called
from tenants.signin.urls import urlpatterns
from tests.conftest import ROOT
from tests.world import PASSWORD, make_account, make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
FACTORS = "/accounts/2fa/"


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    cache.clear()


@pytest.fixture
def company() -> Company:
    return make_company(make_partner())


@pytest.fixture
def maren(company: Company) -> User:
    return make_staff(company.partner, email="maren@harbourridge.example")


def sign_in(email: str, password: str = PASSWORD, client: Client | None = None, **form: str) -> Any:
    return (client or Client()).post(LOGIN, {"login": email, "password": password, **form})


def place(answer: Any) -> str | int:
    found: str | int = answer.headers.get("Location", answer.status_code)
    return found


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def give_factor(user: User) -> str:
    """Set up an authenticator app and recovery codes; return the app's secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    RecoveryCodes.activate(user)
    return secret


class TestPasswords:
    def test_let_staff_and_company_people_in_each_to_their_own_place(self, company: Company, maren: User) -> None:
        person = make_account(company, email="ada@brightwater.example", claimed=True)
        assert place(sign_in("Maren@HarbourRidge.example")) == "/partner/"
        assert place(sign_in(person.email.upper())) == "/account/"
        assert place(sign_in(person.email, next="/accounts/sessions/")) == "/accounts/sessions/"
        assert place(sign_in(person.email, next="https://evil.example/")) == "/account/"

    def test_tell_nobody_which_addresses_have_a_login(self, company: Company, maren: User) -> None:
        microsoft_only = make_account(company, claimed=True)
        assert microsoft_only.user is not None
        microsoft_only.user.set_unusable_password()
        microsoft_only.user.save()
        pages = [
            sign_in(email, "wrong password").content.decode()
            for email in (maren.email, "nobody@harbourridge.example", microsoft_only.email)
        ]
        emails = (maren.email, "nobody@harbourridge.example", microsoft_only.email)
        plain = {
            re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.replace(email, "EMAIL"))
            for page, email in zip(pages, emails, strict=True)
        }
        assert len(plain) == 1
        assert "Email and password do not belong together." in plain.pop()

    @pytest.mark.parametrize("status", ["disabled", "deleted"])
    def test_of_ended_accounts_get_the_one_polite_refusal(self, company: Company, status: Any) -> None:
        account = make_account(company, status, claimed=True)
        answer = sign_in(account.email)
        assert (answer.status_code, answer.templates[0].name) == (403, "signin/refused.html")

    def test_are_given_up_after_five_tries(self, maren: User) -> None:
        for _ in range(5):
            sign_in(maren.email, "wrong password")
        assert "Too many sign-ins failed." in sign_in(maren.email).content.decode()

    def test_sign_out_ends_the_session(self, maren: User) -> None:
        client = Client()
        sign_in(maren.email, client=client)
        assert place(client.post(reverse("account_logout"))) == LOGIN
        assert place(client.get(reverse("usersessions_list"))).startswith(LOGIN)  # type: ignore[union-attr]


class TestANewPassword:
    def ask(self, email: str) -> tuple[str | int, list[str]]:
        before = len(mail.outbox)
        answer = Client().post(reverse("account_reset_password"), {"email": email})
        return place(answer), [message.to[0] for message in mail.outbox[before:]]

    def test_is_set_by_a_link_that_works_once(self, maren: User) -> None:
        done = reverse("account_reset_password_done")
        assert self.ask(maren.email) == (done, [maren.email])
        body = mail.outbox[-1].body
        assert (mail.outbox[-1].subject, body.splitlines()[0]) == (
            "Set a new password for Password Boss",
            "Somebody, probably you, asked for a new password for your Password Boss login.",
        )
        path = re.search(r"https?://[^/]+(/accounts/\S+)", body)
        assert path
        client = Client()
        form = client.get(path[1]).headers["Location"]
        new = "twelve green bottles hanging"
        assert place(client.post(form, {"password1": new, "password2": new})) == reverse(
            "account_reset_password_from_key_done"
        )
        assert place(sign_in(maren.email, new)) == "/partner/"
        assert "This link does not work any more" in Client().get(path[1], follow=True).content.decode()

    def test_is_promised_to_everybody_and_sent_to_whom_it_helps(self, company: Company) -> None:
        done = reverse("account_reset_password_done")
        connector = Connector.objects.create(company=company)
        renamed = make_account(company, claimed=True)
        AccountLink.objects.create(connector=connector, account=renamed, directory_email="new@brightwater.example")
        disabled = make_account(company, "disabled", claimed=True)  # type: ignore[arg-type]
        unclaimed = make_account(company)
        emails = ["nobody@brightwater.example", renamed.email, disabled.email, unclaimed.email]
        assert [self.ask(email) for email in emails] == [(done, [])] * 4

    def test_is_promised_also_where_the_mail_server_fails(
        self, maren: User, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        assert self.ask(maren.email) == (reverse("account_reset_password_done"), [])
        assert [record.getMessage() for record in caplog.records if record.name.startswith("tenants")] == [
            "A mail to set a new password did not leave (ConnectionRefusedError)."
        ]


class TestSecondFactors:
    @pytest.fixture(autouse=True)
    def _needed(self, settings: Any) -> None:
        settings.PBPORTAL_STAFF_SECOND_FACTOR = True

    def test_staff_without_one_get_no_further_than_to_set_one_up(self, company: Company, maren: User) -> None:
        client = Client()
        assert place(sign_in(maren.email, client=client)) == "/partner/"
        blocked = ["/partner/", "/partner/tenants/company/", "/account/", "/accounts/microsoft/", "/"]
        assert [place(client.get(path)) for path in blocked] == [FACTORS] * 5
        page = client.get(FACTORS).content.decode()
        assert "The partner portal asks staff for a second factor." in page
        assert place(client.post("/partner/logout/")) == LOGIN

    def test_setting_one_up_opens_the_portal_after_the_password_is_asked_again(self, maren: User) -> None:
        client = Client()
        sign_in(maren.email, client=client)
        page = client.get(reverse("mfa_activate_totp"))
        assert place(page) == "/accounts/reauthenticate/?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F"
        client.post(page.headers["Location"], {"password": PASSWORD, "next": reverse("mfa_activate_totp")})
        form = client.get(reverse("mfa_activate_totp")).context["form"]
        client.post(reverse("mfa_activate_totp"), {"code": code_of(form.secret)})
        assert client.get("/partner/").status_code == 200

    def test_is_asked_for_after_the_password_and_after_microsoft(self, maren: User) -> None:
        secret = give_factor(maren)
        client = Client()
        assert place(sign_in(maren.email, client=client)) == "/accounts/2fa/authenticate/"
        assert place(client.get("/partner/")) != 200
        wrong = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
        assert "That code is not right." in wrong.content.decode()
        assert place(client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})) == "/partner/"
        assert client.get("/partner/").status_code == 200

    def test_outlives_a_change_of_keys_and_without_its_key_matches_no_code(self, maren: User, settings: Any) -> None:
        secret = give_factor(maren)
        former, new = settings.PBPORTAL_FIELD_KEYS, [Fernet.generate_key().decode()]
        settings.PBPORTAL_FIELD_KEYS = [*new, *former]
        call_command("rotate_secrets", stdout=io.StringIO())
        settings.PBPORTAL_FIELD_KEYS = new
        totp = Authenticator.objects.get(user=maren, type="totp").wrap()
        assert totp.validate_code(code_of(secret))
        codes = Authenticator.objects.get(user=maren, type="recovery_codes").wrap().get_unused_codes()
        assert len(codes) == 10
        settings.PBPORTAL_FIELD_KEYS = [Fernet.generate_key().decode()]
        cache.clear()
        assert [totp.validate_code(code_of(known)) for known in (secret, "GAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQ")] == [
            False
        ] * 2
        lost = Authenticator.objects.get(user=maren, type="recovery_codes").wrap()
        assert lost.get_unused_codes() != lost.get_unused_codes()
        with pytest.raises(CommandError, match="No key opens 2"):
            call_command("rotate_secrets", stdout=io.StringIO())

    def test_recovery_codes_stand_in_for_it_once_each(self, maren: User) -> None:
        give_factor(maren)
        code = RecoveryCodes(Authenticator.objects.get(user=maren, type="recovery_codes")).get_unused_codes()[0]
        for expected in ("/partner/", 200):
            client = Client()
            sign_in(maren.email, client=client)
            assert place(client.post("/accounts/2fa/authenticate/", {"code": code})) == expected

    def test_staff_do_not_take_the_last_one_away(self, company: Company, maren: User) -> None:
        give_factor(maren)
        totp = Authenticator.objects.get(user=maren, type="totp")
        assert get_adapter().can_delete_authenticator(totp) is False
        Authenticator.objects.create(user=maren, type="webauthn", data={})
        assert get_adapter().can_delete_authenticator(totp) is True
        person = make_account(company, claimed=True).user
        assert person is not None
        give_factor(person)
        assert get_adapter().can_delete_authenticator(Authenticator.objects.get(user=person, type="totp")) is True

    def test_company_people_need_none_and_nobody_where_the_setting_is_off(
        self, company: Company, maren: User, settings: Any
    ) -> None:
        person = make_account(company, claimed=True)
        client = Client()
        sign_in(person.email, client=client)
        assert client.get("/account/").status_code == 200
        settings.PBPORTAL_STAFF_SECOND_FACTOR = False
        client = Client()
        sign_in(maren.email, client=client)
        assert client.get("/partner/").status_code == 200


def test_sessions_end_everywhere_else(company: Company) -> None:
    account = make_account(company, claimed=True)
    here, there = Client(), Client()
    for client in (here, there):
        sign_in(account.email, client=client)
        client.get("/account/")
    here.post(reverse("usersessions_list"))
    assert (here.get("/account/").status_code, there.get("/account/").status_code) == (200, 302)


def test_a_session_is_called_what_its_owner_calls_it(company: Company) -> None:
    account = make_account(company, claimed=True)
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Edg/140.0"
    here = Client(headers={"user-agent": agent})
    sign_in(account.email, client=here)
    here.get("/account/")
    page = here.get(reverse("usersessions_list")).content.decode()
    assert "Edge on Windows, <b>this one</b>" in page
    assert "AppleWebKit" not in page


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17.4 Safari/605.1",
            "Safari on macOS",
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) CriOS/123.0 Mobile Safari/604.1", "Chrome on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "A browser that does not say what it is"),
    ],
)
def test_browsers_are_told_apart(user_agent: str, name: str) -> None:
    assert called(user_agent) == name


def test_a_disabled_account_loses_its_sessions_at_once(company: Company) -> None:
    account = make_account(company, claimed=True)
    client = Client()
    sign_in(account.email, client=client)
    assert client.get("/account/").status_code == 200
    Account.objects.filter(pk=account.pk).update(status="disabled", disabled_by="person")
    assert place(client.get("/account/")) == f"{LOGIN}?next=/account/"


@pytest.mark.parametrize(
    "name",
    ["account_signup", "account_email", "account_email_verification_sent", "socialaccount_signup"],
)
def test_what_the_portal_does_not_have_is_not_there(name: str, maren: User) -> None:
    client = Client()
    assert [client.get(reverse(name)).status_code, client.post(reverse(name)).status_code] == [404, 404]
    client.force_login(maren)
    assert client.get(reverse(name)).status_code == 404


class TestEveryPageIsOurs:
    ARGUMENTS = {
        "welcome": {"token": "x"},
        "account_reset_password_from_key": {"uidb36": "1", "key": "x-y"},
        "account_confirm_email": {"key": "x"},
    }

    @pytest.fixture
    def signed_in(self, company: Company, settings: Any) -> Client:
        settings.MICROSOFT_SIGNIN_CLIENT_ID = "11111111-2222-3333-4444-555555555555"
        settings.MICROSOFT_SIGNIN_CLIENT_SECRET = "not-sent-anywhere"
        user = make_account(company, claimed=True).user
        assert user is not None
        give_factor(user)
        client = Client()
        sign_in(user.email, client=client)
        code = RecoveryCodes(Authenticator.objects.get(user=user, type="recovery_codes")).get_unused_codes()[0]
        client.post("/accounts/2fa/authenticate/", {"code": code})
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        return client

    @pytest.mark.parametrize("pattern", urlpatterns, ids=lambda pattern: pattern.name)
    def test_and_no_template_of_the_library_is_shown(self, pattern: Any, signed_in: Client) -> None:
        arguments: dict[str, Any] = self.ARGUMENTS.get(pattern.name, {})
        if pattern.name in {"mfa_list_webauthn", "mfa_remove_webauthn", "mfa_edit_webauthn"}:
            user = Authenticator.objects.get(type="totp").user
            passkey = Authenticator.objects.create(user=user, type="webauthn", data={"name": "Laptop"})
            arguments = {} if pattern.name == "mfa_list_webauthn" else {"pk": passkey.pk}
        for client in (signed_in, Client()):
            answer = client.get(reverse(pattern.name, kwargs=arguments), follow=True)
            foreign = [
                part.name
                for part in answer.templates
                if part.origin and not Path(str(part.origin.name)).is_relative_to(ROOT / "templates")
            ]
            # Widgets of Django, the one snippet of htmx's script tag, and the codes as a text file.
            allowed = ("django/", "mfa/recovery_codes/download.txt")
            assert [name for name in foreign if name and not name.startswith(allowed)] == []
            words = re.sub(r"<[^>]+>", " ", answer.content.decode(errors="replace"))
            assert re.findall(r"\b(?:[Pp]lease|[Oo]ops|[Ii]nvalid|third-party)\b", words) == []
