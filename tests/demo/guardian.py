"""Ends the demo's processes when the demo itself has died: reads their ids from a pipe, and acts when it closes."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 15.0


def watch() -> None:
    """Read lines "+123" (guard this process) and "-123" (it has ended) until the pipe closes, then end the rest."""
    guarded: set[int] = set()
    for line in sys.stdin:
        process = int(line[1:])
        if line[0] == "+":
            guarded.add(process)
        else:
            guarded.discard(process)
    until = time.monotonic() + GRACE_SECONDS
    _signal(guarded, signal.SIGTERM)
    while guarded and time.monotonic() < until:
        time.sleep(0.1)
        guarded = {process for process in guarded if _alive(process)}
    _signal(guarded, signal.SIGKILL)


def _signal(processes: set[int], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    watch()
