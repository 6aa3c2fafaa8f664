"""The install wizard's frame, its beginning, and its first step: the authentication token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from connectors import lifecycle
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.views.pages import find, tabs, trail
from connectors.views.shown import reached
from tenants.portals import Place, place_page
from tenants.roles import Can

_STEPS = (
    ("token", "step-token", "Authentication token"),
    ("auth", "step-auth", "Azure Auth"),
    ("groups", "step-groups", "Users & Groups"),
    ("rules", "step-rules", "Sync rules"),
)
_TOKEN_SALT = "connectors.begin"  # noqa: S105 (the salt of a signature, not a token)


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one step as the frame shows it; `url` is '' where it cannot be gone to yet."""

    number: int
    label: str
    url: str
    current: bool
    done: bool


def frame(place: Place, row: Connector, at: str) -> dict[str, Any]:
    """Return what every step shows around itself: the steps of an unfinished setup, the tabs of a live connector."""
    keys = [key for key, _, _ in _STEPS]
    # The second step can always be gone to: the first one asks for nothing but that the token be saved.
    last = max(keys.index(reached(row)), 1)
    steps = [
        Step(
            number,
            label,
            place.url(name, connector_id=row.pk) if number - 1 <= last else "",
            key == at,
            number - 1 < keys.index(at) or number - 1 < last,
        )
        for number, (key, name, label) in enumerate(_STEPS, 1)
    ]
    return {
        "connector": row,
        "live": row.live,
        "steps": [] if row.live else steps,
        "tabs_of_connector": tabs(place, row, at) if row.live else [],
        "trail": trail(place, row, next(label for key, _, label in _STEPS if key == at)),
        "list_url": place.url("connectors"),
        **{f"{key}_url": place.url(name, connector_id=row.pk) for key, name, _ in _STEPS},
    }


# Beginning, and going on


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
@sensitive_post_parameters("once")
def install(request: HttpRequest, place: Place) -> HttpResponse:
    """Begin an installation: a GET says what it takes, a POST makes the connector and shows its token, this once.

    The token travels in the page that begins: pressed twice, the button begins one installation, and shows one token.
    """
    if request.method == "POST":
        try:
            token = signing.loads(request.POST.get("once", ""), salt=_TOKEN_SALT, max_age=24 * 3600)
        except signing.BadSignature:
            messages.warning(request, "That page was too old to begin from. Press Install on this one.")
            return HttpResponseRedirect(place.url("install"))
        row, token = lifecycle.begin(place.access.company, token=token, actor=place.access.user)
        if row.client_id or row.live:
            return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
        return _show_token(request, place, row, token)
    unfinished = place.access.of(Connector).filter(status=ConnectorStatus.SETUP_INCOMPLETE).order_by("-pk")
    context = {
        "once": signing.dumps(lifecycle.new_token(), salt=_TOKEN_SALT),
        "unfinished": [
            (row, place.url("setup", connector_id=row.pk), place.url("remove", connector_id=row.pk))
            for row in unfinished[:20]
        ],
        "list_url": place.url("connectors"),
    }
    return place.render(request, "connectors/wizard/install.html", context, at="connectors")


@require_GET
@place_page(Can.RUN_CONNECTORS)
def setup(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Go on where a setup was left; a live connector has its own page."""
    row = find(place, connector_id)
    if row.status != ConnectorStatus.SETUP_INCOMPLETE:
        return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    name = next(name for key, name, _ in _STEPS if key == reached(row))
    return HttpResponseRedirect(place.url(name, connector_id=row.pk))


# Authentication token


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
def token(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Say that the token was shown; a POST makes a new one, and shows it this once."""
    row = find(place, connector_id)
    if request.method == "POST":
        place.access.require(lifecycle.ACTS["regenerate_token"])
        try:
            return _show_token(request, place, row, lifecycle.regenerate_token(row, actor=place.access.user))
        except lifecycle.Refused as refused:
            messages.error(request, refused.sentence)
            return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    return _show_token(request, place, row, "")


def _show_token(request: HttpRequest, place: Place, row: Connector, shown: str) -> HttpResponse:
    context = {
        **frame(place, row, "token"),
        "token": shown,
        "may_regenerate": place.access.may(lifecycle.ACTS["regenerate_token"]),
        "api_url": request.build_absolute_uri(reverse("api-status", kwargs={"uid": row.uid})),
    }
    return place.render(request, "connectors/wizard/token.html", context, at="connectors")
