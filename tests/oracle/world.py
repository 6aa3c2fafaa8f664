"""A company that lives: people act, time passes, connectors run, and what product.md expects is known after each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from connectors.states import DESTRUCTIVE, GROWTH, Action, ChangeKind, MarkKind, Situation
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason
from tests.oracle.facts import Account, Brake, Company, Connector, Decision, Directory, End, Group
from tests.oracle.run import expected_after

DAY = 24 * 60 * 60.0
KEPT_DAYS = 30
_STANDING = (AccountStatus.ACTIVE, AccountStatus.PENDING)


@dataclass
class _Past:
    """Hold one change that counts for the brake for a day."""

    connector: str
    object_id: str
    kind: ChangeKind
    at: float


@dataclass
class World:
    """Hold one company with its connectors, and carry everything people decide from run to run.

    `now` is in seconds and is always given; time does not pass by itself. Accounts are named by address (the living
    account, else the one deleted last), people of a directory by object id.
    """

    company: Company = field(default_factory=Company)
    connectors: dict[str, Connector] = field(default_factory=dict)
    past: list[_Past] = field(default_factory=list)

    def run(self, directory: Directory, now: float, connector: str = "entra") -> End:
        """Play one completed run and return how it must end. A run that fails is not played: it changes nothing."""
        mine = self.connectors[connector]
        self._let_time_pass(now)
        recent = [one for one in self.past if one.connector == connector and now - one.at < DAY]
        back = {a.object_id for a in self.company.accounts if a.link == connector and a.status in _STANDING}
        mine.destroyed = frozenset(one.object_id for one in recent if one.kind in DESTRUCTIVE) - back
        mine.grown = frozenset(one.object_id for one in recent if one.kind in GROWTH)
        end = expected_after(self.company, mine, directory, now=now)
        for object_id, kind in end.done:
            counts = kind in DESTRUCTIVE or (kind in GROWTH and not mine.first_run)
            if counts and object_id not in end.approved:
                self.past.append(_Past(connector, object_id, kind, now))
        self.company, mine.memory, mine.first_run = end.company.copy(), set(end.memory), False
        return end

    def person_does(self, act: str, subject: str = "", *, now: float = 0, **details: object) -> None:
        """Play what a person does, by the name of one of the acts below (`person_does("disable", "jo@x.example")`)."""
        acts: dict[str, Callable[..., None]] = {
            "approve account": self.approve_account,
            "enable": self.enable,
            "disable": self.disable,
            "delete": self.delete,
            "restore": self.restore,
            "purge": self.purge,
            "convert": self.convert,
            "hand back": self.hand_back,
            "lift": self.lift,
            "create": self.create,
            "claim": self.claim,
            "set role": self.set_role,
            "approve change": self.approve_change,
            "keep": self.keep,
            "put right": self.put_right,
            "decline": self.decline,
            "same person": self.same_person,
            "someone else": self.someone_else,
            "confirm administrator": self.confirm_administrator,
            "set licences": self.set_licences,
            "change": self.change,
            "change rule": self.change_rule,
            "install": self.install,
            "remove": self.remove,
        }
        timed = {"delete", "restore", "approve account", "enable"}
        acts[act](*([subject] if subject else []), **details, **({"now": now} if act in timed else {}))

    # Acts on accounts

    def account(self, address: str) -> Account:
        """Return the account at an address: the living one, else the one deleted last."""
        found = [one for one in self.company.accounts if one.address == address.lower()]
        if not found:
            raise LookupError(f"No account has the address {address}.")
        return max(found, key=lambda one: (one.living, one.deleted_at, one.id))

    def approve_account(self, address: str, *, now: float = 0) -> None:
        account = self.account(address)
        self._expect(account, AccountStatus.PENDING)
        self._activate(account)

    def enable(self, address: str, *, now: float = 0) -> None:
        account = self.account(address)
        self._expect(account, AccountStatus.DISABLED)
        self._activate(account)

    def disable(self, address: str) -> None:
        account = self.account(address)
        self._expect(account, *_STANDING)
        account.status, account.disabled_by = AccountStatus.DISABLED, Hand.PERSON
        account.pending_reason, account.vouched = PendingReason.NONE, False

    def delete(self, address: str, *, now: float) -> None:
        account = self.account(address)
        account.status, account.deleted_by = AccountStatus.DELETED, Hand.PERSON
        account.deleted_at, account.restorable = now, True
        account.pending_reason, account.vouched = PendingReason.NONE, False
        account.barred = bool(account.object_id)
        self._leave_groups(account)

    def restore(self, address: str, *, now: float) -> None:
        """Bring a deleted account back: Disabled where it was, else Active; a person needs a licence for that."""
        account = self.account(address)
        self._expect(account, AccountStatus.DELETED)
        if account.disabled_by is Hand.NONE:
            self._activate(account)
        else:
            account.status = AccountStatus.DISABLED
        account.deleted_by, account.deleted_at, account.restorable = Hand.NONE, 0, False
        account.barred, account.vouched = False, True

    def purge(self, address: str) -> None:
        """Erase a deleted account: nothing brings it back, and its owner is nobody's."""
        account = self.account(address)
        self._expect(account, AccountStatus.DELETED)
        account.restorable = False
        if not account.barred:
            account.tenant_id = account.object_id = account.link = ""

    def convert(self, address: str) -> None:
        account = self.account(address)
        if not account.claimed:
            raise ValueError(f"{address} is not claimed.")
        account.status, account.role, account.managed_by = (
            AccountStatus.PERSONAL,
            AccountRole.USER,
            ManagedBy.PB,
        )
        account.link = account.tenant_id = account.object_id = ""
        account.disabled_by, account.pending_reason = Hand.NONE, PendingReason.NONE
        self._leave_groups(account)

    def hand_back(self, address: str) -> None:
        """Manage the account in Password Boss: its connector ignores the owner until that is lifted."""
        account = self.account(address)
        account.link, account.managed_by, account.barred = "", ManagedBy.PB, True

    def lift(self, address: str) -> None:
        self.account(address).barred = False

    def create(self, address: str, first_name: str = "", last_name: str = "", **details: object) -> None:
        """Create an account by hand, Active where a licence is free."""
        account = Account(self._next_id(), address, first_name, last_name, status=AccountStatus.PENDING)
        self.company.accounts.append(account)
        if self._licence_free:
            account.status, account.was_active = AccountStatus.ACTIVE, True
        else:
            account.pending_reason = PendingReason.LICENCE
        for name, value in details.items():
            setattr(account, name, value)

    def claim(self, address: str) -> None:
        self.account(address).claimed = True

    def set_role(self, address: str, role: AccountRole) -> None:
        self.account(address).role = role

    # Decisions about a connector's people

    def approve_change(self, object_id: str, *, connector: str = "entra") -> None:
        """Approve the held change as it is shown."""
        for mark in self._holds(connector, object_id):
            self.connectors[connector].memory.add(Decision(object_id, MarkKind.APPROVED, mark.value))

    def keep(self, object_id: str, *, directory: Directory, connector: str = "entra") -> None:
        """Keep the account in every situation that holds at this moment."""
        person = directory.people.get(object_id)
        mine = self.connectors[connector]
        if person is None:
            holds = {Situation.DELETED}
        else:
            holds = set() if person.enabled else {Situation.DISABLED}
            if object_id not in directory.members(mine.sync_group):
                holds.add(Situation.REMOVED)
            if not holds:
                holds = {Situation.RETURNED}
        for situation in holds:
            mine.memory.add(Decision(object_id, MarkKind.KEPT, situation.value))
        self._end_hold(connector, object_id)

    def put_right(self, *, addresses: Iterable[str], directory: Directory, connector: str = "entra") -> None:
        """Bring back whom a run disabled or deleted, while licences last: administrators first, then by address."""
        accounts = [self.account(address) for address in addresses]
        for account in sorted(accounts, key=lambda one: (one.role is not AccountRole.ADMIN, one.address)):
            self._expect(account, AccountStatus.DISABLED, AccountStatus.DELETED)
            if account.status is AccountStatus.DELETED:
                self.restore(account.email, now=0)
            else:
                self._activate(account)
            if account.link == connector:
                self.keep(account.object_id, directory=directory, connector=connector)

    def decline(self, object_id: str, *, connector: str = "entra") -> None:
        self.connectors[connector].memory.add(Decision(object_id, MarkKind.DECLINED))
        self._end_hold(connector, object_id)

    def same_person(self, object_id: str, *, address: str, connector: str = "entra") -> None:
        self._decide(connector, object_id, MarkKind.SAME_PERSON, address)

    def someone_else(self, object_id: str, *, address: str, connector: str = "entra") -> None:
        self._decide(connector, object_id, MarkKind.SOMEONE_ELSE, address)

    def confirm_administrator(self, object_id: str, *, address: str, connector: str = "entra") -> None:
        self._decide(connector, object_id, MarkKind.CONFIRMED, address)

    # Settings and the connector's life

    def set_licences(self, *, licences: int | None) -> None:
        self.company.licences = licences

    def change(self, connector: str = "entra", **settings: object) -> None:
        """Change what a connector is set to: sync_group, additional, direct_members_only, brake …"""
        self.connectors[connector] = replace(self.connectors[connector], **settings)  # type: ignore[arg-type]

    def change_rule(self, *, situation: Situation, action: Action, connector: str = "entra") -> None:
        mine = self.connectors[connector]
        mine.rules = mine.rules | {situation: action}

    def install(
        self, connector: str = "entra", *, tenant_id: str, sync_group: str, brake: Brake | None = None, **more: object
    ) -> None:
        """Install a connector, also again: it begins without memory, and nobody is linked to it."""
        mine = Connector(connector, tenant_id, sync_group, brake=brake or Brake())
        self.connectors[connector] = replace(mine, **more)  # type: ignore[arg-type]
        self.past = [one for one in self.past if one.connector != connector]

    def remove(self, connector: str = "entra") -> None:
        """Remove a connector: accounts and groups stay and are handed back, with their Microsoft identity."""
        del self.connectors[connector]
        handed_back: list[Account | Group] = [*self.company.accounts, *self.company.groups]
        for one in handed_back:
            if one.link == connector:
                one.link, one.managed_by = "", ManagedBy.PB

    # Below the acts

    @property
    def _licence_free(self) -> bool:
        return self.company.licences is None or self.company.active < self.company.licences

    def _next_id(self) -> int:
        return max((one.id for one in self.company.accounts), default=0) + 1

    def _expect(self, account: Account, *statuses: AccountStatus) -> None:
        if account.status not in statuses:
            raise ValueError(f"{account.email} is {account.status.label}.")

    def _activate(self, account: Account) -> None:
        if not self._licence_free:
            raise ValueError(f"No licence is left for {account.email}.")
        account.status, account.was_active, account.vouched = AccountStatus.ACTIVE, True, True
        account.disabled_by, account.pending_reason = Hand.NONE, PendingReason.NONE

    def _leave_groups(self, account: Account) -> None:
        for group in self.company.groups:
            group.members.discard(account.id)

    def _holds(self, connector: str, object_id: str) -> set[Decision]:
        memory = self.connectors[connector].memory
        return {one for one in memory if one.object_id == object_id and one.kind is MarkKind.HELD}

    def _end_hold(self, connector: str, object_id: str) -> None:
        """A person decided against the held change: neither the hold nor an approval is left."""
        self.connectors[connector].memory -= self._holds(connector, object_id)

    def _decide(self, connector: str, object_id: str, kind: MarkKind, address: str) -> None:
        self.connectors[connector].memory.add(Decision(object_id, kind, str(self.account(address).id)))

    def _let_time_pass(self, now: float) -> None:
        for account in self.company.accounts:
            if not account.living and now - account.deleted_at >= KEPT_DAYS * DAY:
                account.restorable = False
