"""What the partner portal begins with: adding a company, and an operator's partners."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tenants.access import StaffGrants
from tenants.companies import create_company, create_partner, rename_partner
from tenants.forms import NewCompanyForm, PartnerForm
from tenants.models import Company, Partner, User
from tenants.portals import Entry, render_partner
from tenants.roles import Can
from tenants.roster import Refused

PAGE = 50


def _visitor(request: HttpRequest, right: Can) -> tuple[User, StaffGrants]:
    user, grants = request.user, StaffGrants(request.user)
    if not isinstance(user, User) or right not in grants.anywhere:
        raise PermissionDenied
    return user, grants


@never_cache
@require_http_methods(["GET", "POST"])
def company(request: HttpRequest) -> HttpResponse:
    """Add a company to a partner that the visitor manages; its connector is installed next."""
    user, grants = _visitor(request, Can.MANAGE_COMPANIES)
    partners = Partner.objects.visible_to(user).order_by("name")
    own = [one for one in partners if Can.MANAGE_COMPANIES in grants.at(one.pk)]
    form = NewCompanyForm(request.POST if request.method == "POST" else None, partners=own)
    if request.method == "POST" and form.is_valid():
        name, licences = form.cleaned_data["name"], form.cleaned_data["licences"]
        try:
            added = create_company(form.chosen, name=name, licences=licences, actor=user)
        except Refused as refused:
            form.add_error("name", refused.sentence)
        else:
            messages.success(request, f"{added.name} is added. Install its connector here.")
            return HttpResponseRedirect(reverse("partner:connectors", args=[added.slug]))
    back = reverse("admin:tenants_company_changelist")
    context = {
        "form": form,
        "title": "Add company",
        "lead": "A customer of yours, with a number of licences. Its people, groups and connectors are kept under it.",
        "back": back,
        "crumbs": [Entry("Companies", back), Entry("Add company", "")],
        "nowhere": not own,
    }
    status = 422 if request.method == "POST" else 200
    return render_partner(request, "tenants/adding.html", context, at="companies", status=status)


def company_page(request: HttpRequest, company_id: str) -> HttpResponse:
    """Lead from a company's number to its settings."""
    row = Company.objects.visible_to(request.user).filter(pk=company_id).first() if company_id.isdecimal() else None
    if row is None:
        raise Http404
    return HttpResponseRedirect(reverse("partner:settings", args=[row.slug]))


@never_cache
@require_safe
def partners(request: HttpRequest) -> HttpResponse:
    """List the partners, with how many companies each has and how many people are its staff."""
    user, _ = _visitor(request, Can.MANAGE_PARTNERS)
    word = request.GET.get("q", "").replace("\x00", "").strip()
    rows = Partner.objects.visible_to(user).filter(name__icontains=word)
    counted = rows.annotate(
        companies_number=Count("companies", distinct=True), staff_number=Count("staff", distinct=True)
    )
    found = Paginator(counted.order_by("name", "pk"), PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    staff = reverse("admin:tenants_staffmembership_changelist")
    context = {
        "found": found,
        "word": word,
        "query": query.urlencode(),
        "crumbs": [Entry("Staff", staff), Entry("Partners", "")],
    }
    return render_partner(request, "tenants/partners.html", context, at="staff")


@never_cache
@require_http_methods(["GET", "POST"])
def partner(request: HttpRequest, partner_id: str = "") -> HttpResponse:
    """Add a partner, or rename the one of that number."""
    user, grants = _visitor(request, Can.SEE)
    row = None
    if partner_id:
        row = Partner.objects.visible_to(user).filter(pk=partner_id).first() if partner_id.isdecimal() else None
        if row is None:
            raise Http404
    if Can.MANAGE_PARTNERS not in grants.anywhere:
        raise PermissionDenied
    shown = {"name": row.name} if row else None
    form = PartnerForm(request.POST if request.method == "POST" else None, initial=shown)
    back = reverse("admin:tenants_partner_changelist")
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            if row is None:
                create_partner(name=name, actor=user)
            else:
                rename_partner(row, name=name, actor=user)
        except Refused as refused:
            form.add_error("name", refused.sentence)
        else:
            done = f"{name} is added. Invite its first administrator under Staff." if row is None else "Saved."
            messages.success(request, done)
            return HttpResponseRedirect(back)
    title = "Rename partner" if row else "Add partner"
    staff = Entry("Staff", reverse("admin:tenants_staffmembership_changelist"))
    context = {
        "form": form,
        "title": title,
        "lead": "A managed service provider, with companies and staff of its own.",
        "save": "Save name" if row else title,
        "back": back,
        "crumbs": [staff, Entry("Partners", back), Entry(row.name if row else title, "")],
    }
    status = 422 if request.method == "POST" else 200
    return render_partner(request, "tenants/adding.html", context, at="staff", status=status)
