"""A little nonsense for every address, the same each time; `python -m tests.fuzz` sends more, and other."""

from __future__ import annotations

import pytest

from tests.fuzz import names_on, names_read, try_all
from tests.test_isolation import all_urls


@pytest.mark.django_db
def test_every_address_answers_nonsense_with_a_page_or_a_sentence() -> None:
    tried, broken = try_all(1, seeded=True)
    assert broken == []
    assert tried >= len(all_urls())


def test_what_is_tried_is_what_pages_read() -> None:
    assert {"sync_group", "seen", "client_id", "error_subcode"} <= set(names_read())
    assert names_on('<input type="text" name="b"><select id="x" name="a">') == ["a", "b"]
