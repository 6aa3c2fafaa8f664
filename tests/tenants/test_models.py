"""The constraints of the database, each violated once, and what rows say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction

from tenants.models import Account, Company, Group, GroupMembership, Invitation, Partner, StaffMembership, User
from tenants.roles import Role
from tenants.states import AccountStatus, Hand, LoginKind, ManagedBy, PendingReason
from tests.world import TENANT, make_account, make_company, make_group, make_operator, make_partner, make_staff

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
IDENTITY = {"directory_tenant_id": TENANT, "directory_object_id": "object-1"}


def _account(status: AccountStatus = AccountStatus.ACTIVE, **wrong: Any) -> Callable[[Company], object]:
    return lambda company: make_account(company, status, **wrong)


def _twice(**same: Any) -> Callable[[Company], object]:
    def make_both(company: Company) -> None:
        make_account(company, **same)
        make_account(company, **(same | ({"email": same["email"].upper()} if "email" in same else {})))

    return make_both


def _membership_twice(company: Company) -> None:
    group = make_group(company, "Dispatch", account := make_account(company))
    GroupMembership.objects.create(group=group, account=account)


def _staff_twice(company: Company) -> None:
    StaffMembership.objects.create(partner=company.partner, user=make_staff(company.partner), role=Role.PARTNER_VIEWER)


def _group_twice(company: Company) -> None:
    make_group(company, "One", **IDENTITY)
    make_group(company, "Two", **IDENTITY)


def _link_twice(company: Company) -> None:
    for _ in range(2):
        Invitation.objects.create(account=make_account(company), wanted_at=AT, token_hash="x", expires_at=AT)


def _user(**wrong: Any) -> Callable[[Company], object]:
    return lambda company: User.objects.bulk_create([User(**({"email": "a@x.example"} | wrong))])


DELETED, DISABLED, PENDING, PERSONAL = (
    AccountStatus.DELETED,
    AccountStatus.DISABLED,
    AccountStatus.PENDING,
    AccountStatus.PERSONAL,
)

# constraint → what violates it, and nothing else
VIOLATIONS: dict[str, Callable[[Company], object]] = {
    "user_kind_known": _user(kind="robot"),
    "user_email_lower_case": _user(email="A@x.example"),
    "user_operator_is_staff": _user(is_superuser=True, kind=LoginKind.COMPANY),
    "staff_once_per_partner": _staff_twice,
    "staff_role_known": lambda company: make_staff(company.partner, Role.OPERATOR),
    "company_name_once_per_partner": lambda company: make_company(company.partner, company.name.upper(), slug="again"),
    "account_address_once_living": _twice(email="amara@x.example"),
    "account_identity_once_living": _twice(**IDENTITY),
    "account_role_known": _account(role="owner"),
    "account_status_known": lambda company: Account.objects.create(
        company=company, email="a@x.example", status="asleep"
    ),
    "account_managed_by_known": _account(managed_by="ldap"),
    "account_pending_reason_known": _account(PENDING, pending_reason="weather"),
    "account_disabled_by_known": _account(DISABLED, disabled_by="weather"),
    "account_deleted_by_known": _account(DELETED, deleted_by="weather"),
    "account_pending_has_reason": _account(PENDING, pending_reason=""),
    "account_disabled_by_somebody": _account(DISABLED, disabled_by=""),
    "account_deleted_by_somebody": _account(DELETED, deleted_by=""),
    "account_deleted_at_some_time": _account(DELETED, deleted_at=None),
    "account_living_is_not_purged": _account(restorable_until=AT),
    "account_purged_is_bare": _account(DELETED, purged_at=AT),
    "account_personal_has_no_identity": _account(PERSONAL, **IDENTITY),
    "account_identity_whole": _account(directory_tenant_id=TENANT),
    "account_identity_lower_case": _account(directory_tenant_id=TENANT, directory_object_id="OBJECT-1"),
    "account_active_was_active": _account(was_active=False),
    "invitation_of_one": lambda company: Invitation.objects.create(wanted_at=AT),
    "invitation_link_once": _link_twice,
    "invitation_over_has_no_link": lambda company: Invitation.objects.create(
        account=make_account(company), wanted_at=AT, token_hash="x", expires_at=AT, accepted_at=AT
    ),
    "group_identity_once": _group_twice,
    "group_managed_by_known": lambda company: make_group(company, managed_by="ldap", **IDENTITY),
    "group_mirror_has_identity": lambda company: make_group(company, managed_by=ManagedBy.AZURE_AD),
    "group_identity_whole": lambda company: make_group(company, directory_object_id="object-1"),
    "member_once_per_group": _membership_twice,
}

# More ways to break the same ones.
AGAIN: list[tuple[str, Callable[[Company], object]]] = [
    ("account_pending_has_reason", _account(pending_reason=PendingReason.RULE)),
    ("account_disabled_by_somebody", _account(disabled_by=Hand.PERSON)),
    ("account_deleted_by_somebody", _account(deleted_by=Hand.PERSON)),
    ("account_deleted_at_some_time", _account(deleted_at=AT)),
    ("account_identity_whole", _account(directory_object_id="object-1")),
]


def test_every_constraint_has_its_violation() -> None:
    declared = {
        constraint.name
        for model in apps.get_app_config("tenants").get_models()
        for constraint in model._meta.constraints
    }
    assert declared == set(VIOLATIONS)


@pytest.mark.parametrize(("name", "violate"), [*VIOLATIONS.items(), *AGAIN])
def test_a_constraint_holds(name: str, violate: Callable[[Company], object]) -> None:
    company = make_company()
    with pytest.raises(IntegrityError) as broken, transaction.atomic():
        violate(company)
    constraint = next(
        constraint
        for model in apps.get_app_config("tenants").get_models()
        for constraint in model._meta.constraints
        if constraint.name == name
    )
    # SQLite names the columns of a plain unique constraint instead of the constraint.
    columns = getattr(constraint, "fields", ())
    told = str(broken.value)
    assert name in told or (columns and all(column in told for column in columns))


def test_only_living_accounts_hold_their_address_and_identity() -> None:
    company, other = make_company(), make_company(name="Sable Street Brewing")
    same: dict[str, Any] = {"email": "amara@x.example"} | IDENTITY
    for row in (
        make_account(company, **same),
        make_account(company, DELETED, **same),
        make_account(company, DELETED, **same),
        make_account(other, **same),
    ):
        assert (row.email, row.has_identity) == ("amara@x.example", True)
    assert make_account(company, PERSONAL, email="ngozi@x.example").claimed is False
    with pytest.raises(IntegrityError), transaction.atomic():
        make_account(company, email="ngozi@x.example")


def test_a_partner_and_a_company_go_only_when_nothing_hangs_on_them() -> None:
    company = make_company()
    make_account(company)
    for row in (company.partner, company):
        with pytest.raises(models.ProtectedError):
            row.delete()


class TestUsers:
    def test_keep_their_address_in_lower_case_and_are_found_by_any(self) -> None:
        user = User.objects.create_user("  Amara@X.example ", "a password that is long")
        assert user.email == "amara@x.example"
        assert User.objects.get_by_natural_key(" AMARA@x.example") == user
        assert user.check_password("a password that is long")

    def test_without_a_password_can_sign_in_with_none(self) -> None:
        assert User.objects.create_user("amara@x.example").has_usable_password() is False

    def test_may_enter_the_partner_portal_when_staff(self) -> None:
        staff, operator = make_staff(make_partner()), make_operator()
        company_login = User.objects.create_user("amara@x.example")
        assert [user.is_staff for user in (staff, operator, company_login)] == [True, True, False]

    def test_are_named_by_name_or_else_by_address(self) -> None:
        named, unnamed = make_operator(), User.objects.create_user("amara@x.example")
        assert [named.get_full_name(), unnamed.get_short_name()] == ["Ines Carvalho", "amara@x.example"]


def test_rows_name_themselves() -> None:
    partner = make_partner()
    company = make_company(partner)
    account = make_account(company, first_name="Amara", last_name="Okafor")
    nameless = make_account(company, first_name="", last_name="", email="yard@brightwater.example")
    group = make_group(company, "Dispatch", account)
    make_staff(partner)
    names = [str(row) for row in (partner, company, account, nameless, group)]
    assert names == [
        "Harbour Ridge IT",
        "Brightwater Logistics",
        "Amara Okafor",
        "yard@brightwater.example",
        "Dispatch",
    ]
    assert str(GroupMembership.objects.get()) == "Amara Okafor in Dispatch"
    assert str(StaffMembership.objects.get()) == "Maren Lindqvist, partner administrator of Harbour Ridge IT"
    assert [Partner.objects.count(), Group.objects.count(), Account.objects.count()] == [1, 1, 2]
