"""Who comes: those waiting for a licence, those who return, newcomers; in this order, while licences last."""

from __future__ import annotations

from collections import Counter

from connectors.states import GROWTH, Action, ChangeKind, HoldCause, MarkKind, Situation, SkipReason
from tenants.states import AccountStatus, Hand, PendingReason
from tests.oracle.facts import Account
from tests.oracle.known import names_of
from tests.oracle.leaving import Leaving


class Joining(Leaving):
    """Let in who is to come in."""

    def _return_and_join(self) -> None:
        waiting = sorted(
            (a for a in self.company.accounts if self._waits_for_licence(a)),
            key=lambda a: (a.waiting_since, a.id),
        )
        returning = self._returning()
        restored = [account for account in returning if not account.living]
        told = set(self.end.skipped)
        joining = self._joining({account.address for account in restored})
        if self._growth_stops([account.object_id for account in restored] + joining):
            # Held restorations do not take their addresses: who wanted one of them is judged, and held, as well.
            self.end.skipped, self.questions = told, {}
            joining = self._joining(set())
            self._hold_growth([account.object_id for account in restored] + joining)
        for account in waiting:
            if self._licence_free:
                self._did(account.object_id, ChangeKind.ACTIVATE)
                self._activate(account)
        growing = [(one.object_id, self._way_back(one)) for one in restored] + [(one, self._way_in) for one in joining]
        self.end.approved |= {object_id for object_id, kind in growing if self._approves(object_id, kind)}
        for account in returning:
            if account.object_id not in self.end.held:
                self._return(account)
        for object_id in joining:
            if object_id not in self.end.held:
                self._create(object_id)

    @property
    def _licence_free(self) -> bool:
        return self.company.licences is None or self.company.active < self.company.licences

    def _waits_for_licence(self, account: Account) -> bool:
        waits = account.status is AccountStatus.PENDING and account.pending_reason is PendingReason.LICENCE
        return waits and self._linked(account) and self._enabled_in_scope(account.object_id)

    def _returning(self) -> list[Account]:
        """Return whose account comes back, in the order licences are given; the others are skipped or held."""
        wanting = []
        for account in self.company.accounts:
            if not self._linked(account) or self._account_of(account.object_id) is not account:
                continue
            object_id = account.object_id
            if Situation.RETURNED not in self._situations(account):
                if account.status is AccountStatus.DISABLED and self._enabled_in_scope(object_id):
                    self._skip(object_id, SkipReason.DISABLED_BY_PERSON)
            elif self.connector.rules[Situation.RETURNED] is Action.NOTHING:
                self._skip(object_id, SkipReason.RULE)
            elif self._kept(object_id, Situation.RETURNED):
                self._skip(object_id, SkipReason.KEPT)
            elif not account.living and self._marked(object_id, MarkKind.DECLINED):
                self._skip(object_id, SkipReason.DECLINED)
            else:
                wanting.append(account)
        self.wanted = Counter(account.address for account in wanting if not account.living)
        returning = []
        for account in sorted(wanting, key=lambda a: (a.address, a.id)):
            kind = self._way_back(account)
            taken = self.company.living_at(account.address)
            if not account.living and (taken or self.wanted[account.address] > 1):
                reason = SkipReason.RESTORE_TAKEN if taken else SkipReason.RESTORE_TWICE
                self._skip(account.object_id, reason)
                self._obstruct(account.object_id, GROWTH)
            elif not account.living and self._waits_for_approval(account.object_id, kind):
                self._hold(account.object_id, kind, HoldCause.GROWTH)
            else:
                returning.append(account)
        return returning

    def _way_back(self, account: Account) -> ChangeKind:
        if not account.living:
            return ChangeKind.RESTORE
        pending = self.connector.rules[Situation.RETURNED] is Action.PENDING
        return ChangeKind.SUSPEND if pending else ChangeKind.ENABLE

    def _return(self, account: Account) -> None:
        self._did(account.object_id, self._way_back(account))
        if not account.living and account.disabled_by is Hand.PERSON:
            account.status = AccountStatus.DISABLED
        elif self.connector.rules[Situation.RETURNED] is Action.PENDING:
            self._wait(account, PendingReason.RULE)
        elif self._licence_free:
            self._activate(account)
        else:
            self._wait(account, PendingReason.LICENCE)
        account.deleted_by, account.restorable, account.deleted_at = Hand.NONE, False, 0

    def _activate(self, account: Account) -> None:
        account.status, account.pending_reason = AccountStatus.ACTIVE, PendingReason.NONE
        account.was_active, account.disabled_by = True, Hand.NONE

    def _wait(self, account: Account, reason: PendingReason) -> None:
        account.status, account.pending_reason = AccountStatus.PENDING, reason
        account.waiting_since, account.disabled_by = self.now, Hand.NONE

    def _returning_to(self, address: str) -> int:
        """Return the account that is to be restored at an address; the oldest of several."""
        return min(
            one.id
            for one in self.before.accounts
            if one.address == address and self._returnable(one) and self._enabled_in_scope(one.object_id)
        )

    def _joining(self, returning: set[str]) -> list[str]:
        """Return for whom an account is created, in the order licences are given; others are skipped or held."""
        for object_id in self.scope - {object_id for object_id, _ in self.end.done}:
            if self._account_of(object_id) is None and (reason := self._barred(object_id)):
                self._skip(object_id, reason)
            elif self._account_of(object_id) is None and not self._enabled_in_scope(object_id):
                self._skip(object_id, SkipReason.DISABLED_NEWCOMER)
        crowded, joining = self._crowded(), []
        for object_id in self._newcomers():
            if self.end.held.get(object_id) is ChangeKind.ADOPT:
                continue
            address = self._address(object_id)
            holder = self.company.living_at(address)
            adoptable = holder is not None and self._adoptable(holder)
            if not adoptable and (unwanted := self._unwanted(object_id)):
                self._skip(object_id, unwanted)
                continue
            if not address:
                self._skip(object_id, SkipReason.NO_EMAIL)
            elif address in crowded:
                self._skip(object_id, SkipReason.TWO_NEWCOMERS)
            elif holder is not None and holder.status is AccountStatus.PERSONAL:
                self._skip(object_id, SkipReason.ADDRESS_PERSONAL)
            elif holder is not None or address in returning or self.wanted[address] > 1:
                self._skip(object_id, SkipReason.ADDRESS_TAKEN)
                self.questions[object_id] = str(holder.id if holder is not None else self._returning_to(address))
            elif self._waits_for_approval(object_id, self._way_in):
                self._hold(object_id, self._way_in, HoldCause.GROWTH)
            else:
                joining.append(object_id)
            self._obstruct(object_id, GROWTH)
        return joining

    def _waits_for_approval(self, object_id: str, kind: ChangeKind) -> bool:
        return self._covered(object_id, GROWTH) and not self._approves(object_id, kind)

    @property
    def _way_in(self) -> ChangeKind:
        pending = self.connector.rules[Situation.NEW] is Action.CREATE_PENDING
        return ChangeKind.CREATE_PENDING if pending else ChangeKind.CREATE

    def _growth_stops(self, growing: list[str]) -> bool:
        new = {one for one in growing if not self._covered(one, GROWTH)}
        of = len(self._people_at_the_start())
        stops = self.connector.brake.stops_growth(len(new | self.connector.grown), of)
        return bool(new) and stops and not self.connector.first_run

    def _hold_growth(self, growing: list[str]) -> None:
        for object_id in growing:
            if not self._covered(object_id, GROWTH):
                kind = self._way_in if self._account_of(object_id) is None else ChangeKind.RESTORE
                self._hold(object_id, kind, HoldCause.GROWTH)

    def _create(self, object_id: str) -> None:
        person = self.directory.people[object_id]
        address = self._address(object_id)
        first, last = names_of(person)
        account = Account(
            id=max((one.id for one in self.company.accounts), default=0) + 1,
            email=person.mail.strip() or person.user_principal_name.strip(),
            first_name=first or ("" if last else address.partition("@")[0]),
            last_name=last,
            status=AccountStatus.PENDING,
        )
        self.company.accounts.append(account)
        self._take(account, object_id, self._way_in)
        if self._way_in is ChangeKind.CREATE_PENDING:
            self._wait(account, PendingReason.RULE)
        elif self._licence_free:
            self._activate(account)
        else:
            self._wait(account, PendingReason.LICENCE)
        for mark in self._marked(object_id, MarkKind.SOMEONE_ELSE):
            self.end.memory.discard(mark)
