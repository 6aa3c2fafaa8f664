"""The commands of operators and scripts: what they print, what they refuse, how they end, and what they never tell."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from connectors.decisions import holds_digest, holds_of
from connectors.management.commands.connector import VERBS
from connectors.models import Connector, SyncRun
from connectors.states import Action, ConnectorStatus, RunTrigger, Situation
from tenants.models import Account, AuditEntry, Company
from tenants.states import AccountRole
from tests.entra_emulator import Emulator, Tenant
from tests.stage import Stage
from tests.world import make_account, make_company, make_partner

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Ended:
    """What a command said, and how it ended."""

    out: str
    err: str
    code: int

    @property
    def shape(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def manage(*words: object) -> Ended:
    """Run a command as the command line does, but in this process."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*(str(word) for word in words), stdout=out, stderr=err)
    except SystemExit as end:
        return Ended(out.getvalue(), err.getvalue(), int(end.code or 0))
    return Ended(out.getvalue(), err.getvalue(), 0)


def stored() -> dict[str, Any]:
    """Return everything that is stored of the one connector; its secret as the database has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM connectors_connector")
        [row] = cursor.fetchall()
        return dict(zip([column[0] for column in cursor.description], row, strict=True))


def usage(*words: object) -> str:
    """Return why a command's arguments are refused."""
    with pytest.raises(CommandError) as caught:
        manage(*words)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _a_known_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ops")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def company(db: None) -> Company:
    return make_company(make_partner("Harbour Ridge IT"))


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    return Stage(emulator, "Ada Lovelace", "Grace Hopper", "Alan Turing", additional=["Engineers"])


@dataclass
class Directory:
    """A tenant that a script installs a connector to."""

    tenant: Tenant
    company: Company
    client_id: str
    secret: str
    sync_group: str
    engineers: str

    def install(self, *words: object) -> list[object]:
        return [
            *("connector", "install", "--company", self.company.slug, "--tenant", self.tenant.domain),
            *("--client-id", self.client_id, "--sync-group", "password boss users", *words),
        ]


@pytest.fixture
def directory(emulator: Emulator, company: Company, monkeypatch: pytest.MonkeyPatch) -> Directory:
    tenant = emulator.add_tenant("Brightwater Logistics", domain="brightwater.example")
    app = tenant.register_app(consented=True)
    group, engineers = tenant.add_group("Password Boss Users"), tenant.add_group("Engineers")
    tenant.add_member(group.id, tenant.add_user("Ada Lovelace", mail="ada@brightwater.example").id)
    monkeypatch.setenv("PBPORTAL_CLIENT_SECRET", app.secret)
    return Directory(tenant, company, app.client_id, app.secret, group.id, engineers.id)


# install


def test_a_connector_is_installed_in_one_go(directory: Directory) -> None:
    words = ("--group", directory.engineers, "--rule", "deleted=delete", "--rule", "NEW=create_pending")
    ended = manage(*directory.install(*words, "--secret-expires", "2028-05-31", "--leave-out-guests", "--json"))
    row = Connector.objects.get()
    assert (ended.code, ended.err) == (0, "")
    assert ended.shape == {
        "result": "installed",
        "connector": row.pk,
        "uid": str(row.uid),
        "company": directory.company.slug,
        "tenant_id": directory.tenant.id,
        "permissions": ["Group.Read.All", "User.Read.All"],
        "sync_group": {"id": directory.sync_group, "name": "Password Boss Users", "members": 1},
        "additional_groups": [{"id": directory.engineers, "name": "Engineers", "members": 0}],
        "rules": {
            "new": "create_pending",
            "disabled": "disable",
            "removed": "disable",
            "deleted": "delete",
            "returned": "enable",
        },
        "settings": {
            "direct_members_only": False,
            "leave_out_guests": True,
            "allow_onmicrosoft": False,
            "send_invitations": True,
        },
        "warnings": ["Nobody is in it."],
    }
    assert (row.status, row.tenant, row.tenant_id, row.cloud) == (
        ConnectorStatus.WAITING,
        directory.tenant.domain,
        directory.tenant.id,
        "global",
    )
    assert (str(row.secret_expires_on), row.leave_out_guests, row.sync_group_id) == (
        "2028-05-31",
        True,
        directory.sync_group,
    )
    assert {rule.situation: rule.action for rule in row.rules.all()} == {"new": "create_pending", "deleted": "delete"}
    assert [group.name for group in row.selected_groups.all()] == ["Engineers"]
    assert row.secret is not None
    assert row.secret.reveal() == directory.secret
    assert (Schedule.objects.filter(name=f"sync:{row.pk}").count(), OrmQ.objects.count()) == (1, 1)
    assert set(AuditEntry.objects.values_list("actor_label", flat=True)) == {"Command line (ops)"}
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "connector.installed",
        "connector.verified",
        "connector.groups_selected",
        "connector.rules_saved",
        "connector.activated",
    ]


