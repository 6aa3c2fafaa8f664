"""What a naive client would do with what it read: the traps that only planner and shell can fall into, by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.directory import GroupReading, GroupState, Person, Snapshot
from connectors.models import AccountLink, Connector, PersonMark, SyncChange
from connectors.plan import AccountFacts, Limits, Link, Mark, Roster, Rules, SyncPlan, plan_sync
from connectors.states import Action, ConnectorStatus, MarkKind, Situation
from connectors.sync import preview
from tenants.models import Account
from tenants.states import AccountStatus, Hand, ManagedBy
from tests.entra_emulator import Emulator
from tests.stage import Stage

BY_ID = "/users/|\\$batch"
"""Where people are looked up one by one."""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    """Return a company of three that has been synchronised, with Ada and Grace in a mirrored group."""
    stage = Stage(emulator, "Ada Lovelace", "Grace Hopper", "Alan Turing", additional=["Engineers"])
    for name in ("ada", "grace"):
        stage.tenant.add_member(stage.groups["Engineers"].id, stage.people[name].id)
    stage.run()
    stage.clock.advance(minutes=5)
    assert (stage.statuses(), stage.members()) == (EVERYBODY, {"Engineers": {"ada", "grace"}})
    return stage


EVERYBODY = {"ada": "active", "grace": "active", "alan": "active"}


def attention(stage: Stage) -> list[str]:
    return list(stage.refreshed().attention)


def findings(stage: Stage) -> list[tuple[str, str, str]]:
    """Return what the connector's page lists: (outcome, kind, cause or reason)."""
    return list(
        SyncChange.objects.filter(run=stage.refreshed().findings).values_list("outcome", "kind", "cause").order_by("pk")
    )


# 14: what was read once may be old


def missing_from_the_first_listing(stage: Stage) -> None:
    group, alan = stage.group.id, stage.people["alan"].id
    stage.emulator.faults.add(path=f"{group}/members", nth=1, call=lambda: stage.tenant.remove_member(group, alan))
    stage.emulator.faults.add(path=f"{group}/members", nth=2, call=lambda: stage.tenant.add_member(group, alan))


def disabled_in_the_first_listing(stage: Stage) -> None:
    alan = stage.people["alan"].id
    stage.emulator.faults.add(path=f"{stage.group.id}/members", call=lambda: stage.tenant.disable_user(alan))
    stage.emulator.faults.add(path=BY_ID, call=lambda: stage.tenant.enable_user(alan))


def not_found_at_first(stage: Stage) -> None:
    alan = stage.people["alan"].id
    stage.emulator.faults.add(path=f"{stage.group.id}/members", call=lambda: stage.tenant.soft_delete_user(alan))
    stage.emulator.faults.add(path=f"/users/{alan}", nth=2, call=lambda: stage.tenant.restore_user(alan))


LAGS = [missing_from_the_first_listing, disabled_in_the_first_listing, not_found_at_first]


@pytest.mark.parametrize("lag", LAGS, ids=lambda lag: lag.__name__)
def test_trap_14_nobody_loses_anything_on_the_first_look_alone(stage: Stage, lag: Any) -> None:
    lag(stage)
    result = stage.run()
    struck = [fault.hits for fault in stage.emulator.faults]
    assert (stage.statuses(), stage.changes(result), struck) == (EVERYBODY, [], [1, 1])


@pytest.mark.parametrize("lag", LAGS, ids=lambda lag: lag.__name__)
def test_trap_14_a_preview_looks_twice_as_well(stage: Stage, lag: Any) -> None:
    lag(stage)
    planned = preview(stage.refreshed(), clock=stage.clock)
    assert (planned.plan.changes, [fault.hits for fault in stage.emulator.faults]) == ((), [1, 1])


def test_trap_14_who_is_missing_twice_has_left(stage: Stage) -> None:
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    result = stage.run()
    assert ("applied", "disable", "ada") in stage.changes(result)
    assert stage.statuses() == {**EVERYBODY, "ada": "disabled"}


# 21: what could not be read says nothing


def test_trap_21_a_sync_group_that_cannot_be_read_loses_nobody(stage: Stage) -> None:
    stage.tenant.hide_group(stage.group.id)
    result = stage.run()
    assert (stage.statuses(), stage.changes(result)) == (EVERYBODY, [])
    assert (attention(stage), findings(stage)) == (["sync_group_unreadable"], [])


def test_trap_21_a_mirror_of_a_group_that_cannot_be_read_stands_still(stage: Stage) -> None:
    stage.tenant.hide_group(stage.groups["Engineers"].id)
    stage.run()
    assert (stage.members(), attention(stage)) == ({"Engineers": {"ada", "grace"}}, ["group_unreadable"])


