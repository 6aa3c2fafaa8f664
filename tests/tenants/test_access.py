"""Ways into a company: who has one, with which rights, and what a guarded page answers to whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import RequestFactory

from tenants.access import (
    CompanyAccess,
    company_access,
    grants_anywhere,
    grants_at,
    grants_in,
    grants_over,
    role_at,
    role_in,
    staff_page,
)
from tenants.models import Account, AuditEntry, Company, Group, Partner, StaffMembership, User
from tenants.roles import GRANTS, Can, Role
from tenants.states import AccountRole, AccountStatus, LoginKind
from tests.world import Cast, make_account, make_group, make_staff

pytestmark = pytest.mark.django_db


def login_of(account: Account) -> User:
    assert account.user is not None
    return account.user


def visitors(cast: Cast) -> dict[str, tuple[User | AnonymousUser, Role | None]]:
    """Return everybody who may come to Brightwater's pages, with the role they have there."""
    inactive = make_staff(cast.harbour, name="Gone")
    inactive.is_active = False
    inactive.save()
    return {
        "anonymous": (AnonymousUser(), None),
        "operator": (cast.operator, Role.OPERATOR),
        "administrator": (cast.maren, Role.PARTNER_ADMINISTRATOR),
        "technician": (cast.grace, Role.PARTNER_TECHNICIAN),
        "viewer": (cast.viewer, Role.PARTNER_VIEWER),
        "inactive": (inactive, None),
        "other partner": (cast.elsewhere_admin, None),
        "company administrator": (login_of(cast.amara), Role.COMPANY_ADMINISTRATOR),
        "company user": (login_of(make_account(cast.brightwater, claimed=True)), Role.COMPANY_USER),
        "other company of the partner": (login_of(cast.delia), None),
        "other partner's company": (login_of(cast.quarrystone_admin), None),
    } | {
        f"{status.label} administrator": (
            login_of(make_account(cast.brightwater, status, claimed=True, role=AccountRole.ADMIN)),
            None,
        )
        for status in AccountStatus
        if status is not AccountStatus.ACTIVE
    }


def test_a_way_in_is_the_role_or_404(cast: Cast) -> None:
    expected: dict[str, Role | None] = {}
    seen: dict[str, Role | None] = {}
    for name, (user, expected[name]) in visitors(cast).items():
        try:
            access = company_access(user, cast.brightwater.slug)
        except Http404:
            seen[name] = None
            assert grants_in(user, cast.brightwater) == frozenset()
        else:
            seen[name] = access.role
            assert grants_in(user, cast.brightwater) == access.grants == GRANTS[access.role]
    assert seen == expected


def test_a_company_that_does_not_exist_is_the_same_404(cast: Cast) -> None:
    with pytest.raises(Http404) as absent:
        company_access(cast.maren, "nobody")
    with pytest.raises(Http404) as outside:
        company_access(cast.maren, cast.quarrystone.slug)
    assert absent.value.args == outside.value.args == ()


def test_an_access_cannot_be_made_without_its_check(cast: Cast) -> None:
    with pytest.raises(Http404):
        CompanyAccess(cast.quarrystone, cast.maren)


def test_an_access_says_and_requires_rights(cast: Cast) -> None:
    access = company_access(cast.grace, cast.brightwater.slug)
    assert (access.may(Can.MANAGE_ACCOUNTS), access.may(Can.END_ACCOUNTS)) == (True, False)
    access.require(Can.SEE, Can.MANAGE_ACCOUNTS)
    with pytest.raises(PermissionDenied):
        access.require(Can.MANAGE_ACCOUNTS, Can.END_ACCOUNTS)


