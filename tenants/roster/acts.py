"""What people do to accounts: each act with its right, where it applies, its sentence, and its one entry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models.functions import Lower
from django.utils import timezone

from tenants import invitations
from tenants.audit import Action, record
from tenants.models import Account, Company, User
from tenants.roles import Can
from tenants.roster.ledger import PRESENT, Ledger, LicencesShort, NewAccount, changing, chunks
from tenants.states import AccountRole, AccountStatus, Hand, Labelled, ManagedBy, PendingReason


class Refused(Exception):
    """An act cannot be done; nothing was changed. Its text is a sentence, with the next step."""

    @property
    def sentence(self) -> str:
        """Return the text for the person who tried."""
        return str(self)


class Act(Labelled):
    """Name one thing a person does to a selection of accounts; the label is its button."""

    APPROVE = "approve", "Approve"
    ENABLE = "enable", "Enable"
    DISABLE = "disable", "Disable"
    DELETE = "delete", "Delete"
    RESTORE = "restore", "Restore"
    PURGE = "purge", "Purge now"
    CONVERT = "convert", "Convert to personal"
    MAKE_ADMIN = "make_admin", "Make administrator"
    MAKE_USER = "make_user", "Make user"
    HAND_BACK = "hand_back", "Manage in Password Boss"
    LIFT_BAR = "lift_bar", "Let the connector manage again"
    RESEND_INVITATION = "resend_invitation", "Resend invitation"
    REVOKE_INVITATION = "revoke_invitation", "Revoke invitation"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Hold what one act needs, where it applies, what it does, and how it is recorded."""

    right: Can
    applies: Callable[[Account, datetime], bool]
    needs: str
    """Which accounts it applies to, as the end of a sentence."""
    do: Callable[[Ledger, list[Account]], None]
    action: Action
    takes_away_administrators: bool = False
    names: bool = True
    """Whether its entry says whom: what erases somebody does not write the name down anew, for ever."""


def _ids(accounts: Collection[Account]) -> list[int]:
    return [account.pk for account in accounts]


def _known(accounts: Collection[Account]) -> list[int]:
    return [account.pk for account in accounts if account.has_identity]


def _approve(ledger: Ledger, accounts: list[Account]) -> None:
    ledger.activate(_ids(accounts))
    ledger.vouch(_known(accounts))


def _enable(ledger: Ledger, accounts: list[Account]) -> None:
    ledger.enable(_ids(accounts))
    ledger.vouch(_known(accounts))


def _delete(ledger: Ledger, accounts: list[Account]) -> None:
    ledger.delete(_ids(accounts), Hand.PERSON, timezone.now())
    # The owner may stay in scope: the sync must not create the account again.
    ledger.bar(_known(accounts))


def _restore(ledger: Ledger, accounts: list[Account]) -> None:
    _refuse_taken_addresses(accounts)
    # Deleting is undone, nothing else: who was disabled or waiting is so again.
    disabled = [account.pk for account in accounts if account.disabled_by]
    waiting = [account.pk for account in accounts if not account.disabled_by and not account.was_active]
    rest = [account.pk for account in accounts if not account.disabled_by and account.was_active]
    ledger.restore(disabled, AccountStatus.DISABLED)
    ledger.restore(waiting, AccountStatus.PENDING, PendingReason.RULE)
    ledger.restore(rest, AccountStatus.ACTIVE)
    ledger.unbar(_ids(accounts))
    ledger.vouch(_known(accounts))


def _resend(ledger: Ledger, accounts: list[Account]) -> None:
    in_doubt = invitations.doubted(_ids(accounts))
    for account in accounts:
        if account.pk in in_doubt:
            raise Refused(
                f"The directory reports another address for {_name(account)} than {account.email}, and no one-time link"
                " goes to an address in doubt. Correct the address in Entra, or take the account out of the selection."
            )
    invitations.queue_again(_ids(accounts))


def _hand_back(ledger: Ledger, accounts: list[Account]) -> None:
    ledger.manage(_ids(accounts), ManagedBy.PB)
    ledger.bar(_known(accounts))


