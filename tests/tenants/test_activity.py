"""Activity: what is listed for whom, what the filters find, the CSV, what it costs, and how long an entry is kept."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import schedule
from tenants.activity import Kind, details_of, forget_old, of_kind
from tenants.audit import declared_actions, sentence_of
from tenants.companies import change_company, create_company, create_partner
from tenants.models import AuditEntry, AuditHorizon, Company, User
from tenants.roles import Role
from tenants.roster import Act, perform
from tenants.states import AccountRole
from tests.world import make_account, make_company, make_operator, make_partner, make_staff

pytestmark = pytest.mark.django_db
EVERYWHERE = "/partner/tenants/auditentry/"


def entry(company: Company | None, subject: str = "Somebody", **fields: Any) -> AuditEntry:
    partner = fields.pop("partner", company.partner if company is not None else None)
    known: dict[str, Any] = {
        "actor_label": "Maren Lindqvist (maren@harbour.example)",
        "action": "account.disabled",
        "detail": {"accounts": ["a@x.example"]},
        **fields,
    }
    name = company.name if company is not None else ""
    return AuditEntry.objects.create(company=company, company_name=name, partner=partner, subject=subject, **known)


def browser(user: User | None) -> Client:
    assert user is not None
    client = Client()
    client.force_login(user)
    return client


def said(page: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def subjects(client: Client, path: str) -> list[str]:
    """Return the subjects of the listed entries, which are numbers here."""
    page = client.get(path)
    assert page.status_code == 200
    return re.findall(r"disabled (No\d+)\.", said(page))


@pytest.fixture
def company(db: None) -> Company:
    return make_company(make_partner())


@pytest.fixture
def staff(company: Company) -> Client:
    return browser(make_staff(company.partner, Role.PARTNER_VIEWER))


def test_what_a_person_does_is_listed_at_once_with_what_was_before(company: Company) -> None:
    maren = make_staff(company.partner)
    change_company(company, {"licences": 12}, actor=maren)
    people = [make_account(company, email=f"{name}@x.example") for name in ("ada", "grace")]
    perform(Act.DISABLE, company, [one.pk for one in people], actor=maren)
    for path in (EVERYWHERE, f"/partner/companies/{company.slug}/activity/"):
        page = said(browser(maren).get(path))
        assert f"{maren.name} ({maren.email}) changed the settings of Brightwater Logistics. Licences: – → 12" in page
        assert f"disabled 2 accounts. {people[0].email}, {people[1].email}" in page


def test_a_company_sees_its_own_and_nothing_of_its_partner(company: Company) -> None:
    sibling = make_company(company.partner, "Sable Street Brewing")
    entry(company, "No1")
    entry(sibling, "No2")
    entry(None, "No3", partner=company.partner)
    entry(make_company(name="Quarrystone Legal"), "No4")
    administrator = browser(make_account(company, role=AccountRole.ADMIN, claimed=True).user)
    assert subjects(administrator, "/business/activity/") == ["No1"]
    staff = browser(make_staff(company.partner))
    assert subjects(staff, EVERYWHERE) == ["No3", "No2", "No1"]
    assert subjects(staff, f"/partner/companies/{sibling.slug}/activity/") == ["No2"]
    assert subjects(browser(make_operator()), EVERYWHERE) == ["No4", "No3", "No2", "No1"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["No5", "No4", "No3", "No2", "No1"]),
        ("q=no2", ["No2"]),
        ("q=brightwater+maren", ["No5", "No4", "No3", "No1"]),
        ("who=tomasz", ["No2"]),
        ("who=%00%25", []),
        ("company=sable", ["No2"]),
        ("kind=accounts&q=No1", ["No1"]),
        ("kind=nonsense&q=No1", ["No1"]),
        ("since=2026-11-03", ["No5", "No4", "No3"]),
        ("until=2026-11-03", ["No3", "No2", "No1"]),
        ("since=2026-11-02&until=2026-11-02", ["No2"]),
        ("since=0001-01-01&until=9999-12-31", ["No5", "No4", "No3", "No2", "No1"]),
        ("since=2026-02-30&q=No4", ["No4"]),
        ("since=yesterday&q=No4", ["No4"]),
        ("page=2", ["No5", "No4", "No3", "No2", "No1"]),
    ],
)
def test_a_filter_finds_what_it_says(company: Company, staff: Client, query: str, found: list[str]) -> None:
    sable = make_company(company.partner, "Sable Street Brewing")
    for number in range(1, 6):
        other = {"actor_label": "Tomasz Wiśniewski"} if number == 2 else {}
        at = datetime(2026, 11, number, 12, tzinfo=UTC)
        entry(sable if number == 2 else company, f"No{number}", at=at, **other)
    assert subjects(staff, f"{EVERYWHERE}?{query}") == found


def test_a_date_that_is_none_is_said_to_be_none(staff: Client) -> None:
    page = said(staff.get(f"{EVERYWHERE}?since=2026-02-30&until=soon"))
    assert "“2026-02-30” and “soon” are no dates, and are passed over. Write one such as 2026-11-23." in page
    assert "“soon” is no date, and is passed over." in said(staff.get(f"{EVERYWHERE}?until=soon"))
    assert "no date" not in said(staff.get(EVERYWHERE))


def test_every_declared_action_is_of_exactly_one_kind(company: Company) -> None:
    own = [code for code in declared_actions() if not code.startswith("test.")]
    for code in own:
        entry(company, action=code, detail={})
    for code in own:
        kinds = [kind for kind in Kind if AuditEntry.objects.filter(of_kind(kind), action=code).exists()]
        assert len(kinds) == 1, code
    assert AuditEntry.objects.filter(of_kind(Kind.RUNS)).count() == 1


def test_pages_follow_each_other(company: Company, staff: Client) -> None:
    for number in range(60):
        entry(company, f"No{number}")
    assert len(subjects(staff, f"{EVERYWHERE}?q=No")) == 50
    assert subjects(staff, f"{EVERYWHERE}?q=No&page=2") == [f"No{number}" for number in range(9, -1, -1)]


def test_a_run_is_linked_while_its_record_is_kept(company: Company, staff: Client) -> None:
    detail = {"run": 41, "trigger": "schedule", "counts": {"applied.create": 1}}
    run = {"action": "connector.synchronised", "detail": detail}
    entry(company, "Entra", **run)
    entry(company, "Entra", at=timezone.now() - timedelta(days=200), **{**run, "detail": {**run["detail"], "run": 7}})
    page = staff.get(EVERYWHERE).content.decode()
    assert re.findall(r'href="([^"]*/runs/\d+/)"', page) == [f"/partner/companies/{company.slug}/runs/41/"]


def table(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_the_csv_holds_all_that_the_filter_finds_and_nothing_to_execute(company: Company, staff: Client) -> None:
    for number in range(60):
        entry(company, f"No{number}")
    entry(company, "x", actor_label='=HYPERLINK("http://evil")', at=datetime(2026, 11, 1, 9, 30, tzinfo=UTC))
    heads, *rows = table(staff.get("/partner/activity.csv?q=No"))
    assert heads == ["When (UTC)", "Partner", "Company", "Who", "What", "Details", "Action"]
    assert len(rows) == 60
    [row] = table(staff.get("/partner/activity.csv?until=2026-11-01"))[1:]
    assert row[:4] == [
        "2026-11-01 09:30:00",
        "Harbour Ridge IT",
        "Brightwater Logistics",
        '\'=HYPERLINK("http://evil")',
    ]
    assert row[4].startswith("'=HYPERLINK")
    own = table(staff.get(f"/partner/companies/{company.slug}/activity.csv?q=No7"))[1:]
    assert [line[4] for line in own] == ["Maren Lindqvist (maren@harbour.example) disabled No7."]


def test_a_csv_tells_nobody_of_another_partner(company: Company, staff: Client) -> None:
    foreign = entry(make_company(name="Quarrystone Legal"), "No4")
    entry(company, "No1")
    assert [row[2] for row in table(staff.get("/partner/activity.csv"))[1:]] == ["Brightwater Logistics"]
    assert foreign.company_name in str(table(browser(make_operator()).get("/partner/activity.csv")))


def test_no_page_asks_more_of_the_database_for_more_entries(company: Company) -> None:
    clients = {
        EVERYWHERE: browser(make_staff(company.partner)),
        f"/partner/companies/{company.slug}/activity/": browser(make_operator()),
        "/business/activity/": browser(make_account(company, role=AccountRole.ADMIN, claimed=True).user),
    }

    def queries() -> dict[str, int]:
        counted = {}
        for path, client in clients.items():
            with CaptureQueriesContext(connection) as captured:
                assert client.get(path).status_code == 200
            counted[path] = len(captured)
        return counted

    entry(company)
    queries()
    before = queries()
    for number in range(40):
        entry(make_company(company.partner, f"Company {number}"))
        entry(company)
    assert queries() == before


def test_what_an_entry_tells_beyond_its_sentence() -> None:
    def told(action: str, **detail: Any) -> list[str]:
        return details_of(AuditEntry(action=action, detail=detail))

    assert told("account.disabled", accounts=["a@x"]) == []
    assert told("account.disabled", accounts=[f"{one}@x" for one in range(22)])[0].endswith("19@x and 2 more")
    assert told("account.created", role="Administrator") == ["Role: Administrator"]
    assert told("partner.renamed", before="Old") == []
    assert told("company.changed", before={"licences": None, "name": "A"}, after={"licences": 5, "name": "B"}) == [
        "Licences: – → 5",
        "Name: A → B",
    ]
    assert told("gone.by", before="a", after=["b", "c"], flag=True, map={"in_use": []}) == [
        "a → b, c",
        "Flag: yes",
        "In use: –",
    ]


# Keeping


def test_without_the_setting_nothing_is_ever_forgotten(company: Company) -> None:
    entry(company, at=datetime(1999, 1, 1, tzinfo=UTC))
    assert forget_old(timezone.now()) == 0
    assert (AuditEntry.objects.count(), AuditHorizon.objects.count()) == (1, 0)


def test_the_setting_forgets_what_is_older_in_the_hourly_upkeep(company: Company, settings: Any) -> None:
    settings.PBPORTAL_KEEP_ACTIVITY_DAYS = 30
    now = timezone.now()
    for days in (400, 31, 29, 0):
        entry(company, f"{days} days", at=now - timedelta(days=days))
    schedule.tidy()
    assert list(AuditEntry.objects.values_list("subject", flat=True)) == ["0 days", "29 days"]
    assert "Entries are kept for 30 days." in said(browser(make_staff(company.partner)).get(EVERYWHERE))


def test_forgetting_takes_nothing_that_is_younger_whatever_it_is_given(company: Company) -> None:
    entry(company)
    horizon = AuditHorizon(before=timezone.now() - timedelta(days=1))
    assert AuditEntry.objects.all().forget(horizon) == 0
    assert AuditEntry.objects.count() == 1


def _refused(statement: str) -> bool:
    """Say whether the database itself refuses a statement."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            transaction.set_rollback(True)
    except DatabaseError:
        return True
    return False


