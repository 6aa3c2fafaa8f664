"""Which mails are due: tables of what is so and what was told, minute by minute and week by week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from connectors.notify.decide import Decision, Fact, Key, Memory, Pulse, due, stage_of
from connectors.states import LetterKind
from tenants.states import EventKind

NOW = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
BEGAN, CHANGED, REMINDER, ENDED = LetterKind
KEY = Key(1, 7, EventKind.UNAUTHORIZED)
HELD = Key(1, 7, EventKind.HELD)
SECRET = Key(1, 7, EventKind.EXPIRY, "client secret")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def days(number: float) -> timedelta:
    return timedelta(days=number)


def told(
    key: Key = KEY,
    ago: timedelta = timedelta(minutes=90),
    *,
    reason: str = "a",
    size: int = 0,
    stage: int = 0,
    times: int = 1,
    absent: timedelta | None = None,
) -> Memory:
    return Memory(key, reason, size, stage, times, NOW - ago, None if absent is None else NOW - absent)


def decided(fact: Fact | None, memory: Memory | None, pulse: Pulse = Pulse.RUNS) -> list[Decision]:
    pulses = {(1, 7): pulse, (1, 0): pulse}
    return due([fact] if fact else [], [memory] if memory else [], pulses, NOW)


def letter_of(decisions: list[Decision]) -> LetterKind | str:
    """Return the mail that a single decision sends; a word where it only remembers, or where there is none."""
    if not decisions:
        return "nothing"
    [decision] = decisions
    return decision.letter or ("remembers" if decision.memory else "forgets")


TABLE: dict[str, tuple[Fact | None, Memory | None, LetterKind | str]] = {
    "new": (Fact(KEY, "a"), None, BEGAN),
    "the same five minutes later": (Fact(KEY, "a"), told(ago=minutes(5)), "nothing"),
    "the same a minute before the first reminder": (Fact(KEY, "a"), told(ago=days(1) - minutes(1)), "nothing"),
    "the same a day later": (Fact(KEY, "a"), told(ago=days(1)), REMINDER),
    "two days after the first reminder": (Fact(KEY, "a"), told(ago=days(2), times=2), "nothing"),
    "three days after the first reminder": (Fact(KEY, "a"), told(ago=days(3), times=2), REMINDER),
    "seven days after the second": (Fact(KEY, "a"), told(ago=days(7), times=3), REMINDER),
    "fourteen days after the third": (Fact(KEY, "a"), told(ago=days(14), times=4), REMINDER),
    "thirteen days after the tenth": (Fact(KEY, "a"), told(ago=days(13), times=11), "nothing"),
    "fourteen days after the tenth": (Fact(KEY, "a"), told(ago=days(14), times=11), REMINDER),
    "another reason": (Fact(KEY, "b"), told(), CHANGED),
    "another reason within the hour": (Fact(KEY, "b"), told(ago=minutes(59)), "nothing"),
    "gone": (None, told(), "remembers"),
    "gone for fourteen minutes": (None, told(absent=minutes(14)), "nothing"),
    "gone for fifteen minutes": (None, told(absent=minutes(15)), ENDED),
    "back again": (Fact(KEY, "a"), told(absent=minutes(10)), "remembers"),
    "back again with another reason": (Fact(KEY, "b"), told(absent=minutes(10)), CHANGED),
    "never there": (None, None, "nothing"),
    "grown from 5 to 9": (Fact(HELD, "a", 9), told(HELD, size=5), "nothing"),
    "grown from 5 to 10": (Fact(HELD, "a", 10), told(HELD, size=5), CHANGED),
    "grown from 2 to 6": (Fact(HELD, "a", 6), told(HELD, size=2), "nothing"),
    "grown from 2 to 7": (Fact(HELD, "a", 7), told(HELD, size=2), CHANGED),
    "grown from 100 to 199": (Fact(HELD, "a", 199), told(HELD, size=100), "nothing"),
    "fewer": (Fact(HELD, "a", 3), told(HELD, size=50), "nothing"),
    "grown within the hour": (Fact(HELD, "a", 50), told(HELD, minutes(5), size=5), "nothing"),
    "a date comes closer": (Fact(SECRET, "d", stage=2), told(SECRET, days(16), reason="d", stage=1), REMINDER),
    "a date in the same stage": (Fact(SECRET, "d", stage=1), told(SECRET, days(15), reason="d", stage=1), "nothing"),
    "a date long past": (Fact(SECRET, "d", stage=5), told(SECRET, days(90), reason="d", stage=5), "nothing"),
    "another date": (Fact(SECRET, "e", stage=1), told(SECRET, days(2), reason="d", stage=4), CHANGED),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_mail_is_due_or_not(case: str) -> None:
    fact, memory, wanted = TABLE[case]
    assert letter_of(decided(fact, memory)) == wanted


def test_what_was_told_is_remembered_with_its_time() -> None:
    [began] = decided(Fact(HELD, "a", 4, 0), None)
    assert began.memory == Memory(HELD, "a", 4, 0, 1, NOW)
    [reminder] = decided(Fact(KEY, "a"), told(ago=days(3), times=2))
    assert reminder.memory == Memory(KEY, "a", 0, 0, 3, NOW)
    [changed] = decided(Fact(KEY, "b"), told(times=4, absent=minutes(1)))
    assert changed.memory == Memory(KEY, "b", 0, 0, 1, NOW)


STANDING = {
    (EventKind.UNAUTHORIZED, True): BEGAN,
    (EventKind.EXPIRY, True): BEGAN,
    **{
        (kind, True): "nothing"
        for kind in (
            EventKind.HELD,
            EventKind.SYNC_GROUP,
            EventKind.UNREACHABLE,
            EventKind.LICENCES,
            EventKind.SPARED,
        )
    },
}


@pytest.mark.parametrize("kind", EventKind)
def test_where_no_run_takes_place_nothing_it_would_find_is_told_reminded_of_or_ended(kind: EventKind) -> None:
    key = Key(1, 7, kind)
    found_by_runs = STANDING[kind, True] == "nothing"
    assert letter_of(decided(Fact(key, "a"), None, Pulse.STANDS)) == STANDING[kind, True]
    ends = letter_of(decided(None, told(key, days(30), absent=days(1)), Pulse.STANDS))
    assert ends == ("nothing" if found_by_runs else ENDED)


@pytest.mark.parametrize("kind", EventKind)
def test_of_a_connector_that_is_gone_nothing_is_told_and_all_is_forgotten(kind: EventKind) -> None:
    key = Key(1, 7, kind)
    assert letter_of(decided(Fact(key, "a"), None, Pulse.GONE)) == "nothing"
    assert letter_of(decided(Fact(key, "a"), told(key, days(3)), Pulse.GONE)) == "forgets"
    assert letter_of(decided(None, told(key), Pulse.GONE)) == "forgets"


def test_each_event_is_decided_by_itself_and_in_any_order() -> None:
    facts = [Fact(KEY, "a"), Fact(HELD, "a", 5), Fact(Key(2, 9, EventKind.UNAUTHORIZED), "a")]
    memory = [told(HELD, days(1), size=5), told(SECRET, reason="d", absent=minutes(20))]
    wanted = {KEY: BEGAN, HELD: REMINDER, SECRET: ENDED, Key(2, 9, EventKind.UNAUTHORIZED): BEGAN}
    expected = due(facts, memory, {}, NOW)
    assert {one.key: one.letter for one in expected} == wanted
    for order in permutations(facts):
        assert due(order, memory[::-1], {}, NOW) == expected


def test_a_date_has_a_stage_for_each_warning() -> None:
    stages = {31: 0, 30: 1, 15: 1, 14: 2, 8: 2, 7: 3, 2: 3, 1: 4, 0: 4, -1: 5, -400: 5}
    assert {number: stage_of(number) for number in stages} == stages


def test_twelve_weeks_of_one_trouble_are_told_nine_times() -> None:
    """Play it every five minutes: what is remembered is all that the next decision knows."""
    memory: list[Memory] = []
    letters: list[tuple[int, LetterKind]] = []
    for minute in range(0, 12 * 7 * 24 * 60, 5):
        facts = [Fact(KEY, "a")] if minute < 80 * 24 * 60 else []
        for decision in due(facts, memory, {}, NOW + minutes(minute)):
            if decision.letter:
                letters.append((minute // (24 * 60), decision.letter))
            memory = [decision.memory] if decision.memory else []
    reminders = [(day, REMINDER) for day in (1, 4, 11, 25, 39, 53, 67)]
    assert letters == [(0, BEGAN), *reminders, (80, ENDED)]
    assert memory == []
