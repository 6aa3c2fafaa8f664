"""What the queue runs: synchronisations, and the portal's own upkeep."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django_q.models import Task

from connectors import notify, sync
from connectors.models import Connector
from connectors.schedule import owners
from connectors.schedule.asking import request_all
from connectors.schedule.pauses import end_pauses
from connectors.schedule.rows import repair
from connectors.states import RunTrigger
from tenants import activity, invitations, roster
from tenants.models import User

logger = logging.getLogger(__name__)

KEEP_FAILURES = timedelta(days=7)
SENDING = timedelta(minutes=2)
"""So long is mail sent in one go: the queue ends whoever takes longer than its timeout, in the middle of a mail."""


def sync_connector(connector_id: int, due_at: str = "") -> None:
    """Run a connector as its schedule says; `due_at` is when it was due, in ISO format.

    A run that ended since then was this one: behind a long queue, every period adds one more task for a connector.
    One that ended later than now was told so by a clock that went wrong, and is no reason to wait.
    """
    due = parse_datetime(due_at) if due_at else None
    if due is not None:
        ended = Connector.objects.filter(pk=connector_id, last_run_at__gte=due, last_run_at__lte=timezone.now())
        if ended.exists():
            return
    _run(connector_id, RunTrigger.SCHEDULE, None)


def requested(connector_id: int, trigger: str, by_id: int) -> None:
    """Run a connector because a person or program asked; `by_id` is 0 where nobody signed in did."""
    _run(connector_id, RunTrigger(trigger), User.objects.filter(pk=by_id).first() if by_id else None)


def _run(connector_id: int, trigger: RunTrigger, by: User | None) -> None:
    try:
        result = sync.run(connector_id, trigger, by=by)
    except Exception:
        logger.exception("The run of connector %s broke off.", connector_id)
        return
    if result.refused:
        logger.info("Connector %s did not run: %s", connector_id, result.refused)
    if result.again:
        follow_up([connector_id])


def follow_up(connector_ids: Iterable[int] | None = None) -> int:
    """Queue the one more run that was asked for during a run that has ended, of these or all; return how many.

    The flag goes in the transaction that queues the task: neither is lost, and no run is queued twice.
    """
    with transaction.atomic():
        asked = Connector.objects.filter(lease_token="").exclude(run_again="")
        if connector_ids is not None:
            asked = asked.filter(pk__in=list(connector_ids))
        found = list(
            asked.order_by("pk").select_for_update(of=("self",)).values_list("pk", "run_again", "run_again_by")
        )
        if found:
            Connector.objects.filter(pk__in=[pk for pk, _, _ in found]).update(run_again="", run_again_by=None)
        triggers: dict[int | None, dict[int, RunTrigger]] = defaultdict(dict)
        for pk, trigger, user_id in found:
            triggers[user_id][pk] = RunTrigger(trigger)
        for by_id, theirs in triggers.items():
            request_all(theirs, by_id)
    return len(found)


def reconcile() -> None:
    """Put right, every minute, what a crash or a hand in the database left behind."""
    now = timezone.now()
    _each(
        {
            "mend the schedules": lambda: repair(now),
            "give back the tasks of dead workers": lambda: owners.give_back_of_the_dead(now),
            "end the pauses that are over": lambda: end_pauses(now),
            "free the leases of dead runs": lambda: sync.abandon_dead(now),
            "queue the runs that were asked for during a run": follow_up,
            "send the invitations that are due": lambda: invitations.send_due(
                now, settings.PBPORTAL_INVITATIONS_PER_MINUTE
            ),
        }
    )


def notify_people() -> None:
    """Write, every minute, the mails about connectors that are due, and send what waits, for a limited time."""
    now = timezone.now()
    _each(
        {
            "write the notifications that are due": lambda: notify.write_due(now),
            "send the notifications": lambda: notify.send_due(
                now, settings.PBPORTAL_NOTIFICATIONS_PER_MINUTE, until=now + SENDING
            ),
        }
    )


def tidy() -> None:
    """Delete, every hour, what has been kept long enough."""
    now = timezone.now()
    _each(
        {
            "prune the runs": lambda: _prune_runs(now),
            "forget what was done long ago": lambda: activity.forget_old(now),
            "purge deleted accounts": lambda: roster.purge_deleted(now),
            "forget the owners of purged accounts": sync.forget_purged,
            "unlink accounts that became personal": sync.unlink_personal,
            "prune the queue's failures": lambda: Task.objects.filter(stopped__lt=now - KEEP_FAILURES).delete(),
            "forget events that ended": lambda: notify.forget(now),
            "forget workers that are gone": lambda: owners.forget(now),
        }
    )


def _prune_runs(now: datetime) -> None:
    for _ in range(100):
        if not sync.prune(now):
            return


def _each(steps: Mapping[str, Callable[[], Any]]) -> None:
    """Take every step, also where one before it failed."""
    for what, step in steps.items():
        try:
            step()
        except Exception:
            logger.exception("Upkeep could not %s.", what)
