"""A requests session that reaches the emulator in this process, with everything above the socket real."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from tests.entra_emulator.app import App, Wire
from tests.entra_emulator.clouds import ORIGINS
from tests.entra_emulator.emulator import current

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator


class _TimedOut(TimeoutError):
    """Say that the client would have given up by now."""


class _Socket(Wire):
    """One end of a connection whose other end is the WSGI app, called when the answer is read.

    urllib3 and http.client above it are the real ones, so that a dropped connection, a body cut
    short and a timeout become the very exceptions they are on a network.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._sent = bytearray()
        self._timeout: float | None = None
        self._dropped = False

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def sendall(self, data: bytes) -> None:
        self._sent += data

    def makefile(self, mode: str, *args: Any, **kwargs: Any) -> io.BytesIO:
        return io.BytesIO(self._exchange())

    def close(self) -> None:
        self._sent.clear()

    def drop(self) -> None:
        self._dropped = True

    def wait(self, seconds: float) -> None:
        if self._timeout is not None and seconds >= self._timeout:
            raise _TimedOut("timed out")
        time.sleep(seconds)

    def _exchange(self) -> bytes:
        head, _, body = bytes(self._sent).partition(b"\r\n\r\n")
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = request_line.split(" ")
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            Wire.KEY: self,
        }
        for line in lines:
            name, _, value = line.partition(":")
            environ[f"HTTP_{name.strip().upper().replace('-', '_')}"] = value.strip()
        answer: list[bytes] = []

        def start_response(status: str, headers: Iterable[tuple[str, str]]) -> None:
            answer.append(f"HTTP/1.1 {status}\r\nConnection: close\r\n".encode())
            answer.extend(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)
            answer.append(b"\r\n")

        chunks = self._app(environ, start_response)
        return b"" if self._dropped else b"".join([*answer, *chunks])


class _Adapter(HTTPAdapter):
    """A real `HTTPAdapter` (retries included) whose connections end at the emulator."""

    def __init__(self, app: App, **kwargs: Any) -> None:
        self._app = app
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        app = self._app

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                self.sock = _Socket(app)
                self.is_verified = True

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"https": Pool}


class _Nowhere(HTTPAdapter):
    """Refuses every other origin, and remembers that it was tried: nothing leaves the process."""

    def __init__(self, strays: list[tuple[str, str, bool]]) -> None:
        super().__init__()
        self._strays = strays

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        with_token = "Authorization" in request.headers
        self._strays.append((request.method or "", request.url or "", with_token))
        raise requests.ConnectionError(f"{request.url} is not a Microsoft origin", request=request)


def session_of(emulator: Emulator, *, max_retries: Any = 0) -> requests.Session:
    """Make a session over one emulator; what goes elsewhere is refused and kept in its ``strays``."""
    session = requests.Session()
    session.trust_env = False
    nowhere = _Nowhere(emulator.strays)
    session.mount("https://", nowhere)
    session.mount("http://", nowhere)
    adapter = _Adapter(App(emulator), max_retries=max_retries)
    for origin in ORIGINS:
        session.mount(f"{origin}/", adapter)
    return session


def in_process() -> requests.Session:
    """Make a session over the emulator installed last (`Emulator.install`)."""
    if not current:
        raise RuntimeError("no emulator is installed: use `with emulator.install():`")
    return session_of(current[-1])
