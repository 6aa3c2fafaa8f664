"""The addresses of a company's connectors, below the company's own in either portal."""

from __future__ import annotations

from django.urls import path

from connectors.views import pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("connectors/", pages.integrations, name="connectors"),
    path("connectors/actions/", pages.act, name="connector-actions"),
    path("connectors/<int:connector_id>/", pages.connector, name="connector"),
    path("connectors/<int:connector_id>/runs/", pages.runs, name="runs"),
    path("runs/<int:run_id>/", pages.run, name="run"),
]
