"""Who gets the licences that are left: those who wait, then those who return, then those who are new."""

from __future__ import annotations

from connectors.plan.lines import waiting_for_licence
from connectors.plan.table import Move
from tenants.states import AccountStatus


class Licences:
    """Give out licences one by one; `wanted` counts those who asked when none was left."""

    def __init__(self, bought: int | None, active: int, freed: int) -> None:
        self._free = None if bought is None else bought - active + freed
        self.wanted = 0

    def take(self) -> bool:
        """Take a licence; False where none is left."""
        if self._free is None:
            return True
        if self._free > 0:
            self._free -= 1
            return True
        self.wanted += 1
        return False

    def grant(self, move: Move) -> Move:
        """Return the move, or what becomes of it where it needs a licence and none is left."""
        if move.status is not AccountStatus.ACTIVE or self.take():
            return move
        return waiting_for_licence(move)