def test_the_same_installation_again_is_harmless_and_another_says_what_differs(directory: Directory) -> None:
    words = directory.install("--group", "Engineers")
    first = manage(*words)
    row = Connector.objects.get()
    assert first.lines[-1] == f"Installed connector {row.pk}. Its first run begins as soon as a worker is free."
    acts = AuditEntry.objects.count()
    again = manage(*words)
    assert (again.code, again.lines[-1]) == (0, f"Connector {row.pk} is there already, as told. Nothing was changed.")
    assert manage(*words, "--json").shape["result"] == "unchanged"
    Connector.objects.update(sync_group_name="Renamed since")
    other = manage(
        *directory.install("--group", directory.sync_group, "--rule", "removed=delete", "--direct-members-only"),
        *("--secret-expires", "2028-05-31"),
    )
    assert (other.code, other.out) == (1, "")
    assert other.err.splitlines() == [
        f"Brightwater Logistics already has connector {row.pk} to this tenant. It is not as told; nothing was changed:",
        "  expiry of the secret: not known, not 2028-05-31",
        f"  additional group that is not asked for: Engineers ({directory.engineers})",
        f"  additional group that is missing: Password Boss Users ({directory.sync_group})",
        "  rule for REMOVED: disable, not delete",
        "  direct members only: no, not yes",
        "Change it in the portal, or tell this command what is there.",
    ]
    assert (Connector.objects.count(), AuditEntry.objects.count()) == (1, acts)


