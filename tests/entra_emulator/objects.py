"""The objects a directory holds, as plain values with their Graph names."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.entra_emulator.clock import iso

NAMESPACE = uuid.UUID("6f0d9d5e-6f0f-5b59-9a4b-8f6f0f3f1c11")
RESTORABLE = timedelta(days=30)
READ_GROUPS, READ_USERS = "Group.Read.All", "User.Read.All"


@cache
def graph_name(attribute: str) -> str:
    """Turn ``given_name`` into ``givenName``."""
    head, *rest = attribute.split("_")
    return head + "".join(word.capitalize() for word in rest)


def directory_id(*words: object) -> str:
    """Make a deterministic GUID of what it identifies."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(str(word) for word in words)))


class NotThere(LookupError):
    """Name an object the directory does not have: a mistake of the test, not of the client."""


@dataclass(slots=True, eq=False)
class DirectoryObject:
    """What every object of a directory has; ``rendered`` caches its JSON per projection."""

    id: str
    display_name: str | None
    deleted_date_time: datetime | None = field(default=None, kw_only=True)
    rendered: dict[Any, bytes] = field(default_factory=dict, kw_only=True, repr=False, compare=False)

    def get(self, name: str) -> Any:
        """Return one property by its Graph name as a JSON value; None for one not kept."""
        attribute = _graph_names(type(self)).get(name)
        value = getattr(self, attribute) if attribute else None
        return iso(value) if isinstance(value, datetime) else value

    def properties(self) -> dict[str, Any]:
        """Every property by its Graph name, as JSON values."""
        return {name: self.get(name) for name in _graph_names(type(self))}


@cache
def _graph_names(kind: type[DirectoryObject]) -> dict[str, str]:
    return {graph_name(name): name for name in attributes_of(kind)}


@cache
def attributes_of(kind: type[DirectoryObject]) -> list[str]:
    return [item.name for item in fields(kind) if item.name != "rendered"]


@dataclass(slots=True, eq=False)
class User(DirectoryObject):
    """A person. Property meanings: microsoft-graph-docs ``resources/user.md``."""

    user_principal_name: str
    given_name: str | None = None
    surname: str | None = None
    mail: str | None = None
    account_enabled: bool = True
    user_type: str | None = "Member"
    mail_nickname: str | None = None
    proxy_addresses: list[str] = field(default_factory=list)
    other_mails: list[str] = field(default_factory=list)
    business_phones: list[str] = field(default_factory=list)
    mobile_phone: str | None = None
    job_title: str | None = None
    department: str | None = None
    company_name: str | None = None
    office_location: str | None = None
    preferred_language: str | None = None
    usage_location: str | None = None
    employee_id: str | None = None
    external_user_state: str | None = None
    on_premises_sync_enabled: bool | None = None
    on_premises_immutable_id: str | None = None
    created_date_time: datetime | None = None


@dataclass(slots=True, eq=False)
class Group(DirectoryObject):
    """A group of any kind. Property meanings: microsoft-graph-docs ``resources/group.md``."""

    description: str | None = None
    group_types: list[str] = field(default_factory=list)
    mail: str | None = None
    mail_enabled: bool = False
    mail_nickname: str | None = None
    security_enabled: bool = True
    visibility: str | None = None
    membership_rule: str | None = None
    membership_rule_processing_state: str | None = None
    is_assignable_to_role: bool | None = None
    on_premises_sync_enabled: bool | None = None
    proxy_addresses: list[str] = field(default_factory=list)
    created_date_time: datetime | None = None

    @property
    def hidden(self) -> bool:
        return self.visibility == "HiddenMembership"


@dataclass(slots=True, eq=False)
class Device(DirectoryObject):
    """A device: a member that is not a person."""

    account_enabled: bool | None = True
    device_id: str | None = None
    operating_system: str | None = None


@dataclass(slots=True, eq=False)
class OrgContact(DirectoryObject):
    """An organisational contact: has a mail, is not a user."""

    mail: str | None = None
    given_name: str | None = None
    surname: str | None = None


@dataclass(slots=True, eq=False)
class ServicePrincipal(DirectoryObject):
    """An application's presence in one tenant, with the application roles an administrator consented to."""

    app_id: str = ""
    account_enabled: bool = True
    roles: frozenset[str] = frozenset()
    previous_roles: frozenset[str] = frozenset()
    effective_at: datetime | None = None
    token_generation: int = 1

    def roles_at(self, moment: datetime) -> frozenset[str]:
        """Answer with the roles a token issued at ``moment`` carries: consent takes its time."""
        return self.previous_roles if self.effective_at and moment < self.effective_at else self.roles


@dataclass
class Secret:
    """A client secret; only its hint may be shown."""

    key_id: str
    value: str = field(repr=False)
    starts: datetime
    expires: datetime

    @property
    def hint(self) -> str:
        return self.value[:3]


@dataclass
class Application:
    """An application's registration, in its home tenant."""

    client_id: str
    name: str
    home: str
    multi_tenant: bool = False
    enabled: bool = True
    roles: tuple[str, ...] = ()
    secrets: list[Secret] = field(default_factory=list, repr=False)
    certificates: list[str] = field(default_factory=list, repr=False)
    redirect_uris: list[str] = field(default_factory=list)

    @property
    def secret(self) -> str:
        """The value of the newest secret."""
        return self.secrets[-1].value

    @property
    def secret_id(self) -> str:
        """The *ID* of the newest secret: what people paste by mistake."""
        return self.secrets[-1].key_id
