"""Serve the demo's tenants over loopback HTTP: ``python -m tests.entra_emulator --port 8400``."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.entra_emulator.emulator import Emulator
from tests.entra_emulator.people import populate
from tests.entra_emulator.server import NotLoopback, Server


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.entra_emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address; anything else is refused")
    parser.add_argument("--port", type=int, default=8400, help="0 takes any free one")
    parser.add_argument("--empty", action="store_true", help="start without the demo's tenants")
    parser.add_argument(
        "--remember", metavar="FILE", help="keep every change there, and make it again at the next start"
    )
    words = parser.parse_args()
    try:
        server = Server(
            Emulator(),
            words.host,
            words.port,
            populate=None if words.empty else populate,
            remember=words.remember,
        )
    except NotLoopback as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"{words.host}:{words.port} cannot be used: {error.strerror}")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with server:
        print(f"emulator on {server.url}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
