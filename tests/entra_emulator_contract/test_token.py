"""The token endpoint and discovery, as a client of the client-credentials flow meets them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import msal
import pytest
import requests

from tests.entra_emulator import Application, Emulator, Tenant
from tests.entra_emulator_contract.conftest import GRAPH, LOGIN, Client, token_request

TOKEN_URL = "{login}/{tenant}/oauth2/v2.0/token"


def refusal(answer: requests.Response) -> tuple[int, str, list[int]]:
    document = answer.json()
    return answer.status_code, document["error"], document["error_codes"]


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def with_msal(emulator: Emulator, tenant: str, app: Application, **words: Any) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        app.client_id,
        client_credential=words.pop("credential", app.secret),
        authority=f"{words.pop('login', LOGIN)}/{tenant}",
        http_client=emulator.session(),
        **words,
    )


# --- success -----------------------------------------------------------------------------------


def test_a_token_is_issued_for_a_secret(client: Client) -> None:
    """entra-docs v2-oauth2-client-creds-grant-flow.md: type, lifetime, token, and no refresh token."""
    document = client.post_token().json()
    assert sorted(document) == ["access_token", "expires_in", "ext_expires_in", "token_type"]
    assert (document["token_type"], document["expires_in"]) == ("Bearer", 3599)


def test_the_token_names_tenant_application_and_roles(client: Client, tenant: Tenant, app: Application) -> None:
    """entra-docs access-token-claims-reference.md; the claims of a v1.0 token are general knowledge."""
    claims = claims_of(client.token)
    assert {name: claims[name] for name in ("aud", "iss", "tid", "appid", "appidacr", "idtyp", "ver", "roles")} == {
        "aud": GRAPH,
        "iss": f"https://sts.windows.net/{tenant.id}/",
        "tid": tenant.id,
        "appid": app.client_id,
        "appidacr": "1",
        "idtyp": "app",
        "ver": "1.0",
        "roles": ["Group.Read.All", "User.Read.All"],
    }
    assert claims["oid"] == claims["sub"] == tenant.service_principals[app.client_id].id
    assert "scp" not in claims


def test_every_answer_says_that_it_is_emulated(client: Client) -> None:
    header = client.token.split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["emulated"] is True
    assert client.post_token().headers["x-emulated"] == "entra"
    assert client.get("/users").headers["x-emulated"] == "entra"


def test_the_tenant_may_be_named_by_a_verified_domain_and_in_any_case(client: Client, tenant: Tenant) -> None:
    for name in (tenant.domain, tenant.domain.upper(), tenant.initial_domain, tenant.id.upper()):
        assert client.post_token(name).status_code == 200


def test_the_secret_may_come_by_basic_authentication(client: Client, app: Application, tenant: Tenant) -> None:
    """entra-docs v2-oauth2-client-creds-grant-flow.md, the second way to send the secret."""
    form = token_request(app, tenant.id, client_id=None, client_secret=None)
    url = TOKEN_URL.format(login=LOGIN, tenant=tenant.id)
    assert client.session.post(url, data=form, auth=(app.client_id, app.secret), timeout=5).status_code == 200
    wrong = client.session.post(url, data=form, auth=(app.client_id, "wrong"), timeout=5)
    assert refusal(wrong) == (401, "invalid_client", [7000215])


# --- refusals ----------------------------------------------------------------------------------


def test_a_refusal_has_the_same_keys_for_every_code(client: Client) -> None:
    """entra-docs v2-oauth2-client-creds-grant-flow.md, error response."""
    document = client.post_token(client_secret="wrong").json()
    assert sorted(document) == [
        "correlation_id", "error", "error_codes", "error_description", "error_uri", "timestamp", "trace_id",
    ]  # fmt: skip
    assert re.fullmatch(
        r"AADSTS7000215: .*\r\nTrace ID: [0-9a-f-]{36}\r\nCorrelation ID: [0-9a-f-]{36}\r\n"
        r"Timestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ",
        document["error_description"],
    )
    assert document["error_uri"] == f"{LOGIN}/error?code=7000215"


def test_a_wrong_secret_or_its_id_is_7000215(client: Client, app: Application) -> None:
    """OfficeDev/microsoft-365-agents-toolkit#8621: 401 invalid_client."""
    for secret in ("wrong", app.secret_id):
        assert refusal(client.post_token(client_secret=secret)) == (401, "invalid_client", [7000215])


