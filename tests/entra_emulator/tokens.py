"""Signed tokens: the access tokens the emulator issues, and its opaque paging tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from typing import Any


class BadToken(ValueError):
    """Say that a token was not issued by this emulator, or was altered."""


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign_jwt(key: bytes, claims: dict[str, Any]) -> str:
    """Issue a three-segment JWT whose header says that it is emulated."""
    header = {"typ": "JWT", "alg": "HS256", "emulated": True}
    signed = ".".join(b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{b64url(hmac.digest(key, signed.encode(), 'sha256'))}"


def read_jwt(key: bytes, token: str) -> dict[str, Any]:
    """Return the claims of a token this emulator signed; raise `BadToken` for any other."""
    signed, _, signature = token.rpartition(".")
    expected = b64url(hmac.digest(key, signed.encode(), "sha256"))
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise BadToken("not signed here")
    claims: dict[str, Any] = json.loads(unb64url(signed.split(".")[1]))
    return claims


def seal(key: bytes, state: dict[str, Any]) -> str:
    """Make an opaque token of a paging state."""
    data = zlib.compress(json.dumps(state, separators=(",", ":")).encode())
    return b64url(b"RSpt" + hmac.digest(key, data, "sha256")[:12] + data)


def unseal(key: bytes, token: str) -> dict[str, Any]:
    """Read a paging state back; raise `BadToken` where it is not one of ours."""
    try:
        raw = unb64url(token)
        digest, data = raw[4:16], raw[16:]
        if not hmac.compare_digest(digest, hmac.digest(key, data, "sha256")[:12]):
            raise BadToken("not sealed here")
        state: dict[str, Any] = json.loads(zlib.decompress(data))
    except (ValueError, zlib.error) as error:
        raise BadToken("not sealed here") from error
    return state


def key_of(seed: str) -> bytes:
    """Derive the emulator's signing key, so that two processes of one demo agree on it."""
    return hashlib.sha256(f"entra emulator {seed}".encode()).digest()
