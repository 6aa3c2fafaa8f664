"""Notifications: which mails about the connectors' events are due, and how they leave.

Imports of its parts go down: letters stand on facts, sending on words, all of them on the pure decision.
"""

from __future__ import annotations

from connectors.notify.letters import forget, write_due
from connectors.notify.sending import doubtful, may_send_again, send_again, send_due

__all__ = ["doubtful", "forget", "may_send_again", "send_again", "send_due", "write_due"]
