"""Whom to bother, and when: what is so and what was told decide which mails are due."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from connectors.states import LetterKind
from tenants.states import EventKind

REMINDERS = (timedelta(days=1), timedelta(days=3), timedelta(days=7), timedelta(days=14))
"""How long after the first mail comes the first reminder, after that the second, and so on; the last one repeats."""
GAP = timedelta(hours=1)
"""A reason that keeps changing is told no more often than this."""
LINGER = timedelta(minutes=15)
"""An event is over when nothing was seen of it for so long: what comes and goes with every run is told once."""
GROWN_BY = 5
"""An event that at least doubled, and grew by so many, is told anew."""

FOUND_BY_RUNS = frozenset(
    {EventKind.HELD, EventKind.SYNC_GROUP, EventKind.UNREACHABLE, EventKind.LICENCES, EventKind.SPARED}
)
"""Kinds of which nothing new can be known while no run takes place."""

EXPIRY_DAYS = (30, 14, 7, 1)


class Pulse(Enum):
    """Tell whether what an event belongs to is alive: it runs, stands still for a while, or is gone for good."""

    RUNS = "runs"
    STANDS = "stands"
    GONE = "gone"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Name one event: a connector's, or the company's own where `connector_id` is 0."""

    company_id: int
    connector_id: int
    kind: EventKind
    what: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """Hold one thing that is so now. `stage` grows as a date comes closer; each stage is told once."""

    key: Key
    reason: str = ""
    size: int = 0
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """Hold what was told last of an event that has not ended; `times` counts mails since its reason was last new."""

    key: Key
    reason: str
    size: int
    stage: int
    times: int
    told_at: datetime
    absent_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Hold what to send about an event, None for nothing, and what to remember, None where it has ended."""

    key: Key
    letter: LetterKind | None
    memory: Memory | None


def stage_of(days: int) -> int:
    """Return how far a date that is so many days away has come: 0 far off, then one more for each warning."""
    return sum(days <= warning for warning in EXPIRY_DAYS) + (days < 0)


def due(
    facts: Collection[Fact], memory: Collection[Memory], pulses: Mapping[tuple[int, int], Pulse], now: datetime
) -> list[Decision]:
    """Return what changes: mails that are due, and memories to keep or to end; [] where all is told.

    `pulses` maps (company, connector) to how they are; what is not in it runs. Input order changes nothing.
    """
    seen = {fact.key: fact for fact in facts}
    known = {one.key: one for one in memory}
    found = []
    for key in sorted(seen.keys() | known.keys()):
        pulse = pulses.get((key.company_id, key.connector_id), Pulse.RUNS)
        decision = _of_one(key, seen.get(key), known.get(key), pulse, now)
        if decision is not None:
            found.append(decision)
    return found


def _of_one(key: Key, fact: Fact | None, told: Memory | None, pulse: Pulse, now: datetime) -> Decision | None:
    if pulse is Pulse.GONE:
        # Whoever removed the connector knows; "resolved" would be a lie.
        return Decision(key, None, None) if told is not None else None
    if pulse is Pulse.STANDS and key.kind in FOUND_BY_RUNS:
        return None
    if fact is None:
        return _of_nothing(told, now) if told is not None else None
    if told is None:
        return _told(fact, LetterKind.BEGAN, 1, now)
    if now - told.told_at >= GAP and (fact.reason != told.reason or _has_grown(fact.size, told.size)):
        return _told(fact, LetterKind.CHANGED, 1, now)
    if fact.reason == told.reason and (fact.stage > told.stage or _reminder_is_due(key, told, now)):
        return _told(fact, LetterKind.REMINDER, told.times + 1, now)
    if told.absent_since is not None:
        return Decision(key, None, replace(told, absent_since=None))
    return None


def _of_nothing(told: Memory, now: datetime) -> Decision | None:
    if told.absent_since is None:
        return Decision(told.key, None, replace(told, absent_since=now))
    if now - told.absent_since >= LINGER:
        return Decision(told.key, LetterKind.ENDED, None)
    return None


def _told(fact: Fact, letter: LetterKind, times: int, now: datetime) -> Decision:
    return Decision(fact.key, letter, Memory(fact.key, fact.reason, fact.size, fact.stage, times, now))


def _has_grown(size: int, told: int) -> bool:
    return size >= 2 * told and size - told >= GROWN_BY


def _reminder_is_due(key: Key, told: Memory, now: datetime) -> bool:
    # A date has its stages instead.
    if key.kind is EventKind.EXPIRY:
        return False
    return now - told.told_at >= REMINDERS[min(told.times, len(REMINDERS)) - 1]
