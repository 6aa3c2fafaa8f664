"""The addresses of a company's connectors, below the company's own in either portal."""

from __future__ import annotations

from django.urls import path

from connectors.views import (
    azure,
    braking,
    certificates,
    choosing,
    consent,
    deciding,
    held,
    pages,
    pausing,
    removing,
    replacing,
    righting,
    ruling,
    runs,
    why,
    wizard,
)

urlpatterns = [
    path("", pages.home, name="home"),
    path("why/", why.company_why, name="why"),
    path("connectors/<int:connector_id>/why/", why.connector_why, name="connector-why"),
    path("connectors/", pages.integrations, name="connectors"),
    path("connectors/actions/", pages.act, name="connector-actions"),
    path("connectors/install/", wizard.install, name="install"),
    path("connectors/<int:connector_id>/setup/", wizard.setup, name="setup"),
    path("connectors/<int:connector_id>/setup/token/", wizard.token, name="step-token"),
    path("connectors/<int:connector_id>/setup/azure/", azure.auth, name="step-auth"),
    path("connectors/<int:connector_id>/setup/azure/verify/", azure.verify, name="verify"),
    path("connectors/<int:connector_id>/setup/azure/certificate/", certificates.certificate, name="certificate"),
    path(
        "connectors/<int:connector_id>/setup/azure/certificate/file/",
        certificates.certificate_file,
        name="certificate-file",
    ),
    path("connectors/<int:connector_id>/setup/azure/replace/", replacing.replace, name="replace"),
    path("connectors/<int:connector_id>/setup/azure/consent/", consent.consent, name="consent"),
    path("connectors/<int:connector_id>/setup/groups/", choosing.groups, name="step-groups"),
    path("connectors/<int:connector_id>/setup/groups/search/", choosing.search, name="group-search"),
    path("connectors/<int:connector_id>/setup/rules/", ruling.rules, name="step-rules"),
    path("connectors/<int:connector_id>/setup/preview/", ruling.preview, name="preview"),
    path("connectors/<int:connector_id>/", pages.connector, name="connector"),
    path("connectors/<int:connector_id>/runs/", runs.runs, name="runs"),
    path("connectors/<int:connector_id>/runs/awaited/", runs.awaited, name="run-awaited"),
    path("connectors/<int:connector_id>/held/", held.held, name="held"),
    path("connectors/<int:connector_id>/held/csv/", held.held_csv, name="held-csv"),
    path("connectors/<int:connector_id>/held/decide/", deciding.decide, name="held-decide"),
    path("connectors/<int:connector_id>/held/<uuid:person>/", deciding.who, name="held-who"),
    path("connectors/<int:connector_id>/pause/", pausing.pause, name="pause"),
    path("connectors/<int:connector_id>/resume/", pausing.resume, name="resume"),
    path("connectors/<int:connector_id>/brake/", braking.brake, name="brake"),
    path("connectors/<int:connector_id>/remove/", removing.remove, name="remove"),
    path("runs/<int:run_id>/", runs.run, name="run"),
    path("runs/<int:run_id>/csv/", runs.run_csv, name="run-csv"),
    path("runs/<int:run_id>/put-right/", righting.put_right, name="put-right"),
]
