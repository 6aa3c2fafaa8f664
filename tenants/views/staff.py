"""Staff: who of a partner may sign in as what, and inviting, changing and removing them."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tenants import staff
from tenants.access import StaffGrants
from tenants.forms import InviteStaffForm
from tenants.models import Partner, StaffMembership, TenantQuerySet, User
from tenants.portals import Entry, render_partner
from tenants.roles import STAFF_ROLES, Can, Role
from tenants.roster import Refused

PAGE = 50

MEANING = {
    Role.PARTNER_ADMINISTRATOR: "May do everything in all companies of the partner, and manages its staff.",
    Role.PARTNER_TECHNICIAN: (
        "Installs and runs connectors; creates, approves, enables and disables accounts. Deletes nothing, and approves"
        " no held changes."
    ),
    Role.PARTNER_VIEWER: "Sees everything of the partner’s companies, and changes nothing.",
}

_TONES = {
    staff.Standing.SIGNS_IN: ("ok", "check-circle"),
    staff.Standing.SENDING: ("wait", "clock"),
    staff.Standing.INVITED: ("wait", "mail"),
    staff.Standing.EXPIRED: ("hold", "hourglass"),
    staff.Standing.REVOKED: ("idle", "minus-circle"),
    staff.Standing.NEVER_INVITED: ("idle", "minus-circle"),
}


@dataclass(frozen=True, slots=True)
class Member:
    """Hold one member of a partner's staff as a page shows them; `url` is '' where the visitor may not change them."""

    membership: StaffMembership
    standing: staff.Standing
    url: str
    own: bool

    @property
    def badge(self) -> tuple[str, str]:
        """Return tone and icon of the standing."""
        return _TONES[self.standing]

    @property
    def waits(self) -> bool:
        """Say whether they cannot sign in yet."""
        return self.standing in staff.WAITING


def _visitor(request: HttpRequest) -> tuple[User, StaffGrants]:
    user, grants = request.user, StaffGrants(request.user)
    if not isinstance(user, User) or Can.SEE not in grants.anywhere:
        raise PermissionDenied
    return user, grants


def _members(user: User) -> TenantQuerySet[StaffMembership]:
    rows: TenantQuerySet[StaffMembership] = StaffMembership.objects.visible_to(user)
    return rows.select_related("user__invitation", "partner")


def _shown(row: StaffMembership, user: User, grants: StaffGrants) -> Member:
    may = Can.MANAGE_STAFF in grants.at(row.partner_id)
    url = reverse("admin:staff-member", args=[row.pk]) if may else ""
    return Member(row, staff.standing_of(row.user, timezone.now()), url, row.user_id == user.pk)


@never_cache
@require_safe
def members(request: HttpRequest) -> HttpResponse:
    """List the staff of every partner that the visitor is staff of, who waits for an invitation first."""
    user, grants = _visitor(request)
    rows, words = _members(user), {name: request.GET.get(name, "").strip() for name in ("q", "role", "partner")}
    for word in words["q"].replace("\x00", "").split()[:5]:
        rows = rows.filter(Q(user__name__icontains=word) | Q(user__email__icontains=word))
    if words["role"] in STAFF_ROLES:
        rows = rows.filter(role=words["role"])
    if words["partner"].isascii() and words["partner"].isdecimal() and len(words["partner"]) < 19:
        rows = rows.filter(partner=int(words["partner"]))
    found = Paginator(rows.order_by("partner__name", "user__name", "user__email", "pk"), PAGE).get_page(
        request.GET.get("page")
    )
    partners = list(Partner.objects.visible_to(user).order_by("name"))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "found": found,
        "members": [_shown(row, user, grants) for row in found],
        "words": words,
        "asked": any(words.values()),
        "query": query.urlencode(),
        "roles": STAFF_ROLES,
        "partners": [_Choice(str(one.pk), one.name) for one in partners] if len(partners) > 1 else [],
        "may_invite": Can.MANAGE_STAFF in grants.anywhere and bool(partners),
        "may_manage_partners": Can.MANAGE_PARTNERS in grants.anywhere,
    }
    return render_partner(request, "tenants/staff.html", context, at="staff")


