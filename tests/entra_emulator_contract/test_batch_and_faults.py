"""``$batch``, resource units, faults on demand, and the journal."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from urllib3.util import Retry

from tests.entra_emulator import Emulator, Tenant
from tests.entra_emulator.session import session_of
from tests.entra_emulator_contract.conftest import GRAPH, Client, error_of

NOBODY = "00000000-1111-2222-3333-444444444444"


def step(id: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "method": "GET", "url": url, **more}


def responses(answer: requests.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {item["id"]: item for item in answer.json()["responses"]}


# --- $batch ------------------------------------------------------------------------------------


def test_a_batch_answers_each_by_itself(client: Client, tenant: Tenant) -> None:
    """microsoft-graph-docs concepts/json-batching.md: outer 200 whatever became of the steps."""
    ada = tenant.add_user("Ada Lovelace").id
    found = responses(client.batch(step("a", f"/users/{ada}?$select=id"), step("b", f"/users/{NOBODY}")))
    assert (found["a"]["status"], found["a"]["body"]["id"]) == (200, ada)
    assert (found["b"]["status"], found["b"]["body"]["error"]["code"]) == (404, "Request_ResourceNotFound")


def test_answers_come_in_any_order(client: Client) -> None:
    """microsoft-graph-docs concepts/json-batching.md: match by id, never by position."""
    steps = [step(str(number), "/users?$top=1") for number in range(20)]
    orders = [[item["id"] for item in client.batch(*steps).json()["responses"]] for _ in range(2)]
    asked = [item["id"] for item in steps]
    assert [sorted(order, key=int) for order in orders] == [asked, asked]
    assert all(order != asked for order in orders)


@pytest.mark.parametrize(
    "steps",
    [
        [step(str(number), "/users") for number in range(21)],
        [step("a", "/users"), step("A", "/groups")],
        [{"method": "GET", "url": "/users"}],
        [step("a", f"{GRAPH}/v1.0/users")],
        [step("a", "/users", dependsOn=["b"])],
    ],
)
def test_a_batch_that_breaks_the_rules_is_400(client: Client, steps: list[dict[str, Any]]) -> None:
    """microsoft-graph-docs concepts/json-batching.md: 20 at most, ids unique without case, relative urls."""
    assert error_of(client.batch(*steps)) == (400, "BadRequest")


def test_a_step_after_a_failed_one_is_424(client: Client) -> None:
    """microsoft-graph-docs concepts/json-batching.md: dependsOn."""
    found = responses(client.batch(step("a", f"/users/{NOBODY}"), step("b", "/users", dependsOn=["a"])))
    assert {id: item["status"] for id, item in found.items()} == {"a": 404, "b": 424}


def test_a_step_has_its_own_headers_and_next_link(client: Client, tenant: Tenant) -> None:
    """microsoft-graph-docs concepts/json-batching.md: inner nextLinks are absolute."""
    for number in range(3):
        tenant.add_group(f"Boss {number}")
    search = '/groups?$search="displayName:boss"&$top=2'
    with_header = step("b", search, headers={"ConsistencyLevel": "eventual"})
    found = responses(client.batch(step("a", search), with_header))
    assert {id: item["status"] for id, item in found.items()} == {"a": 400, "b": 200}
    following = client.get(found["b"]["body"]["@odata.nextLink"], eventual=True)
    assert len(following.json()["value"]) == 1


def test_a_batch_reads_only(client: Client) -> None:
    found = responses(client.batch({"id": "a", "method": "DELETE", "url": f"/users/{NOBODY}"}, step("b", "/$batch")))
    assert {id: item["status"] for id, item in found.items()} == {"a": 405, "b": 400}


def test_one_step_may_be_throttled_alone(emulator: Emulator, client: Client) -> None:
    """microsoft-graph-docs#3877: a decimal Retry-After inside a batch."""
    emulator.faults.add(path="/groups", status=429, retry_after=0.249)
    found = responses(client.batch(step("a", "/users"), step("b", "/groups")))
    assert found["a"]["status"] == 200
    assert (found["b"]["status"], found["b"]["headers"]["Retry-After"]) == (429, "0.249")


