"""Pages of a collection, and the opaque tokens that lead from one to the next."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tests.entra_emulator.graph.errors import GraphError, bad_request
from tests.entra_emulator.tokens import BadToken, seal, unseal

DEFAULT_PAGE, MAX_PAGE = 100, 999
TOKEN_LIFETIME = 3600


@dataclass(frozen=True)
class Position:
    """Where a page starts: after which sort key, and the number of the page."""

    after: Any
    page: int


FIRST = Position(None, 1)


def page_size(params: dict[str, str]) -> int:
    """Read ``$top``: 1 to 999. What Graph does above 999 depends on the API; here it is refused."""
    top = params.get("$top")
    if top is None:
        return DEFAULT_PAGE
    if not top.isascii() or not top.isdigit() or not 1 <= int(top) <= MAX_PAGE:
        raise GraphError(
            400,
            "Request_UnsupportedQuery",
            f"Invalid page size specified: '{top}'. Must be between 1 and {MAX_PAGE} inclusive.",
        )
    return int(top)


def _without_token(params: dict[str, str]) -> list[list[str]]:
    return sorted([name.lower(), value] for name, value in params.items() if name.lower() != "$skiptoken")


def next_link(
    key: bytes, origin: str, path: str, params: dict[str, str], tenant: str, position: Position, now: float
) -> str:
    """Make the absolute nextLink: the original parameters and an opaque ``$skiptoken``."""
    state = {
        "p": path.lower(),
        "q": _without_token(params),
        "t": tenant,
        "a": position.after,
        "n": position.page,
        "x": now + TOKEN_LIFETIME,
    }
    kept = {name: value for name, value in params.items() if name.lower() != "$skiptoken"}
    query = urlencode({**kept, "$skiptoken": seal(key, state)}, safe="$,()'", quote_via=quote)
    return f"{origin}{quote(path)}?{query}"


def position_of(key: bytes, path: str, params: dict[str, str], tenant: str, now: float) -> Position:
    """Read a request's ``$skiptoken``.

    A token is good for its own tenant, path and parameters, and dies when idle (thread
    microsoftgraph/msgraph-sdk-dotnet#2254).
    """
    token = params.get("$skiptoken")
    if token is None:
        return FIRST
    expired = GraphError(400, "Directory_ExpiredPageToken", "The specified page token value has expired.")
    try:
        state = unseal(key, token)
    except BadToken:
        raise expired from None
    if state["x"] < now or state["t"] != tenant or "p" not in state:
        raise expired
    if state["p"] != path.lower() or state["q"] != _without_token(params):
        raise bad_request("The page token does not belong to this request: use the nextLink as it is.")
    after = state["a"]
    return Position(tuple(after) if isinstance(after, list) else after, state["n"])


def peek_page(key: bytes, params: dict[str, str]) -> int | None:
    """Tell which page a request asks for, without judging it."""
    if "$skiptoken" not in params:
        return 1
    try:
        page: int | None = unseal(key, params["$skiptoken"]).get("n")
    except BadToken:
        return None
    return page


def slice_page(
    keys: list[Any], position: Position, size: int, *, descending: bool = False
) -> tuple[slice, Position | None]:
    """Choose the page after ``position`` from sorted keys, and the position of the next, if any.

    Positions are keys, not offsets: an object removed between two pages makes no other one slip
    through.
    """
    if position.after is None:
        start = 0
    elif descending:
        start = next((number for number, key in enumerate(keys) if key < position.after), len(keys))
    else:
        start = bisect.bisect_right(keys, position.after)
    stop = min(start + size, len(keys))
    if stop >= len(keys):
        return slice(start, stop), None
    after = keys[stop - 1] if stop > start else position.after
    return slice(start, stop), Position(after, position.page + 1)
