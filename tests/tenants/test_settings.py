"""A company's Settings: who changes them, what fewer licences mean before they are saved, and whose addresses count."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.models import AuditEntry, Company, Partner
from tenants.roles import Role
from tenants.states import AccountRole, AccountStatus
from tests.world import make_account, make_company, make_operator, make_partner, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def partner() -> Partner:
    return make_partner()


@pytest.fixture
def company(partner: Partner) -> Company:
    return make_company(partner, licences=5, notification_emails=["it@brightwater.example"])


class Visitor:
    """Hold a browser of one role, and the Settings of the company in its portal."""

    def __init__(self, company: Company, role: str = "partner administrator") -> None:
        self.client = Client()
        self.url = f"/partner/companies/{company.slug}/settings/"
        staff = {
            "partner administrator": Role.PARTNER_ADMINISTRATOR,
            "partner technician": Role.PARTNER_TECHNICIAN,
            "partner viewer": Role.PARTNER_VIEWER,
        }
        if role == "operator":
            user: Any = make_operator()
        elif role in staff:
            user = make_staff(company.partner, staff[role])
        else:
            self.url = "/business/settings/"
            own = AccountRole.ADMIN if role == "company administrator" else AccountRole.USER
            user = make_account(company, role=own, claimed=True).user
        self.client.force_login(user)

    def page(self) -> str:
        return text_of(self.client.get(self.url))

    def save(self, **typed: Any) -> HttpResponse:
        """Post the form as the page has it, but for what is typed."""
        html = self.client.get(self.url).content.decode()
        return self.post(html, typed)

    def post(self, html: str, typed: dict[str, Any]) -> HttpResponse:
        return self.client.post(self.url, _values(html) | typed)


def _values(html: str) -> dict[str, str]:
    found = dict(re.findall(r'<input type="(?:text|number|hidden)" name="([\w-]+)"(?: value="([^"]*)")?', html))
    areas = re.findall(r'<textarea name="([\w-]+)"[^>]*>\n?(.*?)</textarea>', html, re.DOTALL)
    return found | dict(areas)


def text_of(answer: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


ROLES = {
    "operator": (200, True),
    "partner administrator": (200, True),
    "partner technician": (200, False),
    "partner viewer": (200, False),
    "company administrator": (200, False),
    "company user": (403, False),
}


@pytest.mark.parametrize("role", ROLES)
def test_who_sees_them_and_who_changes_them(company: Company, role: str) -> None:
    visitor = Visitor(company, role)
    seen, changes = ROLES[role]
    answer = visitor.client.get(visitor.url)
    assert (answer.status_code, b"Save settings" in answer.content) == (seen, changes)
    assert (b"it@brightwater.example" in answer.content) is (seen == 200)
    saved = visitor.client.post(
        visitor.url, {"name": "Brightwater", "licences": "9", "notification_emails": "new@brightwater.example"}
    )
    company.refresh_from_db()
    after = ("Brightwater", 9, ["new@brightwater.example"])
    before = ("Brightwater Logistics", 5, ["it@brightwater.example"])
    assert saved.status_code == (302 if changes else 403)
    assert (company.name, company.licences, company.notification_emails) == (after if changes else before)
    assert AuditEntry.objects.filter(action="company.changed").count() == changes


def test_the_company_does_not_see_which_staff_is_told(partner: Partner, company: Company) -> None:
    make_staff(partner, name="Maren Lindqvist")
    make_staff(partner, Role.PARTNER_VIEWER, name="Priya Raman")
    staff = Visitor(company, "partner viewer").page()
    assert ("Maren Lindqvist" in staff, "Priya Raman" in staff) == (True, False)
    own = Visitor(company, "company administrator").page()
    assert ("Maren" in own, "Harbour Ridge IT looks after them" in own) == (False, True)


def test_a_company_of_which_nobody_is_told_says_so(company: Company) -> None:
    visitor = Visitor(company, "partner viewer")
    assert "Only the addresses above are told." in visitor.page()
    Company.objects.update(notification_emails=[])
    assert "Nobody is told when this company needs a person." in visitor.page()


class TestLicences:
    def test_below_use_are_saved_only_after_what_it_means_was_shown(self, company: Company) -> None:
        for _ in range(4):
            make_account(company)
        make_account(company, AccountStatus.PENDING)
        visitor = Visitor(company)
        shown = visitor.save(licences="3", notification_emails="new@brightwater.example")
        page = text_of(shown)
        assert "3 licences would be 1 below use. Nothing is saved yet." in page
        assert "They stay Active. Nobody is disabled." in page
        company.refresh_from_db()
        assert (company.licences, company.notification_emails) == (5, ["it@brightwater.example"])
        # One more became Active meanwhile: what was shown is not so any more.
        make_account(company)
        again = visitor.post(shown.content.decode(), {"seen": "3/4"})
        assert "3 licences would be 2 below use." in text_of(again)
        assert visitor.post(again.content.decode(), {"seen": "3/5"}).status_code == 302
        company.refresh_from_db()
        assert (company.licences, company.notification_emails) == (3, ["new@brightwater.example"])
        assert company.accounts.filter(status=AccountStatus.ACTIVE).count() == 5
        assert "Nobody becomes Active until 3 fewer accounts use a licence" in visitor.page()

    def test_at_use_or_unlimited_are_saved_at_once(self, company: Company) -> None:
        make_account(company)
        visitor = Visitor(company)
        for typed, stored in (("1", 1), ("", None), ("0012", 12)):
            assert visitor.save(licences=typed).status_code == 302
            company.refresh_from_db()
            assert company.licences == stored

    @pytest.mark.parametrize(
        ("typed", "sentence"),
        [
            ("ten", "Enter a whole number, or leave it empty for unlimited licences."),
            ("1.5", "Enter a whole number, or leave it empty for unlimited licences."),
            ("-1", "Enter 0 or more, or leave it empty for unlimited licences."),
            ("9" * 30, "Enter 1,000,000 or fewer, or leave it empty for unlimited licences."),
        ],
    )
    def test_what_is_no_number_is_refused_with_what_to_enter(self, company: Company, typed: str, sentence: str) -> None:
        answer = Visitor(company).save(licences=typed)
        assert (answer.status_code, sentence in text_of(answer)) == (422, True)
        company.refresh_from_db()
        assert company.licences == 5


class TestAddresses:
    def test_are_kept_once_each_in_their_order(self, company: Company) -> None:
        typed = "  it@brightwater.example \n\nHelp.Desk@brightwater.example;\nIT@brightwater.example,\n"
        Visitor(company).save(notification_emails=typed)
        company.refresh_from_db()
        assert company.notification_emails == ["it@brightwater.example", "Help.Desk@brightwater.example"]

    @pytest.mark.parametrize(
        ("typed", "sentence"),
        [
            (
                "it@b.example\nnot an address",
                "Line 2: “not an address” is not an email address. Write one address on each line.",
            ),
            ("a@b.example, c@d.example", "Line 1: “a@b.example, c@d.example” is not an email address."),
            ("it@b.example\nBcc: x@b.example", "Line 2: “Bcc: x@b.example” is not an email address."),
            ("\n".join(f"a{n}@b.example" for n in range(21)), "These are 21 addresses. Leave at most 20."),
            (f"{'a' * 60}@{'b' * 63}.{'c' * 63}.{'d' * 63}.example", "has at most 254 characters."),
        ],
    )
    def test_what_is_no_address_is_refused_by_its_line_and_nothing_typed_is_lost(
        self, company: Company, typed: str, sentence: str
    ) -> None:
        answer = Visitor(company).save(notification_emails=typed, name="Brightwater")
        assert (answer.status_code, sentence in text_of(answer)) == (422, True)
        kept = _values(answer.content.decode())
        assert (kept["name"], kept["notification_emails"]) == ("Brightwater", typed)
        company.refresh_from_db()
        assert company.notification_emails == ["it@brightwater.example"]


class TestName:
    def test_of_another_company_is_refused(self, partner: Partner, company: Company) -> None:
        make_company(partner, "Sable Street Brewing")
        answer = Visitor(company).save(name="sable street BREWING")
        assert (answer.status_code, "There is one named" in text_of(answer)) == (422, True)

    def test_of_another_partners_company_is_free(self, company: Company) -> None:
        make_company(name="Quarrystone Legal")
        assert Visitor(company).save(name="  Quarrystone\tLegal ").status_code == 302
        company.refresh_from_db()
        assert company.name == "Quarrystone Legal"


def test_two_who_change_different_things_at_once_lose_neither(company: Company) -> None:
    first, second = Visitor(company), Visitor(company, "operator")
    page = second.client.get(second.url).content.decode()
    first.save(licences="50")
    second.post(page, {"name": "Brightwater"})
    company.refresh_from_db()
    assert (company.name, company.licences) == ("Brightwater", 50)
    details = AuditEntry.objects.order_by("pk").values_list("detail", flat=True)
    assert [set(detail["after"]) for detail in details] == [{"licences"}, {"name"}]


def test_the_page_costs_the_same_whatever_it_shows(partner: Partner, company: Company) -> None:
    visitor = Visitor(company)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            visitor.client.get(visitor.url)
        return len(captured)

    few = cost()
    for _ in range(8):
        make_staff(partner)
        make_account(company)
    assert cost() == few
