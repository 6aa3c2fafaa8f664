"""What a deployment must not be, and how its queue must be set: told by ``manage.py check --deploy``.

``./dev serve`` runs it first; every command runs the part about the queue.
"""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

PRODUCTION_SESSION = "connectors.entra.plain_session"
SHARED_CACHES = ("DatabaseCache", "RedisCache", "PyMemcacheCache", "PyLibMCCache")
MAIL_TO_NOBODY = ("console", "filebased", "locmem", "dummy")


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


@register(Tags.security, deploy=True)
def production_is_one(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a production that shows its errors, uses a checkout's own keys, cannot count, or sends no mail."""
    if settings.DEBUG:
        return [
            Error(
                "DEBUG is on: errors show settings and data to whoever meets them.",
                hint="Take DEBUG out of the environment and .env.",
                id="pbportal.E021",
            )
        ]
    found: list[CheckMessage] = []
    own_key = Path(settings.BASE_DIR) / "var" / "development.key"
    if own_key.exists() and own_key.read_text().strip() in settings.PBPORTAL_FIELD_KEYS:
        found.append(
            Error(
                "PBPORTAL_FIELD_KEYS holds the key that a developer's checkout made for itself.",
                hint="Make a key of its own, put it first, run manage.py rotate_secrets, and take this one out.",
                id="pbportal.E022",
            )
        )
    if not settings.CACHES["default"]["BACKEND"].endswith(SHARED_CACHES):
        found.append(
            Error(
                "The default cache is each process's own, so limits on signing in are counted for each apart.",
                hint="Use the database's cache, as settings.py does.",
                id="pbportal.E023",
            )
        )
    if any(f".{backend}." in settings.EMAIL_BACKEND for backend in MAIL_TO_NOBODY):
        found.append(
            Error(
                "EMAIL_URL leads to no mail server: invitations and notifications reach nobody.",
                hint="Set EMAIL_URL to smtp+tls://USER:PASSWORD@HOST:PORT.",
                id="pbportal.E024",
            )
        )
    elif not settings.MAIL_SERVER_IS_NAMED:
        found.append(
            Warning(
                "EMAIL_URL is not set, so mail is handed to port 25 of this machine.",
                hint="Set EMAIL_URL, to smtp://localhost:25 where that is meant.",
                id="pbportal.W001",
            )
        )
    return found


@register("queue")
def queue_is_as_measured(**kwargs: Any) -> list[CheckMessage]:
    """Refuse queue settings under which tasks were seen to be lost, repeated, or stuck."""
    return queue_faults(settings.Q_CLUSTER, settings.DATABASES["default"], settings.PBPORTAL_RUN_SECONDS_MOST)


def queue_faults(queue: dict[str, Any], database: dict[str, Any], most_seconds: int) -> list[CheckMessage]:
    """Judge the settings of the queue and of its database, where a run may take this long."""
    sqlite = database["ENGINE"] == "django.db.backends.sqlite3"
    share = queue["queue_limit"] / queue["workers"]
    faults = {
        "E011": (
            queue["retry"] <= most_seconds * (share + 1) + 60 or queue["bulk"] != 1,
            "a task could be handed out a second time while it waits or runs; raise retry, and keep bulk at 1",
        ),
        "E012": (
            queue["max_attempts"] != 1 or not queue["ack_failures"],
            "a task that failed would be repeated for ever; keep max_attempts at 1 and ack_failures on",
        ),
        "E013": (
            queue["catch_up"],
            "after an outage every connector would run once for each missed period; keep catch_up off",
        ),
        "E014": (
            queue.get("orm") != "default" or queue.get("sync", False),
            "a request would not be part of the transaction that makes it; keep orm at default and sync off",
        ),
        "E015": (
            sqlite and database["OPTIONS"].get("transaction_mode") != "IMMEDIATE",
            "most tasks would fail with a locked database; keep transaction_mode at IMMEDIATE",
        ),
        "E016": (
            database.get("ATOMIC_REQUESTS", False),
            "every page would hold the database's lock while it is made; keep ATOMIC_REQUESTS off",
        ),
    }
    return [
        Error(f"With these queue settings {sentence}.", id=f"pbportal.{number}")
        for number, (wrong, sentence) in faults.items()
        if wrong
    ]
