"""Who is told of what by email: the staff who subscribed, and the notification addresses of companies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import transaction

from tenants.audit import Action, record
from tenants.models import Company, StaffMembership, Subscription, User
from tenants.roles import Role
from tenants.states import EventKind

SUBSCRIPTION_CHANGED = Action(
    "subscription.changed", "{actor} changed what {subject} is told of by email.", ("before", "after")
)

EVERYTHING = tuple(EventKind)


@dataclass(frozen=True, slots=True)
class Wish:
    """Hold what one member of a partner's staff is told of: `companies` is None where it is all of the partner's."""

    kinds: frozenset[EventKind]
    companies: frozenset[int] | None = None

    def covers(self, company_id: int, kind: EventKind) -> bool:
        """Say whether an event of a company is told."""
        return kind in self.kinds and (self.companies is None or company_id in self.companies)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Hold where mail about a company goes: to a login of the staff, or to an address that the company named."""

    address: str
    staff: User | None = None


def wishes_of(memberships: Collection[StaffMembership]) -> dict[int, Wish]:
    """Return what each member of staff is told of, by the membership's id, with two queries however many they are.

    Who has never chosen is told of everything as a partner's administrator, so that somebody hears of a connector that
    stands still; of nothing in another role.
    """
    rows = {row.membership_id: row for row in Subscription.objects.filter(membership__in=memberships)}
    chosen: dict[int, set[int]] = defaultdict(set)
    through = Subscription.companies.through.objects.filter(subscription__in=list(rows.values()))
    for subscription_id, company_id in through.values_list("subscription_id", "company_id"):
        chosen[subscription_id].add(company_id)
    wishes = {}
    for membership in memberships:
        row = rows.get(membership.pk)
        if row is None:
            administrator = membership.role == Role.PARTNER_ADMINISTRATOR
            wishes[membership.pk] = Wish(frozenset(EVERYTHING if administrator else ()))
        else:
            kinds = frozenset(kind for kind in EventKind if kind in row.kinds)
            wishes[membership.pk] = Wish(kinds, None if row.all_companies else frozenset(chosen[row.pk]))
    return wishes


def recipients(companies: Iterable[Company]) -> dict[tuple[int, EventKind], list[Recipient]]:
    """Return who is told of which event of these companies, with three queries however many there are.

    A login that may not sign in is told nothing; an address that is both a login's and the company's gets one mail.
    """
    by_partner: dict[int, list[tuple[StaffMembership, Wish]]] = defaultdict(list)
    companies = list(companies)
    partners = {company.partner_id for company in companies}
    memberships = list(
        StaffMembership.objects.filter(partner__in=partners, user__is_active=True).select_related("user").order_by("pk")
    )
    wishes = wishes_of(memberships)
    for membership in memberships:
        by_partner[membership.partner_id].append((membership, wishes[membership.pk]))
    found = {}
    for company in companies:
        for kind in EventKind:
            staff = [
                Recipient(membership.user.email, membership.user)
                for membership, wish in by_partner[company.partner_id]
                if wish.covers(company.pk, kind)
            ]
            taken = {one.address.lower() for one in staff}
            named = [Recipient(address) for address in company.notification_emails if address.lower() not in taken]
            found[company.pk, kind] = [*staff, *named]
    return found


def subscribe(
    membership: StaffMembership,
    kinds: Collection[EventKind],
    companies: Collection[Company] | None,
    *,
    actor: User,
) -> None:
    """Set what a member of staff is told of; None companies are all of the partner's, later ones too.

    No entry is written where all is so already. Raises ValueError for a company of another partner.
    """
    if any(company.partner_id != membership.partner_id for company in companies or ()):
        raise ValueError("Staff are told of their own partner's companies only.")
    with transaction.atomic():
        stored = StaffMembership.objects.select_for_update(of=("self",)).select_related("user", "partner")
        row = stored.get(pk=membership.pk)
        before = wishes_of([row])[row.pk]
        after = Wish(frozenset(kinds), None if companies is None else frozenset(one.pk for one in companies))
        subscription, _ = Subscription.objects.update_or_create(
            membership=row,
            defaults={"kinds": sorted(after.kinds), "all_companies": companies is None},
        )
        subscription.companies.set(companies or [])
        if before != after:
            record(
                SUBSCRIPTION_CHANGED,
                partner=row.partner,
                actor=actor,
                subject=str(row.user),
                detail={"before": _told(before), "after": _told(after)},
            )


def _told(wish: Wish) -> dict[str, object]:
    companies = None
    if wish.companies is not None:
        companies = list(Company.objects.filter(pk__in=wish.companies).order_by("name").values_list("name", flat=True))
    return {"kinds": sorted(wish.kinds), "companies": companies}
