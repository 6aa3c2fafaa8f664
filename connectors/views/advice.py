"""What a run that failed, broke off, failed in part or held changes back asks of a person, with the way there."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.models import SyncRun
from connectors.states import Attention, ConnectorStatus, Outcome, RunState
from connectors.views.telling import number_of
from tenants.portals import Place
from tenants.roles import Can

Way = tuple[str, str]
"""The text of a link, and its address."""

_MENDED = "A later run went through: nothing is left to do."


@dataclass(frozen=True, slots=True)
class Advice:
    """Hold one thing that a run asks of a person."""

    tone: str
    icon: str
    title: str
    sentences: tuple[str, ...]
    ways: tuple[Way, ...]


def advice_for(place: Place, run: SyncRun) -> list[Advice]:
    """Return what a run asks of a person; [] where it asks nothing."""
    found = []
    if run.state == RunState.FAILED:
        found.append(_failed(place, run))
    if run.state == RunState.ABANDONED:
        found.append(_abandoned(place, run))
    if number := number_of(run, Outcome.FAILED):
        title = f"{number:,} {'change' if number == 1 else 'changes'} failed"
        sentences = (
            "Each says why. The others were not stopped, and the next run tries these again.",
            "Where one fails every time, tell the operator of the portal.",
        )
        address = f"{place.url('run', run_id=run.pk)}?outcome={Outcome.FAILED}#changes"
        found.append(Advice("warn", "warning", title, sentences, (("Show what failed", address),)))
    if number := number_of(run, Outcome.HELD):
        found.append(_held(place, run, number))
    return found


def _mended(run: SyncRun) -> bool:
    """Say whether a later run of the connector went through."""
    ended, success = run.finished_at, run.connector.last_success_at
    return ended is not None and success is not None and success > ended


def _own_page(place: Place, run: SyncRun) -> Way:
    return "The connector", place.url("connector", connector_id=run.connector_id)


def _failed(place: Place, run: SyncRun) -> Advice:
    if _mended(run):
        return Advice("info", "info", "This run failed", (run.sentence, _MENDED), (_own_page(place, run),))
    kept = "What it did before is complete." if run.done else "Nobody loses an account by it."
    if run.connector.status == ConnectorStatus.UNAUTHORIZED:
        step = f"Mend in Microsoft Entra what it says, then verify the connection. {kept}"
        way = _own_page(place, run)
        if place.access.may(Can.RUN_CONNECTORS):
            way = "Azure Auth", place.url("step-auth", connector_id=run.connector_id)
        return Advice("bad", "lock-alert", "Microsoft refuses the connection", (run.sentence, step), (way,))
    sentences = (run.sentence, f"The next run tries again by itself. {kept}")
    return Advice("bad", "x-circle", "This run failed", sentences, (_own_page(place, run),))


def _abandoned(place: Place, run: SyncRun) -> Advice:
    if _mended(run):
        return Advice("info", "info", "This run broke off", (run.sentence, _MENDED), (_own_page(place, run),))
    step = "The next run does what is left; Synchronize Now on the connector’s page starts one at once."
    return Advice("warn", "warning", "This run broke off", (run.sentence, step), (_own_page(place, run),))


def _held(place: Place, run: SyncRun, number: int) -> Advice:
    title = f"{number:,} {'change was' if number == 1 else 'changes were'} held"
    ways = (("Held changes", place.url("held", connector_id=run.connector_id)),)
    if Attention.HELD in run.connector.attention:
        sentence = "They wait until a person decides; everything else was done as usual."
        return Advice("warn", "held", title, (sentence,), ways)
    return Advice(
        "info", "held", title, ("None of them waits any more: somebody decided, or the situation ended.",), ways
    )
