"""Who may change the settings of a connector that synchronises: nobody who may only run it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors import lifecycle
from connectors.sync.load import rules_of
from tenants.roles import Role
from tests.connectors.portal_visit import Visitor
from tests.entra_emulator import Emulator
from tests.stage import Stage


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace")


def test_a_technician_changes_rules_that_do_no_harm_and_no_setting_of_a_live_connector(stage: Stage) -> None:
    stage.run()
    path = f"connectors/{stage.connector.pk}/setup/rules/"
    rules = {situation.value: action.value for situation, action in rules_of(stage.refreshed()).actions.items()}
    kept = {name: "on" for name in lifecycle.SETTINGS if getattr(stage.connector, name)}
    other = {name: "on" for name in lifecycle.SETTINGS if name not in kept}
    who = {
        "technician": Visitor(stage.company, role=Role.PARTNER_TECHNICIAN),
        "administrator": Visitor(stage.company),
    }
    answers = {
        name: [
            visitor.post(path, {**rules, **kept, "disabled": "nothing"}).status_code,
            visitor.post(path, {**rules, **other}).status_code,
            visitor.post(path, {**rules, **other, "save": "1", "seen": ""}).status_code,
        ]
        for name, visitor in who.items()
    }
    assert answers == {"technician": [302, 403, 403], "administrator": [302, 302, 302]}
