"""What every test may use: the database of this run for child processes, and one hypothesis profile."""

import gc
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from hypothesis import settings as hypothesis_settings

ROOT = Path(__file__).resolve().parent.parent

# A loaded machine is slow, not wrong. Tests try the same examples each time; TESTS=long looks for new ones, for long.
LONG = os.environ.get("TESTS") == "long"
hypothesis_settings.register_profile("portal", deadline=None, derandomize=not LONG, database=None)
hypothesis_settings.load_profile("portal")

# Until everything is collected, what is made stays.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with journeys and real processes: a test of a minute that begins last is waited for by everybody."""
    items.sort(key=lambda item: "journeys" not in item.path.parts and item.path.stem != "test_worker")


def pytest_collection_finish() -> None:
    """Keep thousands of collected tests, and all of Django, out of every garbage collection: a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture
def child_environment(transactional_db: None, settings: Any) -> dict[str, str]:
    """Return the environment of a real process, such as a worker, that shares this test's database and keys.

    It runs with pbportal.settings; a test that needs its Microsoft adds ENTRA_SESSION.
    """
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        database_url = f"sqlite:///{name}"
    else:
        told = {key: quote(str(connection.settings_dict[key] or ""), safe="") for key in ("USER", "PASSWORD", "PORT")}
        login = f"{told['USER']}:{told['PASSWORD']}".rstrip(":")
        host = connection.settings_dict["HOST"] or "localhost"
        database_url = f"postgres://{login}@{host}:{told['PORT'] or 5432}/{name}"
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "PBPORTAL_ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "pbportal.settings",
        "DEBUG": "true",
        "DATABASE_URL": database_url,
        "SECRET_KEY": settings.SECRET_KEY,
        "PBPORTAL_FIELD_KEYS": ",".join(settings.PBPORTAL_FIELD_KEYS),
        "PBPORTAL_WORKERS": "2",
    }
