"""A connector's life after its setup: activated, paused, resumed, removed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from connectors import schedule
from connectors.decisions import Refused
from connectors.lifecycle.rows import changing, interrupt, request_run, set_status
from connectors.models import AccountLink, Connector, GroupLink
from connectors.states import ConnectorStatus, RunTrigger
from connectors.sync.lease import refusal_of
from tenants import roster
from tenants.audit import Action, Actor, record
from tenants.models import User
from tenants.states import AccountStatus, ManagedBy

ACTIVATED = Action(
    "connector.activated",
    "{actor} saved {subject}; it synchronises the group {sync_group} from now on.",
    ("sync_group",),
)
PAUSED = Action("connector.paused", "{actor} paused {subject} {until}. {reason}", ("until", "reason"))
RESUMED = Action("connector.resumed", "{actor} resumed {subject}.")
REMOVED = Action(
    "connector.removed",
    "{actor} removed {subject}; {accounts} accounts and {groups} groups were handed back to Password Boss.",
    ("accounts", "groups"),
)
LONGEST_REASON = 1_000
LONGEST_PAUSE = timedelta(days=366)


def activate(connector: Connector, *, actor: Actor) -> Connector:
    """Finish the setup (Save Changes): the connector waits for its first run, which is requested. Raises Refused.

    A connector that is live already stays as it is.
    """
    with changing(connector.pk) as row:
        if row.live:
            return row
        if not row.tenant_id or not row.has_credential:
            raise Refused("Verify the connection first: only a connection that is proven can be saved.")
        if not row.sync_group_id:
            raise Refused("Choose the sync group first: it decides who has an account.")
        row.save(update_fields=set_status(row, ConnectorStatus.WAITING))
        schedule.ensure(row)
        request_run(row, actor)
        detail = {"sync_group": row.sync_group_name or row.sync_group_id}
        record(ACTIVATED, company=row.company, actor=actor, subject=row.name, detail=detail)
    return row


def pause(connector: Connector, *, reason: str = "", until: datetime | None = None, actor: Actor) -> Connector:
    """Stop synchronising, a run in flight included, until somebody resumes it or until the moment that is told.

    Of one that is paused already, a reason or end that is told replaces what was told before. Raises Refused.
    """
    reason = reason.strip()
    if len(reason) > LONGEST_REASON:
        raise Refused(f"Give a reason of at most {LONGEST_REASON} letters.", field="reason")
    if until is not None and not timezone.now() < until <= timezone.now() + LONGEST_PAUSE:
        raise Refused("A pause ends at a moment that is still to come, within a year.", field="until")
    with changing(connector.pk) as row:
        _refuse_unfinished(row)
        if row.paused_at is not None and (not (reason or until) or (reason, until) == _told_of(row)):
            return row
        moment = f"until {until.astimezone(UTC):%H:%M UTC on %d %b %Y}" if until else "until a person resumes it"
        detail = {"until": moment, "reason": reason}
        entry = record(PAUSED, company=row.company, actor=actor, subject=row.name, detail=detail)
        row.paused_at, row.paused_until = row.paused_at or timezone.now(), until
        row.paused_by, row.pause_reason = entry.actor_label, reason
        row.run_again, row.run_again_by = "", None
        fields = interrupt(row, f"The connector was paused by {entry.actor_label} in the middle of this run.")
        row.save(
            update_fields=[
                "paused_at",
                "paused_until",
                "paused_by",
                "pause_reason",
                "run_again",
                "run_again_by",
                *fields,
            ]
        )
        schedule.ensure(row)
    return row


def _told_of(row: Connector) -> tuple[str, datetime | None]:
    return row.pause_reason, row.paused_until


def resume(connector: Connector, *, actor: Actor) -> Connector:
    """Synchronise again, at once; one that is not paused goes on as it is. Raises Refused."""
    with changing(connector.pk) as row:
        _refuse_unfinished(row)
        if row.paused_at is None:
            return row
        schedule.unpause(row, RunTrigger.MANUAL, actor.pk if isinstance(actor, User) else None)
        record(RESUMED, company=row.company, actor=actor, subject=row.name, detail={})
    return row


def synchronise(
    connectors: Collection[Connector], *, actor: Actor, trigger: RunTrigger = RunTrigger.MANUAL
) -> dict[int, str]:
    """Ask for a run of each connector, at once; return, by id, the sentence why one does not run now."""
    now = timezone.now()
    refusals = {row.pk: sentence for row in connectors if (sentence := refusal_of(row, now))}
    wanted = {row.pk: trigger for row in connectors if row.pk not in refusals}
    with transaction.atomic():
        schedule.request_all(wanted, actor.pk if isinstance(actor, User) else None)
    return refusals


def remove(connector: Connector, *, actor: Actor) -> Connector:
    """Remove a connector: accounts and groups stay, handed back with their identities; what it remembers is destroyed.

    Removed already, it stays so. A run in flight loses its lease in the same transaction.
    """
    row: Connector = Connector.objects.get(pk=connector.pk)
    if row.status == ConnectorStatus.REMOVED:
        return row
    with changing(connector.pk) as row:
        fields = interrupt(row, "The connector was removed in the middle of this run. What was done before stays.")
        accounts, groups = _hand_back(row)
        schedule.clear(row.pk)
        row.marks.all().delete()
        fields += set_status(row, ConnectorStatus.REMOVED)
        for name in (*_UNSET, *_EMPTIED):
            setattr(row, name, None if name in _UNSET else "")
        row.removed_at, row.attention = timezone.now(), []
        row.generation += 1
        row.settings_revision += 1
        fields += [*_UNSET, *_EMPTIED, "removed_at", "attention", "generation", "settings_revision"]
        row.save(update_fields=fields)
        detail = {"accounts": accounts, "groups": groups}
        record(REMOVED, company=row.company, actor=actor, subject=row.name, detail=detail)
    return row


# What a removed connector does not keep.
_SECRETS = ("secret", "secret_expires_on", "private_key", "next_private_key")
_UNSET = (
    *_SECRETS,
    "paused_at",
    "paused_until",
    "run_again_by",
    "throttled_until",
    "unreachable_since",
    "quiet_until",
)
_CERTIFICATES = ("certificate", "next_certificate")
_EMPTIED = (*_CERTIFICATES, "token_hash", "paused_by", "pause_reason", "failure", "quiet_digest", "run_again")


def _hand_back(row: Connector) -> tuple[int, int]:
    links = AccountLink.objects.filter(connector=row)
    mirrors = GroupLink.objects.filter(connector=row)
    with roster.changing(row.company_id) as ledger:
        # A personal account is its owner's own already; a person may have converted it under its link.
        linked = links.exclude(account__status=AccountStatus.PERSONAL).values_list("account_id", "account__status")
        statuses = dict(linked)
        groups = list(mirrors.values_list("group_id", flat=True))
        ledger.manage(statuses, ManagedBy.PB)
        ledger.hand_back_groups(groups)
        links.delete()
        mirrors.delete()
    # A deleted account is managed by nobody: it is handed back as well, and not told of.
    return sum(status != AccountStatus.DELETED for status in statuses.values()), len(groups)


def _refuse_unfinished(row: Connector) -> None:
    if not row.live:
        raise Refused("This connector does not synchronise yet: finish its setup and save it first.")
