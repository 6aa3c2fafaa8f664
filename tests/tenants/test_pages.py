"""A company's people and groups as pages: who is listed, what is found, and what an account made by hand needs."""

from __future__ import annotations

import pytest
from django.test import Client

from tenants.models import Account, Company
from tenants.roles import Role
from tenants.states import AccountRole, AccountStatus, ManagedBy
from tests.world import make_account, make_company, make_group, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make_company()


def visitor(company: Company, role: Role = Role.PARTNER_ADMINISTRATOR) -> Client:
    client = Client()
    client.force_login(make_staff(company.partner, role))
    return client


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


def test_an_account_is_made_by_hand_and_an_administrators_only_by_who_may(company: Company) -> None:
    typed = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@brightwater.example", "role": "user"}
    technician = visitor(company, Role.PARTNER_TECHNICIAN)
    refused = technician.post(at(company, "users/new/"), typed | {"role": "admin"})
    assert (refused.status_code, Account.objects.count()) == (403, 0)
    assert technician.post(at(company, "users/new/"), typed).status_code == 302
    made = Account.objects.get()
    assert (made.email, made.managed_by, made.role) == ("ada@brightwater.example", ManagedBy.PB, AccountRole.USER)
    assert technician.post(at(company, "users/new/"), typed).status_code == 422


def test_a_group_shows_its_members_and_no_other_companys_is_found(company: Company) -> None:
    group = make_group(company, "Dispatch", make_account(company, first_name="Ada", last_name="Lovelace"))
    other = make_group(make_company(name="Quarrystone Legal"), "Counsel")
    client = visitor(company)
    assert "Dispatch" in client.get(at(company, "groups/")).content.decode()
    assert "Lovelace" in client.get(at(company, f"groups/{group.pk}/")).content.decode()
    assert client.get(at(company, f"groups/{other.pk}/")).status_code == 404


def test_a_company_user_sees_the_own_account_alone(company: Company) -> None:
    own = make_account(company, first_name="Ada", last_name="Lovelace", claimed=True)
    make_account(company, first_name="Grace", last_name="Hopper")
    assert own.user is not None
    client = Client()
    client.force_login(own.user)
    page = client.get("/business/users/").content.decode()
    assert ("Lovelace" in page, "Hopper" in page) == (True, False)
    assert client.get("/business/groups/").status_code == 403
