"""How days pass in a story that takes minutes: everything that is stored becomes older, for every process alike."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

from django.apps import apps
from django.db import transaction
from django.db.models import DateTimeField, F, Model
from django.db.models.query import QuerySet

from connectors.models import WorkerBeat

_PRESENT = (WorkerBeat,)
"""What tells of processes that run now, not of what happened."""


def moments_of(model: type[Model]) -> list[str]:
    """Return the names of a model's fields that hold a moment."""
    return [field.attname for field in model._meta.concrete_fields if isinstance(field, DateTimeField)]


def let_pass(time: timedelta) -> None:
    """Move every stored moment of tenants and connectors back, as if that much time had passed since."""
    models = chain(apps.get_app_config("tenants").get_models(), apps.get_app_config("connectors").get_models())
    with transaction.atomic():
        for model in models:
            moments = moments_of(model)
            if moments and model not in _PRESENT:
                # Not the model's own manager: that of the record of who did what refuses, and rightly.
                QuerySet(model).update(**{name: F(name) - time for name in moments})
