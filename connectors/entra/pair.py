"""The key pair that a connector signs in with instead of a secret: making it, and reading its certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_BITS = 2048
"""What Microsoft's own instructions make (entra-docs, "Create a self-signed public certificate")."""

YEARS = (1, 2)
"""For how long a certificate may be made."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Hold a new key pair, both parts in PEM; the private key shows itself in no repr."""

    private_key: str = field(repr=False)
    certificate: str


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Hold what is told of a certificate; `thumbprint` is the one that Entra shows beside it."""

    der: bytes = field(repr=False)
    thumbprint: str
    sha256: str
    expires_on: date


def make_pair(name: str, now: datetime, *, years: int) -> Pair:
    """Make an RSA key and its self-signed certificate; it is good until the end of its last day, in UTC."""
    if years not in YEARS:
        raise ValueError(f"A certificate is made for {' or '.join(map(str, YEARS))} years.")
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = now.astimezone(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Microsoft's clock may be behind ours.
        .not_valid_before(now - timedelta(minutes=10))
        .not_valid_after(datetime.combine(_after(now.date(), years), time(23, 59, 59), UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Pair(private, certificate.public_bytes(Encoding.PEM).decode())


def read_certificate(pem: str) -> CertificateFacts:
    """Return what is told of a certificate in PEM."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return CertificateFacts(
        der=certificate.public_bytes(Encoding.DER),
        # Entra shows certificates under this name; nothing is proven by it.
        thumbprint=certificate.fingerprint(SHA1()).hex().upper(),  # noqa: S303 # nosec B303
        sha256=certificate.fingerprint(SHA256()).hex().upper(),
        expires_on=certificate.not_valid_after_utc.date(),
    )


def _after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        # 29 February: the year after has none, and a day less is never too long.
        return day.replace(year=day.year + years, day=28)
