"""Who gets the licences that are left."""

from __future__ import annotations

import pytest

from connectors.plan import Limits
from connectors.states import Attention
from tenants.states import AccountStatus, PendingReason
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DISABLED,
    PENDING,
    WAITING,
    account,
    person,
    plan,
    reading,
    rules,
    told,
)

ANN, BO, CY, DEE = (person(name) for name in ("ann", "bo", "cy", "dee"))


def test_no_licence_left_makes_a_newcomer_pending_with_that_reason() -> None:
    made = plan(reading([ANN, BO]), licences=1)
    assert told(made) == ["create ann", "create_pending bo → pending licence"]
    _, waiting = made.changes
    assert (waiting.status, waiting.pending_reason) == (AccountStatus.PENDING, PendingReason.LICENCE)
    assert waiting.after == "Pending approval"
    assert waiting.because.sentence() == "NEW, rule: create an account · no licence was left"
    assert (made.licences_wanted, made.attention) == (1, frozenset({Attention.LICENCES_SHORT}))


def test_where_the_rule_asks_for_pending_too_the_rules_reason_holds() -> None:
    made = plan(reading([ANN]), licences=0, by=rules(new="create_pending"))
    assert (told(made), made.licences_wanted) == (["create_pending ann → pending rule"], 0)
    returned = plan(reading([ANN]), account(1, "ann", **DISABLED), licences=0, by=rules(returned="pending"))
    assert (told(returned), returned.licences_wanted) == (["suspend ann → pending rule"], 0)


def test_a_licence_is_used_by_each_active_account_and_nothing_else() -> None:
    accounts = [
        account(1, "p", object_id="p", **PENDING),
        account(2, "d", **BY_HAND, status=AccountStatus.DISABLED),
        account(3, "x", **DELETED),
        account(4, "hand", **BY_HAND),
    ]
    snapshot = reading([ANN, person("p", given_name="P")], outside=[person("x")])
    assert told(plan(snapshot, *accounts, licences=2)) == ["create ann"]
    assert told(plan(snapshot, *accounts, licences=1)) == ["create_pending ann → pending licence"]


def test_one_free_goes_first_to_those_waiting_then_to_the_returned_then_to_the_new() -> None:
    snapshot = reading([ANN, BO, CY, DEE])
    accounts = [
        account(1, "dee", **WAITING, waiting_since=9),
        account(2, "cy", **WAITING, waiting_since=3),
        account(3, "bo", **DISABLED),
    ]
    outcome = {
        0: ["suspend bo → pending licence", "create_pending ann → pending licence"],
        1: ["activate cy", "suspend bo → pending licence", "create_pending ann → pending licence"],
        2: ["activate cy", "activate dee", "suspend bo → pending licence", "create_pending ann → pending licence"],
        3: ["activate cy", "activate dee", "enable bo", "create_pending ann → pending licence"],
        4: ["activate cy", "activate dee", "enable bo", "create ann"],
        None: ["activate cy", "activate dee", "enable bo", "create ann"],
    }
    wanted = {0: 4, 1: 3, 2: 2, 3: 1, 4: 0, None: 0}
    for licences, lines in outcome.items():
        made = plan(snapshot, *accounts, licences=licences)
        assert (told(made), made.licences_wanted) == (lines, wanted[licences])


def test_of_those_waiting_equally_long_the_older_account_is_first() -> None:
    accounts = [account(2, "ann", **WAITING), account(1, "bo", **WAITING)]
    for order in (accounts, accounts[::-1]):
        assert told(plan(reading([ANN, BO]), *order, licences=1)) == ["activate bo"]


