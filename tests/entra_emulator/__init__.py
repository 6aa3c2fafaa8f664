"""A strict emulator of Microsoft login and Graph, for tests and for the demo. Never imports the portal."""

from __future__ import annotations

from tests.entra_emulator.clock import Clock
from tests.entra_emulator.directory import Tenant
from tests.entra_emulator.emulator import Emulator
from tests.entra_emulator.faults import Fault
from tests.entra_emulator.journal import Entry, Journal
from tests.entra_emulator.objects import Application, Device, Group, NotThere, OrgContact, ServicePrincipal, User

__all__ = [
    "Application",
    "Clock",
    "Device",
    "Emulator",
    "Entry",
    "Fault",
    "Group",
    "Journal",
    "NotThere",
    "OrgContact",
    "ServicePrincipal",
    "Tenant",
    "User",
]
