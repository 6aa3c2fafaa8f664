"""One connector's row, held still for an act: why the act is not done, and what it interrupts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connectors import schedule, sync
from connectors.decisions import Refused
from connectors.models import Connector
from connectors.states import ConnectorStatus, RunTrigger
from tenants.audit import Actor
from tenants.models import User


@contextmanager
def changing(connector_id: int) -> Iterator[Connector]:
    """Lock a connector's row in a transaction, ahead of its company's: the order in which a run locks them.

    Raises Refused for a removed one.
    """
    with transaction.atomic():
        locked = Connector.objects.select_related("company").select_for_update(no_key=True, of=("self",))
        row: Connector = locked.get(pk=connector_id)
        refuse_removed(row)
        yield row


def refuse_removed(row: Connector) -> None:
    if row.status == ConnectorStatus.REMOVED:
        raise Refused("This connector was removed. Install a new one to synchronise this tenant again.")


def refuse_twin(company_id: int, tenant: str, *, except_id: int | None = None) -> None:
    """Refuse a second connector of a company to the tenant, named by its GUID or as it was typed."""
    same = Connector.objects.filter(Q(tenant=tenant) | Q(tenant_id=tenant), company=company_id)
    if except_id is not None:
        same = same.exclude(pk=except_id)
    if same.exclude(status=ConnectorStatus.REMOVED).exists():
        raise Refused(
            "This company already has a connector to this tenant. Change that one, or remove it before installing"
            " another.",
            field="tenant",
        )


def set_status(row: Connector, status: ConnectorStatus, sentence: str = "", reference: str = "") -> list[str]:
    """Set the status and why; return the fields for the caller to save."""
    if row.status != status:
        row.status, row.status_since = status, timezone.now()
    row.status_sentence, row.status_reference = sentence, reference
    return ["status", "status_since", "status_sentence", "status_reference"]


def interrupt(row: Connector, because: str) -> list[str]:
    """Take the lease from a run in flight, in the caller's transaction; return the fields for the caller to save."""
    if row.lease_token:
        sync.abandon(row, because, timezone.now())
    row.lease_token, row.lease_until, row.lease_taken_at = "", None, None
    return ["lease_token", "lease_until", "lease_taken_at"]


def request_run(row: Connector, actor: Actor) -> None:
    """Let a run follow on what a person changed, where the connector may run at all."""
    if row.status in (ConnectorStatus.WAITING, ConnectorStatus.CONNECTED) and row.paused_at is None:
        schedule.request(row.pk, RunTrigger.MANUAL, by_id=actor.pk if isinstance(actor, User) else None)
