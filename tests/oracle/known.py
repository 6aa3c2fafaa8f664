"""What a run knows: who is in scope, whose account is whose, which situations hold, what is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from connectors.directory import GroupState, Person
from connectors.states import DESTRUCTIVE, ChangeKind, HoldCause, LeftOutReason, MarkKind, Situation, SkipReason
from tenants.states import AccountStatus, Hand
from tests.oracle.facts import Account, Company, Connector, Decision, Directory, End

_MICROSOFTS = (".onmicrosoft.com", ".onmicrosoft.us", ".onmschina.cn")


def usable_address(person: Person, *, allow_onmicrosoft: bool) -> str:
    """Return the person's address in lower case, '' where the directory has no usable one."""
    address = (person.mail.strip() or person.user_principal_name.strip()).lower()
    if len(address) > 254 or "#ext#" in address:
        return ""
    if not (person.mail.strip() or person.user_principal_name.strip()).partition("@")[0].isascii():
        return ""
    if address.endswith(_MICROSOFTS) and not allow_onmicrosoft:
        return ""
    try:
        validate_email(address)
        address.partition("@")[2].encode("idna")
    except (ValidationError, UnicodeError):
        return ""
    return address


def names_of(person: Person) -> tuple[str, str]:
    """Return first and last name as the directory has them, ('', '') where it has none at all."""
    if person.given_name or person.surname:
        return person.given_name, person.surname
    return person.display_name, ""


