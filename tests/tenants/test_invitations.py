"""Invitations: who gets one and when, one link that works once, and a mail server that may fail."""

from __future__ import annotations

import re
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connectors.models import AccountLink, Connector
from tenants import invitations
from tenants.invitations import queue, queue_again, queue_staff, revoke, send_due
from tenants.models import Account, AuditEntry, Company, Invitation, User
from tenants.roster import Act, Refused, create_account, perform
from tenants.states import AccountRole, AccountStatus, LoginKind
from tests.world import PASSWORD, make_account, make_company, make_partner, make_staff

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "twelve green bottles hanging"


@pytest.fixture
def company() -> Company:
    return make_company(make_partner(), "O’Brien & Sons")


@pytest.fixture
def account(company: Company) -> Account:
    return make_account(company, first_name="Rhiannon", last_name="Pugh", email="Rhiannon@obrien.example")


def sent(**fields: Any) -> list[str]:
    """Send what is due; return the addresses it went to."""
    before = len(mail.outbox)
    send_due(fields.pop("now", timezone.now()), fields.pop("limit", 100))
    return [message.to[0] for message in mail.outbox[before:]]


def link() -> str:
    """Return the path of the newest mail's link."""
    found = re.search(r"https?://[^/\s]+(/welcome/\S+)", mail.outbox[-1].body)
    assert found
    return found[1]


def welcome(path: str, client: Client | None = None, **form: str) -> Any:
    client = client or Client()
    return client.post(path, {"password": NEW_PASSWORD, "again": NEW_PASSWORD, **form})


class TestSending:
    def test_leaves_once_to_the_address_with_a_link_in_words_and_in_html(
        self, company: Company, account: Account
    ) -> None:
        make_account(company, first_name="Delia", last_name="Marsh", role=AccountRole.ADMIN, claimed=True)
        queue([account.pk])
        assert sent() == ["Rhiannon@obrien.example"]
        assert sent() == []
        [message] = mail.outbox
        until = timezone.now() + timedelta(days=7)
        assert message.subject == "Your Password Boss account at O’Brien & Sons"
        assert message.body.startswith("Hello Rhiannon,")
        assert "Delia Marsh looks after it for your company." in message.body
        assert f"{until:%B %Y}" in message.body
        [(html, kind)] = message.alternatives
        assert (kind, "O’Brien &amp; Sons" in html, html.count(link())) == ("text/html", True, 3)

    def test_keeps_only_a_hash_of_the_link(self, account: Account) -> None:
        queue([account.pk])
        sent()
        token = link().strip("/").removeprefix("welcome/")
        kept = Invitation.objects.get()
        assert token not in str(vars(kept))
        assert kept.token_hash == invitations.hash_of(token)

    def test_waits_until_the_account_is_active_and_unclaimed(self, company: Company) -> None:
        statuses = {status: make_account(company, status) for status in AccountStatus}
        claimed = make_account(company, claimed=True)
        queue([*(account.pk for account in statuses.values()), claimed.pk])
        assert sent() == [statuses[AccountStatus.ACTIVE].email]
        pending = statuses[AccountStatus.PENDING]
        perform(Act.APPROVE, company, [pending.pk], actor=make_staff(company.partner))
        assert sent() == [pending.email]

    def test_takes_the_oldest_first_and_no_more_than_the_pace(self, company: Company) -> None:
        accounts = [make_account(company) for _ in range(5)]
        queue([account.pk for account in accounts])
        assert [sent(limit=2), sent(limit=2), sent(limit=2)] == [
            [accounts[0].email, accounts[1].email],
            [accounts[2].email, accounts[3].email],
            [accounts[4].email],
        ]

    def test_is_asked_for_any_number_in_one_statement(self, company: Company) -> None:
        accounts = [make_account(company) for _ in range(30)]
        with CaptureQueriesContext(connection) as captured:
            queue([account.pk for account in accounts])
        inserts = [query for query in captured if "INSERT" in query["sql"]]
        assert (len(inserts), Invitation.objects.count()) == (1, 30)

    def test_a_mail_that_cannot_be_written_holds_up_nobody_elses(self, company: Company) -> None:
        accounts = [make_account(company, email=f"ann{number}@{'ü' * 60}.example") for number in range(3)]
        fine = make_account(company)
        queue([*(account.pk for account in accounts), fine.pk])
        assert sent() == [fine.email]
        assert set(Invitation.objects.filter(sent_at=None).values_list("failures", flat=True)) == {1}
        assert sent() == []

    def test_goes_to_no_address_that_a_directory_contradicts(self, company: Company, account: Account) -> None:
        connector = Connector.objects.create(company=company)
        told = AccountLink.objects.create(connector=connector, account=account, directory_email="r.pugh@obrien.example")
        other = make_account(company)
        AccountLink.objects.create(connector=connector, account=other, directory_email=other.email.upper())
        queue([account.pk, other.pk])
        now = timezone.now()
        assert sent(now=now) == [other.email]
        with pytest.raises(Refused) as refused:
            perform(Act.RESEND_INVITATION, company, [account.pk], actor=make_staff(company.partner))
        assert "The directory reports another address for Rhiannon Pugh" in refused.value.sentence
        told.directory_email = "rhiannon@obrien.example"
        told.save()
        assert sent(now=now) == []
        assert sent(now=now + timedelta(hours=1)) == [account.email]


