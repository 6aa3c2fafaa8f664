"""What the demo begins with: the cast, its companies, and who had an account before any directory was connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.test.utils import override_settings

from connectors import lifecycle
from connectors.models import Connector
from connectors.states import Action, Cloud, Situation
from tenants import companies
from tenants.models import Account, Company, Partner, User
from tenants.states import AccountRole, AccountStatus, Hand
from tests import world
from tests.demo.microsoft import NORTHMOOR
from tests.entra_emulator import people

BRIGHTWATER_LICENCES = 112
"""Three less than its first synchronisation could use."""

ADDITIONAL = (
    "Board",
    "Customer Service",
    "Finance",
    "IT",
    "Leads of O'Brien & Sons",
    "Lost Property",
    "Project Heron",
    "Sales",
    "Yard Announcements",
)
"""Groups that Brightwater mirrors: one cannot be read, one is empty, one holds itself by way of another."""

RULES: Mapping[Situation, Action] = {Situation.DELETED: Action.DELETE}
"""Where Brightwater's rules are not the recommended ones."""

SETTINGS: Mapping[str, bool] = {"leave_out_guests": True}


SILENT: Mapping[str, bool] = {"send_invitations": False}
"""Where thousands come at once, nobody reads what is written to them."""


@dataclass(frozen=True)
class Connected:
    """Hold a company that the demo connects, and the directory that it is connected to."""

    company: str
    domain: str
    cloud: Cloud = Cloud.GLOBAL
    additional: tuple[str, ...] = ()
    actions: Mapping[Situation, Action] | None = None
    settings: Mapping[str, bool] | None = None


CONNECTED = (
    Connected("Brightwater Logistics", people.BRIGHTWATER, additional=ADDITIONAL, actions=RULES, settings=SETTINGS),
    Connected("Harbour Authority", people.HARBOUR, Cloud.US_GOVERNMENT),
    Connected("Lotus River Trading", people.LOTUS_RIVER, Cloud.CHINA),
    Connected("Northmoor Foods", NORTHMOOR, settings=SILENT),
)
"""Companies that are connected when the demo stays."""

LEFT_FOR_YOU = "Sable Street Brewing"
"""The company that whoever looks at the demo may connect."""


@dataclass(frozen=True)
class Left:
    """Hold a company that whoever looks at the demo installs a connector for: where, as whom, and with what."""

    company: str
    domain: str
    portal: str
    email: str
    consent: str


TO_INSTALL = (
    Left(LEFT_FOR_YOU, people.SABLE_STREET, "user portal", "delia@sablestreet.example", "was given already"),
    Left(
        "Copper Lantern Hotels",
        people.COPPER_LANTERN,
        "partner portal",
        "maren@harbourridge.example",
        "is asked for: choose Ivy Lantern, who may give it, or Max Copper, who may not",
    ),
)
"""One for each portal; the second one's directory has not consented."""


PEOPLE = (
    ("maren@harbourridge.example", "administrator of the partner Harbour Ridge IT"),
    ("tomasz@harbourridge.example", "technician there"),
    ("priya@harbourridge.example", "viewer there"),
    ("joost@northgate.example", "administrator of another partner, Northgate Systems"),
    ("operator@portal.example", "operator of the installation"),
    ("amara.okafor@brightwater.example", "administrator of the company Brightwater Logistics, in the user portal"),
    ("delia@sablestreet.example", "administrator of the company Sable Street Brewing, in the user portal"),
)
"""Who can sign in: all but the last two to the partner portal."""


def seed() -> None:
    """Save partners, staff, companies and the accounts of before, all or nothing; what is there already stays."""
    if Partner.objects.exists():
        return
    strong = settings.PASSWORD_HASHERS
    # Everybody has one password, and hashing it well takes a while: once is enough.
    with transaction.atomic(), override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        cast = world.seed_cast()
        companies.set_licences(cast.brightwater, BRIGHTWATER_LICENCES, actor=cast.maren)
        world.make_company(cast.harbour, "Harbour Authority", licences=20)
        world.make_company(cast.harbour, "Copper Lantern Hotels", licences=10)
        world.make_company(cast.harbour, "Northmoor Foods")
        world.make_company(cast.elsewhere, "Lotus River Trading", licences=3)
        _accounts_of_before(cast.brightwater)
        world.make_group(cast.brightwater, "First aiders", cast.amara)
        with override_settings(PASSWORD_HASHERS=strong):
            User.objects.update(password=make_password(world.PASSWORD))


def _accounts_of_before(company: Company) -> None:
    """Save accounts that people of Brightwater's directory had before it was connected."""

    def account(local: str, first_name: str, last_name: str, status: AccountStatus, **fields: object) -> Account:
        email = f"{local}@{people.BRIGHTWATER}"
        return world.make_account(company, status, email=email, first_name=first_name, last_name=last_name, **fields)

    account("margaret.ashdown", "Maggie", "Ashdown", AccountStatus.ACTIVE)
    account("daniel.harcourt", "Daniel", "Harcourt", AccountStatus.ACTIVE, role=AccountRole.ADMIN, claimed=True)
    account("callum.fraser", "Callum", "Fraser", AccountStatus.DISABLED, disabled_by=Hand.PERSON)
    account("zoe.baptiste", "Zoë", "Baptiste", AccountStatus.PERSONAL, claimed=True)


def maren() -> User:
    """Return the administrator of the partner, who does what people do in the demo."""
    found: User = User.objects.get(email="maren@harbourridge.example")
    return found


def connect_all() -> None:
    """Connect every company that has no connector yet, by the code that `manage.py connector install` uses."""
    for one in CONNECTED:
        company = Company.objects.get(name=one.company)
        if not company.connectors.exists():
            connect(
                company,
                one.domain,
                cloud=one.cloud,
                additional=one.additional,
                actions=one.actions or {},
                settings=one.settings or {},
            )


def connect(
    company: Company,
    domain: str,
    *,
    cloud: Cloud = Cloud.GLOBAL,
    sync_group: str = people.SYNC_GROUP,
    additional: Sequence[str] = (),
    actions: Mapping[Situation, Action] | None = None,
    settings: Mapping[str, bool] | None = None,
    secret: str = "",
) -> Connector:
    """Prove and save a connector of a company to the tenant of a domain; groups by id or exact name.

    Without a secret it is the one that the application was registered with.
    """
    client_id, registered = people.portal_application(domain)
    setup = lifecycle.prepare(
        company,
        tenant=domain,
        client_id=client_id,
        secret=secret or registered,
        cloud=cloud,
        sync_group=sync_group,
        additional=additional,
        actions=actions or {},
        settings=settings or {},
    )
    return lifecycle.carry_out(setup, actor=maren())
