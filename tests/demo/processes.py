"""The demo's child processes: each in a session of its own, told by its main id only, and killed after a grace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
GRACE_SECONDS = 15.0
"""How long a process may take to end; the worker lets its runs end first."""


@dataclass(frozen=True)
class Child:
    """Hold one running process and the file its words go to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_words(self, lines: int = 30) -> str:
        """Return the end of what it wrote."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Processes:
    """Start processes and end them all on leaving, the last one started first.

    A signal is for a main process alone: sent to a group it would end the worker's tasks in the middle. Where this
    process dies without leaving, a guardian ends them.
    """

    def __init__(self, logs: Path, *, grace: float = GRACE_SECONDS) -> None:
        self._logs = logs
        self._grace = grace
        self._children: list[Child] = []
        self._guardian: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._guardian = subprocess.Popen(
            [sys.executable, "-m", "tests.demo.guardian"], cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not leave anything running.
        former = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
        for child in reversed(self._children):
            self._end(child)
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            self._guardian.wait()
        for number, handler in former:
            signal.signal(number, handler)

    def start(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> Child:
        """Start a process of the project in the checkout's folder."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as words:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        child = Child(name, process, log)
        self._children.append(child)
        self._tell(f"+{process.pid}")
        return child

    def ended(self) -> Child | None:
        """Return a child that has ended by itself, None while all are running."""
        return next((child for child in self._children if child.process.poll() is not None), None)

    def _end(self, child: Child) -> None:
        if child.process.poll() is None:
            child.process.terminate()
            try:
                child.process.wait(self._grace)
            except subprocess.TimeoutExpired:
                child.process.kill()
        child.process.wait()
        self._children.remove(child)
        self._tell(f"-{child.process.pid}")

    def _tell(self, line: str) -> None:
        if self._guardian is None or self._guardian.stdin is None or self._guardian.poll() is not None:
            raise RuntimeError("The guardian of the demo's processes has ended.")
        self._guardian.stdin.write(f"{line}\n".encode())
        self._guardian.stdin.flush()


def below(process: int) -> list[int]:
    """Return the ids of the processes that this one started, as `ps` or /proc tells."""
    pairs: list[tuple[int, int]] = []
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    told = (entry / "stat").read_text()
                except OSError:
                    # It ended meanwhile.
                    continue
                pairs.append((int(entry.name), int(told.rpartition(")")[2].split()[1])))
    else:
        told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout  # noqa: S607 (ps is where the system says)
        pairs = [(int(pid), int(parent)) for pid, parent in (line.split() for line in told.splitlines())]
    return sorted(pid for pid, parent in pairs if parent == process)


def until_gone(process: int, seconds: float) -> bool:
    """Wait until no process has this id any more, and say whether it came to that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False
