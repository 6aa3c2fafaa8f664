"""Putting a run right: whom it disabled or deleted comes back, and is kept from what had taken them away.

It needs no directory. The rows of the company's connectors are locked as by a run that applies its changes, so no run
writes in the middle of it; one that is planning plans anew, with what is remembered here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from connectors.decisions import Refused
from connectors.lifecycle.rows import request_run
from connectors.models import AccountLink, Connector, PersonMark, SyncChange, SyncRun
from connectors.plan.lines import standing
from connectors.plan.putting_right import Loss, Obstacle, Remedy, Return, remedy_for
from connectors.states import DESTRUCTIVE, LEAVING, ChangeKind, ConnectorStatus, MarkKind, Outcome, RunState, RunTrigger
from tenants import audit, roster
from tenants.audit import Actor
from tenants.models import Account, Company, User
from tenants.states import AccountRole, AccountStatus, Hand, PendingReason

PUT_RIGHT = audit.Action(
    "connector.put_right",
    "{actor} put right what a run of {subject} had done (run {run}, put right by {record}): {counts}.",
    ("run", "record", "counts"),
)
_STOOD = {standing(status, reason): (status, reason) for status in AccountStatus for reason in reversed(PendingReason)}
_LINES = 1_000
_RETURNING = frozenset({ChangeKind.ENABLE, ChangeKind.ACTIVATE, ChangeKind.RESTORE, ChangeKind.SUSPEND})
"""Kinds after which an account has what a run before had taken."""


class Changed(Refused):
    """What can be put right is not what the page showed any more; nothing was done."""

    def __init__(self) -> None:
        super().__init__(
            "These accounts have changed since this page was made, and nothing was done. Look at the list as it is"
            " now, and decide again."
        )


def has_losses(run: SyncRun) -> bool:
    """Say, without a query, whether a run took anything away that might be given back."""
    return any(run.counts.get(f"{Outcome.APPLIED}.{kind}") for kind in (ChangeKind.DISABLE, ChangeKind.DELETE))


def remedy_of(run: SyncRun) -> Remedy:
    """Return what putting a run right would do now, without doing it."""
    company = Company.objects.get(pk=run.company_id)
    active = Account.objects.filter(company=company, status=AccountStatus.ACTIVE).count()
    free = None if company.licences is None else max(company.licences - active, 0)
    return remedy_for(_losses(run, timezone.now()).losses, free)


def put_right(run: SyncRun, *, seen: str, actor: Actor) -> SyncRun:
    """Give back what a run took, as far as it can be, and keep everybody from it; return the record of that.

    `seen` is the `seen` of the remedy that was shown. Raises Refused, and Changed where the remedy is another one now.
    """
    with transaction.atomic():
        # Ahead of the company's row, as by every run.
        rows = list(
            Connector.objects.select_for_update(no_key=True, of=("self",))
            .select_related("company")
            .filter(Q(company=run.company_id) & ~Q(status=ConnectorStatus.REMOVED) | Q(pk=run.connector_id))
            .order_by("pk")
        )
        with roster.changing(run.company_id) as ledger:
            now = timezone.now()
            run = SyncRun.objects.select_related("company").get(pk=run.pk)
            if run.state == RunState.RUNNING:
                raise Refused("This run is still going on. Pause the connector to stop it, and put right what it did.")
            found = _losses(run, now)
            free = ledger.free_licences
            remedy = remedy_for(found.losses, None if free is None else max(free, 0))
            if remedy.seen != seen:
                raise Changed
            if not remedy.returns:
                raise Refused("Nobody can be brought back: each line of the list says why.")
            _bring_back(ledger, remedy.returns)
            _keep(found, remedy.returns, rows, actor)
            record = _record(run, remedy, actor, now)
            _tell(run, record, remedy, actor)
        for row in rows:
            row.settings_revision += 1
            row.save(update_fields=["settings_revision"])
            request_run(row, actor)
    return record


@dataclass(frozen=True, slots=True)
class _Found:
    """Hold a run's losses, and what is known beside them: links and lines, by account id and by line."""

    losses: list[Loss]
    links: dict[int, AccountLink]
    situations: dict[int, str]