def test_trap_21_a_person_whose_record_says_nothing_loses_nothing(stage: Stage) -> None:
    stage.emulator.faults.add(
        path=f"{stage.group.id}/members",
        times=None,
        document={
            "value": [
                {"@odata.type": "#microsoft.graph.user", "id": stage.people["ada"].id},
                *(
                    {
                        "@odata.type": "#microsoft.graph.user",
                        "id": stage.people[name].id,
                        "accountEnabled": True,
                        "displayName": stage.people[name].display_name,
                        "givenName": stage.people[name].given_name,
                        "surname": stage.people[name].surname,
                        "mail": stage.people[name].mail,
                        "userPrincipalName": stage.people[name].user_principal_name,
                        "userType": "Member",
                    }
                    for name in ("grace", "alan")
                ),
            ]
        },
    )
    # Asked for by id her record is as empty.
    stage.tenant.update_user(stage.people["ada"].id, account_enabled=None)
    stage.run()
    assert (stage.statuses(), stage.members()) == (EVERYBODY, {"Engineers": {"ada", "grace"}})
    assert findings(stage) == [("skipped", "", "unread")]


# 22: a group that is gone, or empty, is no order


def test_trap_22_a_deleted_sync_group_is_a_mistake_to_mend_and_not_zero_members(stage: Stage) -> None:
    before = stage.refreshed().completed_runs
    stage.tenant.delete_group(stage.group.id)
    result = stage.run()
    assert (stage.statuses(), stage.changes(result), findings(stage)) == (EVERYBODY, [], [])
    assert (attention(stage), stage.refreshed().completed_runs) == (["sync_group_missing"], before)


