"""Activity: who did what in a company, or in everything that somebody of a partner's staff may see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tenants.access import grants_anywhere
from tenants.activity import Kind, details_of, of_kind
from tenants.audit import sentence_of
from tenants.models import AuditEntry, StaffMembership, TenantQuerySet, User
from tenants.portals import Place, place_page, render_partner
from tenants.roles import Can
from tenants.sheets import sheet

PAGE = 50
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hold what an address asks for; a date that is none is kept as it was typed, and passed over."""

    q: str = ""
    who: str = ""
    company: str = ""
    kind: Kind | None = None
    since: date | None = None
    until: date | None = None
    wrong: tuple[str, ...] = ()
    """What was typed for a date and is none."""

    @classmethod
    def of(cls, query: QueryDict) -> Wanted:
        """Read an address's words; those it does not know are passed over."""
        words = {name: " ".join(query.get(name, "").replace("\x00", "").split())[:LONGEST] for name in _WORDS}
        dates: dict[str, date | None] = {}
        wrong = []
        for name in ("since", "until"):
            try:
                dates[name] = parse_date(words[name])
            except ValueError:
                dates[name] = None
            if words[name] and dates[name] is None:
                wrong.append(words[name])
        kind = Kind(words["kind"]) if words["kind"] in list(Kind) else None
        return cls(words["q"], words["who"], words["company"], kind, dates["since"], dates["until"], tuple(wrong))

    @property
    def anything(self) -> bool:
        """Say whether the address asks for anything in particular."""
        return any((self.q, self.who, self.company, self.kind, self.since, self.until, self.wrong))

    def narrow(self, rows: TenantQuerySet[AuditEntry]) -> TenantQuerySet[AuditEntry]:
        """Return the rows that are asked for, the latest first."""
        for word in self.q.split()[:5]:
            rows = rows.filter(Q(subject__icontains=word) | Q(actor_label__icontains=word) | _names(word))
        for word in self.who.split()[:5]:
            rows = rows.filter(actor_label__icontains=word)
        for word in self.company.split()[:5]:
            rows = rows.filter(company_name__icontains=word)
        if self.kind is not None:
            rows = rows.filter(of_kind(self.kind))
        if self.since is not None:
            rows = rows.filter(at__gte=_midnight(self.since))
        if self.until is not None and self.until < date.max:
            rows = rows.filter(at__lt=_midnight(self.until + timedelta(days=1)))
        return rows.order_by("-at", "-pk")


_WORDS = ("q", "who", "company", "kind", "since", "until")


def _names(word: str) -> Q:
    return Q(company_name__icontains=word)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one entry as the page shows it; `url` is the run it tells of, '' where it tells of none."""

    entry: AuditEntry
    sentence: str
    details: list[str]
    url: str
    company_url: str


@never_cache
@require_safe
@place_page(Can.SEE)
def company_activity(request: HttpRequest, place: Place) -> HttpResponse:
    """List who did what in a company, the latest first."""
    wanted = Wanted.of(request.GET)
    found = Paginator(wanted.narrow(place.access.of(AuditEntry)), PAGE).get_page(request.GET.get("page"))

    def run_url(entry: AuditEntry) -> str:
        run = _run(entry)
        return place.url("run", run_id=run) if run else ""

    lines = [Line(entry, sentence_of(entry), details_of(entry), run_url(entry), "") for entry in found]
    context = _context(request, wanted, found, lines, place.url("activity"), place.url("activity-csv"))
    return place.render(request, "tenants/activity.html", context, at="activity")


@require_safe
@place_page(Can.SEE)
def company_csv(request: HttpRequest, place: Place) -> HttpResponseBase:
    """Return what the filter finds in a company's activity as a CSV."""
    rows = Wanted.of(request.GET).narrow(place.access.of(AuditEntry))
    return _sheet(f"activity-{place.access.company.slug}", rows)


@never_cache
@require_safe
def partner_activity(request: HttpRequest) -> HttpResponse:
    """List who did what in every company that the visitor may see, and in the partner itself."""
    user, wanted = _staff(request), Wanted.of(request.GET)
    rows = wanted.narrow(AuditEntry.objects.visible_to(user)).select_related("company", "partner")
    found = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    lines = []
    for entry in found:
        company = entry.company.slug if entry.company is not None else ""
        run = _run(entry)
        lines.append(
            Line(
                entry,
                sentence_of(entry),
                details_of(entry),
                reverse("partner:run", args=[company, run]) if run and company else "",
                reverse("partner:activity", args=[company]) if company else "",
            )
        )
    several = user.is_superuser or StaffMembership.objects.visible_to(user).filter(user=user).count() > 1
    here = reverse("admin:tenants_auditentry_changelist")
    context = _context(request, wanted, found, lines, here, reverse("admin:activity-csv"))
    return render_partner(request, "tenants/activity_everywhere.html", {**context, "several": several}, at="activity")


@require_safe
def partner_csv(request: HttpRequest) -> HttpResponseBase:
    """Return what the filter finds in everything the visitor may see as a CSV."""
    rows = Wanted.of(request.GET).narrow(AuditEntry.objects.visible_to(_staff(request)))
    return _sheet("activity", rows.select_related("partner"))


def _staff(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User) or not user.is_staff or Can.SEE not in grants_anywhere(user):
        raise PermissionDenied
    return user


def _run(entry: AuditEntry) -> int:
    """Return the run that an entry tells of, while its record is kept; 0 where there is none."""
    run = entry.detail.get("run")
    kept = entry.at > timezone.now() - timedelta(days=settings.PBPORTAL_KEEP_RUNS_DAYS)
    return run if isinstance(run, int) and kept else 0


def _context(
    request: HttpRequest, wanted: Wanted, found: Page[Any], lines: list[Line], here: str, csv_url: str
) -> dict[str, Any]:
    query = request.GET.copy()
    query.pop("page", None)
    words = query.urlencode()
    return {
        "wanted": wanted,
        "found": found,
        "lines": lines,
        "query": words,
        "kinds": list(Kind),
        "here": here,
        "csv_url": f"{csv_url}{f'?{words}' if words else ''}",
        "kept_days": settings.PBPORTAL_KEEP_ACTIVITY_DAYS,
    }


_HEADS = ("When (UTC)", "Partner", "Company", "Who", "What", "Details", "Action")


def _sheet(name: str, rows: TenantQuerySet[AuditEntry]) -> HttpResponseBase:
    today = f"{timezone.now():%Y-%m-%d}"
    return sheet(f"{name}-{today}", _HEADS, _cells(rows))


def _cells(rows: TenantQuerySet[AuditEntry]) -> Iterator[tuple[object, ...]]:
    for entry in rows.select_related("partner").iterator(chunk_size=1_000):
        partner = entry.partner.name if entry.partner is not None else ""
        what, details = sentence_of(entry), "; ".join(details_of(entry))
        yield entry.at, partner, entry.company_name, entry.actor_label, what, details, entry.action
