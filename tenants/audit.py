"""The record of who did what: actions declared with their sentences, and the one way to write an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from django.db import connection, transaction

from tenants.models import LABEL_LENGTH, SUBJECT_LENGTH, AuditEntry, Company, Partner, User

Actor: TypeAlias = User | str
"""Who did it: a login, or the label of what acts by itself, such as "Connector Brightwater Entra ID"."""

_declared: dict[str, Action] = {}


@dataclass(frozen=True, slots=True)
class Action:
    """Declare one kind of act beside the operation that records it.

    `sentence` is shown for each entry: it may name {actor}, {subject}, {company} and any of `keys`, which are the
    keys that the entry's detail has, no more and no fewer. `say` turns values into words for people. Raises ValueError
    where the code is declared already.
    """

    code: str
    sentence: str
    keys: tuple[str, ...] = ()
    say: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.code in _declared:
            raise ValueError(f"The action {self.code} is declared twice.")
        self.sentence.format_map(dict.fromkeys(("actor", "subject", "company", *self.keys), ""))
        _declared[self.code] = self


def declared_actions() -> Mapping[str, Action]:
    """Return every action declared so far, by its code."""
    return MappingProxyType(_declared)


def record(
    action: Action,
    *,
    company: Company | None = None,
    partner: Partner | None = None,
    actor: Actor,
    subject: str,
    detail: Mapping[str, Any],
) -> AuditEntry:
    """Write one entry in the transaction of the change it tells of; `partner` only where there is no company.

    `detail` is shown to people and kept for ever: plain JSON values, never a secret. Raises
    TransactionManagementError outside a transaction, ValueError for keys other than the declared ones.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "An audit entry is written in the transaction of the change it tells of."
        )
    if detail.keys() != set(action.keys):
        raise ValueError(f"{action.code} takes the detail {sorted(action.keys)}, not {sorted(detail)}.")
    if company is not None and partner is not None:
        raise ValueError("An entry of a company already belongs to the company's partner.")
    return AuditEntry.objects.create(
        company=company,
        company_name=company.name if company else "",
        partner_id=company.partner_id if company else partner.pk if partner else None,
        actor=actor if isinstance(actor, User) else None,
        actor_label=label_of(actor)[:LABEL_LENGTH],
        action=action.code,
        subject=subject[:SUBJECT_LENGTH],
        detail=dict(detail),
    )


def sentence_of(entry: AuditEntry) -> str:
    """Return the entry as one sentence; of an action that is not declared any more, its bare facts."""
    action = _declared.get(entry.action)
    if action is None:
        return str(entry)
    words = {key: entry.detail.get(key, "") for key in action.keys}
    words |= {key: say(words[key]) for key, say in action.say.items() if words[key]}
    return action.sentence.format_map(
        {**words, "actor": entry.actor_label, "subject": entry.subject, "company": entry.company_name}
    )


def label_of(actor: Actor) -> str:
    """Return how an entry names who did it."""
    if isinstance(actor, str):
        return actor
    return f"{actor.name} ({actor.email})" if actor.name else actor.email