def _losses(run: SyncRun, now: datetime) -> _Found:
    lines: list[Any] = list(
        SyncChange.objects.filter(run=run, outcome=Outcome.APPLIED, kind__in=DESTRUCTIVE)
        .order_by("pk")
        .values("pk", "account_id", "object_id", "kind", "situation", "name", "email", "before")
    )
    ids = {line["account_id"] for line in lines if line["account_id"] is not None}
    accounts: dict[int, Account] = {}
    links: dict[int, AccountLink] = {}
    latest: dict[int | None, str] = {}
    for chunk in roster.chunks(ids):
        accounts |= {one.pk: one for one in Account.objects.filter(company=run.company_id, pk__in=chunk)}
        links |= {one.account_id: one for one in AccountLink.objects.filter(account__in=chunk)}
        later = SyncChange.objects.filter(account__in=chunk, outcome=Outcome.APPLIED, kind__in=DESTRUCTIVE | _RETURNING)
        later = later.filter(pk__gt=lines[0]["pk"]).exclude(run=run).order_by("pk")
        latest |= dict(later.values_list("account_id", "kind"))
    again = {account_id for account_id, kind in latest.items() if kind in DESTRUCTIVE}
    rivals = _Rivals(run.company_id, accounts.values())
    return _Found(
        [_loss(line, accounts.get(line["account_id"]), again, rivals, now) for line in lines],
        links,
        {line["pk"]: line["situation"] for line in lines},
    )


def _loss(
    line: dict[str, Any], account: Account | None, again: set[int | None], rivals: _Rivals, now: datetime
) -> Loss:
    before, waited_for = _STOOD.get(line["before"], (None, PendingReason.RULE))
    told = {
        "line": line["pk"],
        "object_id": line["object_id"],
        "kind": ChangeKind(line["kind"]),
        "name": line["name"],
        "email": line["email"],
        "before": before,
        "waited_for": waited_for or PendingReason.RULE,
    }
    if account is None:
        return Loss(**told)
    return Loss(
        **told,
        account_id=account.pk,
        status=AccountStatus(account.status),
        administrator=account.role == AccountRole.ADMIN,
        was_active=account.was_active,
        disabled_by=Hand(account.disabled_by),
        deleted_by=Hand(account.deleted_by),
        restorable=account.is_restorable(now),
        owner=account.directory_object_id,
        again=account.pk in again,
        address_taken=account.email.lower() in rivals.addresses,
        owner_taken=(account.directory_tenant_id, account.directory_object_id) in rivals.owners,
    )


class _Rivals:
    """Hold the addresses and identities of living accounts that deleted ones would want back."""

    def __init__(self, company_id: int, accounts: Iterable[Account]) -> None:
        deleted = [one for one in accounts if one.status == AccountStatus.DELETED]
        living = Account.objects.filter(company=company_id).exclude(status=AccountStatus.DELETED)
        self.addresses: set[str] = set()
        self.owners: set[tuple[str, str]] = set()
        for chunk in roster.chunks({one.email.lower() for one in deleted}):
            named = living.annotate(address=Lower("email")).filter(address__in=chunk)
            self.addresses |= set(named.values_list("address", flat=True))
        for chunk in roster.chunks({one.directory_object_id for one in deleted if one.has_identity}):
            owned = living.filter(directory_object_id__in=chunk)
            self.owners |= set(owned.values_list("directory_tenant_id", "directory_object_id"))


def _bring_back(ledger: roster.Ledger, returns: Sequence[Return]) -> None:
    """Change the accounts, and vouch for them as whoever enables or restores one does."""

    def those(kind: ChangeKind, status: AccountStatus) -> list[int]:
        return [_id(one) for one in returns if (one.kind, one.status) == (kind, status)]

    ledger.enable(those(ChangeKind.ENABLE, AccountStatus.ACTIVE))
    for one in {one.pending_reason for one in returns if one.kind is ChangeKind.SUSPEND}:
        ledger.suspend(those(ChangeKind.SUSPEND, AccountStatus.PENDING), one)
    for status, reason in {(one.status, one.pending_reason) for one in returns if one.kind is ChangeKind.RESTORE}:
        ledger.restore(those(ChangeKind.RESTORE, status), status, reason)
    ledger.vouch([_id(one) for one in returns if one.loss.owner])


def _id(one: Return) -> int:
    if one.loss.account_id is None:
        raise ValueError("Nobody without an account comes back.")
    return one.loss.account_id


