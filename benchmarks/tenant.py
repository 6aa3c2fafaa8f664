"""An emulated tenant of any size over loopback HTTP, in a process of its own; prints where it is and what it holds."""

from __future__ import annotations

import json
import sys

from tests.entra_emulator.emulator import Emulator
from tests.entra_emulator.people import make_tenant
from tests.entra_emulator.server import Server


def main(people: int) -> None:
    """Serve a tenant of so many people until the process is ended."""
    emulator = Emulator()
    emulator.throttling = False
    tenant = make_tenant(emulator, people)
    application = next(iter(emulator.applications.values()))
    group = max(tenant.groups.values(), key=lambda one: len(tenant.member_ids(one.id)))
    with Server(emulator, "127.0.0.1", 0) as server:
        facts = {
            "url": server.url,
            "id": tenant.id,
            "client_id": application.client_id,
            "secret": application.secret,
            "group": group.id,
            "people": str(people),
        }
        print(json.dumps(facts), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
