"""The process that starts the cluster, watches it, restarts it when it is stuck, and ends it when told."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import close_old_connections, connection
from django.utils import timezone

from connectors import schedule
from connectors.worker.watch import Watch

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10
SCHEDULES_SECONDS = 60
LONGEST_PAUSE_SECONDS = 60
STARTS_IN_VAIN = 5
STEADY_SECONDS = 600
TICK_SECONDS = 0.25


class Cluster:
    """One running cluster: its processes, the pipe they tell through, and the leash that they die with."""

    def __init__(self, owner: str, patience: float) -> None:
        leash, self._leash = os.pipe()
        self._pipe, pipe = os.pipe()
        self._rest = b""
        self.watch = Watch(workers=settings.PBPORTAL_WORKERS, patience=patience, since=time.monotonic())
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker", "--cluster", owner]
        try:
            self._process = subprocess.Popen(  # noqa: S603 (this project's own command)
                [*command, "--leash", str(leash), "--pipe", str(pipe)],
                pass_fds=[leash, pipe],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(leash)
            os.close(pipe)

    def listen(self) -> None:
        """Take in what the processes have told, waiting a moment where they are silent."""
        while select.select([self._pipe], [], [], TICK_SECONDS)[0]:
            told = os.read(self._pipe, 65_536)
            if not told:
                # Every process has closed its end: they are gone, or about to be.
                time.sleep(TICK_SECONDS)
                return
            *lines, self._rest = (self._rest + told).split(b"\n")
            now = time.monotonic()
            for line in lines:
                self.watch.hear(line.decode(), now)
            if len(told) < 65_536:
                return

    def ended(self) -> int | None:
        """Return the exit code of the main process; None while it runs."""
        return self._process.poll()

    def tell_to_stop(self) -> None:
        """Let running tasks end. Told to the whole group, it would end them in the middle."""
        self._process.terminate()

    def kill(self) -> None:
        """End every process of the cluster at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._pipe)
        os.close(self._leash)


class Watchdog:
    """Keep one cluster running until SIGTERM or SIGINT; a second one ends it at once.

    `patience` is how many seconds a task may wait beside an idle worker, `grace` how many running tasks get to end.
    """

    def __init__(self, *, patience: float, grace: float) -> None:
        self._host = f"{socket.gethostname()[:50]}:"
        self.owner = f"{self._host}{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.patience = patience
        self.grace = grace
        self._told = 0
        self._database_answers = True
        self._beat_at = self._schedules_at = 0.0

    def run(self) -> int:
        """Work until told to stop; return 0, or 1 where the cluster does not start or had to be killed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear_signal)
        logger.info("Worker %s starts with %s processes.", self.owner, settings.PBPORTAL_WORKERS)
        restarts = in_vain = 0
        while not self._told:
            if not self._database(self._arrive):
                self._pause(min(LONGEST_PAUSE_SECONDS, 2**restarts))
                restarts += 1
                continue
            cluster = Cluster(self.owner, self.patience)
            began = time.monotonic()
            why = self._watch(cluster)
            if not why:
                return self._stop(cluster)
            cluster.kill()
            self._database(lambda: schedule.give_back(self.owner))
            in_vain = 0 if cluster.watch.guarding else in_vain + 1
            if in_vain == STARTS_IN_VAIN:
                logger.error("Worker %s gives up: the queue did not start %s times.", self.owner, in_vain)
                return 1
            restarts = 0 if time.monotonic() - began > STEADY_SECONDS else restarts
            pause = min(LONGEST_PAUSE_SECONDS, 2**restarts - 1)
            restarts += 1
            logger.error("The queue is restarted in %s seconds: %s.", pause, why)
            self._pause(pause)
        self._database(lambda: schedule.leave(self.owner))
        return 0

    def _hear_signal(self, number: int, _frame: FrameType | None) -> None:
        self._told += 1

    def _watch(self, cluster: Cluster) -> str:
        """Stand by until the cluster must be restarted, and say why; '' where the watchdog was told to stop."""
        self._beat_at = self._schedules_at = time.monotonic()
        while not self._told:
            cluster.listen()
            code = cluster.ended()
            if code is not None:
                return f"it ended by itself with code {code}"
            now = time.monotonic()
            cluster.watch.bury(alive)
            if why := cluster.watch.stuck(now):
                return why
            if now - self._beat_at >= BEAT_SECONDS:
                self._beat_at = now
                self._database(lambda: schedule.beat(self.owner, timezone.now()))
            if now - self._schedules_at >= SCHEDULES_SECONDS:
                self._schedules_at = now
                self._database(_mend_standing_schedules)
        return ""

    def _stop(self, cluster: Cluster) -> int:
        """End the cluster: when its tasks have ended, when the grace has, or at a second signal."""
        told_at = time.monotonic()
        count = len(cluster.watch.running)
        logger.info("Worker %s stops; %s running tasks have %g seconds to end.", self.owner, count, self.grace)
        cluster.tell_to_stop()
        why = ""
        while cluster.ended() is None and not why:
            cluster.listen()
            cluster.watch.bury(alive)
            now = time.monotonic()
            if self._told > 1:
                why = "it was told to twice"
            elif now - told_at > self.grace:
                why = f"its tasks did not end in {self.grace:g} seconds"
            elif cluster.watch.drained(now, told_at):
                why = "its processes did not end by themselves"
            elif now - self._beat_at >= BEAT_SECONDS:
                self._beat_at = now
                self._database(lambda: schedule.beat(self.owner, timezone.now()))
        cut_off = len(cluster.watch.running)
        cluster.kill()
        self._database(lambda: schedule.leave(self.owner))
        if why:
            logger.error("Worker %s was killed because %s; %s tasks will run again.", self.owner, why, cut_off)
        else:
            logger.info("Worker %s has stopped.", self.owner)
        return 1 if why else 0

    def _arrive(self) -> None:
        for owner in schedule.workers(self._host):
            process = int(owner.split(":")[-2])
            # Where every start of this machine has the same process id, as in a container, that was a former one.
            if process == os.getpid() or not alive(process):
                schedule.leave(owner)
        schedule.beat(self.owner, timezone.now())
        schedule.repair(timezone.now())

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._told and time.monotonic() < until:
            time.sleep(TICK_SECONDS)

    def _database(self, act: Callable[[], object]) -> bool:
        """Do something in the database and say whether it went well; tell of its failing and its return once each."""
        close_old_connections()
        try:
            act()
        except DatabaseFault as error:
            # The error's text may quote the address of the database, user included.
            if self._database_answers:
                logger.error("The database is down, or manage.py migrate has not run on it (%s).", type(error).__name__)
            self._database_answers = False
            connection.close()
            return False
        if not self._database_answers:
            logger.info("The database answers the worker again.")
        self._database_answers = True
        return True


def alive(process: int) -> bool:
    """Say whether a process of this user exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _mend_standing_schedules() -> None:
    # What mends the schedules is itself scheduled: one row that cannot be read stops it with all the others.
    now = timezone.now()
    if schedule.schedules_stand_still(now):
        schedule.repair(now)