class Broken(EmailBackend):
    """A mail server that answers as a test wants."""

    failures: list[Exception] = []

    def send_messages(self, messages: Any) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return int(super().send_messages(messages))


class TestAFailingMailServer:
    @pytest.fixture(autouse=True)
    def broken(self, settings: Any) -> type[Broken]:
        settings.EMAIL_BACKEND = f"{__name__}.Broken"
        Broken.failures = []
        return Broken

    def test_delays_the_mail_and_nothing_else(self, account: Account, broken: type[Broken]) -> None:
        queue([account.pk])
        broken.failures = [SMTPServerDisconnected("rhiannon@obrien.example"), ConnectionRefusedError()]
        now = timezone.now()
        assert sent(now=now) == []
        assert sent(now=now + timedelta(minutes=4)) == []
        assert sent(now=now + timedelta(minutes=5)) == []
        assert sent(now=now + timedelta(minutes=14)) == []
        assert sent(now=now + timedelta(minutes=15)) == [account.email]
        assert Client().get(link()).status_code == 200

    def test_ends_the_round_but_for_one_bad_recipient(self, company: Company, broken: type[Broken]) -> None:
        accounts = [make_account(company) for _ in range(3)]
        queue([account.pk for account in accounts])
        broken.failures = [SMTPRecipientsRefused({})]
        assert sent() == [accounts[1].email, accounts[2].email]
        more = [make_account(company) for _ in range(2)]
        queue([account.pk for account in more])
        broken.failures = [SMTPServerDisconnected()]
        assert sent() == []
        assert Invitation.objects.filter(account__in=more, failures=0).count() == 1

    def test_is_logged_without_address_or_link(
        self, account: Account, broken: type[Broken], caplog: pytest.LogCaptureFixture
    ) -> None:
        queue([account.pk])
        broken.failures = [SMTPServerDisconnected("of rhiannon@obrien.example")]
        sent()
        [line] = [record.getMessage() for record in caplog.records if record.name == "tenants.invitations"]
        assert line == f"Invitation {Invitation.objects.get().pk} did not leave (SMTPServerDisconnected)."

    def test_that_never_answers_leaves_the_invitation_to_the_next_sender(
        self, account: Account, broken: type[Broken]
    ) -> None:
        queue([account.pk])
        broken.failures = [KeyboardInterrupt()]  # type: ignore[list-item]
        now = timezone.now()
        with pytest.raises(KeyboardInterrupt):
            sent(now=now)
        assert sent(now=now + timedelta(minutes=9)) == []
        assert sent(now=now + timedelta(minutes=10)) == [account.email]


