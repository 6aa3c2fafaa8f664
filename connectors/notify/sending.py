"""How mails leave: each taken before it is sent and noted after, at a measured pace, and put off where that fails.

A mail is sent by whoever took it, and by nobody else. Where its sender dies before it could note how it went, the mail
may have left: it is not sent again by itself, and the mails' page says so. All mails of one event to one recipient
carry names that follow from their rows, so that a copy is recognised.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPRecipientsRefused
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from connectors.models import Letter
from connectors.notify.words import Topic, heading, opening, shared, subject, topic_of
from connectors.outbox import ANSWERED_AFTER
from connectors.states import LetterKind
from tenants.audit import Action, record
from tenants.models import User
from tenants.states import AccountStatus, EventKind
from tenants.subscriptions import recipients

logger = logging.getLogger(__name__)

SENT_AGAIN = Action("mail.sent_again", "{actor} had a mail to {to} sent again: {subject}.", ("to",))

FIRST_WAIT = timedelta(minutes=2)
LONGEST_WAIT = timedelta(hours=2)
MOST_ROWS = 1_000
"""So many waiting mails are looked at in one round."""
MOST_TOPICS = 50
"""So many events are told in one mail."""

WAITING = Q(claimed_at=None, sent_at=None, refused_at=None)


def send_due(now: datetime, limit: int, until: datetime | None = None) -> int:
    """Send the oldest mails that are due, at most `limit` and none begun after `until`; return how many left.

    Mails of one kind that wait for the same recipient leave as one. No transaction is open meanwhile.
    """
    rows = _entitled(list(_due(now).order_by("written_at", "pk")[:MOST_ROWS]))
    if not rows:
        return 0
    connection = get_connection()
    sent = 0
    try:
        connection.open()
    except (OSError, SMTPException) as failure:
        _put_off(rows, now)
        logger.warning("The mail server could not be reached (%s): %s mails wait.", type(failure).__name__, len(rows))
        return 0
    try:
        for bundle in _bundles(rows)[:limit]:
            if until is not None and timezone.now() >= until:
                break
            left = _send(bundle, now, connection)
            sent += bool(left)
            if left is None:
                break
    finally:
        _close(connection)
    return sent


def _due(now: datetime) -> QuerySet[Letter]:
    rows: QuerySet[Letter] = Letter.objects.filter(WAITING, Q(not_before=None) | Q(not_before__lte=now))
    return rows.select_related("event__company__partner", "event__connector", "staff")


def _entitled(rows: list[Letter]) -> list[Letter]:
    """Return the mails whose recipients may still have them; the others are deleted."""
    companies = {row.event.company_id: row.event.company for row in rows}
    whom = recipients(companies.values())
    gone: list[Letter] = []
    staying: list[Letter] = []
    for row in rows:
        may = {(one.address, one.staff) for one in whom[row.event.company_id, EventKind(row.event.kind)]}
        (staying if (row.address, row.staff) in may else gone).append(row)
    if gone:
        Letter.objects.filter(WAITING, pk__in=[row.pk for row in gone]).delete()
    return staying


def _bundles(rows: Iterable[Letter]) -> list[list[Letter]]:
    """Put together what leaves as one mail: never of two partners, nor of two companies to a company's address."""
    found: dict[tuple[object, ...], list[list[Letter]]] = {}
    for row in rows:
        company = row.event.company
        tenant = company.partner_id if row.staff_id is not None else -company.pk
        bundles = found.setdefault((tenant, row.staff_id, row.address, row.event.kind, row.kind), [[]])
        if len(bundles[-1]) >= MOST_TOPICS:
            bundles.append([])
        bundles[-1].append(row)
    return [bundle for bundles in found.values() for bundle in bundles]


def _send(bundle: list[Letter], now: datetime, connection: BaseEmailBackend) -> bool | None:
    """Take these mails and send them as one; return whether it left, None where the mail server fails altogether."""
    claim = secrets.token_hex(16)
    ids = [row.pk for row in bundle]
    Letter.objects.filter(WAITING, pk__in=ids).update(claim=claim, claimed_at=timezone.now())
    mine = set(Letter.objects.filter(claim=claim).values_list("pk", flat=True))
    taken = [row for row in bundle if row.pk in mine]
    if not taken:
        return False
    claimed = Letter.objects.filter(claim=claim, sent_at=None)
    try:
        message(taken, now, connection).send()
    except SMTPRecipientsRefused as refusal:
        if all(500 <= code < 600 for code, _ in refusal.recipients.values()):
            claimed.update(refused_at=timezone.now(), failures=F("failures") + 1)
        else:
            _put_off(taken, now, claim)
        # Neither the address nor what the server said of it: both are in the failure's text.
        logger.warning("The mail server refuses the recipient of mail %s.", taken[0].pk)
        return False
    except (OSError, SMTPException) as failure:
        _put_off(taken, now, claim)
        logger.warning("Mail %s did not leave (%s).", taken[0].pk, type(failure).__name__)
        return None
    except Exception:
        _put_off(taken, now, claim)
        logger.exception("Mail %s could not be written.", taken[0].pk)
        return False
    claimed.update(sent_at=timezone.now())
    return True


