"""The fleet's page, which is the home of the partner portal, and the same as a CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from connectors import schedule
from connectors.fleet import ACCOUNTS, APPROVAL, ATTENTION, CONNECTED, SECRETS, SHORT, Figures, Group, figures_of
from connectors.states import Attention, ConnectorStatus
from connectors.views.fleet.lines import NO_CONNECTOR, Line, Said, Wanted, lines_of, said_of
from connectors.views.fleet.lines import SECRETS as SECRET_CHOICES
from connectors.views.strip import Strip, strips_of
from tenants.access import StaffGrants
from tenants.models import User
from tenants.portals import render_partner
from tenants.roles import Can
from tenants.sheets import sheet

PAGE = 50


def staff_of(request: HttpRequest) -> User:
    """Return who is at the partner portal; the site lets nobody else come as far as to a page."""
    if not isinstance(request.user, User) or not request.user.is_staff:
        raise PermissionDenied
    return request.user


@dataclass(frozen=True, slots=True)
class Shown:
    """Hold one line as the page shows it; `tick` says whether the visitor may act on it."""

    line: Line
    said: Said
    url: str
    next_run: datetime | None
    strip: Strip | None
    running: bool
    tick: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Hold the lines of one part of the list that are on this page, and how many there are on all."""

    group: Group
    lines: Sequence[Shown]
    total: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold one choice of a filter."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold one figure at the top; its link filters the list by it, or lifts that where it does already."""

    label: str
    value: str
    note: str
    icon: str
    tone: str
    url: str
    current: bool


@never_cache
@require_safe
def fleet(request: HttpRequest) -> HttpResponse:
    """Show every connector of every company that the visitor may see, the worst first."""
    user, now = staff_of(request), timezone.now()
    grants, wanted = StaffGrants(user), Wanted.of(request.GET)
    everything = lines_of(user, now)
    asked = lines_of(user, now, removed=True) if wanted.removed else everything
    lines = [line for line in asked if wanted.fits(line)]
    found = Paginator(lines, PAGE).get_page(request.GET.get("page"))
    shown = _shown(list(found), user, grants, now)
    query = without(request.GET, "page")
    context = {
        "figures": _figures(figures_of(line.facts for line in everything), request.GET, wanted.show),
        "connectors": sum(line.connector is not None for line in everything),
        "companies": len({line.company.pk for line in everything}),
        "empty": not everything and not wanted.anything,
        "found": found,
        "parts": _parts(shown, lines),
        "now": now,
        "wanted": wanted,
        "query": query,
        "statuses": [*(Choice(one.value, one.label) for one in ConnectorStatus), Choice(NO_CONNECTOR, "No connector")],
        "attentions": list(Attention),
        "secrets": [Choice(value, label) for value, label in SECRET_CHOICES.items()],
        "partners": _partners(everything),
        "csv_url": f"{reverse('admin:fleet-csv')}{f'?{query}' if query else ''}",
        "actions_url": f"{reverse('admin:fleet-actions')}{f'?{query}' if query else ''}",
        "tickable": sum(line.connector is not None and _may_run(line, grants) for line in lines),
        "may_run": Can.RUN_CONNECTORS in grants.anywhere,
        "may_add": Can.MANAGE_COMPANIES in grants.anywhere,
        "may_rule": Can.RULE_CONNECTORS in grants.anywhere,
    }
    return render_partner(request, "connectors/fleet/page.html", context, at="fleet")


_HEADS = (
    *("Company", "Partner", "Connector", "Tenant", "Status", "Status since", "Needs a person for", "Why", "Held"),
    *("Last sync", "Next sync", "Accounts", "Licences used", "Licences", "Secret ends", "Sync group"),
)


@require_safe
def as_csv(request: HttpRequest) -> HttpResponseBase:
    """Return what the filter finds as a CSV, all pages of it, in the same order."""
    user, now = staff_of(request), timezone.now()
    wanted = Wanted.of(request.GET)
    lines = [line for line in lines_of(user, now, removed=wanted.removed) if wanted.fits(line)]
    upcoming = schedule.next_runs(line.connector for line in lines if line.connector)
    return sheet(f"fleet-{now:%Y-%m-%d}", _HEADS, (_row(line, upcoming) for line in lines))