def test_trap_22_an_emptied_sync_group_waits_for_a_person_however_few_it_had(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Lovelace")
    stage.run()
    stage.tenant.empty_group(stage.group.id)
    stage.run()
    assert (stage.statuses(), findings(stage)) == ({"ada": "active"}, [("held", "disable", "empty_group")])
    assert attention(stage) == ["held", "sync_group_empty"]


def test_trap_22_a_mass_removal_is_held(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, *(f"Person{number} Ofmany" for number in range(10)))
    stage.run()
    for number in range(6):
        stage.tenant.remove_member(stage.group.id, stage.people[f"person{number}"].id)
    stage.run()
    assert set(stage.statuses().values()) == {"active"}
    assert findings(stage) == [("held", "disable", "brake")] * 6


def test_trap_22_the_mirror_of_a_deleted_group_is_handed_back_with_its_members(stage: Stage) -> None:
    stage.tenant.delete_group(stage.groups["Engineers"].id)
    result = stage.run()
    assert stage.changes(result) == [("applied", "group_hand_back", "Engineers")]
    assert stage.members() == {"Engineers": {"ada", "grace"}}


# 24: what is refused for good is not asked again


def test_trap_24_an_application_that_lost_its_consent_is_asked_once(stage: Stage) -> None:
    stage.tenant.revoke_consent(stage.app.client_id)
    stage.tenant.revoke_tokens(stage.app.client_id)
    stage.run()
    assert stage.refreshed().status == ConnectorStatus.UNAUTHORIZED
    asked = len(stage.emulator.journal.where())
    sentence = "Microsoft refuses the connection: mend what its page says, then verify the connection again."
    assert [stage.run().refused for _ in range(3)] == [sentence] * 3
    assert len(stage.emulator.journal.where()) == asked


# 27: ids, not names; and in any case


def test_trap_27_groups_of_one_name_are_two_and_a_renamed_one_is_the_same(stage: Stage) -> None:
    first = stage.groups["Engineers"]
    second = stage.select("Engineers")
    stage.tenant.add_member(second.id, stage.people["alan"].id)
    stage.run()
    before = {group.directory_object_id: group.pk for group in stage.company.groups.all()}
    assert before.keys() == {first.id, second.id}
    stage.tenant.rename_group(first.id, "Builders")
    stage.clock.advance(minutes=5)
    stage.run()
    assert {group.directory_object_id: group.pk for group in stage.company.groups.all()} == before
    assert stage.members() == {"Builders": {"ada", "grace"}, "Engineers": {"alan"}}


ADA = "3f2a77d1-0000-4000-8000-00000000abcd"
TENANT = "b7d6a5c4-0000-4000-8000-00000000ffee"


def plan_of(*, account: dict[str, Any], marks: frozenset[Mark] = frozenset(), scope: bool = True) -> SyncPlan:
    """Plan for a group with Alan, and Ada if she is in scope, where Ada's account is written with other letters."""
    people = {
        object_id: Person(object_id, True, False, first, first, "Test", f"{first.lower()}@b.example", f"{first}@b")
        for object_id, first in ((ADA, "Ada"), (ADA.replace("3f2a", "0000"), "Alan"))
    }
    members = {object_id: "" for object_id in people if scope or object_id != ADA}
    facts = {
        "id": 1,
        "email": "ada@b.example",
        "first_name": "Ada",
        "last_name": "Test",
        "status": AccountStatus.ACTIVE,
        "was_active": True,
        "managed_by": ManagedBy.AZURE_AD,
        "tenant_id": TENANT.upper(),
        "object_id": ADA.upper(),
        "link": Link("ada@b.example"),
    }
    snapshot = Snapshot(
        TENANT, GroupReading("group", GroupState.COMPLETE, "Group", members), people, asked=frozenset({ADA})
    )
    rules = Rules(dict(Rules().actions) | {Situation.NEW: Action.NOTHING})
    return plan_sync(rules, snapshot, Roster((AccountFacts(**(facts | account)),), marks=marks, active=1), Limits())


def test_trap_27_an_account_is_its_owners_in_any_case_of_letters() -> None:
    assert plan_of(account={}).changes == ()
    [gone] = plan_of(account={}, scope=False).changes
    assert (gone.kind, gone.account_id, gone.object_id) == ("disable", 1, ADA)


def test_trap_27_a_decision_is_about_its_person_in_any_case_of_letters() -> None:
    kept = frozenset({Mark(ADA.upper(), MarkKind.KEPT, Situation.REMOVED)})
    linked = {"link": Link("ada@b.example", frozenset({Situation.REMOVED}))}
    made = plan_of(account=linked, marks=kept, scope=False)
    assert (made.changes, made.marks_ended) == ((), frozenset())
    assert plan_of(account=linked, marks=kept).marks_ended == kept


def test_trap_27_a_barred_account_stays_barred_in_any_case_of_letters() -> None:
    deleted = {"status": AccountStatus.DELETED, "deleted_by": Hand.PERSON, "barred": True, "link": None}
    assert plan_of(account=deleted).bars_ended == ()
    assert plan_of(account=deleted, scope=False).bars_ended == (1,)


# 28: a person is their id, whatever address they have


def test_trap_28_another_address_is_the_same_person_and_the_account_stays(stage: Stage) -> None:
    before = stage.account("ada")
    stage.tenant.update_user(
        stage.people["ada"].id, mail="ada.king@brightwater.example", user_principal_name="ada.king@brightwater.example"
    )
    result = stage.run()
    assert stage.changes(result) == [("applied", "email", "ada")]
    after = Account.objects.get(pk=before.pk)
    assert (after.email, after.status, stage.links()) == (before.email, "active", 3)
    assert AccountLink.objects.get(account=after).directory_email == "ada.king@brightwater.example"


@pytest.mark.parametrize("leaving", ["removed", "soft-deleted"])
def test_trap_28_an_address_given_to_somebody_new_opens_no_account(stage: Stage, leaving: str) -> None:
    old = stage.people["ada"]
    if leaving == "removed":
        stage.tenant.remove_member(stage.group.id, old.id)
        stage.tenant.update_user(old.id, mail=None)
    else:
        stage.tenant.soft_delete_user(old.id)
    new = stage.hire("Ada Newcomer", mail=old.mail or "ada@brightwater.example")
    stage.run()
    account = stage.account("ada")
    assert (account.directory_object_id, account.status) == (old.id, "disabled")
    assert new.id != old.id
    skipped = SyncChange.objects.get(run=stage.refreshed().findings, outcome="skipped")
    assert (skipped.object_id, skipped.cause, skipped.other_id, skipped.question) == (
        new.id,
        "address_taken",
        account.pk,
        True,
    )


def test_trap_28_two_people_who_change_addresses_keep_their_accounts(stage: Stage) -> None:
    ada, grace = stage.people["ada"], stage.people["grace"]
    before = {row.directory_object_id: row.pk for row in Account.objects.all()}
    addresses = ada.mail, grace.mail
    stage.tenant.update_user(ada.id, mail=addresses[1])
    stage.tenant.update_user(grace.id, mail=addresses[0])
    stage.run()
    assert {row.directory_object_id: row.pk for row in Account.objects.all()} == before
    assert (stage.statuses(), PersonMark.objects.count()) == (EVERYBODY, 0)
    assert Connector.objects.get().status == ConnectorStatus.CONNECTED
