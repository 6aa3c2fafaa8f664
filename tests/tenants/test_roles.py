"""The rights table, cell by cell, and its page in the documentation."""

from __future__ import annotations

import pytest

from tenants.roles import GRANTS, STAFF_ROLES, Can, Role
from tests.conftest import ROOT
from tests.tenants.rights_page import rights_page

# Written by hand from the product's table: operator, partner administrator, partner technician, partner viewer,
# company administrator, company user.
TABLE = {
    Can.SEE: "● ● ● ● ● –",
    Can.MANAGE_COMPANIES: "● ● – – – –",
    Can.RUN_CONNECTORS: "● ● ● – ● –",
    Can.RULE_CONNECTORS: "● ● – – ● –",
    Can.MANAGE_ACCOUNTS: "● ● ● – ● –",
    Can.END_ACCOUNTS: "● ● – – ● –",
    Can.MANAGE_STAFF: "● ● – – – –",
    Can.MANAGE_PARTNERS: "● – – – – –",
}
COLUMNS = (
    Role.OPERATOR,
    Role.PARTNER_ADMINISTRATOR,
    Role.PARTNER_TECHNICIAN,
    Role.PARTNER_VIEWER,
    Role.COMPANY_ADMINISTRATOR,
    Role.COMPANY_USER,
)


def test_the_table_has_every_right_and_every_role() -> None:
    assert (set(TABLE), set(COLUMNS), set(GRANTS)) == (set(Can), set(Role), set(Role))


@pytest.mark.parametrize("can", Can)
@pytest.mark.parametrize("role", Role)
def test_a_role_grants_exactly_what_the_table_says(can: Can, role: Role) -> None:
    cell = TABLE[can].split()[COLUMNS.index(role)]
    assert (can in GRANTS[role]) == (cell == "●")


def test_staff_memberships_give_partner_roles_only() -> None:
    assert set(STAFF_ROLES) == {Role.PARTNER_ADMINISTRATOR, Role.PARTNER_TECHNICIAN, Role.PARTNER_VIEWER}


def test_the_documentation_shows_the_table_as_it_is() -> None:
    page = (ROOT / "docs" / "rights.md").read_text(encoding="utf-8")
    assert page == rights_page(), "Write it again: python -m tests.tenants.rights_page > docs/rights.md"
