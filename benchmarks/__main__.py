"""Measures reading, planning and importing of small and large companies: ``./dev bench [PEOPLE …]``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 100_000)
MOST_READ = 3.0
MOST_IMPORT = 3.0
MOST_MEMORY_MB = 300.0

METHOD = """\
How it is measured: the emulated tenant is served over loopback HTTP by a process of its own; each measurement is a
process of its own on a fresh SQLite database (WAL, synchronous=NORMAL), except where DATABASE_URL names PostgreSQL.
  read      one complete snapshot of the sync group, the best of 3, against requests + json alone over the same pages
  plan      plan_sync of a first import, the best of 3
  import    a first run but for its reading: load, plan, apply, record; against bulk_create alone of the same rows
            (account, link, line), objects made as it goes, 1,000 to a transaction
  full      a whole second run, which finds nothing to do by planning; quiet: a third, which finds it by the digest
  peak MB   resident memory at its highest: after the first run / after the runs that changed nothing
"""


def main() -> int:
    """Print the table; return 1 where a promised ratio or the memory is exceeded."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("people", nargs="*", type=int, default=SIZES, help="sizes to measure")
    sizes = parser.parse_args().people
    print(METHOD)
    print(
        f"{'people':>8}  {'read s':>8} {'plain s':>8} {'ratio':>6}  {'plan s':>7}  {'import s':>8} {'bulk s':>8}"
        f" {'ratio':>6}  {'full s':>7} {'quiet s':>7}  {'peak MB':>13}",
        flush=True,
    )
    kept = True
    with tempfile.TemporaryDirectory(prefix="pbportal-bench-") as folder:
        template = Path(folder) / "empty.sqlite3"
        _python(["manage.py", "migrate", "--verbosity", "0"], _environment(template))
        for size in sizes:
            with _tenant(size) as tenant:
                results = {
                    what: _measure(what, tenant, template, Path(folder)) for what in ("read", "plan", "import", "bulk")
                }
            kept = _row(size, results) and kept
    if not kept:
        print("\nA promise is broken: see the rows marked with !", file=sys.stderr)
    return 0 if kept else 1


def _row(size: int, results: dict[str, dict[str, float]]) -> bool:
    reading, imported = results["read"], results["import"]
    read_ratio = reading["seconds"] / reading["plain"]
    import_ratio = imported["seconds"] / results["bulk"]["seconds"]
    peak = max(imported["peak_mb"], imported["steady_peak_mb"])
    # The promises are about large companies; a thousand people are over in a moment, most of it fixed costs.
    kept = size < SIZES[-1] or (read_ratio <= MOST_READ and import_ratio <= MOST_IMPORT and peak < MOST_MEMORY_MB)
    print(
        f"{size:>8,}  {reading['seconds']:>8.2f} {reading['plain']:>8.2f} {read_ratio:>6.2f}"
        f"  {results['plan']['seconds']:>7.2f}"
        f"  {imported['seconds']:>8.2f} {results['bulk']['seconds']:>8.2f} {import_ratio:>6.2f}"
        f"  {imported['full_run']:>7.2f} {imported['quiet_run']:>7.2f}"
        f"  {imported['peak_mb']:>6.0f}/{imported['steady_peak_mb']:<6.0f}{'' if kept else ' !'}",
        flush=True,
    )
    return kept


def _environment(database: Path) -> dict[str, str]:
    given = os.environ.get("DATABASE_URL", "")
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "PBPORTAL_ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "pbportal.settings",
        "DATABASE_URL": given or f"sqlite:///{database}",
        "SECRET_KEY": "a-key-of-the-benchmarks-and-of-nothing-else-long-enough",
        "PBPORTAL_FIELD_KEYS": "dGhlLXRlc3RzLXVzZS10aGlzLWtleS1vbmx5LTMyYmI=",
        "PORTAL_ORIGIN": "https://portal.example",
        "ENTRA_SESSION": "tests.entra_emulator.forward.session",
        "PBPORTAL_LOG_LEVEL": "ERROR",
    }


def _python(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:3])} failed:\n{done.stderr[-4_000:]}")
    return done.stdout


def _measure(what: str, tenant: dict[str, str], template: Path, folder: Path) -> dict[str, float]:
    database = folder / f"{what}.sqlite3"
    shutil.copy(template, database)
    environment = _environment(database) | {"EMULATOR_URL": tenant["url"]}
    if os.environ.get("DATABASE_URL"):
        _python(["manage.py", "flush", "--no-input"], environment)
    printed: dict[str, Any] = json.loads(
        _python(["-m", "benchmarks.measure", what, json.dumps(tenant)], environment).splitlines()[-1]
    )
    for leftover in folder.glob(f"{what}.sqlite3*"):
        leftover.unlink()
    return printed


@contextmanager
def _tenant(people: int) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "benchmarks.tenant", str(people)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline() if process.stdout else "")
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
