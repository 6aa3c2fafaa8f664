"""What a fleet of connectors amounts to: which of them needs a person first, the figures, and a day of runs as bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from connectors.states import Attention, ConnectorStatus, Outcome, RunState

SECRET_DAYS = 30
HOURS = 24


class Group(IntEnum):
    """Name the parts of the list, in their order."""

    NOW = 0
    WATCH = 1
    FINE = 2
    NONE = 3

    @property
    def label(self) -> str:
        """Return what stands above the part."""
        return ("Need a person now", "To keep an eye on", "Fine", "Without a connector")[self]


class Concern(IntEnum):
    """Name what a connector is listed for, the worst first."""

    UNAUTHORIZED = 0
    CREDENTIALS_UNREADABLE = 1
    SECRET_ENDED = 2
    SYNC_GROUP_MISSING = 3
    SYNC_GROUP_UNREADABLE = 4
    SYNC_GROUP_EMPTY = 5
    HELD = 6
    SPARED = 7
    FAILED = 8
    LICENCES_SHORT = 9
    SECRET_ENDS = 10
    UNREACHABLE = 11
    GROUP_UNREADABLE = 12
    SKIPPED = 13
    THROTTLED = 14
    PAUSED = 15
    OTHER = 16
    APPROVAL = 17
    LICENCES_OVER = 18
    SETUP_INCOMPLETE = 19
    WAITING = 20
    CONNECTED = 21
    NO_CONNECTOR = 22
    REMOVED = 23

    @property
    def group(self) -> Group:
        """Return the part of the list that it stands in."""
        ends = ((Concern.LICENCES_SHORT, Group.NOW), (Concern.SETUP_INCOMPLETE, Group.WATCH))
        for last, group in (*ends, (Concern.CONNECTED, Group.FINE)):
            if self <= last:
                return group
        return Group.NONE


_OF_ATTENTION = {
    Attention.CREDENTIALS_UNREADABLE: Concern.CREDENTIALS_UNREADABLE,
    Attention.SYNC_GROUP_MISSING: Concern.SYNC_GROUP_MISSING,
    Attention.SYNC_GROUP_UNREADABLE: Concern.SYNC_GROUP_UNREADABLE,
    Attention.SYNC_GROUP_EMPTY: Concern.SYNC_GROUP_EMPTY,
    Attention.HELD: Concern.HELD,
    Attention.SPARED: Concern.SPARED,
    Attention.FAILED: Concern.FAILED,
    Attention.LICENCES_SHORT: Concern.LICENCES_SHORT,
    Attention.SECRET_ENDED: Concern.SECRET_ENDED,
    Attention.SECRET_EXPIRES: Concern.SECRET_ENDS,
    Attention.UNREACHABLE: Concern.UNREACHABLE,
    Attention.GROUP_UNREADABLE: Concern.GROUP_UNREADABLE,
    Attention.SKIPPED: Concern.SKIPPED,
    Attention.THROTTLED: Concern.THROTTLED,
    Attention.PAUSED: Concern.PAUSED,
}
_OF_STATUS = {
    ConnectorStatus.SETUP_INCOMPLETE: Concern.SETUP_INCOMPLETE,
    ConnectorStatus.WAITING: Concern.WAITING,
    ConnectorStatus.CONNECTED: Concern.CONNECTED,
    ConnectorStatus.UNAUTHORIZED: Concern.UNAUTHORIZED,
}


def concern_of(attention: Attention) -> Concern:
    """Return what an attention is listed as."""
    # An attention that was named after this table was made still needs somebody's eye.
    return _OF_ATTENTION.get(attention, Concern.OTHER)


def worst(
    status: ConnectorStatus | None, attention: Iterable[Attention], *, pending: bool = False, over: bool = False
) -> Concern:
    """Return what a connector is listed for: the worst of its status, its attention, and what its company waits for.

    None stands for a company without a connector. `pending`: people wait for approval; `over`: more licences are in
    use than there are.
    """
    if status is None or status is ConnectorStatus.REMOVED:
        return Concern.REMOVED if status else Concern.NO_CONNECTOR
    found = [_OF_STATUS[status], *map(concern_of, attention)]
    found += [Concern.APPROVAL] * pending + [Concern.LICENCES_OVER] * over
    return min(found)


# The figures


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold what the figures count of one line: a connector, or a company without one.

    `company` tells which lines belong together. `secret_days` is how long what it signs in with is good for, negative
    once it has ended, None where nobody told. `pending` waits for a person, `waiting` for a licence; they, `active`
    and `licences` are the company's.
    """

    company: int
    status: ConnectorStatus | None
    attention: frozenset[Attention]
    secret_days: int | None
    held: int
    pending: int
    waiting: int
    active: int
    licences: int | None

    @property
    def concern(self) -> Concern:
        """Return what the line is listed for."""
        return worst(self.status, self.attention, pending=self.pending > 0, over=self.over)

    @property
    def over(self) -> bool:
        """Say whether more licences are in use than there are."""
        return self.licences is not None and self.active > self.licences

    @property
    def short(self) -> bool:
        """Say whether people wait for a licence, or more are in use than there are."""
        return self.over or self.waiting > 0 or Attention.LICENCES_SHORT in self.attention


