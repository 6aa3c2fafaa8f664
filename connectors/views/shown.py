"""How a connector and its runs are said on a page: words, icons and times, derived and never stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from connectors import schedule
from connectors.attention import Need, know_groups, needs_of
from connectors.models import Connector, SyncRun
from connectors.states import Attention, ConnectorStatus, RunState
from connectors.sync import told

TONES = {
    ConnectorStatus.SETUP_INCOMPLETE: ("wait", "circle-dashed"),
    ConnectorStatus.WAITING: ("wait", "clock"),
    ConnectorStatus.CONNECTED: ("ok", "check-circle"),
    ConnectorStatus.UNAUTHORIZED: ("bad", "lock-alert"),
    ConnectorStatus.REMOVED: ("idle", "minus-circle"),
}
ICONS = {
    Attention.HELD: "held",
    Attention.SYNC_GROUP_MISSING: "users-missing",
    Attention.SYNC_GROUP_UNREADABLE: "users-missing",
    Attention.SYNC_GROUP_EMPTY: "users-empty",
    Attention.GROUP_UNREADABLE: "users-missing",
    Attention.SKIPPED: "user-skip",
    Attention.SPARED: "shield",
    Attention.LICENCES_SHORT: "hourglass",
    Attention.THROTTLED: "clock",
    Attention.UNREACHABLE: "cloud-off",
    Attention.SECRET_EXPIRES: "key",
    Attention.SECRET_ENDED: "key",
    Attention.PAUSED: "pause",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """Hold one connector as a page shows it; `next_run` is None where none is planned."""

    connector: Connector
    tone: str
    icon: str
    needs: list[tuple[str, Need]]
    next_run: datetime | None
    running: bool

    @property
    def settled(self) -> bool:
        """Say whether the page need not ask again by itself: nothing is under way."""
        return not self.running and self.connector.status != ConnectorStatus.WAITING


def show(connectors: Collection[Connector], now: datetime) -> list[Shown]:
    """Return connectors as pages show them, with one query for all their next runs."""
    know_groups(connectors)
    upcoming = schedule.next_runs(connectors)
    return [
        Shown(
            connector,
            *TONES[ConnectorStatus(connector.status)],
            [(ICONS.get(need.attention, "warning"), need) for need in needs_of(connector, now)],
            upcoming.get(connector.pk),
            connector.lease_until is not None and connector.lease_until > now,
        )
        for connector in connectors
    ]


def summary(run: SyncRun) -> str:
    """Say in one line what a run did."""
    if run.state == RunState.RUNNING:
        return f"Running: {run.phase or 'starting'}{f', {run.done:,} of {run.total:,}' if run.total else ''}"
    if run.state in (RunState.FAILED, RunState.ABANDONED):
        return run.sentence or RunState(run.state).label
    if run.quiet:
        return "Nothing to do"
    return told(run.counts) or "Nothing to do"


def reached(row: Connector) -> str:
    """Return the step that an unfinished setup has reached."""
    if not row.client_id:
        return "token"
    if not row.tenant_id:
        return "auth"
    return "rules" if row.sync_group_id else "groups"


def step_reached(row: Connector) -> int:
    """Return the number of the step that an unfinished setup has reached."""
    return ("token", "auth", "groups", "rules").index(reached(row)) + 1
