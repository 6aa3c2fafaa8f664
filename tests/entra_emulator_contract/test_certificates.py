"""Client assertions signed with a certificate, by MSAL and by hand."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msal
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.entra_emulator import Emulator, Tenant
from tests.entra_emulator.tokens import b64url
from tests.entra_emulator_contract.conftest import GRAPH, LOGIN, Client

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class KeyPair:
    """A self-signed certificate and its key."""

    def __init__(self, *, days: int = 30) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "portal")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .sign(self.key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.key_pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def assertion(self, *, alg: str = "PS256", of: bytes = b"", **changes: Any) -> str:
        """Sign the claims with PS256, as entra-docs certificate-credentials.md asks; `of` names another certificate."""
        header = {"alg": alg, "typ": "JWT", "x5t#S256": b64url(hashlib.sha256(of or self.der).digest())}
        signed = ".".join(b64url(json.dumps(part).encode()) for part in (header, changes))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return f"{signed}.{b64url(self.key.sign(signed.encode(), pss, hashes.SHA256()))}"


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return KeyPair()


@pytest.fixture
def certified(client: Client, tenant: Tenant, pair: KeyPair) -> Client:
    tenant.add_certificate(client.app.client_id, pair.pem)
    return client


def good_claims(client: Client, now: float) -> dict[str, Any]:
    return {
        "aud": f"{LOGIN}/{client.tenant.id}/oauth2/v2.0/token",
        "iss": client.app.client_id,
        "sub": client.app.client_id,
        "jti": "once",
        "iat": now,
        "exp": now + 300.5,
    }


@pytest.mark.parametrize("thumbprint", [False, True])
def test_msal_signs_in_with_a_certificate(
    emulator: Emulator, certified: Client, pair: KeyPair, thumbprint: bool
) -> None:
    """msal 1.39: PS256 with x5t#S256, or RS256 with x5t where a thumbprint is given."""
    credential: dict[str, str] = {"private_key": pair.key_pem, "public_certificate": pair.pem}
    if thumbprint:
        credential = {
            "private_key": pair.key_pem,
            "thumbprint": hashlib.sha1(pair.der, usedforsecurity=False).hexdigest(),
        }
    application = msal.ConfidentialClientApplication(
        certified.app.client_id,
        client_credential=credential,
        authority=f"{LOGIN}/{certified.tenant.id}",
        http_client=emulator.session(),
    )
    result = application.acquire_token_for_client([f"{GRAPH}/.default"])
    assert "error" not in result, result["error_description"]
    certified.token = result["access_token"]
    assert certified.get("/users").status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"aud": "https://login.microsoftonline.com/common/oauth2/v2.0/token"}, 50012),
        ({"aud": "https://graph.microsoft.com"}, 50012),
        ({"iss": "somebody-else"}, 50012),
        ({"sub": "somebody-else"}, 50012),
        ({"exp": None}, 50012),
        ({"exp": "soon"}, 50012),
        ({"exp": 1.0}, 700024),
        ({"nbf": 99999999999}, 700024),
    ],
)
def test_an_assertion_is_checked(
    emulator: Emulator, certified: Client, pair: KeyPair, changes: dict[str, Any], code: int | None
) -> None:
    """entra-docs certificate-credentials.md; float times and a missing nbf are accepted, as MSAL writes them."""
    claims = {**good_claims(certified, emulator.clock.timestamp()), **changes}
    answer = certified.post_token(
        client_secret=None, client_assertion=pair.assertion(**claims), client_assertion_type=JWT_BEARER
    )
    assert answer.json().get("error_codes") == ([code] if code else None)


def test_an_unknown_certificate_or_a_forged_signature_is_700027(
    emulator: Emulator, client: Client, tenant: Tenant, pair: KeyPair
) -> None:
    """entra-docs reference-error-codes.md."""
    assertion = pair.assertion(**good_claims(client, emulator.clock.timestamp()))

    def codes(sent: str) -> list[int]:
        answer = client.post_token(client_secret=None, client_assertion=sent, client_assertion_type=JWT_BEARER)
        found: list[int] = answer.json()["error_codes"]
        return found

    assert codes(assertion) == [700027]
    tenant.add_certificate(client.app.client_id, pair.pem)
    assert codes(assertion[:-8] + "AAAAAAAA") == [700027]
    assert codes("not a jwt") == [50012]


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512", "ps256"])
def test_another_algorithm_is_refused(emulator: Emulator, certified: Client, pair: KeyPair, alg: str) -> None:
    """entra-docs certificate-credentials.md names PS256; RS256 is what older libraries write."""
    sent = pair.assertion(alg=alg, **good_claims(certified, emulator.clock.timestamp()))
    answer = certified.post_token(client_secret=None, client_assertion=sent, client_assertion_type=JWT_BEARER)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [50012])


def test_an_expired_a_removed_and_somebody_elses_certificate_are_700027(
    emulator: Emulator, client: Client, tenant: Tenant, pair: KeyPair
) -> None:
    """Threads microsoft/azure-tools-for-java#2785 (expired) and Azure/azure-sdk-for-net#29007 (not found)."""

    def refusal(sent: str) -> tuple[int, list[int], bool, bool]:
        answer = client.post_token(client_secret=None, client_assertion=sent, client_assertion_type=JWT_BEARER)
        document = answer.json()
        told = document["error_description"]
        codes: list[int] = document["error_codes"]
        return answer.status_code, codes, "key used is expired" in told, "key was not found" in told

    claims = good_claims(client, emulator.clock.timestamp())
    over, stranger = KeyPair(days=-1), KeyPair()
    tenant.add_certificate(client.app.client_id, over.pem)
    tenant.add_certificate(tenant.register_app("Another").client_id, stranger.pem)
    assert refusal(over.assertion(**claims)) == (401, [700027], True, False)
    assert refusal(stranger.assertion(**claims)) == (401, [700027], False, True)
    tenant.add_certificate(client.app.client_id, pair.pem)
    assert refusal(stranger.assertion(of=pair.der, **claims)) == (401, [700027], False, False)
    tenant.remove_certificate(client.app.client_id, pair.pem)
    assert refusal(pair.assertion(**claims)) == (401, [700027], False, True)


def test_nothing_but_a_certificate_is_uploaded(client: Client, tenant: Tenant, pair: KeyPair) -> None:
    """entra-docs how-to-add-credentials.md: the public key, as .cer, .pem or .crt."""
    for wrong in (pair.key_pem, pair.key_pem + pair.pem, "no certificate"):
        with pytest.raises(ValueError, match=r"private key|PEM"):
            tenant.add_certificate(client.app.client_id, wrong)
    assert client.app.certificates == []
