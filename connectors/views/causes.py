"""Why Microsoft refuses a connector, as far as it tells what must be put right: of what was saved with the refusal."""

from __future__ import annotations

from enum import Enum, auto

from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus


class Cause(Enum):
    """Name what must be put right before Microsoft accepts a connector again."""

    CREDENTIAL = auto()
    CONSENT = auto()
    IDS = auto()
    OTHER = auto()


_CODES = {
    **dict.fromkeys(("AADSTS7000215", "AADSTS7000216", "AADSTS7000218", "AADSTS7000222"), Cause.CREDENTIAL),
    **dict.fromkeys(("AADSTS700027", "AADSTS50012", "AADSTS700030"), Cause.CREDENTIAL),
    **dict.fromkeys(("AADSTS65001", "AADSTS7000229", "Authorization_RequestDenied"), Cause.CONSENT),
    **dict.fromkeys(
        ("AADSTS700016", "AADSTS90002", "AADSTS900023", "AADSTS50059", "AADSTS90019", "AADSTS50128", "invalid_tenant"),
        Cause.IDS,
    ),
}
_OF_CREDENTIAL = {Attention.CREDENTIALS_UNREADABLE, Attention.SECRET_ENDED, Attention.SECRET_EXPIRES}


def cause_of(row: Connector) -> Cause:
    """Return what must be put right about an Unauthorized connector."""
    if row.failure == Attention.CREDENTIALS_UNREADABLE:
        return Cause.CREDENTIAL
    code = row.status_reference.partition(",")[0].strip()
    # A token without the permission is no refusal of Microsoft's, and has no code.
    missing = not code and " permission" in row.status_sentence
    return Cause.CONSENT if missing else _CODES.get(code, Cause.OTHER)


def consent_may_help(row: Connector) -> bool:
    """Say whether an administrator's consent may end the refusal: it is missing, or the application is not known."""
    unknown = row.status_reference.startswith("AADSTS700016")
    return row.status == ConnectorStatus.UNAUTHORIZED and (unknown or cause_of(row) is Cause.CONSENT)


def told_by_status(row: Connector, attention: Attention) -> bool:
    """Say whether a need is what the status says already: a credential that ended, which Microsoft refuses."""
    refused = row.status == ConnectorStatus.UNAUTHORIZED and cause_of(row) is Cause.CREDENTIAL
    return refused and attention in _OF_CREDENTIAL
