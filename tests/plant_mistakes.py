"""Plant known mistakes, one at a time, into a copy of the project, and report which test catches each.

    python -m tests.plant_mistakes              all of them; exit 1 if one survives
    python -m tests.plant_mistakes --security   guards, tokens, links, secrets, the lease
    python -m tests.plant_mistakes --list       what there is
    python -m tests.plant_mistakes 11 second    those of trap 11, and those with the word in their description

The table is in tests/mistakes: a row says what is done wrong, where, and which tests must notice. The traps are what
naive clients of Microsoft get wrong, numbered as in the tests' names (`test_trap_11_…`). A row for PostgreSQL is
left out, and said to be, where neither DATABASE_URL names one nor one answers on 127.0.0.1:5432.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mistakes import ALL, SECURITY, Mistake, Patch

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 600
AT_ONCE = 2
POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"
LEFT_OUT = (".git", ".venv", "var", "__pycache__", ".*_cache", ".coverage*", ".hypothesis", "node_modules")


def copy_of_the_project(copy: Path) -> Path:
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


def database_url(database: str) -> str | None:
    """Return the DATABASE_URL that tests on a database run with, '' for the default; None where there is none."""
    named = os.environ.get("DATABASE_URL", "")
    postgresql = named.startswith("postgres")
    if database == "sqlite":
        return "" if postgresql else named
    if database == "" or postgresql:
        return named
    try:
        socket.create_connection(("127.0.0.1", 5432), timeout=2).close()
    except OSError:
        return None
    return POSTGRESQL


def run(root: Path, tests: Sequence[str], *options: str, url: str = "", compiled: bool = False) -> tuple[int, str]:
    """Run tests in a copy; return pytest's exit status, and the test that failed first or its last line.

    `compiled` says to keep what was compiled. Of a file with a mistake it must not be: two texts of one second and
    one length would be taken for the same.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTEST_ADDOPTS", "DATABASE_URL")}
    environment |= {"PYTHONPATH": str(root)} | ({} if compiled else {"PYTHONDONTWRITEBYTECODE": "1"})
    if url:
        environment["DATABASE_URL"] = url
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--nomigrations"]
    command += ["-p", "no:cacheprovider", "-p", "no:randomly"]
    try:
        done = subprocess.run(
            [*command, *options, *tests],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"the tests hang for more than {LONGEST} seconds"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    said = [f"pytest ended with {done.returncode}", *(done.stdout + done.stderr).strip().splitlines()]
    return done.returncode, failed[1] if failed else said[-1]


def plant(root: Path, each: Mistake) -> tuple[str, str]:
    """Plant one mistake into a copy and take it out again; return what became of it, and the test that noticed."""
    url = database_url(each.database)
    if url is None:
        return "LEFT OUT", f"needs {each.database}"
    texts = patched(root, each.patches)
    former = {path: path.read_text() for path in texts}
    for path, text in texts.items():
        path.write_text(text)
    status, last = run(root, selection(each), url=url)
    for path, text in former.items():
        path.write_text(text)
    # Tests that could not be collected, or were killed, say nothing of the mistake.
    return {0: "SURVIVED", 1: "caught"}.get(status, "UNCLEAR"), last


def chosen(words: Sequence[str], among: Sequence[Mistake] = ALL) -> list[Mistake]:
    return [each for each in among if not words or any(word == str(each.trap) or word in each.what for word in words)]


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
    parser.add_argument("--security", action="store_true", help="only what lets somebody where they may not be")
    parser.add_argument("--list", action="store_true", help="list the mistakes and plant none")
    asked = parser.parse_args(arguments)
    mistakes = chosen(asked.words, SECURITY if asked.security else ALL)
    if asked.list:
        print("\n".join(map(name_of, mistakes)))
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mistakes-") as folder, ThreadPoolExecutor(AT_ONCE) as workers:
        first = copy_of_the_project(Path(folder) / "0")
        # What is compiled here is asked for by what the text holds, not by when it was written.
        compileall.compile_dir(first, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        # A test that fails anyway catches nothing.
        tests = sorted({test for each in mistakes for test in each.tests})
        url = os.environ.get("DATABASE_URL", "")
        status, last = run(first, tests, "-n", str(AT_ONCE), url=url, compiled=True)
        if status:
            print(f"The tests fail before anything is planted: {last}")
            return 1
        free: SimpleQueue[Path] = SimpleQueue()
        free.put(first)
        for number in range(1, AT_ONCE):
            free.put(Path(shutil.copytree(first, Path(folder) / str(number), symlinks=True)))

        def planted(each: Mistake) -> tuple[str, str]:
            root = free.get()
            try:
                return plant(root, each)
            finally:
                free.put(root)

        ends = []
        for each, (end, last) in zip(mistakes, workers.map(planted, mistakes), strict=True):
            ends.append(end)
            print(f"{end:8}  {name_of(each)}\n            {last}", flush=True)
    seconds = time.monotonic() - started
    left_out = f" ({ends.count('LEFT OUT')} left out)" if "LEFT OUT" in ends else ""
    print(f"{ends.count('caught')} of {len(ends)} mistakes were caught{left_out}, in {seconds:.0f} seconds.")
    return 0 if {*ends} <= {"caught", "LEFT OUT"} else 1


if __name__ == "__main__":
    sys.exit(main())
