"""The brake in life: its page, its 24 hours over several runs, and holds that end by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.urls import reverse

from connectors import decisions
from connectors.models import Connector
from connectors.states import Outcome
from tenants.audit import sentence_of
from tenants.models import AuditEntry
from tenants.roles import Role
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import hidden, text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage

DEFAULTS = {
    "destructive_floor": 5,
    "destructive_percent": 20,
    "half_floor": 2,
    "half_percent": 50,
    "growth_floor": 10,
    "growth_percent": 50,
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    """Twenty people with accounts, a day after their first synchronisation."""
    stage = Stage(emulator)
    stage.hire_many(20)
    stage.run()
    stage.clock.advance(hours=25)
    return stage


def leave(stage: Stage, *numbers: int) -> None:
    for number in numbers:
        stage.tenant.remove_member(stage.group.id, stage.people[name(number)].id)


def name(number: int) -> str:
    return f"person{number:05d}"


def disabled(stage: Stage) -> set[str]:
    return {local for local, status in stage.statuses().items() if status == "disabled"}


def held(stage: Stage) -> set[str]:
    names = {user.id: local for local, user in stage.people.items()}
    return {names[hold.object_id] for hold in decisions.holds_of(stage.connector)}


# Over several runs


def test_a_drip_over_a_day_is_caught_and_what_was_done_before_stays(stage: Stage) -> None:
    for number in range(4):
        leave(stage, number)
        stage.run()
        assert held(stage) == set()
        stage.clock.advance(hours=5)
    leave(stage, 4)
    stage.run()
    assert (disabled(stage), held(stage)) == ({name(number) for number in range(4)}, {name(4)})


def test_the_same_drip_over_days_is_nobodys_business(stage: Stage) -> None:
    for number in range(8):
        leave(stage, number)
        stage.run()
        stage.clock.advance(hours=7)
    assert (len(disabled(stage)), held(stage)) == (8, set())


def test_what_a_person_approved_is_not_counted_into_the_day(stage: Stage) -> None:
    leave(stage, *range(6))
    stage.run()
    decisions.approve_all(stage.connector, seen=decisions.holds_digest(decisions.holds_of(stage.connector)), actor="M")
    stage.run()
    assert len(disabled(stage)) == 6
    leave(stage, 6)
    stage.run()
    assert (len(disabled(stage)), held(stage)) == (7, set())


def test_who_is_back_is_not_counted_into_the_day(stage: Stage) -> None:
    leave(stage, 0, 1, 2, 3)
    stage.run()
    for number in range(3):
        stage.tenant.add_member(stage.group.id, stage.people[name(number)].id)
    stage.run()
    leave(stage, 4, 5)
    stage.run()
    assert (disabled(stage), held(stage)) == ({name(3), name(4), name(5)}, set())


def test_what_is_held_since_yesterday_does_not_hold_up_a_new_leaver(stage: Stage) -> None:
    leave(stage, *range(8))
    stage.run()
    assert len(held(stage)) == 8
    stage.clock.advance(hours=25)
    leave(stage, 8)
    stage.run()
    assert (disabled(stage), held(stage)) == ({name(8)}, {name(number) for number in range(8)})


def test_held_changes_leave_the_list_by_themselves_as_their_situations_end(stage: Stage) -> None:
    leave(stage, *range(8))
    stage.run()
    findings = stage.refreshed().findings
    assert findings is not None
    assert findings.changes.filter(outcome=Outcome.HELD).count() == 8
    # One is back in the group, one is deleted by a person; the others wait.
    stage.tenant.add_member(stage.group.id, stage.people[name(0)].id)
    stage.run()
    assert held(stage) == {name(number) for number in range(1, 8)}
    for number in range(1, 8):
        stage.tenant.add_member(stage.group.id, stage.people[name(number)].id)
    stage.run()
    row = stage.refreshed()
    assert (held(stage), disabled(stage), row.attention, row.findings) == (set(), set(), [], None)


def test_who_left_the_list_and_leaves_again_is_judged_anew(stage: Stage) -> None:
    leave(stage, *range(8))
    stage.run()
    for number in range(8):
        stage.tenant.add_member(stage.group.id, stage.people[name(number)].id)
    stage.run()
    leave(stage, 0)
    stage.run()
    assert (disabled(stage), held(stage)) == ({name(0)}, set())


# The page


@pytest.fixture(params=["partner", "business"])
def visitor(request: pytest.FixtureRequest, stage: Stage) -> Visitor:
    return Visitor(stage.company, request.param)


def page_of(stage: Stage) -> str:
    return f"connectors/{stage.connector.pk}/brake/"


def limits(stage: Stage) -> dict[str, int]:
    row = stage.refreshed()
    return {field: getattr(row, field) for field in DEFAULTS}


def test_the_page_says_what_the_limits_mean_for_this_company(stage: Stage, visitor: Visitor) -> None:
    page = visitor.reads(page_of(stage))
    for words in (
        "Active and pending accounts of this connector 20",
        "What a person approved does not count. 4",
        "The first synchronisation does not count. 10",
    ):
        assert words in page


def test_each_limit_is_one_sentence_with_two_numbers(stage: Stage, visitor: Visitor) -> None:
    page = visitor.get(page_of(stage)).content.decode()
    limits = re.findall(r'<div class="limit">\s*<p>(.*?)</p>', page, re.DOTALL)
    told = [re.sub(r'<input[^>]*value="(\d+)"[^>]*>', r"\1", one) for one in limits]
    assert [" ".join(re.sub(r"<[^>]+>", "", one).split()) for one in told] == [
        "Hold them when at least 5 people leave, and they are over 20 %.",
        "In a small company also when at least 2 people leave, and they are 50 % or more.",
        "Hold them when more than 10 people join, and they are over 50 %.",
    ]
    assert re.findall(r'<input[^>]*aria-label="([^"]+)"', "".join(limits)) == [
        "Leaving: at least so many people",
        "Leaving: over this percentage",
        "Leaving, small company: at least so many people",
        "Leaving, small company: this percentage or more",
        "Joining: more than so many people",
        "Joining: over this percentage",
    ]


def test_tighter_limits_are_saved_at_once_and_recorded(stage: Stage, visitor: Visitor) -> None:
    told = visitor.told(visitor.post(page_of(stage), DEFAULTS | {"destructive_floor": 3, "destructive_percent": 10}))
    assert "The limits are saved." in told
    assert limits(stage) == DEFAULTS | {"destructive_floor": 3, "destructive_percent": 10}
    entry = AuditEntry.objects.get(action="connector.limits_saved")
    assert sentence_of(entry).endswith("destructive floor: 5 → 3; destructive percent: 20 → 10.")


def test_looser_limits_show_their_consequence_and_are_saved_after_it(stage: Stage, visitor: Visitor) -> None:
    wanted = DEFAULTS | {"destructive_percent": 40, "half_percent": 90}
    shown = visitor.client.get(visitor.post(page_of(stage), wanted).headers["Location"])
    said = text_of(shown)
    for words in (
        "Nothing is saved yet.",
        "Leaving: over this percentage 20 → 40",
        "Most that may lose theirs within 24 hours unasked 4 → 8",
        "Save, and let up to 8 leave unasked",
    ):
        assert words in said
    assert limits(stage) == DEFAULTS
    told = visitor.told(visitor.post(page_of(stage), wanted | {"seen": hidden(shown, "seen")}))
    assert "The limits are saved." in told
    assert limits(stage) == wanted


def test_a_brake_that_is_off_says_so_and_is_never_off_in_one_click(stage: Stage, visitor: Visitor) -> None:
    wanted = DEFAULTS | {"destructive_percent": 100, "half_floor": 1_000_000}
    answer = visitor.post(page_of(stage), wanted | {"seen": "made up"})
    assert "With these limits nobody is asked before everybody loses the account" in visitor.told(answer)
    assert limits(stage) == DEFAULTS


def test_a_consequence_that_was_saved_over_is_shown_again(stage: Stage, visitor: Visitor) -> None:
    wanted = DEFAULTS | {"growth_floor": 50}
    seen = hidden(visitor.client.get(visitor.post(page_of(stage), wanted).headers["Location"]), "seen")
    Connector.objects.update(settings_revision=99, growth_floor=5)
    told = visitor.told(visitor.post(page_of(stage), wanted | {"seen": seen}))
    assert "Nothing is saved yet." in told
    assert limits(stage)["growth_floor"] == 5


@pytest.mark.parametrize("value", ["", "0", "many", "1000001", "5.5", "-1"])
def test_a_limit_out_of_bounds_says_which_there_are(value: str, stage: Stage, visitor: Visitor) -> None:
    answer = visitor.post(page_of(stage), DEFAULTS | {"destructive_floor": value})
    assert (answer.status_code, "Give a whole number from 1 to 1,000,000." in text_of(answer)) == (422, True)
    assert limits(stage) == DEFAULTS


def test_whoever_may_only_look_sees_the_limits_and_changes_none(stage: Stage) -> None:
    for role in (Role.PARTNER_TECHNICIAN, Role.PARTNER_VIEWER):
        other = Visitor(stage.company, role=role)
        page = other.reads(page_of(stage))
        assert ("An administrator can change that." in page, "Save Changes" in page) == (True, False)
        assert other.post(page_of(stage), DEFAULTS).status_code == 403


def test_the_page_costs_the_same_for_few_and_many(stage: Stage, visitor: Visitor) -> None:
    visitor.get(page_of(stage))
    few = visitor.queries(page_of(stage))
    stage.hire_many(60)
    Connector.objects.update(growth_floor=1_000)
    stage.run()
    assert visitor.queries(page_of(stage)) == few


def test_the_held_changes_lead_to_the_limits(stage: Stage) -> None:
    leave(stage, *range(8))
    stage.run()
    visitor = Visitor(stage.company)
    page = visitor.get(f"connectors/{stage.connector.pk}/held/").content.decode()
    assert reverse("partner:brake", args=[stage.company.slug, stage.connector.pk]) in page
