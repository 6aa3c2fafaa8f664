"""The journal: one entry for every request the emulator was sent. It never holds a secret or a token."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One request and what became of it.

    ``path`` is decoded, with its query for Graph and without for login. ``status`` is 0 where the
    connection was dropped. ``batch_id`` is the request-id of the ``$batch`` that carried it.
    """

    time: str
    host: str
    tenant: str | None
    client_id: str | None
    method: str
    path: str
    status: int
    code: str | None
    request_id: str
    client_request_id: str | None
    page: int | None
    batch_id: str | None
    units: int
    faults: tuple[str, ...]


class Journal(list[Entry]):
    """Every request in the order answered, those inside a ``$batch`` before the ``$batch`` itself."""

    def where(self, path: str | None = None, **exactly: Any) -> list[Entry]:
        """List the entries whose path matches a regular expression and whose fields are as given."""
        return [
            entry
            for entry in self
            if (path is None or re.search(path, entry.path))
            and all(getattr(entry, name) == value for name, value in exactly.items())
        ]

    def as_data(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self]
