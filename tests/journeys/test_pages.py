"""Every page there is, wide and narrow, light and dark: no violation of policy or accessibility, nothing sideways."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.journeys.browsing import Visitor
from tests.journeys.scene import Scene
from tests.journeys.tours import TOURS, Newcomer, Stop


@pytest.mark.parametrize("tour", TOURS, ids=lambda tour: tour.__name__)
def test_every_page_holds(
    tour: Callable[[Scene, Newcomer], Iterator[Stop]], scene: Scene, visitor: Callable[..., Visitor]
) -> None:
    found = {}
    for name, person in tour(scene, visitor):
        try:
            person.look(once_more=name.startswith("partner-"))
        except AssertionError as seen:
            found[name] = str(seen)
    assert found == {}
