"""The emulator over HTTP: a threading WSGI server that binds loopback and nothing else."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from tests.entra_emulator.app import App, Wire
from tests.entra_emulator.control import ControlApp
from tests.entra_emulator.emulator import Emulator


class NotLoopback(ValueError):
    """Refuse an address that others could reach."""


class _Connection(Wire):
    """The accepted socket of one request."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def drop(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError  # wsgiref ends such a request in silence

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), Wire.KEY: _Connection(self.connection)}

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the journal has it."""


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """Serve an emulator and its control endpoint (``/_control/``) at a loopback address.

    Raises `NotLoopback` for any other, `OSError` where the port is taken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        emulator: Emulator,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        populate: Callable[[Emulator], object] | None = None,
        remember: str | None = None,
    ) -> None:
        if host != "localhost" and not _is_loopback(host):
            raise NotLoopback(f"the emulator serves loopback only, and {host} is not: its tokens are worth nothing")
        super().__init__((host, port), _Handler)
        self.set_app(ControlApp(App(emulator), populate=populate, remember=remember))

    def server_bind(self) -> None:
        # WSGIServer would ask DNS for its own name, which can take seconds on a machine without one.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def serving(emulator: Emulator, **words: Any) -> Iterator[Server]:
    """Serve an emulator from a thread of this process, at a free port unless told."""
    with Server(emulator, **words) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
