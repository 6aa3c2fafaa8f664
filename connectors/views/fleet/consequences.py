"""What runs would do to several connectors, told in few words: lines that say the same are one heap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from connectors.models import Connector
from connectors.states import Action, Situation
from connectors.sync import Draft
from connectors.sync.load import rules_of
from connectors.views.forecast import Forecast, Line, forecast

NAMED = 5
"""So many people are named of those to whom the same happens; the page of the one connector names all."""

SEEN_SECONDS = 3_600
"""So long it counts that somebody has seen what would happen, unless the settings change before that."""


@dataclass(frozen=True, slots=True)
class Heap:
    """Hold lines that say the same of different people."""

    what: str
    held: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Consequences:
    """Hold what the next run would do because of the rule set, and what it would not do any more."""

    forecast: Forecast
    more: tuple[Heap, ...]
    less: tuple[Heap, ...]


def heaps_of(lines: Iterable[Line]) -> tuple[Heap, ...]:
    """Put together what happens alike, in the order in which it first comes."""
    found: dict[tuple[str, bool], list[Line]] = defaultdict(list)
    for line in lines:
        found[line.what, line.part == "held"].append(line)
    return tuple(Heap(what, held, tuple(those)) for (what, held), those in found.items())


def consequences_of(row: Connector, actions: Mapping[Situation, Action], *, fresh: bool = False) -> Consequences:
    """Compare the next run under these rules with the one under the present ones; raises DirectoryError."""
    now = rules_of(row)
    shown = partial(forecast, row, send_invitations=row.send_invitations)
    before = shown(Draft(), fresh=fresh)
    after = shown(Draft(rules=replace(now, actions={**now.actions, **actions})))
    known, wanted = set(before.lines), set(after.lines)
    return Consequences(
        forecast=after,
        more=heaps_of(line for line in after.lines if line not in known),
        less=heaps_of(line for line in before.lines if line not in wanted),
    )
