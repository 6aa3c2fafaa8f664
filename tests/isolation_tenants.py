"""Three companies full of canary words, one row of every model in each, and everybody who might look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Model

from connectors.models import (
    AccountLink,
    Connector,
    ConsentRequest,
    Event,
    GroupLink,
    Letter,
    PersonMark,
    SelectedGroup,
    SyncChange,
    SyncRule,
    SyncRun,
)
from connectors.states import Action, ChangeKind, LetterKind, MarkKind, Outcome, RunState, RunTrigger, Situation
from tenants.models import AuditEntry, Company, GroupMembership, Partner, StaffMembership, Subscription, User
from tenants.roles import Role
from tenants.states import AccountRole, AccountStatus, EventKind
from tests.world import make_account, make_company, make_group, make_operator, make_partner, make_staff

AT = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)


class Standing(StrEnum):
    """Name what a visitor is to the company that a page is about."""

    ANONYMOUS = "anonymous"
    OPERATOR = "operator"
    ADMINISTRATOR = "partner administrator"
    TECHNICIAN = "partner technician"
    VIEWER = "partner viewer"
    OTHER_STAFF = "another partner's staff"
    COMPANY_ADMINISTRATOR = "company administrator"
    COMPANY_USER = "company user"
    OTHER_COMPANY = "another company's administrator"
    WAITING = "administrator whose account is not active"


OUTSIDE = frozenset({Standing.ANONYMOUS, Standing.OTHER_STAFF, Standing.OTHER_COMPANY, Standing.WAITING})
"""Standings of who may not even learn that the company exists."""


@dataclass(frozen=True)
class Tenant:
    """Hold one company: the word that is in its own texts, the one in all that belongs to it, and a row per model."""

    outer: str
    inner: str
    company: Company
    rows: dict[str, Model] = field(default_factory=dict)

    def row(self, label: str) -> Model:
        """Return the company's row of a model, such as "tenants.account"; raise where there is none."""
        if label not in self.rows:
            raise LookupError(f"No row of {label} is made in isolation_tenants.py: add one with the canary word.")
        return self.rows[label]


@dataclass(frozen=True)
class Scene:
    """Hold the tenants, and each visitor with what they are to each tenant."""

    tenants: dict[str, Tenant]
    visitors: dict[str, User | AnonymousUser]
    standings: dict[str, dict[str, Standing]]

    def home_of(self, visitor: str) -> str:
        """Return the tenant that is the visitor's own; of a stranger or operator, any."""
        return "foreign" if visitor.startswith("other") else "home"

    def untouchable(self, visitor: str) -> set[str]:
        """Return whose rows the visitor can in no way change: of tenants outside, and where they only look."""
        able = {
            Standing.OPERATOR,
            Standing.ADMINISTRATOR,
            Standing.TECHNICIAN,
            Standing.COMPANY_ADMINISTRATOR,
        }
        found = set()
        for name, tenant in self.tenants.items():
            standing = self.standings[visitor][name]
            if standing not in able:
                found.add(f"company {tenant.company.pk}")
            if standing not in able - {Standing.COMPANY_ADMINISTRATOR}:
                found.add(f"partner {tenant.company.partner_id}")
        return found

    def forbidden(self, visitor: str) -> Iterator[str]:
        """Return the words that may be in nothing the visitor is shown."""
        for name, tenant in self.tenants.items():
            standing = self.standings[visitor][name]
            if standing in OUTSIDE:
                yield tenant.outer
            if standing in OUTSIDE | {Standing.COMPANY_USER}:
                yield tenant.inner


def tenant_models() -> list[type[Model]]:
    """Return every model whose rows belong to a tenant."""
    labels = ("tenants", "connectors")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    return [model for model in models if "partner_path" in vars(model)]


def make_scene() -> Scene:
    """Save home and sibling, two companies of one partner, and foreign, a company of another; and the visitors."""
    partner, foreign_partner = make_partner("Quillfeather IT"), make_partner("Zephyrine IT")
    home = make_tenant(partner, "Quillfeather", "Quillinner")
    sibling = make_tenant(partner, "Marrowby", "Marrowinner")
    foreign = make_tenant(foreign_partner, "Zephyrine", "Zephyrinner")
    make_staff(partner, name="Quillfeather staff")
    tenants = {"home": home, "sibling": sibling, "foreign": foreign}

    def staff(role: Role) -> User:
        return make_staff(partner, role, name="Somebody")

    def owner(company: Company, status: AccountStatus = AccountStatus.ACTIVE, **fields: Any) -> User:
        user = make_account(company, status, email=f"owner-{len(visitors)}@x.example", claimed=True, **fields).user
        assert user is not None
        return user

    visitors: dict[str, User | AnonymousUser] = {}
    visitors["anonymous"] = AnonymousUser()
    visitors["operator"] = make_operator()
    visitors["administrator"] = staff(Role.PARTNER_ADMINISTRATOR)
    visitors["technician"] = staff(Role.PARTNER_TECHNICIAN)
    visitors["viewer"] = staff(Role.PARTNER_VIEWER)
    visitors["other partner"] = make_staff(foreign_partner, name="Somebody")
    visitors["company administrator"] = owner(home.company, role=AccountRole.ADMIN)
    visitors["company user"] = owner(home.company)
    visitors["other company"] = owner(foreign.company, role=AccountRole.ADMIN)
    visitors["waiting"] = owner(home.company, AccountStatus.PENDING, role=AccountRole.ADMIN)

    def everywhere(standing: Standing) -> dict[str, Standing]:
        return dict.fromkeys(tenants, standing)

    def at_partner(role: Standing) -> dict[str, Standing]:
        return {"home": role, "sibling": role, "foreign": Standing.OTHER_STAFF}

    def at_home(role: Standing) -> dict[str, Standing]:
        return {"home": role, "sibling": Standing.OTHER_COMPANY, "foreign": Standing.OTHER_COMPANY}

    standings = {
        "anonymous": everywhere(Standing.ANONYMOUS),
        "operator": everywhere(Standing.OPERATOR),
        "administrator": at_partner(Standing.ADMINISTRATOR),
        "technician": at_partner(Standing.TECHNICIAN),
        "viewer": at_partner(Standing.VIEWER),
        "other partner": everywhere(Standing.OTHER_STAFF) | {"foreign": Standing.ADMINISTRATOR},
        "company administrator": at_home(Standing.COMPANY_ADMINISTRATOR),
        "company user": at_home(Standing.COMPANY_USER),
        "other company": everywhere(Standing.OTHER_COMPANY) | {"foreign": Standing.COMPANY_ADMINISTRATOR},
        "waiting": at_home(Standing.WAITING),
    }
    return Scene(tenants, visitors, standings)


