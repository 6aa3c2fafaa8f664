"""The right to run: one worker at a time holds a connector, and every write it makes is fenced by its token."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from connectors.models import Connector, SyncRun
from connectors.states import ConnectorStatus, RunState, RunTrigger
from connectors.sync import record
from tenants.models import User

LEASE = timedelta(seconds=90)
RENEW_AFTER_SECONDS = 15.0
"""A lease this young is not renewed again: a run of a few quick requests costs no extra statement."""

RUNNABLE = frozenset({ConnectorStatus.WAITING, ConnectorStatus.CONNECTED})


class LeaseLost(Exception):
    """Somebody took the connector away: it was removed, its selection changed, or the lease ran out."""


class SettingsMoved(Exception):
    """A person changed rules, settings or decisions since the plan was made: plan again."""


@dataclass(slots=True)
class Lease:
    """Hold a taken lease; `connector` is the row as it was when the lease was taken."""

    connector: Connector
    token: str
    clock: Callable[[], datetime]
    _renewed: float = field(default_factory=time.monotonic)

    def _mine(self) -> Q:
        return Q(pk=self.connector.pk, lease_token=self.token)

    def renew(self) -> None:
        """Prolong the lease where it is no longer young; raises LeaseLost."""
        if time.monotonic() - self._renewed >= RENEW_AFTER_SECONDS:
            if not Connector.objects.filter(self._mine()).update(lease_until=self.clock() + LEASE):
                raise LeaseLost
            self._renewed = time.monotonic()

    def hold(self) -> None:
        """Prolong the lease as the first statement of a transaction that writes only the record; raises LeaseLost.

        The connector's row is locked ahead of the record's, as by everybody who takes a connector away.
        """
        if not Connector.objects.filter(self._mine()).update(lease_until=self.clock() + LEASE):
            raise LeaseLost
        self._renewed = time.monotonic()

    def fence(self, settings_revision: int) -> None:
        """Prolong the lease as the first statement of a writing transaction; raises LeaseLost or SettingsMoved.

        The row stays locked until the transaction ends, so nobody can take the connector away in the middle of it.
        """
        held = Connector.objects.filter(self._mine(), settings_revision=settings_revision)
        if not held.update(lease_until=self.clock() + LEASE):
            if Connector.objects.filter(self._mine()).exists():
                raise SettingsMoved
            raise LeaseLost
        self._renewed = time.monotonic()

    def release(self, **values: object) -> None:
        """Give the lease back and set `values` with it, in one fenced statement; raises LeaseLost."""
        row = Connector.objects.filter(self._mine())
        if not row.update(lease_token="", lease_until=None, lease_taken_at=None, **values):
            raise LeaseLost


def take(connector_id: int, trigger: RunTrigger, clock: Callable[[], datetime], by: User | None = None) -> Lease | str:
    """Take the lease of a connector, or say in a sentence why it does not run now.

    A request of a person or program that meets a run leaves a flag: the finishing run is followed by one more, which is
    `by` whoever asked first.
    """
    for _ in range(2):
        now = clock()
        connector = Connector.objects.select_related("company").get(pk=connector_id)
        refusal = refusal_of(connector, now)
        if refusal:
            return refusal
        free = Q(lease_token="") | Q(lease_until__lt=now)
        if connector.lease_token and connector.lease_until and connector.lease_until >= now:
            if trigger is RunTrigger.SCHEDULE:
                return "A run of this connector is going on; the next one follows by the schedule."
            waiting = Connector.objects.filter(~free, pk=connector_id, run_again="")
            if waiting.update(run_again=trigger, run_again_by=by) or connector.run_again:
                return "A run of this connector is going on; one more follows as soon as it ends."
            continue
        token = secrets.token_hex(16)
        # The row must still be as it was read: what a person has just chosen is what this run asks for.
        wanted = Connector.objects.filter(
            free,
            pk=connector_id,
            status__in=RUNNABLE,
            paused_at=None,
            generation=connector.generation,
            settings_revision=connector.settings_revision,
        )
        values = {
            "lease_token": token,
            "lease_taken_at": now,
            "lease_until": now + LEASE,
            "run_again": "",
            "run_again_by": None,
        }
        if connector.lease_token:
            with transaction.atomic():
                taken = wanted.update(**values)
                if taken:
                    abandon(connector, now)
        else:
            taken = wanted.update(**values)
        if taken:
            return Lease(connector=connector, token=token, clock=clock)
    return "Another run of this connector has just begun."


def refusal_of(connector: Connector, now: datetime) -> str:
    """Return the sentence that says why a connector does not run now; '' where it may."""
    if connector.status == ConnectorStatus.SETUP_INCOMPLETE:
        return "The connector's setup is not finished: finish it and save."
    if connector.status == ConnectorStatus.REMOVED:
        return "The connector was removed: install it again to synchronise."
    if connector.status == ConnectorStatus.UNAUTHORIZED:
        return "Microsoft refuses the connection: mend what its page says, then verify the connection again."
    if connector.paused_at is not None:
        return f"The connector was paused by {connector.paused_by or 'a person'}: resume it first."
    if connector.throttled_until is not None and connector.throttled_until > now:
        return (
            f"Microsoft asked to wait until {connector.throttled_until:%H:%M:%S} UTC; the next run after that goes on."
        )
    return ""


def abandon(connector: Connector, now: datetime) -> None:
    """Mark the run of a dead lease abandoned, or record one where it died before it had a row."""
    sentence = (
        "The worker that made this run ended in the middle of it. What was done is complete; the next run goes on."
    )
    if not record.abandon(connector, sentence, now):
        SyncRun.objects.create(
            connector=connector,
            company_id=connector.company_id,
            connector_name=connector.name,
            trigger=RunTrigger.SCHEDULE,
            state=RunState.ABANDONED,
            first=not connector.completed_runs,
            started_at=connector.lease_taken_at or now,
            finished_at=now,
            sentence=sentence,
        )


def abandon_dead(now: datetime) -> int:
    """Free every lease that ran out and mark its run abandoned; return how many."""
    dead = list(Connector.objects.filter(~Q(lease_token=""), lease_until__lt=now))
    freed = 0
    for connector in dead:
        with transaction.atomic():
            row = Connector.objects.filter(pk=connector.pk, lease_token=connector.lease_token, lease_until__lt=now)
            if row.update(lease_token="", lease_until=None, lease_taken_at=None):
                abandon(connector, now)
                freed += 1
    return freed
