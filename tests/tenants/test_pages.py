"""A company's people and groups as pages: who is listed, what is found, and what an account made by hand needs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from tenants.models import Account, Company, StaffMembership
from tenants.roles import Role
from tenants.states import AccountRole, AccountStatus, ManagedBy
from tests.world import confirm_again, make_account, make_company, make_group, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make_company()


def visitor(company: Company, role: Role = Role.PARTNER_ADMINISTRATOR) -> Client:
    client = Client()
    client.force_login(make_staff(company.partner, role))
    return client


def words(page: HttpResponse) -> str:
    """Return what a page says, without its markup."""
    return re.sub(r"\s+", " ", strip_tags(page.content.decode().replace("<", " <")))


def at(company: Company, rest: str) -> str:
    return f"/partner/companies/{company.slug}/{rest}"


def test_users_are_searched_and_filtered(company: Company) -> None:
    make_account(company, first_name="Ada", last_name="Lovelace", email="ada@brightwater.example")
    make_account(company, AccountStatus.DISABLED, first_name="Grace", last_name="Hopper")
    make_account(company, AccountStatus.DELETED, first_name="Alan", last_name="Turing")
    client = visitor(company)
    found = {
        query: [name for name in ("Lovelace", "Hopper", "Turing") if name in page]
        for query in ("", "?q=ada", "?status=disabled", "?status=deleted", "?q=nobody", "?status=made-up")
        for page in [client.get(at(company, f"users/{query}")).content.decode()]
    }
    assert found == {
        "": ["Lovelace", "Hopper"],
        "?q=ada": ["Lovelace"],
        "?status=disabled": ["Hopper"],
        "?status=deleted": ["Turing"],
        "?q=nobody": [],
        "?status=made-up": ["Lovelace", "Hopper"],
    }


def test_who_waits_for_somebody_comes_first_and_heads_sort(company: Company) -> None:
    make_account(company, first_name="Ada", last_name="Abel", claimed=True)
    make_account(company, AccountStatus.DISABLED, first_name="Bo", last_name="Berg", managed_by=ManagedBy.AZURE_AD)
    make_account(company, AccountStatus.PENDING, first_name="Cy", last_name="Zeta", managed_by=ManagedBy.AZURE_AD)
    seen = Account.objects.get(last_name="Abel").user
    assert seen is not None
    seen.last_login = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    seen.save()
    client = visitor(company)

    def listed(query: str) -> list[str]:
        return [account.last_name for account in client.get(at(company, f"users/{query}")).context["found"]]

    waits_first = ["Zeta", "Abel", "Berg"]
    orders = {
        query: listed(f"?sort={query}") for query in ("", "made-up", "name", "-name", "by", "-by", "-seen", "seen")
    }
    assert orders == {
        "": waits_first,
        "made-up": waits_first,
        "name": ["Abel", "Berg", "Zeta"],
        "-name": ["Zeta", "Berg", "Abel"],
        "by": ["Berg", "Zeta", "Abel"],
        "-by": ["Abel", "Berg", "Zeta"],
        "-seen": ["Abel", "Berg", "Zeta"],
        "seen": ["Berg", "Zeta", "Abel"],
    }
    page = client.get(at(company, "users/?q=e&sort=name&page=1")).content.decode()
    assert re.findall(r'<th scope="col"(?: aria-sort="(\w+)")?><a href="([^"]+)">', page) == [
        ("ascending", "?q=e&amp;sort=-name"),
        ("", "?q=e&amp;sort="),
        ("", "?q=e&amp;sort=by"),
        ("", "?q=e&amp;sort=-seen"),
    ]
    assert '<input type="hidden" name="sort" value="name">' in page
    default = client.get(at(company, "users/")).content.decode()
    assert re.findall(r'aria-sort="(\w+)"><a href="[^"]*">(\w+)', default) == [("ascending", "Status")]


def test_the_filters_say_how_many_there_are(company: Company, django_assert_num_queries: Any) -> None:
    client = visitor(company)
    make_account(company, role=AccountRole.ADMIN)
    make_account(company, AccountStatus.PENDING, managed_by=ManagedBy.AZURE_AD)
    make_account(company, AccountStatus.DELETED, managed_by=ManagedBy.AZURE_AD)
    make_account(make_company(name="Elsewhere"))
    page = client.get(at(company, "users/?q=nobody")).content.decode()
    assert re.findall(r"<option[^>]*>([^<]+)</option>", page) == [
        *("All but deleted (2)", "Active (1)", "Pending approval (1)", "Disabled (0)", "Deleted (1)"),
        *("Either", "PB (1)", "Azure AD (1)", "Either", "User (1)", "Administrator (1)"),
    ]
    costs = []
    for number in (1, 30):
        for _ in range(number):
            make_account(company, AccountStatus.DISABLED)
        with CaptureQueriesContext(connection) as queries:
            client.get(at(company, "users/"))
        costs.append(len(queries))
    assert costs[0] == costs[1]


def test_an_account_is_made_by_hand_and_an_administrators_only_by_who_may(company: Company) -> None:
    typed = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@brightwater.example", "role": "user"}
    technician = visitor(company, Role.PARTNER_TECHNICIAN)
    refused = technician.post(at(company, "users/new/"), typed | {"role": "admin"})
    assert (refused.status_code, Account.objects.count()) == (403, 0)
    assert technician.post(at(company, "users/new/"), typed).status_code == 302
    made = Account.objects.get()
    assert (made.email, made.managed_by, made.role) == ("ada@brightwater.example", ManagedBy.PB, AccountRole.USER)
    assert technician.post(at(company, "users/new/"), typed).status_code == 422


def test_the_form_of_an_account_says_what_is_needed(company: Company) -> None:
    client = visitor(company)
    page = words(client.get(at(company, "users/new/")))
    assert "First name A first or a last name: one of the two is enough. Last name Email It never changes." in page
    assert "(optional)" not in page
    html = client.get(at(company, "users/new/")).content.decode()
    assert re.findall(r'<a class="button" href="([^"]+)">Cancel</a>', html) == [at(company, "users/")]
    assert re.findall(r'<span class="select-wrap"><select name="(\w+)"', html) == ["role"]
    answer = client.post(at(company, "users/new/"), {"first_name": " ", "email": "", "role": "user"})
    said = re.findall(r'class="field__error"[^>]*>\s*<svg.*?</svg>\s*([^<]+)', answer.content.decode())
    assert (answer.status_code, said) == (422, ["Enter a first or a last name.", "Enter the email."])


@pytest.mark.parametrize(
    ("licences", "role", "told"),
    [
        (None, Role.PARTNER_ADMINISTRATOR, (False, False)),
        (2, Role.PARTNER_ADMINISTRATOR, (False, False)),
        (1, Role.PARTNER_ADMINISTRATOR, (True, True)),
        (1, Role.PARTNER_TECHNICIAN, (True, False)),
    ],
)
def test_the_form_of_an_account_warns_where_no_licence_is_left(
    licences: int | None, role: Role, told: tuple[bool, bool]
) -> None:
    company = make_company(licences=licences)
    make_account(company)
    page = words(visitor(company, role).get(at(company, "users/new/")))
    assert ("No licence is free: 1 of 1 in use" in page, "Change the number of licences" in page) == told


def test_an_empty_list_leads_to_where_it_is_filled(company: Company) -> None:
    own = make_account(company, role=AccountRole.ADMIN, claimed=True).user
    assert own is not None
    business = Client()
    business.force_login(own)
    partner = visitor(company)
    told = {
        (portal, page): re.findall(r'<a href="([^"]+)">(an? \w+)</a>', client.get(f"{before}{page}").content.decode())
        for portal, client, before in (("partner", partner, at(company, "")), ("business", business, "/business/"))
        for page in ("groups/", "users/?status=deleted")
    }
    assert told == {
        ("partner", "groups/"): [(at(company, "connectors/"), "a connector")],
        ("business", "groups/"): [("/business/connectors/", "an integration")],
        # Nobody fits the filter: that is no place to install anything.
        ("partner", "users/?status=deleted"): [],
        ("business", "users/?status=deleted"): [],
    }
    empty = make_company(name="Empty")
    assert f'<a href="{at(empty, "connectors/")}">a connector</a>' in (
        visitor(empty).get(at(empty, "users/")).content.decode()
    )


def test_a_group_shows_its_members_and_no_other_companys_is_found(company: Company) -> None:
    group = make_group(company, "Dispatch", make_account(company, first_name="Ada", last_name="Lovelace"))
    other = make_group(make_company(name="Quarrystone Legal"), "Counsel")
    client = visitor(company)
    assert "Dispatch" in client.get(at(company, "groups/")).content.decode()
    assert "Lovelace" in client.get(at(company, f"groups/{group.pk}/")).content.decode()
    assert client.get(at(company, f"groups/{other.pk}/")).status_code == 404


def test_groups_are_searched_and_filtered(company: Company) -> None:
    make_group(company, "Dispatch")
    identity = {"directory_tenant_id": "tenant", "directory_object_id": "drivers"}
    make_group(company, "Drivers", managed_by=ManagedBy.AZURE_AD, **identity)
    client = visitor(company)
    found = {
        query: [group.name for group in client.get(at(company, f"groups/{query}")).context["found"]]
        for query in ("", "?q=disp", "?by=azure_ad", "?by=pb&q=dr", "?by=made-up&q=%00")
    }
    assert found == {
        "": ["Dispatch", "Drivers"],
        "?q=disp": ["Dispatch"],
        "?by=azure_ad": ["Drivers"],
        "?by=pb&q=dr": [],
        "?by=made-up&q=%00": ["Dispatch", "Drivers"],
    }


def test_a_company_user_sees_the_own_account_alone(company: Company) -> None:
    own = make_account(company, first_name="Ada", last_name="Lovelace", claimed=True)
    make_account(company, first_name="Grace", last_name="Hopper")
    assert own.user is not None
    client = Client()
    client.force_login(own.user)
    page = client.get("/business/users/").content.decode()
    assert ("Lovelace" in page, "Hopper" in page) == (True, False)
    assert client.get("/business/groups/").status_code == 403


def test_the_own_sign_in_keeps_the_portals_navigation(company: Company) -> None:
    told = {}
    for role in ("admin", "user"):
        own = make_account(company, role=role, claimed=True)
        assert own.user is not None
        client = Client()
        client.force_login(own.user)
        for path in ("/account/", "/accounts/2fa/", "/nothing/here/"):
            entries = client.get(path).context["navigation"]
            told[role, path] = [(entry.label, entry.url, entry.current) for entry in entries]
        if role == "admin":
            entries = client.get("/business/users/").context["navigation"]
            portal = [(entry.label, entry.url, False) for entry in entries]
    assert [label for label, _, _ in portal] == ["Users", "Groups", "Integrations", "Activity", "Settings"]
    paths = ("/account/", "/accounts/2fa/", "/nothing/here/")
    assert told == {("admin", path): portal for path in paths} | {("user", path): [] for path in paths}


def test_the_list_says_groups_and_last_sign_in(company: Company, django_assert_num_queries: Any) -> None:
    ada = make_account(company, claimed=True, first_name="Ada", last_name="Lovelace")
    assert ada.user is not None
    ada.user.last_login = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    ada.user.save()
    make_account(company, first_name="Grace", last_name="Hopper")
    for name in ("Dispatch", "Finance", "Yard"):
        make_group(company, name, ada)
    client = visitor(company)
    page = words(client.get(at(company, "users/")))
    assert "20 Nov 2026 Dispatch , Finance and 1 more" in page
    assert "Grace Hopper" in page
    with CaptureQueriesContext(connection) as few:
        client.get(at(company, "users/"))
    for number in range(20):
        make_group(company, f"Group {number}", *(make_account(company, claimed=True) for _ in range(2)))
    with django_assert_num_queries(len(few)):
        client.get(at(company, "users/"))


@pytest.mark.parametrize("act", ["delete", "convert"])
def test_what_takes_an_account_away_is_for_who_has_just_said_who_they_are(company: Company, act: str) -> None:
    ada = make_account(company, claimed=True, first_name="Ada", last_name="Lovelace")
    client = visitor(company)
    users = at(company, "users/")
    asked = client.post(users, {"ids": str(ada.pk), "act": act})
    assert asked.headers["Location"] == f"/accounts/reauthenticate/?{urlencode({'next': f'{users}?chosen=1'})}"
    assert Account.objects.get(pk=ada.pk).status == AccountStatus.ACTIVE
    confirm_again(client)
    page = words(client.get(f"{users}?chosen=1"))
    assert "1 person: what shall happen?" in page
    assert "Nothing has been done yet: say first who you are, then press the button again." in page
    assert client.post(users, {"ids": str(ada.pk), "act": act}).headers["Location"] == users
    assert Account.objects.get(pk=ada.pk).status != AccountStatus.ACTIVE
    assert "what shall happen?" not in words(client.get(f"{users}?chosen=1"))


def test_whom_one_has_chosen_in_a_company_is_nobody_in_another(company: Company) -> None:
    ada = make_account(company, claimed=True, first_name="Ada", last_name="Lovelace")
    other = make_company(company.partner, "Sable Street Brewing")
    client = visitor(company)
    client.post(at(company, "users/"), {"ids": str(ada.pk), "act": "delete"})
    confirm_again(client)
    assert "what shall happen?" in words(client.get(at(company, "users/?chosen=1")))
    assert "Lovelace" not in words(client.get(at(other, "users/?chosen=1")))


def test_whoever_has_lost_the_right_is_not_asked_what_shall_happen(company: Company) -> None:
    ada = make_account(company, claimed=True)
    staff = make_staff(company.partner, Role.PARTNER_ADMINISTRATOR)
    client = Client()
    client.force_login(staff)
    client.post(at(company, "users/"), {"ids": str(ada.pk), "act": "delete"})
    confirm_again(client)
    StaffMembership.objects.filter(user=staff).update(role=Role.PARTNER_VIEWER)
    assert client.get(at(company, "users/?chosen=1")).status_code == 403


def test_disabling_asks_nobody_who_they_are(company: Company) -> None:
    ada = make_account(company)
    client = visitor(company)
    assert client.post(at(company, "users/"), {"ids": str(ada.pk), "act": "disable"}).headers["Location"] == at(
        company, "users/"
    )
    assert Account.objects.get(pk=ada.pk).status == AccountStatus.DISABLED
