"""The HTTP session that everything to Microsoft goes through."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import cast

import requests
from django.conf import settings
from django.utils.module_loading import import_string
from requests.adapters import HTTPAdapter


def plain_session() -> requests.Session:
    """Make a session that nothing in the process's environment changes; PBPORTAL_PROXIES names its proxies.

    REQUESTS_CA_BUNDLE, a .netrc, or *_PROXY would otherwise replace the trust, the Authorization, or the way.
    """
    session = requests.Session()
    session.trust_env = False
    session.proxies = dict(getattr(settings, "PBPORTAL_PROXIES", {}))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Transport retries; a second layer here would multiply the tries and sleep unseen.
    session.mount("https://", HTTPAdapter(max_retries=0))
    return session


def portal_session() -> requests.Session:
    """Make the session that the setting ENTRA_SESSION names."""
    return cast("requests.Session", import_string(settings.ENTRA_SESSION)())
