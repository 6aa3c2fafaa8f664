"""What is read decides: failed reads, the second look, the empty group, unread people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.plan import Limits, Link, SyncPlan
from connectors.states import Attention, Situation, SkipReason
from tenants.states import AccountRole, Hand
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DISABLED,
    HANDED_BACK,
    LOOSE,
    PENDING,
    PERSONAL,
    WAITING,
    account,
    accounts_of,
    approved,
    counts,
    crowd,
    group,
    held,
    kept,
    mark,
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


# A failed or incomplete read changes nothing for what it concerns.


@pytest.mark.parametrize(
    ("state", "attention"),
    [("gone", Attention.SYNC_GROUP_MISSING), ("unreadable", Attention.SYNC_GROUP_UNREADABLE)],
)
def test_without_the_sync_group_only_the_disabled_and_the_deleted_still_go(state: str, attention: Attention) -> None:
    renamed = person("bo", given_name="Bob", mail="bob@firm.example")
    accounts = [
        account(1, "ann"),
        account(2, "bo"),
        account(3, "cy"),
        account(4, "dee", **DISABLED),
        account(5, "eve", **WAITING),
        account(6, "fay", link=None),
        account(7, "gus", **DELETED),
    ]
    outside = [OFF, renamed, person("dee"), person("eve"), person("fay"), person("gus")]
    made = plan(reading([], outside=outside, gone=["cy"], state=state), *accounts)
    assert told(made) == ["disable ann", "disable cy"]
    assert (made.attention, made.in_scope, made.left_out) == (frozenset({attention}), 0, ())
    assert (made.second_look, made.second_group_look) == (frozenset({"ann", "cy"}), False)


def test_without_the_sync_group_the_brake_still_holds() -> None:
    names = crowd(4)
    snapshot = reading([], gone=names[:2], outside=people(names[2:]), state="unreadable")
    assert counts(plan(snapshot, *accounts_of(names), limits=STAY)) == (0, 2)


def test_without_the_sync_group_no_mark_ends_but_by_positive_evidence() -> None:
    marks = [
        held("ann", "disable"),
        held("bo", "create", "growth"),
        approved("ann", "disable"),
        approved("bo", "create"),
        mark("bo", "declined"),
        mark("bo", "same_person", 1),
        mark("bo", "someone_else", 1),
        mark("bo", "confirmed", 1),
        kept("ann", "removed"),
        kept("ann", "returned"),
        kept("cy", "disabled"),
        kept("cy", "deleted"),
        kept("dee", "removed"),
        kept("dee", "disabled"),
        kept("dee", "deleted"),
        kept("eve", "disabled"),
        kept("eve", "deleted"),
    ]
    accounts = [account(1, "ann"), account(3, "cy"), account(4, "dee"), account(5, "eve", **DISABLED)]
    snapshot = reading([], outside=[ANN, CY, person("eve", enabled=False)], gone=["dee"], state="unreadable")
    made = plan(snapshot, *accounts, marks=marks)
    assert told(made) == ["skipped dee: kept"]
    assert marks_told(made) == ["-kept cy deleted", "-kept cy disabled", "-kept dee disabled", "-kept eve deleted"]


def test_without_the_sync_group_a_link_remembers_what_may_hold_still() -> None:
    both = frozenset({Situation.DISABLED, Situation.REMOVED})
    accounts = [
        account(1, "ann", **DISABLED, link=Link("ann@firm.example", frozenset({Situation.REMOVED}))),
        account(2, "bo", **DISABLED, link=Link("bo@firm.example", both)),
        account(3, "cy", **DISABLED, link=Link("cy@firm.example", both)),
        account(4, "dee", link=Link("dee@firm.example")),
    ]
    snapshot = reading([], outside=[OFF, person("bo", mail="x@y.example"), person("dee")], gone=["cy"], state="gone")
    notes = {one.account_id: (one.directory_email, one.situations) for one in plan(snapshot, *accounts).notes}
    assert notes == {
        1: ("ann@firm.example", both),
        2: ("bo@firm.example", frozenset({Situation.REMOVED})),
        3: ("cy@firm.example", frozenset({Situation.DELETED})),
    }


def test_a_link_remembers_the_situations_that_hold() -> None:
    snapshot = reading([CY], outside=[OFF, BO], gone=["dee"])
    accounts = [account(1, "ann", **DISABLED), account(2, "bo", **DISABLED), account(3, "cy"), account(4, "dee")]
    made = plan(snapshot, *accounts)
    assert {one.account_id: one.situations for one in made.notes} == {
        1: {Situation.DISABLED, Situation.REMOVED},
        2: {Situation.REMOVED},
        4: {Situation.DELETED},
    }
    back = account(1, "ann", link=Link("ann@firm.example", frozenset({Situation.REMOVED})))
    assert [one.situations for one in plan(reading([ANN]), back).notes] == [frozenset()]


@pytest.mark.parametrize(("rule", "noted"), [("disable", True), ("delete", True), ("convert", False)])
def test_a_link_that_ends_in_this_run_remembers_nothing(rule: str, noted: bool) -> None:
    accounts = [account(1, "ann", claimed=True), account(3, "cy")]
    made = plan(reading([CY], outside=[ANN]), *accounts, by=rules(removed=rule))
    assert bool(made.notes) is noted
    withdrawn = [account(1, "ann", **PENDING, was_active=False), account(3, "cy")]
    assert plan(reading([CY], outside=[ANN]), *withdrawn, by=rules(removed=rule)).notes == ()


# Anyone about to lose something is looked at a second time.


@pytest.mark.parametrize(
    ("marks", "facts"),
    [
        ([], {}),
        ([held("ann", "disable")], {}),
        ([held("ann", "disable"), approved("ann", "disable")], {}),
        ([], ADMIN),
        ([], {"link": None}),
    ],
)
def test_who_would_lose_something_is_looked_at_again_held_or_spared_or_not(marks: Any, facts: dict[str, Any]) -> None:
    accounts = [account(1, "ann", **facts), account(3, "cy")]
    made = plan(reading([CY], outside=[ANN]), *accounts, marks=marks)
    assert (made.second_look, made.second_group_look) == (frozenset({"ann"}), True)
    for snapshot in (reading([CY], gone=["ann"]), reading([CY, OFF])):
        made = plan(snapshot, *accounts, marks=marks)
        assert (made.second_look, made.second_group_look) == (frozenset({"ann"}), False)


def test_who_loses_nothing_is_not_looked_at_again() -> None:
    accounts = [account(1, "ann", **DISABLED), account(2, "bo"), account(3, "cy"), account(4, "dee")]
    snapshot = reading([CY], outside=[ANN, BO], gone=["dee"])
    made = plan(snapshot, *accounts, marks=[kept("bo", "removed")], by=rules(deleted="convert"))
    assert told(made) == ["skipped bo: kept", "skipped dee: not_claimed"]
    assert (made.second_look, made.second_group_look) == (frozenset(), False)


def test_the_group_is_looked_at_again_where_removed_is_the_weaker_of_two_reasons() -> None:
    snapshot = reading([CY], outside=[OFF])
    made = plan(snapshot, account(1, "ann"), account(3, "cy"), by=rules(disabled="delete"))
    assert (told(made), made.second_group_look) == (["delete ann"], True)
    unasked = plan(snapshot, account(1, "ann"), account(3, "cy"), by=rules(removed="nothing"))
    assert (unasked.second_look, unasked.second_group_look) == (frozenset({"ann"}), False)


# Empty sync group (nobody in scope).


def test_removed_changes_of_an_empty_group_are_held_whatever_their_number() -> None:
    made = plan(reading([], outside=[ANN]), account(1, "ann"))
    assert (told(made), marks_told(made)) == (["held disable ann: empty_group"], ["+held ann disable"])
    assert made.attention == {Attention.SYNC_GROUP_EMPTY, Attention.HELD}


def test_of_whom_becomes_personal_nothing_is_held() -> None:
    off = person("ann", enabled=False)
    made = plan(
        reading([], outside=[off]),
        account(1, "ann", claimed=True),
        by=rules(disabled="convert", removed="delete"),
        marks=[held("ann", "delete", "empty_group")],
    )
    assert (told(made), marks_told(made)) == (["convert ann"], ["-held ann delete"])


def test_an_empty_group_does_not_count_for_the_brake_on_the_rest() -> None:
    names = crowd(20)
    snapshot = reading([], gone=names[:3], outside=people(names[3:]))
    made = plan(snapshot, *accounts_of(names), limits=STAY)
    assert told(made)[:3] == ["disable p001", "disable p002", "disable p003"]
    assert {one.cause for one in made.held} == {"empty_group"}
    assert counts(made) == (3, 17)


def test_everybody_left_out_by_a_setting_leaves_an_empty_group() -> None:
    made = plan(reading([ANN], via={"ann": "Sales"}), account(1, "ann"), by=rules(direct=True))
    assert told(made) == ["held disable ann: empty_group"]


def test_the_hold_of_an_empty_group_covers_removed_alone() -> None:
    snapshot = reading([], outside=[OFF])
    weaker = plan(snapshot, account(1, "ann"), by=rules(removed="delete"))
    assert told(weaker) == ["disable ann", "held delete ann: empty_group"]
    assert marks_told(weaker) == ["+held ann delete"]
    equal = plan(snapshot, account(1, "ann"))
    assert told(equal) == ["disable ann"]
    stronger = plan(snapshot, account(1, "ann"), by=rules(disabled="delete"))
    assert told(stronger) == ["delete ann"]


def test_the_hold_of_an_empty_group_stays_when_the_group_fills_without_the_person() -> None:
    marks = [held("ann", "disable", "empty_group")]
    made = plan(reading([CY], outside=[ANN]), account(1, "ann"), account(3, "cy"), marks=marks)
    assert (told(made), marks_told(made)) == (["held disable ann: empty_group"], [])
    back = plan(reading([CY, ANN]), account(1, "ann"), account(3, "cy"), marks=marks)
    assert (told(back), marks_told(back)) == ([], ["-held ann disable"])
    gone = plan(reading([CY], gone=["ann"]), account(1, "ann"), account(3, "cy"), marks=marks)
    assert (told(gone), marks_told(gone)) == (["disable ann"], ["-held ann disable"])
    yes = plan(reading([], outside=[ANN]), account(1, "ann"), marks=[*marks, approved("ann", "disable")])
    assert (told(yes), marks_told(yes)) == (
        ["disable ann approved"],
        ["-approved ann disable", "-held ann disable"],
    )


def test_a_person_has_one_hold_which_shows_the_strongest_and_the_brakes_covers_the_person() -> None:
    snapshot = reading([], outside=[OFF, person("bo", enabled=False)])
    made = plan(snapshot, account(1, "ann"), account(2, "bo"), by=rules(removed="delete"), limits=STAY)
    assert told(made) == ["held delete ann: brake", "held delete bo: brake"]
    assert marks_told(made) == ["+held ann delete", "+held bo delete"]
    waited = [held("ann", "delete", "empty_group")]
    again = plan(snapshot, account(1, "ann"), account(2, "bo"), by=rules(removed="delete"), limits=STAY, marks=waited)
    assert (told(again), sorted(again.marks_set), sorted(again.marks_ended)) == (
        told(made),
        [held("ann", "delete"), held("bo", "delete")],
        waited,
    )


def test_an_unread_person_outside_the_group_does_not_fill_it() -> None:
    accounts = [account(1, "ann"), account(3, "cy")]
    made = plan(reading([], outside=[ANN], unread_outside=["cy"]), *accounts)
    assert told(made) == ["held disable ann: empty_group", "skipped cy: unread"]
    assert Attention.SYNC_GROUP_EMPTY in made.attention


def test_a_group_of_unread_people_is_not_empty() -> None:
    made = plan(reading([], outside=[ANN], unread=["bo"]), account(1, "ann"), account(2, "bo"))
    assert told(made) == ["disable ann", "skipped bo: unread"]
    assert made.attention == {Attention.SKIPPED}


# One bad person never stops the others; unread people change nothing.


def test_an_unread_person_is_listed_and_changes_nothing() -> None:
    marks = [
        held("ann", "disable"),
        approved("ann", "disable"),
        kept("ann", "removed"),
        mark("ann", "declined"),
        mark("ann", "confirmed", 1),
        mark("ann", "same_person", 1),
        mark("ann", "someone_else", 1),
    ]
    made = plan(reading([CY], unread=["ann"]), account(1, "ann"), account(3, "cy"), marks=marks)
    assert (told(made), marks_told(made), made.notes, made.second_look) == (
        ["skipped ann: unread"],
        [],
        (),
        frozenset(),
    )
    (skipped,) = made.skipped
    assert (skipped.situation, skipped.account_id, skipped.name, skipped.email) == (
        None,
        1,
        "Ann Test",
        "ann@firm.example",
    )
    assert made.attention == {Attention.SKIPPED}


@pytest.mark.parametrize(
    "facts", [DELETED, {**DELETED, "disabled_by": Hand.PERSON}, {"link": None}, {**HANDED_BACK, "barred": True}]
)
def test_an_unread_person_without_a_living_account_of_the_connector_is_not_listed(facts: dict[str, Any]) -> None:
    assert told(plan(reading([CY], unread=["ann"]), account(1, "ann", **facts), account(3, "cy"))) == []


def test_unread_people_are_listed_without_the_sync_group_too() -> None:
    made = plan(reading([], state="unreadable", unread=["ann"]), account(1, "ann"))
    assert told(made) == ["skipped ann: unread"]


# What a connector needs a person for.


WANTS_A_PERSON: list[tuple[Callable[[], SyncPlan], bool]] = [
    (lambda: plan(reading([person("ann", mail="x")])), True),
    (lambda: plan(reading([ANN, person("bo", mail="ann@firm.example")])), True),
    (lambda: plan(reading([OFF])), False),
    (lambda: plan(reading([ANN]), by=rules(new="nothing")), False),
    (lambda: plan(reading([ANN]), marks=[mark("ann", "declined")]), False),
    (lambda: plan(reading([CY], outside=[ANN]), account(1, "ann"), account(3, "cy"), by=TO_PERSONAL), True),
    (lambda: plan(reading([ANN]), account(1, "x", object_id="ann", **{**DELETED, "barred": True})), True),
    (lambda: plan(reading([ANN]), account(1, "ann", **HANDED_BACK, barred=True)), True),
    (lambda: plan(reading([ANN]), account(1, "ann", **PERSONAL)), True),
    (lambda: plan(reading([ANN]), account(1, "ann", **DELETED), account(2, "ann", **BY_HAND)), True),
    (lambda: plan(reading([ANN, BO]), *TWINS), True),
    (lambda: plan(reading([ANN]), account(1, "ann", link=None, linked_elsewhere=True)), True),
    (lambda: plan(reading([ANN]), account(1, "ann", object_id="bo"), by=NOTHING), True),
    (lambda: plan(reading([ANN], gone=["bo"]), account(1, "ann", object_id="bo"), by=NOTHING, marks=WAITS), False),
    (lambda: plan(reading([ANN]), account(1, "ann", **{**DISABLED, "disabled_by": Hand.PERSON})), False),
    (lambda: plan(reading([CY], outside=[ANN]), account(1, "ann"), account(3, "cy"), marks=KEEPS), False),
]
TO_PERSONAL, NOTHING = rules(removed="convert"), rules(deleted="nothing")
TWINS = [account(1, "ann", **DELETED), account(2, "ann", object_id="bo", **DELETED)]
WAITS, KEEPS = [mark("ann", "someone_else", 1)], [kept("ann", "removed")]


@pytest.mark.parametrize(("make", "wanted"), WANTS_A_PERSON)
def test_people_skipped_want_attention_where_a_person_can_help(make: Callable[[], SyncPlan], wanted: bool) -> None:
    made = make()
    assert (Attention.SKIPPED in made.attention) is wanted
    assert len(made.skipped) >= 1


def test_a_quiet_plan_is_one_that_writes_nothing() -> None:
    made = plan(reading([ANN, CY], groups=[group("Crew")]), account(1, "ann"), account(3, "cy"), licences=2)
    assert (made.quiet, made.attention, made.second_look) == (True, frozenset(), frozenset())
    assert plan(reading([ANN, CY]), limits=LOOSE).quiet is False
    assert {SkipReason.RULE} == {one.reason for one in plan(reading([ANN]), by=rules(new="nothing")).skipped}