def make_tenant(partner: Partner, outer: str, inner: str) -> Tenant:
    """Save a company with one row of every model, a canary word in every text."""
    company = make_company(partner, f"{outer} Ltd", notification_emails=[f"it@{inner}.example"])
    account = make_account(
        company,
        first_name=inner,
        last_name=inner,
        email=f"{inner}@x.example".lower(),
        identified=True,
        claimed=True,
    )
    group = make_group(
        company,
        f"{inner} group",
        account,
        managed_by="azure_ad",
        directory_tenant_id="tenant",
        directory_object_id=f"{inner}-group".lower(),
    )
    connector = Connector.objects.create(
        company=company,
        name=f"{inner} connector",
        tenant=f"{inner}.example",
        client_id=inner,
        sync_group_name=inner,
        status_sentence=inner,
        failure=inner,
        pause_reason=inner,
    )
    run = SyncRun.objects.create(
        connector=connector,
        company=company,
        connector_name=connector.name,
        trigger=RunTrigger.MANUAL,
        state=RunState.SUCCEEDED,
        by_label=inner,
        started_at=AT,
        finished_at=AT,
        sentence=inner,
        reference=inner,
    )
    staff = make_staff(partner, name=f"{outer} staff")
    event = Event.objects.create(
        company=company, connector=connector, kind=EventKind.UNAUTHORIZED, what=inner, began_at=AT, told_at=AT
    )
    saved: list[Model] = [
        partner,
        company,
        account,
        group,
        connector,
        run,
        StaffMembership.objects.get(user=staff),
        Subscription.objects.create(membership=StaffMembership.objects.get(user=staff), kinds=[EventKind.HELD]),
        event,
        Letter.objects.create(
            event=event, kind=LetterKind.BEGAN, address=f"it@{inner}.example", detail={"sentence": inner}
        ),
        GroupMembership.objects.get(group=group),
        AuditEntry.objects.create(
            partner=partner,
            company=company,
            company_name=company.name,
            actor_label=inner,
            action="canary.sung",
            subject=inner,
            detail={"word": inner},
        ),
        SelectedGroup.objects.create(connector=connector, directory_id=inner, name=inner, sentence=inner),
        SyncRule.objects.create(connector=connector, situation=Situation.REMOVED, action=Action.DELETE),
        AccountLink.objects.create(connector=connector, account=account, directory_email=f"{inner}@y.example"),
        GroupLink.objects.create(connector=connector, group=group),
        ConsentRequest.objects.create(
            connector=connector, user=account.user, state_hash=inner, session_hash=inner, generation=1, expires_at=AT
        ),
        PersonMark.objects.create(connector=connector, object_id=inner, kind=MarkKind.DECLINED, by=inner),
        SyncChange.objects.create(
            run=run,
            connector=connector,
            outcome=Outcome.APPLIED,
            kind=ChangeKind.RENAME,
            account=account,
            name=inner,
            email=f"{inner}@x.example",
            before=inner,
            after=inner,
            because=inner,
        ),
    ]
    return Tenant(outer, inner, company, {row._meta.label_lower: row for row in saved})


Rows = dict[tuple[str, int], tuple[str, dict[str, Any]]]
"""(model, key) → whose row it is, and what it holds."""


def rows_of_everybody() -> Rows:
    """Return every row of every tenant's models, to tell whether a request changed any."""
    rows: Rows = {}
    for model in tenant_models():
        kind = "company" if vars(model)["company_path"] is not None else "partner"
        owner = F(vars(model)[f"{kind}_path"] or "pk")
        for values in model._default_manager.annotate(owner_of_row=owner).values():
            whose = f"{kind} {values.pop('owner_of_row')}"
            rows[model._meta.label_lower, values["id"]] = (whose, values)
    return rows


def owners_of_changes(before: Rows, after: Rows) -> set[str]:
    """Return whose rows were added, changed or deleted."""
    keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return {rows[key][0] for key in keys for rows in (before, after) if key in rows}
