"""What is kept of every call: a short record for the run, and, where an operator asks, a redacted transcript."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEADERS = (
    "content-type",
    "content-encoding",
    "retry-after",
    "x-ms-resource-unit",
    "x-ms-throttle-limit-percentage",
    "x-ms-throttle-scope",
    "x-ms-throttle-information",
    "x-ms-ags-diagnostic",
    "www-authenticate",
    "location",
)
_TELLING = {
    "@odata.type",
    "accountEnabled",
    "code",
    "error",
    "error_codes",
    "expires_in",
    "groupTypes",
    "id_of_answer",
    "mailEnabled",
    "method",
    "securityEnabled",
    "status",
    "suberror",
    "tenant_region_scope",
    "cloud_instance_name",
    "token_type",
    "userType",
    "visibility",
}
"""Keys whose values say how Microsoft behaves, and nothing of anybody."""

_WORD = re.compile(r"[#A-Za-z0-9_. ]{1,60}")


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """Hold one HTTP request as a run remembers it: no query, no body; status 0 where nothing was answered."""

    method: str
    url: str
    status: int
    request_id: str
    seconds: float


def bare(url: str) -> str:
    """Return a URL without its query: `$skiptoken` and search words stay out of every record."""
    return url.partition("?")[0]


class Transcript:
    """Collect every call with what an expert needs and nothing of the tenant: shapes, not values.

    Ids become `id-1`, `id-2`, the same for the same id, and a tenant's domain `tenant`; texts become their kind.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._ids: dict[str, str] = {}

    def add(
        self,
        method: str,
        url: str,
        *,
        asked: object,
        status: int,
        headers: Mapping[str, str],
        answered: object,
        seconds: float,
        fault: str = "",
    ) -> None:
        parts = urlsplit(url)
        call: dict[str, Any] = {
            "method": method,
            "host": parts.netloc,
            "path": self._path(parts.path),
            "query": sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}),
            "status": status,
            "seconds": round(seconds, 3),
        }
        if fault:
            call["fault"] = fault
        kept = {name: self._hide(headers[name]) for name in _HEADERS if name in headers}
        if "location" in kept:
            kept["location"] = bare(kept["location"])
        if kept:
            call["headers"] = kept
        if asked is not None:
            call["asked"] = self._shape(asked)
        if answered is not None:
            call["answered"] = self._shape(answered)
        self.calls.append(call)

    def text(self) -> str:
        """Return the transcript as JSON, one call after the other."""
        return json.dumps({"calls": self.calls}, ensure_ascii=False, indent=1, sort_keys=False) + "\n"

    def _hide(self, text: str) -> str:
        return _GUID.sub(lambda found: self._ids.setdefault(found[0].lower(), f"id-{len(self._ids) + 1}"), text)

    def _path(self, path: str) -> str:
        first, slash, rest = unquote(path).lstrip("/").partition("/")
        if slash and first not in ("v1.0", "common") and not _GUID.fullmatch(first):
            first = "tenant"
        return self._hide(f"/{first}{slash}{rest}")

    def _shape(self, value: object, key: str = "") -> Any:
        if isinstance(value, dict):
            return {self._hide(str(name)): self._shape(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list):
            shapes: dict[str, Any] = {}
            for inner in value:
                shape = self._shape(inner, key)
                shapes.setdefault(json.dumps(shape, sort_keys=True), {"shape": shape, "times": 0})["times"] += 1
            return {"list": list(shapes.values())}
        if key == "url" and isinstance(value, str):
            return self._path(value.partition("?")[0])
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if key in _TELLING else "number"
        text = str(value)
        if key in _TELLING and _WORD.fullmatch(text) and not _GUID.search(text):
            return text
        return "empty text" if not text else "id" if _GUID.fullmatch(text) else "text"
