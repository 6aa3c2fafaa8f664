"""The frame of the pages about one's own sign-in: which portal they stand in, and the tabs between them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from tenants.access import CompanyAccess, role_in
from tenants.models import Company, User
from tenants.portals import PARTNER, USER, Entry, business_navigation, partner_navigation
from tenants.signin.entering import home_of

OURS = ("account_", "mfa_", "socialaccount_", "microsoft_", "usersessions_", "own_account", "welcome", "signin_")
"""How the names of these pages begin; every other page brings its own frame."""


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return what base.html wants on a page about signing in, and whether there is a button for Microsoft."""
    match = request.resolver_match
    name = (match.view_name if match else "") or ""
    if not name.startswith(OURS):
        return {}
    found: dict[str, Any] = {"microsoft_offered": bool(settings.MICROSOFT_SIGNIN_CLIENT_ID)}
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return found
    pages = [
        ("Account", "own_account") if getattr(user, "account", None) is not None else None,
        ("Second factor", "mfa_index"),
        ("Password", "account_change_password" if user.has_usable_password() else "account_set_password"),
        ("Microsoft", "socialaccount_connections") if found["microsoft_offered"] else None,
        ("Sessions", "usersessions_list"),
    ]
    tabs = [Entry(page[0], reverse(page[1]), page[1] == name) for page in pages if page]
    return found | frame_of(user) | {"tabs": tabs}


def frame_of(user: User) -> dict[str, Any]:
    """Return the portal that a login works in, its company, and its navigation."""
    account = getattr(user, "account", None)
    # Who is waiting, or has left, is told of no company.
    company = account.company if account is not None and role_in(user, account.company) else None
    return {
        "portal": PARTNER if user.is_staff else USER,
        "company": company,
        "navigation": partner_navigation("") if user.is_staff else _business(user, company),
    }


def _business(user: User, company: Company | None) -> list[Entry]:
    if company is None or home_of(user) == reverse("own_account"):
        return []
    try:
        return business_navigation(CompanyAccess(company, user))
    except NoReverseMatch:
        return []
