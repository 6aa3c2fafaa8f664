"""The partner portal: what is on it, who gets in, which acts are offered, and that history cannot be touched."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import ForeignKey
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenants.admin import TenantScopedAdmin, site
from tenants.models import Account, AuditEntry, Company, StaffMembership
from tenants.roles import Role
from tenants.roster import Act
from tenants.states import AccountStatus
from tests.world import PASSWORD, Cast, confirm_again, entering, make_account, make_group

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


def test_a_right_held_at_one_partner_is_none_over_anothers_row(cast: Cast, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = cast.maren
    page = site._registry[Company]
    seen = [page.has_view_permission(request, row) for row in (None, cast.brightwater, cast.quarrystone)]
    assert seen == [True, True, False]


class TestCompanies:
    def test_show_licences_in_use(self, cast: Cast) -> None:
        for status in AccountStatus:
            make_account(cast.sable, status)
        page = entering(cast.maren).get("/partner/tenants/company/")
        used = {company.name: company.active for company in page.context["cl"].result_list}
        assert used == {"Brightwater Logistics": 1, "Sable Street Brewing": 2}


@pytest.mark.parametrize(
    ("old", "page"),
    [
        ("/partner/tenants/", "/partner/tenants/company/"),
        ("/partner/connectors/", "/partner/"),
        ("/partner/tenants/company/{company}/change/", "/partner/companies/{slug}/settings/"),
    ],
)
def test_an_index_of_models_and_a_companys_plain_form_lead_to_our_pages(cast: Cast, old: str, page: str) -> None:
    values = {"company": cast.sable.pk, "slug": cast.sable.slug}
    answer = entering(cast.viewer).get(old.format(**values))
    assert (answer.status_code, answer.headers["Location"]) == (302, page.format(**values))


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
