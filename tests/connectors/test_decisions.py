"""What people decide about findings: what the next run then does, what is refused as stale, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors import decisions, lifecycle
from connectors.decisions import Difference, Hold, Refused, Stale, holds_digest, holds_of
from connectors.models import AccountLink, Connector, PersonMark, SyncChange
from connectors.states import Action, ChangeKind, HoldCause, MarkKind, Outcome, Situation
from tenants.audit import sentence_of
from tenants.models import Account, AuditEntry
from tenants.roles import Can
from tenants.states import AccountRole, AccountStatus
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_account, make_company

ACTOR = "Command line (ops)"
NOBODY = "00000000-0000-4000-8000-000000000000"
PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jon")
LEAVERS = ("ada", "ben", "cleo", "dan", "eve", "finn")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def braked(db: None, emulator: Emulator) -> Stage:
    """A company of ten people of whom six left the group at once: the brake holds all six."""
    stage = Stage(emulator, *(f"{first} Example" for first in PEOPLE))
    stage.run()
    for first in LEAVERS:
        stage.tenant.remove_member(stage.group.id, stage.people[first].id)
    stage.run()
    assert len(holds_of(stage.connector)) == 6
    return stage


def ids(stage: Stage, *names: str) -> list[str]:
    return [stage.people[name].id for name in names]


def disabled(stage: Stage) -> set[str]:
    return {name for name, status in stage.statuses().items() if status == AccountStatus.DISABLED}


def marks(stage: Stage, *kinds: MarkKind) -> set[tuple[str, str, str]]:
    """Return marks as (first name, kind, value)."""
    names = {user.id: name for name, user in stage.people.items()}
    rows = PersonMark.objects.filter(connector=stage.connector, kind__in=kinds or list(MarkKind))
    return {(names[mark.object_id], mark.kind, mark.value) for mark in rows}


def entries() -> list[str]:
    decided = AuditEntry.objects.filter(actor_label=ACTOR).order_by("pk")
    return [sentence_of(entry) for entry in decided]


def stale(decide: Callable[[], object]) -> tuple[Difference, ...]:
    before = set(PersonMark.objects.values_list("object_id", "kind", "value"))
    with pytest.raises(Stale) as caught:
        decide()
    assert set(PersonMark.objects.values_list("object_id", "kind", "value")) == before
    assert entries() == []
    return caught.value.differences


def test_every_decision_needs_the_right_to_rule() -> None:
    assert set(decisions.ACTS.values()) == {Can.RULE_CONNECTORS}
    assert [name for name in decisions.ACTS if not callable(getattr(decisions, name))] == []


# Held changes


def test_what_is_approved_is_applied_and_the_rest_stays_held(braked: Stage) -> None:
    approved = [(braked.people[name].id.upper(), ChangeKind.DISABLE) for name in ("ada", "ben")]
    assert decisions.approve(braked.connector, approved, actor=ACTOR) == 2
    assert marks(braked, MarkKind.APPROVED) == {("ada", "approved", "disable"), ("ben", "approved", "disable")}
    assert set(PersonMark.objects.filter(kind=MarkKind.APPROVED).values_list("by", flat=True)) == {ACTOR}
    braked.run()
    assert disabled(braked) == {"ada", "ben"}
    assert marks(braked, MarkKind.APPROVED) == set()
    assert {name for name, _, _ in marks(braked, MarkKind.HELD)} == {"cleo", "dan", "eve", "finn"}
    people = ", ".join(
        f"{braked.people[name].display_name}" for name in sorted(("ada", "ben"), key=lambda n: ids(braked, n))
    )
    assert entries() == [f"{ACTOR} approved 2 held changes of Microsoft Entra ID: {people}."]


def test_an_approval_of_what_is_held_no_more_or_otherwise_decides_nothing(braked: Stage) -> None:
    ada, gus = ids(braked, "ada", "gus")
    wanted = [(ada, ChangeKind.DELETE), (gus, ChangeKind.DISABLE), (ids(braked, "ben")[0], ChangeKind.DISABLE)]
    assert stale(lambda: decisions.approve(braked.connector, wanted, actor=ACTOR)) == tuple(
        sorted([Difference(ada, "delete", "disable"), Difference(gus, "disable", "")])
    )
    assert braked.refreshed().settings_revision == 1


def test_everything_is_approved_only_as_it_was_seen(braked: Stage) -> None:
    seen = holds_digest(holds_of(braked.connector))
    decisions.keep(braked.connector, ids(braked, "ada"), actor="Somebody else")
    assert len(stale(lambda: decisions.approve_all(braked.connector, seen=seen, actor=ACTOR))) == 5
    seen = holds_digest(holds_of(braked.connector))
    assert decisions.approve_all(braked.connector, seen=seen, actor=ACTOR) == 5
    braked.run()
    assert disabled(braked) == set(LEAVERS) - {"ada"}


def test_who_is_approved_twice_is_approved_by_the_first(braked: Stage) -> None:
    wanted = [(ids(braked, "ada")[0], ChangeKind.DISABLE)]
    decisions.approve(braked.connector, wanted, actor=ACTOR)
    decisions.approve(braked.connector, wanted, actor="Somebody else")
    assert [mark.by for mark in PersonMark.objects.filter(kind=MarkKind.APPROVED)] == [ACTOR]


def test_whom_a_person_keeps_is_left_alone_until_they_leave_again(braked: Stage) -> None:
    assert decisions.keep(braked.connector, ids(braked, "ada", "ben"), actor=ACTOR) == 2
    kept = {("ada", "kept", "removed"), ("ben", "kept", "removed")}
    assert marks(braked, MarkKind.KEPT, MarkKind.APPROVED) == kept
    assert {name for name, _, _ in marks(braked, MarkKind.HELD)} == {"cleo", "dan", "eve", "finn"}
    braked.run()
    assert (disabled(braked), marks(braked, MarkKind.KEPT)) == (set(), kept)
    assert entries()[0].startswith(f"{ACTOR} keeps 2 accounts of Microsoft Entra ID as they are: ")
    # Back in the group, the situation has ended; the next time it is a new one.
    ada = ids(braked, "ada")[0]
    braked.tenant.add_member(braked.group.id, ada)
    braked.run()
    assert marks(braked, MarkKind.KEPT) == {("ben", "kept", "removed")}


def test_keeping_somebody_undoes_an_approval(braked: Stage) -> None:
    ada = ids(braked, "ada")
    decisions.approve(braked.connector, [(ada[0], ChangeKind.DISABLE)], actor=ACTOR)
    decisions.keep(braked.connector, ada, actor=ACTOR)
    assert marks(braked, MarkKind.APPROVED) == set()
    braked.run()
    assert disabled(braked) == set()


def test_nobody_is_kept_who_is_in_no_situation(braked: Stage) -> None:
    gus = ids(braked, "gus")[0]
    assert stale(lambda: decisions.keep(braked.connector, [gus, *ids(braked, "ada"), NOBODY], actor=ACTOR)) == (
        Difference(NOBODY, "keep", ""),
        Difference(gus, "keep", ""),
    )


def test_a_flood_is_declined_one_by_one_and_approved_as_a_whole(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Example", "Ben Example")
    stage.run()
    stage.hire_many(11)
    newcomers = [user for name, user in stage.people.items() if name.startswith("person")]
    stage.run()
    assert {(hold.kind, hold.cause) for hold in holds_of(stage.connector)} == {(ChangeKind.CREATE, HoldCause.GROWTH)}
    assert len(stale(lambda: decisions.decline(stage.connector, ids(stage, "ada"), actor=ACTOR))) == 1
    assert decisions.decline(stage.connector, [newcomers[0].id], actor=ACTOR) == 1
    assert len(holds_of(stage.connector)) == 10
    decisions.approve_all(stage.connector, seen=holds_digest(holds_of(stage.connector)), actor=ACTOR)
    stage.run()
    assert len(stage.statuses()) == 12
    assert not Account.objects.filter(email=newcomers[0].mail).exists()
    assert entries()[0] == f"{ACTOR} declined 1 accounts of Microsoft Entra ID: Person00000 Number00000."


@pytest.fixture
def back(db: None, emulator: Emulator) -> Stage:
    """Ada left, her account was deleted, and she is back: its restoration is held."""
    stage = Stage(
        emulator,
        "Ada Example",
        "Ben Example",
        rules={Situation.REMOVED: Action.DELETE},
        growth_floor=0,
        growth_percent=0,
    )
    stage.run()
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    stage.run()
    stage.tenant.add_member(stage.group.id, stage.people["ada"].id)
    stage.run()
    assert [(hold.object_id, hold.kind) for hold in holds_of(stage.connector)] == [
        (stage.people["ada"].id, ChangeKind.RESTORE)
    ]
    return stage


def test_a_declined_restoration_leaves_the_account_deleted_until_its_owner_has_left_again(back: Stage) -> None:
    ada = back.people["ada"].id
    assert decisions.decline(back.connector, [ada], actor=ACTOR) == 1
    for _ in range(2):
        back.run()
        assert (holds_of(back.connector), back.statuses()["ada"]) == ([], "deleted")
    back.tenant.remove_member(back.group.id, ada)
    back.run()
    assert marks(back, MarkKind.DECLINED) == set()
    back.tenant.add_member(back.group.id, ada)
    back.run()
    assert [(hold.object_id, hold.kind) for hold in holds_of(back.connector)] == [(ada, ChangeKind.RESTORE)]


def test_what_was_declined_is_declined_while_its_owner_is_in_the_group_whatever_else_happens(back: Stage) -> None:
    ada = back.people["ada"].id
    decisions.decline(back.connector, [ada], actor=ACTOR)
    for change in (back.tenant.disable_user, back.tenant.enable_user):
        change(ada)
        back.run()
        assert (marks(back, MarkKind.DECLINED), back.statuses()["ada"]) == ({("ada", "declined", "")}, "deleted")
    back.clock.advance(days=31)
    result = back.run()
    assert ("skipped", "declined", "ada") in back.changes(result)
    assert Account.objects.filter(email__startswith="ada@", status=AccountStatus.ACTIVE).count() == 0


def test_a_decision_about_many_names_ten_and_counts_the_others(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Example")
    stage.run()
    stage.hire_many(13)
    stage.run()
    decisions.approve_all(stage.connector, seen=holds_digest(holds_of(stage.connector)), actor=ACTOR)
    [entry] = AuditEntry.objects.filter(action="connector.approved")
    assert (entry.detail["count"], entry.detail["people"].endswith("and 3 more")) == (13, True)


def test_a_decision_costs_the_same_for_few_and_for_many(db: None, emulator: Emulator) -> None:
    def cost(number: int) -> int:
        stage = Stage(emulator, name=f"Company {number}", domain=f"c{number}.example")
        wanted = [(f"00000000-0000-4000-8000-{n:012d}", ChangeKind.DISABLE) for n in range(number)]
        PersonMark.objects.bulk_create(
            PersonMark(connector=stage.connector, object_id=one, kind=MarkKind.HELD, value=kind, other=HoldCause.BRAKE)
            for one, kind in wanted
        )
        with CaptureQueriesContext(connection) as queries:
            decisions.approve(stage.connector, wanted, actor=ACTOR)
        return len(queries)

    assert cost(2) == cost(200)


# Who is who


def test_an_administrators_account_is_adopted_only_when_a_person_confirmed_it(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Example")
    ada = stage.people["ada"].id
    account = make_account(
        stage.company,
        first_name="Ada",
        last_name="Example",
        email=f"ada@{stage.tenant.domain}",
        role=AccountRole.ADMIN,
        claimed=True,
    )
    user = make_account(stage.company)
    stage.run()
    assert holds_of(stage.connector) == [Hold(ada, ChangeKind.ADOPT, HoldCause.ADMIN)]
    with pytest.raises(Refused) as caught:
        decisions.approve(stage.connector, [(ada, ChangeKind.ADOPT)], actor=ACTOR)
    assert str(caught.value).startswith("An administrator's account is linked only after somebody has confirmed")
    seen = holds_digest(holds_of(stage.connector))
    assert decisions.approve_all(stage.connector, seen=seen, actor=ACTOR) == 0
    assert len(stale(lambda: decisions.confirm_administrator(stage.connector, ada, user.pk, actor=ACTOR))) == 1
    decisions.confirm_administrator(stage.connector, ada, account.pk, actor=ACTOR)
    stage.run()
    account.refresh_from_db()
    assert (account.directory_object_id, account.role, stage.links()) == (ada, AccountRole.ADMIN, 1)
    assert (holds_of(stage.connector), entries()) == (
        [],
        [
            f"{ACTOR} confirmed for Microsoft Entra ID that Ada Example in the directory is the administrator"
            f" {account.email}."
        ],
    )
    assert (
        len(_ignoring_entries(lambda: decisions.confirm_administrator(stage.connector, ada, account.pk, actor=ACTOR)))
        == 1
    )


def _ignoring_entries(decide: Callable[[], object]) -> tuple[Difference, ...]:
    with pytest.raises(Stale) as caught:
        decide()
    return caught.value.differences


@pytest.fixture
def reused(db: None, emulator: Emulator) -> Stage:
    """Ada left, and her address was given to a newcomer."""
    stage = Stage(emulator, "Ada Example", "Ben Example", "Cleo Example")
    stage.run()
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    stage.tenant.update_user(stage.people["ada"].id, mail="former@brightwater.example")
    stage.run()
    stage.hire("Adam Example", mail=f"ada@{stage.tenant.domain}")
    result = stage.run()
    assert ("skipped", "address_taken", "ada") in stage.changes(result)
    return stage


def test_the_same_person_gets_the_account_that_has_the_address(reused: Stage) -> None:
    account = reused.account("ada")
    adam = reused.people["adam"].id
    decisions.someone_else(reused.connector, adam, account.pk, actor=ACTOR)
    decisions.same_person(reused.connector, adam, account.pk, actor=ACTOR)
    assert marks(reused, MarkKind.SAME_PERSON, MarkKind.SOMEONE_ELSE) == {("adam", "same_person", str(account.pk))}
    reused.run()
    account.refresh_from_db()
    assert account.directory_object_id == adam
    assert marks(reused, MarkKind.SAME_PERSON) == set()
    assert entries() == [
        f"{ACTOR} decided for Microsoft Entra ID that Adam Example in the directory is not the owner of the account"
        f" {account.email}.",
        f"{ACTOR} decided for Microsoft Entra ID that Adam Example in the directory is the owner of the account"
        f" {account.email}.",
    ]


def test_an_account_whose_owner_is_still_there_is_not_given_away(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Example", "Ben Example")
    stage.run()
    stage.tenant.update_user(stage.people["ada"].id, mail="ada.king@brightwater.example")
    stage.hire("Adam Example", mail=f"ada@{stage.tenant.domain}")
    result = stage.run()
    assert ("skipped", "address_taken", "ada") in stage.changes(result)
    account, adam = stage.account("ada"), stage.people["adam"].id

    def refused() -> str:
        with pytest.raises(Refused) as caught:
            decisions.same_person(stage.connector, adam, account.pk, actor=ACTOR)
        return str(caught.value).partition(".")[0]

    assert refused() == "The owner of ada@brightwater"
    link = AccountLink.objects.get(account=account)
    other = Connector.objects.create(company=stage.company)
    AccountLink.objects.filter(pk=link.pk).update(connector=other)
    assert refused() == "Another connector of this company manages the account"
    link.delete()
    Account.objects.filter(pk=account.pk).update(barred=True)
    assert refused() == "The account was handed back to Password Boss, and no run may change it"
    assert (marks(stage, MarkKind.SAME_PERSON), entries()) == (set(), [])
    decisions.someone_else(stage.connector, adam, account.pk, actor=ACTOR)


def test_someone_else_waits_and_is_asked_about_no_more(reused: Stage) -> None:
    account = reused.account("ada")
    decisions.someone_else(reused.connector, reused.people["adam"].id, account.pk, actor=ACTOR)
    reused.run()
    findings = reused.refreshed().findings
    assert findings is not None
    line = findings.changes.get(outcome=Outcome.SKIPPED, object_id=reused.people["adam"].id)
    assert (line.cause, line.question) == ("address_taken", False)
    account.refresh_from_db()
    assert account.directory_object_id == reused.people["ada"].id


def test_an_account_that_is_not_in_the_way_any_more_is_not_decided_about(reused: Stage) -> None:
    account = reused.account("ada")
    adam, ada = reused.people["adam"].id, reused.people["ada"].id
    elsewhere = make_account(make_company(name="Sable Street Brewing"), identified=True)
    unlinked = make_account(reused.company)
    for person, other in ((ada, account.pk), (adam, elsewhere.pk), (adam, unlinked.pk), (adam, 0)):
        for decide in (decisions.same_person, decisions.someone_else):
            assert len(stale(lambda: decide(reused.connector, person, other, actor=ACTOR))) == 1  # noqa: B023 (called at once)
    with pytest.raises(Refused) as caught:
        decisions.same_person(reused.connector, "Adam", account.pk, actor=ACTOR)
    assert caught.value.field == "object_id"


@pytest.mark.parametrize("look", [1, 2])
def test_a_decision_during_a_run_is_noticed_by_it(braked: Stage, look: int) -> None:
    """The decision falls into the first look, or between planning and writing: the run plans again, and obeys."""
    ada = ids(braked, "ada")[0]
    braked.tenant.update_user(ids(braked, "gus")[0], given_name="Augustus")
    braked.emulator.faults.add(
        path="\\$batch",
        nth=look,
        call=lambda: decisions.approve(braked.connector, [(ada, ChangeKind.DISABLE)], actor=ACTOR),
    )
    braked.run()
    assert (disabled(braked), braked.account("gus").first_name) == ({"ada"}, "Augustus")


def test_nothing_is_decided_for_a_removed_connector(braked: Stage) -> None:
    wanted = [(ids(braked, "ada")[0], ChangeKind.DISABLE)]
    lifecycle.remove(braked.connector, actor=ACTOR)
    with pytest.raises(Refused) as caught:
        decisions.approve(braked.connector, wanted, actor=ACTOR)
    assert str(caught.value) == "This connector was removed, and nothing waits for a decision any more."
    assert holds_of(braked.connector) == []


def test_deciding_about_nobody_writes_nothing(braked: Stage) -> None:
    for decide in (decisions.approve, decisions.keep, decisions.decline):
        assert decide(braked.connector, [], actor=ACTOR) == 0
    assert (entries(), Connector.objects.get().settings_revision) == ([], 1)


# Who decided stands on the run


def test_a_run_says_who_approved_each_change(braked: Stage) -> None:
    decisions.approve(braked.connector, [(ids(braked, "ada")[0], ChangeKind.DISABLE)], actor="Maren Lindqvist")
    decisions.approve(braked.connector, [(ids(braked, "ben")[0], ChangeKind.DISABLE)], actor="Amara Okafor")
    braked.hire("Zoe Example")
    result = braked.run()
    assert result.run is not None
    lines = result.run.changes.filter(outcome=Outcome.APPLIED).values_list("email", "kind", "decided_by")
    assert {(email.partition("@")[0], kind, by) for email, kind, by in lines} == {
        ("ada", "disable", "Maren Lindqvist"),
        ("ben", "disable", "Amara Okafor"),
        ("zoe", "create", ""),
    }


def test_a_run_says_who_said_whose_account_it_is(reused: Stage) -> None:
    account = reused.account("ada")
    decisions.same_person(reused.connector, reused.people["adam"].id, account.pk, actor="Maren Lindqvist")
    reused.hire("Boss Example")
    make_account(reused.company, email=f"boss@{reused.tenant.domain}", role=AccountRole.ADMIN)
    reused.run()
    boss = Account.objects.get(email__startswith="boss@")
    decisions.confirm_administrator(reused.connector, reused.people["boss"].id, boss.pk, actor="Amara Okafor")
    reused.run()
    decided = SyncChange.objects.exclude(decided_by="").order_by("pk").values_list("kind", "decided_by")
    assert list(decided) == [("relink", "Maren Lindqvist"), ("adopt", "Amara Okafor")]
