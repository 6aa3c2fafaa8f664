"""``manage.py connector VERB``: what the portal's pages do to a connector, for operators and scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandParser

from connectors import decisions, lifecycle, schedule
from connectors.decisions import holds_digest, holds_of
from connectors.entra import is_guid
from connectors.management import certificates, checking, installing, shapes
from connectors.management.console import (
    VARIABLE,
    ConsoleCommand,
    Failed,
    add_connector,
    add_json,
    find_connector,
    read_secret,
    who,
)
from connectors.models import Connector, SyncChange
from connectors.states import ChangeKind, ConnectorStatus, RunTrigger
from tenants.models import Account
from tenants.states import AccountStatus

Told = tuple[dict[str, Any], list[str]]


class Command(ConsoleCommand):
    help = "Install, check and change a connector. The exit code is 1 where that was refused or failed."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        for verb, (act, sentence, declare) in VERBS.items():
            # Abbreviated, --secret would be taken for --secret-expires, and a secret typed there by mistake shown.
            own = verbs.add_parser(verb, help=sentence, description=sentence, allow_abbrev=False)
            if declare is installing.add_arguments:
                declare(own)
            else:
                add_connector(own)
                declare(own)
                add_json(own)
            own.set_defaults(act=act)

    def carry_out(self, options: Mapping[str, Any]) -> None:
        shape, lines = options["act"](options)
        self.tell(options, shape, lines)
        if shape.get("ok") is False:
            raise Failed("The connector cannot read everything it needs.")


def _nothing(parser: CommandParser) -> None:
    """Take no arguments beyond the connector."""


def _check_arguments(parser: CommandParser) -> None:
    parser.add_argument("--transcript", metavar="FILE", help="write a redacted transcript of every call to a new file")


def _check(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    found = checking.check(connector, options["transcript"])
    steps = [{"step": what, "ok": worked, "sentence": sentence} for what, worked, sentence in found.steps]
    shape = {"connector": connector.pk, "ok": found.ok, "steps": steps, "requests": found.requests}
    lines = [f"{'ok' if worked else 'FAILED':<7} {what:<17} {sentence}" for what, worked, sentence in found.steps]
    return shape, lines


def _verify(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    proof = lifecycle.verify(connector, actor=who())
    row = find_connector(str(connector.pk))
    shape = {
        "connector": row.pk,
        "tenant_id": proof.tenant_id,
        "permissions": sorted(proof.permissions),
        "status": str(row.status),
    }
    return shape, [f"Connection verified: tenant {proof.tenant_id}. {ConnectorStatus(row.status).label}."]


def _secret_arguments(parser: CommandParser) -> None:
    parser.add_argument("--client-id", metavar="ID", help="another application of the same tenant")
    parser.add_argument(
        "--secret-expires", type=installing.day, metavar="YYYY-MM-DD", help="the day on which it expires"
    )
    parser.epilog = f"The new secret is read from {VARIABLE}, or else from standard input."


def _replace_secret(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    lifecycle.replace_secret(
        connector,
        secret=read_secret(),
        client_id=options["client_id"],
        secret_expires_on=options["secret_expires"],
        actor=who(),
    )
    row = find_connector(str(connector.pk))
    label = ConnectorStatus(row.status).label
    return {"connector": row.pk, "status": str(row.status)}, [f"The new secret is proven and stored. {label}."]


def _pause_arguments(parser: CommandParser) -> None:
    parser.add_argument("--reason", default="", help="shown beside the connector")
    parser.add_argument(
        "--until",
        type=installing.moment,
        metavar="YYYY-MM-DDTHH:MM",
        help="when it goes on by itself, in UTC; without it, a person resumes it",
    )


def _pause(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    row = lifecycle.pause(connector, reason=options["reason"], until=options["until"], actor=who())
    until = f" until {shapes.moment(row.paused_until)}" if row.paused_until else ""
    shape = {"connector": row.pk, "paused": True, "paused_until": shapes.iso(row.paused_until)}
    return shape, [f"{row} is paused by {row.paused_by}{until}."]


def _resume(options: Mapping[str, Any]) -> Told:
    row = lifecycle.resume(find_connector(options["connector"]), actor=who())
    return {"connector": row.pk, "paused": False, "paused_until": None}, [f"{row} synchronises."]


def _remove_arguments(parser: CommandParser) -> None:
    parser.add_argument("--yes", action="store_true", help="say that it is meant: a removal cannot be undone")


def _remove(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    if not options["yes"]:
        raise Failed(
            f"Removing {connector} destroys its secret, its token and what it remembers of people; accounts and groups"
            " stay. Say --yes if that is meant."
        )
    row = lifecycle.remove(connector, actor=who())
    return {"connector": row.pk, "status": str(row.status)}, [f"{row} is removed; its accounts and groups stay."]


def _holds(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    holds = holds_of(connector)
    people = _people(connector)
    listed = [
        {
            "object_id": hold.object_id,
            "kind": str(hold.kind),
            "cause": str(hold.cause),
            "name": people.get(hold.object_id, ("", ""))[0],
            "email": people.get(hold.object_id, ("", ""))[1],
        }
        for hold in holds
    ]
    digest = holds_digest(holds)
    lines = [
        f"{one['email'] or one['object_id']}={one['kind']}  {one['name']}  {hold.cause.label}."
        for one, hold in zip(listed, holds, strict=True)
    ]
    lines.append(f"{len(holds)} held. To approve all of these: --all --seen {digest}" if holds else "Nothing is held.")
    return {"connector": connector.pk, "seen": digest, "holds": listed}, lines


def _approve_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "held",
        nargs="*",
        metavar="PERSON=KIND",
        help="a held change as `holds` prints it; PERSON by email or object ID",
    )
    parser.add_argument("--all", action="store_true", help="everything that is held but administrators' accounts")
    parser.add_argument(
        "--seen", metavar="DIGEST", help="with --all: the digest that `holds` printed with what you saw"
    )


def _approve(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    if options["all"]:
        if options["held"] or not options["seen"]:
            raise Failed("--all goes with --seen DIGEST, which `holds` prints, and with nobody else.")
        count = decisions.approve_all(connector, seen=options["seen"], actor=who())
    else:
        wanted = []
        for word in options["held"]:
            person, _, kind = word.rpartition("=")
            if kind not in set(ChangeKind):
                raise Failed(f"{word!r} names no change: write PERSON=KIND, as `holds` prints it.")
            wanted.append((_person(connector, person), ChangeKind(kind)))
        if not wanted:
            raise Failed("Name whom to approve as PERSON=KIND, or say --all.")
        count = decisions.approve(connector, wanted, actor=who())
    return _decided(connector, "approved", count, "The next run applies what is approved and still planned.")


def _people_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "person", nargs="+", metavar="PERSON", help="somebody that `holds` lists, by email or object ID"
    )


def _keep(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    people = [_person(connector, word) for word in options["person"]]
    count = decisions.keep(connector, people, actor=who())
    return _decided(connector, "kept", count, "Their accounts stay as they are until the situation ends.")


def _decline(options: Mapping[str, Any]) -> Told:
    connector = find_connector(options["connector"])
    people = [_person(connector, word) for word in options["person"]]
    count = decisions.decline(connector, people, actor=who())
    return _decided(connector, "declined", count, "They get no account until they have left the group.")


def _whose_arguments(parser: CommandParser) -> None:
    parser.add_argument("person", metavar="PERSON", help="the person in the directory, by object ID or by email")
    parser.add_argument("account", metavar="ACCOUNT", help="the account, by email")


def _say_who(decide: Callable[..., None], sentence: str) -> Callable[[Mapping[str, Any]], Told]:
    def act(options: Mapping[str, Any]) -> Told:
        connector = find_connector(options["connector"])
        person, account = _person(connector, options["person"]), _account(connector, options["account"])
        decide(connector, person, account, actor=who())
        return _decided(connector, "decided", 1, sentence)

    return act


def _decided(connector: Connector, word: str, count: int, sentence: str) -> Told:
    schedule.request(connector.pk, RunTrigger.APPROVAL)
    return {"connector": connector.pk, word: count}, [f"{count} {word}. {sentence}"]


def _people(connector: Connector) -> dict[str, tuple[str, str]]:
    """Return name and email of everybody in the connector's findings, by object id."""
    lines = SyncChange.objects.filter(run=connector.findings_id).exclude(object_id="")
    return {one: (name, email) for one, name, email in lines.values_list("object_id", "name", "email").iterator()}


