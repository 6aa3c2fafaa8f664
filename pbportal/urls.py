"""The routes of the whole project."""

from django.urls import URLPattern, URLResolver, path

from pbportal import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
