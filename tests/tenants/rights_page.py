"""The rights table as a page of the documentation: python -m tests.tenants.rights_page > docs/rights.md."""

from __future__ import annotations

import sys

from tenants.roles import GRANTS, Can, Role


def rights_page() -> str:
    """Return docs/rights.md as the code has it."""
    from tenants.roster import ACTS  # here, because Django must be set up before its models are imported

    lines = [
        "# Who may do what",
        "",
        "Each role's rights inside its own tenant; a company user sees the own account and nothing else.",
        "Generated from `tenants/roles.py` and `tenants/roster/acts.py`; a test compares.",
        "",
        "| Right | " + " | ".join(role.label for role in Role) + " |",
        "| --- |" + " --- |" * len(Role),
        *(f"| {can.label} | " + " | ".join("●" if can in GRANTS[role] else "–" for role in Role) + " |" for can in Can),
        "",
        "## What is done to accounts",
        "",
        "| Act | Needs the right |",
        "| --- | --- |",
        *(f"| {act.label} | {can.label} |" for act, can in ACTS.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write(rights_page())