def test_another_secret_group_or_application_is_a_difference(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    manage(*directory.install())
    app = directory.tenant.register_app("Password Boss 2", consented=True)
    monkeypatch.setenv("PBPORTAL_CLIENT_SECRET", app.secret)
    words = directory.install("--client-id", app.client_id, "--sync-group", "Engineers")
    assert manage(*words).err.splitlines()[1:-1] == [
        f"  client ID: {directory.client_id}, not {app.client_id}",
        f"  sync group: Password Boss Users ({directory.sync_group}), not Engineers ({directory.engineers})",
        "  client secret: another one is stored",
    ]
    Connector.objects.update(status=ConnectorStatus.SETUP_INCOMPLETE)
    assert manage(*words).err.splitlines()[-2] == "  setup: not finished"


def test_a_dry_run_proves_everything_and_saves_nothing(directory: Directory) -> None:
    ended = manage(*directory.install("--dry-run"))
    assert ended.lines == [
        f"Connection verified: tenant {directory.tenant.id}, permissions Group.Read.All, User.Read.All.",
        f"Sync group: Password Boss Users ({directory.sync_group}), Security, 1 members.",
        "Rules: new=create, disabled=disable, removed=disable, deleted=disable, returned=enable.",
        "Nothing was saved: this was a dry run.",
    ]
    assert (ended.code, Connector.objects.count(), AuditEntry.objects.count()) == (0, 0, 0)


def test_nothing_is_saved_where_the_proof_fails(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.tenant.revoke_consent(directory.client_id)
    ended = manage(*directory.install())
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (1, "", 1)
    monkeypatch.setenv("PBPORTAL_CLIENT_SECRET", "wrong~secret")
    ended = manage(*directory.install())
    assert ended.err.startswith("The client secret is wrong.")
    monkeypatch.setenv("PBPORTAL_CLIENT_SECRET", "0f0e0d0c-0b0a-4908-8706-050403020100")
    assert manage(*directory.install()).err.startswith("This is the Secret ID, not the secret.")
    assert (Connector.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_a_group_that_is_not_there_or_not_one_is_refused_before_anything_is_saved(directory: Directory) -> None:
    twin = directory.tenant.add_group("Engineers")
    ended = manage(*directory.install("--group", "engineers"))
    listed = ", ".join(sorted([directory.engineers, twin.id]))
    assert ended.err == (f"2 groups are called “engineers”. Name the one you mean by its Object ID: {listed}.\n")
    assert manage(*directory.install("--group", "Engine")).err == (
        "This tenant has no group called “Engine”. Groups with such a name: “Engineers”, “Engineers”.\n"
    )
    nobody = "00000000-0000-4000-8000-000000000000"
    assert manage(*directory.install("--group", nobody)).err.rstrip().endswith(f"({nobody})")
    assert manage(*directory.install("--group", " ")).err == "A group is named by its Object ID or its exact name.\n"
    assert Connector.objects.count() == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--rule", "gone=delete"],
            "'gone=delete' names no situation: write one of new, disabled, removed, deleted, returned",
        ),
        (["--rule", "new=delete"], "the rule for new says one of create, create_pending, nothing, not 'delete'"),
        (["--rule", "new"], "the rule for new says one of create, create_pending, nothing, not ''"),
        (["--cloud", "mars"], "invalid choice: 'mars'"),
        (["--secret-expires", "soon"], "'soon' is no day: write it as 2027-05-31"),
        (["--secret", "s3cret"], "unrecognized arguments: --secret s3cret"),
    ],
)
def test_wrong_arguments_are_refused_before_microsoft_is_asked(
    words: list[str], sentence: str, directory: Directory
) -> None:
    assert sentence in usage(*directory.install(*words))
    assert directory.tenant.emulator.journal.where() == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--company", "nowhere"], "There is no company 'nowhere'. Give its slug,"),
        (["--tenant", "contoso"], "A Tenant ID is either a GUID, such as"),
        (["--tenant", "common"], "This stands for all tenants together."),
        (["--client-id", "My app"], "A Client ID is a GUID."),
        (["--secret-expires", "2020-01-01"], "This day is over."),
        (["--rule", "new=create", "--rule", "new=nothing"], "The rule for new is given more than once."),
    ],
)
def test_bad_values_are_refused_with_one_sentence(words: list[str], sentence: str, directory: Directory) -> None:
    ended = manage(*directory.install(*words))
    assert (ended.code, ended.err.startswith(sentence), ended.out) == (1, True, "")
    assert directory.tenant.emulator.journal.where() == []


