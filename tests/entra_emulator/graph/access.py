"""Who calls Graph: reading the bearer token, and which application roles each route asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.entra_emulator.clouds import Cloud
from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.graph.errors import GraphError, denied, unauthenticated
from tests.entra_emulator.objects import Device, DirectoryObject, Group, OrgContact, ServicePrincipal, User
from tests.entra_emulator.tokens import BadToken, read_jwt
from tests.entra_emulator.wire import Request

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator

# Application permissions, any of which is enough. Source: microsoft-graph-docs
# api-reference/v1.0/includes/permissions/{group-list-members,user-list,…}-permissions.md.
DIRECTORY = frozenset({"Directory.Read.All", "Directory.ReadWrite.All"})
GROUPS = DIRECTORY | {"GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All"}
USERS = DIRECTORY | {"User.Read.All", "User.ReadWrite.All"}
USERS_OR_GROUPS = USERS | GROUPS
HIDDEN_MEMBERS = frozenset({"Member.Read.Hidden"})
ORGANIZATION = DIRECTORY | {"Organization.Read.All", "Organization.ReadWrite.All"}
READERS: dict[type[DirectoryObject], frozenset[str]] = {
    User: USERS,
    Group: GROUPS,
    Device: DIRECTORY | {"Device.Read.All"},
    OrgContact: DIRECTORY | {"OrgContact.Read.All"},
    ServicePrincipal: DIRECTORY | {"Application.Read.All", "Application.ReadWrite.All"},
}


@dataclass(frozen=True)
class Caller:
    """A token's tenant, application and frozen roles; of a delegated token its person and scopes, and no roles."""

    tenant: Tenant
    client_id: str
    roles: frozenset[str]
    person_id: str | None = None
    scopes: frozenset[str] = frozenset()
    unreadable: frozenset[type[DirectoryObject]] = field(init=False)

    def __post_init__(self) -> None:
        blind = frozenset(kind for kind, readers in READERS.items() if not self.roles & readers)
        object.__setattr__(self, "unreadable", blind)

    def need(self, any_of: frozenset[str]) -> None:
        if not self.roles & any_of:
            raise denied()


def bearer_claims(key: bytes, request: Request) -> dict[str, Any] | None:
    """Read whose token it is without judging it; None where there is none of ours."""
    _, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        return read_jwt(key, token)
    except BadToken:
        return None


def authenticate(emulator: Emulator, request: Request, cloud: Cloud) -> Caller:
    """Admit the bearer of a valid token for this cloud's Graph; raise 401, or 403 where the caller is gone.

    The texts of the 401 and its WWW-Authenticate header follow public threads; both are permanent
    until a new token is fetched.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("Access token is empty.", cloud.login)
    try:
        claims = read_jwt(emulator.key, token)
    except BadToken:
        raise unauthenticated("CompactToken parsing failed with error code: 80049217", cloud.login) from None
    if claims.get("aud") != cloud.graph:
        raise unauthenticated("Access token validation failure. Invalid audience.", cloud.login)
    if claims["exp"] <= emulator.clock.timestamp():
        raise unauthenticated("Lifetime validation failed, the token is expired.", cloud.login)
    tenant = emulator.tenants.get(claims["tid"])
    principal = tenant.service_principals.get(claims["appid"]) if tenant else None
    if tenant is None or principal is None or not principal.account_enabled:
        raise GraphError(
            403,
            "Authorization_IdentityNotFound",
            "The identity of the calling application could not be established.",
        )
    if claims["x_generation"] != principal.token_generation:
        refusal = unauthenticated("Continuous access evaluation resulted in challenge.", cloud.login)
        refusal.headers["WWW-Authenticate"] += ', error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
        raise refusal
    return Caller(
        tenant,
        claims["appid"],
        frozenset(claims.get("roles", ())),
        claims["oid"] if claims["idtyp"] == "user" else None,
        frozenset(claims.get("scp", "").split()),
    )
