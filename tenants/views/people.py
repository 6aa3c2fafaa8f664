"""A company's people and groups, in either portal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, Prefetch, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from tenants.forms import NewAccountForm
from tenants.models import Account, GroupMembership
from tenants.portals import USER, Place, licences_of, place_page
from tenants.roles import Can
from tenants.roster import ACTS, Act, Refused, acts_that_apply, create_account, perform
from tenants.signin.again import FORM_SECONDS, again_url, forget_choice, keep_choice, kept_choice, recently_confirmed
from tenants.states import AccountRole, AccountStatus, ManagedBy

PAGE = 50
NAMED = 100
"""So many people are named on a page that asks before it acts; the rest are counted."""
ASKS_AGAIN = frozenset(act for act, right in ACTS.items() if right is Can.END_ACCOUNTS) - {
    Act.RESTORE,
    Act.MAKE_ADMIN,
    Act.MAKE_USER,
}
"""What takes an account away from its owner: asked for by somebody who has just said who they are."""


@require_http_methods(["GET", "POST"])
@place_page()
def users(request: HttpRequest, place: Place) -> HttpResponse:
    """List a company's accounts; a POST names a selection and asks what to do with it, or does it."""
    rows, chosen = _filtered(place, request)
    if request.method == "POST":
        place.access.require(Can.MANAGE_ACCOUNTS)
        return _act(request, place, rows)
    if request.GET.get("chosen") and (kept := _these(place, kept_choice(request, place.access.company.pk))):
        place.access.require(Can.MANAGE_ACCOUNTS)
        return _ask(request, place, kept)
    found = Paginator(_with_their_groups(place, rows), PAGE).get_page(request.GET.get("page"))
    context = {
        "found": found,
        "filters": chosen,
        "filtered": any(value for name, value in chosen.items() if name != "sort"),
        "query": _without_page(request),
        "heads": _heads(request, chosen["sort"]),
        **_choices(place),
        "licences": licences_of(place.access) if place.portal is USER else None,
        "new_url": place.url("new-user"),
        "why_url": place.url("why"),
        "groups_url": place.url("groups"),
        "connectors_url": place.url("connectors"),
    }
    return place.render(request, "tenants/users.html", context, at="users")


def _filtered(place: Place, request: HttpRequest) -> tuple[QuerySet[Account], dict[str, str]]:
    """Return the accounts the address asks for, and what it asks; words it does not know are passed over."""
    wanted = {name: request.GET.get(name, "").strip() for name in ("q", "status", "by", "role", "sort")}
    rows = place.access.accounts.filter(purged_at=None)
    if wanted["status"] in list(AccountStatus):
        rows = rows.filter(status=wanted["status"])
    else:
        wanted["status"] = ""
        rows = rows.exclude(status=AccountStatus.DELETED)
    if wanted["by"] in list(ManagedBy):
        rows = rows.filter(managed_by=wanted["by"])
    if wanted["role"] in list(AccountRole):
        rows = rows.filter(role=wanted["role"])
    rows = rows.named(wanted["q"])
    wanted["sort"] = wanted["sort"] if wanted["sort"] in _SORTS else ""
    return rows.order_by(*_SORTS[wanted["sort"]]), wanted


_NAME = ("last_name", "first_name", "email", "pk")
_SEEN = F("user__last_login")
_SORTS: dict[str, tuple[Any, ...]] = {
    # Whoever waits for a person comes first.
    "": (Case(When(status=AccountStatus.PENDING, then=0), default=1), *_NAME),
    "name": _NAME,
    "-name": tuple(f"-{field}" for field in _NAME),
    "by": ("managed_by", *_NAME),
    "-by": ("-managed_by", *_NAME),
    "-seen": (_SEEN.desc(nulls_last=True), *_NAME),
    "seen": (_SEEN.asc(nulls_first=True), *_NAME),
}


@dataclass(frozen=True, slots=True)
class Head:
    """Hold the head of a column that sorts: where it leads, and how it is sorted now, '' where it is not."""

    label: str
    url: str
    sorted: str


