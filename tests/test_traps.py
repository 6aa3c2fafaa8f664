"""Every trap has a test that bears its number, and a planted mistake that applies to the code as it is."""

from __future__ import annotations

import re

import pytest

from tests.mistakes import ALL, TRAPS, Mistake
from tests.plant_mistakes import ROOT, patched


def test_every_trap_has_a_test_and_a_mistake() -> None:
    tests = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    tested = {int(number) for number in re.findall(r"^def test_trap_(\d+)_", tests, re.MULTILINE)}
    assert [trap for trap in TRAPS if trap not in tested] == []
    assert [trap for trap in TRAPS if trap not in {mistake.trap for mistake in ALL}] == []


@pytest.mark.parametrize("mistake", ALL, ids=lambda mistake: mistake.what.replace(" ", "-"))
def test_every_mistake_can_be_planted(mistake: Mistake) -> None:
    texts = patched(ROOT, mistake.patches)
    assert all(compile(text, str(path), "exec") for path, text in texts.items())
    assert all((ROOT / test.split("::")[0]).exists() for test in mistake.tests)
