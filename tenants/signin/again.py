"""Asking again who somebody is, before an act that cannot be undone: by password, second factor, or Microsoft."""

from __future__ import annotations

import time

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate, get_reauthentication_flows
from django.http import HttpRequest


def recently_confirmed(request: HttpRequest) -> bool:
    """Say whether the visitor has confirmed who they are in the last minutes.

    The library takes a login that has neither password nor second factor for confirmed at any time; here it is
    confirmed by signing in with Microsoft once more.
    """
    if not request.user.is_authenticated:
        return False
    if get_reauthentication_flows(request.user) and did_recently_reauthenticate(request):
        return True
    since = time.time() - app_settings.REAUTHENTICATION_TIMEOUT
    records = get_authentication_records(request, request.user)
    return any(
        record["method"] == "socialaccount" and record.get("reauthenticated") and record["at"] > since
        for record in records
    )