def _person(connector: Connector, word: str) -> str:
    """Return the object id of somebody in the connector's findings, told by it or by email."""
    wanted = word.strip().lower()
    if is_guid(wanted):
        return wanted
    meant = sorted(one for one, (_, email) in _people(connector).items() if email.lower() == wanted)
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise Failed(f"{len(meant)} people have the address {word!r}. Name the one you mean: {', '.join(meant)}.")
    raise Failed(
        f"Nobody of the last findings has the address {word!r}."
        f" Give the object ID: `manage.py sync {connector.pk} --preview --json` shows it."
    )


def _account(connector: Connector, word: str) -> int:
    """Return the number of an account of the connector's company, told by email."""
    living = Account.objects.filter(company=connector.company_id).exclude(status=AccountStatus.DELETED)
    found = living.filter(email__iexact=word.strip()).values_list("pk", flat=True).first()
    if found is None:
        raise Failed(f"{connector.company} has no account {word!r}. Give the account's email address.")
    return found


VERBS: dict[str, tuple[Callable[[Mapping[str, Any]], Told], str, Callable[[CommandParser], None]]] = {
    "install": (installing.install, "Install a connector, proven before anything is saved.", installing.add_arguments),
    "check": (_check, "Prove the connection and read all that a run reads; changes nothing.", _check_arguments),
    "verify": (_verify, "Verify the connection; ends Unauthorized where Microsoft accepts it again.", _nothing),
    "replace-secret": (_replace_secret, "Replace the client secret once the new one is proven.", _secret_arguments),
    "certificate": (
        certificates.make,
        "Make the certificate that the connector will sign in with; what is in use stays in use.",
        certificates.make_arguments,
    ),
    "use-certificate": (
        certificates.use,
        "Sign in with the certificate that was made, once Microsoft accepts it.",
        certificates.use_arguments,
    ),
    "pause": (_pause, "Stop synchronising until somebody resumes it, or until a moment.", _pause_arguments),
    "resume": (_resume, "Synchronise again; `sync CONNECTOR --preview` shows what that would do.", _nothing),
    "holds": (_holds, "List the changes that wait for a person.", _nothing),
    "approve": (_approve, "Approve held changes.", _approve_arguments),
    "keep": (_keep, "Keep held people's accounts as they are.", _people_arguments),
    "decline": (_decline, "Decline to create or restore held accounts.", _people_arguments),
    "confirm-administrator": (
        _say_who(decisions.confirm_administrator, "The next run links the administrator's account."),
        "Confirm that an administrator's account belongs to a person, so that it may be linked.",
        _whose_arguments,
    ),
    "same-person": (
        _say_who(decisions.same_person, "The next run gives the account to the person in the directory."),
        "Say that a skipped newcomer owns the account that has their address.",
        _whose_arguments,
    ),
    "someone-else": (
        _say_who(decisions.someone_else, "They wait until the address is free."),
        "Say that a skipped newcomer does not own the account that has their address.",
        _whose_arguments,
    ),
    "remove": (_remove, "Remove a connector; accounts and groups stay.", _remove_arguments),
}
"""What each verb does, what its help says, and the arguments it takes beside the connector."""
