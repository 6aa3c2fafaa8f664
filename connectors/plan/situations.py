"""Who is who: the scope, which account is whose, and the situations that hold for each account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from connectors.directory import Person, Snapshot
from connectors.plan.marks import Marks
from connectors.plan.table import NOT_OURS, State, state_of
from connectors.plan.values import AccountFacts, LeftOut, Roster, Rules, Skipped
from connectors.states import LeftOutReason, Situation, SkipReason
from tenants.states import AccountRole, AccountStatus

NOTHING_HOLDS: frozenset[Situation] = frozenset()
_DISABLED = frozenset({Situation.DISABLED})
_REMOVED = frozenset({Situation.REMOVED})
_DISABLED_AND_REMOVED = _DISABLED | _REMOVED
_DELETED = frozenset({Situation.DELETED})
RESTORABLE = (State.DELETED, State.DELETED_DISABLED)
_TAKEN_AWAY = (State.DISABLED, *RESTORABLE)
_RANK = {State.BARRED: 1, State.DELETED: 2, State.DELETED_DISABLED: 2}


class Bond(Enum):
    """Say how an account comes to be this connector's in a plan."""

    LINKED = auto()
    RECOGNISED = auto()
    ADOPTED = auto()
    RELINKED = auto()


@dataclass(frozen=True, slots=True)
class Known:
    """Hold an account the connector may change, and its owner as the snapshot shows them.

    `person` is None where the directory positively does not hold them any more. `holding` are the leaving situations.
    """

    account: AccountFacts
    object_id: str
    person: Person | None
    in_scope: bool
    state: State
    holding: frozenset[Situation]
    bond: Bond = Bond.LINKED

    @property
    def back(self) -> bool:
        """Say whether the owner is enabled and in scope."""
        return self.in_scope and self.person is not None and self.person.enabled

    @property
    def returned(self) -> bool:
        """Say whether RETURNED holds: the owner is back, and the connector had disabled or deleted the account."""
        return self.state in _TAKEN_AWAY and self.back


@dataclass(frozen=True, slots=True)
class Census:
    """Hold who was found: the accounts the connector may change, and the people in scope who have none.

    `scope` maps object ids to the nested group a person is in it through. `unread` are owners whom the snapshot
    neither shows nor calls gone, with their accounts: nothing is decided about them. `unconfirmed` are
    administrators' accounts recognised by their identity that no person has confirmed yet.
    """

    scope: Mapping[str, str]
    left_out: tuple[LeftOut, ...]
    known: tuple[Known, ...]
    unconfirmed: tuple[Known, ...]
    newcomers: tuple[Person, ...]
    skipped: tuple[Skipped, ...]
    bars_ended: tuple[int, ...]
    unread: Mapping[str, AccountFacts]


def account_name(account: AccountFacts) -> str:
    """Return the name to show for an account."""
    return f"{account.first_name} {account.last_name}".strip() or account.email


def find_scope(rules: Rules, snapshot: Snapshot) -> tuple[Mapping[str, str], tuple[LeftOut, ...]]:
    """Return the people in scope with the nested group each came through, and those a setting leaves out."""
    members = snapshot.sync_group.members
    if not (rules.direct_members_only or rules.leave_out_guests):
        return members, ()
    scope: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for object_id, via in members.items():
        person = snapshot.people[object_id]
        if rules.leave_out_guests and person.guest:
            left_out.append(LeftOut(object_id, person.name, LeftOutReason.GUEST, via))
        elif rules.direct_members_only and via:
            left_out.append(LeftOut(object_id, person.name, LeftOutReason.NESTED, via))
        else:
            scope[object_id] = via
    left_out.sort(key=lambda person: (person.name, person.object_id))
    return scope, tuple(left_out)


def find_owners(tenant_id: str, accounts: Iterable[AccountFacts]) -> dict[str, tuple[AccountFacts, State]]:
    """Return the account of each person of the tenant who has, or may get back, one."""
    tenant = tenant_id.lower()
    owners: dict[str, tuple[AccountFacts, State]] = {}
    for account in accounts:
        if not account.object_id or account.tenant_id.lower() != tenant:
            continue
        state = state_of(account)
        if state is None:
            continue
        found = account, state
        object_id = account.object_id.lower()
        other = owners.setdefault(object_id, found)
        if _preference(*found) < _preference(*other):
            owners[object_id] = found
    return owners


