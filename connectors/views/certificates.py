"""The certificate that a connector may sign in with: made, downloaded for Entra, thrown away, and shown to compare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from connectors import lifecycle
from connectors.entra import YEARS, read_certificate
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.views.pages import find
from tenants.portals import Place, place_page
from tenants.roles import Can


@dataclass(frozen=True, slots=True)
class CertificateShown:
    """Hold a connector's certificate as a page shows it, '' and None where there is none.

    `waits` says that it is made and not in use yet; one that waits is shown ahead of the one in use.
    """

    thumbprint: str
    sha256: str
    expires_on: date | None
    pem: str
    waits: bool
    file_url: str
    act_url: str
    years: tuple[int, ...] = YEARS


def by_certificate(request: HttpRequest, row: Connector) -> bool:
    """Say whether the page is about a certificate: the visitor chose so, or else the row has or awaits one."""
    way = request.POST.get("with") or request.GET.get("with")
    if way in ("certificate", "secret"):
        return way == "certificate"
    return bool(row.certificate or row.next_certificate)


def certificate_shown(place: Place, row: Connector) -> CertificateShown:
    """Return what a page shows of a connector's certificate, and where it can be downloaded and made."""
    pem = row.next_certificate or row.certificate
    facts = read_certificate(pem) if pem else None
    return CertificateShown(
        thumbprint=facts.thumbprint if facts else "",
        sha256=facts.sha256 if facts else "",
        expires_on=facts.expires_on if facts else None,
        pem=pem,
        waits=bool(row.next_certificate),
        file_url=place.url("certificate-file", connector_id=row.pk),
        act_url=place.url("certificate", connector_id=row.pk),
    )


@require_POST
@place_page(Can.RUN_CONNECTORS)
def certificate(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Make a pair that waits beside what is in use, or throw away the one that waits."""
    row = find(place, connector_id)
    actor = place.access.user
    years = request.POST.get("years", "")
    try:
        if "forget" in request.POST:
            lifecycle.forget_certificate(row, actor=actor)
            messages.success(request, "The new certificate was thrown away. If it was uploaded, delete it in Entra.")
        else:
            lifecycle.make_certificate(row, years=int(years) if years in ("1", "2") else YEARS[0], actor=actor)
            messages.success(request, "The certificate is made. Upload it to the application in Entra, then prove it.")
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
    if row.status == ConnectorStatus.REMOVED:
        return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    page = "replace" if row.live else "step-auth"
    return HttpResponseRedirect(f"{place.url(page, connector_id=row.pk)}?with=certificate")


@never_cache
@require_GET
@place_page(Can.RUN_CONNECTORS)
def certificate_file(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Send the certificate as a file that Entra takes; the private key is in no file."""
    row = find(place, connector_id)
    pem = row.next_certificate or row.certificate
    if not pem:
        raise Http404
    name = f"password-boss-connector-{row.pk}"
    if request.GET.get("form") == "pem":
        content, kind, name = pem.encode(), "application/x-pem-file", f"{name}.pem"
    else:
        content, kind, name = read_certificate(pem).der, "application/pkix-cert", f"{name}.cer"
    return HttpResponse(
        content,
        content_type=kind,
        headers={"Content-Disposition": content_disposition_header(as_attachment=True, filename=name)},
    )
