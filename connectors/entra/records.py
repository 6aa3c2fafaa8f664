"""Directory objects as Graph spells them, turned into facts: nothing of a wrong shape comes through."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.directory import Person, Unexpected
from connectors.entra.credentials import GUID, is_guid

PERSON_FIELDS = "id,accountEnabled,userType,displayName,givenName,surname,mail,userPrincipalName"
"""All that is ever asked of a person. Graph leaves accountEnabled and userType out where they are not named."""

GROUP_FIELDS = "id,displayName,visibility,groupTypes,mailEnabled,securityEnabled"

_NAME_LENGTH = 256
# As long as the names of an account: a longer one would be refused by a database that minds, in every run again.
_PERSON_LENGTH = 200
# Longer than any usable address on purpose: a cut address must not become somebody's.
_ADDRESS_LENGTH = 320


# The two of almost every member, so that 100,000 of them need no parsing.
_is_guid = GUID.fullmatch
_KINDS = {"#microsoft.graph.user": "user", "#microsoft.graph.group": "group"}


class Odd(Exception):
    """A record that says what no record says: one to leave alone, for reasons that do not concern the others."""


def identity(item: object) -> tuple[str, str]:
    """Return an item's kind ('user', 'group', …) and object id; raise Unexpected where it has none.

    Somebody listed without an id could be anyone, so the listing cannot be used to say who is absent.
    """
    kind = item.get("@odata.type") if isinstance(item, dict) else None
    object_id = item.get("id") if isinstance(item, dict) else None
    if type(kind) is not str or type(object_id) is not str or not _is_guid(object_id):
        raise Unexpected("Microsoft listed a member without saying who or what it is. Nothing was changed.")
    return _KINDS.get(kind) or kind.rpartition(".")[2].lower(), object_id.lower()


def person(record: Mapping[str, Any], object_id: str, shared: dict[str, str]) -> Person:
    """Return the person a user record tells of; raise Odd where it does not say what was asked.

    A permission that is missing shows as nulls, not as an error: without a true or false in accountEnabled
    there is no person here. `shared` keeps one copy of texts that many records have.
    """
    enabled = record.get("accountEnabled")
    if enabled is not True and enabled is not False:
        raise Odd
    kind = record.get("userType")
    if kind is not None and type(kind) is not str:
        raise Odd
    mail = _text(record.get("mail"), _ADDRESS_LENGTH)
    principal = record.get("userPrincipalName")
    principal = mail if principal == mail else _text(principal, _ADDRESS_LENGTH)
    given_name = _text(record.get("givenName"), _PERSON_LENGTH)
    surname = _text(record.get("surname"), _PERSON_LENGTH)
    return Person(
        object_id,
        enabled,
        kind is not None and kind != "Member" and kind.lower() == "guest",
        _text(record.get("displayName"), _PERSON_LENGTH),
        shared.setdefault(given_name, given_name),
        shared.setdefault(surname, surname),
        mail,
        principal,
    )


def _text(value: object, length: int) -> str:
    """Return a text a database can hold; what a text cannot be made of becomes U+FFFD, so no address is forged."""
    if type(value) is not str:
        if value is None:
            return ""
        raise Odd
    if not value.isprintable():
        value = "".join("\ufffd" if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in value)
    return value.strip()[:length]


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """Hold a group's own record; `name` is '' where it has none."""

    id: str
    name: str
    hidden: bool
    dynamic: bool
    unified: bool
    mail_enabled: bool
    security_enabled: bool


def group(record: object) -> GroupRecord:
    """Return the group a record tells of; raise Odd where it is none."""
    if not isinstance(record, dict):
        raise Odd
    object_id = record.get("id")
    if not isinstance(object_id, str) or not is_guid(object_id):
        raise Odd
    types = record.get("groupTypes")
    names = {name.lower() for name in types if isinstance(name, str)} if isinstance(types, list) else set()
    visibility = record.get("visibility")
    return GroupRecord(
        id=object_id.lower(),
        name=_text(record.get("displayName"), _NAME_LENGTH),
        hidden=isinstance(visibility, str) and visibility.lower() == "hiddenmembership",
        dynamic="dynamicmembership" in names,
        unified="unified" in names,
        mail_enabled=record.get("mailEnabled") is True,
        security_enabled=record.get("securityEnabled") is True,
    )


def name_of(item: Mapping[str, Any]) -> str:
    """Return an object's display name, '' where it tells none."""
    try:
        return _text(item.get("displayName"), _NAME_LENGTH)
    except Odd:
        return ""
