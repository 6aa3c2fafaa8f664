"""Tokens of an application, from msal; the only module that hands out a secret, and only to Microsoft's sign-in.

msal gets a door of ours in place of an HTTP client. Whatever is not a clean answer leaves that door as a
DirectoryError, so msal neither sees nor remembers it: its replay of 400, 429 and 5xx to a corrected secret, and
its three ways of failing, never come to be.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msal
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from connectors.directory import CredentialRejected, DirectoryError, Unexpected
from connectors.entra.clouds import ENDPOINTS, within
from connectors.entra.credentials import Certificate, Credentials, is_guid, opened
from connectors.entra.refusals import cloud_named, discovery_refused, other_cloud, token_refused
from connectors.entra.transport import Reply, Transport

_DISCOVERY_SECONDS = 24 * 3600
_KEPT_AT_MOST = 2000


class Bearer(requests.auth.AuthBase):
    """Put a token on a request; unlike a header's text it shows itself in no frame of a traceback."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True)
class Token:
    """Hold one app-only token. `good_until` is on the monotonic clock."""

    bearer: Bearer = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    good_until: float

    @property
    def permissions(self) -> frozenset[str] | None:
        """Return the application permissions frozen into it; None where the token cannot be read.

        For sentences only: Microsoft calls a Graph token opaque. Nothing granted means no `roles` at all.
        """
        if not self.claims:
            return None
        roles = self.claims.get("roles", [])
        return frozenset(role for role in roles if isinstance(role, str)) if isinstance(roles, list) else None


@dataclass(slots=True)
class _Kept:
    """Hold what one connector's generation may use again in this process."""

    tokens: msal.TokenCache = field(default_factory=msal.TokenCache, repr=False)
    discovery: Reply | None = None
    discovered: float = 0.0


_kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()
_kept_lock = threading.Lock()


def _kept_for(credentials: Credentials) -> _Kept:
    # More than key and generation: two tenants in one process can never be given each other's token.
    name = (
        credentials.key,
        str(credentials.generation),
        credentials.cloud,
        credentials.tenant.lower(),
        credentials.client_id.lower(),
    )
    with _kept_lock:
        for older in [other for other in _kept if other[0] == name[0] and other[1] != name[1]]:
            del _kept[older]
        kept = _kept.setdefault(name, _Kept())
        _kept.move_to_end(name)
        while len(_kept) > _KEPT_AT_MOST:
            _kept.popitem(last=False)
        return kept


def forget_tokens(key: str | None = None) -> None:
    """Drop the tokens kept in this process: of one connector, or all."""
    with _kept_lock:
        for name in [name for name in _kept if key is None or name[0] == key]:
            del _kept[name]


class TokenSource:
    """Give out one connector's token, asking Microsoft as seldom as possible.

    With `fresh`, nothing that this process remembers is used, and nothing is left behind.
    """

    def __init__(
        self, credentials: Credentials, transport: Transport, *, now: Callable[[], datetime], fresh: bool = False
    ) -> None:
        self._credentials = credentials
        self._transport = transport
        self._now = now
        self._fresh = fresh
        self._application: Any = None
        self._token: Token | None = None
        self._tenant_id = ""

    @property
    def tenant_id(self) -> str:
        """Return the tenant's GUID, as Microsoft's discovery document names it."""
        if not self._tenant_id:
            self.token()
        return self._tenant_id

    def token(self) -> Token:
        """Return a token that is good for at least another moment."""
        # msal never uses one again that has less than five minutes left; short-lived ones would be asked for each time.
        if self._token is None or time.monotonic() >= self._token.good_until:
            self._token = self._acquire()
        return self._token

    def renew(self) -> Token:
        """Return a token that Microsoft issues now: one from before a consent stays without it until it ends."""
        if not self._fresh:
            forget_tokens(self._credentials.key)
        self._application = self._token = None
        return self.token()

    def _acquire(self) -> Token:
        try:
            return self._ask()
        except DirectoryError as error:
            # Cut off msal's frames: their variables hold the secret, and a crash reporter may print those.
            failure = error.with_traceback(None)
        raise failure

    def _ask(self) -> Token:
        broken = ""
        result: Any = None
        try:
            if self._application is None:
                self._application, self._tenant_id = self._build()
            result = self._application.acquire_token_for_client([ENDPOINTS[self._credentials.cloud].scope])
        except (
            ValueError,
            TypeError,
            KeyError,
            RuntimeError,
            requests.RequestException,
            msal.exceptions.MsalError,
        ) as error:
            broken = type(error).__name__
        if broken:
            raise Unexpected(f"The sign-in to Microsoft failed here ({broken}). Nothing was changed.")
        lifetime = float(result["expires_in"])
        claims = _claims(result["access_token"])
        if isinstance(claims.get("tid"), str) and claims["tid"].lower() != self._tenant_id:
            raise Unexpected("Microsoft issued a token for another tenant than the one asked for. It was not used.")
        return Token(Bearer(result["access_token"]), claims, time.monotonic() + lifetime - min(60.0, lifetime / 2))

    def _build(self) -> tuple[Any, str]:
        credentials = self._credentials
        kept = _Kept() if self._fresh else _kept_for(credentials)
        secret = "" if credentials.certificate else opened(credentials.secret)
        door = _Door(credentials, self._transport, kept, secret_is_guid=is_guid(secret), now=self._now)
        certificate = credentials.certificate
        application = msal.ConfidentialClientApplication(
            credentials.client_id,
            client_credential=_signing(certificate) if certificate else secret,
            authority=f"{ENDPOINTS[credentials.cloud].login}/{quote(credentials.tenant, safe='')}",
            token_cache=kept.tokens,
            http_client=door,
            # The table of clouds is the validation; msal would ask the global cloud about every other one.
            instance_discovery=False,
            azure_region=False,
        )
        return application, door.tenant_id


