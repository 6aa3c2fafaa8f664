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

__all__ = [
    "ACTS",
    "PRESENT",
    "Act",
    "Ledger",
    "LicencesShort",
    "NewAccount",
    "NewGroup",
    "Refused",
    "Stale",
    "acts_that_apply",
    "changing",
    "chunks",
    "create_account",
    "perform",
    "purge_deleted",
]
