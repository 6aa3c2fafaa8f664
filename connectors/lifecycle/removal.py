"""What removing a connector hands back and what it ends, counted before a person decides."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

from django.db.models import Count, Q
from django.utils import timezone

from connectors.models import AccountLink, Connector, GroupLink, PersonMark
from connectors.states import MarkKind
from tenants.states import AccountStatus


@dataclass(frozen=True, slots=True)
class Removal:
    """Hold what a removal would do now.

    `deleted` are accounts the connector deleted that can still be restored. `held` and `decided` are people: those
    whose change waits for a decision, and those of whom a decision is remembered. `running`: a run is going on.
    """

    connector: int
    active: int
    pending: int
    disabled: int
    deleted: int
    groups: int
    held: int
    decided: int
    running: bool

    @property
    def accounts(self) -> int:
        """Return how many accounts in the company are handed back."""
        return self.active + self.pending + self.disabled

    @property
    def seen(self) -> str:
        """Return a word for the numbers that a page shows, so that a removal is the one that was shown.

        A run that begins meanwhile makes no other removal of it: it only loses its lease.
        """
        return hashlib.blake2b(repr(astuple(self)[:-1]).encode(), digest_size=16).hexdigest()


def removal_of(connector: Connector) -> Removal:
    """Count what removing a connector would hand back and end."""
    now = timezone.now()
    links = AccountLink.objects.filter(connector=connector).aggregate(
        active=Count("pk", filter=Q(account__status=AccountStatus.ACTIVE)),
        pending=Count("pk", filter=Q(account__status=AccountStatus.PENDING)),
        disabled=Count("pk", filter=Q(account__status=AccountStatus.DISABLED)),
        deleted=Count("pk", filter=Q(account__status=AccountStatus.DELETED, account__restorable_until__gt=now)),
    )
    held = Q(kind=MarkKind.HELD)
    people = PersonMark.objects.filter(connector=connector).aggregate(
        held=Count("object_id", filter=held, distinct=True),
        decided=Count("object_id", filter=~held, distinct=True),
    )
    return Removal(
        connector=connector.pk,
        **links,
        groups=GroupLink.objects.filter(connector=connector).count(),
        **people,
        running=connector.lease_until is not None and connector.lease_until > now,
    )
