"""A scene (directory, company, connector) as the planner's values, and a plan applied to it, both pure."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace

from connectors.directory import GroupReading, GroupState, Snapshot
from connectors.plan.values import (
    AccountFacts,
    Change,
    Limits,
    Link,
    Mark,
    MirrorFacts,
    Roster,
    Rules,
    SyncPlan,
)
from connectors.states import DESTRUCTIVE, GROWTH, ChangeKind
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason
from tests.oracle import Account, Company, Connector, Decision, Directory, End, Group

_STANDING = (AccountStatus.ACTIVE, AccountStatus.PENDING)


@dataclass
class Scene:
    """Hold all that one run depends on."""

    directory: Directory
    company: Company
    connector: Connector

    @property
    def rules(self) -> Rules:
        mine = self.connector
        return Rules(mine.rules, mine.direct_members_only, mine.leave_out_guests, mine.allow_onmicrosoft)

    @property
    def snapshot(self) -> Snapshot:
        """Read the directory as a complete reading does: the group's people, and everybody asked for by id."""
        people, unread = self.directory.people, self.directory.unread
        sync_group = self._reading(self.connector.sync_group)
        if sync_group.complete:
            known = {one: via for one, via in sync_group.members.items() if one not in unread}
            sync_group = replace(sync_group, members=known, unread=frozenset(sync_group.members.keys() & unread))
        theirs = {one.object_id for one in self.company.accounts if one.tenant_id == self.directory.tenant_id}
        asked = theirs - unread
        read = sync_group.members.keys() | (asked & people.keys())
        return Snapshot(
            self.directory.tenant_id,
            sync_group,
            {object_id: people[object_id] for object_id in sorted(read)},
            frozenset(asked),
            frozenset(asked - people.keys()),
            tuple(self._reading(directory_id) for directory_id in self.connector.additional),
            dict.fromkeys(sorted(unread), "Its record is incomplete."),
        )

    def _reading(self, directory_id: str) -> GroupReading:
        state = self.directory.state(directory_id)
        if state is not GroupState.COMPLETE:
            return GroupReading(directory_id, state, sentence=f"The group is {state}.")
        name = self.directory.groups[directory_id].name
        return GroupReading(directory_id, state, name, self.directory.members(directory_id))

    @property
    def roster(self) -> Roster:
        name = self.connector.name
        return Roster(
            tuple(
                AccountFacts(
                    id=one.id,
                    email=one.email,
                    first_name=one.first_name,
                    last_name=one.last_name,
                    status=one.status,
                    role=one.role,
                    pending_reason=one.pending_reason,
                    managed_by=one.managed_by,
                    was_active=one.was_active,
                    disabled_by=one.disabled_by,
                    deleted_by=one.deleted_by,
                    restorable=one.restorable,
                    claimed=one.claimed,
                    barred=one.barred,
                    vouched=one.vouched,
                    waiting_since=int(one.waiting_since),
                    tenant_id=one.tenant_id,
                    object_id=one.object_id,
                    link=Link(one.directory_email, one.situations) if one.link == name else None,
                    linked_elsewhere=one.link not in ("", name),
                )
                for one in self.company.accounts
                if one.living or one.restorable or one.barred or one.link == name
            ),
            tuple(
                MirrorFacts(one.id, one.directory_id, one.name, one.link == name, frozenset(one.members))
                for one in self.company.groups
                if one.directory_id and one.tenant_id == self.connector.tenant_id
            ),
            frozenset(Mark(*decision) for decision in self.connector.memory),
            self.company.licences,
            self.company.active,
        )

    @property
    def limits(self) -> Limits:
        brake, mine = self.connector.brake, self.connector
        return Limits(
            brake.floor,
            brake.percent,
            brake.half_floor,
            brake.half_percent,
            brake.growth_floor,
            brake.growth_percent,
            mine.first_run,
            mine.destroyed,
            mine.grown,
        )