def test_the_secret_comes_from_standard_input_where_the_environment_has_none(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PBPORTAL_CLIENT_SECRET")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"  {directory.secret}\r\nanother line\n"))
    assert manage(*directory.install()).code == 0
    secret = Connector.objects.get().secret
    assert secret is not None
    assert secret.reveal() == directory.secret
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert manage(*directory.install()).err.startswith("Enter the client secret")


def test_no_command_tells_a_secret(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "Zq8~the-secret-that-nobody-may-see"
    directory.tenant.add_secret(directory.client_id, secret=secret)
    monkeypatch.setenv("PBPORTAL_CLIENT_SECRET", secret)
    said = [manage(*directory.install()), manage(*directory.install("--json", "--group", "Engineers"))]
    number = Connector.objects.get().pk
    said += [
        manage("connectors", "--json"),
        manage("connector", "check", number, "--transcript", tmp_path / "transcript.json"),
        manage("connector", "replace-secret", number),
        manage("sync", number, "--json"),
    ]
    directory.tenant.remove_secret(directory.client_id)
    said += [
        manage("connector", "verify", number),
        manage("connector", "replace-secret", number),
        manage("sync", number),
    ]
    assert [one.code for one in said] == [0, 1, 0, 0, 0, 0, 1, 1, 1]
    texts = [one.out + one.err for one in said] + [(tmp_path / "transcript.json").read_text(), caplog.text]
    assert [text for text in texts if secret in text] == []


# connectors


def test_the_status_of_every_connector(stage: Stage, emulator: Emulator) -> None:
    stage.run()
    other = Stage(emulator, name="Sable Street Brewing", domain="sable.example")
    Connector.objects.filter(pk=other.connector.pk).update(
        paused_at=timezone.now(), paused_by="Maren", secret_expires_on=timezone.now().date() + timedelta(days=3)
    )
    gone = Stage(emulator, name="Quarrystone Legal", domain="quarrystone.example")
    manage("connector", "remove", gone.connector.pk, "--yes")
    ended = manage("connectors", "--json")
    assert [(one["company"], one["status"], [need["code"] for need in one["attention"]]) for one in ended.shape] == [
        ("brightwater-logistics", "connected", []),
        ("sable-street-brewing", "waiting", ["paused", "secret_expires"]),
    ]
    row = stage.refreshed()
    assert ended.shape[0] == {
        "id": row.pk,
        "uid": str(row.uid),
        "partner": "harbour-ridge",
        "company": "brightwater-logistics",
        "company_name": "Brightwater Logistics",
        "name": "Microsoft Entra ID",
        "tenant": stage.tenant.id,
        "tenant_id": stage.tenant.id,
        "client_id": stage.app.client_id,
        "cloud": "global",
        "status": "connected",
        "status_label": "Connected",
        "status_since": row.status_since.isoformat(),
        "status_sentence": "",
        "attention": [],
        "paused": False,
        "paused_until": None,
        "sync_group": {"id": stage.group.id, "name": "Password Boss Users"},
        "additional_groups": 1,
        "in_scope": 3,
        "last_run_at": row.last_run_at.isoformat() if row.last_run_at else None,
        "last_success_at": row.last_success_at.isoformat() if row.last_success_at else None,
        "signs_in_with": "secret",
        "secret_expires_on": None,
    }
    lines = manage("connectors").lines
    assert lines[0].split("  ")[0:4] != []
    assert [line[:8].strip() for line in lines if line[:6].strip()] == [str(row.pk), str(other.connector.pk)]
    assert [one["company"] for one in manage("connectors", "--attention", "--json").shape] == ["sable-street-brewing"]
    assert len(manage("connectors", "--removed", "--json").shape) == 3


def test_one_partners_connectors_are_listed_without_any_others(stage: Stage) -> None:
    make_partner("Northgate Systems")
    assert manage("connectors", "--partner", "northgate-systems").lines == ["There is no such connector."]
    assert manage("connectors", "--partner", "northgate-systems", "--json").shape == []
    assert len(manage("connectors", "--partner", "harbour-ridge", "--json").shape) == 1
    ended = manage("connectors", "--partner", "nobody")
    assert (ended.code, ended.err) == (1, "There is no partner 'nobody'. Give a partner's slug.\n")


def test_listing_costs_the_same_for_few_and_for_many(
    stage: Stage, emulator: Emulator, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        manage("connectors", "--json")
    for number in range(5):
        Stage(emulator, name=f"Company {number}", domain=f"c{number}.example", additional=["Engineers"])
    with django_assert_num_queries(2):
        manage("connectors", "--json")


# sync


def test_a_run_here_and_now_prints_every_change_and_why(stage: Stage) -> None:
    stage.hire("Nomail Example", mail=None, user_principal_name=f"nomail@{stage.tenant.initial_domain}")
    stage.tenant.add_member(stage.groups["Engineers"].id, stage.people["ada"].id)
    ended = manage("sync", "brightwater-logistics", "--json")
    run = SyncRun.objects.get()
    assert (ended.code, run.trigger, run.by_label) == (0, RunTrigger.COMMAND, "Command line (ops)")
    shape = ended.shape
    assert (shape["run"], shape["state"], shape["in_scope"]) == (run.pk, "succeeded", 4)
    assert [(one["outcome"], one["kind"], one["email"], one["cause"]) for one in shape["changes"]] == [
        ("applied", "create", f"ada@{stage.tenant.domain}", ""),
        ("applied", "create", f"alan@{stage.tenant.domain}", ""),
        ("applied", "create", f"grace@{stage.tenant.domain}", ""),
        ("applied", "group_create", "", ""),
        ("applied", "group_join", f"ada@{stage.tenant.domain}", ""),
        ("skipped", "", "", "no_email"),
    ]
    assert all(one["because"] for one in shape["changes"])
    # The person skipped is told again by a run that changes nothing, whose record does not repeat it.
    quiet = manage("sync", stage.connector.pk)
    assert [line for line in quiet.lines if line.startswith("skipped")] == ["skipped   —                Nomail Example"]
    assert quiet.lines[-1].startswith("Succeeded: nothing to do.")


def test_a_preview_writes_nothing_and_prints_what_the_run_then_does(stage: Stage) -> None:
    before = manage("sync", stage.connector.uid, "--preview", "--json").shape
    assert (Account.objects.count(), SyncRun.objects.count(), AuditEntry.objects.count()) == (0, 0, 0)
    lines = manage("sync", stage.connector.pk, "--preview").lines
    assert lines[-1] == "Preview: 3 changes, 0 held, 0 skipped. 3 people in scope."
    done = manage("sync", stage.connector.pk, "--json").shape

    def told(shape: Any) -> list[tuple[str, str, str]]:
        return [(one["kind"], one["email"], one["because"]) for one in shape["changes"]]

    assert told(before) == told(done)
    assert {one["outcome"] for one in before["changes"]} == {"planned"}
    assert set(before["changes"][0]) == set(done["changes"][0])


def test_a_preview_shows_the_held_the_skipped_and_the_left_out(stage: Stage) -> None:
    stage.run()
    for first in ("ada", "grace"):
        stage.tenant.remove_member(stage.group.id, stage.people[first].id)
    Connector.objects.update(leave_out_guests=True)
    guest = stage.tenant.add_guest("Gail Guest", "gail@elsewhere.example")
    stage.tenant.add_member(stage.group.id, guest.id)
    stage.hire("Nomail Example", mail=None, user_principal_name=f"nomail@{stage.tenant.initial_domain}")
    shape = manage("sync", stage.connector.pk, "--preview", "--json").shape
    assert [(one["outcome"], one["kind"], one["cause"]) for one in shape["changes"]] == [
        ("held", "disable", "brake"),
        ("held", "disable", "brake"),
        ("skipped", "", "no_email"),
        ("left_out", "", "guest"),
    ]


def test_a_run_that_fails_or_cannot_begin_ends_with_a_sentence_and_one(stage: Stage) -> None:
    stage.tenant.expire_secret(stage.app.client_id)
    failed = manage("sync", stage.connector.pk)
    assert (failed.code, len(failed.err.splitlines())) == (1, 1)
    refused = manage("sync", stage.connector.pk)
    assert refused == Ended(
        "", "Microsoft refuses the connection: mend what its page says, then verify the connection again.\n", 1
    )
    preview = manage("sync", stage.connector.pk, "--preview")
    assert (preview.code, preview.out, len(preview.err.splitlines())) == (1, "", 1)
    draft = Connector.objects.create(company=make_company(name="Sable Street Brewing"))
    assert manage("sync", draft.pk, "--preview").err.startswith("The connector's setup is not finished")
    assert manage("sync", draft.pk).err.startswith("The connector's setup is not finished")


# connector VERB


def test_a_connector_is_named_by_number_uuid_or_its_companys_slug(stage: Stage, emulator: Emulator) -> None:
    row = stage.connector
    for word in (row.pk, row.uid, "brightwater-logistics"):
        assert manage("connector", "holds", word, "--json").shape["connector"] == row.pk
    for word in ("999999", "nobody", "00000000-0000-4000-8000-000000000000", "9" * 40, "²"):
        assert manage("connector", "holds", word).err == (
            f"There is no connector {word!r}. `manage.py connectors` lists them with their numbers.\n"
        )
    second = Stage(emulator, name="Second", domain="second.example").connector
    Connector.objects.filter(pk=second.pk).update(company=stage.company)
    assert manage("connector", "holds", "brightwater-logistics").err == (
        "Brightwater Logistics has 2 connectors. Name the one you mean by its number:"
        f" {row.pk} ({row.tenant}), {second.pk} ({second.tenant}).\n"
    )


def test_a_check_reads_everything_and_writes_a_transcript_of_shapes(stage: Stage, tmp_path: Path) -> None:
    nested = stage.tenant.add_group("Night shift")
    stage.tenant.add_member(stage.group.id, nested.id)
    stage.tenant.add_member(nested.id, stage.tenant.add_user("Nia Night", mail="nia@brightwater.example").id)
    before = stored()
    path = tmp_path / "transcript.json"
    ended = manage("connector", "check", stage.connector.pk, "--transcript", path)
    assert (ended.code, stored(), AuditEntry.objects.count()) == (0, before, 0)
    assert ended.lines == [
        f"ok      connection        Verified: tenant {stage.tenant.id}, permissions Group.Read.All, User.Read.All.",
        "ok      sync group        Password Boss Users: 4 people, 1 of them through nested groups.",
        "ok      additional group  Engineers: 0 people, 0 of them through nested groups.",
    ]
    assert oct(path.stat().st_mode)[-3:] == "600"
    text = path.read_text()
    assert len(json.loads(text)["calls"]) == len(stage.emulator.journal.where())
    known = [stage.tenant.id, stage.app.client_id, stage.app.secret, "Lovelace", "brightwater", stage.group.id]
    assert [word for word in known if word.lower() in text.lower()] == []
    again = manage("connector", "check", stage.connector.pk, "--transcript", path)
    assert again == Ended("", f"The transcript cannot be written to {path}: File exists. Give another file.\n", 1)
    assert path.read_text() == text


def test_a_check_says_what_fails_and_keeps_the_transcript(stage: Stage, tmp_path: Path) -> None:
    stage.tenant.delete_group(stage.groups["Engineers"].id)
    ended = manage("connector", "check", stage.connector.pk, "--json")
    assert (ended.code, ended.shape["ok"], [step["ok"] for step in ended.shape["steps"]]) == (
        1,
        False,
        [True, True, False],
    )
    assert ended.err == "The connector cannot read everything it needs.\n"
    stage.tenant.revoke_consent(stage.app.client_id)
    path = tmp_path / "transcript.json"
    ended = manage("connector", "check", stage.connector.pk, "--transcript", path)
    assert (ended.code, [line.split()[:2] for line in ended.lines]) == (1, [["FAILED", "connection"]])
    assert json.loads(path.read_text())["calls"] != []
    assert stage.refreshed().status == ConnectorStatus.WAITING
    Connector.objects.update(sync_group_id="", status=ConnectorStatus.SETUP_INCOMPLETE)
    stage.tenant.grant_consent(stage.app.client_id)
    assert manage("connector", "check", stage.connector.pk).lines[-1] == (
        "FAILED  sync group        No sync group is chosen yet: finish the setup."
    )


def test_pausing_resuming_verifying_and_removing(stage: Stage) -> None:
    number = stage.connector.pk
    assert manage("connector", "pause", number, "--reason", "Migration", "--json").shape == {
        "connector": number,
        "paused": True,
        "paused_until": None,
    }
    later = (timezone.now() + timedelta(days=2)).astimezone(UTC).replace(second=0, microsecond=0)
    told = manage("connector", "pause", number, "--until", f"{later:%Y-%m-%dT%H:%M}")
    assert told.lines[0].endswith(f" is paused by Command line (ops) until {later.day} {later:%b %Y %H:%M} UTC.")
    assert stage.refreshed().paused_until == later
    assert manage("connector", "pause", number, "--until", "2020-01-01T00:00").err == (
        "A pause ends at a moment that is still to come, within a year.\n"
    )
    assert manage("sync", number).err.startswith("The connector was paused by Command line (ops)")
    assert manage("connector", "resume", number, "--json").shape == {
        "connector": number,
        "paused": False,
        "paused_until": None,
    }
    Connector.objects.update(status=ConnectorStatus.UNAUTHORIZED)
    assert manage("connector", "verify", number, "--json").shape == {
        "connector": number,
        "tenant_id": stage.tenant.id,
        "permissions": ["Group.Read.All", "User.Read.All"],
        "status": "waiting",
    }
    refused = manage("connector", "remove", number)
    assert (refused.code, refused.err.startswith("Removing Microsoft Entra ID of Brightwater")) == (1, True)
    assert stage.refreshed().status == ConnectorStatus.WAITING
    assert manage("connector", "remove", number, "--yes", "--json").shape == {"connector": number, "status": "removed"}
    assert manage("connector", "check", number).err == "This connector was removed: there is nothing to check.\n"


def test_a_secret_is_replaced_from_a_script(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.tenant.add_secret(stage.app.client_id)
    monkeypatch.setenv("PBPORTAL_CLIENT_SECRET", stage.app.secret)
    words = ("connector", "replace-secret", stage.connector.pk, "--secret-expires", "2028-05-31")
    assert manage(*words, "--json").shape == {"connector": stage.connector.pk, "status": "waiting"}
    row = stage.refreshed()
    assert row.secret is not None
    assert (row.secret.reveal(), str(row.secret_expires_on)) == (stage.app.secret, "2028-05-31")


@pytest.fixture
def braked(db: None, emulator: Emulator) -> Stage:
    names = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jon")
    stage = Stage(emulator, *(f"{first} Example" for first in names))
    stage.run()
    for first in ("ada", "ben", "cleo", "dan", "eve", "finn"):
        stage.tenant.remove_member(stage.group.id, stage.people[first].id)
    stage.run()
    return stage


def test_held_changes_are_listed_and_decided_about(braked: Stage) -> None:
    number, domain = braked.connector.pk, braked.tenant.domain
    listed = manage("connector", "holds", number, "--json").shape
    assert {(one["kind"], one["cause"]) for one in listed["holds"]} == {("disable", "brake")}
    assert {one["email"] for one in listed["holds"]} == {
        f"{first}@{domain}" for first in ("ada", "ben", "cleo", "dan", "eve", "finn")
    }
    assert (
        f"ada@{domain}=disable  Ada Example  More leave at once than the brake allows."
        in manage("connector", "holds", number).lines
    )
    queued = OrmQ.objects.count()
    assert manage("connector", "keep", number, f"ADA@{domain}", "--json").shape == {"connector": number, "kept": 1}
    stale = manage("connector", "approve", number, "--all", "--seen", listed["seen"])
    assert (stale.code, stale.err.startswith("What waits for a decision has changed")) == (1, True)
    one = manage("connector", "approve", number, f"{braked.people['ben'].id}=disable")
    assert one.lines == ["1 approved. The next run applies what is approved and still planned."]
    seen = holds_digest(holds_of(braked.connector))
    assert manage("connector", "approve", number, "--all", "--seen", seen, "--json").shape["approved"] == 5
    assert OrmQ.objects.count() == queued + 3
    assert manage("sync", number).code == 0
    assert {name for name, status in braked.statuses().items() if status == "disabled"} == {
        "ben",
        "cleo",
        "dan",
        "eve",
        "finn",
    }
    assert manage("connector", "holds", number).lines == ["Nothing is held."]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["approve"], "Name whom to approve as PERSON=KIND, or say --all."),
        (["approve", "--all"], "--all goes with --seen DIGEST, which `holds` prints, and with nobody else."),
        (["approve", "ada=disable", "--all", "--seen", "x"], "--all goes with --seen DIGEST"),
        (["approve", "ada@brightwater.example"], "'ada@brightwater.example' names no change: write PERSON=KIND"),
        (
            ["approve", "ada@brightwater.example=delete"],
            "What waits for a decision has changed since this list was made",
        ),
        (
            ["approve", "gus@brightwater.example=disable"],
            "Nobody of the last findings has the address 'gus@brightwater.example'.",
        ),
        (["keep", "gus@brightwater.example"], "Nobody of the last findings has the address 'gus@brightwater.example'."),
        (["decline", "ada@brightwater.example"], "What waits for a decision has changed since this list was made"),
    ],
)
def test_decisions_about_what_is_not_held_are_refused(words: list[str], sentence: str, braked: Stage) -> None:
    acts = AuditEntry.objects.count()
    ended = manage("connector", words[0], braked.connector.pk, *words[1:])
    assert (ended.code, ended.err.startswith(sentence), ended.out) == (1, True, "")
    assert AuditEntry.objects.count() == acts


def test_a_flood_of_newcomers_is_declined_from_a_script(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Example", rules={Situation.NEW: Action.CREATE})
    stage.run()
    stage.hire_many(12)
    stage.run()
    person = holds_of(stage.connector)[0].object_id
    assert manage("connector", "decline", stage.connector.pk, person).lines == [
        "1 declined. They get no account until they have left the group."
    ]
    assert len(holds_of(stage.connector)) == 11


def test_who_owns_an_account_is_decided_from_a_script(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Example", "Ben Example", "Cleo Example")
    address = f"ada@{stage.tenant.domain}"
    admin = make_account(stage.company, email=address, role=AccountRole.ADMIN, claimed=True)
    number = stage.connector.pk
    stage.run()
    assert [one["cause"] for one in manage("connector", "holds", number, "--json").shape["holds"]] == ["admin"]
    ended = manage("connector", "confirm-administrator", number, address, address.upper(), "--json")
    assert ended == Ended(ended.out, "", 0)
    stage.run()
    admin.refresh_from_db()
    assert admin.directory_object_id == stage.people["ada"].id
    stage.tenant.soft_delete_user(stage.people["ada"].id)
    adam = stage.hire("Adam Example", mail=address).id
    stage.run()
    assert manage("connector", "someone-else", number, adam, address).lines == [
        "1 decided. They wait until the address is free."
    ]
    assert manage("connector", "same-person", number, adam, address).code == 0
    stage.run()
    admin.refresh_from_db()
    assert admin.directory_object_id == adam
    ended = manage("connector", "same-person", number, adam, "nobody@brightwater.example")
    assert ended.err == (
        "Brightwater Logistics has no account 'nobody@brightwater.example'. Give the account's email address.\n"
    )


def test_who_has_no_name_on_the_machine_is_named_by_number(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1_987_654)
    manage("connector", "pause", stage.connector.pk)
    assert stage.refreshed().paused_by == "Command line (1987654)"


# The command line itself


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["connector", "holds", "nobody"], 1, "There is no connector 'nobody'. `manage.py connectors` lists them"),
        (["connector", "dance"], 2, "usage: manage.py connector"),
        (["connector", "install", "--secret", "x"], 2, "usage: manage.py connector install"),
    ],
)
def test_a_real_process_ends_with_a_code_and_without_a_traceback(
    words: list[str], code: int, sentence: str, child_environment: dict[str, str]
) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=child_environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.startswith(sentence)) == (code, "", True)
    assert "Traceback" not in ended.stderr


# The documentation


def test_the_documentation_names_every_verb_and_every_key(stage: Stage) -> None:
    """What docs/commands.md shows as JSON has the keys that the commands print."""
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"`connector {verb}" not in text] == []
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    stage.run()
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    printed = [
        manage("connectors", "--json").shape[0],
        manage("sync", stage.connector.pk, "--preview", "--json").shape,
        manage("sync", stage.connector.pk, "--json").shape,
        manage("connector", "check", stage.connector.pk, "--json").shape,
        manage("connector", "holds", stage.connector.pk, "--json").shape,
    ]
    shown = [block[0] if isinstance(block, list) else block for block in blocks]
    assert [set(shape) for shape in printed if set(shape) not in [set(block) for block in shown]] == []
    lines = [set(block["changes"][0]) for block in shown if block.get("changes")]
    assert lines == [set(printed[1]["changes"][0])] * len(lines)
