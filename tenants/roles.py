"""Who may do what: the rights table of the product as one pure table."""

from __future__ import annotations

from tenants.states import Labelled


class Role(Labelled):
    OPERATOR = "operator", "Operator"
    PARTNER_ADMINISTRATOR = "administrator", "Partner administrator"
    PARTNER_TECHNICIAN = "technician", "Partner technician"
    PARTNER_VIEWER = "viewer", "Partner viewer"
    COMPANY_ADMINISTRATOR = "company_administrator", "Company administrator"
    COMPANY_USER = "company_user", "Company user"


STAFF_ROLES = (Role.PARTNER_ADMINISTRATOR, Role.PARTNER_TECHNICIAN, Role.PARTNER_VIEWER)
"""Roles that a staff membership may give."""


class Can(Labelled):
    SEE = "see", "see companies, accounts, groups, connectors, runs, activity"
    MANAGE_COMPANIES = "manage_companies", "create companies, licences, settings"
    RUN_CONNECTORS = (
        "run_connectors",
        "install, verify, synchronise, preview, pause, resume, replace secret",
    )
    RULE_CONNECTORS = (
        "rule_connectors",
        "sync group or settings of a live connector; rules that delete or convert; brake limits; "
        "approve or keep held changes; remove a connector; regenerate its token",
    )
    MANAGE_ACCOUNTS = "manage_accounts", "accounts: create, approve, enable, disable, resend invitation"
    END_ACCOUNTS = "end_accounts", "accounts: delete, restore, convert to personal, change role"
    MANAGE_STAFF = "manage_staff", "invite, change, remove partner staff; subscribe others to notifications"
    MANAGE_PARTNERS = "manage_partners", "partners"


_TECHNICIAN = frozenset({Can.SEE, Can.RUN_CONNECTORS, Can.MANAGE_ACCOUNTS})
_COMPANY_ADMINISTRATOR = _TECHNICIAN | {Can.RULE_CONNECTORS, Can.END_ACCOUNTS}
_PARTNER_ADMINISTRATOR = _COMPANY_ADMINISTRATOR | {Can.MANAGE_COMPANIES, Can.MANAGE_STAFF}

GRANTS: dict[Role, frozenset[Can]] = {
    Role.OPERATOR: frozenset(Can),
    Role.PARTNER_ADMINISTRATOR: _PARTNER_ADMINISTRATOR,
    Role.PARTNER_TECHNICIAN: _TECHNICIAN,
    Role.PARTNER_VIEWER: frozenset({Can.SEE}),
    Role.COMPANY_ADMINISTRATOR: _COMPANY_ADMINISTRATOR,
    Role.COMPANY_USER: frozenset(),
}
"""What each role grants inside its own tenant; a company user sees the own account and nothing else."""
