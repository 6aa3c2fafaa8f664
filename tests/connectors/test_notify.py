"""Notifications from the connectors' rows to the mailbox: once, to whom it concerns, and later where mail fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import notify, schedule
from connectors.models import Connector, Event, Letter, SyncChange, SyncRun
from connectors.states import Attention, ChangeKind, ConnectorStatus, HoldCause, Outcome, RunState
from tenants.models import Company, Partner, StaffMembership, User
from tenants.roles import Role
from tenants.states import AccountStatus, EventKind, PendingReason
from tenants.subscriptions import subscribe
from tests.conftest import ROOT
from tests.world import make_account, make_company, make_partner, make_staff

NOW = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
IT = "it@brightwater.example"


@pytest.fixture
def partner(db: None) -> Partner:
    return make_partner()


@pytest.fixture
def maren(partner: Partner) -> User:
    return make_staff(partner)


@pytest.fixture
def company(partner: Partner, maren: User) -> Company:
    return make_company(partner, notification_emails=[IT])


def connect(company: Company, **fields: Any) -> Connector:
    """Save a connector that Microsoft accepts and that needs nobody."""
    number = Connector.objects.count() + 1
    values = {
        "tenant_id": f"00000000-0000-4000-8000-{number:012d}",
        "sync_group_id": "group",
        "sync_group_name": "Password Boss Users",
        "status": ConnectorStatus.CONNECTED,
        "status_since": NOW - timedelta(hours=1),
    }
    return Connector.objects.create(company=company, **(values | fields))


def refuse(connector: Connector, sentence: str = "The client secret has expired. Enter a new one.") -> None:
    Connector.objects.filter(pk=connector.pk).update(
        status=ConnectorStatus.UNAUTHORIZED, status_sentence=sentence, status_reference="AADSTS7000222"
    )


def accept(connector: Connector) -> None:
    Connector.objects.filter(pk=connector.pk).update(status=ConnectorStatus.CONNECTED, status_sentence="")


def hold(connector: Connector, **causes: int) -> None:
    """Let the connector's findings hold so many changes for each cause."""
    run = SyncRun.objects.create(
        connector=connector,
        company=connector.company,
        connector_name=connector.name,
        trigger="schedule",
        state=RunState.SUCCEEDED,
        started_at=NOW,
        finished_at=NOW,
    )
    SyncChange.objects.bulk_create(
        SyncChange(run=run, connector=connector, outcome=Outcome.HELD, kind=ChangeKind.DISABLE, cause=cause)
        for cause, number in causes.items()
        for _ in range(number)
    )
    found = sorted({*connector.attention, Attention.HELD})
    Connector.objects.filter(pk=connector.pk).update(findings=run, attention=found)


def tell(at: datetime = NOW, limit: int = 100) -> list[tuple[str, str]]:
    """Let one minute of notifications pass; return the recipient and subject of each mail that left."""
    before = len(mail.outbox)
    notify.write_due(at)
    notify.send_due(at, limit)
    return [(message.to[0], message.subject) for message in mail.outbox[before:]]


def both(subject: str, user: User) -> list[tuple[str, str]]:
    return [(user.email, subject), (IT, subject)]


