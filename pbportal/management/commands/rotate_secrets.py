"""``manage.py rotate_secrets``: encrypt every stored secret with the first of PBPORTAL_FIELD_KEYS."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from pbportal.sealed import PREFIX, Sealed, SealedTextField, Unreadable


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first of PBPORTAL_FIELD_KEYS. Put a new key first and keep the"
        " old ones behind it, run this, then take the old ones out."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        rotated, unreadable = 0, list[str]()
        for model in apps.get_models():
            for field in model._meta.local_fields:
                if isinstance(field, SealedTextField):
                    done, left = _rotate(model, field)
                    rotated += done
                    unreadable += left
        done, left = _rotate_second_factors()
        rotated += done
        unreadable += left
        self.stdout.write(f"Encrypted with the first key: {rotated}.")
        if unreadable:
            raise CommandError(f"No key opens {len(unreadable)}; enter them again: {', '.join(unreadable)}.")


def _rotate(model: type[models.Model], field: SealedTextField) -> tuple[int, list[str]]:
    rows = model._base_manager.filter(**{f"{field.name}__isnull": False})
    done, unreadable = 0, list[str]()
    for pk in rows.order_by("pk").values_list("pk", flat=True):
        # Row by row under its lock, so that a secret replaced meanwhile is neither lost nor waited for long.
        with transaction.atomic():
            for row in rows.select_for_update().filter(pk=pk).only(field.name):
                try:
                    setattr(row, field.attname, getattr(row, field.attname).rotated())
                except Unreadable:
                    unreadable.append(f"{model._meta.label} {pk}")
                else:
                    row.save(update_fields=[field.name])
                    done += 1
    return done, unreadable


def _rotate_second_factors() -> tuple[int, list[str]]:
    """Rotate what the sign-in library keeps in a JSON field of its own."""
    done, unreadable = 0, list[str]()
    for pk in Authenticator.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            for row in Authenticator.objects.select_for_update().filter(pk=pk):
                sealed = {name: text for name, text in row.data.items() if str(text).startswith(PREFIX)}
                try:
                    row.data |= {name: Sealed(None, token=text).rotated().stored() for name, text in sealed.items()}
                except Unreadable:
                    unreadable.append(f"{Authenticator._meta.label} {pk}")
                    continue
                if sealed:
                    row.save(update_fields=["data"])
                    done += 1
    return done, unreadable
