"""Who a person is to the planner: identity, names, email and scope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.plan import Link
from connectors.plan.email import usable_address
from connectors.states import LeftOutReason, Situation
from tenants.states import Hand
from tests.connectors.planning import (
    BY_HAND,
    DELETED,
    DISABLED,
    PENDING,
    PERSONAL,
    account,
    group,
    person,
    plan,
    reading,
    rules,
    told,
)

# Identity is the Entra tenant id + object id, never the email.


def test_an_account_is_its_owners_by_identity_whatever_its_email() -> None:
    made = plan(reading([person("ann")]), account(1, "bo", object_id="ann", first_name="Ann"))
    assert told(made) == ["email ann"]


def test_an_account_of_another_tenants_person_with_the_same_object_id_is_somebody_elses() -> None:
    foreign = account(1, "bo", object_id="ann", tenant_id="elsewhere", link=None)
    assert told(plan(reading([person("ann")]), foreign)) == ["create ann"]


def test_a_link_to_another_tenants_person_gives_no_right_to_change_the_account() -> None:
    foreign = account(1, "bo", tenant_id="elsewhere")
    assert told(plan(reading([person("ann")], gone=["bo"]), foreign, account(2, "ann"))) == []


def test_an_account_without_identity_is_nobodys() -> None:
    nobody = account(1, "bo", object_id="")
    assert told(plan(reading([person("ann")], gone=["bo"]), nobody, account(2, "ann"))) == []


def test_identities_are_compared_without_case() -> None:
    shouted = account(1, "ann", tenant_id="TENANT", object_id="ANN")
    assert told(plan(reading([person("ann")]), shouted)) == []


def test_of_two_accounts_of_a_person_the_living_one_counts() -> None:
    old = account(1, "old", object_id="ann", **DELETED)
    for accounts in ([old, account(2, "ann")], [account(2, "ann"), old]):
        assert told(plan(reading([person("ann")]), *accounts)) == []


def test_of_two_deleted_accounts_of_a_person_the_linked_one_returns_else_the_latest() -> None:
    first, second = (account(number, f"old{number}", object_id="ann", **DELETED) for number in (1, 2))
    for accounts in ([first, second], [second, first]):
        (change, *_) = plan(reading([person("ann")]), *accounts).changes
        assert (change.kind, change.account_id) == ("restore", 2)
    unlinked = replace(second, link=None)
    for accounts in ([first, unlinked], [unlinked, first]):
        (change, *_) = plan(reading([person("ann")]), *accounts).changes
        assert (change.kind, change.account_id) == ("restore", 1)


def test_of_two_living_accounts_of_a_person_the_linked_one_counts_else_the_oldest() -> None:
    first, second = (account(number, f"a{number}", object_id="ann") for number in (1, 2))
    snapshot = reading([person("zoe")], gone=["ann"])
    for accounts in ([first, second], [second, first]):
        assert [one.account_id for one in plan(snapshot, *accounts).changes if one.object_id == "ann"] == [1]
    unlinked = replace(first, link=None)
    for accounts in ([unlinked, second], [second, unlinked]):
        assert [one.account_id for one in plan(snapshot, *accounts).changes if one.object_id == "ann"] == [2]


def test_a_deleted_account_that_a_person_deleted_goes_before_one_that_may_return() -> None:
    may_return = account(1, "a1", object_id="ann", **DELETED)
    barred = account(2, "a2", object_id="ann", **DELETED, barred=True)
    for accounts in ([may_return, barred], [barred, may_return]):
        assert told(plan(reading([person("ann")]), *accounts)) == ["skipped ann: deleted_by_person"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {**DELETED, "barred": True}),
        ({"link": None}, {**DELETED, "barred": True}),
        ({}, {**DELETED, "disabled_by": Hand.PERSON}),
        ({"link": None}, {**DELETED, "disabled_by": Hand.PERSON}),
        ({**DELETED, "barred": True}, DELETED),
        ({**DELETED, "barred": True, "link": None}, DELETED),
        ({**DELETED, "barred": True}, {**DELETED, "disabled_by": Hand.PERSON}),
        ({**DELETED, "barred": True, "link": None}, {**DELETED, "disabled_by": Hand.PERSON}),
    ],
)
def test_a_living_account_goes_before_one_a_person_deleted_and_that_before_one_that_may_return(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    for one, other in ((1, 2), (2, 1)):
        accounts = [account(one, "a", object_id="ann", **first), account(other, "b", object_id="ann", **second)]
        alone = plan(reading([person("ann"), person("zoe")]), accounts[0], account(3, "zoe"))
        for order in (accounts, accounts[::-1]):
            made = plan(reading([person("ann"), person("zoe")]), *order, account(3, "zoe"))
            assert (made.changes, made.skipped) == (alone.changes, alone.skipped)


def test_of_two_deleted_accounts_the_latest_returns_though_a_person_disabled_it() -> None:
    for one, other in ((1, 2), (2, 1)):
        accounts = [
            account(one, "a", object_id="ann", **DELETED),
            account(other, "b", object_id="ann", **{**DELETED, "disabled_by": Hand.PERSON}),
        ]
        (change, *_) = plan(reading([person("ann")]), *accounts).changes
        assert (change.kind, change.account_id) == ("restore", 2)


def test_a_personal_account_is_its_owners_alone_whatever_was_decided_before() -> None:
    personal = account(1, "a", **{**PERSONAL, "object_id": "ann", "tenant_id": "tenant", "barred": True})
    assert told(plan(reading([person("ann")]), personal)) == ["create ann"]


# Names follow the directory while the person exists in it, in the group or not.


@pytest.mark.parametrize("state", [{}, DISABLED, PENDING])
def test_names_follow_the_directory_in_the_group_or_not(state: dict[str, Any]) -> None:
    outside = person("ann", given_name="Anne")
    made = plan(
        reading([person("zoe")], outside=[outside]),
        account(1, "ann", **state),
        account(2, "zoe"),
        by=rules(removed="nothing"),
    )
    (change,) = made.changes
    assert (change.kind, change.first_name, change.last_name) == ("rename", "Anne", "Test")
    assert (change.before, change.after, change.status) == ("Ann Test", "Anne Test", None)
    assert change.because.sentence() == "the directory has another name"


@pytest.mark.parametrize(
    ("given", "surname", "display", "expected"),
    [
        ("Anna", "", "Ann T.", ("Anna", "")),
        ("", "Test", "Ann T.", ("", "Test")),
        ("", "", "Ann T.", ("Ann T.", "")),
    ],
)
def test_where_both_names_are_missing_the_display_name_serves_as_first_name(
    given: str, surname: str, display: str, expected: tuple[str, str]
) -> None:
    nameless = person("ann", given_name=given, surname=surname, display_name=display)
    for accounts in ([], [account(1, "ann")]):
        (change,) = plan(reading([nameless]), *accounts).changes
        assert (change.first_name, change.last_name) == expected
        assert change.name == {0: nameless.name, 1: "Ann Test"}[len(accounts)]


def test_a_new_account_without_any_name_is_called_by_its_address() -> None:
    (change,) = plan(reading([person("ann", given_name="", surname="", display_name="")])).changes
    assert (change.first_name, change.last_name) == ("ann", "")


def test_a_name_is_never_blanked() -> None:
    nameless = person("ann", given_name="", surname="", display_name="")
    assert told(plan(reading([nameless]), account(1, "ann"))) == []


def test_a_person_the_directory_does_not_hold_is_not_renamed() -> None:
    gone = account(1, "ann", first_name="Anne", **DISABLED)
    assert told(plan(reading([person("zoe")], gone=["ann"]), gone, account(2, "zoe"))) == []


@pytest.mark.parametrize(("rule", "kinds"), [("delete", ["delete"]), ("convert", ["convert"])])
def test_who_leaves_the_company_in_this_run_is_not_renamed(rule: str, kinds: list[str]) -> None:
    renamed = person("ann", given_name="Anne", mail="anne@firm.example")
    made = plan(
        reading([person("zoe")], outside=[renamed]),
        account(1, "ann", claimed=True),
        account(2, "zoe"),
        by=rules(removed=rule),
    )
    assert [change.kind for change in made.changes] == kinds


def test_who_returns_in_this_run_is_renamed() -> None:
    renamed = person("ann", given_name="Anne")
    assert told(plan(reading([renamed]), account(1, "ann", **DELETED))) == ["restore ann → active", "rename ann"]


def test_a_deleted_account_is_not_renamed() -> None:
    renamed = person("ann", given_name="Anne", mail="anne@firm.example")
    made = plan(reading([person("zoe")], outside=[renamed]), account(1, "ann", **DELETED), account(2, "zoe"))
    assert told(made) == []


def test_an_account_is_called_by_its_email_where_it_has_no_name() -> None:
    (change,) = plan(reading([person("ann")]), account(1, "ann", first_name="", last_name="")).changes
    assert (change.name, change.before, change.after) == ("ann@firm.example", "ann@firm.example", "Ann Test")


# Email is mail; only where that is empty, the user principal name.

LOCAL_64, LOCAL_65 = "a" * 64, "a" * 65
DOMAIN_244 = ".".join(["d" * 60] * 4)  # 243 characters
LABEL_63, LABEL_64 = "d" * 63, "d" * 64


@pytest.mark.parametrize(
    ("mail", "upn", "address"),
    [
        ("ann@firm.example", "a@upn.example", "ann@firm.example"),
        ("", "a@upn.example", "a@upn.example"),
        ("  ", " a@upn.example ", "a@upn.example"),
        (" Ann@Firm.Example ", "", "ann@firm.example"),
        ("not an address", "a@upn.example", ""),
        ("", "", ""),
        ("o'brien+x_y-z.{1}@firm.example", "", "o'brien+x_y-z.{1}@firm.example"),
        ("ann@bücher.example", "", "ann@bücher.example"),
        (f"ann@{'ü' * 60}.example", "", ""),
        ("ann@אבג1.example", "", ""),
        ("än@firm.example", "", ""),
        ("\N{KELVIN SIGN}ann@firm.example", "", ""),
        ("ann@firm", "", ""),
        ("ann@firm.x", "", ""),
        ("ann@firm.xy", "", "ann@firm.xy"),
        ("ann@-firm.example", "", ""),
        ("ann@firm-.example", "", ""),
        ("ann@fi-rm.example", "", "ann@fi-rm.example"),
        ("ann@fi_rm.example", "", ""),
        ("ann@firm..example", "", ""),
        ("ann@firm.example.", "", ""),
        (".ann@firm.example", "", ""),
        ("ann.@firm.example", "", ""),
        ("a..n@firm.example", "", ""),
        ("a n@firm.example", "", ""),
        ("ann@fi rm.example", "", ""),
        ("ann@bo@firm.example", "", ""),
        ("@firm.example", "", ""),
        ("ann@", "", ""),
        ("ann@firm.example\nbcc: x@y.example", "", ""),
        (f"{LOCAL_64}@firm.example", "", f"{LOCAL_64}@firm.example"),
        (f"{LOCAL_65}@firm.example", "", ""),
        (f"ann@{LABEL_63}.example", "", f"ann@{LABEL_63}.example"),
        (f"ann@{LABEL_64}.example", "", ""),
        (f"{'a' * 10}@{DOMAIN_244}", "", f"{'a' * 10}@{DOMAIN_244}"),
        (f"{'a' * 11}@{DOMAIN_244}", "", ""),
        ("bo_other.example#EXT#@firm.example", "", ""),
        ("", "bo_other.example#ext#@firm.onmicrosoft.com", ""),
        ("ann@firm.onmicrosoft.com", "", ""),
        ("ann@Mail.Firm.OnMicrosoft.com", "", ""),
        ("ann@firm.onmicrosoft.us", "", ""),
        ("ann@firm.partner.onmschina.cn", "", ""),
        ("ann@notonmicrosoft.com", "", "ann@notonmicrosoft.com"),
        ("ann@onmicrosoft.com.example", "", "ann@onmicrosoft.com.example"),
    ],
)
def test_usable_address(mail: str, upn: str, address: str) -> None:
    assert usable_address(person("ann", mail=mail, user_principal_name=upn), allow_onmicrosoft=False) == address


@pytest.mark.parametrize("domain", ["firm.onmicrosoft.com", "firm.onmicrosoft.us", "firm.partner.onmschina.cn"])
def test_microsofts_own_domains_are_usable_where_the_setting_allows_it(domain: str) -> None:
    somebody = person("ann", mail=f"ann@{domain}")
    assert told(plan(reading([somebody]))) == ["skipped ann: no_email"]
    assert told(plan(reading([somebody]), by=rules(onmicrosoft=True))) == ["create ann"]
    guest = person("bo", mail=f"bo#EXT#@{domain}")
    assert usable_address(guest, allow_onmicrosoft=True) == ""


def test_a_new_account_gets_its_address_in_small_letters() -> None:
    (change,) = plan(reading([person("ann", mail="Ann@Firm.Example")])).changes
    assert change.email == "ann@firm.example"


def test_a_person_without_usable_email_is_skipped_and_told_by_what_the_directory_says() -> None:
    (skipped,) = plan(reading([person("ann", mail="nonsense")])).skipped
    assert (skipped.name, skipped.email, skipped.situation) == ("Ann", "nonsense", Situation.NEW)
    assert (skipped.account_id, skipped.other, skipped.question) == (None, None, False)


# An email that changes in Entra does not change the account's.


def test_a_changed_email_is_told_once_and_remembered() -> None:
    moved = person("ann", mail="Anne@firm.example")
    made = plan(reading([moved]), account(1, "ann"))
    (change,) = made.changes
    assert (change.kind, change.before, change.after) == ("email", "ann@firm.example", "anne@firm.example")
    assert change.email == "ann@firm.example"
    assert (change.first_name, change.last_name) == ("", "")
    assert change.because.sentence() == "the directory has another email address"
    (note,) = made.notes
    assert (note.account_id, note.directory_email, note.situations) == (1, "anne@firm.example", frozenset())
    told_before = account(1, "ann", link=Link("anne@firm.example"))
    assert plan(reading([moved]), told_before).quiet


def test_an_email_that_changes_back_is_remembered_without_a_line() -> None:
    made = plan(reading([person("ann")]), account(1, "ann", link=Link("anne@firm.example")))
    assert (made.changes, [note.directory_email for note in made.notes]) == ((), ["ann@firm.example"])


@pytest.mark.parametrize(
    ("mail", "principal", "reported"),
    [
        ("Ann@Firm.onmicrosoft.com", "ann@upn.example", "ann@firm.onmicrosoft.com"),
        ("", " ann@firm.onmicrosoft.com", "ann@firm.onmicrosoft.com"),
        ("", "ann_firm.example#EXT#@firm.onmicrosoft.com", "ann_firm.example#ext#@firm.onmicrosoft.com"),
        ("no address", "", "no address"),
        (f"{'a' * 300}@firm.example", "", "a" * 254),
        ("İ" * 240, "", "i\u0307" * 127),
    ],
)
def test_an_address_that_nobody_could_use_is_another_one_all_the_same(mail: str, principal: str, reported: str) -> None:
    lost = person("ann", mail=mail, user_principal_name=principal)
    made = plan(reading([lost]), account(1, "ann"))
    assert [(one.kind, one.before, one.after) for one in made.changes] == [("email", "ann@firm.example", reported)]
    assert plan(reading([lost]), account(1, "ann", link=Link(reported))).quiet


def test_where_the_directory_has_no_email_at_all_the_last_one_stays() -> None:
    lost = person("ann", mail="", user_principal_name="")
    assert plan(reading([lost]), account(1, "ann")).quiet
    assert plan(reading([lost]), account(1, "ann", link=Link("anne@firm.example"))).quiet


def test_a_difference_in_case_is_none() -> None:
    assert plan(reading([person("ann", mail="ANN@firm.example")]), account(1, "ann", email="Ann@Firm.example")).quiet


def test_an_email_not_yet_remembered_is_noted_without_a_line() -> None:
    made = plan(reading([person("ann")]), account(1, "ann", link=Link()))
    assert (made.changes, [note.directory_email for note in made.notes]) == ((), ["ann@firm.example"])


def test_an_email_that_the_user_principal_name_alone_tells_is_noted_too() -> None:
    made = plan(
        reading([person("ann", mail="", user_principal_name="ann@firm.example")]), account(1, "ann", link=Link())
    )
    assert (made.changes, [note.directory_email for note in made.notes]) == ((), ["ann@firm.example"])


def test_the_email_of_a_person_who_is_gone_stays_remembered() -> None:
    remembered = account(1, "ann", **DISABLED, link=Link("anne@firm.example"))
    made = plan(reading([person("zoe")], gone=["ann"]), remembered, account(2, "zoe"))
    assert [(note.account_id, note.directory_email) for note in made.notes] == [(1, "anne@firm.example")]


# Scope is the sync group's people, those of nested groups included, less those left out by a setting.


def test_people_of_nested_groups_are_in_scope_and_their_lines_say_via_which() -> None:
    made = plan(reading([person("ann"), person("bo")], via={"bo": "Sales"}))
    assert [(one.object_id, one.because.via) for one in made.changes] == [("ann", ""), ("bo", "Sales")]
    assert made.changes[1].because.sentence() == (
        "NEW, rule: create an account · enabled and in the sync group · via the group Sales"
    )
    assert made.in_scope == 2


def test_direct_members_only_treats_nested_people_as_not_in_the_group_and_lists_them() -> None:
    snapshot = reading([person("ann"), person("bo"), person("cy")], via={"bo": "Sales", "cy": "Sales"})
    made = plan(snapshot, account(1, "ann"), account(2, "bo"), by=rules(direct=True))
    assert told(made) == ["disable bo"]
    assert [(one.object_id, one.name, one.reason, one.via) for one in made.left_out] == [
        ("bo", "Bo", LeftOutReason.NESTED, "Sales"),
        ("cy", "Cy", LeftOutReason.NESTED, "Sales"),
    ]
    assert (made.in_scope, made.changes[0].because.evidence) == (
        1,
        "a member of the sync group whom a setting leaves out",
    )


def test_guests_left_out_are_treated_as_not_in_the_group_and_listed() -> None:
    snapshot = reading([person("ann"), person("bo", guest=True)], via={"bo": "Sales"})
    made = plan(snapshot, account(1, "ann"), account(2, "bo"), by=rules(guests=False, direct=True))
    assert told(made) == ["disable bo"]
    assert [(one.object_id, one.reason) for one in made.left_out] == [("bo", LeftOutReason.GUEST)]
    alone = plan(snapshot, account(1, "ann"), account(2, "bo"), by=rules(guests=False))
    assert (told(alone), alone.left_out) == (told(made), made.left_out)


def test_guests_and_nested_people_are_in_scope_where_no_setting_says_otherwise() -> None:
    snapshot = reading([person("ann", guest=True), person("bo", guest=True)], via={"bo": "Sales"})
    assert told(plan(snapshot)) == ["create ann", "create bo"]
    assert plan(snapshot).left_out == ()
    assert told(plan(snapshot, by=rules(direct=True))) == ["create ann"]
    members = reading([person("ann"), person("bo")], via={"bo": "Sales"})
    assert told(plan(members, by=rules(guests=False))) == ["create ann", "create bo"]


def test_those_left_out_are_listed_by_name() -> None:
    people = [person("b", display_name="Zoe"), person("a", display_name="Zoe"), person("c", display_name="Al")]
    snapshot = reading(people, via=dict.fromkeys("abc", "Sales"))
    made = plan(snapshot, by=rules(direct=True))
    assert [one.object_id for one in made.left_out] == ["c", "a", "b"]


def test_who_was_never_looked_up_is_left_alone_and_asked_for() -> None:
    made = plan(reading([person("zoe")]), account(1, "ann"), account(2, "zoe"), account(3, "old", **DELETED))
    assert (told(made), made.second_look, made.second_group_look) == ([], frozenset({"ann"}), False)


def test_a_stranger_who_was_never_looked_up_is_not_recognised() -> None:
    made = plan(reading([person("zoe")]), account(1, "ann", link=None), account(2, "zoe"))
    assert (told(made), made.second_look) == ([], frozenset())


def test_the_same_people_in_another_order_make_the_same_plan() -> None:
    people = [person(name) for name in ("ann", "bo", "cy", "dee")]
    accounts = [account(1, "bo"), account(2, "cy", **DELETED), account(3, "eve", **BY_HAND)]
    crew = group("Crew", ["ann", "bo", "cy"])
    one = plan(reading(people, groups=[crew]), *accounts)
    other = plan(reading(people[::-1], groups=[crew]), *accounts[::-1])
    assert one == other
