"""What the documents name is there: a page that speaks of a test or a file is wrong the day it is renamed."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: object) -> None:
    text = (ROOT / str(document)).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|docs|connectors|tenants|pbportal|benchmarks)/[\w/.-]+)`", text))
    named |= {f"docs/{name}" for name in re.findall(r"\]\(docs/([\w-]+\.md)\)", text)}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_the_security_page_names_its_evidence() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert len(set(re.findall(r"`(tests/[\w/]+\.py)`", text))) > 20