# --- resource units ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "units"),
    [
        ("/users", 2),
        ("/users?$select=id", 1),
        ("/users?$top=5&$select=id", 1),
        ("/groups", 1),
        ("/groups/{group}/members", 3),
        ("/groups/{group}/members?$select=id&$top=999", 2),
        ("/groups/{group}/members?$select=id&$top=10", 1),
        ("/groups/{group}/transitiveMembers", 5),
        ("/groups/{group}?$expand=members", 2),
    ],
)
def test_each_read_has_its_price(client: Client, tenant: Tenant, path: str, units: int) -> None:
    """microsoft-graph-docs concepts/throttling-limits.md, identity and access."""
    group = tenant.add_group("Password Boss Users").id
    assert client.get(path.format(group=group)).headers["x-ms-resource-unit"] == str(units)


def test_the_bucket_runs_dry_and_fills_again(emulator: Emulator, client: Client, tenant: Tenant) -> None:
    """microsoft-graph-docs concepts/throttling-limits.md: 3,500 units in 10 s for a tenant below 50 users."""
    group = tenant.add_group("Password Boss Users").id
    path = f"/groups/{group}/transitiveMembers"
    statuses = [client.get(path).status_code for _ in range(699)]
    assert set(statuses) == {200}
    last = client.get(path)
    assert (last.status_code, last.headers["x-ms-throttle-limit-percentage"]) == (200, "1.00")
    refused = client.get(path)
    assert error_of(refused) == (429, "TooManyRequests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert refused.headers["x-ms-throttle-scope"] == (
        f"Tenant_Application/ReadWrite/{client.app.client_id}/{tenant.id}"
    )
    assert refused.headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"
    assert sorted(refused.json()["error"]["innerError"]) == ["code", "date", "request-id", "status"]
    emulator.clock.advance(11)
    assert client.get(path).status_code == 200


# --- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504, 509])
def test_a_status_on_demand_once(emulator: Emulator, client: Client, status: int) -> None:
    fault = emulator.faults.add(path=r"/users$", status=status)
    assert client.get("/groups").status_code == 200
    assert [client.get("/users").status_code for _ in range(2)] == [status, 200]
    assert (fault.seen, fault.hits) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "sent"), [(30, "30"), (0.249, "0.249"), ("soon", "soon"), (None, None), (86400, "86400")]
)
def test_retry_after_in_every_form(emulator: Emulator, client: Client, asked: Any, sent: str | None) -> None:
    """RFC 9110 §10.2.3 allows seconds and dates; microsoft-graph-docs#3877 shows decimals; it may be missing."""
    emulator.faults.add(status=429, retry_after=asked)
    assert client.get("/users").headers.get("Retry-After") == sent


def test_retry_after_as_a_date(emulator: Emulator, client: Client) -> None:
    emulator.faults.add(status=503, retry_after=timedelta(seconds=90))
    answer = client.get("/users")
    sent, now = (parsedate_to_datetime(answer.headers[name]) for name in ("Retry-After", "Date"))
    assert sent - now == timedelta(seconds=90)


