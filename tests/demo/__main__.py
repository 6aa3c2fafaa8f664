"""`python -m tests.demo`: the whole portal on this machine until Ctrl-C, or with `--once` the story played through."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.demo.environment import STATE, AlreadyRunning, owning
from tests.demo.portal import DidNotStart, Portal, running


def main() -> int:
    """Run the demo as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="./dev demo",
        description="The portal with made-up companies and an emulated Microsoft, on this machine alone.",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--once", action="store_true", help="play the story through and say what happened, then end")
    group.add_argument("--fresh", action="store_true", help="forget what an earlier demo left, and start over")
    parser.add_argument(
        "--story",
        choices=("main", "life"),
        help="with --once: everything in a day (main), or twelve weeks of a connector's life, whose mails are kept",
    )
    words = parser.parse_args()
    if words.story and not words.once:
        parser.error("a story is played with --once")
    # Also where a shell that started it in the background has Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        return once(words.story or "main") if words.once else stay(fresh=words.fresh)
    except DidNotStart as failure:
        print(failure, file=sys.stderr)
        return 1
    except AlreadyRunning:
        print("A demo is running already, over the same data. End that one first.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # How the demo is meant to end; a story that was cut off has not been told.
        return 130 if words.once else 0


def once(story: str) -> int:
    """Play the story in a folder of its own, which is gone afterwards; the last line is one JSON object."""
    began = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="pbportal-demo-") as folder,
            running(Path(folder), say=_say, prepare=_seed) as portal,
        ):
            from tests.demo.story import play

            _say(f"The portal runs at {portal.url}, {time.monotonic() - began:.0f} seconds after the start.")
            ok = play(portal, _say, began=began, story=story)
            if not ok:
                print(f"The worker said last:\n{portal.worker.last_words()}", file=sys.stderr)
            return 0 if ok else 1
    except DidNotStart as failure:
        seconds = round(time.monotonic() - began, 1)
        _say(json.dumps({"ok": False, "steps": [], "error": str(failure), "seconds": seconds}))
        return 1


def stay(*, fresh: bool) -> int:
    """Run until Ctrl-C; the next start finds everything again."""
    with owning(STATE):
        if fresh:
            for found in STATE.iterdir():
                if found.is_dir():
                    shutil.rmtree(found)
                elif found.name != "lock":
                    found.unlink()
        with running(STATE, say=_say, prepare=_seed_with_fleet) as portal:
            from tests.demo import seed

            seed.connect_all()
            _say(_where_to_look(portal))
            while (ended := portal.processes.ended()) is None:
                time.sleep(0.5)
            _say(f"The {ended.name} has ended by itself. It said:\n{ended.last_words()}")
            return 1


def _seed() -> None:
    from tests.demo import seed

    seed.seed()


def _seed_with_fleet() -> None:
    from tests.demo import fleet_rows

    _seed()
    fleet_rows.seed_fleet()


def _where_to_look(portal: Portal) -> str:
    from connectors.models import Connector
    from connectors.states import LIVE
    from tenants.models import Company
    from tests import world
    from tests.demo import seed

    who = "\n".join(f"    {email:40} {what}" for email, what in seed.PEOPLE)
    named = [one.company for one in seed.CONNECTED]
    rows = Connector.objects.filter(status__in=LIVE, company__name__in=named).select_related("company")
    others = Company.objects.exclude(name__in=named).count()
    connected = "\n".join(f"    {row.company.name:40} {row.get_cloud_display()}" for row in rows)
    return f"""
Partner portal   {portal.url}/partner/
User portal      {portal.url}/business/
Health           {portal.url}/healthz and {portal.url}/readyz
Microsoft        {portal.microsoft_url} (emulated; {portal.microsoft_url}/_control/tenants lists its tenants)
Logs and data    {portal.settings_file.parent}

Everybody's password is “{world.PASSWORD}”:
{who}

Connected, and synchronised every five minutes:
{connected}
    and in the partner portal {others} more companies, in all kinds of states

{_what_to_install()}In another terminal:
    export PBPORTAL_ENV_FILE={portal.settings_file}
    ./dev manage connectors
{_what_to_connect()}
Ctrl-C ends everything. The next start goes on from here; --fresh starts over."""


def _what_to_install() -> str:
    """Return which companies were left to be installed in a portal, and what to enter; nothing once that is done."""
    from tenants.models import Company
    from tests.demo import seed
    from tests.entra_emulator import people

    found = []
    for left in seed.TO_INSTALL:
        if Company.objects.get(name=left.company).connectors.exists():
            continue
        client_id, secret = people.portal_application(left.domain)
        found.append(f"""    {left.company}, in the {left.portal} as {left.email}
        Client ID      {client_id}
        Client Secret  {secret}
        Tenant ID      {left.domain}
        Consent        {left.consent}
        Sync group     {people.SYNC_GROUP}
""")
    return "Install a connector yourself; the wizard asks for these:\n" + "".join(found) + "\n" if found else ""


def _what_to_connect() -> str:
    """Return the command that connects the company which was left for it; nothing once that is done."""
    from tenants.models import Company
    from tests.demo import seed
    from tests.entra_emulator import people

    company = Company.objects.get(name=seed.LEFT_FOR_YOU)
    if company.connectors.exists():
        return ""
    client_id, secret = people.portal_application(people.SABLE_STREET)
    return f"""    echo '{secret}' | ./dev manage connector install --company {company.slug} \\
        --tenant {people.SABLE_STREET} --client-id {client_id} --sync-group "{people.SYNC_GROUP}"
"""


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
