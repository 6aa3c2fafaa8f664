"""Reading groups and people: complete, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.directory import (
    ConsentMissing,
    CredentialRejected,
    GroupReading,
    GroupState,
    Person,
    Throttled,
    Unavailable,
    Unexpected,
)
from tests.connectors.entra_scene import NOBODY, Rewriting, Scene

MEMBERS = "/members"


def state_of(reading: GroupReading) -> tuple[GroupState, str, dict[str, str]]:
    return reading.state, reading.name, dict(reading.members)


def test_a_person_is_read_with_all_that_is_asked(scene: Scene) -> None:
    ada = scene.hire("Ada Byron", account_enabled=False)
    guest = scene.tenant.add_guest("  Cy  ", "Cy@Partner.example")
    scene.tenant.add_member(scene.group.id, guest.id)
    assert dict(scene.read().people) == {
        ada.id: Person(
            object_id=ada.id,
            enabled=False,
            guest=False,
            display_name="Ada Byron",
            given_name="Ada",
            surname="Byron",
            mail="ada.byron@brightwater.example",
            user_principal_name="ada.byron@brightwater.example",
        ),
        guest.id: Person(
            object_id=guest.id,
            enabled=True,
            guest=True,
            display_name="Cy",
            given_name="",
            surname="",
            mail="Cy@Partner.example",
            user_principal_name="Cy_Partner.example#EXT#@brightwater.onmicrosoft.com",
        ),
    }


def test_texts_no_database_can_hold_are_made_harmless_and_forge_no_address(scene: Scene) -> None:
    person = scene.hire("Ada", surname="By\x00ron", mail="a\x00da@brightwater.example", display_name="山田\u3000太郎")
    long = scene.hire("Bo", given_name="B" * 300, mail=f"{'b' * 400}@brightwater.example")
    people = scene.read().people
    assert people[person.id].surname == "By\ufffdron"
    assert people[person.id].mail == "a\ufffdda@brightwater.example"
    assert people[person.id].display_name == "山田\u3000太郎"
    assert people[long.id].given_name == "B" * 200
    assert people[long.id].mail == "b" * 320, "still too long to be anybody's address"


def test_people_of_nested_groups_say_which_group_lists_them(scene: Scene) -> None:
    direct, both = scene.hire("Ada Byron"), scene.hire("Bo Li")
    engines = scene.nest("Engines")
    pistons = scene.nest("Pistons", engines)
    deep = scene.hire("Cy Young", pistons)
    twice = scene.hire("Di Ray", engines, pistons)
    scene.tenant.add_member(pistons.id, both.id)
    scene.tenant.add_member(pistons.id, scene.group.id)
    scene.tenant.add_member(pistons.id, pistons.id)
    reading = scene.read().sync_group
    assert state_of(reading) == (
        GroupState.COMPLETE,
        "Password Boss Users",
        {direct.id: "", both.id: "", deep.id: "Pistons", twice.id: "Engines"},
    )
    assert len(scene.asked(f"{pistons.id}/members")) == 1


def test_only_people_known_and_absent_are_asked_for_by_id(scene: Scene) -> None:
    member, elsewhere, deleted = scene.hire("Ada Byron"), scene.tenant.add_user("Bo Li"), scene.tenant.add_user("Cy")
    scene.tenant.soft_delete_user(deleted.id)
    snapshot = scene.read(known=[member.id, elsewhere.id.upper(), deleted.id, NOBODY])
    assert set(snapshot.people) == {member.id, elsewhere.id}
    assert snapshot.asked == {elsewhere.id, deleted.id, NOBODY}
    assert snapshot.gone == {deleted.id, NOBODY}
    assert set(snapshot.sync_group.members) == {member.id}
    assert scene.asked(f"/users/{member.id}") == []


def test_many_known_people_are_asked_for_in_batches_of_twenty(scene: Scene) -> None:
    people = [scene.tenant.add_user(f"Person {number}").id for number in range(45)]
    snapshot = scene.read(known=people)
    assert set(snapshot.people) == set(people)
    assert len(scene.asked(r"/\$batch")) == 3


def test_additional_groups_are_complete_gone_or_unreadable(scene: Scene) -> None:
    ada = scene.hire("Ada Byron")
    crew = scene.tenant.add_group("Crew")
    night = scene.nest("Night shift", crew)
    scene.tenant.add_member(crew.id, ada.id)
    outsider = scene.hire("Bo Li", night)
    hidden, refused, deleted, over = (scene.tenant.add_group(name) for name in ("Hidden", "Refused", "Deleted", "Over"))
    scene.tenant.hide_group(hidden.id)
    scene.tenant.delete_group(deleted.id)
    scene.tenant.add_member(over.id, hidden.id)
    scene.emulator.faults.add(path=f"{refused.id}/members", status=403, times=None)
    ids = [crew.id.upper(), hidden.id, refused.id, deleted.id, over.id]
    snapshot = scene.read(additional=ids)
    assert [state_of(reading) for reading in snapshot.additional] == [
        (GroupState.COMPLETE, "Crew", {ada.id: "", outsider.id: "Night shift"}),
        (GroupState.UNREADABLE, "Hidden", {}),
        (GroupState.UNREADABLE, "Refused", {}),
        (GroupState.GONE, "", {}),
        (GroupState.UNREADABLE, "Over", {}),
    ]
    assert [reading.id for reading in snapshot.additional] == [found.lower() for found in ids]
    assert [reading.sentence.split(" (")[0] for reading in snapshot.additional] == [
        "",
        "The members of “Hidden” are hidden",
        "Microsoft does not let this application read “Refused”",
        f"The group {deleted.id} is not in the tenant any more.",
        "“Hidden”, nested in this group, cannot be read. The members of “Hidden” are hidden",
    ]
    assert outsider.id not in snapshot.people


@pytest.mark.parametrize(
    ("path", "fault", "sentence"),
    [
        ("$", {"status": 500}, "Microsoft fails to show this group (status 500)."),
        ("/members", {"status": 504}, "Microsoft fails to show “Crew” (status 504)."),
        (
            "/members",
            {"document": {"value": [{"@odata.type": "#microsoft.graph.user", "id": "odd"}]}},
            "Microsoft listed a member without saying who or what it is. Nothing was changed.",
        ),
        (
            "/members",
            {"document": {"value": {}}},
            "Microsoft answered a listing without its items. Nothing was changed.",
        ),
        ("/members", {"status": 410, "page": 2}, "Microsoft's pages expired again and again while a group was read."),
    ],
)
@pytest.mark.parametrize("others", [0, 2])
def test_an_additional_group_that_microsoft_fails_at_stops_nobody_else(
    scene: Scene, path: str, fault: dict[str, Any], sentence: str, others: int
) -> None:
    ada = scene.hire("Ada Byron")
    crew = scene.tenant.add_group("Crew")
    other = [scene.tenant.add_group(f"Other {number}") for number in range(others)]
    for group in (crew, *other):
        scene.tenant.add_member(group.id, ada.id)
    scene.emulator.faults.add(path=f"/groups/{crew.id}{path}", page_size=1, times=None)
    for one in range(3):
        scene.tenant.add_member(crew.id, scene.tenant.add_user(f"Person {one}").id)
    scene.emulator.faults.add(path=f"/groups/{crew.id}{path}", times=None, **fault)
    snapshot = scene.read(additional=[crew.id, *(group.id for group in other)])
    first, *rest = snapshot.additional
    assert (first.state, first.sentence) == (GroupState.UNREADABLE, sentence)
    assert [state_of(reading) for reading in rest] == [
        (GroupState.COMPLETE, group.display_name, {ada.id: ""}) for group in other
    ]
    assert set(snapshot.people) == {ada.id}


def test_additional_groups_nested_in_the_sync_group_are_read_once(scene: Scene) -> None:
    crew = scene.nest("Crew")
    person = scene.hire("Ada Byron", crew)
    snapshot = scene.read(additional=[crew.id])
    assert state_of(snapshot.additional[0]) == (GroupState.COMPLETE, "Crew", {person.id: ""})
    assert len(scene.asked(f"{crew.id}/members")) == 1


def test_direct_members_only_forgives_an_unreadable_nested_group(scene: Scene) -> None:
    direct = scene.hire("Ada Byron")
    hidden, open_ = scene.nest("Hidden", visibility="HiddenMembership"), scene.nest("Open")
    nested = scene.hire("Bo Li", open_)
    scene.hire("Cy Young", hidden)
    assert scene.read().sync_group.state is GroupState.UNREADABLE
    lenient = scene.read(direct_members_only=True).sync_group
    assert state_of(lenient) == (GroupState.COMPLETE, "Password Boss Users", {direct.id: "", nested.id: "Open"})


def test_hidden_members_are_read_where_the_application_may() -> None:
    scene = Scene(roles=("Group.Read.All", "User.Read.All", "Member.Read.Hidden"))
    scene.tenant.hide_group(scene.group.id)
    person = scene.hire("Ada Byron")
    assert state_of(scene.read().sync_group) == (GroupState.COMPLETE, "Password Boss Users", {person.id: ""})


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_page_that_expired_begins_the_group_again(scene: Scene, status: int) -> None:
    scene.crowd(30)
    expected = scene.read()
    scene.emulator.faults.add(path=MEMBERS, page_size=10, times=None)
    scene.emulator.faults.add(path=MEMBERS, page=2, status=status, code="Directory_ExpiredPageToken")
    assert scene.read() == expected
    scene.emulator.faults.add(path=MEMBERS, page=2, status=status, code="Directory_ExpiredPageToken", times=None)
    with pytest.raises(Unavailable, match=r"^Microsoft's pages expired again and again"):
        scene.read()


def test_a_group_deleted_between_two_pages_is_gone(scene: Scene) -> None:
    scene.crowd(30)
    scene.emulator.faults.add(path=MEMBERS, page_size=10, times=None)
    scene.emulator.faults.add(
        path=MEMBERS,
        page=2,
        change={"tenant": scene.tenant.id, "verb": "delete_group", "args": [scene.group.id]},
    )
    assert scene.read().sync_group.state is GroupState.GONE


def test_a_nested_group_that_vanishes_while_it_is_read_is_not_an_empty_one(scene: Scene) -> None:
    scene.hire("Ada Byron")
    nested = scene.nest("Engines")
    scene.hire("Bo Li", nested)
    scene.emulator.faults.add(path=nested.id, status=404)
    reading = scene.read().sync_group
    assert reading.state is GroupState.UNREADABLE
    assert reading.sentence.startswith("“Engines”, nested in this group, vanished while it was read.")


# --- one odd record ------------------------------------------------------------------------------


def broken(scene: Scene, object_id: str, **changes: Any) -> Rewriting:
    """Make a session in which Microsoft's every record of one person has these values."""

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("id") == object_id:
                node.update(changes)
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    def rewrite(url: str, body: bytes) -> bytes:
        document = json.loads(body)
        visit(document)
        return json.dumps(document).encode()

    return Rewriting(scene.emulator.session(), rewrite)


