"""Registration of the connectors app, and of what it alone can tell others."""

from __future__ import annotations

from collections.abc import Collection

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let invitations ask whether a directory reports another address."""
        from tenants.invitations import doubt_by

        doubt_by(contradicted)


def contradicted(account_ids: Collection[int]) -> set[int]:
    """Return the accounts whose owner has another address in the directory than the one the account keeps."""
    from connectors.models import AccountLink

    links = AccountLink.objects.filter(account__in=account_ids).exclude(directory_email="")
    pairs = links.values_list("account_id", "directory_email", "account__email")
    return {pk for pk, reported, kept in pairs if reported.lower() != kept.lower()}
