"""“Why?” in a browser: a question typed, somebody chosen, and the answer with the one thing that would change it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from connectors.models import Connector
from tests.demo import seed
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import AMARA, BRIGHTWATER, Scene

Newcomer = Callable[..., Visitor]


@pytest.fixture
def connector(scene: Scene) -> Connector:
    connector = scene.connect(BRIGHTWATER, people.BRIGHTWATER, actions=seed.RULES, settings=seed.SETTINGS)
    tenant = scene.tenant(people.BRIGHTWATER)
    for name in ("Priya Okafor", "Priya Okonjo"):
        tenant.add_user(name, mail=f"{name.lower().replace(' ', '.')}@brightwater.example")
    return connector


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_question_finds_its_person_and_its_answer(
    scene: Scene, connector: Connector, visitor: Newcomer, script: bool
) -> None:
    one = visitor(script=script)
    one.enter_as(scene.user(AMARA))
    one.open(reverse("business:connectors"))
    one.follow("Why has somebody no account?")
    one.page.get_by_label("Name or email address").fill("Priya Ok")
    one.page.get_by_role("button", name="Explain").click()
    one.reads("2 people fit")
    one.look()
    one.follow("Priya Okonjo")
    if not script:
        one.follow("Show the answer")
    one.reads("Priya Okonjo has no account, because they are not in the sync group.")
    assert one.heading == "Priya Okonjo"
    one.look()
    group = scene.tenant(people.BRIGHTWATER).group(people.SYNC_GROUP)
    scene.tenant(people.BRIGHTWATER).add_member(
        group.id, scene.tenant(people.BRIGHTWATER).user("priya.okonjo@brightwater.example").id
    )
    one.follow("Read again now")
    one.reads("At the next run Priya Okonjo gets an account")