@pytest.mark.parametrize(
    "changes",
    [{"accountEnabled": None}, {"accountEnabled": "true"}, {"mail": 7}, {"userType": []}, {"displayName": {}}],
)
def test_one_odd_record_stops_nobody_else(scene: Scene, changes: Any) -> None:
    ada, odd, absent = scene.hire("Ada Byron"), scene.hire("Bo Li"), scene.tenant.add_user("Cy")
    first = scene.read(known=[odd.id])
    session = broken(scene, odd.id, **changes)
    snapshot = scene.read(scene.directory(session=session), known=[odd.id, absent.id])
    assert set(snapshot.people) == {ada.id, absent.id}
    assert dict(snapshot.sync_group.members) == {ada.id: ""}
    assert snapshot.asked == {absent.id}
    assert dict(snapshot.unread) == {odd.id: "Microsoft's record of this person is incomplete."}
    again = scene.directory(session=session).second_look(
        first, people=[odd.id], sync_group_id=scene.group.id, removed=True
    )
    assert set(again.people) == {ada.id}
    assert set(again.unread) == {odd.id}
    assert (snapshot.sync_group.unread, again.sync_group.unread) == ({odd.id}, {odd.id})


def test_nobody_readable_at_all_is_no_empty_group(scene: Scene) -> None:
    odd = scene.hire("Bo Li")
    with pytest.raises(Unexpected, match=r"tells nothing of any of them"):
        scene.read(scene.directory(session=broken(scene, odd.id, accountEnabled=None)))