def _keep(found: _Found, returns: Sequence[Return], rows: Sequence[Connector], actor: Actor) -> None:
    """Remember for each person, as *keep* does, what took the account away and what holds for it now.

    It is remembered where the account's link is: of a connector that was removed, that is nowhere, or with the one
    that was installed after it.
    """
    by = audit.label_of(actor)
    live = {row.pk for row in rows if row.live}
    marks: list[PersonMark] = []
    people: dict[int, set[str]] = {}
    for one in returns:
        link = found.links.get(_id(one))
        if link is None or link.connector_id not in live:
            continue
        people.setdefault(link.connector_id, set()).add(one.loss.object_id)
        holding = {word for word in link.situations.split(",") if word} | {found.situations[one.loss.line]}
        marks += [
            PersonMark(
                connector_id=link.connector_id,
                object_id=one.loss.object_id,
                kind=MarkKind.KEPT,
                value=situation,
                by=by,
            )
            for situation in sorted(holding & LEAVING)
        ]
    decided = Q(kind__in=[MarkKind.HELD, MarkKind.APPROVED], value__in=DESTRUCTIVE)
    for connector_id, object_ids in people.items():
        for chunk in roster.chunks(object_ids):
            PersonMark.objects.filter(decided, connector=connector_id, object_id__in=chunk).delete()
    PersonMark.objects.bulk_create(marks, batch_size=_LINES, ignore_conflicts=True)


def _record(run: SyncRun, remedy: Remedy, actor: Actor, now: datetime) -> SyncRun:
    counts = Counter(f"{Outcome.APPLIED}.{one.kind}" for one in remedy.returns)
    counts.update(f"{Outcome.SKIPPED}.{obstacle}" for _, obstacle in remedy.left)
    by = audit.label_of(actor)
    record: SyncRun = SyncRun.objects.create(
        connector_id=run.connector_id,
        company_id=run.company_id,
        connector_name=run.connector_name,
        trigger=RunTrigger.PUT_RIGHT,
        state=RunState.SUCCEEDED,
        by=actor if isinstance(actor, User) else None,
        by_label=by[:300],
        started_at=now,
        finished_at=now,
        done=len(remedy.returns),
        total=len(remedy.returns),
        in_scope=run.in_scope,
        counts=dict(sorted(counts.items())),
        sentence=f"Puts right what the run of {_moment(run.started_at)} had done.",
    )
    lines = [
        _line(
            record,
            one.loss,
            now,
            outcome=Outcome.APPLIED,
            kind=one.kind,
            before=AccountStatus(one.loss.status or "").label,
            after=one.status.label,
            because=f"Put right: the run of {_moment(run.started_at)} had {_VERBS[one.loss.kind]} it",
            approved=True,
            decided_by=by[:300],
        )
        for one in remedy.returns
    ]
    lines += [
        _line(record, loss, now, outcome=Outcome.SKIPPED, because=obstacle.label, cause=obstacle)
        for loss, obstacle in remedy.left
    ]
    SyncChange.objects.bulk_create(lines, batch_size=_LINES)
    # A quiet run that follows begins a record of its own: it does not fold into one from before this.
    Connector.objects.filter(pk=run.connector_id).update(last_record=record)
    return record


_VERBS = {
    ChangeKind.DISABLE: "disabled",
    ChangeKind.DELETE: "deleted",
    ChangeKind.CONVERT: "converted",
    ChangeKind.WITHDRAW: "withdrawn",
}


def _line(record: SyncRun, loss: Loss, now: datetime, **fields: Any) -> SyncChange:
    return SyncChange(
        run=record,
        connector_id=record.connector_id,
        at=now,
        account_id=loss.account_id,
        object_id=loss.object_id,
        name=loss.name,
        email=loss.email,
        **fields,
    )


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def _tell(run: SyncRun, record: SyncRun, remedy: Remedy, actor: Actor) -> None:
    counts = [f"{number} {kind.label.lower()}" for kind, number in sorted(remedy.counts.items())]
    left = [obstacle for _, obstacle in remedy.left if obstacle is not Obstacle.BACK]
    counts += [f"{len(left)} left as they are"] if left else []
    audit.record(
        PUT_RIGHT,
        company=run.company,
        actor=actor,
        subject=run.connector_name,
        detail={"run": run.pk, "record": record.pk, "counts": ", ".join(counts)},
    )