def _heads(request: HttpRequest, now: str) -> dict[str, Head]:
    """Return the heads by their columns; one that sorts already leads to the other direction."""

    def head(label: str, first: str, second: str) -> Head:
        words = request.GET.copy()
        words.pop("page", None)
        words["sort"] = second if now == first else first
        direction = ("descending" if now.startswith("-") else "ascending") if now in (first, second) else ""
        return Head(label, f"?{words.urlencode()}", direction)

    return {
        "name": head("Name", "name", "-name"),
        "status": head("Status", "", ""),
        "by": head("Managed By", "by", "-by"),
        "seen": head("Last sign-in", "-seen", "seen"),
    }


def _choices(place: Place) -> dict[str, Any]:
    """Return what the list is filtered by, each with how many there are, counted in one query."""
    kinds = place.access.accounts.order_by().values_list("status", "managed_by", "role").annotate(Count("pk"))
    numbers: Counter[tuple[str, str]] = Counter()
    for status, manager, role, number in kinds:
        numbers["status", status] += number
        if status != AccountStatus.DELETED:
            numbers["by", manager] += number
            numbers["role", role] += number
            numbers["all", ""] += number

    def choice(name: str, value: Any) -> dict[str, str]:
        return {"value": value, "label": f"{value.label} ({numbers[name, value]:,})"}

    return {
        "everybody": f"All but deleted ({numbers['all', '']:,})",
        "statuses": [choice("status", one) for one in AccountStatus if one is not AccountStatus.PERSONAL],
        "managers": [choice("by", one) for one in ManagedBy],
        "roles": [choice("role", one) for one in AccountRole],
    }


def _with_their_groups(place: Place, rows: QuerySet[Account]) -> QuerySet[Account]:
    """Return the rows with what the list says of each, in as many queries as there are kinds of it."""
    memberships = GroupMembership.objects.visible_to(place.access.user).select_related("group").order_by("group__name")
    return rows.select_related("user").prefetch_related(Prefetch("memberships", queryset=memberships))


def _without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()


def _act(request: HttpRequest, place: Place, rows: QuerySet[Account]) -> HttpResponse:
    """Ask what to do with the ticked accounts, or do what was answered, to all of them or to none."""
    back = HttpResponseRedirect(request.get_full_path())
    accounts = _selection(request, place, rows)
    if not accounts:
        messages.warning(request, "Nobody is selected: select one or more people first.")
        return back
    wanted = request.POST.get("act", "")
    if wanted not in list(Act):
        return _ask(request, place, accounts)
    act = Act(wanted)
    place.access.require(ACTS[act])
    if act in ASKS_AGAIN and not recently_confirmed(request, FORM_SECONDS):
        keep_choice(request, place.access.company.pk, [account.pk for account in accounts])
        return HttpResponseRedirect(again_url(f"{place.url('users')}?chosen=1"))
    try:
        perform(act, place.access.company, [account.pk for account in accounts], actor=place.access.user)
    except Refused as refused:
        messages.error(request, refused.sentence)
        return back
    forget_choice(request)
    messages.success(request, f"{act.label}: done for {_people(len(accounts))}.")
    return back


def _selection(request: HttpRequest, place: Place, rows: QuerySet[Account]) -> list[Account]:
    if request.POST.get("everybody"):
        return list(rows)
    ticked = request.POST.getlist("selected") + request.POST.get("ids", "").split(",")
    return _these(place, [int(one) for one in ticked if one.isascii() and one.isdecimal() and len(one) < 19])


def _these(place: Place, ids: list[int]) -> list[Account]:
    return list(place.access.accounts.filter(pk__in=ids).order_by("last_name", "first_name", "email"))


def _ask(request: HttpRequest, place: Place, accounts: list[Account]) -> HttpResponse:
    allowed = [act for act in Act if act in acts_that_apply(accounts, timezone.now()) and place.access.may(ACTS[act])]
    context = {
        "accounts": accounts[:NAMED],
        "more": max(len(accounts) - NAMED, 0),
        "people": _people(len(accounts)),
        "ids": ",".join(str(account.pk) for account in accounts),
        "acts": [(act, _CONSEQUENCES[act]) for act in allowed],
        "back": place.url("users") if request.GET.get("chosen") else request.get_full_path(),
    }
    return place.render(request, "tenants/choose_act.html", context, at="users")