def test_an_unread_member_is_told_apart_from_somebody_unread_outside(scene: Scene) -> None:
    member, other = scene.hire("Ada Byron"), scene.tenant.add_user("Bo")
    both = (scene.hire("Cy Lee"), scene.hire("Dee Ray"))
    for one in (member, other):
        scene.emulator.faults.add(path=f"/users/{one.id}", status=500, times=None)
    first = scene.read(known=[one.id for one in (member, other, *both)])
    assert (set(first.sync_group.members), first.sync_group.unread) == ({member.id, *(one.id for one in both)}, set())
    assert set(first.unread) == {other.id}
    again = look(scene, first, [member.id, both[0].id], removed=True)
    assert (set(again.sync_group.members), again.sync_group.unread) == ({one.id for one in both}, {member.id})
    assert set(again.unread) == {member.id, other.id}


def test_one_person_refused_stops_nobody_else(scene: Scene) -> None:
    one, other = scene.tenant.add_user("Ada"), scene.tenant.add_user("Bo")
    scene.emulator.faults.add(path=f"/users/{one.id}", status=403, times=None)
    snapshot = scene.read(known=[one.id, other.id])
    assert set(snapshot.people) == {other.id}
    assert snapshot.gone == frozenset()
    assert list(snapshot.unread) == [one.id]


@pytest.mark.parametrize(("status", "code"), [(404, "UnknownError"), (400, "Request_BadRequest"), (410, "Gone")])
def test_only_a_true_404_means_gone(scene: Scene, status: int, code: str) -> None:
    person = scene.tenant.add_user("Ada")
    scene.emulator.faults.add(path=f"/users/{person.id}", status=status, code=code, times=None)
    snapshot = scene.read(known=[person.id])
    assert snapshot.gone == frozenset()
    assert list(snapshot.unread) == [person.id]


