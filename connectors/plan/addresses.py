"""Addresses met twice: whom an account is adopted or relinked for, and who may have an address at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from connectors.directory import Person
from connectors.plan.email import usable_address
from connectors.plan.marks import Marks
from connectors.plan.situations import NOTHING_HOLDS, Bond, Census, Known
from connectors.plan.table import State, state_of
from connectors.plan.values import AccountFacts, Rules
from connectors.states import Action, Situation
from tenants.states import LIVING, AccountRole, AccountStatus, ManagedBy

Holders: TypeAlias = Mapping[str, AccountFacts]
"""The living account that holds each lower-cased address."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Hold a person in scope who has no account, with their usable address or ''."""

    person: Person
    address: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Hold whom the newcomers turn out to be.

    `joined` are accounts that become theirs: adopted, or relinked from somebody else. `unconfirmed` are
    administrators' accounts that wait for a person. `newcomers` are those who are left, by address, and `contested`
    the addresses that several of them have.
    """

    joined: tuple[Known, ...]
    unconfirmed: tuple[Known, ...]
    newcomers: tuple[Newcomer, ...]
    contested: frozenset[str]


def find_holders(accounts: Iterable[AccountFacts]) -> Holders:
    """Return who holds each address; of several (which the database forbids) the oldest account."""
    holders: dict[str, AccountFacts] = {}
    for account in accounts:
        if account.status in LIVING:
            address = account.email.lower()
            other = holders.setdefault(address, account)
            if account.id < other.id:
                holders[address] = account
    return holders


def adoptable(account: AccountFacts) -> bool:
    """Say whether an account may become an unknown person's by its address alone."""
    return (
        account.managed_by is ManagedBy.PB
        and account.link is None
        and not account.linked_elsewhere
        and not account.barred
        and not account.object_id
        and account.status is not AccountStatus.PERSONAL
    )


def meet_newcomers(
    rules: Rules, census: Census, holders: Holders, marks: Marks, owner_stays: Callable[[AccountFacts], bool]
) -> Arrivals:
    """Return which newcomers turn out to own an account that is here already.

    Two newcomers with one address get nothing, not even an account that is here.
    """
    newcomers = sorted(
        (
            Newcomer(person, usable_address(person, allow_onmicrosoft=rules.allow_onmicrosoft), person.object_id)
            for person in census.newcomers
        ),
        key=lambda newcomer: newcomer.address,
    )
    wanted = rules.actions[Situation.NEW] is not Action.NOTHING
    met = Counter(newcomer.address for newcomer in newcomers)
    joined: list[Known] = []
    unconfirmed: list[Known] = []
    left: list[Newcomer] = []
    for newcomer in newcomers:
        account = holders.get(newcomer.address)
        state = None if account is None else state_of(account)
        if account is None or state is None or met[newcomer.address] > 1:
            left.append(newcomer)
        elif adoptable(account):
            confirmed = marks.confirmed(newcomer.object_id, account.id)
            fitting = joined if account.role is not AccountRole.ADMIN or confirmed else unconfirmed
            fitting.append(_joined(account, newcomer, state, Bond.ADOPTED))
        elif (
            marks.same_person(newcomer.object_id, account.id)
            and not account.linked_elsewhere
            and not account.barred
            and wanted
            and not marks.declined(newcomer.object_id)
            and not owner_stays(account)
        ):
            joined.append(_joined(account, newcomer, state, Bond.RELINKED))
        else:
            left.append(newcomer)
    return Arrivals(
        joined=tuple(joined),
        unconfirmed=tuple(unconfirmed),
        newcomers=tuple(left),
        contested=frozenset(address for address, number in met.items() if number > 1),
    )


def _joined(account: AccountFacts, newcomer: Newcomer, state: State, bond: Bond) -> Known:
    return Known(account, newcomer.object_id, newcomer.person, True, state, NOTHING_HOLDS, bond)
