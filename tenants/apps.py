"""Registration of the tenants app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Receivers, which need models.
        from tenants.signin import events  # noqa: F401 (importing it connects them)
