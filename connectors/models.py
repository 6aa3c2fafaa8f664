"""The link of a company to a directory: connectors, what they select, what they remember, and what they did."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from connectors.outbox import Event as Event
from connectors.outbox import Letter as Letter
from connectors.states import (
    LIVE,
    RULE_CHOICES,
    ChangeKind,
    Cloud,
    ConnectorStatus,
    MarkKind,
    Outcome,
    RunState,
    RunTrigger,
    Situation,
)
from pbportal.sealed import SealedTextField
from tenants.models import Account, Company, Group, TenantQuerySet, values_check


class Connector(models.Model):
    """The link of one company to one directory tenant.

    `tenant_id` is the tenant's GUID, proven by a verification; `tenant` is what was typed. `generation` grows with
    every verification and every new secret: a run that began under an older one cannot change the status.
    It signs in with a `secret` or with a `certificate` and its `private_key`; `secret_expires_on` is the end of
    whichever it is. The `next_*` pair is made and waits, unused, until it is proven.
    The lease (`lease_token`, `lease_until`, `lease_taken_at`) is the right to run; '' means nobody has it.
    `settings_revision` grows with everything a person changes here that a plan depends on, marks included.
    `people` is how many a run may have to ask Microsoft about: those in scope, or the owners of its accounts if more.
    The `quiet_*` fields say for which directory, roster and settings the last plan was empty, and until when.
    """

    company_path: ClassVar[str | None] = "company"
    partner_path: ClassVar[str] = "company__partner"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="connectors")
    name = models.CharField(max_length=200, default="Microsoft Entra ID")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    tenant = models.CharField("tenant ID", max_length=255, blank=True)
    tenant_id = models.CharField(max_length=36, blank=True, editable=False)
    client_id = models.CharField("client ID", max_length=36, blank=True)
    cloud = models.CharField(max_length=20, choices=Cloud.choices(), default=Cloud.GLOBAL)
    secret = SealedTextField(bind_to="uid", null=True)
    secret_expires_on = models.DateField(null=True, blank=True)
    certificate = models.TextField(blank=True, editable=False)
    private_key = SealedTextField(bind_to="uid", null=True)
    next_certificate = models.TextField(blank=True, editable=False)
    next_private_key = SealedTextField(bind_to="uid", null=True)
    generation = models.PositiveIntegerField(default=1, editable=False)
    token_hash = models.CharField(max_length=128, blank=True, editable=False)

    status = models.CharField(
        max_length=20, choices=ConnectorStatus.choices(), default=ConnectorStatus.SETUP_INCOMPLETE
    )
    status_since = models.DateTimeField(default=timezone.now)
    status_sentence = models.TextField(blank=True)
    status_reference = models.CharField(max_length=300, blank=True)

    sync_group_id = models.CharField(max_length=36, blank=True)
    sync_group_name = models.CharField(max_length=256, blank=True)
    direct_members_only = models.BooleanField(default=False)
    leave_out_guests = models.BooleanField(default=False)
    allow_onmicrosoft = models.BooleanField(default=False)
    send_invitations = models.BooleanField(default=True)
    settings_revision = models.PositiveBigIntegerField(default=1, editable=False)

    destructive_floor = models.PositiveIntegerField(default=5)
    destructive_percent = models.PositiveSmallIntegerField(default=20)
    half_floor = models.PositiveIntegerField(default=2)
    half_percent = models.PositiveSmallIntegerField(default=50)
    growth_floor = models.PositiveIntegerField(default=10)
    growth_percent = models.PositiveSmallIntegerField(default=50)

    lease_token = models.CharField(max_length=32, blank=True, editable=False)
    lease_taken_at = models.DateTimeField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    run_again = models.CharField(max_length=10, blank=True, choices=RunTrigger.choices(), editable=False)
    run_again_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )

    throttled_until = models.DateTimeField(null=True, editable=False)
    unreachable_since = models.DateTimeField(null=True, editable=False)
    failure = models.TextField(blank=True, editable=False)
    paused_at = models.DateTimeField(null=True, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)
    paused_by = models.CharField(max_length=300, blank=True, editable=False)
    pause_reason = models.TextField(blank=True, editable=False)

    completed_runs = models.PositiveIntegerField(default=0, editable=False)
    last_run_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    findings = models.ForeignKey("SyncRun", null=True, on_delete=models.SET_NULL, related_name="+", editable=False)
    findings_digest = models.CharField(max_length=64, blank=True, editable=False)
    attention = models.JSONField(default=list, editable=False)
    in_scope = models.PositiveIntegerField(default=0, editable=False)
    people = models.PositiveIntegerField(default=0, editable=False)
    quiet_digest = models.CharField(max_length=64, blank=True, editable=False)
    quiet_until = models.DateTimeField(null=True, editable=False)
    last_record = models.ForeignKey("SyncRun", null=True, on_delete=models.SET_NULL, related_name="+", editable=False)
    removed_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["company__name", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["company", "tenant_id"],
                condition=~models.Q(tenant_id="") & ~models.Q(status=ConnectorStatus.REMOVED),
                name="connector_once_per_tenant",
            ),
            values_check("status", ConnectorStatus, "connector_status_known"),
            values_check("cloud", Cloud, "connector_cloud_known"),
            models.CheckConstraint(
                condition=~models.Q(status__in=sorted(LIVE)) | (~models.Q(sync_group_id="") & ~models.Q(tenant_id="")),
                name="connector_live_is_complete",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=ConnectorStatus.REMOVED)
                | models.Q(
                    secret__isnull=True,
                    private_key__isnull=True,
                    next_private_key__isnull=True,
                    token_hash="",
                    lease_token="",
                    removed_at__isnull=False,
                ),
                name="connector_removed_holds_nothing",
            ),
            models.CheckConstraint(
                condition=models.Q(secret__isnull=True) | models.Q(private_key__isnull=True),
                name="connector_one_credential",
            ),
            models.CheckConstraint(
                condition=models.Q(certificate="", private_key__isnull=True)
                | (~models.Q(certificate="") & models.Q(private_key__isnull=False)),
                name="connector_certificate_with_key",
            ),
            models.CheckConstraint(
                condition=models.Q(next_certificate="", next_private_key__isnull=True)
                | (~models.Q(next_certificate="") & models.Q(next_private_key__isnull=False)),
                name="connector_next_certificate_with_key",
            ),
            models.CheckConstraint(
                condition=models.Q(paused_until__isnull=True) | models.Q(paused_at__isnull=False),
                name="connector_pause_has_begun",
            ),
            models.CheckConstraint(
                condition=models.Q(lease_token="", lease_until__isnull=True)
                | (~models.Q(lease_token="") & models.Q(lease_until__isnull=False)),
                name="connector_lease_has_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.company}"

    @property
    def live(self) -> bool:
        """Say whether the connector is saved and not removed."""
        return self.status in LIVE

    @property
    def has_credential(self) -> bool:
        """Say whether there is anything to sign in with."""
        return self.secret is not None or self.private_key is not None


class SelectedGroup(models.Model):
    """One additional directory group that a connector mirrors; the name is the last one seen."""

    company_path: ClassVar[str | None] = "connector__company"
    partner_path: ClassVar[str] = "connector__company__partner"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="selected_groups")
    directory_id = models.CharField(max_length=36)
    name = models.CharField(max_length=256, blank=True)
    sentence = models.TextField(blank=True, editable=False)
    """Why the last run could not read it; '' where it could."""

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connector", "directory_id"], name="selected_group_once")
        ]

    def __str__(self) -> str:
        return self.name or self.directory_id


class SyncRule(models.Model):
    """What happens to an account in one situation; a situation without a row follows the default."""

    company_path: ClassVar[str | None] = "connector__company"
    partner_path: ClassVar[str] = "connector__company__partner"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="rules")
    situation = models.CharField(max_length=10, choices=Situation.choices())
    action = models.CharField(max_length=20)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connector", "situation"], name="rule_once_per_situation"),
            models.CheckConstraint(
                condition=models.Q(
                    *(
                        models.Q(situation=situation, action__in=[str(action) for action in choices])
                        for situation, choices in RULE_CHOICES.items()
                    ),
                    _connector=models.Q.OR,
                ),
                name="rule_action_allowed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.situation}: {self.action}"


class AccountLink(models.Model):
    """A connector's only licence to change an account, and what the directory last said of its owner.

    `situations` are those that held at the last run, comma-separated and sorted.
    """

    company_path: ClassVar[str | None] = "connector__company"
    partner_path: ClassVar[str] = "connector__company__partner"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="links")
    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="link")
    directory_email = models.CharField(max_length=320, blank=True)
    situations = models.CharField(max_length=60, blank=True)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.account} by {self.connector}"


class GroupLink(models.Model):
    """A group that a connector mirrors now."""

    company_path: ClassVar[str | None] = "connector__company"
    partner_path: ClassVar[str] = "connector__company__partner"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="mirrors")
    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="link")

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.group} by {self.connector}"


class PersonMark(models.Model):
    """One thing a connector remembers about a directory person"""

    company_path: ClassVar[str | None] = "connector__company"
    partner_path: ClassVar[str] = "connector__company__partner"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="marks")
    object_id = models.CharField(max_length=36)
    kind = models.CharField(max_length=12, choices=MarkKind.choices())
    value = models.CharField(max_length=40, blank=True)
    other = models.CharField(max_length=40, blank=True)
    since = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=300, blank=True)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connector", "object_id", "kind", "value"], name="mark_once"),
            values_check("kind", MarkKind, "mark_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.object_id}: {self.kind} {self.value}".strip()


class ConsentRequest(models.Model):
    """One way to Microsoft's consent page and back: whose session began it, for which generation, used once.

    The state that Microsoft sends back, and the session's own word, are kept as hashes.
    """

    company_path: ClassVar[str | None] = "connector__company"
    partner_path: ClassVar[str] = "connector__company__partner"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="consent_requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    state_hash = models.CharField(max_length=64, unique=True, editable=False)
    session_hash = models.CharField(max_length=64, editable=False)
    generation = models.PositiveIntegerField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Consent for {self.connector}, until {self.expires_at:%H:%M}"


class SyncRun(models.Model):
    """One synchronisation, or a folded row of consecutive ones that say the same.

    A folded row counts `times`, from `started_at` of the first to `finished_at` of the last. `first` marks the runs
    before any was completed, whose creations the brake does not count. `counts` maps "outcome.kind" to a number.
    `read_seconds` is how much of the run was spent with asking the directory, `plan_seconds` with deciding.
    `calls` are the latest requests, the last one first, each with Microsoft's id of it for a support case.
    """

    company_path: ClassVar[str | None] = "company"
    partner_path: ClassVar[str] = "company__partner"

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="runs")
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="runs")
    connector_name = models.CharField(max_length=200)
    trigger = models.CharField(max_length=10, choices=RunTrigger.choices())
    state = models.CharField(max_length=10, choices=RunState.choices())
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    by_label = models.CharField(max_length=300, blank=True)
    first = models.BooleanField(default=False)
    quiet = models.BooleanField(default=False)
    times = models.PositiveIntegerField(default=1)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    phase = models.CharField(max_length=20, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    read_seconds = models.FloatField(default=0)
    plan_seconds = models.FloatField(default=0)
    calls = models.JSONField(default=list)
    in_scope = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)
    attention = models.JSONField(default=list)
    sentence = models.TextField(blank=True)
    reference = models.CharField(max_length=300, blank=True)

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-started_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["connector", "-started_at"], name="run_connector_started")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connector"],
                condition=models.Q(state=RunState.RUNNING),
                name="run_one_live_per_connector",
            ),
            values_check("state", RunState, "run_state_known"),
            values_check("trigger", RunTrigger, "run_trigger_known"),
            models.CheckConstraint(
                condition=models.Q(state=RunState.RUNNING) ^ models.Q(finished_at__isnull=False),
                name="run_finished_or_running",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connector_name}, {self.started_at:%d %b %Y %H:%M}"


class SyncChange(models.Model):
    """One line of a run's record: what happened to whom, or why nothing did. Names are copied."""

    company_path: ClassVar[str | None] = "run__company"
    partner_path: ClassVar[str] = "run__company__partner"

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="changes")
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=10, choices=Outcome.choices())
    kind = models.CharField(max_length=20, choices=ChangeKind.choices(), blank=True)
    situation = models.CharField(max_length=10, choices=Situation.choices(), blank=True)
    account = models.ForeignKey(Account, null=True, on_delete=models.SET_NULL, related_name="+")
    object_id = models.CharField(max_length=36, blank=True)
    name = models.CharField(max_length=400, blank=True)
    email = models.CharField(max_length=320, blank=True)
    group_name = models.CharField(max_length=256, blank=True)
    before = models.CharField(max_length=400, blank=True)
    after = models.CharField(max_length=400, blank=True)
    because = models.TextField(blank=True)
    cause = models.CharField(max_length=20, blank=True)
    """A HoldCause, SkipReason or LeftOutReason; '' for what was applied."""
    other = models.ForeignKey(Account, null=True, on_delete=models.SET_NULL, related_name="+")
    question = models.BooleanField(default=False)
    approved = models.BooleanField(default=False)
    decided_by = models.CharField(max_length=300, blank=True)
    """Who approved this very change, confirmed whose account it is, or said that it is the same person."""

    objects: ClassVar[models.Manager[Any]] = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["connector", "at"], name="change_connector_at")]
        constraints: ClassVar = [values_check("outcome", Outcome, "change_outcome_known")]

    def __str__(self) -> str:
        return f"{self.outcome} {self.kind}: {self.name or self.email or self.group_name}"


class WorkerBeat(models.Model):
    """The last sign of life of the workers, one row per cluster."""

    tenant_exemption: ClassVar[str] = "It tells of processes, not of anybody's data; only the health pages read it."

    cluster = models.CharField(max_length=100, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.cluster} at {self.at:%H:%M:%S}"
