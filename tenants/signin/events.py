"""What is logged of signing in: who, how, from where, and what failed; an address only as its login's number."""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.signals import password_changed, password_reset
from allauth.mfa import signals as second_factors
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from tenants.models import User

logger = logging.getLogger(__name__)


def _told(request: HttpRequest | None, user: User | None, **more: object) -> dict[str, object]:
    # A login that a program makes comes from nowhere.
    here = request is not None and "REMOTE_ADDR" in request.META
    address = get_adapter(request).get_client_ip(request) if here else ""
    return {"login": user.pk if user is not None else None, "address": address, **more}


@receiver(user_logged_in)
def signed_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Log that a login signed in, and by what; what it signed in with may still be recorded after this."""
    records = request.session.get("account_authentication_methods", []) if hasattr(request, "session") else []
    methods = ", ".join(str(record.get("method")) for record in records)
    logger.info("A login signed in.", extra=_told(request, user, methods=methods))


@receiver(user_logged_out)
def signed_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Log that a login signed out."""
    logger.info("A login signed out.", extra=_told(request, user))


@receiver(user_login_failed)
def refused(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Log that signing in failed; for which login, where the address has one, and never the address."""
    email = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    user = User.objects.filter(email=email).only("pk").first() if email and "\x00" not in email else None
    logger.warning("Signing in failed.", extra=_told(request, user))


@receiver([password_changed, password_reset])
def password_is_new(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Log that a login has another password."""
    logger.info("A login has a new password.", extra=_told(request, user))


@receiver(
    [second_factors.authenticator_added, second_factors.authenticator_removed, second_factors.authenticator_reset]
)
def second_factor_changed(
    sender: Any, request: HttpRequest, user: User, authenticator: Any, signal: Any, **kwargs: Any
) -> None:
    """Log that a second factor was added, taken away, or made anew."""
    what = {
        id(second_factors.authenticator_added): "added",
        id(second_factors.authenticator_removed): "taken away",
    }.get(id(signal), "made anew")
    logger.info("A second factor was %s.", what, extra=_told(request, user, factor=str(authenticator.type)))
