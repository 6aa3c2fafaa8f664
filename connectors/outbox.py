"""What has been told of the connectors' events, and the mails about them: those that wait, and those that left."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from connectors.states import LetterKind
from tenants.models import Company, TenantQuerySet, values_check
from tenants.states import EventKind

ANSWERED_AFTER = timedelta(minutes=10)
"""Whoever has taken a mail to send it has told by then how it went, or has died."""


class Event(models.Model):
    """One thing that people are told of, from its beginning to its end, and what was told last.

    It belongs to a connector, or to the company where `connector` is None. `what` tells events of one kind apart, such
    as the client secret and the certificate. `reason` is a digest: a new one is told anew. See connectors.notify.decide
    for the rest.
    """

    company_path: ClassVar[str | None] = "company"
    partner_path: ClassVar[str] = "company__partner"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="events")
    connector = models.ForeignKey("Connector", null=True, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=EventKind.choices())
    what = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=64, blank=True)
    size = models.PositiveIntegerField(default=0)
    stage = models.PositiveSmallIntegerField(default=0)
    times = models.PositiveSmallIntegerField(default=1)
    began_at = models.DateTimeField()
    told_at = models.DateTimeField()
    absent_since = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            values_check("kind", EventKind, "event_kind_known"),
            models.UniqueConstraint(
                fields=["connector", "kind", "what"],
                condition=models.Q(ended_at=None, connector__isnull=False),
                name="event_open_once_per_connector",
            ),
            models.UniqueConstraint(
                fields=["company", "kind", "what"],
                condition=models.Q(ended_at=None, connector__isnull=True),
                name="event_open_once_per_company",
            ),
        ]

    def __str__(self) -> str:
        return f"{EventKind(self.kind).label}: {self.connector or self.company}"


class Letter(models.Model):
    """One mail to one recipient about one event; those that wait for the same recipient may leave as one.

    `staff` is the login it is for, None where the address is a notification address of the company. `detail` holds
    what was known when it was written. It is taken (`claimed_at`) before it is sent, and noted (`sent_at`) after: one
    that was taken and never noted may have left, and is not sent again by itself. `refused_at` is when the mail server
    said for good that it knows no such recipient.
    """

    company_path: ClassVar[str | None] = "event__company"
    partner_path: ClassVar[str] = "event__company__partner"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="letters")
    kind = models.CharField(max_length=10, choices=LetterKind.choices())
    address = models.EmailField(max_length=254)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    detail = models.JSONField(default=dict)
    written_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    claim = models.CharField(max_length=32, blank=True, editable=False)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-written_at", "-pk"]
        indexes: ClassVar = [
            models.Index(
                fields=["written_at"],
                condition=models.Q(claimed_at=None, sent_at=None, refused_at=None),
                name="letter_waiting",
            ),
        ]
        constraints: ClassVar = [
            values_check("kind", LetterKind, "letter_kind_known"),
            models.CheckConstraint(
                condition=models.Q(claimed_at=None, claim="")
                | models.Q(claimed_at__isnull=False) & ~models.Q(claim=""),
                name="letter_claim_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{LetterKind(self.kind).label}: {EventKind(self.event.kind).label}"

    def in_doubt(self, now: datetime) -> bool:
        """Say whether nobody knows if the mail left: its sender died, or is being waited for in vain."""
        return self.claimed_at is not None and self.sent_at is None and self.claimed_at <= now - ANSWERED_AFTER
