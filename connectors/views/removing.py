"""Removing a connector: a page that says what stays, what ends, and how many it concerns, before anybody decides."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connectors import lifecycle
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.views.pages import find, trail
from tenants.portals import Place, place_page
from tenants.signin.again import asks_again


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(lifecycle.ACTS["remove"])
def remove(request: HttpRequest, place: Place, connector_id: int) -> HttpResponseBase:
    """Say what a removal does, in numbers; a POST of what was shown does it."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED:
        return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    return _decide(request, place, row)


@asks_again
def _decide(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    removal = lifecycle.removal_of(row)
    if request.method == "POST":
        return _remove(request, place, row, removal)
    context = {
        "connector": row,
        "removal": removal,
        "number": {
            **{name: f"{value:,}" for name, value in asdict(removal).items()},
            "accounts": f"{removal.accounts:,}",
        },
        "back_url": place.url("connector", connector_id=row.pk),
        "pause_url": place.url("pause", connector_id=row.pk),
        "trail": trail(place, row, "Remove"),
    }
    return place.render(request, "connectors/remove.html", context, at="connectors")


def _remove(request: HttpRequest, place: Place, row: Connector, shown: lifecycle.Removal) -> HttpResponse:
    if request.POST.get("seen") != shown.seen:
        messages.warning(
            request, "The numbers have changed since, and nothing was removed. These are the present ones."
        )
        return HttpResponseRedirect(place.url("remove", connector_id=row.pk))
    lifecycle.remove(row, actor=place.access.user)
    messages.success(
        request,
        f"{row.name} was removed. {_counted(shown.accounts, 'account')} and {_counted(shown.groups, 'group')} are"
        " managed in Password Boss now.",
    )
    return HttpResponseRedirect(place.url("connector", connector_id=row.pk))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
