"""What the wizard says of the Entra side: redirect URIs, permissions, direct links, and a script that does it all."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from connectors.models import Connector
from connectors.states import Cloud
from tenants.portals import PARTNER, Portal

APP_NAME = "Password Boss Connector"
GRAPH_APP = "00000003-0000-0000-c000-000000000000"
PERMISSIONS = {
    "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
}
"""The application permissions, each with its id in Microsoft Graph (Microsoft: Graph permissions reference)."""

_PORTALS = {
    Cloud.GLOBAL: "https://portal.azure.com",
    Cloud.US_GOVERNMENT: "https://portal.azure.us",
    Cloud.US_DOD: "https://portal.azure.us",
    Cloud.CHINA: "https://portal.azure.cn",
}
_CLI_CLOUDS = {
    Cloud.GLOBAL: "AzureCloud",
    Cloud.US_GOVERNMENT: "AzureUSGovernment",
    Cloud.US_DOD: "AzureUSGovernment",
    Cloud.CHINA: "AzureChinaCloud",
}
_FILE = "password-boss-connector.pem"
_BLADES = "#view/Microsoft_AAD_RegisteredApps"


@dataclass(frozen=True, slots=True)
class Links:
    """Hold Microsoft's pages for one cloud; those of the application need its Client ID."""

    portal: str
    register: str
    redirects: str
    permissions: str
    secrets: str
    overview: str


@dataclass(frozen=True, slots=True)
class Guide:
    """Hold what the guide of one connector shows."""

    app_name: str
    redirect_uris: tuple[str, ...]
    permissions: tuple[str, ...]
    links: tuple[tuple[Cloud, Links], ...]
    script: str
    upload_script: str


def redirect_uri(portal: Portal) -> str:
    """Return where Microsoft sends people of a portal back to, on this installation."""
    if portal is PARTNER:
        return f"{settings.PARTNER_ORIGIN}{reverse('consent-callback-partner')}"
    return f"{settings.PORTAL_ORIGIN}{reverse('consent-callback-business')}"


def guide_for(connector: Connector, certificate: str = "") -> Guide:
    """Return the guide; a connector that knows its application and cloud gets links right to it.

    With a certificate, in PEM, the script uploads it instead of making a secret.
    """
    cloud = Cloud(connector.cloud)
    known = bool(connector.client_id)
    clouds = [cloud] if known else list(dict.fromkeys([cloud, *Cloud]))
    uris = tuple(
        dict.fromkeys(
            (
                f"{settings.PARTNER_ORIGIN}{reverse('consent-callback-partner')}",
                f"{settings.PORTAL_ORIGIN}{reverse('consent-callback-business')}",
            )
        )
    )
    return Guide(
        app_name=APP_NAME,
        redirect_uris=uris,
        permissions=tuple(PERMISSIONS),
        links=tuple((one, _links(one, connector.client_id)) for one in clouds),
        script=_script(cloud, uris, certificate),
        upload_script=_upload_script(cloud, connector.client_id, certificate) if certificate and known else "",
    )


def _links(cloud: Cloud, client_id: str) -> Links:
    portal = _PORTALS[cloud]
    register = f"{portal}/{_BLADES}/CreateApplicationBlade"

    def page(name: str) -> str:
        if not client_id:
            return f"{portal}/{_BLADES}/ApplicationsListBlade"
        return f"{portal}/{_BLADES}/ApplicationMenuBlade/~/{name}/appId/{client_id}"

    return Links(
        portal=portal,
        register=register,
        redirects=page("Authentication"),
        permissions=page("CallAnAPI"),
        secrets=page("Credentials"),
        overview=page("Overview"),
    )


def _sign_in(cloud: Cloud) -> tuple[str, ...]:
    return (f"az cloud set --name {_CLI_CLOUDS[cloud]}", "az login --allow-no-subscriptions --output none")


def _upload(certificate: str) -> tuple[str, ...]:
    """Return the lines that write a certificate to a file and upload it beside what the application has."""
    return (
        f"cat > {_FILE} <<'END'",
        certificate.strip(),
        "END",
        f'az ad app credential reset --id "$APP" --append --cert "@{_FILE}" --output none',
    )


def _upload_script(cloud: Cloud, client_id: str, certificate: str) -> str:
    """Return a script for the Azure CLI that uploads a certificate to an application that is there."""
    return "\n".join((*_sign_in(cloud), f'APP="{client_id}"', *_upload(certificate)))


def _script(cloud: Cloud, uris: tuple[str, ...], certificate: str) -> str:
    """Return a script for the Azure CLI that makes the application as the guide says, and prints what is asked for."""
    roles = [{"id": role, "type": "Role"} for role in PERMISSIONS.values()]
    access = json.dumps([{"resourceAppId": GRAPH_APP, "resourceAccess": roles}], separators=(",", ":"))
    secret = (
        f'SECRET=$(az ad app credential reset --id "$APP" --append --display-name "{APP_NAME}" \\',
        "  --years 1 --query password --output tsv)",
    )
    return "\n".join(
        (
            *_sign_in(cloud),
            f'APP=$(az ad app create --display-name "{APP_NAME}" \\',
            "  --sign-in-audience AzureADMyOrg \\",
            f"  --web-redirect-uris {' '.join(uris)} \\",
            f"  --required-resource-accesses '{access}' \\",
            "  --query appId --output tsv)",
            'az ad sp create --id "$APP" --output none',
            *(_upload(certificate) if certificate else secret),
            'echo "Client ID:     $APP"',
            *(() if certificate else ('echo "Client Secret: $SECRET"',)),
            'echo "Tenant ID:     $(az account show --query tenantId --output tsv)"',
        )
    )
