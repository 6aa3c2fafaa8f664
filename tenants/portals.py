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
from tenants.models import User
from tenants.roles import Can

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
        """Render a page of this place; `at` names the entry of the navigation that it stands under."""
        frame = {
            "place": self,
            "portal": self.portal,
            "company": self.access.company,
            "may": {can.value: self.access.may(can) for can in Can},
            **_frame(self, at),
        }
        return render(request, template, frame | context, status=status)


_TABS = (("Users", "users"), ("Groups", "groups"), ("Integrations", "connectors"))
"""The pages of a company; the partner portal calls the last one Connectors, as the product does."""


def _frame(place: Place, at: str) -> dict[str, Sequence[Entry]]:
    pages = [(label, name) for label, name in _TABS if name == "connectors" or place.access.may(Can.SEE)]
    if place.portal is USER:
        return {"navigation": [Entry(label, place.url(name), name == at) for label, name in pages], "tabs": []}
    home = reverse("admin:index")
    companies = reverse("admin:tenants_company_changelist")
    company = place.access.company
    return {
        "navigation": partner_navigation("companies"),
        "tabs": [
            Entry("Connectors" if name == "connectors" else label, place.url(name), name == at) for label, name in pages
        ],
        "crumbs": [Entry("Partner portal", home), Entry("Companies", companies), Entry(company.name, "")],
    }


def partner_navigation(at: str) -> list[Entry]:
    """Return the partner portal's navigation; `at` is the part the page stands in."""
    pages = (
        ("Companies", "companies", "admin:tenants_company_changelist"),
        ("Connectors", "connectors", "admin:connectors_connector_changelist"),
        ("Runs", "runs", "admin:connectors_syncrun_changelist"),
        ("Staff", "staff", "admin:tenants_staffmembership_changelist"),
        ("Activity", "activity", "admin:tenants_auditentry_changelist"),
    )
    return [Entry(label, reverse(name), key == at) for label, key, name in pages]


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
