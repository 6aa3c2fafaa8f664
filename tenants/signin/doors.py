"""What a Microsoft identity opens: logins it was attached to, and accounts that carry it and have no login yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction
from django.utils import timezone

from tenants.audit import Action, record
from tenants.invitations import find
from tenants.models import Account, Invitation, User
from tenants.roster import Ledger, changing
from tenants.signin.backend import may_enter
from tenants.signin.idtoken import Identity
from tenants.states import AccountStatus, LoginKind

PROVIDER = "microsoft"
SLOTS = 20
"""At most this many logins share one Microsoft identity: one per company, and one of staff."""

CLAIMED = Action("login.claimed", "{actor} accepted the invitation to {subject}.")
CLAIMED_BY_MICROSOFT = Action(
    "login.claimed_by_microsoft", "{actor} signed in with Microsoft for the first time, to {subject}."
)
ATTACHED = Action("login.microsoft_attached", "{actor} connected Microsoft to the own login.")
STAFF_ACCEPTED = Action("login.staff_claimed", "{actor} accepted the invitation to the partner portal.")


class Closed(Exception):
    """A link or an identity opens nothing now."""


class AddressTaken(Closed):
    """Another login has the address."""


@dataclass(frozen=True, slots=True)
class Door:
    """Hold one login that an identity opens, or one account whose login it makes."""

    login_id: int = 0
    account_id: int = 0
    label: str = ""

    @property
    def key(self) -> str:
        """Return what a form names it by."""
        return f"login-{self.login_id}" if self.login_id else f"account-{self.account_id}"


def doors_of(identity: Identity) -> list[Door]:
    """Return what an identity opens: an address never opens anything.

    A login exists by its owner's own act; that a directory gave its account this identity does not open it.
    """
    attached = SocialAccount.objects.filter(provider=PROVIDER, uid__in=_slots(identity))
    logins = [row.user for row in attached.select_related("user__account__company").order_by("pk")]
    opened = [Door(login_id=user.pk, label=_label(user)) for user in logins if may_enter(user) and not _left(user)]
    waiting = Account.objects.filter(
        directory_tenant_id=identity.tenant_id,
        directory_object_id=identity.object_id,
        status__in=[AccountStatus.ACTIVE, AccountStatus.PENDING],
        user=None,
    )
    rows = waiting.select_related("company").order_by("company__name", "pk")
    return opened + [Door(account_id=row.pk, label=row.company.name) for row in rows]


def _slots(identity: Identity) -> list[str]:
    # Numbered, because one row of the library opens one login: a person may have one in each of several companies.
    plain = f"{identity.tenant_id}:{identity.object_id}"
    return [plain, *(f"{plain}:{number}" for number in range(2, SLOTS + 1))]


def uid_of(identity: Identity) -> str:
    """Return the name under which an identity is first attached."""
    return _slots(identity)[0]


def _left(user: User) -> bool:
    """Say whether the login's account became Personal: the company's Microsoft identity is cut from it."""
    account = getattr(user, "account", None)
    return account is not None and account.status == AccountStatus.PERSONAL


def _label(user: User) -> str:
    account = getattr(user, "account", None)
    return "Partner portal" if account is None else str(account.company.name)


def login_behind(door: Door, identity: Identity) -> User:
    """Return the login of a door, made now where the account has none. Raises Closed where it opens no more."""
    if door not in doors_of(identity):
        raise Closed
    if door.login_id:
        return User.objects.get(pk=door.login_id)
    account = Account.objects.get(pk=door.account_id)
    with _taken_address_closes(), changing(account.company_id) as ledger:
        account.refresh_from_db()
        carries = (account.directory_tenant_id, account.directory_object_id) == (
            identity.tenant_id,
            identity.object_id,
        )
        if not carries or account.user_id is not None:
            raise Closed
        user = _make_login(ledger, account, None, proven_address=False)
        attach(user, identity)
        record(CLAIMED_BY_MICROSOFT, company=ledger.company, actor=user, subject=ledger.company.name, detail={})
    return user


def accept(token: str, password: str, now: datetime) -> User:
    """Give the owner of an invitation's link a login with this password; the link is used up. Raises Closed."""
    invitation = find(token, now)
    if invitation is None:
        raise Closed
    if invitation.account is None:
        return _accept_staff(invitation, password, now)
    account = invitation.account
    with _taken_address_closes(), changing(account.company_id) as ledger:
        # Only now are link and account sure not to change under our hands.
        used = Invitation.objects.filter(pk=invitation.pk, token_hash=invitation.token_hash)
        account.refresh_from_db()
        if not used.exists() or account.user_id is not None:
            raise Closed
        user = _make_login(ledger, account, password, proven_address=True)
        record(CLAIMED, company=ledger.company, actor=user, subject=ledger.company.name, detail={})
    return user