CONNECTED, ATTENTION, APPROVAL, SECRETS, ACCOUNTS, SHORT = (
    "connected",
    "attention",
    "approval",
    "secrets",
    "accounts",
    "short",
)
FIGURES = (CONNECTED, ATTENTION, APPROVAL, SECRETS, ACCOUNTS, SHORT)
"""The figures, each of which is a filter as well."""


def counts_in(figure: str, facts: Facts) -> bool:
    """Say whether a line is among those that a figure stands for."""
    if figure == CONNECTED:
        return facts.status is ConnectorStatus.CONNECTED
    if figure == ATTENTION:
        return facts.concern.group is Group.NOW
    if figure == APPROVAL:
        return facts.held > 0 or facts.pending > 0
    if figure == SECRETS:
        return facts.secret_days is not None and facts.secret_days <= SECRET_DAYS
    if figure == ACCOUNTS:
        return facts.active > 0
    return figure == SHORT and facts.short


@dataclass(frozen=True, slots=True)
class Figures:
    """Hold the numbers at the top: lines for each figure, and what their notes say.

    `licensed` are the accounts among `accounts` whose companies have so many `licences` together; the others' licences
    are unlimited.
    """

    lines: Mapping[str, int]
    connectors: int
    companies: int
    watch: int
    held: int
    pending: int
    waiting: int
    ended: int
    accounts: int
    licensed: int
    licences: int


def figures_of(fleet: Iterable[Facts]) -> Figures:
    """Count a fleet; what is a company's is counted once, however many connectors it has."""
    lines = dict.fromkeys(FIGURES, 0)
    companies: dict[int, Facts] = {}
    connectors = watch = held = ended = 0
    for facts in fleet:
        companies.setdefault(facts.company, facts)
        connectors += facts.status is not None
        watch += facts.concern.group is Group.WATCH
        held += facts.held
        ended += facts.secret_days is not None and facts.secret_days < 0
        for figure in FIGURES:
            lines[figure] += counts_in(figure, facts)
    return Figures(
        lines=lines,
        connectors=connectors,
        companies=len(companies),
        watch=watch,
        held=held,
        pending=sum(one.pending for one in companies.values()),
        waiting=sum(one.waiting for one in companies.values()),
        ended=ended,
        accounts=sum(one.active for one in companies.values()),
        licensed=sum(one.active for one in companies.values() if one.licences is not None),
        licences=sum(one.licences or 0 for one in companies.values()),
    )


# A day of runs


