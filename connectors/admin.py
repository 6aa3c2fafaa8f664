"""The partner portal's plain pages of connectors: their state, their runs, and what they remember; no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode

from connectors import lifecycle
from connectors.attention import credential_of, needs_of
from connectors.lifecycle import Refused
from connectors.models import Connector, PersonMark, SelectedGroup, SyncChange, SyncRule, SyncRun
from connectors.views.fleet import acting, resuming, ruling
from connectors.views.fleet import page as fleet
from tenants.access import grants_anywhere, grants_at
from tenants.admin import RecordAdmin, TenantScopedAdmin, site
from tenants.models import User

if TYPE_CHECKING:
    TabularInline = admin.TabularInline[Any, Any]
else:
    TabularInline = admin.TabularInline

site.add_page("", fleet.fleet, "index")
site.add_page("fleet.csv", fleet.as_csv, "fleet-csv")
site.add_page("fleet/actions/", acting.act, "fleet-actions")
site.add_page("fleet/resume/", resuming.resume, "fleet-resume")
site.add_page("fleet/resume/<int:connector_id>/", resuming.one, "fleet-resume-one")
site.add_page("fleet/rules/", ruling.rules, "fleet-rules")
site.add_page("fleet/rules/done/", ruling.done, "fleet-rules-done")
site.add_page("fleet/rules/<int:connector_id>/", ruling.one, "fleet-rules-one")

_COMPANY = ("company", admin.RelatedOnlyFieldListFilter)


class _Part(TabularInline):
    """Show what belongs to a row, to whoever sees the row; nobody changes it here."""

    template = "admin/part.html"
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SelectedGroupPart(_Part):
    model = SelectedGroup
    fields = readonly_fields = ("name", "directory_id", "sentence")


class SyncRulePart(_Part):
    model = SyncRule
    fields = readonly_fields = ("situation", "action")


@admin.register(Connector, site=site)
class ConnectorAdmin(TenantScopedAdmin):
    list_display = ("company", "name", "status", "needs", "last_success_at", "in_scope", "secret_expires_on")
    list_display_links = ("company", "name")
    list_filter = ("status", "cloud", _COMPANY)
    list_select_related = ("company__partner",)
    search_fields = ("company__name", "name", "tenant")
    inlines = (SelectedGroupPart, SyncRulePart)
    _sections = {
        "": ("company", "name", "uid", "status", "status_since", "status_sentence", "status_reference", "needs"),
        "Azure Auth": ("tenant", "tenant_id", "client_id", "cloud", "signs_in_with", "secret_expires_on"),
        "Users & Groups": ("sync_group_name", "sync_group_id", *lifecycle.SETTINGS),
        "Brake": tuple(lifecycle.LIMITS),
        "Runs": (
            "runs",
            "findings_shown",
            "in_scope",
            "completed_runs",
            "last_run_at",
            "last_success_at",
            "removed_at",
        ),
    }
    fieldsets = tuple((title or None, {"fields": names}) for title, names in _sections.items())
    readonly_fields = tuple(name for names in _sections.values() for name in names)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("selected_groups")

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Callable[..., Any], str, str] | None]:
        rights = grants_anywhere(request.user)
        return {name: (do, name, label) for name, (do, label) in _ACTIONS.items() if lifecycle.ACTS[name] in rights}

    @admin.display(description="needs a person for")
    def needs(self, connector: Any) -> str:
        needs = needs_of(connector, timezone.now())
        return (
            format_html_join("", "<p>{}</p>", ((f"{need.attention.label}. {need.sentence}",) for need in needs)) or "–"
        )

    @admin.display(description="signs in with")
    def signs_in_with(self, connector: Any) -> str:
        return str(credential_of(connector).kind.label)

    @admin.display(description="record of runs")
    def runs(self, connector: Any) -> str:
        return format_html('<a href="{}?connector__id__exact={}">All runs</a>', _list(SyncRun), connector.pk)

    @admin.display(description="held, skipped, left out")
    def findings_shown(self, connector: Any) -> str:
        if connector.findings_id is None:
            return "Nobody"
        return format_html(
            '<a href="{}?run__id__exact={}">The last findings</a>', _list(SyncChange), connector.findings_id
        )


def _synchronise(page: ConnectorAdmin, request: HttpRequest, selected: QuerySet[Any]) -> None:
    rows, actor = _permitted("synchronise", request, selected)
    refusals = lifecycle.synchronise(rows, actor=actor)
    _report(page, request, rows, refusals, "A run was asked for")


def _one_by_one(name: str, act: Callable[..., object], done: str) -> Callable[..., None]:
    def do(page: ConnectorAdmin, request: HttpRequest, selected: QuerySet[Any]) -> None:
        rows, actor = _permitted(name, request, selected)
        refusals = {}
        for row in rows:
            try:
                act(row, actor=actor)
            except Refused as refused:
                refusals[row.pk] = refused.sentence
        _report(page, request, rows, refusals, done)

    return do


def _resume(page: ConnectorAdmin, request: HttpRequest, selected: QuerySet[Any]) -> HttpResponse:
    """Lead to the page that shows first what resuming would do."""
    rows, _ = _permitted("resume", request, selected)
    chosen = ",".join(str(row.pk) for row in rows)
    return HttpResponseRedirect(f"{reverse('admin:fleet-resume')}?{urlencode({'connectors': chosen})}")


_ACTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "synchronise": (_synchronise, "Synchronize Now"),
    "pause": (_one_by_one("pause", lifecycle.pause, "Paused"), "Pause"),
    "resume": (_resume, "Resume…"),
}


def _permitted(name: str, request: HttpRequest, selected: QuerySet[Any]) -> tuple[list[Connector], User]:
    """Return the selected rows and who acts; raise PermissionDenied where one row is not theirs to do this to."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    rows = list(selected.select_related("company__partner"))
    partners = {row.company.partner for row in rows}
    if any(lifecycle.ACTS[name] not in grants_at(request.user, partner) for partner in partners):
        raise PermissionDenied
    return rows, request.user


