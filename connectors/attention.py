"""What a connector needs a person for: derived from its row and the moment, never stored as a mood."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from django.db.models import prefetch_related_objects

from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus, CredentialKind

SECRET_WARNING_DAYS = 30


class Credential(NamedTuple):
    """Hold what a connector signs in with, and the day on which it ends: None where nobody told."""

    kind: CredentialKind
    expires_on: date | None


def credential_of(connector: Connector) -> Credential:
    """Return what a connector signs in with now; a certificate that is made and not proven does not count yet."""
    kind = CredentialKind.CERTIFICATE if connector.certificate else CredentialKind.SECRET
    return Credential(kind, connector.secret_expires_on)


def days_left(expires_on: date, now: datetime) -> int:
    """Return how many days a credential is good for: 0 on its last day, negative once it has ended.

    Days are UTC's whatever the zone that `now` is in, so that all who ask at one moment are told the same.
    """
    return (expires_on - now.astimezone(UTC).date()).days


@dataclass(frozen=True, slots=True)
class Need:
    """Hold one thing that needs a person: the attention's label says the cause, the sentence one fact beside it."""

    attention: Attention
    sentence: str


_FOUND = {
    Attention.HELD: "They wait until a person approves them, keeps the accounts or declines.",
    Attention.SYNC_GROUP_MISSING: "It was {group}. Nobody is removed by that.",
    Attention.SYNC_GROUP_UNREADABLE: "{group} is hidden, or a group in it is. Nobody is removed by that.",
    Attention.SYNC_GROUP_EMPTY: "Nobody is removed by that. Look at the members of {group} in Microsoft Entra.",
    Attention.GROUP_UNREADABLE: "Its mirror stays as it was.",
    Attention.SKIPPED: "Each line of the last run says why, and what would change it.",
    Attention.SPARED: "They keep their accounts until another administrator is active.",
    Attention.LICENCES_SHORT: "People wait as Pending until one is free.",
}
"""What is found by runs: one fact each, beside the label, which says the cause."""
_NAMED = 3


def know_groups(connectors: Collection[Connector]) -> None:
    """Fetch the groups that needs_of names, of all of these connectors in at most one query."""
    wanted = [connector for connector in connectors if Attention.GROUP_UNREADABLE in connector.attention]
    prefetch_related_objects(wanted, "selected_groups")


def _fact(attention: Attention, connector: Connector) -> str:
    if attention is Attention.GROUP_UNREADABLE:
        names = [f"“{group}”" for group in connector.selected_groups.all() if group.sentence]
        if len(names) == 1:
            return f"{names[0]}: its mirror stays as it was."
        if names:
            shown, more = names[:_NAMED], len(names) - _NAMED
            last = f"{more} more" if more > 0 else shown.pop()
            return f"{', '.join(shown)} and {last}: their mirrors stay as they were."
    return _FOUND[attention].format(group=f"“{connector.sync_group_name or connector.sync_group_id}”")


def needs_of(connector: Connector, now: datetime) -> list[Need]:
    """Return what a connector needs a person for, most urgent first; [] where it is fine."""
    if connector.status in (ConnectorStatus.REMOVED, ConnectorStatus.SETUP_INCOMPLETE):
        return []
    needs: list[Need] = []
    if connector.failure == Attention.CREDENTIALS_UNREADABLE:
        mend = "Make a new certificate" if connector.certificate else "Enter the secret again"
        needs.append(Need(Attention.CREDENTIALS_UNREADABLE, f"{mend} on the tab Azure Auth."))
    elif connector.failure:
        needs.append(Need(Attention.FAILED, connector.failure))
    expiry = _expiry(credential_of(connector), now)
    if expiry is not None and expiry.attention is Attention.SECRET_ENDED:
        needs.append(expiry)
    found = {Attention(code) for code in connector.attention}
    needs += [Need(attention, _fact(attention, connector)) for attention in _FOUND if attention in found]
    if connector.paused_at is not None:
        since = f"By {connector.paused_by} since {_clock(connector.paused_at)}"
        until = f" until {_clock(connector.paused_until)}" if connector.paused_until else ""
        reason = f": {connector.pause_reason.rstrip('.')}" if connector.pause_reason else ""
        needs.append(Need(Attention.PAUSED, f"{since}{until}{reason}."))
    if connector.throttled_until is not None and connector.throttled_until > now:
        needs.append(Need(Attention.THROTTLED, f"Until {_clock(connector.throttled_until)}; it goes on then."))
    if connector.unreachable_since is not None:
        since = _clock(connector.unreachable_since)
        needs.append(Need(Attention.UNREACHABLE, f"Since {since}; every run tries again."))
    if expiry is not None and expiry.attention is Attention.SECRET_EXPIRES:
        needs.append(expiry)
    return needs


def _expiry(credential: Credential, now: datetime) -> Need | None:
    """Return the warning of a credential that ends within SECRET_WARNING_DAYS, or has ended."""
    if credential.expires_on is None:
        return None
    days = days_left(credential.expires_on, now)
    if days > SECRET_WARNING_DAYS:
        return None
    by_certificate = credential.kind is CredentialKind.CERTIFICATE
    what = "certificate" if by_certificate else "client secret"
    make = "Make a new certificate" if by_certificate else "Enter a new secret"
    day = _day(credential.expires_on)
    if days < 0:
        told = "" if by_certificate else ", by the day that was entered"
        return Need(
            Attention.SECRET_ENDED,
            f"The {what} ended on {day}{told}. Microsoft refuses it then, and nothing is synchronised; nobody loses an"
            f" account by that. {make} on the tab Azure Auth.",
        )
    when = f"in {days} days, on {day}" if days > 1 else f"tomorrow, on {day}" if days == 1 else f"today, {day}"
    return Need(
        Attention.SECRET_EXPIRES,
        f"The {what} ends {when}. {make} on the tab Azure Auth before that; the old one works until the new one is"
        " proven.",
    )


def _clock(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment:%H:%M} UTC on {_day(moment)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
