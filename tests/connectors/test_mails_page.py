"""The page of a company's mails: what left, what waits, what may not have arrived, and who may send it again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from connectors import notify
from connectors.models import Event, Letter
from connectors.states import LetterKind
from tenants.audit import sentence_of
from tenants.models import AuditEntry, Company
from tenants.roles import Role
from tests.connectors.portal_visit import Visitor
from tests.journeys.mails import letter
from tests.world import make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db

IT = "it@brightwater.example"


@pytest.fixture
def company() -> Company:
    return make_company(make_partner(), notification_emails=[IT])


def doubt(company: Company, kind: LetterKind = LetterKind.BEGAN) -> Letter:
    """Save a mail whose sender died a quarter of an hour ago, about an event that goes on."""
    row = letter(company, "unreachable", kind)
    Event.objects.filter(pk=row.event_id).update(ended_at=None, what=str(row.pk))
    Letter.objects.filter(pk=row.pk).update(claim="dead", claimed_at=timezone.now() - timedelta(minutes=15))
    row.refresh_from_db()
    return row


def test_each_state_is_said_in_words(company: Company) -> None:
    now = timezone.now()
    states = {
        "Sent": {"claim": "a", "claimed_at": now, "sent_at": now},
        "Refused": {"claim": "a", "claimed_at": now, "refused_at": now},
        "May not have arrived": {"claim": "a", "claimed_at": now - timedelta(minutes=11)},
        "Being sent": {"claim": "a", "claimed_at": now},
        "Tried 3 times; next at": {"failures": 3, "not_before": now},
        "Within a minute": {},
    }
    found = {}
    for state, values in states.items():
        Letter.objects.all().delete()
        row = letter(company, "held")
        Letter.objects.filter(pk=row.pk).update(**values)
        page = Visitor(company).reads("mails/")
        found[state] = [one for one in states if one in page]
    assert found == {state: [state] for state in states}


def test_a_mail_in_doubt_is_sent_again_by_a_person_and_once(company: Company) -> None:
    row = doubt(company)
    visitor = Visitor(company, role=Role.PARTNER_TECHNICIAN)
    assert "1 mail may not have arrived" in visitor.reads("mails/")
    now = timezone.now()
    assert notify.send_due(now, 10) == 0
    assert f"The mail to {IT} is sent again" in visitor.told(visitor.post("mails/", {"letter": row.pk}))
    assert (notify.send_due(now, 10), notify.send_due(now, 10)) == (1, 0)
    assert [message.to for message in mail.outbox] == [[IT]]
    assert "is not in doubt any more" in visitor.told(visitor.post("mails/", {"letter": row.pk}))
    [entry] = AuditEntry.objects.filter(action="mail.sent_again")
    told = sentence_of(entry)
    assert told.endswith(f"had a mail to {IT} sent again: Began: Microsoft is unreachable for more than an hour.")
    assert "may not have arrived" not in visitor.reads("mails/")


def test_of_an_event_that_ended_only_the_last_mail_can_be_sent_again(company: Company) -> None:
    began, ended = doubt(company), doubt(company, LetterKind.ENDED)
    Event.objects.update(ended_at=timezone.now())
    page = Visitor(company).get("mails/").content.decode()
    assert [f'value="{row.pk}"' in page for row in (began, ended)] == [False, True]
    assert Visitor(company).post("mails/", {"letter": began.pk}).status_code == 302
    began.refresh_from_db()
    assert began.claim == "dead"


def test_a_viewer_reads_and_sends_nothing(company: Company) -> None:
    row = doubt(company)
    viewer = Visitor(company, role=Role.PARTNER_VIEWER)
    assert "Send again" not in viewer.reads("mails/")
    assert viewer.post("mails/", {"letter": row.pk}).status_code == 403


def test_the_company_sees_the_mails_to_its_own_addresses_alone(company: Company) -> None:
    maren = make_staff(company.partner, name="Maren Lindqvist")
    to_staff, to_company = letter(company, "held", staff=maren), doubt(company)
    own = Visitor(company, "business")
    page = own.reads("mails/")
    assert (IT in page, "Maren" in page, maren.email in page) == (True, False, False)
    assert own.post("mails/", {"letter": to_staff.pk}).status_code == 404
    assert own.post("mails/", {"letter": to_company.pk}).status_code == 302
    assert "Maren Lindqvist" in Visitor(company).reads("mails/")


def test_no_other_companys_mail_is_there_or_sent(company: Company) -> None:
    foreign = doubt(make_company(name="Quarrystone Legal"))
    sibling = doubt(make_company(company.partner, "Sable Street Brewing"))
    visitor = Visitor(company)
    assert "No mail yet" in visitor.reads("mails/")
    assert [visitor.post("mails/", {"letter": row.pk}).status_code for row in (foreign, sibling)] == [404, 404]
    assert visitor.post("mails/", {"letter": "all"}).status_code == 404


def test_the_page_costs_the_same_with_few_and_many(company: Company) -> None:
    doubt(company)
    visitor = Visitor(company)
    few = visitor.queries("mails/")
    for _ in range(7):
        doubt(company)
        letter(company, "held", staff=visitor.user)
    assert visitor.queries("mails/") == few
