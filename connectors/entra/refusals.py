"""What Microsoft refuses, in sentences an administrator can act on; the only place that reads its error codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.directory import (
    Cause,
    ConsentMissing,
    CredentialRejected,
    DirectoryError,
    Throttled,
    Unavailable,
    Unexpected,
)
from connectors.entra.clouds import home_of
from connectors.entra.credentials import Credentials
from connectors.entra.transport import TRANSIENT, Reply, out_of_order
from connectors.states import Cloud

GROUPS = "Group.Read.All"
USERS = "User.Read.All"
SUFFICES = {
    GROUPS: frozenset(
        {
            "Group.Read.All",
            "GroupMember.Read.All",
            "Group.ReadWrite.All",
            "GroupMember.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        }
    ),
    USERS: frozenset({"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}),
}
"""Each permission the connector asks for, and all that grant as much (Microsoft: Graph permissions reference)."""

FAILURES = TRANSIENT | {424}
"""Answers to one request of a batch, or to one alone, that say nothing of the others."""

_CODE = re.compile(r"[A-Za-z0-9_.]{1,80}")
_CORRELATION = re.compile(r"[0-9a-fA-F-]{36}")
_TRANSIENT = {50033, 90006, 90012, 90024, 90033, 90090}
_SLOW_DOWN = {90055, 50196}
_UNKNOWN_APPLICATION = 700016
_OF_THE_CREDENTIAL = {7000215, 7000216, 7000218, 7000222, 700027, 50012, 700030}
_NOT_GRANTED = "not granted in this tenant"
_UNKNOWN_TENANT = {90002, 900023, 50059, 90019, 50128}
_OTHER_CLOUD = {90038, 900382, 900432, 500011, 50001, 650057, 900381}
_CONSENT = {65001, 7000229}
_REJECTED = {
    _UNKNOWN_APPLICATION: "Microsoft knows no application with this Client ID in this tenant. Check the Client ID and"
    " the Tenant ID; where both are right, an administrator of the tenant must grant consent first.",
    7000112: "The application is disabled in this tenant. Enable it under Enterprise applications, then verify the"
    " connection again.",
    7000222: "The client secret has expired. Create a new one under Certificates & secrets, and enter its value.",
    7000216: "Microsoft got no client secret. Enter the secret again.",
    7000218: "Microsoft got no client secret. Enter the secret again.",
    **dict.fromkeys(
        (700027, 50012, 700030),
        "Microsoft does not accept the certificate: it is not uploaded to this application, or no longer, or it has"
        " expired. Compare its thumbprint with those under Certificates & secrets. One just uploaded takes a minute to"
        " work.",
    ),
    700024: "Microsoft finds the sign-in outside its time. Check the clock of this server.",
    **dict.fromkeys(
        (53003, 530032, 530035),
        "A Conditional Access policy of the tenant blocks this application. An administrator must exclude it from the"
        " policy.",
    ),
}
_FIELDS = {
    _UNKNOWN_APPLICATION: "client_id",
    7000112: "client_id",
    **dict.fromkeys((7000222, 7000216, 7000218), "secret"),
}
"""What was typed wrongly, by the code that says so."""


class Refused(Exception):
    """Graph refuses a request (4xx), or fails at it again and again, in a way that the caller may know how to take."""

    def __init__(self, status: int, code: str, reference: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.reference = reference

    @property
    def gone(self) -> bool:
        """Say whether the directory positively does not hold what was asked for; no other 404 does."""
        return self.status == 404 and self.code.lower() == "request_resourcenotfound"

    @property
    def forbidden(self) -> bool:
        return self.status == 403

    @property
    def failed(self) -> bool:
        """Say whether Microsoft did not refuse, but failed at this one request however often it was asked."""
        return self.status in FAILURES

    @property
    def word(self) -> str:
        """Return Microsoft's code, which is the same each time: a request id is not, and belongs to a record alone."""
        return self.code or f"status {self.status}"


