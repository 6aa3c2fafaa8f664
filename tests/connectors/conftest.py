"""What every test of the connectors may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.entra import forget_tokens
from tests.connectors.entra_scene import Scene


@pytest.fixture(autouse=True)
def _no_tokens_from_before() -> Iterator[None]:
    """Emulated tenants have the same ids in every test: a token kept from one would open the next."""
    forget_tokens()
    yield
    forget_tokens()


@pytest.fixture
def scene() -> Scene:
    return Scene()
