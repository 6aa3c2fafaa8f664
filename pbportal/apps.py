"""Registration of the project itself: its static files, its cache table and its checks."""

import sqlite3
from typing import Any

from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class PbportalConfig(AppConfig):
    name = "pbportal"
    verbose_name = "Portal"

    def ready(self) -> None:
        from pbportal import checks  # noqa: F401 (a check is registered by being imported, once apps are)

        connection_created.connect(_ask_sqlite_for_its_limit)


def _ask_sqlite_for_its_limit(connection: BaseDatabaseWrapper, **_: Any) -> None:
    # Django takes the 999 parameters of old builds for granted: a thousand accounts would be twenty statements.
    if connection.vendor == "sqlite":
        limit = connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        connection.features.max_query_params = limit
