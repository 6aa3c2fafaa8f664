"""Choosing groups: what a search finds, in which order, and what is said of each."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.directory import ConsentMissing, GroupSummary, SyncGroupMissing, Throttled, Unexpected
from tests.connectors.entra_scene import NOBODY, Scene


def names(scene: Scene, text: str, **words: Any) -> list[str]:
    return [group.name for group in scene.directory().search_groups(text, **words)]


@pytest.fixture
def stocked(scene: Scene) -> Scene:
    for name in (
        "Sales",
        "Sales Berlin",
        "Field sales",
        "Accounts",
        "O'Brien's crew",
        'The "A" team',
        "Ärzte",
        "50% + more",
    ):
        scene.tenant.add_group(name)
    return scene


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sales", ["Sales", "Sales Berlin", "Field sales"]),
        ("  SALES  b", ["Sales Berlin"]),
        ("o'b", ["O'Brien's crew"]),
        ('the "a', ['The "A" team']),
        ("ärz", ["Ärzte"]),
        ("50% +", ["50% + more"]),
        ("berlin", ["Sales Berlin"]),
        ("nothing of that", []),
        ("\\", []),
        ("') or (true", []),
        ("&$top=1", []),
        ("x" * 500, []),
    ],
)
def test_groups_are_found_as_their_name_is_typed(stocked: Scene, text: str, found: list[str]) -> None:
    assert names(stocked, text) == found


def test_an_empty_text_shows_some_groups(stocked: Scene) -> None:
    assert len(names(stocked, "", limit=3)) == 3


def test_an_object_id_finds_its_group(stocked: Scene) -> None:
    assert names(stocked, stocked.group.id.upper()) == ["Password Boss Users"]
    assert names(stocked, NOBODY) == []


def test_a_large_tenant_is_asked_a_handful_of_requests(scene: Scene) -> None:
    for number in range(1500):
        scene.tenant.add_group(f"Team {number:04}")
    directory = scene.directory()
    found = directory.search_groups("team", limit=20)
    assert len({group.name for group in found if group.name.startswith("Team ")}) == 20
    assert directory.requests == 4, "discovery, token, one batch to find, one batch to describe"


def test_a_group_is_described_in_words(scene: Scene) -> None:
    tenant = scene.tenant
    people = [scene.hire(f"Ada{number}") for number in range(4)]
    rule = {"group_types": ["DynamicMembership"], "membership_rule": "x"}
    kinds = {
        "Security": tenant.add_group("a security").id,
        "Mail-enabled security": tenant.add_group("a mail", mail_enabled=True).id,
        "Distribution": tenant.add_group("a list", mail_enabled=True, security_enabled=False).id,
        "Microsoft 365": tenant.add_microsoft_365_group("a unified").id,
        "Dynamic security": tenant.add_group("a rule", **rule).id,
        "Dynamic Microsoft 365": tenant.add_microsoft_365_group(
            "a both", group_types=["Unified", "DynamicMembership"]
        ).id,
        "Group": tenant.add_group("a nothing", security_enabled=False).id,
    }
    directory = scene.directory()
    assert {kind: directory.group(group_id).kind for kind, group_id in kinds.items()} == {kind: kind for kind in kinds}
    assert directory.group(scene.group.id.upper()) == GroupSummary(
        id=scene.group.id,
        name="Password Boss Users",
        kind="Security",
        members=4,
        sample=tuple(person.display_name for person in sorted(people, key=lambda person: person.id))[:3],
        warning="",
    )
    assert {kind: directory.group(group_id).warning for kind, group_id in kinds.items()} == {
        "Security": "Nobody is in it.",
        "Mail-enabled security": "Nobody is in it.",
        "Distribution": "Nobody is in it. It is not a security group: its owners, not only administrators, may decide"
        " who is in it.",
        "Microsoft 365": "Nobody is in it. It is not a security group: its owners, not only administrators, may decide"
        " who is in it.",
        "Dynamic security": "Nobody is in it. A rule in Entra decides who is in it, and may be changed there.",
        "Dynamic Microsoft 365": "Nobody is in it. It is not a security group: its owners, not only administrators, may"
        " decide who is in it. A rule in Entra decides who is in it, and may be changed there.",
        "Group": "Nobody is in it. It is not a security group: its owners, not only administrators, may decide who is"
        " in it.",
    }


def test_a_hidden_group_is_described_without_its_members(scene: Scene) -> None:
    scene.hire("Ada Byron")
    scene.tenant.hide_group(scene.group.id)
    summary = scene.directory().group(scene.group.id)
    assert (summary.members, summary.sample) == (None, ())
    assert summary.warning == "Its members are hidden from this application, so it cannot be synchronised."
    assert summary.readable is False


def test_a_hidden_group_is_one_like_any_other_to_an_application_that_may_read_it() -> None:
    scene = Scene(roles=("Group.Read.All", "User.Read.All", "Member.Read.Hidden"))
    scene.hire("Ada Byron")
    scene.tenant.hide_group(scene.group.id)
    summary = scene.directory().group(scene.group.id)
    assert (summary.members, summary.sample, summary.warning, summary.readable) == (1, ("Ada Byron",), "", True)


def test_a_count_that_is_not_told_is_not_made_up(scene: Scene) -> None:
    scene.hire("Ada Byron")
    scene.emulator.faults.add(path="/members", status=403, times=None)
    assert scene.directory().group(scene.group.id).members is None


@pytest.mark.parametrize("group_id", [NOBODY, "no id", "../users", ""])
def test_a_group_that_is_not_there_is_missing(scene: Scene, group_id: str) -> None:
    with pytest.raises(SyncGroupMissing, match=r"^This tenant has no such group"):
        scene.directory().group(group_id)


def test_a_search_without_permission_says_which_is_missing() -> None:
    scene = Scene(roles=("User.Read.All",))
    for ask in (lambda: scene.directory().search_groups("x"), lambda: scene.directory().group(scene.group.id)):
        with pytest.raises(ConsentMissing) as caught:
            ask()
        assert caught.value.permissions == {"Group.Read.All"}


def test_a_throttled_search_says_until_when(scene: Scene) -> None:
    scene.emulator.faults.add(path="search", status=429, retry_after="90", times=None)
    with pytest.raises(Throttled):
        scene.directory().search_groups("x")


def test_an_index_that_cannot_answer_leaves_the_prefixes(stocked: Scene) -> None:
    stocked.emulator.faults.add(path="search", status=400, times=None)
    assert names(stocked, "sales") == ["Sales", "Sales Berlin"]


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"value": [None, 7, {"displayName": "No id"}, {"id": "no guid"}, {"id": NOBODY, "displayName": 7}]}, []),
        ({"value": [{"id": NOBODY, "displayName": None}]}, [NOBODY]),
    ],
)
def test_an_odd_group_is_left_out_of_a_search(scene: Scene, document: Any, found: list[str]) -> None:
    scene.emulator.faults.add(path="startswith", document=document)
    assert names(scene, "crew") == found


def test_a_search_whose_pages_expire_shows_what_there_is(stocked: Scene) -> None:
    stocked.emulator.faults.add(path="search=", page=1, page_size=2)
    stocked.emulator.faults.add(path="search=", page=2, status=400, code="Directory_ExpiredPageToken")
    assert names(stocked, "sales")[:2] == ["Sales", "Sales Berlin"]


def test_one_search_refused_although_groups_can_be_read_is_ours(scene: Scene) -> None:
    scene.emulator.faults.add(path="startswith", status=403, times=None)
    with pytest.raises(Unexpected, match=r"although the permissions for it are granted"):
        scene.directory().search_groups("x")


def test_an_odd_record_of_a_group_is_no_group(scene: Scene) -> None:
    scene.emulator.faults.add(path=scene.group.id, document={"id": 7})
    with pytest.raises(SyncGroupMissing):
        scene.directory().group(scene.group.id)


def test_trap_12_every_page_of_a_search_says_that_it_may_lag(stocked: Scene) -> None:
    stocked.emulator.faults.add(path="search=", page=1, page_size=0, times=None)
    stocked.emulator.faults.add(path="search=", page=2, page_size=1, times=None)
    assert names(stocked, "sales") == ["Sales", "Sales Berlin", "Field sales"]
    assert [entry.status for entry in stocked.emulator.journal.where("search=")] == [200, 200, 200]


def test_trap_14_a_search_may_lag_behind_the_directory(scene: Scene) -> None:
    scene.tenant.hold_index()
    scene.tenant.add_group("Sales Berlin")
    assert names(scene, "berlin") == []
    assert names(scene, "sales") == ["Sales Berlin"], "a prefix is looked up in the directory itself"
