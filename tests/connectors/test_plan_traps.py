"""Traps of the Microsoft directory that the planner must not step into, by their number in the list of traps."""

from __future__ import annotations

import pytest

from connectors.directory import GroupReading, GroupState
from connectors.plan import Link, MirrorFacts
from connectors.states import Attention
from tests.connectors.planning import BY_HAND, account, group, person, plan, reading, rules, told

ANN, BO, CY = (person(name) for name in ("ann", "bo", "cy"))
EVERYBODY = [account(1, "ann"), account(2, "bo"), account(3, "cy")]


def test_trap_08_nobody_gets_an_account_by_the_email_of_somebody_else() -> None:
    # Microsoft lets a tenant write any address into mail: it proves nothing about an account that has an identity.
    impostor = person("eve", mail="ann@firm.example", user_principal_name="ann@firm.example")
    made = plan(reading([impostor], outside=[ANN]), account(1, "ann"), by=rules(removed="nothing"))
    assert told(made) == ["skipped ann: rule", "skipped eve: address_taken 1?"]


def test_trap_08_an_identity_is_one_only_in_its_tenant() -> None:
    foreign = account(1, "ann", tenant_id="elsewhere", link=None)
    assert told(plan(reading([ANN]), foreign)) == ["skipped ann: address_taken 1?"]


def test_trap_08_an_address_adopts_only_what_no_identity_owns() -> None:
    assert told(plan(reading([ANN]), account(1, "ann", **BY_HAND))) == ["adopt ann"]


def test_trap_18_who_leaves_a_nested_group_leaves_the_scope() -> None:
    nested = reading([ANN, BO], via={"bo": "Sales"})
    accounts = [account(1, "ann"), account(2, "bo")]
    assert told(plan(nested, *accounts)) == []
    assert told(plan(reading([ANN], outside=[BO]), *accounts)) == ["disable bo"]


def test_trap_18_who_leaves_a_nested_group_leaves_the_mirror() -> None:
    mirrors = [MirrorFacts(7, "crew", "Crew", True, frozenset({1, 2}))]
    accounts = [account(1, "ann"), account(2, "bo")]
    nested = group("Crew", {"ann": "", "bo": "Sales"})
    assert told(plan(reading([ANN, BO], groups=[nested]), *accounts, mirrors=mirrors)) == []
    left = group("Crew", ["ann"])
    assert told(plan(reading([ANN, BO], groups=[left]), *accounts, mirrors=mirrors)) == ["group_leave bo crew"]


def test_trap_22_a_deleted_sync_group_is_not_zero_members() -> None:
    gone = plan(reading([], outside=[ANN, BO, CY], state="gone"), *EVERYBODY)
    assert (told(gone), gone.attention) == ([], {Attention.SYNC_GROUP_MISSING})
    empty = plan(reading([], outside=[ANN, BO, CY]), *EVERYBODY)
    assert (empty.changes, len(empty.held), empty.attention) == (
        (),
        3,
        {Attention.SYNC_GROUP_EMPTY, Attention.HELD},
    )


def test_trap_22_a_group_that_was_not_read_has_no_members_to_tell_of() -> None:
    with pytest.raises(ValueError, match="has no members"):
        GroupReading("sync", GroupState.GONE, members={"ann": ""})


def test_trap_22_a_deleted_additional_group_is_not_zero_members() -> None:
    mirrors = [MirrorFacts(7, "crew", "Crew", True, frozenset({1, 2}))]
    accounts = [account(1, "ann"), account(2, "bo")]
    made = plan(reading([ANN, BO], groups=[group("Crew", state="gone")]), *accounts, mirrors=mirrors)
    assert told(made) == ["group_hand_back crew"]


def test_trap_27_groups_are_told_apart_by_id_and_not_by_name() -> None:
    twins = [
        GroupReading(f"id-{one}", GroupState.COMPLETE, "Sales", {name: ""}) for one, name in ((1, "ann"), (2, "bo"))
    ]
    made = plan(reading([ANN, BO], groups=twins), account(1, "ann"), account(2, "bo"))
    assert told(made) == [
        "group_create id-1",
        "group_create id-2",
        "group_join ann id-1",
        "group_join bo id-2",
    ]
    assert [one.name for one in made.changes[:2]] == ["Sales", "Sales"]


def test_trap_27_a_renamed_group_is_the_same_group() -> None:
    mirrors = [MirrorFacts(7, "crew", "Old name", True, frozenset({1}))]
    made = plan(reading([ANN], groups=[group("Crew", ["ann"])]), account(1, "ann"), mirrors=mirrors)
    assert told(made) == ["group_rename crew"]


def test_trap_27_ids_are_compared_without_case() -> None:
    mirrors = [MirrorFacts(7, "CREW", "Crew", True, frozenset({1}))]
    shouted = account(1, "ann", object_id="ANN", tenant_id="TENANT")
    assert told(plan(reading([ANN], groups=[group("Crew", ["ann"])]), shouted, mirrors=mirrors)) == []
    loud = GroupReading("CREW", GroupState.COMPLETE, "Crew", {"ann": ""})
    quiet = [MirrorFacts(7, "crew", "Crew", True, frozenset({1}))]
    assert told(plan(reading([ANN], groups=[loud]), shouted, mirrors=quiet)) == []


def test_trap_28_a_person_who_marries_keeps_the_account() -> None:
    married = person("ann", surname="Wed", mail="ann.wed@firm.example", user_principal_name="ann.wed@firm.example")
    made = plan(reading([married]), account(1, "ann"))
    assert (told(made), {one.account_id for one in made.changes}) == (["rename ann", "email ann"], {1})


def test_trap_28_an_address_freed_in_the_directory_may_be_a_new_persons() -> None:
    heir = person("bo", mail="ann@firm.example", user_principal_name="ann@firm.example")
    renamed = person("ann", mail="ann.wed@firm.example")
    link = Link("ann.wed@firm.example")
    here = plan(reading([renamed, heir]), account(1, "ann", link=link))
    assert told(here) == ["skipped bo: address_taken 1?"]
    gone = plan(reading([heir], gone=["ann"]), account(1, "ann", link=link))
    assert told(gone) == ["disable ann", "skipped bo: address_taken 1?"]
    freed = plan(reading([heir], gone=["ann"]), account(1, "ann", link=link), by=rules(deleted="delete"))
    assert told(freed) == ["delete ann", "create bo"]
