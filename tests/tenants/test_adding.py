"""Adding a company, and the operator's partners: what the forms ask, what they say of errors, and what is recorded."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from tenants.models import AuditEntry, Company, Partner, StaffMembership, User
from tenants.roles import Role
from tests.world import Cast, entering, make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db

COMPANIES = "/partner/tenants/company/"
ADD = f"{COMPANIES}add/"
PARTNERS = "/partner/tenants/partner/"


def html_of(answer: HttpResponse) -> str:
    return unescape(answer.content.decode())


def errors(answer: HttpResponse) -> list[str]:
    return re.findall(r'class="field__error"[^>]*>\s*<svg.*?</svg>\s*([^<]+)', html_of(answer))


def labels(page: str) -> list[str]:
    return re.findall(r'<label class="field__label"[^>]*>([^<]+?)\s*<', page)


class TestACompany:
    def test_begins_with_its_name_and_asks_for_no_partner_where_there_is_one(self, cast: Cast) -> None:
        page = html_of(entering(cast.maren).get(ADD))
        assert labels(page) == ["Name", "Licences"]
        assert re.findall(r'<input[^>]*name="(\w+)"[^>]*autofocus', page) == ["name"]
        assert f'<input type="hidden" name="partner" value="{cast.harbour.pk}"' in page
        assert f'<a class="button" href="{COMPANIES}">Cancel</a>' in page
        assert "Times are in UTC" in page

    def test_of_an_operator_must_be_given_a_partner(self, cast: Cast) -> None:
        client = entering(cast.operator)
        page = html_of(client.get(ADD))
        assert labels(page) == ["Name", "Licences", "Partner"]
        options = re.findall(r'<option value="(\d*)"( selected)?>([^<]+)<', page)
        assert options == [
            ("", " selected", "Choose a partner"),
            (str(cast.harbour.pk), "", "Harbour Ridge IT"),
            (str(cast.elsewhere.pk), "", "Northgate Systems"),
        ]
        answer = client.post(ADD, {"name": "Oakhaven", "partner": ""})
        assert (answer.status_code, errors(answer)) == (422, ["Choose the partner that looks after the company."])

    def test_is_recorded_and_its_next_step_is_its_connector(self, cast: Cast) -> None:
        typed = {"partner": cast.harbour.pk, "name": "  Oakhaven   Trust ", "licences": "12"}
        answer = entering(cast.maren).post(ADD, typed, follow=True)
        company = Company.objects.get(name="Oakhaven Trust")
        assert (company.partner, company.licences) == (cast.harbour, 12)
        assert answer.redirect_chain == [(f"/partner/companies/{company.slug}/connectors/", 302)]
        assert "Oakhaven Trust is added. Install its connector here." in html_of(answer)
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor, entry.detail) == ("company.created", cast.maren, {"licences": 12})

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ({"name": " "}, ["Enter the name."]),
            ({"licences": "many"}, ["Enter a whole number, or leave it empty for unlimited licences."]),
            ({"licences": "-1"}, ["Enter 0 or more, or leave it empty for unlimited licences."]),
            (
                {"name": "brightwater logistics"},
                ["There is one named brightwater logistics already. Use that one, or give another name."],
            ),
            ({"partner": "999999"}, ["Choose a partner whose companies you manage."]),
        ],
    )
    def test_is_refused_with_a_sentence_under_its_field(
        self, cast: Cast, typed: dict[str, str], said: list[str]
    ) -> None:
        before = Company.objects.count()
        answer = entering(cast.maren).post(ADD, {"partner": cast.harbour.pk, "name": "Oakhaven", **typed})
        assert (answer.status_code, errors(answer)) == (422, said)
        assert (Company.objects.count(), AuditEntry.objects.count()) == (before, 0)

    def test_is_added_only_where_the_right_is(self, cast: Cast) -> None:
        StaffMembership.objects.create(partner=cast.elsewhere, user=cast.maren, role=Role.PARTNER_VIEWER)
        answer = entering(cast.maren).post(ADD, {"partner": cast.elsewhere.pk, "name": "Planted"})
        assert (answer.status_code, errors(answer)) == (422, ["Choose a partner whose companies you manage."])
        assert Company.objects.filter(name="Planted").count() == 0
        statuses = {who: entering(getattr(cast, who)).get(ADD).status_code for who in ("tomasz", "viewer")}
        assert statuses == {"tomasz": 403, "viewer": 403}

    def test_needs_a_partner_to_be_there(self) -> None:
        operator = User.objects.create_superuser("operator@pb.example")
        page = html_of(entering(operator).get(ADD))
        assert ("There is no partner yet." in page, "<form method" in page.partition("<main")[2]) == (True, False)


class TestPartners:
    def test_are_the_operators(self, cast: Cast) -> None:
        client = entering(cast.operator)
        added = client.post(f"{PARTNERS}add/", {"name": "Fenwick IT"}, follow=True)
        assert "Fenwick IT is added. Invite its first administrator under Staff." in html_of(added)
        partner = Partner.objects.get(name="Fenwick IT")
        change = f"{PARTNERS}{partner.pk}/change/"
        assert 'value="Fenwick IT"' in html_of(client.get(change))
        assert client.post(change, {"name": "Fenwick Systems"}).headers["Location"] == PARTNERS
        partner.refresh_from_db()
        assert partner.name == "Fenwick Systems"
        assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["partner.created", "partner.renamed"]
        taken = client.post(change, {"name": "Harbour Ridge IT"})
        assert (taken.status_code, errors(taken)) == (
            422,
            ["There is one named Harbour Ridge IT already. Use that one, or give another name."],
        )
        assert PARTNERS not in html_of(entering(cast.maren).get("/partner/tenants/staffmembership/"))

    def test_are_listed_with_what_each_has(self, cast: Cast) -> None:
        client = entering(cast.operator)
        page = client.get(PARTNERS)
        rows = {one.name: (one.companies_number, one.staff_number) for one in page.context["found"]}
        assert rows == {one.name: (one.companies.count(), one.staff.count()) for one in (cast.harbour, cast.elsewhere)}
        assert (re.findall(r"a\.m\.|p\.m\.|Created at", html_of(page))) == []
        assert [one.name for one in client.get(f"{PARTNERS}?q=north").context["found"]] == ["Northgate Systems"]
        assert "No partner fits this search" in html_of(client.get(f"{PARTNERS}?q=nowhere"))

    def test_cost_the_same_for_few_and_for_many(self, cast: Cast) -> None:
        client = entering(cast.operator)
        costs = []
        for size in (1, 20):
            for number in range(size):
                partner = make_partner(f"Partner {size} {number}")
                make_company(partner, f"Company {size} {number}")
                make_staff(partner)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(PARTNERS).status_code == 200
            costs.append(len(queries))
        assert costs[0] == costs[1]
