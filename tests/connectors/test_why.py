"""“Why?”, cell by cell: from one person's facts to the outcome, the one thing, and the fact it hangs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from connectors.directory import Person, Snapshot
from connectors.plan import AccountFacts, Limits, Rules, plan_sync
from connectors.states import ChangeKind, HoldCause, Situation, SkipReason
from connectors.why import Answer, Decision, Door, Facts, LastChange, Memory, Survey, explain, survey
from connectors.why.skips import REASONS
from connectors.why.verdict import INTENDED, LOSSES
from tenants.states import AccountRole, Hand
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DELETED_BY_PERSON,
    DISABLED,
    DISABLED_BY_PERSON,
    HANDED_BACK,
    LOOSE,
    PENDING,
    PERSONAL,
    WAITING,
    account,
    held,
    kept,
    mark,
    person,
    reading,
    roster,
    rules,
)
from tests.connectors.scenes import Scene
from tests.connectors.strategies import scenes
from tests.connectors.test_plan_properties import _search

TIGHT = Limits(destructive_floor=0, destructive_percent=0, growth_floor=0, growth_percent=0)
"""A brake that stops everything."""


def facts_of(
    snapshot: Snapshot,
    *accounts: AccountFacts,
    who: str = "ada",
    record: Person | None = None,
    own: AccountFacts | None = None,
    by: Rules | None = None,
    limits: Limits = LOOSE,
    **more: Any,
) -> Facts:
    """Return the facts of a person by their name, from the very plan of a run; `record` is their own record."""
    company = roster(*accounts, **more)
    chosen = by or rules()
    plan = plan_sync(chosen, snapshot, company, limits)
    first = Facts(asked=who, tenant="firm.example", group_name="Sync", person=record, account=own)
    return survey(first, Survey(chosen, snapshot, company, plan), object_id="" if who == "nobody" else who)


def why(snapshot: Snapshot, *accounts: AccountFacts, **words: Any) -> Answer:
    return explain(facts_of(snapshot, *accounts, **words))


def stop_of(answer: Answer) -> str:
    """Return the title of the fact that decides; '' where none does."""
    found = [fact.title for fact in answer.facts if fact.mark == "stop"]
    assert len(found) <= 1
    return found[0] if found else ""


ADA = person("ada")
OFF = person("ada", enabled=False)
GUEST = person("ada", guest=True)
BOB = person("bob")
HERS = account(1, "ada")
HIS_WITH_HER_ADDRESS = account(1, "bob", email="ada@firm.example")
KEPT_BY_NOBODY: dict[str, Any] = {"tenant_id": "", "object_id": "", "link": None}

CELLS: dict[str, Callable[[], Answer]] = {
    "new": lambda: why(reading([ADA])),
    "new, to be approved": lambda: why(reading([ADA]), by=rules(new="create_pending")),
    "new, no licence": lambda: why(reading([ADA]), licences=0),
    "new, the rule says nothing": lambda: why(reading([ADA]), by=rules(new="nothing")),
    "new, disabled": lambda: why(reading([OFF])),
    "new, without an address": lambda: why(
        reading([person("ada", mail="", user_principal_name="ada@firm.onmicrosoft.com")])
    ),
    "new, with a newcomer's address": lambda: why(reading([ADA, person("bob", mail="ada@firm.example")])),
    "new, with somebody's address": lambda: why(reading([ADA, BOB]), HIS_WITH_HER_ADDRESS),
    "new, with somebody's address, someone else": lambda: why(
        reading([ADA, BOB]), HIS_WITH_HER_ADDRESS, marks=[mark("ada", "someone_else", 1)]
    ),
    "new, the same person as somebody gone": lambda: why(
        reading([ADA], gone=["bob"]), HIS_WITH_HER_ADDRESS, marks=[mark("ada", "same_person", 1)]
    ),
    "gone, the same person as a newcomer": lambda: why(
        reading([ADA], outside=[BOB]), HIS_WITH_HER_ADDRESS, marks=[mark("ada", "same_person", 1)], who="bob"
    ),
    "new, the address is a personal account's": lambda: why(reading([ADA]), account(1, "ada", **PERSONAL)),
    "new, declined": lambda: why(reading([ADA]), marks=[mark("ada", "declined")]),
    "new, too many at once": lambda: why(reading([ADA]), limits=TIGHT),
    "new, by hand": lambda: why(reading([ADA]), account(1, "ada", **BY_HAND)),
    "new, an administrator by hand": lambda: why(reading([ADA]), account(1, "ada", role=AccountRole.ADMIN, **BY_HAND)),
    "outside": lambda: why(reading([BOB]), record=ADA),
    "outside, disabled": lambda: why(reading([BOB]), record=OFF),
    "outside, the rule says nothing": lambda: why(reading([BOB]), record=ADA, by=rules(new="nothing")),
    "outside, without an address": lambda: why(
        reading([BOB]), record=person("ada", mail="", user_principal_name="ada#EXT#@firm.example")
    ),
    "outside, by hand": lambda: why(reading([BOB]), account(1, "ada", **BY_HAND), record=ADA),
    "a guest, left out": lambda: why(reading([GUEST]), by=rules(guests=False)),
    "nested, left out": lambda: why(reading([ADA], via={"ada": "Dispatch"}), by=rules(direct=True)),
    "nobody": lambda: why(reading([BOB]), who="nobody"),
    "nobody, by hand": lambda: why(
        reading([BOB]), account(1, "ada", **BY_HAND), who="nobody", own=account(1, "ada", **BY_HAND)
    ),
    "here": lambda: why(reading([ADA]), account(1, "ada", claimed=True)),
    "here, not accepted": lambda: why(reading([ADA]), HERS),
    "here, with another address": lambda: why(reading([person("ada", mail="ada.b@firm.example")]), HERS),
    "here, of another connector": lambda: why(reading([ADA]), account(1, "ada", link=None, linked_elsewhere=True)),
    "here, outside, of another connector": lambda: why(
        reading([BOB], outside=[ADA]), account(1, "ada", link=None, linked_elsewhere=True)
    ),
    "here, handed back": lambda: why(reading([ADA]), account(1, "ada", barred=True, **HANDED_BACK)),
    "here, outside, handed back": lambda: why(
        reading([BOB], outside=[ADA]), account(1, "ada", barred=True, **HANDED_BACK)
    ),
    "here, recognised": lambda: why(reading([ADA]), account(1, "ada", **HANDED_BACK)),
    "waiting for a licence": lambda: why(
        reading([ADA, BOB]),
        account(1, "ada", waiting_since=2_000, **WAITING),
        account(2, "bob", waiting_since=1_000, **WAITING),
        account(3, "eve", **BY_HAND),
        licences=1,
    ),
    "waiting, a licence is free": lambda: why(reading([ADA]), account(1, "ada", **WAITING), licences=1),
    "waiting for approval": lambda: why(reading([ADA]), account(1, "ada", **PENDING)),
    "waiting, and out of the group": lambda: why(reading([BOB], outside=[ADA]), account(1, "ada", **PENDING)),
    "disabled in Entra": lambda: why(reading([OFF]), HERS),
    "out of the group": lambda: why(reading([BOB], outside=[ADA]), HERS),
    "out of the group by a setting": lambda: why(reading([GUEST, BOB]), HERS, by=rules(guests=False)),
    "gone": lambda: why(reading([BOB], gone=["ada"]), HERS, by=rules(deleted="delete")),
    "out of the group, to become personal": lambda: why(
        reading([BOB], outside=[ADA]), account(1, "ada", claimed=True), by=rules(removed="convert")
    ),
    "out of the group, not accepted": lambda: why(reading([BOB], outside=[ADA]), HERS, by=rules(removed="convert")),
    "out of the group, the rule says nothing": lambda: why(
        reading([BOB], outside=[ADA]), HERS, by=rules(removed="nothing")
    ),
    "out of the group, kept": lambda: why(reading([BOB], outside=[ADA]), HERS, marks=[kept("ada", "removed")]),
    "out of the group, too many": lambda: why(reading([BOB], outside=[ADA]), HERS, limits=TIGHT),
    "out of the group, nobody in it": lambda: why(reading(outside=[ADA]), HERS),
    "out of the group, the last administrator": lambda: why(
        reading([BOB], outside=[ADA]), account(1, "ada", role=AccountRole.ADMIN)
    ),
    "disabled by the connector, in Entra": lambda: why(reading([OFF]), account(1, "ada", **DISABLED)),
    "disabled by the connector, outside": lambda: why(reading([BOB], outside=[ADA]), account(1, "ada", **DISABLED)),
    "disabled by the connector, outside and in Entra": lambda: why(
        reading([BOB], outside=[OFF]), account(1, "ada", **DISABLED)
    ),
    "disabled by the connector, gone": lambda: why(reading([BOB], gone=["ada"]), account(1, "ada", **DISABLED)),
    "disabled by the connector, left out": lambda: why(
        reading([GUEST, BOB]), account(1, "ada", **DISABLED), by=rules(guests=False)
    ),
    "back": lambda: why(reading([ADA]), account(1, "ada", **DISABLED)),
    "back, to be approved": lambda: why(reading([ADA]), account(1, "ada", **DISABLED), by=rules(returned="pending")),
    "back, no licence": lambda: why(reading([ADA]), account(1, "ada", **DISABLED), licences=0),
    "back, the rule says nothing": lambda: why(
        reading([ADA]), account(1, "ada", **DISABLED), by=rules(returned="nothing")
    ),
    "back, disabled by a person": lambda: why(reading([ADA]), account(1, "ada", **DISABLED_BY_PERSON)),
    "outside, disabled by a person": lambda: why(
        reading([BOB], outside=[ADA]), account(1, "ada", **DISABLED_BY_PERSON)
    ),
    "back, kept": lambda: why(reading([ADA]), account(1, "ada", **DISABLED), marks=[kept("ada", "returned")]),
    "back, deleted before": lambda: why(reading([ADA]), account(1, "ada", **DELETED)),
    "back, deleted before, too many": lambda: why(reading([ADA]), account(1, "ada", **DELETED), limits=TIGHT),
    "back, deleted and disabled before": lambda: why(
        reading([ADA]), account(1, "ada", **{**DELETED, "disabled_by": Hand.PERSON})
    ),
    "back, the address in use": lambda: why(
        reading([ADA]), account(1, "ada", **DELETED), account(2, "eve", email="ada@firm.example", **BY_HAND)
    ),
    "back, the address wanted twice": lambda: why(
        reading([ADA, BOB]), account(1, "ada", **DELETED), account(2, "bob", email="ada@firm.example", **DELETED)
    ),
    "deleted by the connector, outside": lambda: why(reading([BOB], outside=[ADA]), account(1, "ada", **DELETED)),
    "deleted by a person, in the group": lambda: why(reading([ADA]), account(1, "ada", **DELETED_BY_PERSON)),
    "deleted by a person, by hand": lambda: why(
        reading([BOB]), who="nobody", own=account(1, "ada", **{**DELETED_BY_PERSON, **KEPT_BY_NOBODY})
    ),
    "personal": lambda: why(reading([BOB]), who="nobody", own=account(1, "ada", **PERSONAL)),
    "unread": lambda: why(reading([BOB], unread=["ada"]), HERS),
    "the group is gone": lambda: why(reading(outside=[ADA], state="gone"), HERS),
    "the group is gone, nobody's account": lambda: why(reading(state="gone"), record=ADA),
    "the group is unreadable": lambda: why(reading(outside=[ADA], state="unreadable"), HERS),
    "the group is unreadable, disabled in Entra": lambda: why(reading(outside=[OFF], state="unreadable"), HERS),
}


EXPECTED: dict[str, tuple[str, str, str]] = {
    "new": (
        "At the next run Ada gets an account.",
        "nothing.",
        "",
    ),
    "new, to be approved": (
        "At the next run Ada gets an account that an administrator approves.",
        "nothing.",
        "",
    ),
    "new, no licence": (
        "At the next run Ada gets an account, which then waits for a licence.",
        "1 more free licence.",
        "No licence is left",
    ),
    "new, the rule says nothing": (
        "Ada gets no account, because the rule for somebody new says: do nothing.",
        "another rule for NEW.",
        "Rule NEW: do nothing",
    ),
    "new, disabled": (
        "Ada has no account, because they are disabled in Entra.",
        "Ada enabled in Entra.",
        "Disabled in Entra",
    ),
    "new, without an address": (
        "Ada gets no account, because the directory has no usable email address for them.",
        "a usable address in their mail attribute in Entra.",
        "No usable email",
    ),
    "new, with a newcomer's address": (
        "Ada gets no account, because Bob in the sync group has the same email address.",
        "different addresses in Entra, or only one of them in the sync group.",
        "Email is met twice",
    ),
    "new, with somebody's address": (
        "Ada gets no account, because the account of Bob Test (Active) has the address and carries another identity.",
        "a person’s word: is it the same person, or someone else?",
        "Email is in use here",
    ),
    "new, with somebody's address, someone else": (
        "Ada gets no account yet, because the account of Bob Test (Active) has the address.",
        "the address freed.",
        "Email is in use here",
    ),
    "new, the same person as somebody gone": (
        "At the next run Ada’s account goes over to the directory’s new record of them.",
        "nothing.",
        "",
    ),
    "gone, the same person as a newcomer": (
        "At the next run this account becomes Ada’s: a person decided that both are one.",
        "nothing.",
        "",
    ),
    "new, the address is a personal account's": (
        "Ada gets no account, because somebody who left the company keeps the address.",
        "the personal account’s owner, invited to rejoin.",
        "Email is in use here",
    ),
    "new, declined": (
        "Ada gets no account, because a person declined it.",
        "Ada out of the sync group, and in it again.",
        "A person decided",
    ),
    "new, too many at once": (
        "Ada is to get an account, and that waits for a person.",
        "a person’s decision.",
        "Held until a person decides",
    ),
    "new, by hand": (
        "At the next run Ada Test’s account becomes managed by Azure AD, and stays as it is otherwise.",
        "nothing.",
        "",
    ),
    "new, an administrator by hand": (
        "Ada Test has an administrator’s account here, and it is linked only when a person says whose it is.",
        "a person’s confirmation that the account is theirs.",
        "Held until a person decides",
    ),
    "outside": (
        "Ada has no account, because they are not in the sync group.",
        "Ada in “Sync”.",
        "Not in the sync group",
    ),
    "outside, disabled": (
        "Ada has no account, because they are not in the sync group.",
        "Ada enabled in Entra, and in “Sync”.",
        "Not in the sync group",
    ),
    "outside, the rule says nothing": (
        "Ada has no account, because they are not in the sync group.",
        "Ada in “Sync”.",
        "Not in the sync group",
    ),
    "outside, without an address": (
        "Ada has no account, because they are not in the sync group.",
        "Ada in “Sync”.",
        "Not in the sync group",
    ),
    "outside, by hand": (
        "Ada Test has an account that Password Boss manages. It is Active.",
        "Ada Test in “Sync”.",
        "Not in the sync group",
    ),
    "a guest, left out": (
        "Ada has no account: they are in the sync group, and a setting leaves them out.",
        "the setting Leave out guests taken away.",
        "Left out: Leave out guests",
    ),
    "nested, left out": (
        "Ada has no account: they are in the sync group, and a setting leaves them out.",
        "Ada as a direct member of “Sync”, or the setting Direct members only off.",
        "Left out: Direct members only",
    ),
    "nobody": (
        "nobody is not in the directory, and has no account here.",
        "a user in Entra who is in “Sync”.",
        "Not in the directory",
    ),
    "nobody, by hand": (
        "Ada Test has an account that Password Boss manages. It is Active.",
        "somebody with this address in “Sync”.",
        "Not in the directory",
    ),
    "here": (
        "Ada Test has an active account, and everything is as it should be.",
        "nothing.",
        "",
    ),
    "here, not accepted": (
        "Ada Test has an active account, and has not accepted the invitation yet.",
        "Ada Test to accept it.",
        "",
    ),
    "here, with another address": (
        "Ada Test has an active account, and has not accepted the invitation yet.",
        "Ada Test to accept it.",
        "",
    ),
    "here, of another connector": (
        "Ada Test’s account is managed by another connector of this company.",
        "the other connector.",
        "Account today",
    ),
    "here, outside, of another connector": (
        "Ada Test’s account is managed by another connector of this company.",
        "the other connector.",
        "Account today",
    ),
    "here, handed back": (
        "Ada Test’s account is managed by Password Boss, because a person handed it back.",
        "that decision lifted: let the connector manage it again.",
        "A person decided",
    ),
    "here, outside, handed back": (
        "Ada Test’s account is managed by Password Boss, because a person handed it back. It is Active.",
        "that decision lifted: let the connector manage it again.",
        "A person decided",
    ),
    "here, recognised": (
        "At the next run Ada Test’s account becomes managed by Azure AD, and stays as it is otherwise.",
        "nothing.",
        "",
    ),
    "waiting for a licence": (
        "Ada Test has an account that waits for a licence.",
        "2 more free licences.",
        "No licence is left",
    ),
    "waiting, a licence is free": (
        "At the next run Ada Test’s account becomes active: a licence is free.",
        "nothing.",
        "",
    ),
    "waiting for approval": (
        "Ada Test has an account that waits for an administrator’s approval.",
        "a person who approves it.",
        "Account today",
    ),
    "waiting, and out of the group": (
        "At the next run Ada Test’s account is disabled.",
        "Ada Test in “Sync” again.",
        "Not in the sync group",
    ),
    "disabled in Entra": (
        "At the next run Ada Test’s account is disabled.",
        "Ada Test enabled in Entra.",
        "Disabled in Entra",
    ),
    "out of the group": (
        "At the next run Ada Test’s account is disabled.",
        "Ada Test in “Sync” again.",
        "Not in the sync group",
    ),
    "out of the group by a setting": (
        "At the next run Ada Test’s account is disabled.",
        "the setting Leave out guests taken away.",
        "Left out: Leave out guests",
    ),
    "gone": (
        "At the next run Ada Test’s account is deleted.",
        "Ada Test’s user in Entra restored. Microsoft keeps deleted users for 30 days.",
        "No longer in the directory",
    ),
    "out of the group, to become personal": (
        "At the next run Ada Test’s account becomes personal and leaves the company.",
        "Ada Test in “Sync” again.",
        "Not in the sync group",
    ),
    "out of the group, not accepted": (
        "Ada Test’s account does not become personal, because its owner has never accepted the invitation.",
        "the invitation accepted.",
        "Account today",
    ),
    "out of the group, the rule says nothing": (
        "Ada Test keeps the account, although they are not in the sync group: the rule REMOVED says: do nothing.",
        "another rule for REMOVED.",
        "Rule REMOVED: do nothing",
    ),
    "out of the group, kept": (
        "Ada Test’s account stays as it is, because a person keeps it.",
        "another decision about the account.",
        "A person decided",
    ),
    "out of the group, too many": (
        "Ada Test’s account is to be disabled, and that waits for a person.",
        "a person’s decision.",
        "Held until a person decides",
    ),
    "out of the group, nobody in it": (
        "Ada Test’s account is to be disabled, and that waits for a person, because nobody is in the sync group.",
        "people in “Sync” again.",
        "Held until a person decides",
    ),
    "out of the group, the last administrator": (
        "Ada Test keeps the account, because the company would be left without an active administrator.",
        "another active administrator.",
        "The last active administrator",
    ),
    "disabled by the connector, in Entra": (
        "Ada Test’s account is disabled, because they are disabled in Entra.",
        "Ada Test enabled in Entra.",
        "Disabled in Entra",
    ),
    "disabled by the connector, outside": (
        "Ada Test’s account is disabled, because they are not in the sync group.",
        "Ada Test in “Sync” again.",
        "Not in the sync group",
    ),
    "disabled by the connector, outside and in Entra": (
        "Ada Test’s account is disabled, because they are disabled in Entra.",
        "Ada Test enabled in Entra, and in “Sync”.",
        "Disabled in Entra",
    ),
    "disabled by the connector, gone": (
        "Ada Test’s account is disabled, because they are no longer in the directory.",
        "Ada Test’s user in Entra restored. Microsoft keeps deleted users for 30 days.",
        "No longer in the directory",
    ),
    "disabled by the connector, left out": (
        "Ada Test’s account is disabled, because a setting leaves them out of the sync group.",
        "the setting Leave out guests taken away.",
        "Left out: Leave out guests",
    ),
    "back": (
        "At the next run Ada Test’s account is enabled.",
        "nothing.",
        "",
    ),
    "back, to be approved": (
        "At the next run Ada Test’s account comes back, and waits for an administrator’s approval.",
        "nothing.",
        "",
    ),
    "back, no licence": (
        "At the next run Ada Test gets the account back, which then waits for a licence.",
        "1 more free licence.",
        "No licence is left",
    ),
    "back, the rule says nothing": (
        "Ada Test is back, and the account stays as it is, because the rule RETURNED says: do nothing.",
        "another rule for RETURNED.",
        "Rule RETURNED: do nothing",
    ),
    "back, disabled by a person": (
        "Ada Test’s account is disabled, because a person disabled it. A sync does not enable it.",
        "a person who enables it.",
        "A person decided",
    ),
    "outside, disabled by a person": (
        "Ada Test’s account is disabled, because a person disabled it. A sync does not enable it.",
        "a person who enables it.",
        "A person decided",
    ),
    "back, kept": (
        "Ada Test’s account stays as it is, because a person keeps it.",
        "another decision about the account.",
        "A person decided",
    ),
    "back, deleted before": (
        "At the next run Ada Test’s account is restored.",
        "nothing.",
        "",
    ),
    "back, deleted before, too many": (
        "Ada Test’s deleted account is to be restored, and that waits for a person.",
        "a person’s decision.",
        "Held until a person decides",
    ),
    "back, deleted and disabled before": (
        "At the next run Ada Test’s account is restored, and stays disabled, as a person had left it.",
        "nothing.",
        "",
    ),
    "back, the address in use": (
        "Ada Test’s deleted account is not restored, because the account of Eve Test (Active) has its address.",
        "the address freed.",
        "Email is in use here",
    ),
    "back, the address wanted twice": (
        "Ada Test’s account is not restored, because another deleted one with its address returns too.",
        "only one of the two in the sync group.",
        "Email is wanted twice",
    ),
    "deleted by the connector, outside": (
        "Ada Test’s account was deleted by the connector.",
        "Ada Test in “Sync” again.",
        "Not in the sync group",
    ),
    "deleted by a person, in the group": (
        "Ada Test gets no account, because a person deleted the one they had.",
        "that decision lifted: restore the account, or let the connector manage them again.",
        "A person decided",
    ),
    "deleted by a person, by hand": (
        "Ada Test’s account was deleted by a person.",
        "a new account.",
        "A person decided",
    ),
    "personal": (
        "Ada Test left the company, and the account lives on as its owner’s own.",
        "its owner, invited to rejoin.",
        "Account today",
    ),
    "unread": (
        "Microsoft’s record of Ada Test cannot be used, and nothing is changed for them.",
        "a record that can be read.",
        "In the directory, with a record that cannot be used",
    ),
    "the group is gone": (
        "Ada Test’s account stays as it is, because the sync group does not exist any more.",
        "another sync group.",
        "The sync group does not exist any more",
    ),
    "the group is gone, nobody's account": (
        "Ada gets no account, because the sync group does not exist any more.",
        "another sync group.",
        "The sync group does not exist any more",
    ),
    "the group is unreadable": (
        "Ada Test’s account stays as it is, because the sync group cannot be read completely.",
        "a sync group that can be read, with all groups nested in it.",
        "The sync group cannot be read",
    ),
    "the group is unreadable, disabled in Entra": (
        "At the next run Ada Test’s account is disabled.",
        "Ada Test enabled in Entra.",
        "Disabled in Entra",
    ),
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_has_its_outcome_its_one_thing_and_the_fact_it_hangs_on(cell: str) -> None:
    answer = CELLS[cell]()
    assert (answer.verdict, answer.thing, stop_of(answer)) == EXPECTED[cell]


def test_every_reason_and_every_change_of_a_plan_has_its_words() -> None:
    assert set(REASONS) == set(SkipReason)
    moves = {kind for kind in ChangeKind if not kind.startswith("group_")}
    assert moves - INTENDED.keys() - LOSSES.keys() == {
        ChangeKind.RELINK,
        ChangeKind.ENABLE,
        ChangeKind.ACTIVATE,
        ChangeKind.SUSPEND,
        ChangeKind.RENAME,
        ChangeKind.EMAIL,
    }, "The brake holds none of these."


@_search(60)
@given(scenes())
def test_everybody_in_every_world_gets_an_answer_that_agrees_with_the_plan(scene: Scene) -> None:
    plan = plan_sync(scene.rules, scene.snapshot, scene.roster, scene.limits)
    seen = Survey(scene.rules, scene.snapshot, scene.roster, plan)
    moved = {change.object_id for change in plan.changes if change.status is not None}
    waiting = {one.change.object_id for one in plan.held}
    for object_id in sorted(scene.directory.people | dict.fromkeys(scene.snapshot.gone)):
        record = scene.directory.people.get(object_id)
        facts = survey(Facts(asked="x", group_name="Sync", person=record), seen, object_id=object_id)
        answer = explain(facts)
        assert all([answer.verdict, answer.thing, answer.facts])
        if facts.unread:
            continue
        if object_id in waiting:
            assert answer.doors in ((Door.HELD,), (Door.PREVIEW,))
        elif object_id in moved:
            assert answer.verdict.startswith("At the next run ")
        elif facts.account is None or facts.bond is None:
            assert not answer.verdict.startswith("At the next run ")


def test_the_chain_tells_each_fact_with_its_evidence() -> None:
    ada = person("ada", mail="")
    answer = why(
        reading([ada, BOB], via={"ada": "Dispatch"}),
        account(2, "bob", waiting_since=1_790_000_000_000, **WAITING),
        by=rules(),
        licences=0,
    )
    assert [(fact.title, fact.text, fact.mark) for fact in answer.facts] == [
        ("In the directory", "Object ID", ""),
        ("Enabled in Entra", "May sign in to Microsoft.", ""),
        ("In the sync group", "Through “Dispatch”, which is nested in “Sync”.", ""),
        (
            "Email is usable",
            "ada@upn.example, from the user principal name, because mail is empty, and free in this company.",
            "",
        ),
        ("Rule NEW: create an account", "For somebody new in the sync group.", "fact"),
        ("No licence is left", "0 of 0 in use. Waiting, longest first: Bob Test since 21 Sep 2026, then Ada.", "stop"),
        ("No account today", "Nobody of this address or identity has one here.", "fact"),
    ]
    assert answer.thing == "2 more free licences."


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"mail": "", "user_principal_name": ""}, "Neither the mail attribute nor the user principal name holds one."),
        ({"mail": "ada"}, "The mail attribute is ada: it is not an email address."),
        (
            {"mail": "ada@firm.onmicrosoft.com"},
            "The mail attribute is ada@firm.onmicrosoft.com: it is at a domain that Microsoft gives every tenant;"
            " a setting of the connector allows these.",
        ),
        (
            {"mail": "", "user_principal_name": "a_x.y#EXT#@firm.example"},
            "The user principal name, which counts because mail is empty, is a_x.y#EXT#@firm.example: it is"
            " Microsoft’s name for a guest, to which no mail goes.",
        ),
    ],
)
def test_an_address_that_cannot_be_used_says_what_is_wrong_with_it(record: dict[str, str], fault: str) -> None:
    answer = why(reading([person("ada", **record)]))
    assert [fact.text for fact in answer.facts if fact.mark == "stop"] == [fault]


def test_while_no_run_happens_what_is_planned_waits_for_that() -> None:
    facts = replace(facts_of(reading([ADA])), stopped="The connector was paused by Maren: resume it first.")
    answer = explain(facts)
    assert (answer.thing_label, answer.thing, answer.more) == ("What is still needed", "a run.", facts.stopped)
    assert stop_of(answer) == "No run happens now"


def test_a_persons_decision_is_told_with_who_and_when() -> None:
    decided = (Decision("Declined to create the account", "Maren", datetime(2026, 11, 12, tzinfo=UTC)),)
    facts = replace(facts_of(reading([ADA]), marks=[mark("ada", "declined")]), decisions=decided)
    [fact] = [fact for fact in explain(facts).facts if fact.mark == "stop"]
    assert (fact.title, fact.text) == (
        "A person decided",
        "Declined to create the account, Maren, 12 Nov 2026.",
    )


def test_from_memory_it_says_so_and_tells_what_was_found_last() -> None:
    memory = Memory("Microsoft is out of reach.", as_of=datetime(2026, 11, 23, tzinfo=UTC))
    last = LastChange("Created.", datetime(2026, 11, 22, tzinfo=UTC), 7)
    with_account = explain(
        Facts(account=HERS, memory=replace(memory, situations=frozenset({Situation.REMOVED})), last=last)
    )
    assert (with_account.verdict, with_account.thing_label, with_account.thing) == (
        "Ada Test has an account: Active, managed by Azure AD.",
        "Why not from the directory",
        "Microsoft is out of reach.",
    )
    assert [(fact.title, fact.text) for fact in with_account.facts] == [
        ("The directory cannot be asked", "What follows is the portal’s own memory."),
        ("At the last run", "They were not in the sync group."),
        ("Account today", "Managed by Azure AD, its owner has not accepted the invitation yet."),
        ("Last change", "Created."),
    ]
    found = explain(Facts(asked="bob", memory=replace(memory, finding="Skipped: no address.")))
    assert found.verdict == "bob has no account. At the last run: Skipped: no address."


def test_a_name_written_from_right_to_left_stays_in_its_place() -> None:
    answer = why(reading([BOB]), record=person("ada", display_name="יוסף כהן"))
    assert answer.verdict == "\u2068יוסף כהן\u2069 has no account, because they are not in the sync group."


def test_a_hold_for_an_empty_group_names_the_group() -> None:
    facts = facts_of(reading(outside=[ADA]), HERS)
    assert facts.held is not None
    assert facts.held.cause is HoldCause.EMPTY_GROUP
    assert explain(facts).thing == "people in “Sync” again."


def test_an_earlier_hold_still_covers_the_person() -> None:
    answer = why(reading([BOB], outside=[ADA]), HERS, marks=[held("ada", "disable")])
    assert answer.doors == (Door.HELD,)


def test_who_is_well_is_told_what_would_end_it_and_an_invitation_can_be_sent_again() -> None:
    until = "It stays so until Ada Test is out of “Sync”, or disabled in Entra."
    said = {name: CELLS[name]() for name in ("here", "here, not accepted", "here, with another address")}
    assert {name: (one.thing_label, one.more, one.doors) for name, one in said.items()} == {
        "here": ("What is still needed", until, ()),
        "here, not accepted": ("What is still needed", until, (Door.RESEND,)),
        # No one-time link goes to an address that the directory does not report.
        "here, with another address": ("What is still needed", until, ()),
    }
    assert {name: [fact.text for fact in one.facts if fact.title == "Account today"] for name, one in said.items()} == {
        "here": ["Managed by Azure AD, its owner has accepted the invitation."],
        "here, not accepted": ["Managed by Azure AD, its owner has not accepted the invitation yet."],
        "here, with another address": ["Managed by Azure AD, its owner has not accepted the invitation yet."],
    }


def test_the_last_change_is_told_in_sentences() -> None:
    last = LastChange(
        "Joined group “Crew”. an active member of the directory group.", datetime(2026, 11, 23, tzinfo=UTC)
    )
    [fact] = [one for one in explain(Facts(asked="ada", last=last)).facts if one.title == "Last change"]
    assert fact.text == "Joined group “Crew”. An active member of the directory group."
