"""The install wizard's frame and its first two steps; once a connector is live, the second is a tab of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connectors import lifecycle
from connectors.directory import ConsentMissing, DirectoryError
from connectors.forms import CredentialsForm, SecretForm
from connectors.models import Connector
from connectors.states import Cloud, ConnectorStatus
from connectors.views.consent import link_for_others, send_to_consent
from connectors.views.guide import guide_for
from connectors.views.pages import find, tabs
from tenants.audit import Actor
from tenants.portals import Place, place_page
from tenants.roles import Can

_STEPS = (
    ("token", "step-token", "Authentication token"),
    ("auth", "step-auth", "Azure Auth"),
    ("groups", "step-groups", "Users & Groups"),
    ("rules", "step-rules", "Sync rules"),
)
_TOKEN_SALT = "connectors.begin"  # noqa: S105 (the salt of a signature, not a token)


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one step as the frame shows it; `url` is '' where it cannot be gone to yet."""

    number: int
    label: str
    url: str
    current: bool
    done: bool


def reached(row: Connector) -> str:
    """Return the step that an unfinished setup has reached."""
    if not row.client_id:
        return "token"
    if not row.tenant_id:
        return "auth"
    return "rules" if row.sync_group_id else "groups"


def frame(place: Place, row: Connector, at: str) -> dict[str, Any]:
    """Return what every step shows around itself: the steps of an unfinished setup, the tabs of a live connector."""
    keys = [key for key, _, _ in _STEPS]
    # The second step can always be gone to: the first one asks for nothing but that the token be saved.
    last = max(keys.index(reached(row)), 1)
    steps = [
        Step(
            number,
            label,
            place.url(name, connector_id=row.pk) if number - 1 <= last else "",
            key == at,
            number - 1 < keys.index(at) or number - 1 < last,
        )
        for number, (key, name, label) in enumerate(_STEPS, 1)
    ]
    return {
        "connector": row,
        "live": row.live,
        "steps": [] if row.live else steps,
        "tabs_of_connector": tabs(place, row, at) if row.live else [],
        "list_url": place.url("connectors"),
        **{f"{key}_url": place.url(name, connector_id=row.pk) for key, name, _ in _STEPS},
    }


# Beginning, and going on


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
@sensitive_post_parameters("once")
def install(request: HttpRequest, place: Place) -> HttpResponse:
    """Begin an installation: a GET says what it takes, a POST makes the connector and shows its token, this once.

    The token travels in the page that begins: pressed twice, the button begins one installation, and shows one token.
    """
    if request.method == "POST":
        try:
            token = signing.loads(request.POST.get("once", ""), salt=_TOKEN_SALT, max_age=24 * 3600)
        except signing.BadSignature:
            messages.warning(request, "That page was too old to begin from. Press Install on this one.")
            return HttpResponseRedirect(place.url("install"))
        row, token = lifecycle.begin(place.access.company, token=token, actor=place.access.user)
        if row.client_id or row.live:
            return HttpResponseRedirect(place.url("setup", connector_id=row.pk))
        return _show_token(request, place, row, token)
    unfinished = place.access.of(Connector).filter(status=ConnectorStatus.SETUP_INCOMPLETE).order_by("-pk")
    context = {
        "once": signing.dumps(lifecycle.new_token(), salt=_TOKEN_SALT),
        "unfinished": [
            (row, place.url("setup", connector_id=row.pk), place.url("remove", connector_id=row.pk))
            for row in unfinished[:20]
        ],
        "list_url": place.url("connectors"),
    }
    return place.render(request, "connectors/wizard/install.html", context, at="connectors")