@pytest.mark.parametrize(
    "item",
    [
        {"@odata.type": "#microsoft.graph.user"},
        {"@odata.type": "#microsoft.graph.user", "id": 7},
        {"@odata.type": "#microsoft.graph.user", "id": "../users"},
        {"id": NOBODY},
        None,
        "odd",
    ],
)
def test_a_member_nobody_can_name_makes_the_listing_useless(scene: Scene, item: Any) -> None:
    scene.emulator.faults.add(path=MEMBERS, document={"value": [item]})
    with pytest.raises(Unexpected, match=r"without saying who or what it is"):
        scene.read()


@pytest.mark.parametrize("document", [{}, {"id": NOBODY, "displayName": "X"}, {"id": "x"}, {"displayName": None}])
def test_a_group_whose_record_is_odd_is_unreadable(scene: Scene, document: Any) -> None:
    scene.emulator.faults.add(path=f"/groups/{scene.group.id}$", document={"id": scene.group.id} | document)
    if document == {}:
        document["id"] = scene.group.id
    reading = scene.read().sync_group
    assert (reading.state, reading.sentence) == (
        GroupState.UNREADABLE,
        "Microsoft's record of this group is incomplete.",
    )


# --- the second look -----------------------------------------------------------------------------


def look(scene: Scene, first: Any, people: Any, **words: Any) -> Any:
    return scene.directory().second_look(
        first, people=people, sync_group_id=scene.group.id, **{"removed": False, **words}
    )


def test_a_second_look_that_sees_the_same_says_the_same(scene: Scene) -> None:
    scene.crowd(3)
    crew = scene.nest("Crew")
    scene.hire("Bo Li", crew)
    leaver = scene.tenant.add_user("Cy")
    first = scene.read(known=[leaver.id, NOBODY], additional=[crew.id])
    assert look(scene, first, [leaver.id, NOBODY], removed=True) == first


def test_whoever_is_in_either_reading_is_in_scope(scene: Scene) -> None:
    stays, leaves, joins = scene.hire("Ada Byron"), scene.hire("Bo Li"), scene.tenant.add_user("Cy")
    first = scene.read(known=[joins.id])
    scene.tenant.remove_member(scene.group.id, leaves.id)
    scene.tenant.add_member(scene.group.id, joins.id)
    second = look(scene, first, [joins.id], removed=True)
    assert dict(second.sync_group.members) == {stays.id: "", leaves.id: "", joins.id: ""}
    assert dict(look(scene, first, [joins.id]).sync_group.members) == {stays.id: "", leaves.id: ""}


def test_who_is_direct_in_either_reading_is_direct(scene: Scene) -> None:
    nested = scene.nest("Engines")
    moves_in, moves_out = scene.hire("Ada Byron"), scene.hire("Bo Li", nested)
    first = scene.read()
    assert dict(first.sync_group.members) == {moves_in.id: "", moves_out.id: "Engines"}
    for person, former, new in ((moves_in, scene.group, nested), (moves_out, nested, scene.group)):
        scene.tenant.remove_member(former.id, person.id)
        scene.tenant.add_member(new.id, person.id)
    second = look(scene, first, [], removed=True)
    assert dict(second.sync_group.members) == {moves_in.id: "", moves_out.id: ""}


def test_the_newest_record_counts(scene: Scene) -> None:
    person = scene.hire("Ada Byron", account_enabled=False)
    first = scene.read()
    scene.tenant.enable_user(person.id)
    assert first.people[person.id].enabled is False
    assert look(scene, first, [person.id]).people[person.id].enabled is True
    assert look(scene, first, [], removed=True).people[person.id].enabled is True


def test_gone_is_only_who_is_gone_now(scene: Scene) -> None:
    back, lost, unasked = (scene.tenant.add_user(name) for name in ("Ada", "Bo", "Cy"))
    member = scene.hire("Di Ray")
    scene.tenant.soft_delete_user(back.id)
    scene.tenant.soft_delete_user(unasked.id)
    first = scene.read(known=[back.id, lost.id, unasked.id])
    assert first.gone == {back.id, unasked.id}
    scene.tenant.restore_user(back.id)
    scene.tenant.soft_delete_user(lost.id)
    scene.tenant.soft_delete_user(member.id)
    second = look(scene, first, [back.id, lost.id, member.id])
    assert second.gone == {lost.id, member.id}
    assert set(second.people) == {back.id}
    assert second.asked == {back.id, lost.id, member.id}
    assert dict(second.sync_group.members) == {}


