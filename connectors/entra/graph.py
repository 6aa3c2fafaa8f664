"""Graph with a token: single reads, listings page by page to their end, and `$batch`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.directory import Unavailable, Unexpected
from connectors.entra.clouds import Endpoints, within
from connectors.entra.refusals import FAILURES, Refused, refusal
from connectors.entra.token import TokenSource
from connectors.entra.transport import SLOW_DOWN, TRIES, Transport
from connectors.entra.waits import LONGEST_IN_PLACE, backoff, retry_after

BATCH = 20
"""Requests in one `$batch` at most (Microsoft: Graph "JSON batching")."""

PAGES = 20_000
"""Pages of one listing at most."""


class Restart(Exception):
    """A listing broke off because its nextLink no longer works: it must be read again from its first page."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Hold one GET by its path below `/v1.0`, and what a later page of it needs again."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


Answered = dict[str, Any] | Refused


@dataclass(frozen=True, slots=True)
class _Late:
    """Hold one inner answer that asks to come back, after `wait` seconds where it says so, or that is missing."""

    status: int
    wait: float | None
    reference: str
    missing: bool = False

    @property
    def failed(self) -> bool:
        """Say whether it is a fault at this request alone, and no wish that all requests wait."""
        return not self.missing and self.status in FAILURES and (self.wait is None or self.wait <= LONGEST_IN_PLACE)


