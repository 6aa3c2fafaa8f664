"""What is kept no longer: old runs, and links of accounts that belong to their owners now."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from connectors.models import AccountLink, Connector, PersonMark, SyncRun
from connectors.states import MarkKind, RunState
from tenants.models import Account
from tenants.states import AccountStatus

MOST_AT_ONCE = 500


def prune(now: datetime) -> int:
    """Delete runs older than the settings keep them, some at a time; return how many.

    A run stays while a connector's page still shows its findings, or while it is a connector's last record.
    """
    cutoff = now - timedelta(days=settings.PBPORTAL_KEEP_RUNS_DAYS)
    shown = Connector.objects.exclude(findings=None).values("findings")
    last = Connector.objects.exclude(last_record=None).values("last_record")
    old = (
        SyncRun.objects.filter(finished_at__lt=cutoff)
        .exclude(state=RunState.RUNNING)
        .exclude(pk__in=shown)
        .exclude(pk__in=last)
    )
    ids = list(old.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])
    SyncRun.objects.filter(pk__in=ids).delete()
    return len(ids)


def unlink_personal() -> int:
    """Delete the links of accounts that a person converted to personal; return how many."""
    return AccountLink.objects.filter(account__status=AccountStatus.PERSONAL).delete()[0]


def forget_purged() -> int:
    """Delete what is still remembered of purged accounts' owners; return how many rows.

    A link knows an address, and a *keep* whom it kept. What is remembered of people without an account stays: it
    decides whether they get one.
    """
    links, _ = AccountLink.objects.exclude(account__purged_at=None).delete()
    owned = Account.objects.filter(company=OuterRef("connector__company"), directory_object_id=OuterRef("object_id"))
    marks, _ = PersonMark.objects.filter(~Exists(owned), kind=MarkKind.KEPT).delete()
    return links + marks