def test_the_returned_are_served_by_email_and_then_by_account() -> None:
    accounts = [
        account(1, "cy", email="B@firm.example", **DISABLED),
        account(2, "ann", email="a@firm.example", **DELETED),
        account(3, "bo", email="b@firm.example", object_id="bo", **DELETED),
    ]
    snapshot = reading([ANN, BO, CY])
    for order in (accounts, accounts[::-1]):
        made = plan(snapshot, *order, licences=2)
        ends = {one.account_id: one.status for one in made.changes if one.status is not None}
        assert ends == {2: "active", 1: "active"}
        assert [one for one in told(made) if one.startswith("skipped")] == ["skipped bo: restore_taken 1"]
    for first, second in ((1, 2), (2, 1)):
        two_disabled = [account(first, "ann", email="x@firm.example", **DISABLED), account(second, "bo", **DISABLED)]
        made = plan(reading([ANN, BO]), *two_disabled, licences=1)
        lines = [one for one in told(made) if not one.startswith("email")]
        assert lines == ["enable bo", "suspend ann → pending licence"]


def test_the_new_are_served_by_email_and_not_by_object_id() -> None:
    snapshot = reading([person("a", mail="z@firm.example"), person("z", mail="A@firm.example")])
    assert told(plan(snapshot, licences=1)) == ["create z", "create_pending a → pending licence"]
    many = reading([person(f"p{99 - one}", mail=f"m{one}@firm.example") for one in range(10, 50)])
    assert [one.object_id for one in plan(many, licences=20).changes if one.kind == "create"] == [
        f"p{99 - one}" for one in range(10, 30)
    ]


@pytest.mark.parametrize("rule", ["disable", "delete", "convert"])
def test_whoever_leaves_frees_a_licence_in_the_same_run(rule: str) -> None:
    leaver = account(1, "bo", claimed=True)
    made = plan(reading([ANN], outside=[BO]), leaver, licences=1, by=rules(removed=rule))
    assert told(made) == [f"{rule} bo", "create ann"]


def test_whoever_was_not_active_frees_no_licence() -> None:
    leavers = [account(1, "bo", **DISABLED), account(2, "cy", **PENDING, was_active=True)]
    leavers.append(account(3, "dee", **PENDING, was_active=False))
    made = plan(reading([ANN], outside=[BO, CY, DEE]), *leavers, licences=0, by=rules(removed="delete"))
    assert told(made) == ["delete bo", "delete cy", "withdraw dee", "create_pending ann → pending licence"]


def test_a_held_leaver_frees_no_licence() -> None:
    tight = plan(
        reading([ANN], outside=[BO, CY]),
        account(1, "bo"),
        account(2, "cy"),
        licences=2,
        limits=Limits(),
    )
    assert told(tight)[0] == "create_pending ann → pending licence"


def test_licences_cut_below_use_disable_nobody_and_activate_nobody() -> None:
    accounts = [account(1, "ann"), account(2, "bo"), account(3, "cy", **WAITING)]
    made = plan(reading([ANN, BO, CY]), *accounts, licences=1)
    assert (told(made), made.licences_wanted) == ([], 1)
    one_leaves = plan(reading([ANN, CY], outside=[BO]), *accounts, licences=1)
    assert told(one_leaves) == ["disable bo"]
    below = plan(reading([CY], outside=[ANN, BO]), *accounts, licences=1)
    assert told(below) == ["disable ann", "disable bo", "activate cy"]


def test_only_who_waits_through_this_connector_in_scope_and_enabled_is_activated() -> None:
    snapshot = reading([person("ann", enabled=False), CY, DEE], outside=[BO])
    accounts = [
        account(1, "ann", **WAITING, was_active=True),
        account(2, "bo", **WAITING, was_active=True),
        account(3, "hand", **BY_HAND, **WAITING),
        account(4, "cy", **PENDING),
        account(5, "dee", **WAITING),
    ]
    made = plan(snapshot, *accounts, by=rules(disabled="nothing", removed="nothing"))
    assert told(made) == ["activate dee", "skipped ann: rule", "skipped bo: rule"]
    assert made.changes[0].because.sentence() == "a licence is free"
    assert (made.changes[0].before, made.changes[0].after) == ("Pending approval, no licence", "Active")


def test_licences_that_are_there_want_nobodys_attention() -> None:
    made = plan(reading([ANN]), account(1, "ann"), licences=1)
    assert (made.licences_wanted, made.attention, made.quiet) == (0, frozenset(), True)
