"""Users & Groups: finding groups as one types, choosing the one sync group, and any number of additional ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from connectors import lifecycle
from connectors.directory import DirectoryError, GroupSummary
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.sync import directory_of
from connectors.views.forecast import seen_of
from connectors.views.pages import find
from connectors.views.wizard import frame
from tenants.portals import Place, place_page
from tenants.roles import Can

LISTED = 20


@dataclass(slots=True)
class Choice:
    """Hold a choice of groups: what is saved, or what somebody is about to save for a live connector."""

    sync_group_id: str
    additional: list[str]
    names: dict[str, str] = field(default_factory=dict)
    saved: bool = True

    def name(self, group_id: str) -> str:
        """Return a group's name, or its id where no name is known."""
        return self.names.get(group_id) or group_id


def choice_of(request: HttpRequest, row: Connector) -> Choice:
    """Return the choice that the page shows: a live connector's may be one that this session has not saved yet."""
    pairs = list(row.selected_groups.values_list("directory_id", "name"))
    names = dict(pairs) | {row.sync_group_id: row.sync_group_name}
    saved = Choice(row.sync_group_id, [group_id for group_id, _ in pairs], names)
    kept = request.session.get(_key(row))
    if not row.live or not isinstance(kept, dict):
        return saved
    choice = Choice(str(kept["sync"]), [str(one) for one in kept["additional"]], names | kept["names"], saved=False)
    same = (choice.sync_group_id, set(choice.additional)) == (saved.sync_group_id, set(saved.additional))
    return saved if same else choice


def _key(row: Connector) -> str:
    return f"choice-of-groups-{row.pk}"


def _keep(request: HttpRequest, row: Connector, choice: Choice) -> None:
    names = {one: choice.name(one) for one in (choice.sync_group_id, *choice.additional)}
    request.session[_key(row)] = {"sync": choice.sync_group_id, "additional": choice.additional, "names": names}


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
def groups(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Show the tenant's groups and the choice; a POST changes it: at once while the setup is unfinished, else kept."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED or not row.tenant_id:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    if request.method == "POST":
        place.access.require(lifecycle.right_for_groups(row))
        return _change(request, place, row)
    choice = choice_of(request, row)
    context = {
        **frame(place, row, "groups"),
        **_found(request, row),
        **_chosen(row, choice),
        "may_choose": place.access.may(lifecycle.right_for_groups(row)),
        "search_url": place.url("group-search", connector_id=row.pk),
        "difference_url": f"{place.url('preview', connector_id=row.pk)}?choice=1&again=1",
        "changed": not choice.saved,
    }
    return place.render(request, "connectors/wizard/groups.html", context, at="connectors")


@never_cache
@require_GET
@place_page(Can.RUN_CONNECTORS)
def search(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """List the groups that fit what was typed so far: the part of the page that changes while one types."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED or not row.tenant_id:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    choice = choice_of(request, row)
    context = {
        **_found(request, row),
        "sync_group_id": choice.sync_group_id,
        "additional_ids": choice.additional,
        "groups_url": place.url("step-groups", connector_id=row.pk),
        "may_choose": place.access.may(lifecycle.right_for_groups(row)),
    }
    return place.render(request, "connectors/wizard/group_list.html", context, at="connectors")


def _found(request: HttpRequest, row: Connector) -> dict[str, Any]:
    text = request.GET.get("g", "").replace("\x00", "")[:200]
    try:
        with directory_of(row) as directory:
            found = directory.search_groups(text, limit=LISTED)
    except DirectoryError as error:
        return {"g": text, "found": [], "trouble": error}
    return {"g": text, "found": found, "more": len(found) == LISTED}


def _chosen(row: Connector, choice: Choice) -> dict[str, Any]:
    summary: GroupSummary | None = None
    missing = ""
    if choice.sync_group_id:
        try:
            with directory_of(row) as directory:
                summary = directory.group(choice.sync_group_id)
        except DirectoryError as error:
            missing = error.sentence
    return {
        "sync_group_id": choice.sync_group_id,
        "sync_group_name": choice.name(choice.sync_group_id),
        "sync_group": summary,
        "sync_group_missing": missing,
        "additional": [(one, choice.name(one)) for one in choice.additional],
        "additional_ids": choice.additional,
    }


def _change(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    back = HttpResponseRedirect(f"{place.url('step-groups', connector_id=row.pk)}{_query(request)}")
    choice = choice_of(request, row)
    if "save" in request.POST:
        return _save(request, place, row, choice)
    if "forget" in request.POST:
        request.session.pop(_key(row), None)
        messages.info(request, "Your choice was forgotten. The connector's groups are as they were.")
        return back
    if chosen := request.POST.get("sync_group", ""):
        choice.sync_group_id = chosen
    elif added := request.POST.get("add", ""):
        choice.additional = [*choice.additional, added]
    elif dropped := request.POST.get("drop", ""):
        choice.additional = [one for one in choice.additional if one != dropped]
    try:
        if row.live:
            _look_up(row, choice)
            _keep(request, row, choice)
        else:
            lifecycle.select_groups(
                row, sync_group_id=choice.sync_group_id, additional=choice.additional, actor=place.access.user
            )
    except (lifecycle.Refused, DirectoryError) as refused:
        messages.error(request, refused.sentence)
    return back


def _look_up(row: Connector, choice: Choice) -> None:
    """Learn the names of groups that were just named; raise where one does not exist."""
    choice.additional = list(dict.fromkeys(one.lower() for one in choice.additional))
    choice.sync_group_id = choice.sync_group_id.lower()
    unknown = [one for one in (choice.sync_group_id, *choice.additional) if one not in choice.names]
    if not unknown:
        return
    with directory_of(row) as directory:
        for one in unknown:
            choice.names[one] = directory.group(one).name[:256]


def _save(request: HttpRequest, place: Place, row: Connector, choice: Choice) -> HttpResponse:
    """Save a live connector's choice, if its difference was seen: the very one that is saved."""
    if request.POST.get("seen") != seen_of(row, [choice.sync_group_id, *sorted(choice.additional)]):
        messages.warning(request, "Nothing is saved yet. Look at what this choice changes, and save it there.")
        return HttpResponseRedirect(f"{place.url('preview', connector_id=row.pk)}?choice=1&again=1")
    try:
        lifecycle.select_groups(
            row, sync_group_id=choice.sync_group_id, additional=choice.additional, actor=place.access.user
        )
    except (lifecycle.Refused, DirectoryError) as refused:
        messages.error(request, refused.sentence)
        return HttpResponseRedirect(place.url("step-groups", connector_id=row.pk))
    request.session.pop(_key(row), None)
    messages.success(request, "The groups are saved. The next run follows them, and begins within seconds.")
    return HttpResponseRedirect(place.url("connector", connector_id=row.pk))


def _query(request: HttpRequest) -> str:
    query = request.GET.copy()
    return f"?{query.urlencode()}" if query else ""