def _report(
    page: ConnectorAdmin, request: HttpRequest, rows: list[Connector], refusals: dict[int, str], done: str
) -> None:
    for row in rows:
        if row.pk in refusals:
            page.message_user(request, f"{row}: {refusals[row.pk]}", messages.ERROR)
        else:
            page.message_user(request, f"{row}: {done}.", messages.SUCCESS)


@admin.register(SyncRun, site=site)
class SyncRunAdmin(RecordAdmin):
    list_display = ("started_at", "company", "connector_name", "trigger", "state", "counted", "times", "sentence")
    list_filter = ("state", "trigger", "quiet", _COMPANY)
    list_select_related = ("company",)
    search_fields = ("company__name", "by_label", "reference")
    date_hierarchy = "started_at"
    fields = (
        *("company", "connector_name", "trigger", "by_label", "state", "first", "quiet", "times", "started_at"),
        *("finished_at", "requests", "calls", "in_scope", "counted", "sentence", "reference", "lines"),
    )
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "connector__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="what it did")
    def counted(self, run: Any) -> str:
        return (
            ", ".join(f"{key.replace('.', ' ').replace('_', ' ')} {count}" for key, count in run.counts.items()) or "–"
        )

    @admin.display(description="every change")
    def lines(self, run: Any) -> str:
        return format_html('<a href="{}?run__id__exact={}">Its lines</a>', _list(SyncChange), run.pk)


@admin.register(SyncChange, site=site)
class SyncChangeAdmin(RecordAdmin):
    list_display = ("at", "outcome", "kind", "name", "email", "group_name", "before", "after", "because")
    # No filter names runs or companies: there are too many to choose from; a run's page leads here.
    list_filter = ("outcome", "kind", "situation", "approved")
    search_fields = ("name", "email", "group_name", "object_id")
    fields = (
        *("run", "at", "outcome", "kind", "situation", "name", "email", "object_id", "group_name", "before", "after"),
        *("because", "cause", "question", "approved", "decided_by"),
    )
    list_select_related = ("run",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "run__id__exact" or super().lookup_allowed(lookup, value, request)


@admin.register(PersonMark, site=site)
class PersonMarkAdmin(RecordAdmin):
    list_display = ("since", "connector", "object_id", "kind", "value", "other", "by")
    list_filter = ("kind", ("connector__company", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("connector__company",)
    search_fields = ("object_id", "by")


def _list(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