def _put_off(rows: list[Letter], now: datetime, claim: str = "") -> None:
    """Let mails wait, each failure twice as long as the one before; gives back what was taken under a claim."""
    for failures in {row.failures for row in rows}:
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, 10))
        ids = [row.pk for row in rows if row.failures == failures]
        Letter.objects.filter(pk__in=ids, claim=claim, sent_at=None).update(
            claim="", claimed_at=None, not_before=now + wait, failures=min(failures + 1, 1_000)
        )


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (OSError, SMTPException) as failure:
        # Everything was answered by then: a server that hangs up without a word has lost nothing.
        logger.info("The mail server hung up (%s).", type(failure).__name__)


# By hand


def doubtful(now: datetime) -> Q:
    """Choose the mails that were taken and never noted: they may have left."""
    return Q(sent_at=None, refused_at=None, claimed_at__lte=now - ANSWERED_AFTER)


def may_send_again(letter: Letter, now: datetime) -> bool:
    """Say whether a person may have a mail sent again: it may not have arrived, and is true still."""
    over = letter.event.ended_at is not None and letter.kind != LetterKind.ENDED
    return not over and (letter.in_doubt(now) or letter.refused_at is not None)


def send_again(letter: Letter, now: datetime, *, actor: User) -> bool:
    """Let a mail that may not have arrived wait to be sent once more; return whether it was one."""
    if not may_send_again(letter, now):
        return False
    with transaction.atomic():
        stuck = Letter.objects.filter(doubtful(now) | Q(refused_at__isnull=False), pk=letter.pk)
        if not stuck.update(claim="", claimed_at=None, refused_at=None, not_before=None, failures=0):
            return False
        detail = {"to": letter.address}
        record(SENT_AGAIN, company=letter.event.company, actor=actor, subject=str(letter), detail=detail)
    return True


# The mail


def message(rows: list[Letter], now: datetime, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """Return the mail that tells of these rows, which have one recipient, one kind of event and one kind of letter."""
    first = rows[0]
    event, letter = EventKind(first.event.kind), LetterKind(first.kind)
    topics = [_topic(row, now) for row in rows]
    context = {
        "title": heading(letter, event, topics),
        "opening": opening(letter, event),
        "shared": shared(topics),
        "topics": [(topic, _link(row)) for topic, row in zip(topics, rows, strict=True)],
        "company": first.event.company.name if len({row.event.company_id for row in rows}) == 1 else "",
        "partner": first.event.company.partner.name,
        "staff": first.staff,
        "subscriptions": f"{settings.PARTNER_ORIGIN}{reverse('notifications')}" if first.staff else "",
    }
    host = urlsplit(settings.PORTAL_ORIGIN).hostname
    mail = EmailMultiAlternatives(
        subject=subject(letter, event, topics),
        body=render_to_string("mail/notification.txt", context).strip() + "\n",
        to=[first.address],
        connection=connection,
        headers={
            "Message-ID": f"<{first.uid}@{host}>",
            # Mail programs show the mails of one event together.
            "References": f"<{first.event.uid}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("mail/notification.html", context), "text/html")
    return mail


def _topic(row: Letter, now: datetime) -> Topic:
    connector = row.event.connector
    return topic_of(
        EventKind(row.event.kind),
        LetterKind(row.kind),
        company=row.event.company.name,
        connector=connector.name if connector is not None else "",
        detail=row.detail,
        today=now.date(),
    )


def _link(row: Letter) -> str:
    """Return the page where the next step is taken, in the recipient's own portal."""
    company, connector_id = row.event.company, row.event.connector_id
    portal, named = ("partner", {"company": company.slug}) if row.staff_id is not None else ("business", {})
    origin = settings.PARTNER_ORIGIN if row.staff_id is not None else settings.PORTAL_ORIGIN
    if connector_id is None:
        return f"{origin}{reverse(f'{portal}:users', kwargs=named)}?status={AccountStatus.PENDING}"
    page = "held" if row.event.kind == EventKind.HELD and row.kind != LetterKind.ENDED else "connector"
    return f"{origin}{reverse(f'{portal}:{page}', kwargs={**named, 'connector_id': connector_id})}"
