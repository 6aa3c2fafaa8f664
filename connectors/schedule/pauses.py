"""The end of a pause: by a person at any time, or by itself at the moment that was set when it began."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from django.db import transaction

from connectors.models import Connector
from connectors.schedule.asking import request
from connectors.schedule.rows import due, ensure
from connectors.states import RunTrigger
from tenants.audit import Action, record

logger = logging.getLogger(__name__)

PAUSE_ENDED = Action(
    "connector.pause_ended",
    "The pause of {subject} was over at {until}, as {by} had set it; {actor} synchronises it again.",
    ("until", "by"),
)
_BY_ITSELF = "The schedule"
_AT_MOST = 500


def unpause(row: Connector, trigger: RunTrigger, by_id: int | None = None) -> None:
    """Let a locked connector's schedule begin again, and ask for a run at once where it may run at all."""
    row.paused_at, row.paused_until, row.paused_by, row.pause_reason = None, None, "", ""
    row.save(update_fields=["paused_at", "paused_until", "paused_by", "pause_reason"])
    ensure(row)
    if due(row):
        request(row.pk, trigger, by_id)


def end_pauses(now: datetime) -> int:
    """Resume every connector whose pause had an end that has come, each on its own; return how many."""
    over = Connector.objects.filter(paused_until__lte=now).order_by("paused_until", "pk")
    ended = 0
    for pk in list(over.values_list("pk", flat=True)[:_AT_MOST]):
        try:
            ended += _end(pk, now)
        except Exception:
            logger.exception("The pause of connector %s could not be ended.", pk)
    return ended


def _end(pk: int, now: datetime) -> int:
    with transaction.atomic():
        locked = Connector.objects.select_related("company").select_for_update(no_key=True, of=("self",))
        row: Connector | None = locked.filter(pk=pk, paused_until__lte=now).first()
        if row is None or row.paused_until is None:
            # A person resumed it, or set another end, since it was found.
            return 0
        detail = {"until": f"{row.paused_until.astimezone(UTC):%H:%M UTC on %d %b %Y}", "by": row.paused_by}
        unpause(row, RunTrigger.SCHEDULE)
        record(PAUSE_ENDED, company=row.company, actor=_BY_ITSELF, subject=row.name, detail=detail)
    return 1
