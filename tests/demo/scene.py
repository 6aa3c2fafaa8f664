"""One company of the story: its real connector, its directory, and the oracle's world that lives beside them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_q.models import OrmQ, Schedule

from connectors import schedule
from connectors.models import Connector, SyncRun
from connectors.states import ConnectorStatus, RunState, RunTrigger, SkipReason
from tenants.models import Account, Company
from tenants.states import AccountStatus
from tests.demo.directory import directory_of
from tests.demo.passing import let_pass
from tests.demo.portal import Portal
from tests.demo.seed import maren
from tests.demo.seen import company_seen, contradictions, end_seen
from tests.oracle import Account as OracleAccount
from tests.oracle import Directory, End, World, differences

ENTRA = "entra"
"""The connector's name in the oracle's world."""

STEP_SECONDS = 60.0
POSTPONED = timedelta(minutes=5)
NONE = "none"


class TookTooLong(Exception):
    """Something did not happen in time; the text says what was seen instead."""


@dataclass
class Outcome:
    """Hold what one step expected and saw, the runs it caused, and where the two differ."""

    expected: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def must(self, is_so: bool, otherwise: str) -> None:
        """Note a difference unless something is so."""
        if not is_so:
            self.differences.append(otherwise)


class Scene:
    """Hold one company on the stage.

    A step changes the directory, or lets a person act, here and in `world`; `run` then has the real worker synchronise
    and compares what came of it with what the oracle expects. What differs is noted in `outcome`.
    """

    def __init__(self, portal: Portal, company_name: str, domain: str) -> None:
        self.portal = portal
        self.microsoft = portal.microsoft
        self.company = Company.objects.get(name=company_name)
        self.domain = domain
        self.tenant = portal.microsoft.tenant(domain)
        self.actor = maren()
        self.passed = timedelta()
        self.world = World(company=company_seen(self.company, {}))
        self.outcome = Outcome()
        self.notes: dict[str, str] = {}
        """Ids that one step hands on to a later one."""
        self._runs_before: set[int] = set()

    def beside(self, company_name: str, domain: str) -> Scene:
        """Return the scene of another company, whose differences are this one's."""
        other = Scene(self.portal, company_name, domain)
        other.outcome = self.outcome
        return other

    # Where things stand

    @property
    def connector(self) -> Connector:
        """Return the connector's row as it is now; the newest one, where one was removed."""
        found: Connector = Connector.objects.filter(company=self.company).latest("pk")
        return found

    @property
    def now(self) -> float:
        """Return the oracle's time, in seconds."""
        return time.time() + self.passed.total_seconds()

    def directory(self) -> Directory:
        """Return the directory as it truly is."""
        return directory_of(self.tenant.describe())

    def seen(self) -> End:
        """Return how the company really is, and what the last completed run says."""
        return end_seen(self.connector, ENTRA)

    def address(self, local: str) -> str:
        """Return the company's address with this local part; a whole address stays."""
        return local if "@" in local else f"{local}@{self.domain}"

    def person(self, local: str) -> Any:
        """Return the living person of the directory who has an address."""
        return self.tenant.user(self.address(local))

    def account(self, local: str) -> Account:
        """Return the living account at an address, else the one deleted last."""
        found = Account.objects.filter(company=self.company, email__iexact=self.address(local))
        return max(found, key=lambda one: (one.status != AccountStatus.DELETED, one.deleted_at or one.created_at))

    # What happens to people

    def hire(self, name: str, *groups: str, local: str = "", **properties: Any) -> Any:
        """Add a person such as "Ada Lovelace" to the directory, and to groups by id."""
        first, _, last = name.partition(" ")
        mail = self.address(local or f"{first}.{last}".lower().replace(" ", ""))
        user = self.tenant.add_user(name, **{"given_name": first, "surname": last, "mail": mail} | properties)
        for group in groups:
            self.tenant.add_member(group, user.id)
        return user

    def let_pass(self, **amount: float) -> None:
        """Let time pass, for the portal, for the directory and for the oracle."""
        time_passed = timedelta(**amount)
        let_pass(time_passed)
        self.microsoft.clock.advance(time_passed.total_seconds())
        self.passed += time_passed

    # Running

    def run(
        self,
        says: Mapping[str, str] | None = None,
        *,
        held: int | None = None,
        skipped: Mapping[str, SkipReason] | None = None,
        groups: Mapping[str, str] | None = None,
        request: bool = True,
    ) -> list[SyncRun]:
        """Have the worker synchronise, and compare the end with the oracle's.

        The rest are the story's own words of what must come of it, so that a step in which nothing happens does not
        pass unseen: statuses by address ("none" where there is no account), how many are held, reasons by object id,
        and groups by name, as "Azure AD, 3".
        """
        directory = self.directory()
        runs = self.synchronise(request=request)
        for one in runs:
            self.outcome.must(one.state == RunState.SUCCEEDED, f"the run {one.state}: {one.sentence}")
        self.expect(self.world.run(directory, self.now, ENTRA), says, held=held, skipped=skipped, groups=groups)
        return runs

    def expect(
        self,
        expected: End,
        says: Mapping[str, str] | None = None,
        *,
        held: int | None = None,
        skipped: Mapping[str, SkipReason] | None = None,
        groups: Mapping[str, str] | None = None,
    ) -> None:
        """Compare the company with an end of the oracle, and both with the story's words."""
        seen = self.seen()
        self.note(expected, seen, ConnectorStatus.CONNECTED, list(says or ()))
        told = self.outcome.expected
        for local, words in (says or {}).items():
            got = told["people"][self.address(local)]
            self.outcome.must(got == words, f"{local}: the story says {words}, the oracle {got}")
        for object_id, reason in (skipped or {}).items():
            self.outcome.must((object_id, reason) in expected.skipped, f"{object_id}: the oracle does not say {reason}")
        for name, words in (groups or {}).items():
            got = told["groups"].get(name, NONE)
            self.outcome.must(got == words, f"group {name}: the story says {words}, the oracle {got}")
        if held is not None:
            count = len(expected.held)
            self.outcome.must(count == held, f"the story says {held} are held, the oracle {count}")
        self._agree(seen)

    def run_in_vain(self, status: ConnectorStatus = ConnectorStatus.CONNECTED) -> SyncRun:
        """Have the worker try, and see that the run fails with a sentence and nothing changes; return the run."""
        before = self.seen()
        runs = self.synchronise()
        if len(runs) != 1:
            raise AssertionError(f"{len(runs)} runs were made, not one.")
        self.unchanged(before, status)
        self.outcome.must(runs[0].state == RunState.FAILED, f"the run {runs[0].state}, and should have failed")
        self.outcome.must(bool(runs[0].sentence), "the failed run says nothing")
        return runs[0]

    def unchanged(self, before: End, status: ConnectorStatus) -> None:
        """See that nothing changed since a moment ago, and that the connector has the status it must have."""
        self.note(before, self.seen(), status, [])

    def synchronise(self, *, request: bool = True) -> list[SyncRun]:
        """Ask for a run as a person does, unless an act has asked already; return the runs that ended since."""
        self.postpone_the_schedule()
        if request:
            self.request()
        return self.runs_since()

    def request(self) -> None:
        """Ask for a run as a person does."""
        schedule.request(self.connector.pk, RunTrigger.MANUAL, self.actor.pk)

    def postpone_the_schedule(self) -> None:
        """Keep the schedule from running in the middle of what a step changes by several requests."""
        Schedule.objects.filter(name__startswith="sync:").update(next_run=timezone.now() + POSTPONED)

    def runs_since(self) -> list[SyncRun]:
        """Wait until the queue is empty and no run goes on; return the runs since the last time."""
        rows = Connector.objects.filter(company=self.company)
        runs = SyncRun.objects.filter(company=self.company).order_by("pk")

        def settled() -> bool:
            busy = rows.exclude(lease_token="", run_again="").exists()
            return not (busy or OrmQ.objects.exists() or runs.filter(state=RunState.RUNNING).exists())

        self.wait(settled, "the queue is not empty, or a run goes on")
        found = [one for one in runs if one.pk not in self._runs_before]
        self._runs_before |= {one.pk for one in found}
        self.outcome.runs += [one.pk for one in found]
        return found

    def wait(self, is_so: Callable[[], object], otherwise: str, *, pause: float = 0.03) -> None:
        """Wait until something is so; raises TookTooLong with what was seen instead."""
        end = time.monotonic() + STEP_SECONDS
        while not is_so():
            if (ended := self.portal.processes.ended()) is not None:
                raise TookTooLong(f"The {ended.name} has ended by itself. It said:\n{ended.last_words()}")
            if time.monotonic() > end:
                said = self.portal.worker.last_words(10)
                raise TookTooLong(f"After {STEP_SECONDS:g} seconds {otherwise}. The worker said last:\n{said}")
            time.sleep(pause)

    # Comparing

    def note(self, expected: End, seen: End, status: ConnectorStatus, locals_: Iterable[str]) -> None:
        """Put both ends into the outcome, and every difference."""
        connector = self.connector
        addresses = [self.address(local) for local in locals_]
        self.outcome.expected = summary(expected, status, addresses)
        self.outcome.seen = summary(seen, ConnectorStatus(connector.status), addresses)
        self.outcome.differences += differences(expected, seen) + contradictions(connector)
        self.outcome.must(connector.status == status, f"the connector is {connector.status}, not {status}")

    def recover(self) -> None:
        """Go on from what is really there, after a step that was not as expected."""
        seen = self.seen()
        for account in seen.company.accounts:
            account.deleted_at += self.passed.total_seconds()
            account.waiting_since += self.passed.total_seconds()
        self.world.company = seen.company
        if ENTRA in self.world.connectors:
            self.world.connectors[ENTRA].memory = seen.memory

    def _agree(self, seen: End) -> None:
        """Give the oracle's accounts and groups the ids of the real ones that they were found equal to."""
        company = self.world.company
        ids = _pairs(company.accounts, seen.company.accounts, _account_key)
        for account in company.accounts:
            account.id = ids[account.id]
        groups = _pairs(company.groups, seen.company.groups, lambda one: (one.directory_id or one.name,))
        for group in company.groups:
            group.id = groups[group.id]
            group.members = {ids[one] for one in group.members}


