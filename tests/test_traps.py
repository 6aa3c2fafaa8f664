"""Every trap has a test that bears its number, and a planted mistake that applies to the code as it is."""

from __future__ import annotations

import re

from tests.mistakes import ALL, TRAPS, Mistake
from tests.plant_mistakes import ROOT, patched


def test_every_trap_has_a_test_and_a_mistake() -> None:
    tests = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    tested = {int(number) for number in re.findall(r"^def test_trap_(\d+)_", tests, re.MULTILINE)}
    assert [trap for trap in TRAPS if trap not in tested] == []
    assert [trap for trap in TRAPS if trap not in {mistake.trap for mistake in ALL}] == []


def test_every_mistake_can_be_planted() -> None:
    assert {mistake.what: wrong for mistake in ALL if (wrong := _wrong_with(mistake))} == {}


def _wrong_with(mistake: Mistake) -> str:
    """Say why a mistake cannot be planted, '' where it can."""
    try:
        texts = patched(ROOT, mistake.patches)
        for path, text in texts.items():
            compile(text, str(path), "exec")
    except (SyntaxError, ValueError) as error:
        return str(error)
    missing = [test for test in mistake.tests if not (ROOT / test.split("::")[0]).exists()]
    return f"There is no {missing[0]}" if missing else ""
