"""Proving a connector's connection with Microsoft, and saving what was proven or rejected."""

from __future__ import annotations

from connectors import schedule
from connectors.decisions import Refused
from connectors.directory import ConsentMissing, CredentialRejected, Verification
from connectors.lifecycle.rows import changing, interrupt, refuse_removed, refuse_twin, request_run, set_status
from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus
from connectors.sync import directory_of
from pbportal.sealed import Unreadable
from tenants.audit import Action, Actor, record
from tenants.models import Company

VERIFIED = Action(
    "connector.verified", "{actor} verified the connection of {subject} to the tenant {tenant_id}.", ("tenant_id",)
)
REJECTED = Action(
    "connector.rejected", "{actor} tried to verify {subject}. {sentence} ({reference})", ("sentence", "reference")
)

CHANGED_MEANWHILE = (
    "Somebody else changed or verified the connection while Microsoft was asked. Look at it, and try again."
)

PROOF = (
    "tenant_id",
    "generation",
    "unreachable_since",
    "failure",
    "status",
    "status_since",
    "status_sentence",
    "status_reference",
)
"""Fields that `set_proof` sets and its caller saves."""


def verify(connector: Connector, *, actor: Actor) -> Verification:
    """Prove the connection anew, and save what is proven: the tenant's GUID, and that Microsoft accepts it.

    Raises Refused, and the DirectoryError of a proof that fails: CredentialRejected and ConsentMissing make a live
    connector Unauthorized, any other leaves its status.
    """
    row: Connector = Connector.objects.select_related("company").get(pk=connector.pk)
    refuse_removed(row)
    if not (row.tenant and row.client_id and row.has_credential):
        raise Refused("Enter the Tenant ID, the Client ID and the client secret first, or use a certificate.")
    try:
        found = prove(row)
    except (CredentialRejected, ConsentMissing) as error:
        _save_rejection(row, error, actor)
        raise
    save_proof(row, found, actor=actor)
    return found


def save_proof(row: Connector, found: Verification, *, actor: Actor) -> None:
    """Save what was proven of a row as it was read before Microsoft was asked. Raises Refused."""
    with changing(row.pk) as now:
        set_proof(now, row.generation, found, actor)
        now.save(update_fields=PROOF)
        record(VERIFIED, company=now.company, actor=actor, subject=now.name, detail={"tenant_id": found.tenant_id})


def prove(row: Connector) -> Verification:
    """Ask Microsoft whether the connection of a row, saved or not, works. Raises Refused and DirectoryError."""
    try:
        with directory_of(row) as directory:
            return directory.verify()
    except Unreadable as unreadable:
        raise Refused(str(unreadable), field="secret") from None


def set_proof(now: Connector, generation: int, found: Verification, actor: Actor) -> None:
    """Set what a proof says of the locked row; the caller saves PROOF."""
    if now.generation != generation:
        raise Refused(CHANGED_MEANWHILE)
    if now.tenant_id and now.tenant_id != found.tenant_id:
        raise Refused(
            f"This leads to another tenant ({found.tenant_id}) than the one this connector belongs to"
            f" ({now.tenant_id}). Install a connector of its own for the other tenant.",
            field="tenant",
        )
    if not now.tenant_id:
        Company.objects.select_for_update(no_key=True).get(pk=now.company_id)
        refuse_twin(now.company_id, found.tenant_id, except_id=now.pk)
    now.tenant_id = found.tenant_id
    now.generation += 1
    now.unreachable_since = None
    if now.failure == Attention.CREDENTIALS_UNREADABLE:
        now.failure = ""
    if now.status == ConnectorStatus.UNAUTHORIZED:
        set_status(now, ConnectorStatus.CONNECTED if now.completed_runs else ConnectorStatus.WAITING)
        schedule.ensure(now)
        request_run(now, actor)


def _save_rejection(row: Connector, error: CredentialRejected | ConsentMissing, actor: Actor) -> None:
    with changing(row.pk) as now:
        if now.generation != row.generation:
            return
        if now.live:
            fields = set_status(now, ConnectorStatus.UNAUTHORIZED, error.sentence, error.reference)
            now.save(update_fields=[*fields, *interrupt(now, error.sentence)])
            schedule.ensure(now)
        detail = {"sentence": error.sentence, "reference": error.reference}
        record(REJECTED, company=now.company, actor=actor, subject=now.name, detail=detail)
