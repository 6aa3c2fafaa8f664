"""Verbs: the changes of a directory that can be asked for by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

VERBS: set[str] = set()


def verb(function: F) -> F:
    """Mark a method of `Tenant` as callable by name, in-process, from a fault or over control."""
    VERBS.add(function.__name__)
    return function
