"""Writing what is due: the memory of each event, and a mail for each recipient, in one transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from connectors.models import Event, Letter
from connectors.notify.decide import Decision, Key, Memory, due
from connectors.notify.facts import Facts, read
from connectors.states import LetterKind
from tenants.models import Company
from tenants.states import EventKind
from tenants.subscriptions import recipients

logger = logging.getLogger(__name__)

AT_ONCE = 500
KEEP_ENDED = timedelta(days=90)


def write_due(now: datetime) -> int:
    """Decide what is due now, and write memories and mails; return how many mails wait because of it.

    Two who decide at once write once: the memories are locked while it is decided, and two new ones of the same event
    break a constraint, so that the later transaction leaves nothing.
    """
    try:
        with transaction.atomic():
            return _write(now)
    except IntegrityError:
        logger.warning("Somebody else wrote the same notifications; what else is due is written a minute later.")
        return 0


def _write(now: datetime) -> int:
    rows = {key_of(row): row for row in Event.objects.filter(ended_at=None).select_for_update().order_by("pk")}
    so = read(now)
    decisions = due(so.facts, [_memory(key, row) for key, row in rows.items()], so.pulses, now)
    if not decisions:
        return 0
    _remember(decisions, rows, now)
    return _put(decisions, rows, so, now)


def key_of(row: Event) -> Key:
    """Return the name of an event."""
    return Key(row.company_id, row.connector_id or 0, EventKind(row.kind), row.what)


def _memory(key: Key, row: Event) -> Memory:
    return Memory(key, row.reason, row.size, row.stage, row.times, row.told_at, row.absent_since)


def _remember(decisions: Iterable[Decision], rows: dict[Key, Event], now: datetime) -> None:
    new, changed = [], []
    for decision in decisions:
        key, memory = decision.key, decision.memory
        row = rows.get(key)
        if row is None:
            row = Event(
                company_id=key.company_id,
                connector_id=key.connector_id or None,
                kind=key.kind,
                what=key.what,
                began_at=now,
            )
            rows[key] = row
            new.append(row)
        else:
            changed.append(row)
        if memory is None:
            row.ended_at = now
        else:
            row.reason, row.size, row.stage, row.times = memory.reason, memory.size, memory.stage, memory.times
            row.told_at, row.absent_since = memory.told_at, memory.absent_since
    Event.objects.bulk_create(new, batch_size=AT_ONCE)
    fields = ["reason", "size", "stage", "times", "told_at", "absent_since", "ended_at"]
    Event.objects.bulk_update(changed, fields, batch_size=AT_ONCE)


def _put(decisions: list[Decision], rows: dict[Key, Event], so: Facts, now: datetime) -> int:
    """Write the mails, in place of those about the same event that have not left yet."""
    over = [rows[one.key].pk for one in decisions if one.letter is not None or one.memory is None]
    Letter.objects.filter(event__in=over, claimed_at=None, sent_at=None, refused_at=None).delete()
    letters = [(one.key, one.letter) for one in decisions if one.letter is not None]
    if not letters:
        return 0
    companies = Company.objects.filter(pk__in={key.company_id for key, _ in letters})
    told = _told(rows[key].pk for key, _ in letters)
    whom = recipients(companies)
    waiting = [
        Letter(
            event=rows[key],
            kind=letter,
            address=recipient.address,
            staff=recipient.staff,
            detail=so.details.get(key) or {"what": key.what},
            written_at=now,
        )
        for key, letter in letters
        for recipient in whom[key.company_id, key.kind]
        # "Resolved" means nothing to somebody who was told of no trouble.
        if letter is not LetterKind.ENDED or recipient.address in told[rows[key].pk]
    ]
    Letter.objects.bulk_create(waiting, batch_size=AT_ONCE)
    return len(waiting)


def _told(event_ids: Iterable[int]) -> dict[int, set[str]]:
    """Return the addresses to which a mail about each event has left, or may have."""
    found: dict[int, set[str]] = defaultdict(set)
    left = Letter.objects.filter(~Q(claimed_at=None), event__in=list(event_ids), refused_at=None)
    for event_id, address in left.values_list("event_id", "address").distinct().order_by():
        found[event_id].add(address)
    return found


def forget(now: datetime) -> None:
    """Delete events that ended long ago, and their mails."""
    Event.objects.filter(ended_at__lt=now - KEEP_ENDED).delete()
