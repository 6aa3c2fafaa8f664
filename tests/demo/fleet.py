"""The other companies of the demo, in all kinds of states, and the directories that they are connected to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.entra_emulator import Emulator
from tests.entra_emulator.objects import directory_id
from tests.entra_emulator.people import SYNC_GROUP, register_connector

ADDITIONAL = "Leadership"
"""The additional group of a company that has one; nobody may read its members."""


class Kind(StrEnum):
    """Name the state that a company is in."""

    FINE = "fine"
    APPROVALS = "people wait for approval"
    HELD = "changes are held"
    GROWTH = "new accounts are held"
    EMPTY = "nobody is in the sync group"
    MISSING = "the sync group was deleted"
    UNREADABLE = "an additional group cannot be read"
    SKIPPED = "people are skipped"
    SHORT = "licences are short"
    OVER = "more licences are in use than there are"
    SOON = "the secret ends soon"
    THROTTLED = "slowed by Microsoft"
    UNREACHABLE = "Microsoft is unreachable"
    PAUSED = "paused"
    WAITING = "waits for its first run"
    SECRET_EXPIRED = "Microsoft says that the secret has expired"
    SECRET_WRONG = "Microsoft says that the secret is wrong"
    NO_CONSENT = "the consent was withdrawn"
    APP_GONE = "the application was deleted"
    TENANT_GONE = "the tenant was deleted"
    AT_TOKEN = "its setup was left at the first step"
    AT_GROUPS = "its setup was left at the third step"
    AT_RULES = "its setup was left at the last step"
    REMOVED = "its connector was removed"
    NEVER = "never installed"


UNAUTHORIZED = (Kind.SECRET_EXPIRED, Kind.SECRET_WRONG, Kind.NO_CONSENT, Kind.APP_GONE, Kind.TENANT_GONE)
UNFINISHED = (Kind.AT_TOKEN, Kind.AT_GROUPS, Kind.AT_RULES)
WITHOUT_DIRECTORY = frozenset({*UNAUTHORIZED, Kind.AT_TOKEN, Kind.REMOVED, Kind.NEVER})
"""Kinds whose connector asks Microsoft for nothing, or for what is not there any more."""


@dataclass(frozen=True)
class Made:
    """Hold one company: `people` have an account through its connector, and `days` are left of its secret.

    `more` is how many its state is about: who is held, skipped, waits for a licence or for approval.
    """

    name: str
    domain: str
    kind: Kind = Kind.FINE
    people: int = 0
    licences: int | None = None
    more: int = 0
    days: int | None = 400
    partner: str = "harbour"

    @property
    def group(self) -> str:
        """Return the object id of its sync group."""
        return directory_id(directory_id("tenant", self.domain), "group", SYNC_GROUP)


FLEET = (
    Made("Kestrel & Vale Architects", "kestrelvale.example", Kind.SECRET_EXPIRED, 48, 60, days=-1),
    Made("Aldermoor Dental Group", "aldermoor.example", Kind.NO_CONSENT, 86, 90),
    Made("Blackthorn Surveyors", "blackthorn.example", Kind.SECRET_WRONG, 17, 25, days=None),
    Made("Quay Street Partners", "quaystreet.example", Kind.APP_GONE, 23, None),
    Made("Larkfield Studios", "larkfield.example", Kind.TENANT_GONE, 9, 10, days=None),
    Made("Coldwater Marine", "coldwatermarine.example", Kind.HELD, 41, 50, more=12),
    Made("Ashgrove Housing", "ashgrove.example", Kind.GROWTH, 22, None, more=26),
    Made("北山精機", "kitayama-seiki.example", Kind.EMPTY, 34, 40, days=None),
    Made("Παπαδάκης Ναυτιλιακή", "papadakis-shipping.example", Kind.MISSING, 31, 35, days=311),
    Made("Harrow & Finch Insurance", "harrowfinch.example", Kind.SHORT, 24, 25, more=5),
    Made("Amberley Motors", "amberleymotors.example", Kind.OVER, 19, 15),
    Made("Oakhaven Primary Trust", "oakhaven.example", Kind.SOON, 58, 80, days=5),
    Made("Solway Wind", "solwaywind.example", Kind.SOON, 26, None, days=24),
    Made("Tannhäuser Feinkost GmbH", "tannhaeuser.example", Kind.UNREACHABLE, 19, 25, days=258),
    Made("Дніпро Агро", "dnipro-agro.example", Kind.THROTTLED, 35, 60, days=49),
    Made("Lumen Veterinary Partners", "lumenvets.example", Kind.SKIPPED, 27, 40, more=4, days=145),
    Made("Maple & Rye Bakery", "maplerye.example", Kind.UNREADABLE, 14, 20),
    Made("Meridian Legal LLP", "meridianlegal.example", Kind.PAUSED, 34, 50, days=241),
    Made("Juniper Wealth", "juniperwealth.example", Kind.PAUSED, 12, 12),
    Made("Vantage Optics", "vantageoptics.example", Kind.APPROVALS, 16, 30, more=3),
    Made("Larch Hill Nurseries", "larchhill.example", Kind.AT_TOKEN, 0, 15, days=None),
    Made("Pemberton Freight", "pembertonfreight.example", Kind.AT_GROUPS, 0, 45),
    Made("Stonebridge Accountants", "stonebridge.example", Kind.AT_RULES, 0, 30),
    Made("حداد وأبناؤه", "haddad-sons.example", Kind.WAITING, 0, 25, more=11, days=728),
    Made("Silverdale Farms", "silverdale.example", Kind.REMOVED, 13, 20, days=None),
    Made("Windrush Publishing", "windrush.example", Kind.NEVER, 6, 10),
    Made("Holloway Glass", "hollowayglass.example", Kind.NEVER, 0, 35),
    Made("Corvid Security", "corvidsecurity.example", Kind.NEVER, 0, None),
    Made("Fjordlys Energi AS", "fjordlys.example", people=36, licences=50, days=72),
    Made("Rosewood Care Homes", "rosewoodcare.example", people=92, licences=120, days=177),
    Made("Te Awa Health", "teawahealth.example", people=43, licences=60, days=317),
    Made("Greyfriars School", "greyfriars.example", people=51, licences=None, days=201),
    Made("Ferncliff Hotels", "ferncliff.example", people=38, licences=40, days=133),
    Made("Nordlicht Verlag", "nordlicht.example", people=21, licences=25, days=None),
    Made("Saltmarsh Ceramics", "saltmarsh.example", people=8, licences=10, days=365),
    Made("Bramble Court Vets", "bramblecourt.example", people=11, licences=15, partner="elsewhere"),
    Made("Ostler Haulage", "ostler.example", Kind.SECRET_EXPIRED, 14, 20, days=-3, partner="elsewhere"),
)
"""Nobody of these is in the story; the last two are of a partner whom Harbour Ridge IT knows nothing of."""

_FIRST = [
    "Amelia",
    "Bjarne",
    "Chidi",
    "Daria",
    "Edmund",
    "Farah",
    "Gethin",
    "Hana",
    "Isak",
    "Joelle",
    "Kofi",
    "Leonie",
    "Matteo",
    "Niamh",
    "Omar",
    "Petra",
    "Quentin",
    "Ruta",
    "Samir",
    "Talia",
    "Ugo",
    "Vesna",
    "Wilf",
    "Xenia",
    "Yara",
    "Zeno",
]
_LAST = [
    "Ainsworth",
    "Bakker",
    "Castellan",
    "Drummond",
    "Eklund",
    "Fairweather",
    "Grünberg",
    "Hashemi",
    "Ivanova",
    "Jardine",
    "Kovács",
    "Larsen",
    "Mbatha",
    "Novák",
    "Osei",
    "Pettersson",
    "Quinlan",
    "Rahimi",
    "Sandoval",
    "Thackeray",
    "Ueda",
    "Vasquez",
    "Wetherby",
    "Yilmaz",
]


@dataclass(frozen=True)
class Person:
    """Hold one person of a directory."""

    id: str
    first_name: str
    last_name: str
    email: str
    """'' for somebody whose only address is one of the directory's own."""


