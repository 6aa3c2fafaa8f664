"""A request and an answer as they cross the wire, before WSGI or a socket gives them a body."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

JSON = "application/json; charset=utf-8"


@dataclass
class Request:
    """One HTTP request addressed to a Microsoft host.

    ``headers`` has lower-case names. ``batch_id`` is the request-id of the ``$batch`` that carried it.
    """

    method: str
    host: str
    path: str
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    batch_id: str | None = None

    @classmethod
    def of_url(cls, method: str, url: str, **kwargs: Any) -> Request:
        parts = urlsplit(url)
        return cls(method, parts.netloc, unquote(parts.path), parts.query, **kwargs)

    @property
    def target(self) -> str:
        """Path and query, decoded: what faults match and the journal keeps."""
        return f"{self.path}?{unquote(self.query_string.replace('+', ' '))}" if self.query_string else self.path

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass
class Answer:
    """One HTTP answer; ``send`` bytes of the body really leave (all, where it is None)."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    send: int | None = None
    dropped: bool = False

    @classmethod
    def json(cls, status: int, document: object, headers: dict[str, str] | None = None) -> Answer:
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, {"Content-Type": JSON, **(headers or {})})

    @classmethod
    def text(cls, status: int, text: str) -> Answer:
        return cls(status, text.encode(), {"Content-Type": "text/plain"})
