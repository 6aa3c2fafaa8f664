"""The demo's tenants: Brightwater Logistics with every awkward kind of person and group, and its neighbours."""

from __future__ import annotations

from typing import Any

from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.emulator import Emulator
from tests.entra_emulator.objects import READ_GROUPS, READ_USERS, User, directory_id

BRIGHTWATER = "brightwater.example"
SABLE_STREET = "sablestreet.example"
HARBOUR = "harbourauthority.example"
LOTUS_RIVER = "lotusriver.example"
COPPER_LANTERN = "copperlantern.example"
MAKER = "passwordboss.example"
SYNC_GROUP = "Password Boss Users"

# department: (given name, surname, part of the address before the @)
STAFF: dict[str, list[tuple[str, str, str]]] = {
    "Board": [
        ("Margaret", "Ashdown", "margaret.ashdown"),
        ("Henrik", "Sørensen", "henrik.sorensen"),
        ("Adaeze", "Okonkwo", "adaeze.okonkwo"),
    ],
    "Finance": [
        ("Priya", "Raghunathan", "priya.raghunathan"),
        ("Tomasz", "Wójcik", "tomasz.wojcik"),
        ("Siobhán", "O'Brien", "siobhan.obrien"),
        ("Eleanor", "Whitcombe", "eleanor.whitcombe"),
        ("Jürgen", "Großmann", "juergen.grossmann"),
        ("Beatriz", "da Conceição", "beatriz.conceicao"),
        ("Noor", "van der Berg", "noor.vanderberg"),
        ("Callum", "Fraser", "callum.fraser"),
        ("Ayşe", "Yıldırım", "ayse.yildirim"),
        ("Grace", "Mbeki", "grace.mbeki"),
    ],
    "IT": [
        ("Daniel", "Harcourt", "daniel.harcourt"),
        ("Oluwaseun", "Adeyemi", "seun.adeyemi"),
        ("Ingrid", "Halvorsen", "ingrid.halvorsen"),
        ("Łukasz", "Żółkiewski", "lukasz.zolkiewski"),
        ("Дмитро", "Коваленко", "dmytro.kovalenko"),
        ("健太", "佐藤", "kenta.sato"),
        ("Anjali", "Deshpande", "anjali.deshpande"),
        ("Marek", "Dvořák", "marek.dvorak"),
    ],
    "People": [
        ("Charlotte", "Penhaligon", "charlotte.penhaligon"),
        ("Γεωργία", "Παπαδοπούλου", "georgia.papadopoulou"),
        ("Fatima", "El-Amrani", "fatima.elamrani"),
        ("Rhys", "ap Gruffydd", "rhys.apgruffydd"),
        ("Yael", "Ben-Ami", "yael.benami"),
        ("Joanna", "Kowalczyk", "joanna.kowalczyk"),
    ],
    "Sales": [
        ("Isabella", "Moretti", "isabella.moretti"),
        ("Ἀλέξανδρος", "Νικολαΐδης", "alexandros.nikolaidis"),
        ("Mohammed", "al-Farsi", "mohammed.alfarsi"),
        ("Sofia", "Lindqvist", "sofia.lindqvist"),
        ("Пётр", "Смирнов", "pyotr.smirnov"),
        ("Chloé", "Lefèvre", "chloe.lefevre"),
        ("Benjamin", "Oyelaran", "benjamin.oyelaran"),
        ("Mei Ling", "Tan", "meiling.tan"),
        ("Diego", "Hernández Ibáñez", "diego.hernandez"),
        ("Hannah", "Goldstein", "hannah.goldstein"),
        ("Rajesh", "Iyer", "rajesh.iyer"),
        ("Agnieszka", "Wiśniewska", "agnieszka.wisniewska"),
        ("Jack", "Thornbury", "jack.thornbury"),
        ("Zoë", "Baptiste", "zoe.baptiste"),
        ("Emre", "Demir", "emre.demir"),
        ("Katarzyna", "Nowak-Szymańska", "katarzyna.nowak"),
    ],
    "Customer Service": [
        ("Lucy", "Meadows", "lucy.meadows"),
        ("عائشة", "الهاشمي", "aisha.alhashimi"),
        ("יוסף", "כהן", "yosef.cohen"),
        ("伟", "王", "wei.wang"),
        ("さくら", "田中", "sakura.tanaka"),
        ("민준", "김", "minjun.kim"),
        ("प्रिया", "शर्मा", "priya.sharma"),
        ("สมชาย", "ใจดี", "somchai.jaidee"),
        ("Nguyễn Thị", "Hồng Nhung", "nhung.nguyen"),
        ("Oksana", "Шевченко", "oksana.shevchenko"),
        ("Patrick", "Ó Súilleabháin", "patrick.osuilleabhain"),
        ("Amara", "Diallo", "amara.diallo"),
        ("Ruth", "Cartwright", "ruth.cartwright"),
        ("Piotr", "Zając", "piotr.zajac"),
        ("Leilani", "Kealoha", "leilani.kealoha"),
        ("Viktor", "Horvat", "viktor.horvat"),
    ],
    "Warehouse": [
        ("George", "Tanner", "george.tanner"),
        ("Stanisław", "Mazur", "stanislaw.mazur"),
        ("Florin", "Ionescu", "florin.ionescu"),
        ("Kwame", "Asante", "kwame.asante"),
        ("Bogdan", "Petrov", "bogdan.petrov"),
        ("Deepak", "Chaudhary", "deepak.chaudhary"),
        ("Maria", "Santos", "maria.santos"),
        ("Ahmed", "Khalil", "ahmed.khalil"),
        ("Laima", "Kazlauskienė", "laima.kazlauskiene"),
        ("Terrence", "Boyd", "terrence.boyd"),
        ("Samira", "Haddad", "samira.haddad"),
        ("Juan", "Peña", "juan.pena"),
        ("Olga", "Ivanova", "olga.ivanova"),
        ("Wesley", "Achterberg", "wesley.achterberg"),
        ("Tadeusz", "Górski", "tadeusz.gorski"),
        ("Blessing", "Eze", "blessing.eze"),
    ],
    "Night Shift": [
        ("Ivan", "Kozlov", "ivan.kozlov"),
        ("Ewa", "Sikora", "ewa.sikora"),
        ("Hussein", "Abdi", "hussein.abdi"),
        ("Lars", "Bjørnstad", "lars.bjornstad"),
        ("Mihai", "Popescu", "mihai.popescu"),
        ("Tuấn", "Phạm", "tuan.pham"),
        ("Connor", "Mulligan", "connor.mulligan"),
        ("Zeynep", "Kaya", "zeynep.kaya"),
        ("Abebe", "Tesfaye", "abebe.tesfaye"),
        ("Ján", "Kováč", "jan.kovac"),
    ],
    "Drivers": [
        ("Alan", "Prescott", "alan.prescott"),
        ("Björn", "Ekström", "bjorn.ekstrom"),
        ("Carlos", "Quiroga", "carlos.quiroga"),
        ("Derek", "Stubbs", "derek.stubbs"),
        ("Emil", "Nagy", "emil.nagy"),
        ("Franjo", "Babić", "franjo.babic"),
        ("Gareth", "Llewellyn", "gareth.llewellyn"),
        ("Hamza", "Siddiqui", "hamza.siddiqui"),
        ("Igor", "Stojanović", "igor.stojanovic"),
        ("Jerzy", "Wróbel", "jerzy.wrobel"),
        ("Kofi", "Mensah", "kofi.mensah"),
        ("Liam", "D'Arcy", "liam.darcy"),
        ("Mateusz", "Pawłowski", "mateusz.pawlowski"),
        ("Nikola", "Jovanović", "nikola.jovanovic"),
        ("Óscar", "Muñoz", "oscar.munoz"),
        ("Paweł", "Jabłoński", "pawel.jablonski"),
        ("Quentin", "Dubois", "quentin.dubois"),
        ("Rashid", "Karimi", "rashid.karimi"),
        ("Sergiu", "Munteanu", "sergiu.munteanu"),
        ("Timo", "Väisänen", "timo.vaisanen"),
    ],
    "Fleet": [
        ("Ursula", "Brandt", "ursula.brandt"),
        ("Vasile", "Rusu", "vasile.rusu"),
        ("William", "Hargreaves", "william.hargreaves"),
        ("Xavier", "Fontaine", "xavier.fontaine"),
        ("Yusuf", "Bello", "yusuf.bello"),
        ("Zdeněk", "Procházka", "zdenek.prochazka"),
    ],
    "Legal": [
        ("Imogen", "St John-Smythe", "imogen.stjohnsmythe"),
        ("Babatunde", "Ògúnlẹ́sì", "babatunde.ogunlesi"),
        ("Élodie", "Saint-Exupéry-Montmorency de la Rochefoucauld", "elodie.saintexupery"),
    ],
}


