"""Who may do what where: a login's role in a company or partner, and the decorators that guard pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponseBase

from tenants.models import Account, AccountQuerySet, Company, Group, Partner, StaffMembership, TenantQuerySet, User
from tenants.roles import GRANTS, Can, Role
from tenants.states import AccountRole, AccountStatus, LoginKind

M = TypeVar("M", bound=Model)
P = ParamSpec("P")

Visitor = User | AnonymousUser
NOTHING: frozenset[Can] = frozenset()


def role_at(user: Visitor, partner: Partner) -> Role | None:
    """Return what a login is to a partner, or None where it is nothing."""
    if not isinstance(user, User) or not user.is_active or user.kind != LoginKind.STAFF:
        return None
    if user.is_superuser:
        return Role.OPERATOR
    membership = StaffMembership.objects.filter(partner=partner, user=user).first()
    return Role(membership.role) if membership else None


def role_in(user: Visitor, company: Company) -> Role | None:
    """Return what a login is to a company, or None where it is nothing: so is one whose account is not Active."""
    if not isinstance(user, User) or not user.is_active:
        return None
    if user.kind == LoginKind.STAFF:
        return role_at(user, company.partner)
    account = Account.objects.filter(user=user, company=company, status=AccountStatus.ACTIVE).first()
    if account is None:
        return None
    return Role.COMPANY_ADMINISTRATOR if account.role == AccountRole.ADMIN else Role.COMPANY_USER


def grants_at(user: Visitor, partner: Partner) -> frozenset[Can]:
    """Return what a login may do to a partner and its companies."""
    role = role_at(user, partner)
    return GRANTS[role] if role else NOTHING


def grants_in(user: Visitor, company: Company) -> frozenset[Can]:
    """Return what a login may do in a company."""
    role = role_in(user, company)
    return GRANTS[role] if role else NOTHING


def grants_over(user: Visitor, row: Model) -> frozenset[Can]:
    """Return what a login may do where a row belongs: to a company, else to a partner, else to the portal itself."""
    company = _follow(row, "company_path")
    if company is not None:
        return grants_in(user, company)
    partner = _follow(row, "partner_path")
    if partner is not None:
        return grants_at(user, partner)
    return GRANTS[Role.OPERATOR] if isinstance(user, User) and user.is_active and user.is_superuser else NOTHING


def _follow(row: Model, declared: str) -> Any:
    """Return the company or partner that a row's declared path leads to; None where it leads nowhere."""
    path: str | None = vars(type(row))[declared]
    if path is None:
        return None
    found: Any = row
    for name in filter(None, path.split("__")):
        found = getattr(found, name) if found is not None else None
    return found


def grants_anywhere(user: Visitor) -> frozenset[Can]:
    """Return what a login may do in at least one tenant: enough to offer a page, never to act on a row."""
    if not isinstance(user, User) or not user.is_active:
        return NOTHING
    if user.is_superuser:
        return GRANTS[Role.OPERATOR]
    if user.kind == LoginKind.STAFF:
        roles = StaffMembership.objects.filter(user=user).values_list("role", flat=True)
        return NOTHING.union(*(GRANTS[Role(role)] for role in roles))
    account = Account.objects.filter(user=user).select_related("company").first()
    return grants_in(user, account.company) if account else NOTHING


class StaffGrants:
    """Hold what a staff login may do at each partner, asked for once: for pages that act on many companies."""

    def __init__(self, user: Visitor) -> None:
        self._everywhere = NOTHING
        self._at: dict[int, frozenset[Can]] = {}
        if not isinstance(user, User) or not user.is_active or user.kind != LoginKind.STAFF:
            return
        if user.is_superuser:
            self._everywhere = GRANTS[Role.OPERATOR]
            return
        roles = StaffMembership.objects.filter(user=user).values_list("partner", "role")
        self._at = {partner: GRANTS[Role(role)] for partner, role in roles}

    def at(self, partner_id: int) -> frozenset[Can]:
        """Return what the login may do to a partner and its companies."""
        return self._everywhere or self._at.get(partner_id, NOTHING)

    @property
    def anywhere(self) -> frozenset[Can]:
        """Return what it may do at one partner at least."""
        return self._everywhere.union(*self._at.values())


class CompanyAccess:
    """Hold one login's way into one company; making it is the membership check.

    Raises Http404 where the login has no Active account in the company and no role at its partner: who is outside
    does not learn that the company exists.
    """

    def __init__(self, company: Company, user: Visitor) -> None:
        role = role_in(user, company)
        if role is None or not isinstance(user, User):
            raise Http404
        self.company = company
        self.user = user
        self.role = role
        self.grants = GRANTS[role]

    def may(self, can: Can) -> bool:
        """Say whether the login has a right here."""
        return can in self.grants

    def require(self, *cans: Can) -> None:
        """Raise PermissionDenied where a right is missing."""
        if not self.grants.issuperset(cans):
            raise PermissionDenied

    def of(self, model: type[M]) -> TenantQuerySet[M]:
        """Return the company's rows of a model, as far as the login may see them."""
        rows = model._default_manager.all()
        path: str | None = vars(model).get("company_path")
        if not isinstance(rows, TenantQuerySet) or path is None:
            raise TypeError(f"{model.__name__} does not belong to a company.")
        return rows.visible_to(self.user).filter(**{path or "pk": self.company.pk})

    def get(self, rows: TenantQuerySet[M], pk: int) -> M:
        """Return one of the company's rows. Raises Http404 where it is not among them."""
        row = rows.filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    @property
    def accounts(self) -> AccountQuerySet[Account]:
        """Return the company's accounts; to a company user, the own one."""
        return cast("AccountQuerySet[Account]", self.of(Account))

    @property
    def groups(self) -> TenantQuerySet[Group]:
        """Return the company's groups."""
        return self.of(Group)


def company_access(user: Visitor, slug: str) -> CompanyAccess:
    """Return the login's way into the company of that slug. Raises Http404 outside it."""
    company = Company.objects.select_related("partner").filter(slug=slug).first()
    if company is None:
        raise Http404
    return CompanyAccess(company, user)


def staff_page(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Guard a page of the partner portal: a stranger is sent to sign in, to a company login it is 404."""

    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_staff:
            raise Http404
        return view(request, *args, **kwargs)

    return page
