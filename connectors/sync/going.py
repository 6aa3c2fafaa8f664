"""One run that is going on: from its first reading to the record it leaves, however it ends."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import DatabaseError, transaction
from django.db.models import F

from connectors.directory import (
    ConsentMissing,
    CredentialRejected,
    DirectoryError,
    GroupReading,
    Remedy,
    Snapshot,
    Throttled,
    Unavailable,
)
from connectors.entra import EntraDirectory
from connectors.models import Connector, PersonMark, SelectedGroup, SyncChange, SyncRun
from connectors.plan import Change, SyncPlan, plan_sync
from connectors.states import ChangeKind, ConnectorStatus, Outcome, RunState, RunTrigger
from connectors.sync import record
from connectors.sync.apply import CHUNK, Applier
from connectors.sync.lease import Lease, LeaseLost, SettingsMoved
from connectors.sync.load import Loaded, digest, load
from connectors.sync.reading import directory_of, read, second_look
from tenants import roster
from tenants.models import User
from tenants.states import ManagedBy

logger = logging.getLogger(__name__)

T = TypeVar("T")

PLANS_PER_RUN = 5
"""How often a run plans anew because people change the company under its hands, before it leaves it to the next."""

KEPT_CALLS = 20


class Overtaken(DirectoryError):
    """People acted faster than a run could plan: neither Microsoft's fault nor theirs."""

    remedy = Remedy.WAIT


_FOUNDING = frozenset({ChangeKind.GROUP_CREATE, ChangeKind.GROUP_TAKE_UP})
_ADDING = frozenset(
    {
        ChangeKind.RENAME,
        ChangeKind.EMAIL,
        ChangeKind.GROUP_RENAME,
        ChangeKind.GROUP_JOIN,
        ChangeKind.GROUP_LEAVE,
        ChangeKind.GROUP_HAND_BACK,
    }
)
"""Nothing else of a person or group stands on these; on a link or a status, everything does."""


class RosterMoved(Exception):
    """A person changed the company's roster since the plan was made: plan again."""