class TestOnce:
    def test_an_event_is_told_once_reminded_of_and_resolved(self, company: Company, maren: User) -> None:
        connector = connect(company)
        assert tell() == []
        refuse(connector)
        assert tell() == both("Brightwater Logistics: Microsoft refuses the connector", maren)
        for hours in (0.1, 1, 5, 23.9):
            assert tell(NOW + timedelta(hours=hours)) == []
        reminder = "Reminder: Brightwater Logistics: Microsoft refuses the connector"
        assert tell(NOW + timedelta(days=1)) == both(reminder, maren)
        assert tell(NOW + timedelta(days=2)) == []
        accept(connector)
        assert tell(NOW + timedelta(days=3)) == []
        resolved = "Resolved: Brightwater Logistics: Microsoft accepts the connector again"
        assert tell(NOW + timedelta(days=3, minutes=15)) == both(resolved, maren)
        assert tell(NOW + timedelta(days=3, minutes=16)) == []
        refuse(connector)
        began = tell(NOW + timedelta(days=4))
        assert began == both("Brightwater Logistics: Microsoft refuses the connector", maren)
        assert Event.objects.count() == 2

    def test_another_reason_is_told_anew(self, company: Company, maren: User) -> None:
        connector = connect(company)
        refuse(connector)
        tell()
        refuse(connector, "The consent was revoked. Give it again.")
        assert tell(NOW + timedelta(minutes=30)) == []
        assert len(tell(NOW + timedelta(hours=1))) == 2
        assert "It has changed since." in mail.outbox[-1].body
        assert "The consent was revoked. Give it again." in mail.outbox[-1].body

    def test_what_comes_and_goes_is_told_once(self, company: Company) -> None:
        connector = connect(company)
        told = []
        for run in range(20):
            (refuse if run % 2 else accept)(connector)
            told += tell(NOW + timedelta(minutes=5 * run))
        assert len(told) == 2

    def test_two_who_decide_at_once_write_once(self, company: Company) -> None:
        """The second finds no memory, as the first has not committed; the constraint tells it."""
        refuse(connect(company))
        notify.write_due(NOW)
        stored = Event.objects.get()
        letters = Letter.objects.count()
        Event.objects.filter(pk=stored.pk).update(ended_at=NOW)

        def first_again(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith('INSERT INTO "connectors_event"'):
                Event.objects.filter(pk=stored.pk).update(ended_at=None)
            return execute(sql, *rest)

        with transaction.atomic(), connection.execute_wrapper(first_again):
            assert notify.write_due(NOW) == 0
        # The savepoint took the first one's write back as well, and nothing of the second's is left.
        assert (Event.objects.count(), Letter.objects.count()) == (1, letters)


class TestEvents:
    def test_each_kind_begins_with_its_fact(self, company: Company, maren: User) -> None:
        cases: dict[EventKind, Callable[[Connector], object]] = {
            EventKind.UNAUTHORIZED: refuse,
            EventKind.HELD: lambda one: hold(one, brake=46),
            EventKind.SYNC_GROUP: lambda one: _update(one, attention=[Attention.SYNC_GROUP_MISSING]),
            EventKind.UNREACHABLE: lambda one: _update(one, unreachable_since=NOW - timedelta(hours=1)),
            EventKind.LICENCES: lambda one: _update(one, attention=[Attention.LICENCES_SHORT]),
            EventKind.SPARED: lambda one: _update(one, attention=[Attention.SPARED]),
            EventKind.EXPIRY: lambda one: _update(one, secret_expires_on=(NOW + timedelta(days=30)).date()),
        }
        assert set(cases) == set(EventKind)
        found = {}
        for kind, happen in cases.items():
            Event.objects.all().delete()
            connector = connect(company)
            happen(connector)
            tell()
            found[kind] = sorted((event.kind, event.connector_id) for event in Event.objects.all())
            connector.delete()
        assert {kind: [one for one, _ in rows] for kind, rows in found.items()} == {kind: [kind] for kind in EventKind}
        assert [pk for _, pk in found[EventKind.LICENCES]] == [None]

    def test_what_needs_nobody_is_no_event(self, company: Company) -> None:
        for fields in (
            {"attention": [Attention.SKIPPED, Attention.GROUP_UNREADABLE]},
            {"unreachable_since": NOW - timedelta(minutes=59)},
            {"throttled_until": NOW + timedelta(minutes=5)},
            {"secret_expires_on": (NOW + timedelta(days=31)).date()},
            {"status": ConnectorStatus.SETUP_INCOMPLETE, "secret_expires_on": NOW.date()},
            {"paused_at": NOW, "attention": [Attention.SPARED]},
        ):
            connect(company, **fields)
        assert (tell(), Event.objects.count()) == ([], 0)

    def test_an_empty_group_is_told_once_and_not_as_held_changes_too(self, company: Company, maren: User) -> None:
        connector = connect(company, attention=[Attention.SYNC_GROUP_EMPTY])
        hold(connector, **{HoldCause.EMPTY_GROUP: 163})
        assert tell() == both("Brightwater Logistics: the sync group is empty", maren)
        assert "163 people would lose access by that." in mail.outbox[0].body

    def test_changes_held_for_other_reasons_are_told_beside_an_empty_group(self, company: Company) -> None:
        connector = connect(company, attention=[Attention.SYNC_GROUP_EMPTY])
        hold(connector, **{HoldCause.EMPTY_GROUP: 163, HoldCause.BRAKE: 2})
        subjects = {subject for _, subject in tell()}
        assert subjects == {
            "Brightwater Logistics: the sync group is empty",
            "Brightwater Logistics: 2 changes are held",
        }

    def test_a_secret_is_warned_of_at_each_stage_and_once(self, company: Company) -> None:
        end = NOW + timedelta(days=40)
        connect(company, secret_expires_on=end.date())
        told = {}
        for day in range(60):
            for _, subject in tell(NOW + timedelta(days=day))[:1]:
                told[day - 40] = subject.partition(": ")[2]
        assert told == {
            -30: "the client secret expires in 30 days",
            -14: "the client secret expires in 14 days",
            -7: "the client secret expires in 7 days",
            -1: "the client secret expires tomorrow",
            1: "the client secret has expired",
        }

    def test_licences_are_told_once_per_company_with_who_waits(self, company: Company, maren: User) -> None:
        Company.objects.filter(pk=company.pk).update(licences=4812)
        for _ in range(2):
            connect(company, attention=[Attention.LICENCES_SHORT])
        for _ in range(3):
            make_account(company, AccountStatus.PENDING, pending_reason=PendingReason.LICENCE)
        make_account(company, AccountStatus.PENDING)
        assert tell() == both("Brightwater Logistics: licences are short", maren)
        assert "3 people wait for a licence at Brightwater Logistics. All 4,812 are in use." in mail.outbox[0].body
        assert f"/partner/companies/{company.slug}/users/?status=pending" in mail.outbox[0].body
        assert "/business/users/?status=pending" in mail.outbox[1].body

    def test_a_removed_connector_ends_its_events_without_a_word(self, company: Company) -> None:
        connector = connect(company)
        refuse(connector)
        notify.write_due(NOW)
        _update(connector, status=ConnectorStatus.REMOVED, removed_at=NOW)
        assert [tell(NOW + timedelta(minutes=minute)) for minute in (1, 30)] == [[], []]
        assert (Event.objects.filter(ended_at=None).count(), Letter.objects.count()) == (0, 0)


def _update(connector: Connector, **fields: Any) -> None:
    Connector.objects.filter(pk=connector.pk).update(**fields)


class TestWhom:
    def test_who_subscribed_and_the_companys_addresses_are_told_each_once(
        self, partner: Partner, company: Company, maren: User
    ) -> None:
        tomasz = make_staff(partner, Role.PARTNER_TECHNICIAN)
        grace = make_staff(partner, Role.PARTNER_TECHNICIAN)
        inactive = make_staff(partner)
        User.objects.filter(pk=inactive.pk).update(is_active=False)
        make_staff(make_partner("Northgate Systems"))
        other = make_company(partner, "Sable Street Brewing")
        for user, kinds, companies in (
            (tomasz, [EventKind.UNAUTHORIZED], [company]),
            (grace, list(EventKind), [other]),
        ):
            subscribe(StaffMembership.objects.get(user=user), kinds, companies, actor=maren)
        Company.objects.filter(pk=company.pk).update(notification_emails=[IT, maren.email.upper()])
        refuse(connect(company, attention=[Attention.SPARED]))
        assert {address for address, _ in tell()} == {maren.email, tomasz.email, IT}

    def test_resolved_goes_to_whom_the_trouble_was_told(self, partner: Partner, company: Company, maren: User) -> None:
        connector = connect(company)
        refuse(connector)
        tell()
        make_staff(partner)
        accept(connector)
        tell(NOW + timedelta(minutes=5))
        assert [address for address, _ in tell(NOW + timedelta(minutes=20))] == [maren.email, IT]

    def test_a_mail_that_waits_is_not_sent_to_who_is_no_longer_entitled(
        self, partner: Partner, company: Company, maren: User
    ) -> None:
        gone, unsubscribed = make_staff(partner), make_staff(partner)
        refuse(connect(company))
        notify.write_due(NOW)
        assert Letter.objects.count() == 4
        StaffMembership.objects.get(user=gone).delete()
        subscribe(StaffMembership.objects.get(user=unsubscribed), [], None, actor=maren)
        Company.objects.filter(pk=company.pk).update(notification_emails=[])
        assert [address for address, _ in tell(NOW + timedelta(minutes=1))] == [maren.email]
        assert Letter.objects.count() == 1

    def test_several_events_of_a_kind_leave_as_one_mail_never_across_tenants(
        self, partner: Partner, company: Company, maren: User
    ) -> None:
        """The same person in two partners, and the same address at two companies."""
        sable = make_company(partner, "Sable Street Brewing", notification_emails=[IT])
        northgate = make_partner("Northgate Systems")
        StaffMembership.objects.create(partner=northgate, user=maren, role=Role.PARTNER_ADMINISTRATOR)
        quarrystone = make_company(northgate, "Quarrystone Legal")
        for one in (company, sable, quarrystone):
            refuse(connect(one))
        refused = "Microsoft refuses the connector"
        assert sorted(tell()) == sorted(
            [
                (maren.email, "2 companies: Microsoft refuses connectors"),
                (maren.email, f"Quarrystone Legal: {refused}"),
                (IT, f"Brightwater Logistics: {refused}"),
                (IT, f"Sable Street Brewing: {refused}"),
            ]
        )
        assert Letter.objects.filter(sent_at=None).count() == 0
        for message in mail.outbox:
            words = f"{message.subject} {message.body} {message.alternatives}"
            named = {one.name for one in (company, sable, quarrystone) if one.name in words}
            allowed = {"2 com": {company.name, sable.name}}.get(message.subject[:5], {message.subject.split(":")[0]})
            assert named == allowed
            assert ("Northgate" in words) is False


class FailingServer(EmailBackend):
    """A mail server that fails in one of three ways, as often as `fails` says."""

    fails = 0
    refuses: set[str] = set()
    unreachable = 0

    def open(self) -> None:
        if type(self).unreachable:
            type(self).unreachable -= 1
            raise ConnectionRefusedError("password=hunter2")

    def send_messages(self, messages: Any) -> int:
        [message] = messages
        if message.to[0] in self.refuses:
            raise SMTPRecipientsRefused({message.to[0]: (550, b"no such user")})
        if type(self).fails:
            type(self).fails -= 1
            raise SMTPServerDisconnected("hunter2")
        return super().send_messages(messages)


@pytest.fixture
def server(settings: Any) -> type[FailingServer]:
    settings.EMAIL_BACKEND = f"{__name__}.FailingServer"
    FailingServer.fails = FailingServer.unreachable = 0
    FailingServer.refuses = set()
    return FailingServer


class TestAMailServerThatFails:
    def test_delays_and_loses_nothing(self, company: Company, server: type[FailingServer], caplog: Any) -> None:
        refuse(connect(company))
        server.unreachable = 3
        left = [len(tell(NOW + timedelta(minutes=minute))) for minute in range(16)]
        # Put off by 2, 4 and 8 minutes.
        assert left == [0] * 14 + [2, 0]
        assert "hunter2" not in caplog.text

    def test_that_hangs_up_in_the_middle_ends_the_round(self, company: Company, server: type[FailingServer]) -> None:
        refuse(connect(company))
        server.fails = 1
        assert tell() == []
        waiting = Letter.objects.order_by("pk").values_list("failures", "claim", "not_before")
        assert list(waiting) == [(1, "", NOW + timedelta(minutes=2)), (0, "", None)]
        assert [address for address, _ in tell(NOW + timedelta(minutes=1))] == [IT]
        assert len(tell(NOW + timedelta(minutes=2))) == 1

    def test_that_refuses_a_recipient_for_good_stops_nobody_else(
        self, company: Company, maren: User, server: type[FailingServer]
    ) -> None:
        refuse(connect(company))
        server.refuses = {maren.email}
        assert [address for address, _ in tell()] == [IT]
        assert tell(NOW + timedelta(hours=6)) == []
        assert list(Letter.objects.exclude(refused_at=None).values_list("address", flat=True)) == [maren.email]

    def test_that_was_down_all_along_leaves_one_mail_not_five(
        self, company: Company, server: type[FailingServer]
    ) -> None:
        connector = connect(company)
        refuse(connector)
        server.unreachable = 10_000
        told = [tell(NOW + timedelta(hours=hour)) for hour in range(0, 100, 5)]
        assert [one for one in told if one] == []
        server.unreachable = 0
        # Whoever heard nothing of the trouble does not hear that it is over, but that it goes on.
        assert len(tell(NOW + timedelta(hours=100))) == 2
        assert Letter.objects.count() == 2

    def test_that_was_down_until_all_was_well_again_leaves_none(
        self, company: Company, server: type[FailingServer]
    ) -> None:
        connector = connect(company)
        refuse(connector)
        server.unreachable = 1
        assert tell() == []
        accept(connector)
        tell(NOW + timedelta(minutes=1))
        assert [tell(NOW + timedelta(minutes=minute)) for minute in (16, 17)] == [[], []]
        assert Letter.objects.count() == 0

    def test_does_not_keep_the_queue_from_the_rest(
        self, company: Company, server: type[FailingServer], caplog: Any
    ) -> None:
        refuse(connect(company))
        server.unreachable = 1
        schedule.notify_people()
        assert (Letter.objects.count(), "Upkeep could not" in caplog.text) == (2, False)


class TestPace:
    def test_no_more_leave_than_the_pace_the_oldest_first(self, company: Company, maren: User) -> None:
        Company.objects.filter(pk=company.pk).update(
            notification_emails=[f"it{n}@brightwater.example" for n in range(5)]
        )
        refuse(connect(company))
        rounds = [[address for address, _ in tell(NOW + timedelta(minutes=n), limit=2)] for n in range(4)]
        addresses = [maren.email, *(f"it{n}@brightwater.example" for n in range(5))]
        assert rounds == [addresses[:2], addresses[2:4], addresses[4:], []]

    def test_two_senders_send_each_mail_once(self, company: Company, maren: User) -> None:
        """The other one takes a mail after this one has seen it, and before this one takes it."""
        refuse(connect(company))
        notify.write_due(NOW)

        waits = [True]

        def other_is_faster(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith('UPDATE "connectors_letter"') and waits and waits.pop():
                Letter.objects.filter(address=maren.email).update(claim="other", claimed_at=timezone.now())
            return execute(sql, *rest)

        with connection.execute_wrapper(other_is_faster):
            assert notify.send_due(NOW, 100) == 1
        assert [message.to for message in mail.outbox] == [[IT]]
        assert list(Letter.objects.filter(claim="other").values_list("address", "sent_at")) == [(maren.email, None)]

    def test_nothing_is_begun_after_the_time_is_over(self, company: Company) -> None:
        refuse(connect(company))
        notify.write_due(NOW)
        assert notify.send_due(NOW, 100, until=timezone.now()) == 0
        assert Letter.objects.filter(claimed_at=None).count() == 2


class TestCost:
    def test_a_minute_costs_the_same_with_few_and_many_connectors(self, partner: Partner, company: Company) -> None:
        def of_everything(company: Company) -> None:
            refuse(connect(company))
            connector = connect(company, attention=[Attention.LICENCES_SHORT], secret_expires_on=NOW.date())
            hold(connector, brake=3)

        def cost(at: datetime) -> list[int]:
            found = []
            for step in (lambda: notify.write_due(at), lambda: notify.write_due(at)):
                with CaptureQueriesContext(connection) as captured:
                    step()
                found.append(len(captured))
            return found

        of_everything(company)
        few = cost(NOW)
        Event.objects.all().delete()
        for number in range(12):
            of_everything(make_company(partner, f"Company {number}", notification_emails=[f"it@c{number}.example"]))
        for _ in range(5):
            make_staff(partner)
        many = cost(NOW)
        assert many == few
        # A minute in which nothing is due: the memories, the connectors, who is held, who waits; and its transaction.
        assert few[1] <= 6


def test_mails_carry_names_that_follow_from_their_rows(company: Company, maren: User) -> None:
    connector = connect(company)
    refuse(connector)
    tell()
    tell(NOW + timedelta(days=1))
    event = Event.objects.get()
    rows = {f"<{letter.uid}@localhost>" for letter in Letter.objects.all()}
    headers = [message.message() for message in mail.outbox]
    assert {one["Message-ID"] for one in headers} == rows
    assert {one["References"] for one in headers} == {f"<{event.uid}@localhost>"}
    assert {one["Auto-Submitted"] for one in headers} == {"auto-generated"}


def test_events_that_ended_long_ago_are_forgotten_with_their_mails(company: Company) -> None:
    connector = connect(company)
    refuse(connector)
    tell()
    accept(connector)
    tell(NOW + timedelta(minutes=1))
    tell(NOW + timedelta(minutes=20))
    assert (Event.objects.count(), Letter.objects.count()) == (1, 4)
    notify.forget(NOW + timedelta(days=90))
    assert Event.objects.count() == 1
    notify.forget(NOW + timedelta(days=91))
    assert (Event.objects.count(), Letter.objects.count()) == (0, 0)


class DyingServer(EmailBackend):
    """A mail server that takes the mail, in the moment in which the sender is killed."""

    def send_messages(self, messages: Any) -> int:
        print(messages[0].message()["Message-ID"], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0


SENDER = f"""
import django
django.setup()
from django.conf import settings
settings.EMAIL_BACKEND = "{__name__}.DyingServer"
from django.utils import timezone
from connectors import notify
notify.send_due(timezone.now(), 100)
"""


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_between_sending_and_noting_leaves_a_mail_in_doubt_and_no_second_one(
    child_environment: dict[str, str],
) -> None:
    partner = make_partner()
    maren = make_staff(partner)
    now = timezone.now()
    refuse(connect(make_company(partner, notification_emails=[IT])))
    notify.write_due(now)
    killed = subprocess.run(
        [sys.executable, "-c", SENDER], cwd=ROOT, env=child_environment, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    letter = Letter.objects.exclude(claimed_at=None).get()
    assert (killed.stdout.strip(), letter.address) == (f"<{letter.uid}@localhost>", maren.email)
    # The others leave; the one that was taken does not, neither now nor an hour later.
    left = [address for minutes in (0, 60) for address, _ in tell(now + timedelta(minutes=minutes))]
    assert left == [IT]
    letter.refresh_from_db()
    assert (letter.sent_at, letter.in_doubt(timezone.now() + timedelta(minutes=10))) == (None, True)
    # The next reminder reaches everybody again.
    assert len(tell(now + timedelta(days=1))) == 2


def test_the_mail_about_held_changes_leads_to_them_in_the_readers_own_portal(company: Company, maren: User) -> None:
    connector = connect(company)
    hold(connector, brake=6)
    tell()
    leads = {message.to[0]: f"connectors/{connector.pk}/held/" in message.body for message in mail.outbox}
    portals = {message.to[0]: f"/partner/companies/{company.slug}/" in message.body for message in mail.outbox}
    assert (leads, portals) == ({maren.email: True, IT: True}, {maren.email: True, IT: False})


def test_a_certificate_is_warned_of_as_what_it_is(company: Company) -> None:
    day = (NOW + timedelta(days=14)).date()
    connector = connect(company, certificate="PEM", private_key="key", secret_expires_on=day)
    assert {subject for _, subject in tell()} == {"Brightwater Logistics: the certificate expires in 14 days"}
    assert "Make a new certificate on the tab Azure Auth, and upload it in Microsoft Entra." in mail.outbox[0].body
    _update(connector, secret_expires_on=(NOW + timedelta(days=700)).date())
    tell(NOW + timedelta(minutes=1))
    resolved = {subject for _, subject in tell(NOW + timedelta(minutes=16))}
    assert resolved == {"Resolved: Brightwater Logistics: the certificate does not expire soon any more"}
