"""The pages of a connector's runs: the list, one run live and in full, the run that is awaited, and the download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from connectors.models import Connector, SyncChange, SyncRun
from connectors.states import ChangeKind, Outcome, RunState, RunTrigger
from connectors.sync.lease import refusal_of
from connectors.views.advice import advice_for
from connectors.views.pages import find, tabs, trail, trail_of_run
from connectors.views.righting import put_right_url
from connectors.views.shown import summary
from connectors.views.telling import (
    FINDINGS,
    KIND_ICONS,
    PARTLY,
    SECTION,
    number_of,
    phases_of,
    section_label,
    section_of,
    started_by,
    state_of,
    tell,
    tell_lines,
    took,
)
from tenants.portals import Place, place_page
from tenants.roles import Can
from tenants.sheets import sheet

RUNS_A_PAGE = 50
LINES_A_PAGE = 100
LONGEST_WORD = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold one choice of a filter."""

    value: str
    label: str


_STATES = (
    Choice(RunState.RUNNING, "Running"),
    Choice(RunState.SUCCEEDED, "Went through"),
    Choice(PARTLY, "Partly failed"),
    Choice(RunState.FAILED, "Failed"),
    Choice(RunState.ABANDONED, "Abandoned"),
)
_TRIGGERS = [Choice(trigger.value, trigger.label) for trigger in RunTrigger if trigger is not RunTrigger.PREVIEW]


