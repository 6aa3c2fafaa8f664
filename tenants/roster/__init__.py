"""Every operation on accounts and groups: the ledger that all of them go through, and the acts of people."""

from tenants.roster.acts import ACTS, Act, Refused, acts_that_apply, create_account, perform
from tenants.roster.ledger import (
    PRESENT,
    Ledger,
    LicencesShort,
    NewAccount,
    NewGroup,
    Stale,
    changing,
    chunks,
    purge_deleted,
)
from tenants.roster.several import MOST, Pasted, Problem, create_accounts, read_people, taken_addresses

__all__ = [
    "ACTS",
    "MOST",
    "PRESENT",
    "Act",
    "Ledger",
    "LicencesShort",
    "NewAccount",
    "NewGroup",
    "Pasted",
    "Problem",
    "Refused",
    "Stale",
    "acts_that_apply",
    "changing",
    "chunks",
    "create_account",
    "create_accounts",
    "perform",
    "purge_deleted",
    "read_people",
    "taken_addresses",
]
