"""Additional groups: what becomes of their mirrors, and who is in them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.directory import GroupReading, GroupState
from connectors.plan import MirrorFacts
from connectors.states import Attention, ChangeKind
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DISABLED,
    HANDED_BACK,
    PENDING,
    WAITING,
    account,
    group,
    held,
    person,
    plan,
    reading,
    rules,
    told,
)

ANN, BO, CY = (person(name) for name in ("ann", "bo", "cy"))
ALL = [account(1, "ann"), account(2, "bo"), account(3, "cy")]


def mirror(*members: int, live: bool = True, name: str = "Crew", number: int = 7) -> MirrorFacts:
    return MirrorFacts(number, "crew", name, live, frozenset(members))


# An additional group mirrors the name and exactly those members who have an Active account through this connector.


def test_a_new_mirror_has_its_name_and_its_members() -> None:
    made = plan(reading([ANN, BO, CY], groups=[group("Crew", ["bo", "ann", "stranger"])]), *ALL)
    assert told(made) == ["group_create crew", "group_join ann crew", "group_join bo crew"]
    created, first, _ = made.changes
    assert (created.name, created.before, created.after, created.group_id) == ("Crew", "", "Crew", None)
    assert (created.directory_group_id, created.account_id) == ("crew", None)
    assert (first.group_id, first.directory_group_id, first.account_id) == (None, "crew", 1)
    assert (first.name, first.email, first.before, first.after) == ("Ann Test", "ann@firm.example", "", "Crew")
    assert [one.because.sentence() for one in (created, first)] == [
        "chosen as an additional group",
        "an active member of the directory group",
    ]


def test_a_mirror_follows_who_joins_and_who_leaves() -> None:
    crew = group("Crew", {"ann": "Sales", "bo": ""})
    made = plan(reading([ANN, BO, CY], groups=[crew]), *ALL, mirrors=[mirror(2, 3)])
    assert told(made) == ["group_leave cy crew", "group_join ann crew"]
    left, joined = made.changes
    assert (left.account_id, left.group_id, left.name, left.before, left.after) == (3, 7, "Cy Test", "Crew", "")
    assert left.email == "cy@firm.example"
    assert left.because.evidence == "not an active member of the directory group"
    assert (joined.account_id, joined.group_id, joined.because.via) == (1, 7, "Sales")


def test_a_mirror_that_is_as_it_should_be_is_left_alone() -> None:
    assert plan(reading([ANN, BO, CY], groups=[group("Crew", ["ann"])]), *ALL, mirrors=[mirror(1)]).quiet


@pytest.mark.parametrize(
    ("facts", "through"),
    [
        ({}, True),
        (PENDING, False),
        (DISABLED, False),
        (DELETED, False),
        ({**HANDED_BACK, "barred": True}, False),
        ({"linked_elsewhere": True, "link": None}, False),
    ],
)
def test_only_active_accounts_through_this_connector_are_members(facts: dict[str, Any], through: bool) -> None:
    made = plan(
        reading([CY], outside=[ANN], groups=[group("Crew", ["ann"])]),
        account(1, "ann", **facts),
        account(3, "cy"),
        by=rules(removed="nothing"),
        mirrors=[mirror(1)],
    )
    assert ("group_leave ann crew" in told(made)) is not through


def test_no_one_gets_an_account_through_an_additional_group() -> None:
    made = plan(reading([CY], outside=[ANN], groups=[group("Crew", ["ann"])]), account(3, "cy"))
    assert told(made) == []


def test_a_group_without_such_a_member_is_not_created() -> None:
    assert told(plan(reading([ANN], groups=[group("Crew", ["bo"])]), account(1, "ann"))) == []


def test_a_group_that_loses_its_last_member_is_kept_empty() -> None:
    made = plan(reading([ANN], groups=[group("Crew")]), account(1, "ann"), mirrors=[mirror(1)])
    assert told(made) == ["group_leave ann crew"]
    assert plan(reading([ANN], groups=[group("Crew")]), account(1, "ann"), mirrors=[mirror()]).quiet


def test_who_becomes_active_in_this_run_joins_in_it() -> None:
    crew = group("Crew", ["ann", "bo", "cy", "dee", "eve"])
    accounts = [
        account(2, "bo", **DISABLED),
        account(3, "cy", **DELETED),
        account(4, "dee", **WAITING),
        account(5, "eve", **BY_HAND),
    ]
    snapshot = reading([ANN, BO, CY, person("dee"), person("eve")], groups=[crew])
    joins = [one for one in plan(snapshot, *accounts).changes if one.kind is ChangeKind.GROUP_JOIN]
    assert [(one.object_id, one.account_id) for one in joins] == [
        ("ann", None),
        ("bo", 2),
        ("cy", 3),
        ("dee", 4),
        ("eve", 5),
    ]
    assert (joins[0].name, joins[0].email) == ("Ann", "ann@firm.example")


def test_who_does_not_become_active_in_this_run_does_not_join() -> None:
    crew = group("Crew", ["ann", "bo"])
    snapshot = reading([ANN, BO], groups=[crew])
    assert told(plan(snapshot, account(2, "bo", **DISABLED), licences=0)) == [
        "suspend bo → pending licence",
        "create_pending ann → pending licence",
    ]
    still_held = plan(snapshot, account(2, "bo"), marks=[held("ann", "create", "growth")])
    assert told(still_held) == ["group_create crew", "group_join bo crew", "held create ann: growth"]


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ("disable", ["disable ann", "group_leave ann crew"]),
        ("delete", ["delete ann"]),
        ("convert", ["convert ann"]),
    ],
)
def test_who_becomes_personal_or_deleted_leaves_every_group_by_that_alone(rule: str, lines: list[str]) -> None:
    made = plan(
        reading([CY], outside=[ANN], groups=[group("Crew", ["ann"])]),
        account(1, "ann", claimed=True),
        account(3, "cy"),
        by=rules(removed=rule),
        mirrors=[mirror(1)],
    )
    assert told(made) == lines


def test_who_is_held_stays_in_the_group() -> None:
    made = plan(
        reading([CY], outside=[ANN], groups=[group("Crew", ["ann"])]),
        account(1, "ann"),
        account(3, "cy"),
        marks=[held("ann", "disable")],
        mirrors=[mirror(1)],
    )
    assert told(made) == ["held disable ann: brake"]


def test_a_pending_account_leaves_the_mirror_too() -> None:
    made = plan(
        reading([ANN], groups=[group("Crew", ["ann"])]),
        account(1, "ann", **DISABLED),
        by=rules(returned="pending"),
        mirrors=[mirror(1)],
    )
    assert told(made) == ["suspend ann → pending rule", "group_leave ann crew"]


def test_direct_members_only_counts_for_all_groups_alike_and_guests_stay() -> None:
    crew = group("Crew", {"ann": "Sales", "bo": ""})
    guest = person("bo", guest=True)
    made = plan(
        reading([ANN, guest], groups=[crew]),
        account(1, "ann"),
        account(2, "bo"),
        by=rules(direct=True, guests=False, removed="nothing"),
        mirrors=[mirror(1, 2)],
    )
    assert told(made) == ["group_leave ann crew", "skipped bo: rule"]


def test_whoever_is_no_member_at_all_is_removed_from_an_exact_mirror() -> None:
    made = plan(
        reading([ANN], groups=[group("Crew", ["ann"])]),
        account(1, "ann"),
        account(4, "hand", **BY_HAND),
        mirrors=[mirror(1, 4, 99)],
    )
    assert told(made) == ["group_leave account 99 crew", "group_leave account 4 crew"]
    unknown, by_hand = made.changes
    assert (unknown.name, unknown.email, by_hand.name) == ("", "", "Hand Test")
    lost = plan(reading([ANN], groups=[group("Crew")]), account(1, "ann"), mirrors=[mirror(16, 9)])
    assert [one.account_id for one in lost.changes] == [9, 16]


# Names.


def test_a_mirror_follows_the_groups_name() -> None:
    crew = group("Crew", ["ann"])
    made = plan(reading([ANN], groups=[crew]), account(1, "ann"), mirrors=[mirror(1, name="Old")])
    (change,) = made.changes
    assert (change.kind, change.group_id, change.before, change.after) == ("group_rename", 7, "Old", "Crew")
    assert (change.name, change.directory_group_id, change.object_id) == ("Crew", "crew", "crew")
    assert change.because.evidence == "the directory has another name"


def test_a_group_without_a_name_keeps_what_it_has_or_is_called_by_its_id() -> None:
    nameless = GroupReading("crew", GroupState.COMPLETE, "", {"ann": ""})
    assert plan(reading([ANN], groups=[nameless]), account(1, "ann"), mirrors=[mirror(1)]).quiet
    created = plan(reading([ANN], groups=[nameless]), account(1, "ann")).changes[0]
    assert (created.name, created.after) == ("crew", "crew")


# Deselected or deleted in Entra: kept, handed back to PB.


def test_a_deselected_group_is_handed_back() -> None:
    made = plan(reading([ANN]), account(1, "ann"), mirrors=[mirror(1)])
    (change,) = made.changes
    assert (change.kind, change.group_id, change.object_id) == ("group_hand_back", 7, "crew")
    assert (change.name, change.before, change.after) == ("Crew", "Azure AD", "PB")
    assert change.directory_group_id == "crew"
    assert change.because.evidence == "not an additional group any more"
    assert plan(reading([ANN]), account(1, "ann"), mirrors=[mirror(1, live=False)]).quiet


def test_a_deleted_group_is_handed_back_as_it_was() -> None:
    snapshot = reading([ANN], groups=[group("Crew", state="gone")])
    made = plan(snapshot, account(1, "ann"), mirrors=[mirror(1)])
    assert (told(made), made.attention) == (["group_hand_back crew"], frozenset())
    assert made.changes[0].because.evidence == "the directory group was deleted"
    assert plan(snapshot, account(1, "ann"), mirrors=[mirror(1, live=False)]).quiet
    assert plan(snapshot, account(1, "ann")).quiet


# Unreadable: its mirror stays as it was, with attention; it stops nobody else's off-boarding.


def test_an_unreadable_groups_mirror_stays_as_it_was_with_attention() -> None:
    snapshot = reading([ANN], outside=[BO], groups=[group("Crew", state="unreadable")])
    made = plan(snapshot, account(1, "ann"), account(2, "bo"), mirrors=[mirror(2)])
    assert (told(made), made.attention) == (["disable bo"], frozenset({Attention.GROUP_UNREADABLE}))


# Reselecting, also by a later connector, takes it up again by its directory id, as an exact mirror.


def test_a_group_chosen_again_is_taken_up_as_an_exact_mirror() -> None:
    handed_back = mirror(2, 4, live=False, name="Renamed by hand")
    made = plan(
        reading([ANN, BO, CY], groups=[group("Crew", ["ann", "bo"])]),
        *ALL,
        account(4, "hand", **BY_HAND),
        mirrors=[handed_back],
    )
    assert told(made) == [
        "group_take_up crew",
        "group_rename crew",
        "group_leave account 4 crew",
        "group_join ann crew",
    ]
    taken = made.changes[0]
    assert (taken.group_id, taken.before, taken.after, taken.name) == (7, "PB", "Azure AD", "Renamed by hand")
    assert taken.because.evidence == "chosen as an additional group"


def test_a_group_chosen_again_is_taken_up_even_without_members() -> None:
    made = plan(reading([ANN], groups=[group("Crew")]), account(1, "ann"), mirrors=[mirror(live=False)])
    assert told(made) == ["group_take_up crew"]


def test_of_several_groups_with_one_directory_id_the_live_one_counts_else_the_first() -> None:
    crew = group("Crew", ["ann"])
    live, old = mirror(number=9), mirror(number=5, live=False)
    for mirrors in ([live, old], [old, live]):
        made = plan(reading([ANN], groups=[crew]), account(1, "ann"), mirrors=mirrors)
        assert [(one.kind, one.group_id) for one in made.changes] == [("group_join", 9)]
    first = mirror(number=3, live=False)
    for mirrors in ([first, old], [old, first]):
        made = plan(reading([ANN], groups=[crew]), account(1, "ann"), mirrors=mirrors)
        assert [(one.kind, one.group_id) for one in made.changes] == [("group_take_up", 3), ("group_join", 3)]


def test_several_groups_are_mirrored_in_the_order_of_their_kinds_and_people() -> None:
    groups = [group("Desk", ["ann"]), group("Crew", ["ann", "bo"])]
    for order in (groups, groups[::-1]):
        made = plan(reading([ANN, BO], groups=order), account(1, "ann"), account(2, "bo"))
        assert told(made) == [
            "group_create crew",
            "group_create desk",
            "group_join ann crew",
            "group_join ann desk",
            "group_join bo crew",
        ]


# Unread people: their memberships stay as they are.


def test_an_unread_person_neither_joins_nor_leaves() -> None:
    accounts = [account(1, "ann"), account(2, "bo"), account(3, "cy"), account(4, "hand", **BY_HAND)]
    crew = group("Crew", ["bo", "cy"])
    snapshot = reading([CY], unread=["ann", "bo"], groups=[crew])
    made = plan(snapshot, *accounts, mirrors=[mirror(1)])
    assert told(made) == ["group_join cy crew", "skipped ann: unread", "skipped bo: unread"]
    alone = plan(reading([CY], unread=["ann"], groups=[group("Crew", ["ann"])]), account(1, "ann"), account(3, "cy"))
    assert told(alone) == ["skipped ann: unread"]


def test_an_unread_persons_account_that_is_not_the_connectors_leaves_an_exact_mirror() -> None:
    theirs = account(1, "ann", **HANDED_BACK)
    made = plan(
        reading([CY], unread=["ann"], groups=[group("Crew", ["ann"])]), theirs, account(3, "cy"), mirrors=[mirror(1)]
    )
    assert told(made) == ["group_leave ann crew"]


@pytest.mark.parametrize("state", ["gone", "unreadable"])
def test_mirrors_stand_still_while_the_sync_group_cannot_be_read(state: str) -> None:
    snapshot = reading([], outside=[ANN], state=state, groups=[group("Crew"), group("Desk", state="gone")])
    desk = MirrorFacts(8, "desk", "Desk", True, frozenset())
    lost = MirrorFacts(9, "lost", "Lost", True, frozenset())
    assert told(plan(snapshot, account(1, "ann"), mirrors=[mirror(1), desk, lost])) == []


def test_an_account_that_becomes_deleted_leaves_also_where_mirrors_stand_still() -> None:
    snapshot = reading([], gone=["ann"], state="unreadable")
    made = plan(snapshot, account(1, "ann"), by=rules(deleted="delete"), mirrors=[mirror(1)])
    assert told(made) == ["delete ann"]
