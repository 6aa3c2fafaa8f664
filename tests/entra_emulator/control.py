"""Control of an emulator in another process: its endpoint, and a client with the in-process API's names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests

from tests.entra_emulator.app import App, StartResponse
from tests.entra_emulator.clock import iso
from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.emulator import Emulator
from tests.entra_emulator.faults import Fault
from tests.entra_emulator.journal import Entry, Journal
from tests.entra_emulator.objects import Application, DirectoryObject, NotThere, attributes_of

PREFIX = "/_control/"
READS = {"user", "group", "people_in", "describe"}


def as_data(value: Any) -> Any:
    """Turn what a verb answers into plain data."""
    if isinstance(value, Tenant):
        return {"id": value.id, "name": value.name, "domain": value.domain, "cloud": value.cloud.name}
    if isinstance(value, Application):
        secrets = ("secret", "secret_id") if value.secrets else ()
        return {name: getattr(value, name) for name in ("client_id", "name", "home", *secrets)}
    if isinstance(value, DirectoryObject):
        return {name: as_data(getattr(value, name)) for name in attributes_of(type(value))}
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {key: as_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_data(item) for item in value]
    return value


class ControlApp:
    """A WSGI app that answers ``/_control/`` itself and leaves the rest to the emulator.

    A POST must be JSON, which no web page of another origin can send unasked. Where ``remember``
    names a file, every change of a directory is kept there and made again at the next start:
    ids follow from the order of changes, so the same changes make the same directory.
    """

    def __init__(
        self, app: App, *, populate: Callable[[Emulator], object] | None = None, remember: str | None = None
    ) -> None:
        self._app = app
        self._emulator = app.emulator
        self._populate = populate
        self._memory = Path(remember) if remember else None
        if populate:
            populate(self._emulator)
        if self._memory and self._memory.exists():
            for line in self._memory.read_text(encoding="utf-8").splitlines():
                change = json.loads(line)
                getattr(self, f"_post_{change['what']}")(change["body"])

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(PREFIX):
            return self._app(environ, start_response)
        method, what = environ["REQUEST_METHOD"], path.removeprefix(PREFIX).strip("/") or "status"
        status, document = self._answer(method, what, environ)
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def _answer(self, method: str, what: str, environ: dict[str, Any]) -> tuple[str, Any]:
        handler = getattr(self, f"_{method.lower()}_{what}", None)
        if handler is None:
            return "404 Not Found", {"error": f"there is no {method} {PREFIX}{what}"}
        if method != "GET" and environ.get("CONTENT_TYPE") != "application/json":
            return "415 Unsupported Media Type", {"error": "send application/json"}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        try:
            body = json.loads(environ["wsgi.input"].read(length)) if length else {}
            result = handler(body)
        except NotThere as error:
            return "404 Not Found", {"error": str(error)}
        except (TypeError, ValueError, KeyError) as error:
            return "400 Bad Request", {"error": f"{type(error).__name__}: {error}"}
        if what in ("apply", "tenants") and method == "POST":
            self._keep(what, body)
        return "200 OK", {"result": as_data(result)}

    def _keep(self, what: str, body: Any) -> None:
        if self._memory and body.get("verb") not in READS:
            with self._emulator.lock, self._memory.open("a", encoding="utf-8") as memory:
                memory.write(json.dumps({"what": what, "body": body}, ensure_ascii=False) + "\n")

    def _get_status(self, body: Any) -> Any:
        return {"emulated": "entra", "now": self._emulator.clock.now(), "tenants": len(self._emulator.tenants)}

    def _get_tenants(self, body: Any) -> Any:
        return list(self._emulator.tenants.values())

    def _post_tenants(self, body: Any) -> Any:
        return self._emulator.add_tenant(**body)

    def _post_apply(self, body: Any) -> Any:
        return self._emulator.apply(body["tenant"], body["verb"], *body.get("args", ()), **body.get("kwargs", {}))

    def _get_faults(self, body: Any) -> Any:
        return [{**asdict(fault), "call": None} for fault in self._emulator.faults]

    def _post_faults(self, body: Any) -> Any:
        date_in = body.pop("retry_after_date", None)
        if date_in is not None:
            body["retry_after"] = timedelta(seconds=date_in)
        return asdict(self._emulator.faults.add(**body))

    def _delete_faults(self, body: Any) -> Any:
        numbers = body.get("numbers")
        for fault in list(self._emulator.faults):
            if numbers is None or fault.number in numbers:
                self._emulator.faults.remove(fault)

    def _get_journal(self, body: Any) -> Any:
        return self._emulator.journal.as_data()

    def _delete_journal(self, body: Any) -> Any:
        self._emulator.journal.clear()

    def _post_clock(self, body: Any) -> Any:
        self._emulator.clock.advance(**body)
        return self._emulator.clock.now()

    def _post_reset(self, body: Any) -> Any:
        """Back to the directory of the start; what was remembered is forgotten."""
        with self._emulator.lock:
            self._emulator.reset()
            if self._populate:
                self._populate(self._emulator)
            if self._memory:
                self._memory.unlink(missing_ok=True)


class _RemoteTenant(SimpleNamespace):
    """A tenant in the other process: the verbs of `Tenant`, their answers as plain objects."""

    def __init__(self, control: Control, data: dict[str, Any]) -> None:
        super().__init__(**data)
        self._control = control

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb.startswith("_"):
            raise AttributeError(verb)
        return lambda *args, **kwargs: self._control.apply(self.id, verb, *args, **kwargs)


class _RemoteFaults:
    def __init__(self, control: Control) -> None:
        self._control = control

    def __iter__(self) -> Iterator[Fault]:
        return iter([Fault(**item) for item in self._control.send("GET", "faults")])

    def add(self, **words: Any) -> Fault:
        if isinstance(words.get("retry_after"), timedelta):
            words["retry_after_date"] = words.pop("retry_after").total_seconds()
        return Fault(**self._control.send("POST", "faults", words))

    def remove(self, fault: Fault) -> None:
        self._control.send("DELETE", "faults", {"numbers": [fault.number]})

    def clear(self) -> None:
        self._control.send("DELETE", "faults", {})


class _RemoteClock:
    def __init__(self, control: Control) -> None:
        self._control = control

    def now(self) -> datetime:
        return datetime.fromisoformat(self._control.send("GET", "status")["now"])

    def advance(self, seconds: float = 0, **words: float) -> None:
        self._control.send("POST", "clock", {"seconds": seconds, **words})


class Control:
    """The emulator at a URL, with the names of `Emulator`: one story can be told to either.

    What cannot cross (a fault's ``call``) is refused by JSON; use ``change``. Raises `NotThere` and
    ValueError as the emulator in process does.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.faults = _RemoteFaults(self)
        self.clock = _RemoteClock(self)
        self._session = requests.Session()
        self._session.trust_env = False

    def send(self, method: str, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(as_data(body))
        answer = self._session.request(
            method,
            f"{self.url}{PREFIX}{what}",
            data=data,
            headers={"Content-Type": "application/json"},
            timeout=60,
        )
        document = answer.json()
        if answer.status_code == 404:
            raise NotThere(document["error"])
        if answer.status_code != 200:
            raise ValueError(document["error"])
        return document["result"]

    def close(self) -> None:
        self._session.close()

    def is_up(self) -> bool:
        """Tell whether an emulator answers there."""
        with contextlib.suppress(requests.RequestException, ValueError, LookupError):
            return bool(self.send("GET", "status")["emulated"] == "entra")
        return False

    @property
    def tenants(self) -> dict[str, Any]:
        return {item["id"]: _RemoteTenant(self, item) for item in self.send("GET", "tenants")}

    def tenant(self, id_or_domain: str) -> Any:
        wanted = id_or_domain.lower()
        for tenant in self.tenants.values():
            if wanted in (tenant.id, tenant.domain):
                return tenant
        raise NotThere(f"there is no tenant {id_or_domain!r}")

    def add_tenant(self, name: str, **words: Any) -> Any:
        return _RemoteTenant(self, self.send("POST", "tenants", {"name": name, **words}))

    def delete_tenant(self, id_or_domain: str) -> None:
        self.apply(id_or_domain, "delete_tenant")

    def apply(self, tenant: str, verb: str, *args: Any, **kwargs: Any) -> Any:
        body = {"tenant": tenant, "verb": verb, "args": list(args), "kwargs": kwargs}
        return _as_objects(self.send("POST", "apply", body), whole=verb == "describe")

    @property
    def journal(self) -> Journal:
        entries = self.send("GET", "journal")
        return Journal(Entry(**{**item, "faults": tuple(item["faults"])}) for item in entries)

    def forget_journal(self) -> None:
        self.send("DELETE", "journal", {})

    def reset(self) -> None:
        self.send("POST", "reset", {})


def _as_objects(value: Any, *, whole: bool) -> Any:
    if whole:
        return value
    if isinstance(value, list):
        return [_as_objects(item, whole=False) for item in value]
    return SimpleNamespace(**value) if isinstance(value, dict) else value