class Graph:
    """Read from Microsoft Graph.

    Raises Refused where it refuses one request or fails at it, a DirectoryError where nothing can be asked.
    """

    def __init__(self, transport: Transport, tokens: TokenSource, endpoints: Endpoints) -> None:
        self.tokens = tokens
        self._transport = transport
        self._endpoints = endpoints
        self._renewed = False

    def get(self, ask: Ask) -> dict[str, Any]:
        """Return the answer to one GET."""
        return self._send("GET", f"{self._endpoints.graph}/v1.0{ask.path}", headers=ask.headers)

    def answers(self, asks: Sequence[Ask]) -> list[Answered]:
        """Return what is answered to each, in their order: one directly, several in batches of 20.

        What Microsoft fails at again and again is answered with a Refused that `failed`: the other answers stand.
        """
        if len(asks) == 1:
            try:
                return [self.get(asks[0])]
            except Refused as refused:
                return [refused]
        found: list[Answered] = []
        for start in range(0, len(asks), BATCH):
            found.extend(self._batch(asks[start : start + BATCH]))
        return found

    def pages(self, ask: Ask, first: dict[str, Any] | None = None) -> Iterator[list[Any]]:
        """Yield the items of each page of a listing; the headers go with every page.

        Ends only where a page has no nextLink: an empty page is no end. A nextLink that no longer works raises
        Restart, for the pages before it belong to a listing that is no more.
        """
        seen: set[str] = set()
        page = self.get(ask) if first is None else first
        while True:
            items = page.get("value")
            if not isinstance(items, list):
                raise Unexpected("Microsoft answered a listing without its items. Nothing was changed.")
            link = page.get("@odata.nextLink")
            del page
            yield items
            if link is None:
                return
            if not isinstance(link, str) or not within(link, (self._endpoints.graph,)):
                raise Unexpected("Microsoft's next page lies outside Microsoft Graph. It was not asked for.")
            if link in seen or len(seen) >= PAGES:
                raise Unexpected("Microsoft's pages do not come to an end. Nothing was changed.")
            seen.add(link)
            try:
                page = self._send("GET", link, headers=ask.headers)
            except Refused as refused:
                if refused.status in (400, 404, 410):
                    raise Restart from None
                raise

    def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        asked: object = None,
    ) -> dict[str, Any]:
        while True:
            bearer = self.tokens.token().bearer
            try:
                reply = self._transport.send(method, url, headers=headers, body=body, auth=bearer, asked=asked)
            except Unavailable as fault:
                if fault.status not in FAILURES:
                    raise
                raise Refused(fault.status, "", fault.reference) from None
            if reply.status == 200:
                return reply.document
            if not self._renews(reply.status):
                raise refusal(reply.status, reply.document, reply.request_id)

    def _renews(self, status: int) -> bool:
        """Take a fresh token after a 401 or 403, once: the one in hand may be from before a change."""
        if status not in (401, 403) or self._renewed:
            return False
        self._renewed = True
        self.tokens.renew()
        return True

    def _batch(self, asks: Sequence[Ask]) -> list[Answered]:
        found: dict[int, Answered] = {}
        for attempt in range(TRIES):
            waiting = [number for number in range(len(asks)) if number not in found]
            requests = [
                {"id": str(number), "method": "GET", "url": asks[number].path, "headers": dict(asks[number].headers)}
                for number in waiting
            ]
            outer = self._send(
                "POST",
                f"{self._endpoints.graph}/v1.0/$batch",
                headers={"Content-Type": "application/json"},
                body=json.dumps({"requests": requests}).encode(),
                asked={"requests": requests},
            )
            late = self._sort(outer, {str(number): number for number in waiting}, found)
            if len(found) == len(asks):
                return [found[number] for number in range(len(asks))]
            slowest = max(late.values(), key=lambda inner: -1.0 if inner.wait is None else inner.wait)
            if not self._transport.soon(slowest.wait, attempt):
                if late.keys() - {number for number, inner in late.items() if inner.failed}:
                    raise self._transport.slowed(slowest.status, slowest.wait, slowest.reference)
                found |= {number: Refused(inner.status, "", inner.reference) for number, inner in late.items()}
                return [found[number] for number in range(len(asks))]
            self._transport.wait(backoff(attempt) if slowest.wait is None else slowest.wait)
        raise AssertionError("The last try returns or raises.")

    def _sort(
        self, outer: Mapping[str, Any], expected: Mapping[str, int], found: dict[int, Answered]
    ) -> dict[int, _Late]:
        """Put each inner answer to the request with its id; return those to ask again.

        The answers come in any order, each with a status of its own: the outer 200 says nothing about them.
        """
        responses = outer.get("responses")
        if not isinstance(responses, list):
            raise Unexpected("Microsoft answered a batch without its answers. Nothing was changed.")
        late: dict[int, _Late] = {}
        denied: dict[int, Refused] = {}
        for response in responses:
            number = expected.get(str(response.get("id"))) if isinstance(response, dict) else None
            status = response.get("status") if isinstance(response, dict) else None
            if number is None or type(status) is not int or number in found or number in late or number in denied:
                raise Unexpected("Microsoft answered a batch with something not asked for. Nothing was changed.")
            body = response.get("body")
            document = body if isinstance(body, dict) else {}
            if status == 200:
                found[number] = document
            elif status in (401, 403):
                denied[number] = refusal(status, document)
            elif status in SLOW_DOWN or status in FAILURES:
                wait = retry_after(_header(response, "retry-after"), self._transport.now())
                late[number] = _Late(status, wait, refusal(status, document).reference)
            elif 400 <= status < 500:
                found[number] = refusal(status, document)
            else:
                raise Unexpected(
                    f"Microsoft answered with status {status}, which this connector does not expect. Nothing was"
                    " changed.",
                    reference=refusal(status, document).reference,
                )
        if denied and self._renews(401):
            late.update({number: _Late(refused.status, 0.0, refused.reference) for number, refused in denied.items()})
        else:
            found.update(denied)
        for number in expected.values():
            if number not in found and number not in late:
                late[number] = _Late(503, None, "", missing=True)
        return late


def _header(response: Mapping[str, Any], name: str) -> str | None:
    headers = response.get("headers")
    for key, value in headers.items() if isinstance(headers, dict) else ():
        if str(key).lower() == name and isinstance(value, str | int | float):
            return str(value)
    return None
