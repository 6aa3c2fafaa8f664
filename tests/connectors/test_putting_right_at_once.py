"""Two people who put the same run right in the same moment: it is done once, and the other is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from connectors import lifecycle
from connectors.models import Connector, SyncChange, SyncRun
from connectors.states import ChangeKind, ConnectorStatus, Outcome, RunState, RunTrigger, Situation
from tenants.models import Account, AuditEntry
from tenants.states import AccountStatus, Hand
from tests.conftest import ROOT
from tests.isolation_tenants import AT
from tests.world import TENANT, make_account, make_company

PEOPLE, LICENCES, PROCESSES = 6, 4, 3

# Each process has the page before it, presses the button when told, and says how that ended.
PROGRAM = """
import sys
import django
django.setup()
from connectors import lifecycle
from connectors.models import SyncRun

row, seen = SyncRun.objects.get(pk=int(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
try:
    lifecycle.put_right(row, seen=seen, actor="Somebody")
    print("done", flush=True)
except lifecycle.Changed:
    print("changed", flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_a_run_is_put_right_once_however_many_press(child_environment: dict[str, str]) -> None:
    company = make_company(licences=LICENCES)
    connector = Connector.objects.create(
        company=company,
        tenant=TENANT,
        tenant_id=TENANT,
        status=ConnectorStatus.CONNECTED,
        sync_group_id="the group",
        paused_at=AT,
    )
    row = SyncRun.objects.create(
        connector=connector,
        company=company,
        connector_name=connector.name,
        trigger=RunTrigger.APPROVAL,
        state=RunState.SUCCEEDED,
        started_at=AT,
        finished_at=AT,
        counts={"applied.disable": PEOPLE},
    )
    for _ in range(PEOPLE):
        account = make_account(company, AccountStatus.DISABLED, identified=True, disabled_by=Hand.CONNECTOR)
        connector.links.create(account=account, situations=Situation.REMOVED)
        SyncChange.objects.create(
            run=row,
            connector=connector,
            outcome=Outcome.APPLIED,
            kind=ChangeKind.DISABLE,
            situation=Situation.REMOVED,
            account=account,
            object_id=account.directory_object_id,
            email=account.email,
            before="Active",
        )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(row.pk), lifecycle.remedy_of(row).seen],
            cwd=ROOT,
            env=child_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]
    assert sorted(told.strip() for told, _ in answers) == ["changed", "changed", "done"], answers
    assert Account.objects.filter(status=AccountStatus.ACTIVE).count() == LICENCES
    assert SyncRun.objects.filter(trigger=RunTrigger.PUT_RIGHT).count() == 1
    assert AuditEntry.objects.filter(action="connector.put_right").count() == 1
    assert connector.marks.count() == LICENCES
