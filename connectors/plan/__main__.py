"""Prints the documentation of the sync rules: `python -m connectors.plan > docs/sync-rules.md`."""

from __future__ import annotations

import sys

from connectors.plan.table import markdown

sys.stdout.write(markdown())
