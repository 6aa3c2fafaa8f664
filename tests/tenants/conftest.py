"""The made-up world that the tests of tenants begin with."""

from __future__ import annotations

import pytest

from tests.world import Cast, seed_cast


@pytest.fixture
def cast(db: None) -> Cast:
    return seed_cast()
