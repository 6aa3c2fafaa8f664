"""The one reading of an ID token from Microsoft: who signed in, or the reason why the token proves nothing."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of personal Microsoft accounts, which are nobody's directory."""
CLOCK_SKEW_SECONDS = 120
ALGORITHM = "RS256"


class Refused(Exception):
    """An ID token proves nothing. Its text is for the log, and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Hold whom Microsoft signed in: tenant and object id in lower case decide, name and username are to be shown."""

    tenant_id: str
    object_id: str
    name: str = ""
    username: str = ""


def verify(
    token: str,
    *,
    audience: str,
    nonce: str,
    login: str,
    key_of: Callable[[str, str], Mapping[str, Any] | None],
) -> Identity:
    """Return who an ID token proves to have signed in. Raises Refused.

    `login` is the origin that issues; `key_of` returns a tenant's published key, as a JWK, by tenant id and key id.
    Mail and names in the token are never proof of anything: any tenant's administrator can write them.
    Source: entra-docs claims-validation.md, access-tokens.md, id-token-claims-reference.md.
    """
    try:
        header = jwt.get_unverified_header(token)
        unproven = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as wrong:
        raise Refused("It is no signed token.") from wrong
    # Before any key is chosen: a token that picks its own algorithm is checked by nothing.
    if header.get("alg") != ALGORITHM:
        raise Refused("Its algorithm is not RS256.")
    tenant_id = _guid(unproven, "tid")
    if tenant_id == CONSUMERS:
        raise Refused("It is of a personal account.")
    kid = header.get("kid")
    key = key_of(tenant_id, kid) if isinstance(kid, str) else None
    if key is None or key.get("kty") != "RSA":
        raise Refused("Its tenant has published no such key.")
    try:
        claims = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm=ALGORITHM).key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=f"{login}/{tenant_id}/v2.0",
            leeway=CLOCK_SKEW_SECONDS,
            options={"require": ["aud", "exp", "iat", "iss", "nonce", "oid", "tid"], "strict_aud": True},
        )
    except (jwt.InvalidTokenError, jwt.PyJWKError) as wrong:
        raise Refused(f"It does not hold ({type(wrong).__name__}).") from wrong
    if not nonce or not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise Refused("It was made for another sign-in.")
    return Identity(
        tenant_id=_guid(claims, "tid"),
        object_id=_guid(claims, "oid"),
        name=_text(claims, "name"),
        username=_text(claims, "preferred_username"),
    )


def _guid(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not GUID.fullmatch(value):
        raise Refused(f"Its {name} is no GUID.")
    return value.lower()


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value[:200] if isinstance(value, str) else ""
