"""The demo's fleet: companies in all kinds of states, which are what real runs would make of their directories."""

from __future__ import annotations

from itertools import pairwise

import pytest

from connectors.models import Connector, SyncRun
from connectors.states import ConnectorStatus, RunState, RunTrigger
from connectors.sync import run
from tenants.models import Company, User
from tests.demo import fleet_rows, seed
from tests.demo.fleet import FLEET, UNAUTHORIZED, UNFINISHED, WITHOUT_DIRECTORY, Kind, make_tenants
from tests.entra_emulator import Emulator

pytestmark = pytest.mark.django_db


def seeded() -> None:
    seed.seed()
    fleet_rows.seed_fleet()


def test_thirty_companies_of_one_partner_are_in_every_state_and_the_other_partners_are_not_seen() -> None:
    seeded()
    fleet_rows.seed_fleet()
    maren, joost = (
        User.objects.get(email=email) for email in ("maren@harbourridge.example", "joost@northgate.example")
    )
    hers = set(Company.objects.visible_to(maren).values_list("name", flat=True))
    his = set(Company.objects.visible_to(joost).values_list("name", flat=True))
    assert ({made.kind for made in FLEET}, len(hers) >= 35, hers & his) == (set(Kind), True, set())
    assert {"Bramble Court Vets", "Ostler Haulage"} <= his


def test_each_has_a_day_of_runs_that_ended_in_order() -> None:
    seeded()
    for made in FLEET:
        runs = SyncRun.objects.filter(company__name=made.name).order_by("started_at")
        ends = [(one.started_at, one.finished_at) for one in runs]
        assert all(before[1] <= after[0] for before, after in pairwise(ends)), made.name
        assert bool(ends) == (made.kind not in {Kind.NEVER, Kind.WAITING, *UNFINISHED}), made.name


def test_a_real_run_finds_each_as_it_was_seeded() -> None:
    seeded()
    emulator = Emulator()
    make_tenants(emulator)
    # To be told that Microsoft is unreachable takes a run some seconds of waiting.
    passed_over = {*WITHOUT_DIRECTORY, Kind.UNREACHABLE}
    one_of_each = {made.kind: made for made in reversed(FLEET) if made.kind not in passed_over}
    told = {}
    with emulator.install():
        for kind, made in one_of_each.items():
            row = Connector.objects.filter(company__name=made.name).latest("pk")
            if row.status not in (ConnectorStatus.CONNECTED, ConnectorStatus.WAITING) or row.paused_at:
                continue
            Connector.objects.filter(pk=row.pk).update(throttled_until=None)
            accounts = row.company.accounts.count()
            before = row.attention
            run(row.pk, RunTrigger.SCHEDULE)
            row.refresh_from_db()
            failed = SyncRun.objects.filter(connector=row).latest("pk").state == RunState.FAILED
            told[kind] = (row.attention == before, row.company.accounts.count() - accounts, failed)
    still = (True, 0, False)
    expected = dict.fromkeys(told, still)
    expected |= {Kind.WAITING: (True, 11, False), Kind.THROTTLED: (True, 0, True)}
    assert told == expected
    assert set(one_of_each) - set(told) == {Kind.PAUSED, Kind.AT_GROUPS, Kind.AT_RULES}


def test_what_microsoft_refuses_says_why() -> None:
    seeded()
    refused = Connector.objects.filter(status=ConnectorStatus.UNAUTHORIZED, company__partner__slug="harbour-ridge-it")
    assert len({row.status_sentence for row in refused}) == len(UNAUTHORIZED)
