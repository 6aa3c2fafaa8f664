"""The demo's own parts: its ports and processes, its ageing, and the eyes with which its story looks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils import timezone

from connectors.models import Connector, Event, WorkerBeat
from connectors.states import ChangeKind
from tenants.models import Account, Company, Partner, User
from tenants.states import AccountStatus, EventKind
from tests import world
from tests.conftest import ROOT
from tests.demo import ports, post, seed
from tests.demo.directory import directory_of
from tests.demo.environment import AlreadyRunning, environment_of, owning, settings_of, write_settings
from tests.demo.life import STEPS as LIFE
from tests.demo.passing import let_pass, moments_of
from tests.demo.processes import Processes, below
from tests.demo.seen import company_seen, contradictions, end_seen
from tests.demo.steps import STEPS
from tests.entra_emulator import Emulator
from tests.oracle import DirectoryGroup, World, differences
from tests.stage import Stage


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace", "Grace Hopper", additional=["Engineers"])


# Ports and processes


def test_a_taken_port_is_passed_over() -> None:
    with ports.listener(0) as taken, ports.listener(ports.port_of(taken)) as other:
        assert ports.port_of(other) != ports.port_of(taken)
        assert ports.url_of(other) == f"http://127.0.0.1:{ports.port_of(other)}"


def test_one_state_folder_has_one_demo(tmp_path: Path) -> None:
    with owning(tmp_path), pytest.raises(AlreadyRunning), owning(tmp_path):
        pass
    with owning(tmp_path):
        pass


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def until_ended(process: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            os.kill(process, 0)
            if (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        assert time.monotonic() < end, "the process is still there"
        time.sleep(0.05)


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_a_process_that_does_not_end_is_killed(tmp_path: Path) -> None:
    with Processes(tmp_path, grace=0.2) as processes:
        child = processes.start("stubborn", [sys.executable, "-c", STUBBORN], environment=environment())
        while "up" not in child.last_words():
            assert processes.ended() is None
            time.sleep(0.02)
        assert child.process.pid in below(os.getpid())
    assert child.process.returncode == -signal.SIGKILL


PARENT = """
import sys, time
from pathlib import Path
from tests.demo.processes import Processes
import os

with Processes(Path(sys.argv[1])) as processes:
    child = processes.start("child", [sys.executable, "-c", "import time; time.sleep(60)"], environment=os.environ)
    print(child.process.pid, flush=True)
    time.sleep(60)
