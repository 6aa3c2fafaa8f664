"""Another secret, certificate or application for a connector: proven first, then in the place of the old one."""

from __future__ import annotations

from copy import copy
from datetime import date

from django.views.decorators.debug import sensitive_variables

from connectors.decisions import Refused
from connectors.directory import Verification
from connectors.entra import check_client_id, check_secret, check_tenant, read_certificate
from connectors.lifecycle.certificates import CREDENTIAL, take_certificate, take_secret
from connectors.lifecycle.credentials import checked, expiry
from connectors.lifecycle.proof import CHANGED_MEANWHILE, PROOF, prove, set_proof
from connectors.lifecycle.rows import changing, refuse_removed
from connectors.models import Connector
from pbportal.sealed import Sealed
from tenants.audit import Action, Actor, record

SECRET_REPLACED = Action(
    "connector.secret_replaced",
    "{actor} replaced the client secret of {subject}, client ID {client_id}; it expires: {expires_on}.",
    ("client_id", "expires_on"),
)
CERTIFICATE_USED = Action(
    "connector.certificate_used",
    "{actor} let {subject} sign in with the certificate {thumbprint}, client ID {client_id}; it expires: {expires_on}.",
    ("thumbprint", "client_id", "expires_on"),
)


@sensitive_variables("secret")
def replace_secret(
    connector: Connector,
    *,
    secret: str,
    client_id: str | None = None,
    tenant: str | None = None,
    secret_expires_on: date | None,
    actor: Actor,
) -> Verification:
    """Sign in with another secret, and if told the application, once they are proven; until then the old ones stay.

    Raises Refused, also where they lead to another tenant, and the DirectoryError of a proof that fails.
    """
    row = _read(connector)
    candidate = _candidate(row, client_id, tenant)
    take_secret(candidate, Sealed(checked(check_secret, secret, "secret")), expiry(secret_expires_on))
    return _replace(row, candidate, actor)


def use_certificate(
    connector: Connector, *, client_id: str | None = None, tenant: str | None = None, actor: Actor
) -> Verification:
    """Sign in with the certificate that was made, once it is proven; until then the old secret or certificate stays.

    Raises Refused, also where it leads to another tenant, and the DirectoryError of a proof that fails.
    """
    row = _read(connector)
    candidate = _candidate(row, client_id, tenant)
    take_certificate(candidate)
    return _replace(row, candidate, actor)


def _read(connector: Connector) -> Connector:
    row: Connector = Connector.objects.select_related("company").get(pk=connector.pk)
    refuse_removed(row)
    return row


def _candidate(row: Connector, client_id: str | None, tenant: str | None) -> Connector:
    candidate = copy(row)
    if client_id is not None:
        candidate.client_id = checked(check_client_id, client_id, "client_id")
    if tenant is not None:
        # What was typed is asked, not what the old one had proven.
        candidate.tenant, candidate.tenant_id = checked(check_tenant, tenant, "tenant"), ""
    return candidate


def _replace(row: Connector, candidate: Connector, actor: Actor) -> Verification:
    found = prove(candidate)
    with changing(row.pk) as now:
        if now.next_certificate != row.next_certificate:
            raise Refused(CHANGED_MEANWHILE)
        set_proof(now, row.generation, found, actor)
        for name in (*CREDENTIAL, "client_id", "tenant"):
            setattr(now, name, getattr(candidate, name))
        now.save(update_fields=[*PROOF, *CREDENTIAL, "client_id", "tenant"])
        expires_on = now.secret_expires_on.isoformat() if now.secret_expires_on else "not known"
        detail = {"client_id": now.client_id, "expires_on": expires_on}
        action = SECRET_REPLACED
        if now.certificate:
            action = CERTIFICATE_USED
            detail["thumbprint"] = read_certificate(now.certificate).thumbprint
        record(action, company=now.company, actor=actor, subject=now.name, detail=detail)
    return found