def _staff(tenant: Tenant) -> dict[str, list[User]]:
    people: dict[str, list[User]] = {}
    for department, names in STAFF.items():
        people[department] = []
        for given_name, surname, local in names:
            address = f"{local}@{tenant.domain}"
            user = tenant.add_user(
                f"{given_name} {surname}",
                id=directory_id(tenant.id, "person", local),
                given_name=given_name,
                surname=surname,
                mail=address,
                user_principal_name=address,
                department=department,
                company_name=tenant.name,
                usage_location="GB",
            )
            people[department].append(user)
    return people


def _awkward(tenant: Tenant) -> dict[str, User]:
    """Add one person of every kind that a client gets wrong."""
    domain, initial = tenant.domain, tenant.initial_domain

    def add(key: str, display_name: str, **properties: Any) -> User:
        return tenant.add_user(display_name, id=directory_id(tenant.id, "awkward", key), **properties)

    long_given, long_surname = "Wolfeschlegelsteinhausenbergerdorff" * 2, "Hubert Blaine " * 4 + "Adolph"
    people = {
        "no mail": add(
            "no mail", "Nadia Frost", given_name="Nadia", surname="Frost", user_principal_name=f"nadia.frost@{domain}",
        ),
        "mail is not the upn": add(
            "mail is not the upn", "Robert Quill", given_name="Robert", surname="Quill",
            user_principal_name=f"rquill@{domain}", mail=f"bob.quill@{domain}",
        ),
        "mixed case": add(
            "mixed case", "Fiona MacLeod", given_name="Fiona", surname="MacLeod",
            user_principal_name=f"fiona.macleod@{domain}", mail=f"Fiona.MacLeod@{domain.capitalize()}",
        ),
        "one address, first": add(
            "one address, first", "Reception Day", given_name="Paula", surname="Day",
            user_principal_name=f"paula.day@{domain}", mail=f"reception@{domain}",
        ),
        "one address, second": add(
            "one address, second", "Reception Evening", given_name="Peter", surname="Eve",
            user_principal_name=f"peter.eve@{domain}", mail=f"Reception@{domain}",
        ),
        "no given name": add("no given name", "Suharto", surname="Suharto", mail=f"suharto@{domain}"),
        "no surname": add("no surname", "Björk", given_name="Björk", mail=f"bjork@{domain}"),
        "neither name": add("neither name", "Forklift Terminal 4", mail=f"forklift4@{domain}"),
        "disabled": add(
            "disabled", "Harold Finch", given_name="Harold", surname="Finch", mail=f"harold.finch@{domain}",
            account_enabled=False,
        ),
        "onmicrosoft only": add(
            "onmicrosoft only", "Sync Service", given_name="Sync", surname="Service",
            user_principal_name=f"sync.service@{initial}", mail=f"sync.service@{initial}",
        ),
        "long names": add(
            "long names", f"{long_given} {long_surname}"[:256], given_name=long_given[:64], surname=long_surname[:64],
            mail=f"wolfe.{'x' * 40}@{domain}",
        ),
        "spaces": add("spaces", "  Ravi   Menon ", given_name=" Ravi ", surname=" Menon ", mail=f"ravi.menon@{domain}"),
        "no type": add(
            "no type", "Eric Old", given_name="Eric", surname="Old", mail=f"eric.old@{domain}", user_type=None
        ),
    }  # fmt: skip
    people["guest"] = tenant.add_guest(
        "Marta Ruiz", "marta.ruiz@ferncastle.example", given_name="Marta", surname="Ruiz",
        id=directory_id(tenant.id, "awkward", "guest"),
    )  # fmt: skip
    people["guest without mail"] = tenant.add_user(
        "Olaf Strand", given_name="Olaf", surname="Strand", user_type="Guest",
        id=directory_id(tenant.id, "awkward", "guest 2"),
        user_principal_name=f"olaf_ferncastle.example#EXT#@{initial}",
    )  # fmt: skip
    people["deleted"] = add("deleted", "Vera Lane", given_name="Vera", surname="Lane", mail=f"vera.lane@{domain}")
    return people


