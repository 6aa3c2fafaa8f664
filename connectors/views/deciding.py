"""Deciding about held changes: exactly what was shown is done, to one, some or all, or nothing where it has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connectors import decisions, schedule
from connectors.decisions import Hold, Refused, Stale, holds_digest
from connectors.models import Connector, SyncChange, SyncRun
from connectors.states import ChangeKind, HoldCause, MarkKind, Outcome, RunTrigger
from connectors.views.held import ways_for
from connectors.views.pages import find, trail
from connectors.views.telling import tell_line
from connectors.views.waiting import (
    CAUSES,
    Choice,
    Section,
    change_of,
    choice_of,
    held_lines,
    holds,
    lines_of,
    questions,
)
from connectors.views.ways import ACTS, Act, Way, people
from tenants.portals import Entry, Place, place_page
from tenants.roles import Can
from tenants.signin.again import asks_again

NAMED = 100
"""So many people are named on the page that asks; the rest are counted."""


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RULE_CONNECTORS)
def decide(request: HttpRequest, place: Place, connector_id: int) -> HttpResponseBase:
    """Name whom a decision is about and what it does; a POST of what was shown does it, to exactly these."""
    return _decide(request, place, find(place, connector_id))


@asks_again
def _decide(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    section = request.GET.get("of", "")
    act = request.GET.get("act", "")
    if section not in set(Section) or act not in set(Act) or Act(act) not in ACTS.get(Section(section), ()):
        return _back(request, place, row, "Choose first what shall happen to whom.")
    asked = _Asked(place, row, choice_of(request.GET, Section(section)), Act(act))
    found = holds(asked.lines())
    if not found:
        return _back(request, place, row, asked.nobody, asked.choice)
    if request.method != "POST":
        return _show(request, asked, found)
    if request.POST.get("seen") != holds_digest(found):
        return _show(request, asked, found, stale=_difference(asked, request, found))
    try:
        with transaction.atomic():
            number = asked.carry_out(found)
            after = _ask_for_a_run(place, row)
    except Stale:
        # Somebody decided between the reading of the list and the lock.
        found = holds(asked.lines())
        return _show(request, asked, found, stale=_Stale()) if found else _back(request, place, row, asked.nobody)
    except Refused as refused:
        return _back(request, place, row, refused.sentence, asked.choice)
    messages.success(request, asked.done(number))
    return HttpResponseRedirect(after)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Hold what somebody wants to decide about whom."""

    place: Place
    row: Connector
    choice: Choice
    act: Act

    def lines(self) -> QuerySet[Any]:
        """Return the lines that are meant and that nobody has decided about."""
        return self.choice.among(lines_of(self.choice.section, self.place, self.row).filter(ruled=False))

    def way(self) -> Way:
        """Return what is decided, in words."""
        ways = ways_for(self.place, self.choice.section, self.lines())
        return next(way for way in ways if way.act is self.act)

    def carry_out(self, found: list[Hold]) -> int:
        """Decide; return about how many. Raises Stale and Refused."""
        actor = self.place.access.user
        if self.act is Act.APPROVE:
            return decisions.approve(self.row, [(hold.object_id, hold.kind) for hold in found], actor=actor)
        act = decisions.keep if self.act is Act.KEEP else decisions.decline
        return act(self.row, [hold.object_id for hold in found], actor=actor)

    def done(self, number: int) -> str:
        """Say what was decided."""
        match self.act:
            case Act.APPROVE:
                return f"Approved for {people(number)}. The run that does it was asked for."
            case Act.KEEP:
                return f"{people(number)} {'keeps the account' if number == 1 else 'keep their accounts'}."
        return f"Declined for {people(number)}: they get no account as long as they stay in the group."

    @property
    def nobody(self) -> str:
        """Say that nobody is meant any more."""
        if self.choice.ticked == ():
            return "Nobody is selected: select one or more people first."
        return "Nobody of those you chose waits for this decision any more, and nothing was decided."


def _back(
    request: HttpRequest, place: Place, row: Connector, sentence: str, choice: Choice | None = None
) -> HttpResponse:
    messages.warning(request, sentence)
    query = f"?{choice.query}" if choice is not None else ""
    return HttpResponseRedirect(place.url("held", connector_id=row.pk) + query)


def _ask_for_a_run(place: Place, row: Connector) -> str:
    """Queue the run that carries a decision out, in the caller's transaction; return where it is awaited."""
    latest = place.access.of(SyncRun).filter(connector=row).order_by("-pk").values_list("pk", flat=True).first()
    schedule.request(row.pk, RunTrigger.APPROVAL, place.access.user.pk)
    return f"{place.url('run-awaited', connector_id=row.pk)}?after={latest or 0}"


# ── The page, and what has changed since ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Stale:
    """Hold how the list differs from the one that was shown; `known` says whether that one could be put together."""

    known: bool = False
    gone: tuple[SyncChange, ...] = ()
    new: tuple[SyncChange, ...] = ()
    number_gone: int = 0
    number_new: int = 0


