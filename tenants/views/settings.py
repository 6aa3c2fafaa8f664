"""A company's settings: its name, its licences, and the addresses that are told when it needs a person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from tenants.companies import change_company
from tenants.forms import CompanySettingsForm
from tenants.models import Company
from tenants.portals import PARTNER, Place, place_page
from tenants.roles import Can
from tenants.roster import Refused
from tenants.states import AccountStatus
from tenants.subscriptions import recipients


@require_http_methods(["GET", "POST"])
@place_page(Can.SEE)
def settings(request: HttpRequest, place: Place) -> HttpResponse:
    """Show a company's settings, and change them; licences below use are saved only after what that means was shown."""
    company = place.access.company
    if request.method == "POST":
        place.access.require(Can.MANAGE_COMPANIES)
    used = place.access.accounts.filter(status=AccountStatus.ACTIVE).count()
    waiting = place.access.accounts.filter(status=AccountStatus.PENDING).count()
    form = CompanySettingsForm(request.POST if request.method == "POST" else None, initial=_shown(company))
    status, below = 200, 0
    if request.method == "POST":
        if form.is_valid():
            below = _below(form, used, request.POST.get("seen", ""))
            if not below:
                try:
                    changed = change_company(company, form.changes, actor=place.access.user)
                except Refused as refused:
                    form.add_error("name", refused.sentence)
                else:
                    messages.success(
                        request, "Settings saved." if changed else "Nothing was different: all is as it was."
                    )
                    return HttpResponseRedirect(place.url("settings"))
        status = 200 if below else 422
    context: dict[str, Any] = {
        "form": form,
        "used": used,
        "waiting": waiting,
        "over": max(used - company.licences, 0) if company.licences is not None else 0,
        "below": below,
        "wanted": form.cleaned_data["licences"] if below else None,
        "told": _told(place),
        "mails_url": place.url("mails"),
        "for_staff": place.portal is PARTNER,
    }
    return place.render(request, "tenants/settings.html", context, at="settings", status=status)


def _shown(company: Company) -> dict[str, Any]:
    return {
        "name": company.name,
        "licences": company.licences,
        "notification_emails": "\n".join(company.notification_emails),
    }


def _below(form: CompanySettingsForm, used: int, seen: str) -> int:
    """Return by how many the wanted licences are below use, 0 where they are not or where that was shown already."""
    wanted = form.changes.get("licences")
    if wanted is None or wanted >= used or seen == f"{wanted}/{used}":
        return 0
    return used - int(wanted)


def _told(place: Place) -> list[str]:
    """Return the staff who are told of something here; the company's own people do not see who they are."""
    if place.portal is not PARTNER:
        return []
    found = recipients([place.access.company])
    names = {str(one.staff): None for row in found.values() for one in row if one.staff is not None}
    return sorted(names)
