"""Microsoft login: discovery, keys, and the token endpoint for both grants with its AADSTS errors."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from tests.entra_emulator.clouds import CLOUDS, CLOUDS_OF_LOGIN_HOST, Cloud
from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.interactive import Interactive, verifier_fits
from tests.entra_emulator.objects import Application, ServicePrincipal
from tests.entra_emulator.tokens import sign_jwt
from tests.entra_emulator.wire import Answer, Request

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", re.IGNORECASE)
PSEUDO_TENANTS = ("common", "organizations", "consumers")
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_LIFETIME = 3599
LOOP_LIMIT, LOOP_WINDOW = 50, 300

# code: (error, status, text). Source: entra-docs reference-error-codes.md for the meanings; threads for
# the statuses of 7000215, 7000222 (401), 700016, 90002 (400). The texts are our own.
AADSTS = {
    7000215: ("invalid_client", 401, "The client secret sent is not the value of one of application '{app}'."),
    7000222: ("invalid_client", 401, "The client secret keys of application '{app}' are expired."),
    7000216: ("invalid_client", 401, "A client_assertion, client_secret or request signature is required."),
    7000218: ("invalid_client", 401, "The request body must contain 'client_assertion' or 'client_secret'."),
    7000112: ("unauthorized_client", 400, "Application '{app}' is disabled."),
    7000229: ("unauthorized_client", 400, "Application '{app}' has no service principal in tenant '{tenant}'."),
    700016: ("unauthorized_client", 400, "Application with identifier '{app}' was not found in directory '{tenant}'."),
    700027: ("invalid_client", 401, "The signature of the client assertion could not be verified: {why}."),
    700024: ("invalid_client", 401, "The client assertion is not within its valid time range."),
    700030: ("invalid_client", 401, "The certificate of the assertion is not valid."),
    50012: ("invalid_client", 401, "The client assertion was not accepted: {why}."),
    70011: ("invalid_scope", 400, "The scope '{scope}' is not valid."),
    700022: ("invalid_scope", 400, "The scope '{scope}' names more than one resource."),
    1002012: ("invalid_scope", 400, "The scope '{scope}' must be a resource followed by /.default."),
    500011: ("invalid_resource", 400, "The resource principal named '{scope}' was not found in tenant '{tenant}'."),
    70003: ("unsupported_grant_type", 400, "The grant type '{why}' is not supported."),
    900144: ("invalid_request", 400, "The request body must contain the parameter '{why}'."),
    900561: ("invalid_request", 400, "The endpoint only accepts POST requests."),
    9002313: ("invalid_request", 400, "The request is malformed."),
    90002: ("invalid_request", 400, "Tenant '{tenant}' not found. Check the tenant id and the cloud."),
    900023: ("invalid_request", 400, "'{tenant}' is neither a DNS name nor an external domain."),
    50059: ("invalid_request", 400, "No tenant-identifying information found in the request."),
    90038: ("invalid_request", 400, "Tenant '{tenant}' lives in another national cloud."),
    50196: ("invalid_request", 400, "The server stopped a loop of identical requests."),
    53003: ("invalid_grant", 400, "Access has been blocked by Conditional Access policies."),
    90055: ("temporarily_unavailable", 429, "The tenant is throttled."),
    50033: ("temporarily_unavailable", 503, "A transient error occurred."),
    90006: ("server_error", 500, "An external server could not be reached."),
    90012: ("temporarily_unavailable", 504, "The request timed out."),
    90024: ("temporarily_unavailable", 503, "The request budget is exceeded."),
    90033: ("temporarily_unavailable", 503, "A transient error has occurred. Please try again."),
    90090: ("server_error", 500, "The service failed."),
    54005: ("invalid_grant", 400, "OAuth2 authorization code was already redeemed."),
    70000: ("invalid_grant", 400, "The provided value for the input parameter 'code' is not valid."),
    70008: ("invalid_grant", 400, "The provided authorization code has expired."),
    500112: ("invalid_client", 400, "The reply address '{why}' is not the one the authorization code was asked with."),
    501481: ("invalid_grant", 400, "The Code_Verifier does not match the code_challenge of the request."),
}  # fmt: skip
WITH_ERROR_URI = {7000215, 7000222, 7000218, 700016, 90002, 900144, 500011, 700027, 90033}


class Refused(Exception):
    """Refuse a request to login with an AADSTS code; ``words`` fill its text."""

    def __init__(self, code: int, *, error: str | None = None, **words: str) -> None:
        super().__init__(code)
        self.code, self.error, self.words = code, error, words


@dataclass
class Asked:
    """Who and what a request to login concerned, for the journal."""

    tenant: str | None = None
    client_id: str | None = None


class Login:
    """Answers for every login host."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.interactive = Interactive(emulator)
        self._failures: dict[tuple[str, str], deque[float]] = {}

    # --- routing -------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        segments = [part for part in request.path.split("/") if part]
        rest = "/".join(segments[1:]).lower()
        try:
            if not segments:
                return Answer.text(404, "")
            if rest == "discovery/instance":
                return self._instance_discovery(request)
            if rest in ("v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"):
                return self._openid_configuration(request, segments[0])
            if rest == "discovery/v2.0/keys":
                return self._keys(request, segments[0])
            if rest == "oauth2/v2.0/authorize":
                return self.interactive.authorize(request, segments[0])
            if rest in ("adminconsent", "v2.0/adminconsent"):
                version = 2 if rest.startswith("v2.0/") else 1
                return self.interactive.admin_consent(request, segments[0], version=version)
            if rest == "oauth2/v2.0/token":
                return self._token(request, segments[0])
        except Refused as refusal:
            return self.refuse(request, refusal)
        return Answer.text(404, "")

    def asked(self, request: Request) -> Asked:
        """Tell tenant and client of a request without judging it."""
        segments = [part for part in request.path.split("/") if part]
        tenant = self._tenant_at(request.host, segments[0]) if segments else None
        client_id = request.params.get("client_id")
        if request.method == "POST" and client_id is None:
            client_id = request.form.get("client_id") or (self._basic(request) or ("", ""))[0] or None
        return Asked(tenant.id if tenant else None, client_id.lower() if client_id else None)

    def refuse(self, request: Request, refusal: Refused, headers: dict[str, str] | None = None) -> Answer:
        """Make the error document of an AADSTS code.

        The same keys for every code; ``error_uri`` for some only. Source: entra-docs
        v2-oauth2-client-creds-grant-flow.md, error response.
        """
        error, status, text = AADSTS[refusal.code]
        text = text.format_map({"app": "", "tenant": "", "scope": "", "why": "", **refusal.words})
        moment = self.emulator.clock.now().astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = str(uuid.uuid4()), request.headers.get("client-request-id") or str(uuid.uuid4())
        document: dict[str, Any] = {
            "error": refusal.error or error,
            "error_description": f"AADSTS{refusal.code}: {text}\r\nTrace ID: {trace}\r\n"
            f"Correlation ID: {correlation}\r\nTimestamp: {moment}",
            "error_codes": [refusal.code],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
        }
        if refusal.code in WITH_ERROR_URI:
            document["error_uri"] = f"https://{request.host}/error?code={refusal.code}"
        return Answer.json(status, document, headers)

    # --- discovery -----------------------------------------------------------------------------

    def _instance_discovery(self, request: Request) -> Answer:
        asked = request.params.get("authorization_endpoint", "")
        match = re.match(r"https://([^/]+)/(.+?)/oauth2/", asked)
        if not match or match[1].lower() not in CLOUDS_OF_LOGIN_HOST:
            document = {"error": "invalid_instance", "error_description": "AADSTS50049: Unknown or invalid instance."}
            return Answer.json(400, {**document, "error_codes": [50049]})
        host, tenant = match[1].lower(), match[2]
        metadata = [
            {
                "preferred_network": cloud.login_hosts[0],
                "preferred_cache": cloud.login_hosts[-1],
                "aliases": list(cloud.login_hosts),
            }
            for cloud in CLOUDS.values()
            if cloud.name != "dod"
        ]
        return Answer.json(
            200,
            {
                "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": metadata,
            },
        )

    def _openid_configuration(self, request: Request, segment: str) -> Answer:
        try:
            tenant = self._find_tenant(request.host, segment, pseudo=True)
        except Refused as refusal:
            # The same code is invalid_tenant here and invalid_request at the token endpoint
            # (thread Azure/azure-cli#22145).
            raise Refused(refusal.code, error="invalid_tenant", **refusal.words) from None
        name = tenant.id if tenant else segment.lower()
        cloud = tenant.cloud if tenant else CLOUDS_OF_LOGIN_HOST[request.host][0]
        base = f"https://{request.host}/{name}"
        return Answer.json(
            200,
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"https://{request.host}/{name if tenant else '{tenantid}'}/v2.0",
                "request_uri_parameter_supported": False,
                "userinfo_endpoint": f"{cloud.graph}/oidc/userinfo",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
                "tenant_region_scope": "NA",
                "cloud_instance_name": request.host.partition(".")[2],
                "cloud_graph_host_name": "graph.windows.net",
                "msgraph_host": cloud.graph_host,
            },
        )

    def _tenant_at(self, host: str, segment: str) -> Tenant | None:
        tenant = self.emulator.find_tenant(segment)
        return tenant if tenant and host in tenant.cloud.login_hosts else None

    def _find_tenant(self, host: str, segment: str, *, pseudo: bool = False) -> Tenant | None:
        if segment.lower() in PSEUDO_TENANTS:
            if pseudo:
                return None
            raise Refused(50059)
        if not GUID.fullmatch(segment) and not DOMAIN.fullmatch(segment):
            raise Refused(900023, tenant=segment)
        tenant = self._tenant_at(host, segment)
        if tenant is None:
            raise Refused(90002, tenant=segment)
        return tenant

    # --- the token endpoint --------------------------------------------------------------------

    def _token(self, request: Request, segment: str) -> Answer:
        client = (segment.lower(), request.body.decode("utf-8", "replace"))
        failures = self._failures.setdefault(client, deque())
        now = self.emulator.clock.timestamp()
        while failures and failures[0] < now - LOOP_WINDOW:
            failures.popleft()
        try:
            if len(failures) >= LOOP_LIMIT:
                raise Refused(50196)
            return self._issue(request, segment)
        except Refused:
            failures.append(now)
            raise

    def _issue(self, request: Request, segment: str) -> Answer:
        if request.method != "POST":
            raise Refused(900561)
        form = request.form
        if form.get("grant_type") == "authorization_code":
            return self._redeem(request, segment)
        tenant = self._find_tenant(request.host, segment)
        assert tenant is not None
        basic = self._basic(request)
        client_id = form.get("client_id") or (basic[0] if basic else "")
        for name, value in (("grant_type", form.get("grant_type")), ("client_id", client_id)):
            if not value:
                raise Refused(900144, why=name)
        if form["grant_type"] != "client_credentials":
            raise Refused(70003, why=form["grant_type"])
        if not form.get("scope"):
            raise Refused(900144, why="scope")
        cloud = self._resource(tenant, form["scope"])
        application, principal = self._application(tenant, client_id)
        by_certificate = self._authenticate(request, tenant, application, form, basic)
        return self._token_answer(tenant, cloud, application, principal, by_certificate)

    def _redeem(self, request: Request, segment: str) -> Answer:
        """Give the tokens of an authorization code (entra-docs v2-oauth2-auth-code-flow.md, *Redeem a code*)."""
        form, basic = request.form, self._basic(request)
        client_id = (form.get("client_id") or (basic[0] if basic else "")).lower()
        for name, value in (("client_id", client_id), ("code", form.get("code"))):
            if not value:
                raise Refused(900144, why=name)
        named = self._find_tenant(request.host, segment, pseudo=True)
        code = self.interactive.codes.get(form["code"])
        if code is None or code.client_id != client_id or named not in (None, code.tenant):
            raise Refused(70000)
        application, _ = self._application(code.tenant, client_id)
        self._authenticate(request, code.tenant, application, form, basic)
        if code.used:
            raise Refused(54005)
        if code.expires <= self.emulator.clock.timestamp():
            raise Refused(70008)
        if form.get("redirect_uri") != code.redirect_uri:
            raise Refused(500112, why=form.get("redirect_uri", ""))
        if not verifier_fits(code.challenge, form.get("code_verifier", "")):
            raise Refused(501481)
        code.used = True
        document = self.interactive.tokens_of(code, application)
        return Answer.json(200, document, {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})

    def _keys(self, request: Request, segment: str) -> Answer:
        """Publish a tenant's keys; at organizations and common, everybody's."""
        tenant = self._find_tenant(request.host, segment, pseudo=True)
        tenants = [tenant] if tenant else list(self.emulator.tenants.values())
        keys = [
            {**key, "issuer": f"{one.cloud.login}/{one.id}/v2.0"} for one in tenants for key in one.signing.published()
        ]
        return Answer.json(200, {"keys": keys})

    @staticmethod
    def _basic(request: Request) -> tuple[str, str] | None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return None
        return unquote_plus(user), unquote_plus(password)

    @staticmethod
    def _resource(tenant: Tenant, scope: str) -> Cloud:
        scopes = scope.split()
        if len({item.removesuffix("/.default") for item in scopes}) > 1:
            raise Refused(700022, scope=scope)
        if not scopes[0].endswith("/.default"):
            raise Refused(1002012, scope=scope)
        # A resource written with a trailing slash keeps it: https://x//.default names https://x/.
        resource = scopes[0].removesuffix("/.default").removesuffix("/")
        if not re.match(r"[a-z]+://|[0-9a-f-]{36}$", resource, re.IGNORECASE):
            raise Refused(70011, scope=scope)
        if resource.lower() not in (tenant.cloud.graph, "00000003-0000-0000-c000-000000000000"):
            raise Refused(500011, scope=resource, tenant=tenant.name)
        return tenant.cloud

    def _application(self, tenant: Tenant, client_id: str) -> tuple[Application, ServicePrincipal]:
        application = self.emulator.applications.get(client_id.lower())
        principal = tenant.service_principals.get(client_id.lower())
        if application is None or (principal is None and application.home != tenant.id):
            raise Refused(700016, app=client_id, tenant=tenant.name)
        if principal is None:
            raise Refused(7000229, app=client_id, tenant=tenant.id)
        if not (application.enabled and principal.account_enabled):
            raise Refused(7000112, app=client_id)
        return application, principal

    def _authenticate(
        self,
        request: Request,
        tenant: Tenant,
        application: Application,
        form: dict[str, str],
        basic: tuple[str, str] | None,
    ) -> bool:
        """Check the credential sent; answer whether it was a certificate."""
        assertion = form.get("client_assertion")
        if assertion:
            if form.get("client_assertion_type") != JWT_BEARER:
                raise Refused(900144, why="client_assertion_type")
            from tests.entra_emulator.assertions import check_assertion

            endpoint = f"https://{request.host}"
            check_assertion(assertion, application, tenant, endpoint, self.emulator.clock.timestamp())
            return True
        sent = form.get("client_secret") or (basic[1] if basic else "")
        if not sent:
            raise Refused(7000218)
        now = self.emulator.clock.now()
        matching = [secret for secret in application.secrets if secret.value == sent]
        if any(secret.starts <= now < secret.expires for secret in matching):
            return False
        all_expired = bool(application.secrets) and all(item.expires <= now for item in application.secrets)
        raise Refused(7000222 if matching or all_expired else 7000215, app=application.client_id)

    def _token_answer(
        self,
        tenant: Tenant,
        cloud: Cloud,
        application: Application,
        principal: ServicePrincipal,
        by_certificate: bool,
    ) -> Answer:
        now: datetime = self.emulator.clock.now()
        lifetime = self.emulator.token_lifetime
        claims: dict[str, Any] = {
            "aud": cloud.graph,
            "iss": f"https://sts.{'chinacloudapi.cn' if cloud.name == 'china' else 'windows.net'}/{tenant.id}/",
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int(now.timestamp()) + lifetime,
            "appid": application.client_id,
            "appidacr": "2" if by_certificate else "1",
            "app_displayname": application.name,
            "idtyp": "app",
            "oid": principal.id,
            "sub": principal.id,
            "tid": tenant.id,
            "uti": uuid.uuid4().hex[:22],
            "ver": "1.0",
            "x_generation": principal.token_generation,
        }
        # The claim is absent altogether, not empty, where nothing is granted (entra-docs
        # v2-oauth2-client-creds-grant-flow.md).
        roles = sorted(principal.roles_at(now))
        if roles:
            claims["roles"] = roles
        document = {
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": sign_jwt(self.emulator.key, claims),
        }
        return Answer.json(200, document, {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})


def describe_error(body: bytes) -> str | None:
    """Read the first AADSTS code of an error document, for the journal."""
    try:
        return f"AADSTS{json.loads(body)['error_codes'][0]}"
    except (ValueError, KeyError, IndexError, TypeError):
        return None