def brightwater(emulator: Emulator) -> Tenant:
    """Build the demo's main tenant: more than 120 people, and groups of every kind.

    In the sync group, directly: most departments and every awkward person; through *Warehouse* and the
    *Night Shift* nested in it: the rest; *Project Heron* and its *Contractors* contain each other. A
    device, a contact and a service principal are members too. *Legal* and *Fleet* have no account.
    """
    tenant = emulator.add_tenant("Brightwater Logistics", domain=BRIGHTWATER)
    people, awkward = _staff(tenant), _awkward(tenant)

    def group(name: str, *members: str, key: str = "", **properties: Any) -> str:
        made = tenant.add_group(name, id=directory_id(tenant.id, "group", key or name), **properties)
        tenant.add_members(made.id, members)
        return made.id

    def ids(*departments: str) -> list[str]:
        return [person.id for department in departments for person in people[department]]

    night = group("Night Shift", *ids("Night Shift"))
    warehouse = group("Warehouse", *ids("Warehouse"), night, description="Everyone on the floor, day and night")
    sync = group(
        SYNC_GROUP,
        *ids("Board", "Finance", "IT", "People", "Sales", "Customer Service", "Drivers"),
        *(person.id for person in awkward.values()),
        warehouse,
        description="Decides who has a Password Boss account",
    )
    group("Finance", *ids("Finance"))
    group("IT", *ids("IT"))
    group("People and Culture", *ids("People"))
    group("Sales", *ids("Sales"))
    group("Customer Service", *ids("Customer Service"))
    group("Drivers", *ids("Drivers"))
    group("Drivers", *ids("Drivers")[:6], key="Drivers, once more", description="The same name, another group")
    heron = group("Project Heron", *ids("IT")[:3], *ids("Sales")[:2])
    contractors = group("Project Heron Contractors", awkward["guest"].id, *ids("Fleet")[:1], heron)
    tenant.add_member(heron, contractors)
    group("Board", *ids("Board"), visibility="HiddenMembership")
    group("Lost Property")
    group("Legal", *ids("Legal"))
    group("Leads of O'Brien & Sons", *ids("Finance")[2:4], description="An apostrophe, and an ampersand")
    group("物流チーム", *ids("Customer Service")[4:6])
    group(
        "All Staff",
        *(id for department in people for id in ids(department)),
        group_types=["DynamicMembership"],
        membership_rule="(user.accountEnabled -eq true)",
        membership_rule_processing_state="On",
    )
    group("Yard Announcements", *ids("Warehouse")[:8], mail=f"yard@{tenant.domain}", mail_enabled=True)
    fleet = tenant.add_microsoft_365_group("Fleet Safety", id=directory_id(tenant.id, "group", "Fleet Safety"))
    tenant.add_members(fleet.id, ids("Fleet", "Drivers")[:12])

    tenant.make_administrator(people["IT"][0].id)
    app = register_connector(tenant)
    tenant.add_member(sync, tenant.add_device("BW-FORKLIFT-04").id)
    tenant.add_member(sync, tenant.add_org_contact("Ferncastle Haulage", mail="desk@ferncastle.example").id)
    tenant.add_member(sync, tenant.service_principals[app].id)
    tenant.soft_delete_user(awkward["deleted"].id)
    return tenant


