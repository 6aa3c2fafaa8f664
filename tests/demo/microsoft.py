"""The demo's Microsoft: the emulator with the demo's tenants and one large one, served until told to stop."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.entra_emulator import Emulator
from tests.entra_emulator.people import make_tenant, populate
from tests.entra_emulator.server import Server

NORTHMOOR = "northmoor.example"
NORTHMOOR_PEOPLE = 3_000


def build(emulator: Emulator) -> None:
    """Build every tenant of the demo."""
    populate(emulator)
    make_tenant(emulator, NORTHMOOR_PEOPLE, domain=NORTHMOOR).name = "Northmoor Foods"


def main() -> int:
    """Serve at a port of loopback; every change is kept in a file, and made again at the next start."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.microsoft", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--remember", metavar="FILE", required=True)
    words = parser.parse_args()
    server = Server(Emulator(), port=words.port, populate=build, remember=words.remember)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with server:
        server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