class TestTheLink:
    @pytest.fixture
    def path(self, account: Account) -> str:
        queue([account.pk])
        sent()
        return link()

    def test_makes_the_login_that_claims_the_account(self, account: Account, path: str) -> None:
        revision = account.company.roster_revision
        client = Client()
        answer = welcome(path, client)
        assert answer.headers["Location"] == reverse("own_account")
        user = User.objects.get(email="rhiannon@obrien.example")
        account.refresh_from_db()
        assert (account.user, user.kind, user.check_password(NEW_PASSWORD)) == (user, LoginKind.COMPANY, True)
        assert account.company.roster_revision == revision + 1
        assert AuditEntry.objects.get().action == "login.claimed"
        assert client.get(reverse("usersessions_list")).status_code == 200

    def test_is_not_used_up_by_looking_and_works_once(self, path: str) -> None:
        assert [Client().get(path).status_code for _ in range(2)] == [200, 200]
        assert (welcome(path).status_code, welcome(path).status_code, Client().get(path).status_code) == (302, 410, 410)

    def test_ends_after_its_days(self, path: str) -> None:
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert (Client().get(path).status_code, welcome(path).status_code, User.objects.count()) == (410, 410, 0)

    def test_dies_when_a_newer_one_is_asked_for_or_it_is_revoked(self, account: Account, path: str) -> None:
        queue_again([account.pk])
        assert welcome(path).status_code == 410
        sent()
        newer = link()
        assert (newer == path, Client().get(newer).status_code) == (False, 200)
        revoke([account.pk])
        assert (welcome(newer).status_code, sent()) == (410, [])
        perform(Act.RESEND_INVITATION, account.company, [account.pk], actor=make_staff(account.company.partner))
        assert (sent(), welcome(link()).status_code) == ([account.email], 302)

    @pytest.mark.parametrize("status", ["disabled", "deleted"])
    def test_opens_nothing_for_an_account_that_ended(self, account: Account, path: str, status: str) -> None:
        perform(Act(status.removesuffix("d")), account.company, [account.pk], actor=make_staff(account.company.partner))
        assert (welcome(path).status_code, User.objects.filter(kind="company").count()) == (410, 0)

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"again": "another thing entirely"}, "The two passwords differ. Type the same one twice."),
            ({"password": "short", "again": "short"}, "This password is too short."),
            ({"password": "rhiannonpugh!", "again": "rhiannonpugh!"}, "too similar"),
            ({"password": "", "again": ""}, "This field is required."),
        ],
    )
    def test_stays_where_the_password_will_not_do(self, path: str, form: dict[str, str], sentence: str) -> None:
        answer = welcome(path, **form)
        assert (answer.status_code, sentence in answer.content.decode()) == (200, True)
        assert (User.objects.count(), Client().get(path).status_code) == (0, 200)

    def test_ends_another_session_in_the_same_browser(self, company: Company, path: str) -> None:
        client = Client()
        client.force_login(make_staff(company.partner))
        welcome(path, client)
        assert client.get(reverse("usersessions_list")).wsgi_request.user.email == "rhiannon@obrien.example"


class TestAnAddressThatIsTaken:
    def path_for(self, email: str) -> str:
        account = make_account(make_company(), email=email)
        queue([account.pk])
        sent()
        return link()

    @pytest.mark.parametrize("status", [AccountStatus.ACTIVE, AccountStatus.DISABLED, AccountStatus.PERSONAL])
    def test_by_another_companys_account_is_refused_politely(self, status: AccountStatus) -> None:
        holder = make_account(make_company(name="Elsewhere"), status, email="ada@x.example", claimed=True)
        answer = welcome(self.path_for("ada@x.example"))
        assert (answer.status_code, "Elsewhere" in answer.content.decode()) == (409, False)
        assert User.objects.get().check_password(PASSWORD)
        holder.refresh_from_db()
        assert holder.user == User.objects.get()

    def test_by_staff_is_refused_politely(self) -> None:
        make_staff(make_partner(), email="ada@x.example")
        assert (welcome(self.path_for("ada@x.example")).status_code, User.objects.count()) == (409, 1)

    def test_by_nobody_who_can_sign_in_gives_way(self) -> None:
        make_account(make_company(name="Elsewhere"), AccountStatus.DELETED, email="ada@x.example", claimed=True)
        assert welcome(self.path_for("ada@x.example")).status_code == 302
        assert User.objects.get().check_password(NEW_PASSWORD)


class TestStaff:
    def test_set_a_password_by_the_link_and_enter_the_partner_portal(self) -> None:
        tomasz = make_staff(make_partner(), name="Tomasz Wiśniewski", email="tomasz@harbourridge.example")
        tomasz.set_unusable_password()
        tomasz.save()
        queue_staff(tomasz)
        assert sent() == [tomasz.email]
        assert mail.outbox[-1].subject == "Your login for the Password Boss partner portal"
        path = link()
        assert welcome(path).headers["Location"] == "/partner/"
        assert (welcome(path).status_code, AuditEntry.objects.get().action) == (410, "login.staff_claimed")

    def test_who_have_a_password_keep_it(self) -> None:
        tomasz = make_staff(make_partner())
        queue_staff(tomasz)
        sent()
        assert welcome(link()).status_code == 410
        tomasz.refresh_from_db()
        assert tomasz.check_password(PASSWORD)


def test_an_account_made_by_hand_is_invited(company: Company) -> None:
    create_account(
        company, first_name="Ngozi", last_name="Eze", email="ngozi@obrien.example", actor=make_staff(company.partner)
    )
    assert sent() == ["ngozi@obrien.example"]
