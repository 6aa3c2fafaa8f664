"""What a browser meets at login: signing in for an application, and an administrator's consent."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
import requests

from tests.entra_emulator import Application, Emulator, Tenant, User
from tests.entra_emulator_contract.conftest import GRAPH, LOGIN, Client, error_of

BACK = "https://portal.example/accounts/microsoft/login/callback/"
CONSENT_BACK = "https://portal.example/azure/callback"
VERIFIER = "a-verifier-of-the-length-that-rfc-7636-asks-for-1234"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def ada(tenant: Tenant) -> User:
    return tenant.add_user(
        "Ada Lovelace", user_principal_name="ada@brightwater.example", mail="ada@brightwater.example"
    )


@pytest.fixture
def portal(emulator: Emulator) -> Application:
    maker = emulator.add_tenant("Password Boss", domain="passwordboss.example")
    return maker.register_app("Password Boss portal", roles=(), multi_tenant=True, redirect_uris=[BACK])


@pytest.fixture
def browser(emulator: Emulator) -> requests.Session:
    return emulator.session()


def authorize_url(app: Application, tenant: str = "organizations", **changes: str | None) -> str:
    """The request of entra-docs v2-oauth2-auth-code-flow.md, with PKCE and a nonce."""
    params = {
        "client_id": app.client_id,
        "response_type": "code",
        "redirect_uri": BACK,
        "response_mode": "query",
        "scope": "openid profile email",
        "state": "12345",
        "nonce": "678910",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    query = urlencode({name: value for name, value in params.items() if value is not None})
    return f"{LOGIN}/{tenant}/oauth2/v2.0/authorize?{query}"


def consent_url(app: Application, tenant: str, version: int = 1, **changes: str) -> str:
    params = {"client_id": app.client_id, "redirect_uri": CONSENT_BACK, "state": "s1", **changes}
    path = "adminconsent" if version == 1 else "v2.0/adminconsent"
    return f"{LOGIN}/{tenant}/{path}?{urlencode(params)}"


def press(browser: requests.Session, url: str, step: str, person: User | None = None) -> requests.Response:
    form = {"step": step, "person": person.id if person else ""}
    return browser.post(url, data=form, allow_redirects=False, timeout=5)


def sent_back(answer: requests.Response, to: str = BACK) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == to
    return dict(parse_qsl(target.query))


def code_of(browser: requests.Session, url: str, person: User) -> str:
    press(browser, url, "sign_in", person)
    return sent_back(press(browser, url, "accept", person))["code"]


def redeem(
    browser: requests.Session, app: Application, code: str, tenant: str = "organizations", **changes: str
) -> requests.Response:
    form = {
        "client_id": app.client_id,
        "client_secret": app.secret,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **changes,
    }
    return browser.post(f"{LOGIN}/{tenant}/oauth2/v2.0/token", data=form, timeout=5)


def aadsts(page: requests.Response) -> tuple[int, str]:
    found = re.search(r"AADSTS(\d+)", page.text)
    assert found, page.text
    return page.status_code, found[1]


# --- signing in --------------------------------------------------------------------------------


def test_a_person_signs_in_consents_and_is_sent_back_with_a_code(
    browser: requests.Session, portal: Application, ada: User
) -> None:
    """entra-docs v2-oauth2-auth-code-flow.md, *Successful response*: code and state."""
    url = authorize_url(portal)
    asked = browser.get(url, timeout=5)
    assert (asked.status_code, "Ada Lovelace &lt;ada@brightwater.example&gt;" in asked.text) == (200, True)
    consent = press(browser, url, "sign_in", ada)
    assert (consent.status_code, "Permissions requested" in consent.text) == (200, True)
    answer = sent_back(press(browser, url, "accept", ada))
    assert (sorted(answer), answer["state"]) == (["code", "session_state", "state"], "12345")


def test_consent_is_asked_once(browser: requests.Session, portal: Application, ada: User) -> None:
    """entra-docs permissions-consent-overview.md: consent is remembered, unless prompt=consent asks again."""
    code_of(browser, authorize_url(portal), ada)
    assert "code" in sent_back(press(browser, authorize_url(portal), "sign_in", ada))
    assert "Permissions requested" in press(browser, authorize_url(portal, prompt="consent"), "sign_in", ada).text


def test_pages_need_no_script_and_allow_none(browser: requests.Session, portal: Application) -> None:
    """Ours: the journeys run under a strict policy, which browsers apply to the redirect after a form as well."""
    page = browser.get(authorize_url(portal), timeout=5)
    policy = page.headers["Content-Security-Policy"]
    assert ("<script" in page.text, "default-src 'none'" in policy, "script-src" in policy) == (False, True, False)
    assert "form-action 'self' https://portal.example" in policy


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("cancel", {"error": "access_denied", "error_subcode": "cancel", "state": "12345"}),
        ("decline", {"error": "access_denied", "state": "12345"}),
    ],
)
def test_who_does_not_go_on_comes_back_with_access_denied(
    browser: requests.Session, portal: Application, ada: User, step: str, expected: dict[str, str]
) -> None:
    """entra-docs v2-oauth2-auth-code-flow.md, *Error response*; the cancelled sign-in as seen in several code bases."""
    answer = sent_back(press(browser, authorize_url(portal), step, ada))
    description = answer.pop("error_description", "")
    assert answer == expected
    assert description.startswith("AADSTS65004:" if step == "decline" else "")


@pytest.mark.parametrize(
    "uri",
    [BACK.rstrip("/"), BACK.upper(), f"{BACK}x", "https://evil.example/", BACK.replace("https", "http")],
)
def test_a_redirect_uri_must_match_exactly_or_the_browser_stays(
    browser: requests.Session, portal: Application, uri: str
) -> None:
    """entra-docs reply-url.md: AADSTS50011 on a page at Microsoft, no redirect."""
    answer = browser.get(authorize_url(portal, redirect_uri=uri), allow_redirects=False, timeout=5)
    assert aadsts(answer) == (400, "50011")


def test_requests_that_cannot_go_on_stay_at_microsoft(
    browser: requests.Session, portal: Application, app: Application, ada: User
) -> None:
    """entra-docs reference-error-codes.md: missing parameter, unknown or single-tenant application."""
    app.redirect_uris.append(BACK)
    answers = [
        browser.get(url, timeout=5)
        for url in (
            authorize_url(portal, redirect_uri=None),
            authorize_url(portal, scope=None),
            authorize_url(portal, client_id="00000000-0000-0000-0000-000000000001"),
            authorize_url(app),
            authorize_url(portal, "nowhere.example"),
        )
    ]
    assert [aadsts(answer)[1] for answer in answers] == ["900144", "900144", "700016", "50194", "90002"]
    assert browser.get(authorize_url(app, app.home), timeout=5).status_code == 200


def test_a_tenant_in_the_path_admits_only_its_people_and_guests(
    browser: requests.Session, emulator: Emulator, portal: Application, tenant: Tenant, ada: User
) -> None:
    """entra-docs v2-oauth2-auth-code-flow.md, *tenant*: a GUID means that tenant, with its guests."""
    other = emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    stranger = other.add_user("Hattie Sable")
    guest = tenant.add_guest("Hattie Sable", "hattie.sable@sablestreet.example")
    here = authorize_url(portal, tenant.id)
    assert "AADSTS50020" in press(browser, here, "sign_in", stranger).text
    assert "Permissions requested" in press(browser, here, "sign_in", guest).text
    assert "AADSTS50034" in press(browser, authorize_url(portal), "sign_in", guest).text


def test_a_disabled_person_gets_no_further(
    browser: requests.Session, portal: Application, tenant: Tenant, ada: User
) -> None:
    """entra-docs reference-error-codes.md, 50057."""
    tenant.disable_user(ada.id)
    assert "AADSTS50057" in press(browser, authorize_url(portal), "accept", ada).text


def test_where_people_may_not_consent_they_are_told_to_ask(
    browser: requests.Session, portal: Application, tenant: Tenant, ada: User
) -> None:
    """entra-docs application-consent-experience.md: *Need admin approval*."""
    tenant.forbid_user_consent()
    assert "AADSTS90094" in press(browser, authorize_url(portal), "sign_in", ada).text
    answer = sent_back(press(browser, authorize_url(portal), "return", ada))
    assert (answer["error"], answer["error_description"][:11]) == ("access_denied", "AADSTS90094")


# --- the tokens --------------------------------------------------------------------------------


def test_the_id_token_is_signed_by_the_tenants_published_key(
    browser: requests.Session, portal: Application, tenant: Tenant, ada: User
) -> None:
    """entra-docs id-token-claims-reference.md and access-tokens.md: RS256, by kid, issuer of the tenant."""
    document = redeem(browser, portal, code_of(browser, authorize_url(portal), ada)).json()
    assert sorted(document) == ["access_token", "expires_in", "ext_expires_in", "id_token", "scope", "token_type"]
    keys = browser.get(f"{LOGIN}/{tenant.id}/discovery/v2.0/keys", timeout=5).json()["keys"]
    header = jwt.get_unverified_header(document["id_token"])
    [key] = [key for key in keys if key["kid"] == header["kid"]]
    claims = jwt.decode(
        document["id_token"],
        jwt.PyJWK(key).key,
        algorithms=["RS256"],
        audience=portal.client_id,
        issuer=f"{LOGIN}/{tenant.id}/v2.0",
    )
    assert {name: claims[name] for name in ("tid", "oid", "nonce", "name", "preferred_username", "ver")} == {
        "tid": tenant.id,
        "oid": ada.id,
        "nonce": "678910",
        "name": "Ada Lovelace",
        "preferred_username": "ada@brightwater.example",
        "ver": "2.0",
    }
    # Pairwise, and never the object id; an email only of guests.
    assert (claims["sub"] == ada.id, "email" in claims) == (False, False)


def test_another_tenants_key_does_not_fit_and_a_new_key_is_published_beside_the_old(
    browser: requests.Session, emulator: Emulator, portal: Application, tenant: Tenant, ada: User
) -> None:
    """entra-docs signing-key-rollover.md: keys change at any time, and the old one stays a while."""
    other = emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    tenant.rotate_signing_key()
    first = redeem(browser, portal, code_of(browser, authorize_url(portal), ada)).json()["id_token"]
    tenant.rotate_signing_key()
    second = redeem(browser, portal, code_of(browser, authorize_url(portal), ada)).json()["id_token"]
    kids = [jwt.get_unverified_header(token)["kid"] for token in (first, second)]

    def published(name: str) -> list[str]:
        return [key["kid"] for key in browser.get(f"{LOGIN}/{name}/discovery/v2.0/keys", timeout=5).json()["keys"]]

    assert published(tenant.id) == kids
    assert set(published(other.id)).isdisjoint(kids)
    assert {*kids, *published(other.id)} <= set(published("organizations"))


def test_a_code_is_used_once_within_ten_minutes_by_whom_it_was_made_for(
    browser: requests.Session, emulator: Emulator, portal: Application, app: Application, ada: User
) -> None:
    """entra-docs v2-oauth2-auth-code-flow.md; 54005, 70008, 501481 of reference-error-codes.md."""
    code = code_of(browser, authorize_url(portal), ada)

    def refusal(**changes: Any) -> list[int]:
        codes: list[int] = redeem(browser, changes.pop("app", portal), code, **changes).json().get("error_codes", [])
        return codes

    assert refusal(code_verifier="another-verifier-that-is-long-enough-for-rfc-7636") == [501481]
    assert refusal(code_verifier="") == [501481]
    assert refusal(redirect_uri=f"{BACK}?x") == [500112]
    assert refusal(client_secret="wrong") == [7000215]
    assert refusal(app=app) == [70000]
    assert refusal() == []
    assert refusal() == [54005]
    code = code_of(browser, authorize_url(portal), ada)
    emulator.clock.advance(minutes=10)
    assert refusal() == [70008]


def test_without_openid_there_is_no_id_token_and_without_profile_no_object_id(
    browser: requests.Session, portal: Application, ada: User
) -> None:
    """entra-docs id-token-claims-reference.md: oid asks for the profile scope."""
    plain = redeem(browser, portal, code_of(browser, authorize_url(portal, scope=f"{GRAPH}/User.Read"), ada)).json()
    assert "id_token" not in plain
    bare = redeem(browser, portal, code_of(browser, authorize_url(portal, scope="openid"), ada)).json()
    part = bare["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=="))
    assert ({"oid", "name"} & claims.keys(), "tid" in claims) == (set(), True)


def test_me_is_who_signed_in_and_asks_for_user_read(
    browser: requests.Session, client: Client, portal: Application, ada: User
) -> None:
    """microsoft-graph-docs user-get.md: delegated, User.Read; an application has no /me."""

    def me(scope: str) -> requests.Response:
        token = redeem(browser, portal, code_of(browser, authorize_url(portal, scope=scope), ada)).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return browser.get(f"{GRAPH}/v1.0/me?$select=id,displayName", headers=headers, timeout=5)

    found = me(f"openid profile {GRAPH}/User.Read").json()
    assert (found["id"], found["displayName"]) == (ada.id, "Ada Lovelace")
    assert error_of(me("openid profile")) == (403, "Authorization_RequestDenied")
    assert error_of(client.get("/me")) == (400, "BadRequest")


def test_a_delegated_token_reads_no_directory(browser: requests.Session, portal: Application, ada: User) -> None:
    """microsoft-graph-docs permissions-overview.md: scopes are not application roles."""
    token = redeem(browser, portal, code_of(browser, authorize_url(portal), ada)).json()["access_token"]
    answer = browser.get(f"{GRAPH}/v1.0/users", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert error_of(answer) == (403, "Authorization_RequestDenied")


# --- an administrator's consent ----------------------------------------------------------------


@pytest.fixture
def connector(tenant: Tenant) -> Application:
    return tenant.register_app(redirect_uris=[CONSENT_BACK])


@pytest.fixture
def admin(tenant: Tenant) -> User:
    person = tenant.add_user("Ingrid Holm")
    tenant.make_administrator(person.id)
    return person


def roles_in_token(client: Client, connector: Application) -> list[str] | None:
    client.app = connector
    part = client.post_token().json()["access_token"].split(".")[1]
    roles: list[str] | None = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))).get("roles")
    return roles


def test_an_administrator_consents_and_it_takes_effect_after_a_while(
    browser: requests.Session, emulator: Emulator, client: Client, tenant: Tenant, connector: Application, admin: User
) -> None:
    """entra-docs v2-admin-consent.md: admin_consent, tenant, state. The delay: thread daemon-webapp#1."""
    emulator.consent_delay = 30
    url = consent_url(connector, tenant.domain)
    assert "on behalf of everybody" in press(browser, url, "sign_in", admin).text
    answer = sent_back(press(browser, url, "accept", admin), CONSENT_BACK)
    assert answer == {"admin_consent": "True", "tenant": tenant.id, "state": "s1"}
    assert roles_in_token(client, connector) is None
    emulator.clock.advance(seconds=30)
    assert roles_in_token(client, connector) == ["Group.Read.All", "User.Read.All"]


