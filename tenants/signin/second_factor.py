"""Staff get no further than to their second factor, however they signed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from tenants.models import User

FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
OPEN_NAMES = ("account_", "mfa_", "usersessions_", "healthz", "readyz", "welcome")
"""How the names of pages begin that need no second factor: setting one up, signing out, being asked for health."""


class SecondFactorMiddleware:
    """Send staff without a second factor to the page where they set one up, where the setting asks for one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Stand in the way of a page, knowing its name."""
        match = request.resolver_match
        if not settings.PBPORTAL_STAFF_SECOND_FACTOR or match is None:
            return None
        name = match.view_name or ""
        if name.startswith(OPEN_NAMES) or name == "admin:logout":
            return None
        user = request.user
        if not isinstance(user, User) or not user.is_staff or is_mfa_enabled(user, FACTORS):
            return None
        messages.warning(request, "The partner portal asks staff for a second factor. Set one up to go on.")
        return HttpResponseRedirect(reverse("mfa_index"))