def test_expired_secrets_are_7000222(client: Client, tenant: Tenant, app: Application) -> None:
    """microsoft/botframework-sdk#6221: 401 invalid_client."""
    tenant.expire_secret(app.client_id)
    assert refusal(client.post_token()) == (401, "invalid_client", [7000222])


def test_a_second_secret_is_as_good_until_the_first_is_taken_away(
    client: Client, tenant: Tenant, app: Application
) -> None:
    """learn.microsoft.com graph/api/application-addpassword: two may overlap, rotation without downtime."""
    first = app.secret
    first_id = app.secret_id
    tenant.add_secret(app.client_id)
    assert client.post_token(client_secret=first).status_code == 200
    assert client.post_token(client_secret=app.secret).status_code == 200
    tenant.remove_secret(app.client_id, first_id)
    assert refusal(client.post_token(client_secret=first)) == (401, "invalid_client", [7000215])
    assert client.post_token(client_secret=app.secret).status_code == 200


def test_a_secret_expires_by_the_clock(emulator: Emulator, client: Client) -> None:
    """learn.microsoft.com graph/api/application-addpassword: two years unless told otherwise."""
    emulator.clock.advance(days=729)
    assert client.post_token().status_code == 200
    emulator.clock.advance(days=2)
    assert refusal(client.post_token()) == (401, "invalid_client", [7000222])