def people_of(made: Made) -> Iterator[Person]:
    """Return a company's people without end, always the same ones: first those who have an account."""
    tenant = directory_id("tenant", made.domain)
    start = int(tenant[:6], 16)
    for number in itertools.count():
        first = _FIRST[(start + number) % len(_FIRST)]
        last = _LAST[(start // 7 + number * 5 + number // len(_FIRST)) % len(_LAST)]
        plain = last.replace("ü", "ue").replace("á", "a").lower()
        twin = number // (len(_FIRST) * len(_LAST))
        local = f"{first.lower()}.{plain}{twin or ''}"
        skipped = made.kind is Kind.SKIPPED and made.people <= number < made.people + made.more
        yield Person(directory_id(tenant, "person", number), first, last, "" if skipped else f"{local}@{made.domain}")


def in_directory(made: Made) -> list[Person]:
    """Return everybody who is in a company's directory; where changes are held, they are of people with an account."""
    number = made.people if made.kind is Kind.HELD else made.people + made.more
    return list(itertools.islice(people_of(made), number))


def administrator_of(made: Made) -> Person:
    """Return who administers the company in Password Boss, and is in no directory."""
    one = next(itertools.islice(people_of(made), 500, None))
    return Person("", one.first_name, one.last_name, f"office@{made.domain}")


def in_group(made: Made) -> list[Person]:
    """Return everybody who is in its sync group."""
    everybody = in_directory(made)
    if made.kind is Kind.EMPTY:
        return []
    return everybody[made.more :] if made.kind is Kind.HELD else everybody


def make_tenants(emulator: Emulator) -> None:
    """Build the directories that connectors of these companies go on reading by themselves."""
    for made in FLEET:
        if made.kind in WITHOUT_DIRECTORY:
            continue
        tenant = emulator.add_tenant(made.name, domain=made.domain)
        group = tenant.add_group(SYNC_GROUP, id=made.group)
        for person in in_directory(made):
            tenant.add_user(
                f"{person.first_name} {person.last_name}",
                id=person.id,
                given_name=person.first_name,
                surname=person.last_name,
                mail=person.email or None,
                user_principal_name=person.email or f"terminal-{person.id[:8]}@{tenant.initial_domain}",
            )
        tenant.add_members(group.id, [person.id for person in in_group(made)])
        client_id = register_connector(tenant)
        if made.kind is Kind.UNREADABLE:
            hidden = tenant.add_group(ADDITIONAL, id=additional_of(made), visibility="HiddenMembership")
            tenant.add_members(hidden.id, [person.id for person in in_group(made)[:3]])
        if made.kind is Kind.MISSING:
            tenant.delete_group(group.id)
        if made.kind is Kind.UNREACHABLE:
            emulator.faults.add(client_id=client_id, path="/v1.0/", status=503, times=None)
        if made.kind is Kind.THROTTLED:
            emulator.faults.add(client_id=client_id, path="/v1.0/", status=429, retry_after=1_800, times=None)


def additional_of(made: Made) -> str:
    """Return the object id of its additional group."""
    return directory_id(directory_id("tenant", made.domain), "group", ADDITIONAL)
