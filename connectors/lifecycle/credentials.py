"""What a connector is installed with: what was typed of the application, its secret or certificate, its own token."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, date, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from connectors.decisions import Refused
from connectors.entra import check_client_id, check_secret, check_tenant
from connectors.lifecycle.certificates import CREDENTIAL, take_certificate, take_secret
from connectors.lifecycle.rows import changing, refuse_twin
from connectors.models import Connector
from connectors.states import Cloud, ConnectorStatus
from pbportal.sealed import Sealed
from tenants.audit import Action, Actor, record
from tenants.models import Company

INSTALLED = Action(
    "connector.installed",
    "{actor} began the installation of {subject} for the tenant {tenant} ({cloud}), client ID {client_id}.",
    ("tenant", "client_id", "cloud"),
)
CORRECTED = Action(
    "connector.corrected",
    "{actor} entered other credentials for {subject}: tenant {tenant} ({cloud}), client ID {client_id}.",
    ("tenant", "client_id", "cloud"),
)
EXPIRY_TOLD = Action(
    "connector.expiry_told",
    "{actor} entered when the client secret of {subject} expires: {expires_on}.",
    ("expires_on",),
)
BEGUN = Action("connector.begun", "{actor} began to install {subject} and was shown its authentication token.")
TOKEN_REGENERATED = Action("connector.token_regenerated", "{actor} made a new authentication token for {subject}.")


@sensitive_variables("secret")
def install(
    company: Company,
    *,
    tenant: str,
    client_id: str,
    secret: str,
    cloud: Cloud | str = Cloud.GLOBAL,
    secret_expires_on: date | None = None,
    actor: Actor,
) -> Connector:
    """Save a new connector as Setup incomplete; nothing is asked of Microsoft yet. Raises Refused."""
    row = draft(
        company,
        tenant=tenant,
        client_id=client_id,
        secret=secret,
        cloud=cloud,
        secret_expires_on=secret_expires_on,
    )
    with transaction.atomic():
        # Two installations at once for one tenant: the second one waits here, and is refused.
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        refuse_twin(company.pk, row.tenant)
        row.save(force_insert=True)
        _record_credentials(INSTALLED, row, actor)
    return row


@sensitive_variables("secret")
def draft(
    company: Company,
    *,
    tenant: str,
    client_id: str,
    secret: str,
    cloud: Cloud | str = Cloud.GLOBAL,
    secret_expires_on: date | None = None,
) -> Connector:
    """Make a connector that is not saved, of what was typed. Raises Refused."""
    return Connector(
        company=company,
        tenant=checked(check_tenant, tenant, "tenant"),
        client_id=checked(check_client_id, client_id, "client_id"),
        secret=checked(check_secret, secret, "secret"),
        cloud=_cloud(cloud),
        secret_expires_on=expiry(secret_expires_on),
    )


def certified_draft(
    company: Company, certificate: str, *, tenant: str, client_id: str, cloud: Cloud | str = Cloud.GLOBAL
) -> Connector:
    """Return the company's connector that a certificate was made for, signing in with it, unsaved. Raises Refused."""
    mine = Connector.objects.filter(company=company).exclude(status=ConnectorStatus.REMOVED)
    found = [row for row in mine.select_related("company") if certificate in (row.next_certificate, row.certificate)]
    if not found:
        raise Refused("This certificate was made for no connector of this company, or was thrown away since.")
    [row] = found
    row.tenant = checked(check_tenant, tenant, "tenant")
    row.client_id = checked(check_client_id, client_id, "client_id")
    row.cloud = _cloud(cloud)
    # What was typed is asked, not what was proven before.
    row.tenant_id = ""
    if row.next_certificate == certificate:
        take_certificate(row)
    return row


@sensitive_variables("secret")
def correct(
    connector: Connector,
    *,
    tenant: str,
    client_id: str,
    secret: str | None = None,
    certificate: bool = False,
    cloud: Cloud | str = Cloud.GLOBAL,
    secret_expires_on: date | None = None,
    actor: Actor,
) -> Connector:
    """Enter other credentials while the setup is incomplete; undoes a verification.

    With `certificate` the connector signs in with the pair that was made for it; without, and where the secret is
    None, with what it has. Raises Refused; what a live connector signs in with is replaced by `replace_secret` and
    `use_certificate`, which prove the new one first.
    """
    typed = {
        "tenant": checked(check_tenant, tenant, "tenant"),
        "client_id": checked(check_client_id, client_id, "client_id"),
        "cloud": _cloud(cloud),
    }
    day = expiry(secret_expires_on)
    sealed = Sealed(checked(check_secret, secret, "secret")) if secret is not None else None
    with changing(connector.pk) as row:
        if row.status != ConnectorStatus.SETUP_INCOMPLETE:
            raise Refused("This connector is in use: replace its secret, which proves the new one first.")
        refuse_twin(row.company_id, str(typed["tenant"]), except_id=row.pk)
        other_tenant = (row.tenant, row.cloud) != (typed["tenant"], typed["cloud"])
        for name, value in typed.items():
            setattr(row, name, value)
        if sealed is not None:
            take_secret(row, sealed, day)
        elif certificate and (row.next_certificate or not row.certificate):
            take_certificate(row)
        elif row.secret is not None:
            row.secret_expires_on = day
        row.tenant_id = ""
        row.generation += 1
        if other_tenant:
            row.sync_group_id = row.sync_group_name = ""
            row.selected_groups.all().delete()
        row.save(update_fields=[*typed, *CREDENTIAL, *_UNPROVEN])
        _record_credentials(CORRECTED, row, actor)
    return row


