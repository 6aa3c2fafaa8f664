"""A rule set for several connectors: shown for each before it is applied, and applied to each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connectors import lifecycle
from connectors.models import Connector
from connectors.states import Action, ConnectorStatus, Situation
from connectors.sync.load import rules_of
from tenants.models import AuditEntry
from tenants.roles import Role
from tests.connectors.fleet_scene import make_connector
from tests.connectors.wizard_scene import text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import confirm_again, make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db

DELETES = {"removed": "delete"}
GENTLE = {"removed": "nothing"}


class Scene:
    """Hold two companies of one partner that were synchronised once, of which somebody left the group since."""

    def __init__(self, emulator: Emulator) -> None:
        cache.clear()
        self.one = Stage(emulator, "Ada Lovelace", "Grace Hopper", "Alan Turing")
        self.two = Stage(emulator, "Mary Shelley", "Jane Austen", name="Sable Street Brewing", domain="sable.example")
        for stage, leaver in ((self.one, "ada"), (self.two, "mary")):
            stage.run()
            stage.tenant.remove_member(stage.group.id, stage.people[leaver].id)
            stage.refreshed()
        self.rows = [self.one.connector, self.two.connector]
        self.client = self.enter(Role.PARTNER_ADMINISTRATOR)

    def enter(self, role: Role) -> Client:
        """Return a browser in which somebody of that role has confirmed who they are."""
        client = Client()
        client.force_login(make_staff(self.one.company.partner, role))
        confirm_again(client)
        return client

    def address(self, rules: dict[str, str], *rows: Connector) -> str:
        chosen = ",".join(str(row.pk) for row in rows or self.rows)
        return f"/partner/fleet/rules/?{urlencode({'connectors': chosen, **rules})}"

    def look(self, row: Connector, rules: dict[str, str], client: Client | None = None, **words: object) -> str:
        """Look at what the rules would do to one; return what is said."""
        address = f"/partner/fleet/rules/{row.pk}/?{urlencode(rules)}"
        answer = (client or self.client).get(address, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        return text_of(answer)

    def apply(self, rules: dict[str, str], *rows: Connector, client: Client | None = None) -> HttpResponse:
        """Press the button for rows as they were when the page was made."""
        ticked = rows or tuple(self.rows)
        data = {"selected": [row.pk for row in ticked], **{f"revision-{r.pk}": r.settings_revision for r in ticked}}
        return (client or self.client).post(self.address(rules), data)

    def outcome(self, answer: HttpResponse) -> str:
        assert answer.headers["Location"].startswith("/partner/fleet/rules/done/")
        return text_of(self.client.get(answer.headers["Location"]))

    def saved(self) -> list[str]:
        """Return what each does with somebody who was removed from the group."""
        return [rules_of(row).actions[Situation.REMOVED].value for row in self.rows]


@pytest.fixture
def scene(db: None) -> Iterator[Scene]:
    emulator = Emulator()
    with emulator.install():
        yield Scene(emulator)


def test_ticked_connectors_lead_to_the_choice_of_rules(scene: Scene) -> None:
    data = {"action": "rules", "selected": [row.pk for row in scene.rows]}
    answer = scene.client.post("/partner/fleet/actions/", data)
    page = scene.client.get(answer.headers["Location"])
    assert "Apply a rule set to 2 connectors" in text_of(page)
    assert text_of(page).count("Leave it as it is") == len(Situation)
    nothing = dict.fromkeys((situation.value for situation in Situation), "")
    assert "Every rule is left as it is." in text_of(scene.client.get(scene.address(nothing)))


def test_the_page_says_which_rules_of_which_connector_would_change(scene: Scene) -> None:
    lifecycle.save_rules(scene.rows[1], actions={Situation.REMOVED: Action.NOTHING}, actor="ops")
    draft = make_connector(make_company(scene.one.company.partner, "Larch Hill"), ConnectorStatus.SETUP_INCOMPLETE)
    page = text_of(scene.client.get(scene.address(GENTLE, *scene.rows, draft)))
    assert "1 of 3 would change." in page
    assert "REMOVED Disable becomes Do nothing" in page
    assert "Nothing changes: its rules are like that already." in page
    assert "Left out: Its setup is not finished" in page


def test_what_it_would_do_is_what_the_next_run_does_otherwise(scene: Scene) -> None:
    said = scene.look(scene.rows[0], DELETES)
    assert "New because of it 1 Deleted: Ada Lovelace" in said
    assert "Not any more 1 Disabled: Ada Lovelace" in said
    assert "Grace" not in said
    assert "Nobody is concerned now." in scene.look(scene.rows[0], {"deleted": "nothing"})
    assert scene.saved() == ["disable", "disable"]


def test_it_is_applied_to_each_that_was_looked_at_and_each_is_told_of(scene: Scene) -> None:
    for row in scene.rows:
        scene.look(row, DELETES)
    said = scene.outcome(scene.apply(DELETES))
    assert "2 of 2 took the rule set" in said
    assert "REMOVED: Disable → Delete" in said
    assert scene.saved() == ["delete", "delete"]
    assert AuditEntry.objects.filter(action="connector.rules_saved").count() == 2
    assert [len(rules_of(row).actions) for row in scene.rows] == [5, 5]


def test_what_was_not_looked_at_is_left_as_it_is_with_the_reason(scene: Scene) -> None:
    scene.look(scene.rows[0], GENTLE)
    answer = scene.apply(GENTLE)
    said = scene.outcome(answer)
    assert "1 of 2 took the rule set" in said
    assert "You have not seen yet what it would do there. Look at it, then apply." in said
    assert scene.saved() == ["nothing", "disable"]
    assert f"connectors={scene.rows[1].pk}" in answer.headers["Location"]
    # To have looked at other rules, or as somebody else, is not to have looked at these.
    scene.look(scene.rows[1], DELETES)
    scene.look(scene.rows[1], GENTLE, client=scene.enter(Role.PARTNER_ADMINISTRATOR))
    scene.apply(GENTLE, scene.rows[1])
    assert scene.saved() == ["nothing", "disable"]


def test_one_whose_settings_changed_since_is_refused_and_the_other_is_not(scene: Scene) -> None:
    for row in scene.rows:
        scene.look(row, GENTLE)
    lifecycle.save_rules(scene.rows[0], actions={Situation.NEW: Action.NOTHING}, actor="ops")
    said = scene.outcome(scene.apply(GENTLE))
    assert "Its settings were changed since its consequences were shown. Look at them again, then apply." in said
    assert scene.saved() == ["disable", "nothing"]


def test_a_change_between_looking_and_saving_is_noticed_under_the_lock(scene: Scene) -> None:
    row = scene.rows[0]
    refused = lifecycle.apply_rule_set(
        [row], actions={Situation.REMOVED: Action.NOTHING}, revisions={row.pk: row.settings_revision - 1}, actor="ops"
    )
    assert list(refused) == [row.pk]
    draft = make_connector(make_company(scene.one.company.partner, "Larch Hill"), ConnectorStatus.SETUP_INCOMPLETE)
    assert lifecycle.apply_rule_set(
        [draft], actions={Situation.REMOVED: Action.NOTHING}, revisions={draft.pk: 1}, actor="ops"
    ) == {draft.pk: "Its setup is not finished: choose its rules there."}
    assert scene.saved()[0] == "disable"


def test_one_that_cannot_be_read_says_why_and_keeps_its_rules(scene: Scene) -> None:
    scene.one.tenant.expire_secret(scene.one.app.client_id)
    scene.one.tenant.revoke_tokens(scene.one.app.client_id)
    said = scene.look(scene.rows[0], GENTLE)
    assert "It cannot be seen what it would do" in said
    assert "The client secret has expired." in said
    scene.apply(GENTLE, scene.rows[0])
    assert scene.saved()[0] == "disable"


def test_rules_that_delete_or_convert_are_the_administrators_and_ask_again_who_one_is(scene: Scene) -> None:
    technician = scene.enter(Role.PARTNER_TECHNICIAN)
    page = technician.get(scene.address({})).content.decode()
    assert ('value="delete"' in page, 'value="convert"' in page, 'value="nothing"' in page) == (False, False, True)
    assert technician.get(scene.address(DELETES)).status_code == 422
    scene.look(scene.rows[0], GENTLE, client=technician)
    scene.apply(GENTLE, scene.rows[0], client=technician)
    assert scene.saved() == ["nothing", "disable"]
    confirm_again(scene.client, seconds_ago=1_200)
    answer = scene.client.get(scene.address(DELETES))
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=%2Fpartner%2Ffleet%2Frules%2F%3F")
    scene.look(scene.rows[1], DELETES)
    assert scene.apply(DELETES).headers["Location"].startswith("/accounts/reauthenticate/")
    assert scene.saved() == ["nothing", "disable"]
    assert scene.client.get(scene.address(GENTLE)).status_code == 200


def test_without_script_each_is_looked_at_on_a_page_of_its_own(scene: Scene) -> None:
    row = scene.rows[0]
    page = scene.client.get(
        f"/partner/fleet/rules/{row.pk}/?{urlencode(GENTLE)}&connectors={row.pk},{scene.rows[1].pk}"
    )
    said = text_of(page)
    assert "Brightwater Logistics : what the rule set would do" in said
    back = page.context["back"]
    assert f"connectors={row.pk}%2C{scene.rows[1].pk}&removed=nothing" in back
    assert scene.client.get(back).status_code == 200
    scene.apply(GENTLE, row)
    assert scene.saved() == ["nothing", "disable"]


def test_viewers_and_other_partners_get_nowhere(scene: Scene) -> None:
    viewer = scene.enter(Role.PARTNER_VIEWER)
    one = f"/partner/fleet/rules/{scene.rows[0].pk}/?{urlencode(GENTLE)}"
    assert [viewer.get(path).status_code for path in (scene.address(GENTLE), one)] == [403, 403]
    stranger = Client()
    stranger.force_login(make_staff(make_partner("Northgate Systems")))
    assert stranger.get(one).status_code == 404
    assert stranger.get(scene.address(GENTLE)).headers["Location"] == "/partner/"
    data = {"selected": [row.pk for row in scene.rows]}
    assert stranger.post(scene.address(GENTLE), data).headers["Location"] == "/partner/"
    assert scene.saved() == ["disable", "disable"]


def test_too_many_at_once_are_refused_with_the_next_step(scene: Scene) -> None:
    rows = Connector.objects.bulk_create(
        Connector(company=scene.one.company, name=f"Tenant {number}") for number in range(200)
    )
    answer = scene.client.get(scene.address(GENTLE, *scene.rows, *rows), follow=True)
    assert "202 connectors are too many at once. Tick at most 200, and do the rest after them." in text_of(answer)


def test_the_page_costs_the_same_for_two_connectors_and_for_many(scene: Scene) -> None:
    def cost(*rows: Connector) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert scene.client.get(scene.address(GENTLE, *rows)).status_code == 200
        return len(queries)

    cost()
    few = cost()
    rows = [make_connector(make_company(scene.one.company.partner, f"Company {number}")) for number in range(20)]
    assert cost(*scene.rows, *rows) == few


class TestResuming:
    def address(self, *rows: Connector) -> str:
        return f"/partner/fleet/resume/?connectors={','.join(str(row.pk) for row in rows)}"

    def see(self, scene: Scene, row: Connector, client: Client | None = None) -> str:
        answer = (client or scene.client).get(f"/partner/fleet/resume/{row.pk}/", headers={"HX-Request": "true"})
        assert answer.status_code == 200
        return text_of(answer)

    def press(self, scene: Scene, *rows: Connector) -> str:
        data = {"selected": [row.pk for row in rows]}
        return text_of(scene.client.post(self.address(*rows), data, follow=True))

    def paused(self) -> set[int]:
        return set(Connector.objects.exclude(paused_at=None).values_list("pk", flat=True))

    def test_shows_what_the_next_run_of_each_would_do_and_resumes_what_was_shown(self, scene: Scene) -> None:
        one, two = scene.rows
        for row in scene.rows:
            lifecycle.pause(row, reason="They move", actor="ops")
        data = {"action": "resume", "selected": [row.pk for row in scene.rows]}
        answer = scene.client.post("/partner/fleet/actions/", data)
        assert answer.headers["Location"].startswith("/partner/fleet/resume/?connectors=")
        assert "Resume 2 connectors?" in text_of(scene.client.get(answer.headers["Location"]))
        assert "The next run would 1 Disabled: Ada Lovelace" in self.see(scene, one)
        said = self.press(scene, one, two)
        assert "Brightwater Logistics: resumed." in said
        assert "Sable Street Brewing: not resumed, since what the next run would do was not shown" in said
        assert self.paused() == {two.pk}

    def test_what_was_changed_since_is_shown_anew(self, scene: Scene) -> None:
        [row] = scene.rows[:1]
        lifecycle.pause(row, actor="ops")
        self.see(scene, row)
        lifecycle.save_rules(row, actions={Situation.REMOVED: Action.DELETE}, actor="ops")
        assert "not resumed" in self.press(scene, row)
        assert self.paused() == {row.pk}

    def test_leaves_out_what_is_not_paused(self, scene: Scene) -> None:
        assert "None of the selected connectors is paused." in self.press(scene, *scene.rows)
        assert scene.client.get(f"/partner/fleet/resume/{scene.rows[0].pk}/").status_code == 302

    def test_is_not_the_viewers(self, scene: Scene) -> None:
        lifecycle.pause(scene.rows[0], actor="ops")
        viewer = scene.enter(Role.PARTNER_VIEWER)
        one = f"/partner/fleet/resume/{scene.rows[0].pk}/"
        assert [viewer.get(path).status_code for path in (self.address(scene.rows[0]), one)] == [403, 403]
        assert viewer.post(self.address(scene.rows[0]), {"selected": [scene.rows[0].pk]}).status_code == 403
        assert self.paused() == {scene.rows[0].pk}
