"""One measurement in a process of its own, so that its time and memory are nobody else's; prints one JSON object."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402 (models exist once Django is set up)
from django.utils import timezone  # noqa: E402

from connectors.directory import Snapshot  # noqa: E402
from connectors.models import AccountLink, Connector, SyncChange, SyncRun  # noqa: E402
from connectors.plan import Limits, Roster, Rules, plan_sync  # noqa: E402
from connectors.states import ConnectorStatus, Outcome, RunState, RunTrigger  # noqa: E402
from connectors.sync import directory_of, run  # noqa: E402
from connectors.sync.load import load  # noqa: E402
from connectors.sync.reading import read  # noqa: E402
from tenants.models import Account, Company, Partner  # noqa: E402
from tenants.states import AccountStatus, ManagedBy  # noqa: E402
from tests.entra_emulator.forward import session  # noqa: E402

ROUNDS = 3
MEMBERS = (
    "https://graph.microsoft.com/v1.0/groups/{group}/members?$top=999"
    "&$select=id,accountEnabled,userType,displayName,givenName,surname,mail,userPrincipalName"
)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how many seconds something takes, and what it returns."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def make_connector(tenant: dict[str, str]) -> Connector:
    """Save a company with a connector that has not run yet."""
    partner = Partner.objects.create(name="Harbour Ridge IT", slug="harbour-ridge")
    company = Company.objects.create(partner=partner, name="Large", slug="large")
    return Connector.objects.create(
        company=company,
        tenant=tenant["id"],
        tenant_id=tenant["id"],
        client_id=tenant["client_id"],
        secret=tenant["secret"],
        status=ConnectorStatus.WAITING,
        sync_group_id=tenant["group"],
        sync_group_name="Everybody",
    )


def measure_read(tenant: dict[str, str]) -> dict[str, float]:
    """Read everybody as a run does, and with nothing but requests and json, in turn; the best of each counts."""
    connector = make_connector(tenant)
    ours, plain = [], []
    for _ in range(ROUNDS):
        with directory_of(connector) as directory:
            directory.verify()
            seconds, snapshot = timed(lambda: read(connector, directory))
        ours.append(seconds)
        seconds, people = timed(lambda: _plain_read(tenant))
        plain.append(seconds)
        if len(snapshot.people) != people:
            raise SystemExit(f"The two readings differ: {len(snapshot.people)} and {people} people.")
    return {"seconds": min(ours), "plain": min(plain)}


def _plain_read(tenant: dict[str, str]) -> int:
    client = session()
    form = {
        "client_id": tenant["client_id"],
        "client_secret": tenant["secret"],
        "scope": "https://graph.microsoft.com/.default",
        "grant_type": "client_credentials",
    }
    login = f"https://login.microsoftonline.com/{tenant['id']}/oauth2/v2.0/token"
    token = client.post(login, data=form, timeout=60).json()["access_token"]
    url, people = MEMBERS.format(group=tenant["group"]), []
    while url:
        page = client.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60).json()
        people += page["value"]
        url = page.get("@odata.nextLink", "")
    return len(people)


def measure_plan(tenant: dict[str, str]) -> dict[str, float]:
    """Plan a first import."""
    connector = make_connector(tenant)
    with directory_of(connector) as directory:
        snapshot: Snapshot = read(connector, directory)
    rules, roster, limits = Rules(), Roster(), Limits(first_run=True)
    return {"seconds": min(timed(lambda: plan_sync(rules, snapshot, roster, limits))[0] for _ in range(ROUNDS))}


def measure_import(tenant: dict[str, str]) -> dict[str, float]:
    """Run a first import, then the runs after it; then write the same rows with bulk_create alone."""
    connector = make_connector(tenant)
    total, _ = timed(lambda: run(connector.pk, RunTrigger.SCHEDULE))
    record = SyncRun.objects.get()
    if record.state != RunState.SUCCEEDED:
        raise SystemExit(f"The import did not succeed: {record.sentence}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    full, _ = timed(lambda: run(connector.pk, RunTrigger.SCHEDULE))
    quiet, _ = timed(lambda: run(connector.pk, RunTrigger.SCHEDULE))
    steady_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    loaded_seconds, _ = timed(lambda: load(connector.pk, timezone.now()))
    return {
        "seconds": total - record.read_seconds,
        "people": Account.objects.count(),
        "peak_mb": peak,
        "steady_peak_mb": steady_peak,
        "full_run": full,
        "quiet_run": quiet,
        "load": loaded_seconds,
    }


def measure_bulk(tenant: dict[str, str]) -> dict[str, float]:
    """Write the rows of a first import (account, link, line) with bulk_create and nothing else."""
    connector = make_connector(tenant)
    record = SyncRun.objects.create(
        connector=connector,
        company=connector.company,
        connector_name=connector.name,
        trigger=RunTrigger.SCHEDULE,
        state=RunState.RUNNING,
        started_at=timezone.now(),
    )
    return {"seconds": timed(lambda: _bulk(connector, record, int(tenant["people"])))[0]}


def _bulk(connector: Connector, record: SyncRun, people: int) -> None:
    numbers = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(people)]
    for start in range(0, people, 1_000):
        with transaction.atomic():
            accounts = Account.objects.bulk_create(
                Account(
                    company=connector.company,
                    first_name=f"Given{number[:8]}",
                    last_name=f"Family{number[:8]}",
                    email=f"person{number[:8]}@large.example",
                    status=AccountStatus.ACTIVE,
                    managed_by=ManagedBy.AZURE_AD,
                    was_active=True,
                    directory_tenant_id=connector.tenant_id,
                    directory_object_id=number,
                )
                for number in numbers[start : start + 1_000]
            )
            AccountLink.objects.bulk_create(
                AccountLink(connector=connector, account=account, directory_email=account.email) for account in accounts
            )
            SyncChange.objects.bulk_create(
                SyncChange(
                    run=record,
                    connector=connector,
                    outcome=Outcome.APPLIED,
                    kind="create",
                    situation="new",
                    account=account,
                    object_id=account.directory_object_id,
                    name=account.full_name,
                    email=account.email,
                    after="Active",
                    because="NEW, rule: create an account · a member of the sync group",
                )
                for account in accounts
            )


MEASUREMENTS = {
    "read": measure_read,
    "plan": measure_plan,
    "import": measure_import,
    "bulk": measure_bulk,
}

if __name__ == "__main__":
    print(json.dumps(MEASUREMENTS[sys.argv[1]](json.loads(sys.argv[2]))))
