"""The partner portal's own admin site, its two kinds of pages, and the pages of tenants."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth import logout as sign_out
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, Q, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.text import capfirst

from tenants.access import CompanyAccess, grants_anywhere, grants_over
from tenants.activity import details_of
from tenants.audit import sentence_of
from tenants.models import (
    Account,
    AuditEntry,
    Company,
    Group,
    GroupMembership,
    Partner,
    StaffMembership,
    TenantQuerySet,
)
from tenants.portals import PARTNER, Licences, part_of, partner_navigation
from tenants.roles import Can
from tenants.roster import ACTS, Act, Refused, perform
from tenants.signin.again import FORM_SECONDS, again_url, keep_choice, recently_confirmed
from tenants.states import AccountStatus
from tenants.views import activity, adding, finding, staff

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class PortalAdminSite(admin.AdminSite):
    """The partner portal: for staff, with our models only.

    The stock site would hold whatever the installed packages register, among it the queue's schedules, through which
    whoever may edit them runs any code.
    """

    site_header = "Partner portal"
    site_title = "Partner portal"
    index_title = "Everything"
    site_url = None
    enable_nav_sidebar = False

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._pages: list[URLPattern] = []

    def add_page(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> None:
        """Put a page of our own on the site, for staff alone; one named as a stock page stands in its place."""
        self._pages.append(path(route, self.admin_view(view), name=name))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        match = request.resolver_match
        words = (match.url_name or "").split("_") if match else []
        at = part_of(words[1]) if len(words) == 3 else ""
        return {**super().each_context(request), "navigation": partner_navigation(at), "portal": PARTNER}

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_staff

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send strangers to the one sign-in page; a company login learns of no partner portal."""
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        if request.user.is_authenticated:
            raise Http404
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        return redirect_to_login(wanted)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        sign_out(request)
        return HttpResponseRedirect(reverse("account_login"))

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """Lead to the pages of ours: an index of models is nobody's work."""
        page = "tenants_company_changelist" if app_label == "tenants" else "index"
        return HttpResponseRedirect(reverse(f"admin:{page}"))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return HttpResponseRedirect(reverse("account_change_password"))

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return HttpResponseRedirect(reverse("mfa_index"))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # View-on-site looks up any row of any model, whosever it is.
        gone = {"view_on_site", *(page.name for page in self._pages)}
        return [*self._pages, *(url for url in super().get_urls() if getattr(url, "name", None) not in gone)]


site = PortalAdminSite(name="admin")


def _rights(request: HttpRequest) -> frozenset[Can]:
    """Return the visitor's rights anywhere, asked for once per request however often the site wants them."""
    kept = vars(request)
    if "portal_rights" not in kept:
        kept["portal_rights"] = grants_anywhere(request.user)
    rights: frozenset[Can] = kept["portal_rights"]
    return rights


class TenantScopedAdmin(ModelAdmin):
    """Show the rows inside the visitor's tenants; whatever is added or changed has a page of ours.

    Rows outside are 404, rows inside without the right 403. A filter on a foreign key must be related-only: the stock
    one lists every tenant's names.
    """

    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if not isinstance(rows, TenantQuerySet):
            raise TypeError(f"{self.model.__name__} cannot be narrowed to a tenant.")
        return rows.visible_to(request.user)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is None:
            raise Http404
        return row

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, Can.SEE, None)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, Can.SEE, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def _may(self, request: HttpRequest, can: Can, row: Model | None) -> bool:
        return can in (_rights(request) if row is None else grants_over(request.user, row))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = {"title": capfirst(self.model._meta.verbose_name_plural)}
        response: HttpResponse = super().changelist_view(request, {**title, **(extra_context or {})})
        return response

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        # Only the record of who did what is whole: the site's own log knows nothing of acts and runs.
        return HttpResponseRedirect(reverse("admin:tenants_auditentry_changelist"))


class RecordAdmin(TenantScopedAdmin):
    """Show history: nobody adds, changes or deletes any of it."""


