"""Plays the story: each step against the real processes, told in one line, and all of it in one JSON object."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from connectors.models import SyncChange, SyncRun
from connectors.states import ChangeKind, Outcome
from tests.demo.life import STEPS as LIFE
from tests.demo.life.scene import Life
from tests.demo.portal import Portal
from tests.demo.post import keep
from tests.demo.scene import Outcome as StepOutcome
from tests.demo.scene import Scene
from tests.demo.steps import STEPS
from tests.entra_emulator.people import BRIGHTWATER

S = TypeVar("S", bound=Scene)

TOLD = 4
"""A line tells so many changes at most, and counts the others."""

_ORDER = (Outcome.APPLIED, Outcome.FAILED, Outcome.HELD, Outcome.SKIPPED, Outcome.LEFT_OUT)


STORIES = ("main", "life")
"""What can be told: everything in a day, or twelve weeks of a connector's life."""


def play(portal: Portal, say: Callable[[str], None], *, began: float, story: str = "main") -> bool:
    """Play every step of a story and say how each went; return whether all were as product.md says."""
    if story == "life":
        life = Life(portal, "Brightwater Logistics", BRIGHTWATER)
        ok = _play(life, LIFE, say, began=began)
        keep(life.mails)
        return ok
    return _play(Scene(portal, "Brightwater Logistics", BRIGHTWATER), STEPS, say, began=began)


def _play(
    scene: S, story: Sequence[tuple[str, Callable[[S], None]]], say: Callable[[str], None], *, began: float
) -> bool:
    steps = []
    for number, (name, act) in enumerate(story, start=1):
        scene.outcome = StepOutcome()
        step_began = time.monotonic()
        try:
            act(scene)
        except Exception as error:
            # Whatever a step ran into is what it saw; the others are still to be played.
            scene.outcome.differences.append(f"{type(error).__name__}: {error}")
            scene.outcome.differences += traceback.format_exc(limit=-3).splitlines()
        outcome = scene.outcome
        ok = not outcome.differences
        seconds = time.monotonic() - step_began
        say(f"{'ok' if ok else 'NOT OK':6} {number:2} {name} ({seconds:.1f} s) — {_told(outcome.runs)}")
        for difference in outcome.differences:
            say(f"          {difference}")
        if not ok:
            _recover(scene, say)
        step: dict[str, Any] = {"step": name, "ok": ok, "expected": outcome.expected, "seen": outcome.seen}
        steps.append(step | ({} if ok else {"differences": outcome.differences}))
    everything = all(step["ok"] for step in steps)
    told = {"ok": everything, "steps": steps, "seconds": round(time.monotonic() - began, 1)}
    say(json.dumps(told, ensure_ascii=False))
    return everything


def _recover(scene: Scene, say: Callable[[str], None]) -> None:
    """Let the next step begin from what is there, not from what should have been."""
    scene.microsoft.faults.clear()
    try:
        scene.runs_since()
        scene.recover()
    except Exception as error:
        say(f"          The next steps begin from something unknown: {type(error).__name__}: {error}")


def _told(runs: list[int]) -> str:
    """Tell in one line what runs did and why."""
    lines = sorted(
        SyncChange.objects.filter(run__in=runs), key=lambda line: (_ORDER.index(Outcome(line.outcome)), line.pk)
    )
    told = [_line(line) for line in lines[:TOLD]]
    if len(lines) > TOLD:
        told.append(f"and {len(lines) - TOLD} more")
    told += [run.sentence for run in SyncRun.objects.filter(pk__in=runs).exclude(sentence="").order_by("pk")]
    return "; ".join(told) or "nothing to do"


def _line(line: SyncChange) -> str:
    what = ChangeKind(line.kind).label if line.kind else ""
    if line.outcome == Outcome.HELD:
        what = f"Held ({what.lower()})"
    elif line.outcome == Outcome.FAILED:
        what = f"Failed ({what.lower()})"
    elif line.outcome == Outcome.SKIPPED:
        what = "Skipped"
    elif line.outcome == Outcome.LEFT_OUT:
        what = "Left out"
    whom = " · ".join(dict.fromkeys(part for part in (line.name or line.email, line.group_name) if part))
    return f"{what}: {whom} ({line.because})"
