"""What the mails say: in words and in HTML the same, a next step with its page, and no other tenant's word."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime
from itertools import product

import pytest
from django.core import mail as post
from django.utils import timezone

from connectors import notify
from connectors.models import Connector, Event, Letter
from connectors.notify.sending import message
from connectors.states import ConnectorStatus, LetterKind
from tenants.models import Company, User
from tenants.states import EventKind
from tests.isolation_tenants import make_scene
from tests.journeys.mails import details, every_sort, html_of, letter
from tests.world import make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db

SORTS = tuple(details(date(2026, 11, 23)))
NOW = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)


@pytest.fixture
def maren(db: None) -> User:
    return make_staff(make_partner())


@pytest.fixture
def company(maren: User) -> Company:
    partner = maren.memberships.get().partner
    return make_company(partner, "O’Brien & Sons <Ltd>", slug="obrien")


def words_of(markup: str) -> str:
    """Return what somebody reads of a mail's HTML, but for its title and its preview line."""
    body = markup.partition("</h1>")[0].rpartition("<h1")[2].partition(">")[2] + " " + markup.partition("</h1>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_every_kind_has_its_mail() -> None:
    assert {event for event, _ in details(date(2026, 11, 23)).values()} == set(EventKind)


@pytest.mark.parametrize(("sort", "kind"), list(product(SORTS, LetterKind)))
def test_says_the_same_in_words_and_in_html(company: Company, maren: User, sort: str, kind: LetterKind) -> None:
    for staff in (maren, None):
        mail = message([letter(company, sort, kind, staff=staff)], timezone.now())
        text, markup = " ".join(mail.body.split()), html_of(mail)
        assert (company.name in text, html.escape(company.name) in markup) == (True, True)
        # Whatever stands between two links or headings of the HTML stands in the text as well.
        for piece in re.findall(r">([^<>]+)<", markup.partition("<h1")[2]):
            said = " ".join(html.unescape(piece).split())
            if said and said not in {"", "\xa0"} and "Copy this address" not in said and "Choose what" not in said:
                assert said.strip(" .") in text, said
        portal = "/partner/companies/obrien/" if staff else "/business/"
        page = "users/?status=pending" if sort == "licences" else f"connectors/{Connector.objects.get().pk}/"
        if sort == "held" and kind is not LetterKind.ENDED:
            page += "held/"
        assert f"http://localhost:8000{portal}{page}" in text or f"{portal}{page}" in text
        assert ("What is not wrong:" in text) is (kind is not LetterKind.ENDED)
        assert ("/partner/notifications/" in text, "is a notification address of" in text) == (
            staff is not None,
            staff is None,
        )
        assert re.search(r"please|oops|invalid|error|are you sure|None|\{", f"{mail.subject} {text}", re.I) is None
        assert "\n" not in mail.subject


SUBJECTS = {
    "unauthorized": "O: Microsoft refuses the connector",
    "held": "O: 46 changes are held",
    "group-empty": "O: the sync group is empty",
    "group-missing": "O: the sync group was deleted",
    "group-unreadable": "O: the sync group cannot be read",
    "unreachable": "O: Microsoft is unreachable",
    "licences": "O: licences are short",
    "spared": "O: the last administrators are leaving",
    "secret-7": "O: the client secret expires in 7 days",
    "secret-tomorrow": "O: the client secret expires tomorrow",
    "secret-over": "O: the client secret has expired",
    "certificate-30": "O: the certificate expires in 30 days",
    "unauthorized-changed": "O: Microsoft refuses the connector",
    "unauthorized-reminder": "Reminder: O: Microsoft refuses the connector",
    "unauthorized-ended": "Resolved: O: Microsoft accepts the connector again",
    "company-held": "O: 46 changes are held",
    "unreachable-several": "2 companies: Microsoft is unreachable",
    "group-several": "2 companies: sync groups need a person",
}


def test_subjects_say_whose_and_what(company: Company, maren: User) -> None:
    other = make_company(company.partner, "Sable Street Brewing")
    found = {name: mail.subject for name, mail in every_sort(company, [other], maren)}
    assert {name: subject.replace(company.name, "O") for name, subject in found.items()} == SUBJECTS


def test_several_companies_share_what_is_the_same_and_keep_apart_what_is_not(company: Company, maren: User) -> None:
    other = make_company(company.partner, "Sable Street Brewing")
    mails = dict(every_sort(company, [other], maren))
    counted = {
        name: (words_of(html_of(mails[name])).count("Next step:"), mails[name].body.count("Next step:"))
        for name in ("unreachable-several", "group-several")
    }
    assert counted == {"unreachable-several": (1, 1), "group-several": (2, 2)}
    for name in counted:
        assert re.findall(r"/companies/([\w-]+)/connectors", mails[name].body) == ["obrien", "sable-street-brewing"]


def test_a_company_name_with_line_breaks_makes_no_header(company: Company, maren: User) -> None:
    Company.objects.filter(pk=company.pk).update(name="Evil\r\nBcc: everybody@elsewhere.example")
    company.refresh_from_db()
    mail = message([letter(company, "held", staff=maren)], NOW)
    assert mail.subject == "Evil Bcc: everybody@elsewhere.example: 46 changes are held"
    assert mail.message()["Bcc"] is None


def test_no_mail_has_another_tenants_word(db: None) -> None:
    """Each connector is refused with its company's word in the reason; two of the companies have one partner."""
    scene = make_scene()
    for tenant in scene.tenants.values():
        Connector.objects.filter(company=tenant.company).update(
            status=ConnectorStatus.UNAUTHORIZED, tenant_id="t", sync_group_id="g", secret_expires_on=NOW.date()
        )
    Event.objects.all().delete()
    notify.write_due(NOW)
    notify.send_due(NOW, 1_000)
    words = {name: {f"{tenant.outer} ltd".lower(), tenant.inner.lower()} for name, tenant in scene.tenants.items()}
    found: dict[str, set[str]] = {}
    for mail in post.outbox:
        told = f"{mail.subject} {mail.body} {html_of(mail)} {mail.message().items()}".lower()
        [address] = mail.to
        told = told.replace(address.lower(), "")
        whose = {name for name, canaries in words.items() if any(word in told for word in canaries)}
        found.setdefault(address.lower().partition("@")[2], set()).update(whose)
    assert found == {
        "quillfeather-it.example": {"home", "sibling"},
        "zephyrine-it.example": {"foreign"},
        "quillinner.example": {"home"},
        "marrowinner.example": {"sibling"},
        "zephyrinner.example": {"foreign"},
    }
    for tenant in scene.tenants.values():
        [row] = Letter.objects.filter(event__company=tenant.company, staff=None, event__kind=EventKind.UNAUTHORIZED)
        assert row.detail["sentence"] == tenant.inner