_UNPROVEN = ("tenant_id", "generation", "sync_group_id", "sync_group_name")


def tell_expiry(connector: Connector, *, day: date | None, actor: Actor) -> Connector:
    """Enter, correct or forget the day on which the secret in use expires, which nobody can ask Microsoft for.

    Raises Refused.
    """
    day = expiry(day)
    with changing(connector.pk) as row:
        if row.secret is None:
            raise Refused("Only a client secret’s day is entered by hand: a certificate says itself when it expires.")
        if row.secret_expires_on == day:
            return row
        row.secret_expires_on = day
        row.save(update_fields=["secret_expires_on"])
        detail = {"expires_on": day.isoformat() if day else "not known"}
        record(EXPIRY_TOLD, company=row.company, actor=actor, subject=row.name, detail=detail)
    return row


def regenerate_token(connector: Connector, *, actor: Actor) -> str:
    """Return a new authentication token, this once; the old one is dead from now on. Raises Refused."""
    token = new_token()
    with changing(connector.pk) as row:
        row.token_hash = _token_hash(token)
        row.save(update_fields=["token_hash"])
        record(TOKEN_REGENERATED, company=row.company, actor=actor, subject=row.name, detail={})
    return token


def new_token() -> str:
    """Return an authentication token that was never used: 256 random bits."""
    return f"pbc_{secrets.token_urlsafe(32)}"


@sensitive_variables("token")
def begin(company: Company, *, token: str = "", actor: Actor) -> tuple[Connector, str]:
    """Begin an installation: save a connector that has its authentication token and nothing else; return both.

    Asked a second time with the token of an unfinished one, as by a double click, it returns that one.
    """
    token = token or new_token()
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        begun = Connector.objects.filter(company=company, token_hash=_token_hash(token))
        row: Connector | None = begun.exclude(status=ConnectorStatus.REMOVED).first()
        if row is None:
            row = Connector.objects.create(company=company, token_hash=_token_hash(token))
            record(BEGUN, company=company, actor=actor, subject=row.name, detail={})
    return row, token


@sensitive_variables("token")
def token_matches(connector: Connector, token: str) -> bool:
    """Say whether this is the connector's token, in a time that tells nothing of it."""
    # A token is 256 random bits: a slow hash would add nothing. The hash of nothing is '', which none equals.
    return hmac.compare_digest(connector.token_hash, _token_hash(token))


@sensitive_variables("token")
def connector_of(uid: UUID, token: str) -> Connector | None:
    """Return the connector of that uid where this is its token, else None, after the same work for each reason."""
    row: Connector | None = Connector.objects.select_related("company").filter(uid=uid).first()
    matches = token_matches(row or Connector(), token)
    return row if row is not None and matches else None


def _record_credentials(action: Action, row: Connector, actor: Actor) -> None:
    detail = {"tenant": row.tenant, "client_id": row.client_id, "cloud": Cloud(row.cloud).label}
    record(action, company=row.company, actor=actor, subject=row.name, detail=detail)


@sensitive_variables("text")
def checked(check: Callable[[str], str], text: str, field: str) -> str:
    try:
        return check(text)
    except ValueError as wrong:
        raise Refused(str(wrong), field=field) from None


def _cloud(cloud: Cloud | str) -> Cloud:
    try:
        return Cloud(cloud)
    except ValueError:
        words = ", ".join(Cloud)
        raise Refused(f"There is no such cloud. Choose one of: {words}.", field="cloud") from None


def expiry(day: date | None) -> date | None:
    # A day that is over here may not be over at the customer's: it ends 12 hours later at the last place on Earth.
    if day is not None and day < (timezone.now().astimezone(UTC) - timedelta(hours=12)).date():
        raise Refused(
            "This day is over. Enter the day on which the secret will expire, or none.", field="secret_expires_on"
        )
    return day


@sensitive_variables("token")
def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
