"""Registration of the project itself: its static files, its cache table and its checks."""

from django.apps import AppConfig


class PbportalConfig(AppConfig):
    name = "pbportal"
    verbose_name = "Portal"

    def ready(self) -> None:
        from pbportal import checks  # noqa: F401 (a check is registered by being imported, once apps are)
