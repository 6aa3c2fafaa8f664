"""Steps about the life of a connector and of its worker: removed, installed again, killed, and left to the schedule."""

from __future__ import annotations

import os
import signal

from django.utils import timezone
from django_q.models import Schedule

from connectors import decisions, lifecycle
from connectors.models import AccountLink, Connector, SyncChange, SyncRun
from connectors.states import ConnectorStatus, Outcome, RunState, RunTrigger
from tenants.models import Account
from tests.demo.microsoft import NORTHMOOR, NORTHMOOR_PEOPLE
from tests.demo.processes import below, until_gone
from tests.demo.scene import ENTRA, Scene, TookTooLong
from tests.demo.seed import RULES, SETTINGS, SILENT, connect
from tests.entra_emulator import people
from tests.oracle import End
from tests.oracle.facts import recommended_rules

SLOW_SECONDS = 2.0


def _removed_in_the_middle(s: Scene) -> None:
    s.hire("Rosa Keller", s.notes["sync"])
    before = s.connector
    s.microsoft.faults.add(path=f"/groups/{s.notes['sync']}/", latency=SLOW_SECONDS)
    s.postpone_the_schedule()
    s.request()
    running = SyncRun.objects.filter(connector=before, state=RunState.RUNNING)
    s.wait(running.exists, "no run began")
    lifecycle.remove(before, actor=s.actor)
    s.world.person_does("remove", ENTRA)
    runs = s.runs_since()
    s.microsoft.faults.clear()
    s.outcome.must([one.state for one in runs] == [RunState.ABANDONED], "the run in flight was not abandoned")
    end = End(s.world.company)
    s.note(end, End(s.seen().company), ConnectorStatus.REMOVED, ["rosa.keller", "priya.raghunathan"])
    gone = Connector.objects.get(pk=before.pk)
    s.outcome.must(gone.secret is None and gone.token_hash == "", "the removed connector still has a secret")
    s.outcome.must(not Schedule.objects.filter(name=f"sync:{gone.pk}").exists(), "the schedule was not destroyed")


def _installed_again(s: Scene) -> None:
    additional = [s.notes[name] for name in ("Finance", "Sales")]
    connect(
        s.company,
        s.domain,
        sync_group=s.notes["sync"],
        additional=additional,
        actions=RULES,
        settings=SETTINGS,
        secret=s.notes["secret"],
    )
    s.world.person_does(
        "install",
        ENTRA,
        tenant_id=s.tenant.id,
        sync_group=s.notes["sync"],
        additional=tuple(additional),
        rules=recommended_rules() | RULES,
        leave_out_guests=True,
    )
    s.run({"rosa.keller": "Active", "priya.raghunathan": "Active"}, held=2, request=False)
    for local in ("daniel.harcourt", "ingrid.halvorsen"):
        account = s.account(local)
        decisions.confirm_administrator(s.connector, account.directory_object_id, account.pk, actor=s.actor)
        s.world.person_does("confirm administrator", account.directory_object_id, address=account.email)
    s.run({"daniel.harcourt": "Active"}, held=0)


def _killed(s: Scene) -> None:
    large = s.beside("Northmoor Foods", NORTHMOOR)
    connector = connect(large.company, NORTHMOOR, settings=SILENT)
    sync_group = large.tenant.group(people.SYNC_GROUP).id
    large.world.person_does("install", ENTRA, tenant_id=large.tenant.id, sync_group=sync_group)
    _kill_in_mid_apply(large)
    done = SyncChange.objects.filter(connector=connector, outcome=Outcome.APPLIED).count()
    accounts = Account.objects.filter(company=large.company).count()
    links = AccountLink.objects.filter(connector=connector).count()
    s.outcome.must(
        (accounts, links) == (done, done), f"{done} changes are recorded, {accounts} accounts and {links} links there"
    )
    s.outcome.must(0 < done < NORTHMOOR_PEOPLE, f"{done} of {NORTHMOOR_PEOPLE} changes were made")
    # The dead run's lease ends by itself.
    large.let_pass(minutes=2)
    runs = large.synchronise()
    states = sorted({one.state for one in runs})
    s.outcome.must(states == [RunState.ABANDONED, RunState.SUCCEEDED], f"the runs are {states}")
    large.expect(
        large.world.run(large.directory(), large.now, ENTRA),
        {"person1": "Active", f"person{NORTHMOOR_PEOPLE}": "Active"},
    )


def _kill_in_mid_apply(s: Scene) -> None:
    [cluster] = below(s.portal.worker.process.pid)
    applying = SyncRun.objects.filter(company=s.company, state=RunState.RUNNING, phase="applying", done__gt=0)
    s.wait(applying.exists, "no run applies changes", pause=0.002)
    # Stopped first, so that the run can be seen to stand in the middle of its work before it is killed.
    os.killpg(cluster, signal.SIGSTOP)
    caught = applying.exists()
    os.killpg(cluster, signal.SIGKILL)
    if not until_gone(cluster, 10):
        raise TookTooLong("The killed worker is still there.")
    s.outcome.must(caught, "the run had ended before it could be killed")


def _schedule_alone(s: Scene) -> None:
    s.hire("Selma Voss", s.notes["sync"])
    began = timezone.now()
    Schedule.objects.filter(name=f"sync:{s.connector.pk}").update(next_run=began)
    scheduled = SyncRun.objects.filter(
        connector=s.connector, trigger=RunTrigger.SCHEDULE, state=RunState.SUCCEEDED, started_at__gte=began
    )
    s.wait(scheduled.exists, "the schedule has started no run")
    s.run({"selma.voss": "Active"}, request=False)


STEPS = (
    ("connector removed in the middle of a run", _removed_in_the_middle),
    ("installed again: accounts are recognised by their identity", _installed_again),
    ("worker killed with SIGKILL in mid-apply: the next run completes it", _killed),
    ("one run started by the schedule alone", _schedule_alone),
)
