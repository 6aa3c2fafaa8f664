"""How a run and each line of its record are said on a page: words, icons, and what to do next; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Case, IntegerField, Value, When

from connectors.models import SyncChange, SyncRun
from connectors.states import ChangeKind, Outcome, RunState, RunTrigger, Situation, SkipReason
from connectors.views.shown import summary
from tenants.portals import Place

GROUP_KINDS = frozenset(kind for kind in ChangeKind if kind.value.startswith("group_"))
FINDINGS = (Outcome.HELD, Outcome.SKIPPED, Outcome.LEFT_OUT)
"""Outcomes that are written down only when they differ from those of the run before."""

PARTLY = "partly"
"""What the list of runs calls a run that went through, and some of whose changes failed."""


@dataclass(frozen=True, slots=True)
class Told:
    """Hold one run as a list shows it."""

    run: SyncRun
    url: str
    what: str
    tone: str
    icon: str
    label: str
    by: str
    took: float | None


def tell(runs: Iterable[SyncRun], place: Place) -> list[Told]:
    """Return runs as a list shows them."""
    return [
        Told(run, place.url("run", run_id=run.pk), summary(run), *state_of(run), started_by(run), took(run))
        for run in runs
    ]


def number_of(run: SyncRun, outcome: Outcome) -> int:
    """Return how many lines of an outcome a run counted."""
    return sum(amount for key, amount in run.counts.items() if key.startswith(f"{outcome}."))


def state_of(run: SyncRun) -> tuple[str, str, str]:
    """Return tone, icon and word for how a run is going or went."""
    match run.state:
        case RunState.RUNNING:
            return "wait", "sync", "Running"
        case RunState.FAILED:
            return "bad", "x-circle", "Failed"
        case RunState.ABANDONED:
            return "warn", "warning", "Abandoned"
    if number_of(run, Outcome.FAILED):
        return "warn", "warning", "Partly failed"
    return ("idle", "check", "Nothing to do") if run.quiet else ("ok", "check-circle", "Done")


_STARTS = {
    RunTrigger.SCHEDULE: "the schedule",
    RunTrigger.MANUAL: "Synchronize Now",
    RunTrigger.API: "the API",
    RunTrigger.COMMAND: "a command",
    RunTrigger.APPROVAL: "a decision about held changes",
    RunTrigger.PREVIEW: "a preview",
    RunTrigger.PUT_RIGHT: "putting a run right",
}


def started_by(run: SyncRun) -> str:
    """Say what or who started a run."""
    start = _STARTS[RunTrigger(run.trigger)]
    if not run.by_label:
        return start
    return run.by_label if run.trigger == RunTrigger.COMMAND else f"{run.by_label}, by {start}"


def took(run: SyncRun) -> float | None:
    """Return how many seconds a run took; None where it goes on, or is many runs in one line."""
    if run.finished_at is None or run.times > 1:
        return None
    return (run.finished_at - run.started_at).total_seconds()


# ── Phases ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Phase:
    """Hold one phase of a run: `mark` is the class of its icon, '' for one that went well."""

    label: str
    icon: str
    note: str
    mark: str = ""


def phases_of(run: SyncRun, kept_days: int) -> list[Phase]:
    """Return the phases of a run with their times; [] for many runs in one line, and where nothing was read."""
    if run.times > 1 or run.trigger == RunTrigger.PUT_RIGHT:
        return []
    people = f"{run.in_scope:,} {'person' if run.in_scope == 1 else 'people'} in the sync group"
    if run.state == RunState.RUNNING:
        return _going_on(run)
    if run.state in (RunState.FAILED, RunState.ABANDONED):
        return [*_broken_off(run), Phase("Record", "check", f"Kept for {kept_days:,} days")]
    read = Phase("Read", "check", f"{_seconds(run.read_seconds)}. {people}" if run.read_seconds else people)
    if run.quiet:
        note = "Nothing differs from the run before"
        compare = f"{_seconds(run.plan_seconds)}. {note}" if run.plan_seconds else note
        return [
            read,
            Phase("Compare", "check", compare),
            *_phases("minus", "Nothing to do", "Safety brake", "Apply", "Record"),
        ]
    held, failed = number_of(run, Outcome.HELD), number_of(run, Outcome.FAILED)
    applied = number_of(run, Outcome.APPLIED)
    rest = max((took(run) or 0) - run.read_seconds - run.plan_seconds, 0)
    changes = (
        f"{applied:,} {'change' if applied == 1 else 'changes'}, {f'{failed:,} failed' if failed else 'none failed'}"
    )
    return [
        read,
        Phase("Compare", "check", _seconds(run.plan_seconds)),
        Phase("Safety brake", "held", f"Held {held:,}", "is-held")
        if held
        else Phase("Safety brake", "check", "Held nothing"),
        Phase("Apply", "warning" if failed else "check", f"{_seconds(rest)}. {changes}", "is-held" if failed else ""),
        Phase("Record", "check", f"Kept for {kept_days:,} days"),
    ]


def _going_on(run: SyncRun) -> list[Phase]:
    if run.phase != "applying":
        return [
            Phase("Read", "sync", "Asking Microsoft", "is-now"),
            *_phases("circle-dashed", "Not yet", "Compare", "Safety brake", "Apply", "Record"),
        ]
    return [
        *(Phase(label, "check", "Done") for label in ("Read", "Compare", "Safety brake")),
        Phase("Apply", "sync", f"{run.done:,} of {run.total:,}", "is-now"),
        *_phases("circle-dashed", "Not yet", "Record"),
    ]


def _broken_off(run: SyncRun) -> list[Phase]:
    if not run.total:
        not_reached = _phases("minus", "Not reached", "Compare", "Safety brake", "Apply")
        return [Phase("Read", "x-circle", "Not complete", "is-broken"), *not_reached]
    return [
        *(Phase(label, "check", "Done") for label in ("Read", "Compare", "Safety brake")),
        Phase("Apply", "x-circle", f"{run.done:,} of {run.total:,}, each complete", "is-broken"),
    ]


def _phases(icon: str, note: str, *labels: str) -> Iterator[Phase]:
    yield from (Phase(label, icon, note, "is-idle") for label in labels)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}\u00a0s"


# ── Lines ────────────────────────────────────────────────────────────────────────────────────────────────────

_SECTIONS = ("Failed", "Accounts", "Groups", "Held", "Skipped", "Left out")
SECTION = Case(
    When(outcome=Outcome.FAILED, then=Value(0)),
    When(outcome=Outcome.HELD, then=Value(3)),
    When(outcome=Outcome.SKIPPED, then=Value(4)),
    When(outcome=Outcome.LEFT_OUT, then=Value(5)),
    When(kind__in=sorted(GROUP_KINDS), then=Value(2)),
    default=Value(1),
    output_field=IntegerField(),
)
"""Where a line stands on the page of its run."""


def section_of(outcome: str, kind: str) -> int:
    """Return the number that SECTION gives to such a line."""
    if outcome == Outcome.APPLIED:
        return 2 if kind in GROUP_KINDS else 1
    return {Outcome.FAILED: 0, Outcome.HELD: 3, Outcome.SKIPPED: 4}.get(Outcome(outcome), 5)


def section_label(number: int) -> str:
    """Return the heading of a section."""
    return _SECTIONS[number]


_BADGES = {
    Outcome.APPLIED: ("ok", "check"),
    Outcome.HELD: ("hold", "held"),
    Outcome.SKIPPED: ("warn", "user-skip"),
    Outcome.LEFT_OUT: ("idle", "minus-circle"),
    Outcome.FAILED: ("bad", "x-circle"),
}
KIND_ICONS = {
    ChangeKind.CREATE: "plus",
    ChangeKind.CREATE_PENDING: "hourglass",
    ChangeKind.ADOPT: "link",
    ChangeKind.RELINK: "link",
    ChangeKind.ENABLE: "check",
    ChangeKind.ACTIVATE: "check",
    ChangeKind.RESTORE: "undo",
    ChangeKind.SUSPEND: "hourglass",
    ChangeKind.RENAME: "pencil",
    ChangeKind.EMAIL: "mail",
    ChangeKind.DELETE: "trash",
    ChangeKind.CONVERT: "user",
}
_STATUSES_OF_AN_ACCOUNT = frozenset(
    {
        ChangeKind.CREATE,
        ChangeKind.CREATE_PENDING,
        ChangeKind.ENABLE,
        ChangeKind.ACTIVATE,
        ChangeKind.RESTORE,
        ChangeKind.SUSPEND,
        ChangeKind.DISABLE,
        ChangeKind.CONVERT,
        ChangeKind.DELETE,
        ChangeKind.WITHDRAW,
    }
)
_MENDS = {
    SkipReason.KEPT: "Until the situation ends.",
    SkipReason.SPARED: "Make somebody else an administrator, and the next run lets them go.",
    SkipReason.NO_EMAIL: "Created as soon as there is one.",
    SkipReason.TWO_NEWCOMERS: "Give one of the two another address in Entra.",
    SkipReason.ADDRESS_PERSONAL: "Give the person another address in Entra.",
    SkipReason.RESTORE_TAKEN: "Restored as soon as the address is free.",
    SkipReason.RESTORE_TWICE: "Restore one of the two by hand, under Users.",
    SkipReason.NOT_CLAIMED: "Happens as soon as the owner has accepted the invitation.",
    SkipReason.DELETED_BY_PERSON: "Restore the account, or lift that, under Users.",
    SkipReason.HANDED_BACK: "Lift that under Users, and it is synchronised again.",
    SkipReason.DISABLED_BY_PERSON: "Enable the account under Users.",
    SkipReason.DISABLED_NEWCOMER: "Created as soon as the person is enabled.",
    SkipReason.DECLINED: "Until they leave the group.",
    SkipReason.UNREAD: "The next run tries again.",
}
"""What would change it, or that it mends itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one line of a record as a page shows it: `was` is '' where there was nothing, `now` where nothing moved."""

    row: SyncChange
    section: int
    name: str
    sub: str
    was: str
    now: str
    tone: str
    icon: str
    label: str
    lead: str
    because: str

    @property
    def why(self) -> str:
        """Return the words that “Why?” finds this person by; '' where the line is about no person."""
        account = self.row.account
        if account is not None and account.purged_at is None:
            return urlencode({"account": account.pk})
        if self.row.object_id and self.row.kind not in GROUP_KINDS:
            return urlencode({"person": self.row.object_id})
        word = self.row.email or (self.row.name if self.row.kind not in GROUP_KINDS else "")
        return urlencode({"q": word}) if word else ""


def tell_lines(rows: Iterable[SyncChange]) -> list[Line]:
    """Return lines as the page of a run shows them."""
    return [tell_line(row) for row in rows]


def tell_line(row: SyncChange) -> Line:
    """Return one line as a page shows it."""
    outcome = Outcome(row.outcome)
    tone, icon = _BADGES[outcome]
    label = outcome.label
    if row.kind == ChangeKind.EMAIL and outcome is Outcome.APPLIED:
        tone, icon, label = "idle", "info", "Noted"
    was, now = _before_and_after(row)
    lead, because = reason_of(row)
    return Line(
        row,
        section_of(row.outcome, row.kind),
        row.name or row.email or row.group_name or row.object_id,
        _second_line(row),
        was,
        now,
        tone,
        icon,
        label,
        lead,
        because,
    )


def _second_line(row: SyncChange) -> str:
    if row.kind in GROUP_KINDS and not row.email:
        return "Group"
    return row.email or "No usable address"


def _before_and_after(row: SyncChange) -> tuple[str, str]:
    """Return what something was and what it is or would be now."""
    if not row.kind:
        return ("" if row.account_id is None else "Stays as it is"), ""
    kind = ChangeKind(row.kind)
    if kind in _STATUSES_OF_AN_ACCOUNT:
        return row.before or "No account", row.after
    if kind is ChangeKind.ADOPT:
        return f"Managed by {row.before}", row.after
    if kind is ChangeKind.GROUP_JOIN:
        return "Not a member", f"Member of {row.group_name}"
    if kind is ChangeKind.GROUP_LEAVE:
        return f"Member of {row.group_name}", "Not a member"
    return row.before or ("No group" if kind in GROUP_KINDS else ""), row.after


def reason_of(row: SyncChange) -> tuple[str, str]:
    """Return why a line is as it is: the word that leads, and sentences."""
    if row.outcome == Outcome.SKIPPED:
        return "", f"{row.because} {_mends(row)}".strip()
    parts = [part for part in row.because.split(" · ") if part]
    lead = ""
    if parts:
        first, _, rule = parts[0].partition(", rule: ")
        if first in _SITUATIONS:
            lead = first.capitalize()
            parts[0:1] = [f"rule: {rule}"] if rule else []
    return lead, " ".join(f"{part[:1].upper()}{part[1:]}".rstrip(".") + "." for part in parts)


_SITUATIONS = {situation.label for situation in Situation}


def _mends(row: SyncChange) -> str:
    if row.cause == SkipReason.ADDRESS_TAKEN:
        return (
            "Say under Held changes whether it is the same person."
            if row.question
            else "Created as soon as the address is free."
        )
    return _MENDS.get(SkipReason(row.cause), "") if row.cause in set(SkipReason) else ""
