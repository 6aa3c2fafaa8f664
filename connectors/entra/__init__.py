"""The only door to Microsoft Entra ID: tokens, reading, paging, throttling; the rest of the portal sees facts."""

from connectors.entra.clouds import ENDPOINTS, Endpoints
from connectors.entra.consent import ConsentAnswer, consent_url, read_consent
from connectors.entra.credentials import (
    Certificate,
    Credentials,
    SecretOpener,
    check_client_id,
    check_secret,
    check_tenant,
    is_guid,
)
from connectors.entra.door import EntraDirectory
from connectors.entra.pair import YEARS, CertificateFacts, Pair, make_pair, read_certificate
from connectors.entra.refusals import cause_told, consent_told
from connectors.entra.session import plain_session, portal_session
from connectors.entra.token import forget_tokens
from connectors.entra.transcript import RequestRecord, Transcript

__all__ = [
    "ENDPOINTS",
    "YEARS",
    "Certificate",
    "CertificateFacts",
    "ConsentAnswer",
    "Credentials",
    "Endpoints",
    "EntraDirectory",
    "Pair",
    "RequestRecord",
    "SecretOpener",
    "Transcript",
    "cause_told",
    "check_client_id",
    "check_secret",
    "check_tenant",
    "consent_told",
    "consent_url",
    "forget_tokens",
    "is_guid",
    "make_pair",
    "plain_session",
    "portal_session",
    "read_certificate",
    "read_consent",
]
