"""What a connector needs a person for: derived from its row and the moment, never stored as a mood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus

SECRET_WARNING = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Need:
    """Hold one thing that needs a person, with the sentence that says what to do."""

    attention: Attention
    sentence: str


_FOUND = {
    Attention.HELD: "Changes wait for a person: approve them, keep the accounts, or decline.",
    Attention.SYNC_GROUP_MISSING: (
        "The sync group does not exist in Microsoft Entra any more. Nobody is removed; choose another group."
    ),
    Attention.SYNC_GROUP_UNREADABLE: (
        "The sync group cannot be read completely. Nobody is removed; look at its visibility and its nested groups."
    ),
    Attention.SYNC_GROUP_EMPTY: (
        "Nobody is in the sync group. Nobody is removed; check its members in Microsoft Entra."
    ),
    Attention.GROUP_UNREADABLE: "An additional group cannot be read: its mirror stays as it was.",
    Attention.SKIPPED: "Some people are skipped; the list says why and what would change it.",
    Attention.SPARED: (
        "The last active administrators are leaving. They keep their accounts until another administrator is active."
    ),
    Attention.LICENCES_SHORT: "Licences are short: people wait as Pending until one is free.",
}


def needs_of(connector: Connector, now: datetime) -> list[Need]:
    """Return what a connector needs a person for, most urgent first; [] where it is fine."""
    if connector.status in (ConnectorStatus.REMOVED, ConnectorStatus.SETUP_INCOMPLETE):
        return []
    needs: list[Need] = []
    if connector.failure == Attention.CREDENTIALS_UNREADABLE:
        needs.append(Need(Attention.CREDENTIALS_UNREADABLE, "The stored secret cannot be opened: enter it again."))
    elif connector.failure:
        needs.append(Need(Attention.FAILED, connector.failure))
    found = {Attention(code) for code in connector.attention}
    needs += [Need(attention, sentence) for attention, sentence in _FOUND.items() if attention in found]
    if connector.paused_at is not None:
        reason = f": {connector.pause_reason}" if connector.pause_reason else ""
        needs.append(
            Need(Attention.PAUSED, f"Paused by {connector.paused_by} since {_clock(connector.paused_at)}{reason}.")
        )
    if connector.throttled_until is not None and connector.throttled_until > now:
        needs.append(
            Need(
                Attention.THROTTLED, f"Slowed by Microsoft until {_clock(connector.throttled_until)}; it goes on then."
            )
        )
    if connector.unreachable_since is not None:
        needs.append(
            Need(
                Attention.UNREACHABLE,
                f"Microsoft is unreachable since {_clock(connector.unreachable_since)}; every run tries again.",
            )
        )
    expires = connector.secret_expires_on
    if expires is not None and expires <= (now + SECRET_WARNING).date():
        days = (expires - now.date()).days
        ends = f"ends in {days} days" if days > 1 else "ends tomorrow" if days == 1 else "ends today"
        sentence = f"The client secret {ends if days >= 0 else 'has ended'}: replace it before Microsoft refuses it."
        needs.append(Need(Attention.SECRET_EXPIRES, sentence))
    return needs


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC on {moment.day} {moment:%b %Y}"
