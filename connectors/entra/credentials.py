"""What a connector signs in with, and what can be said of it before Microsoft is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from connectors.states import Cloud

GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_EVERYBODYS = {"common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"}


class Revealable(Protocol):
    def reveal(self) -> str: ...


SecretOpener = Callable[[], str] | Revealable


def opened(secret: SecretOpener) -> str:
    """Open a secret; whatever its opener raises comes through."""
    return secret() if callable(secret) else secret.reveal()


@dataclass(frozen=True, slots=True)
class Certificate:
    """Hold a certificate to sign in with instead of a secret, both parts in PEM."""

    private_key: SecretOpener = field(repr=False)
    public_certificate: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Hold what one connector signs in with; the secret is opened only where a token is asked for.

    `key` and `generation` say whose tokens may be used again: the connector, and how often its credentials
    were verified or replaced.
    """

    tenant: str
    client_id: str
    cloud: Cloud
    secret: SecretOpener = field(repr=False)
    key: str
    generation: int
    certificate: Certificate | None = field(default=None, repr=False)


def is_guid(text: str) -> bool:
    return GUID.fullmatch(text) is not None


def check_tenant(text: str) -> str:
    """Return a tenant ID as Microsoft is asked for it; raise ValueError with a sentence where it cannot be one."""
    tenant = text.strip().lower()
    if not tenant:
        raise ValueError("Enter the Tenant ID: it is on the overview page of the app registration.")
    if tenant in _EVERYBODYS:
        raise ValueError(
            "This stands for all tenants together. Enter the one company's Tenant ID, or one of its domains."
        )
    if not is_guid(tenant) and not _DOMAIN.fullmatch(tenant):
        raise ValueError(
            "A Tenant ID is either a GUID, such as 8d3c1c2e-0f6b-4c39-9c55-6a3f3f0c9a11, or a domain of the tenant,"
            " such as contoso.onmicrosoft.com. Copy it from the overview page of the app registration."
        )
    return tenant


def check_client_id(text: str) -> str:
    """Return a client ID in lower case; raise ValueError with a sentence where it cannot be one."""
    client_id = text.strip().lower()
    if not client_id:
        raise ValueError("Enter the Client ID: it is on the overview page of the app registration.")
    if not is_guid(client_id):
        raise ValueError(
            "A Client ID is a GUID. Copy “Application (client) ID” from the overview page of the app registration."
        )
    return client_id


def check_secret(text: str) -> str:
    """Return a client secret without surrounding space; raise ValueError with a sentence where it cannot be one."""
    secret = text.strip()
    if not secret:
        raise ValueError("Enter the client secret: the Value that Microsoft showed once, when it was created.")
    if is_guid(secret):
        raise ValueError(
            "This is the Secret ID, not the secret. Copy the column “Value”; if Microsoft does not show it any more,"
            " create a new client secret."
        )
    if not secret.isascii() or not secret.isprintable() or " " in secret or len(secret) > 1000:
        raise ValueError("This is no client secret: copy the column “Value” alone, without spaces or line breaks.")
    return secret
