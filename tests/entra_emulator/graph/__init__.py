"""Microsoft Graph: who may call what, and every route the connector uses."""

from __future__ import annotations

from tests.entra_emulator.graph.service import Graph

__all__ = ["Graph"]
