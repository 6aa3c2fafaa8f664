"""Many accounts by hand: what lines say, which line is wrong and why, and that all are created or none."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.models import Account, AuditEntry, Company, Invitation
from tenants.roles import Role
from tenants.roster import MOST, Pasted, create_accounts, read_people
from tenants.states import AccountRole, AccountStatus, ManagedBy
from tests.world import make_account, make_company, make_staff


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            "Ada, Lovelace, ada@x.example\nGrace, Hopper, grace@x.example",
            "First name, Last name, Email\n\nAda,Lovelace,ada@x.example\n  \nGrace ,Hopper,  grace@x.example  \n",
            "Ada\tLovelace\tada@x.example\r\nGrace\tHopper\tgrace@x.example",
            'Ada; Lovelace; ada@x.example\n"Grace"; "Hopper"; grace@x.example',
        ],
    )
    def test_takes_commas_semicolons_and_cells_of_a_spreadsheet(self, text: str) -> None:
        people, problems = read_people(text)
        assert [(one.first_name, one.last_name, one.email) for one in people] == [
            ("Ada", "Lovelace", "ada@x.example"),
            ("Grace", "Hopper", "grace@x.example"),
        ]
        assert problems == []

    def test_keeps_a_comma_in_quotation_marks_and_one_name_alone(self) -> None:
        people, problems = read_people('"King, Countess", Lovelace, ada@x.example\n,Suharto,suharto@x.example')
        assert (people, problems) == (
            [Pasted(1, "King, Countess", "Lovelace", "ada@x.example"), Pasted(2, "", "Suharto", "suharto@x.example")],
            [],
        )

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            (
                "Ada Lovelace",
                "It has 1 part, and needs three: first name, last name, email. One of the names may be empty.",
            ),
            ("Ada, Lovelace", "It has 2 parts, and needs three"),
            ("Ada, King, Lovelace, ada@y.example", "It has 4 parts, and needs three"),
            ("Ada, Lovelace, ada", "That is not an email address: give one such as name@example.com."),
            (", , ada@y.example", "An account needs a name: give a first or a last name."),
            (f"{'A' * 201}, Lovelace, ada@y.example", "That name cannot be kept"),
            ("Ada, Lovelace, ONE@x.example", "ONE@x.example stands on line 1 already. Take one of them out."),
            ("email, email, email", "That is not an email address"),
        ],
    )
    def test_names_the_line_that_is_wrong(self, line: str, sentence: str) -> None:
        _, problems = read_people(f"One, Person, one@x.example\n\n{line}\nTwo, Person, two@x.example")
        [problem] = problems
        assert (problem.number, problem.sentence.startswith(sentence)) == (3, True), problem

    def test_names_every_line_that_is_wrong(self) -> None:
        _, problems = read_people("a\nb, c, d@x.example\ne, f, g\n")
        assert [problem.number for problem in problems] == [1, 3]

    def test_refuses_nothing_and_too_much(self) -> None:
        assert "There is no line yet." in read_people(" \n\n")[1][0].sentence
        many = "\n".join(f"A, B, person{number}@x.example" for number in range(MOST + 1))
        assert read_people(many)[1][0].sentence == "These are 501 people. Create at most 500 at once."


pytestmark = pytest.mark.django_db
LINES = "Ada, Lovelace, ada@x.example\nGrace, Hopper, grace@x.example"


@pytest.fixture
def company() -> Company:
    return make_company(licences=3)


def visitor(company: Company, role: Role = Role.PARTNER_TECHNICIAN) -> Client:
    client = Client()
    client.force_login(make_staff(company.partner, role))
    return client


def at(company: Company) -> str:
    return f"/partner/companies/{company.slug}/users/new/several/"


def said(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_lines_are_shown_before_anything_is_created_and_then_all_are(company: Company) -> None:
    client = visitor(company)
    shown = client.post(at(company), {"people": LINES})
    assert (shown.status_code, Account.objects.count()) == (200, 0)
    assert "Create 2 accounts? Nothing is created yet." in said(shown.content.decode())
    answer = client.post(at(company), {"people": LINES, "create": "1"}, follow=True)
    assert "2 accounts were created, and each is invited by email." in said(answer.content.decode())
    made = Account.objects.order_by("email")
    assert [(one.email, one.status, one.managed_by, one.role) for one in made] == [
        (email, AccountStatus.ACTIVE, ManagedBy.PB, AccountRole.USER) for email in ("ada@x.example", "grace@x.example")
    ]
    assert Invitation.objects.count() == 2
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.detail) == (
        "account.created_together",
        "2 accounts",
        {"accounts": ["ada@x.example", "grace@x.example"]},
    )


def test_nothing_is_created_where_one_line_is_wrong_and_nothing_typed_is_lost(company: Company) -> None:
    make_account(company, AccountStatus.DISABLED, email="Grace@x.example")
    client = visitor(company)
    for more in ({}, {"create": "1"}):
        answer = client.post(at(company), {"people": LINES, **more})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "Line 2: Grace@x.example already has an account here, and it is disabled. Take the line out." in said(
            page
        )
        assert html.escape(LINES) in page
    assert Account.objects.count() == 1


def test_too_few_licences_are_told_before_and_refused_after(company: Company) -> None:
    for _ in range(2):
        make_account(company)
    client = visitor(company)
    shown = said(client.post(at(company), {"people": LINES}).content.decode())
    assert "1 licence too few 2 are needed and 1 is free." in shown
    assert "Create 2 accounts Change" not in shown
    refused = client.post(at(company), {"people": LINES, "create": "1"})
    assert "2 licences are needed and one is free." in said(refused.content.decode())
    assert Account.objects.count() == 2


def test_lines_can_be_changed_again(company: Company) -> None:
    page = visitor(company).post(at(company), {"people": LINES, "change": "1"})
    assert (page.status_code, LINES in page.content.decode()) == (200, True)


def test_another_companys_accounts_are_no_obstacle_and_a_viewer_creates_nobody(company: Company) -> None:
    make_account(make_company(name="Quarrystone Legal"), email="ada@x.example")
    viewer = visitor(company, Role.PARTNER_VIEWER)
    assert viewer.post(at(company), {"people": LINES, "create": "1"}).status_code == 403
    assert visitor(company).post(at(company), {"people": LINES, "create": "1"}).status_code == 302
    assert Account.objects.filter(company=company).count() == 2


def test_the_whole_list_costs_as_much_as_one_line(company: Company) -> None:
    company.licences = None
    company.save()
    actor = make_staff(company.partner)
    costs = []
    for size in (1, 60):
        people = [Pasted(number, "A", "B", f"person{size}-{number}@x.example") for number in range(size)]
        with CaptureQueriesContext(connection) as queries:
            create_accounts(company, people, actor=actor)
        costs.append(len(queries))
    assert costs[0] == costs[1]
