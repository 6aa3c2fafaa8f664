"""Whose account is whose: newcomers, recognition by identity, adoption by address, relinking by a person."""

from __future__ import annotations

from collections import Counter

from connectors.states import Action, ChangeKind, HoldCause, MarkKind, Situation, SkipReason
from tenants.states import AccountRole, ManagedBy
from tests.oracle.facts import Account, Decision
from tests.oracle.known import Known


class Owning(Known):
    """Find who has no account, and give existing accounts to their owners."""

    def _newcomers(self) -> list[str]:
        """Return who is in scope and enabled, without an account and nobody's decision against one."""
        return [
            object_id
            for object_id in sorted(self.scope, key=lambda one: (self._address(one), one))
            if self._enabled_in_scope(object_id)
            and self._account_of(object_id) is None
            and self._barred(object_id) is None
        ]

    def _crowded(self) -> set[str]:
        """Return the addresses that two newcomers have."""
        count = Counter(self._address(object_id) for object_id in self._newcomers())
        return {address for address, times in count.items() if address and times > 1}

    def _unwanted(self, object_id: str) -> SkipReason | None:
        """Return why no account is to be created for a newcomer, if none is."""
        if self.connector.rules[Situation.NEW] is Action.NOTHING:
            return SkipReason.RULE
        return SkipReason.DECLINED if self._marked(object_id, MarkKind.DECLINED) else None

    def _adoptable(self, account: Account) -> bool:
        free = not account.link and not account.object_id and not account.barred
        return account.here and free and account.managed_by is ManagedBy.PB

    def _take(self, account: Account, object_id: str, kind: ChangeKind) -> None:
        account.link = self.connector.name
        account.managed_by = ManagedBy.AZURE_AD
        account.tenant_id, account.object_id = self.connector.tenant_id, object_id
        account.situations = frozenset()
        self._did(object_id, kind)

    def _relink(self) -> None:
        crowded = self._crowded()
        for object_id in self._newcomers():
            holder = self.company.living_at(self._address(object_id))
            if holder is None or self._address(object_id) in crowded or not holder.here:
                continue
            if self._adoptable(holder) or holder.barred or holder.link not in ("", self.connector.name):
                continue
            if not self._decided(object_id, MarkKind.SAME_PERSON, holder):
                continue
            if self._unwanted(object_id):
                continue
            if self._ours(holder) and (
                holder.object_id in self.directory.unread or self._enabled_in_scope(holder.object_id)
            ):
                continue
            self._take(holder, object_id, ChangeKind.RELINK)
            self.end.memory.discard(Decision(object_id, MarkKind.SAME_PERSON, str(holder.id)))

    def _recognise(self) -> None:
        for object_id in sorted({one.object_id for one in self.company.accounts if self._ours(one)}):
            account = self._account_of(object_id)
            if account is None or self._linked(account):
                continue
            if object_id in self.directory.unread:
                continue
            if account.link:
                self._skip(object_id, SkipReason.OTHER_CONNECTOR)
            else:
                self._link(account, object_id)

    def _adopt(self) -> None:
        crowded = self._crowded()
        for object_id in self._newcomers():
            holder = self.company.living_at(self._address(object_id))
            if holder is not None and self._address(object_id) not in crowded and self._adoptable(holder):
                self._link(holder, object_id)

    def _link(self, account: Account, object_id: str) -> None:
        """Adopt the account, or hold that."""
        confirmed = self._decided(object_id, MarkKind.CONFIRMED, account)
        unconfirmed = account.role is AccountRole.ADMIN and not confirmed
        if unconfirmed:
            self._hold(object_id, ChangeKind.ADOPT, HoldCause.ADMIN)
        else:
            self._take(account, object_id, ChangeKind.ADOPT)
            self.end.memory.discard(Decision(object_id, MarkKind.CONFIRMED, str(account.id)))
