"""Mistakes in running: the lease, the looks, the chunks and their record, and the short cut."""

from __future__ import annotations

from tests.mistakes.row import Mistake, Patch, mistake

GOING_PY = "connectors/sync/going.py"
LEASE_PY = "connectors/sync/lease.py"
LOAD_PY = "connectors/sync/load.py"
RUN_PY = "connectors/sync/run.py"
APPLY_PY = "connectors/sync/apply.py"

TRAPS = ("tests/connectors/test_sync_traps.py",)
_RUN = "tests/connectors/test_sync_run.py"
_LEASE = "tests/connectors/test_sync_lease.py"
_INTERRUPTED = "tests/connectors/test_sync_interrupted.py"
_DISTURBED = "tests/connectors/test_sync_disturbed.py"
_SHORT_CUT = "tests/connectors/test_sync_shortcut.py"
_DIGEST = (
    f"{_SHORT_CUT}::test_a_digest_tells_every_detail_apart",
    f"{_SHORT_CUT}::test_a_digest_tells_who_could_not_be_read_from_who_is_gone",
)

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        14,
        "a run looks once",
        GOING_PY,
        "            while plan.second_look - looked or (plan.second_group_look and not group_looked):\n",
        "            while False:\n",
        TRAPS,
    ),
    mistake(
        14,
        "a run does not look again at what the second look showed",
        GOING_PY,
        "            while plan.second_look - looked or (plan.second_group_look and not group_looked):\n",
        "            while plan.second_look and not looked:\n",
        TRAPS,
    ),
    mistake(
        14,
        "a preview looks once",
        RUN_PY,
        "        while plan.second_look - looked or (plan.second_group_look and not group_looked):\n",
        "        while False:\n",
        TRAPS,
    ),
    mistake(
        14,
        "the second look does not read the group",
        "connectors/sync/reading.py",
        "        removed=plan.second_group_look,\n",
        "        removed=False,\n",
        TRAPS,
    ),
    mistake(
        22,
        "a run that could not read the group counts as the first",
        GOING_PY,
        '        return {"completed_runs": F("completed_runs") + 1} if snapshot.sync_group.complete else {}\n',
        '        return {"completed_runs": F("completed_runs") + 1}\n',
        TRAPS,
    ),
    Mistake(
        24,
        "a connector that Microsoft refuses goes on asking",
        (
            Patch(
                LEASE_PY,
                "    if connector.status == ConnectorStatus.UNAUTHORIZED:\n",
                "    if False:\n",
            ),
            Patch(
                LEASE_PY,
                "RUNNABLE = frozenset({ConnectorStatus.WAITING, ",
                "RUNNABLE = frozenset({ConnectorStatus.UNAUTHORIZED, ConnectorStatus.WAITING, ",
            ),
        ),
        (*TRAPS, _RUN),
    ),
    mistake(
        24,
        "a refusal leaves the connector connected",
        GOING_PY,
        "status=ConnectorStatus.UNAUTHORIZED,\n",
        "\n",
        (*TRAPS, _RUN),
    ),
    mistake(
        28,
        "a new address in the directory becomes the account's",
        APPLY_PY,
        "        # The account's address never changes: only the link remembers what the directory says now.\n",
        "        for change in changes:\n"
        "            Account.objects.filter(pk=change.account_id).update(email=change.after)\n",
        TRAPS,
    ),
    mistake(
        0,
        "the lease is not taken",
        LEASE_PY,
        '            "lease_token": token,\n',
        "",
        (f"{_LEASE}::test_a_free_connector_is_taken_for_ninety_seconds",),
    ),
    Mistake(
        0,
        "the lease is taken from whoever holds it",
        (
            Patch(LEASE_PY, "            free,\n            pk=connector_id,\n", "            pk=connector_id,\n"),
            Patch(LEASE_PY, "        if connector.lease_token and connector.lease_until and", "        if False and"),
        ),
        (f"{_LEASE}::test_a_schedule_that_meets_a_run_leaves_no_flag",),
    ),
    mistake(
        0,
        "between looking and taking nobody is expected",
        LEASE_PY,
        "            free,\n            pk=connector_id,\n",
        "            pk=connector_id,\n",
        (f"{_LEASE}::test_real_processes_never_hold_it_at_once",),
    ),
    mistake(
        0,
        "the run of a dead lease is not called abandoned",
        LEASE_PY,
        "                if taken:\n                    abandon(connector, now)\n",
        "",
        (f"{_LEASE}::test_a_dead_lease_is_taken_over_and_its_run_called_abandoned",),
    ),
    mistake(
        0,
        "the reconciler frees a lease and leaves its run running",
        LEASE_PY,
        "                abandon(connector, now)\n                freed += 1\n",
        "                freed += 1\n",
        (f"{_LEASE}::test_a_run_that_died_before_it_had_a_row_gets_one",),
    ),
    mistake(
        0,
        "a living lease is called dead",
        LEASE_PY,
        '    dead = list(Connector.objects.filter(~Q(lease_token=""), lease_until__lt=now))\n',
        '    dead = list(Connector.objects.filter(~Q(lease_token=""), lease_until__lt=now + LEASE))\n'
        "    now += LEASE\n",
        (f"{_LEASE}::test_a_living_lease_is_not_abandoned",),
    ),
    mistake(
        0,
        "what is written is not fenced",
        GOING_PY,
        "self.lease.fence(settings_revision)\n",
        "pass\n",
        (
            f"{_INTERRUPTED}::test_a_connector_taken_away_between_two_transactions_is_written_to_no_more",
            "tests/connectors/test_decisions.py::test_a_decision_during_a_run_is_noticed_by_it",
        ),
    ),
    mistake(
        0,
        "the fence lets every token through",
        LEASE_PY,
        "        held = Connector.objects.filter(self._mine(), settings_revision=settings_revision)\n",
        "        held = Connector.objects.filter(pk=self.connector.pk, settings_revision=settings_revision)\n",
        (f"{_LEASE}::test_every_write_of_a_lost_lease_is_refused",),
    ),
    mistake(
        0,
        "a decision made during a run is overlooked",
        LEASE_PY,
        "        held = Connector.objects.filter(self._mine(), settings_revision=settings_revision)\n",
        "        held = Connector.objects.filter(self._mine())\n",
        ("tests/connectors/test_decisions.py::test_a_decision_during_a_run_is_noticed_by_it",),
    ),
    mistake(
        0,
        "what people do to the roster during a run is overlooked",
        GOING_PY,
        "if ledger.revision != self.revision:\n",
        "if False:\n",
        (f"{_RUN}::test_a_person_who_acts_between_reading_and_writing_is_planned_with",),
    ),
    mistake(
        0,
        "a lease that is not held any more is given back",
        LEASE_PY,
        "        row = Connector.objects.filter(self._mine())\n        if not row",
        "        row = Connector.objects.filter(pk=self.connector.pk)\n        if not row",
        (f"{_LEASE}::test_every_write_of_a_lost_lease_is_refused",),
    ),
    mistake(
        0,
        "a renewed lease is anybody's",
        LEASE_PY,
        "            if not Connector.objects.filter(self._mine()).update(lease_until=self.clock() + LEASE):\n",
        "            if not Connector.objects.filter(pk=self.connector.pk).update(lease_until=self.clock() + LEASE):\n",
        (f"{_LEASE}::test_renewing_notices_a_revoked_lease",),
    ),
    mistake(
        0,
        "an old refusal undoes a new verification",
        GOING_PY,
        "                    generation=connector.generation,\n",
        "",
        (f"{_RUN}::test_an_old_run_cannot_undo_a_new_verification",),
    ),
    mistake(
        0,
        "a wait that Microsoft asks for is forgotten",
        GOING_PY,
        '            values["throttled_until"] = error.until\n',
        "            pass\n",
        (f"{_RUN}::test_a_long_throttle_frees_the_worker_and_keeps_status_and_place",),
    ),
    mistake(
        0,
        "a connector is unreachable since the last failure",
        GOING_PY,
        "connector.unreachable_since or now",
        "now",
        (f"{_RUN}::test_unreachable_since_is_the_first_failure",),
    ),
    mistake(
        0,
        "a run that breaks off keeps its lease",
        RUN_PY,
        "        going.broken()\n        raise\n",
        "        raise\n",
        (f"{_INTERRUPTED}::test_a_run_that_breaks_off_gives_its_lease_back_and_says_so",),
    ),
    mistake(
        0,
        "a record is remembered whose transaction was rolled back",
        GOING_PY,
        "            self.row = row\n            raise\n",
        "            raise\n",
        (f"{_RUN}::test_a_person_who_acts_between_reading_and_writing_is_planned_with",),
    ),
    mistake(
        0,
        "marks are written after the changes",
        GOING_PY,
        "            if opening:\n                self._open(",
        "            if closing is not None:\n                self._open(",
        (f"{_INTERRUPTED}::test_who_is_held_is_remembered_before_anything_is_done",),
    ),
    Mistake(
        0,
        "a chunk is committed before its record is written",
        (
            Patch(
                GOING_PY,
                "        SyncChange.objects.bulk_create(lines, batch_size=record",
                "        len(lines) if True else dict(batch_size=record",
            ),
            Patch(
                GOING_PY,
                "        self.applied += changes\n",
                "        at = self.clock()\n"
                "        for one in changes:\n"
                "            account_id = self.applier.account_of(one)\n"
                "            record.line(self._row, one, Outcome.APPLIED, at, account_id=account_id).save()\n"
                "        self.applied += changes\n",
            ),
        ),
        (f"{_INTERRUPTED}::test_a_change_is_never_without_its_record",),
    ),
    mistake(
        0,
        "an account is created in one chunk, all links at the end",
        APPLY_PY,
        "        AccountLink.objects.bulk_create(\n            [\n                AccountLink(\n"
        "                    connector_id=self.connector_id,\n"
        "                    account_id=self.accounts[change.object_id],\n",
        "        [].extend(\n            [\n                AccountLink(\n"
        "                    connector_id=self.connector_id,\n"
        "                    account_id=self.accounts[change.object_id],\n",
        (f"{_RUN}::test_the_first_run_creates_everybody_links_them_and_connects",),
    ),
    mistake(
        0,
        "one bad record stops the others",
        GOING_PY,
        "            if not changes:\n                raise\n",
        "            raise\n",
        (f"{_RUN}::test_one_bad_record_never_stops_the_others",),
    ),
    mistake(
        0,
        "a request during a run is forgotten",
        LEASE_PY,
        "            if waiting.update(run_again=trigger, run_again_by=by) or connector.run_again:\n",
        "            if waiting.exists() or connector.run_again:\n",
        (f"{_RUN}::test_a_request_during_a_run_asks_for_one_more",),
    ),
    *(
        mistake(
            0,
            f"the digest of a quiet run leaves out {what}",
            LOAD_PY,
            before,
            after,
            _DIGEST,
        )
        for what, before, after in (
            (
                "settings and rules",
                "    add(PLANNER_VERSION, settings_revision, revision,",
                "    add(PLANNER_VERSION, revision,",
            ),
            (
                "the roster",
                "    add(PLANNER_VERSION, settings_revision, revision,",
                "    add(PLANNER_VERSION, settings_revision,",
            ),
            ("who could not be read", "    add(*sorted(snapshot.unread.items()))\n", ""),
            ("who is gone", "    add(*sorted(snapshot.gone))\n", ""),
            (
                "the state of a group",
                "        add(group.id, group.state, group.name,",
                "        add(group.id, group.name,",
            ),
            (
                "the nested group a member came through",
                "            add(object_id, members[object_id])\n",
                "            add(object_id)\n",
            ),
            ("who is a guest", "            person.guest,\n", ""),
        )
    ),
    mistake(
        0,
        "a quiet run stays quiet whatever time passes",
        GOING_PY,
        " or connector.quiet_until is None or connector.quiet_until <= self.clock():\n",
        ":\n",
        (f"{_SHORT_CUT}::test_the_short_cut_ends_when_time_alone_changes_the_plan",),
    ),
    mistake(
        0,
        "a quiet run is planned in full each time",
        GOING_PY,
        "quiet_digest = digest(first, settings_revision",
        'quiet_digest = "" and digest(first, settings_revision',
        (f"{_RUN}::test_a_quiet_run_costs_the_same_few_queries_for_few_and_many",),
    ),
    mistake(
        14,
        "what only the second look said is remembered as the first",
        GOING_PY,
        "        if first is snapshot or plan_sync(loaded.rules, first, loaded.roster, loaded.limits) == plan:\n",
        "        if True:\n",
        (f"{_SHORT_CUT}::test_who_was_there_at_the_second_look_alone_is_looked_for_again",),
    ),
    mistake(
        0,
        "a run counts what it did at its end alone",
        GOING_PY,
        "                counts=self.counts + record.applied(changes),\n",
        "",
        (f"{_DISTURBED}::test_what_a_run_did_until_it_was_paused_is_told_and_can_be_put_right",),
    ),
    mistake(
        0,
        "a run that fails half-way says that nothing was changed",
        GOING_PY,
        "        if not self.counts:\n            return sentence\n",
        "        return sentence\n",
        (f"{_DISTURBED}::test_a_run_that_fails_after_it_changed_something_says_so",),
    ),
    mistake(
        0,
        "a run that ended in the future holds up the schedule",
        "connectors/schedule/tasks.py",
        "last_run_at__gte=due, last_run_at__lte=timezone.now())",
        "last_run_at__gte=due)",
        ("tests/connectors/test_schedule.py::test_a_run_that_ended_in_the_future_by_a_wrong_clock_holds_up_no_other",),
    ),
    mistake(
        0,
        "the time for a run is that of the people in scope",
        GOING_PY,
        '"people": max(plan.in_scope, owned)}',
        '"people": plan.in_scope}',
        (f"{_RUN}::test_the_time_for_a_run_is_that_of_everybody_it_may_have_to_ask_about",),
    ),
)
