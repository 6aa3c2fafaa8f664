"""The demo's portal as it runs: Microsoft, the web and the worker as processes over one state folder."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.demo import ports
from tests.demo.environment import environment_of, settings_of, write_settings
from tests.demo.processes import Child, Processes
from tests.entra_emulator.control import Control

PORTAL_PORT = 8000
MICROSOFT_PORT = 8400
START_SECONDS = 60.0
GUNICORN = ("--workers", "1", "--threads", "4", "--no-control-socket", "--graceful-timeout", "3")


class DidNotStart(Exception):
    """A process of the demo ended, or did not answer in time; the text says which, and what it wrote last."""


@dataclass
class Portal:
    """Hold the running demo: where it is, its processes, and the control of its Microsoft."""

    url: str
    microsoft_url: str
    settings_file: Path
    processes: Processes
    microsoft: Control
    worker: Child
    web: Child


@contextmanager
def running(state: Path, *, say: Callable[[str], None], prepare: Callable[[], None]) -> Iterator[Portal]:
    """Run the demo over a state folder until the end of the context.

    `prepare` fills the migrated database while Microsoft answers already, and web and worker do not run yet. From
    then on Django is set up in this process as well. Raises DidNotStart.
    """
    portal = ports.listener(PORTAL_PORT)
    with portal, Processes(state / "logs") as processes:
        _say_where_else(say, "the portal", PORTAL_PORT, ports.port_of(portal))
        with ports.listener(MICROSOFT_PORT) as found:
            microsoft_port, microsoft_url = ports.port_of(found), ports.url_of(found)
        _say_where_else(say, "the emulated Microsoft", MICROSOFT_PORT, microsoft_port)
        settings = settings_of(state, portal=ports.url_of(portal), emulator=microsoft_url)
        environment = environment_of(settings)
        python = sys.executable
        directory = [
            python,
            "-m",
            "tests.demo.microsoft",
            "--port",
            str(microsoft_port),
            "--portal",
            ports.url_of(portal),
        ]
        microsoft = processes.start(
            "microsoft", [*directory, "--remember", str(state / "directory.jsonl")], environment=environment
        )
        say("Preparing the database …")
        _set_up_django(environment)
        control = Control(microsoft_url)
        _wait_for(microsoft, control.is_up)
        prepare()
        web = processes.start(
            "web",
            [python, "-m", "gunicorn", "pbportal.wsgi", "--bind", f"fd://{portal.fileno()}", *GUNICORN],
            environment=environment,
            pass_fds=[portal.fileno()],
        )
        worker = processes.start("worker", [python, "manage.py", "worker"], environment=environment)
        _wait_for(web, lambda: ready(ports.url_of(portal)), worker)
        yield Portal(
            url=ports.url_of(portal),
            microsoft_url=microsoft_url,
            settings_file=write_settings(state, settings),
            processes=processes,
            microsoft=control,
            worker=worker,
            web=web,
        )
        control.close()


def ready(url: str) -> bool:
    """Say whether the portal answers there that it, its database and its worker are ready."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status == 200 and bool(json.loads(answer.read())["ok"])
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _set_up_django(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment | {"PBPORTAL_LOG_LEVEL": "WARNING"})
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _wait_for(child: Child, is_so: Callable[[], bool], *others: Child) -> None:
    end = time.monotonic() + START_SECONDS
    while not is_so():
        for one in (child, *others):
            if one.process.poll() is not None:
                raise DidNotStart(f"The {one.name} ended at once. It said:\n{one.last_words()}")
        if time.monotonic() > end:
            said = "\n".join(f"[{one.name}]\n{one.last_words()}" for one in (child, *others))
            raise DidNotStart(f"The {child.name} did not answer in {START_SECONDS:g} seconds.\n{said}")
        time.sleep(0.05)


def _say_where_else(say: Callable[[str], None], what: str, wanted: int, got: int) -> None:
    if got != wanted:
        say(f"Port {wanted} is taken: {what} uses {got}.")
