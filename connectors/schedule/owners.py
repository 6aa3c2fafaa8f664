"""Which worker holds which queued task, so that none is lost with the worker that had fetched it.

A task nobody has fetched carries the queue's name as its key; a fetched one carries its owner's as well.
Whoever dies leaves tasks that are given back, and run (again) elsewhere: every task here may run twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ

from connectors.models import WorkerBeat

QUEUE: str = Conf.CLUSTER_NAME
DEAD_AFTER = timedelta(minutes=2)
FORGOTTEN_AFTER = timedelta(days=1)


def key_of(owner: str) -> str:
    """Return the key of the tasks that a worker has fetched."""
    return f"{QUEUE}@{owner}"


def waiting(*keys: str) -> QuerySet[Any]:
    """Return the queued tasks under these keys that may be fetched now, oldest first."""
    found: QuerySet[Any] = OrmQ.objects.filter(key__in=keys, lock__lte=timezone.now()).order_by("pk")
    return found


def put(packages: Sequence[str]) -> None:
    """Save signed tasks, in the caller's transaction: what is rolled back is never run."""
    now = timezone.now()
    OrmQ.objects.bulk_create([OrmQ(key=QUEUE, payload=package, lock=now) for package in packages])


def fetch(owner: str, most: int) -> list[tuple[int, str]] | None:
    """Fetch the oldest tasks for a worker, as pairs of id and signed package.

    None where none is waiting, [] where other workers were faster. A task whose worker lives and which never
    ends is fetched again after the queue's retry.
    """
    key = key_of(owner)
    tasks = list(waiting(QUEUE, key)[:most])
    if not tasks:
        return None
    fetched = []
    for task in tasks:
        until = timezone.now() + timedelta(seconds=Conf.RETRY)
        if OrmQ.objects.filter(pk=task.pk, key=task.key, lock=task.lock).update(key=key, lock=until):
            fetched.append((task.pk, task.payload))
    return fetched


def beat(owner: str, now: datetime) -> None:
    """Write that a worker is alive."""
    WorkerBeat.objects.update_or_create(cluster=owner, defaults={"at": now})


def workers(prefix: str) -> list[str]:
    """Return the owners that have not left and whose name begins so."""
    return list(WorkerBeat.objects.filter(cluster__startswith=prefix).values_list("cluster", flat=True))


def leave(owner: str) -> None:
    """Give back what a worker had fetched, and forget the worker."""
    give_back(owner)
    WorkerBeat.objects.filter(cluster=owner).delete()


def give_back(owner: str) -> int:
    """Give back the tasks of a worker whose processes have ended; return how many."""
    return int(OrmQ.objects.filter(key=key_of(owner)).update(key=QUEUE, lock=timezone.now()))


def give_back_of_the_dead(now: datetime) -> int:
    """Give back the tasks of every worker that has not been heard of for a while; return how many."""
    alive = WorkerBeat.objects.filter(at__gte=now - DEAD_AFTER).values_list("cluster", flat=True)
    lost = OrmQ.objects.filter(key__startswith=key_of("")).exclude(key__in=[key_of(owner) for owner in alive])
    return int(lost.update(key=QUEUE, lock=now))


def forget(now: datetime) -> None:
    """Delete the beats of workers that have been gone for long."""
    WorkerBeat.objects.filter(at__lt=now - FORGOTTEN_AFTER).delete()
