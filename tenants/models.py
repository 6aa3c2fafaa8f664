"""Who exists: logins, partners, their staff, companies, accounts, groups, and the record of who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from tenants.roles import STAFF_ROLES, Role
from tenants.states import AccountRole, AccountStatus, Hand, LoginKind, ManagedBy, PendingReason


def values_check(field: str, values: type[models.Choices] | Any, name: str) -> models.CheckConstraint:
    """Make the constraint that a field holds one of an enum's values."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": [str(v) for v in values]}), name=name)


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Save a new login; without a password it can only get one by a one-time link."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Save a new operator."""
        return self.create_user(email, password, kind=LoginKind.STAFF, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A login: what signs in. Staff or company, never both; one per address, kept in lower case."""

    tenant_exemption: ClassVar[str] = "A login is reached through a staff membership or an account, never listed."

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=10, choices=LoginKind.choices(), default=LoginKind.COMPANY)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [
            values_check("kind", LoginKind, "user_kind_known"),
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower_case"),
            models.CheckConstraint(
                condition=models.Q(is_superuser=False) | models.Q(kind=LoginKind.STAFF),
                name="user_operator_is_staff",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Say whether this login may enter the partner portal at all."""
        return self.kind == LoginKind.STAFF

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Narrow rows to what one login may know of; every page's query begins here.

    A model says with `company_path` how its rows reach their company ('' for Company itself), and with `partner_path`
    how they reach their partner; rows without a company, `company_path` None, are for staff alone.
    """

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the rows inside the login's own tenants: all of them for an operator, none for a stranger."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        if user.kind == LoginKind.STAFF:
            return self._for_staff(user)
        return self._for_company_login(user)

    def _for_staff(self, user: User) -> Self:
        path = vars(self.model)["partner_path"] or "pk"
        return self.filter(**{f"{path}__in": StaffMembership.objects.filter(user=user).values("partner")})

    def _for_company_login(self, user: User) -> Self:
        path: str | None = vars(self.model)["company_path"]
        if path is None:
            return self.none()
        return self.filter(**{f"{path or 'pk'}__in": _administered_by(user)})


class AccountQuerySet(TenantQuerySet[M]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return super().visible_to(user).filter(purged_at=None)

    def named(self, text: str) -> Self:
        """Return the accounts in whose names or address each of the first five words of a text is found."""
        rows = self
        for word in text.replace("\x00", "").split()[:5]:
            found = models.Q(email__icontains=word) | models.Q(first_name__icontains=word)
            rows = rows.filter(found | models.Q(last_name__icontains=word))
        return rows

    def _for_company_login(self, user: User) -> Self:
        # A company user sees the own account and nothing else; a company sees nobody who has left it.
        return self.filter(
            models.Q(user=user, status__in=[AccountStatus.ACTIVE, AccountStatus.PERSONAL])
            | models.Q(company__in=_administered_by(user)) & ~models.Q(status=AccountStatus.PERSONAL)
        )


def _administered_by(user: User) -> models.QuerySet[Account, Any]:
    accounts = Account.objects.filter(user=user, role=AccountRole.ADMIN, status=AccountStatus.ACTIVE)
    return accounts.values("company")


class Partner(models.Model):
    """A managed service provider."""

    company_path: ClassVar[str | None] = None
    partner_path: ClassVar[str] = ""

    name = models.CharField(max_length=200, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class StaffMembership(models.Model):
    """The role that one staff login has in one partner."""

    company_path: ClassVar[str | None] = None
    partner_path: ClassVar[str] = "partner"

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="staff")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=[(role.value, role.label) for role in STAFF_ROLES])

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["partner", "user"], name="staff_once_per_partner"),
            values_check("role", STAFF_ROLES, "staff_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {Role(self.role).label.lower()} of {self.partner}"


class Subscription(models.Model):
    """What one member of a partner's staff chose to be told of by email, and of which companies.

    Who has no row has not chosen: see tenants.subscriptions for what they are told.
    """

    company_path: ClassVar[str | None] = None
    partner_path: ClassVar[str] = "membership__partner"

    membership = models.OneToOneField(StaffMembership, on_delete=models.CASCADE, related_name="subscription")
    kinds = models.JSONField(default=list, blank=True)
    all_companies = models.BooleanField(default=True)
    companies: ClassVar[Any] = models.ManyToManyField("Company", blank=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"What {self.membership.user} is told of"


class Company(models.Model):
    """A customer of a partner; its partner is fixed when it is created.

    `licences` is None where they are unlimited. `roster_revision` grows with every change of its accounts and
    groups, in the transaction that makes the change: whoever decided on an older one decides again.
    """

    company_path: ClassVar[str | None] = ""
    partner_path: ClassVar[str] = "partner"

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="companies")
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=60, unique=True)
    licences = models.PositiveIntegerField(null=True, blank=True)
    notification_emails = models.JSONField(default=list, blank=True)
    roster_revision = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name_plural = "companies"
        constraints: ClassVar = [
            models.UniqueConstraint("partner", Lower("name"), name="company_name_once_per_partner"),
        ]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """A person's Password Boss account in a company.

    The email never changes. `directory_tenant_id` and `directory_object_id` are its Microsoft identity, lower case, ''
    where it has none. `was_active` tells whether it ever was Active. `barred` keeps every sync from touching or
    creating an account for its owner; `vouched` tells the next sync that a person enabled, restored or approved it.
    A deleted account can be restored until `restorable_until`; a withdrawn one, where that is None, never.
    A purged account keeps its row, without personal data. It is claimed when it has a `user`.
    """

    company_path: ClassVar[str | None] = "company"
    partner_path: ClassVar[str] = "company__partner"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="accounts")
    user = models.OneToOneField(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="account")
    first_name = models.CharField(max_length=200, blank=True)
    last_name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=AccountRole.choices(), default=AccountRole.USER)
    status = models.CharField(max_length=10, choices=AccountStatus.choices())
    pending_reason = models.CharField(max_length=10, choices=PendingReason.choices(), blank=True, default="")
    managed_by = models.CharField(max_length=10, choices=ManagedBy.choices(), default=ManagedBy.PB)
    disabled_by = models.CharField(max_length=10, choices=Hand.choices(), blank=True, default="")
    deleted_by = models.CharField(max_length=10, choices=Hand.choices(), blank=True, default="")
    deleted_at = models.DateTimeField(null=True, blank=True)
    restorable_until = models.DateTimeField(null=True, blank=True)
    purged_at = models.DateTimeField(null=True, blank=True)
    was_active = models.BooleanField(default=False)
    barred = models.BooleanField(default=False)
    vouched = models.BooleanField(default=False)
    waiting_since = models.DateTimeField(null=True, blank=True)
    directory_tenant_id = models.CharField(max_length=36, blank=True, default="")
    directory_object_id = models.CharField(max_length=36, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["email", "pk"]
        indexes: ClassVar = [
            models.Index(fields=["company", "status"], name="account_company_status"),
            models.Index(fields=["directory_tenant_id", "directory_object_id"], name="account_identity"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                "company",
                Lower("email"),
                condition=~models.Q(status=AccountStatus.DELETED),
                name="account_address_once_living",
            ),
            models.UniqueConstraint(
                fields=["company", "directory_tenant_id", "directory_object_id"],
                condition=~models.Q(status=AccountStatus.DELETED) & ~models.Q(directory_object_id=""),
                name="account_identity_once_living",
            ),
            values_check("role", AccountRole, "account_role_known"),
            values_check("status", AccountStatus, "account_status_known"),
            values_check("managed_by", ManagedBy, "account_managed_by_known"),
            values_check("pending_reason", PendingReason, "account_pending_reason_known"),
            values_check("disabled_by", Hand, "account_disabled_by_known"),
            values_check("deleted_by", Hand, "account_deleted_by_known"),
            models.CheckConstraint(
                condition=models.Q(status=AccountStatus.PENDING) ^ models.Q(pending_reason=""),
                name="account_pending_has_reason",
            ),
            models.CheckConstraint(
                # A deleted account still tells who had disabled it: it is restored to that.
                condition=models.Q(status=AccountStatus.DELETED)
                | (models.Q(status=AccountStatus.DISABLED) ^ models.Q(disabled_by="")),
                name="account_disabled_by_somebody",
            ),
            models.CheckConstraint(
                condition=models.Q(status=AccountStatus.DELETED) ^ models.Q(deleted_by=""),
                name="account_deleted_by_somebody",
            ),
            models.CheckConstraint(
                condition=models.Q(status=AccountStatus.DELETED, deleted_at__isnull=False)
                | ~models.Q(status=AccountStatus.DELETED) & models.Q(deleted_at__isnull=True),
                name="account_deleted_at_some_time",
            ),
            models.CheckConstraint(
                condition=models.Q(status=AccountStatus.DELETED)
                | models.Q(restorable_until__isnull=True, purged_at__isnull=True),
                name="account_living_is_not_purged",
            ),
            models.CheckConstraint(
                condition=models.Q(purged_at__isnull=True) | models.Q(first_name="", last_name="", email=""),
                name="account_purged_is_bare",
            ),
            models.CheckConstraint(
                condition=~(models.Q(directory_tenant_id="") ^ models.Q(directory_object_id="")),
                name="account_identity_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    directory_tenant_id=Lower("directory_tenant_id"),
                    directory_object_id=Lower("directory_object_id"),
                ),
                name="account_identity_lower_case",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=AccountStatus.PERSONAL) | models.Q(directory_object_id=""),
                name="account_personal_has_no_identity",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=AccountStatus.ACTIVE) | models.Q(was_active=True),
                name="account_active_was_active",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email

    @property
    def full_name(self) -> str:
        """Return first and last name as one text."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def claimed(self) -> bool:
        """Say whether the owner has proven the address."""
        return self.user_id is not None

    @property
    def has_identity(self) -> bool:
        """Say whether the account carries a Microsoft identity."""
        return self.directory_object_id != ""

    def is_restorable(self, now: datetime) -> bool:
        """Say whether the account is deleted and may still come back."""
        return self.restorable_until is not None and now < self.restorable_until


class Invitation(models.Model):
    """The one-time link by which an account, or a staff login, gets its password; one row each, sent anew at will.

    `wanted_at` is when it was asked for last; it is due until `sent_at` is set. `not_before` puts the sending off.
    Only a hash of the link is kept, '' where there is no link that works. Accepted or revoked, it is over.
    """

    tenant_exemption: ClassVar[str] = "An invitation is reached through its account or staff login, never listed."

    account = models.OneToOneField(Account, null=True, blank=True, on_delete=models.CASCADE, related_name="invitation")
    staff = models.OneToOneField(User, null=True, blank=True, on_delete=models.CASCADE, related_name="invitation")
    wanted_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    token_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["wanted_at"],
                condition=models.Q(sent_at=None, accepted_at=None, revoked_at=None),
                name="invitation_due",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(account__isnull=True) ^ models.Q(staff__isnull=True),
                name="invitation_of_one",
            ),
            models.UniqueConstraint(
                fields=["token_hash"], condition=~models.Q(token_hash=""), name="invitation_link_once"
            ),
            models.CheckConstraint(
                condition=models.Q(token_hash="")
                | models.Q(accepted_at=None, revoked_at=None, expires_at__isnull=False),
                name="invitation_over_has_no_link",
            ),
        ]

    def __str__(self) -> str:
        return f"Invitation of {self.account or self.staff}"

    @property
    def owner(self) -> User:
        """Return the staff login, or one not saved that has the account's name and address."""
        if self.account is not None:
            return User(email=self.account.email, name=self.account.full_name)
        return self.staff or User()


