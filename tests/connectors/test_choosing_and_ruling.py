"""Who may choose groups and change settings of a connector that synchronises: nobody who may only run it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors import lifecycle
from connectors.models import Connector
from connectors.states import Action, ConnectorStatus, Situation
from connectors.sync.load import rules_of
from tenants.roles import Role
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import hidden, text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        yield Stage(emulator, "Ada Lovelace")


def test_a_technician_chooses_groups_of_a_draft_and_not_of_a_live_connector(stage: Stage) -> None:
    other = stage.tenant.add_group("Brewers")
    path = f"connectors/{stage.connector.pk}/setup/groups/"
    technician = Visitor(stage.company, role=Role.PARTNER_TECHNICIAN)
    stage.run()
    asked: list[dict[str, str]] = [{"sync_group": other.id}, {"add": other.id}, {"save": "1"}, {"forget": "1"}]
    assert [technician.post(path, data).status_code for data in asked] == [403] * 4
    assert "choice-of-groups" not in str(dict(technician.client.session))
    administrator = Visitor(stage.company)
    assert administrator.post(path, asked[0]).status_code == 302
    assert f"choice-of-groups-{stage.connector.pk}" in administrator.client.session
    Connector.objects.filter(pk=stage.connector.pk).update(status=ConnectorStatus.SETUP_INCOMPLETE)
    assert technician.post(path, asked[0]).status_code == 302
    assert stage.refreshed().sync_group_id == other.id


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


def test_a_technician_sees_the_settings_of_a_live_connector_and_saves_the_rules_without_them(stage: Stage) -> None:
    Connector.objects.update(leave_out_guests=True, send_invitations=True)
    stage.run()
    path = f"connectors/{stage.connector.pk}/setup/rules/"
    technician = Visitor(stage.company, role=Role.PARTNER_TECHNICIAN)
    page = technician.get(path).content.decode()
    assert page.count('type="checkbox"') == 0
    assert "Leave out guests On" in text_of(technician.get(path))
    assert "Direct members only Off" in text_of(technician.get(path))
    rules = {situation.value: action.value for situation, action in rules_of(stage.refreshed()).actions.items()}
    chosen = {**rules, "disabled": "nothing"}
    seen = technician.client.get(technician.post(path, chosen).headers["Location"])
    # Meanwhile an administrator changes a setting: what was looked at is not what is there any more.
    lifecycle.save_rules(stage.connector, actions={}, settings={"send_invitations": False}, actor="Somebody")
    late = technician.post(path, {**chosen, "save": "1", "seen": hidden(seen, "seen")})
    seen = technician.client.get(late.headers["Location"])
    saved = technician.post(path, {**chosen, "save": "1", "seen": hidden(seen, "seen")})
    assert "The rules and settings are saved." in technician.told(saved)
    row = stage.refreshed()
    assert rules_of(row).actions[Situation.DISABLED] == Action.NOTHING
    assert {name: getattr(row, name) for name in lifecycle.SETTINGS} == {
        "direct_members_only": False,
        "leave_out_guests": True,
        "allow_onmicrosoft": False,
        "send_invitations": False,
    }
