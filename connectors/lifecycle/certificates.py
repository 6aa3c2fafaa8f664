"""The certificate that a connector signs in with: made here, its key never shown, used once Microsoft accepts it."""

from __future__ import annotations

from datetime import date

from django.utils import timezone

from connectors.decisions import Refused
from connectors.entra import CertificateFacts, make_pair, read_certificate
from connectors.lifecycle.rows import changing
from connectors.models import Connector
from pbportal.sealed import Sealed, Unreadable
from tenants.audit import Action, Actor, record

CERTIFICATE_MADE = Action(
    "connector.certificate_made",
    "{actor} made a certificate for {subject}, thumbprint {thumbprint}, good until {expires_on}. It is not in use yet.",
    ("thumbprint", "expires_on"),
)
CERTIFICATE_FORGOTTEN = Action(
    "connector.certificate_forgotten",
    "{actor} threw away the certificate of {subject} that was not in use yet, thumbprint {thumbprint}.",
    ("thumbprint",),
)

CREDENTIAL = ("secret", "secret_expires_on", "certificate", "private_key", "next_certificate", "next_private_key")
"""Fields that `take_secret` and `take_certificate` set and their caller saves."""

NAME = "Password Boss Connector"
"""What a certificate calls itself, with the beginning of its connector's UUID behind it."""


def make_certificate(connector: Connector, *, years: int = 1, actor: Actor) -> CertificateFacts:
    """Make the pair that the connector will sign in with; what is in use stays in use. Raises Refused."""
    try:
        pair = make_pair(f"{NAME} {str(connector.uid)[:8]}", timezone.now(), years=years)
    except ValueError as wrong:
        raise Refused(str(wrong), field="years") from None
    facts = read_certificate(pair.certificate)
    with changing(connector.pk) as row:
        if row.next_certificate:
            raise Refused(
                "A certificate is made already and waits until it is proven. Use that one, or throw it away first."
            )
        row.next_certificate, row.next_private_key = pair.certificate, Sealed(pair.private_key)
        row.save(update_fields=["next_certificate", "next_private_key"])
        detail = {"thumbprint": facts.thumbprint, "expires_on": facts.expires_on.isoformat()}
        record(CERTIFICATE_MADE, company=row.company, actor=actor, subject=row.name, detail=detail)
    return facts


def forget_certificate(connector: Connector, *, actor: Actor) -> Connector:
    """Throw away the pair that was made and is not in use; where there is none, nothing happens. Raises Refused."""
    with changing(connector.pk) as row:
        if not row.next_certificate:
            return row
        thumbprint = read_certificate(row.next_certificate).thumbprint
        row.next_certificate, row.next_private_key = "", None
        row.save(update_fields=["next_certificate", "next_private_key"])
        detail = {"thumbprint": thumbprint}
        record(CERTIFICATE_FORGOTTEN, company=row.company, actor=actor, subject=row.name, detail=detail)
    return row


def take_secret(row: Connector, secret: Sealed, expires_on: date | None) -> None:
    """Let a row sign in with a secret; a pair that waits goes on waiting."""
    row.secret, row.secret_expires_on = secret, expires_on
    row.certificate, row.private_key = "", None


def take_certificate(row: Connector) -> None:
    """Let a row sign in with the pair that was made for it. Raises Refused."""
    if row.next_private_key is None:
        raise Refused("Make the certificate first, and upload it to the application in Microsoft Entra.")
    try:
        # A sealed text opens in its own column only.
        key = Sealed(row.next_private_key.reveal())
    except Unreadable:
        raise Refused(
            "The certificate's private key cannot be opened with the portal's keys. Throw the certificate away, and"
            " make another one."
        ) from None
    row.certificate, row.private_key = row.next_certificate, key
    row.secret, row.secret_expires_on = None, read_certificate(row.certificate).expires_on
    row.next_certificate, row.next_private_key = "", None
