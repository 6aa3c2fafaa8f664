"""What a fleet amounts to, cell by cell: which connector comes first, the figures, and a day of runs as bars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.fleet import (
    ACCOUNTS,
    APPROVAL,
    ATTENTION,
    CONNECTED,
    FIGURES,
    SECRETS,
    SHORT,
    Concern,
    Facts,
    Group,
    Stretch,
    bars_of,
    concern_of,
    counts_in,
    figures_of,
    words_of,
    worst,
)
from connectors.states import Attention, ConnectorStatus, RunState

NOW = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
FINE = Facts(
    company=1,
    status=ConnectorStatus.CONNECTED,
    attention=frozenset(),
    secret_days=200,
    held=0,
    pending=0,
    waiting=0,
    active=12,
    licences=20,
)

CELLS = [
    # status, attention → what it is listed for, and in which part
    ("unauthorized", [], Concern.UNAUTHORIZED, Group.NOW),
    ("unauthorized", ["held", "secret_ended", "paused"], Concern.UNAUTHORIZED, Group.NOW),
    ("connected", ["credentials_unreadable", "held"], Concern.CREDENTIALS_UNREADABLE, Group.NOW),
    ("connected", ["secret_ended", "sync_group_missing"], Concern.SECRET_ENDED, Group.NOW),
    ("connected", ["sync_group_missing", "skipped"], Concern.SYNC_GROUP_MISSING, Group.NOW),
    ("connected", ["sync_group_unreadable", "held"], Concern.SYNC_GROUP_UNREADABLE, Group.NOW),
    ("connected", ["held", "sync_group_empty"], Concern.SYNC_GROUP_EMPTY, Group.NOW),
    ("connected", ["skipped", "held", "spared"], Concern.HELD, Group.NOW),
    ("connected", ["spared", "failed"], Concern.SPARED, Group.NOW),
    ("connected", ["failed", "licences_short"], Concern.FAILED, Group.NOW),
    ("connected", ["licences_short", "secret_expires"], Concern.LICENCES_SHORT, Group.NOW),
    ("connected", ["secret_expires", "unreachable"], Concern.SECRET_ENDS, Group.WATCH),
    ("connected", ["throttled", "unreachable", "group_unreadable"], Concern.UNREACHABLE, Group.WATCH),
    ("connected", ["skipped", "group_unreadable"], Concern.GROUP_UNREADABLE, Group.WATCH),
    ("connected", ["paused", "skipped", "throttled"], Concern.SKIPPED, Group.WATCH),
    ("connected", ["paused", "throttled"], Concern.THROTTLED, Group.WATCH),
    ("connected", ["paused"], Concern.PAUSED, Group.WATCH),
    ("waiting", ["paused"], Concern.PAUSED, Group.WATCH),
    ("setup_incomplete", [], Concern.SETUP_INCOMPLETE, Group.WATCH),
    (None, [], Concern.NO_CONNECTOR, Group.NONE),
    ("waiting", [], Concern.WAITING, Group.FINE),
    ("connected", [], Concern.CONNECTED, Group.FINE),
    ("removed", [], Concern.REMOVED, Group.NONE),
]


@pytest.mark.parametrize(("status", "attention", "concern", "group"), CELLS)
def test_what_a_connector_is_listed_for(
    status: str | None, attention: list[str], concern: Concern, group: Group
) -> None:
    found = worst(ConnectorStatus(status) if status else None, [Attention(one) for one in attention])
    assert (found, found.group) == (concern, group)


@pytest.mark.parametrize(
    ("status", "attention", "pending", "over", "concern"),
    [
        ("connected", [], True, False, Concern.APPROVAL),
        ("connected", [], True, True, Concern.APPROVAL),
        ("connected", [], False, True, Concern.LICENCES_OVER),
        ("setup_incomplete", [], False, True, Concern.LICENCES_OVER),
        ("connected", ["paused"], True, True, Concern.PAUSED),
        (None, [], True, True, Concern.NO_CONNECTOR),
        ("removed", [], True, True, Concern.REMOVED),
    ],
)
def test_what_a_company_waits_for_counts_as_well(
    status: str | None, attention: list[str], pending: bool, over: bool, concern: Concern
) -> None:
    named = [Attention(one) for one in attention]
    assert worst(ConnectorStatus(status) if status else None, named, pending=pending, over=over) is concern
    assert {Concern.APPROVAL.group, Concern.LICENCES_OVER.group} == {Group.WATCH}


def test_every_attention_and_every_status_has_its_place() -> None:
    assert Concern.OTHER not in {concern_of(one) for one in Attention}
    assert {worst(status, []) for status in ConnectorStatus} == {
        Concern.SETUP_INCOMPLETE,
        Concern.WAITING,
        Concern.CONNECTED,
        Concern.UNAUTHORIZED,
        Concern.REMOVED,
    }


# The figures

COUNTED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {CONNECTED, ACCOUNTS}),
    ({"active": 0}, {CONNECTED}),
    ({"status": None, "secret_days": None}, {ACCOUNTS}),
    ({"status": ConnectorStatus.UNAUTHORIZED}, {ATTENTION, ACCOUNTS}),
    ({"held": 3, "attention": frozenset({Attention.HELD})}, {CONNECTED, ATTENTION, APPROVAL, ACCOUNTS}),
    ({"pending": 1}, {CONNECTED, APPROVAL, ACCOUNTS}),
    ({"secret_days": 31}, {CONNECTED, ACCOUNTS}),
    ({"secret_days": 30}, {CONNECTED, SECRETS, ACCOUNTS}),
    ({"secret_days": -9}, {CONNECTED, SECRETS, ACCOUNTS}),
    ({"waiting": 2}, {CONNECTED, ACCOUNTS, SHORT}),
    ({"active": 21}, {CONNECTED, ACCOUNTS, SHORT}),
    ({"active": 20}, {CONNECTED, ACCOUNTS}),
    ({"active": 21, "licences": None}, {CONNECTED, ACCOUNTS}),
]


@pytest.mark.parametrize(("changes", "counted"), COUNTED)
def test_which_figures_a_connector_counts_in(changes: dict[str, Any], counted: set[str]) -> None:
    facts = replace(FINE, **changes)
    assert {figure for figure in FIGURES if counts_in(figure, facts)} == counted


def test_figures_count_a_company_once_however_many_connectors_it_has() -> None:
    held = replace(FINE, held=4, attention=frozenset({Attention.HELD}))
    ended = replace(FINE, company=2, secret_days=-1, attention=frozenset({Attention.SECRET_ENDED}), licences=None)
    none = replace(FINE, company=3, status=None, secret_days=None, active=5, pending=2, waiting=1, licences=10)
    found = figures_of([FINE, held, ended, none])
    assert found.lines == {CONNECTED: 3, ATTENTION: 2, APPROVAL: 2, SECRETS: 1, ACCOUNTS: 4, SHORT: 1}
    assert (found.connectors, found.companies, found.watch) == (3, 3, 0)
    assert (found.held, found.pending, found.waiting, found.ended) == (4, 2, 1, 1)
    assert (found.accounts, found.licensed, found.licences) == (12 + 12 + 5, 12 + 5, 20 + 10)


# A day of runs


def stretch(first: float, last: float | None = None, **words: Any) -> Stretch:
    """Make a record of runs that began `first` hours ago, and ended `last` hours ago."""
    ended = first if last is None else last
    values: dict[str, Any] = {
        "started": NOW - timedelta(hours=first),
        "finished": NOW - timedelta(hours=ended),
        "times": 1,
        "state": RunState.SUCCEEDED,
        "counts": {},
        "attention": frozenset(),
    }
    return Stretch(**(values | words))


def told(*stretches: Stretch) -> str:
    """Return a day of bars as 24 letters."""
    return "".join(bar.name[0] for bar in bars_of(stretches, NOW))


NOTHING = "N" * 24


def test_a_day_without_runs() -> None:
    assert told() == NOTHING
    assert told(stretch(30), stretch(24.01)) == NOTHING


def test_a_single_run_stands_in_its_hour() -> None:
    assert told(stretch(0)) == "N" * 23 + "Q"
    assert told(stretch(0.5)) == "N" * 23 + "Q"
    assert told(stretch(1.5, counts={"applied.create": 2})) == "N" * 22 + "C" + "N"
    assert told(stretch(24)) == "Q" + "N" * 23


def test_folded_runs_fill_the_hours_between_the_first_and_the_last() -> None:
    assert told(stretch(40, 3.5, times=400)) == "Q" * 21 + "NNN"
    assert told(stretch(4.5, 1.5, times=36, state=RunState.FAILED)) == "N" * 19 + "FFFF" + "N"


def test_of_folded_runs_that_lie_far_apart_only_the_ends_are_known() -> None:
    assert told(stretch(10.5, 2.5, times=2)) == "N" * 13 + "Q" + "N" * 7 + "Q" + "NN"


def test_an_hour_shows_its_worst_run() -> None:
    quiet = stretch(23.9, 0, times=288)
    assert told(quiet, stretch(2.5, counts={"applied.create": 1})) == "Q" * 21 + "C" + "QQ"
    assert told(quiet, stretch(2.5, counts={"applied.create": 1, "held.disable": 5})) == "Q" * 21 + "H" + "QQ"
    assert told(quiet, stretch(2.5, attention=frozenset({"sync_group_empty"}))) == "Q" * 21 + "H" + "QQ"
    assert told(quiet, stretch(2.5, attention=frozenset({"skipped"}))) == "Q" * 24
    assert told(quiet, stretch(2.5, counts={"applied.create": 1, "failed.create": 1})) == "Q" * 21 + "F" + "QQ"
    assert told(quiet, stretch(2.5, state=RunState.ABANDONED)) == "Q" * 21 + "F" + "QQ"


def test_a_run_that_goes_on_lasts_until_now() -> None:
    assert told(stretch(1.5, finished=None, state=RunState.RUNNING)) == "N" * 22 + "QQ"


@pytest.mark.parametrize(
    ("stretches", "words"),
    [
        ([], "No runs in the last 24 hours"),
        ([stretch(23.9, 0, times=288)], "Runs in the last 24 hours: nothing to do"),
        (
            [stretch(23.9, 0, times=288), stretch(2.5, counts={"applied.create": 1})],
            "Runs in the last 24 hours: changes made 06:42–07:42; otherwise nothing to do",
        ),
        (
            [stretch(23.9, 7, times=200), stretch(6.5, 0, times=80, state=RunState.FAILED)],
            "Runs in the last 24 hours: failed since 02:42; otherwise nothing to do",
        ),
        (
            [stretch(23.9, 0, times=288, state=RunState.FAILED)],
            "Runs in the last 24 hours: failed all day",
        ),
        (
            [stretch(hours, counts={"applied.create": 1}) for hours in (1.5, 3.5, 5.5, 7.5)],
            "Runs in the last 24 hours: changes made in 4 hours; no run in 20 of 24 hours",
        ),
        ([stretch(1.5)], "Runs in the last 24 hours: nothing to do; no run in 23 of 24 hours"),
    ],
)
def test_a_day_in_words(stretches: list[Stretch], words: str) -> None:
    assert words_of(bars_of(stretches, NOW), NOW) == words