@pytest.mark.parametrize(
    ("change", "status", "error", "code"),
    [
        ({"client_id": "00000000-1111-2222-3333-444444444444"}, 400, "unauthorized_client", 700016),
        ({"client_id": "not a guid"}, 400, "unauthorized_client", 700016),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": f"{GRAPH}/User.Read.All"}, 400, "invalid_scope", 1002012),
        ({"scope": f"{GRAPH}/.default https://vault.azure.net/.default"}, 400, "invalid_scope", 700022),
        ({"scope": "graph/.default"}, 400, "invalid_scope", 70011),
        ({"scope": "https://graph.microsoft.us/.default"}, 400, "invalid_resource", 500011),
        ({"scope": "https://example.com/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_a_wrong_request_has_its_code(
    client: Client, change: dict[str, str | None], status: int, error: str, code: int
) -> None:
    """entra-docs reference-error-codes.md; vippsas/vipps-ecom-api#183 for 700016 being 400."""
    assert refusal(client.post_token(**change)) == (status, error, [code])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("00000000-1111-2222-3333-444444444444", 90002),
        ("elsewhere.example", 90002),
        ("not a tenant", 900023),
        ("common", 50059),
        ("organizations", 50059),
    ],
)
def test_a_tenant_that_is_none_is_refused(client: Client, name: str, code: int) -> None:
    """entra-docs reference-error-codes.md; common is refused because its token is for the wrong tenant
    (MicrosoftDocs/azure-docs#6485)."""
    assert refusal(client.post_token(name)) == (400, "invalid_request", [code])


def test_another_tenants_application_is_700016_until_consent(emulator: Emulator, client: Client) -> None:
    """Azure/azure-sdk-for-python#8314: 400 unauthorized_client."""
    other = emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    assert refusal(client.post_token(other.id)) == (400, "unauthorized_client", [700016])
    other.grant_consent(client.app.client_id)
    assert client.post_token(other.id).status_code == 200
    other.remove_enterprise_app(client.app.client_id)
    assert refusal(client.post_token(other.id)) == (400, "unauthorized_client", [700016])


def test_a_disabled_or_removed_application_is_refused(client: Client, tenant: Tenant) -> None:
    """entra-docs reference-error-codes.md: 7000112 and 7000229."""
    tenant.disable_app(client.app.client_id)
    assert refusal(client.post_token()) == (400, "unauthorized_client", [7000112])
    tenant.enable_app(client.app.client_id)
    tenant.remove_enterprise_app(client.app.client_id)
    assert refusal(client.post_token()) == (400, "unauthorized_client", [7000229])
    tenant.delete_app(client.app.client_id)
    assert refusal(client.post_token()) == (400, "unauthorized_client", [700016])


def test_a_loop_of_identical_failures_is_stopped(emulator: Emulator, client: Client) -> None:
    """entra-docs reference-error-codes.md: 50196. The number of requests is the emulator's own."""
    for _ in range(50):
        assert refusal(client.post_token(client_secret="wrong"))[2] == [7000215]
    assert refusal(client.post_token(client_secret="wrong")) == (400, "invalid_request", [50196])
    assert client.post_token().status_code == 200
    emulator.clock.advance(minutes=11)
    assert refusal(client.post_token(client_secret="wrong"))[2] == [7000215]


# --- consent -----------------------------------------------------------------------------------


def test_without_consent_a_token_has_no_roles_at_all(client: Client, tenant: Tenant) -> None:
    """entra-docs v2-oauth2-client-creds-grant-flow.md, tokens without the roles claim: issued with 200."""
    bare = tenant.register_app("No consent yet")
    client.app = bare
    assert "roles" not in claims_of(client.sign_in().token)
    answer = client.get("/users")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_roles_are_frozen_when_the_token_is_issued(client: Client, tenant: Tenant) -> None:
    """entra-docs access-tokens.md: a token is valid as issued until it expires."""
    tenant.revoke_consent(client.app.client_id)
    assert client.get("/users").status_code == 200
    assert client.sign_in().get("/users").status_code == 403
    tenant.grant_consent(client.app.client_id)
    assert client.get("/users").status_code == 403
    assert client.sign_in().get("/users").status_code == 200


def test_consent_takes_its_time(emulator: Emulator, client: Client, tenant: Tenant) -> None:
    """Azure-Samples/ms-identity-aspnet-daemon-webapp#1: 403 for a while after consent."""
    client.app = tenant.register_app()
    tenant.grant_consent(client.app.client_id, delay=90)
    assert client.sign_in().get("/users").status_code == 403
    emulator.clock.advance(91)
    assert client.get("/users").status_code == 403
    assert client.sign_in().get("/users").status_code == 200


# --- clouds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cloud", "login", "graph"),
    [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        ("usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
        ("dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        ("china", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
        ("china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_own_login_and_graph(emulator: Emulator, cloud: str, login: str, graph: str) -> None:
    """microsoft-graph-docs concepts/deployments.md."""
    tenant = emulator.add_tenant("Elsewhere", domain="elsewhere.example", cloud=cloud)
    tenant.add_user("Ada Lovelace")
    application = with_msal(emulator, tenant.id, tenant.register_app(consented=True), login=login)
    result = application.acquire_token_for_client([f"{graph}/.default"])
    headers = {"Authorization": f"Bearer {result['access_token']}"}
    found = emulator.session().get(f"{graph}/v1.0/users?$select=displayName", headers=headers, timeout=5).json()
    assert found["value"] == [{"displayName": "Ada Lovelace"}]


def test_the_wrong_login_host_is_90002_and_the_wrong_graph_is_500011_or_401(emulator: Emulator, client: Client) -> None:
    """microsoft-graph-docs concepts/deployments.md: tokens are not interchangeable between clouds."""
    government = emulator.add_tenant("Harbour Authority", domain="harbour.example", cloud="usgov")
    theirs = Client(emulator.session(), government.register_app(consented=True), government)
    assert refusal(theirs.post_token(login=LOGIN)) == (400, "invalid_request", [90002])
    assert refusal(theirs.post_token(scope=f"{GRAPH}/.default")) == (400, "invalid_resource", [500011])
    answer = client.get("https://graph.microsoft.us/v1.0/users")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


# --- discovery ---------------------------------------------------------------------------------


def test_discovery_by_domain_tells_the_tenants_guid(client: Client, tenant: Tenant) -> None:
    """entra-docs v2-protocols-oidc.md: issuer and endpoints carry the tenant's GUID, and are https."""
    url = f"{LOGIN}/{tenant.domain}/v2.0/.well-known/openid-configuration"
    document = client.session.get(url, timeout=5).json()
    assert document["issuer"] == f"{LOGIN}/{tenant.id}/v2.0"
    assert document["token_endpoint"] == f"{LOGIN}/{tenant.id}/oauth2/v2.0/token"
    assert document["msgraph_host"] == "graph.microsoft.com"


def test_discovery_of_an_unknown_tenant_is_invalid_tenant(client: Client) -> None:
    """Azure/azure-cli#22145: invalid_tenant here, while the token endpoint says invalid_request."""
    url = f"{LOGIN}/elsewhere.example/v2.0/.well-known/openid-configuration"
    assert refusal(client.session.get(url, timeout=5)) == (400, "invalid_tenant", [90002])


def test_instance_discovery_knows_the_clouds(client: Client) -> None:
    """AzureAD/microsoft-authentication-library-for-python, authority.py: what MSAL reads of it."""
    url = f"{LOGIN}/common/discovery/instance"
    asked = {"api-version": "1.1", "authorization_endpoint": f"{LOGIN}/common/oauth2/v2.0/authorize"}
    document = client.session.get(url, params=asked, timeout=5).json()
    assert document["tenant_discovery_endpoint"] == f"{LOGIN}/common/v2.0/.well-known/openid-configuration"
    assert "login.windows.net" in [host for item in document["metadata"] for host in item["aliases"]]


# --- MSAL --------------------------------------------------------------------------------------


def test_msal_accepts_everything(emulator: Emulator, tenant: Tenant, app: Application) -> None:
    """msal 1.39: authority by domain, https in every document, the token's lifetime long enough to be kept."""
    application = with_msal(emulator, tenant.domain, app)
    first = application.acquire_token_for_client([f"{GRAPH}/.default"])
    again = application.acquire_token_for_client([f"{GRAPH}/.default"])
    assert (first["token_source"], again["token_source"]) == ("identity_provider", "cache")
    assert first["access_token"] == again["access_token"]


def test_msal_reports_a_refusal_as_a_result(emulator: Emulator, tenant: Tenant, app: Application) -> None:
    result = with_msal(emulator, tenant.id, app, credential="wrong").acquire_token_for_client([f"{GRAPH}/.default"])
    assert (result["error"], result["error_codes"]) == ("invalid_client", [7000215])


def test_msal_raises_for_an_unknown_tenant_and_for_a_broken_service(emulator: Emulator, app: Application) -> None:
    with pytest.raises(ValueError, match="Unable to get authority configuration"):
        with_msal(emulator, "elsewhere.example", app)
    emulator.faults.add(path="/openid-configuration", status=503)
    with pytest.raises(msal.exceptions.MsalServiceError):
        with_msal(emulator, "brightwater.example", app)


def test_transient_refusals_come_on_demand(emulator: Emulator, client: Client) -> None:
    """entra-docs reference-error-codes.md: 90033 and its like mean try again."""
    emulator.faults.add(path="/token", aadsts=90033)
    assert refusal(client.post_token()) == (503, "temporarily_unavailable", [90033])
    emulator.faults.add(path="/token", status=429, retry_after=7)
    throttled = client.post_token()
    assert refusal(throttled) == (429, "temporarily_unavailable", [90055])
    assert throttled.headers["Retry-After"] == "7"
    assert client.post_token().status_code == 200
