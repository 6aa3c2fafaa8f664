"""One HTTP request to Microsoft: where it may go, how long it may take, and when it is sent again."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import requests
import urllib3
from requests.auth import AuthBase

from connectors.directory import Throttled, Unavailable, Unexpected
from connectors.entra.clouds import Endpoints, within
from connectors.entra.transcript import RequestRecord, Transcript, bare
from connectors.entra.waits import LONGEST_IN_PLACE, backoff, retry_after

TRIES = 4
"""How often one request is sent at most, whatever goes wrong with it."""

LARGEST = 32 * 1024 * 1024
"""Bytes of one answer, unpacked. A page of 999 people is below one megabyte."""

_CONNECT_SECONDS = 10.0
_REQUEST_SECONDS = 60.0
_CHUNK = 128 * 1024
TRANSIENT = {408, 500, 502, 503, 504}
SLOW_DOWN = {429, 509}
_REFERENCE = re.compile(r"[0-9A-Za-z-]{8,64}")


def utc_now() -> datetime:
    return datetime.now(UTC)


def out_of_order(status: int, reference: str) -> Unavailable:
    """Return the error for a fault of Microsoft's own that stays however often a request is sent."""
    return Unavailable(
        f"Microsoft's service has a fault at the moment (status {status}). Nothing was changed; the next run tries"
        " again.",
        reference=reference,
        status=status,
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold one answer below 500 that is JSON, or that refuses.

    `document` is the JSON object; of a refusal that is not JSON it is empty.
    """

    status: int
    document: dict[str, Any] = field(repr=False)
    request_id: str


class _Fault(Exception):
    """An answer that did not arrive whole; its text is for people, and the same request may be sent again."""

    def __init__(self, text: str, *, again: bool = True) -> None:
        super().__init__(text)
        self.again = again


class Transport:
    """Send requests to one cloud's sign-in and Graph, and nothing anywhere else.

    Raises Throttled, Unavailable or Unexpected; a refusal (4xx) is a Reply. What `before_request` raises comes through.
    """

    def __init__(
        self,
        session: requests.Session,
        endpoints: Endpoints,
        *,
        before_request: Callable[[], None] | None,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        seconds: float,
        transcript: Transcript | None,
    ) -> None:
        self.requests = 0
        self.log: deque[RequestRecord] = deque(maxlen=1000)
        self._session = session
        self._endpoints = endpoints
        self._before_request = before_request
        self.now = now
        self._sleep = sleep
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._transcript = transcript

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        auth: AuthBase | None = None,
        asked: object = None,
    ) -> Reply:
        """Send one request, again where that may help, and return the answer.

        `asked` is what a transcript may show of the body.
        """
        self._refuse_elsewhere(method, url)
        for attempt in range(TRIES):
            status, document, answered, fault = self._once(method, url, headers, body, auth, asked)
            request_id = _request_id(answered)
            if status in SLOW_DOWN or status in TRANSIENT:
                wait = retry_after(answered.get("retry-after"), self.now())
                if self.soon(wait, attempt):
                    self.wait(backoff(attempt) if wait is None else wait)
                    continue
                raise self.slowed(status, wait, request_id)
            if fault is not None:
                if fault.again and attempt + 1 < TRIES:
                    self.wait(backoff(attempt))
                    continue
                raise Unavailable(f"{fault} Nothing was changed; the next run tries again.", reference=request_id)
            if status == 200 or 400 <= status < 500:
                return Reply(status, document, request_id)
            raise Unexpected(
                f"Microsoft answered with status {status}, which this connector does not expect. Nothing was changed.",
                reference=request_id,
            )
        raise AssertionError("The last try returns or raises.")

    def slowed(self, status: int, wait: float | None, reference: str) -> Throttled | Unavailable:
        """Return the error for an answer that asks to come back later."""
        if status in SLOW_DOWN or (wait is not None and wait > LONGEST_IN_PLACE):
            return Throttled(
                "Microsoft asks this connector to slow down. It waits as long as Microsoft says and then goes on by"
                " itself.",
                until=self.now() + timedelta(seconds=60.0 if wait is None else max(wait, 1.0)),
                reference=reference,
            )
        return out_of_order(status, reference)

    def wait(self, seconds: float) -> None:
        """Wait in place, unless the time for all of this would be over by then."""
        if time.monotonic() + seconds >= self._ends:
            raise self._late()
        if seconds > 0:
            self._sleep(seconds)

    def soon(self, wait: float | None, attempt: int) -> bool:
        """Say whether a request asked to come back after `wait` seconds is worth another try in place."""
        return attempt + 1 < TRIES and (wait is None or wait <= LONGEST_IN_PLACE)

    def _late(self) -> Unavailable:
        return Unavailable(
            f"Microsoft did not tell everything within the {self._seconds:.0f} seconds that one run may take. Nothing"
            " was changed; the next run tries again. If this repeats, raise the time limit."
        )

    def _refuse_elsewhere(self, method: str, url: str) -> None:
        signing_in = within(url, self._endpoints.logins)
        if not signing_in and not within(url, (self._endpoints.graph,)):
            raise Unexpected("A request would have left Microsoft's own addresses. It was not sent.")
        path = bare(url)
        reading = path.endswith("/oauth2/v2.0/token") if signing_in else path.endswith("/v1.0/$batch")
        if method != "GET" and not (method == "POST" and reading):
            raise Unexpected("A request would have changed something at Microsoft. It was not sent.")

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        auth: AuthBase | None,
        asked: object,
    ) -> tuple[int, dict[str, Any], Mapping[str, str], _Fault | None]:
        if time.monotonic() >= self._ends:
            raise self._late()
        if self._before_request is not None:
            self._before_request()
        self.requests += 1
        started = time.monotonic()
        status, answered, fault = 0, cast("Mapping[str, str]", {}), None
        document: dict[str, Any] = {}
        try:
            with self._session.request(
                method,
                url,
                headers={"Accept": "application/json", "client-request-id": str(uuid.uuid4()), **(headers or {})},
                data=body,
                auth=auth,
                allow_redirects=False,
                stream=True,
                timeout=(_CONNECT_SECONDS, max(0.1, min(_REQUEST_SECONDS / 2, self._ends - started))),
            ) as response:
                status, answered = response.status_code, response.headers
                # A 5xx is not drained: its connection is dropped, and the next try opens a new one.
                if status < 500:
                    document = _document(status, self._content(response, started))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            fault = _fault(error)
        except _Fault as cut_off:
            fault = cut_off
        finally:
            self._record(method, url, status, answered, started, document, asked, fault)
        return status, document, answered, fault

    def _content(self, response: requests.Response, started: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(_CHUNK):
            size += len(part)
            if size > LARGEST:
                raise Unexpected("Microsoft's answer is larger than any answer should be. Nothing was changed.")
            if time.monotonic() >= min(started + _REQUEST_SECONDS, self._ends):
                raise _Fault("Microsoft's answer came too slowly.")
            parts.append(part)
        return b"".join(parts)

    def _record(
        self,
        method: str,
        url: str,
        status: int,
        answered: Mapping[str, str],
        started: float,
        document: object,
        asked: object,
        fault: _Fault | None,
    ) -> None:
        seconds = time.monotonic() - started
        self.log.append(RequestRecord(method, bare(url), status, _request_id(answered), seconds))
        if self._transcript is not None:
            self._transcript.add(
                method,
                url,
                asked=asked,
                status=status,
                headers=answered,
                answered=document,
                seconds=seconds,
                fault=str(fault) if fault else "",
            )


def _document(status: int, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    if status == 200:
        raise _Fault("Microsoft's answer was cut off, or something on the way replaced it.")
    return {}


def _request_id(answered: Mapping[str, str]) -> str:
    found = answered.get("request-id") or answered.get("x-ms-request-id") or ""
    return found if _REFERENCE.fullmatch(found) else ""


def _fault(error: Exception) -> _Fault:
    """Say in words what broke; the exception itself carries the request, and with it the token or the secret."""
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return _Fault("No secure connection to Microsoft: the certificate shown is not trusted here.", again=False)
    if isinstance(error, requests.exceptions.ProxyError):
        return _Fault("Microsoft cannot be reached: the proxy in PBPORTAL_PROXIES does not let the request through.")
    if isinstance(error, requests.exceptions.Timeout):
        return _Fault("Microsoft did not answer in time.")
    if isinstance(
        error,
        requests.exceptions.ChunkedEncodingError
        | requests.exceptions.ContentDecodingError
        | urllib3.exceptions.HTTPError,
    ):
        return _Fault("Microsoft's answer was cut off.")
    return _Fault("Microsoft cannot be reached from here.")
