"""Addresses met twice: newcomers, owners, the decisions *same person* and *someone else*, restorations."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.plan import Limits, Link
from connectors.states import Situation
from tenants.states import AccountRole, ManagedBy
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DISABLED,
    DISABLED_BY_PERSON,
    PENDING,
    PERSONAL,
    WAITING,
    account,
    approved,
    held,
    kept,
    mark,
    marks_told,
    person,
    plan,
    reading,
    rules,
    told,
)

ANN, BO = person("ann"), person("bo")
BO_AS_ANN = person("bo", mail="ANN@firm.example")
SAME_BO = mark("bo", "same_person", 1)
UNLINKED: dict[str, Any] = {"managed_by": ManagedBy.PB, "link": None}
ADMIN: dict[str, Any] = {"role": AccountRole.ADMIN}

# Two newcomers with one address are both skipped.


@pytest.mark.parametrize("accounts", [[], [account(1, "ann", **BY_HAND)]])
def test_two_newcomers_with_one_address_are_both_skipped(accounts: list[Any]) -> None:
    made = plan(reading([ANN, BO_AS_ANN, person("cy")]), *accounts)
    assert told(made) == ["create cy", "skipped ann: two_newcomers", "skipped bo: two_newcomers"]
    assert [one.email for one in made.skipped] == ["ann@firm.example"] * 2


def test_two_newcomers_meet_at_an_account_by_hand_whatever_the_rule_for_new_people_says() -> None:
    made = plan(reading([ANN, BO_AS_ANN]), account(1, "ann", **BY_HAND), by=rules(new="nothing"))
    assert told(made) == ["skipped ann: two_newcomers", "skipped bo: two_newcomers"]


def test_two_newcomers_of_whom_one_was_declined_are_both_kept_out() -> None:
    made = plan(reading([ANN, BO_AS_ANN]), marks=[mark("ann", "declined")])
    assert told(made) == ["skipped ann: declined", "skipped bo: two_newcomers"]


def test_people_without_address_do_not_meet() -> None:
    made = plan(reading([person("ann", mail="x"), person("bo", mail="x")]))
    assert told(made) == ["skipped ann: no_email", "skipped bo: no_email"]


def test_a_disabled_person_with_the_address_is_no_rival() -> None:
    made = plan(reading([ANN, person("bo", mail="ann@firm.example", enabled=False)]))
    assert told(made) == ["create ann", "skipped bo: disabled_newcomer"]


# A newcomer with the address of an account that carries somebody else's identity is skipped with the choice.


@pytest.mark.parametrize(
    "snapshot",
    [
        reading([BO_AS_ANN, person("ann", mail="new@firm.example")]),
        reading([BO_AS_ANN], outside=[ANN]),
        reading([BO_AS_ANN, person("ann", enabled=False)]),
        reading([BO_AS_ANN], gone=["ann"]),
    ],
)
def test_a_newcomer_with_somebody_elses_address_is_a_question(snapshot: Any) -> None:
    owned = account(1, "ann", link=Link("new@firm.example"))
    made = plan(snapshot, owned, by=rules(disabled="nothing", removed="nothing", deleted="nothing"))
    (skipped,) = [one for one in made.skipped if one.object_id == "bo"]
    assert (skipped.reason, skipped.other, skipped.question) == ("address_taken", 1, True)
    assert (skipped.situation, skipped.account_id, skipped.name) == (Situation.NEW, None, "Bo")


def test_a_newcomer_waits_while_the_owner_of_the_address_is_held() -> None:
    made = plan(reading([BO_AS_ANN], outside=[ANN]), account(1, "ann"), marks=[held("ann", "disable")])
    assert told(made) == ["held disable ann: brake", "skipped bo: address_taken 1?"]


def test_same_person_relinks_the_account_and_is_used_once() -> None:
    marks = [mark("bo", "same_person", 1)]
    made = plan(reading([BO_AS_ANN], outside=[ANN]), account(1, "ann"), marks=marks)
    assert (told(made), marks_told(made)) == (["relink bo", "rename bo"], ["-same_person bo 1"])
    (change, _) = made.changes
    assert (change.account_id, change.before, change.after, change.status) == (1, "Ann Test", "Bo", None)
    assert change.because.sentence() == (
        "NEW · a person decided: same person · an account of this company has the same email address"
    )
    assert (made.second_look, made.second_group_look) == (frozenset({"ann"}), True)
    gone = plan(reading([BO_AS_ANN], gone=["ann"]), account(1, "ann"), marks=marks)
    assert (told(gone)[0], gone.second_look, gone.second_group_look) == ("relink bo", frozenset({"ann"}), False)


def test_the_former_owner_of_a_relinked_account_has_none_any_more() -> None:
    marks = [mark("bo", "same_person", 1)]
    made = plan(reading([BO_AS_ANN, person("ann", enabled=False)]), account(1, "ann"), marks=marks)
    assert told(made) == ["relink bo", "rename bo", "skipped ann: disabled_newcomer"]


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        (DISABLED, ["relink bo", "enable bo", "rename bo"]),
        (DISABLED_BY_PERSON, ["relink bo", "rename bo", "skipped bo: disabled_by_person"]),
        (WAITING, ["relink bo", "activate bo", "rename bo"]),
        (ADMIN, ["relink bo", "rename bo"]),
        ({"link": None}, ["relink bo", "rename bo"]),
        ({"link": None, "tenant_id": "elsewhere"}, ["relink bo", "rename bo"]),
        ({**UNLINKED, **ADMIN}, ["relink bo", "rename bo"]),
        ({"link": None, "object_id": "", "managed_by": ManagedBy.AZURE_AD}, ["relink bo", "rename bo"]),
    ],
)
def test_a_relinked_account_is_judged_as_the_newcomers(facts: dict[str, Any], lines: list[str]) -> None:
    marks = [mark("bo", "same_person", 1)]
    made = plan(reading([BO_AS_ANN], outside=[ANN]), account(1, "ann", **facts), marks=marks)
    assert told(made) == lines


@pytest.mark.parametrize(
    ("snapshot", "facts"),
    [
        (reading([BO_AS_ANN, person("ann", mail="new@firm.example")]), {"link": Link("new@firm.example")}),
        (reading([BO_AS_ANN], unread=["ann"]), {}),
        (reading([BO_AS_ANN]), {}),
        (reading([BO_AS_ANN], outside=[ANN]), {**UNLINKED, "linked_elsewhere": True}),
        (reading([BO_AS_ANN], outside=[ANN]), {**UNLINKED, "barred": True}),
    ],
)
def test_nothing_is_relinked_from_somebody_who_may_be_there_or_is_not_ours(
    snapshot: Any, facts: dict[str, Any]
) -> None:
    marks = [mark("bo", "same_person", 1)]
    made = plan(snapshot, account(1, "ann", **facts), marks=marks)
    assert "skipped bo: address_taken 1?" in told(made)
    assert [one.kind for one in made.changes] == []
    # Who may be there, and cannot be seen, may be seen in the next run; otherwise nothing is left to lie in wait.
    assert marks_told(made) == (
        [] if "ann" not in snapshot.people and not account(1, "ann", **facts).barred else ["-same_person bo 1"]
    )


def test_another_tenants_person_with_the_owners_object_id_is_not_the_owner() -> None:
    foreign = account(1, "ann", tenant_id="elsewhere", link=None)
    made = plan(reading([BO_AS_ANN, person("ann", mail="new@firm.example")]), foreign, marks=[SAME_BO])
    assert told(made) == ["relink bo", "create ann", "rename bo"]


def test_a_decision_that_could_not_be_used_gives_nobodys_account_away_later() -> None:
    renamed = person("ann", mail="new@firm.example")
    owned = account(1, "ann", link=Link("new@firm.example"))
    made = plan(reading([BO_AS_ANN, renamed]), owned, marks=[SAME_BO])
    later = plan(reading([BO_AS_ANN], outside=[renamed]), owned, marks=frozenset({SAME_BO}) - made.marks_ended)
    assert told(later) == ["disable ann", "skipped bo: address_taken 1?"]


def test_a_decision_waits_for_an_unread_owner_only_while_the_address_is_in_question() -> None:
    owned = account(1, "ann")
    asked = plan(reading([BO_AS_ANN], unread=["ann"]), owned, marks=[SAME_BO])
    assert (told(asked)[-1], marks_told(asked)) == ("skipped bo: address_taken 1?", [])
    other = plan(reading([BO], unread=["ann"]), owned, marks=[SAME_BO])
    assert marks_told(other) == ["-same_person bo 1"]


def test_the_decision_names_both_people() -> None:
    for wrong in (mark("bo", "same_person", 2), mark("cy", "same_person", 1)):
        made = plan(reading([BO_AS_ANN], outside=[ANN]), account(1, "ann"), marks=[wrong], by=rules(removed="nothing"))
        assert told(made) == ["skipped ann: rule", "skipped bo: address_taken 1?"]
        assert marks_told(made) == [f"-same_person {wrong.object_id} {wrong.value}"]


@pytest.mark.parametrize(("rule", "declined"), [("nothing", False), ("create", True)])
def test_nothing_is_relinked_for_whom_no_account_is_wanted(rule: str, declined: bool) -> None:
    marks = [mark("bo", "same_person", 1), *([mark("bo", "declined")] if declined else [])]
    made = plan(reading([BO_AS_ANN], gone=["ann"]), account(1, "ann"), marks=marks, by=rules(new=rule))
    assert told(made) == ["disable ann", f"skipped bo: {'declined' if declined else 'rule'}"]


def test_two_newcomers_relink_nothing() -> None:
    marks = [mark("bo", "same_person", 1)]
    snapshot = reading([BO_AS_ANN, person("cy", mail="ann@firm.example")], gone=["ann"])
    made = plan(snapshot, account(1, "ann"), marks=marks)
    assert told(made) == ["disable ann", "skipped bo: two_newcomers", "skipped cy: two_newcomers"]


def test_someone_else_waits_until_the_address_is_free() -> None:
    marks = [mark("bo", "someone_else", 1)]
    quiet = rules(removed="nothing", deleted="delete")
    made = plan(reading([BO_AS_ANN], outside=[ANN]), account(1, "ann"), marks=marks, by=quiet)
    assert (told(made), marks_told(made)) == (["skipped ann: rule", "skipped bo: address_taken 1"], [])
    free = plan(reading([BO_AS_ANN], gone=["ann"]), account(1, "ann"), marks=marks, by=quiet)
    assert (told(free), marks_told(free)) == (["delete ann", "create bo"], ["-someone_else bo 1"])
    other = [mark("bo", "someone_else", 2)]
    asked = plan(reading([BO_AS_ANN], outside=[ANN]), account(1, "ann"), marks=other, by=quiet)
    assert (told(asked)[-1], marks_told(asked)) == ("skipped bo: address_taken 1?", ["-someone_else bo 2"])


def test_an_address_freed_in_this_run_may_be_used_in_it() -> None:
    snapshot = reading([BO_AS_ANN], gone=["ann"])
    assert told(plan(snapshot, account(1, "ann"), by=rules(deleted="delete"))) == ["delete ann", "create bo"]
    assert told(plan(snapshot, account(1, "ann", **PENDING, was_active=False))) == ["withdraw ann", "create bo"]
    kept_address = plan(snapshot, account(1, "ann", claimed=True), by=rules(deleted="convert"))
    assert told(kept_address) == ["convert ann", "skipped bo: address_personal 1"]
    still_held = plan(snapshot, account(1, "ann"), by=rules(deleted="delete"), marks=[held("ann", "delete")])
    assert told(still_held) == ["held delete ann: brake", "skipped bo: address_taken 1?"]


def test_a_personal_account_of_this_company_keeps_its_address() -> None:
    for marks in ([], [mark("ann", "same_person", 1)]):
        made = plan(reading([ANN]), account(1, "ann", **PERSONAL), marks=marks)
        assert (told(made), made.skipped[0].question) == (["skipped ann: address_personal 1"], False)


def test_of_two_holders_of_an_address_the_older_account_counts() -> None:
    holders = [account(1, "ann", object_id="cy"), account(2, "ann", object_id="dee")]
    for accounts in (holders, holders[::-1]):
        made = plan(reading([ANN, person("cy", given_name="Ann"), person("dee", given_name="Ann")]), *accounts)
        assert [one.other for one in made.skipped] == [1]


# Restorations.


def test_a_restoration_is_skipped_where_the_address_is_taken_meanwhile() -> None:
    for holder in (account(2, "ann", **BY_HAND), account(2, "ann", **PERSONAL)):
        made = plan(reading([ANN]), account(1, "ann", **DELETED), holder)
        assert told(made) == ["skipped ann: restore_taken 2"]
    freed = plan(
        reading([ANN], gone=["bo"]),
        account(1, "ann", **DELETED),
        account(2, "ann", object_id="bo"),
        by=rules(deleted="delete"),
    )
    assert told(freed) == ["delete bo", "restore ann → active"]


def test_two_restorations_with_one_address_are_both_skipped() -> None:
    accounts = [account(1, "ann", **DELETED), account(2, "ANN", object_id="bo", **DELETED)]
    made = plan(reading([ANN, BO]), *accounts)
    assert told(made) == ["skipped ann: restore_twice", "skipped bo: restore_twice"]
    rival = plan(reading([ANN, BO, person("cy", mail="ann@firm.example")]), *accounts)
    assert told(rival)[-1] == "skipped cy: address_taken 1?"
    assert [one.account_id for one in made.skipped] == [1, 2]


def test_of_two_restorations_with_one_address_the_older_account_is_named_to_a_newcomer() -> None:
    accounts = [
        account(1, "bo", email="x@firm.example", **DELETED),
        account(2, "ann", email="x@firm.example", **DELETED),
    ]
    for order in (accounts, accounts[::-1]):
        made = plan(reading([ANN, BO, person("cy", mail="x@firm.example")]), *order)
        assert told(made)[-1] == "skipped cy: address_taken 1?"


def test_whose_own_account_cannot_return_has_no_question_left() -> None:
    made = plan(
        reading([ANN]),
        account(2, "ann", **DELETED),
        account(1, "ann", **BY_HAND),
        marks=[mark("ann", "someone_else", 1)],
    )
    assert (told(made), marks_told(made)) == (["skipped ann: restore_taken 1"], ["-someone_else ann 1"])


def test_a_newcomer_gives_way_to_a_restoration_with_the_same_address() -> None:
    made = plan(reading([ANN, BO_AS_ANN]), account(1, "ann", **DELETED))
    assert told(made) == ["restore ann → active", "skipped bo: address_taken 1?"]


def test_a_held_restoration_takes_no_address() -> None:
    deleted = account(1, "ann", **DELETED)
    snapshot = reading([ANN, BO_AS_ANN])
    before = plan(snapshot, deleted, marks=[held("ann", "restore", "growth")])
    assert told(before) == ["create bo", "held restore ann: growth"]
    tight = plan(snapshot, deleted, limits=Limits(growth_floor=0))
    assert told(tight) == ["held restore ann: growth", "held create bo: growth"]
    both = [held("ann", "restore", "growth"), approved("ann", "restore"), held("bo", "create", "growth")]
    winner = plan(snapshot, deleted, marks=[*both, approved("bo", "create")])
    assert told(winner) == ["restore ann → active approved", "skipped bo: address_taken 1?"]


def test_a_kept_or_unwanted_restoration_takes_no_address() -> None:
    deleted = account(1, "ann", **DELETED)
    kept_out = plan(reading([ANN, BO_AS_ANN]), deleted, marks=[kept("ann", "returned")])
    assert told(kept_out) == ["create bo", "skipped ann: kept"]
    unwanted = plan(reading([ANN, BO_AS_ANN]), deleted, by=rules(returned="nothing"))
    assert told(unwanted) == ["create bo", "skipped ann: rule"]


def test_after_thirty_days_the_owner_is_new_and_an_address_claimed_outside_changes_nothing() -> None:
    made = plan(reading([ANN]), account(1, "ann", **{**DELETED, "restorable": False}))
    assert told(made) == ["create ann"]
