"""Typed reading of environment variables: a wrong value becomes a sentence that does not repeat it."""

import contextlib
import difflib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Kind(Generic[T]):
    """What a value must be: ``parse`` raises ValueError where a text is not ``phrase``."""

    phrase: str
    parse: Callable[[str], T]


class Environment:
    """Reads settings by name, remembers every name, and collects what is wrong until ``finish``."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._problems: list[str] = []
        self.names: list[str] = []

    def ask(self, name: str, kind: Kind[T], default: T) -> T:
        """Return the setting's value, or ``default`` where it is unset, empty or wrong."""
        self.names.append(name)
        text = self._values.get(name, "").strip()
        if not text:
            return default
        try:
            return kind.parse(text)
        except ValueError:
            self.refuse(f"{name} is not usable: it must be {kind.phrase}.")
            return default

    def need(self, name: str, kind: Kind[T], stand_in: T, *, unless: bool) -> T:
        """Return the setting's value; where it is unset, that is a problem ``unless`` told otherwise."""
        if not unless and not self._values.get(name, "").strip():
            self.refuse(f"{name} is missing: set it to {kind.phrase}.")
        return self.ask(name, kind, stand_in)

    def refuse(self, sentence: str) -> None:
        self._problems.append(sentence)

    def finish(self) -> None:
        """Raise ImproperlyConfigured with every collected sentence, misspelt names included."""
        for name in sorted(self._values):
            if name.startswith("PBPORTAL_") and name not in self.names:
                near = difflib.get_close_matches(name, self.names, n=1, cutoff=0)[0]
                self.refuse(f"{name} is no setting of this portal: the nearest name is {near}.")
        if self._problems:
            raise ImproperlyConfigured("\n".join(["The settings cannot be used.", *self._problems]))


def read_env_file(path: Path) -> None:
    """Put the lines of ``path``, where it exists, into os.environ; what the environment already has wins."""
    if not path.exists():
        return
    # django-environ would log a line it cannot read, secrets included, and go on without it.
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line and not re.match(r"#|(export )?[A-Za-z_][A-Za-z_0-9]*=", line):
            raise ImproperlyConfigured(
                f"Line {number} of {path.name} is not usable: write NAME=value, no space before NAME or =."
            )
    environ.Env.read_env(path)


def development_key(path: Path) -> str:
    """Return this checkout's own key from ``path``, made at the first call: for DEBUG only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as fresh:
            fresh.write(Fernet.generate_key().decode())
            fresh.flush()
            # Linked when whole: of several processes starting at once one wins, and none reads half a key.
            with contextlib.suppress(FileExistsError):
                os.link(fresh.name, path)
    return path.read_text().strip()


def _flag(text: str) -> bool:
    if text.lower() in {"true", "yes", "on", "1"}:
        return True
    if text.lower() in {"false", "no", "off", "0"}:
        return False
    raise ValueError


def _list(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or any(" " in part for part in parts):
        raise ValueError
    return parts


def _origin(text: str) -> str:
    parts = urlsplit(text.lower().removesuffix("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.port == 0:
        raise ValueError
    if f"{parts.scheme}://{parts.netloc}" != text.lower().removesuffix("/"):
        raise ValueError
    return f"{parts.scheme}://{parts.netloc}"


def _production_origin(text: str) -> str:
    origin = _origin(text)
    if origin.startswith("http://") and urlsplit(origin).hostname not in LOOPBACK:
        raise ValueError
    return origin


def _origin_pairs(text: str) -> dict[str, str]:
    pairs = [pair.split("=") for pair in _list(text)]
    return {_origin(microsoft): _origin(instead) for microsoft, instead in pairs}


def _proxies(text: str) -> dict[str, str]:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError
    return {"http": text, "https": text}


def _secret_key(text: str) -> str:
    # Django's own measure (security.W009), enforced rather than warned about.
    if len(text) < 50 or len(set(text)) < 5 or text.startswith("django-insecure-"):
        raise ValueError
    return text


def _field_keys(text: str) -> list[str]:
    keys = _list(text)
    for key in keys:
        Fernet(key)
    return keys


def _database(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if parts.fragment or parts.scheme not in {"sqlite", "postgres", "postgresql"} or parts.port == 0:
        raise ValueError
    # In memory, each process would have a database of its own.
    if not parts.path.strip("/") or (parts.scheme == "sqlite" and parts.netloc):
        raise ValueError
    config: dict[str, Any] = environ.Env.db_url_config(text)
    return config


def _email(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if parts.scheme not in {"smtp", "smtp+tls", "smtp+ssl", "consolemail", "filemail"} or parts.fragment:
        raise ValueError
    if parts.scheme.startswith("smtp") and not parts.hostname:
        raise ValueError
    config: dict[str, Any] = environ.Env.email_url_config(text)
    return config


def _address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+|[^<>\r\n]+ <[^\s@<>]+@[^\s@<>]+>", text):
        raise ValueError
    return text


def _guid(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise ValueError
    return text.lower()


def _dotted_path(text: str) -> str:
    if not all(part.isidentifier() for part in text.split(".")) or "." not in text:
        raise ValueError
    return text


FLAG = Kind("true or false", _flag)
NAMES = Kind("names separated by commas", _list)
ORIGIN = Kind("an origin such as http://localhost:8000, without a path", _origin)
PRODUCTION_ORIGIN = Kind(
    "an https origin such as https://portal.example.com, without a path (http only for localhost)",
    _production_origin,
)
ORIGINS = Kind("origins with scheme, separated by commas", lambda text: [_origin(part) for part in _list(text)])
ORIGIN_PAIRS = Kind("pairs ORIGIN=ORIGIN separated by commas", _origin_pairs)
PROXIES = Kind("the address of a proxy, such as http://proxy.example.com:3128", _proxies)
SECRET_KEY = Kind(
    "at least 50 random characters; print some with python3 -c 'import secrets; print(secrets.token_urlsafe(50))'",
    _secret_key,
)
SECRET_KEYS = Kind(
    "former values of SECRET_KEY, separated by commas", lambda text: [_secret_key(key) for key in _list(text)]
)
FIELD_KEYS = Kind(
    "one or more keys separated by commas, the first of which encrypts; print one with"
    " python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'",
    _field_keys,
)
DATABASE = Kind(
    "sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME, special characters percent-encoded", _database
)
EMAIL = Kind(
    "smtp://HOST:PORT, smtp+tls://USER:PASSWORD@HOST:PORT, smtp+ssl://…, filemail:///FOLDER or consolemail://",
    _email,
)
ADDRESS = Kind("an address such as portal@example.com or Portal <portal@example.com>", _address)
GUID = Kind("a GUID such as 8f1a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8", _guid)
TEXT = Kind("any text", str)
DOTTED_PATH = Kind("the dotted path of a function", _dotted_path)


def whole(least: int, most: int) -> Kind[int]:
    """Make the kind of whole numbers from ``least`` to ``most``."""

    def parse(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return Kind(f"a whole number from {least} to {most}", parse)


def one_of(*choices: str) -> Kind[str]:
    """Make the kind of the words ``choices``, in any letter case."""

    def parse(text: str) -> str:
        by_lower = {choice.lower(): choice for choice in choices}
        if text.lower() not in by_lower:
            raise ValueError
        return by_lower[text.lower()]

    return Kind(" or ".join((", ".join(choices[:-1]), choices[-1])), parse)
