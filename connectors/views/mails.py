"""The mails about a company's connectors: what left, what waits, and what may not have arrived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connectors import notify
from connectors.models import Letter
from connectors.states import LetterKind
from tenants.models import TenantQuerySet
from tenants.portals import USER, Place, place_page
from tenants.roles import Can
from tenants.states import EventKind

PAGE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one mail as the page shows it; `again` says whether a person may have it sent again."""

    letter: Letter
    what: str
    tone: str
    icon: str
    state: str
    more: str
    again: bool


@require_http_methods(["GET", "POST"])
@place_page(Can.SEE)
def mails(request: HttpRequest, place: Place) -> HttpResponse:
    """List the mails about a company; a POST names one that may not have arrived, to be sent again."""
    rows = _rows(place)
    now = timezone.now()
    if request.method == "POST":
        place.access.require(Can.RUN_CONNECTORS)
        return _again(request, place, rows, now)
    found = Paginator(rows.select_related("event__connector", "staff"), PAGE).get_page(request.GET.get("page"))
    context = {
        "found": found,
        "query": "",
        "lines": [line(letter, now) for letter in found.object_list],
        "doubtful": rows.filter(notify.doubtful(now)).count(),
        "settings_url": place.url("settings"),
    }
    return place.render(request, "connectors/mails.html", context, at="settings")


def _rows(place: Place) -> TenantQuerySet[Letter]:
    rows = place.access.of(Letter)
    # Who of the staff is told is the partner's own affair.
    return rows.filter(staff=None) if place.portal is USER else rows


def _again(request: HttpRequest, place: Place, rows: TenantQuerySet[Letter], now: datetime) -> HttpResponse:
    wanted = request.POST.get("letter", "")
    pk = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 19 else 0
    letter = place.access.get(rows.select_related("event__company"), pk)
    if notify.send_again(letter, now, actor=place.access.user):
        messages.success(request, f"The mail to {letter.address} is sent again within a minute.")
    else:
        messages.warning(request, f"The mail to {letter.address} is not in doubt any more: nothing was done.")
    return HttpResponseRedirect(place.url("mails"))


def line(letter: Letter, now: datetime) -> Line:
    """Return one mail as the page shows it."""
    kind = LetterKind(letter.kind)
    what = EventKind(letter.event.kind).label
    again = notify.may_send_again(letter, now)
    if kind is not LetterKind.BEGAN:
        what = (
            f"{kind.label}: {what[:1].lower()}{what[1:]}"
            if not what.startswith("Microsoft")
            else f"{kind.label}: {what}"
        )
    if letter.sent_at is not None:
        return Line(letter, what, "ok", "check-circle", "Sent", _clock(letter.sent_at), again)
    if letter.refused_at is not None:
        more = "The mail server knows no such recipient. Correct the address, or take it off."
        return Line(letter, what, "bad", "x-circle", "Refused", more, again)
    if letter.in_doubt(now):
        more = f"Taken at {_clock(letter.claimed_at)}, and nobody knows if it left."
        return Line(letter, what, "warn", "help", "May not have arrived", more, again)
    if letter.claimed_at is not None:
        return Line(letter, what, "wait", "clock", "Being sent", "", again)
    tried = letter.failures
    more = (
        f"Tried {tried} time{'' if tried == 1 else 's'}; next at {_clock(letter.not_before)}"
        if tried
        else "Within a minute"
    )
    return Line(letter, what, "wait", "clock", "Waits", more, again)


def _clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M} on {moment.day} {moment:%b %Y}" if moment is not None else "once"
