"""The demo's tenants hold every awkward kind of person and group; made-up tenants are the same every time."""

from __future__ import annotations

import unicodedata

import pytest

from tests.entra_emulator import Emulator, Tenant
from tests.entra_emulator.people import (
    BRIGHTWATER,
    COPPER_LANTERN,
    HARBOUR,
    LOTUS_RIVER,
    SABLE_STREET,
    SYNC_GROUP,
    make_tenant,
    populate,
)
from tests.entra_emulator_contract.conftest import Client


@pytest.fixture
def peopled() -> Emulator:
    made = Emulator()
    populate(made)
    return made


@pytest.fixture
def brightwater(peopled: Emulator) -> Tenant:
    return peopled.tenant(BRIGHTWATER)


def test_the_same_people_every_time(peopled: Emulator) -> None:
    again = Emulator(clock=peopled.clock)
    populate(again)
    assert list(again.tenants) == list(peopled.tenants)
    for id, tenant in peopled.tenants.items():
        assert list(again.tenants[id].people) == list(tenant.people)
        assert again.tenants[id].members == tenant.members
    assert {id: app.secret for id, app in again.applications.items()} == {
        id: app.secret for id, app in peopled.applications.items()
    }


def test_every_awkward_kind_is_there(brightwater: Tenant) -> None:
    people = list(brightwater.people.values())
    assert len(people) >= 120
    mails = [(person.mail or "").casefold() for person in people if person.mail]
    kinds = {
        "guest": any("#EXT#" in p.user_principal_name and p.mail for p in people),
        "guest without mail": any("#EXT#" in p.user_principal_name and not p.mail for p in people),
        "no mail": any(not p.mail and "#EXT#" not in p.user_principal_name for p in people),
        "mail is not the upn": any(
            p.mail and p.user_type == "Member" and p.mail.casefold() != p.user_principal_name.casefold() for p in people
        ),
        "mixed case": any(p.mail and p.mail != p.mail.lower() for p in people),
        "two with one address": len(mails) != len(set(mails)),
        "no given name": any(p.surname and not p.given_name for p in people),
        "no surname": any(p.given_name and not p.surname for p in people),
        "neither name": any(not p.given_name and not p.surname for p in people),
        "disabled": any(not p.account_enabled for p in people),
        "onmicrosoft only": any((p.mail or "").endswith(".onmicrosoft.com") for p in people),
        "apostrophe": any("'" in (p.surname or "") for p in people),
        "long names": any(len(p.given_name or "") >= 60 for p in people),
        "soft-deleted": bool(brightwater.deleted),
    }
    assert [kind for kind, there in kinds.items() if not there] == []


def test_names_come_in_many_scripts(brightwater: Tenant) -> None:
    letters = {letter for person in brightwater.people.values() for letter in person.display_name or ""}
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in letters if letter.isalpha()}
    assert {
        "LATIN",
        "GREEK",
        "CYRILLIC",
        "ARABIC",
        "HEBREW",
        "CJK",
        "HIRAGANA",
        "HANGUL",
        "DEVANAGARI",
        "THAI",
    } <= scripts


def test_groups_of_every_kind(brightwater: Tenant) -> None:
    groups = list(brightwater.groups.values())
    names = [group.display_name for group in groups]
    kinds = {
        "nested": brightwater.people_in(SYNC_GROUP, direct=True) != brightwater.people_in(SYNC_GROUP),
        "cyclic": any(g.id in brightwater.member_ids(g.id, transitive=True) for g in groups),
        "hidden": any(g.hidden for g in groups),
        "empty": any(not brightwater.members[g.id] for g in groups),
        "Microsoft 365": any("Unified" in g.group_types for g in groups),
        "dynamic": any("DynamicMembership" in g.group_types for g in groups),
        "mail-enabled": any(g.mail_enabled and g.security_enabled for g in groups),
        "two of one name": len(names) != len(set(names)),
    }
    assert [kind for kind, there in kinds.items() if not there] == []
    members = [type(brightwater.get(id)).__name__ for id in brightwater.member_ids(brightwater.group(SYNC_GROUP).id)]
    assert sorted(set(members)) == ["Device", "Group", "OrgContact", "ServicePrincipal", "User"]


@pytest.mark.parametrize(
    ("domain", "cloud", "status"),
    [
        (BRIGHTWATER, "global", 200),
        (SABLE_STREET, "global", 200),
        (HARBOUR, "usgov", 200),
        (LOTUS_RIVER, "china", 200),
        (COPPER_LANTERN, "global", 403),
    ],
)
def test_each_tenant_has_its_own_application(peopled: Emulator, domain: str, cloud: str, status: int) -> None:
    tenant = peopled.tenant(domain)
    (app,) = [item for item in peopled.applications.values() if item.home == tenant.id]
    assert tenant.cloud.name == cloud
    assert Client(peopled.session(), app, tenant).sign_in().get("/users").status_code == status


def test_a_tenant_of_any_size() -> None:
    emulator = Emulator()
    tenant = make_tenant(emulator, 2500, groups=3, group_size=40)
    (app,) = emulator.applications.values()
    client = Client(emulator.session(), app, tenant).sign_in()
    group = tenant.group(SYNC_GROUP).id
    pages = client.pages(f"/groups/{group}/members?$select=id,displayName&$top=999")
    assert [len(page) for page in pages] == [999, 999, 502]
    assert len({item["id"] for page in pages for item in page}) == 2500
    assert [len(tenant.people_in(f"Team {number}")) for number in (1, 2, 3)] == [40, 40, 40]
    assert list(make_tenant(Emulator(), 2500).people) == list(tenant.people)
