"""Replacing what a live connector signs in with: another secret, certificate or application, proven first."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from connectors import lifecycle
from connectors.directory import ConsentMissing, DirectoryError
from connectors.forms import ApplicationForm, SecretForm
from connectors.models import Connector
from connectors.views.certificates import by_certificate, certificate_shown
from connectors.views.consent import link_for_others
from connectors.views.guide import guide_for
from connectors.views.pages import find, trail
from connectors.views.wizard import frame
from tenants.portals import Entry, Place, place_page
from tenants.signin.again import asks_again


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(lifecycle.ACTS["replace_secret"])
@sensitive_post_parameters("secret")
def replace(request: HttpRequest, place: Place, connector_id: int) -> HttpResponseBase:
    """Show what takes the place of the secret or certificate in use; a POST proves it, and only then uses it."""
    row = find(place, connector_id)
    if not row.live:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    return _decide(request, place, row)


@asks_again
def _decide(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    form = _form(request, row, request.POST if request.method == "POST" else None)
    if request.method == "GET":
        return _show(request, place, row, form)
    if not form.is_valid():
        return _show(request, place, row, form, status=422)
    typed = form.cleaned_data
    was = "certificate" if row.certificate else "secret"
    try:
        if isinstance(form, SecretForm):
            now = "secret"
            lifecycle.replace_secret(
                row,
                secret=typed["secret"],
                client_id=typed["client_id"],
                tenant=typed["tenant"],
                secret_expires_on=typed["secret_expires_on"],
                actor=place.access.user,
            )
        else:
            now = "certificate"
            lifecycle.use_certificate(
                row, client_id=typed["client_id"], tenant=typed["tenant"], actor=place.access.user
            )
    except lifecycle.Refused as refused:
        form.refuse(refused.field, refused.sentence)
        return _show(request, place, row, form, status=422)
    except DirectoryError as error:
        form.refuse(error.field, error.sentence)
        return _show(request, place, row, form, error=error, status=422)
    messages.success(
        request,
        f"The {now} was proven with Microsoft and is in use. The former {was} is forgotten here; delete it in Entra.",
    )
    return HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))


def _form(request: HttpRequest, row: Connector, data: Any) -> ApplicationForm:
    known = {"client_id": row.client_id, "tenant": row.tenant}
    return (ApplicationForm if by_certificate(request, row) else SecretForm)(data, initial=known)


def _show(
    request: HttpRequest,
    place: Place,
    row: Connector,
    form: ApplicationForm,
    *,
    error: DirectoryError | None = None,
    status: int = 200,
) -> HttpResponse:
    form.mark_errors()
    own_url = place.url("replace", connector_id=row.pk)
    context = {
        **frame(place, row, "auth"),
        "trail": trail(place, row, Entry("Azure Auth", place.url("step-auth", connector_id=row.pk)), "Replace"),
        "form": form,
        "error": error,
        "by_certificate": by_certificate(request, row),
        "certificate": certificate_shown(place, row),
        "guide": guide_for(row, row.next_certificate),
        "secret_way_url": f"{own_url}?with=secret",
        "certificate_way_url": f"{own_url}?with=certificate",
        "replace_url": own_url,
        "consent_link": _link_of(place, row, form) if isinstance(error, ConsentMissing) else "",
    }
    return place.render(request, "connectors/replace.html", context, at="connectors", status=status)


def _link_of(place: Place, row: Connector, form: ApplicationForm) -> str:
    """Return the consent page of the application that was typed, which is not saved."""
    other = copy(row)
    other.client_id = form.cleaned_data["client_id"].strip().lower()
    return link_for_others(place, other)
