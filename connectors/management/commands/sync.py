"""``manage.py sync``: synchronise one connector here and now, or see what that would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Q
from django.utils import timezone

from connectors.attention import needs_of
from connectors.management.console import ConsoleCommand, Failed, add_connector, add_json, find_connector, who
from connectors.management.shapes import line_shape, lines_of, plan_shapes, run_shape, summary
from connectors.models import Connector, SyncChange
from connectors.states import Outcome, RunState, RunTrigger
from connectors.sync import preview, run


class Command(ConsoleCommand):
    help = (
        "Synchronise one connector here and now, under its lease, and print every change with its reason."
        " The exit code is 1 where the run failed or could not begin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_connector(parser)
        parser.add_argument("--preview", action="store_true", help="only print what a run would do now; writes nothing")
        add_json(parser)

    def carry_out(self, options: Mapping[str, Any]) -> None:
        connector = find_connector(options["connector"])
        if options["preview"]:
            self._preview(connector, options)
        else:
            self._run(connector, options)

    def _preview(self, connector: Connector, options: Mapping[str, Any]) -> None:
        if not (connector.tenant_id and connector.sync_group_id):
            raise Failed("The connector's setup is not finished: verify the connection and choose the sync group.")
        found = preview(connector)
        plan = found.plan
        shapes = plan_shapes(plan)
        shape = {
            "connector": connector.pk,
            "in_scope": plan.in_scope,
            "attention": sorted(plan.attention),
            "licences_wanted": plan.licences_wanted,
            "changes": shapes,
        }
        counts = f"{len(plan.changes)} changes, {len(plan.held)} held, {len(plan.skipped)} skipped"
        self.tell(options, shape, [*lines_of(shapes), f"Preview: {counts}. {plan.in_scope} people in scope."])

    def _run(self, connector: Connector, options: Mapping[str, Any]) -> None:
        result = run(connector.pk, RunTrigger.COMMAND, by_label=who())
        if result.run is None:
            raise Failed(result.refused)
        connector = find_connector(str(connector.pk))
        result.run.refresh_from_db()
        # Findings that are as they were stay with the run that recorded them.
        findings = Q(run=connector.findings_id) & ~Q(outcome__in=[Outcome.APPLIED, Outcome.FAILED])
        lines = SyncChange.objects.filter(Q(run=result.run) | findings).order_by("pk")
        shapes = [line_shape(line) for line in lines.iterator()]
        needs = [f"{need.attention.label}. {need.sentence}" for need in needs_of(connector, timezone.now())]
        self.tell(options, run_shape(result.run, shapes), [*lines_of(shapes), *needs, summary(result.run)])
        if result.run.state != RunState.SUCCEEDED:
            raise Failed(result.run.sentence)
