"""The routes of the whole project."""

from django.urls import URLPattern, URLResolver, include, path

from connectors import admin as _pages_of_connectors  # noqa: F401 (importing it puts its pages on the site)
from pbportal import health
from tenants.admin import site as partner_portal

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("tenants.signin.urls")),
    path("partner/", partner_portal.urls),
]