class Bar(IntEnum):
    """Name what one hour shows, the quietest first: the worst of its runs."""

    NONE = 0
    QUIET = 1
    CHANGED = 2
    HELD = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Stretch:
    """Hold one record of runs: a single run, or consecutive ones that say the same, as `times` of them.

    `finished` is None while it runs.
    """

    started: datetime
    finished: datetime | None
    times: int
    state: RunState
    counts: Mapping[str, int]
    attention: frozenset[str]


_WAITS = frozenset(
    {Attention.HELD, Attention.SYNC_GROUP_EMPTY, Attention.SYNC_GROUP_MISSING, Attention.SYNC_GROUP_UNREADABLE}
)


def bar_of(stretch: Stretch) -> Bar:
    """Return what a record of runs shows."""
    if stretch.state in (RunState.FAILED, RunState.ABANDONED) or _any(stretch.counts, Outcome.FAILED):
        return Bar.FAILED
    if _any(stretch.counts, Outcome.HELD) or stretch.attention & _WAITS:
        return Bar.HELD
    return Bar.CHANGED if _any(stretch.counts, Outcome.APPLIED) else Bar.QUIET


def _any(counts: Mapping[str, int], outcome: Outcome) -> bool:
    return any(number and key.startswith(f"{outcome}.") for key, number in counts.items())


def bars_of(stretches: Iterable[Stretch], now: datetime) -> tuple[Bar, ...]:
    """Return the last 24 hours, the present one last: each hour the worst of the runs that are known to be in it.

    Of folded runs that lie further apart than an hour only the first and the last are known to be where they are.
    """
    begin = now - timedelta(hours=HOURS)
    bars = [Bar.NONE] * HOURS
    for stretch in stretches:
        end = min(stretch.finished or now, now)
        first, last = _hour(stretch.started, begin), _hour(end, begin)
        dense = stretch.times > 1 and (end - stretch.started) <= timedelta(hours=1) * (stretch.times - 1)
        hours = range(first, last + 1) if dense or stretch.times == 1 else (first, last)
        for hour in hours:
            if 0 <= hour < HOURS:
                bars[hour] = max(bars[hour], bar_of(stretch))
    return tuple(bars)


def _hour(moment: datetime, begin: datetime) -> int:
    # A moment that is exactly now belongs to the last hour, not to the next.
    hour = (moment - begin) // timedelta(hours=1)
    return HOURS - 1 if moment - begin == timedelta(hours=HOURS) else hour


def words_of(bars: Sequence[Bar], now: datetime) -> str:
    """Return a day of bars in words."""
    if not any(bars):
        return "No runs in the last 24 hours"
    begin = now - timedelta(hours=HOURS)
    said = []
    for bar, phrase in ((Bar.FAILED, "failed"), (Bar.HELD, "held or waiting"), (Bar.CHANGED, "changes made")):
        hours = [hour for hour, one in enumerate(bars) if one is bar]
        if hours:
            said.append(f"{phrase} {_spans(hours, begin)}")
    quiet = "nothing to do" if not said else "otherwise nothing to do" if Bar.QUIET in bars else ""
    missing = sum(bar is Bar.NONE for bar in bars)
    none = f"no run in {missing} of {HOURS} hours" if missing else ""
    return "Runs in the last 24 hours: " + "; ".join(filter(None, [*said, quiet, none]))


_SPANS = 3


def _spans(hours: Sequence[int], begin: datetime) -> str:
    """Say a set of hours as times of the clock; of many, how many they are."""
    spans: list[list[int]] = []
    for hour in hours:
        if spans and spans[-1][1] == hour - 1:
            spans[-1][1] = hour
        else:
            spans.append([hour, hour])
    if len(spans) > _SPANS:
        return f"in {len(hours)} hours"
    return " and ".join(_span(first, last, begin) for first, last in spans)


def _span(first: int, last: int, begin: datetime) -> str:
    start = begin + timedelta(hours=first)
    if last == HOURS - 1:
        return f"since {start:%H:%M}" if first else "all day"
    return f"{start:%H:%M}–{begin + timedelta(hours=last + 1):%H:%M}"
