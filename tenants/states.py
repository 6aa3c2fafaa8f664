"""The words of tenants as enums: kinds of login, account states, who did it."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Labelled(StrEnum):
    """Make an enum whose members carry the label shown on screen."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        """Return (value, label) pairs, as a model field wants them."""
        return [(member.value, member.label) for member in cls]


class LoginKind(Labelled):
    STAFF = "staff", "Partner staff"
    COMPANY = "company", "Company login"


class AccountStatus(Labelled):
    ACTIVE = "active", "Active"
    PENDING = "pending", "Pending approval"
    DISABLED = "disabled", "Disabled"
    DELETED = "deleted", "Deleted"
    PERSONAL = "personal", "Personal"


LIVING = frozenset({AccountStatus.ACTIVE, AccountStatus.PENDING, AccountStatus.DISABLED, AccountStatus.PERSONAL})
"""Statuses whose account holds its address; only a deleted one has freed it."""


class PendingReason(Labelled):
    NONE = "", "Not pending"
    RULE = "rule", "The sync rule asks for approval"
    LICENCE = "licence", "No licence was left"


class AccountRole(Labelled):
    USER = "user", "User"
    ADMIN = "admin", "Administrator"


class ManagedBy(Labelled):
    PB = "pb", "PB"
    AZURE_AD = "azure_ad", "Azure AD"


class Hand(Labelled):
    """Say whose hand did something to an account."""

    NONE = "", "Nobody"
    PERSON = "person", "A person"
    CONNECTOR = "connector", "A connector"


class EventKind(Labelled):
    """Name what people are told of by email; the label stands beside the box that is ticked for it."""

    UNAUTHORIZED = "unauthorized", "Microsoft refuses a connector (Unauthorized)"
    HELD = "held", "Changes are held"
    SYNC_GROUP = "sync_group", "A sync group is missing, empty or unreadable"
    UNREACHABLE = "unreachable", "Microsoft is unreachable for more than an hour"
    LICENCES = "licences", "Licences are short"
    SPARED = "spared", "The last administrators of a company are leaving"
    EXPIRY = "expiry", "A client secret or certificate expires"
