"""Sync rules and settings, and the preview: exactly what the next run would do once they, or the groups, are saved."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connectors import decisions, lifecycle
from connectors.directory import DirectoryError
from connectors.forms import RulesForm
from connectors.models import Connector
from connectors.plan import Rules
from connectors.states import Action, ConnectorStatus
from connectors.sync import Draft
from connectors.sync.load import rules_of
from connectors.views.choosing import choice_of
from connectors.views.forecast import PARTS, Forecast, forecast, seen_of
from connectors.views.pages import find, trail
from connectors.views.wizard import frame
from tenants.portals import Entry, Place, place_page
from tenants.roles import Can

LINES = 50
_MARK = "rules"
"""The word in an address that says: the rest of it are rules that are not saved."""


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
def rules(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Show rules and settings; a POST leads to their preview, or saves what was previewed: Save Changes."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED or not row.sync_group_id:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    if request.method == "POST":
        return _post(request, place, row)
    form = _form(place, row, request.GET if _MARK in request.GET else None)
    return _show(request, place, row, form)


def _show(request: HttpRequest, place: Place, row: Connector, form: RulesForm, status: int = 200) -> HttpResponse:
    context = {
        **frame(place, row, "rules"),
        "form": form,
        "preview_url": place.url("preview", connector_id=row.pk),
    }
    return place.render(request, "connectors/wizard/rules.html", context, at="connectors", status=status)


def _form(place: Place, row: Connector, data: Any) -> RulesForm:
    return RulesForm(
        data,
        actions=rules_of(row).actions,
        settings={name: getattr(row, name) for name in lifecycle.SETTINGS},
        may_harm=place.access.may(Can.RULE_CONNECTORS),
        may_set=not row.live or place.access.may(Can.RULE_CONNECTORS),
    )


def _post(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    form = _form(place, row, request.POST)
    if not form.is_valid():
        return _show(request, place, row, form, status=422)
    place.access.require(lifecycle.right_for_rules(row, form.actions, form.settings))
    values = _values(form)
    before = HttpResponseRedirect(f"{place.url('preview', connector_id=row.pk)}?{_MARK}=1&{urlencode(values)}&again=1")
    if "save" not in request.POST:
        return before
    already = row.live and form.actions == rules_of(row).actions and _same_settings(row, form)
    if not already and request.POST.get("seen") != seen_of(row, values):
        messages.warning(request, "Nothing is saved yet. This is what it would do; save it here.")
        return before
    try:
        with transaction.atomic():
            settings = form.settings if form.may_set else {}
            saved = lifecycle.save_rules(row, actions=form.actions, settings=settings, actor=place.access.user)
            if not row.live:
                lifecycle.activate(saved, actor=place.access.user)
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
        return HttpResponseRedirect(place.url("step-rules", connector_id=row.pk))
    if row.live:
        messages.success(request, "The rules and settings are saved. The next run follows them.")
        return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    messages.success(request, "The connector is saved. It turns Connected after its first synchronisation.")
    return HttpResponseRedirect(place.url("connectors"))


def _same_settings(row: Connector, form: RulesForm) -> bool:
    return all(getattr(row, name) == value for name, value in form.settings.items())


def _values(form: RulesForm) -> list[tuple[str, str]]:
    """Return what a form says as the pairs of an address; a box that is not ticked, or only shown, is not in it."""
    pairs = [(situation.value, action.value) for situation, action in form.actions.items()]
    return pairs + [(name, "on") for name, value in form.settings.items() if value and form.may_set]


# The preview


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
def preview(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Show what the next run would do with what is saved, or with the rules or the groups that are about to be.

    A POST confirms that an administrator's account is the directory person's, which only a person may say.
    """
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED or not row.sync_group_id:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    if request.method == "POST":
        return _confirm(request, place, row)
    form = _form(place, row, request.GET) if _MARK in request.GET else None
    if form is not None and not form.is_valid():
        return HttpResponseRedirect(place.url("step-rules", connector_id=row.pk))
    context: dict[str, Any] = {**frame(place, row, "rules"), "self_url": place.url("preview", connector_id=row.pk)}
    context["trail"] = trail(place, row, Entry("Sync rules", context["rules_url"]), "Preview")
    draft, context["save"] = _draft(request, place, row, form)
    try:
        found = forecast(
            row,
            draft,
            send_invitations=form.settings["send_invitations"] if form else row.send_invitations,
            fresh="again" in request.GET,
        )
    except DirectoryError as error:
        context["trouble"] = error
    else:
        context |= page_of(request, found, form)
    context["may_confirm"] = place.access.may(decisions.ACTS["confirm_administrator"])
    whole = "HX-Request" not in request.headers
    template = "connectors/wizard/preview.html" if whole else "connectors/wizard/preview_live.html"
    return place.render(request, template, context, at="connectors")


