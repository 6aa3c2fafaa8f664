"""The cast: builders for everybody of tenants, and the partners, companies and people that tests and demo share."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.test import Client
from django.utils.text import slugify

from tenants.models import Account, Company, Group, GroupMembership, Partner, StaffMembership, User
from tenants.roles import Role
from tenants.states import AccountRole, AccountStatus, Hand, LoginKind, ManagedBy, PendingReason

if TYPE_CHECKING:
    from django.test import Client

PASSWORD = "correct horse battery staple"
"""Everybody's; it opens nothing but a made-up portal."""

TENANT = "3f0c7d1e-52a8-4b69-9e47-0d6a1b8c2f35"
"""A directory tenant for identities that no test reads from a directory."""

_numbers = itertools.count(1)


def make_partner(name: str = "Harbour Ridge IT", **fields: Any) -> Partner:
    """Save a partner."""
    return Partner.objects.create(name=name, slug=fields.pop("slug", slugify(name)), **fields)


def make_operator(email: str = "operator@portal.example", name: str = "Ines Carvalho") -> User:
    """Save an operator's login."""
    return User.objects.create_superuser(email, PASSWORD, name=name)


def make_staff(
    partner: Partner,
    role: Role = Role.PARTNER_ADMINISTRATOR,
    *,
    name: str = "Maren Lindqvist",
    email: str = "",
) -> User:
    """Save a staff login with a role in the partner."""
    email = email or f"{slugify(name) or 'staff'}-{next(_numbers)}@{partner.slug}.example"
    user = User.objects.create_user(email, PASSWORD, name=name, kind=LoginKind.STAFF)
    StaffMembership.objects.create(partner=partner, user=user, role=role)
    return user


def make_company(
    partner: Partner | None = None,
    name: str = "Brightwater Logistics",
    *,
    licences: int | None = None,
    **fields: Any,
) -> Company:
    """Save a company; without a partner it gets one of its own."""
    partner = partner or make_partner(f"Partner {next(_numbers)}")
    slug = fields.pop("slug", "") or slugify(name) or f"company-{next(_numbers)}"
    return Company.objects.create(partner=partner, name=name, slug=slug, licences=licences, **fields)


def make_account(
    company: Company,
    status: AccountStatus = AccountStatus.ACTIVE,
    *,
    email: str = "",
    claimed: bool = False,
    identified: bool = False,
    **fields: Any,
) -> Account:
    """Save an account with all that its status implies; `claimed` gives it a login, `identified` an identity."""
    number = next(_numbers)
    email = email or f"person-{number}@{company.slug}.example"
    implied: dict[str, Any] = {
        AccountStatus.ACTIVE: {"was_active": True},
        AccountStatus.PENDING: {
            "pending_reason": PendingReason.RULE,
            "waiting_since": datetime(2026, 11, 1, tzinfo=UTC),
        },
        AccountStatus.DISABLED: {"was_active": True, "disabled_by": Hand.PERSON},
        AccountStatus.DELETED: {
            "was_active": True,
            "deleted_by": Hand.PERSON,
            "deleted_at": datetime(2026, 11, 1, tzinfo=UTC),
            "restorable_until": datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=365_000),
        },
        AccountStatus.PERSONAL: {"was_active": True},
    }[status]
    if identified:
        implied |= {
            "managed_by": ManagedBy.AZURE_AD,
            "directory_tenant_id": TENANT,
            "directory_object_id": f"00000000-0000-4000-8000-{number:012d}",
        }
    if claimed:
        implied["user"] = User.objects.create_user(email, PASSWORD, kind=LoginKind.COMPANY)
    named = {} if {"first_name", "last_name"} & fields.keys() else {"first_name": "Person", "last_name": str(number)}
    return Account.objects.create(company=company, email=email, status=status, **(named | implied | fields))


def make_group(company: Company, name: str = "Dispatch", *members: Account, **fields: Any) -> Group:
    """Save a group with its members."""
    group = Group.objects.create(company=company, name=name, **fields)
    GroupMembership.objects.bulk_create(GroupMembership(group=group, account=account) for account in members)
    return group


@dataclass(frozen=True)
class Cast:
    """Hold the named people and companies of the made-up world."""

    operator: User
    harbour: Partner
    maren: User
    tomasz: User
    grace: User
    viewer: User
    brightwater: Company
    amara: Account
    sable: Company
    delia: Account
    elsewhere: Partner
    elsewhere_admin: User
    quarrystone: Company
    quarrystone_admin: Account


def seed_cast() -> Cast:
    """Save the cast: Harbour Ridge IT with its people and two companies, and a partner that is none of its business."""
    operator = make_operator()
    harbour = make_partner("Harbour Ridge IT")
    domain = "harbourridge.example"
    maren = make_staff(harbour, Role.PARTNER_ADMINISTRATOR, name="Maren Lindqvist", email=f"maren@{domain}")
    tomasz = make_staff(harbour, Role.PARTNER_TECHNICIAN, name="Tomasz Wiśniewski", email=f"tomasz@{domain}")
    grace = make_staff(harbour, Role.PARTNER_TECHNICIAN, name="Grace Okonkwo", email=f"grace@{domain}")
    viewer = make_staff(harbour, Role.PARTNER_VIEWER, name="Priya Raman", email=f"priya@{domain}")
    brightwater = make_company(harbour, "Brightwater Logistics", licences=210)
    sable = make_company(harbour, "Sable Street Brewing", licences=40)
    elsewhere = make_partner("Northgate Systems")
    quarrystone = make_company(elsewhere, "Quarrystone Legal", licences=25)
    return Cast(
        operator=operator,
        harbour=harbour,
        maren=maren,
        tomasz=tomasz,
        grace=grace,
        viewer=viewer,
        brightwater=brightwater,
        amara=_administrator(brightwater, "Amara", "Okafor", "amara.okafor@brightwater.example"),
        sable=sable,
        delia=_administrator(sable, "Delia", "Marsh", "delia@sablestreet.example"),
        elsewhere=elsewhere,
        elsewhere_admin=make_staff(elsewhere, name="Joost van Rijn", email="joost@northgate.example"),
        quarrystone=quarrystone,
        quarrystone_admin=_administrator(quarrystone, "Ingrid", "Solheim", "ingrid@quarrystone.example"),
    )


def _administrator(company: Company, first_name: str, last_name: str, email: str) -> Account:
    return make_account(
        company,
        first_name=first_name,
        last_name=last_name,
        email=email,
        role=AccountRole.ADMIN,
        claimed=True,
    )


def confirm_again(client: Client, *, seconds_ago: float = 0) -> None:
    """Let whoever is signed in have confirmed who they are, as with the password, so long ago."""
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time() - seconds_ago, "reauthenticated": True}
    ]
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session.save()


def entering(user: User) -> Client:
    """Return a browser in which somebody is signed in."""
    client = Client()
    client.force_login(user)
    return client
