"""The same emulator over loopback HTTP: another process for the demo, and its control endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msal
import pytest
import requests

from tests.entra_emulator import Emulator, NotThere
from tests.entra_emulator.control import Control
from tests.entra_emulator.forward import session, session_to
from tests.entra_emulator.people import BRIGHTWATER, SYNC_GROUP, populate
from tests.entra_emulator.server import NotLoopback, Server, serving
from tests.entra_emulator.session import in_process
from tests.entra_emulator_contract.conftest import GRAPH, LOGIN, Client, error_of


@pytest.fixture
def server(emulator: Emulator, client: Client) -> Iterator[Server]:
    with serving(emulator) as running:
        yield running


@pytest.fixture
def control(server: Server) -> Iterator[Control]:
    made = Control(server.url)
    yield made
    made.close()


@pytest.fixture
def far(server: Server, client: Client) -> Iterator[Client]:
    """The same client, through the socket."""
    over_http = session_to(server.url)
    yield Client(over_http, client.app, client.tenant).sign_in()
    over_http.close()


def test_msal_and_graph_work_over_the_socket(server: Server, far: Client) -> None:
    """Every document still advertises https and Microsoft's hosts: MSAL refuses anything else."""
    far.tenant.add_user("Ada Lovelace")
    application = msal.ConfidentialClientApplication(
        far.app.client_id,
        client_credential=far.app.secret,
        authority=f"{LOGIN}/{far.tenant.domain}",
        http_client=far.session,
    )
    far.token = application.acquire_token_for_client([f"{GRAPH}/.default"])["access_token"]
    answer = far.get("/users?$select=displayName")
    assert (answer.url, answer.headers["x-emulated"]) == (f"{GRAPH}/v1.0/users?$select=displayName", "entra")
    assert answer.json()["value"] == [{"displayName": "Ada Lovelace"}]


def test_the_connection_really_breaks(control: Control, far: Client) -> None:
    control.faults.add(path="/users", drop=True)
    with pytest.raises(requests.ConnectionError):
        far.get("/users")
    control.faults.add(path="/users", cut=20)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        far.get("/users")
    control.faults.add(path="/users", truncate=True)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        far.get("/users").json()
    assert far.get("/users").status_code == 200


def test_a_story_can_be_told_from_another_process(control: Control, far: Client) -> None:
    tenant = control.tenant("brightwater.example")
    ada = tenant.add_user("Ada Lovelace", mail="ada@brightwater.example")
    group = tenant.add_group("Password Boss Users")
    tenant.add_member(group.id, ada.id)
    tenant.update_user(ada.id, surname="King")
    assert tenant.user("ada@brightwater.example").surname == "King"
    assert [person.id for person in tenant.people_in("Password Boss Users")] == [ada.id]
    assert tenant.describe()["groups"][0]["members"] == [ada.id]
    with pytest.raises(NotThere, match="no living person"):
        tenant.disable_user("nobody")
    with pytest.raises(NotThere, match="no verb"):
        tenant.no_such_verb()
    with pytest.raises(ValueError, match="shoe_size"):
        tenant.update_user(ada.id, shoe_size=3)
    other = control.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    assert other.register_app(consented=True).secret.startswith("em8Q~")
    control.delete_tenant(other.id)
    with pytest.raises(NotThere):
        control.tenant("sablestreet.example")


def test_faults_clock_and_journal_from_another_process(control: Control, far: Client) -> None:
    fault = control.faults.add(path="/users", status=503, retry_after=timedelta(seconds=60), times=None)
    assert error_of(far.get("/users")) == (503, "ServiceUnavailable")
    assert [(item.number, item.hits) for item in control.faults] == [(fault.number, 1)]
    control.faults.remove(fault)
    before = control.clock.now()
    control.clock.advance(hours=2)
    assert control.clock.now() - before >= timedelta(hours=2)
    assert error_of(far.get("/users")) == (401, "InvalidAuthenticationToken")
    assert [entry.status for entry in control.journal.where("/users")] == [503, 401]
    control.forget_journal()
    assert control.journal == []
    control.reset()
    assert control.tenants == {}


def test_control_takes_json_only(server: Server) -> None:
    """A page of another origin cannot send JSON without asking first."""
    answer = requests.post(f"{server.url}/_control/reset", data="{}", timeout=5)
    assert answer.status_code == 415


def test_nothing_but_loopback_is_served(emulator: Emulator) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "::", "example.com"):  # noqa: S104 (that it is refused is the point)
        with pytest.raises(NotLoopback):
            Server(emulator, host)


def test_another_host_is_not_answered_for(server: Server) -> None:
    answer = requests.get(server.url, headers={"Host": "example.com"}, timeout=5)
    assert answer.status_code == 421


def test_what_was_changed_is_remembered(tmp_path: Path) -> None:
    memory = str(tmp_path / "directory.jsonl")
    ids = []
    for _ in range(2):
        with serving(Emulator(), populate=populate, remember=memory) as server:
            control = Control(server.url)
            tenant = control.tenant(BRIGHTWATER)
            if not ids:
                ids.append(tenant.add_user("New Hire", mail="new.hire@brightwater.example").id)
                tenant.add_member(tenant.group(SYNC_GROUP).id, ids[0])
            assert tenant.user("New Hire").id == ids[0]
            assert ids[0] in {person.id for person in tenant.people_in(SYNC_GROUP)}
            control.close()


def test_the_command_serves_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.entra_emulator", "--port", "0"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            url = process.stdout.readline().strip().removeprefix("emulator on ")
            control = Control(url)
            assert control.is_up()
            assert control.tenant(BRIGHTWATER).name == "Brightwater Logistics"
            control.close()
            monkeypatch.setenv("EMULATOR_URL", url)
            with session() as over_http:
                answer = over_http.get(f"{LOGIN}/{BRIGHTWATER}/v2.0/.well-known/openid-configuration", timeout=5)
            assert answer.json()["issuer"].startswith(f"{LOGIN}/")
        finally:
            process.terminate()
    assert process.returncode == 0


def test_the_sessions_named_by_dotted_path_say_what_they_lack(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMULATOR_URL", raising=False)
    with pytest.raises(RuntimeError, match="EMULATOR_URL"):
        session()
    with pytest.raises(RuntimeError, match="install"):
        in_process()
    with emulator.install(), in_process() as near:
        assert near.get(f"{LOGIN}/common/v2.0/.well-known/openid-configuration", timeout=5).status_code == 200
