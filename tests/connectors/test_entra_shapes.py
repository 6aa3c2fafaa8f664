"""Directory data of any shape ends in a valid fact or in an error with a sentence, never in anything else."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.directory import DirectoryError, Snapshot
from connectors.entra import forget_tokens
from tests.conftest import LONG
from tests.connectors.entra_scene import Rewriting, Scene

HUGE = "x" * 70_000
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", HUGE, "\x00", "\ud800", "HiddenMembership", "Guest", "https://graph.microsoft.com/x", 10**30]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List where a JSON document may be changed: each value in it."""
    found = [path] if path else []
    if isinstance(node, dict):
        for key, value in node.items():
            found += places(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            found += places(value, (*path, number))
    return found


def spoil(document: Any, chance: random.Random, value: Any, *, remove: bool) -> None:
    """Replace or remove one value somewhere in a document; of a list nothing is removed, for nobody could know."""
    *way, last = chance.choice([place for place in places(document) if not remove or isinstance(place[-1], str)])
    for step in way:
        document = document[step]
    if not remove:
        document[last] = value
    else:
        del document[last]


class World(Scene):
    """Hold a directory that no example changes: one person absent from the group, one purged, a nested group."""

    def __init__(self) -> None:
        super().__init__()
        self.emulator.throttling = False
        self.crowd(3)
        self.hire("Bo Li", self.nest("Engines"))
        self.crew = self.tenant.add_group("Crew")
        self.hire("Di Ray", self.crew)
        self.absent = self.tenant.add_user("Cy Young").id
        self.gone = self.tenant.add_user("Ed Poe").id
        self.tenant.purge_user(self.gone)
        self.whole = self.read(additional=[self.crew.id], known=[self.absent, self.gone])


@cache
def world() -> World:
    return World()


@pytest.mark.parametrize("host", ["graph.", "login."])
@settings(
    max_examples=800 if LONG else 40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), value=ODD, remove=st.booleans(), nth=st.integers(1, 5))
def test_any_shape_is_a_fact_or_a_sentence(host: str, seed: int, value: Any, remove: bool, nth: int) -> None:
    scene = world()
    chance = random.Random(seed)
    answers = 0
    forget_tokens()

    def rewrite(url: str, body: bytes) -> bytes:
        nonlocal answers
        answers += 1
        if answers != nth:
            return body
        document = json.loads(body)
        spoil(document, chance, value, remove=remove)
        return json.dumps(document).encode()

    directory = scene.directory(session=Rewriting(scene.emulator.session(), rewrite, host=host))
    known, people = [scene.absent, scene.gone], [*scene.whole.people]
    for ask in (
        lambda: directory.snapshot(scene.group.id, additional=[scene.crew.id], known=known),
        lambda: directory.second_look(scene.whole, people=people, sync_group_id=scene.group.id, removed=True),
        lambda: directory.search_groups("cr"),
        directory.verify,
    ):
        told: object
        try:
            told = ask()
        except DirectoryError as error:
            told = error
        if isinstance(told, DirectoryError):
            assert told.sentence.endswith(".")
            assert HUGE[:1000] not in told.sentence + told.reference
        elif isinstance(told, Snapshot):
            for text in (text for person in told.people.values() for text in (person.mail, person.display_name)):
                text.encode()
                assert "\x00" not in text


@settings(max_examples=800 if LONG else 40, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), remove=st.booleans(), nth=st.integers(2, 12))
def test_no_lost_value_makes_anybody_gone_or_removed(seed: int, remove: bool, nth: int) -> None:
    """Whatever one value Microsoft leaves out, nobody who is there is called gone or put out of the group."""
    scene = world()
    chance = random.Random(seed)
    answers = 0

    def rewrite(url: str, body: bytes) -> bytes:
        nonlocal answers
        answers += 1
        document = json.loads(body)
        if answers == nth:
            spoil(document, chance, None, remove=remove)
        return json.dumps(document).encode()

    session = Rewriting(scene.emulator.session(), rewrite)
    try:
        told = scene.read(scene.directory(session=session), known=[scene.absent])
    except DirectoryError:
        return
    assert told.gone == frozenset()
    if told.sync_group.complete:
        assert told.sync_group.members.keys() | told.unread.keys() >= scene.whole.sync_group.members.keys()


@settings(max_examples=400 if LONG else 20)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_a_fact_or_a_sentence(body: bytes) -> None:
    scene = world()
    session = Rewriting(scene.emulator.session(), lambda url, whole: body)
    with pytest.raises(DirectoryError):
        scene.read(scene.directory(session=session))