def refusal(status: int, document: Mapping[str, Any], request_id: str = "") -> Refused:
    """Read Graph's error envelope; inside a `$batch` the request id stands only there."""
    error = document.get("error")
    error = error if isinstance(error, dict) else {}
    code = error.get("code")
    code = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    for name in ("innerError", "innererror"):
        inner = error.get(name)
        inner_id = inner.get("request-id") if isinstance(inner, dict) else None
        if not request_id and isinstance(inner_id, str) and _CORRELATION.fullmatch(inner_id):
            request_id = inner_id
    return Refused(status, code, _reference(code or f"status {status}", request_id))


def explain(refused: Refused) -> DirectoryError:
    """Turn a refusal nobody knew how to take into an error with a sentence."""
    if refused.status == 401:
        return CredentialRejected(
            "Microsoft Graph does not accept this application's token any more: the application or its consent was"
            " changed. Verify the connection again.",
            reference=refused.reference,
        )
    if refused.failed:
        return out_of_order(refused.status, refused.reference)
    if refused.forbidden:
        return Unexpected(
            "Microsoft Graph refuses a request although the permissions for it are granted. Nothing was changed.",
            reference=refused.reference,
        )
    return Unexpected(
        f"Microsoft Graph refused a request with status {refused.status}, which this connector does not expect. Nothing"
        " was changed.",
        reference=refused.reference,
    )


def consent_missing(permissions: frozenset[str], reference: str = "") -> ConsentMissing:
    """Return the error that names the missing application permissions."""
    named = " and ".join(sorted(permissions))
    noun, verb = ("permission", "is") if len(permissions) == 1 else ("permissions", "are")
    return ConsentMissing(
        f"The application {noun} {named} {verb} {_NOT_GRANTED}. An administrator of the tenant must add"
        " what is missing as application permissions and grant admin consent. A consent just given takes some minutes"
        " to work.",
        permissions=permissions,
        reference=reference,
    )


def unknown_tenant(credentials: Credentials, reference: str) -> CredentialRejected:
    return CredentialRejected(
        f"Microsoft knows no tenant {credentials.tenant} in the cloud {credentials.cloud.label}. Check the Tenant ID,"
        " and the cloud.",
        reference=reference,
        field="tenant",
    )


def other_cloud(credentials: Credentials, home: Cloud | None, reference: str) -> CredentialRejected:
    where = f"lives in the cloud {home.label}" if home else "lives in another cloud"
    return CredentialRejected(
        f"The tenant {credentials.tenant} {where}, not in {credentials.cloud.label}. Choose its cloud, and use the"
        " application registered there.",
        reference=reference,
        field="cloud",
    )


def discovery_refused(reply: Reply, credentials: Credentials) -> DirectoryError:
    """Return the error for a tenant whose discovery document Microsoft does not give."""
    codes, reference = _codes(reply)
    if codes & _OTHER_CLOUD:
        return other_cloud(credentials, None, reference)
    if codes & _UNKNOWN_TENANT or reply.document.get("error") == "invalid_tenant":
        return unknown_tenant(credentials, reference)
    return Unexpected(
        "Microsoft did not describe how to sign in to this tenant. Nothing was changed.", reference=reference
    )