_KINDS = {
    Act.APPROVE: _Kind(
        right=Can.MANAGE_ACCOUNTS,
        applies=lambda account, now: account.status == AccountStatus.PENDING,
        needs="accounts that are pending approval",
        do=_approve,
        action=Action("account.approved", "{actor} approved {subject}.", ("accounts",)),
    ),
    Act.ENABLE: _Kind(
        right=Can.MANAGE_ACCOUNTS,
        applies=lambda account, now: account.status == AccountStatus.DISABLED,
        needs="disabled accounts",
        do=_enable,
        action=Action("account.enabled", "{actor} enabled {subject}.", ("accounts",)),
    ),
    Act.DISABLE: _Kind(
        right=Can.MANAGE_ACCOUNTS,
        applies=lambda account, now: account.status in {AccountStatus.ACTIVE, AccountStatus.PENDING},
        needs="accounts that are active or pending approval",
        do=lambda ledger, accounts: ledger.disable(_ids(accounts), Hand.PERSON),
        action=Action("account.disabled", "{actor} disabled {subject}.", ("accounts",)),
        takes_away_administrators=True,
    ),
    Act.DELETE: _Kind(
        right=Can.END_ACCOUNTS,
        applies=lambda account, now: account.status in PRESENT,
        needs="accounts that are neither deleted nor personal",
        do=_delete,
        action=Action("account.deleted", "{actor} deleted {subject}.", ("accounts",)),
        takes_away_administrators=True,
    ),
    Act.RESTORE: _Kind(
        right=Can.END_ACCOUNTS,
        applies=lambda account, now: account.is_restorable(now),
        needs="deleted accounts whose time to be restored is not over",
        do=_restore,
        action=Action("account.restored", "{actor} restored {subject}.", ("accounts",)),
    ),
    Act.PURGE: _Kind(
        right=Can.END_ACCOUNTS,
        applies=lambda account, now: account.status == AccountStatus.DELETED and account.purged_at is None,
        needs="deleted accounts",
        do=lambda ledger, accounts: ledger.purge(_ids(accounts), timezone.now()),
        action=Action("account.purged", "{actor} purged {subject}.", ("accounts",)),
        names=False,
    ),
    Act.CONVERT: _Kind(
        right=Can.END_ACCOUNTS,
        applies=lambda account, now: account.status in PRESENT and account.claimed,
        needs="accounts whose owner has accepted them, and which are neither deleted nor personal",
        do=lambda ledger, accounts: ledger.convert(_ids(accounts)),
        action=Action("account.converted", "{actor} converted {subject} to personal.", ("accounts",)),
        takes_away_administrators=True,
    ),
    Act.MAKE_ADMIN: _Kind(
        right=Can.END_ACCOUNTS,
        applies=lambda account, now: account.status in PRESENT and account.role == AccountRole.USER,
        needs="users that are neither deleted nor personal",
        do=lambda ledger, accounts: ledger.set_role(_ids(accounts), AccountRole.ADMIN),
        action=Action("account.made_admin", "{actor} made {subject} administrator.", ("accounts",)),
    ),
    Act.MAKE_USER: _Kind(
        right=Can.END_ACCOUNTS,
        applies=lambda account, now: account.status in PRESENT and account.role == AccountRole.ADMIN,
        needs="administrators that are neither deleted nor personal",
        do=lambda ledger, accounts: ledger.set_role(_ids(accounts), AccountRole.USER),
        action=Action("account.made_user", "{actor} made {subject} an ordinary user.", ("accounts",)),
        takes_away_administrators=True,
    ),
    # Like *keep*, both decide what a connector leaves alone.
    Act.HAND_BACK: _Kind(
        right=Can.RULE_CONNECTORS,
        applies=lambda account, now: account.status in PRESENT and account.managed_by == ManagedBy.AZURE_AD,
        needs="accounts managed by Azure AD",
        do=_hand_back,
        action=Action("account.handed_back", "{actor} had {subject} managed in Password Boss.", ("accounts",)),
    ),
    Act.LIFT_BAR: _Kind(
        right=Can.RULE_CONNECTORS,
        applies=lambda account, now: account.barred,
        needs="accounts that the connector was told to leave alone",
        do=lambda ledger, accounts: ledger.unbar(_ids(accounts)),
        action=Action("account.bar_lifted", "{actor} let the connector manage {subject} again.", ("accounts",)),
    ),
    Act.RESEND_INVITATION: _Kind(
        right=Can.MANAGE_ACCOUNTS,
        applies=lambda account, now: account.status == AccountStatus.ACTIVE and not account.claimed,
        needs="active accounts whose owner has no login yet",
        do=_resend,
        action=Action("account.invited_again", "{actor} had {subject} invited again.", ("accounts",)),
    ),
    Act.REVOKE_INVITATION: _Kind(
        right=Can.MANAGE_ACCOUNTS,
        applies=lambda account, now: account.status in PRESENT and not account.claimed,
        needs="accounts whose owner has no login yet",
        do=lambda ledger, accounts: invitations.revoke(_ids(accounts)),
        action=Action("account.invitation_revoked", "{actor} revoked the invitation of {subject}.", ("accounts",)),
    ),
}

