"""Who is told of what: the default of each role, what people choose, and who may choose for whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.audit import sentence_of
from tenants.models import AuditEntry, Company, Partner, StaffMembership, Subscription, User
from tenants.roles import Role
from tenants.states import EventKind
from tenants.subscriptions import Wish, recipients, subscribe, wishes_of
from tests.world import make_company, make_operator, make_partner, make_staff

pytestmark = pytest.mark.django_db

ALL = frozenset(EventKind)


@pytest.fixture
def partner() -> Partner:
    return make_partner()


def member(user: User) -> StaffMembership:
    return StaffMembership.objects.select_related("partner", "user").get(user=user)


def visit(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def save(client: Client, row: StaffMembership, **typed: Any) -> HttpResponse:
    data = {"kinds": ["held", "unauthorized"], "scope": "all"} | typed
    return client.post(f"/partner/notifications/{row.pk}/", data)


def test_who_has_not_chosen_follows_the_role(partner: Partner) -> None:
    found = {role: wishes_of([member(make_staff(partner, role))]) for role in Role if role in dict(_choices())}
    assert {role: next(iter(wish.values())) for role, wish in found.items()} == {
        Role.PARTNER_ADMINISTRATOR: Wish(ALL),
        Role.PARTNER_TECHNICIAN: Wish(frozenset()),
        Role.PARTNER_VIEWER: Wish(frozenset()),
    }


def _choices() -> Any:
    return StaffMembership._meta.get_field("role").choices


def test_what_was_chosen_outlives_a_change_of_role_and_goes_with_the_membership(partner: Partner) -> None:
    row = member(make_staff(partner))
    subscribe(row, list(EventKind), None, actor=make_operator())
    StaffMembership.objects.filter(pk=row.pk).update(role=Role.PARTNER_VIEWER)
    row.refresh_from_db()
    assert wishes_of([row]) == {row.pk: Wish(ALL)}
    row.delete()
    assert Subscription.objects.count() == 0


def test_a_subscription_is_one_entry_and_never_of_another_partners_company(partner: Partner) -> None:
    maren, tomasz = make_staff(partner), make_staff(partner, Role.PARTNER_TECHNICIAN, name="Tomasz Wiśniewski")
    company, foreign = make_company(partner), make_company(name="Quarrystone Legal")
    row = member(tomasz)
    subscribe(row, [EventKind.HELD], [company], actor=maren)
    subscribe(row, [EventKind.HELD], [company], actor=maren)
    [entry] = AuditEntry.objects.all()
    assert sentence_of(entry).endswith("changed what Tomasz Wiśniewski is told of by email.")
    assert (entry.partner, entry.detail) == (
        partner,
        {
            "before": {"kinds": [], "companies": None},
            "after": {"kinds": ["held"], "companies": ["Brightwater Logistics"]},
        },
    )
    with pytest.raises(ValueError, match="own partner"):
        subscribe(row, [EventKind.HELD], [foreign], actor=maren)
    assert wishes_of([row]) == {row.pk: Wish(frozenset({EventKind.HELD}), frozenset({company.pk}))}


def test_recipients_cost_the_same_for_any_number(partner: Partner) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            recipients(Company.objects.all())
        return len(captured)

    make_company(partner)
    subscribe(member(make_staff(partner)), [EventKind.HELD], Company.objects.all(), actor=make_operator())
    few = cost()
    for number in range(5):
        make_company(partner, f"Company {number}")
        row = member(make_staff(partner))
        subscribe(row, [EventKind.HELD], Company.objects.all(), actor=make_operator(f"op{number}@portal.example"))
    assert cost() == few == 4


class TestPages:
    def test_everybody_subscribes_themselves(self, partner: Partner) -> None:
        viewer, company = make_staff(partner, Role.PARTNER_VIEWER, name="Priya Raman"), make_company(partner)
        make_staff(partner, name="Maren Lindqvist")
        client, row = visit(viewer), member(viewer)
        page = client.get("/partner/notifications/").content.decode()
        assert ("Priya Raman" in page, "Maren" in page, "Nothing" in page) == (True, False, True)
        assert "Only the companies ticked here" in client.get(f"/partner/notifications/{row.pk}/").content.decode()
        saved = client.post(
            f"/partner/notifications/{row.pk}/", {"kinds": ["held"], "scope": "chosen", "chosen": [company.pk]}
        )
        assert saved.headers["Location"] == "/partner/notifications/"
        assert wishes_of([row]) == {row.pk: Wish(frozenset({EventKind.HELD}), frozenset({company.pk}))}
        page = client.get("/partner/notifications/").content.decode()
        assert "Saved. You are told of: changes are held." in page
        assert "1 company" in page
        save(client, row, kinds=[])
        assert wishes_of([row]) == {row.pk: Wish(frozenset())}

    def test_administrators_and_operators_subscribe_others_and_nobody_else_does(self, partner: Partner) -> None:
        row = member(make_staff(partner, Role.PARTNER_VIEWER, name="Priya Raman"))
        visitors = {
            "operator": make_operator(),
            "administrator": make_staff(partner),
            "technician": make_staff(partner, Role.PARTNER_TECHNICIAN),
            "another partner": make_staff(make_partner("Northgate Systems")),
        }
        answers = {name: save(visit(user), row).status_code for name, user in visitors.items()}
        assert answers == {"operator": 302, "administrator": 302, "technician": 403, "another partner": 404}
        lists = {
            name: "Priya" in visit(user).get("/partner/notifications/").content.decode()
            for name, user in visitors.items()
        }
        assert lists == {"operator": True, "administrator": True, "technician": False, "another partner": False}

    def test_who_administers_one_partner_and_works_for_another_sees_the_staff_of_the_first(
        self, partner: Partner
    ) -> None:
        maren = make_staff(partner)
        make_staff(partner, name="Grace Okonkwo")
        other = make_partner("Northgate Systems")
        make_staff(other, name="Joost van Rijn")
        StaffMembership.objects.create(partner=other, user=maren, role=Role.PARTNER_VIEWER)
        page = visit(maren).get("/partner/notifications/").content.decode()
        assert ("Grace" in page, "Joost" in page, page.count("(you)")) == (True, False, 2)

    def test_a_choice_without_a_company_is_refused_and_nothing_typed_is_lost(self, partner: Partner) -> None:
        maren = make_staff(partner)
        make_company(partner)
        answer = save(visit(maren), member(maren), scope="chosen")
        page = answer.content.decode()
        assert (answer.status_code, Subscription.objects.count()) == (422, 0)
        assert "No company is ticked. Tick one or more, or choose all companies." in page
        assert page.count("checked") == 3

    def test_another_partners_company_is_no_choice(self, partner: Partner) -> None:
        maren, foreign = make_staff(partner), make_company(name="Quarrystone Legal")
        client, row = visit(maren), member(maren)
        assert "Quarrystone" not in client.get(f"/partner/notifications/{row.pk}/").content.decode()
        assert save(client, row, scope="chosen", chosen=[foreign.pk]).status_code == 422
        # Not even to somebody who also works there.
        StaffMembership.objects.create(partner=foreign.partner, user=maren, role=Role.PARTNER_VIEWER)
        assert save(client, row, scope="chosen", chosen=[foreign.pk]).status_code == 422

    def test_the_list_costs_the_same_with_few_and_many(self, partner: Partner) -> None:
        maren = make_staff(partner)
        client = visit(maren)
        subscribe(member(maren), [EventKind.HELD], [make_company(partner)], actor=maren)

        def cost(path: str) -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(path).status_code == 200
            return len(captured)

        own = f"/partner/notifications/{StaffMembership.objects.get().pk}/"
        few = (cost("/partner/notifications/"), cost(own))
        for number in range(8):
            company = make_company(partner, f"Company {number}")
            subscribe(member(make_staff(partner)), [EventKind.HELD], [company], actor=maren)
        assert (cost("/partner/notifications/"), cost(own)) == few
