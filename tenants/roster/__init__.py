"""Every operation on accounts and groups: the ledger that all of them go through, and the acts of people."""

from tenants.roster.ledger import (
    Ledger,
    LicencesShort,
    NewAccount,
    NewGroup,
    Stale,
    changing,
    purge_deleted,
)

__all__ = [
    "Ledger",
    "LicencesShort",
    "NewAccount",
    "NewGroup",
    "Stale",
    "changing",
    "purge_deleted",
]
