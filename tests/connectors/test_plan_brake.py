"""The brake on leaving: what it holds, what a hold covers, what is approved, and what weaker actions do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.plan import Limits, SyncPlan
from connectors.plan.brake import (
    most_that_may_join,
    most_that_may_leave,
    too_much_destruction,
    too_much_growth,
)
from connectors.states import Attention, Situation
from tenants.states import AccountRole
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DISABLED,
    HANDED_BACK,
    PENDING,
    WAITING,
    account,
    accounts_of,
    approved,
    counts,
    crowd,
    held,
    kept,
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


def leaves(total: int, leavers: int, *, limits: Limits = STAY, **more: Any) -> SyncPlan:
    """Plan for so many accounts, of whom so many are outside the group."""
    names = crowd(total)
    snapshot = reading(people(names[leavers:]), outside=people(names[:leavers]))
    return plan(snapshot, *accounts_of(names), limits=limits, **more)


# The brake: at least 5 and over 20 %, or at least 2 and half or more.


@pytest.mark.parametrize(
    ("total", "leavers", "stopped"),
    [
        (2, 1, False),
        (3, 1, False),
        (3, 2, True),
        (4, 2, True),
        (5, 2, False),
        (8, 4, True),
        (9, 4, False),
        (24, 5, True),
        (25, 5, False),
        (100, 20, False),
        (100, 21, True),
        (105, 21, False),
        (104, 21, True),
    ],
)
def test_destructive_changes_are_held_when_too_many_leave_at_once(total: int, leavers: int, stopped: bool) -> None:
    made = leaves(total, leavers)
    assert counts(made) == ((0, leavers) if stopped else (leavers, 0))
    assert (Attention.HELD in made.attention) is stopped
    assert {one.cause for one in made.held} <= {"brake"}


def test_the_limits_are_the_connectors_own() -> None:
    own = Limits(destructive_floor=3, destructive_percent=10, half_floor=100)
    assert counts(leaves(30, 3, limits=own)) == (3, 0)
    assert counts(leaves(29, 3, limits=own)) == (0, 3)
    assert counts(leaves(10, 2, limits=own)) == (2, 0)
    half = Limits(destructive_floor=100, half_floor=3, half_percent=40)
    assert counts(leaves(5, 2, limits=half)) == (2, 0)
    assert counts(leaves(8, 3, limits=half)) == (3, 0)
    assert counts(leaves(7, 3, limits=half)) == (0, 3)
    assert counts(leaves(101, 50, limits=Limits(destructive_floor=1000))) == (50, 0)
    assert counts(leaves(100, 50, limits=Limits(destructive_floor=1000))) == (0, 50)


def test_every_kind_of_leaving_counts() -> None:
    names = crowd(4)
    snapshot = reading(people(names[2:]), outside=[person(names[0], enabled=False)], gone=[names[1]])
    pending = account(1, names[0], **PENDING, was_active=False)
    made = plan(snapshot, pending, *accounts_of(names[1:]), limits=STAY)
    assert told(made) == ["held disable p002: brake", "held withdraw p001: brake"]


def test_the_last_twenty_four_hours_count_for_the_sum_and_for_the_whole() -> None:
    day = replace(STAY, destroyed=frozenset(crowd(4, start=50)))
    assert counts(leaves(20, 1, limits=day)) == (0, 1)
    assert counts(leaves(21, 1, limits=day)) == (1, 0)
    again = replace(STAY, destroyed=frozenset({"p001", "p002"}))
    assert counts(leaves(5, 2, limits=again)) == (2, 0)


def test_active_and_pending_accounts_of_the_connector_at_the_start_are_the_whole() -> None:
    names = crowd(6)
    snapshot = reading(people(names[2:]), outside=people(names[:2]))
    whole = accounts_of(names)
    assert counts(plan(snapshot, *whole, limits=STAY)) == (2, 0)
    pending = [*whole[:4], account(5, "p005", **PENDING), account(6, "p006", **WAITING)]
    assert counts(plan(snapshot, *pending, limits=STAY, licences=2)) == (2, 0)
    for facts in (DISABLED, {**BY_HAND}, {**HANDED_BACK, "barred": True}, {"barred": True}):
        fewer = [*whole[:4], account(5, "p005", **facts), account(6, "p006", **facts)]
        assert len(plan(snapshot, *fewer, limits=STAY, by=rules(returned="nothing")).held) == 2


def test_nobody_is_held_where_nobody_leaves() -> None:
    day = replace(STAY, destroyed=frozenset(crowd(9, start=50)))
    assert counts(leaves(5, 0, limits=day)) == (0, 0)


def test_recognised_accounts_were_not_the_connectors_at_the_start() -> None:
    names = crowd(9)
    snapshot = reading(people(names[2:]), outside=people(names[:2]))
    made = plan(snapshot, *accounts_of(names, link=None), limits=STAY)
    assert ([one.kind for one in made.changes], len(made.held)) == (["adopt"] * 9, 2)


def test_a_held_change_leaves_licences_and_addresses_as_they_are_and_the_rest_is_applied() -> None:
    newcomer = person("new", mail="p001@firm.example")
    names = crowd(4)
    snapshot = reading([*people(names[2:]), newcomer, person("zed")], outside=people(names[:2]))
    made = plan(snapshot, *accounts_of(names), limits=STAY, by=rules(removed="delete"), licences=4)
    assert told(made) == [
        "create_pending zed → pending licence",
        "held delete p001: brake",
        "held delete p002: brake",
        "skipped new: address_taken 1?",
    ]


# A hold covers the person, whatever situation or action the rules come to ask.


def test_a_hold_does_not_slip_through_because_the_rest_became_smaller() -> None:
    before = leaves(4, 2)
    names = crowd(4)
    snapshot = reading(people(names[1:]), outside=people(names[:1]))
    made = plan(snapshot, *accounts_of(names), limits=STAY, marks=before.marks_set)
    assert (told(made), marks_told(made)) == (["held disable p001: brake"], ["-held p002 disable"])


def test_new_ones_are_judged_apart_from_those_who_are_held() -> None:
    marks = [held(name, "disable") for name in crowd(10)]
    made = leaves(40, 11, marks=marks)
    assert (told(made)[0], counts(made)) == ("disable p011", (1, 10))


@pytest.mark.parametrize(
    ("snapshot", "by", "line"),
    [
        (reading([CY], outside=[ANN]), rules(removed="delete"), "held delete ann: brake"),
        (reading([CY], gone=["ann"]), rules(), "held disable ann: brake"),
        (reading([CY, OFF]), rules(disabled="delete"), "held delete ann: brake"),
        (reading([CY], outside=[OFF]), rules(removed="delete"), "held delete ann: brake"),
        (reading([], outside=[ANN]), rules(), "held disable ann: brake"),
    ],
)
def test_a_hold_covers_whatever_is_asked_of_the_person(snapshot: Any, by: Any, line: str) -> None:
    made = plan(snapshot, account(1, "ann"), account(3, "cy"), by=by, marks=[held("ann", "disable")])
    assert [one for one in told(made) if "ann" in one] == [line]
    kind = line.split()[1]
    changed = ["+held ann delete", "-held ann disable"] if kind == "delete" else []
    assert [one for one in marks_told(made) if "ann" in one] == changed


def test_a_hold_ends_when_the_rules_ask_nothing_any_more() -> None:
    marks = [held("ann", "disable"), approved("ann", "convert")]
    ended = ["-approved ann convert", "-held ann disable"]
    for snapshot, by in (
        (reading([ANN, CY]), rules()),
        (reading([CY], outside=[ANN]), rules(removed="nothing")),
    ):
        made = plan(snapshot, account(1, "ann"), account(3, "cy"), by=by, marks=marks)
        assert marks_told(made) == ended
    by_hand = plan(reading([CY], outside=[ANN]), account(1, "ann", **DISABLED), account(3, "cy"), marks=marks)
    assert marks_told(by_hand) == ended


def test_a_hold_stays_while_what_is_asked_cannot_be_done() -> None:
    marks = [held("ann", "convert"), held("bo", "disable", "empty_group"), approved("ann", "convert")]
    accounts = [account(1, "ann"), account(2, "bo"), account(3, "cy")]
    made = plan(reading([CY], outside=[ANN, BO]), *accounts, by=rules(removed="convert"), marks=marks)
    assert (told(made), marks_told(made)) == (["skipped ann: not_claimed", "skipped bo: not_claimed"], [])
    growth = [held("dee", "create", "growth"), held("eve", "restore", "growth"), approved("dee", "create")]
    snapshot = reading([CY, person("dee", mail="x"), person("eve")])
    accounts = [account(3, "cy"), account(4, "eve", **DELETED), account(5, "eve", **BY_HAND)]
    made = plan(snapshot, *accounts, marks=growth)
    assert (told(made), marks_told(made)) == (["skipped eve: restore_taken 5", "skipped dee: no_email"], [])


def test_a_hold_of_the_brake_keeps_nobody_out_who_came_back() -> None:
    accounts = [account(1, "ann", **DISABLED), account(2, "bo", **DELETED)]
    marks = [held("ann", "delete"), held("bo", "delete"), approved("ann", "delete")]
    made = plan(reading([ANN, BO]), *accounts, marks=marks)
    assert told(made) == ["enable ann", "restore bo → active"]
    assert marks_told(made) == ["-approved ann delete", "-held ann delete", "-held bo delete"]


def test_a_hold_on_growth_is_none_on_leaving() -> None:
    marks = [held("ann", "create", "growth"), approved("ann", "create")]
    made = plan(reading([CY], outside=[ANN]), account(1, "ann"), account(3, "cy"), marks=marks)
    assert (told(made), marks_told(made)) == (["disable ann"], ["-approved ann create", "-held ann create"])


# Where the stronger is skipped, kept or held, a weaker one still applies, judged by the brake for itself.


def test_where_the_stronger_is_kept_the_weaker_applies() -> None:
    snapshot = reading([CY], outside=[OFF])
    accounts = [account(1, "ann", claimed=True), account(3, "cy")]
    made = plan(snapshot, *accounts, by=rules(removed="delete"), marks=[kept("ann", "removed")])
    assert told(made) == ["disable ann", "skipped ann: kept"]
    made = plan(snapshot, *accounts, by=rules(disabled="delete"), marks=[kept("ann", "disabled")])
    assert (told(made), made.changes[0].because.situation) == (["disable ann", "skipped ann: kept"], "removed")


def test_where_the_stronger_is_skipped_the_weaker_applies() -> None:
    snapshot = reading([CY], outside=[OFF])
    made = plan(snapshot, account(1, "ann"), account(3, "cy"), by=rules(removed="convert"))
    assert told(made) == ["disable ann", "skipped ann: not_claimed"]
    assert made.skipped[0].situation is Situation.REMOVED
    assert (made.skipped[0].account_id, made.skipped[0].name) == (1, "Ann Test")


def test_where_the_stronger_is_newly_held_the_weaker_is_judged_by_the_brake_for_itself() -> None:
    names = crowd(10)
    off = [person(name, enabled=False) for name in names[:2]]
    removed = people(names[2:5])
    snapshot = reading(people(names[5:]), outside=[*off, *removed])
    made = plan(snapshot, *accounts_of(names), limits=STAY, by=rules(removed="delete"))
    assert {(one.change.approved, one.change.because.sentence()) for one in made.held} == {
        (False, "REMOVED, rule: delete · not a member of the sync group at two complete reads")
    }
    assert {(one.approved, one.because.sentence()) for one in made.changes} == {
        (False, "DISABLED, rule: disable · the directory says that the account is disabled")
    }
    assert told(made) == [
        "disable p001",
        "disable p002",
        "held delete p001: brake",
        "held delete p002: brake",
        "held delete p003: brake",
        "held delete p004: brake",
        "held delete p005: brake",
    ]
    many = plan(snapshot, *accounts_of(names), limits=replace(STAY, half_percent=20), by=rules(removed="delete"))
    assert counts(many) == (0, 5)
    old = plan(snapshot, *accounts_of(names), limits=STAY, by=rules(removed="delete"), marks=made.marks_set)
    assert counts(old) == (0, 5)


def test_an_equal_action_is_not_a_weaker_one() -> None:
    names = crowd(4)
    snapshot = reading(people(names[2:]), outside=[person(name, enabled=False) for name in names[:2]])
    assert counts(plan(snapshot, *accounts_of(names), limits=STAY)) == (0, 2)


def test_a_weaker_action_of_an_empty_group_stays_held() -> None:
    snapshot = reading([], outside=[OFF, person("bo", enabled=False)])
    made = plan(snapshot, account(1, "ann"), account(2, "bo"), by=rules(disabled="delete"), limits=STAY)
    assert told(made) == ["held delete ann: brake", "held delete bo: brake"]
    accounts = [account(1, "ann"), account(2, "bo"), account(3, "cy")]
    few = plan(
        reading([], outside=[OFF], gone=["bo", "cy"]),
        *accounts,
        by=rules(disabled="delete", deleted="delete"),
        limits=STAY,
    )
    assert told(few) == ["held delete ann: brake", "held delete bo: brake", "held delete cy: brake"]


# A person approves one, some or all: what is applied is what was approved and is still planned.


def test_what_was_approved_is_applied_and_does_not_count() -> None:
    before = leaves(8, 4)
    some = [*before.marks_set, approved("p001", "disable"), approved("p002", "disable")]
    made = leaves(8, 4, marks=some)
    assert told(made) == [
        "disable p001 approved",
        "disable p002 approved",
        "held disable p003: brake",
        "held disable p004: brake",
    ]
    assert marks_told(made) == [
        "-approved p001 disable",
        "-held p001 disable",
        "-approved p002 disable",
        "-held p002 disable",
    ]
    assert made.changes[0].because.sentence() == (
        "REMOVED, rule: disable · approved by a person · not a member of the sync group at two complete reads"
    )
    assert counts(leaves(8, 4, marks=[*before.marks_set, *(approved(name, "disable") for name in crowd(4))])) == (4, 0)


def test_an_approval_is_of_the_action_shown() -> None:
    marks = [held("ann", "disable"), approved("ann", "disable")]
    accounts = [account(1, "ann"), account(3, "cy")]
    stronger = plan(reading([CY], outside=[ANN]), *accounts, by=rules(removed="delete"), marks=marks)
    assert (told(stronger), marks_told(stronger)) == (
        ["held delete ann: brake"],
        ["+held ann delete", "-held ann disable"],
    )
    both = plan(reading([CY], outside=[OFF]), *accounts, by=rules(removed="delete"), marks=marks)
    assert told(both) == ["held delete ann: brake"]


def test_an_approval_ends_when_its_demand_is_met_otherwise() -> None:
    marks = [held("ann", "convert", "empty_group"), approved("ann", "convert")]
    made = plan(reading([CY], gone=["ann"]), account(1, "ann"), account(3, "cy"), marks=marks)
    assert (told(made), marks_told(made)) == (["disable ann"], ["-approved ann convert", "-held ann convert"])


def test_a_weaker_change_ends_no_hold_of_a_stronger_one() -> None:
    marks = [held("ann", "delete", "empty_group")]
    made = plan(reading([], outside=[OFF]), account(1, "ann"), by=rules(removed="delete"), marks=marks)
    assert (told(made), marks_told(made)) == (["disable ann", "held delete ann: empty_group"], [])
    unclaimed = plan(
        reading([CY], outside=[OFF]),
        account(1, "ann"),
        account(3, "cy"),
        by=rules(removed="convert"),
        marks=[held("ann", "convert", "empty_group")],
    )
    assert (told(unclaimed), marks_told(unclaimed)) == (["disable ann", "skipped ann: not_claimed"], [])


def test_a_weaker_change_ends_no_approval_of_a_stronger_one() -> None:
    """REMOVED asks what cannot be done yet, and DISABLED meanwhile does less: the approval was not of that."""
    marks = [held("ann", "convert", "empty_group"), approved("ann", "convert")]
    made = plan(reading([], outside=[OFF]), account(1, "ann"), by=rules(removed="convert"), marks=marks)
    assert (told(made), marks_told(made)) == (["disable ann", "skipped ann: not_claimed"], [])
    once_claimed = account(1, "ann", **DISABLED, claimed=True)
    later = plan(reading([], outside=[OFF]), once_claimed, by=rules(removed="convert"), marks=marks)
    assert (told(later), marks_told(later)) == (
        ["convert ann approved"],
        ["-approved ann convert", "-held ann convert"],
    )


def test_an_approval_without_a_hold_is_an_approval() -> None:
    made = leaves(3, 2, marks=[approved("p001", "disable"), approved("p002", "disable")])
    assert told(made) == ["disable p001 approved", "disable p002 approved"]


@given(
    base=st.integers(0, 400),
    floor=st.integers(0, 20),
    percent=st.integers(0, 100),
    half_floor=st.integers(0, 20),
    half_percent=st.integers(0, 100),
)
def test_the_most_that_may_happen_is_the_last_number_that_is_not_too_much(
    base: int, floor: int, percent: int, half_floor: int, half_percent: int
) -> None:
    limits = Limits(
        destructive_floor=floor,
        destructive_percent=percent,
        half_floor=half_floor,
        half_percent=half_percent,
        growth_floor=floor,
        growth_percent=percent,
    )
    people = [str(number) for number in range(base)]

    def allowed(number: int) -> tuple[bool, bool]:
        newcomers = {f"new {one}" for one in range(number)}
        return (
            not too_much_destruction(limits, set(people[:number]), set(people)),
            not too_much_growth(limits, newcomers, set(people)),
        )

    leave, join = most_that_may_leave(limits, base), most_that_may_join(limits, base)
    assert (allowed(min(leave, base))[0] or leave == 0, allowed(join)[1], allowed(join + 1)[1]) == (True, True, False)
    if leave < base:
        assert not allowed(leave + 1)[0]
