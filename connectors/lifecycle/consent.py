"""Consent on its way: a state for Microsoft's redirect, bound to who began it, where, and for which credentials."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from connectors.entra import consent_url
from connectors.models import Connector, ConsentRequest
from connectors.states import Cloud
from tenants.models import User

CONSENT_LASTS = timedelta(minutes=60)
"""How long somebody may take at Microsoft's pages."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Hold a consent that came back to who began it: `because` says why it counts for nothing, '' where it counts."""

    connector: Connector
    because: str


@sensitive_variables("session", "state")
def begin_consent(connector: Connector, *, redirect_uri: str, session: str, user: User) -> str:
    """Return where to send the browser of the person whose session this is; `session` is a word only it knows."""
    now = timezone.now()
    ConsentRequest.objects.filter(connector=connector, expires_at__lt=now - CONSENT_LASTS).delete()
    state = secrets.token_urlsafe(32)
    ConsentRequest.objects.create(
        connector=connector,
        user=user,
        state_hash=_hash(state),
        session_hash=_hash(session),
        generation=connector.generation,
        expires_at=now + CONSENT_LASTS,
    )
    return consent_link(connector, redirect_uri=redirect_uri, state=state)


@sensitive_variables("state")
def consent_link(connector: Connector, *, redirect_uri: str, state: str = "") -> str:
    """Return Microsoft's consent page for a connector; without a state, for another person's browser."""
    return consent_url(
        Cloud(connector.cloud),
        connector.tenant_id or connector.tenant,
        connector.client_id,
        redirect_uri=redirect_uri,
        state=state,
    )


@sensitive_variables("session", "state")
def finish_consent(state: str, *, session: str, user: User) -> Returned | None:
    """Use up a state that came back; None for one that this session of this person did not begin."""
    now = timezone.now()
    found = (
        ConsentRequest.objects.select_related("connector__company")
        .filter(state_hash=_hash(state), session_hash=_hash(session), user=user)
        .first()
    )
    if found is None or not session:
        return None
    # One statement decides who uses it: of two requests with one state, the second finds it used.
    if not ConsentRequest.objects.filter(pk=found.pk, used_at=None).update(used_at=now):
        return Returned(found.connector, "This answer of Microsoft's was used before, and counts once.")
    if found.expires_at < now:
        return Returned(found.connector, "Microsoft's answer took longer than an hour.")
    if found.connector.generation != found.generation:
        return Returned(found.connector, "The connection was changed or verified by somebody meanwhile.")
    return Returned(found.connector, "")


@sensitive_variables("text")
def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
