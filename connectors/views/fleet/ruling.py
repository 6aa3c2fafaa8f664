"""A rule set for the ticked connectors: chosen once, its consequences shown for each, applied to each by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from connectors import lifecycle
from connectors.directory import DirectoryError
from connectors.forms import RuleSetForm, is_harsh
from connectors.models import Connector
from connectors.states import Action, Situation
from connectors.views.fleet.acting import AT_ONCE, chosen_of, ids_of, require_everywhere, too_many
from connectors.views.fleet.consequences import NAMED, SEEN_SECONDS, consequences_of
from connectors.views.fleet.page import staff_of
from connectors.views.forecast import seen_of
from tenants.access import StaffGrants
from tenants.models import User
from tenants.portals import render_partner
from tenants.roles import Can
from tenants.signin.again import FORM_SECONDS, again_url, recently_confirmed

_OUTCOME = "fleet-rules-outcome"


@dataclass(frozen=True, slots=True)
class Ruled:
    """Hold one connector as the page lists it: what of its rules would change, and where the consequences are.

    `why_not` says why it cannot take the rule set, '' where it can.
    """

    row: Connector
    changes: tuple[tuple[str, str, str], ...]
    url: str
    why_not: str

    @property
    def concerned(self) -> bool:
        """Say whether there is anything to apply."""
        return bool(self.changes) and not self.why_not


@never_cache
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest) -> HttpResponse:
    """Choose a rule set for the connectors that the address names, see what it would do, and apply it."""
    user = staff_of(request)
    grants = StaffGrants(user)
    if Can.RUN_CONNECTORS not in grants.anywhere:
        raise PermissionDenied
    rows = chosen_of(user, ids_of(request.GET.get("connectors", "").split(",")))
    if not rows:
        messages.warning(request, "No connector is selected: select one or more first.")
        return HttpResponseRedirect(reverse("admin:index"))
    require_everywhere(rows, grants, Can.RUN_CONNECTORS)
    if len(rows) > AT_ONCE:
        messages.warning(request, too_many(len(rows)))
        return HttpResponseRedirect(reverse("admin:index"))
    may_harm = all(Can.RULE_CONNECTORS in grants.at(row.company.partner_id) for row in rows)
    asked = any(situation in request.GET for situation in Situation)
    form = RuleSetForm(request.GET if asked else None, may_harm=may_harm)
    actions = form.actions if asked and form.is_valid() else {}
    if is_harsh(actions) and not recently_confirmed(request, FORM_SECONDS if request.method == "POST" else None):
        return HttpResponseRedirect(again_url(request.get_full_path()))
    if request.method == "POST":
        return _apply(request, user, rows, actions)
    ruled = _ruled(rows, actions)
    context = {
        "form": form,
        "chosen": ",".join(str(row.pk) for row in rows),
        "rows": rows,
        "actions": actions,
        "ruled": ruled,
        "concerned": sum(one.concerned for one in ruled),
        "refused": asked and not form.is_valid(),
        "nothing_chosen": asked and form.is_valid() and not actions,
        "may_harm": may_harm,
    }
    status = 422 if context["refused"] else 200
    return render_partner(request, "connectors/fleet/rules.html", context, at="fleet", status=status)


def _ruled(rows: Sequence[Connector], actions: Mapping[Situation, Action]) -> list[Ruled]:
    if not actions:
        return []
    present = lifecycle.rules_of_all(rows)
    words = urlencode([(situation.value, action.value) for situation, action in actions.items()])
    return [
        Ruled(
            row=row,
            changes=tuple(
                (situation.label, present[row.pk][situation].label, action.label)
                for situation, action in actions.items()
                if present[row.pk][situation] != action
            ),
            url=f"{reverse('admin:fleet-rules-one', args=[row.pk])}?{words}",
            why_not="" if row.live else "Its setup is not finished: choose its rules there.",
        )
        for row in rows
    ]


# What it would do to one


@never_cache
@require_GET
def one(request: HttpRequest, connector_id: int) -> HttpResponse:
    """Show what a rule set would do to one connector; with this it counts as looked at."""
    user = staff_of(request)
    row = next(iter(chosen_of(user, [connector_id])), None)
    if row is None:
        raise Http404
    grants = StaffGrants(user)
    require_everywhere([row], grants, Can.RUN_CONNECTORS)
    form = RuleSetForm(request.GET, may_harm=Can.RULE_CONNECTORS in grants.at(row.company.partner_id))
    if not form.is_valid() or not form.actions:
        return HttpResponseRedirect(f"{reverse('admin:fleet-rules')}?{urlencode({'connectors': row.pk})}")
    context: dict[str, Any] = {"row": row, "ruled": _ruled([row], form.actions)[0], "actions": form.actions}
    try:
        found = consequences_of(row, form.actions, fresh="again" in request.GET)
    except DirectoryError as error:
        context["trouble"] = error
    else:
        cache.set(_seen_key(user, row, form.actions), True, SEEN_SECONDS)
        context |= {"found": found, "named": NAMED, "back": _back(request, row, form.actions)}
    whole = context["whole"] = "HX-Request" not in request.headers
    context["whole_url"] = request.get_full_path()
    template = "connectors/fleet/rules_one.html" if whole else "connectors/fleet/consequences.html"
    return render_partner(request, template, context, at="fleet")


def _back(request: HttpRequest, row: Connector, actions: Mapping[Situation, Action]) -> str:
    """Return the address of the page that lists all of the chosen connectors, or this one where only it was chosen."""
    ids = ids_of(request.GET.get("connectors", "").split(",")) | {row.pk}
    words = [("connectors", ",".join(map(str, sorted(ids))))]
    words += [(situation.value, action.value) for situation, action in actions.items()]
    return f"{reverse('admin:fleet-rules')}?{urlencode(words)}"


def _seen_key(user: User, row: Connector, actions: Mapping[Situation, Action]) -> str:
    """Name what somebody looked at: these rules for this connector, with its settings as they were then."""
    return f"fleet-rules:{user.pk}:{seen_of(row, sorted((one.value, two.value) for one, two in actions.items()))}"


# Applying


def _apply(
    request: HttpRequest, user: User, rows: Sequence[Connector], actions: Mapping[Situation, Action]
) -> HttpResponse:
    again = HttpResponseRedirect(request.get_full_path())
    if not actions:
        messages.warning(request, "No rule is chosen: choose what shall happen in one situation or more.")
        return again
    ticked = ids_of(request.POST.getlist("selected"))
    chosen = [row for row in rows if row.pk in ticked]
    if not chosen:
        messages.warning(request, "No connector is selected: select those that shall take the rule set.")
        return again
    grants = StaffGrants(user)
    for row in chosen:
        require_everywhere([row], grants, lifecycle.right_for_rules(row, actions, {}))
    reasons = _not_looked_at(request, user, chosen, actions)
    present = lifecycle.rules_of_all(chosen)
    able = [row for row in chosen if row.pk not in reasons]
    revisions = {row.pk: row.settings_revision for row in able}
    reasons |= lifecycle.apply_rule_set(able, actions=actions, revisions=revisions, actor=user)
    request.session[_OUTCOME] = [
        {
            "connector": row.pk,
            "why": reasons.get(row.pk, ""),
            "changes": [
                f"{situation.label}: {present[row.pk][situation].label} → {action.label}"
                for situation, action in actions.items()
                if present[row.pk][situation] != action
            ],
        }
        for row in chosen
    ]
    left = [row for row in chosen if row.pk in reasons]
    words = [(situation.value, action.value) for situation, action in actions.items()]
    if left:
        words.append(("connectors", ",".join(str(row.pk) for row in left)))
    return HttpResponseRedirect(f"{reverse('admin:fleet-rules-done')}?{urlencode(words)}")


def _not_looked_at(
    request: HttpRequest, user: User, rows: Collection[Connector], actions: Mapping[Situation, Action]
) -> dict[int, str]:
    """Return, by id, why one cannot take the rule set: nobody was shown what it would do to it as it is now."""
    reasons = {}
    for row in rows:
        if not row.live or cache.get(_seen_key(user, row, actions)):
            continue
        if request.POST.get(f"revision-{row.pk}") != str(row.settings_revision):
            reasons[row.pk] = (
                "Its settings were changed since its consequences were shown. Look at them again, then apply."
            )
        else:
            reasons[row.pk] = "You have not seen yet what it would do there. Look at it, then apply."
    return reasons


@never_cache
@require_GET
def done(request: HttpRequest) -> HttpResponse:
    """Say of each connector whether it took the rule set, and why not."""
    user = staff_of(request)
    told = {entry["connector"]: entry for entry in request.session.get(_OUTCOME, [])}
    rows = chosen_of(user, list(told))
    if not rows:
        return HttpResponseRedirect(reverse("admin:index"))
    outcomes = [(row, told[row.pk]) for row in rows]
    context = {
        "outcomes": outcomes,
        "applied": sum(not entry["why"] for _, entry in outcomes),
        "left": sum(bool(entry["why"]) for _, entry in outcomes),
        "again": f"{reverse('admin:fleet-rules')}?{request.GET.urlencode()}" if "connectors" in request.GET else "",
    }
    return render_partner(request, "connectors/fleet/rules_done.html", context, at="fleet")
