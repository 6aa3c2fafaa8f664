"""What is true of every plan, whatever the world: the promises of the planner, and its agreement with the oracle.

Drawing a world costs more than planning it, so each world is shown to every promise: a traceback names the broken
one. `TESTS=long` searches fifty times as long, at random; otherwise the search is the same every time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.directory import GroupReading, GroupState, Person, Snapshot
from connectors.plan import plan_sync
from connectors.plan.values import SyncPlan
from connectors.states import DESTRUCTIVE, GROWTH, ChangeKind, HoldCause, MarkKind, SkipReason
from tenants.states import AccountStatus, Hand, PendingReason
from tests.conftest import LONG
from tests.connectors.scenes import Scene, applied, end_of, reversed_scene
from tests.connectors.strategies import PEOPLE, scenes
from tests.oracle import Decision, DirectoryGroup, differences, expected_after

_STANDING = (AccountStatus.ACTIVE, AccountStatus.PENDING)
_PLACE = {
    AccountStatus.ACTIVE: 0,
    AccountStatus.PENDING: 0,
    AccountStatus.DISABLED: 1,
    AccountStatus.PERSONAL: 2,
    AccountStatus.DELETED: 3,
}


def _search(examples: int) -> settings:
    return settings(
        max_examples=examples * 50 if LONG else examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def plan(scene: Scene) -> SyncPlan:
    return plan_sync(scene.rules, scene.snapshot, scene.roster, scene.limits)


@_search(400)
@given(scenes())
def test_every_plan_leads_where_the_oracle_says_and_is_empty_afterwards(scene: Scene) -> None:
    planned = plan(scene)
    expected = expected_after(scene.company, scene.connector, scene.directory)
    assert differences(expected, end_of(scene, planned)) == []
    _is_empty_right_after(scene, planned)
    _keeps_every_promise(scene, planned)


@_search(100)
@given(scenes(twins=True))
def test_every_plan_keeps_its_promises_in_worlds_that_hardly_happen(scene: Scene) -> None:
    _keeps_every_promise(scene, plan(scene))


@_search(70)
@given(scenes(), st.data())
def test_whatever_of_the_held_changes_a_person_approves_is_applied_or_said(scene: Scene, data: st.DataObject) -> None:
    held = [one.change for one in plan(scene).held if one.cause is not HoldCause.ADMIN]
    chosen = data.draw(st.sets(st.sampled_from(held))) if held else set()
    memory = scene.connector.memory | {
        Decision(change.object_id, MarkKind.APPROVED, change.kind.value) for change in chosen
    }
    approving = replace(scene, connector=replace(scene.connector, memory=memory))
    planned = plan(approving)
    expected = expected_after(approving.company, approving.connector, approving.directory)
    assert differences(expected, end_of(approving, planned)) == []
    _keeps_every_promise(approving, planned)


@_search(70)
@given(scenes(), st.sampled_from(["lost", "hidden"]))
def test_a_failed_read_of_the_sync_group_only_lets_the_disabled_and_the_deleted_go(scene: Scene, group: str) -> None:
    scene.directory.groups["hidden"] = DirectoryGroup("Hidden", set(PEOPLE), readable=False)
    scene = replace(scene, connector=replace(scene.connector, sync_group=group))
    for change in plan(scene).changes:
        person = scene.directory.people.get(change.object_id)
        assert change.kind in DESTRUCTIVE
        assert person is None or not person.enabled


def test_an_incomplete_snapshot_cannot_be_made() -> None:
    members = GroupReading("g", GroupState.COMPLETE, members={"a": ""})
    nobody = GroupReading("g", GroupState.COMPLETE)
    ann = Person("a", True, False, "Ann", "", "", "ann@firm.example", "ann@firm.example")
    with pytest.raises(ValueError, match="member of the sync group was not read"):
        Snapshot("t", members, {})
    with pytest.raises(ValueError, match="neither read nor gone"):
        Snapshot("t", nobody, {}, asked=frozenset({"a"}))
    with pytest.raises(ValueError, match="never looked up"):
        Snapshot("t", nobody, {}, gone=frozenset({"a"}))
    with pytest.raises(ValueError, match="both read and gone"):
        Snapshot("t", nobody, {"a": ann}, asked=frozenset({"a"}), gone=frozenset({"a"}))
    with pytest.raises(ValueError, match="both read and unread"):
        Snapshot("t", nobody, {"a": ann}, unread={"a": "Its record is incomplete."})
    with pytest.raises(ValueError, match="has no members"):
        GroupReading("g", GroupState.UNREADABLE, members={"a": ""})


# The promises


def _keeps_every_promise(scene: Scene, planned: SyncPlan) -> None:
    for promise in _PROMISES:
        promise(scene, planned)


def _is_empty_right_after(scene: Scene, planned: SyncPlan) -> None:
    """Planning right after applying finds nothing to do.

    But where the last administrators were spared: one who became Active meanwhile lets them go, a run later.
    """
    for _ in range(4):
        spared = any(skipped.reason is SkipReason.SPARED for skipped in planned.skipped)
        scene = applied(scene, planned)
        planned = plan(scene)
        if not spared:
            break
    assert planned.changes == ()
    assert planned.quiet


def _does_not_depend_on_order(scene: Scene, planned: SyncPlan) -> None:
    assert plan(reversed_scene(scene)) == planned


def _is_valid_in_every_prefix(scene: Scene, planned: SyncPlan) -> None:
    """Addresses, identities and licences hold after each change: `applied` looks after each."""
    applied(scene, planned)


def _changes_only_what_is_linked(scene: Scene, planned: SyncPlan) -> None:
    may_change = {one.id for one in scene.company.accounts if one.link == scene.connector.name}
    for change in planned.changes:
        if change.kind in (ChangeKind.ADOPT, ChangeKind.RELINK):
            assert change.account_id is not None
            may_change.add(change.account_id)
        elif change.account_id is not None and not change.kind.startswith("group_"):
            assert change.account_id in may_change


def _moves_left_only_who_returned(scene: Scene, planned: SyncPlan) -> None:
    before = {one.id: one for one in scene.company.accounts}
    for one in applied(scene, planned).company.accounts:
        was = before.get(one.id)
        if was is not None and _PLACE[one.status] < _PLACE[was.status]:
            assert one.object_id in scene.snapshot.sync_group.members
            assert scene.directory.people[one.object_id].enabled
            assert Hand.CONNECTOR in (was.disabled_by, was.deleted_by)
            assert was.deleted_by is not Hand.PERSON
            if was.disabled_by is Hand.PERSON:
                assert one.status is AccountStatus.DISABLED


def _tells_of_every_situation(scene: Scene, planned: SyncPlan) -> None:
    """Whoever is leaving, and whoever is to have an account, is applied, held or skipped."""
    told = {change.object_id for change in planned.changes} | {one.object_id for one in planned.skipped}
    told |= {one.change.object_id for one in planned.held}
    snapshot = scene.snapshot
    in_scope = snapshot.sync_group.members.keys() - {one.object_id for one in planned.left_out}
    found = in_scope - {one.object_id for one in scene.company.accounts}
    relinked = {change.account_id for change in planned.changes if change.kind is ChangeKind.RELINK}
    for one in scene.company.accounts:
        if one.id in relinked:
            continue
        standing = one.link == scene.connector.name and one.status in _STANDING
        person = snapshot.people.get(one.object_id)
        removed = snapshot.sync_group.complete and one.object_id not in in_scope
        if standing and (person is None or not person.enabled or removed):
            found.add(one.object_id)
    assert found - told == set()


def _stays_below_the_brake(scene: Scene, planned: SyncPlan) -> None:
    mine = scene.connector
    linked = [one for one in scene.company.accounts if one.link == mine.name]
    there = {one.object_id for one in linked if one.status in _STANDING}
    gone = {one.object_id for one in planned.changes if one.kind in DESTRUCTIVE and not one.approved}
    new = {one.object_id for one in planned.changes if one.kind in GROWTH and not one.approved}
    if gone:
        assert not mine.brake.stops(len(gone | mine.destroyed), len(there | mine.destroyed))
    if new and not mine.first_run:
        assert not mine.brake.stops_growth(len(new | mine.grown), len(there))


def _never_exceeds_the_licences(scene: Scene, planned: SyncPlan) -> None:
    licences, after = scene.company.licences, applied(scene, planned).company.active
    activating = [
        change
        for change in planned.changes
        if change.status is AccountStatus.ACTIVE
        and change.kind in (ChangeKind.CREATE, ChangeKind.ENABLE, ChangeKind.ACTIVATE, ChangeKind.RESTORE)
    ]
    if licences is not None and after > licences:
        assert after <= scene.company.active
        assert activating == []


def _spends_approvals_only_as_given(scene: Scene, planned: SyncPlan) -> None:
    memory = scene.connector.memory
    approvals = {(one.object_id, one.value) for one in memory if one.kind is MarkKind.APPROVED}
    for change in planned.changes:
        # An approved creation that finds no licence left is created pending: what was approved, as far as it goes.
        short = change.kind is ChangeKind.CREATE_PENDING and change.pending_reason is PendingReason.LICENCE
        approved = ChangeKind.CREATE if short else change.kind
        assert not change.approved or (change.object_id, approved.value) in approvals


def _tells_nothing_twice(scene: Scene, planned: SyncPlan) -> None:
    held = Counter(one.change.object_id for one in planned.held)
    lines = Counter((one.object_id, one.reason, one.situation) for one in planned.skipped)
    assert [line for line, times in [*held.items(), *lines.items()] if times > 1] == []


def _looks_twice_at_whoever_loses(scene: Scene, planned: SyncPlan) -> None:
    """Everybody about to lose something is asked to be looked at again, and the group where that is the reason."""
    losing = {change.object_id for change in planned.changes if change.kind in DESTRUCTIVE}
    assert losing <= planned.second_look


_PROMISES: tuple[Callable[[Scene, SyncPlan], None], ...] = (
    _does_not_depend_on_order,
    _is_valid_in_every_prefix,
    _changes_only_what_is_linked,
    _moves_left_only_who_returned,
    _tells_of_every_situation,
    _stays_below_the_brake,
    _never_exceeds_the_licences,
    _spends_approvals_only_as_given,
    _tells_nothing_twice,
    _looks_twice_at_whoever_loses,
)
