"""The additional groups: which mirrors begin, follow, stand still or end, and who is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from connectors.directory import GroupReading, GroupState
from connectors.plan.lines import (
    GROUP_CHOSEN,
    GROUP_GONE,
    GROUP_NOT_CHOSEN,
    MEMBER,
    NO_MEMBER,
    OTHER_NAME,
    because,
)
from connectors.plan.situations import account_name
from connectors.plan.values import AccountFacts, Because, Change, MirrorFacts, Rules
from connectors.states import ChangeKind
from tenants.states import ManagedBy

Member: TypeAlias = AccountFacts | Change
"""An account that is Active at the end of a plan, or the change that creates it."""


def mirror_groups(
    rules: Rules,
    readings: Iterable[GroupReading],
    mirrors: Iterable[MirrorFacts],
    active: Mapping[str, Member],
    accounts: Iterable[AccountFacts],
    untouched: frozenset[int],
) -> list[Change]:
    """Return what makes the mirrors equal to the groups that were read completely.

    `untouched` are accounts that no mirror lets go: they leave every group by a change of the same plan, or nothing
    is known of their owner.
    """
    chosen = {reading.id.lower(): reading for reading in readings}
    standing: dict[str, MirrorFacts] = {}
    for mirror in mirrors:
        directory_id = mirror.directory_id.lower()
        other = standing.setdefault(directory_id, mirror)
        if _precedence(mirror) < _precedence(other):
            standing[directory_id] = mirror
    changes = [
        _group_change(ChangeKind.GROUP_HAND_BACK, mirror, because(GROUP_NOT_CHOSEN))
        for directory_id, mirror in standing.items()
        if mirror.live and directory_id not in chosen
    ]
    by_id: dict[int, AccountFacts] = {}
    for directory_id, reading in chosen.items():
        found = standing.get(directory_id)
        if reading.state is GroupState.GONE and found is not None and found.live:
            changes.append(_group_change(ChangeKind.GROUP_HAND_BACK, found, because(GROUP_GONE)))
        if not reading.complete:
            continue
        wanted = {
            object_id: active[object_id]
            for object_id, via in reading.members.items()
            if object_id in active and not (via and rules.direct_members_only)
        }
        if found is None:
            if wanted:
                changes.append(_creation(reading))
                changes += [_join(reading, None, *member) for member in wanted.items()]
            continue
        if not found.live:
            changes.append(_group_change(ChangeKind.GROUP_TAKE_UP, found, because(GROUP_CHOSEN)))
        if reading.name and reading.name != found.name:
            changes.append(_rename(reading, found))
        changes += [
            _join(reading, found.group_id, object_id, member)
            for object_id, member in wanted.items()
            if _account_id(member) not in found.members
        ]
        surplus = found.members - {_account_id(member) for member in wanted.values()} - untouched
        if surplus:
            by_id = by_id or {account.id: account for account in accounts}
            changes += [_leave(reading, found, account_id, by_id) for account_id in surplus]
    return changes


def _precedence(mirror: MirrorFacts) -> tuple[bool, int]:
    return not mirror.live, mirror.group_id


def _group_change(kind: ChangeKind, mirror: MirrorFacts, reason: Because) -> Change:
    labels = ManagedBy.PB.label, ManagedBy.AZURE_AD.label
    before, after = labels if kind is ChangeKind.GROUP_TAKE_UP else labels[::-1]
    return Change(
        kind=kind,
        object_id=mirror.directory_id,
        because=reason,
        group_id=mirror.group_id,
        directory_group_id=mirror.directory_id,
        name=mirror.name,
        before=before,
        after=after,
    )


def _creation(reading: GroupReading) -> Change:
    name = reading.name or reading.id
    return Change(
        kind=ChangeKind.GROUP_CREATE,
        object_id=reading.id,
        because=because(GROUP_CHOSEN),
        directory_group_id=reading.id,
        name=name,
        after=name,
    )


def _rename(reading: GroupReading, mirror: MirrorFacts) -> Change:
    return Change(
        kind=ChangeKind.GROUP_RENAME,
        object_id=reading.id,
        because=because(OTHER_NAME),
        group_id=mirror.group_id,
        directory_group_id=reading.id,
        name=reading.name,
        before=mirror.name,
        after=reading.name,
    )


def _account_id(member: Member) -> int | None:
    return member.account_id if isinstance(member, Change) else member.id


def _join(reading: GroupReading, group_id: int | None, object_id: str, member: Member) -> Change:
    return Change(
        kind=ChangeKind.GROUP_JOIN,
        object_id=object_id,
        because=because(MEMBER, via=reading.members[object_id]),
        account_id=_account_id(member),
        group_id=group_id,
        directory_group_id=reading.id,
        name=member.name if isinstance(member, Change) else account_name(member),
        email=member.email,
        after=reading.name,
    )


def _leave(reading: GroupReading, mirror: MirrorFacts, account_id: int, by_id: Mapping[int, AccountFacts]) -> Change:
    account = by_id.get(account_id)
    return Change(
        kind=ChangeKind.GROUP_LEAVE,
        object_id="" if account is None else account.object_id.lower(),
        because=because(NO_MEMBER),
        account_id=account_id,
        group_id=mirror.group_id,
        directory_group_id=reading.id,
        name="" if account is None else account_name(account),
        email="" if account is None else account.email,
        before=mirror.name,
    )
