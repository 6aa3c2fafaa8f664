"""Signing in with Microsoft: whom an identity lets in, whom it does not, and that an address decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tenants.models import Account, AuditEntry, Company, Invitation, User
from tenants.states import AccountRole, AccountStatus, LoginKind
from tests.entra_emulator import Application, Emulator, Tenant
from tests.entra_emulator import User as Person
from tests.microsoft_browser import Browser, register_portal
from tests.world import PASSWORD, make_account, make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db

REFUSED = (403, ["signin/refused.html"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    made = Emulator()
    with made.install():
        yield made


@pytest.fixture(autouse=True)
def portal(emulator: Emulator, settings: Any) -> Application:
    cache.clear()
    return register_portal(emulator, settings)


@pytest.fixture
def tenant(emulator: Emulator) -> Tenant:
    return emulator.add_tenant("Brightwater Logistics", domain="brightwater.example")


@pytest.fixture
def ada(tenant: Tenant) -> Person:
    return tenant.add_user(
        "Ada Lovelace", mail="ada@brightwater.example", user_principal_name="ada@brightwater.example"
    )


@pytest.fixture
def browser(emulator: Emulator) -> Browser:
    return Browser(emulator)


@pytest.fixture
def brightwater() -> Company:
    return make_company(name="Brightwater Logistics")


def account_of(person: Person, tenant: Tenant, company: Company, **fields: Any) -> Account:
    """Save an account that carries a person's identity, as a connector makes it."""
    fields = {"email": person.mail or "", **fields}
    return make_account(
        company,
        fields.pop("status", AccountStatus.ACTIVE),
        directory_tenant_id=tenant.id,
        directory_object_id=person.id,
        **fields,
    )


def shown(answer: Any) -> tuple[int, list[str]]:
    return answer.status_code, [part.name for part in answer.templates if part.name.startswith(("signin", "social"))][
        :1
    ]


