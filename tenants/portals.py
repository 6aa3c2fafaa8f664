"""The two portals as values: what a page written once looks like, and where it stands, in either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from tenants.access import CompanyAccess, company_access
from tenants.models import Account, User
from tenants.roles import Can
from tenants.states import AccountStatus

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Portal:
    """Hold what differs between the portals; `namespace` is that of its company pages' URLs."""

    namespace: str
    label: str
    body_class: str


PARTNER = Portal("partner", "Partner portal", "portal-partner")
USER = Portal("business", "User portal", "portal-user")
PORTALS = {portal.namespace: portal for portal in (PARTNER, USER)}


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one entry of a navigation."""

    label: str
    url: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Hold where somebody is: in which portal, in which company, with what rights."""

    portal: Portal
    access: CompanyAccess

    def url(self, name: str, **arguments: Any) -> str:
        """Return the address of a company page in this portal, by its name."""
        if self.portal is PARTNER:
            arguments["company"] = self.access.company.slug
        return reverse(f"{self.portal.namespace}:{name}", kwargs=arguments)

    def render(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, at: str, status: int = 200
    ) -> HttpResponse:
        """Render a page of this place; `at` names the entry of the navigation that it stands under.

        Of a page deeper than that, the context's `trail` holds the entries below it, the page itself last, without URL.
        """
        frame = {
            "place": self,
            "portal": self.portal,
            "company": self.access.company,
            "may": {can.value: self.access.may(can) for can in Can},
            **_frame(self, at, context.get("trail", ())),
        }
        return render(request, template, frame | context, status=status)


@dataclass(frozen=True, slots=True)
class _Tab:
    """Hold one of a company's pages: its name, what each portal calls it, and the right to be offered it."""

    name: str
    in_partner: str
    in_business: str
    right: Can | None = Can.SEE


_TABS = (
    _Tab("users", "Users", "Users"),
    _Tab("groups", "Groups", "Groups"),
    _Tab("connectors", "Connectors", "Integrations", right=None),
    _Tab("activity", "Activity", "Activity"),
    _Tab("settings", "Settings", "Settings"),
)
"""A company's pages in their order: tabs in the partner portal, the navigation in the user portal."""


def _tabs_of(access: CompanyAccess) -> list[_Tab]:
    return [tab for tab in _TABS if tab.right is None or access.may(tab.right)]


def business_navigation(access: CompanyAccess, at: str = "") -> list[Entry]:
    """Return the user portal's navigation; `at` is the page's name, none of them on the pages of one's own sign-in."""
    place = Place(USER, access)
    return [Entry(tab.in_business, place.url(tab.name), tab.name == at) for tab in _tabs_of(access)]


def _frame(place: Place, at: str, trail: Sequence[Entry]) -> dict[str, Any]:
    if place.portal is USER:
        navigation = business_navigation(place.access, at)
        above = [entry for entry in navigation if entry.current and trail]
        return {"navigation": navigation, "tabs": [], "crumbs": [*above, *trail]}
    companies = reverse("admin:tenants_company_changelist")
    company = Entry(place.access.company.name, place.url("home") if trail else "")
    entries = [Entry(tab.in_partner, place.url(tab.name), tab.name == at) for tab in _tabs_of(place.access)]
    above = [entry for entry in entries if entry.current and trail]
    return {
        "navigation": partner_navigation("companies"),
        "tabs": entries,
        "crumbs": [Entry("Companies", companies), company, *above, *trail],
        "frame_licences": licences_of(place.access),
    }


@dataclass(frozen=True, slots=True)
class Licences:
    """Hold how many licences are in use, and of how many: None where they are unlimited."""

    used: int
    total: int | None

    @property
    def over(self) -> bool:
        """Say whether more are in use than there are."""
        return self.total is not None and self.used > self.total

    @property
    def full(self) -> bool:
        """Say whether none is left."""
        return self.total is not None and self.used >= self.total

    @property
    def percent(self) -> int:
        """Return the part in use, for a meter."""
        return min(100, round(100 * self.used / self.total)) if self.total else 100 if self.full else 0


def licences_of(access: CompanyAccess) -> Licences | None:
    """Return a company's licences in use; None for who may not see its accounts."""
    if not access.may(Can.SEE):
        return None
    used = access.of(Account).filter(status=AccountStatus.ACTIVE).count()
    return Licences(used, access.company.licences)


PARTNER_PAGES = (
    ("fleet", "Fleet", "admin:index"),
    ("companies", "Companies", "admin:tenants_company_changelist"),
    ("activity", "Activity", "admin:tenants_auditentry_changelist"),
    ("staff", "Staff", "admin:tenants_staffmembership_changelist"),
)
"""The partner portal's navigation: it follows the work, not the models."""

_PART_OF_MODEL = {
    "auditentry": "activity",
    "staffmembership": "staff",
    "partner": "staff",
    "company": "companies",
    "account": "companies",
    "group": "companies",
    "groupmembership": "companies",
}


def partner_navigation(at: str) -> list[Entry]:
    """Return the partner portal's navigation; `at` is the part the page stands in."""
    return [Entry(label, reverse(name), key == at) for key, label, name in PARTNER_PAGES]


def render_partner(
    request: HttpRequest, template: str, context: dict[str, Any], *, at: str, status: int = 200
) -> HttpResponse:
    """Render a page of the partner portal that stands in no company; `at` names the part of the navigation."""
    frame = {"portal": PARTNER, "navigation": partner_navigation(at)}
    return render(request, template, frame | context, status=status)


def part_of(model: str) -> str:
    """Return the part of the navigation under which the plain pages of a model stand, by its lower-case name."""
    return _PART_OF_MODEL.get(model, "fleet")


def place_page(
    *cans: Can,
) -> Callable[[Callable[Concatenate[HttpRequest, Place, P], HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Guard a company page of both portals: the URL's namespace tells the portal, slug or login the company.

    A stranger is sent to sign in; outside the company it is 404; inside, without a right, 403. A staff login has no
    user portal, and a company login no partner portal.
    """

    def guard(
        view: Callable[Concatenate[HttpRequest, Place, P], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            place = place_of(request, kwargs.pop("company", None))
            place.access.require(*cans)
            return view(request, place, *args, **kwargs)

        return page

    return guard


def place_of(request: HttpRequest, slug: str | None) -> Place:
    """Return where a request stands. Raises Http404 for whoever has no business there."""
    match = request.resolver_match
    portal = PORTALS.get(match.namespace if match else "")
    user = request.user
    if portal is None or not isinstance(user, User) or user.is_staff is not (portal is PARTNER):
        raise Http404
    if slug is None:
        account = getattr(user, "account", None)
        if account is None:
            raise Http404
        slug = account.company.slug
    return Place(portal, company_access(user, slug))