@pytest.mark.parametrize(("verb", "state"), [("delete_group", GroupState.GONE), ("hide_group", GroupState.UNREADABLE)])
def test_a_group_lost_in_the_second_look_stays_lost(scene: Scene, verb: str, state: GroupState) -> None:
    person = scene.hire("Ada Byron")
    first = scene.read()
    getattr(scene.tenant, verb)(scene.group.id)
    second = look(scene, first, [person.id], removed=True)
    assert state_of(second.sync_group)[::2] == (state, {})
    assert set(second.people) == {person.id}
    assert look(scene, second, [person.id], removed=True).sync_group.state is state


def test_a_group_found_in_the_second_look_alone_stays_unknown(scene: Scene) -> None:
    scene.hire("Ada Byron")
    scene.tenant.hide_group(scene.group.id)
    first = scene.read()
    scene.tenant.show_group(scene.group.id)
    assert look(scene, first, [], removed=True).sync_group.state is GroupState.UNREADABLE


# --- the traps -----------------------------------------------------------------------------------


def test_trap_10_people_who_may_not_be_read_are_no_blank_people() -> None:
    scene = Scene(roles=("Group.Read.All",))
    scene.crowd(3)
    with pytest.raises(ConsentMissing) as caught:
        scene.read()
    assert caught.value.permissions == {"User.Read.All"}


def test_trap_10_whether_an_account_is_enabled_is_always_asked(scene: Scene) -> None:
    scene.hire("Ada Byron", account_enabled=False)
    leaver = scene.tenant.add_user("Bo Li", account_enabled=False)
    snapshot = scene.read(known=[leaver.id])
    assert [person.enabled for person in snapshot.people.values()] == [False, False]
    for path in scene.asked(r"/members|/users/"):
        assert "accountEnabled" in path


def test_trap_11_an_empty_page_is_no_end(scene: Scene) -> None:
    scene.crowd(5)
    expected = scene.read()
    scene.emulator.faults.add(path=MEMBERS, page=1, page_size=0)
    scene.emulator.faults.add(path=MEMBERS, page=2, page_size=2)
    scene.emulator.faults.add(path=MEMBERS, page=3, page_size=0)
    assert scene.read() == expected
    assert len(scene.asked(MEMBERS)) == 1 + 4


def test_trap_11_the_next_link_is_used_as_it_is(scene: Scene) -> None:
    scene.crowd(3)
    links: list[str] = []

    def keep(url: str, body: bytes) -> bytes:
        link = json.loads(body).get("@odata.nextLink")
        if link:
            links.append(link + "&%24mark=a%2Bb~c")
            return body.replace(link.encode(), links[-1].encode())
        return body

    scene.emulator.faults.add(path=MEMBERS, page=1, page_size=2)
    scene.emulator.faults.add(path="mark", document={"value": []})
    directory = scene.directory(session=Rewriting(scene.emulator.session(), keep))
    scene.read(directory)
    assert len(links) == 1
    assert scene.asked("mark")[0].endswith("&$mark=a+b~c")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1.0/groups/x/members?$skiptoken=1",
        "https://graph.microsoft.com@evil.example/v1.0/groups",
        "https://graph.microsoft.com.evil.example/v1.0/groups",
        "http://graph.microsoft.com/v1.0/groups/x/members?$skiptoken=1",
        "https://graph.microsoft.us/v1.0/groups/x/members?$skiptoken=1",
        "/v1.0/groups/x/members?$skiptoken=1",
        "",
        7,
        ["https://graph.microsoft.com/v1.0/groups"],
    ],
)
def test_trap_11_no_token_follows_a_link_elsewhere(scene: Scene, link: Any) -> None:
    scene.emulator.faults.add(path=MEMBERS, document={"value": [], "@odata.nextLink": link}, times=None)
    with pytest.raises(Unexpected, match=r"^Microsoft's next page lies outside Microsoft Graph\."):
        scene.read()
    assert scene.emulator.strays == []


def test_pages_in_a_circle_come_to_an_end(scene: Scene) -> None:
    link = f"https://graph.microsoft.com/v1.0/groups/{scene.group.id}/members?$skiptoken=x"
    scene.emulator.faults.add(path=MEMBERS, document={"value": [], "@odata.nextLink": link}, times=None)
    with pytest.raises(Unexpected, match=r"^Microsoft's pages do not come to an end\."):
        scene.read()
    assert len(scene.asked(MEMBERS)) == 2


def test_trap_13_more_than_twenty_members_and_a_group_is_no_person(scene: Scene) -> None:
    people = scene.crowd(25)
    nested = scene.nest("Engines")
    inner = [scene.hire(f"Inner {number}", nested) for number in range(25)]
    snapshot = scene.read()
    assert set(snapshot.people) == {person.id for person in [*people, *inner]}
    assert nested.id not in snapshot.sync_group.members
    assert scene.asked("expand") == []


