"""Invitations: who is asked to join, the one-time link, and the mail that carries it, sent at a measured pace."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from tenants.models import Account, Invitation, User
from tenants.states import AccountRole, AccountStatus

logger = logging.getLogger(__name__)

OPEN = Q(accepted_at=None, revoked_at=None)
SENDING = timedelta(minutes=10)
"""After this long, a sender that has not told how it went is taken for dead, and the mail is sent by the next."""
DOUBT = timedelta(hours=1)
LONGEST_WAIT = timedelta(hours=6)

_doubts: list[Callable[[Collection[int]], set[int]]] = []


def doubt_by(tell: Callable[[Collection[int]], set[int]]) -> None:
    """Register who can tell, of account ids, those whose address a directory contradicts."""
    if tell not in _doubts:
        _doubts.append(tell)


def doubted(account_ids: Collection[int]) -> set[int]:
    """Return the accounts to whose address no one-time link goes: a directory reports another for their owner."""
    return {pk for tell in _doubts for pk in tell(account_ids)} if account_ids else set()


# Asking


def queue(account_ids: Iterable[int]) -> None:
    """Ask for the invitations of new accounts, in the caller's transaction; it is sent once the account is Active."""
    now = timezone.now()
    Invitation.objects.bulk_create(
        [Invitation(account_id=pk, wanted_at=now) for pk in account_ids], batch_size=1_000, ignore_conflicts=True
    )


def queue_staff(user: User) -> None:
    """Ask for the invitation of a staff login that has no password yet, in the caller's transaction."""
    _again(Invitation.objects.filter(staff=user))
    Invitation.objects.bulk_create([Invitation(staff=user, wanted_at=timezone.now())], ignore_conflicts=True)


def queue_again(account_ids: Collection[int]) -> None:
    """Ask for invitations anew, in the caller's transaction; links sent before die at once."""
    _again(Invitation.objects.filter(account__in=account_ids))
    queue(account_ids)


def revoke(account_ids: Collection[int]) -> None:
    """End invitations that nobody accepted; their links die at once."""
    Invitation.objects.filter(OPEN, account__in=account_ids).update(token_hash="", revoked_at=timezone.now())


def _again(rows: QuerySet[Invitation]) -> None:
    rows.filter(accepted_at=None).update(
        wanted_at=timezone.now(),
        not_before=None,
        failures=0,
        token_hash="",
        sent_at=None,
        expires_at=None,
        revoked_at=None,
    )


# The link


def hash_of(token: str) -> str:
    """Return what is kept of a link."""
    return hashlib.sha256(token.encode()).hexdigest()


def find(token: str, now: datetime) -> Invitation | None:
    """Return the invitation whose link this is, if the link works now."""
    found = (
        Invitation.objects.filter(OPEN, token_hash=hash_of(token), expires_at__gt=now)
        .select_related("account__company__partner", "account__user", "staff")
        .first()
    )
    return found if found is not None and _waits_for_owner(found) else None


def _waits_for_owner(invitation: Invitation) -> bool:
    account, staff = invitation.account, invitation.staff
    if account is not None:
        return account.user_id is None and account.status in {AccountStatus.ACTIVE, AccountStatus.PENDING}
    return staff is not None and staff.is_active and not staff.has_usable_password()


# Sending


def send_due(now: datetime, limit: int) -> int:
    """Send the oldest invitations that are due, at most `limit`; return how many left.

    Each is taken by one conditional UPDATE, so that no two senders take the same; no transaction is open while a mail
    leaves. A mail server that fails puts off the one invitation and ends the round; a mail that cannot be written is
    put off alone; a sender that dies, ten minutes.
    """
    due = list(_due(now).select_related("account__company__partner", "staff").order_by("wanted_at", "pk")[:limit])
    in_doubt = doubted([row.account_id for row in due if row.account_id is not None])
    doubtful = [row.pk for row in due if row.account_id in in_doubt]
    if doubtful:
        Invitation.objects.filter(pk__in=doubtful).update(not_before=now + DOUBT)
    sent = 0
    connection = get_connection()
    keepers: dict[int, str] = {}
    for invitation in due:
        if invitation.pk in doubtful:
            continue
        token = secrets.token_urlsafe(32)
        expires_at = now + timedelta(days=settings.PBPORTAL_INVITATION_DAYS)
        taken = (
            _due(now)
            .filter(pk=invitation.pk)
            .update(token_hash=hash_of(token), expires_at=expires_at, not_before=now + SENDING)
        )
        if not taken:
            continue
        try:
            _mail(invitation, token, expires_at, keepers, connection).send()
        except Exception as failure:  # an address that no library can write down must not be everybody's
            wait = min(LONGEST_WAIT, timedelta(minutes=5) * 2 ** min(invitation.failures, 10))
            Invitation.objects.filter(pk=invitation.pk, token_hash=hash_of(token)).update(
                token_hash="", expires_at=None, not_before=now + wait, failures=min(invitation.failures + 1, 1_000)
            )
            # Neither the address nor what the server said of it: both may be in the failure's text.
            logger.warning("Invitation %s did not leave (%s).", invitation.pk, type(failure).__name__)
            if isinstance(failure, OSError | SMTPException) and not isinstance(failure, SMTPRecipientsRefused):
                break
            continue
        Invitation.objects.filter(pk=invitation.pk, token_hash=hash_of(token)).update(
            sent_at=timezone.now(), not_before=None, failures=0
        )
        sent += 1
    return sent


def _due(now: datetime) -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        OPEN,
        Q(not_before=None) | Q(not_before__lte=now),
        Q(account__status=AccountStatus.ACTIVE, account__user=None) | Q(staff__is_active=True),
        sent_at=None,
    )


def _mail(
    invitation: Invitation,
    token: str,
    expires_at: datetime,
    keepers: dict[int, str],
    connection: BaseEmailBackend,
) -> EmailMultiAlternatives:
    account, owner = invitation.account, invitation.owner
    origin = settings.PARTNER_ORIGIN if account is None else settings.PORTAL_ORIGIN
    context = {
        "link": f"{origin}{reverse('welcome', kwargs={'token': token})}",
        "expires_at": expires_at,
        "microsoft": bool(settings.MICROSOFT_SIGNIN_CLIENT_ID) and account is not None and account.has_identity,
        "name": owner.name,
        "company": "",
        "keeper": "",
    }
    if account is not None:
        company = account.company
        if company.pk not in keepers:
            keepers[company.pk] = _keeper_of(company.pk) or company.partner.name
        context |= {
            "name": account.first_name or account.last_name,
            "company": company.name,
            "keeper": keepers[company.pk],
        }
    message = EmailMultiAlternatives(
        subject=render_to_string("mail/invitation_subject.txt", context).strip(),
        body=render_to_string("mail/invitation.txt", context).strip() + "\n",
        to=[owner.email],
        connection=connection,
    )
    message.attach_alternative(render_to_string("mail/invitation.html", context), "text/html")
    return message


def _keeper_of(company_id: int) -> str:
    administrators = Account.objects.filter(
        company=company_id, role=AccountRole.ADMIN, status=AccountStatus.ACTIVE, user__isnull=False
    )
    first = administrators.order_by("pk").first()
    return first.full_name if first else ""
