"""Asking again who somebody is, before an act that cannot be undone: by password, second factor, or Microsoft."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

P = ParamSpec("P")

_CHOICE = "chosen_people"
FORM_SECONDS = 900
"""So long a form that was shown to somebody who had confirmed may lie open before it is sent."""


def recently_confirmed(request: HttpRequest, seconds: int | None = None) -> bool:
    """Say whether the visitor has confirmed who they are in the last minutes, or in the last `seconds`.

    The library takes a login that has neither password nor second factor for confirmed at any time; here it is
    confirmed by signing in with Microsoft once more.
    """
    if not request.user.is_authenticated:
        return False
    since = time.time() - (app_settings.REAUTHENTICATION_TIMEOUT if seconds is None else seconds)
    by_microsoft_only = not get_reauthentication_flows(request.user)
    return any(
        record.get("reauthenticated")
        and record["at"] > since
        and (record["method"] == "socialaccount" or not by_microsoft_only)
        for record in get_authentication_records(request, request.user)
    )


def again_url(path: str) -> str:
    """Return the address that asks who somebody is, and then leads to `path`."""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': path})}"


def keep_choice(request: HttpRequest, company_id: int, account_ids: list[int]) -> None:
    """Keep whom somebody has chosen while they are asked who they are: too many for an address."""
    request.session[_CHOICE] = {"company": company_id, "accounts": account_ids}
    messages.warning(request, "Nothing has been done yet: say first who you are, then press the button again.")


def kept_choice(request: HttpRequest, company_id: int) -> list[int]:
    """Return whom somebody had chosen in a company; [] where nothing is kept."""
    kept = request.session.get(_CHOICE) or {}
    return list(kept["accounts"]) if kept.get("company") == company_id else []


def forget_choice(request: HttpRequest) -> None:
    """Keep nobody any more."""
    request.session.pop(_CHOICE, None)


def asks_again(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Guard a page whose form does what cannot be undone: it is shown to whoever has just confirmed who they are.

    It stands below the decorator that checks the rights, so that who may not act is refused, and not asked. What was
    chosen before stands in the page's address, and outlasts the question. A form that comes back later than
    FORM_SECONDS does nothing: its page is shown again, after the question.
    """

    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        sent = request.method == "POST"
        if recently_confirmed(request, FORM_SECONDS if sent else None):
            return view(request, *args, **kwargs)
        if sent:
            sentence = (
                "Nothing has been done yet: we had to ask again who you are. Look at it, and press the button again."
            )
            messages.warning(request, sentence)
        return HttpResponseRedirect(again_url(request.get_full_path()))

    return page
