"""What can be given back of that which a run took away: the pure decision."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.plan.putting_right import SETTLED, Loss, Obstacle, Remedy, remedy_for
from connectors.states import DESTRUCTIVE, ChangeKind
from tenants.states import AccountStatus, Hand, PendingReason
from tests.conftest import ROOT

DISABLE, DELETE = ChangeKind.DISABLE, ChangeKind.DELETE
NOW_DISABLED: dict[str, Any] = {"status": AccountStatus.DISABLED, "disabled_by": Hand.CONNECTOR}
NOW_DELETED: dict[str, Any] = {"status": AccountStatus.DELETED, "deleted_by": Hand.CONNECTOR, "restorable": True}


def loss(number: int = 1, kind: ChangeKind = DISABLE, **facts: Any) -> Loss:
    """Return what a run took from an account, which stands as the run left it."""
    left = {DISABLE: NOW_DISABLED, DELETE: NOW_DELETED}.get(kind, {})
    told: dict[str, Any] = {
        "line": number,
        "object_id": f"person {number}",
        "owner": f"person {number}",
        "kind": kind,
        "name": f"Person {number}",
        "email": f"person{number}@firm.example",
        "account_id": number,
        **left,
    }
    return Loss(**(told | facts))


def told(remedy: Remedy) -> dict[str, str]:
    """Return what becomes of everybody, by the local part of the address."""
    lines = {one.loss.email: f"{one.kind} {one.status}" for one in remedy.returns}
    lines |= {one.email: f"left: {obstacle}" for one, obstacle in remedy.left}
    return {email.partition("@")[0]: line for email, line in lines.items()}


def one(kind: ChangeKind = DISABLE, **facts: Any) -> str:
    [line] = told(remedy_for([loss(1, kind, **facts)], None)).values()
    return line


@pytest.mark.parametrize(
    ("kind", "facts", "line"),
    [
        (DISABLE, {}, "enable active"),
        (DISABLE, {"before": None}, "enable active"),
        (DISABLE, {"before": AccountStatus.PENDING}, "suspend pending"),
        (DISABLE, {"owner": ""}, "enable active"),
        (DELETE, {}, "restore active"),
        (DELETE, {"before": AccountStatus.DISABLED, "disabled_by": Hand.CONNECTOR}, "restore disabled"),
        (DELETE, {"before": AccountStatus.DISABLED, "disabled_by": Hand.PERSON}, "restore disabled"),
        (DELETE, {"before": AccountStatus.PENDING}, "restore pending"),
        (DELETE, {"before": None, "was_active": False}, "restore pending"),
    ],
)
def test_what_the_run_did_is_undone_and_nothing_else(kind: ChangeKind, facts: dict[str, Any], line: str) -> None:
    assert one(kind, **facts) == line


def test_whoever_comes_back_pending_waits_for_a_person() -> None:
    remedy = remedy_for([loss(1, before=AccountStatus.PENDING), loss(2, DELETE, before=AccountStatus.PENDING)], 0)
    assert [each.pending_reason for each in remedy.returns] == [PendingReason.RULE, PendingReason.RULE]
    assert remedy.taken == 0
    waiting = {"before": AccountStatus.PENDING, "waited_for": PendingReason.LICENCE}
    remedy = remedy_for([loss(1, **waiting), loss(2, DELETE, **waiting)], 0)
    assert [each.pending_reason for each in remedy.returns] == [PendingReason.LICENCE, PendingReason.LICENCE]


@pytest.mark.parametrize(
    ("kind", "facts", "obstacle"),
    [
        (DISABLE, {"status": AccountStatus.ACTIVE, "disabled_by": Hand.NONE}, "back"),
        (DELETE, {"status": AccountStatus.ACTIVE, "deleted_by": Hand.NONE}, "back"),
        (DISABLE, {"status": AccountStatus.PENDING}, "waits"),
        (DISABLE, {"disabled_by": Hand.PERSON}, "person_disabled"),
        (DELETE, {"deleted_by": Hand.PERSON}, "person_deleted"),
        (DISABLE, {**NOW_DELETED, "deleted_by": Hand.PERSON}, "person_deleted"),
        (DISABLE, {"again": True}, "again"),
        (DELETE, {"again": True}, "again"),
        (DISABLE, NOW_DELETED, "again"),
        (DELETE, {"restorable": False}, "too_late"),
        (DELETE, {"restorable": False, "deleted_by": Hand.PERSON}, "too_late"),
        (DELETE, NOW_DISABLED, "back"),
        (DELETE, {**NOW_DISABLED, "disabled_by": Hand.PERSON}, "person_disabled"),
        (DISABLE, {"owner": "somebody else"}, "other_person"),
        (DELETE, {"address_taken": True}, "address_taken"),
        (DELETE, {"owner_taken": True}, "owner_taken"),
        (DISABLE, {"status": AccountStatus.PERSONAL}, "personal"),
        (ChangeKind.CONVERT, {"status": AccountStatus.PERSONAL}, "personal"),
        (ChangeKind.WITHDRAW, {**NOW_DELETED, "restorable": False}, "withdrawn"),
        (DISABLE, {"status": None, "account_id": None}, "gone"),
    ],
)
def test_who_cannot_come_back_is_left_with_the_reason(kind: ChangeKind, facts: dict[str, Any], obstacle: str) -> None:
    assert one(kind, **facts) == f"left: {obstacle}"


def test_licences_go_to_administrators_first_and_then_by_address() -> None:
    losses = [
        loss(3),
        loss(1),
        loss(2, DELETE),
        loss(4, administrator=True),
        loss(5, DELETE, **{"disabled_by": "person"}),
    ]
    assert told(remedy_for(losses, 2)) == {
        "person4": "enable active",
        "person1": "enable active",
        "person2": "left: licence",
        "person3": "left: licence",
        "person5": "restore disabled",
    }
    remedy = remedy_for(losses, 2)
    assert (remedy.free, remedy.taken, remedy.missing) == (2, 2, 2)
    assert remedy.counts == {ChangeKind.ENABLE: 2, ChangeKind.RESTORE: 1}
    assert (remedy_for(losses, None).taken, remedy_for(losses, None).missing) == (4, 0)


def test_of_administrators_and_of_users_the_first_address_comes_first() -> None:
    losses = [loss(1, email="zoe@firm.example"), loss(2, email="Amy@firm.example")]
    for facts in ({}, {"administrator": True}):
        remedy = remedy_for([replace(each, **facts) for each in losses], 1)
        assert [each.loss.line for each in remedy.returns] == [2]


def test_who_cannot_come_back_takes_no_licence() -> None:
    assert told(remedy_for([loss(1, disabled_by=Hand.PERSON), loss(2)], 1)) == {
        "person1": "left: person_disabled",
        "person2": "enable active",
    }


def test_two_who_would_return_to_one_address_are_told_apart_by_a_person() -> None:
    same = {"email": "SAME@firm.example"}
    remedy = remedy_for([loss(1, DELETE, **same), loss(2, DELETE, email="same@firm.example"), loss(3, DELETE)], None)
    assert [obstacle for _, obstacle in remedy.left] == ["address_twice", "address_twice"]
    assert [each.loss.line for each in remedy.returns] == [3]
    alone = remedy_for([loss(1, DELETE, **same), loss(2, DELETE, email="same@firm.example", restorable=False)], None)
    assert [each.loss.line for each in alone.returns] == [1]
    late = remedy_for(
        [loss(1, DELETE, **same), loss(2, DELETE, **same), loss(3, DELETE, **same, restorable=False)], None
    )
    assert [obstacle for _, obstacle in late.left] == ["address_twice", "address_twice", "too_late"]


def test_what_is_seen_is_who_comes_back_and_how() -> None:
    losses = [loss(1), loss(2, DELETE), loss(3, again=True)]
    seen = remedy_for(losses, None).seen
    assert remedy_for(losses[::-1], 2).seen == seen
    assert remedy_for([*losses[:2], replace(losses[2], name="Renamed")], None).seen == seen
    assert remedy_for(losses, 1).seen != seen
    assert remedy_for([replace(losses[0], before=AccountStatus.PENDING), *losses[1:]], None).seen != seen
    assert re.fullmatch("[0-9a-f]{32}", seen)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (loss(1), loss(1, account_id=2)),
        (loss(1), loss(1, DELETE)),
        (loss(1, DELETE), loss(1, DELETE, was_active=False)),
    ],
)
def test_what_is_seen_differs_by_account_by_what_is_done_and_by_what_it_becomes(one: Loss, other: Loss) -> None:
    assert remedy_for([one], None).seen != remedy_for([other], None).seen


def test_who_is_back_or_waits_is_no_failure() -> None:
    assert {"back", "waits"} == SETTLED


def test_of_an_account_that_is_gone_nothing_is_known() -> None:
    assert Loss(1, "ann", DISABLE, "Ann", "ann@firm.example", None) == Loss(
        line=1,
        object_id="ann",
        kind=DISABLE,
        name="Ann",
        email="ann@firm.example",
        before=None,
        waited_for=PendingReason.RULE,
        account_id=None,
        status=None,
        administrator=False,
        was_active=True,
        disabled_by=Hand.NONE,
        deleted_by=Hand.NONE,
        restorable=False,
        owner="",
        again=False,
        address_taken=False,
        owner_taken=False,
    )


_FACTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(DESTRUCTIVE)),
        "status": st.sampled_from([*AccountStatus, None]),
        "before": st.sampled_from([*AccountStatus, None]),
        "disabled_by": st.sampled_from(Hand),
        "deleted_by": st.sampled_from(Hand),
        "email": st.sampled_from(["a@firm.example", "b@firm.example", "A@firm.example"]),
        **dict.fromkeys(("restorable", "again", "address_taken", "owner_taken", "administrator"), st.booleans()),
    }
)


@given(st.lists(_FACTS, max_size=6), st.none() | st.integers(0, 4))
def test_everybody_is_accounted_for_and_what_comes_back_may(found: list[dict[str, Any]], free: int | None) -> None:
    losses = [loss(number, **facts) for number, facts in enumerate(found, 1)]
    remedy = remedy_for(losses, free)
    lines = [each.loss.line for each in remedy.returns] + [each.line for each, _ in remedy.left]
    assert sorted(lines) == list(range(1, len(losses) + 1))
    assert free is None or remedy.taken <= free
    restored = [each.loss.email.lower() for each in remedy.returns if each.kind is ChangeKind.RESTORE]
    assert len(restored) == len(set(restored))
    for each in remedy.returns:
        assert Hand.PERSON not in (each.loss.deleted_by if each.kind is ChangeKind.RESTORE else each.loss.disabled_by,)
        assert not each.loss.again
        assert each.loss.kind in (DISABLE, DELETE)
    assert all(
        each.status in (AccountStatus.ACTIVE, AccountStatus.PENDING, AccountStatus.DISABLED, AccountStatus.DELETED)
        for each, obstacle in remedy.left
        if obstacle in SETTLED
    )
    assert remedy_for(reversed(losses), free) == remedy


def test_the_document_names_every_reason() -> None:
    page = (ROOT / "docs" / "putting-right.md").read_text(encoding="utf-8")
    shown = {
        line.strip("| ").replace(" | ", " ").replace(" |", "") for line in page.splitlines() if line.startswith("| ")
    }
    assert {obstacle.label for obstacle in Obstacle} <= shown
