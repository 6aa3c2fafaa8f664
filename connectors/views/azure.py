"""The step Azure Auth: what was noted in Entra is entered and proven; once a connector is live, a tab of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from connectors import lifecycle
from connectors.attention import credential_of
from connectors.directory import Cause, ConsentMissing, DirectoryError
from connectors.forms import ApplicationForm, CertificateForm, CredentialsForm, ExpiryForm
from connectors.models import Connector
from connectors.states import Cloud, ConnectorStatus
from connectors.views.causes import cause_of, consent_may_help
from connectors.views.certificates import by_certificate, certificate_shown
from connectors.views.consent import link_for_others, send_to_consent
from connectors.views.guide import guide_for
from connectors.views.pages import find
from connectors.views.steps import ways_at
from connectors.views.wizard import frame
from tenants.audit import Actor
from tenants.portals import Place, place_page
from tenants.roles import Can


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
@sensitive_post_parameters("secret")
def auth(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Take the credentials and prove them: Verify Connection; of a live connector, show what it signs in with."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED:
        return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    if request.method == "POST" and row.live:
        messages.warning(request, "This connector is in use by now, and nothing was changed: replace what it uses.")
        return HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))
    if request.method == "POST":
        return _enter(request, place, row)
    return _show(request, place, row, _form(request, row))


def _form(request: HttpRequest, row: Connector, data: Any = None) -> ApplicationForm:
    known: dict[str, Any] = {"client_id": row.client_id, "tenant": row.tenant, "cloud": row.cloud}
    if by_certificate(request, row):
        return CertificateForm(data, initial=known)
    known["secret_expires_on"] = row.secret_expires_on
    return CredentialsForm(data, initial=known, stored=row.secret is not None)


def _enter(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    """Save what was typed into an unfinished setup, and prove it."""
    form = _form(request, row, request.POST)
    if not form.is_valid():
        return _show(request, place, row, form, status=422)
    typed = form.cleaned_data
    certificate = isinstance(form, CertificateForm)
    actor = place.access.user
    try:
        if typed.get("secret") or (certificate and not _in_use(row)) or _differs(row, typed):
            row = lifecycle.correct(
                row,
                tenant=typed["tenant"],
                client_id=typed["client_id"],
                secret=typed.get("secret") or None,
                certificate=certificate,
                cloud=typed["cloud"],
                secret_expires_on=typed.get("secret_expires_on"),
                actor=actor,
            )
            if isinstance(form, CredentialsForm):
                form.keep_stored()
                form.saved = True
        return _prove(request, place, row, form, actor)
    except lifecycle.Refused as refused:
        form.refuse(refused.field, refused.sentence)
        return _show(request, place, row, form, status=422)


def _in_use(row: Connector) -> bool:
    """Say whether the certificate that is shown is the one that the row signs in with."""
    return bool(row.certificate) and not row.next_certificate


def _differs(row: Connector, typed: dict[str, Any]) -> bool:
    before: list[Any] = [row.tenant, row.client_id, row.cloud]
    after: list[Any] = [typed["tenant"].strip().lower(), typed["client_id"].strip().lower(), typed["cloud"]]
    if "secret_expires_on" in typed:
        before.append(row.secret_expires_on)
        after.append(typed["secret_expires_on"])
    return before != after


@require_POST
@place_page(lifecycle.ACTS["tell_expiry"])
def expiry(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Take the day on which a live connector's secret expires, without the secret."""
    row = find(place, connector_id)
    if not row.live:
        return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
    form = ExpiryForm(request.POST)
    if form.is_valid():
        try:
            lifecycle.tell_expiry(row, day=form.cleaned_data["secret_expires_on"], actor=place.access.user)
        except lifecycle.Refused as refused:
            form.refuse(refused.field, refused.sentence)
    if form.errors:
        return _show(request, place, row, _form(request, row), day=form, status=422)
    messages.success(request, "The day is saved. The connection was not touched.")
    return HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))


@require_POST
@place_page(Can.RUN_CONNECTORS)
def verify(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Prove the connection as it is saved: Verify Connection of a live connector, and after a consent."""
    row = find(place, connector_id)
    try:
        answer = _prove(request, place, row, _form(request, row), place.access.user)
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
        answer = HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))
    if "HX-Request" not in request.headers:
        return answer
    # The page that waits for a consent posts by script, which cannot follow a redirect to Microsoft.
    return HttpResponse(
        headers={"HX-Redirect": answer.headers.get("Location", place.url("step-auth", connector_id=row.pk))}
    )


def _prove(request: HttpRequest, place: Place, row: Connector, form: ApplicationForm, actor: Actor) -> HttpResponse:
    """Verify the connection, and go to Microsoft's consent page where a permission is missing. Raises Refused."""
    try:
        lifecycle.verify(row, actor=actor)
    except ConsentMissing:
        # The proof may have made a live connector Unauthorized; the generation, which the state is bound to, stays.
        return send_to_consent(request, place, row)
    except DirectoryError as error:
        if form.is_bound:
            form.refuse(error.field, error.sentence)
        row.refresh_from_db()
        return _show(request, place, row, form, error=error, status=422)
    if row.live:
        messages.success(request, "Connection Verified. We reached the tenant and found both permissions.")
    return HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))


def _show(
    request: HttpRequest,
    place: Place,
    row: Connector,
    form: ApplicationForm,
    *,
    error: DirectoryError | None = None,
    day: ExpiryForm | None = None,
    status: int = 200,
) -> HttpResponse:
    form.mark_errors()
    day = day or ExpiryForm(initial={"secret_expires_on": row.secret_expires_on})
    day.mark_errors()
    certificate = by_certificate(request, row)
    refused = row.status == ConnectorStatus.UNAUTHORIZED
    verified = bool(row.tenant_id) and not row.live and not form.errors and not error
    # A link into a tenant that Microsoft does not know leads nowhere.
    astray = not {"tenant", "cloud"}.isdisjoint(form.errors)
    asks = consent_may_help(row) if row.live else not verified and not astray
    own_url = place.url("step-auth", connector_id=row.pk)
    context = {
        **frame(place, row, "auth"),
        "form": form,
        "error": error,
        "day": day,
        "expiry_url": place.url("expiry", connector_id=row.pk),
        "by_certificate": certificate,
        "certificate": certificate_shown(place, row),
        "secret_way_url": f"{own_url}?with=secret",
        "certificate_way_url": f"{own_url}?with=certificate",
        "guide": guide_for(row, (row.next_certificate or row.certificate) if certificate else ""),
        "cloud": Cloud(row.cloud).label,
        "credential": credential_of(row),
        "verified": verified,
        "consent_link": link_for_others(place, row) if row.client_id and row.has_credential and asks else "",
        "consent_page": place.url("consent", connector_id=row.pk),
        "mend": ways_at(place).mend(row) if refused else None,
        "verify_here": refused and cause_of(row) in (Cause.CONSENT, Cause.OTHER),
        "said_below": refused and error is not None and error.sentence == row.status_sentence,
        "verify_url": place.url("verify", connector_id=row.pk),
        "replace_url": place.url("replace", connector_id=row.pk),
    }
    return place.render(request, "connectors/wizard/auth.html", context, at="connectors", status=status)
