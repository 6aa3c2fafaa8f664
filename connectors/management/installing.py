"""``manage.py connector install``: a whole connector in one go, proven before anything is saved."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import CommandParser

from connectors import lifecycle
from connectors.lifecycle import Setup
from connectors.management.certificates import add_years, begin, read
from connectors.management.console import VARIABLE, Failed, add_json, find_company, read_secret, who
from connectors.models import Connector
from connectors.states import RULE_CHOICES, Cloud, Situation


def add_arguments(parser: CommandParser) -> None:
    """Declare what an installation is told; the secret is no argument, which other users of a machine could read."""
    rules = "; ".join(f"{situation}={'|'.join(choices)}" for situation, choices in RULE_CHOICES.items())
    parser.add_argument("--company", required=True, metavar="SLUG", help="the company's slug")
    parser.add_argument("--tenant", required=True, help="the tenant's ID, or one of its domains")
    parser.add_argument("--client-id", required=True, metavar="ID", help="the application (client) ID")
    parser.add_argument(
        "--sync-group", required=True, metavar="GROUP", help="the sync group, by Object ID or exact name"
    )
    parser.add_argument("--group", action="append", default=[], metavar="GROUP", help="an additional group; repeatable")
    parser.add_argument(
        "--rule", action="append", default=[], type=rule, metavar="SITUATION=ACTION", help=f"repeatable: {rules}"
    )
    parser.add_argument("--cloud", choices=[str(cloud) for cloud in Cloud], default=str(Cloud.GLOBAL))
    parser.add_argument("--secret-expires", type=day, metavar="YYYY-MM-DD", help="the day on which the secret expires")
    parser.add_argument(
        "--certificate",
        metavar="FILE",
        help="sign in with a certificate instead of a secret: the first time it is made and written to this new file,"
        " the second time, once it is uploaded, the connector is installed with it",
    )
    add_years(parser)
    parser.add_argument("--direct-members-only", action="store_true", help="leave out members of nested groups")
    parser.add_argument("--leave-out-guests", action="store_true", help="leave out guests")
    parser.add_argument("--allow-onmicrosoft", action="store_true", help="take addresses at *.onmicrosoft.com")
    parser.add_argument("--no-invitations", action="store_true", help="send no invitations to new accounts")
    parser.add_argument("--dry-run", action="store_true", help="prove and resolve everything, save nothing")
    parser.epilog = f"Without --certificate, the client secret is read from {VARIABLE}, or else from standard input."
    add_json(parser)


def install(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Install a connector, or find that it is there as told; return its shape, and what to say in lines."""
    company = find_company(options["company"])
    rules: list[tuple[str, str]] = options["rule"]
    twice = sorted({situation for situation, _ in rules if [one for one, _ in rules].count(situation) > 1})
    if twice:
        raise Failed(f"The rule for {twice[0]} is given more than once. Give each situation one action.")
    path = options["certificate"]
    if path and not os.path.lexists(path):
        if options["dry_run"]:
            raise Failed(f"There is no file {path} yet. Without --dry-run, the certificate is made and written to it.")
        return begin(company, path, options["years"])
    setup = lifecycle.prepare(
        company,
        tenant=options["tenant"],
        client_id=options["client_id"],
        secret="" if path else read_secret(),
        certificate=read(path) if path else "",
        cloud=options["cloud"],
        secret_expires_on=options["secret_expires"],
        sync_group=options["sync_group"],
        additional=options["group"],
        actions=dict(rules),
        settings={
            "direct_members_only": options["direct_members_only"],
            "leave_out_guests": options["leave_out_guests"],
            "allow_onmicrosoft": options["allow_onmicrosoft"],
            "send_invitations": not options["no_invitations"],
        },
    )
    there = lifecycle.twin_of(setup)
    if there is not None:
        differences = lifecycle.differences(there, setup)
        if differences:
            listed = "\n".join(f"  {line}" for line in differences)
            raise Failed(
                f"{company} already has connector {there.pk} to this tenant. It is not as told; nothing was changed:\n"
                f"{listed}\nChange it in the portal, or tell this command what is there."
            )
        return _told(setup, there, "unchanged", f"Connector {there.pk} is there already, as told. Nothing was changed.")
    if options["dry_run"]:
        return _told(setup, None, "dry_run", "Nothing was saved: this was a dry run.")
    made = lifecycle.carry_out(setup, actor=who())
    return _told(
        setup, made, "installed", f"Installed connector {made.pk}. Its first run begins as soon as a worker is free."
    )


def rule(text: str) -> tuple[str, str]:
    """Read SITUATION=ACTION."""
    situation, _, action = text.strip().lower().partition("=")
    if situation not in set(Situation):
        raise argparse.ArgumentTypeError(
            f"{text!r} names no situation: write one of {', '.join(Situation)}, then =ACTION"
        )
    choices = RULE_CHOICES[Situation(situation)]
    if action not in choices:
        raise argparse.ArgumentTypeError(f"the rule for {situation} says one of {', '.join(choices)}, not {action!r}")
    return situation, action


def day(text: str) -> date:
    """Read a day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write it as 2027-05-31") from None


def moment(text: str) -> datetime:
    """Read a moment; where it names no zone, it is UTC's."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment: write it as 2027-05-31T09:00") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _told(setup: Setup, made: Connector | None, result: str, sentence: str) -> tuple[dict[str, Any], list[str]]:
    groups = [
        {"id": group.id, "name": group.name, "members": group.members}
        for group in (setup.sync_group, *setup.additional)
    ]
    shape = {
        "result": result,
        "connector": made.pk if made else None,
        "uid": str(made.uid) if made else None,
        "company": setup.row.company.slug,
        "tenant_id": setup.proof.tenant_id,
        "permissions": sorted(setup.proof.permissions),
        "sync_group": groups[0],
        "additional_groups": groups[1:],
        "rules": {str(situation): str(action) for situation, action in setup.actions.items()},
        "settings": dict(setup.settings),
        "warnings": [group.warning for group in (setup.sync_group, *setup.additional) if group.warning],
    }
    return shape, [*_lines(setup), sentence]


def _lines(setup: Setup) -> Iterator[str]:
    permissions = ", ".join(sorted(setup.proof.permissions))
    yield f"Connection verified: tenant {setup.proof.tenant_id}, permissions {permissions}."
    for words, groups in (("Sync group", [setup.sync_group]), ("Additional group", setup.additional)):
        for group in groups:
            people = "an unknown number of members" if group.members is None else f"{group.members} members"
            yield f"{words}: {group.name} ({group.id}), {group.kind}, {people}. {group.warning}".rstrip()
    yield "Rules: " + ", ".join(f"{situation}={action}" for situation, action in setup.actions.items()) + "."
