"""One row of the table of mistakes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patch:
    """Replace one piece of text, which must occur exactly once, in one production file."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Mistake:
    """Hold one mistake; `trap` is its number, or 0.

    `tests` are files, of which only the tests with the trap's number run, or single tests. A mistake that shows on one
    `database` only, "sqlite" or "postgresql", is planted there; '' is whatever DATABASE_URL names.
    """

    trap: int
    what: str
    patches: tuple[Patch, ...]
    tests: tuple[str, ...]
    database: str = ""


def mistake(
    trap: int, what: str, file: str, before: str, after: str, tests: tuple[str, ...], *, database: str = ""
) -> Mistake:
    return Mistake(trap, what, (Patch(file, before, after),), tests, database)