def test_the_first_sign_in_makes_the_accounts_login(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account = account_of(ada, tenant, brightwater, first_name="Ada", last_name="Lovelace")
    invitation = Invitation.objects.create(account=account, wanted_at=account.created_at)
    revision = brightwater.roster_revision
    answer = browser.sign_in(ada)
    assert answer.headers["Location"] == reverse("own_account")
    user = User.objects.get(email="ada@brightwater.example")
    account.refresh_from_db()
    brightwater.refresh_from_db()
    invitation.refresh_from_db()
    assert (account.user, user.kind, user.name, user.has_usable_password()) == (
        user,
        LoginKind.COMPANY,
        "Ada Lovelace",
        False,
    )
    assert SocialAccount.objects.get().uid == f"{tenant.id}:{ada.id}"
    assert brightwater.roster_revision == revision + 1
    assert invitation.accepted_at is not None
    assert AuditEntry.objects.get().action == "login.claimed_by_microsoft"
    assert browser.who == "ada@brightwater.example"


def test_the_second_sign_in_enters_the_same_login(
    emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account_of(ada, tenant, brightwater)
    first, second = Browser(emulator), Browser(emulator)
    first.sign_in(ada)
    tenant.update_user(ada.id, mail="renamed@brightwater.example", user_principal_name="renamed@brightwater.example")
    second.sign_in(ada)
    assert (first.who, second.who, User.objects.count()) == ("ada@brightwater.example", "ada@brightwater.example", 1)


def test_an_administrator_goes_to_integrations(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account_of(ada, tenant, brightwater, role=AccountRole.ADMIN)
    assert str(browser.sign_in(ada).headers["Location"]).startswith("/business/")


def test_a_safe_next_page_is_kept_and_another_site_is_not(
    emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account_of(ada, tenant, brightwater)
    assert Browser(emulator).sign_in(ada, next="/accounts/sessions/").headers["Location"] == "/accounts/sessions/"
    assert Browser(emulator).sign_in(ada, next="https://evil.example/").headers["Location"] == reverse("own_account")


def test_trap_09_a_stranger_of_any_tenant_gets_a_page_that_tells_nothing(
    browser: Browser, ada: Person, brightwater: Company
) -> None:
    answer = browser.sign_in(ada)
    assert shown(answer) == REFUSED
    assert [word for word in ("Brightwater", "ada@", "Ada") if word in answer.content.decode()] == []
    assert (User.objects.count(), browser.who) == (0, "")


def test_trap_08_an_address_opens_nothing(
    browser: Browser, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    """Anybody who runs a tenant can give its people any mail and any name: the nOAuth trap."""
    account_of(ada, tenant, brightwater)
    claimed = make_account(brightwater, email="bea@brightwater.example", claimed=True)
    evil = emulator.add_tenant("Evil", domain="evil.example")
    for address in ("ada@brightwater.example", "bea@brightwater.example"):
        twin = evil.add_user("Twin", mail=address, user_principal_name=address)
        assert shown(Browser(emulator).sign_in(twin)) == REFUSED
    # The same object id in another tenant is another person.
    browser.types = "name"
    copy = evil.add_user("Copy", id=ada.id, user_principal_name="copy@evil.example")
    assert shown(browser.sign_in(copy)) == REFUSED
    assert (User.objects.get(), SocialAccount.objects.count()) == (claimed.user, 0)


@pytest.mark.parametrize("status", [AccountStatus.DISABLED, AccountStatus.DELETED])
def test_disabled_and_deleted_accounts_make_no_login(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company, status: AccountStatus
) -> None:
    account_of(ada, tenant, brightwater, status=status)
    assert (shown(browser.sign_in(ada)), User.objects.count()) == (REFUSED, 0)


@pytest.mark.parametrize("status", ["disabled", "deleted"])
def test_who_is_disabled_or_deleted_later_is_refused_the_same_and_loses_the_session_at_once(
    emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company, status: str
) -> None:
    account = account_of(ada, tenant, brightwater)
    before = Browser(emulator)
    before.sign_in(ada)
    assert before.who == "ada@brightwater.example"
    values: dict[str, Any] = {"disabled": {"disabled_by": "person"}, "deleted": {"deleted_by": "person"}}[status]
    if status == "deleted":
        values |= {"deleted_at": account.created_at}
    Account.objects.filter(pk=account.pk).update(status=status, **values)
    assert before.who == ""
    assert shown(Browser(emulator).sign_in(ada)) == REFUSED


def test_who_is_pending_sees_that_they_are_waiting(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account_of(ada, tenant, brightwater, status=AccountStatus.PENDING)
    page = browser.portal.get(browser.sign_in(ada).headers["Location"]).content.decode()
    assert "Your account is waiting for approval" in page
    # Nothing but that: not even the company's name, which only members see.
    assert "Brightwater Logistics" not in page


def test_a_directory_does_not_enter_a_login_that_exists(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    """An adopted account carries an identity that a directory gave it; its login stays its owner's."""
    account = account_of(ada, tenant, brightwater, claimed=True)
    assert (shown(browser.sign_in(ada)), browser.who) == (REFUSED, "")
    browser.portal.post(reverse("account_login"), {"login": account.email, "password": PASSWORD})
    assert connect(browser, ada) == ["Microsoft is connected: you can sign in with it from now on."]
    again = Browser(browser.emulator)
    again.sign_in(ada)
    assert again.who == account.email


def connect(browser: Browser, person: Person) -> list[str]:
    """Confirm the password, connect Microsoft; return what the page says then."""
    browser.portal.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    answer = browser.sign_in(person, process="connect")
    assert answer.headers["Location"] == reverse("socialaccount_connections")
    page = browser.portal.get(answer.headers["Location"])
    return [str(message) for message in page.context["messages"]]


def test_connecting_asks_for_the_password_before(browser: Browser, brightwater: Company) -> None:
    account = make_account(brightwater, claimed=True)
    browser.portal.force_login(account.user)
    answer = browser.portal.post(f"{reverse('microsoft_login')}?process=connect")
    assert urlsplit(answer.headers["Location"]).path == reverse("account_reauthenticate")
    stranger = Client().post(f"{reverse('microsoft_login')}?process=connect")
    assert urlsplit(stranger.headers["Location"]).path == reverse("account_login")


def test_staff_connect_while_signed_in_and_are_never_met_by_identity_before(browser: Browser, ada: Person) -> None:
    maren = make_staff(make_partner(), email="ada@brightwater.example")
    assert shown(browser.sign_in(ada)) == REFUSED
    browser.portal.force_login(maren)
    connect(browser, ada)
    assert AuditEntry.objects.get().action == "login.microsoft_attached"
    again = Browser(browser.emulator)
    assert (again.sign_in(ada).headers["Location"], again.who) == ("/partner/", maren.email)


def test_who_has_no_password_confirms_with_microsoft(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account_of(ada, tenant, brightwater)
    browser.sign_in(ada)
    connecting = f"{reverse('microsoft_login')}?process=connect"
    asked = browser.portal.post(connecting)
    assert urlsplit(asked.headers["Location"]).path == reverse("account_reauthenticate")
    page = browser.portal.get(asked.headers["Location"], follow=True)
    assert page.redirect_chain[-1][0].startswith(reverse("microsoft_again"))
    assert "Confirm with Microsoft" in page.content.decode()
    # Somebody else's Microsoft account confirms nothing: it is refused, or signs somebody else in.
    eve = tenant.add_user("Eve")
    assert shown(browser.sign_in(eve)) == REFUSED
    assert browser.portal.post(connecting).headers["Location"].startswith(reverse("account_reauthenticate"))
    prompt = parse_qs(urlsplit(browser.to_microsoft()).query)["prompt"]
    assert prompt == ["login"]
    assert browser.sign_in(ada, next="/accounts/microsoft/").headers["Location"] == "/accounts/microsoft/"
    assert browser.portal.post(connecting).headers["Location"].startswith("https://login.microsoftonline.com/")


def test_connecting_twice_is_once(browser: Browser, ada: Person) -> None:
    browser.portal.force_login(make_staff(make_partner()))
    connect(browser, ada)
    connect(browser, ada)
    assert (SocialAccount.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_nobody_connects_the_identity_of_a_colleague_or_a_staff_login(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account_of(ada, tenant, brightwater)
    bea = make_account(brightwater, claimed=True)
    browser.portal.force_login(bea.user)
    [sentence] = connect(browser, ada)
    assert sentence.startswith("This Microsoft account cannot be connected here")
    partner = make_partner()
    first, second = make_staff(partner), make_staff(partner)
    grace = tenant.add_user("Grace Hopper")
    browser.portal.force_login(first)
    connect(browser, grace)
    browser.portal.force_login(second)
    assert connect(browser, grace)[0].startswith("This Microsoft account cannot be connected here")
    assert [row.user for row in SocialAccount.objects.all()] == [first]


class TestSeveralPlaces:
    @pytest.fixture
    def sable(self) -> Company:
        return make_company(name="Sable Street Brewing")

    def test_are_chosen_from(
        self, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company, sable: Company
    ) -> None:
        """An address has one login, so that accounts of one person in two companies need two addresses to have two."""
        account_of(ada, tenant, brightwater)
        other = account_of(ada, tenant, sable, email="ada.lovelace@sablestreet.example")
        browser = Browser(emulator)
        answer = browser.sign_in(ada)
        assert (answer.headers["Location"], browser.who) == (reverse("signin_choose"), "")
        page = browser.portal.get(answer.headers["Location"])
        assert [door.label for door in page.context["doors"]] == ["Brightwater Logistics", "Sable Street Brewing"]
        browser.portal.post(reverse("signin_choose"), {"door": f"account-{other.pk}"})
        assert browser.who == other.email
        # The other one still waits, and both are offered again.
        again = Browser(emulator)
        again.sign_in(ada)
        doors = again.portal.get(reverse("signin_choose")).context["doors"]
        assert [door.label for door in doors] == ["Sable Street Brewing", "Brightwater Logistics"]
        again.portal.post(reverse("signin_choose"), {"door": doors[1].key})
        assert again.who == "ada@brightwater.example"
        assert sorted(SocialAccount.objects.values_list("uid", flat=True)) == [
            f"{tenant.id}:{ada.id}",
            f"{tenant.id}:{ada.id}:2",
        ]

    def test_of_one_address_give_the_first_login_only(
        self, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company, sable: Company
    ) -> None:
        account_of(ada, tenant, brightwater)
        waiting = account_of(ada, tenant, sable)
        browser = Browser(emulator)
        browser.sign_in(ada)
        browser.portal.post(reverse("signin_choose"), {"door": f"account-{waiting.pk}"})
        assert browser.who == ada.mail
        other = Browser(emulator)
        other.sign_in(ada)
        doors = other.portal.get(reverse("signin_choose")).context["doors"]
        refused = other.portal.post(reverse("signin_choose"), {"door": doors[1].key})
        assert (shown(refused), other.who, User.objects.count()) == (REFUSED, "", 1)

    def test_of_staff_and_company_are_two_logins(
        self, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company
    ) -> None:
        maren = make_staff(make_partner())
        browser = Browser(emulator)
        browser.portal.force_login(maren)
        connect(browser, ada)
        account_of(ada, tenant, brightwater)
        browser = Browser(emulator)
        browser.sign_in(ada)
        doors = browser.portal.get(reverse("signin_choose")).context["doors"]
        assert [door.label for door in doors] == ["Partner portal", "Brightwater Logistics"]
        browser.portal.post(reverse("signin_choose"), {"door": doors[1].key})
        assert browser.who == ada.mail
        assert {user.kind for user in User.objects.filter(pk=maren.pk)} == {LoginKind.STAFF}

    def test_are_not_chosen_without_microsoft_nor_another_door_posted(
        self, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company, sable: Company
    ) -> None:
        account_of(ada, tenant, brightwater)
        account_of(ada, tenant, sable, email="ada@sablestreet.example")
        stranger = make_account(sable)
        assert Client().post(reverse("signin_choose"), {"door": "account-1"}).headers["Location"] == "/accounts/login/"
        browser = Browser(emulator)
        browser.sign_in(ada)
        answer = browser.portal.post(reverse("signin_choose"), {"door": f"account-{stranger.pk}"})
        assert (shown(answer), browser.who) == (REFUSED, "")


def test_a_personal_account_is_cut_from_the_companys_microsoft(
    browser: Browser, tenant: Tenant, ada: Person, brightwater: Company
) -> None:
    account = account_of(ada, tenant, brightwater)
    browser.sign_in(ada)
    cut = {"directory_tenant_id": "", "directory_object_id": ""}
    Account.objects.filter(pk=account.pk).update(status="personal", **cut)
    assert shown(Browser(browser.emulator).sign_in(ada)) == REFUSED


class TestTheRoundTrip:
    def test_asks_for_an_id_token_with_nonce_state_and_pkce(self, browser: Browser, portal: Application) -> None:
        parts = urlsplit(browser.to_microsoft())
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
            "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize"
        )
        assert sorted(asked.pop("scope").split()) == ["email", "openid", "profile"]
        random = [asked.pop(name) for name in ("state", "nonce", "code_challenge")]
        assert all(len(value) >= 16 for value in random)
        assert asked == {
            "client_id": portal.client_id,
            "redirect_uri": "http://testserver/accounts/microsoft/login/callback/",
            "response_type": "code",
            "response_mode": "query",
            "prompt": "select_account",
            "code_challenge_method": "S256",
        }

    def test_lets_no_link_change_what_is_asked(self, browser: Browser) -> None:
        answer = browser.portal.post(
            f"{reverse('microsoft_login')}?scope=User.ReadWrite.All&auth_params=nonce%3Dknown%26prompt%3Dnone"
        )
        asked = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert (asked["prompt"], "known" in asked["nonce"], "User.ReadWrite.All" in asked["scope"][0]) == (
            ["select_account"],
            False,
            False,
        )

    def test_sends_browsers_where_the_setting_says(self, browser: Browser, settings: Any) -> None:
        settings.ENTRA_LOGIN_ORIGINS = {"https://login.microsoftonline.com": "http://127.0.0.1:8400"}
        assert browser.to_microsoft().startswith("http://127.0.0.1:8400/organizations/oauth2/v2.0/authorize?")

    @pytest.mark.parametrize("step", ["cancel", "decline"])
    def test_cancelled_says_so_and_changes_nothing(self, browser: Browser, ada: Person, step: str) -> None:
        address = browser.at_microsoft(browser.to_microsoft(), ada, step)
        assert browser.back(address).headers["Location"] == reverse("socialaccount_login_cancelled")

    def test_is_refused_in_another_browser_twice_and_with_another_state(
        self, browser: Browser, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company
    ) -> None:
        account_of(ada, tenant, brightwater)
        address = browser.at_microsoft(browser.to_microsoft(), ada)
        elsewhere = Browser(emulator)
        assert (elsewhere.back(address).status_code, elsewhere.who) == (401, "")
        assert browser.back(address.replace("state=", "state=x")).status_code == 401
        assert (browser.back(address).status_code, browser.who) == (302, "ada@brightwater.example")
        browser.portal.logout()
        assert (browser.back(address).status_code, browser.who) == (401, "")

    def test_refuses_a_code_that_belongs_to_another_sign_in(
        self, browser: Browser, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company
    ) -> None:
        """The code of an attacker, put behind the victim's own state: PKCE and nonce are another sign-in's."""
        account_of(ada, tenant, brightwater)
        attacker = Browser(emulator)
        stolen = parse_qs(urlsplit(attacker.at_microsoft(attacker.to_microsoft(), ada)).query)["code"][0]
        own = urlsplit(browser.to_microsoft())
        state = parse_qs(own.query)["state"][0]
        answer = browser.portal.get(reverse("microsoft_callback"), {"code": stolen, "state": state})
        assert (answer.status_code, browser.who) == (401, "")

    def test_refuses_the_id_token_of_another_application(
        self, browser: Browser, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company, settings: Any
    ) -> None:
        """The whole way, with a token endpoint that answers with a token for somebody else."""
        account_of(ada, tenant, brightwater)
        address = browser.at_microsoft(browser.to_microsoft(), ada)
        other = tenant.register_app("Another", roles=())
        code = next(iter(emulator.login.interactive.codes.values()))
        forged = emulator.login.interactive.tokens_of(code, other)
        emulator.faults.add(path="/oauth2/v2.0/token", document=forged, status=200, times=1)
        assert (browser.back(address).status_code, browser.who) == (401, "")

    def test_finds_a_key_that_is_new_since(
        self, emulator: Emulator, tenant: Tenant, ada: Person, brightwater: Company
    ) -> None:
        account_of(ada, tenant, brightwater)
        Browser(emulator).sign_in(ada)
        tenant.rotate_signing_key()
        browser = Browser(emulator)
        browser.sign_in(ada)
        assert browser.who == ada.mail
        assert len(emulator.journal.where("/discovery/v2.0/keys")) == 2

    @pytest.mark.parametrize("path", ["/oauth2/v2.0/token", "/discovery/v2.0/keys"])
    @pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}])
    def test_that_breaks_off_is_a_page_and_no_login(
        self,
        browser: Browser,
        emulator: Emulator,
        tenant: Tenant,
        ada: Person,
        brightwater: Company,
        path: str,
        fault: dict[str, Any],
    ) -> None:
        account_of(ada, tenant, brightwater)
        address = browser.at_microsoft(browser.to_microsoft(), ada)
        emulator.faults.add(path=path, **fault)
        answer = browser.back(address)
        assert shown(answer) == (401, ["socialaccount/authentication_error.html"])
        assert browser.who == ""


def test_without_an_application_there_is_no_button_and_no_page(settings: Any) -> None:
    page = Client().get(reverse("account_login")).content.decode()
    assert "Sign in with Microsoft" in page
    settings.MICROSOFT_SIGNIN_CLIENT_ID = ""
    page = Client().get(reverse("account_login")).content.decode()
    assert "Sign in with Microsoft" not in page
    assert Client().post(reverse("microsoft_login")).status_code == 404