@dataclass
class Known:
    """Hold a run's copy of the company, and answer the questions product.md's rules ask of it."""

    before: Company
    connector: Connector
    directory: Directory
    now: float
    spared: frozenset[int] = frozenset()
    """The last administrators, by account id: found by playing the run once without sparing anybody."""

    leaving_admins: frozenset[int] = frozenset()
    scope: set[str] = field(default_factory=set)
    obstructed: set[tuple[str, ChangeKind, bool]] = field(default_factory=set)
    """Of whom the rules ask what cannot be done, and whether REMOVED asks it: such holds and approvals do not end."""

    questions: dict[str, str] = field(default_factory=dict)
    """Newcomers whose address another account has, and its id."""

    def __post_init__(self) -> None:
        self.company = self.before.copy()
        self.end = End(self.company, memory=set(self.connector.memory))
        self.complete = self.directory.state(self.connector.sync_group) is GroupState.COMPLETE

    # Who is who

    def _read_scope(self) -> None:
        for account in self.company.accounts:
            if self._linked(account) and account.here and account.object_id in self.directory.unread:
                self._skip(account.object_id, SkipReason.UNREAD)
        if not self.complete:
            return
        for object_id, via in self.directory.members(self.connector.sync_group).items():
            if object_id in self.directory.unread:
                continue
            if self.connector.leave_out_guests and self.directory.people[object_id].guest:
                self.end.left_out[object_id] = LeftOutReason.GUEST
            elif self.connector.direct_members_only and via:
                self.end.left_out[object_id] = LeftOutReason.NESTED
            else:
                self.scope.add(object_id)

    def _enabled_in_scope(self, object_id: str) -> bool:
        return object_id in self.scope and self.directory.people[object_id].enabled

    def _ours(self, account: Account) -> bool:
        """Say whether the account's identity is one of this tenant."""
        return bool(account.object_id) and account.tenant_id == self.connector.tenant_id

    def _linked(self, account: Account) -> bool:
        return account.link == self.connector.name

    def _returnable(self, account: Account) -> bool:
        """Say whether it is a deleted account that its owner's return brings back."""
        gone = account.status is AccountStatus.DELETED and account.deleted_by is Hand.CONNECTOR
        return gone and account.restorable and not account.barred

    def _account_of(self, object_id: str) -> Account | None:
        """Return the account a person has: the living one, else the newest the connector deleted.

        Whose living account was handed back has none that concerns a connector.
        """
        theirs = [one for one in self.company.accounts if self._ours(one) and one.object_id == object_id]
        living = [one for one in theirs if one.here]
        deleted = [] if self._barred(object_id) else [one for one in theirs if self._returnable(one)]
        if any(one.barred for one in living):
            return None
        return max(living or deleted, key=lambda one: (self._linked(one), one.id), default=None)

    def _barred(self, object_id: str) -> SkipReason | None:
        for account in self.company.accounts:
            if account.barred and self._ours(account) and account.object_id == object_id:
                return SkipReason.HANDED_BACK if account.living else SkipReason.DELETED_BY_PERSON
        return None

    def _address(self, object_id: str) -> str:
        person = self.directory.people[object_id]
        return usable_address(person, allow_onmicrosoft=self.connector.allow_onmicrosoft)

    def _situations(self, account: Account) -> set[Situation]:
        if account.object_id in self.directory.unread:
            return set()
        person = self.directory.people.get(account.object_id)
        if person is None:
            return {Situation.DELETED}
        found = set()
        if not person.enabled:
            found.add(Situation.DISABLED)
        if self.complete and account.object_id not in self.scope:
            found.add(Situation.REMOVED)
        by_connector = account.status is AccountStatus.DISABLED and account.disabled_by is Hand.CONNECTOR
        if self._enabled_in_scope(account.object_id) and (by_connector or self._returnable(account)):
            found.add(Situation.RETURNED)
        return found

    # What is remembered

    def _marked(self, object_id: str, kind: MarkKind) -> set[Decision]:
        return {one for one in self.end.memory if one.object_id == object_id and one.kind is kind}

    def _kept(self, object_id: str, situation: Situation) -> bool:
        return Decision(object_id, MarkKind.KEPT, situation.value) in self.end.memory

    def _decided(self, object_id: str, kind: MarkKind, account: Account) -> bool:
        return Decision(object_id, kind, str(account.id)) in self.end.memory

    def _approves(self, object_id: str, kind: ChangeKind) -> bool:
        return Decision(object_id, MarkKind.APPROVED, kind.value) in self.end.memory

    def _covered(self, object_id: str, kinds: frozenset[ChangeKind]) -> bool:
        """Say whether a hold from before covers whatever of its family is asked of the person now.

        A hold of the brake covers whatever would destroy, a hold of growth whatever would create or restore:
        who came back in between is not kept out by it. That nobody is in the group covers REMOVED alone.
        """
        marks = self._marked(object_id, MarkKind.HELD) | self._marked(object_id, MarkKind.APPROVED)
        waits = kinds == DESTRUCTIVE and self._waits_for_group(object_id)
        return not waits and any(mark.value in kinds for mark in marks)

    def _waits_for_group(self, object_id: str) -> bool:
        """Say whether REMOVED was held because nobody was in the group."""
        return any(mark.other == HoldCause.EMPTY_GROUP for mark in self._marked(object_id, MarkKind.HELD))

    def _forget_what_ended(self) -> None:
        """End what positive evidence ends: kept situations, declined creations, bars."""
        left = self.complete and bool(self.scope)
        for mark in set(self.end.memory):
            if mark.object_id in self.directory.unread:
                continue
            person = self.directory.people.get(mark.object_id)
            if mark.kind is MarkKind.KEPT:
                over = {
                    Situation.DISABLED: person is None or person.enabled,
                    Situation.DELETED: person is not None,
                    Situation.REMOVED: self.complete and (person is None or mark.object_id in self.scope),
                    Situation.RETURNED: self.complete and not self._has_returned(mark.object_id),
                    Situation.NEW: self.complete and mark.object_id not in self.scope,
                }[Situation(mark.value)]
            else:
                over = mark.kind is MarkKind.DECLINED and left and mark.object_id not in self.scope
            if over:
                self.end.memory.discard(mark)
        for account in self.company.accounts:
            if account.barred and not account.living and self._ours(account) and left:
                account.barred = account.object_id in self.scope | self.directory.unread

    def _has_returned(self, object_id: str) -> bool:
        account = self._account_of(object_id)
        return account is not None and Situation.RETURNED in self._situations(account)

    def _keep_what_people_vouched_for(self) -> None:
        for account in self.company.accounts:
            if account.vouched and self._linked(account) and account.object_id not in self.directory.unread:
                holds = self._situations(account)
                if not self.complete and Situation.DELETED not in holds:
                    holds.add(Situation.REMOVED)  # it may hold still: nobody can tell, so nobody may lose by it
                for situation in holds & account.situations:
                    self.end.memory.add(Decision(account.object_id, MarkKind.KEPT, situation.value))
                account.vouched = False

    # What is written down

    def _did(self, object_id: str, kind: ChangeKind) -> None:
        self.end.done.append((object_id, kind))

    def _skip(self, object_id: str, reason: SkipReason) -> None:
        self.end.skipped.add((object_id, reason))

    def _obstruct(self, object_id: str, kinds: frozenset[ChangeKind], *, removed: bool = False) -> None:
        self.obstructed |= {(object_id, kind, by) for kind in kinds for by in {False, removed}}

    def _hold(self, object_id: str, kind: ChangeKind, cause: HoldCause) -> None:
        self.end.held[object_id] = kind
        for mark in self._marked(object_id, MarkKind.HELD):
            self.end.memory.discard(mark)
        self.end.memory.add(Decision(object_id, MarkKind.HELD, kind.value, cause.value))
