"""What the processes of one cluster last told of themselves, and whether that means they are stuck: pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.schedule.signs import Sign

SLOW_TIMES = 3
START_SECONDS = 60
"""How long a loaded machine may take until the processes are there."""


@dataclass(slots=True)
class Watch:
    """Hold the tasks that a cluster has fetched, begun and ended. All times are seconds of one monotonic clock.

    A killed process can take a lock of the queue with it: its successors then wait for ever, idle, and so does
    every task that was fetched for them. Long runs look different: all workers are busy, however long.
    """

    workers: int
    patience: float
    since: float
    waiting: dict[int, float] = field(default_factory=dict)
    running: dict[int, int] = field(default_factory=dict)
    unsettled: dict[int, float] = field(default_factory=dict)
    guarding: bool = False
    guarded_at: float = field(init=False)
    looked_at: float = field(init=False)
    moved_at: float = field(init=False)
    settled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.guarded_at = self.looked_at = self.moved_at = self.settled_at = self.since

    def hear(self, line: str, now: float) -> None:
        """Take in one line of a process of the cluster."""
        word, task_text, process_text = line.split()
        sign, task, process = Sign(word), int(task_text), int(process_text)
        if sign is Sign.GUARDING:
            self.guarding, self.guarded_at = True, now
        elif sign is Sign.LOOKING:
            self.looked_at = now
        elif sign is Sign.FETCHED:
            self.waiting[task] = self.looked_at = now
        elif sign is Sign.BEGUN:
            self.waiting.pop(task, None)
            self.running[process] = task
            self.moved_at = now
        elif sign is Sign.ENDED:
            self.running.pop(process, None)
            self.unsettled[task] = self.moved_at = now
        elif sign is Sign.SETTLED:
            self.settled_at = now
            ended_at = self.unsettled.pop(task, now)
            # Results are taken in turn: one that ended long before this one died with who was to take it.
            for lost in [task for task, then in self.unsettled.items() if then < ended_at - self.patience]:
                del self.unsettled[lost]

    def bury(self, alive: Callable[[int], bool]) -> None:
        """Forget the tasks of processes that have died in the middle of them."""
        for process in [process for process in self.running if not alive(process)]:
            del self.running[process]

    @property
    def slow(self) -> float:
        """Return how many seconds are granted to what may have to wait for the database."""
        return self.patience * SLOW_TIMES

    def stuck(self, now: float) -> str:
        """Say in a few words why the cluster will not go on by itself; '' where it is well."""
        silence = self.slow if self.guarding else max(self.slow, START_SECONDS)
        if now - self.guarded_at > silence:
            return f"its guard was not heard of for {silence:g} seconds"
        if not self.guarding:
            return ""
        if self.unsettled and now - max(self.settled_at, min(self.unsettled.values())) > self.slow:
            return f"results were not taken for {self.slow:g} seconds"
        if len(self.running) >= self.workers:
            return ""
        if self.waiting and now - max(self.moved_at, min(self.waiting.values())) > self.patience:
            return f"a task and an idle worker waited for {self.patience:g} seconds"
        if now - max(self.moved_at, self.looked_at) > self.slow:
            return f"no task was looked for in {self.slow:g} seconds, with an idle worker"
        return ""

    def drained(self, now: float, told_at: float) -> bool:
        """Say whether a cluster that was told to stop has done nothing for so long that only its end is stuck."""
        return not self.running and now - max(self.moved_at, self.settled_at, told_at) > self.slow