@admin.register(Partner, site=site)
class PartnerAdmin(TenantScopedAdmin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, Can.MANAGE_PARTNERS, None)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request, Can.MANAGE_PARTNERS, obj)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return adding.partners(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return adding.partner(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return adding.partner(request, object_id)


@admin.register(StaffMembership, site=site)
class StaffMembershipAdmin(TenantScopedAdmin):
    list_select_related = ("user", "partner")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return staff.members(request)


@admin.register(Company, site=site)
class CompanyAdmin(TenantScopedAdmin):
    change_list_template = "tenants/companies.html"
    list_per_page = 50
    list_display = ("name", "partner", "licences_in_use", "licences")
    list_filter = (("partner", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("partner",)
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        active = Count("accounts", filter=Q(accounts__status=AccountStatus.ACTIVE))
        pending = Count("accounts", filter=Q(accounts__status=AccountStatus.PENDING))
        counted: QuerySet[Any] = rows.annotate(active=active, pending=pending)
        return counted

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        partners = Partner.objects.visible_to(request.user).order_by("name")[:500]
        choices = [{"value": str(partner.pk), "label": partner.name} for partner in partners]
        more = {
            "partners": choices if len(choices) > 1 else [],
            "partner": request.GET.get("partner__id__exact", ""),
        }
        response: HttpResponse = super().changelist_view(request, {**more, **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data |= _listed(response.context_data["cl"])
            response.context_data["may_manage"] = Can.MANAGE_COMPANIES in _rights(request)
        return response

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return adding.company(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return adding.company_page(request, object_id)

    @admin.display(description="in use", ordering="active")
    def licences_in_use(self, company: Any) -> int:
        return int(company.active)


def _listed(listed: Any) -> dict[str, Any]:
    """Return the companies of a list with their licences and addresses, and the ways to the pages beside it."""
    companies = [
        (company, Licences(company.active, company.licences), reverse("partner:home", args=[company.slug]))
        for company in listed.result_list
    ]
    pages = listed.paginator.num_pages if listed.multi_page else 1
    at = listed.page_num

    def page(number: int) -> str:
        return str(listed.get_query_string({"p": number}))

    return {
        "companies": companies,
        "number": listed.result_count,
        "pages": pages,
        "first": (at - 1) * listed.list_per_page + 1,
        "last": (at - 1) * listed.list_per_page + len(companies),
        "previous_url": page(at - 1) if at > 1 else "",
        "next_url": page(at + 1) if at < pages else "",
    }


ASKS_FIRST = frozenset({Act.DELETE, Act.PURGE, Act.CONVERT})
"""Acts that show whom they concern before they are done."""


@admin.register(Account, site=site)
class AccountAdmin(TenantScopedAdmin):
    list_display = ("__str__", "email", "status", "pending_reason", "role", "managed_by", "company")
    list_filter = ("status", "role", "managed_by", ("company", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("company",)
    search_fields = ("first_name", "last_name", "email")

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Callable[..., Any], str, str] | None]:
        return {
            str(act): (_action_of(act), str(act), f"{act.label}…" if act in ASKS_FIRST else act.label)
            for act, right in ACTS.items()
            if right in _rights(request)
        }


def _action_of(act: Act) -> Callable[[AccountAdmin, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    """Return the admin action that does one act to the selected accounts of one company."""

    def do(page: AccountAdmin, request: HttpRequest, selected: QuerySet[Any]) -> HttpResponse | None:
        accounts = list(selected.select_related("company__partner"))
        companies = {account.company for account in accounts}
        if len(companies) > 1:
            sentence = "The selection is of several companies. Filter by company, and select in one at a time."
            page.message_user(request, sentence, messages.ERROR)
            return None
        if not accounts:
            page.message_user(request, "Nobody is selected. Select at least one account.", messages.ERROR)
            return None
        access = CompanyAccess(companies.pop(), request.user)
        access.require(ACTS[act])
        if act in ASKS_FIRST and "confirmed" not in request.POST:
            return _confirm_page(page, request, act, accounts)
        if act in ASKS_FIRST and not recently_confirmed(request, FORM_SECONDS):
            keep_choice(request, access.company.pk, [account.pk for account in accounts])
            page_of_users = reverse("partner:users", kwargs={"company": access.company.slug})
            return HttpResponseRedirect(again_url(f"{page_of_users}?chosen=1"))
        try:
            perform(act, access.company, [account.pk for account in accounts], actor=access.user)
        except Refused as refused:
            page.message_user(request, refused.sentence, messages.ERROR)
        else:
            page.message_user(request, f"{act.label}: done for {len(accounts)}.", messages.SUCCESS)
        return None

    return do


def _confirm_page(page: AccountAdmin, request: HttpRequest, act: Act, accounts: list[Any]) -> HttpResponse:
    context = {
        **page.admin_site.each_context(request),
        "title": f"{act.label}: {len(accounts)}",
        "opts": Account._meta,
        "act": act,
        "accounts": accounts,
    }
    return TemplateResponse(request, "admin/confirm_act.html", context)


@admin.register(Group, site=site)
class GroupAdmin(TenantScopedAdmin):
    list_display = ("name", "managed_by", "company")
    list_filter = ("managed_by", ("company", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("company",)
    search_fields = ("name",)


@admin.register(GroupMembership, site=site)
class GroupMembershipAdmin(TenantScopedAdmin):
    list_display = ("group", "account")
    list_filter = (("group", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("group", "account")
    search_fields = ("group__name", "account__first_name", "account__last_name", "account__email")


@admin.register(AuditEntry, site=site)
class AuditEntryAdmin(RecordAdmin):
    """Show one entry; the list of them is the activity page."""

    fields = ("at", "company_name", "sentence", "details")
    readonly_fields = fields

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return activity.partner_activity(request)

    @admin.display(description="what happened")
    def sentence(self, entry: Any) -> str:
        return sentence_of(entry)

    @admin.display(description="details")
    def details(self, entry: Any) -> str:
        return "; ".join(details_of(entry)) or "–"


site.add_page("find/", finding.find, "find")
site.add_page("activity.csv", activity.partner_csv, "activity-csv")
site.add_page("staff/invite/", staff.invite, "staff-invite")
site.add_page("staff/<int:membership_id>/", staff.member, "staff-member")
