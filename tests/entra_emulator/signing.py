"""The keys that tenants sign ID tokens with, and the documents that publish them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from tests.entra_emulator.tokens import b64url


class SigningKeys:
    """One tenant's RSA keys, made when first needed; the newest signs, and all of them are published."""

    def __init__(self) -> None:
        self._keys: list[RSAPrivateKey] = []

    def rotate(self) -> None:
        """Sign with a new key from now on; the ones before stay published."""
        self._keys.append(generate_private_key(public_exponent=65537, key_size=2048))

    def published(self) -> list[dict[str, str]]:
        """Return the public keys as a JWKS holds them.

        Source: entra-docs access-tokens.md, *Validate the signature*: RS256, found by ``kid``.
        """
        if not self._keys:
            self.rotate()
        return [_public(key) for key in self._keys]

    def sign(self, claims: dict[str, Any]) -> str:
        """Issue a JWT whose header says that it is emulated."""
        kid = self.published()[-1]["kid"]
        header = {"typ": "JWT", "alg": "RS256", "kid": kid, "emulated": True}
        signed = ".".join(b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return f"{signed}.{b64url(self._keys[-1].sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _public(key: RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    kid = b64url(hashlib.sha256(modulus).digest()[:20])
    exponent = b64url(numbers.e.to_bytes(3, "big"))
    return {"kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "n": b64url(modulus), "e": exponent}
