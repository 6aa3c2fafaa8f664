"""``manage.py connectors``: the status of every connector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from connectors.attention import know_groups, needs_of
from connectors.management.console import ConsoleCommand, Failed, add_json
from connectors.management.shapes import connector_lines, connector_shape
from connectors.models import Connector, SelectedGroup
from connectors.states import ConnectorStatus
from tenants.models import Partner


class Command(ConsoleCommand):
    help = "Print the status of every connector, and what it needs a person for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--partner", metavar="SLUG", help="only the connectors of one partner's companies")
        parser.add_argument("--attention", action="store_true", help="only those that need a person")
        parser.add_argument("--removed", action="store_true", help="removed ones as well")
        add_json(parser)

    def carry_out(self, options: Mapping[str, Any]) -> None:
        rows = Connector.objects.select_related("company__partner").order_by(
            "company__partner__name", "company__name", "pk"
        )
        if options["partner"] is not None:
            if not Partner.objects.filter(slug=options["partner"]).exists():
                raise Failed(f"There is no partner {options['partner']!r}. Give a partner's slug.")
            rows = rows.filter(company__partner__slug=options["partner"])
        if not options["removed"]:
            rows = rows.exclude(status=ConnectorStatus.REMOVED)
        groups = Counter(SelectedGroup.objects.values_list("connector_id", flat=True).iterator())
        now = timezone.now()
        found = list(rows)
        know_groups(found)
        told = [(row, needs_of(row, now)) for row in found]
        if options["attention"]:
            told = [(row, needs) for row, needs in told if needs or row.status == ConnectorStatus.UNAUTHORIZED]
        self.tell(
            options,
            [connector_shape(row, needs, groups=groups[row.pk]) for row, needs in told],
            [line for row, needs in told for line in connector_lines(row, needs)] or ["There is no such connector."],
        )
