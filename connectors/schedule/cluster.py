"""django-q2's cluster in a process group of its own, which tells its watchdog what each of its processes does."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any

from django.db import connections
from django_q.brokers.orm import ORM
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.signals import post_execute_in_worker, pre_execute

from connectors.schedule import owners
from connectors.schedule.signs import Sign

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """Write signs into the watchdog's pipe. Shared by all processes: a line this short is never torn apart."""

    pipe: int

    def tell(self, sign: Sign, task: int = 0) -> None:
        try:
            os.write(self.pipe, f"{sign} {task} {os.getpid()}\n".encode())
        except BrokenPipeError:
            # Nobody watches any more: without a watchdog the next wedge would last for good.
            os.killpg(0, signal.SIGKILL)


class OwnedQueue(ORM):  # type: ignore[misc]  # django-q2 has no types
    """The database as the queue, where what is fetched is its owner's, and every step is told."""

    def __init__(self, owner: str, telling: Telling) -> None:
        super().__init__()
        self.owner = owner
        self.telling = telling

    def dequeue(self) -> list[tuple[int, str]] | None:
        self.telling.tell(Sign.LOOKING)
        self.get_connection()
        fetched = owners.fetch(self.owner, Conf.BULK)
        if fetched is None:
            time.sleep(Conf.POLL)
            return None
        for task, _ in fetched:
            self.telling.tell(Sign.FETCHED, task)
        return fetched

    def acknowledge(self, task_id: int) -> None:
        super().acknowledge(task_id)
        self.telling.tell(Sign.SETTLED, task_id)

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        self.telling.tell(Sign.GUARDING)


def run(owner: str, *, leash: int, pipe: int) -> int:
    """Run the cluster until SIGTERM, which lets running tasks end; return an exit code.

    `leash` is a pipe that the watchdog holds open: when it closes, the whole process group ends at once.
    Only for the leader of a process group of its own. SIGTERM is for this process alone: sent to the
    group, it would end the workers in the middle of their tasks.
    """
    if os.getpgrp() != os.getpid():
        raise RuntimeError("The cluster must lead its own process group: start it with manage.py worker.")
    telling = Telling(pipe)

    def begun(sender: Any, task: dict[str, Any], **_: Any) -> None:
        telling.tell(Sign.BEGUN, task["ack_id"])

    def ended(sender: Any, task: dict[str, Any], **_: Any) -> None:
        telling.tell(Sign.ENDED, task["ack_id"])

    pre_execute.connect(begun, weak=False)
    post_execute_in_worker.connect(ended, weak=False)
    told: list[int] = []

    def stop(signum: int, _frame: FrameType | None) -> None:
        told.append(signum)

    # A forked process inherits an open connection, and two would speak over one.
    connections.close_all()
    cluster = Cluster(OwnedQueue(owner, telling))
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        cluster.start()
    except RuntimeError as error:
        logger.error("The queue could not start: %s", error)
        return 1
    while cluster.sentinel.is_alive():
        if told and not cluster.stop_event.is_set():
            cluster.stop_event.set()
        if select.select([leash], [], [], 0.2)[0]:
            os.killpg(0, signal.SIGKILL)
    return 0 if cluster.sentinel.exitcode == 0 else 1
