"""The oracle: what product.md says a company looks like after a run, worked out without the planner.

It is slow and obvious on purpose. It imports the words (enums) and the directory's values of production, nothing
that decides. `expected_after` judges one run; `World` carries people's decisions from run to run;
`differences` compares an expected end with one that was seen.
"""

from __future__ import annotations

from tests.oracle.differences import differences
from tests.oracle.facts import (
    Account,
    Brake,
    Company,
    Connector,
    Decision,
    Directory,
    DirectoryGroup,
    End,
    Group,
)
from tests.oracle.run import expected_after
from tests.oracle.world import World

__all__ = [
    "Account",
    "Brake",
    "Company",
    "Connector",
    "Decision",
    "Directory",
    "DirectoryGroup",
    "End",
    "Group",
    "World",
    "differences",
    "expected_after",
]