def test_trap_14_nothing_is_decided_from_the_lagging_index(scene: Scene) -> None:
    scene.hire("Ada Byron")
    scene.tenant.hold_index()
    fresh, leaver = scene.hire("Bo Li"), scene.tenant.add_user("Cy")
    snapshot = scene.read(known=[leaver.id])
    assert fresh.id in snapshot.sync_group.members
    assert snapshot.gone == frozenset()
    assert scene.asked("count=|search=|microsoft.graph") == []


def test_trap_15_members_of_many_pages_are_put_together(scene: Scene) -> None:
    people = scene.crowd(25)
    nested = scene.nest("Engines")
    inner = [scene.hire(f"Inner {number}", nested) for number in range(25)]
    expected = scene.read(additional=[nested.id])
    scene.emulator.faults.add(path=MEMBERS, page_size=7, times=None)
    snapshot = scene.read(additional=[nested.id])
    assert snapshot == expected
    assert set(snapshot.sync_group.members) == {person.id for person in [*people, *inner]}


def test_trap_16_a_soft_deleted_person_is_gone_and_not_just_changed(scene: Scene) -> None:
    person = scene.hire("Ada Byron")
    scene.tenant.soft_delete_user(person.id)
    snapshot = scene.read(known=[person.id])
    assert snapshot.gone == {person.id}
    assert dict(snapshot.sync_group.members) == {}


def test_trap_17_a_restored_person_is_back_with_their_groups(scene: Scene) -> None:
    person = scene.hire("Ada Byron")
    crew = scene.tenant.add_group("Crew")
    scene.tenant.add_member(crew.id, person.id)
    before = scene.read(known=[person.id], additional=[crew.id])
    scene.tenant.soft_delete_user(person.id)
    without = scene.read(known=[person.id], additional=[crew.id])
    assert without.gone == {person.id}
    assert dict(without.additional[0].members) == {}
    scene.tenant.restore_user(person.id)
    assert scene.read(known=[person.id], additional=[crew.id]) == before


def test_trap_18_a_change_in_a_nested_group_shows_in_every_group_above(scene: Scene) -> None:
    nested = scene.nest("Engines")
    above = scene.tenant.add_group("Above")
    scene.tenant.add_member(above.id, scene.group.id)
    scene.read(additional=[above.id])
    person = scene.hire("Ada Byron", nested)
    snapshot = scene.read(additional=[above.id])
    assert dict(snapshot.sync_group.members) == {person.id: "Engines"}
    assert dict(snapshot.additional[0].members) == {person.id: "Engines"}


def test_trap_19_nobody_who_left_during_a_long_outage_is_missed(scene: Scene) -> None:
    leaver, deleted = scene.hire("Ada Byron"), scene.hire("Bo Li")
    scene.read()
    scene.tenant.remove_member(scene.group.id, leaver.id)
    scene.tenant.purge_user(deleted.id)
    scene.emulator.clock.advance(days=40)
    scene.tenant.revoke_tokens(scene.app.client_id)
    snapshot = scene.read(known=[leaver.id, deleted.id])
    assert dict(snapshot.sync_group.members) == {}
    assert set(snapshot.people) == {leaver.id}
    assert snapshot.gone == {deleted.id}
    assert scene.asked("delta") == []


def test_trap_20_a_group_selected_later_is_complete_at_once(scene: Scene) -> None:
    person = scene.hire("Ada Byron")
    crew = scene.tenant.add_group("Crew")
    scene.tenant.add_member(crew.id, person.id)
    scene.read()
    assert dict(scene.read(additional=[crew.id]).additional[0].members) == {person.id: ""}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 401}, CredentialRejected),
        ({"status": 429, "retry_after": "60"}, Throttled),
        ({"status": 503}, Unavailable),
        ({"drop": True}, Unavailable),
        ({"cut": 40}, Unavailable),
        ({"truncate": True}, Unavailable),
        ({"document": {"@odata.context": "x"}}, Unexpected),
        ({"document": {"value": {}}}, Unexpected),
    ],
)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_trap_21_half_a_listing_is_none(scene: Scene, fault: Any, kind: Any, page: int) -> None:
    scene.crowd(30)
    scene.emulator.faults.add(path=MEMBERS, page_size=10, times=None)
    assert len(scene.read().people) == 30
    scene.emulator.faults.add(path=MEMBERS, page=page, times=None, **fault)
    with pytest.raises(kind):
        scene.read()


@pytest.mark.parametrize("page", [1, 2, 3])
def test_trap_21_a_page_refused_half_way_leaves_nobody_out(scene: Scene, page: int) -> None:
    scene.crowd(30)
    scene.emulator.faults.add(path=MEMBERS, page_size=10, times=None)
    scene.emulator.faults.add(path=MEMBERS, page=page, status=403, times=None)
    reading = scene.read().sync_group
    assert state_of(reading) == (GroupState.UNREADABLE, "Password Boss Users", {})


