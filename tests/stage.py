"""A connector on a stage: an emulated tenant, a company, and a saved connector between them, for tests of the shell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from connectors.models import AccountLink, Connector, SelectedGroup, SyncChange, SyncRule, SyncRun
from connectors.states import Action, ConnectorStatus, RunTrigger, Situation
from connectors.sync import Result, run
from tenants.models import Account, Company, GroupMembership, Partner
from tests.entra_emulator import Emulator, Group, Tenant, User


class Clock:
    """A clock that a test moves by hand; it begins now, since the database and leases also look at real ones."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


class Stage:
    """Hold one company whose connector is saved and has not run yet.

    `people` become members of the sync group. The emulator must be installed while anything runs.
    """

    def __init__(
        self,
        emulator: Emulator,
        *people: str,
        name: str = "Brightwater Logistics",
        domain: str = "brightwater.example",
        licences: int | None = None,
        additional: Iterable[str] = (),
        rules: dict[Situation, Action] | None = None,
        **connector: Any,
    ) -> None:
        self.emulator = emulator
        self.clock = Clock()
        self.tenant: Tenant = emulator.add_tenant(name, domain=domain)
        self.app = self.tenant.register_app(roles=("Group.Read.All", "User.Read.All"), consented=True)
        self.group: Group = self.tenant.add_group("Password Boss Users")
        self.people: dict[str, User] = {}
        partner, _ = Partner.objects.get_or_create(name="Harbour Ridge IT", defaults={"slug": "harbour-ridge"})
        self.company = Company.objects.create(
            partner=partner, name=name, slug=name.lower().replace(" ", "-"), licences=licences
        )
        self.connector = Connector.objects.create(
            company=self.company,
            tenant=self.tenant.id,
            tenant_id=self.tenant.id,
            client_id=self.app.client_id,
            secret=self.app.secret,
            status=ConnectorStatus.WAITING,
            sync_group_id=self.group.id,
            sync_group_name=self.group.display_name,
            **connector,
        )
        for situation, action in (rules or {}).items():
            SyncRule.objects.create(connector=self.connector, situation=situation, action=action)
        self.groups = {display: self.select(display) for display in additional}
        for person in people:
            self.hire(person)

    def select(self, display_name: str) -> Group:
        """Add a directory group and select it as an additional one."""
        group = self.tenant.add_group(display_name)
        SelectedGroup.objects.create(connector=self.connector, directory_id=group.id, name=display_name)
        Connector.objects.filter(pk=self.connector.pk).update(quiet_digest="")
        return group

    def hire(self, name: str, **properties: Any) -> User:
        """Add a person such as "Ada Lovelace" to the directory and to the sync group."""
        first, _, last = name.partition(" ")
        properties.setdefault("mail", f"{first.lower()}@{self.tenant.domain}")
        user = self.tenant.add_user(name, given_name=first, surname=last, **properties)
        self.tenant.add_member(self.group.id, user.id)
        self.people[first.lower()] = user
        return user

    def hire_many(self, number: int) -> None:
        """Hire people with numbers for names."""
        for index in range(number):
            self.hire(f"Person{index:05d} Number{index:05d}")

    def run(self, trigger: RunTrigger = RunTrigger.SCHEDULE, clock: Callable[[], datetime] | None = None) -> Result:
        """Run the connector once, by the stage's clock."""
        return run(self.connector.pk, trigger, clock=clock or self.clock)

    def refreshed(self) -> Connector:
        """Return the connector's row as it is now."""
        self.connector.refresh_from_db()
        return self.connector

    def statuses(self) -> dict[str, str]:
        """Map the local part of each account's email to its status."""
        rows = Account.objects.filter(company=self.company).order_by("pk").values_list("email", "status")
        return {email.partition("@")[0]: status for email, status in rows}

    def changes(self, result: Result) -> list[tuple[str, str, str]]:
        """Return a run's lines as (outcome, kind or cause, local part of the email or name), sorted."""
        assert result.run is not None
        return sorted(
            (change.outcome, change.kind or change.cause, change.email.partition("@")[0] or change.name)
            for change in SyncChange.objects.filter(run=result.run)
        )

    def members(self) -> dict[str, set[str]]:
        """Map each group's name to the local parts of its members' emails."""
        found: dict[str, set[str]] = {group.name: set() for group in self.company.groups.all()}
        rows = GroupMembership.objects.filter(group__company=self.company)
        for name, email in rows.values_list("group__name", "account__email"):
            found[name].add(email.partition("@")[0])
        return found

    def account(self, first_name: str) -> Account:
        """Return the account whose email begins with a first name."""
        return Account.objects.get(company=self.company, email__startswith=f"{first_name.lower()}@")

    def runs(self) -> list[SyncRun]:
        """Return every record of the connector, oldest first."""
        return list(SyncRun.objects.filter(connector=self.connector).order_by("pk"))

    def links(self) -> int:
        """Return how many accounts the connector may change."""
        return AccountLink.objects.filter(connector=self.connector).count()
