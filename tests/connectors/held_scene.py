"""A connector with changes that wait for a person, made row by row: what a braked run leaves behind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from connectors.models import AccountLink, Connector, PersonMark, SyncChange, SyncRun
from connectors.states import (
    Attention,
    ChangeKind,
    ConnectorStatus,
    HoldCause,
    MarkKind,
    Outcome,
    RunState,
    RunTrigger,
    Situation,
    SkipReason,
)
from tenants.models import Account, Company
from tenants.states import AccountRole, AccountStatus
from tests.world import TENANT, make_account, make_company

_AFTER = {
    ChangeKind.DISABLE: "Disabled",
    ChangeKind.DELETE: "Deleted",
    ChangeKind.CONVERT: "Personal",
    ChangeKind.CREATE: "Active",
    ChangeKind.RESTORE: "Active",
}


def make_connector(company: Company | None = None, **fields: Any) -> Connector:
    """Save a connected connector."""
    values = {
        "company": company or make_company(),
        "tenant": "brightwater.example",
        "tenant_id": TENANT,
        "status": ConnectorStatus.CONNECTED,
        "sync_group_id": "00000000-0000-4000-8000-999999999999",
        "sync_group_name": "Password Boss Users",
        "completed_runs": 3,
        "last_success_at": timezone.now(),
        "attention": [Attention.HELD],
    }
    connector: Connector = Connector.objects.create(**values | fields)
    return connector


def make_run(connector: Connector, **fields: Any) -> SyncRun:
    """Save a run of a connector that took six seconds and ended now, unless the fields say otherwise."""
    now = timezone.now()
    values = {
        "connector": connector,
        "company": connector.company,
        "connector_name": connector.name,
        "trigger": RunTrigger.SCHEDULE,
        "state": RunState.SUCCEEDED,
        "started_at": now - timedelta(seconds=6),
        "finished_at": now,
        "requests": 9,
        "in_scope": 169,
    }
    run: SyncRun = SyncRun.objects.create(**values | fields)
    return run


def make_findings(connector: Connector, **fields: Any) -> SyncRun:
    """Save the run whose findings hold now."""
    connector.findings = make_run(connector, **fields)
    connector.save()
    return connector.findings


def make_line(run: SyncRun, outcome: Outcome = Outcome.APPLIED, **fields: Any) -> SyncChange:
    """Save one line of a run."""
    line: SyncChange = SyncChange.objects.create(run=run, connector=run.connector, outcome=outcome, **fields)
    return line


def person_id(number: int) -> str:
    """Return the object id of a person with a number."""
    return f"00000000-0000-4000-8000-{number:012d}"


def hold(
    connector: Connector,
    numbers: Iterable[int],
    kind: ChangeKind = ChangeKind.DISABLE,
    cause: HoldCause = HoldCause.BRAKE,
    situation: Situation = Situation.REMOVED,
) -> list[str]:
    """Let changes of people with these numbers be held, with accounts where they have one; return their object ids."""
    run = connector.findings
    assert run is not None
    creates = kind in (ChangeKind.CREATE, ChangeKind.CREATE_PENDING)
    ids = {number: person_id(number) for number in numbers}
    accounts: dict[int, Account] = {}
    if not creates:
        made = Account.objects.bulk_create(
            Account(
                company=connector.company,
                email=f"person{number}@brightwater.example",
                first_name="Person",
                last_name=f"{number}",
                status=AccountStatus.ACTIVE,
                was_active=True,
                managed_by="azure_ad",
                directory_tenant_id=TENANT,
                directory_object_id=ids[number],
            )
            for number in ids
        )
        accounts = dict(zip(ids, made, strict=True))
        AccountLink.objects.bulk_create(
            AccountLink(connector=connector, account=account, situations=situation) for account in made
        )
    SyncChange.objects.bulk_create(
        SyncChange(
            run=run,
            connector=connector,
            outcome=Outcome.HELD,
            kind=kind,
            situation=situation,
            account=accounts.get(number),
            object_id=object_id,
            name=f"Person {number}",
            email=f"person{number}@brightwater.example",
            before="" if creates else "Active",
            after=_AFTER[kind],
            because=f"{situation.label}, rule: {kind} · not a member of the sync group at two complete reads",
            cause=cause,
        )
        for number, object_id in ids.items()
    )
    PersonMark.objects.bulk_create(
        PersonMark(connector=connector, object_id=object_id, kind=MarkKind.HELD, value=kind, other=cause)
        for object_id in ids.values()
    )
    return list(ids.values())


def ask_about_address(connector: Connector, number: int) -> tuple[str, Account]:
    """Let a newcomer meet an account with their address; return the newcomer's object id and the account."""
    account = make_account(
        connector.company,
        email=f"shared{number}@brightwater.example",
        managed_by="azure_ad",
        directory_tenant_id=TENANT,
        directory_object_id=f"00000000-0000-4000-9000-{number:012d}",
    )
    AccountLink.objects.create(connector=connector, account=account, situations=Situation.REMOVED)
    assert connector.findings is not None
    make_line(
        connector.findings,
        Outcome.SKIPPED,
        situation=Situation.NEW,
        object_id=person_id(number),
        name=f"Newcomer {number}",
        email=account.email,
        because=SkipReason.ADDRESS_TAKEN.label,
        cause=SkipReason.ADDRESS_TAKEN,
        other=account,
        question=True,
    )
    return person_id(number), account


def ask_about_administrator(connector: Connector, number: int) -> tuple[str, Account]:
    """Let an administrator's account wait for its confirmation; return the person's object id and the account."""
    account = make_account(
        connector.company, role=AccountRole.ADMIN, claimed=True, email=f"boss{number}@brightwater.example"
    )
    assert connector.findings is not None
    make_line(
        connector.findings,
        Outcome.HELD,
        kind=ChangeKind.ADOPT,
        situation=Situation.NEW,
        object_id=person_id(number),
        account=account,
        name=f"Boss {number}",
        email=account.email,
        before="PB",
        after="Azure AD",
        because="NEW · an account of this company has the same email address",
        cause=HoldCause.ADMIN,
    )
    PersonMark.objects.create(
        connector=connector,
        object_id=person_id(number),
        kind=MarkKind.HELD,
        value=ChangeKind.ADOPT,
        other=HoldCause.ADMIN,
    )
    return person_id(number), account
