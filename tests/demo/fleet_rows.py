"""The fleet's rows: companies, accounts, connectors and their runs, saved as a day of synchronising leaves them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from connectors.models import AccountLink, Connector, PersonMark, SelectedGroup, SyncChange, SyncRule, SyncRun
from connectors.states import (
    Attention,
    ChangeKind,
    ConnectorStatus,
    HoldCause,
    MarkKind,
    Outcome,
    RunState,
    RunTrigger,
    Situation,
    SkipReason,
)
from tenants.models import Account, Company, Partner
from tenants.states import AccountRole, AccountStatus, ManagedBy, PendingReason
from tests.demo.fleet import (
    ADDITIONAL,
    FLEET,
    SYNC_GROUP,
    UNAUTHORIZED,
    UNFINISHED,
    Kind,
    Made,
    Person,
    additional_of,
    administrator_of,
    directory_id,
    in_directory,
    in_group,
)
from tests.entra_emulator.people import portal_application

FIVE_MINUTES = timedelta(minutes=5)
TOMASZ = "Tomasz Wiśniewski (tomasz@harbourridge.example)"

_REFUSED = {
    Kind.SECRET_EXPIRED: (
        "The client secret has expired. Create a new one under Certificates & secrets, and enter its value.",
        "AADSTS7000222",
    ),
    Kind.SECRET_WRONG: (
        "The client secret is wrong. Enter the secret's Value, which Entra shows once, and not its Secret ID.",
        "AADSTS7000215",
    ),
    Kind.NO_CONSENT: (
        "The permission Group.Read.All is missing: the consent was withdrawn. An administrator of the tenant must"
        " grant it again.",
        "Authorization_RequestDenied",
    ),
    Kind.APP_GONE: (
        "Microsoft knows no application with this Client ID in this tenant. Check the Client ID and the Tenant ID;"
        " where both are right, an administrator of the tenant must grant consent first.",
        "AADSTS700016",
    ),
    Kind.TENANT_GONE: ("Microsoft knows no such tenant. Check the Tenant ID.", "AADSTS90002"),
}
_ATTENTION: dict[Kind, list[Attention]] = {
    Kind.HELD: [Attention.HELD],
    Kind.GROWTH: [Attention.HELD],
    Kind.EMPTY: [Attention.HELD, Attention.SYNC_GROUP_EMPTY],
    Kind.MISSING: [Attention.SYNC_GROUP_MISSING],
    Kind.UNREADABLE: [Attention.GROUP_UNREADABLE],
    Kind.SKIPPED: [Attention.SKIPPED],
    Kind.SHORT: [Attention.LICENCES_SHORT],
}
_HOURS_AGO = {
    Kind.SECRET_EXPIRED: 6.7,
    Kind.NO_CONSENT: 1.3,
    Kind.SECRET_WRONG: 20.1,
    Kind.APP_GONE: 12.4,
    Kind.TENANT_GONE: 3.2,
    Kind.UNREACHABLE: 0.6,
    Kind.THROTTLED: 0.2,
    Kind.PAUSED: 15.5,
    Kind.HELD: 2.2,
    Kind.GROWTH: 5.4,
    Kind.EMPTY: 17.1,
    Kind.MISSING: 4.5,
    Kind.SKIPPED: 9.3,
}
"""How long ago what a company's state is about began."""


def seed_fleet() -> None:
    """Save the fleet, all or nothing; what is there already stays."""
    if Company.objects.filter(name=FLEET[0].name).exists():
        return
    partners = {
        "harbour": Partner.objects.get(slug="harbour-ridge-it"),
        "elsewhere": Partner.objects.get(slug="northgate-systems"),
    }
    with transaction.atomic():
        for made in FLEET:
            _Row(made, partners[made.partner], timezone.now()).save()