def test_trap_21_consent_revoked_half_way_is_consent_missing(scene: Scene) -> None:
    scene.crowd(30)
    scene.emulator.faults.add(path=MEMBERS, page_size=10, times=None)
    scene.emulator.faults.add(
        path=MEMBERS,
        page=2,
        change=[
            {"tenant": scene.tenant.id, "verb": "revoke_consent", "args": [scene.app.client_id]},
            {"tenant": scene.tenant.id, "verb": "revoke_tokens", "args": [scene.app.client_id]},
        ],
    )
    with pytest.raises(ConsentMissing):
        scene.read()


def test_trap_22_a_deleted_sync_group_is_gone_and_not_empty(scene: Scene) -> None:
    person, deleted = scene.hire("Ada Byron"), scene.hire("Bo Li")
    scene.tenant.delete_group(scene.group.id)
    scene.tenant.purge_user(deleted.id)
    snapshot = scene.read(known=[person.id, deleted.id])
    assert snapshot.sync_group == GroupReading(
        scene.group.id,
        GroupState.GONE,
        sentence=f"The group {scene.group.id} is not in the tenant any more.",
    )
    assert set(snapshot.people) == {person.id}
    assert snapshot.gone == {deleted.id}


def test_trap_22_an_empty_sync_group_is_complete(scene: Scene) -> None:
    assert state_of(scene.read().sync_group) == (GroupState.COMPLETE, "Password Boss Users", {})


def test_trap_23_answers_of_a_batch_are_told_apart_by_their_ids(scene: Scene) -> None:
    people = [scene.tenant.add_user(f"Person {number:02}") for number in range(20)]
    scene.tenant.purge_user(people[7].id)
    snapshot = scene.read(known=[person.id for person in people])
    assert {object_id: person.display_name for object_id, person in snapshot.people.items()} == {
        person.id: person.display_name for person in people if person is not people[7]
    }
    assert snapshot.gone == {people[7].id}


@pytest.mark.parametrize("header", ["0.249", "3", None])
def test_trap_23_only_what_failed_in_a_batch_is_asked_again(scene: Scene, header: str | None) -> None:
    people = [scene.tenant.add_user(f"Person {number:02}").id for number in range(20)]
    slow = sorted(people)[3]
    scene.emulator.faults.add(path=f"/users/{slow}", status=429, retry_after=header)
    scene.emulator.faults.add(path=f"/users/{slow}", status=503, nth=2)
    snapshot = scene.read(known=people)
    assert set(snapshot.people) == set(people)
    assert len(scene.asked(f"/users/{slow}")) == 3
    assert all(len(scene.asked(f"/users/{other}")) == 1 for other in people if other != slow)
    assert len(scene.waited) == 2
    if header:
        assert scene.waited[0] == float(header)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 429, "retry_after": "120"}, Throttled),
        ({"status": 429}, Throttled),
        ({"status": 501}, Unexpected),
        ({"status": 302}, Unexpected),
        ({"status": 401}, CredentialRejected),
    ],
)
def test_trap_23_a_batch_of_200_is_no_success(scene: Scene, fault: Any, kind: Any) -> None:
    people = [scene.tenant.add_user(f"Person {number:02}").id for number in range(3)]
    scene.emulator.faults.add(path=f"/users/{people[1]}", times=None, **fault)
    with pytest.raises(kind):
        scene.read(known=people)
    assert scene.emulator.journal.where(r"/\$batch")[0].status == 200


@pytest.mark.parametrize(
    ("status", "others"), [(500, 0), (504, 0), (408, 2), (424, 2), (500, 2), (502, 2), (503, 2), (504, 2)]
)
def test_trap_23_what_microsoft_fails_at_again_and_again_is_unread_and_stops_nobody(
    scene: Scene, status: int, others: int
) -> None:
    people = [scene.tenant.add_user(f"Person {number:02}").id for number in range(1 + others)]
    scene.emulator.faults.add(path=f"/users/{people[0]}", times=None, status=status)
    snapshot = scene.read(known=people)
    assert (set(snapshot.people), snapshot.gone) == (set(people[1:]), frozenset())
    assert snapshot.unread == {people[0]: f"Microsoft fails to show this person's record (status {status})."}
    assert len(scene.asked(f"/users/{people[0]}")) == 4


def test_trap_23_a_few_broken_records_are_those_records_alone_though_nobody_else_is_asked_for(scene: Scene) -> None:
    ada = scene.hire("Ada Byron")
    broken = [scene.tenant.add_user(f"Person {number:02}").id for number in range(2)]
    for one in broken:
        scene.emulator.faults.add(path=f"/users/{one}", times=None, status=500)
    snapshot = scene.read(known=broken)
    assert (set(snapshot.sync_group.members), set(snapshot.unread)) == ({ada.id}, set(broken))


