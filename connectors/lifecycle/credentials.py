"""What a connector proves itself with: installing it, verifying the connection, its secret, and its own token."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from copy import copy
from datetime import UTC, date, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from connectors import schedule
from connectors.decisions import Refused
from connectors.directory import ConsentMissing, CredentialRejected, Verification
from connectors.entra import check_client_id, check_secret, check_tenant
from connectors.lifecycle.rows import changing, interrupt, refuse_removed, refuse_twin, request_run, set_status
from connectors.models import Connector
from connectors.states import Attention, Cloud, ConnectorStatus
from connectors.sync import directory_of
from pbportal.sealed import Sealed, Unreadable
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
VERIFIED = Action(
    "connector.verified", "{actor} verified the connection of {subject} to the tenant {tenant_id}.", ("tenant_id",)
)
REJECTED = Action(
    "connector.rejected", "{actor} tried to verify {subject}. {sentence} ({reference})", ("sentence", "reference")
)
SECRET_REPLACED = Action(
    "connector.secret_replaced",
    "{actor} replaced the client secret of {subject}, client ID {client_id}; it expires: {expires_on}.",
    ("client_id", "expires_on"),
)
BEGUN = Action("connector.begun", "{actor} began to install {subject} and was shown its authentication token.")
TOKEN_REGENERATED = Action("connector.token_regenerated", "{actor} made a new authentication token for {subject}.")

_CHANGED_MEANWHILE = (
    "Somebody else changed or verified the connection while Microsoft was asked. Look at it, and try again."
)


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
        tenant=_checked(check_tenant, tenant, "tenant"),
        client_id=_checked(check_client_id, client_id, "client_id"),
        secret=_checked(check_secret, secret, "secret"),
        cloud=_cloud(cloud),
        secret_expires_on=_expiry(secret_expires_on),
    )


@sensitive_variables("secret")
def correct(
    connector: Connector,
    *,
    tenant: str,
    client_id: str,
    secret: str | None = None,
    cloud: Cloud | str = Cloud.GLOBAL,
    secret_expires_on: date | None = None,
    actor: Actor,
) -> Connector:
    """Enter other credentials while the setup is incomplete; None keeps the secret. Undoes a verification.

    Raises Refused; a live connector's secret is replaced by `replace_secret`, which proves the new one first.
    """
    typed = {
        "tenant": _checked(check_tenant, tenant, "tenant"),
        "client_id": _checked(check_client_id, client_id, "client_id"),
        "cloud": _cloud(cloud),
        "secret_expires_on": _expiry(secret_expires_on),
    }
    sealed = Sealed(_checked(check_secret, secret, "secret")) if secret is not None else None
    with changing(connector.pk) as row:
        if row.status != ConnectorStatus.SETUP_INCOMPLETE:
            raise Refused("This connector is in use: replace its secret, which proves the new one first.")
        refuse_twin(row.company_id, str(typed["tenant"]), except_id=row.pk)
        other_tenant = (row.tenant, row.cloud) != (typed["tenant"], typed["cloud"])
        for name, value in typed.items():
            setattr(row, name, value)
        if sealed is not None:
            row.secret = sealed
        row.tenant_id = ""
        row.generation += 1
        if other_tenant:
            row.sync_group_id = row.sync_group_name = ""
            row.selected_groups.all().delete()
        row.save(update_fields=[*typed, "secret", "tenant_id", "generation", "sync_group_id", "sync_group_name"])
        _record_credentials(CORRECTED, row, actor)
    return row


def verify(connector: Connector, *, actor: Actor) -> Verification:
    """Prove the connection anew, and save what is proven: the tenant's GUID, and that Microsoft accepts it.

    Raises Refused, and the DirectoryError of a proof that fails: CredentialRejected and ConsentMissing make a live
    connector Unauthorized, any other leaves its status.
    """
    row: Connector = Connector.objects.select_related("company").get(pk=connector.pk)
    refuse_removed(row)
    if not (row.tenant and row.client_id and row.secret):
        raise Refused("Enter the Tenant ID, the Client ID and the client secret first.")
    try:
        found = prove(row)
    except (CredentialRejected, ConsentMissing) as error:
        _save_rejection(row, error, actor)
        raise
    save_proof(row, found, actor=actor)
    return found


def save_proof(row: Connector, found: Verification, *, actor: Actor) -> None:
    """Save what was proven of a row as it was read before Microsoft was asked. Raises Refused."""
    with changing(row.pk) as now:
        _set_proof(now, row.generation, found, actor)
        now.save(update_fields=_PROOF)
        record(VERIFIED, company=now.company, actor=actor, subject=now.name, detail={"tenant_id": found.tenant_id})


@sensitive_variables("secret")
def replace_secret(
    connector: Connector,
    *,
    secret: str,
    client_id: str | None = None,
    tenant: str | None = None,
    secret_expires_on: date | None,
    actor: Actor,
) -> Verification:
    """Replace the secret, and if told the application, once they are proven; until then the old ones stay.

    Raises Refused, also where they lead to another tenant, and the DirectoryError of a proof that fails.
    """
    row: Connector = Connector.objects.select_related("company").get(pk=connector.pk)
    refuse_removed(row)
    candidate = copy(row)
    candidate.secret = Sealed(_checked(check_secret, secret, "secret"))
    candidate.secret_expires_on = _expiry(secret_expires_on)
    if client_id is not None:
        candidate.client_id = _checked(check_client_id, client_id, "client_id")
    if tenant is not None:
        # What was typed is asked, not what the old one had proven.
        candidate.tenant, candidate.tenant_id = _checked(check_tenant, tenant, "tenant"), ""
    found = prove(candidate)
    with changing(row.pk) as now:
        _set_proof(now, row.generation, found, actor)
        now.secret, now.secret_expires_on = candidate.secret, candidate.secret_expires_on
        now.client_id, now.tenant = candidate.client_id, candidate.tenant
        now.save(update_fields=[*_PROOF, "secret", "secret_expires_on", "client_id", "tenant"])
        expires_on = now.secret_expires_on.isoformat() if now.secret_expires_on else "not known"
        detail = {"client_id": now.client_id, "expires_on": expires_on}
        record(SECRET_REPLACED, company=now.company, actor=actor, subject=now.name, detail=detail)
    return found


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


_PROOF = [
    "tenant_id",
    "generation",
    "unreachable_since",
    "failure",
    "status",
    "status_since",
    "status_sentence",
    "status_reference",
]


def prove(row: Connector) -> Verification:
    """Ask Microsoft whether the connection of a row, saved or not, works. Raises Refused and DirectoryError."""
    try:
        with directory_of(row) as directory:
            return directory.verify()
    except Unreadable as unreadable:
        raise Refused(str(unreadable), field="secret") from None


def _set_proof(now: Connector, generation: int, found: Verification, actor: Actor) -> None:
    """Set what a proof says of the locked row; the caller saves _PROOF."""
    if now.generation != generation:
        raise Refused(_CHANGED_MEANWHILE)
    if now.tenant_id and now.tenant_id != found.tenant_id:
        raise Refused(
            f"This leads to another tenant ({found.tenant_id}) than the one this connector belongs to"
            f" ({now.tenant_id}). Install a connector of its own for the other tenant.",
            field="tenant",
        )
    if not now.tenant_id:
        Company.objects.select_for_update(no_key=True).get(pk=now.company_id)
        refuse_twin(now.company_id, found.tenant_id, except_id=now.pk)
    now.tenant_id = found.tenant_id
    now.generation += 1
    now.unreachable_since = None
    if now.failure == Attention.CREDENTIALS_UNREADABLE:
        now.failure = ""
    if now.status == ConnectorStatus.UNAUTHORIZED:
        set_status(now, ConnectorStatus.CONNECTED if now.completed_runs else ConnectorStatus.WAITING)
        schedule.ensure(now)
        request_run(now, actor)


def _save_rejection(row: Connector, error: CredentialRejected | ConsentMissing, actor: Actor) -> None:
    with changing(row.pk) as now:
        if now.generation != row.generation:
            return
        if now.live:
            fields = set_status(now, ConnectorStatus.UNAUTHORIZED, error.sentence, error.reference)
            now.save(update_fields=[*fields, *interrupt(now, error.sentence)])
            schedule.ensure(now)
        detail = {"sentence": error.sentence, "reference": error.reference}
        record(REJECTED, company=now.company, actor=actor, subject=now.name, detail=detail)


def _record_credentials(action: Action, row: Connector, actor: Actor) -> None:
    detail = {"tenant": row.tenant, "client_id": row.client_id, "cloud": Cloud(row.cloud).label}
    record(action, company=row.company, actor=actor, subject=row.name, detail=detail)


@sensitive_variables("text")
def _checked(check: Callable[[str], str], text: str, field: str) -> str:
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


def _expiry(day: date | None) -> date | None:
    # A day that is over here may not be over at the customer's: it ends 12 hours later at the last place on Earth.
    if day is not None and day < (timezone.now().astimezone(UTC) - timedelta(hours=12)).date():
        raise Refused(
            "This day is over. Enter the day on which the secret will expire, or none.", field="secret_expires_on"
        )
    return day


@sensitive_variables("token")
def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