def test_postgresql_itself_refuses_what_the_portal_never_does(company: Company) -> None:
    actor = make_operator()
    row = entry(company, actor=actor)
    attempts = [
        "UPDATE tenants_auditentry SET subject = 'x'",
        "UPDATE tenants_auditentry SET at = '2001-01-01', actor_id = NULL",
        "DELETE FROM tenants_auditentry",
    ]
    guarded = connection.vendor == "postgresql"
    assert [_refused(statement) for statement in attempts] == [guarded] * 3
    AuditHorizon.objects.create(before=timezone.now() + timedelta(days=1))
    assert not _refused("DELETE FROM tenants_auditentry")
    actor.delete()
    row = AuditEntry.objects.get(pk=row.pk)
    assert (row.actor, row.subject) == (None, "Somebody")


def test_acts_of_a_partner_are_told_to_the_operator_and_to_its_own_staff() -> None:
    operator = make_operator()
    partner = create_partner(name="Northgate Systems", actor=operator)
    create_company(partner, name="Quarrystone Legal", actor=operator)
    for user in (operator, make_staff(partner)):
        page = said(browser(user).get(EVERYWHERE))
        assert "created the partner Northgate Systems." in page
        assert "created the company Quarrystone Legal." in page
    assert "Quarrystone" not in said(browser(make_staff(make_partner())).get(EVERYWHERE))
    assert all(sentence_of(one) for one in AuditEntry.objects.all())
