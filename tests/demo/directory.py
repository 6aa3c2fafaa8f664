"""The directory as it truly is: told by the emulator over its control, never read by the portal's own client."""

from __future__ import annotations

from typing import Any

from connectors.directory import Person
from tests.oracle import Directory, DirectoryGroup


def directory_of(description: dict[str, Any]) -> Directory:
    """Turn what the emulator's `describe` tells of a tenant into the oracle's values."""
    groups = {group["id"]: group for group in description["groups"]}
    return Directory(
        tenant_id=description["id"],
        people={user["id"]: _person(user) for user in description["users"]},
        groups={
            group_id: DirectoryGroup(
                name=_text(group["displayName"]),
                people={member for member in group["members"] if member not in groups},
                groups={member for member in group["members"] if member in groups},
                # Without Member.Read.Hidden, which the connector does not ask for.
                readable=group["visibility"] != "HiddenMembership",
            )
            for group_id, group in groups.items()
        },
    )


def _person(user: dict[str, Any]) -> Person:
    return Person(
        object_id=user["id"],
        enabled=user["accountEnabled"],
        guest=user["userType"] == "Guest",
        display_name=_text(user["displayName"]),
        given_name=_text(user["givenName"]),
        surname=_text(user["surname"]),
        mail=_text(user["mail"]),
        user_principal_name=_text(user["userPrincipalName"]),
    )


def _text(value: str | None) -> str:
    return (value or "").strip()
