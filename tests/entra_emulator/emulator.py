"""The emulator: its tenants, clock, faults and journal, and how one request becomes one answer."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from tests.entra_emulator.clock import Clock, iso
from tests.entra_emulator.clouds import CLOUD_OF_GRAPH_HOST, CLOUDS_OF_LOGIN_HOST
from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.faults import Fault, Faults
from tests.entra_emulator.graph import Graph
from tests.entra_emulator.graph.access import bearer_claims
from tests.entra_emulator.graph.errors import CODE_OF_STATUS, GraphError, error_answer, unauthenticated
from tests.entra_emulator.graph.paging import peek_page
from tests.entra_emulator.graph.units import throttled
from tests.entra_emulator.journal import Entry, Journal
from tests.entra_emulator.login import Login, Refused, describe_error
from tests.entra_emulator.objects import Application, NotThere
from tests.entra_emulator.tokens import key_of
from tests.entra_emulator.verbs import VERBS
from tests.entra_emulator.wire import Answer, Request

if TYPE_CHECKING:
    import requests

current: list[Emulator] = []


@dataclass(frozen=True)
class _Who:
    tenant: Tenant | None
    client_id: str | None
    page: int | None

    @property
    def tenant_names(self) -> tuple[str, ...]:
        return (self.tenant.id, *self.tenant.domains) if self.tenant else ()


class Emulator:
    """Microsoft login and Graph of all four clouds over tenants in memory.

    ``throttling`` False turns the accounting of resource units off. ``token_lifetime`` is in seconds, and so is
    ``consent_delay``, after which an administrator's consent in a browser takes effect. ``consent_refusal`` says how
    a declined consent comes back: "documented" or "seen".
    Everything random is drawn from ``seed``, except request ids.
    """

    def __init__(self, *, clock: Clock | None = None, seed: int = 0) -> None:
        self.clock = clock or Clock()
        self.seed = seed
        self.throttling = True
        self.token_lifetime = 3599
        self.consent_delay = 0.0
        self.consent_refusal = "documented"
        self.lock = threading.RLock()
        self.key = key_of(str(seed))
        self.reset()

    def reset(self) -> None:
        """Forget every tenant, application, fault and journal entry."""
        self.tenants: dict[str, Tenant] = {}
        self.applications: dict[str, Application] = {}
        self.faults = Faults()
        self.journal = Journal()
        self.strays: list[tuple[str, str, bool]] = []
        self.random = random.Random(self.seed)
        self.login = Login(self)
        self.graph = Graph(self)

    # --- tenants -------------------------------------------------------------------------------

    def add_tenant(self, name: str, *, domain: str, cloud: str = "global", id: str | None = None) -> Tenant:
        """Add an empty tenant to a cloud: ``global``, ``usgov``, ``dod`` or ``china``."""
        tenant = Tenant(self, name, domain=domain, cloud=cloud, id=id)
        self.tenants[tenant.id] = tenant
        return tenant

    def find_tenant(self, id_or_domain: str) -> Tenant | None:
        wanted = id_or_domain.lower()
        if wanted in self.tenants:
            return self.tenants[wanted]
        return next((tenant for tenant in self.tenants.values() if wanted in tenant.domains), None)

    def tenant(self, id_or_domain: str) -> Tenant:
        """Find a tenant by id or verified domain; raise `NotThere`."""
        found = self.find_tenant(id_or_domain)
        if found is None:
            raise NotThere(f"there is no tenant {id_or_domain!r}")
        return found

    def delete_tenant(self, id_or_domain: str) -> None:
        """Delete a tenant for good."""
        del self.tenants[self.tenant(id_or_domain).id]

    def apply(self, tenant: str, verb: str, *args: Any, **kwargs: Any) -> Any:
        """Call a verb of a tenant by name."""
        if verb == "delete_tenant":
            return self.delete_tenant(tenant)
        if verb not in VERBS:
            raise NotThere(f"a tenant has no verb {verb!r}")
        with self.lock:
            return getattr(self.tenant(tenant), verb)(*args, **kwargs)

    def forget_journal(self) -> None:
        self.journal.clear()

    # --- sessions ------------------------------------------------------------------------------

    def session(self) -> requests.Session:
        """Make a `requests.Session` whose Microsoft origins are this emulator, in this process."""
        from tests.entra_emulator.session import session_of

        return session_of(self)

    @contextlib.contextmanager
    def install(self) -> Iterator[Emulator]:
        """Make this the emulator that `session.in_process` reaches, for a while."""
        current.append(self)
        try:
            yield self
        finally:
            current.remove(self)

    # --- answering -----------------------------------------------------------------------------

    def answer(self, request: Request, wait: Callable[[float], None] = time.sleep) -> Answer:
        """Answer one request, faults included, and write it into the journal.

        ``wait`` lets latency pass. No lock is held meanwhile, nor while a fault's ``call`` runs.
        """
        request_id = str(uuid.uuid4())
        client_request_id = request.headers.get("client-request-id")
        who = self._who(request)
        struck = self.faults.matching(
            path=request.path,
            target=request.target,
            method=request.method,
            host=request.host,
            tenant=who.tenant_names,
            client_id=who.client_id,
            page=who.page,
            in_batch=request.batch_id is not None,
        )
        for fault in struck:
            if fault.latency:
                wait(fault.latency)
            self._make_changes(fault)
        with self.lock:
            answer = self._refused_by(struck, request, who, request_id)
            if answer is None:
                limits = [fault.page_size for fault in struck if fault.page_size is not None]
                answer = self._routed(request, request_id, min(limits, default=None))
            for fault in struck:
                _spoil(fault, answer)
            answer.headers.update(self._headers(request, request_id))
            self._record(request, who, answer, request_id, client_request_id, struck)
        return answer

    def answer_inner(self, request: Request) -> Answer:
        """Answer one step of a ``$batch``."""
        return self.answer(request)

    def _who(self, request: Request) -> _Who:
        if request.host in CLOUDS_OF_LOGIN_HOST:
            asked = self.login.asked(request)
            return _Who(self.tenants.get(asked.tenant or ""), asked.client_id, None)
        claims = bearer_claims(self.key, request) or {}
        page = peek_page(self.key, request.params) if request.method == "GET" else None
        return _Who(self.tenants.get(claims.get("tid", "")), claims.get("appid"), page)

    def _make_changes(self, fault: Fault) -> None:
        if fault.call:
            fault.call()
        changes = fault.change if isinstance(fault.change, list) else [fault.change] if fault.change else []
        for change in changes:
            self.apply(change["tenant"], change["verb"], *change.get("args", ()), **change.get("kwargs", {}))

    def _routed(self, request: Request, request_id: str, page_limit: int | None) -> Answer:
        if request.host in CLOUDS_OF_LOGIN_HOST:
            return self.login.answer(request)
        try:
            return self.graph.answer(request, request_id, page_limit)
        except GraphError as error:
            return error.answer(self.clock, request_id, request.headers.get("client-request-id") or request_id)

    def _refused_by(self, struck: list[Fault], request: Request, who: _Who, request_id: str) -> Answer | None:
        for fault in struck:
            if fault.document is not None:
                return Answer.json(fault.status or 200, fault.document, dict(fault.headers))
            if fault.status is None and fault.aadsts is None:
                continue
            headers = dict(fault.headers)
            retry_after = fault.retry_after_header(self.clock.now())
            if retry_after is not None:
                headers["Retry-After"] = retry_after
            if request.host in CLOUDS_OF_LOGIN_HOST:
                code = fault.aadsts or (90055 if fault.status == 429 else 90033)
                answer = self.login.refuse(request, Refused(code), headers)
                answer.status = fault.status or answer.status
                return answer
            return self._graph_refusal(fault, request, who, request_id, headers)
        return None

    def _graph_refusal(
        self, fault: Fault, request: Request, who: _Who, request_id: str, headers: dict[str, str]
    ) -> Answer:
        status = fault.status or 400
        message = fault.message or "The service answered so on demand."
        if status == 429:
            refusal = throttled(who.tenant, who.client_id, headers)
            headers, message = refusal.headers, fault.message or refusal.message
        if status == 401:
            challenge = unauthenticated("", CLOUD_OF_GRAPH_HOST[request.host].login).headers
            headers = {**challenge, **headers}
        return error_answer(
            status,
            fault.code or CODE_OF_STATUS.get(status, "UnknownError"),
            message,
            self.clock,
            request_id,
            request.headers.get("client-request-id") or request_id,
            headers,
        )

    def _headers(self, request: Request, request_id: str) -> dict[str, str]:
        now = self.clock.now().astimezone(UTC).replace(microsecond=0)
        headers = {"Date": format_datetime(now, usegmt=True), "x-emulated": "entra"}
        if request.host in CLOUDS_OF_LOGIN_HOST:
            headers["x-ms-request-id"] = request_id
        else:
            headers["request-id"] = request_id
            server = {
                "DataCenter": "Emulated",
                "Slice": "E",
                "Ring": "0",
                "ScaleUnit": "000",
                "RoleInstance": "EMULATED",
            }
            headers["x-ms-ags-diagnostic"] = json.dumps({"ServerInfo": server}, separators=(",", ":"))
        headers["client-request-id"] = request.headers.get("client-request-id") or request_id
        return headers

    def _record(
        self,
        request: Request,
        who: _Who,
        answer: Answer,
        request_id: str,
        client_request_id: str | None,
        struck: list[Fault],
    ) -> None:
        login = request.host in CLOUDS_OF_LOGIN_HOST
        code = None
        if answer.status >= 400 and answer.body:
            code = describe_error(answer.body) if login else _graph_code(answer.body)
        self.journal.append(
            Entry(
                time=iso(self.clock.now()),
                host=request.host,
                tenant=who.tenant.id if who.tenant else None,
                client_id=who.client_id,
                method=request.method,
                path=request.path if login else request.target,
                status=0 if answer.dropped else answer.status,
                code=code,
                request_id=request_id,
                client_request_id=client_request_id,
                page=who.page,
                batch_id=request.batch_id,
                units=int(answer.headers.get("x-ms-resource-unit", 0)),
                faults=tuple(fault.name for fault in struck),
            )
        )


def _graph_code(body: bytes) -> str | None:
    try:
        code: str = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code


def _spoil(fault: Fault, answer: Answer) -> None:
    """Damage an answer as the fault asks: nothing of it, part of it, or half of its JSON."""
    if fault.drop:
        answer.dropped = True
    if fault.cut is not None:
        answer.send = min(fault.cut, max(len(answer.body) - 1, 0))
    if fault.truncate:
        answer.body = answer.body[: len(answer.body) // 2]
