"""``manage.py connector certificate`` and ``use-certificate``: a key pair instead of a client secret, from a script."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from connectors import lifecycle
from connectors.entra import CertificateFacts, read_certificate
from connectors.management.console import Failed, find_connector, who
from connectors.models import Connector
from connectors.states import ConnectorStatus
from tenants.models import Company

Told = tuple[dict[str, Any], list[str]]


def make_arguments(parser: CommandParser) -> None:
    """Declare what the making of a certificate is told."""
    parser.add_argument("--out", required=True, metavar="FILE", help="a new file for the certificate, in PEM")
    add_years(parser)


def add_years(parser: CommandParser) -> None:
    """Let a command say for how long a certificate is made."""
    parser.add_argument("--years", type=int, choices=(1, 2), default=1, help="for how many years it is made")


def make(options: Mapping[str, Any]) -> Told:
    """Make the pair that a connector will sign in with, and write its certificate to a new file.

    One that was made before and is not in use yet is written once more: the file may have been lost.
    """
    connector = find_connector(options["connector"])
    facts = _written(options["out"], connector, options["years"])
    line = "The connector goes on as before. Upload the file to its application, then: connector use-certificate"
    return {"connector": connector.pk, **_shape(facts)}, [_line(facts), f"{line} {connector.pk}"]


def use_arguments(parser: CommandParser) -> None:
    """Declare what the use of a certificate is told."""
    parser.add_argument("--client-id", metavar="ID", help="another application of the same tenant")


def use(options: Mapping[str, Any]) -> Told:
    """Let a connector sign in with the certificate that was made for it, once Microsoft accepts it."""
    connector = find_connector(options["connector"])
    lifecycle.use_certificate(connector, client_id=options["client_id"], actor=who())
    row = find_connector(str(connector.pk))
    label = ConnectorStatus(row.status).label
    shape = {"connector": row.pk, "status": str(row.status), **_shape(read_certificate(row.certificate))}
    return shape, [f"The certificate is proven and in use. {label}."]


def begin(company: Company, path: str, years: int) -> Told:
    """Begin an installation that signs in with a certificate: make the pair, and write the file to upload."""
    with transaction.atomic():
        connector, _ = lifecycle.begin(company, actor=who())
        facts = _written(path, connector, years)
    shape = {
        "result": "certificate_made",
        "connector": connector.pk,
        "uid": str(connector.uid),
        "company": company.slug,
        **_shape(facts),
    }
    return shape, [_line(facts), f"Upload {path} to the application in Microsoft Entra, then run this command again."]


def read(path: str) -> str:
    """Return the certificate in a file as it is stored; raise Failed where the file holds none."""
    try:
        text = Path(path).read_text(encoding="ascii")
        read_certificate(text)
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise Failed(f"{path} holds no certificate. Name a file that does not exist, and one is made.") from None
    return text


def _written(path: str, connector: Connector, years: int) -> CertificateFacts:
    """Make the pair and write its certificate, or neither."""
    try:
        # Exclusively: a certificate that was made and not uploaded yet is not lost to another one.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError as error:
        raise Failed(f"The certificate cannot be written to {path}: {error.strerror}. Give another file.") from None
    try:
        with os.fdopen(number, "w", encoding="ascii") as file, transaction.atomic():
            if not connector.next_certificate:
                lifecycle.make_certificate(connector, years=years, actor=who())
                connector.refresh_from_db()
            file.write(connector.next_certificate)
    except BaseException:
        Path(path).unlink()
        raise
    return read_certificate(connector.next_certificate)


def _shape(facts: CertificateFacts) -> dict[str, Any]:
    return {"thumbprint": facts.thumbprint, "sha256": facts.sha256, "expires_on": facts.expires_on.isoformat()}


def _line(facts: CertificateFacts) -> str:
    return f"Certificate: thumbprint {facts.thumbprint}, good until {facts.expires_on}."
