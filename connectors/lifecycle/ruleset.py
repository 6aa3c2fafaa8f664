"""One rule set for several connectors: saved for each by itself, refused where it was changed since it was shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction

from connectors.decisions import Refused
from connectors.lifecycle.choices import check_rules, save_rules
from connectors.lifecycle.rows import changing
from connectors.models import Connector, SyncRule
from connectors.states import RULE_CHOICES, Action, Situation
from tenants.audit import Actor


def rules_of_all(connectors: Collection[Connector]) -> dict[int, dict[Situation, Action]]:
    """Return each connector's rules by its id, with one query, and the default where a rule was never saved."""
    defaults = {situation: choices[0] for situation, choices in RULE_CHOICES.items()}
    found = {row.pk: dict(defaults) for row in connectors}
    saved = SyncRule.objects.filter(connector__in=list(found))
    for connector_id, situation, action in saved.values_list("connector", "situation", "action"):
        found[connector_id][Situation(situation)] = Action(action)
    return found


def apply_rule_set(
    connectors: Collection[Connector],
    *,
    actions: Mapping[Situation, Action],
    revisions: Mapping[int, int],
    actor: Actor,
) -> dict[int, str]:
    """Save rules for each connector, in a transaction of its own; return, by id, why one was left as it is.

    `revisions` tells of each which revision of its settings the consequences were shown for. The right is the
    caller's to check, for each: see `right_for_rules`.
    """
    chosen = check_rules(actions)
    refused = {}
    for row in connectors:
        try:
            with transaction.atomic(), changing(row.pk) as now:
                if not now.live:
                    raise Refused("Its setup is not finished: choose its rules there.")
                if now.settings_revision != revisions.get(row.pk):
                    raise Refused(
                        "Its settings were changed since its consequences were shown. Look at them again, then apply."
                    )
                save_rules(now, actions=chosen, actor=actor)
        except Refused as why:
            refused[row.pk] = why.sentence
    return refused