@require_GET
@place_page(Can.RUN_CONNECTORS)
def setup(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Go on where a setup was left; a live connector has its own page."""
    row = find(place, connector_id)
    if row.status != ConnectorStatus.SETUP_INCOMPLETE:
        return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    name = next(name for key, name, _ in _STEPS if key == reached(row))
    return HttpResponseRedirect(place.url(name, connector_id=row.pk))


# Authentication token


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
def token(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Say that the token was shown; a POST makes a new one, and shows it this once."""
    row = find(place, connector_id)
    if request.method == "POST":
        place.access.require(lifecycle.ACTS["regenerate_token"])
        try:
            return _show_token(request, place, row, lifecycle.regenerate_token(row, actor=place.access.user))
        except lifecycle.Refused as refused:
            messages.error(request, refused.sentence)
            return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    return _show_token(request, place, row, "")


def _show_token(request: HttpRequest, place: Place, row: Connector, shown: str) -> HttpResponse:
    context = {
        **frame(place, row, "token"),
        "token": shown,
        "may_regenerate": place.access.may(lifecycle.ACTS["regenerate_token"]),
        "api_url": request.build_absolute_uri(reverse("api-status", kwargs={"uid": row.uid})),
    }
    return place.render(request, "connectors/wizard/token.html", context, at="connectors")


# Azure Auth


@never_cache
@require_http_methods(["GET", "POST"])
@place_page(Can.RUN_CONNECTORS)
@sensitive_post_parameters("secret")
def auth(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Take the credentials and prove them: Verify Connection; of a live connector, a secret to replace the old one."""
    row = find(place, connector_id)
    if row.status == ConnectorStatus.REMOVED:
        return HttpResponseRedirect(place.url("connector", connector_id=row.pk))
    if request.method == "POST":
        return (_replace if row.live else _enter)(request, place, row)
    return _show_auth(request, place, row, _blank_form(row))


def _blank_form(row: Connector) -> SecretForm:
    known = {
        "client_id": row.client_id,
        "tenant": row.tenant,
        "secret_expires_on": row.secret_expires_on,
    }
    if row.live:
        return SecretForm(initial=known | {"secret_expires_on": None})
    return CredentialsForm(initial=known | {"cloud": row.cloud}, stored=row.secret is not None)


def _enter(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    """Save what was typed into an unfinished setup, and prove it."""
    form = CredentialsForm(request.POST, stored=row.secret is not None)
    if not form.is_valid():
        return _show_auth(request, place, row, form, status=422)
    typed = form.cleaned_data
    actor = place.access.user
    try:
        if typed["secret"] or _differs(row, typed):
            row = lifecycle.correct(
                row,
                tenant=typed["tenant"],
                client_id=typed["client_id"],
                secret=typed["secret"] or None,
                cloud=typed["cloud"],
                secret_expires_on=typed["secret_expires_on"],
                actor=actor,
            )
        return _prove(request, place, row, form, actor)
    except lifecycle.Refused as refused:
        form.refuse(refused.field, refused.sentence)
        return _show_auth(request, place, row, form, status=422)


def _differs(row: Connector, typed: dict[str, Any]) -> bool:
    before = (row.tenant, row.client_id, row.cloud, row.secret_expires_on)
    after = (
        typed["tenant"].strip().lower(),
        typed["client_id"].strip().lower(),
        typed["cloud"],
        typed["secret_expires_on"],
    )
    return before != after


def _replace(request: HttpRequest, place: Place, row: Connector) -> HttpResponse:
    """Prove another secret of a live connector, and put it in the place of the old one."""
    place.access.require(lifecycle.ACTS["replace_secret"])
    if not did_recently_reauthenticate(request):
        messages.warning(request, "Say who you are again before you replace the secret. Nothing was changed.")
        return HttpResponseRedirect(_say_who_url(place, row))
    form = SecretForm(request.POST)
    if not form.is_valid():
        return _show_auth(request, place, row, form, status=422)
    typed = form.cleaned_data
    try:
        lifecycle.replace_secret(
            row,
            secret=typed["secret"],
            client_id=typed["client_id"],
            tenant=typed["tenant"],
            secret_expires_on=typed["secret_expires_on"],
            actor=place.access.user,
        )
    except lifecycle.Refused as refused:
        form.refuse(refused.field, refused.sentence)
    except DirectoryError as error:
        form.refuse(error.field, error.sentence)
        return _show_auth(request, place, row, form, error=error, status=422)
    else:
        messages.success(request, "The secret was proven with Microsoft and replaced. The old one is forgotten.")
        return HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))
    return _show_auth(request, place, row, form, status=422)


@require_POST
@place_page(Can.RUN_CONNECTORS)
def verify(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Prove the connection as it is saved: Verify Connection of a live connector, and after a consent."""
    row = find(place, connector_id)
    try:
        answer = _prove(request, place, row, _blank_form(row), place.access.user)
    except lifecycle.Refused as refused:
        messages.error(request, refused.sentence)
        answer = HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))
    if "HX-Request" not in request.headers:
        return answer
    # The page that waits for a consent posts by script, which cannot follow a redirect to Microsoft.
    answer = HttpResponse(
        headers={"HX-Redirect": answer.headers.get("Location", place.url("step-auth", connector_id=row.pk))}
    )
    return answer


def _prove(request: HttpRequest, place: Place, row: Connector, form: SecretForm, actor: Actor) -> HttpResponse:
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
        return _show_auth(request, place, row, form, error=error, status=422)
    if row.live:
        messages.success(request, "Connection Verified. We reached the tenant and found both permissions.")
    return HttpResponseRedirect(place.url("step-auth", connector_id=row.pk))


def _show_auth(
    request: HttpRequest,
    place: Place,
    row: Connector,
    form: SecretForm,
    *,
    error: DirectoryError | None = None,
    status: int = 200,
) -> HttpResponse:
    form.mark_errors()
    typed_in = bool(row.client_id and row.secret)
    context = {
        **frame(place, row, "auth"),
        "form": form,
        "error": error,
        "guide": guide_for(row),
        "cloud": Cloud(row.cloud).label,
        "verified": bool(row.tenant_id) and not row.live and not form.errors and not error,
        "consent_link": link_for_others(place, row) if typed_in else "",
        "consent_page": place.url("consent", connector_id=row.pk),
        "verify_url": place.url("verify", connector_id=row.pk),
        "say_who_url": "" if not row.live or did_recently_reauthenticate(request) else _say_who_url(place, row),
    }
    return place.render(request, "connectors/wizard/auth.html", context, at="connectors", status=status)


def _say_who_url(place: Place, row: Connector) -> str:
    back = urlencode({"next": place.url("step-auth", connector_id=row.pk)})
    return f"{reverse('account_reauthenticate')}?{back}"