class Group(models.Model):
    """A group of accounts that share passwords; one managed by Azure AD mirrors a directory group."""

    company_path: ClassVar[str | None] = "company"
    partner_path: ClassVar[str] = "company__partner"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="groups")
    name = models.CharField(max_length=256)
    managed_by = models.CharField(max_length=10, choices=ManagedBy.choices(), default=ManagedBy.PB)
    directory_tenant_id = models.CharField(max_length=36, blank=True, default="")
    directory_object_id = models.CharField(max_length=36, blank=True, default="")
    members = models.ManyToManyField(Account, through="GroupMembership", related_name="groups")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["company", "directory_tenant_id", "directory_object_id"],
                condition=~models.Q(directory_object_id=""),
                name="group_identity_once",
            ),
            values_check("managed_by", ManagedBy, "group_managed_by_known"),
            models.CheckConstraint(
                condition=models.Q(managed_by=ManagedBy.PB) | ~models.Q(directory_object_id=""),
                name="group_mirror_has_identity",
            ),
            models.CheckConstraint(
                condition=~(models.Q(directory_tenant_id="") ^ models.Q(directory_object_id="")),
                name="group_identity_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class GroupMembership(models.Model):
    """One account in one group."""

    company_path: ClassVar[str | None] = "group__company"
    partner_path: ClassVar[str] = "group__company__partner"

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["group", "account"], name="member_once_per_group")]

    def __str__(self) -> str:
        return f"{self.account} in {self.group}"


