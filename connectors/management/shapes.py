"""What the commands print of connectors, runs and plans: the JSON shapes of docs/commands.md, and plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from connectors.attention import Need, credential_of
from connectors.models import Connector, SyncChange, SyncRun
from connectors.plan import Change, SyncPlan
from connectors.states import ConnectorStatus, Outcome, RunState, SkipReason


def connector_shape(connector: Connector, needs: Sequence[Need], *, groups: int) -> dict[str, Any]:
    """Return the status of one connector; `groups` is the number of its additional ones."""
    return {
        "id": connector.pk,
        "uid": str(connector.uid),
        "partner": connector.company.partner.slug,
        "company": connector.company.slug,
        "company_name": connector.company.name,
        "name": connector.name,
        "tenant": connector.tenant,
        "tenant_id": connector.tenant_id,
        "client_id": connector.client_id,
        "cloud": str(connector.cloud),
        "status": str(connector.status),
        "status_label": ConnectorStatus(connector.status).label,
        "status_since": iso(connector.status_since),
        "status_sentence": connector.status_sentence,
        "attention": [
            {"code": str(need.attention), "what": need.attention.label, "sentence": need.sentence} for need in needs
        ],
        "paused": connector.paused_at is not None,
        "paused_until": iso(connector.paused_until),
        "sync_group": {"id": connector.sync_group_id, "name": connector.sync_group_name},
        "additional_groups": groups,
        "in_scope": connector.in_scope,
        "last_run_at": iso(connector.last_run_at),
        "last_success_at": iso(connector.last_success_at),
        "signs_in_with": str(credential_of(connector).kind),
        "secret_expires_on": iso(connector.secret_expires_on),
    }


def connector_lines(connector: Connector, needs: Sequence[Need]) -> Iterator[str]:
    """Say one connector's status, and a line for each thing that needs a person."""
    status = ConnectorStatus(connector.status).label
    last = f"last sync {moment(connector.last_success_at)}" if connector.last_success_at else "never synchronised"
    yield f"{connector.pk:>6}  {connector.company.name:<32}  {status:<20}  {last}"
    if connector.status_sentence:
        yield f"        {connector.status_sentence}"
    for need in needs:
        yield f"        {need.attention.label}. {need.sentence}"


def run_shape(run: SyncRun, changes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one run with its lines."""
    return {
        "run": run.pk,
        "connector": run.connector_id,
        "trigger": str(run.trigger),
        "state": str(run.state),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "requests": run.requests,
        "in_scope": run.in_scope,
        "counts": run.counts,
        "attention": run.attention,
        "sentence": run.sentence,
        "reference": run.reference,
        "changes": list(changes),
    }


def line_shape(line: SyncChange) -> dict[str, Any]:
    """Return one line of a run's record."""
    return {
        "outcome": str(line.outcome),
        "kind": str(line.kind),
        "situation": str(line.situation),
        "object_id": line.object_id,
        "account": line.account_id,
        "name": line.name,
        "email": line.email,
        "group": line.group_name,
        "before": line.before,
        "after": line.after,
        "because": line.because,
        "cause": line.cause,
        "approved": line.approved,
    }


def plan_shapes(plan: SyncPlan) -> list[dict[str, Any]]:
    """Return the lines that a run would record now, in the shape of those of a run."""
    shapes = [_planned(change, "planned", "") for change in plan.changes]
    shapes += [_planned(held.change, Outcome.HELD, held.cause) for held in plan.held]
    for skipped in plan.skipped:
        reason = SkipReason(skipped.reason)
        person = {
            "object_id": skipped.object_id,
            "account": skipped.account_id,
            "situation": str(skipped.situation or ""),
        }
        names = {"name": skipped.name, "email": skipped.email, "because": reason.label, "cause": str(reason)}
        shapes.append(_line(outcome=str(Outcome.SKIPPED), **person, **names))
    for left in plan.left_out:
        via = f" · via the group {left.via}" if left.via else ""
        shapes.append(
            _line(
                outcome=str(Outcome.LEFT_OUT),
                object_id=left.object_id,
                name=left.name,
                because=f"{left.reason.label}{via}",
                cause=str(left.reason),
            )
        )
    return shapes


def lines_of(shapes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Say each line of a run or plan: what happens, to whom, from what to what, and why."""
    for shape in shapes:
        what = shape["kind"].replace("_", " ") or "—"
        person = " ".join(part for part in (shape["name"], f"<{shape['email']}>" if shape["email"] else "") if part)
        moved = f" ({shape['before'] or '—'} → {shape['after']})" if shape["after"] and not shape["group"] else ""
        group = f" [{shape['group']}]" if shape["group"] else ""
        yield f"{shape['outcome'].replace('_', ' '):<9} {what:<16} {person or shape['object_id']}{group}{moved}"
        if shape["because"]:
            yield f"{'':<26} {shape['because']}"


def summary(run: SyncRun) -> str:
    """Say how a run ended, in one line."""
    state = RunState(run.state).label
    if run.sentence:
        return f"{state}. {run.sentence}"
    if run.quiet:
        return f"{state}: nothing to do. {run.in_scope} people in scope, {run.requests} requests."
    counted = ", ".join(f"{key.replace('.', ' ').replace('_', ' ')} {count}" for key, count in run.counts.items())
    return f"{state}: {counted or 'nothing to do'}. {run.in_scope} people in scope, {run.requests} requests."


def moment(at: datetime | None) -> str:
    """Write a moment for people, in UTC."""
    return f"{at.day} {at:%b %Y %H:%M} UTC" if at else "never"


def _planned(change: Change, outcome: str, cause: str) -> dict[str, Any]:
    return _line(
        outcome=str(outcome),
        kind=str(change.kind),
        situation=str(change.because.situation or ""),
        object_id=change.object_id,
        account=change.account_id,
        name=change.name,
        email=change.email,
        group=change.after if change.directory_group_id else "",
        before=change.before,
        after=change.after,
        because=change.because.sentence(),
        cause=str(cause),
        approved=change.approved,
    )


def _line(**words: Any) -> dict[str, Any]:
    return line_shape(SyncChange()) | words


def iso(at: Any) -> str | None:
    """Write a day or a moment for programs; None where there is none."""
    return at.isoformat() if at is not None else None
