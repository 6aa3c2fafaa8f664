"""The floors hold: a planted violation of each contract of .importlinter is found."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("pbportal", "tenants", "connectors", "tests", "benchmarks")

# contract → (file, the import planted in it)
VIOLATIONS = {
    "house": ("pbportal/sealed.py", "import tenants.states"),
    "tenants": ("tenants/models.py", "import tenants.roster"),
    "connectors": ("connectors/models.py", "import connectors.sync"),
    "tenants-alone": ("tenants/audit.py", "import connectors.states"),
    "pure": ("connectors/plan/__init__.py", "import time"),
    "door-to-microsoft": ("connectors/sync/__init__.py", "import requests"),
    "door-to-the-queue": ("connectors/sync/__init__.py", "import django_q"),
    "production": ("connectors/sync/__init__.py", "import tests"),
    "emulator": ("tests/entra_emulator/app.py", "import pbportal.logs"),
    "oracle": ("tests/oracle/facts.py", "import connectors.plan"),
}


def contracts() -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    return {
        section.removeprefix("importlinter:contract:"): parser[section]["name"]
        for section in parser.sections()
        if section.startswith("importlinter:contract:")
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def broken_in(tree: Path) -> set[str]:
    """Return the names of the contracts that import-linter finds broken in ``tree``."""
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=tree,
        env={"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", linted.stdout, re.MULTILINE))
    assert set(verdicts) == set(contracts().values()), linted.stdout + linted.stderr
    broken = {name for name, verdict in verdicts.items() if verdict == "BROKEN"}
    assert linted.returncode == (1 if broken else 0)
    return broken


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    assert broken_in(tree) == set()


def test_every_contract_has_its_violation() -> None:
    assert set(VIOLATIONS) == set(contracts())


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_planted_violation_is_found(tree: Path, contract: str) -> None:
    file, planted = VIOLATIONS[contract]
    path = tree / file
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{planted}\n", encoding="utf-8")
    assert contracts()[contract] in broken_in(tree)


def test_a_file_without_a_floor_is_found(tree: Path) -> None:
    (tree / "connectors" / "utils.py").write_text('"""Owns whatever nobody wanted."""\n', encoding="utf-8")
    assert broken_in(tree) == {contracts()["connectors"]}
