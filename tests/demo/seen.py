"""How a company really ended, read from the database into the oracle's values."""

from __future__ import annotations

from collections import defaultdict

from django.utils import timezone

from connectors.models import AccountLink, Connector, GroupLink, PersonMark, SyncChange
from connectors.states import ChangeKind, LeftOutReason, MarkKind, Outcome, Situation, SkipReason
from tenants.models import Account as AccountRow
from tenants.models import Company as CompanyRow
from tenants.models import Group as GroupRow
from tenants.models import GroupMembership
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason
from tests.oracle import Account, Company, Decision, End, Group


def company_seen(row: CompanyRow, names: dict[int, str]) -> Company:
    """Read a company; `names` are the oracle's names of its connectors, by id. Moments are in seconds since 1970."""
    row.refresh_from_db()
    return Company(licences=row.licences, accounts=_accounts(row, names), groups=_groups(row, names))


def end_seen(connector: Connector, name: str) -> End:
    """Read how the connector's last completed run left the company and what it says of its people."""
    findings = defaultdict(list)
    for line in SyncChange.objects.filter(run=Connector.objects.values("findings").get(pk=connector.pk)["findings"]):
        findings[line.outcome].append(line)
    return End(
        company=company_seen(connector.company, {connector.pk: name}),
        memory={
            Decision(object_id, MarkKind(kind), value, other)
            for object_id, kind, value, other in PersonMark.objects.filter(connector=connector).values_list(
                "object_id", "kind", "value", "other"
            )
        },
        held={line.object_id: ChangeKind(line.kind) for line in findings[Outcome.HELD]},
        skipped={(line.object_id, SkipReason(line.cause)) for line in findings[Outcome.SKIPPED]},
        left_out={line.object_id: LeftOutReason(line.cause) for line in findings[Outcome.LEFT_OUT]},
    )


def contradictions(connector: Connector) -> list[str]:
    """Return sentences where the database contradicts itself, which no comparison of ends would show."""
    held = set(PersonMark.objects.filter(connector=connector, kind=MarkKind.HELD).values_list("object_id", "value"))
    shown = {(object_id, str(kind)) for object_id, kind in end_seen(connector, "").held.items()}
    wrong = [f"held are {sorted(held)}, and the findings show {sorted(shown)}"] if held != shown else []
    links = AccountLink.objects.filter(connector=connector)
    strangers = links.exclude(account__directory_tenant_id=connector.tenant_id)
    wrong += [f"{link.account.email}: linked, without an identity of the tenant" for link in strangers]
    unmanaged = links.exclude(account__managed_by=ManagedBy.AZURE_AD)
    wrong += [f"{link.account.email}: linked, and managed by PB" for link in unmanaged]
    failed = SyncChange.objects.filter(connector=connector, outcome=Outcome.FAILED)
    return wrong + [f"{line.name or line.group_name}: {line.kind} failed: {line.because}" for line in failed]


def _accounts(row: CompanyRow, names: dict[int, str]) -> list[Account]:
    now = timezone.now()
    accounts = AccountRow.objects.filter(company=row, purged_at=None).select_related("link").order_by("pk")
    return [_account(one, getattr(one, "link", None), names, one.is_restorable(now)) for one in accounts]


def _account(one: AccountRow, link: AccountLink | None, names: dict[int, str], restorable: bool) -> Account:
    return Account(
        id=one.pk,
        email=one.email,
        first_name=one.first_name,
        last_name=one.last_name,
        status=AccountStatus(one.status),
        role=AccountRole(one.role),
        pending_reason=PendingReason(one.pending_reason),
        managed_by=ManagedBy(one.managed_by),
        was_active=one.was_active,
        disabled_by=Hand(one.disabled_by),
        deleted_by=Hand(one.deleted_by),
        deleted_at=one.deleted_at.timestamp() if one.deleted_at else 0,
        restorable=restorable,
        claimed=one.claimed,
        barred=one.barred,
        vouched=one.vouched,
        waiting_since=one.waiting_since.timestamp() if one.waiting_since else 0,
        tenant_id=one.directory_tenant_id,
        object_id=one.directory_object_id,
        link=names[link.connector_id] if link else "",
        directory_email=link.directory_email if link else "",
        situations=frozenset(Situation(word) for word in link.situations.split(",") if word) if link else frozenset(),
    )


def _groups(row: CompanyRow, names: dict[int, str]) -> list[Group]:
    members = defaultdict(set)
    for group_id, account_id in GroupMembership.objects.filter(group__company=row).values_list("group", "account"):
        members[group_id].add(account_id)
    links = dict(GroupLink.objects.filter(group__company=row).values_list("group_id", "connector_id"))
    return [
        Group(
            id=one.pk,
            name=one.name,
            managed_by=ManagedBy(one.managed_by),
            tenant_id=one.directory_tenant_id,
            directory_id=one.directory_object_id,
            link=names[links[one.pk]] if one.pk in links else "",
            members=members[one.pk],
        )
        for one in GroupRow.objects.filter(company=row).order_by("pk")
    ]