def token_refused(reply: Reply, credentials: Credentials, *, secret_is_guid: bool, now: datetime) -> DirectoryError:
    """Return the error for a refused token request (Microsoft: "Entra authentication and authorization error codes").

    `error` decides where a number is not known: Microsoft says that numbers may change.
    """
    codes, reference = _codes(reply)
    error = reply.document.get("error")
    if codes & _TRANSIENT or error in ("temporarily_unavailable", "server_error"):
        return Unavailable(
            "Microsoft's sign-in has a fault at the moment. Nothing was changed; the next run tries again.",
            reference=reference,
        )
    if codes & _SLOW_DOWN:
        return Throttled(
            "Microsoft was asked for this application's token too often. The connector waits a while and then goes on"
            " by itself.",
            until=now + timedelta(minutes=30),
            reference=reference,
        )
    if 7000215 in codes:
        return CredentialRejected(
            "The client secret is wrong: this is the Secret ID. Enter the secret's value; if Microsoft does not show it"
            " any more, create a new client secret."
            if secret_is_guid
            else "The client secret is wrong. Enter the value of a secret of this application, not its Secret ID.",
            reference=reference,
            field="secret",
        )
    for code in sorted(codes & _REJECTED.keys()):
        return CredentialRejected(_REJECTED[code], reference=reference, field=_FIELDS.get(code, ""))
    if codes & _UNKNOWN_TENANT or error == "invalid_tenant":
        return unknown_tenant(credentials, reference)
    if codes & _OTHER_CLOUD or error == "invalid_resource":
        return other_cloud(credentials, None, reference)
    if codes & _CONSENT:
        return consent_missing(frozenset({GROUPS, USERS}), reference)
    if error in ("invalid_client", "unauthorized_client", "invalid_grant", "interaction_required", "access_denied"):
        return CredentialRejected(
            "Microsoft does not let this application sign in. Look up the code in the reference, put right what it"
            " says, and verify the connection again.",
            reference=reference,
        )
    return Unexpected(
        "Microsoft refused to issue a token in a way this connector does not expect. Nothing was changed.",
        reference=reference,
    )


def cause_told(reference: str, sentence: str) -> Cause:
    """Return what must be put right, of what was saved of a refusal: its reference and its sentence."""
    code = reference.partition(",")[0].strip()
    number = int(code.removeprefix("AADSTS")) if code.removeprefix("AADSTS").isdecimal() else 0
    if number in _OF_THE_CREDENTIAL:
        return Cause.CREDENTIAL
    if number in _UNKNOWN_TENANT or number == _UNKNOWN_APPLICATION or code == "invalid_tenant":
        return Cause.IDS
    # A token without a permission is no refusal of Microsoft's, and has no code.
    if number in _CONSENT or code == "Authorization_RequestDenied" or (not code and _NOT_GRANTED in sentence):
        return Cause.CONSENT
    return Cause.OTHER


def consent_told(reference: str, sentence: str) -> bool:
    """Say whether an administrator's consent may end a refusal: it is missing, or the application is not known."""
    unknown = reference.startswith(f"AADSTS{_UNKNOWN_APPLICATION}")
    return unknown or cause_told(reference, sentence) is Cause.CONSENT


def cloud_named(document: Mapping[str, Any]) -> Cloud | None:
    """Return the cloud that a discovery document says its tenant lives in, None where it says nothing known."""
    instance = document.get("cloud_instance_name")
    return home_of(instance) if isinstance(instance, str) else None


def _codes(reply: Reply) -> tuple[set[int], str]:
    """Return the AADSTS numbers of an answer, and the reference to show."""
    listed = reply.document.get("error_codes")
    codes = {code for code in listed if type(code) is int} if isinstance(listed, list) else set()
    description = reply.document.get("error_description")
    if not codes and isinstance(description, str):
        codes = {int(number) for number in re.findall(r"AADSTS(\d{4,8})", description[:1000], re.ASCII)[:1]}
    trace = reply.document.get("trace_id")
    trace = trace if isinstance(trace, str) and _CORRELATION.fullmatch(trace) else reply.request_id
    first = listed[0] if isinstance(listed, list) and listed and listed[0] in codes else min(codes, default=0)
    error = reply.document.get("error")
    word = error if isinstance(error, str) and _CODE.fullmatch(error) else f"status {reply.status}"
    return codes, _reference(f"AADSTS{first}" if first else word, trace)


def _reference(code: str, request_id: str) -> str:
    return f"{code}, request {request_id}" if request_id else code
