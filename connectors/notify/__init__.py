"""Notifications: which mails about the connectors' events are due, and how they leave.

Imports of its parts go down: letters stand on facts, sending on words, all of them on the pure decision.
"""

from __future__ import annotations

from connectors.notify.letters import forget, write_due
from connectors.notify.sending import send_due

__all__ = ["forget", "send_due", "write_due"]