def _row(line: Line, upcoming: Mapping[int, datetime]) -> Sequence[object]:
    row, facts, company = line.connector, line.facts, line.company
    licences = "unlimited" if facts.licences is None else facts.licences
    named = company.name, company.partner.name
    if row is None:
        return *named, "", "", line.status, "", "", "", 0, "", "", line.accounts, facts.active, licences, "", ""
    sentences = [row.status_sentence] if row.status == ConnectorStatus.UNAUTHORIZED else []
    return (
        *(*named, row.name, row.tenant, line.status, row.status_since),
        ", ".join(need.attention.label for need in line.needs),
        " ".join([*sentences, *(need.sentence for need in line.needs)]),
        *(facts.held, row.last_success_at, upcoming.get(row.pk), line.accounts, facts.active, licences),
        *(row.secret_expires_on, row.sync_group_name),
    )


def without(query: QueryDict, *names: str) -> str:
    """Return an address's words but for some."""
    rest = query.copy()
    for name in names:
        rest.pop(name, None)
    return rest.urlencode()


def _may_run(line: Line, grants: StaffGrants) -> bool:
    return Can.RUN_CONNECTORS in grants.at(line.company.partner_id)


def _shown(lines: Sequence[Line], user: User, grants: StaffGrants, now: datetime) -> list[Shown]:
    connectors = [line.connector for line in lines if line.connector]
    upcoming = schedule.next_runs(connectors)
    strips = strips_of(user, [connector.pk for connector in connectors], now)
    shown = []
    for line in lines:
        row = line.connector
        shown.append(
            Shown(
                line=line,
                said=said_of(line, grants),
                url=_url(line),
                next_run=upcoming.get(row.pk) if row else None,
                strip=strips.get(row.pk) if row else None,
                running=bool(row and row.lease_until and row.lease_until > now),
                tick=row is not None and row.status != ConnectorStatus.REMOVED and _may_run(line, grants),
            )
        )
    return shown


def _url(line: Line) -> str:
    company = line.company.slug
    if line.connector is None:
        return reverse("partner:connectors", args=[company])
    return reverse("partner:connector", args=[company, line.connector.pk])


def _parts(shown: Sequence[Shown], lines: Sequence[Line]) -> list[Part]:
    parts = []
    for group in Group:
        here = [one for one in shown if one.line.concern.group is group]
        if here:
            parts.append(Part(group, here, sum(line.concern.group is group for line in lines)))
    return parts


def _partners(lines: Sequence[Line]) -> list[Choice]:
    """Return the partners to choose from; none to whoever sees a single one."""
    names = {line.company.partner_id: line.company.partner.name for line in lines}
    if len(names) < 2:
        return []
    return [Choice(str(pk), name) for pk, name in sorted(names.items(), key=lambda one: one[1].casefold())]


def _figures(found: Figures, query: QueryDict, show: str) -> list[Figure]:
    lines = found.lines

    def figure(name: str, label: str, note: str, icon: str, tone: str = "", value: int | None = None) -> Figure:
        current = show == name
        words = query.copy()
        for other in ("page", "show"):
            words.pop(other, None)
        if not current:
            words["show"] = name
        number = lines[name] if value is None else value
        url = f"?{words.urlencode()}" if words else reverse("admin:index")
        return Figure(label, f"{number:,}", note, icon, tone if number else "", url, current)

    unlimited = found.accounts - found.licensed
    licences = f"of {found.licences:,} licences" if found.licences else "licences are unlimited"
    if found.licences and unlimited:
        licences = f"{found.licensed:,} {licences}, and {unlimited:,} unlimited"
    ended = f"{_number(found.ended, 'has', 'have')} ended already" if found.ended else "within 30 days"
    approval = (
        f"{_number(found.held, 'change', 'changes')} held, {_number(found.pending, 'account', 'accounts')} pending"
    )
    short = f"{_number(found.waiting, 'person waits', 'people wait')} for one" if found.waiting else "nobody waits"
    return [
        figure(
            CONNECTED, "Connected", f"of {_number(found.connectors, 'connector', 'connectors')}", "check-circle", "ok"
        ),
        figure(ATTENTION, "Need a person now", f"{found.watch:,} more to watch", "warning", "bad"),
        figure(APPROVAL, "Waiting for approval", approval, "held", "warn"),
        figure(SECRETS, "Secrets end soon", ended, "key", "warn"),
        figure(ACCOUNTS, "Accounts", licences, "users", value=found.accounts),
        figure(SHORT, "Licences short", short, "hourglass", "warn"),
    ]


def _number(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