def applied(scene: Scene, plan: SyncPlan, changes: Iterable[Change] | None = None) -> Scene:
    """Return the scene after a run that made the plan's changes, or of them only those given.

    Every change is made as strictly as the roster makes it: AssertionError where an account is not in the state the
    change applies to, where an address or identity is doubled, or where a licence too many is used.
    """
    after = deepcopy(scene)
    apply = _Apply(after)
    for change in plan.changes if changes is None else changes:
        apply.one(change)
        apply.check()
    accounts = {one.id: one for one in after.company.accounts}
    for note in plan.notes:
        if note.account_id in accounts:
            accounts[note.account_id].directory_email = note.directory_email
            accounts[note.account_id].situations = note.situations
    for account_id in plan.bars_ended:
        accounts[account_id].barred = False
    for account_id in plan.vouched_seen:
        accounts[account_id].vouched = False
    mine = after.connector
    mine.memory -= {Decision(m.object_id, m.kind, m.value, m.other) for m in plan.marks_ended}
    mine.memory |= {Decision(m.object_id, m.kind, m.value, m.other) for m in plan.marks_set}
    unapproved = [change for change in plan.changes if not change.approved]
    back = {one.object_id for one in after.company.accounts if one.link == mine.name and one.status in _STANDING}
    mine.destroyed |= {change.object_id for change in unapproved if change.kind in DESTRUCTIVE}
    mine.destroyed -= back
    if not mine.first_run:
        mine.grown |= {change.object_id for change in unapproved if change.kind in GROWTH}
    mine.first_run = False
    return after


def end_of(scene: Scene, plan: SyncPlan) -> End:
    """Return the end the plan leads to, in the oracle's words."""
    after = applied(scene, plan)
    return End(
        after.company,
        after.connector.memory,
        {held.change.object_id: held.change.kind for held in plan.held},
        {(skipped.object_id, skipped.reason) for skipped in plan.skipped},
        {left_out.object_id: left_out.reason for left_out in plan.left_out},
    )


