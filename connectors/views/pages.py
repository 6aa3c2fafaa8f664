"""Integrations, and a connector's own page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from connectors import lifecycle
from connectors.attention import credential_of, days_left
from connectors.models import Connector, SyncChange, SyncRun
from connectors.states import ConnectorStatus, Outcome
from connectors.views.shown import Shown, show, step_reached, summary
from connectors.views.steps import Asked, asked_of, told_in_list, ways_at
from connectors.views.telling import tell
from tenants.portals import Entry, Place, place_page
from tenants.roles import Can
from tenants.states import AccountStatus

RECENT = 10
LINES = 100
ACTIONS = ("synchronise", "pause", "resume")


def find(place: Place, connector_id: int) -> Connector:
    """Return one connector of the company. Raises Http404 where there is none."""
    connector: Connector = place.access.get(place.access.of(Connector).select_related("company"), connector_id)
    return connector


@require_GET
@place_page()
def home(request: HttpRequest, place: Place) -> HttpResponse:
    """Send to what the visitor works with: the integrations, or a user's own account."""
    return HttpResponseRedirect(place.url("connectors" if place.access.may(Can.SEE) else "users"))


@require_GET
@place_page(Can.SEE)
def integrations(request: HttpRequest, place: Place) -> HttpResponse:
    """List the company's connectors, and what can be installed."""
    found = list(place.access.of(Connector).select_related("company").order_by("pk"))
    removed = [one for one in found if one.status == ConnectorStatus.REMOVED]
    shown = show([one for one in found if one not in removed], timezone.now())
    listed = [_listed(place, one) for one in shown]
    template = "connectors/list.html" if "HX-Request" in request.headers else "connectors/integrations.html"
    context = {
        "shown": listed,
        "go_on_first": next((one.go_on for one in listed if one.go_on), ""),
        "settled": all(one.settled for one in shown),
        "removed": [(one, place.url("connector", connector_id=one.pk)) for one in removed],
        "install_url": place.url("install"),
        "why_url": place.url("why"),
        "actions_url": place.url("connector-actions"),
    }
    return place.render(request, template, context, at="connectors")


@dataclass(frozen=True, slots=True)
class Listed:
    """Hold one connector as the list shows it: where its page is, what it needs, and how to go on with its setup."""

    shown: Shown
    url: str
    told: list[Asked]
    step: int
    go_on: str


def _listed(place: Place, shown: Shown) -> Listed:
    row, ways = shown.connector, ways_at(place)
    unfinished = row.status == ConnectorStatus.SETUP_INCOMPLETE
    return Listed(
        shown,
        place.url("connector", connector_id=row.pk),
        told_in_list(ways, row, shown.needs),
        step_reached(row) if unfinished else 0,
        ways.go_on(row).url if unfinished else "",
    )


@require_POST
@place_page(Can.RUN_CONNECTORS)
def act(request: HttpRequest, place: Place) -> HttpResponse:
    """Synchronise, pause or resume the ticked connectors, and say for each what happened."""
    wanted = request.POST.get("action", "")
    ids = [int(one) for one in request.POST.getlist("selected") if one.isascii() and one.isdecimal() and len(one) < 19]
    connectors = list(place.access.of(Connector).filter(pk__in=ids).select_related("company"))
    back = request.POST.get("back", "")
    own_page = place.url("connector", connector_id=connectors[0].pk) if len(connectors) == 1 else ""
    answer = HttpResponseRedirect(own_page if own_page and back == own_page else place.url("connectors"))
    if wanted not in ACTIONS:
        raise Http404
    if not connectors:
        messages.warning(request, "No connector is selected: select one or more first.")
        return answer
    if wanted == "synchronise":
        refusals = lifecycle.synchronise(connectors, actor=place.access.user)
        for connector in connectors:
            if connector.pk in refusals:
                messages.warning(request, f"{connector.name}: {refusals[connector.pk]}")
            else:
                messages.success(request, f"{connector.name}: a run was asked for, and begins within seconds.")
        return answer
    if wanted == "resume":
        return _lead_to_resume(request, place, connectors) or answer
    for connector in connectors:
        try:
            lifecycle.pause(connector, reason=request.POST.get("reason", ""), actor=place.access.user)
        except lifecycle.Refused as refused:
            messages.error(request, f"{connector.name}: {refused.sentence}")
        else:
            messages.success(request, f"{connector.name}: paused.")
    return answer


def _lead_to_resume(request: HttpRequest, place: Place, connectors: list[Connector]) -> HttpResponse | None:
    """Lead to the page that shows what resuming would do; it shows one connector at a time."""
    paused = [connector for connector in connectors if connector.paused_at is not None]
    if not paused:
        for connector in connectors:
            messages.info(request, f"{connector.name} is not paused.")
        return None
    if len(paused) > 1:
        messages.warning(request, "Resume one at a time: its page shows first what the next run would do.")
        return None
    return HttpResponseRedirect(place.url("resume", connector_id=paused[0].pk))