def register_connector(tenant: Tenant, *, consented: bool = True) -> str:
    """Register the portal's application in a tenant, with a secret that follows from its domain."""
    client_id, secret = portal_application(tenant.domain)
    return tenant.register_app(client_id=client_id, secret=secret, consented=consented).client_id


def portal_application(domain: str) -> tuple[str, str]:
    """Return client id and secret of the portal's application in the tenant of a domain."""
    return directory_id(domain, "portal"), f"Pb8Q~{directory_id(domain, 'secret').replace('-', '')}"


def _small(emulator: Emulator, name: str, domain: str, people: list[str], *, cloud: str = "global") -> Tenant:
    tenant = emulator.add_tenant(name, domain=domain, cloud=cloud)
    group = tenant.add_group(SYNC_GROUP, id=directory_id(tenant.id, "group", SYNC_GROUP))
    for full_name in people:
        given_name, _, surname = full_name.partition(" ")
        local = f"{given_name}.{surname}".lower().replace(" ", "")
        local = local if local.isascii() else f"person{len(tenant.people) + 1}"
        user = tenant.add_user(
            full_name,
            id=directory_id(tenant.id, "person", local),
            given_name=given_name,
            surname=surname,
            mail=f"{local}@{domain}",
        )
        tenant.add_member(group.id, user.id)
    tenant.make_administrator(next(iter(tenant.people)))
    return tenant


