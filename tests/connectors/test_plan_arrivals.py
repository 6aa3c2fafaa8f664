"""Who turns out to own what: adoption, recognition, returns, and those kept out."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.plan import Link
from connectors.states import Situation
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DELETED_BY_PERSON,
    DISABLED,
    DISABLED_BY_PERSON,
    HANDED_BACK,
    LOOSE,
    PENDING,
    WAITING,
    account,
    group,
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
UNLINKED: dict[str, Any] = {"managed_by": ManagedBy.PB, "link": None}
ADMIN: dict[str, Any] = {"role": AccountRole.ADMIN}

# Adopted: a PB-managed account of this company with the same email, no live link and no other Microsoft identity.


def test_an_adopted_account_keeps_its_status_and_role() -> None:
    (change,) = plan(reading([ANN]), account(1, "ann", **BY_HAND)).changes
    assert (change.kind, change.account_id, change.object_id, change.status) == ("adopt", 1, "ann", None)
    assert (change.before, change.after, change.email) == ("PB", "Azure AD", "ann@firm.example")
    assert (change.first_name, change.last_name) == ("", "")
    assert change.because.sentence() == "NEW · an account of this company has the same email address"


@pytest.mark.parametrize("rule", ["create", "create_pending", "nothing"])
def test_adoption_happens_whatever_the_rule_for_new_people_says(rule: str) -> None:
    assert told(plan(reading([ANN]), account(1, "ann", **BY_HAND), by=rules(new=rule))) == ["adopt ann"]


def test_adoption_compares_addresses_without_case() -> None:
    assert told(plan(reading([BO_AS_ANN]), account(1, "Ann", **BY_HAND)))[0] == "adopt bo"


def test_a_disabled_person_adopts_nothing() -> None:
    made = plan(reading([person("ann", enabled=False)]), account(1, "ann", **BY_HAND))
    assert told(made) == ["skipped ann: disabled_newcomer"]
    assert (made.skipped[0].name, made.skipped[0].email) == ("Ann", "ann@firm.example")
    assert made.skipped[0].situation is Situation.DISABLED


def test_a_person_outside_the_group_adopts_nothing_by_email() -> None:
    assert told(plan(reading([BO], outside=[ANN]), account(1, "ann", **BY_HAND), account(2, "bo"))) == []


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({"status": AccountStatus.DISABLED, "disabled_by": Hand.CONNECTOR}, ["adopt ann", "enable ann"]),
        (
            {"status": AccountStatus.DISABLED, "disabled_by": Hand.PERSON},
            ["adopt ann", "skipped ann: disabled_by_person"],
        ),
        (PENDING, ["adopt ann"]),
        (WAITING, ["adopt ann", "activate ann"]),
        ({"first_name": "Anne"}, ["adopt ann", "rename ann"]),
    ],
)
def test_what_else_happens_to_an_adopted_account_in_the_same_run(facts: dict[str, Any], lines: list[str]) -> None:
    assert told(plan(reading([ANN]), account(1, "ann", **{**BY_HAND, **facts}))) == lines


@pytest.mark.parametrize(
    "facts",
    [
        {"managed_by": ManagedBy.AZURE_AD},
        {"link": Link()},
        {"linked_elsewhere": True},
        {"barred": True},
        {"object_id": "other", "tenant_id": "elsewhere"},
    ],
)
def test_what_is_not_by_hand_and_free_is_not_adopted(facts: dict[str, Any]) -> None:
    made = plan(reading([ANN]), account(1, "ann", **{**BY_HAND, **facts}))
    assert told(made) == ["skipped ann: address_taken 1?"]


def test_a_deleted_account_by_hand_frees_its_address() -> None:
    assert told(plan(reading([ANN]), account(1, "ann", **{**BY_HAND, **DELETED_BY_PERSON, "object_id": ""}))) == [
        "create ann"
    ]


def test_what_an_adopted_account_remembers_is_noted() -> None:
    made = plan(reading([ANN]), account(1, "ann", **BY_HAND))
    assert [(one.account_id, one.directory_email, one.situations) for one in made.notes] == [
        (1, "ann@firm.example", frozenset())
    ]


# An administrator's account is adopted, or recognised, only when a person confirmed it; otherwise held.


@pytest.mark.parametrize("facts", [BY_HAND, UNLINKED])
def test_an_administrators_account_waits_for_a_person(facts: dict[str, Any]) -> None:
    admin = account(1, "ann", **facts, **ADMIN)
    made = plan(reading([ANN]), admin)
    assert (told(made), marks_told(made), made.notes) == (["held adopt ann: admin"], ["+held ann adopt"], ())
    assert made.held[0].change.because.decision == ""
    again = plan(reading([ANN]), admin, marks=made.marks_set)
    assert (told(again), marks_told(again)) == (told(made), [])
    confirmed = plan(reading([ANN]), admin, marks=[*made.marks_set, mark("ann", "confirmed", 1)])
    assert (told(confirmed), marks_told(confirmed)) == (["adopt ann"], ["-confirmed ann 1", "-held ann adopt"])
    assert confirmed.changes[0].because.decision == "confirmed by a person"
    other = plan(reading([ANN]), admin, marks=[mark("ann", "confirmed", 2)])
    assert told(other) == ["held adopt ann: admin"]


def test_nothing_else_applies_to_an_administrator_who_waits_for_a_person() -> None:
    admin = account(1, "ann", **UNLINKED, **ADMIN, first_name="Anne")
    for snapshot in (reading([BO], outside=[ANN]), reading([BO], gone=["ann"])):
        made = plan(snapshot, admin, account(2, "bo"), by=rules(removed="delete", deleted="delete"))
        assert (told(made), made.second_look) == (["held adopt ann: admin"], frozenset())


def test_a_users_account_needs_no_confirmation_and_says_so() -> None:
    (change,) = plan(reading([ANN]), account(1, "ann", **UNLINKED)).changes
    assert (change.because.situation, change.because.decision) == (None, "")
    assert change.because.sentence() == "the account carries this person's Microsoft identity"


def test_a_confirmed_administrator_who_is_not_there_to_be_linked_is_forgotten() -> None:
    made = plan(reading([ANN]), account(1, "ann", **ADMIN), marks=[mark("ann", "confirmed", 1)])
    assert (told(made), marks_told(made)) == ([], ["-confirmed ann 1"])


# Recognition by identity goes before the email, and covers people who are disabled or out of scope too.


def test_recognition_goes_before_the_email() -> None:
    by_identity = account(1, "anne", object_id="ann", **UNLINKED)
    made = plan(reading([ANN]), by_identity, account(2, "ann", **BY_HAND))
    assert [(one.kind, one.account_id) for one in made.changes] == [("adopt", 1), ("rename", 1), ("email", 1)]


@pytest.mark.parametrize(
    ("snapshot", "lines"),
    [
        (reading([person("ann", enabled=False), BO]), ["adopt ann", "disable ann"]),
        (reading([BO], outside=[ANN]), ["adopt ann", "disable ann"]),
        (reading([BO], outside=[person("ann", enabled=False)]), ["adopt ann", "disable ann"]),
        (reading([BO], gone=["ann"]), ["adopt ann", "disable ann"]),
    ],
)
def test_the_rules_apply_to_a_recognised_account_at_once(snapshot: Any, lines: list[str]) -> None:
    made = plan(snapshot, account(1, "ann", **UNLINKED), account(2, "bo"))
    assert (told(made), made.second_look) == (lines, frozenset({"ann"}))


def test_an_account_that_a_former_connector_deleted_returns_by_its_identity() -> None:
    made = plan(reading([ANN]), account(1, "ann", **{**DELETED, **UNLINKED}))
    assert told(made) == ["adopt ann", "restore ann → active"]


def test_an_account_of_another_connector_is_left_to_it() -> None:
    theirs = account(1, "ann", **UNLINKED, linked_elsewhere=True)
    made = plan(reading([ANN]), theirs)
    assert (told(made), made.skipped[0].situation) == (["skipped ann: other_connector"], Situation.NEW)
    assert made.skipped[0].account_id == 1
    disabled = plan(reading([person("ann", enabled=False)]), theirs)
    assert (told(disabled), disabled.skipped[0].situation) == (["skipped ann: other_connector"], Situation.DISABLED)
    assert told(plan(reading([BO], outside=[ANN]), theirs, account(2, "bo"))) == []


# An account that a person disabled is never enabled by a sync.


def test_the_other_rules_apply_to_an_account_that_a_person_disabled() -> None:
    made = plan(reading([BO], outside=[ANN]), account(1, "ann", **DISABLED_BY_PERSON), account(2, "bo"))
    assert told(made) == []
    stronger = plan(
        reading([BO], outside=[ANN]),
        account(1, "ann", **DISABLED_BY_PERSON),
        account(2, "bo"),
        by=rules(removed="delete"),
    )
    assert told(stronger) == ["delete ann"]


def test_if_the_connector_deleted_it_since_it_returns_disabled_and_needs_no_licence() -> None:
    deleted = account(1, "ann", **{**DELETED, "disabled_by": Hand.PERSON})
    made = plan(reading([ANN]), deleted, licences=0)
    assert (told(made), made.licences_wanted) == (["restore ann → disabled"], 0)
    assert (made.changes[0].before, made.changes[0].after) == ("Deleted", "Disabled")


# An account that a person deleted is not created again while its owner stays in scope.


@pytest.mark.parametrize("enabled", [True, False])
def test_who_was_deleted_by_a_person_is_not_created_again_while_in_scope(enabled: bool) -> None:
    barred = account(1, "ann", **{**DELETED_BY_PERSON, "restorable": False})
    made = plan(reading([person("ann", enabled=enabled)]), barred)
    assert (told(made), made.bars_ended) == (["skipped ann: deleted_by_person"], ())
    (skipped,) = made.skipped
    assert skipped.situation is (Situation.NEW if enabled else Situation.DISABLED)
    assert (skipped.account_id, skipped.name, skipped.email) == (1, "Ann", "ann@firm.example")


def test_a_bar_ends_when_a_complete_read_of_a_group_that_is_not_empty_lacks_the_owner() -> None:
    barred = account(1, "ann", **DELETED_BY_PERSON)
    others = [account(2, "bo"), account(16, "dee", **DELETED_BY_PERSON), account(9, "cy", **DELETED_BY_PERSON)]
    made = plan(reading([BO], outside=[ANN], gone=["cy", "dee"]), barred, *others)
    assert (told(made), made.bars_ended) == ([], (1, 9, 16))
    assert not made.quiet
    for snapshot in (
        reading([], outside=[ANN]),
        reading([], outside=[ANN], state="unreadable"),
        reading([], outside=[ANN], state="gone"),
        reading([BO], unread=["ann"]),
    ):
        assert plan(snapshot, barred).bars_ended == ()


def test_a_bar_is_not_ended_by_somebody_elses_absence() -> None:
    for facts in ({"tenant_id": "elsewhere"}, {"object_id": ""}, {"barred": False}):
        made = plan(reading([BO]), account(1, "ann", **{**DELETED_BY_PERSON, **facts}), account(2, "bo"))
        assert made.bars_ended == ()
    living = account(1, "ann", **HANDED_BACK, barred=True)
    assert plan(reading([BO], outside=[ANN]), living, account(2, "bo")).bars_ended == ()
    shouted = account(1, "ann", **{**DELETED_BY_PERSON, "object_id": "ANN", "tenant_id": "TENANT"})
    assert plan(reading([ANN]), shouted).bars_ended == ()
    assert plan(reading([BO], outside=[ANN]), shouted, account(2, "bo")).bars_ended == (1,)


def test_who_is_left_out_by_a_setting_is_not_in_the_group_for_a_bar() -> None:
    snapshot = reading([BO, ANN], via={"ann": "Sales"})
    barred = account(1, "ann", **DELETED_BY_PERSON)
    assert plan(snapshot, barred, account(2, "bo"), by=rules(direct=True)).bars_ended == (1,)


def test_when_the_bar_ends_the_persons_other_account_counts_at_once() -> None:
    former = account(1, "old", object_id="ann", **{**DELETED, **UNLINKED})
    barred = account(2, "ann", **DELETED_BY_PERSON)
    made = plan(reading([BO], outside=[ANN]), former, barred, account(3, "bo"))
    assert (told(made), made.bars_ended) == (["adopt ann"], (2,))


def test_the_connector_never_touches_an_account_that_was_handed_back() -> None:
    theirs = account(1, "ann", **HANDED_BACK, barred=True, first_name="Anne")
    assert told(plan(reading([ANN]), theirs)) == ["skipped ann: handed_back"]
    for snapshot in (reading([BO], outside=[ANN]), reading([BO], gone=["ann"])):
        assert told(plan(snapshot, theirs, account(2, "bo"), by=rules(removed="delete", deleted="delete"))) == []
    lifted = account(1, "ann", **HANDED_BACK)
    assert told(plan(reading([ANN]), lifted)) == ["adopt ann"]


# Creation declined.


def test_a_declined_newcomer_is_not_created_until_they_left_the_group() -> None:
    declined = [mark("ann", "declined")]
    made = plan(reading([ANN]), marks=declined)
    assert (told(made), marks_told(made)) == (["skipped ann: declined"], [])
    for snapshot, ended in (
        (reading([BO]), ["-declined ann"]),
        (reading([BO], unread=["ann"]), []),
        (reading([]), []),
        (reading([], state="unreadable"), []),
    ):
        assert marks_told(plan(snapshot, account(1, "bo"), marks=declined)) == ended


def test_a_declined_restoration_waits_until_its_owner_has_left_the_group() -> None:
    marks = [mark("ann", "declined")]
    deleted = account(1, "ann", **DELETED)
    made = plan(reading([ANN, BO]), deleted, account(2, "bo"), marks=marks)
    assert (told(made), marks_told(made)) == (["skipped ann: declined"], [])
    assert made.skipped[0].situation is Situation.RETURNED
    disabled = plan(reading([ANN, BO]), account(1, "ann", **DISABLED), account(2, "bo"), marks=marks)
    assert told(disabled) == ["enable ann"]
    # The owner of a deleted account is not looked up: that the group lacks them is enough.
    left = plan(reading([BO]), deleted, account(2, "bo"), marks=marks)
    assert (told(left), marks_told(left)) == ([], ["-declined ann"])
    for snapshot in (reading([BO], unread=["ann"]), reading([], state="unreadable"), reading([])):
        assert marks_told(plan(snapshot, deleted, account(2, "bo"), marks=marks)) in ([], ["+held bo disable"])


def test_a_declined_newcomer_may_still_adopt_an_account() -> None:
    made = plan(reading([ANN]), account(1, "ann", **BY_HAND), marks=[mark("ann", "declined")])
    assert (told(made), marks_told(made)) == (["adopt ann"], [])


# RETURNED: enabled and in scope again, and the connector had disabled or deleted the account.


@pytest.mark.parametrize("facts", [DISABLED, DELETED])
@pytest.mark.parametrize("licences", [None, 1, 0])
def test_without_a_free_licence_the_returning_account_becomes_pending(
    facts: dict[str, Any], licences: int | None
) -> None:
    made = plan(reading([ANN]), account(1, "ann", **facts), licences=licences)
    (change,) = made.changes
    ends = AccountStatus.PENDING if licences == 0 else AccountStatus.ACTIVE
    reason = PendingReason.LICENCE if licences == 0 else PendingReason.NONE
    kind = "restore" if facts is DELETED else "suspend" if licences == 0 else "enable"
    assert (change.kind, change.status, change.pending_reason, change.after) == (kind, ends, reason, ends.label)
    evidence = "no licence was left" if licences == 0 else "enabled and in the sync group again"
    assert change.because.sentence() == f"RETURNED, rule: enable · {evidence}"
    assert made.licences_wanted == int(licences == 0)


def test_a_returned_person_who_came_through_a_nested_group_is_told_so() -> None:
    (change,) = plan(reading([ANN], via={"ann": "Sales"}), account(1, "ann", **DISABLED)).changes
    assert change.because.via == "Sales"


def test_who_is_disabled_or_outside_has_not_returned() -> None:
    for snapshot in (reading([person("ann", enabled=False), BO]), reading([BO], outside=[ANN])):
        for facts in (DISABLED, DELETED):
            assert told(plan(snapshot, account(1, "ann", **facts), account(2, "bo"), limits=LOOSE)) == []


def test_a_group_of_everybody_changes_nobody_twice() -> None:
    everybody = group("Everybody", ["ann"])
    made = plan(reading([ANN], groups=[everybody]), account(1, "ann", **BY_HAND))
    assert told(made) == ["adopt ann", "group_create everybody", "group_join ann everybody"]
