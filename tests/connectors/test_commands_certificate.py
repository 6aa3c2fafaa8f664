"""A certificate instead of a secret from a script: installed in two steps, made and used for a live connector."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import lifecycle
from connectors.entra import forget_tokens, make_pair, read_certificate
from connectors.models import Connector
from connectors.states import ConnectorStatus
from tenants.models import AuditEntry
from tests.conftest import ROOT
from tests.connectors.test_certificates import NOON
from tests.connectors.test_commands import Directory, manage, usage
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_company, make_partner


@pytest.fixture
def emulator(db: None) -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(emulator: Emulator) -> Stage:
    return Stage(emulator, "Ada Lovelace")


@pytest.fixture
def directory(emulator: Emulator) -> Directory:
    tenant = emulator.add_tenant("Brightwater Logistics", domain="brightwater.example")
    app = tenant.register_app(consented=True)
    group, engineers = tenant.add_group("Password Boss Users"), tenant.add_group("Engineers")
    company = make_company(make_partner("Harbour Ridge IT"))
    return Directory(tenant, company, app.client_id, app.secret, group.id, engineers.id)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the certificate goes; no secret is told from here on, and none is asked for."""
    monkeypatch.delenv("PBPORTAL_CLIENT_SECRET", raising=False)
    monkeypatch.setattr("sys.stdin", None)
    return tmp_path / "brightwater.pem"


def keys_shown() -> list[dict[str, Any]]:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def test_a_connector_is_installed_in_two_steps_and_the_third_is_harmless(directory: Directory, file: Path) -> None:
    words = directory.install("--certificate", file, "--json")
    made = manage(*words)
    row = Connector.objects.get()
    facts = read_certificate(file.read_text())
    assert made.shape == {
        "result": "certificate_made",
        "connector": row.pk,
        "uid": str(row.uid),
        "company": directory.company.slug,
        "thumbprint": facts.thumbprint,
        "sha256": facts.sha256,
        "expires_on": facts.expires_on.isoformat(),
    }
    assert set(made.shape) in [set(block) for block in keys_shown() if isinstance(block, dict)]
    assert (row.status, row.client_id, file.read_text()) == (
        ConnectorStatus.SETUP_INCOMPLETE,
        "",
        row.next_certificate,
    )
    assert "PRIVATE" not in file.read_text()

    # Not uploaded yet: nothing is installed, and nothing is lost.
    early = manage(*words)
    assert (early.code, early.err.startswith("Microsoft does not accept the certificate")) == (1, True)
    assert Connector.objects.get().next_certificate == file.read_text()
    directory.tenant.add_certificate(directory.client_id, file.read_text())
    assert manage(*words, "--dry-run").shape["result"] == "dry_run"
    assert Connector.objects.get().status == ConnectorStatus.SETUP_INCOMPLETE
    assert manage(*words).shape["result"] == "installed"
    row = Connector.objects.get()
    assert (row.status, row.certificate, row.next_certificate, row.secret, row.secret_expires_on) == (
        ConnectorStatus.WAITING,
        file.read_text(),
        "",
        None,
        facts.expires_on,
    )
    before = AuditEntry.objects.count()
    assert manage(*words).shape["result"] == "unchanged"
    assert AuditEntry.objects.count() == before


def test_a_secret_that_is_in_use_is_a_difference_and_not_replaced(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBPORTAL_CLIENT_SECRET", directory.secret)
    assert manage(*directory.install("--json")).shape["result"] == "installed"
    monkeypatch.delenv("PBPORTAL_CLIENT_SECRET")
    words = directory.install("--certificate", tmp_path / "new.pem")
    assert manage(*words).lines[0].startswith("Certificate: thumbprint ")
    directory.tenant.add_certificate(directory.client_id, (tmp_path / "new.pem").read_text())
    refused = manage(*words)
    assert (refused.code, "certificate: a client secret is in use" in refused.err) == (1, True)


def test_a_file_that_is_no_certificate_of_the_company_is_refused(directory: Directory, file: Path) -> None:
    words = directory.install("--certificate", file)
    assert "certificate is made and written to it" in manage(*words, "--dry-run").err
    assert not file.exists()
    file.write_text("no certificate")
    assert manage(*words).err == (f"{file} holds no certificate. Name a file that does not exist, and one is made.\n")
    file.write_text(make_pair("x", NOON, years=1).certificate)
    assert manage(*words).err == (
        "This certificate was made for no connector of this company, or was thrown away since.\n"
    )
    assert "cannot be read" in manage(*directory.install("--certificate", file.parent)).err
    assert "cannot be written" in manage(*directory.install("--certificate", file / "below.pem")).err
    assert Connector.objects.count() == 0


def test_a_live_connector_changes_over_to_a_certificate(stage: Stage, file: Path) -> None:
    number = stage.connector.pk
    made = manage("connector", "certificate", number, "--out", file, "--years", "2", "--json").shape
    facts = read_certificate(file.read_text())
    assert made == {
        "connector": number,
        "thumbprint": facts.thumbprint,
        "sha256": facts.sha256,
        "expires_on": facts.expires_on.isoformat(),
    }
    assert stat.S_IMODE(os.stat(file).st_mode) & 0o022 == 0
    assert stage.refreshed().secret is not None
    assert manage("connector", "certificate", number, "--out", file).err.startswith("The certificate cannot be written")
    # The file is lost: the same certificate is written once more.
    file.unlink()
    manage("connector", "certificate", number, "--out", file)
    assert read_certificate(file.read_text()) == facts
    assert manage("connector", "use-certificate", number).code == 1
    stage.tenant.add_certificate(stage.app.client_id, file.read_text())
    assert manage("connector", "use-certificate", number, "--json").shape == {
        "connector": number,
        "status": "waiting",
        "thumbprint": facts.thumbprint,
        "sha256": facts.sha256,
        "expires_on": facts.expires_on.isoformat(),
    }
    assert manage("connectors", "--json").shape[0]["signs_in_with"] == "certificate"
    assert "choose from 1, 2" in usage("connector", "certificate", number, "--out", file, "--years", "3")


def test_what_is_not_made_leaves_no_file(stage: Stage, file: Path) -> None:
    lifecycle.remove(stage.connector, actor="ops")
    assert manage("connector", "certificate", stage.connector.pk, "--out", file).err.startswith(
        "This connector was removed."
    )
    assert not file.exists()


def test_a_transcript_holds_neither_the_key_nor_an_assertion(stage: Stage, file: Path) -> None:
    number = stage.connector.pk
    manage("connector", "certificate", number, "--out", file)
    stage.tenant.add_certificate(stage.app.client_id, file.read_text())
    assert manage("connector", "use-certificate", number).code == 0
    forget_tokens()
    transcript = file.parent / "transcript.txt"
    assert manage("connector", "check", number, "--transcript", transcript).code == 0
    text = transcript.read_text()
    assert "/oauth2/v2.0/token" in text
    row = stage.refreshed()
    assert row.private_key is not None
    lines = [line for line in row.private_key.reveal().splitlines() if not line.startswith("-----")]
    assert len(lines) > 20
    assert [word for word in [*lines, "eyJ", "client_assertion="] if word in text] == []
