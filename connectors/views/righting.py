"""Putting a run right: the page that shows who comes back, who cannot and why, and what it takes, before it is done."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connectors import lifecycle
from connectors.models import SyncRun
from connectors.plan.putting_right import Loss, Obstacle, Remedy
from connectors.states import ChangeKind, ConnectorStatus, RunState
from connectors.views.pages import trail_of_run
from tenants.portals import Place, place_page
from tenants.roles import Can
from tenants.states import AccountStatus

LINES = 50
_VERBS = {ChangeKind.ENABLE: "enabled", ChangeKind.RESTORE: "restored", ChangeKind.SUSPEND: "pending again"}


def put_right_url(place: Place, run: SyncRun) -> str:
    """Return the address where a run is put right; '' where there is nothing to, or the visitor may not."""
    may = place.access.may(lifecycle.ACTS["put_right"]) and place.access.may(Can.END_ACCOUNTS)
    ended = run.state != RunState.RUNNING
    return place.url("put-right", run_id=run.pk) if may and ended and lifecycle.has_losses(run) else ""


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(lifecycle.ACTS["put_right"], Can.END_ACCOUNTS)
def put_right(request: HttpRequest, place: Place, run_id: int) -> HttpResponse:
    """Show whom putting a run right brings back; a POST of what was shown does it."""
    run = place.access.get(place.access.of(SyncRun).select_related("connector", "company"), run_id)
    if request.method == "POST":
        return _put_right(request, place, run)
    remedy = lifecycle.remedy_of(run)
    return place.render(request, "connectors/put_right.html", _page(request, place, run, remedy), at="connectors")


def _put_right(request: HttpRequest, place: Place, run: SyncRun) -> HttpResponse:
    try:
        record = lifecycle.put_right(run, seen=request.POST.get("seen", ""), actor=place.access.user)
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
        return HttpResponseRedirect(place.url("put-right", run_id=run.pk))
    told = ", ".join(
        f"{number:,} {verb}" for kind, verb in _VERBS.items() if (number := record.counts.get(f"applied.{kind}"))
    )
    messages.success(request, f"The run is put right: {told}. The connector leaves them as they are.")
    return HttpResponseRedirect(place.url("run", run_id=record.pk))


def _page(request: HttpRequest, place: Place, run: SyncRun, remedy: Remedy) -> dict[str, Any]:
    lines: list[tuple[Loss, AccountStatus | None, AccountStatus | None, str]]
    lines = [(one.loss, one.loss.status, one.status, "") for one in remedy.returns]
    lines += [(loss, loss.status, None, obstacle.label) for loss, obstacle in remedy.left]
    licences = run.company.licences
    after = None if remedy.free is None else remedy.free - remedy.taken
    return {
        "run": run,
        "remedy": remedy,
        "number": len(remedy.returns),
        "figures": [
            ("Enabled", remedy.counts.get(ChangeKind.ENABLE, 0)),
            ("Restored", remedy.counts.get(ChangeKind.RESTORE, 0)),
            ("Pending again", remedy.counts.get(ChangeKind.SUSPEND, 0)),
            ("Left as they are", len(remedy.left)),
        ],
        "restores": remedy.counts.get(ChangeKind.RESTORE, 0),
        "licences": licences,
        "after": after,
        "back_already": sum(obstacle is Obstacle.BACK for _, obstacle in remedy.left),
        "found": Paginator(lines, LINES).get_page(request.GET.get("page")),
        "query": "",
        "disabled_before": sum(one.status is AccountStatus.DISABLED for one in remedy.returns),
        "removed": run.connector.status == ConnectorStatus.REMOVED,
        "trail": trail_of_run(place, run, "Put it right"),
        "run_url": place.url("run", run_id=run.pk),
    }
