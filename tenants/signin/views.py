"""The portal's own pages around signing in: the way home, an invitation, the choice of a company, one's own account."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.utils import get_next_redirect_url, perform_login
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods

from tenants.access import role_in
from tenants.invitations import find
from tenants.models import User
from tenants.signin.doors import PROVIDER, AddressTaken, Closed, accept
from tenants.signin.entering import choice_of, enter, home_of, refuse
from tenants.states import AccountStatus


def closed(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Answer for a page of allauth that the portal does not have: signing up, changing the address."""
    raise Http404


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Send whoever comes to where they belong."""
    return HttpResponseRedirect(home_of(request.user))


class PasswordForm(forms.Form):
    """Take a new password twice."""

    password = forms.CharField(
        label="Password", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    again = forms.CharField(
        label="Password again", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, of: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._of = of
        self.fields["password"].help_text = " ".join(password_validators_help_texts()[1:2])

    def clean(self) -> dict[str, Any]:
        """Compare the two, and judge the password beside its owner's name and address."""
        data = super().clean() or {}
        if data.get("password") and data.get("again") and data["password"] != data["again"]:
            self.add_error("again", "The two passwords differ. Type the same one twice.")
        if data.get("password"):
            try:
                validate_password(data["password"], self._of)
            except ValidationError as wrong:
                self.add_error("password", wrong)
        return data


@sensitive_post_parameters()
@sensitive_variables("token", "password")
@never_cache
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """Let the holder of an invitation's link set a password; looking at the page uses nothing up."""
    invitation = find(token, timezone.now())
    if invitation is None:
        return render(request, "signin/link_over.html", status=410)
    account = invitation.account
    owner = invitation.owner
    form = PasswordForm(request.POST if request.method == "POST" else None, of=owner)
    if request.method == "POST" and form.is_valid():
        password = form.cleaned_data["password"]
        try:
            user = accept(token, password, timezone.now())
        except AddressTaken:
            return render(request, "signin/address_taken.html", {"email": owner.email}, status=409)
        except Closed:
            return render(request, "signin/link_over.html", status=410)
        if request.user.is_authenticated:
            request.session.flush()
        response: HttpResponse = perform_login(request, user, email_verification="none", redirect_url=home_of(user))
        return response
    context = {
        "form": form,
        "owner": owner,
        "company": account.company if account is not None else None,
        "with_microsoft": account is not None and account.has_identity,
    }
    return render(request, "signin/welcome.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Ask through which of several doors whoever Microsoft has vouched for wants to enter."""
    choice = choice_of(request)
    if choice is None:
        return HttpResponseRedirect(reverse("account_login"))
    identity, doors, next_url = choice
    if request.method == "POST":
        for door in doors:
            if door.key == request.POST.get("door"):
                return enter(request, door, identity, next_url)
        return refuse(request)
    return render(request, "signin/choose.html", {"doors": doors, "identity": identity})


@login_required
@require_GET
def microsoft_again(request: HttpRequest) -> HttpResponse:
    """Let a login confirm who it is by signing in with Microsoft once more."""
    if not settings.MICROSOFT_SIGNIN_CLIENT_ID:
        raise Http404
    methods = get_adapter(request).get_reauthentication_methods(request.user)
    context = {
        "next": get_next_redirect_url(request) or home_of(request.user),
        "reauthentication_alternatives": [method for method in methods if method["id"] != PROVIDER],
    }
    return render(request, "signin/microsoft_again.html", context)


@login_required
@require_GET
def own_account(request: HttpRequest) -> HttpResponse:
    """Show a login its own account, or that it is waiting; staff have theirs in the partner portal."""
    user = request.user
    account = getattr(user, "account", None)
    if account is None or not isinstance(user, User):
        return HttpResponseRedirect(reverse("mfa_index"))
    context = {
        "account": account,
        "waiting": account.status == AccountStatus.PENDING,
        "personal": account.status == AccountStatus.PERSONAL,
        "role": role_in(user, account.company),
    }
    return render(request, "signin/own_account.html", context)
