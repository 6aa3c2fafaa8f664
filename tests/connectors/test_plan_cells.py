"""Every cell of the rules: situation × rule × state of the account × what a person decided, written out by hand."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from connectors.directory import Snapshot
from connectors.plan import AccountFacts, Because, Link, Rules
from connectors.plan.table import TABLE, markdown
from connectors.states import RULE_CHOICES, Situation
from tenants.states import AccountStatus, Hand, PendingReason
from tests.connectors.planning import (
    ACTIVE,
    BY_HAND,
    DELETED,
    DELETED_BY_PERSON,
    DISABLED,
    DISABLED_BY_PERSON,
    HANDED_BACK,
    PENDING,
    PERSONAL,
    WAITING,
    account,
    approved,
    held,
    kept,
    mark,
    person,
    plan,
    reading,
    rules,
    told,
)

STATES: dict[str, dict[str, Any]] = {
    "active": ACTIVE,
    "pending, was active": {**PENDING, "was_active": True},
    "waiting, was active": {**WAITING, "was_active": True},
    "pending, never active": {**PENDING, "was_active": False},
    "waiting, never active": {**WAITING, "was_active": False},
    "disabled by connector": DISABLED,
    "disabled by person": DISABLED_BY_PERSON,
    "disabled by nobody known": {**DISABLED, "disabled_by": Hand.NONE},
    "deleted by connector": DELETED,
    "deleted, disabled by person before": {**DELETED, "disabled_by": Hand.PERSON},
    "deleted, disabled by connector before": {**DELETED, "disabled_by": Hand.CONNECTOR},
    "deleted too long ago": {**DELETED, "restorable": False},
    "deleted by person": DELETED_BY_PERSON,
    "deleted by person, lifted": {**DELETED_BY_PERSON, "barred": False},
    "deleted by nobody known": {**DELETED, "deleted_by": Hand.NONE},
    "personal": PERSONAL,
    "handed back": {**HANDED_BACK, "barred": True},
    "handed back, still linked": {"barred": True},
}

#                            the rule says:  disable          convert          delete           nothing
LEAVING: dict[str, tuple[str, str, str, str]] = {
    "active": ("disable", "convert", "delete", "skipped rule"),
    "pending, was active": ("disable", "convert", "delete", "skipped rule"),
    "waiting, was active": ("disable", "convert", "delete", "skipped rule"),
    "pending, never active": ("withdraw", "withdraw", "withdraw", "skipped rule"),
    "waiting, never active": ("withdraw", "withdraw", "withdraw", "skipped rule"),
    "disabled by connector": ("", "convert", "delete", "skipped rule"),
    "disabled by person": ("", "convert", "delete", "skipped rule"),
    "disabled by nobody known": ("", "convert", "delete", "skipped rule"),
    "deleted by connector": ("", "", "", ""),
    "deleted, disabled by person before": ("", "", "", ""),
    "deleted, disabled by connector before": ("", "", "", ""),
    "deleted too long ago": ("", "", "", ""),
    "deleted by person": ("", "", "", ""),
    "deleted by person, lifted": ("", "", "", ""),
    "deleted by nobody known": ("", "", "", ""),
    "personal": ("", "", "", ""),
    "handed back": ("", "", "", ""),
    "handed back, still linked": ("", "", "", ""),
}
RULES = ("disable", "convert", "delete", "nothing")

# Others are in scope, so that the group is not empty; Zoe was never heard of before.
OTHER = person("zoe", mail="", user_principal_name="")
ALONE = "skipped zoe: no_email"


def leaving(situation: str) -> Snapshot:
    ann = person("ann")
    if situation == "disabled":
        return reading([person("ann", enabled=False), OTHER])
    if situation == "removed":
        return reading([OTHER], outside=[ann])
    return reading([OTHER], gone=["ann"])


def ann(state: str, **facts: Any) -> AccountFacts:
    return account(1, "ann", **{"claimed": True, **STATES[state], **facts})


def without_zoe(lines: list[str]) -> list[str]:
    return [line for line in lines if line != ALONE]


def expected(cell: str, name: str = "ann") -> list[str]:
    if not cell:
        return []
    if cell.startswith("skipped "):
        return [f"skipped {name}: {cell.removeprefix('skipped ')}"]
    return [f"{cell.partition(' →')[0]} {name}{''.join(cell.partition(' →')[1:])}"]


@pytest.mark.parametrize("situation", ["disabled", "removed", "deleted"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("rule", RULES)
def test_leaving_situation_by_rule_and_state(situation: str, state: str, rule: str) -> None:
    cell = LEAVING[state][RULES.index(rule)]
    lines = told(plan(leaving(situation), ann(state), by=rules(**{situation: rule})))
    if situation == "disabled" and not cell:
        # Ann is still in scope: somebody without an account, or with one that is not the connector's.
        cell = {
            "deleted too long ago": "skipped disabled_newcomer",
            "deleted by person": "skipped deleted_by_person",
            "deleted by person, lifted": "skipped disabled_newcomer",
            "deleted by nobody known": "skipped disabled_newcomer",
            "personal": "skipped disabled_newcomer",
            "handed back": "skipped handed_back",
            "handed back, still linked": "skipped handed_back",
        }.get(state, "")
    assert without_zoe(lines) == expected(cell)


ENDS = {
    "disable": (AccountStatus.DISABLED, "Disabled"),
    "convert": (AccountStatus.PERSONAL, "Personal"),
    "delete": (AccountStatus.DELETED, "Deleted"),
    "withdraw": (AccountStatus.DELETED, "Deleted"),
}


@pytest.mark.parametrize("state", ["active", "pending, was active", "pending, never active", "disabled by connector"])
@pytest.mark.parametrize("rule", ["convert", "delete"])
def test_a_change_says_what_the_account_was_and_becomes(state: str, rule: str) -> None:
    (change,) = plan(leaving("removed"), ann(state), by=rules(removed=rule)).changes
    status, after = ENDS[change.kind]
    assert (change.status, change.before, change.after) == (status, STATES[state]["status"].label, after)
    assert change.pending_reason is PendingReason.NONE
    assert (change.account_id, change.name, change.email) == (1, "Ann Test", "ann@firm.example")


#                                               the rule says:  enable                pending                 nothing
RETURNED: dict[str, tuple[str, str, str]] = {
    "active": ("", "", ""),
    "pending, was active": ("", "", ""),
    "waiting, was active": ("activate", "activate", "activate"),
    "pending, never active": ("", "", ""),
    "waiting, never active": ("activate", "activate", "activate"),
    "disabled by connector": ("enable", "suspend → pending rule", "skipped rule"),
    "disabled by person": ("skipped disabled_by_person",) * 3,
    "disabled by nobody known": ("skipped disabled_by_person",) * 3,
    "deleted by connector": ("restore → active", "restore → pending rule", "skipped rule"),
    "deleted, disabled by person before": ("restore → disabled", "restore → disabled", "skipped rule"),
    "deleted, disabled by connector before": ("restore → active", "restore → pending rule", "skipped rule"),
    "deleted too long ago": ("create",) * 3,
    "deleted by person": ("skipped deleted_by_person",) * 3,
    "deleted by person, lifted": ("create",) * 3,
    "deleted by nobody known": ("create",) * 3,
    "personal": ("skipped address_personal 1",) * 3,
    "handed back": ("skipped handed_back",) * 3,
    "handed back, still linked": ("skipped handed_back",) * 3,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("rule", ["enable", "pending", "nothing"])
def test_enabled_and_in_scope_by_rule_and_state(state: str, rule: str) -> None:
    cell = RETURNED[state][["enable", "pending", "nothing"].index(rule)]
    lines = told(plan(reading([person("ann")]), ann(state), by=rules(returned=rule)))
    assert lines == expected(cell)


#                     the rule says:  create, create_pending, nothing
NEW: dict[str, tuple[str, str, str]] = {
    "no account": ("create", "create_pending → pending rule", "skipped rule"),
    "by hand": ("adopt", "adopt", "adopt"),
    "deleted too long ago": ("create", "create_pending → pending rule", "skipped rule"),
    "deleted by person": ("skipped deleted_by_person",) * 3,
    "deleted by person, lifted": ("create", "create_pending → pending rule", "skipped rule"),
    "personal": ("skipped address_personal 1", "skipped address_personal 1", "skipped rule"),
    "handed back": ("skipped handed_back",) * 3,
}


@pytest.mark.parametrize("state", NEW)
@pytest.mark.parametrize("rule", ["create", "create_pending", "nothing"])
def test_newcomer_by_rule_and_state(state: str, rule: str) -> None:
    facts = {"no account": [], "by hand": [account(1, "ann", **BY_HAND)]}.get(state)
    accounts = [ann(state)] if facts is None else facts
    cell = NEW[state][["create", "create_pending", "nothing"].index(rule)]
    assert told(plan(reading([person("ann")]), *accounts, by=rules(new=rule))) == expected(cell)


#     the rule asks    nobody decided   kept                held before                 approved
DECIDED: dict[str, tuple[str, str, str, str]] = {
    "disable": ("disable ann", "skipped ann: kept", "held disable ann: brake", "disable ann approved"),
    "convert": ("convert ann", "skipped ann: kept", "held convert ann: brake", "convert ann approved"),
    "delete": ("delete ann", "skipped ann: kept", "held delete ann: brake", "delete ann approved"),
    "withdraw": ("withdraw ann", "skipped ann: kept", "held withdraw ann: brake", "withdraw ann approved"),
}


@pytest.mark.parametrize("situation", ["disabled", "removed", "deleted"])
@pytest.mark.parametrize("kind", DECIDED)
@pytest.mark.parametrize("decision", ["nobody", "kept", "held", "approved"])
def test_leaving_situation_by_decision(situation: str, kind: str, decision: str) -> None:
    marks = {
        "nobody": [],
        "kept": [kept("ann", situation)],
        "held": [held("ann", kind)],
        "approved": [held("ann", kind), approved("ann", kind)],
    }[decision]
    state = "pending, never active" if kind == "withdraw" else "active"
    rule = "disable" if kind == "withdraw" else kind
    made = plan(leaving(situation), ann(state), by=rules(**{situation: rule}), marks=marks)
    cell = DECIDED[kind][["nobody", "kept", "held", "approved"].index(decision)]
    assert without_zoe(told(made)) == [cell]


#                       asked      nobody decided   kept            held before              approved
RETURNS_DECIDED: dict[str, tuple[str, str, str, str]] = {
    "disabled by connector": ("enable ann", "skipped ann: kept", "enable ann", "enable ann"),
    "deleted by connector": (
        "restore ann → active",
        "skipped ann: kept",
        "held restore ann: growth",
        "restore ann → active approved",
    ),
}


@pytest.mark.parametrize("state", RETURNS_DECIDED)
@pytest.mark.parametrize("decision", ["nobody", "kept", "held", "approved"])
def test_returned_by_decision(state: str, decision: str) -> None:
    marks = {
        "nobody": [],
        "kept": [kept("ann", "returned")],
        "held": [held("ann", "restore", "growth")],
        "approved": [held("ann", "restore", "growth"), approved("ann", "restore")],
    }[decision]
    cell = RETURNS_DECIDED[state][["nobody", "kept", "held", "approved"].index(decision)]
    assert told(plan(reading([person("ann")]), ann(state), marks=marks)) == [cell]


#                          nobody decided   declined                held before                      approved
NEW_DECIDED: dict[str, tuple[str, str, str, str]] = {
    "create": ("create ann", "skipped ann: declined", "held create ann: growth", "create ann approved"),
    "create_pending": (
        "create_pending ann → pending rule",
        "skipped ann: declined",
        "held create_pending ann: growth",
        "create_pending ann → pending rule approved",
    ),
}


@pytest.mark.parametrize("rule", NEW_DECIDED)
@pytest.mark.parametrize("decision", ["nobody", "declined", "held", "approved"])
def test_newcomer_by_decision(rule: str, decision: str) -> None:
    marks = {
        "nobody": [],
        "declined": [mark("ann", "declined")],
        "held": [held("ann", rule, "growth")],
        "approved": [held("ann", rule, "growth"), approved("ann", rule)],
    }[decision]
    cell = NEW_DECIDED[rule][["nobody", "declined", "held", "approved"].index(decision)]
    assert told(plan(reading([person("ann")]), by=rules(new=rule), marks=marks)) == [cell]


#     DISABLED says, REMOVED says     what happens to an Active account whose owner is both, and why
BOTH: dict[tuple[str, str], tuple[str, str]] = {
    ("nothing", "nothing"): ("", ""),
    ("nothing", "disable"): ("disable", "removed"),
    ("nothing", "convert"): ("convert", "removed"),
    ("nothing", "delete"): ("delete", "removed"),
    ("disable", "nothing"): ("disable", "disabled"),
    ("disable", "disable"): ("disable", "disabled"),
    ("disable", "convert"): ("convert", "removed"),
    ("disable", "delete"): ("delete", "removed"),
    ("convert", "nothing"): ("convert", "disabled"),
    ("convert", "disable"): ("convert", "disabled"),
    ("convert", "convert"): ("convert", "disabled"),
    ("convert", "delete"): ("delete", "removed"),
    ("delete", "nothing"): ("delete", "disabled"),
    ("delete", "disable"): ("delete", "disabled"),
    ("delete", "convert"): ("delete", "disabled"),
    ("delete", "delete"): ("delete", "disabled"),
}


@pytest.mark.parametrize("pair", BOTH)
def test_the_stronger_of_two_actions_wins_and_disabled_gives_the_reason_of_equal_ones(pair: tuple[str, str]) -> None:
    snapshot = reading([OTHER], outside=[person("ann", enabled=False)])
    made = plan(snapshot, ann("active"), by=rules(disabled=pair[0], removed=pair[1]))
    kind, reason = BOTH[pair]
    assert [(one.kind, one.because.situation) for one in made.changes] == ([(kind, reason)] if kind else [])


@pytest.mark.parametrize(
    ("disabled", "removed", "reason"),
    [
        ("nothing", "disable", "removed"),
        ("disable", "nothing", "disabled"),
        ("disable", "delete", "disabled"),
        ("delete", "disable", "disabled"),
    ],
)
def test_a_pending_account_is_withdrawn_by_whatever_rule_asks_something(
    disabled: str, removed: str, reason: str
) -> None:
    snapshot = reading([OTHER], outside=[person("ann", enabled=False)])
    made = plan(snapshot, ann("pending, never active"), by=rules(disabled=disabled, removed=removed))
    assert [(one.kind, one.because.situation) for one in made.changes] == [("withdraw", reason)]


def test_the_table_has_a_cell_for_every_choice_of_every_rule() -> None:
    assert set(TABLE) == set(Situation)
    for situation, rows in TABLE.items():
        assert {frozenset(row) for row in rows.values()} == {frozenset(RULE_CHOICES[situation])}


def test_the_documentation_is_printed_from_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).resolve().parents[2]
    assert (root / "docs" / "sync-rules.md").read_text(encoding="utf-8") == markdown()
    runpy.run_module("connectors.plan", run_name="__main__")
    assert capsys.readouterr() == (markdown(), "")


def test_what_a_link_remembers_is_not_needed_to_judge() -> None:
    forgotten = ann("active", link=Link())
    assert [one.kind for one in plan(leaving("removed"), forgotten).changes] == ["disable"]


def test_a_rule_says_only_what_its_situation_allows() -> None:
    with pytest.raises(ValueError, match=r"The rule for RETURNED cannot say <Action\.DELETE: 'delete'>"):
        rules(returned="delete")
    with pytest.raises(ValueError, match="The rule for NEW cannot say None"):
        Rules({})


def test_a_reason_is_told_with_what_is_known_of_it() -> None:
    assert Because().sentence() == ""
    assert Because(Situation.REMOVED).sentence() == "REMOVED"
    assert Because(evidence="so it is", via="Sales").sentence() == "so it is · via the group Sales"
