"""An ID token is believed only where everything about it holds; each forgery is refused for its own reason."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenants.signin.idtoken import CONSUMERS, Identity, Refused, verify

LOGIN = "https://login.microsoftonline.com"
TENANT = "3f0c7d1e-52a8-4b69-9e47-0d6a1b8c2f35"
OTHER_TENANT = "8b1d5c1e-0000-4b69-9e47-0d6a1b8c2f35"
PERSON = "00000000-0000-4000-8000-000000000001"
PORTAL = "11111111-2222-3333-4444-555555555555"
NONCE = "the-nonce-of-this-sign-in"

OURS, OTHERS = (generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
KEYS = {(TENANT, "ours"): OURS, (OTHER_TENANT, "others"): OTHERS, (CONSUMERS, "ours"): OURS}


def key_of(tenant_id: str, kid: str) -> Mapping[str, Any] | None:
    """Publish each tenant's own key, as Microsoft does."""
    key = KEYS.get((tenant_id, kid))
    if key is None:
        return None
    published: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return published | {"kid": kid}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "aud": PORTAL,
        "iss": f"{LOGIN}/{TENANT}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "tid": TENANT,
        "oid": PERSON,
        "nonce": NONCE,
        "name": "Ada Lovelace",
        "preferred_username": "ada@brightwater.example",
        "email": "victim@another.example",
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def token(key: RSAPrivateKey = OURS, kid: str | None = "ours", algorithm: str = "RS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={"kid": kid} if kid else {})


def check(text: str, **changes: Any) -> Identity:
    return verify(text, **{"audience": PORTAL, "nonce": NONCE, "login": LOGIN, "key_of": key_of, **changes})


def test_a_true_token_tells_tenant_and_object_id_and_no_address() -> None:
    assert check(token()) == Identity(TENANT, PERSON, "Ada Lovelace", "ada@brightwater.example")


def test_ids_are_compared_in_lower_case() -> None:
    identity = check(token(oid=PERSON.upper(), tid=TENANT.upper()))
    assert (identity.tenant_id, identity.object_id) == (TENANT, PERSON)


def test_a_clock_that_is_a_minute_off_is_forgiven() -> None:
    now = int(time.time())
    assert check(token(iat=now + 60, nbf=now + 60)).object_id == PERSON
    assert check(token(exp=now - 60)).object_id == PERSON


FORGED: dict[str, str] = {
    "the issuer of another tenant": token(iss=f"{LOGIN}/{OTHER_TENANT}/v2.0"),
    "the issuer of another cloud": token(iss=f"https://login.microsoftonline.us/{TENANT}/v2.0"),
    "an issuer that is no tenant's": token(iss=f"{LOGIN}/{{tenantid}}/v2.0"),
    "the old issuer": token(iss=f"https://sts.windows.net/{TENANT}/"),
    "another tenant named, this one's key": token(tid=OTHER_TENANT),
    "this tenant named, another one's key": token(OTHERS, "others"),
    "this tenant named, another one's key under this one's name": token(OTHERS, "ours"),
    "another audience": token(aud="99999999-2222-3333-4444-555555555555"),
    "several audiences": token(aud=[PORTAL, "99999999-2222-3333-4444-555555555555"]),
    "no audience": token(aud=None),
    "expired": token(exp=int(time.time()) - 600),
    "no expiry": token(exp=None),
    "not valid yet": token(nbf=int(time.time()) + 86_400),
    "another nonce": token(nonce="of another sign-in"),
    "no nonce": token(nonce=None),
    "a nonce that is a list": token(nonce=[NONCE]),
    "no object id": token(oid=None),
    "an object id that is an address": token(oid="ada@brightwater.example"),
    "no tenant": token(tid=None),
    "a tenant that is a path": token(tid=f"../{TENANT}"),
    "the tenant of personal accounts": token(tid=CONSUMERS, iss=f"{LOGIN}/{CONSUMERS}/v2.0"),
    "an unknown key": token(kid="nobody's"),
    "no key named": token(kid=None),
    "alg none": jwt.encode(claims(), None, algorithm="none", headers={"kid": "ours"}),
    "HS256 under a shared text": jwt.encode(claims(), "x" * 32, algorithm="HS256", headers={"kid": "ours"}),
    "RS512": token(algorithm="RS512"),
    "a cut signature": token()[:-8],
    "nothing": "",
    "no token at all": "a.b.c",
    "an altered claim": ".".join(
        [
            *token().split(".")[:1],
            token(oid="00000000-0000-4000-8000-000000000002").split(".")[1],
            *token().split(".")[2:],
        ]
    ),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(forged: str) -> None:
    with pytest.raises(Refused):
        check(forged)


def test_a_public_key_used_as_a_shared_secret_is_refused() -> None:
    pem = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'ours'})}.{part(claims())}"
    signature = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    forged = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(Refused):
        check(forged)


def test_a_sign_in_without_a_nonce_of_its_own_accepts_nothing() -> None:
    with pytest.raises(Refused):
        check(token(nonce=""), nonce="")


def test_no_key_is_asked_for_before_the_tenant_is_a_guid() -> None:
    asked: list[tuple[str, str]] = []

    def remembering(tenant_id: str, kid: str) -> Mapping[str, Any] | None:
        asked.append((tenant_id, kid))
        return None

    for tid in ("../../evil", CONSUMERS, "", None):
        with pytest.raises(Refused):
            check(token(tid=tid), key_of=remembering)
    assert asked == []


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_refusal_repeats_nothing_of_the_token(forged: str) -> None:
    with pytest.raises(Refused) as refused:
        check(forged)
    assert [word for word in (PERSON, TENANT, NONCE, "ada@", "victim@") if word in str(refused.value)] == []