def _show(request: HttpRequest, asked: _Asked, found: list[Hold], *, stale: _Stale | None = None) -> HttpResponse:
    place, row, way = asked.place, asked.row, asked.way()
    lines = asked.lines()
    missing = len(asked.choice.ticked or ()) - len(found) if asked.choice.ticked else 0
    context = {
        "connector": row,
        "way": way,
        "number": len(found),
        "who": people(len(found)),
        "named": [tell_line(line) for line in lines[:NAMED]],
        "more": max(len(found) - NAMED, 0),
        "missing": missing if stale is None else 0,
        "stale": stale,
        "seen": holds_digest(found),
        "findings": row.findings_id or "",
        "at": timezone.now().isoformat(),
        "self_url": request.get_full_path(),
        "back": f"{place.url('held', connector_id=row.pk)}?{asked.choice.query}",
        "trail": trail(place, row, Entry("Held changes", place.url("held", connector_id=row.pk)), way.does),
    }
    return place.render(request, "connectors/held_decide.html", context, at="connectors", status=409 if stale else 200)


def _difference(asked: _Asked, request: HttpRequest, found: list[Hold]) -> _Stale:
    """Return how the present list differs from the one that the page showed."""
    was = _shown_then(asked, request)
    if was is None:
        return _Stale()
    before, now = {_key(line) for line in was}, {(hold.object_id, str(hold.kind)) for hold in found}
    gone = [line for line in was if _key(line) not in now]
    new = [line for line in asked.lines() if _key(line) not in before]
    return _Stale(True, tuple(gone[:NAMED]), tuple(new[:NAMED]), len(gone), len(new))


def _key(line: SyncChange) -> tuple[str, str]:
    return line.object_id, line.kind


def _shown_then(asked: _Asked, request: HttpRequest) -> list[SyncChange] | None:
    """Put the list together that a page showed at its time; None unless it is proven to be that list."""
    findings, at = request.POST.get("findings", ""), _moment(request.POST.get("at", ""))
    if at is None or not (findings.isascii() and findings.isdecimal() and len(findings) < 19):
        return None
    began = asked.place.access.of(SyncRun).filter(connector=asked.row, pk=int(findings)).values("started_at")[:1]
    since_then = asked.row.marks.filter(since__lte=at, since__gte=Subquery(began))
    approved = since_then.filter(kind=MarkKind.APPROVED).annotate(change=change_of("object_id", "value"))
    gone = since_then.filter(kind__in=[MarkKind.KEPT, MarkKind.DECLINED])
    lines = (
        asked.place.access.of(SyncChange)
        .annotate(change=change_of("object_id", "kind"))
        .filter(connector=asked.row, run=int(findings), outcome=Outcome.HELD, cause=CAUSES[asked.choice.section])
        .exclude(change__in=approved.values("change"))
        .exclude(object_id__in=gone.values("object_id"))
    )
    then = list(asked.choice.among(lines).order_by("situation", "name", "pk"))
    same = holds_digest(Hold(line.object_id, ChangeKind(line.kind), HoldCause(line.cause)) for line in then)
    return then if same == request.POST.get("seen") else None


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


# ── One person ───────────────────────────────────────────────────────────────────────────────────────────────


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RULE_CONNECTORS)
def who(request: HttpRequest, place: Place, connector_id: int, person: UUID) -> HttpResponseBase:
    """Show a person of the directory beside the account that may be theirs; a POST says whether it is."""
    return _who(request, place, find(place, connector_id), person)


@asks_again
def _who(request: HttpRequest, place: Place, row: Connector, person: UUID) -> HttpResponse:
    waiting = {"object_id": str(person), "ruled": False}
    line: Any = questions(place, row).filter(**waiting).select_related("other__user", "other__link").first()
    administrator = None
    if line is None:
        confirmable = held_lines(place, row).filter(cause=HoldCause.ADMIN, **waiting)
        line = administrator = confirmable.select_related("account__user", "account__link").first()
    account = None if line is None else line.account if administrator is not None else line.other
    if account is None:
        return _back(request, place, row, "Nothing waits to be decided about this person any more.")
    if request.method == "POST":
        return _say_who(request, place, row, str(person), account.pk, administrator=administrator is not None)
    section = Section.ADDRESSES if administrator is None else Section.ADMINISTRATORS
    context = {
        "connector": row,
        "line": line,
        "account": account,
        "link": getattr(account, "link", None),
        "last_login": account.user.last_login if account.user is not None else None,
        "administrator": administrator is not None,
        "self_url": request.get_full_path(),
        "back": f"{place.url('held', connector_id=row.pk)}?of={section.value}",
        "trail": trail(
            place, row, Entry("Held changes", place.url("held", connector_id=row.pk)), line.name or line.email
        ),
    }
    return place.render(request, "connectors/held_who.html", context, at="connectors")


def _say_who(
    request: HttpRequest, place: Place, row: Connector, person: str, account_id: int, *, administrator: bool
) -> HttpResponse:
    answers: dict[str, tuple[Callable[..., None], str]] = {
        "same": (decisions.same_person, "Same person. The run that gives them the account was asked for."),
        "else": (decisions.someone_else, "Someone else. They wait until the address is free."),
    }
    if administrator:
        answers = {
            "confirm": (decisions.confirm_administrator, "Confirmed. The run that links the account was asked for.")
        }
    answer = request.POST.get("answer", "")
    if answer not in answers or request.POST.get("account") != str(account_id):
        messages.warning(request, "Nothing was decided: this is not as your page showed it. Look, and decide again.")
        return HttpResponseRedirect(request.get_full_path())
    act, sentence = answers[answer]
    try:
        with transaction.atomic():
            act(row, person, account_id, actor=place.access.user)
            after = _ask_for_a_run(place, row)
    except Refused as refused:
        return _back(request, place, row, refused.sentence)
    messages.success(request, sentence)
    return HttpResponseRedirect(after)
