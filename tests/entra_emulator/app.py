"""The WSGI app: Microsoft's hosts by the Host header, and by the first path segment for browsers."""

from __future__ import annotations

import http
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tests.entra_emulator.clouds import CLOUDS, HOSTS
from tests.entra_emulator.wire import Answer, Request

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator

StartResponse = Callable[..., Any]
LOOPBACK = re.compile(r"(([a-z]+\.)?localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Wire:
    """What a server lets the app do below HTTP; put into the environ by the transport."""

    KEY = "entra_emulator.wire"

    def drop(self) -> None:
        """Close the connection without an answer."""
        raise NotImplementedError

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass before the answer."""
        raise NotImplementedError


class App:
    """One WSGI app for every host of an emulator.

    A request is for the Microsoft host in its ``Host`` header. A browser gets there by loopback: the
    first path segment may name the host (``/login.microsoftonline.com/…``), a host name may begin with
    the cloud (``usgov.localhost``), and anything else on loopback is the global cloud's login.
    """

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        wire: Wire = environ[Wire.KEY]
        request = self._request(environ)
        if request.host not in HOSTS:
            return self._send(Answer.text(421, f"{request.host} is not emulated.\n"), wire, start_response)
        return self._send(self.emulator.answer(request, wire.wait), wire, start_response)

    @staticmethod
    def _request(environ: dict[str, Any]) -> Request:
        # WSGI decodes the path as latin-1; Microsoft's are UTF-8.
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        host = environ.get("HTTP_HOST", "").lower()
        first, _, rest = path.lstrip("/").partition("/")
        if host not in HOSTS and first.lower() in HOSTS:
            host, path = first.lower(), f"/{rest}"
        elif LOOPBACK.fullmatch(host):
            host = CLOUDS.get(host.partition(".")[0], CLOUDS["global"]).login_hosts[0]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        body = environ["wsgi.input"].read(length) if length else b""
        return Request(environ["REQUEST_METHOD"], host, path, environ.get("QUERY_STRING", ""), headers, body)

    @staticmethod
    def _send(answer: Answer, wire: Wire, start_response: StartResponse) -> Iterable[bytes]:
        if answer.dropped:
            wire.drop()
            return []
        try:
            phrase = http.HTTPStatus(answer.status).phrase
        except ValueError:
            phrase = "Unknown"
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        start_response(f"{answer.status} {phrase}", list(headers.items()))
        return [answer.body if answer.send is None else answer.body[: answer.send]]
