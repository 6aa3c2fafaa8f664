"""One run as product.md tells it, from top to bottom, on a copy of the company.

The room's shape is the text's, not a planner's: the company is changed step by step and looked at again. Where the
text asks for what a run *would* do (the last administrators), the run is played, and played again.
"""

from __future__ import annotations

from connectors.directory import GroupState
from connectors.states import DESTRUCTIVE, GROWTH, LEAVING, ChangeKind, HoldCause, MarkKind, Situation
from tenants.states import AccountStatus, ManagedBy
from tests.oracle.facts import Company, Connector, Decision, Directory, End, Group
from tests.oracle.joining import Joining
from tests.oracle.known import names_of


def expected_after(company: Company, connector: Connector, directory: Directory, *, now: float = 0) -> End:
    """Return how a run of this connector must end; nothing given is changed. `now` orders who waits longest."""
    run = _Run(company, connector, directory, now)
    if run.leaving_admins and not run.another_admin_active:
        run = _Run(company, connector, directory, now, spared=run.leaving_admins)
    return run.end


def _families(kind: ChangeKind | None) -> set[str]:
    """Return what a hold of this kind is a hold of: destruction, growth, adoption."""
    named = {"destruction": DESTRUCTIVE, "growth": GROWTH, "adoption": {ChangeKind.ADOPT}}
    return {name for name, kinds in named.items() if kind in kinds}


class _Run(Joining):
    def __post_init__(self) -> None:
        super().__post_init__()
        self._read_scope()
        self._forget_what_ended()
        if self.complete:
            self._relink()
        self._keep_what_people_vouched_for()
        if self.complete:
            self._recognise()
            self._adopt()
        self._leave()
        if self.complete:
            self._return_and_join()
            self._rename()
            self._mirror()
        self._remember()

    def _rename(self) -> None:
        for account in self.company.accounts:
            person = self.directory.people.get(account.object_id)
            if not (self._linked(account) and account.here) or person is None:
                continue
            if account.object_id in self.directory.unread:
                continue
            if any(names := names_of(person)) and names != (account.first_name, account.last_name):
                account.first_name, account.last_name = names
                self._did(account.object_id, ChangeKind.RENAME)
            reported = (person.mail.strip() or person.user_principal_name.strip()).lower()
            account.directory_email = self._address(account.object_id) or reported or account.directory_email

    def _mirror(self) -> None:
        groups = self.company.groups
        for group in groups:
            if group.link == self.connector.name and group.directory_id not in self.connector.additional:
                self._hand_back(group)
        for directory_id in self.connector.additional:
            state = self.directory.state(directory_id)
            same = [g for g in groups if self._is_mirror(g, directory_id)]
            mirror = max(same, key=lambda g: (g.link == self.connector.name, g.id), default=None)
            if state is GroupState.GONE and mirror is not None and mirror.link == self.connector.name:
                self._hand_back(mirror)
            if state is not GroupState.COMPLETE:
                continue
            unread = {
                one.id for one in self.company.accounts if self._linked(one) and one.object_id in self.directory.unread
            }
            members = self._mirrored(directory_id) - unread
            if mirror is None and members:
                mirror = Group(id=max((g.id for g in groups), default=0) + 1, name="")
                groups.append(mirror)
            if mirror is not None:
                mirror.tenant_id, mirror.directory_id = self.connector.tenant_id, directory_id
                mirror.link, mirror.managed_by = self.connector.name, ManagedBy.AZURE_AD
                mirror.name = self.directory.groups[directory_id].name or mirror.name
                mirror.members = members | (mirror.members & unread)

    def _is_mirror(self, group: Group, directory_id: str) -> bool:
        ours = group.tenant_id == self.connector.tenant_id and group.directory_id == directory_id
        return ours and group.link in ("", self.connector.name)

    def _mirrored(self, directory_id: str) -> set[int]:
        people = {
            object_id
            for object_id, via in self.directory.members(directory_id).items()
            if not (via and self.connector.direct_members_only)
        }
        return {
            account.id
            for account in self.company.accounts
            if self._linked(account) and account.status is AccountStatus.ACTIVE and account.object_id in people
        }

    def _hand_back(self, group: Group) -> None:
        group.link, group.managed_by = "", ManagedBy.PB

    def _still_waits(self, mark: Decision) -> bool:
        """Say whether a hold or an approval is in force after the run: it is not shown, so it waits for something.

        Only what a person approved is what was waited for: DISABLED may do something weaker to somebody whose
        REMOVED change is held, or cannot be done, and that leaves REMOVED, and what was approved of it, as it was.
        """
        if _families(ChangeKind(mark.value)) & _families(self.end.held.get(mark.object_id)):
            return True
        unknown = mark.object_id in self.directory.unread or not self.complete
        obstructed = (mark.object_id, mark.value, mark.other == HoldCause.EMPTY_GROUP) in self.obstructed
        return mark.object_id not in self.end.approved and (unknown or obstructed)

    def _remember(self) -> None:
        """End the holds and approvals of those of whom nothing is asked any more, or whose change was made."""
        for mark in set(self.end.memory):
            unknown = not self.complete or mark.object_id in self.directory.unread
            if mark.kind in (MarkKind.HELD, MarkKind.APPROVED):
                waits = self._still_waits(mark)
            elif mark.kind in (MarkKind.SAME_PERSON, MarkKind.SOMEONE_ELSE):
                asked = self.questions.get(mark.object_id) == mark.value
                if mark.kind is MarkKind.SAME_PERSON:
                    # Used at once or not at all, but where its owner may be there, and could not be seen.
                    owner = next((one for one in self.company.accounts if str(one.id) == mark.value), None)
                    asked &= owner is not None and self._ours(owner) and owner.object_id in self.directory.unread
                waits = unknown or asked
            elif mark.kind is MarkKind.CONFIRMED:
                waits = unknown or self.end.held.get(mark.object_id) is ChangeKind.ADOPT
            else:
                continue
            if not waits:
                self.end.memory.discard(mark)
        for account in self.company.accounts:
            if self._linked(account) and account.object_id not in self.directory.unread:
                found = self._situations(account) & LEAVING
                known = set(Situation) if self.complete else {Situation.DISABLED, Situation.DELETED}
                account.situations = frozenset(found) | (account.situations - known)
