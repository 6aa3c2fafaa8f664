"""Which properties of an object a client sees: defaults, ``$select``, permissions; and their JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.entra_emulator.graph.errors import GraphError, bad_request
from tests.entra_emulator.objects import Device, DirectoryObject, Group, OrgContact, ServicePrincipal, User

ODATA_TYPE = {
    User: "user",
    Group: "group",
    Device: "device",
    OrgContact: "orgContact",
    ServicePrincipal: "servicePrincipal",
}
KIND_OF_TYPE = {f"microsoft.graph.{name.lower()}": kind for kind, name in ODATA_TYPE.items()}

# Returned without $select. Source: microsoft-graph-docs resources/user.md and resources/group.md.
USER_DEFAULTS = (
    "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName", "id",
)  # fmt: skip
GROUP_DEFAULTS = (
    "id", "deletedDateTime", "createdDateTime", "description", "displayName", "groupTypes", "isAssignableToRole",
    "mail", "mailEnabled", "mailNickname", "membershipRule", "membershipRuleProcessingState",
    "onPremisesSyncEnabled", "proxyAddresses", "securityEnabled", "visibility",
)  # fmt: skip
DEFAULTS: dict[type[DirectoryObject], tuple[str, ...]] = {User: USER_DEFAULTS, Group: GROUP_DEFAULTS}

# Real properties this directory keeps nothing of: selectable, always null.
UNKEPT: dict[type[DirectoryObject], frozenset[str]] = {
    User: frozenset(
        [
            "ageGroup",
            "city",
            "consentProvidedForMinor",
            "country",
            "creationType",
            "employeeHireDate",
            "employeeType",
            "faxNumber",
            "externalUserStateChangeDateTime",
            "lastPasswordChangeDateTime",
            "legalAgeGroupClassification",
            "onPremisesDistinguishedName",
            "onPremisesDomainName",
            "onPremisesLastSyncDateTime",
            "onPremisesSamAccountName",
            "onPremisesSecurityIdentifier",
            "onPremisesUserPrincipalName",
            "passwordPolicies",
            "postalCode",
            "securityIdentifier",
            "showInAddressList",
            "state",
            "streetAddress",
        ]
    ),
    Group: frozenset(
        [
            "classification",
            "createdByAppId",
            "expirationDateTime",
            "onPremisesDomainName",
            "onPremisesLastSyncDateTime",
            "onPremisesNetBiosName",
            "onPremisesSamAccountName",
            "onPremisesSecurityIdentifier",
            "preferredDataLocation",
            "preferredLanguage",
            "renewedDateTime",
            "securityIdentifier",
            "theme",
            "uniqueName",
        ]
    ),
}
# Stored outside the directory: 501 on a collection (microsoft-graph-docs resources/user.md).
NOT_ON_COLLECTIONS = frozenset(
    [
        "aboutMe",
        "birthday",
        "hireDate",
        "interests",
        "mySite",
        "pastProjects",
        "preferredName",
        "responsibilities",
        "schools",
        "skills",
        "mailboxSettings",
    ]
)
PLAIN_KINDS: tuple[type[DirectoryObject], ...] = (User, Group, Device, OrgContact, ServicePrincipal)


# Kept, because json.dumps would make one for every person of 100,000.
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _known(kind: type[DirectoryObject]) -> frozenset[str]:
    blank: dict[Any, tuple[Any, ...]] = {User: ("", None, ""), ServicePrincipal: ("", None)}
    made = kind(*blank.get(kind, ("", None)))
    return frozenset(made.properties()) | UNKEPT.get(kind, frozenset())


KNOWN = {kind: _known(kind) for kind in PLAIN_KINDS}
ALL_KNOWN = frozenset().union(*KNOWN.values())
BY_LOWER = {name.lower(): name for name in (*ALL_KNOWN, *NOT_ON_COLLECTIONS)}


def parse_select(
    text: str | None, kinds: tuple[type[DirectoryObject], ...], *, collection: bool
) -> tuple[str, ...] | None:
    """Read ``$select`` into property names; None where there is none."""
    if text is None:
        return None
    names: list[str] = []
    for word in text.split(","):
        name = BY_LOWER.get(word.strip().lower())
        if name in NOT_ON_COLLECTIONS:
            raise (
                GraphError(501, "NotImplemented", f"'{name}' is not supported on a collection.")
                if collection
                else bad_request(f"'{name}' is not kept by this directory.", "BadRequest")
            )
        if name is None or not any(name in KNOWN[kind] for kind in kinds):
            type_name = (
                f"microsoft.graph.{ODATA_TYPE[kinds[0]]}" if len(kinds) == 1 else "microsoft.graph.directoryObject"
            )
            raise bad_request(
                f"Parsing OData Select and Expand failed: Could not find a property named '{word.strip()}' "
                f"on type 'microsoft.graph.{type_name}'.",
                "BadRequest",
            )
        if name not in names:
            names.append(name)
    return tuple(names)


@dataclass(frozen=True)
class Projection:
    """How objects are shown in one answer.

    ``unreadable`` are the kinds the token may list but not read: their items carry ``@odata.type`` and
    ``id``, every other property null (microsoft-graph-docs concepts/permissions-overview.md, limited
    information). ``typed`` adds ``@odata.type``, as collections of mixed types do.
    """

    select: tuple[str, ...] | None
    typed: bool
    unreadable: frozenset[type[DirectoryObject]] = frozenset()

    def render(self, item: DirectoryObject) -> bytes:
        """Write one item as JSON, from its cache where it has not changed since."""
        found = item.rendered.get(self)
        if found is None:
            found = ENCODER.encode(self.value(item)).encode()
            item.rendered[self] = found
        return found

    def value(self, item: DirectoryObject) -> dict[str, Any]:
        kind = type(item)
        if self.select is not None:
            names: tuple[str, ...] = tuple(name for name in self.select if name in KNOWN[kind])
        else:
            names = DEFAULTS.get(kind) or tuple(item.properties())
        shown: dict[str, Any] = {"@odata.type": f"#microsoft.graph.{ODATA_TYPE[kind]}"} if self.typed else {}
        hidden = kind in self.unreadable
        if hidden:
            shown["id"] = item.id
        for name in names:
            if name != "id" or not hidden:
                shown[name] = None if hidden else item.get(name)
        return shown

    @property
    def context(self) -> str:
        """The select list as ``@odata.context`` shows it."""
        return f"({','.join(self.select)})" if self.select else ""
