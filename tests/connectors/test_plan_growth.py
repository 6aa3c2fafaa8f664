"""The brake on joining: creations and restorations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.plan import Limits, SyncPlan
from tenants.states import AccountRole
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DISABLED,
    WAITING,
    account,
    accounts_of,
    approved,
    counts,
    crowd,
    held,
    marks_told,
    people,
    person,
    plan,
    reading,
    rules,
    told,
)

ANN, BO, CY = (person(name) for name in ("ann", "bo", "cy"))
OFF = person("ann", enabled=False)
ADMIN: dict[str, Any] = {"role": AccountRole.ADMIN}
STAY = Limits()


# Growth: creations, pending ones included, and restorations, above 10 and half the accounts at the start.


def joins(total: int, joiners: int, *, limits: Limits = STAY, **more: Any) -> SyncPlan:
    """Plan for so many accounts and so many newcomers."""
    names = crowd(total)
    snapshot = reading(people([*names, *crowd(joiners, start=500)]))
    return plan(snapshot, *accounts_of(names), limits=limits, **more)


@pytest.mark.parametrize(
    ("total", "joiners", "stopped"),
    [
        (0, 10, False),
        (0, 11, True),
        (20, 10, False),
        (20, 11, True),
        (22, 11, False),
        (21, 11, True),
        (40, 21, True),
        (99, 50, True),
    ],
)
@pytest.mark.parametrize("rule", ["create", "create_pending"])
def test_a_flood_of_joiners_is_held(total: int, joiners: int, stopped: bool, rule: str) -> None:
    made = joins(total, joiners, by=rules(new=rule))
    assert counts(made) == ((0, joiners) if stopped else (joiners, 0))
    assert {one.cause for one in made.held} <= {"growth"}
    assert {one.change.kind for one in made.held} <= {rule}


def test_the_first_runs_creations_do_not_count() -> None:
    assert counts(joins(0, 30, limits=replace(STAY, first_run=True))) == (30, 0)


def test_restorations_count_and_adoptions_and_activations_do_not() -> None:
    deleted, disabled, by_hand, waiting = (crowd(6, start=one) for one in (100, 200, 300, 400))
    everybody = people([*deleted, *disabled, *by_hand, *waiting, *crowd(5, start=500)])
    accounts = [
        *accounts_of(deleted, **DELETED),
        *accounts_of(disabled, **DISABLED),
        *accounts_of(by_hand, **BY_HAND),
        *accounts_of(waiting, **WAITING),
    ]
    made = plan(reading(everybody), *accounts, limits=STAY)
    kinds = [one.kind for one in made.changes]
    assert kinds == ["adopt"] * 6 + ["activate"] * 6 + ["enable"] * 6
    assert [one.change.kind for one in made.held] == ["restore"] * 6 + ["create"] * 5


def test_the_last_twenty_four_hours_count_for_growth() -> None:
    day = replace(STAY, grown=frozenset(crowd(10, start=800)))
    assert counts(joins(20, 1, limits=day)) == (0, 1)
    assert counts(joins(22, 1, limits=day)) == (1, 0)
    assert counts(joins(20, 0, limits=day)) == (0, 0)
    same = replace(STAY, grown=frozenset(crowd(10, start=500)))
    assert counts(joins(20, 10, limits=same)) == (10, 0)


def test_growth_is_held_until_approved_and_what_was_approved_does_not_count() -> None:
    before = joins(0, 11)
    names = crowd(11, start=500)
    assert counts(joins(0, 11, marks=before.marks_set)) == (0, 11)
    assert counts(joins(0, 12, marks=before.marks_set)) == (1, 11)
    yes = [approved(name, "create") for name in names]
    made = joins(0, 11, marks=[*before.marks_set, *yes])
    assert (counts(made), {one.approved for one in made.changes}) == ((11, 0), {True})
    assert made.changes[0].because.decision == "approved by a person"
    assert made.marks_ended == {*before.marks_set, *yes}
    unheld = joins(0, 12, marks=yes)
    assert (counts(unheld), told(unheld)[-1]) == ((12, 0), "create p511")


def test_an_approved_restoration_does_not_count_and_a_held_one_says_why() -> None:
    snapshot = reading(people([*crowd(1), *crowd(10, start=500)]))
    deleted = accounts_of(crowd(1), **DELETED)
    before = plan(snapshot, *deleted, limits=STAY)
    assert counts(before) == (0, 11)
    assert [one.change.because.sentence() for one in before.held][:1] == [
        "RETURNED, rule: enable · enabled and in the sync group again"
    ]
    made = plan(snapshot, *deleted, limits=STAY, marks=[approved("p001", "restore")])
    assert (counts(made), told(made)[0]) == ((11, 0), "restore p001 → active approved")


def test_an_approved_creation_without_a_licence_is_pending_and_the_approval_is_spent() -> None:
    marks = [held("ann", "create", "growth"), approved("ann", "create")]
    made = plan(reading([ANN]), marks=marks, licences=0)
    assert told(made) == ["create_pending ann → pending licence approved"]
    assert marks_told(made) == ["-approved ann create", "-held ann create"]


def test_a_held_creation_takes_no_licence_and_shows_what_the_rule_asks() -> None:
    made = plan(reading([ANN, BO]), marks=[held("ann", "create", "growth")], licences=1)
    assert (told(made), made.licences_wanted) == (["create bo", "held create ann: growth"], 0)
    (one,) = made.held
    assert (one.change.after, one.change.because.via, one.change.approved) == ("Active", "", False)
    other = plan(reading([ANN]), marks=[held("ann", "create", "growth")], by=rules(new="create_pending"))
    assert marks_told(other) == ["+held ann create_pending", "-held ann create"]


def test_growth_limits_are_the_connectors_own() -> None:
    own = Limits(growth_floor=2, growth_percent=10)
    assert counts(joins(30, 3, limits=own)) == (3, 0)
    assert counts(joins(29, 3, limits=own)) == (0, 3)
    assert counts(joins(0, 2, limits=own)) == (2, 0)


def test_a_newcomer_who_leaves_ends_the_hold() -> None:
    marks = [held("ann", "create", "growth"), approved("ann", "create")]
    for snapshot in (reading([CY]), reading([CY, OFF])):
        assert marks_told(plan(snapshot, account(3, "cy"), marks=marks)) == ["-approved ann create", "-held ann create"]
    assert marks_told(plan(reading([CY], unread=["ann"]), account(3, "cy"), marks=marks)) == []
