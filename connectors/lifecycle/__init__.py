"""What people do to a connector, from its installation to its removal; each act is one transaction with its entry.

Microsoft is always asked outside of a transaction. An act returns the row as it is now; the caller's own is old then.
"""

from __future__ import annotations

from connectors.decisions import Refused
from connectors.lifecycle.certificates import forget_certificate, make_certificate
from connectors.lifecycle.choices import (
    LIMITS,
    SETTINGS,
    right_for_groups,
    right_for_rules,
    save_limits,
    save_rules,
    select_groups,
)
from connectors.lifecycle.consent import Returned, begin_consent, consent_link, finish_consent
from connectors.lifecycle.credentials import (
    begin,
    connector_of,
    correct,
    install,
    new_token,
    regenerate_token,
    tell_expiry,
    token_matches,
)
from connectors.lifecycle.life import activate, pause, remove, resume, synchronise
from connectors.lifecycle.proof import prove, verify
from connectors.lifecycle.removal import Removal, removal_of
from connectors.lifecycle.replacing import replace_secret, use_certificate
from connectors.lifecycle.righting import Changed, has_losses, put_right, remedy_of
from connectors.lifecycle.ruleset import apply_rule_set, rules_of_all
from connectors.lifecycle.setup import Setup, carry_out, differences, prepare, twin_of
from tenants.roles import Can

ACTS: dict[str, Can] = {
    "begin": Can.RUN_CONNECTORS,
    "install": Can.RUN_CONNECTORS,
    "correct": Can.RUN_CONNECTORS,
    "verify": Can.RUN_CONNECTORS,
    "activate": Can.RUN_CONNECTORS,
    "synchronise": Can.RUN_CONNECTORS,
    "preview": Can.RUN_CONNECTORS,
    "pause": Can.RUN_CONNECTORS,
    "resume": Can.RUN_CONNECTORS,
    "replace_secret": Can.RUN_CONNECTORS,
    "tell_expiry": Can.RUN_CONNECTORS,
    "make_certificate": Can.RUN_CONNECTORS,
    "forget_certificate": Can.RUN_CONNECTORS,
    "use_certificate": Can.RUN_CONNECTORS,
    "save_limits": Can.RULE_CONNECTORS,
    "regenerate_token": Can.RULE_CONNECTORS,
    "remove": Can.RULE_CONNECTORS,
    "put_right": Can.RULE_CONNECTORS,
}
"""The right that each act needs in the connector's company; choosing groups and rules, see `right_for_…`."""

__all__ = [
    "ACTS",
    "LIMITS",
    "SETTINGS",
    "Changed",
    "Refused",
    "Removal",
    "Returned",
    "Setup",
    "activate",
    "apply_rule_set",
    "begin",
    "begin_consent",
    "carry_out",
    "connector_of",
    "consent_link",
    "correct",
    "differences",
    "finish_consent",
    "forget_certificate",
    "has_losses",
    "install",
    "make_certificate",
    "new_token",
    "pause",
    "prepare",
    "prove",
    "put_right",
    "regenerate_token",
    "remedy_of",
    "removal_of",
    "remove",
    "replace_secret",
    "resume",
    "right_for_groups",
    "right_for_rules",
    "rules_of_all",
    "save_limits",
    "save_rules",
    "select_groups",
    "synchronise",
    "tell_expiry",
    "token_matches",
    "twin_of",
    "use_certificate",
    "verify",
]
