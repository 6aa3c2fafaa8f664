"""Held changes: who sees and who decides, exactly what was shown is done or nothing, and what the pages cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from django.http import HttpResponse
from django_q.models import OrmQ

from connectors import decisions
from connectors.models import AccountLink, Connector, PersonMark
from connectors.states import ChangeKind, HoldCause, MarkKind, RunTrigger, Situation
from connectors.sync import run as synchronise
from connectors.views.waiting import CAUSES
from tenants.models import Account, User
from tenants.roles import Role
from tenants.states import AccountStatus, PendingReason
from tests.connectors.held_scene import (
    ask_about_address,
    ask_about_administrator,
    hold,
    make_connector,
    make_findings,
    person_id,
)
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import hidden, text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_account, make_company

pytestmark = pytest.mark.django_db


@pytest.fixture
def connector() -> Connector:
    connector = make_connector()
    make_findings(connector)
    return connector


@pytest.fixture(params=["partner", "business"])
def visitor(request: pytest.FixtureRequest, connector: Connector) -> Visitor:
    visitor = Visitor(connector.company, request.param)
    visitor.says_who()
    return visitor


@pytest.fixture
def maren(connector: Connector) -> Visitor:
    visitor = Visitor(connector.company)
    visitor.says_who()
    return visitor


def decided(connector: Connector, kind: MarkKind) -> set[str]:
    return set(PersonMark.objects.filter(connector=connector, kind=kind).values_list("object_id", flat=True))


def name_of(visitor: Visitor) -> str:
    """Return what the record calls whoever decides."""
    return f"{visitor.user} ({visitor.user.email})" if visitor.user.name else str(visitor.user)


def held(connector: Connector, query: str = "") -> str:
    return f"connectors/{connector.pk}/held/{query}"


def decide(connector: Connector, query: str) -> str:
    return f"connectors/{connector.pk}/held/decide/?{query}"


def send(visitor: Visitor, place: str, shown: HttpResponse | None = None) -> HttpResponse:
    """Send the form of a page as it is shown, or was."""
    page = shown or visitor.get(place)
    assert page.status_code in (200, 409), text_of(page)
    return visitor.post(place, {name: hidden(page, name) for name in ("seen", "findings", "at")})


# The list


def test_the_list_says_who_since_when_why_and_what_happens_meanwhile(connector: Connector, visitor: Visitor) -> None:
    hold(connector, range(44))
    hold(connector, range(44, 46), situation=Situation.DISABLED)
    page = visitor.reads(held(connector))
    for words in (
        "Disable 46 accounts?",
        "Held since",
        "Until somebody decides, these 46 people keep working; every other change goes on as usual.",
        "44 people are not in the sync group any more and 2 are disabled in Microsoft Entra.",
        "More leave at once than the brake allows.",
        "Active and pending accounts of this connector now 46",
        "Most that may lose theirs within 24 hours",
        "46 people can no longer sign in to Password Boss.",
        "Disable these 46…",
        "Keep these 46 accounts…",
        "We ask for your password again",
        "Person 0",
        "Active becomes Disabled",
        "Never",
        "Disabled in Microsoft Entra Person 44",
        "Removed from the sync group Person 0",
        "Removed . Rule: disable.",
        "46 people",
    ):
        assert words in page, words


@pytest.mark.parametrize("role", [Role.PARTNER_TECHNICIAN, Role.PARTNER_VIEWER])
def test_who_may_not_decide_sees_the_list_without_buttons(connector: Connector, role: Role) -> None:
    hold(connector, range(6))
    visitor = Visitor(connector.company, "partner", role)
    page = visitor.get(held(connector))
    said = text_of(page)
    assert ("Person 3" in said, "A partner administrator or an administrator of the company decides." in said) == (
        True,
        True,
    )
    assert [word for word in ("these 6…", 'type="checkbox"', "/decide/?") if word in page.content.decode()] == []
    visitor.says_who()
    assert visitor.get(decide(connector, "of=leaving&act=approve")).status_code == 403
    assert visitor.post(decide(connector, "of=leaving&act=approve"), {}).status_code == 403
    assert visitor.get(f"connectors/{connector.pk}/held/{person_id(1)}/").status_code == 403


def test_licences_that_become_free_are_counted(connector: Connector, maren: Visitor) -> None:
    connector.company.licences = 10
    connector.company.save()
    hold(connector, range(6))
    for _ in range(3):
        make_account(connector.company, AccountStatus.PENDING, pending_reason=PendingReason.LICENCE)
    assert "6 licences become free; 3 people wait for one." in maren.reads(held(connector))


def test_one_section_is_shown_at_a_time_and_all_are_counted(connector: Connector, visitor: Visitor) -> None:
    hold(connector, range(5))
    hold(connector, range(10, 24), ChangeKind.CREATE, HoldCause.GROWTH, Situation.NEW)
    hold(connector, range(30, 32), ChangeKind.DELETE, HoldCause.EMPTY_GROUP)
    ask_about_address(connector, 40)
    ask_about_administrator(connector, 50)
    page = visitor.reads(held(connector))
    for words in (
        "Losing their accounts 5",
        "Nobody in the sync group 2",
        "Getting accounts 14",
        "Administrators’ accounts 1",
        "Addresses met twice 1",
    ):
        assert words in page, words
    assert ("Person 3" in page, "Person 12" in page) == (True, False)
    said = {
        of: visitor.reads(held(connector, f"?of={of}")) for of in ("empty", "joining", "administrators", "addresses")
    }
    assert "Nobody is in the sync group. Either it was emptied by mistake, or everybody left." in said["empty"]
    Connector.objects.filter(pk=connector.pk).update(in_scope=7)
    assert "Nobody was in the sync group when these were held." in visitor.reads(held(connector, "?of=empty"))
    assert "2 accounts are deleted, and can be restored for 30 days." in said["empty"]
    for words in (
        "Create 14 accounts?",
        "14 people are new in the sync group.",
        "Decline these 14…",
        "Most that may join",
    ):
        assert words in said["joining"], words
    for of in ("administrators", "addresses"):
        assert ("Decide…" in said[of], "Tick some of them" in said[of]) == (True, False)
    assert "has this address" in said["addresses"]


def test_kinds_that_differ_are_named_and_filtered(connector: Connector, visitor: Visitor) -> None:
    hold(connector, range(4))
    hold(connector, range(4, 6), ChangeKind.DELETE)
    assert "Disable or delete 6 accounts?" in visitor.reads(held(connector))
    page = visitor.reads(held(connector, "?of=leaving&kind=delete"))
    assert ("Delete these 2…" in page, "person5@" in page, "person3@" in page) == (True, True, False)


def test_who_is_decided_about_and_not_yet_done_is_shown_as_such(connector: Connector, visitor: Visitor) -> None:
    ids = hold(connector, range(6))
    decisions.approve(connector, [(ids[0], ChangeKind.DISABLE)], actor="Amara Okafor")
    page = visitor.get(held(connector))
    said = text_of(page)
    assert ("Disable 5 accounts?" in said, "Approved by Amara Okafor" in said) == (True, True)
    assert (page.content.decode().count('name="p"'), "1 decided, not yet done" in said) == (5, True)
    decisions.approve(connector, [(one, ChangeKind.DISABLE) for one in ids[1:]], actor="Amara Okafor")
    assert "Everything here is decided. The next run carries it out." in visitor.reads(held(connector))


def test_every_cause_of_a_hold_has_its_section() -> None:
    assert set(CAUSES.values()) == set(HoldCause)


def test_nothing_held_says_so(connector: Connector, visitor: Visitor) -> None:
    assert "Nothing is held" in visitor.reads(held(connector))
    assert "Nothing is held" in visitor.reads(held(make_connector(connector.company, tenant_id="x"), "?of=joining"))
    assert "Nothing is held" in visitor.reads(held(connector, "?of=nonsense&q=x"))


def test_the_list_is_downloaded_as_it_is_filtered(connector: Connector, visitor: Visitor) -> None:
    hold(connector, range(12))
    rows = csv.DictReader(
        io.StringIO(
            b"".join(visitor.get(f"connectors/{connector.pk}/held/csv/?of=leaving&q=person1")).decode("utf-8-sig")
        )
    )
    assert [(row["Name"], row["Before"], row["After"]) for row in rows] == [
        (f"Person {number}", "Active", "Disabled") for number in (1, 10, 11)
    ]
    ask_about_address(connector, 40)
    text = b"".join(visitor.get(f"connectors/{connector.pk}/held/csv/?of=addresses")).decode()
    assert "Newcomer 40" in text


def test_no_page_costs_more_for_more_people(connector: Connector, visitor: Visitor) -> None:
    hold(connector, range(3))
    ask_about_address(connector, 1_000)
    pages = [
        held(connector),
        held(connector, "?of=leaving&q=person"),
        held(connector, "?of=addresses"),
        f"connectors/{connector.pk}/held/csv/?of=leaving",
        decide(connector, "of=leaving&act=approve"),
    ]
    visitor.get(pages[0])
    before = {page: visitor.queries(page) for page in pages}
    hold(connector, range(10, 300))
    for number in range(1_001, 1_005):
        ask_about_address(connector, number)
    assert {page: visitor.queries(page) for page in pages} == before


def test_attention_leads_to_the_list(connector: Connector, visitor: Visitor) -> None:
    hold(connector, range(6))
    address = f'href="{visitor.before}connectors/{connector.pk}/held/"'
    for page in ("connectors/", f"connectors/{connector.pk}/", f"runs/{connector.findings_id}/"):
        assert address in visitor.get(page).content.decode(), page


def test_another_companys_connector_is_not_reached_by_its_number(connector: Connector) -> None:
    hold(connector, range(4))
    person, _ = ask_about_address(connector, 9)
    for portal in ("partner", "business"):
        other = Visitor(make_company(connector.company.partner, f"Sable {portal}"), portal)
        other.says_who()
        for place in (
            held(connector),
            f"connectors/{connector.pk}/held/csv/?of=leaving",
            decide(connector, "of=leaving&act=approve"),
            held(connector, f"{person}/"),
            f"connectors/{connector.pk}/runs/",
            f"connectors/{connector.pk}/runs/awaited/?after=0",
            f"runs/{connector.findings_id}/",
            f"runs/{connector.findings_id}/csv/",
        ):
            assert other.get(place).status_code == 404, place
        sent = other.post(decide(connector, "of=leaving&act=approve"), {"seen": "x"})
        assert (sent.status_code, decided(connector, MarkKind.APPROVED)) == (404, set())


# Deciding about many


def test_who_decides_says_first_who_they_are(connector: Connector) -> None:
    hold(connector, range(6))
    maren = Visitor(connector.company)
    place = decide(connector, "of=leaving&act=approve")
    again = f"/accounts/reauthenticate/?next={quote(maren.before + place, safe='')}"
    assert maren.get(place).headers["Location"] == again
    assert maren.post(place, {"seen": "x"}).headers["Location"] == again
    assert decided(connector, MarkKind.APPROVED) == set()


def test_all_are_approved_and_the_run_that_does_it_is_awaited(connector: Connector, visitor: Visitor) -> None:
    ids = hold(connector, range(46))
    place = decide(connector, "of=leaving&act=approve")
    page = visitor.get(place)
    said = text_of(page)
    for words in ("Disable exactly these 46", "Nothing has been done yet.", "Person 45", "46 people"):
        assert words in said, words
    answer = send(visitor, place, page)
    assert decided(connector, MarkKind.APPROVED) == set(ids)
    assert set(PersonMark.objects.filter(kind=MarkKind.APPROVED).values_list("by", flat=True)) == {name_of(visitor)}
    awaited = f"{visitor.before}connectors/{connector.pk}/runs/awaited/?after={connector.findings_id}"
    assert answer.headers["Location"] == awaited
    assert "Approved for 46 people." in visitor.told(answer)
    assert OrmQ.objects.count() == 1


def test_those_ticked_are_approved_and_no_others(connector: Connector, visitor: Visitor) -> None:
    ids = hold(connector, range(6))
    place = decide(connector, f"of=leaving&ticked=1&act=approve&p={ids[1]}&p={ids[4].upper()}&p=x%00&p={ids[1]}")
    assert "Disable exactly these 2" in visitor.reads(place)
    send(visitor, place)
    assert decided(connector, MarkKind.APPROVED) == {ids[1], ids[4]}


def test_all_that_fit_a_word_are_approved_and_no_others(connector: Connector, maren: Visitor) -> None:
    hold(connector, range(25))
    place = decide(connector, "of=leaving&q=person2&act=approve")
    assert "Disable exactly these 6" in maren.reads(place)
    send(maren, place)
    assert decided(connector, MarkKind.APPROVED) == {person_id(number) for number in (2, 20, 21, 22, 23, 24)}


def test_a_list_of_thousands_is_approved_as_it_was_seen(connector: Connector, maren: Visitor) -> None:
    ids = hold(connector, range(1_200))
    place = decide(connector, "of=leaving&act=approve")
    page = maren.get(place)
    assert "and 1100 more" in text_of(page)
    send(maren, place, page)
    assert decided(connector, MarkKind.APPROVED) == set(ids)


def test_accounts_are_kept(connector: Connector, visitor: Visitor) -> None:
    ids = hold(connector, range(3))
    place = decide(connector, "of=leaving&act=keep")
    assert "Keep these 3 accounts" in visitor.reads(place)
    assert "3 people keep their accounts." in visitor.told(send(visitor, place))
    assert (decided(connector, MarkKind.KEPT), decided(connector, MarkKind.HELD)) == (set(ids), set())
    assert "Nothing is held" in visitor.reads(held(connector))


def test_creations_and_restorations_are_declined_together(connector: Connector, visitor: Visitor) -> None:
    created = hold(connector, range(11), ChangeKind.CREATE, HoldCause.GROWTH, Situation.NEW)
    restored = hold(connector, range(20, 22), ChangeKind.RESTORE, HoldCause.GROWTH, Situation.RETURNED)
    assert "2 accounts stay deleted, as long as their owners stay in the group." in visitor.reads(held(connector))
    place = decide(connector, "of=joining&act=decline")
    assert "Decline these 13" in visitor.reads(place)
    send(visitor, place)
    assert decided(connector, MarkKind.DECLINED) == {*created, *restored}
    assert decided(connector, MarkKind.HELD) == set()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("of=leaving&ticked=1&act=approve", "Nobody is selected: select one or more people first."),
        ("of=leaving&act=approve&q=nobody", "Nobody of those you chose waits for this decision any more"),
        ("of=leaving&act=decline", "Choose first what shall happen to whom."),
        ("of=administrators&act=approve", "Choose first what shall happen to whom."),
        ("of=nonsense&act=approve", "Choose first what shall happen to whom."),
        ("", "Choose first what shall happen to whom."),
    ],
)
def test_a_decision_about_nobody_leads_back(connector: Connector, maren: Visitor, query: str, sentence: str) -> None:
    hold(connector, range(2))
    assert sentence in maren.told(maren.get(decide(connector, query)))
    assert sentence in maren.told(maren.post(decide(connector, query), {}))


# Stale pages


def approve_one(connector: Connector) -> None:
    decisions.approve(connector, [(person_id(0), ChangeKind.DISABLE)], actor="Somebody else")


def keep_one(connector: Connector) -> None:
    decisions.keep(connector, [person_id(0)], actor="Somebody else")


def hold_more(connector: Connector) -> None:
    hold(connector, [77])


def find_anew(connector: Connector) -> None:
    PersonMark.objects.filter(connector=connector).delete()
    AccountLink.objects.filter(connector=connector).delete()
    Account.objects.filter(company=connector.company, user=None).delete()
    make_findings(connector)
    hold(connector, [1, 2, 3, 77])


@pytest.mark.parametrize(
    ("happens", "gone", "new"),
    [
        (approve_one, "Not on it any more, 1: Person 0", ""),
        (keep_one, "Not on it any more, 1: Person 0", ""),
        (find_anew, "Not on it any more, 1: Person 0", "New on it, 1: Person 77"),
    ],
)
def test_a_stale_page_decides_nothing_and_shows_the_difference(
    connector: Connector, visitor: Visitor, happens: Callable[[Connector], None], gone: str, new: str
) -> None:
    hold(connector, range(4))
    place = decide(connector, "of=leaving&act=approve")
    page = visitor.get(place)
    happens(connector)
    before = decided(connector, MarkKind.APPROVED)
    answer = send(visitor, place, page)
    said = text_of(answer)
    assert (answer.status_code, decided(connector, MarkKind.APPROVED), OrmQ.objects.count()) == (409, before, 0)
    for words in ("Nothing was decided: the list has changed since you looked", gone, new):
        assert words in said, words
    number = 3 if not new else 4
    assert f"Disable exactly these {number}" in said
    # The list that is shown now can be decided about.
    send(visitor, place, answer)
    assert len(decided(connector, MarkKind.APPROVED)) == number + len(before)


@pytest.mark.parametrize(
    "broken", [{"at": ""}, {"at": "2026-99-99T00:00+00:00"}, {"findings": "x"}, {"findings": "0"}, {"seen": "x"}]
)
def test_a_page_that_cannot_be_put_together_again_is_refused_without_a_difference(
    connector: Connector, maren: Visitor, broken: dict[str, str]
) -> None:
    hold(connector, range(4))
    place = decide(connector, "of=leaving&act=approve")
    page = maren.get(place)
    form = {name: hidden(page, name) for name in ("seen", "findings", "at")}
    hold_more(connector)
    answer = maren.post(place, form | broken)
    said = text_of(answer)
    assert (answer.status_code, decided(connector, MarkKind.APPROVED)) == (409, set())
    assert ("Somebody decided, or a run found something else." in said, "Not on it any more" in said) == (True, False)


def test_who_was_decided_about_before_the_page_is_no_difference(connector: Connector, maren: Visitor) -> None:
    hold(connector, range(5))
    decisions.approve(connector, [(person_id(4), ChangeKind.DISABLE)], actor="Somebody else")
    place = decide(connector, "of=leaving&act=approve")
    page = maren.get(place)
    approve_one(connector)
    said = text_of(send(maren, place, page))
    assert ("Not on it any more, 1: Person 0" in said, "Person 4" in said) == (True, False)


def test_who_was_ticked_and_waits_no_more_is_said_at_once(connector: Connector, maren: Visitor) -> None:
    ids = hold(connector, range(4))
    approve_one(connector)
    place = decide(connector, f"of=leaving&ticked=1&act=approve&p={ids[0]}&p={ids[1]}")
    assert "1 of those you selected does not wait for this any more." in maren.reads(place)


def test_a_removed_connector_decides_nothing_and_asks_nothing(connector: Connector, maren: Visitor) -> None:
    hold(connector, range(4))
    ask_about_address(connector, 9)
    place = decide(connector, "of=leaving&act=approve")
    page = maren.get(place)
    connector.status, connector.secret = "removed", None
    connector.removed_at = connector.status_since
    connector.save()
    assert "This connector was removed" in maren.told(send(maren, place, page))
    assert "Nothing is held" in maren.reads(held(connector, "?of=addresses"))


def test_a_person_who_cannot_be_kept_any_more_refuses_all(connector: Connector, maren: Visitor) -> None:
    hold(connector, range(3))
    AccountLink.objects.filter(account__email="person1@brightwater.example").update(situations="")
    place = decide(connector, "of=leaving&act=keep")
    answer = send(maren, place)
    assert (answer.status_code, decided(connector, MarkKind.KEPT), OrmQ.objects.count()) == (409, set(), 0)


# One person


def test_who_says_whose_an_address_is_says_first_who_they_are(connector: Connector) -> None:
    person, account = ask_about_address(connector, 7)
    maren = Visitor(connector.company)
    place = held(connector, f"{person}/")
    again = f"/accounts/reauthenticate/?next={quote(maren.before + place, safe='')}"
    assert maren.get(place).headers["Location"] == again
    assert maren.post(place, {"answer": "same", "account": str(account.pk)}).headers["Location"] == again
    assert PersonMark.objects.filter(connector=connector, object_id=person).count() == 0


@pytest.mark.parametrize(
    ("answer", "mark", "said"),
    [
        ("same", MarkKind.SAME_PERSON, "Same person. The run that gives them the account was asked for."),
        ("else", MarkKind.SOMEONE_ELSE, "Someone else. They wait until the address is free."),
    ],
)
def test_an_address_met_twice_is_decided_by_a_person(
    connector: Connector, visitor: Visitor, answer: str, mark: MarkKind, said: str
) -> None:
    person, account = ask_about_address(connector, 7)
    place = held(connector, f"{person}/")
    page = visitor.get(place)
    words = text_of(page)
    for word in ("Newcomer 7", account.email, person, account.directory_object_id, "Same person", "Someone else"):
        assert word in words, word
    sent = visitor.post(place, {"answer": answer, "account": hidden(page, "account")})
    assert said in visitor.told(sent)
    found = PersonMark.objects.get(connector=connector, kind=mark)
    assert (found.object_id, found.value, found.by) == (person, str(account.pk), name_of(visitor))
    assert "says" in visitor.reads(held(connector, "?of=addresses"))
    assert "Nothing waits to be decided about this person" in visitor.told(visitor.get(place))


def test_an_administrators_account_is_confirmed_by_a_person(connector: Connector, visitor: Visitor) -> None:
    person, account = ask_about_administrator(connector, 8)
    place = held(connector, f"{person}/")
    page = visitor.get(place)
    assert "Link this account to this person" in text_of(page)
    assert "Confirmed." in visitor.told(visitor.post(place, {"answer": "confirm", "account": hidden(page, "account")}))
    mark = PersonMark.objects.get(kind=MarkKind.CONFIRMED)
    assert (mark.object_id, mark.value, mark.by) == (person, str(account.pk), name_of(visitor))


@pytest.mark.parametrize("form", [{}, {"answer": "confirm"}, {"answer": "same"}, {"answer": "same", "account": "0"}])
def test_an_answer_to_another_question_decides_nothing(
    connector: Connector, maren: Visitor, form: dict[str, str]
) -> None:
    person, _ = ask_about_address(connector, 7)
    sent = maren.post(held(connector, f"{person}/"), form)
    assert "Nothing was decided: this is not as your page showed it." in maren.told(sent)
    assert PersonMark.objects.count() == 0


def test_a_person_about_whom_nothing_is_asked_leads_back(connector: Connector, maren: Visitor) -> None:
    hold(connector, [1])
    for number in (1, 2):
        assert "Nothing waits to be decided" in maren.told(maren.get(held(connector, f"{person_id(number)}/")))


# With Microsoft


@pytest.fixture
def braked() -> Iterator[Stage]:
    """A company of ten people of whom six left the group at once: the brake holds all six."""
    emulator = Emulator()
    with emulator.install():
        names = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jon")
        stage = Stage(emulator, *(f"{first} Example" for first in names))
        stage.run()
        for first in ("ada", "ben", "cleo", "dan", "eve", "finn"):
            stage.tenant.remove_member(stage.group.id, stage.people[first].id)
        stage.run()
        yield stage


@pytest.mark.parametrize("portal", ["partner", "business"])
def test_what_is_approved_is_done_by_the_run_and_says_who_approved(braked: Stage, portal: str) -> None:
    visitor = Visitor(braked.company, portal)
    visitor.says_who()
    ticked = "".join(f"&p={braked.people[name].id}" for name in ("ada", "ben"))
    awaited = send(visitor, decide(braked.connector, f"of=leaving&ticked=1&act=approve{ticked}")).headers["Location"]
    synchronise(braked.connector.pk, RunTrigger.APPROVAL, by=User.objects.get(pk=visitor.user.pk))
    page = text_of(visitor.client.get(awaited, follow=True))
    for words in (
        f"Started by {visitor.user}, by a decision about held changes",
        f"Approved by {visitor.user}",
        "Disabled 2",
    ):
        assert words in page, words
    statuses = braked.statuses()
    assert {name for name, status in statuses.items() if status == AccountStatus.DISABLED} == {"ada", "ben"}
    assert "Disable 4 accounts?" in visitor.reads(held(braked.connector))


def test_what_is_kept_stays_and_is_asked_about_no_more(braked: Stage) -> None:
    visitor = Visitor(braked.company)
    visitor.says_who()
    send(visitor, decide(braked.connector, "of=leaving&act=keep"))
    braked.run()
    assert set(braked.statuses().values()) == {AccountStatus.ACTIVE}
    assert "Nothing is held" in visitor.reads(held(braked.connector))
