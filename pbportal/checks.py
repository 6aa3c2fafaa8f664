"""What a deployment must not be: told by ``manage.py check --deploy``, which ``./dev serve`` runs first."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

PRODUCTION_SESSION = "connectors.entra.plain_session"


@register(Tags.security, deploy=True)
def microsoft_is_microsoft(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a production whose Microsoft is emulated."""
    if settings.DEBUG:
        return []
    found: list[CheckMessage] = []
    if settings.ENTRA_SESSION != PRODUCTION_SESSION:
        found.append(
            Error(
                "ENTRA_SESSION is set, so the connectors do not talk to Microsoft.",
                hint="Take ENTRA_SESSION out of the environment and .env.",
                id="pbportal.E001",
            )
        )
    if settings.ENTRA_LOGIN_ORIGINS:
        found.append(
            Error(
                "ENTRA_LOGIN_ORIGINS is set, so browsers are sent elsewhere than to Microsoft.",
                hint="Take ENTRA_LOGIN_ORIGINS out of the environment and .env.",
                id="pbportal.E002",
            )
        )
    return found