@dataclass(frozen=True)
class _Row:
    """Hold one company on its way into the database."""

    made: Made
    partner: Partner
    now: datetime

    @property
    def since(self) -> datetime:
        """Return when its state began."""
        return self.now - timedelta(hours=_HOURS_AGO.get(self.made.kind, 30 * 24))

    def save(self) -> None:
        made = self.made
        company = Company.objects.create(
            partner=self.partner,
            name=made.name,
            slug=made.domain.partition(".")[0],
            licences=made.licences,
            notification_emails=[f"it@{made.domain}"],
        )
        accounts = self._accounts(company)
        if made.kind is Kind.NEVER:
            return
        row = Connector.objects.create(company=company, **self._fields())
        if made.kind in UNFINISHED:
            return
        if made.kind is not Kind.REMOVED:
            AccountLink.objects.bulk_create(
                AccountLink(connector=row, account=account, directory_email=account.email)
                for account in accounts
                if account.managed_by == ManagedBy.AZURE_AD
            )
        if made.kind is Kind.UNREADABLE:
            SelectedGroup.objects.create(
                connector=row,
                directory_id=additional_of(made),
                name=ADDITIONAL,
                sentence="Its members are hidden. Let the application read them, or choose another group.",
            )
        if made.kind is Kind.APPROVALS:
            SyncRule.objects.create(connector=row, situation=Situation.NEW, action="create_pending")
        if made.kind is not Kind.WAITING:
            _Day(row, made, accounts, self.since, self.now).save()

    def _accounts(self, company: Company) -> list[Account]:
        made, head = self.made, administrator_of(self.made)
        administrator = Account(
            company=company,
            first_name=head.first_name,
            last_name=head.last_name,
            email=head.email,
            role=AccountRole.ADMIN,
            status=AccountStatus.ACTIVE,
            was_active=True,
        )
        by_hand = made.kind in (Kind.NEVER, Kind.REMOVED)
        everybody = in_directory(made)
        accounts = [self._account(company, person, by_hand=by_hand) for person in everybody[: made.people]]
        reason = {Kind.SHORT: PendingReason.LICENCE, Kind.APPROVALS: PendingReason.RULE}.get(made.kind)
        if reason is not None:
            waiting = {"status": AccountStatus.PENDING, "pending_reason": reason, "was_active": False}
            waiting["waiting_since"] = self.now - timedelta(hours=8)
            accounts += [self._account(company, person, **waiting) for person in everybody[made.people :]]
        return Account.objects.bulk_create([administrator, *accounts])

    def _account(self, company: Company, person: Person, *, by_hand: bool = False, **fields: Any) -> Account:
        identity = {} if by_hand and self.made.kind is Kind.NEVER else {
            "directory_tenant_id": directory_id("tenant", self.made.domain),
            "directory_object_id": person.id,
        }  # fmt: skip
        values = {
            "status": AccountStatus.ACTIVE,
            "was_active": True,
            "managed_by": ManagedBy.PB if by_hand else ManagedBy.AZURE_AD,
            **identity,
            **fields,
        }
        return Account(
            company=company,
            first_name=person.first_name,
            last_name=person.last_name,
            email=person.email,
            **values,
        )

    def _fields(self) -> dict[str, Any]:
        """Return the connector's columns."""
        made, kind = self.made, self.made.kind
        if kind is Kind.AT_TOKEN:
            return {"status": ConnectorStatus.SETUP_INCOMPLETE}
        client_id, secret = portal_application(made.domain)
        tenant_id = directory_id("tenant", made.domain)
        fields: dict[str, Any] = {
            "tenant": made.domain,
            "tenant_id": tenant_id,
            "client_id": client_id,
            "secret": secret,
            "secret_expires_on": None if made.days is None else (self.now + timedelta(days=made.days)).date(),
            "status": ConnectorStatus.CONNECTED,
            "status_since": self.now - timedelta(days=120),
        }
        if kind is Kind.AT_GROUPS:
            return fields | {"status": ConnectorStatus.SETUP_INCOMPLETE}
        fields |= {"sync_group_id": made.group, "sync_group_name": SYNC_GROUP}
        if kind is Kind.AT_RULES:
            return fields | {"status": ConnectorStatus.SETUP_INCOMPLETE}
        if kind is Kind.WAITING:
            return fields | {"status": ConnectorStatus.WAITING, "status_since": self.now}
        fields |= {
            "completed_runs": 4_000,
            "in_scope": len(in_group(made)),
            "attention": sorted(_ATTENTION.get(kind, [])),
            "send_invitations": False,
        }
        if kind is Kind.REMOVED:
            removed = {"status": ConnectorStatus.REMOVED, "removed_at": self.now - timedelta(days=20)}
            return fields | removed | {"secret": None, "secret_expires_on": None}
        if kind in UNAUTHORIZED:
            sentence, reference = _REFUSED[kind]
            fields |= {"status": ConnectorStatus.UNAUTHORIZED, "status_since": self.since}
            fields |= {"status_sentence": sentence, "status_reference": reference}
        if kind is Kind.PAUSED:
            fields |= {"paused_at": self.since, "paused_by": TOMASZ, "pause_reason": "They move to another tenant."}
        if kind is Kind.UNREACHABLE:
            fields |= {"unreachable_since": self.since}
        if kind is Kind.THROTTLED:
            fields |= {"throttled_until": self.now + timedelta(minutes=20)}
        return fields