ACTS: MappingProxyType[Act, Can] = MappingProxyType({act: kind.right for act, kind in _KINDS.items()})
"""The right that each act asks for: views, admin actions and buttons go by this one table."""

CREATED = Action("account.created", "{actor} created {subject}.", ("role",))


def acts_that_apply(accounts: Sequence[Account], now: datetime) -> frozenset[Act]:
    """Return the acts that apply to the whole of a selection; none to an empty one."""
    if not accounts:
        return frozenset()
    return frozenset(act for act, kind in _KINDS.items() if all(kind.applies(account, now) for account in accounts))


def perform(act: Act, company: Company, ids: Collection[int], *, actor: User) -> list[Account]:
    """Do one act to a selection of a company's accounts, all of them or none; return them as they were before.

    Whether `actor` has the right of ACTS is the caller's to check. Raises Refused.
    """
    kind = _KINDS[act]
    try:
        with changing(company.pk) as ledger:
            accounts = _selected(ledger.company, ids)
            now = timezone.now()
            for account in accounts:
                if not kind.applies(account, now):
                    raise Refused(
                        f"{act.label} applies to {kind.needs}, and {_name(account)} is not one of them."
                        " Take it out of the selection."
                    )
            if kind.takes_away_administrators:
                _refuse_taking_the_last_administrator(ledger.company, accounts)
            kind.do(ledger, accounts)
            record(
                kind.action,
                company=ledger.company,
                actor=actor,
                subject=_subject(accounts) if kind.names else _numbered(accounts),
                detail={"accounts": [account.email if kind.names else f"#{account.pk}" for account in accounts]},
            )
    except LicencesShort as short:
        raise Refused(licences_sentence(short)) from short
    return accounts


def checked_person(first_name: str, last_name: str, email: str) -> tuple[str, str, str]:
    """Return a person's names and address as they can be kept. Raises Refused."""
    first_name, last_name, email = first_name.strip(), last_name.strip(), email.strip()
    if not (first_name or last_name):
        raise Refused("An account needs a name: give a first or a last name.")
    if max(len(first_name), len(last_name)) > 200 or not (first_name + last_name).isprintable():
        raise Refused("That name cannot be kept: give at most 200 letters each, on one line.")
    try:
        validate_email(email)
    except ValidationError as wrong:
        raise Refused("That is not an email address: give one such as name@example.com.") from wrong
    if len(email) > 254:
        raise Refused("That email address is too long: give one of at most 254 characters.")
    return first_name, last_name, email


def create_account(
    company: Company,
    *,
    first_name: str,
    last_name: str,
    email: str,
    role: AccountRole = AccountRole.USER,
    actor: User,
) -> Account:
    """Create an Active account that Password Boss manages. Raises Refused.

    The caller checks Can.MANAGE_ACCOUNTS, and for an administrator's account Can.END_ACCOUNTS as well.
    """
    first_name, last_name, email = checked_person(first_name, last_name, email)
    try:
        with changing(company.pk) as ledger:
            for holder in living_with(ledger.company, [email]):
                raise Refused(
                    f"{holder.email} already has an account here, and it is {status_words(holder)}."
                    " Use that one, or give another email address."
                )
            [account] = ledger.create([NewAccount(first_name, last_name, email, role=role)])
            invitations.queue([account.pk])
            record(
                CREATED,
                company=ledger.company,
                actor=actor,
                subject=_name(account),
                detail={"role": AccountRole(role).label},
            )
    except LicencesShort as short:
        raise Refused(licences_sentence(short)) from short
    return account


