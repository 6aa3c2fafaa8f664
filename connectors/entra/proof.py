"""The proof that a connection works: a token of now, both permissions in it, and a read that needs each."""

from __future__ import annotations

from connectors.directory import Unexpected, Verification
from connectors.entra.graph import Ask, Graph
from connectors.entra.records import GROUP_FIELDS, PERSON_FIELDS
from connectors.entra.refusals import GROUPS, SUFFICES, USERS, Refused, consent_missing

_PROBES = {
    USERS: Ask(f"/users?$top=1&$select={PERSON_FIELDS}"),
    GROUPS: Ask(f"/groups?$top=1&$select={GROUP_FIELDS}"),
}


def prove(graph: Graph) -> Verification:
    """Prove a connection, or raise the error that says what is missing; `graph` must know no former token.

    A token alone proves nothing: Microsoft issues one to an application that was granted nothing.
    """
    tenant_id = graph.tokens.tenant_id
    granted = graph.tokens.token().permissions
    if granted is not None:
        missing = frozenset(wanted for wanted, enough in SUFFICES.items() if not granted & enough)
        if missing:
            raise consent_missing(missing)
    refusals: dict[str, Refused] = {}
    for permission, probe in _PROBES.items():
        try:
            listed = graph.get(probe).get("value")
        except Refused as refused:
            if not refused.forbidden:
                raise
            refusals[permission] = refused
        else:
            if not isinstance(listed, list):
                raise Unexpected("Microsoft answered a listing without its items. Nothing was changed.")
    if refusals:
        raise consent_missing(frozenset(refusals), next(iter(refusals.values())).reference)
    return Verification(tenant_id, granted or frozenset())
