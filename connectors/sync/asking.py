"""One person's facts for “Why?”: the directory asked now, the plan of the next run, and what the portal remembers.

It takes no lease, counts as no run, and writes nothing; no transaction is open while Microsoft is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from connectors.directory import DirectoryError, Person, Remedy, Throttled
from connectors.entra import EntraDirectory
from connectors.models import AccountLink, Connector, PersonMark, SyncChange
from connectors.plan import AccountFacts, Link
from connectors.states import LIVE, ChangeKind, MarkKind, Outcome, Situation
from connectors.sync.lease import refusal_of
from connectors.sync.reading import credentials_of, directory_of
from connectors.sync.run import preview
from connectors.why import Decision, Door, Facts, LastChange, Memory, Survey, survey
from pbportal.sealed import Unreadable
from tenants.audit import sentence_of
from tenants.models import Account, AuditEntry, Company
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason

LISTED = 20
SEARCH_SECONDS = 20.0
"""So long a page waits for a search, before it answers from memory."""
_ACTS_LOOKED_AT = 200


def people_matching(connector: Connector, text: str, *, limit: int = LISTED) -> list[Person]:
    """Ask a connector's directory for the people whom a text may mean; raises DirectoryError and Unreadable."""
    _refuse_while_slowed(connector, timezone.now())
    with EntraDirectory(credentials_of(connector), seconds=SEARCH_SECONDS) as directory:
        return directory.search_people(text, limit=limit)


def ask(
    connector: Connector,
    *,
    object_id: str = "",
    account: Account | None = None,
    asked: str = "",
    trouble: DirectoryError | Unreadable | None = None,
    clock: Callable[[], datetime] = timezone.now,
) -> Facts:
    """Return everything known of a person: of a directory's user by object ID, or of the owner of an account.

    Where the directory cannot be asked, `memory` says so, and what the portal knew when it last could. `trouble` is
    why it could not be asked a moment ago: it is not asked again.
    """
    now = clock()
    if account is not None and account.directory_tenant_id == connector.tenant_id and account.directory_object_id:
        object_id = account.directory_object_id
    object_id = object_id.lower()
    if account is None and object_id:
        account = _owned(connector, object_id)
    first = Facts(
        asked=asked or (account.email if account is not None else ""),
        tenant=connector.tenant,
        group_name=connector.sync_group_name,
        stopped=refusal_of(connector, now),
        account=_facts_of(account, connector) if account is not None else None,
        restorable_until=account.restorable_until if account is not None and account.is_restorable(now) else None,
        decisions=_decisions(connector, object_id, account),
        last=last_change(connector.company, account),
    )
    if connector.status not in LIVE:
        return _remembering(first, connector, object_id, first.stopped, door=Door.CONNECTOR)
    try:
        _refuse_while_slowed(connector, now)
        if trouble is not None:
            raise trouble
        with directory_of(connector) as directory:
            person, unread = None, ""
            if object_id:
                person, unread = directory.person(object_id)
            elif account is not None:
                person = next(
                    (one for one in directory.search_people(account.email) if _has_address(one, account.email)), None
                )
                object_id = person.object_id if person is not None else ""
        found = preview(connector, clock=clock)
    except DirectoryError as error:
        door = Door.AUTH if error.remedy is Remedy.CUSTOMER else Door.CONNECTOR
        return _remembering(first, connector, object_id, error.sentence, reference=error.reference, door=door)
    except Unreadable as error:
        return _remembering(first, connector, object_id, str(error), door=Door.AUTH)
    return survey(
        replace(first, person=person, unread=unread),
        Survey(found.rules, found.seen, found.roster, found.plan),
        object_id=object_id,
    )


def without_connector(company: Company, account: Account) -> Facts:
    """Return what is known of an account of a company that has no connector."""
    return Facts(
        asked=account.email,
        account=_facts_of(account, None),
        decisions=_own_decisions(account),
        last=last_change(company, account),
        restorable_until=account.restorable_until if account.is_restorable(timezone.now()) else None,
        memory=Memory("This company has no connector, so nobody is synchronised.", door=Door.INSTALL),
    )


def _refuse_while_slowed(connector: Connector, now: datetime) -> None:
    until = connector.throttled_until
    if until is not None and until > now:
        raise Throttled(f"Microsoft asked to wait until {until:%H:%M} UTC, and is asked nothing before.", until=until)


def _has_address(person: Person, email: str) -> bool:
    return email.lower() in (person.mail.lower(), person.user_principal_name.lower())


def _owned(connector: Connector, object_id: str) -> Account | None:
    """Return the account of a directory's user: the living one, else the latest that is deleted."""
    rows = Account.objects.filter(
        company=connector.company_id,
        directory_tenant_id=connector.tenant_id,
        directory_object_id=object_id,
        purged_at=None,
    ).select_related("link")
    found: list[Account] = sorted(rows, key=lambda row: (row.status == AccountStatus.DELETED, -row.pk))
    return found[0] if found else None


