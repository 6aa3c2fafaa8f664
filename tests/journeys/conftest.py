"""The fixtures of journeys: a portal that is served, its Microsoft, and browsers to visit it with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.journeys.browsing import Visitor, chromium, running
from tests.journeys.scene import Scene, playing


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if chromium() is None and "CI" not in os.environ:
        pytest.skip("There is no chromium on the PATH; .ci/run installs it.")
    with running() as found:
        yield found


@pytest.fixture
def scene(live_server: Any) -> Iterator[Scene]:
    with playing(live_server.url) as found:
        yield found


@pytest.fixture
def visitor(browser: Browser, scene: Scene) -> Iterator[Callable[..., Visitor]]:
    """Give whoever asks a browser of their own, open until the end of the test."""
    with ExitStack() as opened:
        yield lambda **words: opened.enter_context(closing(Visitor(browser, scene.origin, **words)))