_CONSEQUENCES = {
    Act.APPROVE: "They become Active; each needs a licence. Their connector keeps them as they are.",
    Act.ENABLE: "They become Active; each needs a licence. Their connector keeps them as they are.",
    Act.DISABLE: "They cannot sign in until a person enables them. No sync enables them.",
    Act.DELETE: "They lose access and every group. They can be restored for 30 days; no sync creates them again.",
    Act.RESTORE: "They come back as they were, without their groups.",
    Act.PURGE: (
        "Name, address, sign-in and Microsoft identity are erased now and for good; nobody can restore them. That they"
        " were deleted, when and by whom stays in the record. Who was deleted by a person is still not created again."
    ),
    Act.CONVERT: "They leave the company for good and live on as their owners' own accounts.",
    Act.MAKE_ADMIN: "They may manage this company's accounts and connectors.",
    Act.MAKE_USER: "They see their own account and nothing else.",
    Act.HAND_BACK: "Their connector leaves them alone until a person lifts that.",
    Act.LIFT_BAR: "From the next sync on, their connector manages them again.",
    Act.RESEND_INVITATION: "They get a new link by email. Links sent before stop working.",
    Act.REVOKE_INVITATION: "The link they were sent stops working. Their accounts stay as they are.",
}


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


@require_http_methods(["GET", "POST"])
@place_page(Can.MANAGE_ACCOUNTS)
def new_user(request: HttpRequest, place: Place) -> HttpResponse:
    """Create an account by hand."""
    form = NewAccountForm(request.POST or None)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            role = AccountRole(form.cleaned_data["role"])
            if role is AccountRole.ADMIN and not place.access.may(Can.END_ACCOUNTS):
                raise PermissionDenied
            try:
                account = create_account(
                    place.access.company,
                    first_name=form.cleaned_data["first_name"],
                    last_name=form.cleaned_data["last_name"],
                    email=form.cleaned_data["email"],
                    role=role,
                    actor=place.access.user,
                )
            except Refused as refused:
                form.add_error(None, refused.sentence)
            else:
                messages.success(request, f"The account of {account} was created.")
                return HttpResponseRedirect(place.url("users"))
        status = 422
    context = {
        "form": form,
        "several_url": place.url("new-users"),
        "users_url": place.url("users"),
        "settings_url": place.url("settings"),
        "licences": licences_of(place.access),
    }
    return place.render(request, "tenants/new_user.html", context, at="users", status=status)


@require_GET
@place_page(Can.SEE)
def groups(request: HttpRequest, place: Place) -> HttpResponse:
    """List a company's groups."""
    rows = place.access.groups.annotate(number=Count("memberships")).order_by("name", "pk")
    word, by = request.GET.get("q", "").replace("\x00", "").strip(), request.GET.get("by", "")
    if word:
        rows = rows.filter(name__icontains=word)
    if by in list(ManagedBy):
        rows = rows.filter(managed_by=by)
    found: Page[Any] = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "found": found,
        "q": word,
        "by": by,
        "managers": list(ManagedBy),
        "query": _without_page(request),
        "connectors_url": place.url("connectors"),
    }
    return place.render(request, "tenants/groups.html", context, at="groups")


@require_GET
@place_page(Can.SEE)
def group(request: HttpRequest, place: Place, group_id: int) -> HttpResponse:
    """Show a group with its members."""
    row = place.access.get(place.access.groups, group_id)
    members = place.access.accounts.filter(memberships__group=row).order_by("last_name", "first_name", "email")
    found = Paginator(members, PAGE).get_page(request.GET.get("page"))
    return place.render(
        request,
        "tenants/group.html",
        {"group": row, "found": found, "query": "", "groups_url": place.url("groups")},
        at="groups",
    )
