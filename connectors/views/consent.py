"""Microsoft's consent: there, back, and the page that waits until it has taken effect."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from connectors import lifecycle
from connectors.directory import ConsentMissing, DirectoryError
from connectors.entra import ConsentAnswer, is_guid, read_consent
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.views.guide import redirect_uri
from connectors.views.pages import find, trail
from tenants.access import CompanyAccess
from tenants.models import User
from tenants.portals import PARTNER, USER, Entry, Place, Portal, place_page
from tenants.roles import Can

_WORD = "consent"
_WAITS = (3, 3, 5, 5, 10, 10, 15, 15, 30, 30, 30, 30, 30, 30, 30, 30)
"""Seconds between two looks whether a consent works; after the last one a person presses Check again."""


def send_to_consent(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    """Send the browser to Microsoft's consent page, with a way back that only this session can use."""
    word = request.session.setdefault(_WORD, secrets.token_urlsafe(32))
    url = lifecycle.begin_consent(row, redirect_uri=redirect_uri(place.portal), session=word, user=place.access.user)
    return HttpResponseRedirect(url)


def link_for_others(place: Place, row: Connector) -> str:
    """Return the consent page's address for the customer's administrator, whose browser we do not know."""
    return lifecycle.consent_link(row, redirect_uri=redirect_uri(place.portal))


@never_cache
@require_GET
def partner_callback(request: HttpRequest) -> HttpResponse:
    """Take Microsoft's answer for the partner portal."""
    return _callback(request, PARTNER)


@never_cache
@require_GET
def business_callback(request: HttpRequest) -> HttpResponse:
    """Take Microsoft's answer for the user portal."""
    return _callback(request, USER)


def _callback(request: HttpRequest, portal: Portal) -> HttpResponse:
    """Go on where the visitor's own session began; to any other browser, say nothing and change nothing."""
    answer = read_consent(request.GET)
    user, word = request.user, request.session.get(_WORD, "")
    if not isinstance(user, User) or not isinstance(word, str) or user.is_staff is not (portal is PARTNER):
        return _neutral(request, answer)
    returned = lifecycle.finish_consent(request.GET.get("state", ""), session=word, user=user)
    if returned is None:
        return _neutral(request, answer)
    row = returned.connector
    place = Place(portal, CompanyAccess(row.company, user))
    place.access.require(Can.RUN_CONNECTORS)
    back = HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))
    if answer.refusal:
        reference = f" ({answer.reference})" if answer.reference else ""
        messages.error(request, f"{answer.refusal}{reference}")
    elif returned.because:
        messages.warning(request, f"{returned.because} Nothing was changed; verify the connection again.")
    elif row.status == ConnectorStatus.REMOVED:
        messages.warning(request, "This connector was removed meanwhile. Nothing was changed.")
    elif _elsewhere(row, answer):
        messages.error(
            request,
            f"Consent was given in another tenant ({answer.tenant[:36]}) than the one of this connector"
            f" ({row.tenant_id or row.tenant}). Nothing was changed. Verify the connection again, and sign in at"
            " Microsoft as an administrator of this connector’s tenant; or correct the Tenant ID.",
        )
    else:
        back = HttpResponseRedirect(place.url("consent", connector_id=row.pk))
    return back


def _elsewhere(row: Connector, answer: ConsentAnswer) -> bool:
    """Compare the tenant that the redirect names; what was typed may be a domain, which only the proof resolves."""
    ours = row.tenant_id or row.tenant
    return bool(answer.tenant) and is_guid(ours) and answer.tenant != ours


def _neutral(request: HttpRequest, answer: ConsentAnswer) -> HttpResponse:
    return render(request, "connectors/wizard/neutral.html", {"refused": bool(answer.refusal)})


@never_cache
@require_GET
@place_page(Can.RUN_CONNECTORS)
def consent(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Look whether the consent works by now, with fresh tokens; saving that it does is left to Verify Connection."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED or not (row.client_id and row.has_credential):
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    told = request.GET.get("look", "")
    look = min(int(told), len(_WAITS)) if told.isascii() and told.isdecimal() and len(told) < 4 else 0
    works, missing, trouble = False, "", None
    try:
        works = bool(lifecycle.prove(row))
    except ConsentMissing as error:
        missing = error.sentence
    except DirectoryError as error:
        trouble = error
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
        return HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))
    here = place.url("consent", connector_id=row.pk)
    context = {
        "connector": row,
        "works": works,
        "missing": missing,
        "trouble": trouble,
        "waits": _WAITS[look] if missing and look < len(_WAITS) else 0,
        "next_look": f"{here}?look={look + 1}",
        "self_url": here,
        "look": look,
        "consent_link": link_for_others(place, row),
        "auth_url": place.url("step-auth", connector_id=row.pk),
        "trail": trail(place, row, Entry("Azure Auth", place.url("step-auth", connector_id=row.pk)), "Consent"),
        "verify_url": place.url("verify", connector_id=row.pk),
    }
    template = (
        "connectors/wizard/consent_live.html" if "HX-Request" in request.headers else "connectors/wizard/consent.html"
    )
    return place.render(request, template, context, at="connectors")
