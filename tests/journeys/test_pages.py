"""Every page there is, wide and narrow, light and dark: no violation of policy or accessibility, nothing sideways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.urls import reverse

from tests.journeys.browsing import DARK, LIGHT, ONCE_MORE, Visitor
from tests.journeys.scene import Scene
from tests.journeys.tours import TOURS, Newcomer, Stop


@pytest.mark.parametrize("tour", TOURS, ids=lambda tour: tour.__name__)
def test_every_page_holds(
    tour: Callable[[Scene, Newcomer], Iterator[Stop]], scene: Scene, visitor: Callable[..., Visitor]
) -> None:
    # Both take long: a run on one database looks at the light pages, one on the other at the dark ones.
    views = LIGHT if connection.vendor == "sqlite" else DARK
    found = {}
    for name, person in tour(scene, visitor):
        try:
            # Those of the partner portal are looked at as the user portal's.
            person.look(ONCE_MORE if name.startswith("partner-") else views)
        except AssertionError as seen:
            found[name] = str(seen)
    assert found == {}


@pytest.mark.parametrize(
    ("flaw", "seen"),
    [
        ("document.querySelector('h1').style.color = '#ddd'", ["1280 px, light: color-contrast: h1"]),
        ("document.querySelector('h1').style.color = '#222'", ["390 px, dark: color-contrast: h1"]),
        (
            "document.querySelector('main').lastElementChild.style.minWidth = '500px'",
            ["390 px, light: N px sideways", "390 px, dark: N px sideways"],
        ),
        (
            "document.querySelector('main').lastElementChild.style.minWidth = '650px'",
            ["820 px, light: N px sideways", "390 px, light: N px sideways", "390 px, dark: N px sideways"],
        ),
        (
            "document.querySelector('label').removeAttribute('for')",
            ["1280 px, light: label: #id_login", "390 px, dark: label: #id_login"],
        ),
    ],
)
def test_a_page_that_does_not_hold_is_noticed(flaw: str, seen: list[str], visitor: Callable[..., Visitor]) -> None:
    person = visitor()
    person.open(reverse("account_login"))
    person.look(LIGHT + DARK)
    person.open(reverse("account_login"))
    person.page.evaluate(flaw)
    with pytest.raises(AssertionError) as found:
        person.look(LIGHT + DARK)
    assert re.sub(r"\d+ px sideways", "N px sideways", str(found.value)).splitlines()[1:] == seen
