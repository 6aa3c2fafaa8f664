"""Pausing and resuming: by whom, until when, why, what resuming would do first, and the end that comes by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from connectors import lifecycle, schedule
from connectors.attention import needs_of
from connectors.entra import forget_tokens
from connectors.lifecycle import Refused
from connectors.models import Connector
from connectors.states import Action, ConnectorStatus, Situation
from tenants.audit import sentence_of
from tenants.models import AuditEntry
from tenants.roles import Role
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import hidden, text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage

ACTOR = "Command line (ops)"


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        stage = Stage(emulator, "Ada Lovelace", "Grace Hopper")
        stage.run()
        OrmQ.objects.all().delete()
        yield stage


@pytest.fixture(params=["partner", "business"])
def visitor(request: pytest.FixtureRequest, stage: Stage) -> Visitor:
    return Visitor(stage.company, request.param)


def in_hours(hours: float) -> datetime:
    return timezone.now().replace(second=0, microsecond=0) + timedelta(hours=hours)


def pause(stage: Stage, **words: Any) -> Connector:
    return lifecycle.pause(stage.connector, actor=ACTOR, **words)


def over(stage: Stage) -> datetime:
    """Let the moment come at which a pause ends; return it."""
    until = stage.refreshed().paused_until
    assert until is not None
    return until


def state(stage: Stage) -> tuple[bool, bool, int]:
    """Say whether it is paused, whether its schedule has its row, and how many runs are asked for."""
    row = stage.refreshed()
    return row.paused_at is not None, Schedule.objects.filter(name=f"sync:{row.pk}").exists(), OrmQ.objects.count()


def acts() -> list[str]:
    return [sentence_of(entry) for entry in AuditEntry.objects.filter(action__contains="pause").order_by("pk")]


def words_of(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M UTC on %d %b %Y}"


# The end that comes by itself


def test_a_pause_ends_at_its_moment_and_not_before(stage: Stage) -> None:
    until = in_hours(30)
    pause(stage, reason="The tenant moves", until=until)
    assert state(stage) == (True, False, 0)
    assert schedule.end_pauses(until - timedelta(seconds=1)) == 0
    assert state(stage) == (True, False, 0)
    assert schedule.end_pauses(until) == 1
    assert state(stage) == (False, True, 1)
    assert schedule.end_pauses(until) == 0
    row = stage.refreshed()
    assert (row.paused_until, row.paused_by, row.pause_reason) == (None, "", "")
    assert acts() == [
        f"{ACTOR} paused Microsoft Entra ID until {words_of(until)}. The tenant moves",
        f"The pause of Microsoft Entra ID was over at {words_of(until)}, as {ACTOR} had set it; The schedule"
        " synchronises it again.",
    ]
    assert stage.run().refused == ""


def test_a_pause_without_an_end_does_not_end(stage: Stage) -> None:
    pause(stage, reason="Migration")
    assert schedule.end_pauses(timezone.now() + timedelta(days=4000)) == 0
    assert state(stage) == (True, False, 0)
    assert acts() == [f"{ACTOR} paused Microsoft Entra ID until a person resumes it. Migration"]


def test_the_upkeep_ends_what_is_over(stage: Stage) -> None:
    pause(stage, until=in_hours(1))
    Connector.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    schedule.reconcile()
    assert state(stage)[:2] == (False, True)


def test_a_connector_that_microsoft_refuses_is_resumed_and_not_run(stage: Stage) -> None:
    pause(stage, until=in_hours(1))
    Connector.objects.update(status=ConnectorStatus.UNAUTHORIZED)
    schedule.end_pauses(over(stage))
    assert state(stage) == (False, False, 0)


def test_who_resumes_or_sets_another_end_is_not_overtaken(stage: Stage) -> None:
    first = in_hours(1)
    pause(stage, until=first)
    lifecycle.resume(stage.connector, actor=ACTOR)
    assert (schedule.end_pauses(first), state(stage)) == (0, (False, True, 1))
    pause(stage, until=first)
    pause(stage, until=first + timedelta(hours=5))
    assert (schedule.end_pauses(first), state(stage)[0]) == (0, True)
    # A reason told anew without an end takes the end away.
    pause(stage, reason="Until the contract is signed")
    assert stage.refreshed().paused_until is None


@pytest.mark.parametrize("later", [False, True])
def test_a_person_who_acts_in_that_moment_is_not_overtaken(stage: Stage, later: bool) -> None:
    """Between finding a pause that is over and locking its row, somebody resumes it, or sets a later end."""
    until = in_hours(1)
    pause(stage, until=until)
    acted = []

    def first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not acted and '"connectors_connector"."id" = ' in sql and '"connectors_connector"."lease_token"' in sql:
            acted.append(True)
            if later:
                lifecycle.pause(stage.connector, until=until + timedelta(hours=1), actor="Maren")
            else:
                lifecycle.resume(stage.connector, actor="Maren")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(first):
        assert schedule.end_pauses(until) == 0
    assert (len(acted), state(stage)) == (1, (True, False, 0) if later else (False, True, 1))
    assert AuditEntry.objects.filter(action="connector.pause_ended").count() == 0


def test_what_is_told_anew_replaces_what_was_told_and_nothing_told_changes_nothing(stage: Stage) -> None:
    since = pause(stage, reason="Migration").paused_at
    lifecycle.pause(stage.connector, reason="", actor="Somebody else")
    assert (stage.refreshed().paused_by, stage.connector.pause_reason) == (ACTOR, "Migration")
    until = in_hours(2)
    lifecycle.pause(stage.connector, reason="Migration, second day", until=until, actor="Somebody else")
    row = stage.refreshed()
    assert (row.paused_at, row.paused_until, row.paused_by) == (since, until, "Somebody else")
    lifecycle.pause(stage.connector, reason="Migration, second day", until=until, actor=ACTOR)
    assert len(acts()) == 2


@pytest.mark.parametrize("hours", [0, -1, 24 * 367])
def test_an_end_lies_ahead_within_a_year(hours: float, stage: Stage) -> None:
    with pytest.raises(Refused) as caught:
        pause(stage, until=in_hours(hours))
    assert (caught.value.sentence, caught.value.field) == (
        "A pause ends at a moment that is still to come, within a year.",
        "until",
    )
    assert state(stage)[0] is False


def test_one_pause_that_cannot_be_ended_does_not_stop_the_others(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    other = Stage(stage.emulator, name="Sable Street Brewing", domain="sablestreet.example")
    for one, hours in ((stage, 1), (other, 2)):
        lifecycle.pause(one.connector, until=in_hours(hours), actor=ACTOR)

    def refusing(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if 'INSERT INTO "tenants_auditentry"' in sql and "Brightwater Logistics" in (params or ()):
            raise DatabaseError("disk full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refusing):
        assert schedule.end_pauses(in_hours(3)) == 1
    assert (state(stage)[0], state(other)[0]) == (True, False)
    assert [record.levelname for record in caplog.records if record.name == "connectors.schedule.pauses"] == ["ERROR"]


# The pages


def at(stage: Stage, page: str) -> str:
    return f"connectors/{stage.connector.pk}/{page}/"


def error_at(page: HttpResponse, field: str) -> str:
    """Return what stands under a field."""
    assert page.status_code == 422
    _, _, rest = page.content.decode().partition(f'id="id_{field}_error">')
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", rest.partition("</div>")[0])).strip()


def test_a_person_pauses_with_a_reason_and_an_end(stage: Stage, visitor: Visitor) -> None:
    page = visitor.reads(at(stage, "pause"))
    assert "Pause Microsoft Entra ID" in page
    until = in_hours(48)
    told = visitor.told(visitor.post(at(stage, "pause"), {"reason": "The tenant moves", "until": local(until)}))
    assert f"Paused until {until:%H:%M}" in told
    row = stage.refreshed()
    assert (row.paused_until, row.pause_reason, row.paused_by) == (
        until,
        "The tenant moves",
        f"{visitor.user.name} ({visitor.user.email})" if visitor.user.name else visitor.user.email,
    )
    [need] = needs_of(row, timezone.now())
    assert need.sentence.endswith(f" until {until:%H:%M} UTC on {until.day} {until:%b %Y}: The tenant moves.")
    assert need.sentence in told
    assert "It goes on by itself" in told
    # Opened again, the page holds what was told, to be changed.
    assert f'value="{local(until)}"' in visitor.get(at(stage, "pause")).content.decode()


def local(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize(
    ("sent", "field", "sentence"),
    [
        ({"reason": "", "until": ""}, "reason", "Say why in a few words"),
        ({"reason": "x" * 1001, "until": ""}, "reason", "Give a reason of at most 1000 letters."),
        ({"reason": "x", "until": "2020-01-01T09:00"}, "until", "A pause ends at a moment that is still to come"),
        ({"reason": "x", "until": "tomorrow"}, "until", "Enter a moment as year-month-day and hour"),
        ({"reason": "x\x00", "until": ""}, "reason", "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_lost(
    stage: Stage, sent: dict[str, str], field: str, sentence: str
) -> None:
    page = Visitor(stage.company).post(at(stage, "pause"), sent)
    assert error_at(page, field).startswith(sentence)
    assert state(stage)[0] is False


def test_resuming_shows_first_what_it_would_do_and_then_asks(stage: Stage, visitor: Visitor) -> None:
    pause(stage, reason="Migration")
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    stage.hire("Alan Turing")
    page = visitor.get(at(stage, "resume"))
    shown = text_of(page)
    assert "Alan Turing" in shown
    assert "Ada Lovelace" in shown
    assert "Migration" in shown
    assert state(stage) == (True, False, 0)
    # Pressed without having been looked at, it is shown and not done.
    answer = visitor.post(at(stage, "resume"), {})
    assert "Nothing has been resumed yet." in visitor.told(answer)
    assert state(stage) == (True, False, 0)
    told = visitor.told(visitor.post(at(stage, "resume"), {"seen": hidden(page, "seen")}))
    assert "resumed. The first run begins within seconds." in told
    assert state(stage) == (False, True, 1)


def test_rules_that_were_changed_meanwhile_are_shown_before_it_resumes(stage: Stage, visitor: Visitor) -> None:
    pause(stage)
    seen = hidden(visitor.get(at(stage, "resume")), "seen")
    lifecycle.save_rules(stage.connector, actions={Situation.REMOVED: Action.NOTHING}, actor=ACTOR)
    assert "Nothing has been resumed yet." in visitor.told(visitor.post(at(stage, "resume"), {"seen": seen}))
    assert state(stage)[0] is True


def test_what_cannot_be_told_is_said_and_it_may_be_resumed_all_the_same(stage: Stage, visitor: Visitor) -> None:
    pause(stage)
    stage.tenant.disable_app(stage.app.client_id)
    forget_tokens()
    page = visitor.get(at(stage, "resume"))
    assert "The application is disabled in this tenant." in text_of(page)
    visitor.post(at(stage, "resume"), {"seen": hidden(page, "seen")})
    assert state(stage)[0] is False


def test_what_is_not_paused_is_not_resumed(stage: Stage, visitor: Visitor) -> None:
    assert "is not paused" in visitor.told(visitor.get(at(stage, "resume")))
    row, _ = lifecycle.begin(stage.company, actor=ACTOR)
    for page in ("pause", "resume"):
        assert visitor.get(f"connectors/{row.pk}/{page}/").headers["Location"].endswith(f"/{row.pk}/setup/")
    lifecycle.remove(stage.connector, actor=ACTOR)
    for page in ("pause", "resume"):
        assert visitor.get(at(stage, page)).status_code == 302


def test_a_selection_is_resumed_one_by_one(stage: Stage, visitor: Visitor) -> None:
    def resume(*rows: Connector) -> HttpResponse:
        return visitor.post("connectors/actions/", {"action": "resume", "selected": [str(row.pk) for row in rows]})

    assert "is not paused" in visitor.told(resume(stage.connector))
    pause(stage)
    assert resume(stage.connector).headers["Location"].endswith(f"/connectors/{stage.connector.pk}/resume/")
    other = Stage(stage.emulator, name="Sable Street Brewing", domain="sablestreet.example").connector
    Connector.objects.filter(pk=other.pk).update(company=stage.company)
    lifecycle.pause(other, actor=ACTOR)
    assert "Resume one at a time" in visitor.told(resume(stage.connector, other))
    assert state(stage)[0] is True


def test_who_only_looks_pauses_and_resumes_nothing(stage: Stage) -> None:
    viewer = Visitor(stage.company, role=Role.PARTNER_VIEWER)
    answers = [
        request(at(stage, page)).status_code
        for page in ("pause", "resume")
        for request in (viewer.get, lambda page: viewer.post(page, {"reason": "x"}))
    ]
    assert answers == [403] * 4
    assert state(stage)[0] is False
