"""``manage.py worker``: carry out what is due and what is queued, until told to stop."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from connectors.schedule.cluster import run
from connectors.worker import Watchdog


class Command(BaseCommand):
    help = (
        "Synchronise connectors when they are due or somebody asks. Start it on as many machines as the work needs:"
        " on PostgreSQL they share one queue. SIGTERM or Ctrl-C lets running synchronisations end, a second one"
        " cuts them off; what is cut off is gone on with by the next run. Signal this process only, never its"
        " group (systemd: KillMode=mixed). The exit code is 1 where the queue did not start or had to be killed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--patience",
            type=_seconds,
            default=30.0,
            help="restart the queue's processes when a task and an idle one wait this many seconds (default: 30)",
        )
        parser.add_argument(
            "--grace",
            type=_seconds,
            default=float(settings.PBPORTAL_RUN_SECONDS),
            help="seconds that running synchronisations get to end (default: PBPORTAL_RUN_SECONDS)",
        )
        for internal, kind in (("--cluster", str), ("--leash", int), ("--pipe", int)):
            parser.add_argument(internal, type=kind, help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster"]:
            sys.exit(run(options["cluster"], leash=options["leash"], pipe=options["pipe"]))
        sys.exit(Watchdog(patience=options["patience"], grace=options["grace"]).run())


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be from 1 to 86400 seconds")
    return seconds
