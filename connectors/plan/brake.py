"""When too much would happen at once: the two sums of the brake."""

from __future__ import annotations

from collections.abc import Iterable, Set

from connectors.plan.values import AccountFacts, Limits
from tenants.states import AccountStatus

_COUNTED = (AccountStatus.ACTIVE, AccountStatus.PENDING)


def people_at_start(accounts: Iterable[AccountFacts]) -> frozenset[str]:
    """Return the people whose Active and Pending accounts the connector has at the start of a run."""
    return frozenset(
        account.object_id.lower()
        for account in accounts
        if account.link is not None and account.status in _COUNTED and not account.barred
    )


def too_much_destruction(limits: Limits, leaving: Set[str], at_start: Set[str]) -> bool:
    """Say whether these people may not lose their accounts in one run, the last 24 hours counted in."""
    number = len(leaving | limits.destroyed)
    base = len(at_start | limits.destroyed)
    many = number >= limits.destructive_floor and number * 100 > limits.destructive_percent * base
    half = number >= limits.half_floor and number * 100 >= limits.half_percent * base
    return many or half


def too_much_growth(limits: Limits, joining: Set[str], at_start: Set[str]) -> bool:
    """Say whether these people may not get accounts in one run, the last 24 hours counted in."""
    number = len(joining | limits.grown)
    many = number > limits.growth_floor and number * 100 > limits.growth_percent * len(at_start)
    return many and not limits.first_run


def most_that_may_leave(limits: Limits, number_at_start: int) -> int:
    """Return how many people of so many may lose their accounts within 24 hours before the brake holds."""
    before_many = max(limits.destructive_floor - 1, limits.destructive_percent * number_at_start // 100)
    before_half = max(limits.half_floor - 1, -(-limits.half_percent * number_at_start // 100) - 1)
    return max(min(before_many, before_half), 0)


def most_that_may_join(limits: Limits, number_at_start: int) -> int:
    """Return how many people may get accounts beside so many within 24 hours before the brake holds."""
    return max(limits.growth_floor, limits.growth_percent * number_at_start // 100)