def _accept_staff(invitation: Invitation, password: str, now: datetime) -> User:
    with transaction.atomic():
        used = Invitation.objects.filter(pk=invitation.pk, token_hash=invitation.token_hash)
        if not used.update(token_hash="", accepted_at=now) or invitation.staff is None:
            raise Closed
        user = invitation.staff
        user.set_password(password)
        user.save(update_fields=["password"])
        membership = user.memberships.select_related("partner").first()
        partner = membership.partner if membership else None
        record(STAFF_ACCEPTED, partner=partner, actor=user, subject=str(user), detail={})
    return user


def _make_login(ledger: Ledger, account: Account, password: str | None, *, proven_address: bool) -> User:
    if account.status not in {AccountStatus.ACTIVE, AccountStatus.PENDING}:
        raise Closed
    _make_room(account.email, proven_address=proven_address)
    user = User.objects.create_user(account.email, password, name=account.full_name, kind=LoginKind.COMPANY)
    ledger.claim(account.pk, user)
    Invitation.objects.filter(account=account, accepted_at=None).update(
        token_hash="", accepted_at=timezone.now(), revoked_at=None
    )
    return user


def _make_room(email: str, *, proven_address: bool) -> None:
    """Take away a login of the address that nobody can sign in with any more. Raises AddressTaken for any other.

    One of a deleted account gives way only to whoever has proven the mailbox: no directory has power over a login.
    """
    holder = User.objects.filter(email=email.strip().lower()).first()
    if holder is None:
        return
    account = getattr(holder, "account", None)
    gone = account is None or (proven_address and account.status == AccountStatus.DELETED)
    if holder.is_staff or not gone:
        raise AddressTaken
    holder.delete()


@contextmanager
def _taken_address_closes() -> Iterator[None]:
    """Turn an address that another request claimed in the same moment into AddressTaken."""
    try:
        yield
    except IntegrityError as taken:
        raise AddressTaken from taken


def attach(user: User, identity: Identity) -> bool:
    """Let an identity open a login from now on; False where it does already. Raises Closed where it may not.

    May not: the login of an account that became Personal, and an identity that is another account's of the company.
    """
    rows = list(
        SocialAccount.objects.filter(provider=PROVIDER, uid__in=_slots(identity)).select_related("user__account")
    )
    if any(row.user_id == user.pk for row in rows):
        return False
    company_id = _company_id(user)
    if _left(user) or len(rows) >= SLOTS:
        raise Closed
    if any(row.user.is_staff if user.is_staff else _company_id(row.user) == company_id for row in rows):
        raise Closed
    if not user.is_staff:
        others = Account.objects.filter(
            company=company_id,
            directory_tenant_id=identity.tenant_id,
            directory_object_id=identity.object_id,
        ).exclude(status=AccountStatus.DELETED)
        if others.exclude(user=user).exists():
            raise Closed
    used = {row.uid for row in rows}
    free = next(uid for uid in _slots(identity) if uid not in used)
    SocialAccount.objects.create(
        user=user, provider=PROVIDER, uid=free, extra_data={"name": identity.name, "username": identity.username}
    )
    return True


def _company_id(user: User) -> int | None:
    account = getattr(user, "account", None)
    return account.company_id if account is not None else None


def record_attached(user: User) -> None:
    """Record that a signed-in login had Microsoft attached."""
    account = getattr(user, "account", None)
    membership = user.memberships.select_related("partner").first() if account is None else None
    with transaction.atomic():
        record(
            ATTACHED,
            company=account.company if account is not None else None,
            partner=membership.partner if membership else None,
            actor=user,
            subject=str(user),
            detail={},
        )
