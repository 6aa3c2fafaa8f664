"""Tasks that tests let the real queue carry out: each leaves a line where it begins and where it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path


def note(path: str, word: str, milliseconds: int = 0) -> None:
    """Write the word and this process when begun, and again when ended so much later."""
    _write(path, f"{word} begun {os.getpid()}\n")
    time.sleep(milliseconds / 1000)
    _write(path, f"{word} ended {os.getpid()}\n")


def stumble(path: str, word: str) -> None:
    """Never end at the first try; at the next, end at once."""
    first = word not in Path(path).read_text() if Path(path).exists() else True
    note(path, word, 3_600_000 if first else 0)


def _write(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(line)
