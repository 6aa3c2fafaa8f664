"""The worker: what counts as stuck, and real processes on a real database that are killed and told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from connectors import schedule
from connectors.models import WorkerBeat
from connectors.schedule.signs import Sign
from connectors.states import ConnectorStatus, RunTrigger
from connectors.worker import Watch
from tests.conftest import ROOT
from tests.entra_emulator import Emulator
from tests.entra_emulator.server import serving
from tests.stage import Stage

# What counts as stuck


class Told:
    """A watch of two workers with ten seconds of patience, told things at seconds of its own."""

    def __init__(self) -> None:
        self.watch = Watch(workers=2, patience=10, since=0)

    def at(self, now: float, *told: tuple[Sign, int, int]) -> Told:
        for sign, task, process in told:
            self.watch.hear(f"{sign} {task} {process}", now)
        return self

    def well(self, now: float) -> Told:
        """Let guard and pusher be heard."""
        return self.at(now, (Sign.GUARDING, 0, 100), (Sign.LOOKING, 0, 101))

    def stuck(self, now: float) -> str:
        return self.well(now).watch.stuck(now)


FETCHED, BEGUN, ENDED, SETTLED = Sign.FETCHED, Sign.BEGUN, Sign.ENDED, Sign.SETTLED


def test_an_idle_cluster_is_well() -> None:
    assert Told().stuck(10_000) == ""


def test_a_task_that_waits_beside_an_idle_worker_is_stuck() -> None:
    told = Told().at(5, (FETCHED, 1, 101))
    assert told.stuck(15) == ""
    assert told.stuck(15.1) == "a task and an idle worker waited for 10 seconds"


def test_a_task_that_waits_while_all_workers_are_busy_is_not_however_long() -> None:
    told = Told().at(5, (FETCHED, 1, 101), (FETCHED, 2, 101), (FETCHED, 3, 101), (BEGUN, 1, 11), (BEGUN, 2, 12))
    assert told.stuck(5_000) == ""
    told.at(5_000, (ENDED, 1, 11), (SETTLED, 1, 102))
    assert told.stuck(5_010) == ""
    assert told.stuck(5_011) == "a task and an idle worker waited for 10 seconds"
    assert told.at(5_011, (BEGUN, 3, 11)).stuck(9_000) == ""


def test_a_long_run_beside_an_idle_worker_is_not_stuck_when_nothing_waits() -> None:
    assert Told().at(5, (FETCHED, 1, 101), (BEGUN, 1, 11)).stuck(5_000) == ""


def test_a_worker_that_died_in_the_middle_is_not_busy_for_ever() -> None:
    told = Told().at(5, (FETCHED, 1, 101), (FETCHED, 2, 101), (FETCHED, 3, 101), (BEGUN, 1, 11), (BEGUN, 2, 12))
    told.watch.bury(lambda process: process != 12)
    assert told.stuck(16) == "a task and an idle worker waited for 10 seconds"


def test_a_cluster_that_does_not_start_is_stuck_later_than_one_that_falls_silent() -> None:
    watch = Told().watch
    assert (watch.stuck(60), watch.stuck(61)) == ("", "its guard was not heard of for 60 seconds")


def test_a_guard_that_is_silent_is_stuck() -> None:
    told = Told().well(5)
    assert told.watch.stuck(35) == ""
    assert told.at(36, (Sign.LOOKING, 0, 101)).watch.stuck(36) == "its guard was not heard of for 30 seconds"


def test_a_pusher_that_is_silent_is_stuck_only_beside_an_idle_worker() -> None:
    told = Told().at(5, (FETCHED, 1, 101), (FETCHED, 2, 101), (BEGUN, 1, 11), (BEGUN, 2, 12))
    assert told.at(60, (Sign.GUARDING, 0, 100)).watch.stuck(60) == ""
    told.at(61, (ENDED, 2, 12), (SETTLED, 2, 102))
    assert told.at(91, (Sign.GUARDING, 0, 100)).watch.stuck(91) == ""
    assert told.watch.stuck(91.5) == "no task was looked for in 30 seconds, with an idle worker"


def test_results_that_nobody_takes_are_stuck() -> None:
    told = Told()
    for second in range(40):
        told.at(second, (FETCHED, second, 101), (BEGUN, second, 11), (ENDED, second, 11))
    assert told.stuck(30) == ""
    assert told.stuck(31) == "results were not taken for 30 seconds"


def test_a_result_that_died_with_who_took_it_is_forgotten_at_the_next() -> None:
    told = Told().at(5, (FETCHED, 1, 101), (BEGUN, 1, 11), (ENDED, 1, 11))
    told.at(20, (FETCHED, 2, 101), (BEGUN, 2, 11), (ENDED, 2, 11), (SETTLED, 2, 102))
    assert told.stuck(1_000) == ""


def test_only_a_cluster_without_running_tasks_is_drained() -> None:
    watch = Told().at(5, (FETCHED, 1, 101), (BEGUN, 1, 11)).watch
    assert watch.drained(100, 20) is False
    watch.hear(f"{ENDED} 1 11", 100)
    assert (watch.drained(130, 20), watch.drained(130.5, 20), watch.drained(130.5, 105)) == (False, True, False)


# Real processes


def children_of(process: int) -> set[int]:
    """Return every living process below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    grown = {process}
    while grown:
        grown = {child for child, parent in parents.items() if parent in grown}
        found |= grown
    return found