def test_v2_asks_for_a_scope_and_tells_what_was_granted(
    browser: requests.Session, tenant: Tenant, connector: Application, admin: User
) -> None:
    """entra-docs v2-admin-consent.md: scope is required, and comes back; application roles need /.default."""
    assert aadsts(browser.get(consent_url(connector, tenant.id, 2), timeout=5)) == (400, "900144")
    url = consent_url(connector, tenant.id, 2, scope=f"{GRAPH}/.default")
    answer = sent_back(press(browser, url, "accept", admin), CONSENT_BACK)
    assert answer["scope"] == f"{GRAPH}/Group.Read.All {GRAPH}/User.Read.All"


@pytest.mark.parametrize(
    ("version", "how", "error", "description"),
    [
        (1, "documented", "permission_denied", "The admin canceled the request"),
        (2, "documented", "consent_required", "AADSTS65004:"),
        (1, "seen", "access_denied", "AADSTS65004:"),
        (2, "seen", "access_denied", "AADSTS65004:"),
    ],
)
def test_a_declined_consent_says_admin_consent_all_the_same_and_no_tenant(
    browser: requests.Session,
    emulator: Emulator,
    tenant: Tenant,
    connector: Application,
    admin: User,
    version: int,
    how: str,
    error: str,
    description: str,
) -> None:
    """entra-docs v2-admin-consent.md and, as seen, thread azure-docs#114009."""
    emulator.consent_refusal = how
    url = consent_url(connector, tenant.id, version, scope=f"{GRAPH}/.default")
    answer = sent_back(press(browser, url, "decline", admin), CONSENT_BACK)
    assert (answer["error"], answer["admin_consent"], "tenant" in answer) == (error, "True", False)
    assert answer["error_description"].startswith(description)


