"""Finding people: by address, object ID or the beginning of a name; what is asked for that, and what is refused."""

from __future__ import annotations

import pytest

from connectors.directory import ConsentMissing, Throttled
from tests.connectors.entra_scene import NOBODY, Scene


@pytest.fixture
def stocked(scene: Scene) -> Scene:
    scene.hire("Ada Lovelace")
    scene.hire("Ada King", mail="countess@brightwater.example", user_principal_name="ada.king@brightwater.example")
    scene.hire("Siobhán O'Brien", mail="siobhan.o'brien@brightwater.example")
    scene.hire("Grace Hopper", display_name="Hopper, Grace", proxy_addresses=["smtp:amazing@brightwater.example"])
    return scene


def names(scene: Scene, text: str, **words: int) -> list[str]:
    return [person.name for person in scene.directory().search_people(text, **words)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada", ["Ada King", "Ada Lovelace"]),
        ("  ADA   l", ["Ada Lovelace"]),
        ("ada.lovelace@brightwater.example", ["Ada Lovelace"]),
        ("COUNTESS@brightwater.example", ["Ada King"]),
        ("ada.king@brightwater.example", ["Ada King"]),
        ("ada.l@", []),
        ("ada.lovelace@br", ["Ada Lovelace"]),
        ("amazing@brightwater.example", ["Hopper, Grace"]),
        ("grace", ["Hopper, Grace"]),
        ("siobhan.o'brien@brightwater.example", ["Siobhán O'Brien"]),
        ("o'b", ["Siobhán O'Brien"]),
        ("nobody of that name", []),
        ("", []),
        ("') or startswith(displayName,'", []),
        ("&$top=1", []),
        ("\\\"'%", []),
        ("x" * 900, []),
        (NOBODY, []),
    ],
)
def test_people_are_found_as_they_are_called(stocked: Scene, text: str, found: list[str]) -> None:
    assert names(stocked, text) == found


def test_an_object_id_finds_its_person(stocked: Scene) -> None:
    ada = stocked.tenant.user("Ada Lovelace")
    assert names(stocked, ada.id.upper()) == ["Ada Lovelace"]
    person, unread = stocked.directory().person(ada.id.upper())
    assert person is not None
    assert (person.name, person.object_id, unread) == ("Ada Lovelace", ada.id, "")


def test_nobody_of_an_id_is_nobody_and_what_is_no_id_is_not_asked_for(stocked: Scene) -> None:
    directory = stocked.directory()
    assert directory.person(NOBODY) == (None, "")
    before = directory.requests
    assert directory.person("../groups") == (None, "")
    assert directory.requests == before


def test_an_exact_address_comes_first_and_no_more_than_asked_for(stocked: Scene) -> None:
    stocked.hire("Ada Aardvark", mail="ada.lovelace@brightwater.example.com")
    assert names(stocked, "ada.lovelace@brightwater.example")[0] == "Ada Lovelace"
    assert len(names(stocked, "ada", limit=2)) == 2


def test_a_large_tenant_is_asked_a_handful_of_requests(scene: Scene) -> None:
    scene.crowd(1200)
    directory = scene.directory()
    assert len(directory.search_people("person", limit=20)) == 20
    assert directory.requests == 3, "discovery, token, one batch"


def test_a_person_who_is_not_shown_is_unread_not_gone(stocked: Scene) -> None:
    ada = stocked.tenant.user("Ada Lovelace")
    stocked.emulator.faults.add(path=f"users/{ada.id}", status=403, times=None)
    person, unread = stocked.directory().person(ada.id)
    assert person is None
    assert unread.startswith("Microsoft does not show this person's record")


def test_without_the_permission_it_says_which_is_missing() -> None:
    scene = Scene(roles=("Group.Read.All",))
    for ask in (lambda: names(scene, "ada"), lambda: scene.directory().person(NOBODY)):
        with pytest.raises(ConsentMissing) as refused:
            ask()
        assert refused.value.permissions == frozenset({"User.Read.All"})


def test_being_slowed_down_comes_through(stocked: Scene) -> None:
    stocked.emulator.faults.add(path="users", status=429, retry_after=600, times=None)
    stocked.emulator.faults.add(path="$batch", status=429, retry_after=600, times=None)
    with pytest.raises(Throttled):
        names(stocked, "ada")
