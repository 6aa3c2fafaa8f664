"""Graph's routes: listing, one object, members, ``$count``; everything else is refused as Graph would."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.entra_emulator.clouds import CLOUD_OF_GRAPH_HOST, Cloud
from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.graph.access import (
    GROUPS,
    HIDDEN_MEMBERS,
    ORGANIZATION,
    USERS,
    USERS_OR_GROUPS,
    Caller,
    authenticate,
)
from tests.entra_emulator.graph.batch import answer_batch
from tests.entra_emulator.graph.delta import Delta
from tests.entra_emulator.graph.errors import GraphError, bad_request, denied, not_found, unsupported_query
from tests.entra_emulator.graph.paging import next_link, page_size, position_of, slice_page
from tests.entra_emulator.graph.projection import KIND_OF_TYPE, PLAIN_KINDS, Projection, parse_select
from tests.entra_emulator.graph.query import parse_filter, parse_orderby, parse_search
from tests.entra_emulator.graph.units import Buckets, cost
from tests.entra_emulator.objects import DirectoryObject, Group, ServicePrincipal, User
from tests.entra_emulator.wire import Answer, Request

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator

JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PARAMETERS = {"$select", "$filter", "$search", "$top", "$orderby", "$count", "$expand", "$skiptoken"}
MAX_EXPANDED = 20
DELTA = ("delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()")

# Real resources that Group.Read.All and User.Read.All do not open.
ELSEWHERE = frozenset(
    [
        "administrativeunits",
        "applications",
        "auditlogs",
        "contacts",
        "contracts",
        "devices",
        "directory",
        "directoryobjects",
        "directoryroles",
        "directoryroletemplates",
        "domains",
        "drives",
        "grouplifecyclepolicies",
        "groupsettings",
        "identity",
        "identitygovernance",
        "identityproviders",
        "oauth2permissiongrants",
        "organization",
        "policies",
        "reports",
        "rolemanagement",
        "schemaextensions",
        "security",
        "serviceprincipals",
        "sites",
        "subscribedskus",
        "teams",
        "tenantrelationships",
    ]
)
# Open to the two permissions, and not emulated.
NOT_EMULATED = frozenset({"subscriptions", "directory/deleteditems"})


@dataclass(frozen=True)
class Call:
    """One authenticated request to Graph, read."""

    request: Request
    cloud: Cloud
    caller: Caller
    view: Tenant
    params: dict[str, str]
    eventual: bool
    page_limit: int | None

    @property
    def counted(self) -> bool:
        return self.eventual and self.params.get("$count", "").lower() == "true"

    @property
    def advanced(self) -> bool:
        """Tell whether it is an advanced query: the header, and ``$count=true`` or ``$search``.

        Source: microsoft-graph-docs concepts/aad-advanced-queries.md.
        """
        return self.counted or (self.eventual and "$search" in self.params)

    def need_advanced(self, what: str) -> None:
        if not self.advanced:
            raise unsupported_query(f"{what} is only supported as an advanced query.")


class Graph:
    """Answers for every Graph host."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.buckets = Buckets()
        self.delta = Delta(emulator)

    def answer(self, request: Request, request_id: str, page_limit: int | None) -> Answer:
        """Answer one request; raise `GraphError` to refuse it. ``page_limit`` shortens a page on demand."""
        cloud = CLOUD_OF_GRAPH_HOST[request.host]
        version, _, rest = request.path.lstrip("/").partition("/")
        if version.lower() != "v1.0":
            raise bad_request(f"Invalid version: {version}", "BadRequest")
        caller = authenticate(self.emulator, request, cloud)
        segments = [part for part in rest.split("/") if part]
        if request.method == "POST" and [part.lower() for part in segments] == ["$batch"]:
            if request.batch_id:
                raise bad_request("A batch request cannot hold a batch.", "BadRequest")
            return answer_batch(
                request,
                request_id,
                lambda inner: self.emulator.answer_inner(inner),
                self.emulator.random,
            )
        if not segments:
            raise bad_request("Resource not found for the segment ''.", "BadRequest")
        if "/".join(segments[:2]).lower() in NOT_EMULATED or segments[0].lower() in NOT_EMULATED:
            raise GraphError(501, "NotImplemented", "The emulator does not have this.")
        if segments[0].lower().partition("(")[0] in ELSEWHERE:
            return self._elsewhere(caller, segments, request)
        if request.method != "GET":
            raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        return self._get(request, cloud, caller, segments, page_limit)

    def _elsewhere(self, caller: Caller, segments: list[str], request: Request) -> Answer:
        tenant = caller.tenant
        if [part.lower() for part in segments] != ["organization"] or request.method != "GET":
            raise denied()
        caller.need(ORGANIZATION)
        domains = [{"name": name, "isDefault": name == tenant.domain} for name in tenant.domains]
        return self._document({"value": [{"id": tenant.id, "displayName": tenant.name, "verifiedDomains": domains}]})

    def _get(
        self, request: Request, cloud: Cloud, caller: Caller, segments: list[str], page_limit: int | None
    ) -> Answer:
        params = request.params
        of_delta = len(segments) == 2 and segments[1].lower() in DELTA
        for name in params:
            if name.lower() == "$skip":
                raise bad_request("'$skip' is not supported by the service.")
            if name.startswith("$") and name not in PARAMETERS and not of_delta:
                raise bad_request(f"The query parameter '{name}' is not supported.", "BadRequest")
        eventual = request.headers.get("consistencylevel", "").lower() == "eventual"
        view = (caller.tenant.index if eventual else None) or caller.tenant
        call = Call(request, cloud, caller, view, params, eventual, page_limit)
        route, handler = self._route(call, segments)
        headers = self._charge(caller, route, params)
        answer = handler()
        answer.headers.update(headers)
        return answer

    def _charge(self, caller: Caller, route: str, params: dict[str, str]) -> dict[str, str]:
        units = cost(route, params)
        if not self.emulator.throttling:
            return {"x-ms-resource-unit": str(units)}
        return self.buckets.charge(caller.tenant, caller.client_id, units, self.emulator.clock.timestamp())

    def _route(self, call: Call, segments: list[str]) -> tuple[str, Callable[[], Answer]]:
        top, *rest = segments
        kinds = {"users": User, "groups": Group}
        kind = kinds.get(top.lower())
        if kind is None:
            if top.lower() == "me" and not rest:
                return "users/{id}", lambda: self._me(call)
            raise bad_request(f"Resource not found for the segment '{top}'.", "BadRequest")
        name = top.lower()
        if not rest:
            return name, lambda: self._list(call, kind)
        if len(rest) == 1 and rest[0].lower() == "$count":
            return name, lambda: self._list(call, kind, only_count=True)
        if len(rest) == 1 and rest[0].lower() in DELTA:
            return f"{name}/delta", lambda: self._delta(call, kind)
        if len(rest) == 1:
            return f"{name}/{{id}}", lambda: self._one(call, kind, rest[0])
        relations = {"memberof": "memberOf", "transitivememberof": "transitiveMemberOf"}
        if kind is Group:
            relations |= {"members": "members", "transitivemembers": "transitiveMembers"}
        relation = relations.get(rest[1].lower())
        if relation is None:
            raise bad_request(f"Resource not found for the segment '{rest[1]}'.", "BadRequest")
        tail = [part.lower() for part in rest[2:]]
        only_count = tail[-1:] == ["$count"]
        if only_count:
            tail.pop()
        cast = None
        if tail:
            cast = KIND_OF_TYPE.get(tail.pop(0))
            if cast is None or tail:
                raise bad_request(f"Resource not found for the segment '{rest[2]}'.", "BadRequest")
        return (
            f"{name}/{{id}}/{relation}",
            lambda: self._relation(call, kind, rest[0], relation, cast, only_count),
        )

    def _delta(self, call: Call, kind: type[DirectoryObject]) -> Answer:
        prefer = call.request.headers.get("prefer", "")
        origin = call.cloud.graph
        return self._document(self.delta.answer(call.caller, kind, origin, call.params, prefer, call.page_limit))

    # --- one object ----------------------------------------------------------------------------

    def _find(self, call: Call, kind: type[DirectoryObject], id: str) -> DirectoryObject:
        """Find a living object; a person also by user principal name. Soft-deleted ones are not found."""
        view = call.view
        if kind is Group:
            if not GUID.fullmatch(id):
                raise bad_request(f"Invalid object identifier '{id}'.")
            found: DirectoryObject | None = view.groups.get(id.lower())
        else:
            by_name = view.cached(
                "upn", lambda: {item.user_principal_name.lower(): item for item in view.people.values()}
            )
            found = view.people.get(id.lower()) or by_name.get(id.lower())
        if found is None:
            raise not_found(id)
        return found

    def _me(self, call: Call) -> Answer:
        """Show who signed in: delegated tokens with User.Read only (microsoft-graph-docs user-get.md)."""
        caller = call.caller
        if caller.person_id is None:
            raise bad_request("/me request is only valid with delegated authentication flow.", "BadRequest")
        if "User.Read" not in caller.scopes:
            raise denied()
        select = parse_select(call.params.get("$select"), (User,), collection=False)
        projection = Projection(select, False)
        context = f"{call.cloud.graph}/v1.0/$metadata#users{projection.context}/$entity"
        return self._document({"@odata.context": context, **projection.value(self._find(call, User, caller.person_id))})

    def _one(self, call: Call, kind: type[DirectoryObject], id: str) -> Answer:
        call.caller.need(GROUPS if kind is Group else USERS)
        select = parse_select(call.params.get("$select"), (kind,), collection=False)
        item = self._find(call, kind, id)
        projection = Projection(select, False)
        name = "groups" if kind is Group else "users"
        document = {
            "@odata.context": f"{call.cloud.graph}/v1.0/$metadata#{name}{projection.context}/$entity",
            **projection.value(item),
        }
        if "$expand" in call.params:
            document |= self._expanded(call, item)
        return self._document(document)

    def _expanded(self, call: Call, item: DirectoryObject) -> dict[str, Any]:
        """Expand one relation: at most 20 items, and no nextLink (microsoft-graph-docs query-parameters.md)."""
        match = re.fullmatch(r"(members|memberOf|transitiveMemberOf)(?:\(\$select=([^()]*)\))?", call.params["$expand"])
        if not match or (match[1] == "members") is not isinstance(item, Group):
            raise bad_request("The $expand clause is not supported.", "BadRequest")
        if call.advanced:
            raise unsupported_query("$expand is not supported in advanced queries.")
        if isinstance(item, Group) and item.hidden:
            call.caller.need(HIDDEN_MEMBERS)
        select = parse_select(match[2], PLAIN_KINDS, collection=True)
        projection = Projection(select, True, call.caller.unreadable)
        ids = self._related_ids(call.view, item.id, match[1])
        objects = [call.view.get(id) for id in ids[:MAX_EXPANDED]]
        return {match[1]: [projection.value(found) for found in objects if found is not None]}

    # --- collections ---------------------------------------------------------------------------

    def _list(self, call: Call, kind: type[DirectoryObject], *, only_count: bool = False) -> Answer:
        call.caller.need(GROUPS if kind is Group else USERS)
        view = call.view
        objects: dict[str, Any] = view.groups if kind is Group else view.people
        ids = view.cached(("all", kind), lambda: sorted(objects))
        name = "groups" if kind is Group else "users"
        return self._collection(call, ids, (kind,), name, typed=False, only_count=only_count)

    @staticmethod
    def _related_ids(view: Tenant, id: str, relation: str) -> list[str]:
        transitive = relation.startswith("transitive")
        if relation.lower().endswith("members"):
            return view.member_ids(id, transitive=transitive)
        return view.group_ids_of(id, transitive=transitive)

    def _relation(
        self,
        call: Call,
        kind: type[DirectoryObject],
        id: str,
        relation: str,
        cast: type[DirectoryObject] | None,
        only_count: bool,
    ) -> Answer:
        call.caller.need(GROUPS if kind is Group else USERS_OR_GROUPS)
        item = self._find(call, kind, id)
        view = call.view
        below = relation == "transitiveMembers" and view.holds_hidden_group(item.id)
        if below or (relation == "members" and isinstance(item, Group) and item.hidden):
            call.caller.need(HIDDEN_MEMBERS)
        # The cast of /members needs no advanced query; of everything transitive it does.
        if cast is not None and relation != "members":
            call.need_advanced("An OData cast")
        ids = self._related_ids(view, item.id, relation)
        if cast is not None:
            ids = [found for found in ids if type(view.get(found)) is cast]
        kinds = (cast,) if cast else PLAIN_KINDS
        name = {User: "users", Group: "groups"}.get(cast, "directoryObjects") if cast else "directoryObjects"
        return self._collection(call, ids, kinds, name, typed=cast is None, only_count=only_count)

    def _collection(
        self,
        call: Call,
        ids: list[str],
        kinds: tuple[type[DirectoryObject], ...],
        name: str,
        *,
        typed: bool,
        only_count: bool,
    ) -> Answer:
        view, params, emulator = call.view, call.params, self.emulator
        if only_count:
            # thread microsoft-graph-docs: the segment without the header is refused, ?$count=true ignored.
            if not call.eventual:
                raise bad_request("$count is not currently supported.")
            return Answer.text(200, str(len(self._matching(call, ids, typed))))
        select = parse_select(params.get("$select"), kinds, collection=True)
        size = page_size(params)
        now = emulator.clock.timestamp()
        position = position_of(emulator.key, call.request.path, params, call.caller.tenant.id, now)
        matching = self._matching(call, ids, typed)
        keys: list[Any] = matching
        descending = False
        if "$orderby" in params:
            keys, matching, descending = self._ordered(call, matching, typed)
        if call.page_limit is not None:
            size = min(size, call.page_limit)
        chosen, following = slice_page(keys, position, size, descending=descending)
        projection = Projection(select, typed, call.caller.unreadable)
        head: dict[str, Any] = {"@odata.context": f"{call.cloud.graph}/v1.0/$metadata#{name}{projection.context}"}
        if call.counted and position.page == 1:
            head["@odata.count"] = len(matching)
        if following is not None:
            head["@odata.nextLink"] = next_link(
                emulator.key, call.cloud.graph, call.request.path, params, call.caller.tenant.id, following, now
            )
        items = []
        for id in matching[chosen]:
            item = view.get(id)
            # Service principals are counted and take their place on a page, but are not listed in
            # v1.0 (microsoft-graph-docs group-list-members.md, known issue).
            if item is None or isinstance(item, ServicePrincipal):
                continue
            if "$expand" in params:
                document = {**projection.value(item), **self._expanded(call, item)}
                items.append(Answer.json(200, document).body)
            else:
                items.append(projection.render(item))
        opening = Answer.json(200, head).body[:-1]
        body = opening + b',"value":[' + b",".join(items) + b"]}"
        return Answer(200, body, {"Content-Type": JSON, "OData-Version": "4.0"})

    def _matching(self, call: Call, ids: list[str], typed: bool) -> list[str]:
        """Narrow ids by ``$filter`` and ``$search``; what the token cannot read matches nothing."""
        params, view = call.params, call.view
        if "$search" in params and not call.eventual:
            raise unsupported_query("Request with $search query parameter only works with ConsistencyLevel eventual.")
        if "$filter" not in params and "$search" not in params:
            return ids
        tests = []
        if "$filter" in params:
            parsed = parse_filter(params["$filter"])
            if parsed.advanced or call.request.path.count("/") > 2 or "$orderby" in params:
                call.need_advanced("This $filter")
            tests.append(parsed.test)
        if "$search" in params:
            tests.append(parse_search(params["$search"]))

        def find() -> list[str]:
            found = []
            for id in ids:
                item = view.get(id)
                if item is None or type(item) in call.caller.unreadable:
                    continue
                if all(test(item) for test in tests):
                    found.append(id)
            return found

        key = (call.request.path.lower(), params.get("$filter"), params.get("$search"), call.caller.unreadable)
        found: list[str] = view.cached(key, find)
        return found

    def _ordered(self, call: Call, ids: list[str], typed: bool) -> tuple[list[Any], list[str], bool]:
        name, descending = parse_orderby(call.params["$orderby"])
        if typed or "$search" in call.params:
            call.need_advanced("$orderby here")
        objects = {id: call.view.get(id) for id in ids}
        keys = sorted(
            ((str(item.get(name) or "").casefold(), id) for id, item in objects.items() if item),
            reverse=descending,
        )
        return list(keys), [id for _, id in keys], descending

    @staticmethod
    def _document(document: dict[str, Any]) -> Answer:
        answer = Answer.json(200, document)
        answer.headers |= {"Content-Type": JSON, "OData-Version": "4.0"}
        return answer
