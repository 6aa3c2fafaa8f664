"""Known mistakes that a test must notice, each as a small change of a production file."""

from __future__ import annotations

from tests.mistakes import (
    credentials,
    deciding,
    fleet,
    life,
    notify,
    plan,
    reading,
    roster,
    security,
    signin,
    sync,
    telling,
)
from tests.mistakes.guards import guards
from tests.mistakes.row import Mistake, Patch

GUARDS = guards()
SECURITY: tuple[Mistake, ...] = (
    *signin.MISTAKES,
    *security.MISTAKES,
    *credentials.MISTAKES,
    *(each for each in sync.MISTAKES if "lease" in each.what or "fence" in each.what),
    *GUARDS,
)
"""Ways to let somebody see, touch or learn what is not theirs: guards of pages, tokens, links, secrets, the lease."""
ALL: tuple[Mistake, ...] = (
    *reading.MISTAKES,
    *plan.MISTAKES,
    *sync.MISTAKES,
    *roster.MISTAKES,
    *life.MISTAKES,
    *signin.MISTAKES,
    *security.MISTAKES,
    *credentials.MISTAKES,
    *notify.MISTAKES,
    *deciding.MISTAKES,
    *fleet.MISTAKES,
    *telling.MISTAKES,
    *GUARDS,
)

TRAPS = range(1, 30)
"""The traps that concern reading, tokens, consent, sign-in or identity; what is left is about notifications."""

__all__ = ["ALL", "SECURITY", "TRAPS", "Mistake", "Patch"]