LABEL_LENGTH = 500
"""Characters that hold any login's name and address."""
SUBJECT_LENGTH = 700
"""Characters that hold any account's name and address."""


class AppendOnlyQuerySet(TenantQuerySet[M]):
    """Refuse to change or delete rows, from every side the ORM offers."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("The record of who did what is never changed.")

    def delete(self) -> NoReturn:
        raise TypeError("The record of who did what is never deleted.")

    def forget(self, horizon: AuditHorizon) -> int:
        """Delete these entries as far as they are older than the horizon; return how many."""
        # By the class, and without the manager's refusal: nothing refers to an entry, and nothing else calls this.
        old: models.QuerySet[M] = models.QuerySet(self.model, using=self.db).filter(
            pk__in=self.values("pk"), at__lt=horizon.before
        )
        return models.QuerySet.delete(old)[0]

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The record of who did what is never changed.")

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[M]:
        if kwargs.get("update_conflicts"):
            raise TypeError("The record of who did what is never changed.")
        return super().bulk_create(*args, **kwargs)


class AuditHorizon(models.Model):
    """The moment before which a setting let the record of who did what be forgotten; the only door to that.

    PostgreSQL itself refuses to change an entry, and to delete one that is not older than this.
    """

    tenant_exemption: ClassVar[str] = "It tells how far back the record goes, and nothing of anybody in it."

    before = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.before:%d %b %Y %H:%M}"


class AuditEntry(models.Model):
    """One act: of a person, or of a run that changed something. Names are copied, so that they outlive deletions."""

    company_path: ClassVar[str | None] = "company"
    partner_path: ClassVar[str] = "partner"

    at = models.DateTimeField(default=timezone.now)
    partner = models.ForeignKey(Partner, null=True, on_delete=models.PROTECT, related_name="audit_entries")
    company = models.ForeignKey(Company, null=True, on_delete=models.PROTECT, related_name="audit_entries")
    company_name = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_label = models.CharField(max_length=LABEL_LENGTH)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=SUBJECT_LENGTH, blank=True)
    detail = models.JSONField(default=dict)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            models.Index(fields=["company", "-at"], name="audit_company_at"),
            models.Index(fields=["partner", "-at"], name="audit_partner_at"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_label}: {self.action} {self.subject}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The record of who did what is never changed.")
        # Otherwise a new entry with the key of an old one would overwrite it.
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The record of who did what is never deleted.")
