"""What follows the directory in accounts that stay: names, the email to show, and what a link remembers."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from connectors.directory import Person, Snapshot
from connectors.plan.email import LONGEST, reported_address
from connectors.plan.lines import OTHER_EMAIL, OTHER_NAME, account_change, because, directory_name
from connectors.plan.situations import Bond, Known, account_name, holding_now
from connectors.plan.values import AccountFacts, Change, Link, LinkNote
from connectors.states import ChangeKind, Situation
from tenants.states import AccountStatus, Hand

_FRESH = Link()
_STAYS = (AccountStatus.ACTIVE, AccountStatus.PENDING, AccountStatus.DISABLED)
_UNLINKS = (ChangeKind.CONVERT, ChangeKind.WITHDRAW)


def follow_directory(
    known: Iterable[Known], changed: Mapping[int | None, Change], *, complete: bool
) -> tuple[list[Change], list[LinkNote]]:
    """Return the renames, the emails that differ from now on, and what links must remember.

    `changed` holds each account's change of status in this plan. Where the sync group is not complete, only
    the situations that are positively known are remembered.
    """
    changes: list[Change] = []
    notes: list[LinkNote] = []
    for one in known:
        account = one.account
        # A relinked account's link begins anew: what it remembered was of somebody else.
        link = Link(account.email) if one.bond is Bond.RELINKED else account.link or _FRESH
        change = changed.get(account.id)
        if change is not None and change.kind in _UNLINKS:
            continue
        status = account.status if change is None else change.status
        email = link.directory_email
        holding = one.holding
        if not complete:
            holding = _may_hold(holding, link, one.person)
        elif one.person is not None and status in _STAYS:
            first, last = directory_name(one.person)
            if (first, last) != (account.first_name, account.last_name) and (first or last):
                changes.append(
                    account_change(
                        one,
                        ChangeKind.RENAME,
                        because(OTHER_NAME),
                        before=account_name(account),
                        after=f"{first} {last}".strip(),
                        first_name=first,
                        last_name=last,
                    )
                )
            email = _directory_email(one.person, email)
            if email not in (link.directory_email, account.email.lower()):
                changes.append(
                    account_change(
                        one,
                        ChangeKind.EMAIL,
                        because(OTHER_EMAIL),
                        before=account.email,
                        after=email,
                    )
                )
        if email != link.directory_email or holding != link.situations:
            notes.append(LinkNote(account.id, email, holding))
    return changes, notes


def watch_deleted(
    snapshot: Snapshot, scope: Container[str], accounts: Iterable[AccountFacts]
) -> list[tuple[str, LinkNote]]:
    """Return what links of accounts that a person deleted must remember, each with its owner's object id.

    Whoever restores such an account keeps it in what holds by then.
    """
    complete = snapshot.sync_group.complete
    notes = []
    for account in accounts:
        if account.link is None or account.status is not AccountStatus.DELETED or account.deleted_by is not Hand.PERSON:
            continue
        object_id = account.object_id.lower()
        person = snapshot.people.get(object_id)
        ours = account.tenant_id.lower() == snapshot.tenant_id.lower()
        if not ours or (person is None and object_id not in snapshot.gone):
            continue
        holding = holding_now(person, in_scope=object_id in scope, complete=complete)
        if not complete:
            holding = _may_hold(holding, account.link, person)
        if holding != account.link.situations:
            notes.append((object_id, LinkNote(account.id, account.link.directory_email, holding)))
    return notes


def _may_hold(holding: frozenset[Situation], link: Link, person: Person | None) -> frozenset[Situation]:
    """Add what held at the last run, and may hold still while the sync group cannot be read."""
    return holding | (link.situations & {Situation.REMOVED}) if person is not None else holding


def _directory_email(person: Person, remembered: str) -> str:
    """Return the address the directory reports, usable or not: one that is not the account's keeps links from it.

    Where the directory has none at all, the last one stays.
    """
    if remembered and remembered == person.mail:
        return remembered
    return reported_address(person).lower()[:LONGEST] or remembered
