"""Why Microsoft refuses a connector, as far as it tells what must be put right: of what was saved with the refusal."""

from __future__ import annotations

from connectors.directory import Cause
from connectors.entra import cause_told, consent_told
from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus

_OF_CREDENTIAL = {Attention.CREDENTIALS_UNREADABLE, Attention.SECRET_ENDED, Attention.SECRET_EXPIRES}


def cause_of(row: Connector) -> Cause:
    """Return what must be put right about an Unauthorized connector."""
    if row.failure == Attention.CREDENTIALS_UNREADABLE:
        return Cause.CREDENTIAL
    return cause_told(row.status_reference, row.status_sentence)


def consent_may_help(row: Connector) -> bool:
    """Say whether an administrator's consent may end the refusal."""
    return row.status == ConnectorStatus.UNAUTHORIZED and consent_told(row.status_reference, row.status_sentence)


def told_by_status(row: Connector, attention: Attention) -> bool:
    """Say whether a need is what the status says already: a credential that ended, which Microsoft refuses."""
    refused = row.status == ConnectorStatus.UNAUTHORIZED and cause_of(row) is Cause.CREDENTIAL
    return refused and attention in _OF_CREDENTIAL
