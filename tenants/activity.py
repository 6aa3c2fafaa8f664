"""Reading the record of who did what: what an entry is about, what else it tells, and how long it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from tenants.audit import declared_actions
from tenants.models import AuditEntry, AuditHorizon
from tenants.states import Labelled


class Kind(Labelled):
    """Name what an entry is about; which of them, says the beginning of its action's code."""

    ACCOUNTS = "accounts", "Accounts and sign-in"
    CONNECTORS = "connectors", "Connectors, decisions and mails"
    RUNS = "runs", "Runs that changed something"
    COMPANIES = "companies", "Companies and licences"
    STAFF = "staff", "Staff and partners"


_RUN = Q(action="connector.synchronised")
_OF_KIND = {
    Kind.ACCOUNTS: Q(action__startswith="account.") | Q(action__startswith="login."),
    Kind.CONNECTORS: Q(action__startswith="connector.") & ~_RUN | Q(action__startswith="mail."),
    Kind.RUNS: _RUN,
    Kind.COMPANIES: Q(action__startswith="company."),
    Kind.STAFF: Q(action__startswith="staff.")
    | Q(action__startswith="partner.")
    | Q(action__startswith="subscription."),
}


def of_kind(kind: Kind) -> Q:
    """Return the condition that an entry is of a kind."""
    return _OF_KIND[kind]


# What an entry tells

_LONGEST_LIST = 20
_UNSAID = ("run", "trigger")


def details_of(entry: AuditEntry) -> list[str]:
    """Return what an entry tells beyond its sentence, in short lines: what was before and after, who else."""
    action = declared_actions().get(entry.action)
    said = action.sentence if action is not None else ""
    lines: list[str] = []
    for key, value in entry.detail.items():
        if f"{{{key}" in said or key in _UNSAID:
            continue
        if key == "after" and "before" in entry.detail:
            lines += _moved(entry.detail["before"], value)
        elif key != "before" or "after" not in entry.detail:
            lines += _listed(key, value)
    return lines


def _listed(key: str, value: Any) -> Iterator[str]:
    """Yield a line for a value; none for a list of one, which the sentence has named."""
    if isinstance(value, list):
        if len(value) > 1:
            more = f" and {len(value) - _LONGEST_LIST:,} more" if len(value) > _LONGEST_LIST else ""
            yield f"{', '.join(str(one) for one in value[:_LONGEST_LIST])}{more}"
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{_plain(name)}: {_shown(inner)}"
    else:
        yield f"{_plain(key)}: {_shown(value)}"


def _moved(before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            if before.get(name) != after.get(name):
                yield f"{_plain(name)}: {_shown(before.get(name))} → {_shown(after.get(name))}"
    else:
        yield f"{_shown(before)} → {_shown(after)}"


def _plain(name: object) -> str:
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "" or value == []:
        return "–"
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


# Keeping and forgetting

_FORGOTTEN_AT_ONCE = 1_000


def forget_old(now: datetime) -> int:
    """Delete the entries that are older than the setting keeps them, some at a time; return how many.

    Without the setting the record is kept for ever. Nothing else in the portal can delete an entry.
    """
    days = settings.PBPORTAL_KEEP_ACTIVITY_DAYS
    if not days:
        return 0
    horizon, _ = AuditHorizon.objects.update_or_create(pk=1, defaults={"before": now - timedelta(days=days)})
    forgotten = 0
    while True:
        old = AuditEntry.objects.filter(at__lt=horizon.before).order_by("at", "pk")
        ids = list(old.values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
        if not ids:
            return forgotten
        forgotten += AuditEntry.objects.filter(pk__in=ids).forget(horizon)
