"""Who leaves: what the rules ask of those who do, and what the brake and the last administrators make of it."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.states import DESTRUCTIVE, LEAVING, STRENGTH, Action, ChangeKind, HoldCause, Situation, SkipReason
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason
from tests.oracle.facts import Account
from tests.oracle.owning import Owning

_REACHED = {
    AccountStatus.ACTIVE: 0,
    AccountStatus.PENDING: 0,
    AccountStatus.DISABLED: STRENGTH[Action.DISABLE],
}
_KIND = {
    Action.DISABLE: ChangeKind.DISABLE,
    Action.CONVERT: ChangeKind.CONVERT,
    Action.DELETE: ChangeKind.DELETE,
}
_FORCE = {
    ChangeKind.DISABLE: 1,
    ChangeKind.CONVERT: 2,
    ChangeKind.DELETE: 3,
    ChangeKind.WITHDRAW: 3,
}


@dataclass
class _Asked:
    """Hold one leaving situation of an account and the change its rule asks for."""

    situation: Situation
    strength: int
    kind: ChangeKind


class Leaving(Owning):
    """Take from those who leave what the rules say."""

    def _asks(self, account: Account) -> list[_Asked]:
        """Return what the leaving rules ask of an account, the strongest first."""
        asked = []
        object_id = account.object_id
        for situation in self._situations(account) & LEAVING:
            rule = self.connector.rules[situation]
            never = account.status is AccountStatus.PENDING and not account.was_active
            if rule is Action.NOTHING:
                self._skip(object_id, SkipReason.RULE)
            elif STRENGTH[rule] <= _REACHED[account.status]:
                continue
            elif self._kept(object_id, situation):
                self._skip(object_id, SkipReason.KEPT)
            elif never:
                asked.append(_Asked(situation, STRENGTH[rule], ChangeKind.WITHDRAW))
            elif rule is Action.CONVERT and not account.claimed:
                self._skip(object_id, SkipReason.NOT_CLAIMED)
                self._obstruct(object_id, DESTRUCTIVE, removed=situation is Situation.REMOVED)
            else:
                asked.append(_Asked(situation, STRENGTH[rule], _KIND[rule]))
        return sorted(asked, key=lambda one: (-one.strength, one.situation is not Situation.DISABLED))

    def _leave(self) -> None:
        empty = (
            self.complete
            and not self.scope
            and not self.directory.members(self.connector.sync_group).keys() & self.directory.unread
        )
        judged: dict[str, tuple[Account, list[_Asked]]] = {}
        approved: list[tuple[Account, _Asked]] = []
        waiting: list[Account] = []
        for account in self.company.accounts:
            if not (self._linked(account) and account.here):
                continue
            object_id, asks = account.object_id, self._asks(account)
            if not asks:
                continue
            if account.id in self.spared:
                self._skip(object_id, SkipReason.SPARED)
                removed = any(ask.situation is Situation.REMOVED for ask in asks)
                self._obstruct(object_id, DESTRUCTIVE, removed=removed)
            elif self._approves(object_id, asks[0].kind):
                approved.append((account, asks[0]))
            elif self._covered(object_id, DESTRUCTIVE):
                self._hold(object_id, asks[0].kind, HoldCause.BRAKE)
                waiting.append(account)
            else:
                if empty or self._waits_for_group(object_id):
                    for ask in asks:
                        if ask.situation is Situation.REMOVED:
                            self._hold(object_id, ask.kind, HoldCause.EMPTY_GROUP)
                    asks = [one for one in asks if one.situation is not Situation.REMOVED]
                if asks:
                    judged[object_id] = (account, asks)
        going = waiting + [account for account, _ in [*approved, *judged.values()]]
        self.leaving_admins = frozenset(one.id for one in going if self._active_admin(one))
        for account, ask in approved:
            self.end.approved.add(account.object_id)
            self._destroy(account, ask.kind)
        self._judge(judged)

    def _judge(self, judged: dict[str, tuple[Account, list[_Asked]]]) -> None:
        """Let the brake look at the strongest changes, and then at the weaker ones of those it held."""
        of = len(self._people_at_the_start() | self.connector.destroyed)
        if not judged or not self.connector.brake.stops(len(judged.keys() | self.connector.destroyed), of):
            for account, asks in judged.values():
                self._destroy(account, asks[0].kind)
            return
        weaker = {}
        for object_id, (account, asks) in judged.items():
            already = self.end.held.get(object_id)
            shown = max(asks[0].kind, already or asks[0].kind, key=_FORCE.__getitem__)
            self._hold(object_id, shown, HoldCause.BRAKE)
            if len(asks) == 2 and asks[1].strength < asks[0].strength and asks[1].kind is not asks[0].kind:
                weaker[object_id] = (account, asks[1:])
        if weaker:
            self._judge(weaker)

    def _people_at_the_start(self) -> set[str]:
        states = (AccountStatus.ACTIVE, AccountStatus.PENDING)
        return {a.object_id for a in self.before.accounts if self._linked(a) and a.status in states}

    def _active_admin(self, account: Account) -> bool:
        return account.status is AccountStatus.ACTIVE and account.role is AccountRole.ADMIN

    @property
    def another_admin_active(self) -> bool:
        """Say whether an administrator is Active at the end who was not leaving."""
        return any(self._active_admin(a) and a.id not in self.leaving_admins for a in self.company.accounts)

    def _destroy(self, account: Account, kind: ChangeKind) -> None:
        object_id = account.object_id
        self._did(object_id, kind)
        held = self.end.held.get(object_id)
        # Of an account that leaves the company nothing can be held.
        if held is not None and (kind is ChangeKind.CONVERT or _FORCE[kind] >= _FORCE[held]):
            del self.end.held[object_id]
        if kind is not ChangeKind.DISABLE:
            # What could not be done to an account is not asked any more once it is gone.
            self.obstructed -= {one for one in self.obstructed if one[0] == object_id and one[1] in DESTRUCTIVE}
        if kind is ChangeKind.DISABLE:
            account.status, account.disabled_by = AccountStatus.DISABLED, Hand.CONNECTOR
        elif kind is ChangeKind.CONVERT:
            account.status, account.disabled_by = AccountStatus.PERSONAL, Hand.NONE
            account.role = AccountRole.USER
            account.link = account.tenant_id = account.object_id = ""
            account.managed_by = ManagedBy.PB
        else:
            account.status, account.deleted_by = AccountStatus.DELETED, Hand.CONNECTOR
            account.restorable, account.deleted_at = kind is ChangeKind.DELETE, self.now
            if kind is ChangeKind.WITHDRAW:
                account.link = account.tenant_id = account.object_id = ""
                account.managed_by = ManagedBy.PB
        account.pending_reason, account.vouched = PendingReason.NONE, False
        if not account.here:
            for group in self.company.groups:
                group.members.discard(account.id)
