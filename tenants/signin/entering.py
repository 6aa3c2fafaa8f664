"""The last step of every way in: through which door, to which page, or the one polite refusal."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from tenants.access import role_in
from tenants.models import User
from tenants.roles import Role
from tenants.signin.doors import PROVIDER, Closed, Door, attach, doors_of, login_behind, record_attached
from tenants.signin.idtoken import Identity

CHOICE = "signin_choice"
CHOICE_SECONDS = 600


def refuse(request: HttpRequest) -> HttpResponse:
    """Show the one page for whom nothing opens: the same whoever it is and whatever the reason."""
    return render(request, "signin/refused.html", status=403)


def home_of(user: Any) -> str:
    """Return where a login goes after signing in."""
    if not isinstance(user, User):
        return reverse("account_login")
    if user.is_staff:
        return reverse("admin:index")
    account = getattr(user, "account", None)
    if account is None or role_in(user, account.company) is not Role.COMPANY_ADMINISTRATOR:
        return reverse("own_account")
    try:
        return reverse("business:connectors")
    except NoReverseMatch:
        return "/business/"


def by_identity(request: HttpRequest, identity: Identity, state: dict[str, Any]) -> HttpResponse:
    """Answer a sign-in that Microsoft has vouched for: attach, enter, ask through which door, or refuse."""
    next_url = str(state.get("next") or "")
    if state.get("process") == "connect":
        return _connect(request, identity)
    doors = doors_of(identity)
    if request.user.is_authenticated:
        # Who confirms the own sign-in stays who they are, whatever else the identity opens.
        doors = [door for door in doors if door.login_id == request.user.pk] or doors
    if not doors:
        return refuse(request)
    if len(doors) == 1:
        return enter(request, doors[0], identity, next_url)
    request.session[CHOICE] = {
        "tenant_id": identity.tenant_id,
        "object_id": identity.object_id,
        "name": identity.name,
        "username": identity.username,
        "next": next_url,
        "at": time.time(),
    }
    return HttpResponseRedirect(reverse("signin_choose"))


def choice_of(request: HttpRequest) -> tuple[Identity, list[Door], str] | None:
    """Return whom Microsoft has just vouched for, what that opens, and where to go then; None after ten minutes."""
    kept = request.session.get(CHOICE)
    if not kept or time.time() - kept["at"] > CHOICE_SECONDS:
        return None
    identity = Identity(kept["tenant_id"], kept["object_id"], kept["name"], kept["username"])
    return identity, doors_of(identity), kept["next"]


def enter(request: HttpRequest, door: Door, identity: Identity, next_url: str) -> HttpResponse:
    """Sign in through a door; a second factor is asked for on the way, as after a password."""
    try:
        user = login_behind(door, identity)
    except Closed:
        return refuse(request)
    again = request.user.is_authenticated and request.user.pk == user.pk
    if request.user.is_authenticated and not again:
        request.session.flush()
    request.session.pop(CHOICE, None)
    record_authentication(request, user, "socialaccount", provider=PROVIDER, reauthenticated=again or None)
    if again:
        return HttpResponseRedirect(next_url or home_of(user))
    response: HttpResponse = perform_login(request, user, email_verification="none", redirect_url=next_url or None)
    return response


def _connect(request: HttpRequest, identity: Identity) -> HttpResponse:
    user = request.user
    if not isinstance(user, User):
        return refuse(request)
    try:
        new = attach(user, identity)
    except Closed:
        sentence = "This Microsoft account cannot be connected here: it belongs to another account, or yours has left."
        messages.error(request, sentence)
    else:
        if new:
            record_attached(user)
        messages.success(request, "Microsoft is connected: you can sign in with it from now on.")
    return HttpResponseRedirect(reverse("socialaccount_connections"))
