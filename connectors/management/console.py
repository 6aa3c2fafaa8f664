"""How the commands speak: which connector is meant, who acts, plain lines or JSON, one sentence for what fails."""

from __future__ import annotations

import getpass
import json
import os
import sys
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from connectors.directory import DirectoryError
from connectors.models import Connector
from connectors.states import ConnectorStatus
from pbportal.sealed import Unreadable
from tenants.models import Company
from tenants.roster import Refused

VARIABLE = "PBPORTAL_CLIENT_SECRET"
"""Where a client secret may stand in the environment."""


class Failed(Exception):
    """Say in a sentence why a command ends with exit code 1."""


class ConsoleCommand(BaseCommand):
    """A command whose failures are one sentence on standard error; exit code 1, and 2 for wrong arguments."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.carry_out(options)
        except DirectoryError as error:
            self.end(f"{error.sentence} ({error.reference})" if error.reference else error.sentence)
        except (Failed, Refused, Unreadable) as error:
            self.end(str(error))

    def carry_out(self, options: Mapping[str, Any]) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def end(self, sentence: str) -> NoReturn:
        """Say what failed, and end."""
        self.stdout.flush()
        self.stderr.write(sentence)
        raise SystemExit(1)

    def tell(self, options: Mapping[str, Any], shape: object, lines: Iterable[str]) -> None:
        """Print the lines, or with --json the shape."""
        if options["json"]:
            self.stdout.write(json.dumps(shape, ensure_ascii=False, indent=2))
            return
        for line in lines:
            self.stdout.write(line)


def add_json(parser: CommandParser) -> None:
    """Let a command speak JSON."""
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of lines (docs/commands.md)")


def add_connector(parser: CommandParser) -> None:
    """Let a command be about one connector."""
    parser.add_argument(
        "connector",
        metavar="CONNECTOR",
        help="the connector's number, its UUID, or the slug of its company where that has only one",
    )


def find_connector(word: str) -> Connector:
    """Return the connector that is meant; raise Failed where that is none or not one."""
    connectors = Connector.objects.select_related("company__partner")
    if word.isascii() and word.isdigit() and len(word) < 16:
        found: Connector | None = connectors.filter(pk=int(word)).first()
        if found is not None:
            return found
    try:
        found = connectors.filter(uid=uuid.UUID(word)).first()
    except ValueError:
        found = None
    if found is not None:
        return found
    there = list(connectors.filter(company__slug=word).exclude(status=ConnectorStatus.REMOVED).order_by("pk"))
    if len(there) == 1:
        return there[0]
    if there:
        listed = ", ".join(f"{one.pk} ({one.tenant})" for one in there)
        raise Failed(f"{there[0].company} has {len(there)} connectors. Name the one you mean by its number: {listed}.")
    raise Failed(f"There is no connector {word!r}. `manage.py connectors` lists them with their numbers.")


def find_company(slug: str) -> Company:
    """Return the company of that slug; raise Failed where there is none."""
    company = Company.objects.select_related("partner").filter(slug=slug).first()
    if company is None:
        raise Failed(f"There is no company {slug!r}. Give its slug, as the address of its page in the portal shows it.")
    return company


def who() -> str:
    """Return the label that the record names for whoever runs a command."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        # Python 3.13 raises OSError where 3.11 raises KeyError: the machine has no name for this user.
        name = str(os.getuid())
    return f"Command line ({name})"


def read_secret() -> str:
    """Return the client secret from the environment, or else from standard input; never from an argument."""
    told = os.environ.get(VARIABLE, "")
    if told:
        return told
    if sys.stdin.isatty():
        return getpass.getpass("Client secret: ")
    return sys.stdin.readline().strip()
