"""Client assertions signed with a certificate."""

from __future__ import annotations

import hashlib
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.login import Refused
from tests.entra_emulator.objects import Application
from tests.entra_emulator.tokens import b64url, unb64url

SKEW = 300


def check_assertion(assertion: str, application: Application, tenant: Tenant, login: str, now: float) -> None:
    """Accept a PS256 (``x5t#S256``) or RS256 (``x5t``) assertion of a registered certificate.

    Source: entra-docs certificate-credentials.md. MSAL omits ``nbf`` and writes float times: both are
    accepted. Raises `Refused`.
    """
    try:
        signed, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(unb64url(part)) for part in signed.split("."))
    except ValueError:
        raise Refused(50012, why="it is not a signed JWT") from None
    # MSAL leaves the padding on.
    named = {str(header.get(name)).rstrip("=") for name in ("x5t#S256", "x5t")}
    for pem in application.certificates:
        certificate = load_pem_x509_certificate(pem.encode())
        der = certificate.public_bytes(Encoding.DER)
        digests = (hashlib.sha256(der).digest(), hashlib.sha1(der, usedforsecurity=False).digest())
        if named & {b64url(digest) for digest in digests}:
            break
    else:
        # Threads Azure/azure-sdk-for-net#29007 ("The key was not found") and microsoft/azure-tools-for-java#2785
        # ("The key used is expired"): the same number for both.
        raise Refused(700027, why="the key was not found")
    if not certificate.not_valid_before_utc.timestamp() <= now <= certificate.not_valid_after_utc.timestamp():
        raise Refused(700027, why="the key used is expired")
    key = certificate.public_key()
    paddings = {
        "PS256": padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH),
        "RS256": padding.PKCS1v15(),
    }
    if header.get("alg") not in paddings or not isinstance(key, RSAPublicKey):
        raise Refused(50012, why="its algorithm is not supported")
    try:
        key.verify(unb64url(signature), signed.encode(), paddings[header["alg"]], SHA256())
    except (InvalidSignature, ValueError):
        raise Refused(700027, why="the key does not match") from None
    _check_claims(claims, application, tenant, login, now)


def _check_claims(claims: dict[str, object], application: Application, tenant: Tenant, login: str, now: float) -> None:
    names = {tenant.id, *tenant.domains}
    audiences = {f"{login}/{name}/{end}" for name in names for end in ("oauth2/v2.0/token", "v2.0")}
    if claims.get("aud") not in audiences:
        raise Refused(50012, why="its audience is not this tenant's token endpoint")
    if {str(claims.get("iss")).lower(), str(claims.get("sub")).lower()} != {application.client_id}:
        raise Refused(50012, why="issuer and subject must be the client id")
    expires, starts = claims.get("exp"), claims.get("nbf", now)
    if not isinstance(expires, (int, float)) or not isinstance(starts, (int, float)):
        raise Refused(50012, why="its times are not numbers")
    if expires <= now - SKEW or starts > now + SKEW:
        raise Refused(700024)
