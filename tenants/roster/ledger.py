"""The ledger of one company: guarded bulk changes of accounts and groups, and the exact count of licences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from tenants.models import Account, Company, Group, GroupMembership, User
from tenants.states import AccountRole, AccountStatus, Hand, LoginKind, ManagedBy, PendingReason

T = TypeVar("T", int, str)

PRESENT = frozenset({AccountStatus.ACTIVE, AccountStatus.PENDING, AccountStatus.DISABLED})
"""Statuses of an account that is in its company: neither deleted nor gone with its owner."""


class Stale(Exception):
    """The roster is not as the caller believed: fewer rows than asked were in a state the change applies to."""


class LicencesShort(Exception):
    """More accounts would be Active than the company has licences for."""

    def __init__(self, wanted: int, free: int) -> None:
        super().__init__(f"{wanted} licences are needed and {max(free, 0)} are free.")
        self.wanted = wanted
        self.free = free


@dataclass(frozen=True, slots=True)
class NewAccount:
    """Hold what a new account begins as: Active, or Pending with a reason."""

    first_name: str
    last_name: str
    email: str
    status: AccountStatus = AccountStatus.ACTIVE
    pending_reason: PendingReason = PendingReason.NONE
    managed_by: ManagedBy = ManagedBy.PB
    tenant_id: str = ""
    object_id: str = ""
    role: AccountRole = AccountRole.USER


@dataclass(frozen=True, slots=True)
class NewGroup:
    """Hold what a new group begins as; a mirror carries the identity of its directory group."""

    name: str
    managed_by: ManagedBy = ManagedBy.PB
    tenant_id: str = ""
    object_id: str = ""


@contextmanager
def changing(company_id: int) -> Iterator[Ledger]:
    """Open the company's ledger in a transaction of its own, or in the caller's.

    The company's row stays locked until the outermost transaction ends, so that what the ledger counts stays true.
    Leaving with an exception undoes everything; leaving normally raises `roster_revision` by one where anything
    changed. Raises Company.DoesNotExist.
    """
    with transaction.atomic():
        # The key is not locked: a page that refers to the company need not wait.
        company = Company.objects.select_for_update(no_key=True).get(pk=company_id)
        ledger = Ledger(company)
        yield ledger
        if ledger.changed:
            Company.objects.filter(pk=company_id).update(roster_revision=F("roster_revision") + 1)


class Ledger:
    """Change the accounts and groups of one company; made by `changing` only.

    Each operation takes any number of rows and makes the same number of statements for each chunk of them. Each says
    in its WHERE which statuses it applies to, and raises Stale where that holds for fewer rows than were asked.
    Constraints of the database (an address or identity in use) surface as IntegrityError. Nothing here is audited:
    that is the caller's.
    """

    def __init__(self, company: Company) -> None:
        self.company = company
        self.revision = company.roster_revision
        self.changed = False

    @property
    def free_licences(self) -> int | None:
        """Return how many more accounts may become Active, counted now; negative below use, None where unlimited."""
        if self.company.licences is None:
            return None
        active = Account.objects.filter(company=self.company, status=AccountStatus.ACTIVE).count()
        return self.company.licences - active

    def set_licences(self, licences: int | None) -> None:
        """Set the number of purchased licences; None is unlimited. Below use is allowed and disables nobody."""
        self._must_match(Company.objects.filter(pk=self.company.pk).update(licences=licences), 1)
        self.company.licences = licences

    # Accounts

    def create(self, rows: Sequence[NewAccount]) -> list[Account]:
        """Create accounts, in the order given. Raises LicencesShort."""
        self._need_licences(sum(row.status is AccountStatus.ACTIVE for row in rows))
        now = timezone.now()
        accounts = [
            Account(
                company=self.company,
                first_name=row.first_name,
                last_name=row.last_name,
                email=row.email,
                role=row.role,
                status=row.status,
                pending_reason=row.pending_reason,
                managed_by=row.managed_by,
                was_active=row.status is AccountStatus.ACTIVE,
                waiting_since=now if row.status is AccountStatus.PENDING else None,
                directory_tenant_id=row.tenant_id,
                directory_object_id=row.object_id,
            )
            for row in rows
        ]
        self.changed = self.changed or bool(accounts)
        return Account.objects.bulk_create(accounts, batch_size=1_000)

    def activate(self, ids: Collection[int]) -> None:
        """Make pending accounts Active. Raises LicencesShort."""
        self._need_licences(len(set(ids)))
        self._update(
            ids,
            Q(status=AccountStatus.PENDING),
            status=AccountStatus.ACTIVE,
            was_active=True,
            pending_reason=PendingReason.NONE,
            waiting_since=None,
        )

    def enable(self, ids: Collection[int]) -> None:
        """Make disabled accounts Active. Raises LicencesShort."""
        self._need_licences(len(set(ids)))
        self._update(
            ids,
            Q(status=AccountStatus.DISABLED),
            status=AccountStatus.ACTIVE,
            was_active=True,
            disabled_by=Hand.NONE,
        )

    def restore(
        self,
        ids: Collection[int],
        status: AccountStatus,
        pending_reason: PendingReason = PendingReason.NONE,
    ) -> None:
        """Bring deleted accounts back as Active, Pending or Disabled; Disabled only those that had been.

        Raises LicencesShort, and IntegrityError where an address or identity is in use again.
        """
        guard = Q(status=AccountStatus.DELETED, restorable_until__gt=timezone.now(), purged_at=None)
        values: dict[str, Any] = {
            "status": status,
            "pending_reason": pending_reason,
            "deleted_by": Hand.NONE,
            "deleted_at": None,
            "restorable_until": None,
        }
        if status is AccountStatus.ACTIVE:
            self._need_licences(len(set(ids)))
            values |= {"was_active": True, "disabled_by": Hand.NONE}
        elif status is AccountStatus.PENDING:
            values |= {"waiting_since": timezone.now(), "disabled_by": Hand.NONE}
        else:
            guard &= ~Q(disabled_by=Hand.NONE)
        self._update(ids, guard, **values)

    def suspend(self, ids: Collection[int], reason: PendingReason) -> None:
        """Make active or disabled accounts Pending, for the reason given."""
        self._update(
            ids,
            Q(status__in=[AccountStatus.ACTIVE, AccountStatus.DISABLED]),
            status=AccountStatus.PENDING,
            pending_reason=reason,
            waiting_since=timezone.now(),
            disabled_by=Hand.NONE,
        )

    def disable(self, ids: Collection[int], by: Hand) -> None:
        """Make active or pending accounts Disabled, and remember by whose hand."""
        self._update(
            ids,
            Q(status__in=[AccountStatus.ACTIVE, AccountStatus.PENDING]),
            status=AccountStatus.DISABLED,
            disabled_by=by,
            pending_reason=PendingReason.NONE,
            waiting_since=None,
            vouched=False,
        )

    def delete(self, ids: Collection[int], by: Hand, at: datetime) -> None:
        """Make accounts Deleted, restorable for the days that the settings keep them; they leave every group."""
        self._leave_every_group(ids)
        self._update(
            ids,
            Q(status__in=PRESENT),
            status=AccountStatus.DELETED,
            deleted_by=by,
            deleted_at=at,
            restorable_until=at + timedelta(days=settings.PBPORTAL_KEEP_DELETED_DAYS),
            pending_reason=PendingReason.NONE,
            waiting_since=None,
            vouched=False,
        )

    def convert(self, ids: Collection[int]) -> None:
        """Let claimed accounts leave with their owners as Personal: identity cut, role and every group lost."""
        self._leave_every_group(ids)
        self._update(
            ids,
            Q(status__in=PRESENT, user__isnull=False),
            status=AccountStatus.PERSONAL,
            role=AccountRole.USER,
            managed_by=ManagedBy.PB,
            directory_tenant_id="",
            directory_object_id="",
            disabled_by=Hand.NONE,
            pending_reason=PendingReason.NONE,
            waiting_since=None,
            barred=False,
            vouched=False,
        )

    def withdraw(self, ids: Collection[int], at: datetime) -> None:
        """Delete pending accounts that never were Active: identity cut, not restorable."""
        self._leave_every_group(ids)
        self._update(
            ids,
            Q(status=AccountStatus.PENDING, was_active=False),
            status=AccountStatus.DELETED,
            deleted_by=Hand.CONNECTOR,
            deleted_at=at,
            restorable_until=None,
            managed_by=ManagedBy.PB,
            directory_tenant_id="",
            directory_object_id="",
            pending_reason=PendingReason.NONE,
            waiting_since=None,
            barred=False,
            vouched=False,
        )

    def purge(self, ids: Collection[int], at: datetime) -> None:
        """Empty the rows of deleted accounts before their time is over; nothing brings them back."""
        wanted = set(ids)
        deleted = Q(status=AccountStatus.DELETED, purged_at=None)
        emptied = sum(_empty(self._accounts(chunk).filter(deleted), at) for chunk in chunks(wanted))
        self._must_match(emptied, len(wanted))

    def rename(self, names: Mapping[int, tuple[str, str]]) -> None:
        """Set first and last names, by account id."""
        self._set_each(
            [Account(pk=pk, first_name=first, last_name=last) for pk, (first, last) in names.items()],
            ["first_name", "last_name"],
        )

    def identify(self, identities: Mapping[int, tuple[str, str]]) -> None:
        """Set Microsoft identities, tenant id and object id in lower case, by account id.

        Raises IntegrityError where another living account of the company carries the identity.
        """
        self._set_each(
            [
                Account(pk=pk, directory_tenant_id=tenant_id, directory_object_id=object_id)
                for pk, (tenant_id, object_id) in identities.items()
            ],
            ["directory_tenant_id", "directory_object_id"],
        )

    def manage(self, ids: Collection[int], managed_by: ManagedBy) -> None:
        """Say who manages accounts; deleted ones too, never personal ones."""
        self._update(ids, ~Q(status=AccountStatus.PERSONAL), managed_by=managed_by)

    def set_role(self, ids: Collection[int], role: AccountRole) -> None:
        """Give accounts a role in the company."""
        self._update(ids, Q(status__in=PRESENT), role=role)

    def claim(self, account_id: int, login: User) -> None:
        """Tie an account to the login of its owner, who has proven the address or the identity."""
        self._update([account_id], Q(user=None, status__in=PRESENT), user=login)

    def bar(self, ids: Collection[int]) -> None:
        """Keep every sync from touching or creating an account for the owners; only those with an identity."""
        self._update(ids, ~Q(directory_object_id=""), barred=True)

    def unbar(self, ids: Collection[int]) -> None:
        """Let syncs touch the owners' accounts again; a purged account then loses its identity too."""
        self._update(ids, Q(), barred=False)
        for chunk in chunks(ids):
            self._accounts(chunk).filter(purged_at__isnull=False).update(directory_tenant_id="", directory_object_id="")

    def vouch(self, ids: Collection[int]) -> None:
        """Tell the next sync that a person wants the accounts as they are."""
        self._update(ids, Q(status__in=PRESENT), vouched=True)

    def clear_vouched(self, ids: Collection[int]) -> None:
        """Forget that a person vouched: a sync has seen it."""
        self._update(ids, Q(), vouched=False)

    # Groups

    def create_groups(self, rows: Sequence[NewGroup]) -> list[Group]:
        """Create groups, in the order given. Raises IntegrityError where a directory group has one already."""
        groups = [
            Group(
                company=self.company,
                name=row.name,
                managed_by=row.managed_by,
                directory_tenant_id=row.tenant_id,
                directory_object_id=row.object_id,
            )
            for row in rows
        ]
        self.changed = self.changed or bool(groups)
        return Group.objects.bulk_create(groups, batch_size=1_000)

    def rename_groups(self, names: Mapping[int, str]) -> None:
        """Set group names, by group id."""
        groups = [Group(pk=pk, name=name) for pk, name in names.items()]
        mine = Group.objects.filter(company=self.company)
        self._must_match(mine.bulk_update(groups, ["name"], batch_size=500), len(groups))

    def take_up_groups(self, ids: Collection[int]) -> None:
        """Make groups that carry a directory id mirrors of it."""
        self._update_groups(ids, Q(managed_by=ManagedBy.PB), managed_by=ManagedBy.AZURE_AD)

    def hand_back_groups(self, ids: Collection[int]) -> None:
        """Make mirrors ordinary groups; they keep the directory id by which they may be taken up again."""
        self._update_groups(ids, Q(managed_by=ManagedBy.AZURE_AD), managed_by=ManagedBy.PB)

    def join(self, pairs: Collection[tuple[int, int]]) -> None:
        """Put accounts into groups, as (group id, account id). Raises IntegrityError for one who is in already."""
        unique = sorted(set(pairs))
        self._must_be(Group.objects.all(), {group_id for group_id, _ in unique})
        self._must_be(Account.objects.filter(status__in=PRESENT), {account_id for _, account_id in unique})
        GroupMembership.objects.bulk_create(
            [GroupMembership(group_id=group_id, account_id=account_id) for group_id, account_id in unique],
            batch_size=1_000,
        )
        self.changed = self.changed or bool(unique)

    def leave(self, pairs: Collection[tuple[int, int]]) -> None:
        """Take accounts out of groups, as (group id, account id)."""
        wanted = set(pairs)
        found: list[int] = []
        for chunk in chunks({account_id for _, account_id in wanted}):
            members = GroupMembership.objects.filter(group__company=self.company, account__in=chunk)
            rows = members.values_list("pk", "group_id", "account_id")
            found += [pk for pk, group_id, account_id in rows if (group_id, account_id) in wanted]
        gone = 0
        for chunk in chunks(found):
            gone += GroupMembership.objects.filter(pk__in=chunk).delete()[0]
        self._must_match(gone, len(wanted))

    # What all of them stand on

    def _accounts(self, ids: Sequence[int]) -> QuerySet[Account]:
        return Account.objects.filter(company=self.company, pk__in=ids)

    def _update(self, ids: Collection[int], guard: Q, **values: Any) -> None:
        wanted = set(ids)
        matched = sum(self._accounts(chunk).filter(guard).update(**values) for chunk in chunks(wanted))
        self._must_match(matched, len(wanted))

    def _update_groups(self, ids: Collection[int], guard: Q, **values: Any) -> None:
        wanted = set(ids)
        groups = Group.objects.filter(guard, ~Q(directory_object_id=""), company=self.company)
        matched = sum(groups.filter(pk__in=chunk).update(**values) for chunk in chunks(wanted))
        self._must_match(matched, len(wanted))

    def _set_each(self, accounts: list[Account], fields: list[str]) -> None:
        mine = Account.objects.filter(company=self.company, status__in=PRESENT)
        # One WHEN per row: without a limit the statement's cost grows with the square of its rows.
        self._must_match(mine.bulk_update(accounts, fields, batch_size=500), len(accounts))

    def _leave_every_group(self, ids: Collection[int]) -> None:
        for chunk in chunks(set(ids)):
            GroupMembership.objects.filter(account__in=chunk).delete()

    def _need_licences(self, wanted: int) -> None:
        if not wanted:
            return
        free = self.free_licences
        if free is not None and wanted > free:
            raise LicencesShort(wanted, free)

    def _must_be(self, rows: QuerySet[Any], ids: set[int]) -> None:
        mine = rows.filter(company=self.company)
        found = sum(mine.filter(pk__in=chunk).count() for chunk in chunks(ids))
        self._must_match(found, len(ids), changed=False)

    def _must_match(self, matched: int, wanted: int, *, changed: bool = True) -> None:
        if matched != wanted:
            raise Stale(f"{wanted} rows were to be changed and {matched} are in a state that allows it.")
        self.changed = self.changed or (changed and bool(wanted))


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Cut values, sorted, into lists that fit into one statement of this database beside a few more parameters."""
    size = (connection.features.max_query_params or 10_050) - 50
    ordered = sorted(values)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def purge_deleted(now: datetime) -> int:
    """Empty the rows of deleted accounts that can no longer be restored; return how many.

    The identity stays only where it keeps a sync from creating the account again. A login that opened the account opens
    nothing any more, and goes with it.
    """
    with transaction.atomic():
        due = Account.objects.filter(
            Q(restorable_until=None) | Q(restorable_until__lte=now),
            status=AccountStatus.DELETED,
            purged_at=None,
        )
        return _empty(due, now)


def _empty(due: QuerySet[Account], now: datetime) -> int:
    logins = list(due.exclude(user=None).values_list("user_id", flat=True))
    due.filter(barred=False).update(directory_tenant_id="", directory_object_id="")
    emptied = due.update(first_name="", last_name="", email="", user=None, restorable_until=None, purged_at=now)
    for chunk in chunks(logins):
        # Without an account: somebody may have restored one in this very moment.
        User.objects.filter(pk__in=chunk, kind=LoginKind.COMPANY, account=None).delete()
    return emptied
