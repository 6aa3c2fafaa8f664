"""Asking for one more run: tasks put into the queue in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping

from django_q.tasks import async_task

from connectors.schedule import owners
from connectors.schedule.rows import connectors_by_size, literal, task_seconds
from connectors.states import RunTrigger


class _Sheaf:
    """Gather signed tasks where django-q2 expects a broker, so that any number is saved in one statement."""

    list_key = owners.QUEUE

    def __init__(self) -> None:
        self.packages: list[str] = []

    def enqueue(self, package: str) -> int:
        self.packages.append(package)
        return len(self.packages)


def request(connector_id: int, trigger: RunTrigger, by_id: int | None = None) -> None:
    """Ask for one run of a connector at once, in the caller's transaction; `by_id` is the login that asks."""
    request_all({connector_id: trigger}, by_id)


def request_all(triggers: Mapping[int, RunTrigger], by_id: int | None = None) -> None:
    """Ask for one run of each connector, by its id, in the order given and in the caller's transaction.

    It costs a constant number of statements; an id that no connector has is passed over.
    """
    sheaf = _Sheaf()
    found = connectors_by_size().in_bulk(list(triggers))
    for pk, trigger in triggers.items():
        # A database returns rows in whatever order it likes; people are served in the order of their asking.
        if (connector := found.get(pk)) is None:
            continue
        arguments = (pk, str(trigger), by_id or 0)
        literal(arguments)
        async_task(
            "connectors.schedule.requested",
            *arguments,
            q_options={"broker": sheaf, "timeout": task_seconds(connector)},
        )
    owners.put(sheaf.packages)