def _account_key(account: OracleAccount) -> tuple[str, ...]:
    return account.address, account.object_id, account.status


def _pairs(mine: list[Any], theirs: list[Any], key: Callable[[Any], tuple[str, ...]]) -> dict[int, int]:
    """Map my ids to theirs, by key and order; what has no counterpart gets an id that nothing real has."""
    free: dict[tuple[str, ...], list[int]] = {}
    for one in sorted(theirs, key=lambda one: one.id):
        free.setdefault(key(one), []).append(one.id)
    found = {}
    for number, one in enumerate(sorted(mine, key=lambda one: one.id), start=1):
        waiting = free.get(key(one))
        found[one.id] = waiting.pop(0) if waiting else -number
    return found


def summary(end: End, status: ConnectorStatus, addresses: Iterable[str]) -> dict[str, Any]:
    """Tell an end in a few numbers, and in full of the people it is about."""
    company = end.company
    told: dict[str, Any] = {
        "status": status.label,
        "accounts": dict(Counter(one.status.label for one in company.accounts if one.living or one.restorable)),
        "groups": {group.name: f"{group.managed_by.label}, {len(group.members)}" for group in company.groups},
        "held": dict(Counter(kind.label for kind in end.held.values())),
        "skipped": dict(sorted(Counter(str(reason) for _, reason in end.skipped).items())),
        "left out": len(end.left_out),
    }
    if people := {address: _status_of(end, address) for address in addresses}:
        told["people"] = people
    return told


def _status_of(end: End, address: str) -> str:
    found = [one for one in end.company.accounts if one.address == address.lower()]
    if not found:
        return NONE
    return max(found, key=lambda one: (one.living, one.deleted_at, one.id)).status.label