@dataclass(frozen=True, slots=True)
class _Choice:
    """Hold one choice of a filter."""

    value: str
    label: str


@never_cache
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody to a partner's staff."""
    user, grants = _visitor(request)
    partners = list(Partner.objects.visible_to(user).order_by("name"))
    if not partners or Can.MANAGE_STAFF not in grants.anywhere:
        raise PermissionDenied
    form = InviteStaffForm(request.POST or None, partners=partners)
    status = 200
    if request.method == "POST":
        form = InviteStaffForm(request.POST, partners=partners)
        status = 422
        if form.is_valid() and Can.MANAGE_STAFF not in grants.at(form.partner.pk):
            form.add_error("partner_id", "Its own administrators invite its staff. Ask one of them.")
        elif form.is_valid():
            try:
                member = staff.invite(
                    form.partner,
                    email=form.cleaned_data["email"],
                    name=form.cleaned_data["name"],
                    role=Role(form.cleaned_data["role"]),
                    actor=user,
                )
            except Refused as refused:
                form.add_error(None, refused.sentence)
            else:
                _say_invited(request, member)
                return HttpResponseRedirect(_list())
    context = {
        "form": form,
        "meanings": [(role.label, meaning) for role, meaning in MEANING.items()],
        "back": _list(),
        "crumbs": [Entry("Staff", _list()), Entry("Invite", "")],
    }
    return render_partner(request, "tenants/staff_invite.html", context, at="staff", status=status)


def _say_invited(request: HttpRequest, member: StaffMembership) -> None:
    user = member.user
    if user.has_usable_password():
        messages.success(request, f"{user} is in the staff of {member.partner} now, and signs in as before.")
    else:
        messages.success(request, f"{user} is invited. The link leaves for {user.email} within a minute.")


def _list() -> str:
    return reverse("admin:tenants_staffmembership_changelist")


@never_cache
@require_http_methods(["GET", "POST"])
def member(request: HttpRequest, membership_id: int) -> HttpResponse:
    """Show one member of the staff, and change the role, send or revoke the invitation, or remove them."""
    user, grants = _visitor(request)
    row = _members(user).filter(pk=membership_id).first()
    if row is None:
        raise Http404
    if Can.MANAGE_STAFF not in grants.at(row.partner_id):
        raise PermissionDenied
    if request.method == "POST":
        return _act(request, row, user)
    shown = _shown(row, user, grants)
    context = {
        "member": shown,
        "roles": [(role, MEANING[role], role == row.role) for role in STAFF_ROLES],
        "notifications_url": reverse("notifications-of", args=[row.pk]),
        "back": _list(),
        "crumbs": [Entry("Staff", _list()), Entry(str(row.user), "")],
    }
    return render_partner(request, "tenants/staff_member.html", context, at="staff")


def _act(request: HttpRequest, row: StaffMembership, actor: User) -> HttpResponse:
    """Do what a button of a member's page says, and say how it went."""
    act, name = request.POST.get("act", ""), str(row.user)
    role = request.POST.get("role", "")
    try:
        if act == "role" and role in STAFF_ROLES:
            staff.change_role(row, Role(role), actor=actor)
            done = f"{name} is {Role(role).label.lower()} of {row.partner} now."
        elif act == "resend":
            staff.invite_again(row, actor=actor)
            done = f"{name} gets a new link within a minute. Links sent before no longer work."
        elif act == "revoke":
            staff.revoke_invitation(row, actor=actor)
            done = f"The link that {name} was sent no longer works."
        elif act == "remove":
            staff.remove(row, actor=actor)
            done = f"{name} is not in the staff of {row.partner} any more."
        else:
            raise Http404
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, done)
    return HttpResponseRedirect(_list())