@dataclass
class _Day:
    """Write a connector's last day of runs, from the oldest to the latest, and let its row say what they say."""

    row: Connector
    made: Made
    accounts: Sequence[Account]
    since: datetime
    now: datetime

    def save(self) -> None:
        chance = random.Random(self.made.domain)
        kind, last = self.made.kind, self.now - timedelta(seconds=chance.randrange(20, 280))
        begun = max(self.since, self.now - timedelta(days=20))
        if kind is Kind.REMOVED:
            last = self.now - timedelta(days=20)
        at = last - timedelta(hours=26)
        eventful = kind in _HOURS_AGO
        until = min(begun, last) if eventful else last
        while at < until:
            end = min(at + timedelta(minutes=chance.randrange(40, 420)), until)
            self._quiet(at, end)
            at = end + FIVE_MINUTES
            if at < until and self.accounts:
                self._changed(at, chance.choice(self.accounts))
                at += FIVE_MINUTES
        if eventful:
            self._what_happened(last)
        self._finish(last)

    def _run(self, started: datetime, finished: datetime | None = None, **fields: Any) -> SyncRun:
        values: dict[str, Any] = {
            "trigger": RunTrigger.SCHEDULE,
            "state": RunState.SUCCEEDED,
            "requests": 3,
            "read_seconds": 0.4,
            "in_scope": self.row.in_scope,
            "finished_at": finished or started + timedelta(seconds=2),
        }
        names = {"connector": self.row, "company": self.row.company, "connector_name": self.row.name}
        run: SyncRun = SyncRun.objects.create(**(names | values | fields), started_at=started)
        self.row.last_record = run
        return run

    def _quiet(self, first: datetime, last: datetime, **fields: Any) -> None:
        times = max(1, round((last - first) / FIVE_MINUTES))
        self._run(first, last, quiet=True, times=times, requests=3 * times, **fields)

    def _changed(self, at: datetime, account: Account) -> None:
        run = self._run(at, counts={f"{Outcome.APPLIED}.{ChangeKind.RENAME}": 1}, done=1, total=1)
        SyncChange.objects.create(
            run=run,
            connector=self.row,
            at=at,
            outcome=Outcome.APPLIED,
            kind=ChangeKind.RENAME,
            account=account,
            object_id=account.directory_object_id,
            name=account.full_name,
            email=account.email,
            before=f"{account.first_name} {account.last_name[:1]}.",
            after=account.full_name,
            because="The directory has another name for this person.",
        )

    def _what_happened(self, last: datetime) -> None:
        kind = self.made.kind
        if kind in UNAUTHORIZED:
            sentence, reference = _REFUSED[kind]
            self._run(self.since, state=RunState.FAILED, sentence=sentence, reference=reference, requests=1)
        elif kind is Kind.UNREACHABLE:
            times = max(1, round((last - self.since) / FIVE_MINUTES))
            sentence = "Microsoft Graph is out of reach at the moment. The next run tries again; nothing was changed."
            self._run(self.since, last, state=RunState.FAILED, sentence=sentence, times=times, reference="status 503")
        elif kind is Kind.THROTTLED:
            sentence = "Microsoft asks to wait. The next run after that goes on; nothing was changed."
            self._run(self.since, state=RunState.FAILED, sentence=sentence, reference="status 429")
        elif kind in (Kind.HELD, Kind.GROWTH, Kind.EMPTY):
            self._hold()
            self._quiet(self.since + FIVE_MINUTES, last, attention=self.row.attention)
        elif kind is Kind.MISSING:
            self._quiet(self.since, last, attention=self.row.attention)
        elif kind is Kind.SKIPPED:
            self._skip()
            self._quiet(self.since + FIVE_MINUTES, last, attention=self.row.attention)

    def _hold(self) -> None:
        kind, everybody = self.made.kind, in_directory(self.made)
        cause = {Kind.HELD: HoldCause.BRAKE, Kind.GROWTH: HoldCause.GROWTH, Kind.EMPTY: HoldCause.EMPTY_GROUP}[kind]
        leaving = kind is not Kind.GROWTH
        change = ChangeKind.DISABLE if leaving else ChangeKind.CREATE
        about = {Kind.HELD: everybody[: self.made.more], Kind.GROWTH: everybody[self.made.people :]}.get(
            kind, everybody
        )
        counts = {f"{Outcome.HELD}.{change}": len(about)}
        run = self._run(self.since, counts=counts, attention=self.row.attention)
        self.row.findings, self.row.findings_digest = run, "as seeded"
        PersonMark.objects.bulk_create(
            PersonMark(
                connector=self.row, object_id=one.id, kind=MarkKind.HELD, value=change, other=cause, since=self.since
            )
            for one in about
        )
        self._lines(
            run,
            about,
            outcome=Outcome.HELD,
            kind=change,
            situation=Situation.REMOVED if leaving else Situation.NEW,
            before=AccountStatus.ACTIVE.label if leaving else "",
            after=AccountStatus.DISABLED.label if leaving else AccountStatus.ACTIVE.label,
            because="Not in the sync group any more." if leaving else "In the sync group, and has no account.",
            cause=cause,
        )

    def _skip(self) -> None:
        about = in_directory(self.made)[self.made.people :]
        counts = {f"{Outcome.SKIPPED}.{SkipReason.NO_EMAIL}": len(about)}
        run = self._run(self.since, counts=counts, attention=self.row.attention)
        self.row.findings, self.row.findings_digest = run, "as seeded"
        because = {"because": SkipReason.NO_EMAIL.label, "cause": SkipReason.NO_EMAIL}
        self._lines(run, about, outcome=Outcome.SKIPPED, situation=Situation.NEW, **because)

    def _lines(self, run: SyncRun, about: Sequence[Person], **fields: Any) -> None:
        known = {account.directory_object_id: account for account in self.accounts}
        SyncChange.objects.bulk_create(
            SyncChange(
                run=run,
                connector=self.row,
                at=run.started_at,
                account=known.get(one.id),
                object_id=one.id,
                name=f"{one.first_name} {one.last_name}",
                email=one.email,
                **fields,
            )
            for one in about
        )

    def _finish(self, last: datetime) -> None:
        row, kind = self.row, self.made.kind
        stopped = kind in (*UNAUTHORIZED, Kind.PAUSED, Kind.UNREACHABLE, Kind.THROTTLED)
        row.last_run_at = last if kind in (Kind.UNREACHABLE, Kind.THROTTLED) or not stopped else self.since
        row.last_success_at = self.since - FIVE_MINUTES if stopped else last
        row.save()
