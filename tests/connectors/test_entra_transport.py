"""One request: where it may go, how long it may take, when it is sent again, and what is kept of it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.directory import DirectoryError, Throttled, Unavailable, Unexpected
from connectors.entra import Transcript
from connectors.entra.waits import backoff, retry_after
from tests.connectors.entra_scene import NOBODY, Recording, Rewriting, Scene

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
MEMBERS = "/members"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("0.249", 0.249),
        ("-5", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30.0),
        ("1e9", 86400.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_every_form_of_retry_after_is_understood(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


def test_waits_grow_and_are_never_in_step() -> None:
    first = [backoff(0) for _ in range(20)]
    assert len(set(first)) > 1
    for attempt, seconds in enumerate((1, 2, 4, 8, 8)):
        assert 0.75 * seconds <= backoff(attempt) <= 1.25 * seconds


@pytest.mark.parametrize(
    ("header", "waited"),
    [("3", [3.0]), (0.25, [0.25]), (timedelta(seconds=8), None), (None, None)],
)
def test_a_short_throttle_is_waited_out_in_place(scene: Scene, header: Any, waited: list[float] | None) -> None:
    person = scene.hire("Ada Byron")
    scene.emulator.faults.add(path=MEMBERS, status=429, retry_after=header)
    assert list(scene.read().people) == [person.id]
    assert len(scene.waited) == 1
    assert 0 <= scene.waited[0] <= 10
    if waited is not None:
        assert scene.waited == waited


@pytest.mark.parametrize("header", ["11", "300", timedelta(minutes=5), 10.5])
@pytest.mark.parametrize("status", [429, 503])
def test_a_long_throttle_is_handed_to_the_schedule(scene: Scene, header: Any, status: int) -> None:
    scene.emulator.faults.add(path=MEMBERS, status=status, retry_after=header)
    before = scene.emulator.clock.now()
    with pytest.raises(Throttled) as caught:
        scene.read()
    assert scene.waited == []
    asked = header.total_seconds() if isinstance(header, timedelta) else float(header)
    assert timedelta(seconds=asked - 2) <= caught.value.until - before <= timedelta(seconds=asked + 60)
    assert caught.value.reference != ""


def test_a_throttle_that_goes_on_is_handed_to_the_schedule(scene: Scene) -> None:
    scene.emulator.faults.add(path=MEMBERS, status=429, retry_after="1", times=None)
    with pytest.raises(Throttled):
        scene.read()
    assert scene.waited == [1.0, 1.0, 1.0]
    assert len(scene.asked(MEMBERS)) == 4


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502},
        {"status": 503},
        {"status": 504},
        {"drop": True},
        {"cut": 25},
        {"truncate": True},
        {"document": ["no", "object"]},
    ],
)
def test_a_short_fault_is_tried_again_and_a_lasting_one_is_unavailable(scene: Scene, fault: Any) -> None:
    scene.crowd(25)
    expected = scene.read()
    scene.emulator.faults.add(path=MEMBERS, times=3, **fault)
    assert scene.read() == expected
    scene.emulator.faults.add(path=MEMBERS, times=None, **fault)
    with pytest.raises(Unavailable) as caught:
        scene.read()
    assert caught.value.sentence.endswith("Nothing was changed; the next run tries again.")
    assert len(scene.waited) == 6


def test_one_answer_that_drips_for_ever_is_given_up(scene: Scene) -> None:
    class Dripping(requests.Session):
        def request(self, *args: Any, **words: Any) -> requests.Response:
            response = scene.emulator.session().request(*args, **words)
            response.iter_content = lambda size: (time.sleep(0.05) or b" " for _ in range(1000))
            return response

    with pytest.raises(Unavailable, match=r"within the 0 seconds that one run may take"):
        scene.read(scene.directory(session=Dripping(), seconds=0.2))


def test_an_answer_of_any_size_is_not_read_to_its_end(scene: Scene) -> None:
    session = Rewriting(scene.emulator.session(), lambda url, body: body + b" " * (33 * 1024 * 1024))
    with pytest.raises(Unexpected, match=r"^Microsoft's answer is larger than any answer should be\."):
        scene.read(scene.directory(session=session))


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 501])
def test_any_other_status_is_unexpected(scene: Scene, status: int) -> None:
    scene.emulator.faults.add(
        path=MEMBERS, status=status, headers={"Location": "https://evil.example/v1.0/groups"}, times=None
    )
    with pytest.raises(Unexpected, match=f"status {status}"):
        scene.read()
    assert scene.emulator.strays == []


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.SSLError("x"),
        requests.exceptions.ProxyError("x"),
        requests.exceptions.ConnectTimeout("x"),
        requests.exceptions.ConnectionError("x"),
        requests.exceptions.ContentDecodingError("x"),
        requests.exceptions.InvalidSchema("x"),
        requests.exceptions.RequestException("x"),
        OSError("Could not find a suitable TLS CA certificate bundle"),
    ],
)
def test_whatever_breaks_on_the_way_is_unavailable(scene: Scene, error: Exception) -> None:
    class Broken(requests.Session):
        def request(self, *args: Any, **words: Any) -> requests.Response:
            raise error

    with pytest.raises(Unavailable) as caught:
        scene.directory(session=Broken()).verify()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_time_for_everything_is_bounded(scene: Scene) -> None:
    with pytest.raises(Unavailable, match=r"within the 0 seconds that one run may take"):
        scene.read(scene.directory(seconds=0.0))
    assert scene.asked() == []
    scene.emulator.faults.add(path=MEMBERS, status=429, retry_after="9", times=None)
    with pytest.raises(Unavailable, match=r"within the 5 seconds that one run may take"):
        scene.read(scene.directory(seconds=5.0))
    assert scene.waited == [], "it does not wait for a moment that is too late"


def test_the_caller_is_asked_before_each_request_and_may_end_it(scene: Scene) -> None:
    class LeaseLost(Exception):
        """Another run took over."""

    calls: list[int] = []

    def renew() -> None:
        calls.append(len(scene.emulator.journal))
        if len(calls) == 6:
            raise LeaseLost

    scene.emulator.faults.add(path=MEMBERS, status=503)
    directory = scene.directory(before_request=renew)
    scene.read(directory)
    assert calls == [0, 1, 2, 3, 4]
    with pytest.raises(LeaseLost):
        scene.read(directory)
    assert len(scene.emulator.journal) == 5
    assert directory.requests == 5


@pytest.mark.parametrize(
    ("method", "url", "sentence"),
    [
        ("GET", "https://evil.example/v1.0/users", "A request would have left Microsoft's own addresses."),
        ("GET", "https://graph.microsoft.us/v1.0/users", "A request would have left Microsoft's own addresses."),
        ("GET", "http://graph.microsoft.com/v1.0/users", "A request would have left Microsoft's own addresses."),
        ("POST", "https://graph.microsoft.com/v1.0/users", "A request would have changed something at Microsoft."),
        ("PATCH", "https://graph.microsoft.com/v1.0/$batch", "A request would have changed something at Microsoft."),
        ("DELETE", "https://graph.microsoft.com/v1.0/users/x", "A request would have changed something at Microsoft."),
        ("POST", "https://login.microsoftonline.com/x/v1.0/$batch", "A request would have changed something"),
    ],
)
def test_nothing_leaves_microsoft_and_nothing_changes_it(scene: Scene, method: str, url: str, sentence: str) -> None:
    directory = scene.directory()
    with pytest.raises(Unexpected, match=f"^{sentence}"):
        directory._transport.send(method, url)
    assert directory.requests == 0
    assert scene.emulator.strays == []


def test_every_request_is_recorded_without_its_query(scene: Scene) -> None:
    scene.crowd(3)
    scene.emulator.faults.add(path=MEMBERS, drop=True)
    directory = scene.directory()
    scene.read(directory)
    graph = "https://graph.microsoft.com/v1.0/groups"
    assert [(record.method, record.url, record.status) for record in directory.log] == [
        ("GET", f"https://login.microsoftonline.com/{scene.tenant.id}/v2.0/.well-known/openid-configuration", 200),
        ("POST", f"https://login.microsoftonline.com/{scene.tenant.id}/oauth2/v2.0/token", 200),
        ("GET", f"{graph}/{scene.group.id}", 200),
        ("GET", f"{graph}/{scene.group.id}/members", 0),
        ("GET", f"{graph}/{scene.group.id}/members", 200),
    ]
    assert directory.requests == 5
    ids = [record.request_id for record in directory.log]
    assert ids == [entry.request_id if entry.status else "" for entry in scene.emulator.journal]


def test_each_request_carries_an_id_of_its_own(scene: Scene) -> None:
    session = Recording(scene.emulator.session())
    scene.read(scene.directory(session=session), known=[NOBODY])
    ids = [sent["headers"]["client-request-id"] for sent in session.sent]
    assert len(set(ids)) == len(ids) == 5


def test_a_transcript_shows_shapes_and_nothing_of_anybody(scene: Scene) -> None:
    person = scene.hire("Ada Byron")
    nested = scene.nest("Engine Room")
    scene.hire("Bo Li", nested)
    guest = scene.tenant.add_guest("Cy Young", "cy@partner.example")
    transcript = Transcript()
    directory = scene.directory(credentials=scene.credentials(tenant="brightwater.example"), transcript=transcript)
    directory.verify()
    scene.read(directory, known=[guest.id, NOBODY])
    directory.search_groups("Engine")
    text = transcript.text()
    for value in (
        "Ada", "Byron", "ada.byron", "Engine", "brightwater", "Brightwater", "Password", "cy@", scene.app.secret,
        scene.tenant.id, scene.app.client_id, scene.group.id, nested.id, person.id, guest.id, NOBODY, "eyJ",
    ):  # fmt: skip
        assert value not in text
    calls = json.loads(text)["calls"]
    assert [(call["method"], call["path"], call["status"]) for call in calls[:4]] == [
        ("GET", "/tenant/v2.0/.well-known/openid-configuration", 200),
        ("POST", "/id-1/oauth2/v2.0/token", 200),
        ("GET", "/v1.0/users", 200),
        ("GET", "/v1.0/groups", 200),
    ]
    assert calls[2]["query"] == ["$select", "$top"]
    batch = next(call for call in calls if call["path"] == "/v1.0/$batch")
    assert batch["answered"]["responses"]["list"][0]["shape"]["status"] in (200, 404)
    gone = [
        inner["shape"]["body"]["error"]["code"]
        for inner in batch["answered"]["responses"]["list"]
        if inner["shape"]["status"] == 404
    ]
    assert gone == ["Request_ResourceNotFound"]


def test_a_transcript_keeps_the_fault_of_a_call(scene: Scene) -> None:
    transcript = Transcript()
    scene.emulator.faults.add(path=MEMBERS, drop=True)
    scene.emulator.faults.add(path=MEMBERS, status=429, retry_after="0.249", nth=2)
    scene.read(scene.directory(transcript=transcript))
    told = [call for call in transcript.calls if call["path"].endswith("/members")]
    assert [call["status"] for call in told] == [0, 429, 200]
    assert told[0]["fault"] == "Microsoft cannot be reached from here."
    assert told[1]["headers"]["retry-after"] == "0.249"


def test_a_directory_error_tells_its_sentence_only() -> None:
    error = DirectoryError("Nothing works.", reference="x")
    assert str(error) == "Nothing works."
