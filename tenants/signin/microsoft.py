"""Signing in with Microsoft: allauth's provider, asking for an ID token with a nonce, and believing nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from allauth.account.internal.flows.reauthentication import suspend_request
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.microsoft.provider import MicrosoftGraphProvider
from allauth.socialaccount.providers.microsoft.views import MicrosoftGraphOAuth2Adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.crypto import get_random_string

from tenants.signin import idtoken
from tenants.signin.again import recently_confirmed
from tenants.signin.doors import uid_of

logger = logging.getLogger(__name__)

LOGIN = "https://login.microsoftonline.com"
TENANTS = "organizations"
KEYS_KEPT_SECONDS = 24 * 3600
KEYS_ASKED_AGAIN_SECONDS = 300


class MicrosoftOAuth2Adapter(MicrosoftGraphOAuth2Adapter):  # type: ignore[misc]
    """The two calls to Microsoft: one by the browser, one by us; the profile behind the access token is not read."""

    nonce = ""

    @property
    def authorize_url(self) -> str:
        origin = settings.ENTRA_LOGIN_ORIGINS.get(LOGIN, LOGIN)
        return f"{origin}/{TENANTS}/oauth2/v2.0/authorize"

    @property
    def access_token_url(self) -> str:
        return f"{LOGIN}/{TENANTS}/oauth2/v2.0/token"

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        answer: Mapping[str, Any] = kwargs["response"]
        try:
            identity = idtoken.verify(
                str(answer.get("id_token", "")),
                audience=app.client_id,
                nonce=self.nonce,
                login=LOGIN,
                key_of=key_of,
            )
        except idtoken.Refused as refused:
            logger.warning("An ID token was refused. %s", refused)
            raise OAuth2Error("The ID token was refused.") from refused
        login = self.get_provider().sociallogin_from_response(request, {"uid": uid_of(identity)})
        login.identity = identity
        return login


class MicrosoftProvider(MicrosoftGraphProvider):  # type: ignore[misc]
    """Microsoft as allauth sees it. Nothing of a request's query goes into what Microsoft is asked."""

    oauth2_adapter_class = MicrosoftOAuth2Adapter
    pkce_enabled_default = True

    def get_scope(self) -> list[str]:
        return ["openid", "profile", "email"]

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        return self.get_scope()

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        # Somebody else may be signed in to Microsoft in this browser; and who confirms an act, does so in person.
        return {"response_mode": "query", "prompt": "login" if request.user.is_authenticated else "select_account"}

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> Any:
        nonce = get_random_string(43)
        kwargs["auth_params"] = {**kwargs.get("auth_params", {}), "nonce": nonce}
        process = "connect" if process == "connect" else "login"
        return super().redirect(request, process, next_url, data, nonce=nonce, **kwargs)

    def extract_uid(self, data: Mapping[str, Any]) -> str:
        return str(data["uid"])

    def extract_common_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def extract_extra_data(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {}


class _Callback(OAuth2CallbackView):  # type: ignore[misc]
    """Hand the nonce that was kept with the state to whoever checks the ID token."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, response = super()._get_state(request, provider)
        if state is not None:
            self.adapter.nonce = str(state.get("nonce", ""))
        return state, response


def key_of(tenant_id: str, kid: str) -> Mapping[str, Any] | None:
    """Return a tenant's published key, kept for a day; for one not known yet, Microsoft is asked every five minutes.

    Raises requests' exceptions, and ValueError, where Microsoft does not answer.
    """
    place = f"microsoft-keys:{tenant_id}"
    kept: dict[str, Any] | None = cache.get(place)
    if kept is None or (kid not in kept and cache.add(f"{place}:asked", True, KEYS_ASKED_AGAIN_SECONDS)):
        with get_adapter().get_requests_session() as session:
            answer = session.get(f"{LOGIN}/{tenant_id}/discovery/v2.0/keys", allow_redirects=False)
        answer.raise_for_status()
        kept = {str(key.get("kid")): key for key in answer.json()["keys"]}
        cache.set(place, kept, KEYS_KEPT_SECONDS)
    return kept.get(kid)


_begin = OAuth2LoginView.adapter_view(MicrosoftOAuth2Adapter)
_end = _Callback.adapter_view(MicrosoftOAuth2Adapter)


def callback(request: HttpRequest) -> HttpResponseBase:
    """Take what Microsoft sends back with the browser. Raises Http404 where the portal has no application for it."""
    _must_be_offered()
    ended: HttpResponseBase = _end(request)
    return ended


def _must_be_offered() -> None:
    if not settings.MICROSOFT_SIGNIN_CLIENT_ID:
        raise Http404


def login(request: HttpRequest) -> HttpResponseBase:
    """Send the browser to Microsoft; connecting Microsoft to a login asks for the password again before.

    Raises Http404 where the portal has no application for it.
    """
    _must_be_offered()
    connects = request.GET.get("process", request.POST.get("process")) == "connect"
    if connects and (not request.user.is_authenticated or not recently_confirmed(request)):
        place = "account_reauthenticate" if request.user.is_authenticated else "account_login"
        redirect: HttpResponseBase = suspend_request(request, reverse(place))
        return redirect
    begun: HttpResponseBase = _begin(request)
    return begun