def register_sign_in(emulator: Emulator, *redirect_uris: str) -> tuple[str, str]:
    """Register the portal's own application for signing in, in a tenant of its maker; return client id and secret."""
    maker = emulator.add_tenant("Password Boss", domain=MAKER)
    client_id, secret = portal_application(maker.domain)
    maker.register_app(
        "Password Boss portal",
        roles=(),
        client_id=client_id,
        secret=secret,
        multi_tenant=True,
        redirect_uris=redirect_uris,
    )
    return client_id, secret


def populate(emulator: Emulator) -> None:
    """Build the demo's five tenants: the big one, two more clouds, and one that has not consented.

    *Sable Street Brewing* is a plain small company. *Copper Lantern Hotels* has registered the
    application but granted it nothing.
    """
    brightwater(emulator)
    sable = _small(
        emulator,
        "Sable Street Brewing",
        SABLE_STREET,
        [
            "Hattie Sable",
            "Owen Marsh",
            "Lena Fischer",
            "Tariq Aziz",
            "Bea Hollis",
            "Jonas Weber",
            "Mina Park",
            "Sean Kelly",
        ],
    )
    brewers = sable.add_group("Brewers", id=directory_id(sable.id, "group", "Brewers"))
    sable.add_members(brewers.id, [sable.user(name).id for name in ("Owen Marsh", "Lena Fischer", "Jonas Weber")])
    register_connector(sable)
    harbour = ["Evelyn Drake", "Marcus Hill", "Teresa Nunez", "Walter Byrd", "Naomi Cole"]
    register_connector(_small(emulator, "Harbour Authority", HARBOUR, harbour, cloud="usgov"))
    lotus = ["李 娜", "张 伟", "陈 静", "刘 洋"]
    register_connector(_small(emulator, "Lotus River Trading", LOTUS_RIVER, lotus, cloud="china"))
    hotels = _small(emulator, "Copper Lantern Hotels", COPPER_LANTERN, ["Ivy Lantern", "Max Copper", "Rosa Vale"])
    register_connector(hotels, consented=False)


def make_tenant(
    emulator: Emulator,
    people: int,
    *,
    domain: str = "large.example",
    groups: int = 0,
    group_size: int = 50,
    roles: tuple[str, ...] = (READ_GROUPS, READ_USERS),
) -> Tenant:
    """Build a tenant of any size, always the same one: everybody in the sync group, plus smaller groups.

    ``groups`` more groups, *Team 1* onwards, hold ``group_size`` people each, taken in turn. The
    portal's application is registered and has been granted ``roles``.
    """
    tenant = emulator.add_tenant(f"{people:,} people", domain=domain)
    sync = tenant.add_group(SYNC_GROUP, id=directory_id(tenant.id, "group", SYNC_GROUP))
    ids = []
    for number in range(1, people + 1):
        user = User(
            directory_id(tenant.id, "person", number),
            f"Given{number} Surname{number}",
            f"person{number}@{domain}",
            given_name=f"Given{number}",
            surname=f"Surname{number}",
            mail=f"person{number}@{domain}",
        )
        tenant.people[user.id] = user
        tenant.principal_names[user.user_principal_name] = user.id
        ids.append(user.id)
    tenant.members[sync.id] = dict.fromkeys(ids)
    for number in range(groups):
        team = tenant.add_group(f"Team {number + 1}", id=directory_id(tenant.id, "group", f"Team {number + 1}"))
        tenant.members[team.id] = dict.fromkeys(ids[(number * group_size + at) % people] for at in range(group_size))
    tenant.revision += 1
    tenant.grant_consent(register_connector(tenant), roles)
    return tenant