def _draft(request: HttpRequest, place: Place, row: Connector, form: RulesForm | None) -> tuple[Draft, dict[str, Any]]:
    """Return what is previewed, and what the page must send to save exactly that; nothing where all of it is saved."""
    if form is not None:
        settings = {name: value for name, value in form.settings.items() if name != "send_invitations"}
        values = _values(form)
        action = place.url("step-rules", connector_id=row.pk)
        save = {
            "url": action,
            "values": values,
            "seen": seen_of(row, values),
            "back": f"{action}?{_MARK}=1&{urlencode(values)}",
        }
        return Draft(rules=Rules(actions=form.actions, **settings)), save
    choice = choice_of(request, row)
    if "choice" in request.GET and not choice.saved:
        action = place.url("step-groups", connector_id=row.pk)
        seen = seen_of(row, [choice.sync_group_id, *sorted(choice.additional)])
        draft = Draft(sync_group_id=choice.sync_group_id, additional=tuple(choice.additional))
        return draft, {"url": action, "values": [], "seen": seen, "back": action}
    return Draft(), {}


def page_of(request: HttpRequest, found: Forecast, form: RulesForm | None) -> dict[str, Any]:
    """Return what a page shows of a forecast: its numbers, and the part of its lines that is asked for."""
    word = request.GET.get("q", "").strip().replace("\x00", "").casefold()[:200]
    part = request.GET.get("part", "")
    lines = [
        line
        for line in found.lines
        if (not word or word in line.name.casefold() or word in line.email.casefold())
        and (part not in PARTS or line.part == part)
    ]
    query = request.GET.copy()
    for name in ("page", "again"):
        query.pop(name, None)
    kept = [(name, value) for name in query for value in query.getlist(name) if name not in ("q", "part")]
    converts = form is not None and Action.CONVERT in form.actions.values()
    return {
        "forecast": found,
        "figures": [(key, label, found.counts.get(key, 0)) for key, label in PARTS.items() if found.counts.get(key)],
        "found": Paginator(lines, LINES).get_page(request.GET.get("page")),
        "part_labels": PARTS,
        "q": request.GET.get("q", ""),
        "part": part if part in PARTS else "",
        "kept": kept,
        "query": query.urlencode(),
        "again_query": f"{query.urlencode()}&again=1",
        "corporate": found.corporate if converts and found.corporate else 0,
    }


def _confirm(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    place.access.require(decisions.ACTS["confirm_administrator"])
    account = request.POST.get("account", "")
    query = request.GET.urlencode()
    back = HttpResponseRedirect(f"{place.url('preview', connector_id=row.pk)}{f'?{query}' if query else ''}")
    if not (account.isascii() and account.isdecimal() and len(account) < 19):
        return back
    try:
        decisions.confirm_administrator(row, request.POST.get("person", ""), int(account), actor=place.access.user)
    except decisions.Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "Confirmed: the administrator’s account is linked to this person.")
    return back
