"""EntraDirectory: the verbs by which the rest of the portal asks one tenant's directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import requests

from connectors.directory import GroupSummary, Person, Snapshot, Verification
from connectors.entra import membership, people, proof, search
from connectors.entra.clouds import ENDPOINTS
from connectors.entra.credentials import Credentials
from connectors.entra.graph import Graph
from connectors.entra.refusals import Refused, explain
from connectors.entra.session import portal_session
from connectors.entra.token import TokenSource
from connectors.entra.transcript import RequestRecord, Transcript
from connectors.entra.transport import Transport, utc_now


class EntraDirectory:
    """Ask one tenant's directory; make one for each run or page, and close it.

    `before_request` runs before each HTTP request; what it raises comes through and ends the reading. `seconds` is
    the time for everything asked of this object, waiting included. Without `session`, the setting ENTRA_SESSION names
    it. Every method raises nothing of its own but a DirectoryError, and what opening the secret raises.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        session: requests.Session | None = None,
        before_request: Callable[[], None] | None = None,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        seconds: float = 600.0,
        transcript: Transcript | None = None,
    ) -> None:
        self._credentials = credentials
        self._endpoints = ENDPOINTS[credentials.cloud]
        self._session = portal_session() if session is None else session
        self._now = now
        self._transport = Transport(
            self._session,
            self._endpoints,
            before_request=before_request,
            now=now,
            sleep=sleep,
            seconds=seconds,
            transcript=transcript,
        )
        self._graph = Graph(self._transport, TokenSource(credentials, self._transport, now=now), self._endpoints)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def requests(self) -> int:
        """Return how many HTTP requests were sent so far, token and repetitions included."""
        return self._transport.requests

    @property
    def log(self) -> tuple[RequestRecord, ...]:
        """Return the last 1,000 requests, oldest first."""
        return tuple(self._transport.log)

    def verify(self) -> Verification:
        """Prove that the connection works, with nothing remembered from before."""
        with _explained():
            tokens = TokenSource(self._credentials, self._transport, now=self._now, fresh=True)
            return proof.prove(Graph(self._transport, tokens, self._endpoints))

    def search_groups(self, text: str, *, limit: int = 20) -> list[GroupSummary]:
        """Return groups for what was typed so far, the best match first; some groups for an empty text."""
        with _explained():
            return search.search(self._graph, text, limit=limit)

    def group(self, group_id: str) -> GroupSummary:
        """Return one group; raise SyncGroupMissing where the tenant has none with this id."""
        with _explained():
            return search.one(self._graph, group_id)

    def search_people(self, text: str, *, limit: int = 20) -> list[Person]:
        """Return the people with this address, object ID, or beginning of a name; nobody for an empty text."""
        with _explained():
            return people.find(self._graph, text, limit=limit)

    def person(self, object_id: str) -> tuple[Person | None, str]:
        """Return one person, and why their record cannot be used; (None, "") where the tenant has nobody of that id."""
        with _explained():
            return people.one(self._graph, object_id)

    def snapshot(
        self,
        sync_group_id: str,
        *,
        additional: Sequence[str],
        known: Collection[str],
        direct_members_only: bool = False,
    ) -> Snapshot:
        """Read the sync group completely, each `known` person who is not in it by id, and each additional group.

        With `direct_members_only`, a nested group that cannot be read is left out instead of making its parent
        unreadable. A person whose record is odd stands in `unread`, and nowhere else.
        """
        with _explained():
            return membership.read_snapshot(
                self._graph,
                sync_group_id,
                additional=additional,
                known=known,
                direct_members_only=direct_members_only,
            )

    def second_look(
        self,
        snapshot: Snapshot,
        *,
        people: Collection[str],
        sync_group_id: str,
        removed: bool,
        direct_members_only: bool = False,
    ) -> Snapshot:
        """Look at `people` by id again and, where `removed`, read the sync group completely a second time.

        Whoever is in either reading is in scope; whoever this look does not find is gone; what either reading of the
        group could not read stays unread.
        """
        with _explained():
            return membership.read_again(
                self._graph,
                snapshot,
                people=people,
                sync_group_id=sync_group_id,
                removed=removed,
                direct_members_only=direct_members_only,
            )


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        error = explain(refused)
    else:
        return
    raise error