@require_GET
@place_page(Can.SEE)
def runs(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """List a connector's runs, the latest first."""
    row = find(place, connector_id)
    found, chosen = _chosen_runs(place, row, request)
    page = Paginator(found, RUNS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "connector": row,
        "found": page,
        "runs": tell(page, place),
        "query": without_page(request),
        "chosen": chosen,
        "states": _STATES,
        "triggers": _TRIGGERS,
        "all_url": place.url("runs", connector_id=row.pk),
        "tabs_of_connector": tabs(place, row, "runs"),
        "trail": trail(place, row, "Runs"),
    }
    return place.render(request, "connectors/runs.html", context, at="connectors")


def _chosen_runs(place: Place, row: Connector, request: HttpRequest) -> tuple[QuerySet[SyncRun], dict[str, str]]:
    """Return the runs that the address asks for, and what it asks; words it does not know are passed over."""
    found = place.access.of(SyncRun).filter(connector=row)
    chosen = {name: request.GET.get(name, "") for name in ("state", "trigger", "changed")}
    if chosen["state"] not in {state.value for state in _STATES}:
        chosen["state"] = ""
    if chosen["trigger"] not in {trigger.value for trigger in _TRIGGERS}:
        chosen["trigger"] = ""
    lines = place.access.of(SyncChange).filter(run=OuterRef("pk"))
    if chosen["state"] == PARTLY:
        found = found.filter(Exists(lines.filter(outcome=Outcome.FAILED)))
    elif chosen["state"]:
        found = found.filter(state=chosen["state"])
    if chosen["trigger"]:
        found = found.filter(trigger=chosen["trigger"])
    if chosen["changed"]:
        found = found.filter(Exists(lines.filter(outcome=Outcome.APPLIED)))
    return found, chosen


def without_page(request: HttpRequest) -> str:
    """Return the query of an address but for the number of the page."""
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()


# ── One run ──────────────────────────────────────────────────────────────────────────────────────────────────


@require_GET
@place_page(Can.SEE)
def run(request: HttpRequest, place: Place, run_id: int) -> HttpResponse:
    """Show one run: what started it, when, what it did to whom and because of what; live while it runs."""
    row = _find_run(place, run_id)
    lines, chosen = _chosen_lines(place, row, request)
    tally = list(
        place.access.of(SyncChange)
        .filter(run=row)
        .order_by()
        .values_list("outcome", "kind", "decided_by")
        .annotate(number=Count("pk"))
    )
    page = Paginator(lines.select_related("account"), LINES_A_PAGE).get_page(request.GET.get("page"))
    running = row.state == RunState.RUNNING
    tone, icon, label = state_of(row)
    context = {
        "run": row,
        "tone": tone,
        "icon": icon,
        "label": label,
        "summary": summary(row),
        "running": running,
        "started_by": started_by(row),
        "took": took(row),
        "phases": phases_of(row, settings.PBPORTAL_KEEP_RUNS_DAYS),
        "figures": _figures(row),
        "advice": advice_for(place, row),
        "deciders": _deciders(tally),
        "elsewhere": _findings_elsewhere(place, row, tally),
        "found": page,
        "sections": _in_sections(page.object_list, tally, filtered=any(chosen.values())),
        "query": without_page(request),
        "chosen": chosen,
        "outcomes": _choices_of_outcomes(tally),
        "kinds": _choices_of_kinds(tally),
        "self_url": request.get_full_path(),
        "all_url": place.url("run", run_id=row.pk),
        "csv_url": place.url("run-csv", run_id=row.pk),
        "held_url": place.url("held", connector_id=row.connector_id),
        "put_right_url": put_right_url(place, row),
        "why_url": place.url("connector-why", connector_id=row.connector_id),
        "connector": row.connector,
        "connector_url": place.url("connector", connector_id=row.connector_id),
        "tabs_of_connector": tabs(place, row.connector, "runs"),
        "trail": trail_of_run(place, row),
    }
    template = "connectors/run_live.html" if "HX-Request" in request.headers else "connectors/run.html"
    return place.render(request, template, context, at="connectors")


Tally = list[tuple[str, str, str, int]]
"""How many lines of a run there are of each outcome, kind and person who decided."""


def _find_run(place: Place, run_id: int) -> SyncRun:
    return place.access.get(place.access.of(SyncRun).select_related("connector"), run_id)


def _chosen_lines(place: Place, row: SyncRun, request: HttpRequest) -> tuple[QuerySet[SyncChange], dict[str, str]]:
    lines = place.access.of(SyncChange).filter(run=row)
    chosen = {name: request.GET.get(name, "").strip() for name in ("q", "outcome", "kind")}
    chosen["q"] = chosen["q"].replace("\x00", "")[:LONGEST_WORD]
    if chosen["outcome"] in set(Outcome):
        lines = lines.filter(outcome=chosen["outcome"])
    else:
        chosen["outcome"] = ""
    if chosen["kind"] in set(ChangeKind):
        lines = lines.filter(kind=chosen["kind"])
    else:
        chosen["kind"] = ""
    if chosen["q"]:
        lines = lines.filter(
            Q(name__icontains=chosen["q"]) | Q(email__icontains=chosen["q"]) | Q(group_name__icontains=chosen["q"])
        )
    return lines.annotate(section=SECTION).order_by("section", "pk"), chosen


def _in_sections(rows: Any, tally: Tally, *, filtered: bool) -> list[dict[str, Any]]:
    """Return a page's lines under their headings; each says how many there are, where no filter is in the way."""
    sections: list[dict[str, Any]] = []
    for line in tell_lines(rows):
        if not sections or sections[-1]["number"] != line.section:
            whole = sum(number for outcome, kind, _, number in tally if section_of(outcome, kind) == line.section)
            label = section_label(line.section)
            sections.append({"number": line.section, "label": label, "whole": "" if filtered else whole, "lines": []})
        sections[-1]["lines"].append(line)
    return sections


def _choices_of_outcomes(tally: Tally) -> list[Choice]:
    numbers = dict.fromkeys(Outcome, 0)
    for outcome, _, _, number in tally:
        numbers[Outcome(outcome)] += number
    return [Choice(outcome.value, f"{outcome.label} ({number:,})") for outcome, number in numbers.items() if number]


def _choices_of_kinds(tally: Tally) -> list[Choice]:
    numbers = dict.fromkeys(ChangeKind, 0)
    for _, kind, _, number in tally:
        if kind:
            numbers[ChangeKind(kind)] += number
    return [Choice(kind.value, f"{kind.label} ({number:,})") for kind, number in numbers.items() if number]


def _deciders(tally: Tally) -> list[str]:
    return sorted({by for outcome, _, by, _ in tally if by and outcome == Outcome.APPLIED})


def _figures(row: SyncRun) -> list[dict[str, Any]]:
    """Return what a run did in numbers, each a link that shows only that."""
    figures = [
        {
            "label": kind.label,
            "icon": KIND_ICONS.get(kind, "users" if kind.value.startswith("group") else "minus-circle"),
            "number": row.counts[f"{Outcome.APPLIED}.{kind}"],
            "tone": "",
            "query": f"outcome={Outcome.APPLIED}&kind={kind}",
        }
        for kind in ChangeKind
        if f"{Outcome.APPLIED}.{kind}" in row.counts
    ]
    for outcome, icon, tone in (
        (Outcome.FAILED, "x-circle", "figure--bad"),
        (Outcome.HELD, "held", "figure--warn"),
        (Outcome.SKIPPED, "user-skip", ""),
        (Outcome.LEFT_OUT, "minus-circle", ""),
    ):
        number = number_of(row, outcome)
        if number:
            figures.append(
                {"label": outcome.label, "icon": icon, "number": number, "tone": tone, "query": f"outcome={outcome}"}
            )
    return figures


def _findings_elsewhere(place: Place, row: SyncRun, tally: Tally) -> str:
    """Return the address of the run that lists the findings which this one counted and did not write down again."""
    counted = sum(number_of(row, outcome) for outcome in FINDINGS)
    if not counted or any(outcome in FINDINGS for outcome, _, _, _ in tally):
        return ""
    lines = place.access.of(SyncChange).filter(connector=row.connector_id, run__lt=row.pk, outcome__in=FINDINGS)
    earlier = lines.order_by("-at").values_list("run_id", flat=True).first()
    return place.url("run", run_id=earlier) if earlier else ""


_HEADS = ("When (UTC)", "Outcome", "Change", "Situation", "Name", "Email", "Group", "Before", "After", "Because")


@require_GET
@place_page(Can.SEE)
def run_csv(request: HttpRequest, place: Place, run_id: int) -> HttpResponseBase:
    """Download the lines of a run, those that the page's filter shows."""
    row = _find_run(place, run_id)
    lines, _ = _chosen_lines(place, row, request)
    rows = (
        (
            line.at,
            line.get_outcome_display(),
            line.get_kind_display(),
            line.get_situation_display(),
            line.name,
            line.email,
            line.group_name,
            line.before,
            line.after,
            line.because,
            line.decided_by,
            line.object_id,
        )
        for line in lines.iterator(chunk_size=2_000)
    )
    name = f"{place.access.company.slug}-run-{row.pk}"
    return sheet(name, (*_HEADS, "Decided by", "Object ID"), rows)


# ── The run that was asked for ───────────────────────────────────────────────────────────────────────────────


@require_GET
@place_page(Can.SEE)
def awaited(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Wait for the run that somebody asked for, and lead to its page as soon as it has begun.

    `after` is the latest run there was when it was asked for.
    """
    row = find(place, connector_id)
    word = request.GET.get("after", "")
    after = int(word) if word.isascii() and word.isdecimal() and len(word) < 19 else 0
    begun = place.access.of(SyncRun).filter(connector=row, pk__gt=after).order_by("pk").first()
    live = "HX-Request" in request.headers
    if begun is not None:
        address = place.url("run", run_id=begun.pk)
        return HttpResponse(headers={"HX-Redirect": address}) if live else HttpResponseRedirect(address)
    context = {
        "connector": row,
        "refusal": refusal_of(row, timezone.now()),
        "self_url": request.get_full_path(),
        "connector_url": place.url("connector", connector_id=row.pk),
        "tabs_of_connector": tabs(place, row, "runs"),
        "trail": trail(place, row, "The run that was asked for"),
    }
    template = "connectors/awaited_live.html" if live else "connectors/awaited.html"
    return place.render(request, template, context, at="connectors")
