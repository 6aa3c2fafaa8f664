"""What keeps an account as it is: people who keep or vouch, and the last administrators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.plan import Limits, Link
from connectors.states import Attention, Situation
from tenants.states import AccountRole, Hand
from tests.connectors.planning import (
    ACTIVE,
    BY_HAND,
    DELETED,
    DELETED_BY_PERSON,
    DISABLED,
    HANDED_BACK,
    PENDING,
    WAITING,
    account,
    accounts_of,
    approved,
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


# Keep covers every situation that holds for the account at that moment, each until it ends by positive evidence.


@pytest.mark.parametrize(
    ("situation", "holds", "ended"),
    [
        ("disabled", reading([OFF, CY]), reading([ANN, CY])),
        ("disabled", reading([CY], outside=[OFF]), reading([CY], gone=["ann"])),
        ("removed", reading([CY], outside=[ANN]), reading([ANN, CY])),
        ("removed", reading([CY], outside=[OFF]), reading([CY], gone=["ann"])),
        ("deleted", reading([CY], gone=["ann"]), reading([ANN, CY])),
        ("deleted", reading([CY], gone=["ann"]), reading([CY], outside=[OFF])),
    ],
)
def test_keep_lasts_until_its_situation_positively_ends(situation: str, holds: Any, ended: Any) -> None:
    accounts = [account(1, "ann"), account(3, "cy")]
    marks = [kept("ann", situation)]
    by = rules(disabled="nothing", removed="nothing", deleted="nothing")
    assert marks_told(plan(holds, *accounts, by=by, marks=marks)) == []
    assert marks_told(plan(ended, *accounts, by=by, marks=marks)) == [f"-kept ann {situation}"]
    for unknown in (reading([CY]), reading([CY], unread=["ann"])):
        assert marks_told(plan(unknown, *accounts, by=by, marks=marks)) == []


def test_keep_of_a_returned_account_lasts_while_it_has_returned() -> None:
    marks = [kept("ann", "returned")]
    for facts in (DISABLED, DELETED):
        assert marks_told(plan(reading([ANN]), account(1, "ann", **facts), marks=marks)) == []
        for snapshot in (reading([OFF, CY]), reading([CY], outside=[ANN]), reading([CY], gone=["ann"])):
            made = plan(snapshot, account(1, "ann", **facts), account(3, "cy"), marks=marks)
            assert marks_told(made) == ["-kept ann returned"]
        # The owner of a deleted account is not looked up, and an unread one may be in the group.
        assert marks_told(plan(reading([CY]), account(1, "ann", **facts), account(3, "cy"), marks=marks)) == [
            "-kept ann returned"
        ]
        assert marks_told(plan(reading([CY], unread=["ann"]), account(1, "ann", **facts), marks=marks)) == []
        assert marks_told(plan(reading([], state="unreadable"), account(1, "ann", **facts), marks=marks)) == []
    for facts in (ACTIVE, {**DISABLED, "disabled_by": Hand.PERSON}):
        assert marks_told(plan(reading([ANN]), account(1, "ann", **facts), marks=marks)) == ["-kept ann returned"]
    admin = account(1, "ann", **{**DELETED, "link": None}, **ADMIN)
    assert marks_told(plan(reading([ANN]), admin, marks=marks)) == ["+held ann adopt"]


def test_a_kept_situation_asks_nothing_and_a_new_one_is_judged() -> None:
    accounts = [account(1, "ann"), account(3, "cy")]
    marks = [kept("ann", "removed"), held("ann", "disable")]
    made = plan(reading([CY], outside=[ANN]), *accounts, marks=marks)
    assert (told(made), marks_told(made)) == (["skipped ann: kept"], ["-held ann disable"])
    gone = plan(reading([CY], gone=["ann"]), *accounts, marks=[kept("ann", "removed")])
    assert told(gone) == ["disable ann"]
    assert gone.changes[0].because.sentence() == (
        "DELETED, rule: disable · the directory does not hold this person any more"
    )


# A person who enables, restores or approves an account whose situation still holds has thereby kept it.


def test_who_vouches_for_an_account_keeps_it_in_the_situations_that_held_and_hold() -> None:
    before = Link("ann@firm.example", frozenset({Situation.REMOVED}))
    accounts = [account(1, "ann", vouched=True, link=before), account(3, "cy")]
    made = plan(reading([CY], outside=[ANN]), *accounts)
    assert (told(made), marks_told(made)) == (["skipped ann: kept"], ["+kept ann removed"])
    assert (made.vouched_seen, made.notes, made.quiet) == ((1,), (), False)
    new = plan(reading([CY], outside=[OFF]), *accounts)
    assert (told(new), marks_told(new)) == (["disable ann", "skipped ann: kept"], ["+kept ann removed"])
    over = plan(reading([CY, ANN]), *accounts)
    assert (told(over), marks_told(over), over.vouched_seen) == ([], [], (1,))


def test_who_restores_what_a_person_had_deleted_keeps_it_in_what_came_to_hold_meanwhile() -> None:
    theirs = account(1, "ann", **DELETED_BY_PERSON)
    others = account(3, "cy")
    for snapshot, held_then in (
        (reading([CY], outside=[ANN]), {Situation.REMOVED}),
        (reading([CY], outside=[OFF]), {Situation.REMOVED, Situation.DISABLED}),
        (reading([CY], gone=["ann"]), {Situation.DELETED}),
    ):
        (note,) = plan(snapshot, theirs, others).notes
        assert (note.account_id, note.directory_email, note.situations) == (1, "ann@firm.example", held_then)
        # The bar ends when the owner leaves the group; what is deleted stays linked until it is purged.
        lifted = replace(theirs, barred=False, link=Link(note.directory_email, note.situations))
        assert plan(snapshot, lifted, others).quiet
        # Of a second look only those are known to be gone whom it asked for again.
        assert plan(snapshot, theirs, others).second_look == {"ann"}
        assert plan(snapshot, lifted, others).second_look == frozenset()
        restored = account(1, "ann", vouched=True, link=lifted.link)
        assert {line.partition(":")[2] for line in told(plan(snapshot, restored, others))} == {" kept"}


@pytest.mark.parametrize(
    ("snapshot", "facts"),
    [
        (reading([ANN, CY]), {}),
        (reading([CY], outside=[ANN]), {"link": None}),
        (reading([CY], outside=[ANN]), {"tenant_id": "elsewhere"}),
        (reading([CY], unread_outside=["ann"]), {}),
        (reading([CY]), {}),
        (reading([], outside=[ANN], state="unreadable"), {}),
    ],
)
def test_of_a_deleted_account_nothing_is_noted_that_is_not_known_to_hold(snapshot: Any, facts: dict[str, Any]) -> None:
    made = plan(snapshot, account(1, "ann", **DELETED_BY_PERSON | facts), account(3, "cy"))
    assert [note for note in made.notes if note.account_id == 1] == []


def test_of_two_accounts_of_one_person_that_were_deleted_by_hand_both_remember() -> None:
    accounts = [account(number, "ann", **DELETED_BY_PERSON) for number in (1, 2)]
    made = plan(reading([CY], outside=[ANN]), *accounts, account(3, "cy"))
    assert [(note.account_id, note.situations) for note in made.notes] == [
        (1, {Situation.REMOVED}),
        (2, {Situation.REMOVED}),
    ]


@pytest.mark.parametrize("facts", [DELETED, {**ACTIVE, "deleted_by": Hand.PERSON}])
def test_of_an_account_that_the_plan_knows_one_note_is_made(facts: dict[str, Any]) -> None:
    made = plan(reading([CY], outside=[ANN]), account(1, "ann", **facts), account(3, "cy"), by=rules(removed="nothing"))
    assert [(note.account_id, note.situations) for note in made.notes] == [(1, {Situation.REMOVED})]


def test_of_a_deleted_account_what_may_hold_still_is_remembered_while_the_group_cannot_be_read() -> None:
    link = Link("ann@firm.example", frozenset({Situation.REMOVED}))
    theirs = account(1, "ann", **DELETED_BY_PERSON | {"link": link})
    assert plan(reading([], outside=[ANN], state="unreadable"), theirs).notes == ()
    (note,) = plan(reading([], outside=[OFF], state="unreadable"), theirs).notes
    assert note.situations == {Situation.REMOVED, Situation.DISABLED}
    (note,) = plan(reading([], gone=["ann"], state="unreadable"), theirs).notes
    assert note.situations == {Situation.DELETED}


def test_what_nobody_vouched_for_is_not_kept_however_long_it_holds() -> None:
    before = Link("ann@firm.example", frozenset({Situation.REMOVED}))
    made = plan(reading([CY], outside=[ANN]), account(1, "ann", link=before), account(3, "cy"))
    assert (told(made), marks_told(made)) == (["disable ann"], [])


def test_those_vouched_for_and_what_links_remember_are_told_in_the_order_of_the_accounts() -> None:
    accounts = [account(2, "ann", vouched=True, link=Link()), account(1, "bo", vouched=True, link=Link())]
    for order in (accounts, accounts[::-1]):
        made = plan(reading([ANN, BO]), *order)
        assert (made.vouched_seen, [note.account_id for note in made.notes]) == ((1, 2), [1, 2])


def test_who_vouches_again_keeps_nothing_twice() -> None:
    before = Link("ann@firm.example", frozenset({Situation.REMOVED}))
    accounts = [account(1, "ann", vouched=True, link=before), account(3, "cy")]
    made = plan(reading([CY], outside=[ANN]), *accounts, marks=[kept("ann", "removed")])
    assert (marks_told(made), made.vouched_seen) == ([], (1,))


def test_without_the_sync_group_what_may_hold_still_is_kept_too() -> None:
    both = Link("ann@firm.example", frozenset({Situation.REMOVED, Situation.DISABLED}))
    accounts = [account(1, "ann", vouched=True, link=both)]
    made = plan(reading([], outside=[OFF], state="unreadable"), *accounts)
    assert (told(made), marks_told(made)) == (["skipped ann: kept"], ["+kept ann disabled", "+kept ann removed"])
    gone = plan(reading([], gone=["ann"], state="unreadable"), *accounts)
    assert (told(gone), marks_told(gone)) == (["disable ann"], [])


def test_nobody_vouches_for_an_account_that_is_unread_or_not_linked() -> None:
    unread = plan(reading([CY], unread=["ann"]), account(1, "ann", vouched=True), account(3, "cy"))
    assert unread.vouched_seen == ()
    recognised = plan(reading([CY], outside=[ANN]), account(1, "ann", vouched=True, link=None), account(3, "cy"))
    assert (told(recognised), recognised.vouched_seen) == (["adopt ann", "disable ann"], (1,))


# If no other administrator of the company would be Active at the end of the run, all leaving ones are spared.


def test_the_last_administrators_are_spared_and_everybody_is_told() -> None:
    accounts = [account(1, "ann", **ADMIN), account(2, "bo", **ADMIN), account(3, "cy")]
    made = plan(reading([CY], outside=[ANN, BO]), *accounts, by=rules(removed="delete"))
    assert told(made) == ["skipped ann: spared", "skipped bo: spared"]
    assert made.attention == {Attention.SPARED}
    assert [(one.situation, one.account_id) for one in made.skipped] == [(Situation.REMOVED, 1), (Situation.REMOVED, 2)]
    again = plan(reading([CY], outside=[ANN, BO]), *accounts, by=rules(removed="delete"))
    assert told(again) == told(made)
    off = plan(reading([CY], outside=[OFF]), accounts[0], accounts[2], by=rules(removed="delete"))
    assert [(one.reason, one.situation) for one in off.skipped] == [("spared", Situation.REMOVED)]


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({}, ["disable ann"]),
        (BY_HAND, ["disable ann", "held adopt cy: admin"]),
        ({**HANDED_BACK, "barred": True}, ["disable ann", "skipped cy: handed_back"]),
    ],
)
def test_another_active_administrator_lets_them_leave(facts: dict[str, Any], lines: list[str]) -> None:
    accounts = [account(1, "ann", **ADMIN), account(2, "bo"), account(3, "cy", **facts, **ADMIN)]
    assert told(plan(reading([BO, CY], outside=[ANN]), *accounts)) == lines


@pytest.mark.parametrize("facts", [DISABLED, PENDING, {**DELETED, "link": None, "object_id": ""}])
def test_an_administrator_who_is_not_active_saves_nobody(facts: dict[str, Any]) -> None:
    accounts = [account(1, "ann", **ADMIN), account(3, "cy", **facts, **ADMIN), account(2, "bo")]
    made = plan(reading([BO], outside=[ANN, CY]), *accounts)
    assert [one for one in told(made) if "ann" in one] == ["skipped ann: spared"]


def test_an_administrator_who_returns_pending_saves_nobody() -> None:
    accounts = [account(1, "ann", **ADMIN), account(2, "bo", **DISABLED, **ADMIN)]
    made = plan(reading([BO], outside=[ANN]), *accounts, by=rules(returned="pending"))
    assert told(made) == ["suspend bo → pending rule", "skipped ann: spared"]


def test_users_are_not_spared_and_an_administrator_who_is_not_active_neither() -> None:
    accounts = [account(1, "ann"), account(2, "bo", **DISABLED, **ADMIN), account(3, "cy")]
    made = plan(reading([CY], outside=[ANN, BO]), *accounts, by=rules(removed="delete"))
    assert told(made) == ["delete ann", "delete bo"]


def test_the_spared_do_not_count_for_the_brake_free_no_licence_and_keep_their_address() -> None:
    names = crowd(6)
    admins = accounts_of(names[:2], **ADMIN)
    snapshot = reading(
        [*people(names[3:]), person("new", mail="p001@firm.example"), person("zed")], outside=people(names[:3])
    )
    made = plan(snapshot, *admins, *accounts_of(names[2:]), limits=STAY, by=rules(removed="delete"), licences=6)
    assert told(made) == [
        "delete p003",
        "create zed",
        "skipped new: address_taken 1?",
        "skipped p001: spared",
        "skipped p002: spared",
    ]


def test_leaving_means_held_by_the_brake_or_approved_or_not() -> None:
    accounts = [account(1, "ann", **ADMIN), account(2, "bo", **ADMIN), account(3, "cy")]
    snapshot = reading([CY], outside=[ANN, BO])
    for marks in (
        [held("ann", "disable")],
        [held("ann", "disable"), approved("ann", "disable")],
        [approved("ann", "disable"), approved("bo", "disable")],
    ):
        made = plan(snapshot, *accounts, marks=marks)
        assert (told(made), marks_told(made)) == (["skipped ann: spared", "skipped bo: spared"], [])
    tight = plan(snapshot, *accounts, limits=STAY)
    assert (told(tight), marks_told(tight)) == (["skipped ann: spared", "skipped bo: spared"], [])


def test_who_only_waits_for_the_group_to_fill_stays() -> None:
    accounts = [account(1, "ann", **ADMIN), account(2, "bo", **ADMIN)]
    made = plan(reading([], outside=[ANN], gone=["bo"]), *accounts)
    assert told(made) == ["disable bo", "held disable ann: empty_group"]
    both_ways = plan(reading([], outside=[OFF], gone=["bo"]), *accounts)
    assert told(both_ways) == ["skipped ann: spared", "skipped bo: spared"]
    yes = plan(reading([], outside=[ANN], gone=["bo"]), *accounts, marks=[approved("ann", "disable")])
    assert told(yes) == ["skipped ann: spared", "skipped bo: spared"]
    covered = plan(reading([], outside=[ANN], gone=["bo"]), *accounts, marks=[held("ann", "disable")])
    assert told(covered) == ["skipped ann: spared", "skipped bo: spared"]


def test_a_kept_administrator_is_not_leaving() -> None:
    accounts = [account(1, "ann", **ADMIN), account(2, "bo", **ADMIN)]
    made = plan(reading([CY], outside=[ANN, BO]), *accounts, marks=[kept("ann", "removed")])
    assert told(made) == ["disable bo", "create cy", "skipped ann: kept"]


@pytest.mark.parametrize("facts", [DISABLED, DELETED, WAITING])
def test_an_administrator_who_becomes_active_in_this_run_counts(facts: dict[str, Any]) -> None:
    accounts = [account(1, "ann", **ADMIN), account(3, "cy", **facts, **ADMIN)]
    made = plan(reading([CY], outside=[ANN]), *accounts, licences=1)
    assert told(made)[0] == "disable ann"
    assert [one for one in told(made) if one.startswith("skipped")] == []


def test_a_user_who_becomes_active_in_this_run_does_not_count() -> None:
    accounts = [account(1, "ann", **ADMIN), account(3, "cy", **DISABLED)]
    assert "skipped ann: spared" in told(plan(reading([CY, BO], outside=[ANN]), *accounts))


def test_an_administrator_who_would_become_active_only_because_others_were_spared_lets_them_leave_next() -> None:
    # Cy's address is taken by Bo, whose deletion the brake stops while Ann leaves as well, and only then.
    cy = account(3, "cy", **DELETED, **ADMIN)
    bo = account(2, "cy", object_id="bo", link=Link("bo@firm.example"), first_name="Bo")
    accounts = [account(1, "ann", **ADMIN), bo, cy, account(4, "dee")]
    snapshot = reading([CY, person("dee")], outside=[ANN], gone=["bo"])
    first = plan(snapshot, *accounts, limits=STAY, by=rules(deleted="delete"))
    assert told(first) == ["delete bo", "restore cy → active", "skipped ann: spared"]
    after = [account(1, "ann", **ADMIN), account(3, "cy", **ADMIN), account(4, "dee")]
    assert told(plan(snapshot, *after)) == ["disable ann"]
