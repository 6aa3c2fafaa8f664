"""The pages of runs: what they say, what they ask of a person, what they cost, and that they follow a run live."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.models import Connector, SyncRun
from connectors.states import (
    ChangeKind,
    ConnectorStatus,
    Outcome,
    RunState,
    RunTrigger,
    Situation,
    SkipReason,
)
from connectors.views.telling import reason_of, state_of, tell_line
from tenants.models import Account
from tenants.roles import Role
from tenants.states import AccountStatus
from tests.connectors.held_scene import make_connector, make_line, make_run
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import text_of
from tests.world import make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def connector() -> Connector:
    return make_connector()


@pytest.fixture(params=["partner", "business"])
def visitor(request: pytest.FixtureRequest, connector: Connector) -> Visitor:
    return Visitor(connector.company, request.param)


@pytest.fixture
def maren(connector: Connector) -> Visitor:
    return Visitor(connector.company)


def busy_run(connector: Connector, **fields: Any) -> SyncRun:
    """Save a run that did a bit of everything."""
    run = make_run(
        connector,
        read_seconds=5.1,
        plan_seconds=0.1,
        counts={
            "applied.create": 1,
            "applied.group_join": 1,
            "held.disable": 46,
            "skipped.no_email": 1,
            "failed.enable": 1,
        },
        calls=[{"what": "GET graph.microsoft.com/v1.0/groups", "status": 200, "seconds": 0.31, "id": "b7c1e2a4-0f35"}],
        **fields,
    )
    make_line(
        run,
        kind=ChangeKind.CREATE,
        situation=Situation.NEW,
        name="=cmd|'/c calc'!A1",
        email="minh@brightwater.example",
        after="Active",
        because="NEW, rule: create an account · enabled and in the sync group · via the group Depot North",
        decided_by="Maren Lindqvist",
        approved=True,
    )
    make_line(run, kind=ChangeKind.GROUP_JOIN, name="Zoë Ruiz", group_name="Dispatch", after="Dispatch")
    make_line(run, Outcome.HELD, kind=ChangeKind.DISABLE, name="Aaron Whitlock", before="Active", after="Disabled")
    make_line(run, Outcome.SKIPPED, name="Yard Tablet 2", because=SkipReason.NO_EMAIL.label, cause=SkipReason.NO_EMAIL)
    make_line(run, Outcome.FAILED, kind=ChangeKind.ENABLE, name="Fatima", because="The database refused it.")
    return run


def test_a_run_tells_what_started_it_how_it_went_and_what_it_did(connector: Connector, visitor: Visitor) -> None:
    run = busy_run(connector)
    page = visitor.reads(f"runs/{run.pk}/")
    for words in (
        "Partly failed",
        "Started by the schedule",
        "Took 6.0 s",
        "9 requests to Microsoft",
        "Approved by Maren Lindqvist",
        "Read 5.1 s. 169 people in the sync group",
        "Compare 0.1 s",
        "Safety brake Held 46",
        "Apply 0.8 s. 2 changes, 1 failed",
        "Record Kept for 180 days",
        "Accounts 1",
        "No account becomes Active",
        "New . Rule: create an account. Enabled and in the sync group. Via the group Depot North.",
        "decided by Maren Lindqvist",
        "Not a member becomes Member of Dispatch",
        "The directory has no usable email address for this person. Created as soon as there is one.",
        "GET graph.microsoft.com/v1.0/groups 200 0.31 s b7c1e2a4-0f35",
    ):
        assert words in page, words


def test_sections_come_worst_first_and_the_requests_last(connector: Connector, maren: Visitor) -> None:
    page = maren.reads(f"runs/{busy_run(connector).pk}/")
    page = page[page.index("Outcome Because") :]
    places = [
        page.index(words) for words in ("Failed 1", "Accounts 1", "Groups 1", "Held 1", "Skipped 1", "support case")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"=cmd|'/c calc'!A1", "Zoë Ruiz", "Aaron Whitlock", "Yard Tablet 2", "Fatima"}),
        ("?outcome=held", {"Aaron Whitlock"}),
        ("?kind=group_join", {"Zoë Ruiz"}),
        ("?q=dispatch", {"Zoë Ruiz"}),
        ("?q=MINH", {"=cmd|'/c calc'!A1"}),
        ("?q=minh%00&outcome=nonsense&kind=nonsense", {"=cmd|'/c calc'!A1"}),
        ("?q=nobody", set()),
    ],
)
def test_page_and_download_show_what_the_filter_asks(
    connector: Connector, visitor: Visitor, query: str, names: set[str]
) -> None:
    run = busy_run(connector)
    page = visitor.reads(f"runs/{run.pk}/{query}")
    every = {"=cmd|'/c calc'!A1", "Zoë Ruiz", "Aaron Whitlock", "Yard Tablet 2", "Fatima"}
    assert {name for name in every if name in page} == names
    answer = visitor.get(f"runs/{run.pk}/csv/{query}")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert {row["Name"].removeprefix("'") for row in rows} == names
    assert not [row for row in rows if row["Name"].startswith("=")]
    assert f"run-{run.pk}.csv" in answer["Content-Disposition"]


def test_a_running_run_is_followed_until_it_ends(connector: Connector, visitor: Visitor) -> None:
    run = make_run(connector, state=RunState.RUNNING, finished_at=None, phase="applying", done=120, total=300)
    make_line(run, kind=ChangeKind.CREATE, name="Ada", after="Active")
    page = visitor.get(f"runs/{run.pk}/")
    assert 'hx-trigger="every 2s"' in page.content.decode()
    said = text_of(page)
    for words in ("Running", "Apply 120 of 300", "Record Not yet", "Reload", "Ada"):
        assert words in said, words
    assert "Filter" not in said
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED, finished_at=timezone.now(), phase="")
    later = visitor.get(f"runs/{run.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert ("hx-trigger" in later, "<html" in later, "Reload" in later) == (False, False, False)


def test_reading_is_the_first_phase(connector: Connector, maren: Visitor) -> None:
    run = make_run(connector, state=RunState.RUNNING, finished_at=None, phase="reading")
    assert "Read Asking Microsoft Compare Not yet" in maren.reads(f"runs/{run.pk}/")


@pytest.mark.parametrize(
    ("fields", "about", "words", "link"),
    [
        (
            {"state": RunState.FAILED, "sentence": "The secret has expired.", "reference": "AADSTS7000222"},
            {"status": ConnectorStatus.UNAUTHORIZED},
            ("Microsoft refuses the connection", "The secret has expired.", "verify the connection", "AADSTS7000222"),
            "Azure Auth",
        ),
        (
            {"state": RunState.FAILED, "sentence": "Microsoft was out of reach."},
            {},
            ("This run failed", "The next run tries again by itself. Nobody loses an account by it."),
            "The connector",
        ),
        (
            {"state": RunState.FAILED, "sentence": "A fault.", "done": 100, "total": 300},
            {},
            ("What it did before is complete.", "100 of 300, each complete"),
            "The connector",
        ),
        (
            {"state": RunState.ABANDONED, "sentence": "The worker ended."},
            {},
            ("This run broke off", "Synchronize Now on the connector’s page"),
            "The connector",
        ),
        (
            {"counts": {"failed.enable": 2}},
            {},
            ("2 changes failed", "the next run tries these again"),
            "Show what failed",
        ),
        ({"counts": {"held.disable": 46}}, {}, ("46 changes were held", "wait until a person decides"), "Held changes"),
        (
            {"counts": {"held.disable": 1}},
            {"attention": []},
            ("1 change was held", "None of them waits"),
            "Held changes",
        ),
    ],
)
def test_a_run_that_did_not_go_well_says_what_to_do_next(
    visitor: Visitor, connector: Connector, fields: Any, about: Any, words: tuple[str, ...], link: str
) -> None:
    Connector.objects.filter(pk=connector.pk).update(last_success_at=None, **about)
    page = visitor.reads(f"runs/{make_run(connector, **fields).pk}/")
    for word in words:
        assert word in page, word
    assert link in page[page.index(words[0]) :]


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.ABANDONED])
def test_what_a_later_run_has_mended_asks_nothing(maren: Visitor, connector: Connector, state: RunState) -> None:
    before = timezone.now() - timedelta(hours=1)
    run = make_run(connector, state=state, sentence="It broke.", started_at=before, finished_at=before)
    assert "A later run went through: nothing is left to do." in maren.reads(f"runs/{run.pk}/")


def test_a_viewer_is_not_sent_to_a_page_that_refuses_them(connector: Connector) -> None:
    Connector.objects.filter(pk=connector.pk).update(status=ConnectorStatus.UNAUTHORIZED, last_success_at=None)
    viewer = Visitor(connector.company, "partner", Role.PARTNER_VIEWER)
    run = make_run(connector, state=RunState.FAILED, sentence="The secret has expired.")
    assert "/setup/" not in viewer.get(f"runs/{run.pk}/").content.decode()


def test_findings_that_did_not_change_are_listed_by_an_earlier_run(connector: Connector, maren: Visitor) -> None:
    first = busy_run(connector)
    later = make_run(connector, counts={"held.disable": 46, "applied.rename": 1})
    make_line(later, kind=ChangeKind.RENAME, name="Ada")
    assert f'href="{maren.before}runs/{first.pk}/">an earlier run' in maren.get(f"runs/{later.pk}/").content.decode()
    assert "an earlier run" not in maren.reads(f"runs/{first.pk}/")


def test_people_lead_to_why_and_groups_do_not(connector: Connector, maren: Visitor) -> None:
    run = busy_run(connector)
    make_line(run, kind=ChangeKind.GROUP_RENAME, name="Dispatch", after="Dispatch")
    account = make_account(connector.company)
    make_line(run, kind=ChangeKind.RENAME, name="Ada", account=account, email=account.email)
    person = "e0a0cf5c-7a3d-4e5b-9a41-2f5d8f6f0f1e"
    make_line(run, Outcome.SKIPPED, name="Yard Tablet 3", object_id=person, cause=SkipReason.NO_EMAIL)
    purged = make_account(connector.company, AccountStatus.DELETED)
    Account.objects.filter(pk=purged.pk).update(email="", first_name="", last_name="", purged_at=timezone.now())
    make_line(run, kind=ChangeKind.DELETE, name="Gone", account=purged, email="gone@brightwater.example")
    page = maren.get(f"runs/{run.pk}/").content.decode()
    why = f'href="{maren.before}connectors/{connector.pk}/why/?'
    assert (f'{why}q=minh%40brightwater.example"' in page, f'{why}account={account.pk}"' in page) == (True, True)
    assert (f'{why}person={person}"' in page, "q=Dispatch" in page) == (True, False)
    assert (f'{why}q=gone%40brightwater.example"' in page, f"account={purged.pk}" in page) == (True, False)
    assert maren.get(f"connectors/{connector.pk}/why/?account={account.pk}").status_code == 200


# The list


def test_the_list_is_filtered_by_start_state_and_change(connector: Connector, visitor: Visitor) -> None:
    runs = {
        "partly": busy_run(connector, trigger=RunTrigger.MANUAL, by_label="Grace Okonkwo"),
        "changed": make_run(connector),
        "quiet": make_run(connector, quiet=True, times=288),
        "failed": make_run(connector, state=RunState.FAILED, sentence="Out of reach.", trigger=RunTrigger.API),
    }
    make_line(runs["changed"], kind=ChangeKind.RENAME, name="Ada")

    def shown(query: str) -> set[str]:
        page = visitor.get(f"connectors/{connector.pk}/runs/{query}").content.decode()
        return {name for name, run in runs.items() if f'runs/{run.pk}/"' in page}

    assert {query: shown(query) for query in ("", "?state=nonsense&trigger=nonsense")} == {
        "": set(runs),
        "?state=nonsense&trigger=nonsense": set(runs),
    }
    assert shown("?state=partly") == {"partly"}
    assert shown("?state=failed") == {"failed"}
    assert shown("?trigger=manual") == {"partly"}
    assert shown("?changed=1") == {"partly", "changed"}
    assert shown("?changed=1&trigger=schedule") == {"changed"}
    assert "No run fits this filter" in visitor.reads(f"connectors/{connector.pk}/runs/?state=running")
    page = visitor.reads(f"connectors/{connector.pk}/runs/")
    for words in ("288 runs until", "Nothing to do", "Grace Okonkwo, by Synchronize Now", "Partly failed"):
        assert words in page, words


def test_no_page_of_runs_costs_more_for_more_rows(connector: Connector, visitor: Visitor) -> None:
    run = busy_run(connector)
    pages = [f"connectors/{connector.pk}/runs/", f"runs/{run.pk}/", f"runs/{run.pk}/csv/"]
    visitor.get(pages[0])
    before = {page: visitor.queries(page) for page in pages}
    account = make_account(connector.company)
    for number in range(150):
        make_line(run, kind=ChangeKind.CREATE, name=f"P {number}", decided_by=f"S {number % 3}", account=account)
    for _ in range(60):
        make_run(connector)
    assert {page: visitor.queries(page) for page in pages} == before


# The run that was asked for


def test_the_run_that_was_asked_for_is_awaited_and_led_to(connector: Connector, visitor: Visitor) -> None:
    old = make_run(connector)
    place = f"connectors/{connector.pk}/runs/awaited/?after={old.pk}"
    page = visitor.get(place)
    assert ('hx-trigger="every 2s"' in page.content.decode(), "the run is asked for" in text_of(page)) == (True, True)
    new = make_run(connector, trigger=RunTrigger.APPROVAL)
    make_run(connector)
    assert visitor.get(place).headers["Location"] == f"{visitor.before}runs/{new.pk}/"
    live = visitor.get(place, headers={"HX-Request": "true"})
    assert (live.status_code, live.headers["HX-Redirect"]) == (200, f"{visitor.before}runs/{new.pk}/")
    first = visitor.get(f"connectors/{connector.pk}/runs/awaited/?after=nonsense")
    assert first.headers["Location"] == f"{visitor.before}runs/{old.pk}/"


def test_a_run_that_cannot_begin_says_why(connector: Connector, maren: Visitor) -> None:
    Connector.objects.filter(pk=connector.pk).update(paused_at=timezone.now(), paused_by="Grace Okonkwo")
    page = maren.reads(f"connectors/{connector.pk}/runs/awaited/?after=0")
    assert "paused by Grace Okonkwo: resume it first." in page
    assert "The decision stays in force" in page


# Words


def test_every_kind_of_line_can_be_told(connector: Connector) -> None:
    run = make_run(connector)
    for kind in ChangeKind:
        for outcome in (Outcome.APPLIED, Outcome.HELD, Outcome.FAILED):
            line = tell_line(
                make_line(run, outcome, kind=kind, name="Ada", before="x", after="y", group_name="Dispatch")
            )
            assert line.now
    for reason in SkipReason:
        told = tell_line(make_line(run, Outcome.SKIPPED, name="Ada", cause=reason, because=reason.label))
        assert (told.because.startswith(reason.label), told.now, told.label) == (True, "", "Skipped")


def test_a_reason_leads_with_its_situation(connector: Connector) -> None:
    line = make_line(make_run(connector), because="REMOVED, rule: disable · a member whom a setting leaves out")
    assert reason_of(line) == ("Removed", "Rule: disable. A member whom a setting leaves out.")
    line.because = "the directory has another name"
    assert reason_of(line) == ("", "The directory has another name.")
    line.because = ""
    assert reason_of(line) == ("", "")


def test_every_end_of_a_run_has_its_word(connector: Connector) -> None:
    words = {
        "Running": {"state": RunState.RUNNING},
        "Failed": {"state": RunState.FAILED},
        "Abandoned": {"state": RunState.ABANDONED},
        "Nothing to do": {"state": RunState.SUCCEEDED, "quiet": True},
        "Partly failed": {"state": RunState.SUCCEEDED, "counts": {"failed.create": 1}},
        "Done": {"state": RunState.SUCCEEDED, "counts": {"held.disable": 1}},
    }
    assert {word: state_of(SyncRun(**fields))[2] for word, fields in words.items()} == {word: word for word in words}