def test_where_and_when_a_fault_strikes(emulator: Emulator, client: Client, tenant: Tenant) -> None:
    other = emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    theirs = Client(emulator.session(), other.register_app(consented=True), other).sign_in()
    emulator.faults.add(tenant="sablestreet.example", path="/users", nth=2, times=2, status=503)
    emulator.faults.add(method="POST", path="batch", times=None, status=504)
    assert [theirs.get("/users").status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert [client.get("/users").status_code for _ in range(3)] == [200, 200, 200]
    assert [client.batch(step("a", "/users")).status_code for _ in range(3)] == [504, 504, 504]
    emulator.faults.clear()
    assert client.batch(step("a", "/users")).status_code == 200


def test_one_fault_to_a_request(emulator: Emulator, client: Client) -> None:
    emulator.faults.add(path="/users", status=503)
    emulator.faults.add(path="/users", status=429)
    assert [client.get("/users").status_code for _ in range(3)] == [503, 429, 200]


def test_a_page_of_a_listing_can_be_hit(emulator: Emulator, client: Client, tenant: Tenant) -> None:
    for number in range(5):
        tenant.add_user(f"Person {number}")
    emulator.faults.add(path="/users", page=2, status=503)
    first = client.get("/users?$top=2").json()
    assert client.get(first["@odata.nextLink"]).status_code == 503
    assert client.get(first["@odata.nextLink"]).status_code == 200


def test_a_dropped_connection(emulator: Emulator, client: Client) -> None:
    emulator.faults.add(path="/users", drop=True)
    with pytest.raises(requests.ConnectionError, match="Remote end closed connection without response"):
        client.get("/users")
    assert [entry.status for entry in emulator.journal.where("/users")] == [0]


def test_a_body_cut_short(emulator: Emulator, client: Client) -> None:
    emulator.faults.add(path="/users", cut=20)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.get("/users")


def test_json_that_ends_too_soon(emulator: Emulator, client: Client) -> None:
    emulator.faults.add(path="/users", truncate=True)
    answer = client.get("/users")
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("document", [[], {"value": "x"}, {"value": [{"id": 7}]}, "text", {}])
def test_json_of_another_shape(emulator: Emulator, client: Client, document: Any) -> None:
    emulator.faults.add(path="/users", document=document)
    answer = client.get("/users")
    assert (answer.status_code, answer.json()) == (200, document)


def test_an_answer_too_late(emulator: Emulator, client: Client) -> None:
    emulator.faults.add(path="/users", latency=60)
    with pytest.raises(requests.ReadTimeout):
        client.get("/users")


def test_retries_of_urllib3_work_in_process(emulator: Emulator, client: Client) -> None:
    emulator.faults.add(path="/users", drop=True)
    emulator.faults.add(path="/users", status=503)
    retries = Retry(total=3, status_forcelist=[503], backoff_factor=0, respect_retry_after_header=False)
    client.session = session_of(emulator, max_retries=retries)
    assert client.get("/users").status_code == 200
    assert [entry.status for entry in emulator.journal.where("/users")] == [0, 503, 200]


def test_a_change_between_two_pages(emulator: Emulator, client: Client, tenant: Tenant) -> None:
    group = tenant.add_group("Password Boss Users").id
    for number in range(4):
        tenant.add_member(group, tenant.add_user(f"Person {number}").id)
    change = {"tenant": tenant.domain, "verb": "revoke_tokens", "args": [client.app.client_id]}
    emulator.faults.add(path="/members", page=2, change=change)
    first = client.get(f"/groups/{group}/members?$top=2")
    assert first.status_code == 200
    assert client.get(first.json()["@odata.nextLink"]).status_code == 401


# --- journal and seclusion -----------------------------------------------------------------------


def test_the_journal_has_every_request_and_no_secret(emulator: Emulator, client: Client, tenant: Tenant) -> None:
    client.batch(step("a", "/users"), step("b", "/groups"))
    client.get("/users?$select=id", headers={"client-request-id": "mine"})
    entries = [(entry.method, entry.path, entry.status) for entry in emulator.journal]
    assert entries == [
        ("POST", f"/{tenant.id}/oauth2/v2.0/token", 200),
        ("GET", "/v1.0/users", 200),
        ("GET", "/v1.0/groups", 200),
        ("POST", "/v1.0/$batch", 200),
        ("GET", "/v1.0/users?$select=id", 200),
    ]
    last = emulator.journal[-1]
    assert (last.tenant, last.client_id, last.client_request_id) == (tenant.id, client.app.client_id, "mine")
    assert len(emulator.journal.where("/users", batch_id=emulator.journal[3].request_id)) == 1
    told = json.dumps(emulator.journal.as_data())
    assert client.app.secret not in told
    assert client.token not in told
    assert client.app.secret not in repr(client.app) + repr(tenant) + repr(emulator.applications)


def test_nothing_leaves_the_process(emulator: Emulator, client: Client) -> None:
    with pytest.raises(requests.ConnectionError, match="not a Microsoft origin"):
        client.get("https://graph.microsoft.com.evil.example/v1.0/users")
    assert emulator.strays == [("GET", "https://graph.microsoft.com.evil.example/v1.0/users", True)]
