"""A requests session that reaches an emulator in another process, over loopback HTTP."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tests.entra_emulator.clouds import ORIGINS

VARIABLE = "EMULATOR_URL"


class _Adapter(HTTPAdapter):
    """Send what is meant for a Microsoft origin to the emulator, with that origin's name as Host.

    Every document still says https and Microsoft's hosts: MSAL refuses anything else.
    """

    def __init__(self, emulator: str, **kwargs: Any) -> None:
        self._emulator = emulator.rstrip("/")
        super().__init__(**kwargs)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        forwarded = request.copy()
        parts = urlsplit(request.url or "")
        forwarded.headers["Host"] = parts.netloc
        forwarded.url = self._emulator + parts._replace(scheme="", netloc="").geturl()
        response = super().send(forwarded, *args, **kwargs)
        response.url, response.request = request.url or "", request
        return response


def session_to(emulator: str, *, max_retries: Any = 0) -> requests.Session:
    """Make a session over the emulator at a URL."""
    session = requests.Session()
    session.trust_env = False
    adapter = _Adapter(emulator, max_retries=max_retries)
    for origin in ORIGINS:
        session.mount(f"{origin}/", adapter)
    return session


def session() -> requests.Session:
    """Make a session over the emulator that the environment variable ``EMULATOR_URL`` names."""
    emulator = os.environ.get(VARIABLE)
    if not emulator:
        raise RuntimeError(f"{VARIABLE} is not set: it names the running emulator, as http://127.0.0.1:8400")
    return session_to(emulator)
