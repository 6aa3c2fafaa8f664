"""The short cut of a quiet run: whatever happened before it, planning in full finds what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.directory import GroupReading, GroupState, Person, Snapshot
from connectors.models import AccountLink, Connector, PersonMark, SyncChange
from connectors.states import Action, Outcome, Situation
from connectors.sync.load import digest, load
from connectors.sync.reading import directory_of, read
from tenants import roster
from tenants.models import Account, GroupMembership
from tenants.states import AccountStatus, Hand
from tests.conftest import LONG
from tests.entra_emulator import Emulator
from tests.stage import Stage

NAMES = ("ada", "grace", "alan", "edsger", "barbara", "donald")
Happening = tuple[str, str]


def by_the_ledger(stage: Stage, name: str, act: str) -> None:
    account = Account.objects.filter(company=stage.company, email__startswith=f"{name}@").first()
    with roster.changing(stage.company.pk) as ledger:
        if act == "disable" and account and account.status in (AccountStatus.ACTIVE, AccountStatus.PENDING):
            ledger.disable([account.pk], Hand.PERSON)
        elif act == "enable" and account and account.status == AccountStatus.DISABLED:
            if ledger.free_licences is None or ledger.free_licences > 0:
                ledger.enable([account.pk])
                ledger.vouch([account.pk])
        elif act == "licences":
            ledger.set_licences(3)


HAPPENINGS: dict[str, Callable[[Stage, str], Any]] = {
    "joins": lambda stage, name: stage.tenant.add_member(stage.group.id, stage.people[name].id),
    "leaves": lambda stage, name: stage.tenant.remove_member(stage.group.id, stage.people[name].id),
    "is disabled": lambda stage, name: stage.tenant.disable_user(stage.people[name].id),
    "is enabled": lambda stage, name: stage.tenant.enable_user(stage.people[name].id),
    "is renamed": lambda stage, name: stage.tenant.update_user(stage.people[name].id, surname="Newname"),
    "gets a new address": lambda stage, name: stage.tenant.update_user(
        stage.people[name].id, mail=f"new.{name}@brightwater.example"
    ),
    "joins the engineers": lambda stage, name: stage.tenant.add_member(
        stage.groups["Engineers"].id, stage.people[name].id
    ),
    "a person disables": lambda stage, name: by_the_ledger(stage, name, "disable"),
    "a person enables": lambda stage, name: by_the_ledger(stage, name, "enable"),
    "licences are cut": lambda stage, name: by_the_ledger(stage, name, "licences"),
    "a month passes": lambda stage, name: stage.clock.advance(days=31),
    "a day passes": lambda stage, name: stage.clock.advance(hours=25),
    "nothing": lambda stage, name: None,
}


def state(stage: Stage) -> dict[str, Any]:
    """Return all that a run may have changed."""
    return {
        "accounts": list(
            Account.objects.order_by("pk").values_list(
                "pk", "email", "first_name", "last_name", "status", "pending_reason", "disabled_by", "barred", "vouched"
            )
        ),
        "links": list(AccountLink.objects.order_by("pk").values_list("account", "directory_email", "situations")),
        "marks": sorted(PersonMark.objects.values_list("object_id", "kind", "value", "other")),
        "members": sorted(GroupMembership.objects.values_list("group__name", "account__email")),
        "lines": SyncChange.objects.filter(outcome=Outcome.APPLIED).count(),
    }


@pytest.mark.django_db
@given(st.lists(st.tuples(st.sampled_from(sorted(HAPPENINGS)), st.sampled_from(NAMES)), max_size=7))
@settings(max_examples=300 if LONG else 12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_short_cut_equals_the_full_plan(happenings: list[Happening]) -> None:
    emulator = Emulator()
    with emulator.install(), transaction.atomic():
        stage = Stage(
            emulator,
            *(f"{name.title()} Example" for name in NAMES),
            additional=["Engineers"],
            rules={Situation.DISABLED: Action.DELETE},
        )
        stage.run()
        for what, name in happenings:
            try:
                HAPPENINGS[what](stage, name)
            except (KeyError, LookupError, ValueError):
                continue  # Who has left cannot leave again: the emulator says so, and nothing happened.
            stage.clock.advance(minutes=5)
            stage.run()
            stage.run()
            by_short_cut = state(stage)
            Connector.objects.filter(pk=stage.connector.pk).update(quiet_digest="")
            stage.run()
            assert state(stage) == by_short_cut
        transaction.set_rollback(True)


def test_who_was_there_at_the_second_look_alone_is_looked_for_again(db: None) -> None:
    emulator = Emulator()
    with emulator.install():
        stage = Stage(emulator, "Ada Lovelace", "Grace Hopper", "Alan Turing")
        ada = stage.people["ada"].id

        def comes_back() -> None:
            stage.tenant.add_member(stage.group.id, ada)

        for _ in range(2):
            stage.run()
            stage.clock.advance(minutes=5)
        assert stage.refreshed().quiet_digest != ""
        stage.tenant.remove_member(stage.group.id, ada)
        emulator.faults.add(path=f"/groups/{stage.group.id}/members", nth=2, times=1, call=comes_back)
        stage.run()
        assert (stage.statuses()["ada"], stage.refreshed().quiet_digest) == ("active", "")
        stage.tenant.remove_member(stage.group.id, ada)
        stage.clock.advance(minutes=5)
        stage.run()
        assert stage.statuses()["ada"] == "disabled"


def test_what_two_looks_agree_on_is_remembered(db: None) -> None:
    emulator = Emulator()
    with emulator.install():
        stage = Stage(emulator, "Ada Lovelace", "Grace Hopper")
        stage.run()
        stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
        stage.tenant.remove_member(stage.group.id, stage.people["grace"].id)
        remembered = []
        for _ in range(4):
            stage.clock.advance(minutes=5)
            stage.run()
            remembered.append(stage.refreshed().quiet_digest != "")
        assert (remembered, len(stage.runs())) == ([False, True, True, True], 3)


def test_a_digest_tells_every_detail_apart(db: None) -> None:
    emulator = Emulator()
    with emulator.install():
        stage = Stage(emulator, "Ada Lovelace", "Grace Hopper", additional=["Engineers"])
        seen = {}

        def remember(what: str) -> None:
            with directory_of(stage.refreshed()) as directory:
                snapshot = read(stage.connector, directory)
            loaded = load(stage.connector.pk, stage.clock.now)
            found = digest(snapshot, settings_revision=loaded.settings_revision, revision=loaded.revision)
            seen.setdefault(found, what)

        ada = stage.people["ada"].id
        remember("the beginning")
        remember("the same again")
        stage.tenant.update_user(ada, given_name="Augusta")
        remember("a given name")
        stage.tenant.update_user(ada, surname="King")
        remember("a surname")
        stage.tenant.update_user(ada, display_name="Countess")
        remember("a display name")
        stage.tenant.update_user(ada, mail="countess@brightwater.example")
        remember("an address")
        stage.tenant.disable_user(ada)
        remember("disabled")
        stage.tenant.add_member(stage.groups["Engineers"].id, ada)
        remember("a group's member")
        stage.tenant.rename_group(stage.groups["Engineers"].id, "Builders")
        remember("a group's name")
        stage.tenant.hide_group(stage.groups["Engineers"].id)
        remember("a group that cannot be read")
        stage.tenant.remove_member(stage.group.id, ada)
        remember("a member less")
        Connector.objects.filter(pk=stage.connector.pk).update(settings_revision=7)
        remember("a setting")
        with roster.changing(stage.company.pk) as ledger:
            ledger.set_licences(5)
        remember("the roster")
        assert list(seen.values()) == [
            "the beginning",
            "a given name",
            "a surname",
            "a display name",
            "an address",
            "disabled",
            "a group's member",
            "a group's name",
            "a group that cannot be read",
            "a member less",
            "a setting",
            "the roster",
        ]


def test_a_digest_tells_who_could_not_be_read_from_who_is_gone() -> None:
    ann = Person("ann", True, False, "Ann", "Ann", "Test", "ann@b.example", "ann@b.example")
    nobody = GroupReading("group", GroupState.COMPLETE, "Group")
    nested = GroupReading("other", GroupState.COMPLETE, "Other", {"ann": ""})
    asked = frozenset({"ann"})
    snapshots = [
        Snapshot("tenant", nobody, {}),
        Snapshot("elsewhere", nobody, {}),
        Snapshot("tenant", nobody, {}, asked=asked, gone=asked),
        Snapshot("tenant", nobody, {}, unread={"ann": "Its record is incomplete."}),
        Snapshot("tenant", replace(nobody, unread=asked), {}, unread={"ann": "Its record is incomplete."}),
        Snapshot("tenant", nobody, {"ann": ann}, asked=asked),
        Snapshot("tenant", nobody, {"ann": replace(ann, guest=True)}, asked=asked),
        Snapshot("tenant", nobody, {"ann": replace(ann, user_principal_name="new@b.example")}, asked=asked),
        Snapshot("tenant", nobody, {"ann": ann}, asked=asked, additional=(nested,)),
        Snapshot("tenant", nobody, {"ann": ann}, asked=asked, additional=(replace(nested, members={"ann": "Via"}),)),
        Snapshot("tenant", GroupReading("group", GroupState.GONE), {"ann": ann}, asked=asked),
        Snapshot("tenant", GroupReading("group", GroupState.UNREADABLE), {"ann": ann}, asked=asked),
    ]
    assert len({digest(snapshot, settings_revision=1, revision=1) for snapshot in snapshots}) == len(snapshots)


def test_the_short_cut_ends_when_time_alone_changes_the_plan(db: None) -> None:
    """An account deleted 30 days ago is restored no more: its owner, back all the while, is somebody new."""
    emulator = Emulator()
    with emulator.install():
        stage = Stage(
            emulator,
            *(f"Person{number} Ofmany" for number in range(8)),
            rules={Situation.DISABLED: Action.DELETE, Situation.RETURNED: Action.NOTHING},
        )
        stage.run()
        stage.tenant.disable_user(stage.people["person3"].id)
        stage.run()
        stage.tenant.enable_user(stage.people["person3"].id)
        stage.run()
        stage.run()
        assert stage.statuses()["person3"] == "deleted"
        assert stage.refreshed().quiet_digest != ""
        stage.clock.advance(days=31)
        stage.run()
        assert list(Account.objects.filter(email__startswith="person3@").order_by("pk").values_list("status")) == [
            ("deleted",),
            ("active",),
        ]
