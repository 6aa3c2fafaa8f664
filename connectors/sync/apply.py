"""Carrying out planned changes: one bulk operation per kind, and the links that go with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from connectors.models import AccountLink, GroupLink
from connectors.plan import Change, LinkNote
from connectors.states import ChangeKind
from tenants import invitations
from tenants.models import Account
from tenants.roster import Ledger, NewAccount, NewGroup
from tenants.states import AccountStatus, Hand, ManagedBy, PendingReason

CHUNK = 1_000
"""At most this many changes share a transaction."""


@dataclass(slots=True)
class Applier:
    """Carry out changes on an open ledger; remembers the ids of what this run created, by directory id."""

    connector_id: int
    tenant_id: str
    invites: bool = False
    accounts: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)

    def apply(self, ledger: Ledger, changes: Sequence[Change], now: datetime) -> None:
        """Carry out changes in their order, those of one kind together."""
        for kind, same in groupby(changes, key=lambda change: change.kind):
            _OPERATIONS[kind](self, ledger, list(same), now)

    def account_of(self, change: Change) -> int | None:
        """Return the account a change is about, also where this run created it."""
        return change.account_id if change.account_id is not None else self.accounts.get(change.object_id)

    def forget(self, changes: Iterable[Change]) -> None:
        """Forget what changes created whose transaction was rolled back."""
        for change in changes:
            if change.kind in (ChangeKind.CREATE, ChangeKind.CREATE_PENDING):
                self.accounts.pop(change.object_id, None)
            elif change.kind is ChangeKind.GROUP_CREATE:
                self.groups.pop(change.directory_group_id, None)

    def _ids(self, changes: Iterable[Change]) -> list[int]:
        return [change.account_id for change in changes if change.account_id is not None]

    def _link(self, changes: Iterable[Change]) -> None:
        links = [
            AccountLink(connector_id=self.connector_id, account_id=account_id, directory_email=change.email)
            for change in changes
            if (account_id := self.account_of(change)) is not None
        ]
        AccountLink.objects.bulk_create(
            links,
            batch_size=CHUNK,
            update_conflicts=True,
            unique_fields=["account"],
            update_fields=["connector", "directory_email", "situations"],
        )

    def create(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        rows = [
            NewAccount(
                first_name=change.first_name,
                last_name=change.last_name,
                email=change.email,
                status=change.status or AccountStatus.ACTIVE,
                pending_reason=change.pending_reason,
                managed_by=ManagedBy.AZURE_AD,
                tenant_id=self.tenant_id,
                object_id=change.object_id,
            )
            for change in changes
        ]
        for change, account in zip(changes, ledger.create(rows), strict=True):
            self.accounts[change.object_id] = account.pk
        AccountLink.objects.bulk_create(
            [
                AccountLink(
                    connector_id=self.connector_id,
                    account_id=self.accounts[change.object_id],
                    directory_email=change.email,
                )
                for change in changes
            ],
            batch_size=CHUNK,
        )
        if self.invites:
            # Sent later, at a measured pace; an adopted account never gets here.
            invitations.queue(self.accounts[change.object_id] for change in changes)

    def identify(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ids = self._ids(changes)
        present = set(
            Account.objects.filter(company=ledger.company, pk__in=ids)
            .exclude(status=AccountStatus.DELETED)
            .values_list("pk", flat=True)
        )
        ledger.identify(
            {
                change.account_id: (self.tenant_id, change.object_id)
                for change in changes
                if change.account_id in present
            }
        )
        ledger.manage(ids, ManagedBy.AZURE_AD)
        self._link(changes)

    def activate(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.activate(self._ids(changes))

    def enable(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.enable(self._ids(changes))

    def restore(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ends: dict[tuple[AccountStatus, PendingReason], list[int]] = defaultdict(list)
        for change in changes:
            if change.account_id is not None:
                ends[change.status or AccountStatus.ACTIVE, change.pending_reason].append(change.account_id)
        for (status, reason), ids in ends.items():
            ledger.restore(ids, status, reason)
        ledger.manage(self._ids(changes), ManagedBy.AZURE_AD)

    def suspend(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ends: dict[PendingReason, list[int]] = defaultdict(list)
        for change in changes:
            if change.account_id is not None:
                ends[change.pending_reason].append(change.account_id)
        for reason, ids in ends.items():
            ledger.suspend(ids, reason)

    def disable(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.disable(self._ids(changes), Hand.CONNECTOR)

    def delete(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.delete(self._ids(changes), Hand.CONNECTOR, now)

    def convert(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.convert(self._ids(changes))
        self._unlink(changes)

    def withdraw(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.withdraw(self._ids(changes), now)
        self._unlink(changes)

    def _unlink(self, changes: list[Change]) -> None:
        AccountLink.objects.filter(connector_id=self.connector_id, account__in=self._ids(changes)).delete()

    def rename(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.rename(
            {change.account_id: (change.first_name, change.last_name) for change in changes if change.account_id}
        )

    def email(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        # The account's address never changes: only the link remembers what the directory says now.
        AccountLink.objects.bulk_create(
            [
                AccountLink(connector_id=self.connector_id, account_id=change.account_id, directory_email=change.after)
                for change in changes
                if change.account_id is not None
            ],
            batch_size=CHUNK,
            update_conflicts=True,
            unique_fields=["account"],
            update_fields=["directory_email"],
        )

    def create_groups(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        rows = [
            NewGroup(
                name=change.after,
                managed_by=ManagedBy.AZURE_AD,
                tenant_id=self.tenant_id,
                object_id=change.directory_group_id,
            )
            for change in changes
        ]
        for change, group in zip(changes, ledger.create_groups(rows), strict=True):
            self.groups[change.directory_group_id] = group.pk
        self._link_groups([self.groups[change.directory_group_id] for change in changes])

    def take_up_groups(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ids = [change.group_id for change in changes if change.group_id is not None]
        ledger.take_up_groups(ids)
        self._link_groups(ids)

    def _link_groups(self, ids: list[int]) -> None:
        GroupLink.objects.bulk_create([GroupLink(connector_id=self.connector_id, group_id=pk) for pk in ids])

    def rename_groups(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.rename_groups({change.group_id: change.after for change in changes if change.group_id is not None})

    def hand_back_groups(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ids = [change.group_id for change in changes if change.group_id is not None]
        ledger.hand_back_groups(ids)
        GroupLink.objects.filter(connector_id=self.connector_id, group__in=ids).delete()

    def join(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.join(self._pairs(changes))

    def leave(self, ledger: Ledger, changes: list[Change], now: datetime) -> None:
        ledger.leave(self._pairs(changes))

    def _pairs(self, changes: list[Change]) -> list[tuple[int, int]]:
        pairs = []
        for change in changes:
            group_id = change.group_id if change.group_id is not None else self.groups.get(change.directory_group_id)
            account_id = self.account_of(change)
            # Whoever failed to be created in this run joins nothing: the next run plans it again.
            if group_id is not None and account_id is not None:
                pairs.append((group_id, account_id))
        return pairs

    def note(self, notes: Sequence[LinkNote], ended: set[int]) -> None:
        """Save what links must remember; not for the accounts whose link has just ended."""
        AccountLink.objects.bulk_create(
            [
                AccountLink(
                    connector_id=self.connector_id,
                    account_id=note.account_id,
                    directory_email=note.directory_email,
                    situations=",".join(sorted(note.situations)),
                )
                for note in notes
                if note.account_id not in ended
            ],
            batch_size=CHUNK,
            update_conflicts=True,
            unique_fields=["account"],
            update_fields=["directory_email", "situations"],
        )


_OPERATIONS: dict[ChangeKind, Callable[[Applier, Ledger, list[Change], datetime], None]] = {
    ChangeKind.CREATE: Applier.create,
    ChangeKind.CREATE_PENDING: Applier.create,
    ChangeKind.ADOPT: Applier.identify,
    ChangeKind.RELINK: Applier.identify,
    ChangeKind.ENABLE: Applier.enable,
    ChangeKind.ACTIVATE: Applier.activate,
    ChangeKind.RESTORE: Applier.restore,
    ChangeKind.SUSPEND: Applier.suspend,
    ChangeKind.DISABLE: Applier.disable,
    ChangeKind.DELETE: Applier.delete,
    ChangeKind.CONVERT: Applier.convert,
    ChangeKind.WITHDRAW: Applier.withdraw,
    ChangeKind.RENAME: Applier.rename,
    ChangeKind.EMAIL: Applier.email,
    ChangeKind.GROUP_CREATE: Applier.create_groups,
    ChangeKind.GROUP_TAKE_UP: Applier.take_up_groups,
    ChangeKind.GROUP_RENAME: Applier.rename_groups,
    ChangeKind.GROUP_JOIN: Applier.join,
    ChangeKind.GROUP_LEAVE: Applier.leave,
    ChangeKind.GROUP_HAND_BACK: Applier.hand_back_groups,
}