def _preference(account: AccountFacts, state: State) -> tuple[int, bool, int]:
    """Order several accounts of one person: the living one, one a person deleted, the latest that may return."""
    rank = _RANK.get(state, 0)
    return rank, account.link is None, -account.id if rank else account.id


def holding_now(person: Person | None, *, in_scope: bool, complete: bool) -> frozenset[Situation]:
    """Return the leaving situations that positively hold; None is a person the directory does not hold any more."""
    if person is None:
        return _DELETED
    if person.enabled:
        return NOTHING_HOLDS if in_scope or not complete else _REMOVED
    return _DISABLED if in_scope or not complete else _DISABLED_AND_REMOVED


def take_census(rules: Rules, snapshot: Snapshot, roster: Roster, marks: Marks) -> Census:
    """Return who is who. Where the sync group is not complete, only accounts that are linked are known."""
    complete = snapshot.sync_group.complete
    scope, left_out = find_scope(rules, snapshot)
    lifted = bars_ended(snapshot, roster.accounts, scope)
    accounts = (replace(account, barred=False) if account.id in lifted else account for account in roster.accounts)
    owners = find_owners(snapshot.tenant_id, accounts)
    people, gone = snapshot.people, snapshot.gone
    known: list[Known] = []
    unconfirmed: list[Known] = []
    skipped: list[Skipped] = []
    unread: dict[str, AccountFacts] = {}

    for object_id, (account, state) in owners.items():
        in_scope = object_id in scope
        not_ours = SkipReason.OTHER_CONNECTOR if account.linked_elsewhere else NOT_OURS.get(state)
        if not_ours is not None:
            if in_scope:
                owner = people[object_id]
                situation = Situation.NEW if owner.enabled else Situation.DISABLED
                skipped.append(Skipped(object_id, not_ours, situation, account.id, owner.name, account.email))
            continue
        if account.link is None and not complete:
            continue
        person = people.get(object_id)
        if person is None and object_id not in gone:
            unread[object_id] = account
            if object_id in snapshot.unread and account.link is not None and state not in RESTORABLE:
                skipped.append(
                    Skipped(object_id, SkipReason.UNREAD, None, account.id, account_name(account), account.email)
                )
            continue
        found = Known(
            account,
            object_id,
            person,
            in_scope,
            state,
            holding_now(person, in_scope=in_scope, complete=complete),
            Bond.RECOGNISED if account.link is None else Bond.LINKED,
        )
        if account.link is None and account.role is AccountRole.ADMIN and not marks.confirmed(object_id, account.id):
            unconfirmed.append(found)
        else:
            known.append(found)

    newcomers: list[Person] = []
    for object_id in scope.keys() - owners.keys():
        member = people[object_id]
        if member.enabled:
            newcomers.append(member)
        else:
            skipped.append(disabled_newcomer(member))

    return Census(
        scope=scope,
        left_out=left_out,
        known=tuple(known),
        unconfirmed=tuple(unconfirmed),
        newcomers=tuple(newcomers),
        skipped=tuple(skipped),
        bars_ended=tuple(sorted(lifted)),
        unread=unread,
    )


def disabled_newcomer(person: Person) -> Skipped:
    """Return the line of somebody in scope who is disabled and has no account."""
    return Skipped(
        person.object_id, SkipReason.DISABLED_NEWCOMER, Situation.DISABLED, name=person.name, email=person.mail
    )


def bars_ended(snapshot: Snapshot, accounts: Iterable[AccountFacts], scope: Mapping[str, str]) -> frozenset[int]:
    """Return the deleted accounts whose owner a complete read of a group that is not empty does not show."""
    if not scope:
        return frozenset()
    tenant = snapshot.tenant_id.lower()
    return frozenset(
        account.id
        for account in accounts
        if account.barred
        and account.status is AccountStatus.DELETED
        and account.object_id
        and account.tenant_id.lower() == tenant
        and account.object_id.lower() not in scope
        and account.object_id.lower() not in snapshot.unread
    )
