"""What a browser does at login: signing in for an application, and an administrator's consent."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.entra_emulator import pages
from tests.entra_emulator.clouds import CLOUDS_OF_LOGIN_HOST
from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.objects import Application, User, directory_id
from tests.entra_emulator.tokens import b64url, sign_jwt
from tests.entra_emulator.wire import Answer, Request

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator

CODE_SECONDS = 600
SHOWN_PEOPLE = 200
PSEUDO_TENANTS = ("common", "organizations", "consumers")
OPENID = ("openid", "profile", "email", "offline_access")

# Meanings: entra-docs reference-error-codes.md; the texts are our own.
PAGE_TEXTS = {
    50011: "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the "
    "application '{app}'.",
    50194: "Application '{app}' is not configured as a multi-tenant application. Usage of the /common endpoint is not "
    "supported for such applications.",
    700016: "Application with identifier '{app}' was not found in the directory '{tenant}'.",
    900144: "The request must contain the following parameter: '{name}'.",
    90002: "Tenant '{tenant}' not found.",
    90023: "The request is not valid: {name}.",
    9001023: "The grant type is not supported over the /common or /consumers endpoints.",
}
SIGN_IN_TEXTS = {
    50034: "AADSTS50034: there is no such person here.",
    50057: "AADSTS50057: this person's account is disabled.",
    50020: "AADSTS50020: this person is not in the tenant '{tenant}'.",
}
DESCRIPTIONS = {
    50020: "User account '{person}' does not exist in tenant '{tenant}' and cannot access "
    "the application '{app}' there.",
    50058: "A silent sign-in request was sent but no user is signed in.",
    65004: "User declined to consent to access the app.",
    90094: "The grant requires admin permission.",
}


class _Stays(Exception):
    """Keep the browser at login, with the page of an AADSTS code."""

    def __init__(self, code: int, **words: str) -> None:
        super().__init__(code)
        self.answer = pages.error_page(code, PAGE_TEXTS[code].format_map({"app": "", "tenant": "", **words}))


@dataclass(frozen=True)
class _Asked:
    """Hold what the application asked for; ``tenant`` is None for organizations and common."""

    application: Application
    tenant: Tenant | None
    host: str
    redirect_uri: str
    state: str | None
    params: dict[str, str] = field(repr=False)


@dataclass
class Code:
    """One authorization code: who signed in to what, and what must come with it."""

    tenant: Tenant
    person: User
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: tuple[str, str] | None
    expires: float
    used: bool = False


class Interactive:
    """Answers a browser gets at ``/authorize`` and ``/adminconsent``."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.codes: dict[str, Code] = {}

    # --- signing in ----------------------------------------------------------------------------

    def authorize(self, request: Request, segment: str) -> Answer:
        """Sign a person in for an application: ``GET`` shows the page, ``POST`` is a button of it.

        Source: entra-docs v2-oauth2-auth-code-flow.md, *Request an authorization code*.
        """
        try:
            asked = self._asked(request, segment)
            answer = self._refused(asked)
        except _Stays as stays:
            return stays.answer
        if answer is not None:
            return answer
        form = request.form if request.method == "POST" else {}
        step = form.get("step", "")
        if not step:
            return self._ask_who(asked)
        if step == "cancel":
            return _back(asked, error="access_denied", error_subcode="cancel")
        found = self._signed_in(asked, form)
        if isinstance(found, str):
            return self._ask_who(asked, found)
        tenant, person = found
        scopes = asked.params["scope"].split()
        if step == "decline":
            return self._back_with(asked, "access_denied", 65004)
        if step == "return":
            return self._back_with(asked, "access_denied", 90094)
        if step != "accept" and self._needs_consent(asked, tenant, person):
            who = (person.id, _shown(person))
            if not tenant.users_may_consent:
                return pages.need_admin_page(asked.application.name, who, redirect_uri=asked.redirect_uri)
            return pages.consent_page(asked.application.name, who, scopes, for_all="", redirect_uri=asked.redirect_uri)
        tenant.consent_of_person(asked.application.client_id, person.id, scopes)
        challenge = asked.params.get("code_challenge")
        method = asked.params.get("code_challenge_method", "plain")
        code = Code(
            tenant,
            person,
            asked.application.client_id,
            asked.redirect_uri,
            asked.params["scope"],
            asked.params.get("nonce"),
            (method, challenge) if challenge else None,
            self.emulator.clock.timestamp() + CODE_SECONDS,
        )
        name = f"1.{secrets.token_urlsafe(48)}"
        self.codes[name] = code
        return _back(asked, code=name, session_state=str(uuid.uuid4()))

    def _refused(self, asked: _Asked) -> Answer | None:
        params = asked.params
        if not params.get("scope"):
            raise _Stays(900144, name="scope")
        if params.get("response_mode", "query") != "query":
            raise _Stays(90023, name="only response_mode=query is emulated")
        if params.get("response_type") != "code":
            return _back(
                asked, error="unsupported_response_type", error_description="AADSTS700054: only 'code' is enabled."
            )
        if params.get("code_challenge_method", "plain") not in ("plain", "S256"):
            return _back(asked, error="invalid_request", error_description="AADSTS501491: the method is not supported.")
        if params.get("prompt") == "none":
            return self._back_with(asked, "login_required", 50058)
        return None

    def _needs_consent(self, asked: _Asked, tenant: Tenant, person: User) -> bool:
        if asked.params.get("prompt") == "consent":
            return True
        given = tenant.consented_scopes(asked.application.client_id, person.id)
        return not set(asked.params["scope"].split()) <= given

    # --- an administrator's consent ------------------------------------------------------------

    def admin_consent(self, request: Request, segment: str, *, version: int) -> Answer:
        """Let an administrator consent for a tenant; v1 to the registration's roles, v2 to a scope.

        Source: entra-docs v2-admin-consent.md. What is sent back on a refusal follows ``emulator.consent_refusal``:
        "documented", or "seen" as in thread azure-docs#114009. Both carry ``admin_consent=True`` on failures.
        """
        try:
            asked = self._asked(request, segment, need_principal=False)
            granted = self._roles_asked(asked, version)
        except _Stays as stays:
            return stays.answer
        form = request.form if request.method == "POST" else {}
        step = form.get("step", "")
        if not step:
            return self._ask_who(asked, anywhere=True)
        if step == "cancel":
            return _back(asked, error="access_denied", error_subcode="cancel")
        found = self._signed_in(asked, form, anywhere=True)
        if isinstance(found, str):
            return self._ask_who(asked, found, anywhere=True)
        tenant, person = found
        if asked.tenant is not None and tenant is not asked.tenant:
            words = {"person": person.user_principal_name, "tenant": asked.tenant.name, "app": asked.application.name}
            return self._back_with(asked, "access_denied", 50020, admin_consent="True", **words)
        who = (person.id, _shown(person))
        if person.id not in tenant.administrators:
            if step == "return":
                return self._back_with(asked, "access_denied", 90094, admin_consent="True")
            return pages.need_admin_page(asked.application.name, who, redirect_uri=asked.redirect_uri)
        if step == "decline":
            return self._declined(asked, version)
        if step != "accept":
            return pages.consent_page(
                asked.application.name, who, granted, for_all=tenant.name, redirect_uri=asked.redirect_uri
            )
        tenant.grant_consent(asked.application.client_id, delay=self.emulator.consent_delay)
        answer = {"admin_consent": "True", "tenant": tenant.id}
        if version == 2:
            answer["scope"] = " ".join(f"{tenant.cloud.graph}/{role}" for role in granted)
        return _back(asked, **answer)

    def _roles_asked(self, asked: _Asked, version: int) -> list[str]:
        """Tell what is consented to: v2 gives application permissions for ``/.default`` only."""
        if version == 1:
            return sorted(asked.application.roles)
        scope = asked.params.get("scope", "")
        if not scope:
            raise _Stays(900144, name="scope")
        graphs = {f"{cloud.graph}/.default" for cloud in CLOUDS_OF_LOGIN_HOST[asked.host]}
        if not set(scope.split()) & graphs:
            raise _Stays(90023, name="only the scope /.default of Graph is emulated")
        return sorted(asked.application.roles)

    def _declined(self, asked: _Asked, version: int) -> Answer:
        if self.emulator.consent_refusal == "seen":
            uri = f"https://{asked.host}/error?code=65004"
            return self._back_with(asked, "access_denied", 65004, error_uri=uri, admin_consent="True")
        if version == 2:
            return self._back_with(asked, "consent_required", 65004, admin_consent="True")
        return _back(
            asked,
            error="permission_denied",
            error_description="The admin canceled the request",
            admin_consent="True",
        )

    # --- what both stand on --------------------------------------------------------------------

    def _asked(self, request: Request, segment: str, *, need_principal: bool = True) -> _Asked:
        params = request.params
        for name in ("client_id", "redirect_uri"):
            if not params.get(name):
                raise _Stays(900144, name=name)
        client_id, uri = params["client_id"].lower(), params["redirect_uri"]
        tenant = self._tenant(request.host, segment)
        application = self.emulator.applications.get(client_id)
        if application is None or not application.enabled:
            raise _Stays(700016, app=client_id, tenant=segment)
        # Exactly: not a prefix, not another case, not a further path (entra-docs reply-url.md).
        if uri not in application.redirect_uris:
            raise _Stays(50011, uri=uri, app=application.client_id)
        if not application.multi_tenant:
            if tenant is None and need_principal:
                raise _Stays(50194, app=application.client_id)
            if tenant is not None and tenant.id != application.home:
                raise _Stays(700016, app=client_id, tenant=segment)
        return _Asked(application, tenant, request.host, uri, params.get("state"), params)

    def _tenant(self, host: str, segment: str) -> Tenant | None:
        if segment.lower() == "consumers":
            raise _Stays(9001023)
        if segment.lower() in PSEUDO_TENANTS:
            return None
        tenant = self.emulator.find_tenant(segment)
        if tenant is None or host not in tenant.cloud.login_hosts:
            raise _Stays(90002, tenant=segment)
        return tenant

    def _people(self, asked: _Asked, anywhere: bool) -> list[tuple[Tenant, User]]:
        """Return who can sign in: to a tenant its people and guests, elsewhere everybody at home.

        A guest who signs in to organizations does so at home, under another object id (entra-docs
        v2-oauth2-auth-code-flow.md; general knowledge of B2B).
        """
        found = []
        for tenant in self.emulator.tenants.values():
            if asked.host not in tenant.cloud.login_hosts:
                continue
            own = asked.tenant is tenant
            if asked.tenant is not None and not own and not anywhere:
                continue
            found += [(tenant, one) for one in tenant.people.values() if own or one.user_type != "Guest"]
        return found

    def _ask_who(self, asked: _Asked, problem: str = "", *, anywhere: bool = False) -> Answer:
        shown: dict[str, list[tuple[str, str]]] = {}
        for tenant, person in self._people(asked, anywhere):
            listed = shown.setdefault(tenant.name, [])
            marked = " – administrator" if person.id in tenant.administrators else ""
            if marked or len(listed) < SHOWN_PEOPLE:
                listed.insert(0 if marked else len(listed), (person.id, f"{_shown(person)}{marked}"))
        return pages.sign_in_page(
            asked.application.name, shown.items(), problem=problem, redirect_uri=asked.redirect_uri
        )

    def _signed_in(self, asked: _Asked, form: dict[str, str], *, anywhere: bool = False) -> tuple[Tenant, User] | str:
        wanted = (form.get("name") or form.get("person") or "").strip().lower()
        for tenant, person in self._people(asked, anywhere):
            if wanted and wanted in (person.id, person.user_principal_name.lower()):
                return (tenant, person) if person.account_enabled else SIGN_IN_TEXTS[50057]
        elsewhere = any(wanted and wanted in tenant.people for tenant in self.emulator.tenants.values())
        if elsewhere and asked.tenant is not None:
            return SIGN_IN_TEXTS[50020].format(tenant=asked.tenant.name)
        return SIGN_IN_TEXTS[50034]

    def _back_with(self, asked: _Asked, error: str, code: int, **more: str) -> Answer:
        words = {name: more.pop(name) for name in ("person", "tenant", "app") if name in more}
        moment = self.emulator.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        description = (
            f"AADSTS{code}: {DESCRIPTIONS[code].format_map(words)}\r\nTrace ID: {uuid.uuid4()}\r\n"
            f"Correlation ID: {uuid.uuid4()}\r\nTimestamp: {moment}"
        )
        return _back(asked, error=error, error_description=description, **more)

    # --- the tokens of a code ------------------------------------------------------------------

    def tokens_of(self, code: Code, application: Application) -> dict[str, Any]:
        """Return the token answer of a redeemed code.

        Source: entra-docs v2-oauth2-auth-code-flow.md, *Successful response*, and id-token-claims-reference.md.
        """
        tenant, person = code.tenant, code.person
        now, lifetime = int(self.emulator.clock.timestamp()), self.emulator.token_lifetime
        scopes = code.scope.split()
        on_graph = [scope.removeprefix(f"{tenant.cloud.graph}/") for scope in scopes if scope != "offline_access"]
        access = {
            "aud": tenant.cloud.graph,
            "iss": f"https://sts.windows.net/{tenant.id}/",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "appid": application.client_id,
            "idtyp": "user",
            "oid": person.id,
            "scp": " ".join(on_graph),
            "sub": directory_id("pairwise", "graph", person.id),
            "tid": tenant.id,
            "upn": person.user_principal_name,
            "ver": "1.0",
            "x_generation": tenant.service_principals[application.client_id].token_generation,
        }
        document: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": " ".join(on_graph),
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": sign_jwt(self.emulator.key, access),
        }
        if "openid" in scopes:
            document["id_token"] = tenant.signing.sign(self._id_claims(code, application, now, lifetime))
        return document

    def _id_claims(self, code: Code, application: Application, now: int, lifetime: int) -> dict[str, Any]:
        tenant, person = code.tenant, code.person
        scopes = code.scope.split()
        claims: dict[str, Any] = {
            "aud": application.client_id,
            "iss": f"{tenant.cloud.login}/{tenant.id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "sub": b64url(hashlib.sha256(f"{application.client_id} {person.id}".encode()).digest()),
            "tid": tenant.id,
            "uti": uuid.uuid4().hex[:22],
            "ver": "2.0",
        }
        if code.nonce is not None:
            claims["nonce"] = code.nonce
        if "profile" in scopes:
            claims |= {
                "name": person.display_name,
                "oid": person.id,
                "preferred_username": person.user_principal_name,
            }
        # Of members only as an optional claim (entra-docs optional-claims-reference.md).
        if "email" in scopes and person.user_type == "Guest" and person.mail:
            claims["email"] = person.mail
        return claims


def verifier_fits(challenge: tuple[str, str] | None, verifier: str) -> bool:
    """Tell whether a PKCE verifier is that of the challenge (RFC 7636); without a challenge, anything is."""
    if challenge is None:
        return True
    method, expected = challenge
    made = b64url(hashlib.sha256(verifier.encode()).digest()) if method == "S256" else verifier
    return hmac.compare_digest(made.encode(), expected.encode())


def _shown(person: User) -> str:
    return f"{person.display_name or '–'} <{person.user_principal_name}>"


def _back(asked: _Asked, **params: str) -> Answer:
    if asked.state is not None:
        params["state"] = asked.state
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    location = f"{asked.redirect_uri}{joint}{urlencode(params)}"
    return Answer(302, b"", {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