def living(processes: set[int]) -> set[int]:
    alive = set()
    for process in processes:
        with suppress(OSError):
            if (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                alive.add(process)
    return alive


def is_idle(process: int) -> bool:
    """Say whether a process sleeps, and goes on sleeping for a while."""
    looks = []
    for pause in (0.3, 0):
        looks.append((Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[:13])
        time.sleep(pause)
    return looks[0] == looks[1] and looks[0][0] == "S"


class Workers:
    """Workers of the test's database, their notes, and the end of all of them."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = environment
        self.notes = folder / "notes"
        self.log = folder / "log"
        self.started: list[subprocess.Popen[bytes]] = []
        self._seen: set[int] = set()

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, ROOT / "manage.py", "worker", *options], env=self.environment, stdout=log, stderr=log
            )
        self.started.append(worker)
        return worker

    def queue(self, word: str, milliseconds: int = 0) -> None:
        async_task("tests.connectors.errands.note", str(self.notes), word, milliseconds)

    def queue_stumbling(self, word: str) -> None:
        async_task("tests.connectors.errands.stumble", str(self.notes), word)

    def lines(self, what: str) -> list[str]:
        """Return the words noted as begun or ended, in order."""
        found = [line.split() for line in self.read(self.notes)]
        return [word for word, noted, _ in found if noted == what]

    def processes(self) -> set[int]:
        """Return the processes that have begun a task."""
        return {int(line.split()[2]) for line in self.read(self.notes)}

    def read(self, path: Path) -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    def all_processes(self, worker: subprocess.Popen[bytes]) -> set[int]:
        found = {worker.pid} | children_of(worker.pid)
        self._seen |= found
        return found

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so: a loaded machine may take long, a broken worker never gets there."""
        end = time.monotonic() + 90
        while not condition():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def kill_idle(self) -> None:
        """Let every process of two carry out a task, then kill them while they wait for another."""
        self.queue("one", 400)
        self.queue("two", 400)
        self.until(lambda: len(self.processes()) == 2 and not OrmQ.objects.exists())
        self.until(lambda: all(is_idle(process) for process in self.processes()))
        for process in self.processes():
            os.kill(process, signal.SIGKILL)

    def end(self) -> None:
        for worker in self.started:
            self.all_processes(worker)
            worker.kill()
            worker.wait()
        self.until(lambda: not living(self._seen))


@pytest.fixture
def workers(child_environment: dict[str, str], tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(child_environment, tmp_path)
    yield workers
    workers.end()


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


def test_a_worker_runs_what_is_queued_and_recovers_from_the_death_of_its_idle_processes(
    workers: Workers, emulator: Emulator
) -> None:
    stage = Stage(emulator, "Ada Lovelace")
    with serving(emulator) as server:
        workers.environment |= {"ENTRA_SESSION": "tests.entra_emulator.forward.session", "EMULATOR_URL": server.url}
        worker = workers.start("--patience", "5")
        schedule.request(stage.connector.pk, RunTrigger.MANUAL)
        workers.until(lambda: stage.refreshed().status == ConnectorStatus.CONNECTED)
        workers.kill_idle()
        for word in ("three", "four", "five", "six"):
            workers.queue(word)
        workers.until(lambda: set(workers.lines("ended")) == {"one", "two", "three", "four", "five", "six"})
        workers.until(lambda: not OrmQ.objects.exists())
    assert (
        workers.log.read_text().count(
            "The queue is restarted in 0 seconds: a task and an idle worker waited for 5 seconds."
        )
        == 1
    )
    assert sorted(workers.lines("begun")) == ["five", "four", "one", "six", "three", "two"]
    assert WorkerBeat.objects.count() == 1
    everything = workers.all_processes(worker)
    worker.terminate()
    assert worker.wait(60) == 0
    assert (WorkerBeat.objects.count(), living(everything)) == (0, set())


def test_a_worker_that_is_told_to_stop_lets_its_task_end(workers: Workers) -> None:
    worker = workers.start()
    workers.queue("long", 1_500)
    workers.until(lambda: workers.lines("begun") == ["long"])
    workers.queue("later")
    worker.terminate()
    assert worker.wait(60) == 0
    # What was queued in the same moment was done as well, or waits for the next worker.
    assert workers.lines("ended")[-1] == "long"
    assert len(workers.lines("ended")) + OrmQ.objects.filter(key="pbportal").count() == 2


def test_a_worker_that_cannot_end_by_itself_is_ended(workers: Workers) -> None:
    worker = workers.start("--patience", "2")
    workers.kill_idle()
    workers.until(lambda: workers.log.read_text().count("after death") == 2)
    everything = workers.all_processes(worker)
    worker.terminate()
    assert worker.wait(60) == 1
    assert "was killed because its processes did not end by themselves" in workers.log.read_text()
    assert living(everything) == set()


def test_a_worker_that_is_told_twice_ends_at_once_and_gives_its_task_back(workers: Workers) -> None:
    worker = workers.start()
    workers.queue("endless", 3_600_000)
    workers.until(lambda: workers.lines("begun") == ["endless"])
    everything = workers.all_processes(worker)
    worker.send_signal(signal.SIGINT)
    workers.until(lambda: "running tasks have" in workers.log.read_text())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 1
    assert living(everything) == set()
    assert list(OrmQ.objects.values_list("key", flat=True)) == ["pbportal"]


def test_what_is_killed_in_the_middle_of_a_task_does_it_again(workers: Workers) -> None:
    worker = workers.start()
    workers.queue_stumbling("first")
    workers.until(lambda: workers.lines("begun") == ["first"])
    for process in children_of(worker.pid):
        os.kill(process, signal.SIGKILL)
    workers.until(lambda: workers.lines("ended") == ["first"])
    assert worker.poll() is None
    # Now the watchdog alone: what it watched must not outlive it.
    workers.queue_stumbling("second")
    workers.until(lambda: "second" in workers.lines("begun"))
    everything = workers.all_processes(worker)
    worker.kill()
    worker.wait()
    workers.until(lambda: not living(everything))
    workers.queue("third")
    workers.start()
    workers.until(lambda: set(workers.lines("ended")) == {"first", "second", "third"})
    workers.until(lambda: not OrmQ.objects.exists())
    assert sorted(workers.lines("begun")) == ["first", "first", "second", "second", "third"]
