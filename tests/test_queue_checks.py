"""Queue settings that lost or repeated tasks when they were measured are refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from pbportal.checks import queue_faults, queue_is_as_measured

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE"}}


def found(queue: dict[str, Any] | None = None, database: dict[str, Any] = SQLITE) -> list[str]:
    faults = queue_faults({**settings.Q_CLUSTER, **(queue or {})}, database, settings.PBPORTAL_RUN_SECONDS_MOST)
    return [str(fault.id) for fault in faults]


def test_the_settings_as_they_are_pass() -> None:
    assert queue_is_as_measured() == []


@pytest.mark.parametrize(
    ("queue", "number"),
    [
        ({"retry": settings.PBPORTAL_RUN_SECONDS_MOST * 2 + 60}, "E011"),
        ({"queue_limit": 16}, "E011"),
        ({"bulk": 10}, "E011"),
        ({"max_attempts": 0}, "E012"),
        ({"ack_failures": False}, "E012"),
        ({"catch_up": True}, "E013"),
        ({"orm": "other"}, "E014"),
        ({"sync": True}, "E014"),
    ],
)
def test_a_queue_that_loses_or_repeats_is_refused(queue: dict[str, Any], number: str) -> None:
    assert found(queue) == [f"pbportal.{number}"]


@pytest.mark.parametrize(
    ("database", "numbers"),
    [
        (SQLITE, []),
        ({**SQLITE, "OPTIONS": {}}, ["pbportal.E015"]),
        ({**SQLITE, "ATOMIC_REQUESTS": True}, ["pbportal.E016"]),
        ({"ENGINE": "django.db.backends.postgresql"}, []),
    ],
)
def test_a_database_that_locks_is_refused(database: dict[str, Any], numbers: list[str]) -> None:
    assert found(database=database) == numbers
