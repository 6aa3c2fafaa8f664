"""What is so now: read from the connectors' rows into what the decision takes, with a constant number of queries."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q

from connectors.attention import credential_of, days_left
from connectors.models import Connector, Event, SyncChange
from connectors.notify.decide import EXPIRY_DAYS, Fact, Key, Pulse, stage_of
from connectors.states import LIVE, Attention, ConnectorStatus, CredentialKind, HoldCause, Outcome
from tenants.models import Account
from tenants.states import AccountStatus, EventKind, PendingReason

UNREACHABLE_AFTER = timedelta(hours=1)

_GROUP = (Attention.SYNC_GROUP_MISSING, Attention.SYNC_GROUP_UNREADABLE, Attention.SYNC_GROUP_EMPTY)


@dataclass(slots=True)
class Facts:
    """Hold what is so, how alive its owners are, and for each event the words that a mail about it needs."""

    facts: list[Fact] = field(default_factory=list)
    pulses: dict[tuple[int, int], Pulse] = field(default_factory=dict)
    details: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def add(self, fact: Fact, **detail: Any) -> None:
        """Add one fact with its words."""
        self.facts.append(fact)
        self.details[fact.key] = detail


def expiries(connector: Connector) -> list[tuple[CredentialKind, date]]:
    """Return what of a connector's credentials ends on which day, as far as that is known."""
    credential = credential_of(connector)
    return [(credential.kind, credential.expires_on)] if credential.expires_on is not None else []


def read(now: datetime) -> Facts:
    """Read every event's facts: of connectors that show something, and of those of which something was told."""
    soon = (now + timedelta(days=max(EXPIRY_DAYS))).date()
    shows = (
        Q(status=ConnectorStatus.UNAUTHORIZED)
        | ~Q(attention=[])
        | Q(unreachable_since__lte=now - UNREACHABLE_AFTER)
        | Q(secret_expires_on__lte=soon)
    )
    told = Event.objects.filter(ended_at=None).values("company")
    rows = Connector.objects.filter(Q(shows, status__in=sorted(LIVE)) | Q(company__in=told))
    connectors: list[Connector] = list(rows.select_related("company").order_by("pk"))
    result = Facts()
    _pulses(connectors, result)
    live = [connector for connector in connectors if connector.live]
    held = _held(live)
    waiting = _waiting(live)
    for connector in live:
        _of_row(connector, now, soon, result)
        _of_findings(connector, held.get(connector.findings_id or 0, {}), result)
    _of_companies(live, waiting, result)
    return result


def _pulses(connectors: Iterable[Connector], result: Facts) -> None:
    best: dict[int, Pulse] = {}
    order = (Pulse.GONE, Pulse.STANDS, Pulse.RUNS)
    for connector in connectors:
        pulse = Pulse.RUNS
        if not connector.live:
            pulse = Pulse.GONE
        elif connector.paused_at is not None or connector.status == ConnectorStatus.UNAUTHORIZED:
            pulse = Pulse.STANDS
        result.pulses[connector.company_id, connector.pk] = pulse
        best[connector.company_id] = max(best.get(connector.company_id, Pulse.GONE), pulse, key=order.index)
    result.pulses |= {(company_id, 0): pulse for company_id, pulse in best.items()}


def _held(connectors: Iterable[Connector]) -> dict[int, dict[str, int]]:
    """Count the held changes of each connector's findings by their cause, by the id of the run that found them."""
    ids = [connector.findings_id for connector in connectors if Attention.HELD in connector.attention]
    found: dict[int, dict[str, int]] = defaultdict(dict)
    lines = SyncChange.objects.filter(run__in=[one for one in ids if one is not None], outcome=Outcome.HELD)
    for run_id, cause, number in lines.values_list("run_id", "cause").annotate(Count("pk")).order_by():
        found[run_id][cause] = number
    return found


def _waiting(connectors: Iterable[Connector]) -> dict[int, int]:
    """Count the people who wait for a licence, by company."""
    ids = {connector.company_id for connector in connectors if Attention.LICENCES_SHORT in connector.attention}
    accounts = Account.objects.filter(
        company__in=ids, status=AccountStatus.PENDING, pending_reason=PendingReason.LICENCE
    )
    return dict(accounts.values_list("company_id").annotate(Count("pk")).order_by())


def _of_row(connector: Connector, now: datetime, soon: date, result: Facts) -> None:
    def key(kind: EventKind, what: str = "") -> Key:
        return Key(connector.company_id, connector.pk, kind, what)

    if connector.status == ConnectorStatus.UNAUTHORIZED:
        result.add(
            Fact(key(EventKind.UNAUTHORIZED), _digest(connector.status_sentence)),
            sentence=connector.status_sentence,
            reference=connector.status_reference,
            since=connector.status_since.isoformat(),
        )
    if connector.unreachable_since is not None and connector.unreachable_since <= now - UNREACHABLE_AFTER:
        result.add(Fact(key(EventKind.UNREACHABLE)), since=connector.unreachable_since.isoformat())
    for what, expires_on in expiries(connector):
        if expires_on <= soon:
            day, stage = expires_on.isoformat(), stage_of(days_left(expires_on, now))
            result.add(Fact(key(EventKind.EXPIRY, what), day, stage=stage), what=what, expires_on=day)


def _of_findings(connector: Connector, held: dict[str, int], result: Facts) -> None:
    def key(kind: EventKind) -> Key:
        return Key(connector.company_id, connector.pk, kind)

    found = {Attention(code) for code in connector.attention}
    for attention in _GROUP:
        if attention in found:
            result.add(
                Fact(key(EventKind.SYNC_GROUP), _digest(attention, connector.sync_group_id)),
                attention=str(attention),
                group=connector.sync_group_name,
                held=held.get(HoldCause.EMPTY_GROUP, 0),
            )
    # What is held because the group is empty is told with the group.
    braked = {cause: number for cause, number in held.items() if cause != HoldCause.EMPTY_GROUP}
    if Attention.HELD in found and (braked or not held):
        number = sum(braked.values())
        result.add(Fact(key(EventKind.HELD), _digest(*sorted(braked)), number), number=number, causes=sorted(braked))
    if Attention.SPARED in found:
        result.add(Fact(key(EventKind.SPARED)))


def _of_companies(connectors: Collection[Connector], waiting: dict[int, int], result: Facts) -> None:
    for connector in connectors:
        key = Key(connector.company_id, 0, EventKind.LICENCES)
        if Attention.LICENCES_SHORT in connector.attention and key not in result.details:
            number = waiting.get(connector.company_id, 0)
            result.add(Fact(key, size=number), number=number, licences=connector.company.licences)


def _digest(*words: str) -> str:
    return hashlib.blake2b("\n".join(words).encode(), digest_size=16).hexdigest()
