"""Free ports of this machine's loopback, near the ones that people remember."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"
TRIED = 20


def listener(preferred: int) -> socket.socket:
    """Return a socket that listens at the preferred port, or where that is taken at one of the next, or at any."""
    for port in (*range(preferred, preferred + TRIED), 0):
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, port))
            found.listen(128)
        except OSError:
            found.close()
            if not port:
                raise
            continue
        return found
    raise AssertionError("The system's own choice is tried last, and returned or raised.")


def port_of(found: socket.socket) -> int:
    """Return the port of a listening socket."""
    port: int = found.getsockname()[1]
    return port


def url_of(found: socket.socket) -> str:
    """Return the address of a listening socket for a browser."""
    return f"http://{HOST}:{port_of(found)}"
