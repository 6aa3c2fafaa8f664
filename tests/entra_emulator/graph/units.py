"""Resource units: what a request costs, and the token bucket per application and tenant."""

from __future__ import annotations

import math
from collections import deque

from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.graph.errors import GraphError

WINDOW = 10
# Source: microsoft-graph-docs concepts/throttling-limits.md, identity and access (a copy of early 2023).
COSTS = {
    "users": 2,
    "users/{id}": 1,
    "groups": 1,
    "groups/{id}": 1,
    "groups/{id}/members": 3,
    "groups/{id}/transitiveMembers": 5,
    "users/{id}/memberOf": 2,
    "users/{id}/transitiveMemberOf": 2,
    "applications": 2,
}
SIZES = ((50, 3500), (500, 5000), (math.inf, 8000))


def cost(route: str, params: dict[str, str]) -> int:
    """Price a request: ``$select`` -1, ``$expand`` +1, ``$top`` below 20 -1, never below 1."""
    units = COSTS.get(route, 1)
    units -= "$select" in params
    units += "$expand" in params
    units -= params.get("$top", "").isascii() and params.get("$top", "").isdigit() and int(params["$top"]) < 20
    return max(units, 1)


class Buckets:
    """The units used by every application in every tenant over the last ten seconds."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def charge(self, tenant: Tenant, client_id: str, units: int, now: float) -> dict[str, str]:
        """Charge a request and return its headers; raise 429 where the bucket is empty.

        Rejected requests count as well.
        """
        limit = next(units for people, units in SIZES if len(tenant.people) <= people)
        used = self._used.setdefault((tenant.id, client_id), deque())
        while used and used[0][0] <= now - WINDOW:
            used.popleft()
        used.append((now, units))
        share = sum(units for _, units in used) / limit
        headers = {"x-ms-resource-unit": str(units)}
        if share > 0.8:
            headers["x-ms-throttle-limit-percentage"] = f"{min(share, 1.8):.2f}"
        if share > 1:
            raise throttled(tenant, client_id, {**headers, "Retry-After": str(math.ceil(used[0][0] + WINDOW - now))})
        return headers


def throttled(tenant: Tenant | None, client_id: str | None, headers: dict[str, str]) -> GraphError:
    """Make the 429 of the directory's own throttle."""
    scope = f"Tenant_Application/ReadWrite/{client_id}/{tenant.id if tenant else ''}"
    return GraphError(
        429,
        "TooManyRequests",
        "Please retry again later.",
        {
            "x-ms-throttle-scope": scope,
            "x-ms-throttle-information": "ResourceUnitLimitExceeded",
            **headers,
        },
    )