class _Apply:
    def __init__(self, scene: Scene) -> None:
        self.company, self.connector = scene.company, scene.connector
        self.most_active = max(self.company.active, self.company.licences or 0)

    def check(self) -> None:
        """Hold the promises of every prefix of a plan."""
        living = [one for one in self.company.accounts if one.living]
        addresses = [one.address for one in living]
        identities = [(one.tenant_id, one.object_id) for one in living if one.object_id]
        assert len(addresses) == len(set(addresses)), "An address has two living accounts."
        assert len(identities) == len(set(identities)), "A person has two living accounts."
        if self.company.licences is not None:
            assert self.company.active <= self.most_active, "More accounts are Active than licences allow."
            self.most_active = max(min(self.most_active, self.company.active), self.company.licences)

    def one(self, change: Change) -> None:
        kind = change.kind
        if kind in (ChangeKind.CREATE, ChangeKind.CREATE_PENDING):
            self._create(change)
        elif kind.startswith("group_"):
            self._group(change)
        else:
            account = next(one for one in self.company.accounts if one.id == change.account_id)
            self._account(change, account)

    def _create(self, change: Change) -> None:
        assert change.status in _STANDING
        assert (change.status is AccountStatus.PENDING) == (change.kind is ChangeKind.CREATE_PENDING)
        account = Account(
            max((one.id for one in self.company.accounts), default=0) + 1,
            change.email,
            change.first_name,
            change.last_name,
            status=change.status,
        )
        self.company.accounts.append(account)
        account.pending_reason = change.pending_reason
        account.was_active = change.status is AccountStatus.ACTIVE
        self._link(account, change)

    def _link(self, account: Account, change: Change) -> None:
        account.tenant_id, account.object_id = self.connector.tenant_id, change.object_id
        account.link, account.managed_by = self.connector.name, ManagedBy.AZURE_AD
        account.directory_email, account.situations = change.email, frozenset()

    def _account(self, change: Change, account: Account) -> None:
        kind, status = change.kind, account.status
        if kind in (ChangeKind.ADOPT, ChangeKind.RELINK):
            assert not account.barred
            assert status is not AccountStatus.PERSONAL
            self._link(account, change)
            return
        assert account.link == self.connector.name, "An account without a link is changed."
        assert account.object_id == change.object_id
        if kind is ChangeKind.RENAME:
            assert account.here
            account.first_name, account.last_name = change.first_name, change.last_name
        elif kind is ChangeKind.EMAIL:
            assert account.here
            account.directory_email = change.after
        elif kind in (ChangeKind.ENABLE, ChangeKind.ACTIVATE):
            before = AccountStatus.DISABLED if kind is ChangeKind.ENABLE else AccountStatus.PENDING
            assert status is before
            self._become(account, AccountStatus.ACTIVE)
        elif kind is ChangeKind.SUSPEND:
            assert status is AccountStatus.DISABLED
            assert change.pending_reason is not PendingReason.NONE
            self._become(account, AccountStatus.PENDING, change.pending_reason)
        elif kind is ChangeKind.RESTORE:
            assert status is AccountStatus.DELETED
            assert account.restorable
            assert change.status is not None
            account.deleted_by, account.restorable = Hand.NONE, False
            self._become(account, change.status, change.pending_reason)
        else:
            self._destroy(kind, account)

    def _become(self, account: Account, status: AccountStatus, reason: PendingReason = PendingReason.NONE) -> None:
        if status is not AccountStatus.DISABLED:
            account.disabled_by = Hand.NONE
        assert (status is AccountStatus.PENDING) == (reason is not PendingReason.NONE)
        account.status, account.pending_reason = status, reason
        account.was_active = account.was_active or status is AccountStatus.ACTIVE

    def _destroy(self, kind: ChangeKind, account: Account) -> None:
        assert kind in DESTRUCTIVE
        if kind is ChangeKind.DISABLE:
            assert account.status in _STANDING
            account.status, account.disabled_by = AccountStatus.DISABLED, Hand.CONNECTOR
        elif kind is ChangeKind.CONVERT:
            assert account.here
            assert account.claimed
            account.status, account.role = AccountStatus.PERSONAL, AccountRole.USER
            account.disabled_by = Hand.NONE
        else:
            assert account.here
            if kind is ChangeKind.WITHDRAW:
                assert account.status is AccountStatus.PENDING
                assert not account.was_active
            account.status, account.deleted_by = AccountStatus.DELETED, Hand.CONNECTOR
            account.restorable = kind is ChangeKind.DELETE
        if kind in (ChangeKind.CONVERT, ChangeKind.WITHDRAW):
            account.link = account.tenant_id = account.object_id = ""
            account.managed_by = ManagedBy.PB
        account.pending_reason, account.vouched = PendingReason.NONE, False
        if not account.here:
            for group in self.company.groups:
                group.members.discard(account.id)

    def _group(self, change: Change) -> None:
        groups, mine = self.company.groups, self.connector
        if change.kind is ChangeKind.GROUP_CREATE:
            assert not [g for g in groups if g.directory_id == change.directory_group_id]
            number = max((g.id for g in groups), default=0) + 1
            groups.append(
                Group(number, change.name, ManagedBy.AZURE_AD, mine.tenant_id, change.directory_group_id, mine.name)
            )
            return
        group = next(g for g in groups if change.directory_group_id == g.directory_id)
        assert change.group_id in (group.id, None)
        if change.kind is ChangeKind.GROUP_TAKE_UP:
            assert group.link == ""
            group.link, group.managed_by = mine.name, ManagedBy.AZURE_AD
            return
        assert group.link == mine.name, "A group that is not mirrored is changed."
        if change.kind is ChangeKind.GROUP_HAND_BACK:
            group.link, group.managed_by = "", ManagedBy.PB
        elif change.kind is ChangeKind.GROUP_RENAME:
            group.name = change.name
        else:
            self._membership(change, group)

    def _membership(self, change: Change, group: Group) -> None:
        account_id = change.account_id
        if account_id is None:
            owned = [
                one
                for one in self.company.accounts
                if one.living and one.object_id == change.object_id and one.link == self.connector.name
            ]
            account_id = owned[0].id
        if change.kind is ChangeKind.GROUP_JOIN:
            assert account_id not in group.members
            group.members.add(account_id)
        else:
            assert change.kind is ChangeKind.GROUP_LEAVE
            group.members.remove(account_id)


def reversed_scene(scene: Scene) -> Scene:
    """Return the same scene with everything in another order."""
    other = deepcopy(scene)
    other.company.accounts.reverse()
    other.company.groups.reverse()
    other.connector.additional = other.connector.additional[::-1]
    other.directory = replace(
        other.directory,
        people=dict(reversed(other.directory.people.items())),
        groups=dict(reversed(other.directory.groups.items())),
    )
    return other