@require_GET
@place_page(Can.SEE)
def connector(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Show a connector: its status, what needs a person, its last runs, and the article's four questions."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.SETUP_INCOMPLETE and place.access.may(Can.RUN_CONNECTORS):
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    if row.status == ConnectorStatus.REMOVED:
        return _removed(request, place, row)
    now = timezone.now()
    [shown] = show([row], now)
    recent = list(place.access.of(SyncRun).filter(connector=row)[:RECENT])
    accounts = place.access.accounts.filter(link__connector=row)
    findings = place.access.of(SyncChange).filter(run=row.findings_id) if row.findings_id else None
    credential = credential_of(row)
    refused = row.status == ConnectorStatus.UNAUTHORIZED
    held = findings.filter(outcome=Outcome.HELD).count() if findings is not None else 0
    skipped = list(findings.filter(outcome=Outcome.SKIPPED)[:LINES]) if findings is not None else []
    context = {
        "connector": row,
        "shown": shown,
        "settled": shown.settled,
        "runs": [replace(one, what=_said_above(row, one.what)) for one in tell(recent, place)],
        "last": recent[0] if recent else None,
        "last_summary": _said_above(row, summary(recent[0])) if recent else "",
        "active": accounts.filter(status=AccountStatus.ACTIVE).count(),
        "held": held,
        "skipped": skipped,
        "asked": asked_of(place, row, shown.needs, held=held, skipped=len(skipped)),
        "mend": ways_at(place).mend(row) if refused else None,
        "credential": credential,
        "credential_ended": credential.expires_on is not None and days_left(credential.expires_on, now) < 0,
        "findings_url": place.url("run", run_id=row.findings_id) if row.findings_id else "",
        "selected_groups": list(row.selected_groups.all()),
        "self_url": place.url("connector", connector_id=row.pk),
        "runs_url": place.url("runs", connector_id=row.pk),
        "held_url": place.url("held", connector_id=row.pk),
        "pause_url": place.url("pause", connector_id=row.pk),
        "resume_url": place.url("resume", connector_id=row.pk),
        "actions_url": place.url("connector-actions"),
        "remove_url": place.url("remove", connector_id=row.pk),
        "tabs_of_connector": tabs(place, row, "overview"),
        "trail": trail(place, row),
    }
    template = "connectors/live.html" if "HX-Request" in request.headers else "connectors/connector.html"
    return place.render(request, template, context, at="connectors")


def _said_above(row: Connector, told: str) -> str:
    """Return what is told of a run; of why it failed, only that the page says it already."""
    refused = row.status == ConnectorStatus.UNAUTHORIZED and told == row.status_sentence
    return "The reason stands above" if refused else told.removesuffix(".")


def _removed(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    """Show what is left of a connector that was removed: its history, and the way back."""
    [shown] = show([row], timezone.now())
    recent = place.access.of(SyncRun).filter(connector=row)[:RECENT]
    context = {
        "connector": row,
        "shown": shown,
        "runs": tell(recent, place),
        "install_url": place.url("install"),
        "why_url": place.url("why"),
        "users_url": place.url("users"),
        "tabs_of_connector": tabs(place, row, "overview"),
        "trail": trail(place, row),
    }
    return place.render(request, "connectors/removed.html", context, at="connectors")


def trail(place: Place, row: Connector, *deeper: Entry | str) -> list[Entry]:
    """Return the breadcrumbs from a connector down to a page of it; the last one is the page."""
    own = Entry(row.name, place.url("connector", connector_id=row.pk) if deeper else "")
    return [own, *(Entry(one, "") if isinstance(one, str) else one for one in deeper)]


def trail_of_run(place: Place, run: SyncRun, *deeper: str) -> list[Entry]:
    """Return the breadcrumbs from a connector down to one of its runs, or to a page about that."""
    label = f"Run of {run.started_at.day} {run.started_at:%b, %H:%M}"
    runs = Entry("Runs", place.url("runs", connector_id=run.connector_id))
    return trail(place, run.connector, runs, Entry(label, place.url("run", run_id=run.pk) if deeper else ""), *deeper)


def tabs(place: Place, row: Connector, at: str) -> list[tuple[str, str, bool]]:
    """Return a connector's tabs as (label, address, whether it is this one)."""
    pages = [
        ("Overview", "connector", "overview"),
        ("Runs", "runs", "runs"),
        ("Held changes", "held", "held"),
        ("Why?", "connector-why", "why"),
    ]
    if place.access.may(Can.RUN_CONNECTORS) and row.live:
        pages += [
            ("Azure Auth", "step-auth", "auth"),
            ("Users & Groups", "step-groups", "groups"),
            ("Sync rules", "step-rules", "rules"),
        ]
    if row.live:
        pages.append(("Safety brake", "brake", "brake"))
    return [(label, place.url(name, connector_id=row.pk), key == at) for label, name, key in pages]
