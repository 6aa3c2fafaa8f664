"""The connector's API: its token opens it and nothing else does; what it tells is what its description says."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.cache import cache
from django.test import Client
from django_q.models import OrmQ

import connectors
from connectors import api, lifecycle
from connectors.models import Connector
from connectors.states import RunTrigger
from connectors.sync import run
from tests.entra_emulator import Emulator
from tests.stage import Stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    cache.clear()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace")


@pytest.fixture
def token(stage: Stage) -> str:
    return lifecycle.regenerate_token(stage.connector, actor="Test")


def call(connector: Connector, token: str, rest: str = "", method: str = "get") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    browser = Client(enforce_csrf_checks=True)
    return getattr(browser, method)(f"/api/connectors/{connector.uid}/{rest}", headers=headers)


def test_status_tells_what_the_page_tells(stage: Stage, token: str) -> None:
    before = call(stage.connector, token).json()
    assert (before["status"], before["last_success_at"], before["running"]) == ("Waiting for connect", None, False)
    run(stage.connector.pk, RunTrigger.SCHEDULE)
    after = call(stage.connector, token).json()
    assert (after["status"], after["people_in_scope"], after["attention"]) == ("Connected", 1, [])


def test_a_token_is_compared_as_a_whole(stage: Stage, token: str) -> None:
    connector = stage.refreshed()
    whole = connector.token_hash
    assert lifecycle.token_matches(connector, token)
    for like in (f"{whole[:-1]}{'0' if whole[-1] != '0' else '1'}", whole[:32] + "0" * 32, whole[:8], ""):
        connector.token_hash = like
        assert not lifecycle.token_matches(connector, token), like


def test_a_run_is_asked_for_and_its_link_tells_of_it(stage: Stage, token: str) -> None:
    answer = call(stage.connector, token, "synchronise/", "post")
    assert (answer.status_code, OrmQ.objects.count()) == (202, 1)
    link = answer.json()["run"]
    assert answer.headers["Location"] == link
    rest = link.partition(f"{stage.connector.uid}/")[2]
    assert call(stage.connector, token, rest).json() == {"state": "queued"}
    run(stage.connector.pk, RunTrigger.API)
    told = call(stage.connector, token, rest).json()
    assert (told["state"], told["why"], told["counts"]) == ("succeeded", "api", {"applied.create": 1})
    assert call(stage.connector, token, f"runs/{told['id']}/").json() == told
    assert call(stage.connector, token, "runs/").json() == {"runs": [told]}


def test_a_connector_that_may_not_run_says_why(stage: Stage, token: str) -> None:
    lifecycle.pause(stage.connector, actor="Test")
    answer = call(stage.connector, token, "synchronise/", "post")
    assert (answer.status_code, OrmQ.objects.count()) == (409, 0)
    assert answer.json()["error"].startswith("The connector was paused by")


def test_every_wrong_token_gets_the_same_answer(stage: Stage, token: str) -> None:
    other = Stage(stage.emulator, name="Sable Street Brewing", domain="sablestreet.example")
    others = lifecycle.regenerate_token(other.connector, actor="Test")
    removed = Stage(stage.emulator, name="Quarrystone", domain="quarrystone.example")
    gone = lifecycle.regenerate_token(removed.connector, actor="Test")
    lifecycle.remove(removed.connector, actor="Test")
    nobody = Connector(uid=uuid.uuid4())
    tried = [
        (stage.connector, ""),
        (stage.connector, "wrong"),
        (stage.connector, others),
        (stage.connector, "é"),
        (nobody, token),
        (nobody, ""),
        (removed.connector, gone),
        (removed.connector, ""),
    ]
    answers = {
        (answer.status_code, answer.content, answer.headers["WWW-Authenticate"])
        for answer in (call(connector, word) for connector, word in tried)
    }
    assert [status for status, _, _ in answers] == [401]
    assert call(other.connector, others).status_code == 200


def test_regenerate_kills_the_old_token_at_once(stage: Stage, token: str) -> None:
    assert call(stage.connector, token).status_code == 200
    new = lifecycle.regenerate_token(stage.connector, actor="Test")
    assert (call(stage.connector, token).status_code, call(stage.connector, new).status_code) == (401, 200)


def test_a_session_does_not_open_it_and_another_scheme_neither(stage: Stage, token: str, admin_client: Client) -> None:
    url = f"/api/connectors/{stage.connector.uid}/"
    assert admin_client.get(url).status_code == 401
    assert Client().get(url, headers={"Authorization": f"Basic {token}"}).status_code == 401
    assert Client().get(f"{url}?token={token}").status_code == 401


def test_another_connectors_run_does_not_exist(stage: Stage, token: str) -> None:
    other = Stage(stage.emulator, name="Sable Street Brewing", domain="sablestreet.example")
    row = other.run(RunTrigger.MANUAL).run
    assert row is not None
    assert call(stage.connector, token, f"runs/{row.pk}/").status_code == 404
    assert call(stage.connector, token, "runs/after/0/").json() == {"state": "queued"}


def test_calls_runs_and_wrong_tokens_are_limited(stage: Stage, token: str) -> None:
    runs = [call(stage.connector, token, "synchronise/", "post").status_code for _ in range(api.RUNS_A_MINUTE + 1)]
    assert runs == [202] * api.RUNS_A_MINUTE + [429]
    wrong = [call(stage.connector, "wrong").status_code for _ in range(api.FAILURES_A_MINUTE + 1)]
    assert wrong == [401] * api.FAILURES_A_MINUTE + [429]
    # Who has the right token is not kept out by who has not.
    right = call(stage.connector, token)
    assert right.status_code == 200
    cache.set(f"api:calls:{stage.connector.pk}", api.CALLS_A_MINUTE, 60)
    slowed = call(stage.connector, token)
    assert (slowed.status_code, slowed.headers["Retry-After"]) == (429, "60")


def test_only_the_method_described_is_answered(stage: Stage, token: str) -> None:
    assert call(stage.connector, token, "synchronise/").status_code == 405
    assert call(stage.connector, token, "", "post").status_code == 405


# The description


def described() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((Path(connectors.__file__).parent / "openapi.yaml").read_text())
    return loaded


def test_the_description_names_every_address_and_no_other() -> None:
    routes = {
        "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern)): pattern.callback.__name__
        for pattern in api.urlpatterns
        if "uid" in str(pattern.pattern)
    }
    told = {
        path: operation["operationId"]
        for path, item in described()["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post")
    }
    assert told == routes


def test_what_is_answered_has_the_described_keys(stage: Stage, token: str) -> None:
    run(stage.connector.pk, RunTrigger.MANUAL)
    schemas = described()["components"]["schemas"]
    for schema, found in (
        ("Status", call(stage.connector, token).json()),
        ("Run", call(stage.connector, token, "runs/").json()["runs"][0]),
    ):
        assert sorted(found) == sorted(schemas[schema]["required"]) == sorted(schemas[schema]["properties"])


def test_the_description_is_served_to_everybody(client: Client) -> None:
    served = client.get("/api/connectors/openapi.yaml")
    assert (served.status_code, yaml.safe_load(served.content)) == (200, described())
    assert json.dumps(described())
