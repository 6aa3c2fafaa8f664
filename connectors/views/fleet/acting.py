"""Synchronising and pausing the ticked connectors of the fleet, each told of by its company's name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from connectors import lifecycle
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.views.fleet.lines import Wanted, lines_of
from connectors.views.fleet.page import staff_of
from tenants.access import StaffGrants
from tenants.models import User
from tenants.roles import Can

_NAMED = 5
_TOLD = 8
_DONE = {"synchronise": "a run was asked for", "pause": "paused"}
_ASKS_FIRST = {"resume": "admin:fleet-resume", "rules": "admin:fleet-rules"}
"""What has a page of its own, which shows first what it would do."""

AT_ONCE = 200
"""So many connectors at most on a page that shows what would happen: each is read from its directory for it."""


def ids_of(words: Collection[str]) -> set[int]:
    """Return the ids among what a form or an address says; what is none is passed over."""
    return {int(one) for one in words if one.isascii() and one.isdecimal() and len(one) < 19}


def chosen_of(user: User, ids: Collection[int]) -> list[Connector]:
    """Return the chosen connectors that the visitor may see, in the order of their companies' names."""
    rows = Connector.objects.visible_to(user).filter(pk__in=list(ids)).exclude(status=ConnectorStatus.REMOVED)
    return list(rows.select_related("company__partner").order_by("company__name", "pk"))


def require_everywhere(rows: Collection[Connector], grants: StaffGrants, *cans: Can) -> None:
    """Raise PermissionDenied where a right is missing at one of the connectors' partners: then nothing is done."""
    if any(not grants.at(partner).issuperset(cans) for partner in {row.company.partner_id for row in rows}):
        raise PermissionDenied


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Do one thing to the ticked connectors, or to all that the filter finds, and say of each what happened."""
    user = staff_of(request)
    grants, wanted = StaffGrants(user), request.POST.get("action", "")
    if Can.RUN_CONNECTORS not in grants.anywhere:
        raise PermissionDenied
    if wanted not in _DONE and wanted not in _ASKS_FIRST:
        raise Http404
    query = request.GET.urlencode()
    back = HttpResponseRedirect(f"{reverse('admin:index')}{f'?{query}' if query else ''}")
    rows = chosen_of(user, _ids(request, user, grants))
    if not rows:
        messages.warning(request, "No connector is selected: select one or more first.")
        return back
    require_everywhere(rows, grants, Can.RUN_CONNECTORS)
    if wanted in _ASKS_FIRST:
        chosen = ",".join(str(row.pk) for row in rows)
        return HttpResponseRedirect(f"{reverse(_ASKS_FIRST[wanted])}?{urlencode({'connectors': chosen})}")
    refused = _do(wanted, rows, user)
    done = [row for row in rows if row.pk not in refused]
    if done:
        messages.success(request, f"{names_of(done)}: {_DONE[wanted]}.")
    for sentence in _told(rows, refused):
        messages.warning(request, sentence)
    return back


def _ids(request: HttpRequest, user: User, grants: StaffGrants) -> set[int]:
    if "everything" not in request.POST:
        return ids_of(request.POST.getlist("selected"))
    asked = Wanted.of(request.GET)
    if asked.removed:
        return set()
    lines = [line for line in lines_of(user, timezone.now()) if asked.fits(line)]
    able = [line for line in lines if Can.RUN_CONNECTORS in grants.at(line.company.partner_id)]
    return {line.connector.pk for line in able if line.connector}


def _do(action: str, rows: Sequence[Connector], user: User) -> dict[int, str]:
    """Do it to each; return, by id, the sentence why it is not done to one."""
    if action == "synchronise":
        return lifecycle.synchronise(rows, actor=user)
    refused = {}
    for row in rows:
        try:
            lifecycle.pause(row, actor=user)
        except lifecycle.Refused as why:
            refused[row.pk] = why.sentence
    return refused


def names_of(rows: Sequence[Connector]) -> str:
    """Name some connectors by their companies, and count the rest of many."""
    if len(rows) > _NAMED:
        return f"{len(rows):,} connectors"
    return ", ".join(row.company.name for row in rows)


def too_many(number: int) -> str:
    """Say why so many cannot be shown at once, and what to do."""
    return f"{number:,} connectors are too many at once. Tick at most {AT_ONCE}, and do the rest after them."


def _told(rows: Sequence[Connector], refused: Mapping[int, str]) -> Iterator[str]:
    """Say why not, each reason once with those it holds for."""
    reasons: dict[str, list[Connector]] = defaultdict(list)
    for row in rows:
        if row.pk in refused:
            reasons[refused[row.pk]].append(row)
    for sentence, those in list(reasons.items())[:_TOLD]:
        yield f"{names_of(those)}: {sentence}"
    rest = sum(len(those) for those in list(reasons.values())[_TOLD:])
    if rest:
        yield f"{rest:,} more were left as they are. Open each to see why."
