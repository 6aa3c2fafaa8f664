"""The demo's environment: a state folder of its own, and settings that nothing on this machine can change."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, urlsplit

from pbportal.environment import development_key
from tests.demo.processes import ROOT
from tests.entra_emulator.people import MAKER, portal_application

STATE = ROOT / "var" / "demo"
_OTHERS = ("PBPORTAL_", "ENTRA_", "EMAIL_", "MICROSOFT_", "DJANGO_", "GUNICORN_")
_NAMES = frozenset(
    {
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "DATABASE_URL",
        "DEBUG",
        "PARTNER_ORIGIN",
        "PORTAL_ORIGIN",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
    }
)


def settings_of(state: Path, *, portal: str, emulator: str) -> dict[str, str]:
    """Return the portal's settings for a demo that keeps everything in one folder."""
    key = development_key(state / "demo.key")
    client_id, client_secret = portal_application(MAKER)
    return {
        "DEBUG": "true",
        "SECRET_KEY": sha256(b"SECRET_KEY of " + key.encode()).hexdigest(),
        "PBPORTAL_FIELD_KEYS": key,
        "DATABASE_URL": f"sqlite:///{state / 'demo.sqlite3'}",
        "PORTAL_ORIGIN": portal,
        "PBPORTAL_WORKERS": "2",
        "PBPORTAL_STAFF_SECOND_FACTOR": "false",
        "ENTRA_SESSION": "tests.entra_emulator.forward.session",
        "ENTRA_LOGIN_ORIGINS": _login_origins(emulator),
        "MICROSOFT_SIGNIN_CLIENT_ID": client_id,
        "MICROSOFT_SIGNIN_CLIENT_SECRET": client_secret,
        "EMULATOR_URL": emulator,
        "EMAIL_URL": f"filemail:///{quote(str(state / 'mail'))}",
    }


def _login_origins(emulator: str) -> str:
    """Return where browsers go instead of to each cloud's sign-in page: the emulator tells clouds by the host."""
    parts = urlsplit(emulator)
    return ",".join(
        f"{origin}={parts.scheme}://{host}:{parts.port}"
        for origin, host in (
            ("https://login.microsoftonline.com", parts.hostname),
            ("https://login.microsoftonline.us", "usgov.localhost"),
            ("https://login.chinacloudapi.cn", "china.localhost"),
        )
    )


def environment_of(settings: dict[str, str]) -> dict[str, str]:
    """Return this process's environment without any setting but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS) and name not in _NAMES}
    fixed = {
        "PBPORTAL_ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "pbportal.settings",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    return kept | fixed | settings


def write_settings(state: Path, settings: dict[str, str]) -> Path:
    """Write the settings to a file that PBPORTAL_ENV_FILE can name, so that manage.py finds the demo."""
    file = state / "demo.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
    return file


class AlreadyRunning(Exception):
    """Another demo has this state folder open."""


@contextmanager
def owning(state: Path) -> Iterator[None]:
    """Own a state folder until the end; raises AlreadyRunning where another demo does."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield
