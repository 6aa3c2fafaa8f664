"""One synchronisation under its lease, and the preview that only plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from connectors.directory import CredentialRejected, DirectoryError, Snapshot
from connectors.models import Connector, SyncRun
from connectors.plan import SyncPlan, plan_sync
from connectors.states import Attention, RunTrigger
from connectors.sync.going import Going
from connectors.sync.lease import LeaseLost, take
from connectors.sync.load import load
from connectors.sync.reading import directory_of, read, second_look
from pbportal.sealed import Unreadable
from tenants.models import User


@dataclass(frozen=True, slots=True)
class Result:
    """Say how a run went: its record, or in `refused` why it did not begin; `again` asks for one more run."""

    run: SyncRun | None = None
    refused: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """Hold what a run would do now, and the directory it was decided from."""

    plan: SyncPlan
    snapshot: Snapshot


def preview(connector: Connector, *, clock: Callable[[], datetime] = timezone.now) -> Preview:
    """Plan what a run would do now, without a lease and without writing; raises DirectoryError."""
    with directory_of(connector) as directory:
        snapshot = read(connector, directory)
        loaded = load(connector.pk, clock())
        plan = plan_sync(loaded.rules, snapshot, loaded.roster, loaded.limits)
        looked: frozenset[str] = frozenset()
        group_looked = False
        while plan.second_look - looked or (plan.second_group_look and not group_looked):
            snapshot = second_look(connector, directory, snapshot, plan)
            looked |= plan.second_look
            group_looked = group_looked or plan.second_group_look
            plan = plan_sync(loaded.rules, snapshot, loaded.roster, loaded.limits)
    return Preview(plan=plan, snapshot=snapshot)


def run(
    connector_id: int,
    trigger: RunTrigger,
    *,
    by: User | None = None,
    by_label: str = "",
    clock: Callable[[], datetime] = timezone.now,
) -> Result:
    """Synchronise one connector under its lease; a fault is recorded, not raised, but for those of our own making."""
    lease = take(connector_id, trigger, clock)
    if isinstance(lease, str):
        return Result(refused=lease)
    going = Going(lease=lease, trigger=trigger, by=by, by_label=by_label or (str(by) if by else ""), clock=clock)
    try:
        going.go()
    except LeaseLost:
        going.lost()
    except DirectoryError as error:
        going.failed(error)
    except Unreadable as error:
        going.failed(CredentialRejected(str(error)), attention=Attention.CREDENTIALS_UNREADABLE)
    except BaseException:
        # Also the queue's time limit, which is a SystemExit: the lease must not wait for its end.
        going.broken()
        raise
    finally:
        going.close()
    again = Connector.objects.filter(pk=connector_id, lease_token="").exclude(run_again="").exists()
    return Result(run=going.row, again=again)