def test_a_cancelled_sign_in_comes_back_without_a_description(
    browser: requests.Session, tenant: Tenant, connector: Application
) -> None:
    """As seen in several code bases."""
    answer = sent_back(press(browser, consent_url(connector, tenant.id), "cancel"), CONSENT_BACK)
    assert answer == {"error": "access_denied", "error_subcode": "cancel", "state": "s1"}


def test_an_ordinary_person_cannot_consent(
    browser: requests.Session, client: Client, tenant: Tenant, connector: Application, ada: User
) -> None:
    """entra-docs application-consent-experience.md; 90094."""
    url = consent_url(connector, tenant.id)
    assert aadsts(press(browser, url, "accept", ada)) == (200, "90094")
    answer = sent_back(press(browser, url, "return", ada), CONSENT_BACK)
    assert (answer["error"], answer["admin_consent"]) == ("access_denied", "True")
    assert roles_in_token(client, connector) is None


def test_another_tenants_administrator_is_sent_back_with_50020(
    browser: requests.Session, emulator: Emulator, tenant: Tenant, connector: Application
) -> None:
    """entra-docs reference-error-codes.md, 50020, in the shape of azure-docs#114009."""
    other = emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    hattie = other.add_user("Hattie Sable")
    other.make_administrator(hattie.id)
    answer = sent_back(press(browser, consent_url(connector, tenant.id), "accept", hattie), CONSENT_BACK)
    assert (answer["error"], answer["error_description"][:11], "tenant" in answer) == (
        "access_denied",
        "AADSTS50020",
        False,
    )


def test_a_consent_with_an_unregistered_redirect_uri_stays_at_microsoft(
    browser: requests.Session, tenant: Tenant, connector: Application
) -> None:
    """entra-docs v2-admin-consent.md: it must match exactly."""
    url = consent_url(connector, tenant.id, redirect_uri=f"{CONSENT_BACK}/")
    assert aadsts(browser.get(url, allow_redirects=False, timeout=5)) == (400, "50011")