def test_trap_23_where_microsoft_fails_at_everybody_nothing_is_known(scene: Scene) -> None:
    people = [scene.tenant.add_user(f"Person {number:02}").id for number in range(3)]
    scene.emulator.faults.add(path="/users", times=None, status=503)
    for known in (people, people[:1]):
        with pytest.raises(Unavailable):
            scene.read(known=known)


def test_trap_23_a_fault_with_a_long_wait_is_a_wish_to_slow_down(scene: Scene) -> None:
    people = [scene.tenant.add_user(f"Person {number:02}").id for number in range(3)]
    scene.emulator.faults.add(path=f"/users/{people[0]}", times=None, status=503, retry_after="120")
    with pytest.raises(Throttled):
        scene.read(known=people)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"responses": {}},
        {"responses": [7]},
        {"responses": [{"id": "0"}]},
        {"responses": [{"id": "0", "status": "200"}]},
        {"responses": [{"id": "9", "status": 200, "body": {}}]},
        {"responses": [{"id": "0", "status": 404, "body": {}}, {"id": "0", "status": 404, "body": {}}]},
    ],
)
def test_trap_23_an_odd_batch_is_unexpected(scene: Scene, document: Any) -> None:
    scene.emulator.faults.add(path=r"/\$batch", document=document)
    with pytest.raises(Unexpected):
        scene.read(known=[NOBODY, scene.group.id])


def test_trap_23_an_answer_missing_from_a_batch_is_asked_for_again(scene: Scene) -> None:
    people = [scene.tenant.add_user(f"Person {number:02}").id for number in range(3)]
    scene.emulator.faults.add(path=r"/\$batch", document={"responses": []})
    assert set(scene.read(known=people).people) == set(people)
    scene.emulator.faults.add(path=r"/\$batch", document={"responses": []}, times=None)
    with pytest.raises(Unavailable):
        scene.read(known=people)


def test_trap_27_ids_are_the_same_in_any_case_and_names_are_no_ids(scene: Scene) -> None:
    person = scene.hire("Ada Byron")
    crews = [scene.tenant.add_group("Crew"), scene.tenant.add_group("Crew")]
    scene.tenant.add_member(crews[0].id, person.id)

    def shout(url: str, body: bytes) -> bytes:
        for found in (person.id, scene.group.id, crews[0].id):
            body = body.replace(f'"id":"{found}"'.encode(), f'"id":"{found.upper()}"'.encode())
        return body

    session = Rewriting(scene.emulator.session(), shout)
    snapshot = scene.directory(session=session).snapshot(
        scene.group.id.upper(), additional=[crew.id for crew in crews], known=[person.id.upper()]
    )
    assert snapshot == scene.read(additional=[crew.id for crew in crews], known=[person.id])
    assert dict(snapshot.sync_group.members) == {person.id: ""}
    assert [(reading.name, dict(reading.members)) for reading in snapshot.additional] == [
        ("Crew", {person.id: ""}),
        ("Crew", {}),
    ]


def test_trap_28_a_person_is_their_id_whatever_address_they_have(scene: Scene) -> None:
    ada = scene.hire("Ada Byron")
    scene.tenant.update_user(
        ada.id, user_principal_name="ada.king@brightwater.example", mail="ada.king@brightwater.example"
    )
    heir = scene.hire("Ada Byron")
    people = scene.read().people
    assert {object_id: person.mail for object_id, person in people.items()} == {
        ada.id: "ada.king@brightwater.example",
        heir.id: "ada.byron@brightwater.example",
    }
    scene.tenant.purge_user(ada.id)
    scene.tenant.update_user(heir.id, user_principal_name=ada.id)
    assert scene.read(known=[ada.id]).gone == frozenset(), "what answers to the id is somebody else"
    assert list(scene.read(known=[ada.id]).unread) == [ada.id]


@pytest.mark.parametrize("roles", [("Group.Read.All", "User.Read.All"), ("Directory.Read.All", "Member.Read.Hidden")])
def test_trap_29_what_is_no_person_is_passed_over(roles: tuple[str, ...]) -> None:
    scene = Scene(roles=roles)  # with the wider permission a device shows its name, and that it is enabled
    person = scene.hire("Ada Byron")
    for other in (
        scene.tenant.add_device("Laptop"),
        scene.tenant.add_org_contact("Supplier", mail="supplier@partner.example"),
        next(iter(scene.tenant.service_principals.values())),
    ):
        scene.tenant.add_member(scene.group.id, other.id)
    session = Rewriting(
        scene.emulator.session(),
        lambda url, body: body.replace(b"#microsoft.graph.orgContact", b"#microsoft.graph.somethingNew"),
    )
    snapshot = scene.read(scene.directory(session=session))
    assert set(snapshot.people) == {person.id}
    assert dict(snapshot.sync_group.members) == {person.id: ""}
    assert scene.asked("/users") == []
