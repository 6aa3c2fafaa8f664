"""What allauth asks the portal: nobody signs up, who may enter, where to go then, and what an identity opens."""

from __future__ import annotations

import base64
import functools
import logging
import secrets
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.context import request_context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.module_loading import import_string

from pbportal.afterwards import afterwards
from pbportal.sealed import Sealed, Unreadable
from tenants.invitations import doubted
from tenants.models import User
from tenants.signin import entering
from tenants.signin.backend import may_enter
from tenants.signin.doors import PROVIDER

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 10


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Passwords: for invited people only."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": "This login cannot be used now. Ask the person who looks after Password Boss for you.",
        "email_password_mismatch": "Email and password do not belong together. Check both, or set a new password.",
        "enter_current_password": "That is not your current password.",
        "incorrect_code": "That code is not right. Codes change every 30 seconds: take the one shown now.",
        "incorrect_password": "That is not your password.",
        "invalid_or_expired_key": "This link does not work any more. Ask for a new one.",
        "invalid_password_reset": "This link does not work any more. Ask for a new one.",
        "rate_limited": "That was too often. Wait a minute, then try again.",
        "same_as_current": "The new password must differ from the current one.",
        "too_many_login_attempts": "Too many sign-ins failed. Wait five minutes, or set a new password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        # Every way in passes here: password, passkey and Microsoft.
        if not may_enter(user):
            return entering.refuse(request)
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return entering.home_of(request.user)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        attached = SocialAccount.objects.filter(user_id=user.pk, provider=PROVIDER)
        if settings.MICROSOFT_SIGNIN_CLIENT_ID and attached.exists():
            place = {"id": PROVIDER, "description": "Use Microsoft", "url": reverse("microsoft_again")}
            return [*methods, place]
        return methods

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        return entering.refuse(request)

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        account = getattr(user, "account", None)
        if not may_enter(user) or (account is not None and doubted([account.pk])):
            return
        # A staff login without a password has an invitation waiting for it; the page looks the same in any case, and
        # comes as fast: a mail server takes its time only when the page has left.
        request = self.request
        afterwards(request, lambda: self._send_reset(request, user, email, context))

    def _send_reset(self, request: HttpRequest, user: User, email: str, context: dict[str, Any]) -> None:
        try:
            with request_context(request):
                super().send_password_reset_mail(user, email, context)
        except (OSError, SMTPException) as failure:
            logger.warning("A mail to set a new password did not leave (%s).", type(failure).__name__)


class MicrosoftAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Microsoft: what a verified identity opens is decided in doors, never by an address."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        if not settings.MICROSOFT_SIGNIN_CLIENT_ID or provider not in (None, "microsoft"):
            return []
        return [
            SocialApp(
                provider="microsoft",
                name="Microsoft",
                client_id=settings.MICROSOFT_SIGNIN_CLIENT_ID,
                secret=settings.MICROSOFT_SIGNIN_CLIENT_SECRET,
            )
        ]

    def get_requests_session(self) -> Any:
        session = import_string(settings.ENTRA_SESSION)()
        session.request = functools.partial(session.request, timeout=REQUEST_SECONDS)
        return session

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        # All of it happens here: what the library would do next finds logins by rows of its own.
        raise ImmediateHttpResponse(entering.by_identity(request, sociallogin.identity, sociallogin.state))

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        if exception is not None:
            logger.warning("Signing in with Microsoft broke off (%s).", type(exception).__name__)


SEALED_FOR = "mfa.authenticator"
"""The library encrypts without saying for which row: sealed secrets of second factors are bound to the table."""


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors: sealed, named for the authenticator's list, and none taken away that the portal asks for."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": "Staff need a second factor. Add a passkey first, then take this away.",
        "incorrect_code": "That code is not right. Codes change every 30 seconds: take the one shown now.",
    }

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        user = authenticator.user
        if not (user.is_staff and settings.PBPORTAL_STAFF_SECOND_FACTOR):
            return True
        factors = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES)
        return bool(factors.exclude(pk=authenticator.pk).exists())

    def encrypt(self, text: str) -> str:
        return Sealed(text, context=SEALED_FOR).stored()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return Sealed(None, token=encrypted_text, context=SEALED_FOR).reveal()
        except Unreadable as unreadable:
            # Whoever has it signs in with another factor. What stands in must match no code, so nobody may know it.
            logger.error("A second factor does not work: %s", unreadable)
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        return f"Passkey {Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1}"

    def _get_site_name(self) -> str:
        return "Password Boss"