def test_an_access_reaches_only_its_own_company(cast: Cast) -> None:
    here = make_group(cast.brightwater, "Dispatch", cast.amara)
    make_group(cast.sable, "Brewers", cast.delia)
    user = make_account(cast.brightwater, claimed=True)
    maren = company_access(cast.maren, cast.brightwater.slug)
    assert set(maren.accounts) == {cast.amara, user}
    assert set(maren.groups) == {here}
    assert set(maren.of(Company)) == {cast.brightwater}
    own = company_access(login_of(user), cast.brightwater.slug)
    assert (set(own.accounts), set(own.groups)) == ({user}, set())
    for model in (Partner, StaffMembership, User):
        with pytest.raises(TypeError, match="does not belong to a company"):
            maren.of(model)


def test_rights_at_a_partner_and_anywhere(cast: Cast) -> None:
    assert grants_at(cast.maren, cast.harbour) == GRANTS[Role.PARTNER_ADMINISTRATOR]
    assert grants_at(cast.maren, cast.elsewhere) == frozenset()
    assert grants_at(cast.operator, cast.elsewhere) == frozenset(Can)
    assert grants_at(login_of(cast.amara), cast.harbour) == frozenset()
    StaffMembership.objects.create(partner=cast.elsewhere, user=cast.viewer, role=Role.PARTNER_TECHNICIAN)
    expected = {
        cast.operator: frozenset(Can),
        cast.grace: GRANTS[Role.PARTNER_TECHNICIAN],
        cast.viewer: GRANTS[Role.PARTNER_TECHNICIAN],
        login_of(cast.amara): GRANTS[Role.COMPANY_ADMINISTRATOR],
        User.objects.create_user("nobody@x.example", kind=LoginKind.COMPANY): frozenset(),
        AnonymousUser(): frozenset(),
    }
    assert {user: grants_anywhere(user) for user in expected} == expected
    assert grants_in(cast.viewer, cast.brightwater) == GRANTS[Role.PARTNER_VIEWER]


def test_rights_over_a_row_are_those_where_it_belongs(cast: Cast) -> None:
    entry = AuditEntry.objects.create(company=cast.sable, partner=cast.harbour, actor_label="A", action="seen.at")
    of_partner = AuditEntry.objects.create(partner=cast.harbour, actor_label="A", action="seen.at")
    of_nobody = AuditEntry.objects.create(actor_label="A", action="seen.at")
    technician = GRANTS[Role.PARTNER_TECHNICIAN]
    for row in (cast.sable, cast.delia, cast.harbour, StaffMembership.objects.get(user=cast.maren), entry, of_partner):
        assert grants_over(cast.grace, row) == technician
        assert grants_over(cast.operator, row) == frozenset(Can)
        assert grants_over(cast.elsewhere_admin, row) == frozenset()
    assert grants_over(cast.operator, of_nobody) == frozenset(Can)
    assert grants_over(cast.grace, of_nobody) == grants_over(AnonymousUser(), of_nobody) == frozenset()


def test_a_role_costs_one_query(cast: Cast, django_assert_num_queries: Any) -> None:
    for user, queries in [(cast.operator, 0), (cast.grace, 1), (login_of(cast.amara), 1)]:
        with django_assert_num_queries(queries):
            role_in(user, cast.brightwater)


