"""The record of runs: its lines, its findings, and the folding of runs that say the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from django.db.models import F

from connectors.entra import RequestRecord
from connectors.models import Connector, PersonMark, SyncChange, SyncRun
from connectors.plan import Change, Held, LeftOut, Skipped, SyncPlan
from connectors.states import ChangeKind, MarkKind, Outcome, RunState, RunTrigger, SkipReason
from tenants import audit
from tenants.models import User

LINES_PER_STATEMENT = 1_000


def start(connector: Connector, trigger: RunTrigger, by: User | None, by_label: str, now: datetime) -> SyncRun:
    """Save the row of a run that is going on."""
    return SyncRun.objects.create(
        connector=connector,
        company_id=connector.company_id,
        connector_name=connector.name,
        trigger=trigger,
        state=RunState.RUNNING,
        by=by,
        by_label=by_label,
        first=not connector.completed_runs,
        started_at=now,
        phase="reading",
    )


def fold(connector: Connector, *, quiet: bool, sentence: str, requests: int, now: datetime) -> int | None:
    """Add a scheduled run that says the same as the last record to that record; return its id, None without one."""
    if connector.last_record_id is None:
        return None
    same = SyncRun.objects.filter(
        pk=connector.last_record_id,
        trigger=RunTrigger.SCHEDULE,
        state=RunState.SUCCEEDED if quiet else RunState.FAILED,
        quiet=quiet,
        sentence=sentence,
    )
    folded = same.update(times=F("times") + 1, finished_at=now, requests=F("requests") + requests)
    return connector.last_record_id if folded else None


def first_of_many(connector: Connector, *, quiet: bool, started: datetime, now: datetime, **fields: object) -> SyncRun:
    """Save the first row of scheduled runs that may be folded into it."""
    return SyncRun.objects.create(
        connector=connector,
        company_id=connector.company_id,
        connector_name=connector.name,
        trigger=RunTrigger.SCHEDULE,
        state=RunState.SUCCEEDED if quiet else RunState.FAILED,
        quiet=quiet,
        first=not connector.completed_runs,
        started_at=started,
        finished_at=now,
        **fields,
    )


def call(request: RequestRecord) -> dict[str, str | int | float]:
    """Return one request to Microsoft as a record keeps it: what was asked, and what a support case there needs."""
    url = urlsplit(request.url)
    return {
        "what": f"{request.method} {url.netloc}{url.path}",
        "status": request.status,
        "seconds": round(request.seconds, 3),
        "id": request.request_id,
    }


_DECISIONS = {ChangeKind.ADOPT: MarkKind.CONFIRMED, ChangeKind.RELINK: MarkKind.SAME_PERSON}


def deciders_of(connector: Connector, changes: Collection[Change]) -> dict[tuple[str, ChangeKind], str]:
    """Return who decided those of the changes that a person decided, by person and kind."""
    decided: dict[tuple[str, str, str], tuple[str, ChangeKind]] = {}
    for change in changes:
        if change.approved:
            decided[change.object_id, MarkKind.APPROVED, change.kind] = change.object_id, change.kind
        elif change.because.decision and change.kind in _DECISIONS:
            decided[change.object_id, _DECISIONS[change.kind], str(change.account_id)] = change.object_id, change.kind
    if not decided:
        return {}
    marks = PersonMark.objects.filter(
        connector=connector,
        kind__in=[MarkKind.APPROVED, *_DECISIONS.values()],
        object_id__in={object_id for object_id, _, _ in decided},
    )
    found = {(mark.object_id, mark.kind, mark.value): mark.by for mark in marks}
    return {whom: found[key] for key, whom in decided.items() if key in found}


def line(
    run: SyncRun, change: Change, outcome: Outcome, at: datetime, *, account_id: int | None, decided_by: str = ""
) -> SyncChange:
    """Make the line of one planned change; not saved."""
    because = change.because
    return SyncChange(
        run=run,
        connector_id=run.connector_id,
        at=at,
        outcome=outcome,
        kind=change.kind,
        situation=because.situation or "",
        account_id=account_id,
        object_id=change.object_id,
        name=change.name[:400],
        email=change.email[:320],
        group_name=_group_name(change)[:256],
        before=change.before[:400],
        after=change.after[:400],
        because=because.sentence(),
        approved=change.approved,
        decided_by=decided_by,
    )


def _group_name(change: Change) -> str:
    if not change.directory_group_id:
        return ""
    # What happens to a group carries its name; who joins or leaves one carries it as what is, or was.
    membership = change.kind in (ChangeKind.GROUP_JOIN, ChangeKind.GROUP_LEAVE)
    return change.after or change.before if membership else change.name


def findings_digest(plan: SyncPlan) -> str:
    """Return a text that changes when the people held, skipped or left out do; '' where there are none."""
    if not (plan.held or plan.skipped or plan.left_out):
        return ""
    total = hashlib.blake2b(digest_size=32)
    for finding in (*plan.held, *plan.skipped, *plan.left_out):
        total.update(repr(finding).encode())
    return total.hexdigest()


def save_findings(run: SyncRun, plan: SyncPlan, at: datetime) -> None:
    """Save a line for everybody held, skipped or left out."""
    lines: list[SyncChange] = [_held(run, held, at) for held in plan.held]
    lines += [_skipped(run, skipped, at) for skipped in plan.skipped]
    lines += [_left_out(run, left_out, at) for left_out in plan.left_out]
    SyncChange.objects.bulk_create(lines, batch_size=LINES_PER_STATEMENT)


def _held(run: SyncRun, held: Held, at: datetime) -> SyncChange:
    row = line(run, held.change, Outcome.HELD, at, account_id=held.change.account_id)
    row.cause = held.cause
    return row


def _skipped(run: SyncRun, skipped: Skipped, at: datetime) -> SyncChange:
    return SyncChange(
        run=run,
        connector_id=run.connector_id,
        at=at,
        outcome=Outcome.SKIPPED,
        situation=skipped.situation or "",
        account_id=skipped.account_id,
        object_id=skipped.object_id,
        name=skipped.name[:400],
        email=skipped.email[:320],
        because=SkipReason(skipped.reason).label,
        cause=skipped.reason,
        other_id=skipped.other,
        question=skipped.question,
    )


def _left_out(run: SyncRun, left_out: LeftOut, at: datetime) -> SyncChange:
    return SyncChange(
        run=run,
        connector_id=run.connector_id,
        at=at,
        outcome=Outcome.LEFT_OUT,
        object_id=left_out.object_id,
        name=left_out.name[:400],
        because=f"{left_out.reason.label}{f' · via the group {left_out.via}' if left_out.via else ''}",
        cause=left_out.reason,
    )


def tally(changes: Iterable[Change], failed: Iterable[Change], plan: SyncPlan) -> dict[str, int]:
    """Count a run's lines as "outcome.kind" (skipped and left out by their reason)."""
    counts = applied(changes)
    counts.update(f"{Outcome.FAILED}.{change.kind}" for change in failed)
    counts.update(f"{Outcome.HELD}.{held.change.kind}" for held in plan.held)
    counts.update(f"{Outcome.SKIPPED}.{skipped.reason}" for skipped in plan.skipped)
    counts.update(f"{Outcome.LEFT_OUT}.{left_out.reason}" for left_out in plan.left_out)
    return dict(sorted(counts.items()))


