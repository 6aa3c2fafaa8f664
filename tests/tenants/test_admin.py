"""The partner portal: what is on it, who gets in, which acts are offered, and that history cannot be touched."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import ForeignKey
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenants.admin import TenantScopedAdmin, site
from tenants.models import Account, AuditEntry, Company, Partner, StaffMembership, User
from tenants.roles import Role
from tenants.roster import Act
from tenants.states import AccountStatus
from tests.world import PASSWORD, Cast, confirm_again, make_account, make_group, seed_cast

ACCOUNTS = "/partner/tenants/account/"


class TestTheSite:
    def test_holds_our_models_only(self) -> None:
        assert {model._meta.app_label for model in site._registry} <= {"tenants", "connectors"}
        assert {model.__name__ for model in site._registry if model._meta.app_label == "tenants"} == {
            "Partner",
            "StaffMembership",
            "Company",
            "Account",
            "Group",
            "GroupMembership",
            "AuditEntry",
        }

    def test_the_stock_site_is_empty(self) -> None:
        assert dict(admin.site._registry) == {}

    @pytest.mark.parametrize("page", site._registry.values(), ids=str)
    def test_every_page_is_scoped_and_no_filter_names_a_stranger(self, page: Any) -> None:
        assert isinstance(page, TenantScopedAdmin)
        stock = [
            name
            for name in page.list_filter
            if isinstance(name, str) and isinstance(page.model._meta.get_field(name), ForeignKey)
        ]
        assert stock == []
        pairs = [entry for entry in page.list_filter if isinstance(entry, tuple)]
        assert all(kind is admin.RelatedOnlyFieldListFilter for _, kind in pairs)

    @pytest.mark.parametrize("page", site._registry.values(), ids=str)
    def test_no_page_shows_a_secret(self, page: Any) -> None:
        shown = {*page.list_display, *page.readonly_fields, *(page.fields or ()), *page.search_fields}
        for _, options in page.fieldsets or ():
            shown |= set(options["fields"])
        assert shown & {"password", "secret", "token_hash", "lease_token"} == set()


pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return seed_cast()


def entering(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestSigningIn:
    def sign_in(self, email: str, password: str = PASSWORD) -> int | str:
        asked = Client()
        page = asked.get(reverse("admin:login") + "?next=/partner/").headers["Location"]
        answer = asked.post(page, {"login": email, "password": password, "next": "/partner/"})
        return answer.headers.get("Location", answer.status_code)

    def test_is_for_active_staff_by_email_and_password(self, cast: Cast) -> None:
        assert self.sign_in("Maren@HarbourRidge.example") == "/partner/"
        assert self.sign_in(cast.operator.email) == "/partner/"
        assert self.sign_in(cast.maren.email, "wrong") == 200
        cast.maren.is_active = False
        cast.maren.save()
        assert self.sign_in(cast.maren.email) == 403
        company_login = Client()
        company_login.force_login(cast.amara.user)
        assert company_login.get("/partner/", follow=True).status_code == 404


def post(client: Client, act: str, *accounts: Account, **more: str) -> list[str]:
    """Post an act for the accounts selected; return the messages that the list then shows."""
    data = {"action": act, "_selected_action": [account.pk for account in accounts]} | more
    answer = client.post(ACCOUNTS, data, follow=True)
    return [str(message) for message in answer.context["messages"]]


class TestActs:
    OFFERED = {
        "operator": set(Act),
        "maren": set(Act),
        "tomasz": {Act.APPROVE, Act.ENABLE, Act.DISABLE, Act.RESEND_INVITATION, Act.REVOKE_INVITATION},
        "viewer": set(),
    }

    @pytest.mark.parametrize("who", OFFERED)
    def test_are_offered_by_the_rights_table(self, cast: Cast, who: str) -> None:
        make_account(cast.brightwater)
        page = entering(getattr(cast, who)).get(ACCOUNTS).content.decode()
        assert {act for act in Act if f'<option value="{act.value}">' in page} == self.OFFERED[who]

    def test_disable_for_a_selection_with_one_entry(self, cast: Cast) -> None:
        accounts = [make_account(cast.brightwater) for _ in range(2)]
        assert post(entering(cast.tomasz), "disable", *accounts) == ["Disable: done for 2."]
        assert set(Account.objects.filter(status="disabled")) == set(accounts)
        assert AuditEntry.objects.get().actor == cast.tomasz

    def test_that_take_something_for_good_ask_first(self, cast: Cast) -> None:
        account = make_account(cast.brightwater, first_name="Peter", last_name="Hallam")
        client = entering(cast.maren)
        page = client.post(ACCOUNTS, {"action": "delete", "_selected_action": [account.pk]}).content.decode()
        assert "Peter Hallam" in page
        assert "Delete these 1" in page
        asked = client.post(ACCOUNTS, {"action": "delete", "_selected_action": [account.pk], "confirmed": "yes"})
        assert asked.headers["Location"].startswith("/accounts/reauthenticate/?next=%2Fpartner%2Fcompanies%2F")
        account.refresh_from_db()
        assert account.status == "active"
        confirm_again(client)
        chosen = client.get(f"/partner/companies/{cast.brightwater.slug}/users/?chosen=1").content.decode()
        assert ("Peter Hallam" in chosen, "Delete: 1 person" in chosen) == (True, True)
        assert post(client, "delete", account, confirmed="yes") == ["Delete: done for 1."]
        account.refresh_from_db()
        assert account.status == "deleted"

    def test_that_are_refused_say_why(self, cast: Cast) -> None:
        [sentence] = post(entering(cast.maren), "disable", cast.amara)
        assert sentence.startswith("Brightwater Logistics would be left without an active administrator.")
        assert AuditEntry.objects.count() == 0

    def test_need_a_selection_in_one_company(self, cast: Cast) -> None:
        here, there = make_account(cast.brightwater), make_account(cast.sable)
        assert post(entering(cast.maren), "disable", here, there) == [
            "The selection is of several companies. Filter by company, and select in one at a time."
        ]
        outside = make_account(cast.quarrystone)
        assert post(entering(cast.maren), "disable", outside) == ["Nobody is selected. Select at least one account."]
        assert set(Account.objects.values_list("status", flat=True)) == {"active"}

    def test_that_are_not_offered_are_not_done(self, cast: Cast) -> None:
        account = make_account(cast.brightwater)
        post(entering(cast.tomasz), "delete", account, confirmed="yes")
        post(entering(cast.viewer), "disable", account)
        account.refresh_from_db()
        assert account.status == "active"

    def test_go_by_the_right_in_the_company_not_by_one_held_elsewhere(self, cast: Cast) -> None:
        StaffMembership.objects.create(partner=cast.elsewhere, user=cast.viewer, role=Role.PARTNER_ADMINISTRATOR)
        here, there = make_account(cast.brightwater), make_account(cast.quarrystone)
        client = entering(cast.viewer)
        statuses = [
            client.post(ACCOUNTS, {"action": "disable", "_selected_action": [account.pk]}).status_code
            for account in (here, there)
        ]
        assert statuses == [403, 302]
        assert Account.objects.get(status="disabled") == there


class TestCompanies:
    def test_of_ones_only_partner_need_not_be_chosen(self, cast: Cast) -> None:
        page = entering(cast.maren).get("/partner/tenants/company/add/").content.decode()
        assert f'<option value="{cast.harbour.pk}" selected>' in page
        assert (
            f'<option value="{cast.elsewhere.pk}"'
            in entering(cast.operator).get("/partner/tenants/company/add/").content.decode()
        )

    def test_are_created_and_changed_through_the_operations(self, cast: Cast) -> None:
        client = entering(cast.maren)
        client.post("/partner/tenants/company/add/", {"partner": cast.harbour.pk, "name": "Oakhaven Trust"})
        company = Company.objects.get(name="Oakhaven Trust")
        assert (company.partner, company.licences) == (cast.harbour, None)
        page = client.get(f"/partner/tenants/company/{company.pk}/change/").content.decode()
        assert "They are changed on the company’s tab Settings." in page
        client.post(f"/partner/tenants/company/{company.pk}/change/", {"name": "Oakhaven", "licences": "12"})
        company.refresh_from_db()
        # Licences are changed where it is shown what fewer than in use mean.
        assert (company.name, company.licences, company.partner) == ("Oakhaven", None, cast.harbour)
        actions = AuditEntry.objects.order_by("pk").values_list("action", "actor")
        assert list(actions) == [("company.created", cast.maren.pk), ("company.changed", cast.maren.pk)]

    def test_keep_their_partner(self, cast: Cast) -> None:
        entering(cast.operator).post(
            f"/partner/tenants/company/{cast.sable.pk}/change/",
            {"name": "Sable Street Brewing", "partner": cast.elsewhere.pk, "licences": "40"},
        )
        cast.sable.refresh_from_db()
        assert cast.sable.partner == cast.harbour

    def test_of_one_name_are_refused_with_a_sentence(self, cast: Cast) -> None:
        answer = entering(cast.maren).post(
            f"/partner/tenants/company/{cast.sable.pk}/change/",
            {"name": "brightwater logistics", "licences": "40"},
            follow=True,
        )
        assert [str(message) for message in answer.context["messages"]] == [
            "There is one named brightwater logistics already. Use that one, or give another name."
        ]

    def test_are_created_only_where_the_right_is(self, cast: Cast) -> None:
        StaffMembership.objects.create(partner=cast.elsewhere, user=cast.maren, role=Role.PARTNER_VIEWER)
        answer = entering(cast.maren).post(
            "/partner/tenants/company/add/", {"partner": cast.elsewhere.pk, "name": "Planted"}
        )
        assert (answer.status_code, Company.objects.filter(name="Planted").count()) == (403, 0)

    def test_are_changed_only_where_the_right_is(self, cast: Cast) -> None:
        StaffMembership.objects.create(partner=cast.elsewhere, user=cast.maren, role=Role.PARTNER_VIEWER)
        client = entering(cast.maren)
        answers = {}
        for company in (cast.brightwater, cast.quarrystone):
            address = f"/partner/tenants/company/{company.pk}/change/"
            saves = 'name="_save"' in client.get(address).content.decode()
            answers[company.name] = (saves, client.post(address, {"name": f"{company.name} II"}).status_code)
        assert answers == {"Brightwater Logistics": (True, 302), "Quarrystone Legal": (False, 403)}
        names = Company.objects.filter(name__endswith=" II").values_list("name", flat=True)
        assert list(names) == ["Brightwater Logistics II"]

    def test_show_licences_in_use(self, cast: Cast) -> None:
        for status in AccountStatus:
            make_account(cast.sable, status)
        page = entering(cast.maren).get("/partner/tenants/company/")
        used = {company.name: company.active for company in page.context["cl"].result_list}
        assert used == {"Brightwater Logistics": 1, "Sable Street Brewing": 2}


def test_partners_are_the_operators(cast: Cast) -> None:
    client = entering(cast.operator)
    client.post("/partner/tenants/partner/add/", {"name": "Fenwick IT"})
    partner = Partner.objects.get(name="Fenwick IT")
    client.post(f"/partner/tenants/partner/{partner.pk}/change/", {"name": "Fenwick Systems"})
    partner.refresh_from_db()
    assert partner.name == "Fenwick Systems"
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["partner.created", "partner.renamed"]
    index = entering(cast.maren).get("/partner/").content.decode()
    assert "/partner/tenants/company/" in index
    assert "/partner/tenants/partner/" not in index


def test_history_leads_to_the_record(cast: Cast) -> None:
    answer = entering(cast.viewer).get(f"/partner/tenants/company/{cast.sable.pk}/history/")
    assert answer.headers["Location"] == "/partner/tenants/auditentry/"


def test_the_record_reads_as_sentences(cast: Cast) -> None:
    account = make_account(cast.brightwater, first_name="Peter", last_name="Hallam", email="peter@brightwater.example")
    post(entering(cast.maren), "disable", account)
    page = entering(cast.viewer).get("/partner/tenants/auditentry/").content.decode()
    assert "Maren Lindqvist (maren@harbourridge.example) disabled Peter Hallam (peter@brightwater.example)." in page


@pytest.mark.parametrize("model", ["account", "company", "group", "groupmembership", "staffmembership", "auditentry"])
def test_a_list_costs_the_same_for_few_rows_and_for_many(cast: Cast, model: str) -> None:
    client = entering(cast.maren)
    costs = []
    for size in (2, 30):
        for number in range(size):
            account = make_account(cast.brightwater)
            make_group(cast.brightwater, f"Group {size} {number}", account)
        post(client, "disable", account)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/partner/tenants/{model}/").status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1]
    assert costs[0] <= 16