def _selected(company: Company, ids: Collection[int]) -> list[Account]:
    wanted = set(ids)
    if not wanted:
        raise Refused("Nobody is selected. Select at least one account.")
    found: list[Account] = []
    for chunk in chunks(wanted):
        found += Account.objects.filter(company=company, purged_at=None, pk__in=chunk)
    if len(found) != len(wanted):
        raise Refused("Some of the selected accounts are not there any more. Load the page again.")
    return sorted(found, key=lambda account: (account.email.lower(), account.pk))


def _refuse_taking_the_last_administrator(company: Company, accounts: list[Account]) -> None:
    administrators = set(
        Account.objects.filter(company=company, role=AccountRole.ADMIN, status=AccountStatus.ACTIVE).values_list(
            "pk", flat=True
        )
    )
    if administrators and administrators <= set(_ids(accounts)):
        last = next(account for account in accounts if account.pk in administrators)
        raise Refused(
            f"{company.name} would be left without an active administrator."
            f" Make somebody else administrator first, or leave {_name(last)} out."
        )


def _refuse_taken_addresses(accounts: list[Account]) -> None:
    addresses: dict[str, Account] = {}
    for account in accounts:
        twin = addresses.setdefault(account.email.lower(), account)
        if twin is not account:
            raise Refused(f"Two of the deleted accounts have the address {twin.email}. Restore only one of them.")
    company = accounts[0].company
    for holder in living_with(company, list(addresses)):
        raise Refused(
            f"{holder.email} has a new account since, and it is {status_words(holder)}."
            " Delete that one first, or keep it instead."
        )
    _refuse_taken_identities(accounts)


def _refuse_taken_identities(accounts: list[Account]) -> None:
    owners: dict[tuple[str, str], Account] = {}
    for account in accounts:
        if account.has_identity and owners.setdefault(_identity(account), account) is not account:
            raise Refused(
                f"Two of the deleted accounts are of the same person in Entra, one of them {_name(account)}."
                " Restore only one of them."
            )
    living = Account.objects.filter(company=accounts[0].company, status__in=PRESENT)
    for chunk in chunks(object_id for _, object_id in owners):
        for holder in living.filter(directory_object_id__in=chunk):
            if _identity(holder) in owners:
                raise Refused(
                    f"{_name(holder)} is the account that the same person in Entra has now."
                    " Delete that one first, or keep it instead."
                )


def _identity(account: Account) -> tuple[str, str]:
    return account.directory_tenant_id, account.directory_object_id


def living_with(company: Company, emails: Collection[str]) -> list[Account]:
    living = Account.objects.exclude(status=AccountStatus.DELETED).filter(company=company)
    named = living.annotate(address=Lower("email"))
    found: list[Account] = []
    for chunk in chunks({email.lower() for email in emails}):
        found += named.filter(address__in=chunk)
    return found


def licences_sentence(short: LicencesShort) -> str:
    needs = "One licence is" if short.wanted == 1 else f"{short.wanted} licences are"
    free = max(short.free, 0)
    has = {0: "none is free", 1: "one is free"}.get(free, f"{free} are free")
    return f"{needs} needed and {has}. Buy more licences, or disable or delete accounts that are not needed."


def status_words(account: Account) -> str:
    return AccountStatus(account.status).label.lower()


def _name(account: Account) -> str:
    return f"{account.full_name} ({account.email})" if account.full_name else account.email


def _subject(accounts: list[Account]) -> str:
    return _name(accounts[0]) if len(accounts) == 1 else f"{len(accounts)} accounts"


def _numbered(accounts: list[Account]) -> str:
    return f"the deleted account #{accounts[0].pk}" if len(accounts) == 1 else f"{len(accounts)} deleted accounts"
