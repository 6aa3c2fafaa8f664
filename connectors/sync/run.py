"""One synchronisation under its lease, and the preview that only plans."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from connectors.directory import CredentialRejected, DirectoryError, Snapshot
from connectors.models import Connector, SyncRun
from connectors.plan import Roster, Rules, SyncPlan, plan_sync
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
    """Hold what a run would do, the first look at the directory, and what the plan was decided from in the end."""

    plan: SyncPlan
    snapshot: Snapshot
    seen: Snapshot
    rules: Rules
    roster: Roster


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold what a person may be about to save; None stands for what is saved."""

    sync_group_id: str | None = None
    additional: tuple[str, ...] | None = None
    rules: Rules | None = None


def preview(
    connector: Connector,
    *,
    draft: Draft | None = None,
    snapshot: Snapshot | None = None,
    clock: Callable[[], datetime] = timezone.now,
) -> Preview:
    """Plan what a run would do now, or once a draft is saved, without a lease and without writing.

    `snapshot` is a first look of just now at the same groups, with the same setting for nested ones; without it the
    directory is read. Raises DirectoryError.
    """
    draft = draft or Draft()
    loaded = load(connector.pk, clock())
    rules = draft.rules or loaded.rules
    asked = copy(connector)
    asked.direct_members_only = rules.direct_members_only
    asked.sync_group_id = draft.sync_group_id or connector.sync_group_id
    with directory_of(asked) as directory:
        first = snapshot or read(asked, directory, additional=draft.additional)
        seen = first
        plan = plan_sync(rules, seen, loaded.roster, loaded.limits)
        looked: frozenset[str] = frozenset()
        group_looked = False
        while plan.second_look - looked or (plan.second_group_look and not group_looked):
            seen = second_look(asked, directory, seen, plan)
            looked |= plan.second_look
            group_looked = group_looked or plan.second_group_look
            plan = plan_sync(rules, seen, loaded.roster, loaded.limits)
    return Preview(plan=plan, snapshot=first, seen=seen, rules=rules, roster=loaded.roster)


def run(
    connector_id: int,
    trigger: RunTrigger,
    *,
    by: User | None = None,
    by_label: str = "",
    clock: Callable[[], datetime] = timezone.now,
) -> Result:
    """Synchronise one connector under its lease; a fault is recorded, not raised, but for those of our own making."""
    lease = take(connector_id, trigger, clock, by)
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
