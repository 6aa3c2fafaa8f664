"""Partners and companies: created and changed with one entry each, and slugs that tell nothing."""

from __future__ import annotations

import re

import pytest

from tenants.companies import change_company, create_company, create_partner, rename_partner, set_licences
from tenants.models import AuditEntry, Company
from tenants.roster import Refused
from tenants.states import AccountStatus
from tests.world import make_account, make_company, make_operator, make_partner

pytestmark = pytest.mark.django_db


def entries() -> list[tuple[str, str, dict[str, object]]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "subject", "detail"))


def test_a_company_is_created_with_a_slug_that_tells_of_no_other() -> None:
    actor, partner = make_operator(), make_partner()
    other = make_partner("Northgate Systems")
    first = create_company(partner, name="Brightwater Logistics", licences=210, actor=actor)
    second = create_company(other, name="Brightwater Logistics", actor=actor)
    foreign = create_company(partner, name="北山精機", notification_emails=["it@kitayama.example"], actor=actor)
    assert all(re.fullmatch(r"brightwater-logistics-[a-z2-9]{6}", row.slug) for row in (first, second))
    assert re.fullmatch(r"company-[a-z2-9]{6}", foreign.slug)
    assert first.slug != second.slug
    assert (first.licences, second.licences, foreign.notification_emails) == (210, None, ["it@kitayama.example"])
    assert entries() == [
        ("company.created", "Brightwater Logistics", {"licences": 210}),
        ("company.created", "Brightwater Logistics", {"licences": None}),
        ("company.created", "北山精機", {"licences": None}),
    ]


def test_a_partner_has_one_company_of_a_name() -> None:
    actor, company = make_operator(), make_company()
    with pytest.raises(Refused, match=r"There is one named (?i:.*) already"):
        create_company(company.partner, name="brightwater LOGISTICS", actor=actor)
    other = make_company(company.partner, "Sable Street Brewing")
    with pytest.raises(Refused):
        change_company(other, {"name": "Brightwater Logistics", "licences": 3}, actor=actor)
    other.refresh_from_db()
    assert (other.name, other.licences, entries()) == ("Sable Street Brewing", None, [])


def test_settings_change_with_before_and_after() -> None:
    actor, company = make_operator(), make_company(licences=10)
    values = {"name": "Brightwater", "licences": 12, "notification_emails": ["it@brightwater.example"]}
    change_company(company, values, actor=actor)
    change_company(company, values, actor=actor)
    company.refresh_from_db()
    assert (company.name, company.licences, company.notification_emails) == tuple(values.values())
    before = {"name": "Brightwater Logistics", "licences": 10, "notification_emails": []}
    assert entries() == [("company.changed", "Brightwater", {"before": before, "after": values})]
    assert company.roster_revision == 1


def test_a_name_alone_is_no_change_of_the_roster() -> None:
    company = make_company()
    change_company(company, {"name": "Brightwater"}, actor=make_operator())
    company.refresh_from_db()
    assert (company.name, company.roster_revision) == ("Brightwater", 0)


def test_nothing_else_of_a_company_can_be_changed() -> None:
    company = make_company()
    with pytest.raises(ValueError, match="Only a company's name"):
        change_company(company, {"partner": 2}, actor=make_operator())


def test_licences_cut_below_use_disable_nobody() -> None:
    company = make_company(licences=3)
    for _ in range(3):
        make_account(company)
    set_licences(company, 1, actor=make_operator())
    assert Company.objects.get().licences == 1
    assert company.accounts.filter(status=AccountStatus.ACTIVE).count() == 3
    assert entries() == [
        ("company.changed", "Brightwater Logistics", {"before": {"licences": 3}, "after": {"licences": 1}})
    ]


def test_a_partner_is_created_and_renamed() -> None:
    actor = make_operator()
    partner = create_partner(name="Harbour Ridge", actor=actor)
    slug = partner.slug
    rename_partner(partner, name="Harbour Ridge IT", actor=actor)
    rename_partner(partner, name="Harbour Ridge IT", actor=actor)
    partner.refresh_from_db()
    assert (partner.name, partner.slug) == ("Harbour Ridge IT", slug)
    assert entries() == [
        ("partner.created", "Harbour Ridge", {}),
        ("partner.renamed", "Harbour Ridge IT", {"before": "Harbour Ridge"}),
    ]
    with pytest.raises(Refused, match=r"There is one named (?i:.*) already"):
        create_partner(name="Harbour Ridge IT", actor=actor)
    other = create_partner(name="Northgate Systems", actor=actor)
    with pytest.raises(Refused):
        rename_partner(other, name="Harbour Ridge IT", actor=actor)
