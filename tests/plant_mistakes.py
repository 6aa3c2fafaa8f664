"""Plant known mistakes, one at a time, into a copy of the project, and report which test catches each.

    python -m tests.plant_mistakes              all of them; exit 1 if one survives
    python -m tests.plant_mistakes --list       what there is
    python -m tests.plant_mistakes 11 second    those of trap 11, and those with the word in their description

The table is in tests/mistakes: a row says what is done wrong, where, and which tests must notice. The traps are what
naive clients of Microsoft get wrong, numbered as in the tests' names (`test_trap_11_…`).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mistakes import ALL, Mistake, Patch

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 300
LEFT_OUT = (".git", ".venv", "var", "__pycache__", ".*_cache", ".coverage*", ".hypothesis", "node_modules")


def copy_of_the_project(to: Path) -> Path:
    copy = to / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    return copy


def patched(root: Path, patches: Sequence[Patch]) -> dict[Path, str]:
    """Return the new text of every file the patches change; raise ValueError where one does not apply."""
    texts: dict[Path, str] = {}
    for patch in patches:
        path = root / patch.file
        text = texts.get(path) or path.read_text()
        times = text.count(patch.before)
        if times != 1:
            raise ValueError(f"{patch.file} holds the text to replace {times} times: {patch.before!r}")
        texts[path] = text.replace(patch.before, patch.after)
    return texts


def run(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests in a copy; return pytest's exit status, and the test that failed first or its last line."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-rfE",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        *tests,
    ]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"the tests hang for more than {LONGEST} seconds"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return done.returncode, failed[1] if failed else (done.stdout + done.stderr).strip().splitlines()[-1]


def chosen(words: Sequence[str]) -> list[Mistake]:
    return [each for each in ALL if not words or any(word == str(each.trap) or word in each.what for word in words)]


def selection(each: Mistake) -> tuple[str, ...]:
    """Return what pytest runs for a mistake: of whole files only the tests with the trap's number, if it has one."""
    if not each.trap or any("::" in test for test in each.tests):
        return each.tests
    return (*each.tests, "-k", f"trap_{each.trap:02}_")


def name_of(each: Mistake) -> str:
    return f"{f'trap {each.trap:2}' if each.trap else '       '}  {each.what}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("words", nargs="*", help="trap numbers, or words of a description")
    parser.add_argument("--list", action="store_true", help="list the mistakes and plant none")
    asked = parser.parse_args(arguments)
    mistakes = chosen(asked.words)
    if asked.list:
        print("\n".join(map(name_of, mistakes)))
        return 0
    survivors, started = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mistakes-") as folder:
        root = copy_of_the_project(Path(folder))
        # A test that fails anyway catches nothing.
        status, last = run(root, sorted({test for each in mistakes for test in each.tests}))
        if status:
            print(f"The tests fail before anything is planted: {last}")
            return 1
        for each in mistakes:
            texts = patched(root, each.patches)
            former = {path: path.read_text() for path in texts}
            for path, text in texts.items():
                path.write_text(text)
            status, last = run(root, selection(each))
            for path, text in former.items():
                path.write_text(text)
            caught = status == 1
            survivors += not caught
            print(f"{'caught  ' if caught else 'SURVIVED'}  {name_of(each)}\n            {last}", flush=True)
    seconds = time.monotonic() - started
    print(f"{len(mistakes) - survivors} of {len(mistakes)} mistakes were caught, in {seconds:.0f} seconds.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
