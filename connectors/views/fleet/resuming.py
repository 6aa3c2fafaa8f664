"""Resuming the ticked connectors of the fleet, once it was seen for each what its next run would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from connectors import lifecycle
from connectors.directory import DirectoryError
from connectors.models import Connector
from connectors.sync import Draft
from connectors.views.fleet.acting import AT_ONCE, chosen_of, ids_of, names_of, require_everywhere, too_many
from connectors.views.fleet.consequences import NAMED, SEEN_SECONDS, heaps_of
from connectors.views.fleet.page import staff_of
from connectors.views.forecast import forecast, seen_of
from tenants.access import StaffGrants
from tenants.models import User
from tenants.portals import render_partner

_RIGHT = lifecycle.ACTS["resume"]


@never_cache
@require_http_methods(["GET", "POST"])
def resume(request: HttpRequest) -> HttpResponse:
    """List the paused connectors that the address names with what their next runs would do; a POST resumes them."""
    user = staff_of(request)
    rows = chosen_of(user, ids_of(request.GET.get("connectors", "").split(",")))
    require_everywhere(rows, StaffGrants(user), _RIGHT)
    home = HttpResponseRedirect(reverse("admin:index"))
    paused = [row for row in rows if row.live and row.paused_at is not None]
    if not paused:
        messages.info(request, "None of the selected connectors is paused.")
        return home
    if len(paused) > AT_ONCE:
        messages.warning(request, too_many(len(paused)))
        return home
    if request.method == "POST":
        return _resume(request, user, paused)
    words = urlencode({"connectors": ",".join(str(row.pk) for row in paused)})
    shown = [(row, f"{reverse('admin:fleet-resume-one', args=[row.pk])}?{words}") for row in paused]
    context = {"shown": shown, "left_out": len(rows) - len(paused)}
    return render_partner(request, "connectors/fleet/resume.html", context, at="fleet")


def _resume(request: HttpRequest, user: User, paused: Sequence[Connector]) -> HttpResponse:
    ticked = ids_of(request.POST.getlist("selected"))
    chosen = [row for row in paused if row.pk in ticked]
    unseen = [row for row in chosen if not cache.get(_seen_key(user, row))]
    resumed = []
    for row in chosen:
        if row in unseen:
            continue
        try:
            lifecycle.resume(row, actor=user)
        except lifecycle.Refused as refused:
            messages.warning(request, f"{row.company.name}: {refused.sentence}")
        else:
            resumed.append(row)
    if resumed:
        messages.success(request, f"{names_of(resumed)}: resumed.")
    if not chosen:
        messages.warning(request, "No connector is selected: select those to resume.")
    if unseen:
        sentence = (
            "not resumed, since what the next run would do was not shown, or has changed. Look at it, then resume."
        )
        messages.warning(request, f"{names_of(unseen)}: {sentence}")
    left = unseen or ([] if chosen else paused)
    if not left:
        return HttpResponseRedirect(reverse("admin:index"))
    words = urlencode({"connectors": ",".join(str(row.pk) for row in left)})
    return HttpResponseRedirect(f"{reverse('admin:fleet-resume')}?{words}")


@never_cache
@require_GET
def one(request: HttpRequest, connector_id: int) -> HttpResponse:
    """Show what the next run of one paused connector would do; with this it counts as looked at."""
    user = staff_of(request)
    row = next(iter(chosen_of(user, [connector_id])), None)
    if row is None:
        raise Http404
    require_everywhere([row], StaffGrants(user), _RIGHT)
    ids = ids_of(request.GET.get("connectors", "").split(",")) | {row.pk}
    back = f"{reverse('admin:fleet-resume')}?{urlencode({'connectors': ','.join(map(str, sorted(ids)))})}"
    if not row.live or row.paused_at is None:
        return HttpResponseRedirect(back)
    context: dict[str, Any] = {"row": row, "named": NAMED, "back": back, "whole_url": request.get_full_path()}
    try:
        found = forecast(row, Draft(), send_invitations=row.send_invitations)
    except DirectoryError as error:
        context["trouble"] = error
    else:
        context |= {"forecast": found, "heaps": heaps_of(found.lines)}
    # A run that cannot read the directory changes nobody: it may be resumed all the same.
    cache.set(_seen_key(user, row), True, SEEN_SECONDS)
    whole = context["whole"] = "HX-Request" not in request.headers
    template = "connectors/fleet/resume_one.html" if whole else "connectors/fleet/next_run.html"
    return render_partner(request, template, context, at="fleet")


def _seen_key(user: User, row: Connector) -> str:
    return f"fleet-resume:{user.pk}:{seen_of(row, ['resume'])}"
