"""How days pass in a story that takes minutes: everything that is stored becomes older, for every process alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import chain

from django.apps import apps
from django.db import connection, transaction
from django.db.models import DateField, DateTimeField, F, Model
from django.db.models.query import QuerySet

from connectors.models import Event, WorkerBeat
from tenants.states import EventKind

_PRESENT = (WorkerBeat,)
"""What tells of processes that run now, not of what happened."""


def moments_of(model: type[Model]) -> list[str]:
    """Return the names of a model's fields that hold a moment."""
    return [field.attname for field in model._meta.concrete_fields if isinstance(field, DateTimeField)]


def days_of(model: type[Model]) -> list[str]:
    """Return the names of a model's fields that hold a day."""
    fields = model._meta.concrete_fields
    return [one.attname for one in fields if isinstance(one, DateField) and not isinstance(one, DateTimeField)]


@contextmanager
def _record_may_age() -> Iterator[None]:
    """Let PostgreSQL change the record of who did what, which it refuses everybody else."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")


def let_pass(time: timedelta) -> None:
    """Move every stored moment of tenants and connectors back, as if that much time had passed since.

    A stored day moves by whole days only: the hours of several calls are not added up. What was told of a day that
    comes closer names that day as well.
    """
    models = chain(apps.get_app_config("tenants").get_models(), apps.get_app_config("connectors").get_models())
    with transaction.atomic(), _record_may_age():
        for model in models:
            moments = moments_of(model)
            if moments and model not in _PRESENT:
                # Not the model's own manager: that of the record of who did what refuses, and rightly.
                QuerySet(model).update(**{name: F(name) - time for name in moments})
            for name in days_of(model):
                known = QuerySet(model).exclude(**{name: None})
                for key, day in known.values_list("pk", name) if time.days else ():
                    QuerySet(model).filter(pk=key).update(**{name: day - timedelta(days=time.days)})
        for event in Event.objects.filter(kind=EventKind.EXPIRY) if time.days else ():
            event.reason = (date.fromisoformat(event.reason) - timedelta(days=time.days)).isoformat()
            event.save(update_fields=["reason"])