def applied(changes: Iterable[Change]) -> Counter[str]:
    """Count changes that were made, as a tally does."""
    return Counter(f"{Outcome.APPLIED}.{change.kind}" for change in changes)


_VERBS = {
    ChangeKind.CREATE: "created",
    ChangeKind.CREATE_PENDING: "created as pending",
    ChangeKind.ADOPT: "adopted",
    ChangeKind.RELINK: "relinked",
    ChangeKind.ENABLE: "enabled",
    ChangeKind.ACTIVATE: "activated",
    ChangeKind.RESTORE: "restored",
    ChangeKind.SUSPEND: "returned as pending",
    ChangeKind.DISABLE: "disabled",
    ChangeKind.CONVERT: "converted to personal",
    ChangeKind.DELETE: "deleted",
    ChangeKind.WITHDRAW: "withdrawn",
    ChangeKind.RENAME: "renamed",
    ChangeKind.EMAIL: "with another email in the directory",
    ChangeKind.GROUP_CREATE: "groups created",
    ChangeKind.GROUP_TAKE_UP: "groups taken up",
    ChangeKind.GROUP_RENAME: "groups renamed",
    ChangeKind.GROUP_JOIN: "joined a group",
    ChangeKind.GROUP_LEAVE: "left a group",
    ChangeKind.GROUP_HAND_BACK: "groups handed back",
}


def told(counts: Mapping[str, int]) -> str:
    """Say what a tally counts: what was done, then what failed, is held, was skipped and left out."""
    return "; ".join(_parts(counts))


def _parts(counts: Mapping[str, int]) -> Iterator[str]:
    counted = dict(counts)
    applied = [
        f"{counted[f'{Outcome.APPLIED}.{kind}']:,} {verb}"
        for kind, verb in _VERBS.items()
        if f"{Outcome.APPLIED}.{kind}" in counted
    ]
    if applied:
        yield ", ".join(applied)
    for outcome, word in (
        (Outcome.FAILED, "failed"),
        (Outcome.HELD, "held"),
        (Outcome.SKIPPED, "skipped"),
        (Outcome.LEFT_OUT, "left out"),
    ):
        number = sum(amount for key, amount in counted.items() if key.startswith(f"{outcome}."))
        if number:
            yield f"{number:,} {word}"


SYNCHRONISED = audit.Action(
    "connector.synchronised",
    "{actor} synchronised {subject} (run {run}, {trigger}): {counts}.",
    keys=("run", "trigger", "counts"),
    say={"trigger": lambda trigger: RunTrigger(trigger).label, "counts": told},
)


def tell(connector: Connector, run: SyncRun, counts: Mapping[str, int]) -> None:
    """Write into the record of who did what that a run changed something: one entry a run."""
    audit.record(
        SYNCHRONISED,
        company=connector.company,
        actor=run.by or run.by_label or f"Connector {connector.name}",
        subject=connector.name,
        detail={"run": run.pk, "trigger": str(run.trigger), "counts": dict(sorted(counts.items()))},
    )


def abandon(connector: Connector, sentence: str, now: datetime) -> bool:
    """End the record that is going on because its run was taken away, and tell what it did; say whether there was one.

    It runs in the caller's transaction, which has locked the connector's row.
    """
    abandoned = False
    going_on = SyncRun.objects.filter(connector=connector, state=RunState.RUNNING)
    for run in going_on.select_related("by"):
        # Whoever ends it tells of it: a run that has just lost its lease ends its own record.
        if going_on.filter(pk=run.pk).update(state=RunState.ABANDONED, finished_at=now, phase="", sentence=sentence):
            abandoned = True
            if run.counts:
                tell(connector, run, run.counts)
    return abandoned
