"""Find a company or a person over all companies that a member of the staff may see."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.db.models import Case, When
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tenants.access import StaffGrants
from tenants.models import Account, AccountQuerySet, Company, TenantQuerySet, User
from tenants.portals import render_partner
from tenants.roles import Can
from tenants.states import AccountStatus

MOST = 50
"""So many companies, and so many accounts, are listed; more ask for a longer word."""
SHORTEST = 2
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Hold an account that was found: where it is listed, and where it is explained, '' without the right to ask."""

    account: Account
    url: str
    why_url: str


@never_cache
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """List the companies, and the accounts, in which every word that was typed is found."""
    user, grants = request.user, StaffGrants(request.user)
    if not isinstance(user, User):
        raise PermissionDenied
    text = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:LONGEST]
    asked = len(text) >= SHORTEST
    companies = list(_companies(user, text)[: MOST + 1]) if asked else []
    accounts = list(_accounts(user, text)[: MOST + 1]) if asked else []
    partners = {one.partner_id for one in companies} | {one.company.partner_id for one in accounts}
    context = {
        "text": text,
        "asked": asked,
        "too_short": bool(text) and not asked,
        "most": MOST,
        "companies": companies[:MOST],
        "more_companies": len(companies) > MOST,
        "people": [_person(account, grants) for account in accounts[:MOST]],
        "more_people": len(accounts) > MOST,
        "several": len(partners) > 1,
    }
    return render_partner(request, "tenants/find.html", context, at="")


def _companies(user: User, text: str) -> TenantQuerySet[Company]:
    rows: TenantQuerySet[Company] = Company.objects.visible_to(user)
    for word in text.split()[:5]:
        rows = rows.filter(name__icontains=word)
    return rows.select_related("partner").order_by("name", "pk")


def _accounts(user: User, text: str) -> AccountQuerySet[Account]:
    rows: AccountQuerySet[Account] = Account.objects.visible_to(user).named(text)
    # Whoever is deleted is looked for least.
    gone = Case(When(status=AccountStatus.DELETED, then=1), default=0)
    return rows.select_related("company__partner").order_by(gone, "last_name", "first_name", "email", "pk")


def _person(account: Account, grants: StaffGrants) -> Person:
    slug = account.company.slug
    place = {"q": account.email}
    if account.status == AccountStatus.DELETED:
        place["status"] = AccountStatus.DELETED.value
    may = Can.SEE in grants.at(account.company.partner_id)
    why = f"{reverse('partner:why', args=[slug])}?account={account.pk}" if may else ""
    return Person(account, f"{reverse('partner:users', args=[slug])}?{urlencode(place)}", why)
