"""What the values that go into a plan, and come out of it, say where nothing else is said."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from connectors.plan import AccountFacts, Because, Change, Limits, Link, Mark, Roster, Rules, SyncPlan
from connectors.plan.values import LeftOut, Skipped
from connectors.states import Action, ChangeKind, LeftOutReason, MarkKind, Situation, SkipReason
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason

BARE: list[tuple[Any, dict[str, Any]]] = [
    (
        AccountFacts(1, "ann@firm.example", "Ann", "Test", AccountStatus.ACTIVE),
        {
            "role": AccountRole.USER,
            "pending_reason": PendingReason.NONE,
            "managed_by": ManagedBy.PB,
            "was_active": False,
            "disabled_by": Hand.NONE,
            "deleted_by": Hand.NONE,
            "restorable": False,
            "claimed": False,
            "barred": False,
            "vouched": False,
            "waiting_since": 0,
            "tenant_id": "",
            "object_id": "",
            "link": None,
            "linked_elsewhere": False,
        },
    ),
    (Link(), {"directory_email": "", "situations": frozenset()}),
    (Mark("ann", MarkKind.DECLINED), {"value": "", "other": ""}),
    (Roster(), {"accounts": (), "mirrors": (), "marks": frozenset(), "licences": None, "active": 0}),
    (
        Rules(),
        {
            "actions": {
                Situation.NEW: Action.CREATE,
                Situation.DISABLED: Action.DISABLE,
                Situation.REMOVED: Action.DISABLE,
                Situation.DELETED: Action.DISABLE,
                Situation.RETURNED: Action.ENABLE,
            },
            "direct_members_only": False,
            "leave_out_guests": False,
            "allow_onmicrosoft": False,
        },
    ),
    (
        Limits(),
        {
            "destructive_floor": 5,
            "destructive_percent": 20,
            "half_floor": 2,
            "half_percent": 50,
            "growth_floor": 10,
            "growth_percent": 50,
            "first_run": False,
            "destroyed": frozenset(),
            "grown": frozenset(),
        },
    ),
    (Because(), {"situation": None, "rule": None, "decision": "", "via": "", "evidence": ""}),
    (
        Change(ChangeKind.CREATE, "ann", Because()),
        {
            "account_id": None,
            "group_id": None,
            "directory_group_id": "",
            "name": "",
            "email": "",
            "first_name": "",
            "last_name": "",
            "before": "",
            "after": "",
            "status": None,
            "pending_reason": PendingReason.NONE,
            "approved": False,
        },
    ),
    (
        Skipped("ann", SkipReason.NO_EMAIL, Situation.NEW),
        {"account_id": None, "name": "", "email": "", "other": None, "question": False},
    ),
    (LeftOut("ann", "Ann", LeftOutReason.GUEST), {"via": ""}),
    (
        SyncPlan(),
        {
            "changes": (),
            "held": (),
            "skipped": (),
            "left_out": (),
            "notes": (),
            "marks_set": frozenset(),
            "marks_ended": frozenset(),
            "bars_ended": (),
            "vouched_seen": (),
            "attention": frozenset(),
            "in_scope": 0,
            "licences_wanted": 0,
            "second_look": frozenset(),
            "second_group_look": False,
        },
    ),
]


@pytest.mark.parametrize(("value", "silent"), BARE, ids=[type(value).__name__ for value, _ in BARE])
def test_what_is_not_said_is_nothing(value: Any, silent: dict[str, Any]) -> None:
    known = {field.name: getattr(value, field.name) for field in fields(value)}
    assert {name: known[name] for name in silent} == silent
    assert [field.name for field in fields(value)][-len(silent) :] == list(silent)


def test_a_rule_that_its_situation_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^The rule for NEW cannot say <Action.DISABLE: 'disable'>\.$"):
        Rules({**Rules().actions, Situation.NEW: Action.DISABLE})
    with pytest.raises(ValueError, match=r"^The rule for RETURNED cannot say None\.$"):
        Rules({situation: action for situation, action in Rules().actions.items() if situation != "returned"})


@pytest.mark.parametrize(
    "written",
    [
        {"changes": (Change(ChangeKind.CREATE, "ann", Because()),)},
        {"notes": (object(),)},
        {"marks_set": frozenset({Mark("ann", MarkKind.DECLINED)})},
        {"marks_ended": frozenset({Mark("ann", MarkKind.DECLINED)})},
        {"bars_ended": (1,)},
        {"vouched_seen": (1,)},
    ],
)
def test_a_plan_that_writes_anything_is_not_quiet(written: dict[str, Any]) -> None:
    assert SyncPlan().quiet is True
    assert SyncPlan(**written).quiet is False
