"""Who is told of what by email: the pages on which staff subscribe themselves, and administrators others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from tenants.access import grants_at, staff_page
from tenants.forms import SubscriptionForm
from tenants.models import Company, StaffMembership, Subscription, User
from tenants.portals import Entry, render_partner
from tenants.roles import GRANTS, STAFF_ROLES, Can, Role
from tenants.states import EventKind
from tenants.subscriptions import Wish, subscribe, wishes_of

PAGE = 50

_MANAGERS = [str(role) for role in STAFF_ROLES if Can.MANAGE_STAFF in GRANTS[role]]


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one member of staff as the list shows them."""

    membership: StaffMembership
    own: bool
    kinds: str
    companies: str
    chosen: bool
    url: str


@require_GET
@staff_page
def overview(request: HttpRequest) -> HttpResponse:
    """List who is told of what: to administrators all staff, to everybody else the own subscriptions."""
    user = _login(request)
    mine = Q(user=user)
    if not user.is_superuser:
        managed = StaffMembership.objects.visible_to(user).filter(user=user, role__in=_MANAGERS).values("partner")
        mine |= Q(partner__in=managed)
    rows = StaffMembership.objects.visible_to(user).select_related("user", "partner")
    if not user.is_superuser:
        rows = rows.filter(mine)
    found = Paginator(rows.order_by("partner__name", "user__name", "user__email"), PAGE).get_page(
        request.GET.get("page")
    )
    members = list(found.object_list)
    wishes = wishes_of(members)
    chosen = set(
        Subscription.objects.visible_to(user).filter(membership__in=members).values_list("membership", flat=True)
    )
    context = {
        "found": found,
        "query": "",
        "rows": [
            Row(
                member,
                member.user_id == user.pk,
                _kinds(wishes[member.pk]),
                _companies(wishes[member.pk]),
                member.pk in chosen,
                reverse("notifications-of", args=[member.pk]),
            )
            for member in members
        ],
        "several_partners": len({member.partner_id for member in members}) > 1,
        "managed": user.is_superuser or any(member.user_id != user.pk for member in members),
    }
    return _page(request, "tenants/notifications.html", context, [Entry("Notifications", "")])


def _kinds(wish: Wish) -> str:
    if len(wish.kinds) == len(EventKind):
        return "Everything"
    names = [kind.label for kind in EventKind if kind in wish.kinds]
    return "; ".join(names) or "Nothing"


def _companies(wish: Wish) -> str:
    if not wish.kinds:
        return "–"
    if wish.companies is None:
        return "All companies"
    return "1 company" if len(wish.companies) == 1 else f"{len(wish.companies):,} companies"


@require_http_methods(["GET", "POST"])
@staff_page
def subscription(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Choose what one member of staff is told of: oneself, or as administrator anybody of one's partner."""
    user = _login(request)
    rows = StaffMembership.objects.visible_to(user).select_related("user", "partner")
    membership = rows.filter(pk=membership_id).first()
    if membership is None:
        raise Http404
    own = membership.user_id == user.pk
    if not own and Can.MANAGE_STAFF not in grants_at(user, membership.partner):
        raise PermissionDenied
    companies = list(Company.objects.visible_to(user).filter(partner=membership.partner).order_by("name"))
    wish = wishes_of([membership])[membership.pk]
    form = SubscriptionForm(request.POST if request.method == "POST" else None, companies=companies, wish=wish)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            subscribe(membership, form.kinds_wanted, form.companies_wanted, actor=user)
            whose = "You are" if own else f"{membership.user} is"
            after = _kinds(Wish(frozenset(form.kinds_wanted)))
            told = "told of nothing" if not form.kinds_wanted else f"told of: {after[:1].lower()}{after[1:]}"
            messages.success(request, f"Saved. {whose} {told}.")
            return HttpResponseRedirect(reverse("notifications"))
        status = 422
    context = {
        "membership": membership,
        "own": own,
        "form": form,
        "default": membership.role == Role.PARTNER_ADMINISTRATOR,
        "back": reverse("notifications"),
    }
    crumbs = [Entry("Notifications", reverse("notifications")), Entry(str(membership.user), "")]
    return _page(request, "tenants/subscription.html", context, crumbs, status=status)


def _login(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _page(
    request: HttpRequest, template: str, context: dict[str, Any], crumbs: list[Entry], *, status: int = 200
) -> HttpResponse:
    staff = Entry("Staff", reverse("admin:tenants_staffmembership_changelist"))
    return render_partner(request, template, context | {"crumbs": [staff, *crumbs]}, at="staff", status=status)