class TestVisibleTo:
    def seen(self, user: User | AnonymousUser) -> dict[str, set[str]]:
        models = (Partner, StaffMembership, Company, Account, Group, AuditEntry)
        return {
            model.__name__: names for model in models if (names := {str(row) for row in model.objects.visible_to(user)})
        }

    def test_each_login_sees_its_own_tenants_and_nothing_else(self, cast: Cast) -> None:
        for company in (cast.brightwater, cast.sable, cast.quarrystone):
            make_group(company, f"Group of {company}")
            AuditEntry.objects.create(
                partner=company.partner, company=company, actor_label="A", action="seen.at", subject=str(company)
            )
        AuditEntry.objects.create(actor_label="A", action="installed", subject="this portal")
        user = make_account(cast.brightwater, claimed=True, first_name="Ulla")
        left = make_account(
            cast.brightwater, AccountStatus.PERSONAL, claimed=True, first_name="Left", role=AccountRole.ADMIN
        )
        make_account(cast.brightwater, AccountStatus.DELETED, first_name="Deleted")
        brightwater = {
            "Company": {"Brightwater Logistics"},
            "Account": {"Amara Okafor", "Ulla", "Deleted"},
            "Group": {"Group of Brightwater Logistics"},
            "AuditEntry": {"A: seen.at Brightwater Logistics"},
        }
        harbour = {
            "Partner": {"Harbour Ridge IT"},
            "StaffMembership": {
                "Maren Lindqvist, partner administrator of Harbour Ridge IT",
                "Tomasz Wiśniewski, partner technician of Harbour Ridge IT",
                "Grace Okonkwo, partner technician of Harbour Ridge IT",
                "Priya Raman, partner viewer of Harbour Ridge IT",
            },
            "Company": {"Brightwater Logistics", "Sable Street Brewing"},
            "Account": {"Amara Okafor", "Ulla", "Deleted", "Left", "Delia Marsh"},
            "Group": {"Group of Brightwater Logistics", "Group of Sable Street Brewing"},
            "AuditEntry": {"A: seen.at Brightwater Logistics", "A: seen.at Sable Street Brewing"},
        }
        assert self.seen(cast.maren) == self.seen(cast.viewer) == harbour
        assert self.seen(login_of(cast.amara)) == brightwater
        assert self.seen(login_of(user)) == {"Account": {"Ulla"}}
        assert self.seen(login_of(left)) == {"Account": {"Left"}}
        assert self.seen(AnonymousUser()) == {}
        everything = self.seen(cast.operator)
        assert everything["Company"] == {"Brightwater Logistics", "Sable Street Brewing", "Quarrystone Legal"}
        assert "A: installed this portal" in everything["AuditEntry"]
        assert "Ingrid Solheim" in everything["Account"]

    @pytest.mark.parametrize("status", [AccountStatus.PENDING, AccountStatus.DISABLED, AccountStatus.DELETED])
    def test_who_is_not_active_sees_nothing(self, cast: Cast, status: AccountStatus) -> None:
        account = make_account(cast.brightwater, status, claimed=True, role=AccountRole.ADMIN)
        assert self.seen(login_of(account)) == {}

    def test_an_inactive_login_sees_nothing(self, cast: Cast) -> None:
        partner = cast.brightwater.partner
        staff = make_staff(partner)
        assert role_at(staff, partner) is Role.PARTNER_ADMINISTRATOR
        for user in (cast.operator, staff):
            user.is_active = False
            assert (self.seen(user), role_at(user, partner), grants_in(user, cast.brightwater)) == (
                {},
                None,
                frozenset(),
            )

    def test_nobody_sees_a_purged_account(self, cast: Cast) -> None:
        account = make_account(cast.brightwater, AccountStatus.DELETED)
        Account.objects.filter(pk=account.pk).update(
            email="", first_name="", last_name="", purged_at=account.deleted_at
        )
        for user in (cast.operator, cast.maren, login_of(cast.amara)):
            assert not Account.objects.visible_to(user).filter(pk=account.pk).exists()


@staff_page
def plain_staff_page(request: HttpRequest) -> HttpResponse:
    """Answer anything."""
    return HttpResponse("staff")


def answer(view: Any, user: User | AnonymousUser, **kwargs: Any) -> str:
    request = RequestFactory().get("/somewhere/")
    request.user = user
    try:
        response = view(request, **kwargs)
    except Http404:
        return "404"
    except PermissionDenied:
        return "403"
    return response.headers.get("Location") or response.content.decode()


def test_a_staff_page_is_404_to_a_company_login(cast: Cast) -> None:
    expected = {
        AnonymousUser(): "/accounts/login/?next=/somewhere/",
        login_of(cast.amara): "404",
        cast.viewer: "staff",
        cast.operator: "staff",
    }
    assert {who: answer(plain_staff_page, who) for who in expected} == expected