@dataclass(slots=True)
class Going:
    """Hold one run that is going on."""

    lease: Lease
    trigger: RunTrigger
    by: User | None
    by_label: str
    clock: Callable[[], datetime]
    row: SyncRun | None = None
    directory: EntraDirectory | None = None
    applier: Applier = field(init=False)
    started: datetime = field(init=False)
    revision: int = 0
    read_seconds: float = 0
    plan_seconds: float = 0
    applied: list[Change] = field(default_factory=list)
    failures: list[Change] = field(default_factory=list)
    stopped: set[int | str] = field(default_factory=set)
    total: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        connector = self.connector
        self.started = self.clock()
        self.applier = Applier(
            connector_id=connector.pk, tenant_id=connector.tenant_id, invites=connector.send_invitations
        )

    @property
    def connector(self) -> Connector:
        return self.lease.connector

    def go(self) -> None:
        connector = self.connector
        if self.trigger is not RunTrigger.SCHEDULE:
            with self._fenced():
                self._begin()
        self.directory = directory_of(connector, before_request=self.lease.renew)
        asked = time.monotonic()
        snapshot = read(connector, self.directory)
        self.read_seconds = time.monotonic() - asked
        if self._nothing_moved(snapshot):
            self._finish_quiet()
            return
        first_digest_of = snapshot
        looked: frozenset[str] = frozenset()
        group_looked = False
        for _ in range(PLANS_PER_RUN):
            began, read_before = time.monotonic(), self.read_seconds
            loaded = load(connector.pk, self.clock())
            self.applier.invites = loaded.invites
            if loaded.rules.direct_members_only != connector.direct_members_only:
                # It was read by another setting: a nested group that could not be read was passed over, or was not.
                connector.direct_members_only = loaded.rules.direct_members_only
                asked = time.monotonic()
                snapshot = first_digest_of = read(connector, self.directory)
                self.read_seconds += time.monotonic() - asked
                looked, group_looked = frozenset(), False
            plan = plan_sync(loaded.rules, snapshot, loaded.roster, loaded.limits)
            # A second look may ask for another: who was gone and is back may be missing from the group.
            while plan.second_look - looked or (plan.second_group_look and not group_looked):
                asked = time.monotonic()
                snapshot = second_look(connector, self.directory, snapshot, plan)
                self.read_seconds += time.monotonic() - asked
                looked |= plan.second_look
                group_looked = group_looked or plan.second_group_look
                plan = plan_sync(loaded.rules, snapshot, loaded.roster, loaded.limits)
            self.plan_seconds += time.monotonic() - began - (self.read_seconds - read_before)
            try:
                self._carry_out(plan, loaded, snapshot, first_digest_of)
            except (RosterMoved, SettingsMoved):
                continue
            return
        raise Overtaken(
            "People changed this company's accounts all the time while the run was planning. Nothing is lost: the next "
            "run goes on from here."
        )

    # Reading and the short cut

    def _nothing_moved(self, snapshot: Snapshot) -> bool:
        connector = self.connector
        if not connector.quiet_digest or connector.quiet_until is None or connector.quiet_until <= self.clock():
            return False
        return connector.quiet_digest == digest(
            snapshot,
            settings_revision=connector.settings_revision,
            revision=connector.company.roster_revision,
        )

    def _finish_quiet(self) -> None:
        now = self.clock()
        with transaction.atomic():
            if self.row is not None:
                self.lease.hold()
            last = self._quiet_record(now)
            self._release(now, last_record=last)

    def _quiet_record(self, now: datetime) -> int:
        """Record a run that did nothing: as a line of its own if somebody asked for it, else folded."""
        connector = self.connector
        values = {**self._asked(), "in_scope": connector.in_scope, "attention": connector.attention}
        if self.row is not None:
            self._close(self.row, now, RunState.SUCCEEDED, quiet=True, **values)
            return self.row.pk
        last = record.fold(connector, quiet=True, sentence="", requests=self._requests(), now=now)
        if last is not None:
            return last
        self.row = record.first_of_many(connector, quiet=True, started=self.started, now=now, **values)
        return self.row.pk

    # Applying

    def _carry_out(self, plan: SyncPlan, loaded: Loaded, snapshot: Snapshot, first: Snapshot) -> None:
        findings = record.findings_digest(plan)
        names = self._moved_names(snapshot)
        quiet = plan.quiet and not loaded.taken_back and not self.applied
        if quiet and findings == self.connector.findings_digest and not names:
            self._settle(plan, loaded, snapshot, first)
            return
        self.revision = loaded.revision
        self.total = len(self.applied) + len(plan.changes)
        chunks = chunks_of(plan.changes)
        for index, planned in enumerate(chunks):
            last = index == len(chunks) - 1
            chunk = [change for change in planned if not self._stands_on_a_failure(change)]
            self._chunk(chunk, plan, loaded, opening=index == 0, closing=names if last else None, snapshot=snapshot)

    def _settle(self, plan: SyncPlan, loaded: Loaded, snapshot: Snapshot, first: Snapshot) -> None:
        """Finish a run whose plan was empty, and remember for what directory it was.

        What the second look alone said is not remembered: the next run sees a first look, and must look twice as well.
        """
        quiet_digest = ""
        if first is snapshot or plan_sync(loaded.rules, first, loaded.roster, loaded.limits) == plan:
            quiet_digest = digest(first, settings_revision=loaded.settings_revision, revision=loaded.revision)
        now = self.clock()
        with self._fenced(loaded.settings_revision):
            self.connector.in_scope = plan.in_scope
            self.connector.attention = sorted(plan.attention)
            last = self._quiet_record(now)
            self._release(
                now,
                last_record=last,
                **_measured(plan, loaded),
                attention=sorted(plan.attention),
                **self._sync_group_name(snapshot),
                quiet_digest=quiet_digest,
                quiet_until=loaded.stable_until,
                **self._completed(snapshot),
            )

    @contextmanager
    def _fenced(self, settings_revision: int | None = None) -> Iterator[None]:
        """Open a writing transaction under the lease; raises LeaseLost, and SettingsMoved where a plan is carried out.

        The connector's row is locked ahead of the record's, as by everybody who takes a connector away.
        """
        row = self.row
        try:
            with transaction.atomic():
                if settings_revision is None:
                    self.lease.hold()
                else:
                    self.lease.fence(settings_revision)
                yield
        except BaseException:
            # A record that was begun in it went with it, whatever ended it: the time limit, too.
            self.row = row
            raise

    def _begin(self) -> None:
        self.row = record.start(self.connector, self.trigger, self.by, self.by_label, self.started)

    def _chunk(
        self,
        changes: Sequence[Change],
        plan: SyncPlan,
        loaded: Loaded,
        *,
        opening: bool,
        closing: list[SelectedGroup] | None,
        snapshot: Snapshot,
    ) -> None:
        """Commit one chunk with its record; where the database refuses it, one change after the other."""
        try:
            self._transaction(changes, plan, loaded, opening=opening, closing=closing, snapshot=snapshot)
        except (DatabaseError, roster.Stale, roster.LicencesShort):
            if not changes:
                raise
            if opening:
                self._transaction((), plan, loaded, opening=True, closing=None, snapshot=snapshot)
            for change in changes:
                if not self._stands_on_a_failure(change):
                    self._alone(change, plan, loaded, snapshot)
            if closing is not None:
                self._transaction((), plan, loaded, opening=False, closing=closing, snapshot=snapshot)

    def _alone(self, change: Change, plan: SyncPlan, loaded: Loaded, snapshot: Snapshot) -> None:
        try:
            self._transaction((change,), plan, loaded, opening=False, closing=None, snapshot=snapshot)
        except (DatabaseError, roster.Stale, roster.LicencesShort) as error:
            self._stop(change)
            logger.warning("A %s of run %s failed: %s", change.kind, self._row.pk, type(error).__name__)
            with self._fenced(loaded.settings_revision):
                line = record.line(self._row, change, Outcome.FAILED, self.clock(), account_id=change.account_id)
                line.cause = type(error).__name__[:20]
                line.because = f"{line.because} · {_failure_sentence(error)}"
                line.save()

    def _stop(self, change: Change) -> None:
        """Remember a failed change, and whose later changes in this run stood on it."""
        self.failures.append(change)
        if change.kind in _FOUNDING:
            self.stopped.add(change.directory_group_id)
        elif change.kind not in _ADDING:
            self.stopped |= {change.object_id} if change.account_id is None else {change.object_id, change.account_id}

    def _stands_on_a_failure(self, change: Change) -> bool:
        # Left out without a line: the next run plans it again, when what it stands on is there.
        return bool(self.stopped) and (
            change.object_id in self.stopped
            or change.account_id in self.stopped
            or change.directory_group_id in self.stopped
        )

    def _transaction(
        self,
        changes: Sequence[Change],
        plan: SyncPlan,
        loaded: Loaded,
        *,
        opening: bool,
        closing: list[SelectedGroup] | None,
        snapshot: Snapshot,
    ) -> None:
        try:
            with self._fenced(loaded.settings_revision):
                changed = self._write(changes, plan, loaded, opening=opening, closing=closing, snapshot=snapshot)
        except BaseException:
            self.applier.forget(changes)
            raise
        self.applied += changes
        self.counts += record.applied(changes)
        self.revision += changed

    def _write(
        self,
        changes: Sequence[Change],
        plan: SyncPlan,
        loaded: Loaded,
        *,
        opening: bool,
        closing: list[SelectedGroup] | None,
        snapshot: Snapshot,
    ) -> bool:
        now = self.clock()
        if self.row is None:
            self._begin()
        with roster.changing(self.connector.company_id) as ledger:
            if ledger.revision != self.revision:
                raise RosterMoved
            if opening:
                self._open(plan, loaded, ledger, now)
            self.applier.apply(ledger, changes, now)
        deciders = record.deciders_of(self.connector, changes)
        lines = [
            record.line(
                self._row,
                change,
                Outcome.APPLIED,
                now,
                account_id=self.applier.account_of(change),
                decided_by=deciders.get((change.object_id, change.kind), ""),
            )
            for change in changes
        ]
        SyncChange.objects.bulk_create(lines, batch_size=record.LINES_PER_STATEMENT)
        if closing is not None:
            self._finish(plan, loaded, snapshot, closing, changes, now)
        elif changes:
            SyncRun.objects.filter(pk=self._row.pk).update(
                phase="applying",
                done=len(self.applied) + len(changes),
                total=self.total,
                # However the run ends: what it did until then can be told, and put right.
                counts=self.counts + record.applied(changes),
            )
        return ledger.changed

    def _open(self, plan: SyncPlan, loaded: Loaded, ledger: roster.Ledger, now: datetime) -> None:
        """Write first what must not be lost if the run dies: who is held, and what people vouched for."""
        PersonMark.objects.bulk_create(
            [
                PersonMark(
                    connector=self.connector,
                    object_id=mark.object_id,
                    kind=mark.kind,
                    value=mark.value,
                    other=mark.other,
                    since=now,
                )
                for mark in sorted(plan.marks_set)
            ],
            batch_size=record.LINES_PER_STATEMENT,
            update_conflicts=True,
            unique_fields=["connector", "object_id", "kind", "value"],
            update_fields=["other"],
        )
        if plan.bars_ended:
            ledger.unbar(plan.bars_ended)
        if plan.vouched_seen:
            ledger.clear_vouched(plan.vouched_seen)
        if loaded.taken_back:
            ledger.manage(loaded.taken_back, ManagedBy.AZURE_AD)

    def _finish(
        self,
        plan: SyncPlan,
        loaded: Loaded,
        snapshot: Snapshot,
        names: list[SelectedGroup],
        changes: Sequence[Change],
        now: datetime,
    ) -> None:
        connector, row = self.connector, self._row
        applied = [*self.applied, *changes]
        ended = {
            change.account_id
            for change in applied
            if change.kind in (ChangeKind.CONVERT, ChangeKind.WITHDRAW) and change.account_id is not None
        }
        failed = {change.account_id for change in self.failures if change.account_id is not None}
        self.applier.note(plan.notes, ended | failed)
        # A hold that only changed its cause ended and began in one row, which has been updated.
        stays = {(mark.object_id, mark.kind, mark.value) for mark in plan.marks_set}
        # What was decided about somebody is used up by the change, not by a try that failed.
        undone = {change.object_id for change in self.failures}
        if self.stopped:
            undone |= {change.object_id for change in plan.changes if self._stands_on_a_failure(change)}
        ended_marks = [
            mark
            for mark in plan.marks_ended
            if mark.object_id not in undone and (mark.object_id, mark.kind, mark.value) not in stays
        ]
        for ids in chunks_of([loaded.mark_ids[mark] for mark in ended_marks if mark in loaded.mark_ids]):
            PersonMark.objects.filter(pk__in=ids).delete()
        SelectedGroup.objects.bulk_update(names, ["name", "sentence"], batch_size=CHUNK)
        findings = record.findings_digest(plan)
        values: dict[str, object] = {}
        if findings != connector.findings_digest:
            record.save_findings(row, plan, now)
            values = {"findings_digest": findings, "findings": row.pk if findings else None}
        counts = record.tally(applied, self.failures, plan)
        self._close(
            row,
            now,
            RunState.SUCCEEDED,
            **self._asked(),
            in_scope=plan.in_scope,
            counts=counts,
            attention=sorted(plan.attention),
            done=len(applied),
            total=self.total,
        )
        if applied:
            record.tell(connector, row, counts)
        self._release(
            now,
            last_record=row.pk,
            **_measured(plan, loaded),
            attention=sorted(plan.attention),
            quiet_digest="",
            quiet_until=None,
            **values,
            **self._sync_group_name(snapshot),
            **self._completed(snapshot),
        )

    def _moved_names(self, snapshot: Snapshot) -> list[SelectedGroup]:
        """Return the selected groups, unsaved, whose name or readability is not as it was; [] where all is."""
        moved = []
        for selected, reading in self._selected(snapshot).items():
            name = reading.name[:256] if reading.complete else selected.name
            if (selected.name, selected.sentence) != (name, reading.sentence):
                selected.name, selected.sentence = name, reading.sentence
                moved.append(selected)
        return moved

    def _selected(self, snapshot: Snapshot) -> dict[SelectedGroup, GroupReading]:
        readings = {reading.id: reading for reading in snapshot.additional}
        return {
            selected: readings[selected.directory_id]
            for selected in self.connector.selected_groups.all()
            if selected.directory_id in readings
        }

    # Ends

    @property
    def _row(self) -> SyncRun:
        if self.row is None:
            raise RuntimeError("A run applies nothing before it has a record.")
        return self.row

    def _sync_group_name(self, snapshot: Snapshot) -> dict[str, object]:
        return {"sync_group_name": snapshot.sync_group.name[:256]} if snapshot.sync_group.complete else {}

    def _completed(self, snapshot: Snapshot) -> dict[str, object]:
        # A run that could not read the group has not met its people yet: the next one may still be the first.
        return {"completed_runs": F("completed_runs") + 1} if snapshot.sync_group.complete else {}

    def _release(self, now: datetime, *, last_record: int, **values: object) -> None:
        connector = self.connector
        if connector.status != ConnectorStatus.CONNECTED:
            values |= {"status": ConnectorStatus.CONNECTED, "status_since": now}
        self.lease.release(
            last_record=last_record,
            last_run_at=now,
            last_success_at=now,
            status_sentence="",
            status_reference="",
            unreachable_since=None,
            throttled_until=None,
            failure="",
            **values,
        )

    def _close(self, row: SyncRun, now: datetime, state: RunState, **values: object) -> bool:
        """End a record that is going on; return whether it is there and was."""
        closed = SyncRun.objects.filter(pk=row.pk, state=RunState.RUNNING).update(
            state=state, finished_at=now, phase="", **values
        )
        return bool(closed)

    def _requests(self) -> int:
        return self.directory.requests if self.directory is not None else 0

    def _asked(self) -> dict[str, Any]:
        """Return what a record says of the requests to Microsoft, the latest first, and of the time it took."""
        log = self.directory.log if self.directory is not None else ()
        return {
            "requests": self._requests(),
            "calls": [record.call(entry) for entry in islice(reversed(log), KEPT_CALLS)],
            "read_seconds": round(self.read_seconds, 3),
            "plan_seconds": round(self.plan_seconds, 3),
        }

    def failed(self, error: DirectoryError, *, attention: str = "") -> None:
        """Record that the directory could not be asked, and what that says of the connector."""
        now = self.clock()
        connector = self.connector
        values: dict[str, object] = {"last_run_at": now, "failure": "", "unreachable_since": None}
        if isinstance(error, CredentialRejected | ConsentMissing):
            values["failure"] = attention
        elif isinstance(error, Throttled):
            values["throttled_until"] = error.until
        elif isinstance(error, Unavailable):
            values["unreachable_since"] = connector.unreachable_since or now
        else:
            values["failure"] = error.sentence
        try:
            with self._fenced():
                last = self._failed_record(now, self._so_far(error.sentence), error.reference)
                self.lease.release(last_record=last, **values)
                if isinstance(error, CredentialRejected | ConsentMissing):
                    Connector.objects.filter(
                        pk=connector.pk,
                        generation=connector.generation,
                        status__in=[ConnectorStatus.WAITING, ConnectorStatus.CONNECTED],
                    ).update(
                        status=ConnectorStatus.UNAUTHORIZED,
                        status_since=now,
                        status_sentence=error.sentence,
                        status_reference=error.reference[:300],
                    )
        except LeaseLost:
            self.lost()

    def _failed_record(self, now: datetime, sentence: str, reference: str) -> int:
        connector = self.connector
        if self.row is not None and self._close(
            self.row,
            now,
            RunState.FAILED,
            sentence=sentence,
            reference=reference[:300],
            **self._asked(),
        ):
            self._tell()
            return self.row.pk
        last = record.fold(connector, quiet=False, sentence=sentence, requests=self._requests(), now=now)
        if last is not None:
            return last
        self.row = record.first_of_many(
            connector,
            quiet=False,
            started=self.started,
            now=now,
            sentence=sentence,
            reference=reference[:300],
            **self._asked(),
        )
        return self.row.pk

    def close(self) -> None:
        """Close the connections to the directory."""
        if self.directory is not None:
            self.directory.close()

    def lost(self) -> None:
        """Record that the connector was taken away in the middle; whole chunks stay, nothing half."""
        if self.row is not None:
            with transaction.atomic():
                if self._close(
                    self.row,
                    self.clock(),
                    RunState.ABANDONED,
                    sentence="The connector was removed or changed while this run was going on. What was done is"
                    " complete.",
                    requests=self._requests(),
                ):
                    self._tell()

    def _tell(self) -> None:
        """Write down what a run did that ends before its end."""
        if self.counts:
            record.tell(self.connector, self._row, self.counts)

    def _so_far(self, sentence: str) -> str:
        """Return the sentence of a failure, true also of a run that has changed something by then."""
        if not self.counts:
            return sentence
        return f"{sentence.replace('Nothing was', 'Nothing more was')} Before that: {record.told(self.counts)}."

    def broken(self) -> None:
        """Record a fault of our own, or the end of the time limit, and give the lease back."""
        sentence = (
            "This run was ended by a fault in the portal or by its time limit. What was done is complete; "
            "the next run goes on. If it stays so, tell the operator of the portal."
        )
        now = self.clock()
        try:
            with self._fenced():
                last = self._failed_record(now, sentence, "")
                self.lease.release(last_record=last, last_run_at=now, failure=sentence)
        except LeaseLost:
            self.lost()


def _measured(plan: SyncPlan, loaded: Loaded) -> dict[str, int]:
    owned = sum(account.link is not None for account in loaded.roster.accounts)
    return {"in_scope": plan.in_scope, "people": max(plan.in_scope, owned)}


def _failure_sentence(error: Exception) -> str:
    if isinstance(error, roster.LicencesShort):
        return "There was no licence left when it came to this change; the next run tries again."
    if isinstance(error, roster.Stale):
        return "The account was not as planned any more; the next run looks again."
    return "The database refused it; the next run tries again, and the others were not stopped."


def chunks_of(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)] or [items[:0]]
