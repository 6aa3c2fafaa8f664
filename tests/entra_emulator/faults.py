"""Faults on demand: which request is hit, and what happens to it."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

Change = dict[str, Any]
_numbers = itertools.count(1)


@dataclass
class Fault:
    """One fault: a predicate, how often, and an effect.

    Which requests: ``path`` (regular expression, searched in the decoded path and in path + query),
    ``method``, ``host``, ``tenant`` (id or domain), ``client_id``, ``page`` (the n-th page of a
    listing, from 1). How often: from the ``nth`` such request on, ``times`` times (None: always).

    What happens, any of: ``latency`` seconds pass; ``call`` (a function of no arguments) runs, or
    ``change`` (``{"tenant": …, "verb": …, "args": […], "kwargs": {…}}``, or a list of them) is made
    in the directory, before the request is answered; ``page_size`` makes the page that short (0: an
    empty page with a nextLink); ``aadsts`` or ``status`` (with ``code``, ``message``,
    ``retry_after``, ``headers``) refuses it; ``document`` answers 200 with that JSON; ``drop`` closes
    the connection unanswered; ``cut`` sends only that many bytes of the promised body; ``truncate``
    answers a shorter body, in good order, that is no longer JSON.

    ``retry_after`` is seconds (whole or decimal), text sent as it is, or a timedelta sent as an HTTP date.
    One request is answered or damaged by one fault, the first added; others wait for the next request.
    Inside a ``$batch``, faults of the connection (``drop``, ``cut``, ``truncate``, ``latency``) do not
    apply: they hit the ``$batch`` itself.
    """

    path: str | None = None
    method: str | None = None
    host: str | None = None
    tenant: str | None = None
    client_id: str | None = None
    page: int | None = None
    nth: int = 1
    times: int | None = 1
    latency: float = 0
    call: Callable[[], object] | None = field(default=None, repr=False)
    change: Change | list[Change] | None = None
    page_size: int | None = None
    aadsts: int | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    retry_after: float | str | timedelta | None = None
    headers: dict[str, str] = field(default_factory=dict)
    document: Any = None
    drop: bool = False
    cut: int | None = None
    truncate: bool = False
    number: int = field(default_factory=lambda: next(_numbers))
    seen: int = 0
    hits: int = 0

    @property
    def of_the_wire(self) -> bool:
        return self.drop or self.cut is not None or self.truncate

    @property
    def answers(self) -> bool:
        """Tell whether it answers, or damages the answer: one fault does that to a request, not two."""
        return self.of_the_wire or self.status is not None or self.aadsts is not None or self.document is not None

    @property
    def name(self) -> str:
        """Name the effect, for the journal."""
        words = [
            f"latency {self.latency}" if self.latency else "",
            "call" if self.call else "",
            "change" if self.change else "",
            f"page of {self.page_size}" if self.page_size is not None else "",
            f"AADSTS{self.aadsts}" if self.aadsts else "",
            f"status {self.status}" if self.status else "",
            "document" if self.document is not None else "",
            "drop" if self.drop else "",
            f"cut at {self.cut}" if self.cut is not None else "",
            "truncate" if self.truncate else "",
        ]
        return ", ".join(word for word in words if word)

    def retry_after_header(self, now: datetime) -> str | None:
        if self.retry_after is None:
            return None
        if isinstance(self.retry_after, timedelta):
            return format_datetime((now + self.retry_after).astimezone(UTC).replace(microsecond=0), usegmt=True)
        return str(self.retry_after)


class Faults:
    """The faults in force, in the order added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults))

    def add(self, **words: Any) -> Fault:
        """Put a fault in force (keywords of `Fault`) and return it; its ``hits`` count."""
        fault = Fault(**words)
        with self._lock:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._faults.remove(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def matching(
        self,
        *,
        path: str,
        target: str,
        method: str,
        host: str,
        tenant: tuple[str, ...],
        client_id: str | None,
        page: int | None,
        in_batch: bool,
    ) -> list[Fault]:
        """Count this request against every fault it matches; answer those that strike."""
        striking: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                if in_batch and (fault.of_the_wire or fault.latency):
                    continue
                if (
                    (fault.method and fault.method.upper() != method)
                    or (fault.host and fault.host != host)
                    or (fault.tenant and fault.tenant.lower() not in tenant)
                    or (fault.client_id and fault.client_id.lower() != client_id)
                    or (fault.page is not None and fault.page != page)
                    or (fault.path and not (re.search(fault.path, path) or re.search(fault.path, target)))
                ):
                    continue
                fault.seen += 1
                due = fault.seen >= fault.nth and (fault.times is None or fault.hits < fault.times)
                if due and not (fault.answers and any(other.answers for other in striking)):
                    fault.hits += 1
                    striking.append(fault)
        return striking
