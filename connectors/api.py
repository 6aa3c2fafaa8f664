"""The connector's own small API, for a partner's tools: its status, a run now, its last runs; by bearer token alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.core.cache import cache as shared_cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_POST

from connectors import lifecycle, schedule
from connectors.attention import needs_of
from connectors.models import Connector, SyncRun
from connectors.states import RunState, RunTrigger

P = ParamSpec("P")

RECENT = 20
CALLS_A_MINUTE = 120
RUNS_A_MINUTE = 6
FAILURES_A_MINUTE = 30
_MINUTE = 60


def token_page(
    view: Callable[Concatenate[HttpRequest, Connector, P], HttpResponse],
) -> Callable[..., HttpResponse]:
    """Guard a view by its connector's token: no cookie opens it, and every wrong token gets the same 401."""

    @csrf_exempt
    @never_cache
    @sensitive_variables("token")
    @wraps(view)
    def page(request: HttpRequest, uid: UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        connector = lifecycle.connector_of(uid, token.strip() if scheme.lower() == "bearer" else "")
        if connector is None:
            address = get_adapter(request).get_client_ip(request)
            if _over(f"failures:{address}", FAILURES_A_MINUTE):
                return _slow_down()
            answer = _problem(401, "The token is not this connector's. It may have been regenerated.")
            answer.headers["WWW-Authenticate"] = 'Bearer realm="connector"'
            return answer
        if _over(f"calls:{connector.pk}", CALLS_A_MINUTE):
            return _slow_down()
        return view(request, connector, *args, **kwargs)

    return page


def _over(key: str, most: int) -> bool:
    """Count one more within this minute, and say whether there were too many."""
    key = f"api:{key}"
    shared_cache.add(key, 0, _MINUTE)
    try:
        return shared_cache.incr(key) > most
    except ValueError:  # the minute ended between the two
        return False


def _slow_down() -> HttpResponse:
    answer = _problem(429, "Too many calls. Wait a minute.")
    answer.headers["Retry-After"] = str(_MINUTE)
    return answer


def _problem(status: int, sentence: str) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=status)


@require_GET
@token_page
def status(request: HttpRequest, connector: Connector) -> HttpResponse:
    """Tell the connector's status, the attention it needs, and its last and next run."""
    now = timezone.now()
    return JsonResponse(
        {
            "status": connector.get_status_display(),
            "status_since": _time(connector.status_since),
            "status_sentence": connector.status_sentence,
            "attention": [
                {"what": need.attention.label, "sentence": need.sentence} for need in needs_of(connector, now)
            ],
            "people_in_scope": connector.in_scope,
            "last_success_at": _time(connector.last_success_at),
            "next_run_at": _time(schedule.next_runs([connector]).get(connector.pk)),
            "running": connector.lease_until is not None and connector.lease_until > now,
        }
    )


@require_POST
@token_page
def synchronise(request: HttpRequest, connector: Connector) -> HttpResponse:
    """Ask for a run now: 202 and where its record will be, 409 with a sentence where the connector may not run."""
    if _over(f"runs:{connector.pk}", RUNS_A_MINUTE):
        return _slow_down()
    last = connector.runs.order_by("-pk").values_list("pk", flat=True).first() or 0
    refusals = lifecycle.synchronise([connector], actor="Connector API", trigger=RunTrigger.API)
    if connector.pk in refusals:
        return _problem(409, refusals[connector.pk])
    link = request.build_absolute_uri(reverse("api-run-after", kwargs={"uid": connector.uid, "run_id": last}))
    answer = JsonResponse({"run": link}, status=202)
    answer.headers["Location"] = link
    return answer


@require_GET
@token_page
def runs(request: HttpRequest, connector: Connector) -> HttpResponse:
    """Tell the last runs, the latest first."""
    return JsonResponse({"runs": [_run(row) for row in connector.runs.all()[:RECENT]]})


@require_GET
@token_page
def run(request: HttpRequest, connector: Connector, run_id: int) -> HttpResponse:
    """Tell one run of this connector."""
    row = connector.runs.filter(pk=run_id).first()
    return _problem(404, "This connector has no such run.") if row is None else JsonResponse(_run(row))


@require_GET
@token_page
def run_after(request: HttpRequest, connector: Connector, run_id: int) -> HttpResponse:
    """Tell the first run that somebody asked for after that one; "queued" until it begins."""
    asked = connector.runs.filter(pk__gt=run_id).exclude(trigger=RunTrigger.SCHEDULE)
    row = asked.order_by("pk").first()
    return JsonResponse({"state": "queued"} if row is None else _run(row))


def _run(row: SyncRun) -> dict[str, Any]:
    return {
        "id": row.pk,
        "state": RunState(row.state).value,
        "why": RunTrigger(row.trigger).value,
        "times": row.times,
        "started_at": _time(row.started_at),
        "finished_at": _time(row.finished_at),
        "people_in_scope": row.in_scope,
        "counts": row.counts,
        "sentence": row.sentence,
        "reference": row.reference,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


@cache
def _description() -> str:
    return (Path(__file__).parent / "openapi.yaml").read_text()


@require_GET
def description(request: HttpRequest) -> HttpResponse:
    """Serve the OpenAPI description, to everybody: it is the same for all connectors."""
    return HttpResponse(_description(), content_type="application/yaml; charset=utf-8")


urlpatterns = [
    path("openapi.yaml", description, name="api-description"),
    path("<uuid:uid>/", status, name="api-status"),
    path("<uuid:uid>/synchronise/", synchronise, name="api-synchronise"),
    path("<uuid:uid>/runs/", runs, name="api-runs"),
    path("<uuid:uid>/runs/<int:run_id>/", run, name="api-run"),
    path("<uuid:uid>/runs/after/<int:run_id>/", run_after, name="api-run-after"),
]
