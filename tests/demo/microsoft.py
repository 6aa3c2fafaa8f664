"""The demo's Microsoft: the emulator with the demo's tenants and one large one, served until told to stop."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.demo.fleet import make_tenants
from tests.entra_emulator import Emulator
from tests.entra_emulator.people import make_tenant, populate, register_sign_in
from tests.entra_emulator.server import Server

NORTHMOOR = "northmoor.example"
NORTHMOOR_PEOPLE = 3_000


CONSENT_SECONDS = 5
"""So long an administrator's consent takes to come into effect: long enough to be seen."""
SIGN_IN_PATH = "/accounts/microsoft/login/callback/"
CONSENT_PATHS = ("/azure/callback", "/business/connectors/azure/callback")


def build(emulator: Emulator, portal: str) -> None:
    """Build every tenant of the demo, and register what the portal at this origin has there."""
    populate(emulator)
    make_tenant(emulator, NORTHMOOR_PEOPLE, domain=NORTHMOOR).name = "Northmoor Foods"
    make_tenants(emulator)
    for application in emulator.applications.values():
        application.redirect_uris += [f"{portal}{path}" for path in CONSENT_PATHS]
    register_sign_in(emulator, f"{portal}{SIGN_IN_PATH}")
    emulator.consent_delay = CONSENT_SECONDS


def main() -> int:
    """Serve at a port of loopback; every change is kept in a file, and made again at the next start."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.microsoft", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--portal", metavar="ORIGIN", required=True)
    parser.add_argument("--remember", metavar="FILE", required=True)
    words = parser.parse_args()
    server = Server(
        Emulator(), port=words.port, populate=lambda emulator: build(emulator, words.portal), remember=words.remember
    )
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with server:
        server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