def _facts_of(account: Account, connector: Connector | None) -> AccountFacts:
    """Return an account as the planner knows it; a plan's own facts take their place where it has the account."""
    link: AccountLink | None = getattr(account, "link", None)
    mine = link is not None and connector is not None and link.connector_id == connector.pk
    return AccountFacts(
        id=account.pk,
        email=account.email,
        first_name=account.first_name,
        last_name=account.last_name,
        status=AccountStatus(account.status),
        role=AccountRole(account.role),
        pending_reason=PendingReason(account.pending_reason),
        managed_by=ManagedBy(account.managed_by),
        was_active=account.was_active,
        disabled_by=Hand(account.disabled_by),
        deleted_by=Hand(account.deleted_by),
        claimed=account.claimed,
        barred=account.barred,
        tenant_id=account.directory_tenant_id,
        object_id=account.directory_object_id,
        link=Link(link.directory_email, _situations(link)) if link is not None and mine else None,
        linked_elsewhere=link is not None and not mine,
    )


def _situations(link: AccountLink) -> frozenset[Situation]:
    return frozenset(Situation(word) for word in link.situations.split(",") if word)


# What people decided


_DECIDED = {
    MarkKind.APPROVED: "Approved: {kind}",
    MarkKind.KEPT: "Keeps the account in the situation {value}",
    MarkKind.DECLINED: "Declined to create or restore the account",
    MarkKind.SAME_PERSON: "Said that this is the same person as the account’s owner",
    MarkKind.SOMEONE_ELSE: "Said that this is someone else than the account’s owner",
    MarkKind.CONFIRMED: "Confirmed whose administrator’s account it is",
}


def _decisions(connector: Connector, object_id: str, account: Account | None) -> tuple[Decision, ...]:
    decided = []
    if object_id:
        marks = PersonMark.objects.filter(connector=connector, object_id=object_id).exclude(kind=MarkKind.HELD)
        for mark in marks.order_by("since", "pk"):
            kind = ChangeKind(mark.value).label if mark.kind == MarkKind.APPROVED else ""
            value = Situation(mark.value).label if mark.kind == MarkKind.KEPT else ""
            decided.append(Decision(_DECIDED[MarkKind(mark.kind)].format(kind=kind, value=value), mark.by, mark.since))
    return (*decided, *(_own_decisions(account) if account is not None else ()))


def _own_decisions(account: Account) -> tuple[Decision, ...]:
    decided = []
    if account.deleted_by == Hand.PERSON:
        decided.append(Decision("Deleted the account", since=account.deleted_at))
    elif account.barred:
        decided.append(Decision("Handed the account back to Password Boss"))
    if account.disabled_by == Hand.PERSON:
        decided.append(Decision("Disabled the account"))
    return tuple(decided)


# What happened last


def last_change(company: Company, account: Account | None) -> LastChange | None:
    """Return what happened last to an account, by a run or by a person."""
    if account is None:
        return None
    line = (
        SyncChange.objects.filter(account=account, outcome=Outcome.APPLIED)
        .select_related("run")
        .order_by("-pk")
        .first()
    )
    acts = AuditEntry.objects.filter(company=company, action__startswith="account.")[:_ACTS_LOOKED_AT]
    act = next((entry for entry in acts if _concerns(entry, account.email)), None)
    if line is not None and (act is None or line.at >= act.at):
        what = ChangeKind(line.kind).label if line.kind else "Changed"
        where = f" “{line.group_name}”" if line.group_name else ""
        moved = f", {line.before} → {line.after}" if line.before and line.after else ""
        return LastChange(f"{what}{where}{moved}. {line.because}.", line.at, line.run_id)
    return LastChange(sentence_of(act), act.at) if act is not None else None


def _concerns(entry: AuditEntry, email: str) -> bool:
    accounts = entry.detail.get("accounts")
    listed = accounts if isinstance(accounts, list) else []
    return email in listed or entry.subject == email or entry.subject.endswith(f"({email})")


# Where no directory answers


def _remembering(
    first: Facts,
    connector: Connector,
    object_id: str,
    sentence: str,
    *,
    reference: str = "",
    door: Door = Door.CONNECTOR,
) -> Facts:
    account = first.account
    situations = account.link.situations if account is not None and account.link is not None else None
    finding = ""
    if connector.findings_id and object_id:
        line = SyncChange.objects.filter(run=connector.findings_id, object_id=object_id).first()
        finding = f"{line.get_outcome_display()}: {line.because}" if line is not None else ""
    return Facts(
        asked=first.asked,
        tenant=first.tenant,
        group_name=first.group_name,
        stopped=first.stopped,
        account=account,
        restorable_until=first.restorable_until,
        decisions=first.decisions,
        last=first.last,
        memory=Memory(sentence, reference, door, connector.last_success_at, situations, finding),
    )
