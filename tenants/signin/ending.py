"""When a session ends by itself: so long after signing in, however busy it was."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase

RECORDS = "account_authentication_methods"
"""Where the sign-in library notes how and when a session's login proved itself; the first note is of signing in."""


class SessionEndMiddleware:
    """Sign out whoever signed in longer ago than the setting allows: keeping busy does not keep a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            records = request.session.get(RECORDS) or []
            since = min((float(record["at"]) for record in records), default=None)
            if since is not None and time.time() - since > settings.SESSION_COOKIE_AGE:
                logout(request)
                messages.info(request, "You were signed out: a session ends some hours after signing in.")
        return self.get_response(request)
