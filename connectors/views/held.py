"""Held changes: the list of who waits for a decision, why and since when, and its download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_GET

from connectors.models import Connector
from connectors.states import ChangeKind, HoldCause, Situation
from connectors.views.pages import find, tabs, trail
from connectors.views.runs import without_page
from connectors.views.telling import Line, tell_line
from connectors.views.waiting import (
    CAUSES,
    Crowd,
    Section,
    choice_of,
    crowds,
    kinds_of,
    lines_of,
    sum_of,
)
from connectors.views.ways import ACTS, HEADINGS, Way, meanwhile, question_of, ways_of, what_happened
from tenants.portals import Place, place_page
from tenants.roles import Can
from tenants.sheets import sheet
from tenants.states import AccountStatus, PendingReason

PEOPLE_A_PAGE = 50


@require_GET
@place_page(Can.SEE)
def held(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Show what waits for a decision, one section at a time; whoever may decide finds the ways to."""
    row = find(place, connector_id)
    found = crowds(place, row)
    section = _section(request.GET, found)
    crowd = found[section]
    choice = choice_of(request.GET, section)
    lines = choice.among(lines_of(section, place, row))
    page = Paginator(lines.select_related("account__user", "other"), PEOPLE_A_PAGE).get_page(request.GET.get("page"))
    may_decide = place.access.may(Can.RULE_CONNECTORS)
    ways = ways_for(place, section, lines.filter(ruled=False)) if section in ACTS else []
    base = f"{place.url('held-decide', connector_id=row.pk)}?{choice.query}"
    context = {
        "connector": row,
        "crowd": crowd,
        "section": section.value,
        "sections": [
            (one, _url(place, row, one.section), one is crowd) for one in found.values() if one.number or one.decided
        ],
        "question": question_of(crowd),
        "happened": what_happened(crowd, row.in_scope),
        "meanwhile": meanwhile(crowd),
        "cause": "" if section in (Section.EMPTY, Section.ADDRESSES) else CAUSES[section].label,
        "sum": sum_of(crowd, place, row, timezone.now()),
        "may_decide": may_decide,
        "ways": [(way, f"{base}&act={way.act}") for way in ways if way.bullets] if may_decide else [],
        "heaps": _heaps([_waiting(line, place, row) for line in page], crowd),
        "found": page,
        "query": without_page(request),
        "chosen": choice,
        "filtered": bool(choice.word or choice.kind),
        "kinds": list(crowd.kinds) if len(crowd.kinds) > 1 else [],
        "tick": may_decide and bool(crowd.number) and section in ACTS,
        "had_accounts": section not in (Section.JOINING, Section.ADDRESSES),
        "decide_url": place.url("held-decide", connector_id=row.pk),
        "all_url": _url(place, row, section),
        "csv_url": f"{place.url('held-csv', connector_id=row.pk)}?{choice.query}",
        "awaited_url": place.url("run-awaited", connector_id=row.pk),
        "rules_url": place.url("brake", connector_id=row.pk) if row.live and may_decide else "",
        "findings_url": place.url("run", run_id=row.findings_id) if row.findings_id else "",
        "why_url": place.url("connector-why", connector_id=row.pk),
        "tabs_of_connector": tabs(place, row, "held"),
        "trail": trail(place, row, "Held changes"),
    }
    return place.render(request, "connectors/held.html", context, at="connectors")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Hold one person who waits: the line, since when, who has decided already, and where to decide."""

    line: Line
    since: Any
    ruled_by: str | None
    last_login: Any
    url: str

    @property
    def person(self) -> str:
        """Return the person's object id."""
        return self.line.row.object_id


def _waiting(row: Any, place: Place, connector: Connector) -> Waiting:
    user = getattr(row.account, "user", None)
    single = row.question or row.cause == HoldCause.ADMIN
    return Waiting(
        tell_line(row),
        getattr(row, "since", row.at),
        row.ruled_by,
        user.last_login if user is not None else None,
        place.url("held-who", connector_id=connector.pk, person=row.object_id) if single else "",
    )


def _heaps(people: list[Waiting], crowd: Crowd) -> list[tuple[str, list[Waiting]]]:
    """Return people under the situation they are in; without headings where there is but one."""
    if len(crowd.situations) < 2 or crowd.section not in ACTS:
        return [("", people)] if people else []
    heaps: dict[str, list[Waiting]] = {}
    for one in people:
        heaps.setdefault(HEADINGS[Situation(one.line.row.situation)], []).append(one)
    return list(heaps.items())


def ways_for(place: Place, section: Section, undecided: QuerySet[Any]) -> list[Way]:
    """Return the ways out for lines that nobody has decided about, with the licences that an approval frees."""
    freed, waiting = None, 0
    if place.access.company.licences is not None:
        freed = undecided.filter(account__status=AccountStatus.ACTIVE).order_by().count()
        short = {"status": AccountStatus.PENDING, "pending_reason": PendingReason.LICENCE}
        waiting = place.access.accounts.filter(**short).count()
    kinds = kinds_of(undecided)
    return ways_of(section, kinds, freed, waiting) if kinds else []


def _section(words: QueryDict, found: dict[Section, Crowd]) -> Section:
    """Return the section that an address names, else the first in which somebody waits."""
    wanted = words.get("of", "")
    if wanted in set(Section):
        return Section(wanted)
    waiting = [one.section for one in found.values() if one.number]
    decided = [one.section for one in found.values() if one.decided]
    return (waiting + decided + [Section.LEAVING])[0]


def _url(place: Place, row: Connector, section: Section) -> str:
    return f"{place.url('held', connector_id=row.pk)}?of={section.value}"


_HEADS = ("Name", "Email", "Change", "Before", "After", "Because", "Held since (UTC)", "Why", "Decided by", "Object ID")


@require_GET
@place_page(Can.SEE)
def held_csv(request: HttpRequest, place: Place, connector_id: int) -> HttpResponseBase:
    """Download who waits in a section, those that the page's filter shows."""
    row = find(place, connector_id)
    wanted = request.GET.get("of", "")
    section = Section(wanted) if wanted in set(Section) else Section.LEAVING
    lines = choice_of(request.GET, section).among(lines_of(section, place, row))
    rows = (
        (
            line.name,
            line.email,
            ChangeKind(line.kind).label if line.kind else "",
            line.before,
            line.after,
            line.because,
            getattr(line, "since", line.at),
            CAUSES[section].label if section in CAUSES else "",
            getattr(line, "ruled_by", None),
            line.object_id,
        )
        for line in lines.iterator(chunk_size=2_000)
    )
    return sheet(f"{place.access.company.slug}-held-{section.value}", _HEADS, rows)
