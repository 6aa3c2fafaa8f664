"""Finding one person: by an address, an object ID or the beginning of a name, to explain what becomes of them."""

from __future__ import annotations

from urllib.parse import quote

from connectors.directory import Person
from connectors.entra.credentials import is_guid
from connectors.entra.graph import Answered, Ask, Graph
from connectors.entra.membership import ensure, look
from connectors.entra.records import PERSON_FIELDS, Odd, person
from connectors.entra.refusals import USERS, Refused, explain

_LONGEST = 320
_NAMES = ("displayName", "givenName", "surname", "mail", "userPrincipalName")
# As for groups: an index that lags, good enough to find somebody whose record is then read by id.
_FROM_INDEX = {"ConsistencyLevel": "eventual"}


def find(graph: Graph, text: str, *, limit: int) -> list[Person]:
    """Return the people with an address, an object ID or a name that begins so; exact matches first."""
    text = " ".join(text.split())[:_LONGEST]
    if not text:
        return []
    asks = _asks(text, limit)
    found: dict[str, Person] = {}
    for answer in graph.answers(asks):
        for one in _people(graph, answer):
            found.setdefault(one.object_id, one)
    wanted = text.casefold()

    def rank(one: Person) -> tuple[bool, str, str]:
        exact = wanted in (one.mail.casefold(), one.user_principal_name.casefold(), one.name.casefold(), one.object_id)
        return not exact, one.name.casefold(), one.object_id

    return sorted(found.values(), key=rank)[:limit]


def one(graph: Graph, object_id: str) -> tuple[Person | None, str]:
    """Return a person by object ID, and why their record cannot be read; (None, "") where the directory has none."""
    if not is_guid(object_id):
        return None, ""
    looked = look(graph, [object_id])
    return looked.people.get(object_id.lower()), looked.unread.get(object_id.lower(), "")


def _asks(text: str, limit: int) -> list[Ask]:
    if is_guid(text):
        return [Ask(f"/users/{text}?$select={PERSON_FIELDS}")]
    literal = text.replace("'", "''")
    if "@" in text:
        # Each on its own: an alias is searched where the directory lets it be, and nothing else depends on that.
        clauses = (
            f"mail eq '{literal}'",
            f"userPrincipalName eq '{literal}'",
            f"proxyAddresses/any(p:p eq 'smtp:{literal}')",
            f"startswith(mail,'{literal}') or startswith(userPrincipalName,'{literal}')",
        )
        return [_filter(clause, limit) for clause in clauses]
    asks = [_filter(" or ".join(f"startswith({name},'{literal}')" for name in _NAMES), limit)]
    if any(sign.isalnum() for sign in text):
        words = text.replace("\\", "\\\\").replace('"', '\\"')
        search = quote(f'"displayName:{words}"', safe="")
        asks.append(Ask(f"/users?$search={search}&$select={PERSON_FIELDS}&$top={limit}", _FROM_INDEX))
    return asks


def _filter(clause: str, limit: int) -> Ask:
    return Ask(f"/users?$filter={quote(clause, safe='')}&$select={PERSON_FIELDS}&$top={limit}")


def _people(graph: Graph, answer: Answered) -> list[Person]:
    if isinstance(answer, Refused):
        if answer.forbidden:
            ensure(graph, USERS)
        if answer.forbidden or answer.failed or answer.status == 401:
            raise explain(answer)
        return []
    items = answer.get("value", [answer])
    found = []
    for item in items if isinstance(items, list) else []:
        object_id = item.get("id") if isinstance(item, dict) else None
        if not isinstance(object_id, str) or not is_guid(object_id):
            continue
        try:
            found.append(person(item, object_id.lower(), {}))
        except Odd:
            continue
    return found