"""


def test_processes_end_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], env=environment(), stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    until_ended(child)


# Settings


def test_no_setting_of_this_machine_reaches_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PBPORTAL_MAIL_FROM", "EMAIL_URL", "ALLOWED_HOSTS", "DATABASE_URL"):
        monkeypatch.setenv(name, "of this machine")
    settings = settings_of(tmp_path, portal="http://127.0.0.1:1", emulator="http://127.0.0.1:2")
    found = environment_of(settings)
    assert [name for name, value in found.items() if value == "of this machine"] == []
    assert found["DATABASE_URL"] == f"sqlite:///{tmp_path}/demo.sqlite3"
    assert settings_of(tmp_path, portal="http://127.0.0.1:1", emulator="http://127.0.0.1:2") == settings


def test_manage_finds_the_demo_by_its_settings_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, portal="http://127.0.0.1:1", emulator="http://127.0.0.1:2")
    file = write_settings(tmp_path, settings)
    assert file.stat().st_mode & 0o077 == 0
    environment = {"PATH": os.environ["PATH"], "PBPORTAL_ENV_FILE": str(file)}
    asked = "from django.conf import settings; print(settings.DATABASES['default']['NAME'], settings.ENTRA_SESSION)"
    told = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", asked],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert told.split() == [str(tmp_path / "demo.sqlite3"), "tests.entra_emulator.forward.session"]


WITHOUT = """
import sys
sys.modules["pytest"] = sys.modules["hypothesis"] = None
import django
django.setup()
import tests.demo.__main__, tests.demo.microsoft, tests.demo.story
"""


def test_the_demo_needs_nothing_that_only_the_tests_need(tmp_path: Path) -> None:
    found = environment_of(settings_of(tmp_path, portal="http://127.0.0.1:1", emulator="http://127.0.0.1:2"))
    subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, env=found, check=True)


# What it begins with


def test_seeding_twice_is_harmless_and_everybody_can_sign_in(db: None) -> None:
    seed.seed()
    before = (Partner.objects.count(), Company.objects.count(), Account.objects.count())
    seed.seed()
    assert (Partner.objects.count(), Company.objects.count(), Account.objects.count()) == before
    assert before[0] == 2
    assert [User.objects.get(email=email).check_password(world.PASSWORD) for email, _ in seed.PEOPLE] == [True] * 7
    names = set(Company.objects.values_list("name", flat=True))
    assert {one.company for one in (*seed.CONNECTED, *seed.TO_INSTALL)} <= names
    assert {one.email for one in seed.TO_INSTALL} <= {email for email, _ in seed.PEOPLE}


# The passing of time


def moments() -> dict[tuple[str, int, str], Any]:
    found = {}
    for label in ("tenants", "connectors"):
        for model in apps.get_app_config(label).get_models():
            for row in model._base_manager.all():
                for name in moments_of(model):
                    found[model.__name__, row.pk, name] = getattr(row, name)
    return found


def test_everything_stored_becomes_older_but_the_signs_of_life(stage: Stage) -> None:
    stage.run()
    WorkerBeat.objects.create(cluster="here", at=timezone.now())
    before = moments()
    let_pass(timedelta(days=3, hours=1))
    after = moments()
    assert {key: value for key, value in before.items() if key[0] == "WorkerBeat"} == {
        key: value for key, value in after.items() if key[0] == "WorkerBeat"
    }
    moved = {key: value for key, value in before.items() if value is not None and key[0] != "WorkerBeat"}
    assert {"AuditEntry", "SyncRun", "SyncChange", "Account", "Connector"} <= {key[0] for key in moved}
    assert {key: after[key] for key in moved} == {
        key: value - timedelta(days=3, hours=1) for key, value in moved.items()
    }


def test_a_stored_day_comes_closer_by_whole_days(stage: Stage) -> None:
    day = timezone.now().date()
    Connector.objects.update(secret_expires_on=day)
    Event.objects.create(
        company=stage.company,
        connector=stage.connector,
        kind=EventKind.EXPIRY,
        reason=day.isoformat(),
        began_at=timezone.now(),
        told_at=timezone.now(),
    )
    let_pass(timedelta(hours=23))
    assert stage.refreshed().secret_expires_on == day
    let_pass(timedelta(days=3))
    assert stage.refreshed().secret_expires_on == day - timedelta(days=3)
    assert Event.objects.get().reason == (day - timedelta(days=3)).isoformat()


# The mails of the story


def send(folder: Path, *subjects: str) -> None:
    connection = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=folder)
    for subject in subjects:
        mail = EmailMultiAlternatives(subject, "Grüße in words.", to=["it@firm.example"], connection=connection)
        mail.attach_alternative(f"<h1>{subject}</h1>", "text/html")
        mail.send()


def test_mails_are_read_as_they_were_sent_and_kept_as_files(tmp_path: Path) -> None:
    send(tmp_path / "mail", "Changes are held", "Grüße")
    send(tmp_path / "mail", "Resolved: changes are held")
    mails = post.mails_in(tmp_path / "mail")
    assert [(mail.to, mail.subject, mail.text.strip(), mail.html.strip()) for mail in mails] == [
        ("it@firm.example", subject, "Grüße in words.", f"<h1>{subject}</h1>")
        for subject in ("Changes are held", "Grüße", "Resolved: changes are held")
    ]
    assert len({mail.id for mail in mails}) == 3
    for _ in range(2):
        post.keep(mails, tmp_path / "kept")
    kept = sorted(file.name for file in (tmp_path / "kept").iterdir())
    assert kept[:2] == ["001-changes-are-held.html", "001-changes-are-held.txt"]
    assert len(kept) == 7


def test_a_mail_that_is_being_written_is_not_read_yet(tmp_path: Path) -> None:
    send(tmp_path, "Whole", "Half")
    [file] = tmp_path.glob("*.log")
    file.write_text(file.read_text(encoding="utf-8").rpartition("-" * 79)[0], encoding="utf-8")
    assert [mail.subject for mail in post.mails_in(tmp_path)] == ["Whole"]


# The eyes of the story


def test_the_directory_is_told_as_it_is(stage: Stage) -> None:
    tenant, inner = stage.tenant, stage.tenant.add_group("Inner")
    guest = tenant.add_guest(" Marta ", "marta@elsewhere.example")
    gone = tenant.add_user("Gone", mail="gone@brightwater.example")
    tenant.add_members(stage.group.id, [inner.id, tenant.add_device("A device").id])
    tenant.add_member(inner.id, guest.id)
    tenant.hide_group(inner.id)
    tenant.soft_delete_user(gone.id)
    found = directory_of(tenant.describe())
    people = {one.id for one in stage.people.values()}
    assert found.tenant_id == tenant.id
    assert found.people.keys() == people | {guest.id}
    assert (found.people[guest.id].guest, found.people[guest.id].display_name) == (True, "Marta")
    assert found.groups[inner.id] == DirectoryGroup("Inner", {guest.id}, set(), readable=False)
    assert found.groups[stage.group.id].groups == {inner.id}
    assert found.members(stage.groups["Engineers"].id) == {}
    assert found.state(stage.group.id) == "unreadable"


def expected_of(stage: Stage) -> World:
    found = World(company=company_seen(stage.company, {}))
    additional = tuple(group.id for group in stage.groups.values())
    found.person_does(
        "install", tenant_id=stage.tenant.id, sync_group=stage.group.id, additional=additional, first_run=True
    )
    return found


def test_what_a_run_did_is_seen_as_the_oracle_expects_it(stage: Stage) -> None:
    stage.tenant.add_member(stage.groups["Engineers"].id, stage.people["ada"].id)
    stage.tenant.disable_user(stage.hire("Alan Turing").id)
    oracle = expected_of(stage)
    stage.run()
    end = oracle.run(directory_of(stage.tenant.describe()), time.time())
    seen = end_seen(stage.refreshed(), "entra")
    assert differences(end, seen) == []
    assert contradictions(stage.connector) == []
    assert [account.status for account in seen.company.accounts] == [AccountStatus.ACTIVE] * 2
    assert {reason for _, reason in seen.skipped} == {"disabled_newcomer"}


def test_what_is_held_is_seen(stage: Stage) -> None:
    oracle = expected_of(stage)
    stage.run()
    oracle.run(directory_of(stage.tenant.describe()), time.time())
    stage.tenant.empty_group(stage.group.id)
    stage.run()
    end = oracle.run(directory_of(stage.tenant.describe()), time.time())
    seen = end_seen(stage.refreshed(), "entra")
    assert differences(end, seen) == []
    assert seen.held == {one.id: ChangeKind.DISABLE for one in stage.people.values()}


@pytest.mark.parametrize(
    "tampering", [{"status": "disabled", "disabled_by": "person"}, {"last_name": "Byron"}], ids=str
)
def test_what_nobody_expected_is_seen(stage: Stage, tampering: dict[str, str]) -> None:
    oracle = expected_of(stage)
    stage.run()
    end = oracle.run(directory_of(stage.tenant.describe()), time.time())
    Account.objects.filter(email__startswith="ada@").update(**tampering)
    assert len(differences(end, end_seen(stage.refreshed(), "entra"))) == len(tampering)


def test_a_database_that_contradicts_itself_is_seen(stage: Stage) -> None:
    stage.run()
    assert contradictions(stage.connector) == []
    Account.objects.filter(email__startswith="ada@").update(managed_by="pb")
    assert contradictions(Connector.objects.get()) == ["ada@brightwater.example: linked, and managed by PB"]


def test_every_step_has_a_name_of_its_own() -> None:
    names = [name for name, _ in STEPS]
    assert len(names) == len(set(names)) > 50
    weeks = [name for name, _ in LIFE]
    assert len(weeks) == len(set(weeks)) > 30
