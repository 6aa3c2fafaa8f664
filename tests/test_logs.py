"""What a log line looks like, and what it hides should a secret ever reach it."""

import json
import logging
import sys
from typing import Any

import pytest

from pbportal.logs import JsonFormatter, TextFormatter


def record(message: str, *args: object, **named: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "connectors.sync", logging.WARNING, "sync.py", 7, message, args, named.pop("exc_info", None)
    )
    made.created = 1_800_000_000.25
    vars(made).update(named)
    return made


def test_a_json_line_holds_what_was_said_and_its_extras() -> None:
    line = JsonFormatter().format(record("Run %s of %s ended.", 5, "Contoso\nLtd", connector=12))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.250+00:00",
        "level": "WARNING",
        "logger": "connectors.sync",
        "message": "Run 5 of Contoso\nLtd ended.",
        "connector": "12",
    }


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Bearer eyJhbGciOi.eyJzdWIi.c2ln", "Authorization: Bearer [hidden]"),
        ("body client_id=abc&client_secret=p~8Q&scope=x", "body client_id=abc&client_secret=[hidden]&scope=x"),
        ("{'client_secret': 'p~8Q', 'scope': 'x'}", "{'client_secret': '[hidden]', 'scope': 'x'}"),
        ('{"access_token": "ab.cd"}', '{"access_token": "[hidden]"}'),
        ("postgres://portal:swordfish@db/main refused", "postgres://portal:[hidden]@db/main refused"),
        ("row v1:gAAAAABm_-x= of 3", "row [hidden] of 3"),
        ("Internal Server Error: /welcome/q8Jk-_x2/", "Internal Server Error: /welcome/[hidden]"),
        ("Gone: /accounts/password/reset/key/3-cx1/", "Gone: /accounts/password/reset/key/[hidden]"),
        ("code AADSTS7000215 for contoso.com", "code AADSTS7000215 for contoso.com"),
        ("Read https://graph.microsoft.com/v1.0/groups", "Read https://graph.microsoft.com/v1.0/groups"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(said: str, shown: str) -> None:
    assert json.loads(JsonFormatter().format(record("%s", said)))["message"] == shown
    assert TextFormatter().format(record("%s", said)).endswith(f"connectors.sync: {shown}")


def test_a_traceback_is_kept_and_blotted_too() -> None:
    try:
        raise ValueError("client_secret=swordfish")
    except ValueError:
        failed = record("Run failed.", exc_info=sys.exc_info())
    for line in (JsonFormatter().format(failed), TextFormatter().format(failed)):
        assert "ValueError: client_secret=[hidden]" in line
        assert "swordfish" not in line
