"""A connector's last 24 hours as a strip of bars: read from its runs, drawn as SVG, and said in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, Subquery

from connectors.fleet import HOURS, Bar, Stretch, bars_of, words_of
from connectors.models import Connector, SyncRun
from connectors.states import RunState
from tenants.access import Visitor

_STEP, _WIDTH, _FOOT = 6, 5, 20
_DRAWN = {
    Bar.NONE: ("s-none", 1.5),
    Bar.QUIET: ("s-ok", 5),
    Bar.CHANGED: ("s-change", 11),
    Bar.HELD: ("s-warn", 15),
    Bar.FAILED: ("s-bad", 20),
}
"""The class and the height of each bar: the height says what the colour repeats."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Hold one strip: a path for each kind of bar, and the whole in words."""

    paths: list[tuple[str, str]]
    words: str


def draw(bars: Collection[Bar], now: datetime) -> Strip:
    """Draw a day of bars."""
    paths = []
    for bar, (css, height) in _DRAWN.items():
        boxes = [
            f"M{hour * _STEP} {_FOOT - height:g}h{_WIDTH}v{height:g}h-{_WIDTH}z"
            for hour, one in enumerate(bars)
            if one is bar
        ]
        if boxes:
            paths.append((css, "".join(boxes)))
    return Strip(paths, words_of(tuple(bars), now))


def strips_of(user: Visitor, connector_ids: Collection[int], now: datetime) -> dict[int, Strip]:
    """Return the strip of each connector that the visitor may see, with one query for all their runs."""
    begin = now - timedelta(hours=HOURS)
    runs = SyncRun.objects.visible_to(user).filter(connector__in=connector_ids)
    # What was going on when the day began is one record that began before it, however long ago.
    before = SyncRun.objects.visible_to(user).filter(connector=OuterRef("pk"), started_at__lt=begin)
    straddling = (
        Connector.objects.visible_to(user)
        .filter(pk__in=connector_ids)
        .values_list(Subquery(before.order_by("-started_at", "-pk").values("pk")[:1]))
        .order_by()
    )
    found: dict[int, list[Stretch]] = defaultdict(list)
    rows = runs.filter(Q(started_at__gte=begin) | Q(pk__in=straddling)).order_by()
    fields = ("connector_id", "started_at", "finished_at", "times", "state", "counts", "attention")
    for connector_id, started, finished, times, state, counts, attention in rows.values_list(*fields):
        stretch = Stretch(started, finished, times, RunState(state), counts, frozenset(attention))
        found[connector_id].append(stretch)
    return {pk: draw(bars_of(found[pk], now), now) for pk in connector_ids}