class _Door:
    """Be msal's HTTP client: two addresses, clean answers only."""

    def __init__(
        self,
        credentials: Credentials,
        transport: Transport,
        kept: _Kept,
        *,
        secret_is_guid: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.tenant_id = ""
        self._credentials = credentials
        self._transport = transport
        self._kept = kept
        self._secret_is_guid = secret_is_guid
        self._now = now

    def get(self, url: str, **_: object) -> _Answer:
        """Answer the discovery document, reduced to what msal needs and checked."""
        reply = self._kept.discovery
        if reply is None or time.monotonic() - self._kept.discovered > _DISCOVERY_SECONDS:
            reply = self._transport.send("GET", url)
            if reply.status != 200:
                raise discovery_refused(reply, self._credentials)
        endpoints = ENDPOINTS[self._credentials.cloud]
        home = cloud_named(reply.document)
        token_endpoint = reply.document.get("token_endpoint")
        if not isinstance(token_endpoint, str):
            raise Unexpected("Microsoft did not say where this tenant signs in. Nothing was changed.")
        elsewhere = not within(token_endpoint, endpoints.logins)
        if elsewhere or (home is not None and ENDPOINTS[home].instances != endpoints.instances):
            raise other_cloud(self._credentials, home, reply.request_id)
        self.tenant_id = _tenant_of(reply.document, token_endpoint)
        if not self.tenant_id or (
            is_guid(self._credentials.tenant) and self.tenant_id != self._credentials.tenant.lower()
        ):
            raise Unexpected("Microsoft described another tenant than the one asked for. Nothing was changed.")
        self._kept.discovery, self._kept.discovered = reply, time.monotonic()
        return _Answer({"token_endpoint": token_endpoint, "authorization_endpoint": token_endpoint})

    def post(self, url: str, data: Mapping[str, Any] | None = None, **kwargs: Any) -> _Answer:
        """Answer a token, or raise."""
        reply = self._transport.send(
            "POST",
            url,
            headers={
                **(kwargs.get("headers") or {}),
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode(data or {}).encode(),
        )
        if reply.status != 200:
            raise token_refused(reply, self._credentials, secret_is_guid=self._secret_is_guid, now=self._now())
        value, lifetime = reply.document.get("access_token"), reply.document.get("expires_in")
        if isinstance(lifetime, str) and lifetime.isascii() and lifetime.isdigit():
            lifetime = int(lifetime[:9])
        if (
            not isinstance(value, str)
            or not value.isascii()
            or not value.isprintable()
            or not value.strip()
            or type(lifetime) is not int
            or not 0 < lifetime < 10**9
        ):
            raise Unexpected("Microsoft answered a token request without a usable token. Nothing was changed.")
        return _Answer({"access_token": value, "expires_in": lifetime})

    def close(self) -> None:
        """Leave the session open: it belongs to whoever reads."""


class _Answer:
    """Be the response object that msal reads."""

    status_code = 200

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.text = json.dumps(document)
        self.headers: dict[str, str] = {}

    def raise_for_status(self) -> None:
        """Raise nothing: what is not clean never becomes an answer."""


def _signing(certificate: Certificate) -> dict[str, str]:
    """Return msal's form of a certificate; msal itself would look at it only when it signs."""
    private_key = opened(certificate.private_key)
    try:
        usable = isinstance(load_pem_private_key(private_key.encode(), None), RSAPrivateKey)
        load_pem_x509_certificate(certificate.public_certificate.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        usable = False
    if not usable:
        raise CredentialRejected("The certificate cannot be used: it and its RSA private key are wanted in PEM.")
    return {"private_key": private_key, "public_certificate": certificate.public_certificate}


def _tenant_of(document: Mapping[str, Any], token_endpoint: str) -> str:
    """Return the tenant GUID in a discovery document's issuer, or else in its token endpoint; '' where none is."""
    for address in (document.get("issuer"), token_endpoint):
        if isinstance(address, str):
            try:
                first = urlsplit(address).path.strip("/").partition("/")[0].lower()
            except ValueError:
                continue
            if is_guid(first):
                return first
    return ""


def _claims(token: str) -> dict[str, Any]:
    """Read a token's claims without trusting them; {} where it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
