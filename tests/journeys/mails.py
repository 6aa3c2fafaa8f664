"""The mails that the portal sends about connectors, one of each sort, for whoever looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from connectors.models import Connector, Event, Letter
from connectors.notify.sending import message
from connectors.states import Attention, CredentialKind, HoldCause, LetterKind
from tenants.models import Company, User
from tenants.states import EventKind

SINCE = datetime.fromisoformat("2026-11-23T09:40:00+00:00")


def details(today: date) -> dict[str, tuple[EventKind, dict[str, Any]]]:
    """Return what may be known of an event, by a name for its mail."""

    def group(attention: Attention, held: int = 0) -> tuple[EventKind, dict[str, Any]]:
        told = {"attention": str(attention), "group": "Password Boss Users", "held": held}
        return EventKind.SYNC_GROUP, told

    def expiry(days: int, kind: CredentialKind = CredentialKind.SECRET) -> tuple[EventKind, dict[str, Any]]:
        return EventKind.EXPIRY, {"what": str(kind), "expires_on": (today + timedelta(days=days)).isoformat()}

    return {
        "unauthorized": (
            EventKind.UNAUTHORIZED,
            {
                "sentence": "The client secret has expired. Create a new one in Microsoft Entra, and enter its value.",
                "reference": "AADSTS7000222, request 6f1d6f6e-5c1c-4a3e-9f7e-2b1c7a0d9e44",
                "since": SINCE.isoformat(),
            },
        ),
        "held": (EventKind.HELD, {"number": 46, "causes": [str(HoldCause.BRAKE)]}),
        "group-empty": group(Attention.SYNC_GROUP_EMPTY, 163),
        "group-missing": group(Attention.SYNC_GROUP_MISSING),
        "group-unreadable": group(Attention.SYNC_GROUP_UNREADABLE),
        "unreachable": (EventKind.UNREACHABLE, {"since": SINCE.isoformat()}),
        "licences": (EventKind.LICENCES, {"number": 3, "licences": 210}),
        "spared": (EventKind.SPARED, {}),
        "secret-7": expiry(7),
        "secret-tomorrow": expiry(1),
        "secret-over": expiry(-1),
        "certificate-30": expiry(30, CredentialKind.CERTIFICATE),
    }


def letter(company: Company, sort: str, kind: LetterKind = LetterKind.BEGAN, *, staff: User | None = None) -> Letter:
    """Save a mail of some sort about a company, to one of the staff or to the company's own address."""
    now = timezone.now()
    event, detail = details(now.date())[sort]
    found = Connector.objects.filter(company=company).first()
    connector = None if event is EventKind.LICENCES else found or Connector.objects.create(company=company)
    row = Event.objects.create(
        company=company, connector=connector, kind=event, began_at=SINCE, told_at=SINCE, ended_at=SINCE
    )
    address = staff.email if staff is not None else "it@brightwater.example"
    return Letter.objects.create(event=row, kind=kind, address=address, staff=staff, detail=detail)


def in_every_state(company: Company, staff: User) -> None:
    """Save mails that left, wait, were refused, and may not have arrived."""
    now = timezone.now()
    long_ago = {"claim": "a", "claimed_at": now - timedelta(hours=1)}
    for sort, whom, values in (
        ("licences", staff, long_ago | {"sent_at": now}),
        ("unreachable", staff, long_ago),
        ("unauthorized", None, long_ago | {"refused_at": now}),
        ("held", None, {"failures": 3, "not_before": now}),
        ("spared", None, {}),
    ):
        row = letter(company, sort, staff=whom)
        Event.objects.filter(pk=row.event_id).update(ended_at=None)
        Letter.objects.filter(pk=row.pk).update(**values)


def every_sort(company: Company, others: list[Company], staff: User) -> Iterator[tuple[str, EmailMultiAlternatives]]:
    """Return one mail of each sort with a name: to staff and to the company, later ones, and one about several."""
    now = timezone.now()
    for sort in details(now.date()):
        yield sort, message([letter(company, sort, staff=staff)], now)
    for kind in (LetterKind.CHANGED, LetterKind.REMINDER, LetterKind.ENDED):
        yield f"unauthorized-{kind}", message([letter(company, "unauthorized", kind, staff=staff)], now)
    yield "company-held", message([letter(company, "held")], now)
    several = [letter(one, "unreachable", staff=staff) for one in (company, *others)]
    yield "unreachable-several", message(several, now)
    sorts = ("group-empty", "group-missing")
    differing = [letter(one, sort, staff=staff) for one, sort in zip((company, *others), sorts, strict=True)]
    yield "group-several", message(differing, now)


def html_of(mail: EmailMultiAlternatives) -> str:
    """Return a mail's HTML."""
    [(html, kind)] = mail.alternatives
    assert kind == "text/html"
    return str(html)
