"""The safety brake's limits: what they mean for this company, and that loosening them shows its consequence first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connectors import lifecycle
from connectors.models import Connector
from connectors.plan import Limits
from connectors.plan.brake import most_that_may_join, most_that_may_leave
from connectors.states import ConnectorStatus
from connectors.views.pages import find, tabs, trail
from tenants.forms import PortalForm
from tenants.portals import Place, place_page
from tenants.roles import Can
from tenants.states import AccountStatus

_MARK = "limits"
"""The word in an address that says: the rest of it are limits that are not saved."""
_LABELS = {
    "destructive_floor": "Leaving: at least so many people",
    "destructive_percent": "Leaving: over this percentage",
    "half_floor": "Leaving, small company: at least so many people",
    "half_percent": "Leaving, small company: this percentage or more",
    "growth_floor": "Joining: more than so many people",
    "growth_percent": "Joining: over this percentage",
}
_SENTENCES = {
    "leaving": (
        ("Hold them when at least", "destructive_floor", "people leave, and they are over", "destructive_percent", "."),
        (
            "In a small company also when at least",
            "half_floor",
            "people leave, and they are",
            "half_percent",
            "or more.",
        ),
    ),
    "joining": (("Hold them when more than", "growth_floor", "people join, and they are over", "growth_percent", "."),),
}
"""Each limit as the sentence that it is, with its two numbers in their places; the second is a percentage."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Hold one limit as it is typed: words and numbers in turn."""

    start: str
    number: forms.BoundField
    middle: str
    percent: forms.BoundField
    end: str


class LimitsForm(PortalForm):
    """Take the six numbers of the brake, each within its bounds."""

    def __init__(self, *args: Any, row: Connector, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in _LABELS.items():
            least, most = lifecycle.LIMITS[name]
            sentence = f"Give a whole number from {least:,} to {most:,}."
            self.fields[name] = forms.IntegerField(
                label=label,
                initial=getattr(row, name),
                min_value=least,
                max_value=most,
                error_messages=dict.fromkeys(("invalid", "min_value", "max_value", "required"), sentence),
                widget=forms.NumberInput({"class": "input", "inputmode": "numeric", "aria-label": label}),
            )

    @property
    def leaving(self) -> list[Sentence]:
        """Return the limits about people who leave."""
        return self._sentences("leaving")

    @property
    def joining(self) -> list[Sentence]:
        """Return the limit about people who join."""
        return self._sentences("joining")

    def _sentences(self, about: str) -> list[Sentence]:
        return [
            Sentence(start, self[number], middle, self[percent], end)
            for start, number, middle, percent, end in _SENTENCES[about]
        ]

    def mark_errors(self) -> None:
        """Tell assistive technology which fields are wrong."""
        for name in self.errors:
            if name in self.fields:
                attrs = self.fields[name].widget.attrs
                attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}_error"}


@dataclass(frozen=True, slots=True)
class Reach:
    """Hold how far limits let things go within a day without a person, at the size the company has now."""

    accounts: int
    leave: int
    join: int

    @property
    def off_for_leaving(self) -> bool:
        """Say whether everybody may lose the account unasked."""
        return 0 < self.accounts <= self.leave


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.SEE)
def brake(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Show the limits and what they mean; a POST saves tighter ones at once, looser ones once it was shown what for."""
    row = find(place, connector_id)
    if request.method == "POST":
        place.access.require(lifecycle.ACTS["save_limits"])
    if not row.live:
        removed = row.status == ConnectorStatus.REMOVED
        return HttpResponseRedirect(place.url("connector" if removed else "setup", connector_id=row.pk))
    if request.method == "POST":
        return _save(request, place, row)
    form = LimitsForm(request.GET if _MARK in request.GET else None, row=row)
    asked = form.cleaned_data if form.is_bound and form.is_valid() else {}
    return _show(request, place, row, form, asked)


def _save(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    form = LimitsForm(request.POST, row=row)
    if not form.is_valid():
        form.mark_errors()
        return _show(request, place, row, form, {}, status=422)
    values: dict[str, int] = form.cleaned_data
    here = place.url("brake", connector_id=row.pk)
    if _loosened(row, values) and request.POST.get("seen") != _seen(row, values):
        return HttpResponseRedirect(f"{here}?{_MARK}=1&{urlencode(values)}")
    try:
        lifecycle.save_limits(row, limits=values, actor=place.access.user)
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "The limits are saved. The next run goes by them.")
    return HttpResponseRedirect(here)


def _show(
    request: HttpRequest, place: Place, row: Connector, form: LimitsForm, asked: dict[str, int], status: int = 200
) -> HttpResponse:
    counted = (AccountStatus.ACTIVE, AccountStatus.PENDING)
    accounts = place.access.accounts.filter(link__connector=row, status__in=counted, barred=False).count()
    now = {name: getattr(row, name) for name in lifecycle.LIMITS}
    loosened = _loosened(row, asked)
    context = {
        "connector": row,
        "form": form,
        "reach": reach(now, accounts),
        "asked": reach(asked, accounts) if loosened else None,
        "changes": [(_LABELS[name], now[name], value) for name, value in asked.items() if now[name] != value],
        "values": list(asked.items()),
        "seen": _seen(row, asked),
        "may_change": place.access.may(lifecycle.ACTS["save_limits"]),
        "self_url": place.url("brake", connector_id=row.pk),
        "tabs_of_connector": tabs(place, row, "brake"),
        "trail": trail(place, row, "Safety brake"),
    }
    return place.render(request, "connectors/brake.html", context, at="connectors", status=status)


def reach(values: dict[str, int], accounts: int) -> Reach:
    """Return how far these limits go for so many accounts."""
    limits = Limits(
        destructive_floor=values["destructive_floor"],
        destructive_percent=values["destructive_percent"],
        half_floor=values["half_floor"],
        half_percent=values["half_percent"],
        growth_floor=values["growth_floor"],
        growth_percent=values["growth_percent"],
    )
    return Reach(accounts, min(most_that_may_leave(limits, accounts), accounts), most_that_may_join(limits, accounts))


def _loosened(row: Connector, values: dict[str, int]) -> bool:
    """Say whether any limit lets more happen than the saved one: each does where it is a greater number."""
    return any(value > getattr(row, name) for name, value in values.items())


def _seen(row: Connector, values: dict[str, int]) -> str:
    """Return a word for a consequence that was shown; saved over by somebody, it is another."""
    known = (row.pk, row.settings_revision, sorted(values.items()))
    return hashlib.blake2b(repr(known).encode(), digest_size=16).hexdigest()
