"""Pausing a connector, and resuming it once it was seen what the next run would do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connectors import lifecycle
from connectors.directory import DirectoryError
from connectors.forms import PauseForm
from connectors.models import Connector
from connectors.sync import Draft
from connectors.views.forecast import forecast, seen_of
from connectors.views.pages import find, trail
from connectors.views.ruling import page_of
from tenants.portals import Place, place_page


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(lifecycle.ACTS["pause"])
def pause(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Ask why and until when; of a connector that is paused, what was told stands there to be changed."""
    row = find(place, connector_id)
    if not row.live:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    told = {"reason": row.pause_reason, "until": row.paused_until}
    form = PauseForm(request.POST if request.method == "POST" else None, initial=told)
    if request.method == "GET" or not form.is_valid():
        return _ask(request, place, row, form)
    typed = form.cleaned_data
    try:
        row = lifecycle.pause(row, reason=typed["reason"], until=typed["until"], actor=place.access.user)
    except lifecycle.Refused as refused:
        form.refuse(refused.field, refused.sentence)
        return _ask(request, place, row, form)
    until = f"until {row.paused_until:%H:%M UTC on %d %b %Y}" if row.paused_until else "until a person resumes it"
    messages.success(request, f"Paused {until}. Nobody’s account is touched meanwhile.")
    return HttpResponseRedirect(place.url("connector", connector_id=row.pk))


def _ask(request: HttpRequest, place: Place, row: Connector, form: PauseForm) -> HttpResponse:
    form.mark_errors()
    context = {
        "connector": row,
        "form": form,
        "back_url": place.url("connector", connector_id=row.pk),
        "trail": trail(place, row, "Pause"),
    }
    status = 422 if form.is_bound else 200
    return place.render(request, "connectors/pause.html", context, at="connectors", status=status)


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(lifecycle.ACTS["resume"])
def resume(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Show what the next run would do; a POST of what was shown lets it run."""
    row = find(place, connector_id)
    back = HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    if not row.live:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    if row.paused_at is None:
        messages.info(request, f"{row.name} is not paused: it synchronises.")
        return back
    if request.method == "GET":
        return _preview(request, place, row)
    if request.POST.get("seen") != _seen(row):
        messages.warning(request, "Nothing has been resumed yet. This is what the next run would do; resume it here.")
        return HttpResponseRedirect(place.url("resume", connector_id=row.pk))
    try:
        lifecycle.resume(row, actor=place.access.user)
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
        return back
    messages.success(request, f"{row.name} is resumed. The first run begins within seconds.")
    return back


def _preview(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    own_url = place.url("resume", connector_id=row.pk)
    context: dict[str, Any] = {
        "connector": row,
        "self_url": own_url,
        "seen": _seen(row),
        "pause_url": place.url("pause", connector_id=row.pk),
        "trail": trail(place, row, "Resume"),
        "back_url": place.url("connector", connector_id=row.pk),
    }
    try:
        found = forecast(row, Draft(), send_invitations=row.send_invitations, fresh="again" in request.GET)
    except DirectoryError as error:
        context["trouble"] = error
    else:
        context |= page_of(request, found, None)
    return place.render(request, "connectors/resume.html", context, at="connectors")


def _seen(row: Connector) -> str:
    """Return a word for what was shown: rules, groups or credentials that change meanwhile give another one."""
    return seen_of(row, ["resume"])
