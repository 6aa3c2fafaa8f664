"""The ledger: what each operation makes of an account, whom it refuses, what it costs, and what it counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from tenants.models import Account, Company, Group, GroupMembership, User
from tenants.roster import Ledger, LicencesShort, NewAccount, NewGroup, Stale, changing, purge_deleted
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason
from tests.world import TENANT, make_account, make_company, make_group, make_staff

pytestmark = pytest.mark.django_db

ACTIVE, PENDING, DISABLED, DELETED, PERSONAL = (
    AccountStatus.ACTIVE,
    AccountStatus.PENDING,
    AccountStatus.DISABLED,
    AccountStatus.DELETED,
    AccountStatus.PERSONAL,
)
AT = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
AWAY = {"first_name", "last_name", "email", "id", "company_id", "created_at", "user_id"}


def facts(account: Account) -> dict[str, Any]:
    """Return everything an operation may change, less what is at its default, and times as whether they are set."""
    row = Account.objects.filter(pk=account.pk).values().get()
    plain = {key: value for key, value in row.items() if key not in AWAY and value not in ("", None, False)}
    return {key: True if isinstance(value, datetime) else value for key, value in plain.items()}


IDENTITY = {"directory_tenant_id": TENANT, "directory_object_id": "00000000-0000-4000-8000-00000000000a"}
OWN = {"role": "user", "managed_by": "pb"}
AZURE = {"role": "user", "managed_by": "azure_ad"}

# operation → (statuses it takes, the call, what a linked, claimed account is afterwards)
OPERATIONS: dict[str, tuple[set[AccountStatus], Callable[[Ledger, list[int]], None], dict[str, Any]]] = {
    "activate": (
        {PENDING},
        lambda ledger, ids: ledger.activate(ids),
        AZURE | IDENTITY | {"status": "active", "was_active": True},
    ),
    "enable": (
        {DISABLED},
        lambda ledger, ids: ledger.enable(ids),
        AZURE | IDENTITY | {"status": "active", "was_active": True},
    ),
    "restore": (
        {DELETED},
        lambda ledger, ids: ledger.restore(ids, ACTIVE),
        AZURE | IDENTITY | {"status": "active", "was_active": True},
    ),
    "restore as pending": (
        {DELETED},
        lambda ledger, ids: ledger.restore(ids, PENDING, PendingReason.LICENCE),
        AZURE
        | IDENTITY
        | {"status": "pending", "pending_reason": "licence", "waiting_since": True, "was_active": True},
    ),
    "suspend": (
        {ACTIVE, DISABLED},
        lambda ledger, ids: ledger.suspend(ids, PendingReason.RULE),
        AZURE | IDENTITY | {"status": "pending", "pending_reason": "rule", "waiting_since": True, "was_active": True},
    ),
    "disable": (
        {ACTIVE, PENDING},
        lambda ledger, ids: ledger.disable(ids, Hand.CONNECTOR),
        AZURE | IDENTITY | {"status": "disabled", "disabled_by": "connector", "was_active": True},
    ),
    "delete": (
        {ACTIVE, PENDING, DISABLED},
        lambda ledger, ids: ledger.delete(ids, Hand.CONNECTOR, AT),
        AZURE
        | IDENTITY
        | {
            "status": "deleted",
            "deleted_by": "connector",
            "deleted_at": True,
            "restorable_until": True,
            "was_active": True,
        },
    ),
    "convert": (
        {ACTIVE, PENDING, DISABLED},
        lambda ledger, ids: ledger.convert(ids),
        OWN | {"status": "personal", "was_active": True},
    ),
    "set role": (
        {ACTIVE, PENDING, DISABLED},
        lambda ledger, ids: ledger.set_role(ids, AccountRole.ADMIN),
        AZURE | IDENTITY | {"role": "admin", "status": "active", "was_active": True},
    ),
    "vouch": (
        {ACTIVE, PENDING, DISABLED},
        lambda ledger, ids: ledger.vouch(ids),
        AZURE | IDENTITY | {"vouched": True, "status": "active", "was_active": True},
    ),
    "rename": (
        {ACTIVE, PENDING, DISABLED},
        lambda ledger, ids: ledger.rename(dict.fromkeys(ids, ("Amara", "Okafor"))),
        AZURE | IDENTITY | {"status": "active", "was_active": True},
    ),
    "identify": (
        {ACTIVE, PENDING, DISABLED},
        lambda ledger, ids: ledger.identify({pk: (TENANT, f"object-{pk}") for pk in ids}),
        AZURE | {"directory_tenant_id": TENANT, "status": "active", "was_active": True},
    ),
    "manage": (
        {ACTIVE, PENDING, DISABLED, DELETED},
        lambda ledger, ids: ledger.manage(ids, ManagedBy.PB),
        OWN | IDENTITY | {"status": "active", "was_active": True},
    ),
    "bar": (
        {ACTIVE, PENDING, DISABLED, DELETED},
        lambda ledger, ids: ledger.bar(ids),
        AZURE | IDENTITY | {"barred": True, "status": "active", "was_active": True},
    ),
    "unbar": (
        {ACTIVE, PENDING, DISABLED, DELETED, PERSONAL},
        lambda ledger, ids: ledger.unbar(ids),
        AZURE | IDENTITY | {"status": "active", "was_active": True},
    ),
    "clear vouched": (
        {ACTIVE, PENDING, DISABLED, DELETED, PERSONAL},
        lambda ledger, ids: ledger.clear_vouched(ids),
        AZURE | IDENTITY | {"status": "active", "was_active": True},
    ),
}


def make_linked(company: Company, status: AccountStatus, **fields: Any) -> Account:
    """Save a claimed account with an identity; a personal one has none."""
    identity = {} if status is PERSONAL else {"managed_by": ManagedBy.AZURE_AD} | IDENTITY
    return make_account(company, status, claimed=True, was_active=True, **(identity | fields))


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("status", AccountStatus)
def test_an_operation_takes_exactly_the_statuses_it_names(name: str, status: AccountStatus) -> None:
    company = make_company(licences=5)
    account = make_linked(company, status)
    takes, operation, expected = OPERATIONS[name]
    before = facts(account)
    if status in takes:
        with changing(company.pk) as ledger:
            operation(ledger, [account.pk])
        first = ACTIVE if ACTIVE in takes else min(takes)
        if status is first:
            seen = facts(account)
            if name == "identify":
                assert seen.pop("directory_object_id") == f"object-{account.pk}"
            assert seen == expected
        company.refresh_from_db()
        assert company.roster_revision == 1
    else:
        with pytest.raises(Stale), changing(company.pk) as ledger:
            operation(ledger, [account.pk])
        assert facts(account) == before
        company.refresh_from_db()
        assert company.roster_revision == 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_row_in_another_state_undoes_the_whole_bulk(name: str) -> None:
    company = make_company()
    takes, operation, _ = OPERATIONS[name]
    status = ACTIVE if ACTIVE in takes else min(takes)
    fits = [make_account(company, status, identified=True, claimed=True) for _ in range(3)]
    stranger = make_account(make_company(name="Sable Street Brewing"), status, identified=True, claimed=True)
    before = [facts(account) for account in [*fits, stranger]]
    with pytest.raises(Stale), changing(company.pk) as ledger:
        operation(ledger, [account.pk for account in [*fits, stranger]])
    assert [facts(account) for account in [*fits, stranger]] == before


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_on_nobody_changes_nothing(name: str) -> None:
    company = make_company(licences=0)
    with changing(company.pk) as ledger:
        OPERATIONS[name][1](ledger, [])
        assert ledger.changed is False
    company.refresh_from_db()
    assert company.roster_revision == 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_costs_the_same_for_two_rows_and_for_two_hundred(name: str) -> None:
    takes, operation, _ = OPERATIONS[name]
    status = ACTIVE if ACTIVE in takes else min(takes)
    costs = set()
    for size in (2, 200):
        company = make_company(name=f"Company of {size}", licences=1_000)
        group = make_group(company)
        ids = [make_account(company, status, identified=True, claimed=True).pk for _ in range(size)]
        if status not in {DELETED, PERSONAL}:
            GroupMembership.objects.bulk_create(GroupMembership(group=group, account_id=pk) for pk in ids)
        with (
            changing(company.pk) as ledger,
            CaptureQueriesContext(
                connection,
            ) as queries,
        ):
            operation(ledger, ids)
        costs.add(len(queries))
    assert len(costs) == 1, costs
    assert costs.pop() <= 4


def test_a_thousand_accounts_are_created_and_changed_in_a_few_statements() -> None:
    company = make_company(licences=1_200)
    rows = [NewAccount("Person", str(number), f"p{number}@brightwater.example") for number in range(1_100)]
    with changing(company.pk) as ledger:
        ids = [account.pk for account in ledger.create(rows)]
        with CaptureQueriesContext(connection) as queries:
            ledger.disable(ids, Hand.CONNECTOR)
            ledger.enable(ids)
    assert len(queries) <= 2 * 2 + 1
    assert Account.objects.filter(company=company, status=ACTIVE).count() == 1_100


def test_rename_sets_each_name() -> None:
    company = make_company()
    ada, ben = make_account(company, identified=True), make_account(company, identified=True)
    with changing(company.pk) as ledger:
        ledger.rename({ada.pk: ("Amara", "Okafor"), ben.pk: ("Ben", "")})
    assert [account.full_name for account in Account.objects.order_by("pk")] == ["Amara Okafor", "Ben"]


class TestCreate:
    def test_keeps_the_order_and_everything_given(self) -> None:
        company = make_company(licences=1)
        with changing(company.pk) as ledger:
            amara, ngozi = ledger.create(
                [
                    NewAccount("Amara", "Okafor", "Amara.Okafor@Brightwater.example", role=AccountRole.ADMIN),
                    NewAccount(
                        "Ngozi",
                        "",
                        "ngozi@brightwater.example",
                        PENDING,
                        PendingReason.LICENCE,
                        ManagedBy.AZURE_AD,
                        TENANT,
                        "object-1",
                    ),
                ]
            )
        assert Account.objects.get(pk=amara.pk).email == "Amara.Okafor@Brightwater.example"
        assert facts(amara) == {"role": "admin", "managed_by": "pb", "status": "active", "was_active": True}
        assert facts(ngozi) == AZURE | {
            "status": "pending",
            "pending_reason": "licence",
            "waiting_since": True,
            "directory_tenant_id": TENANT,
            "directory_object_id": "object-1",
        }

    def test_refuses_an_address_or_an_identity_twice(self) -> None:
        company = make_company()
        make_account(company, email="amara@brightwater.example", identified=True)
        taken = Account.objects.get()
        for row in (
            NewAccount("A", "B", "AMARA@brightwater.example"),
            NewAccount("A", "B", "other@x.example", tenant_id=TENANT, object_id=taken.directory_object_id),
        ):
            with pytest.raises(IntegrityError), changing(company.pk) as ledger:
                ledger.create([row])
        assert Account.objects.count() == 1


class TestLicences:
    def test_only_active_accounts_use_one(self) -> None:
        company = make_company(licences=10)
        for status in AccountStatus:
            make_account(company, status)
        make_account(make_company(name="Sable Street Brewing"), ACTIVE)
        with changing(company.pk) as ledger:
            assert ledger.free_licences == 9

    def test_none_are_short_where_they_are_unlimited(self) -> None:
        company = make_company(licences=None)
        waiting = make_account(company, PENDING)
        with changing(company.pk) as ledger:
            assert ledger.free_licences is None
            ledger.activate([waiting.pk])

    @pytest.mark.parametrize(
        "activation",
        [
            lambda ledger, rows: ledger.activate(rows[PENDING]),
            lambda ledger, rows: ledger.enable(rows[DISABLED]),
            lambda ledger, rows: ledger.restore(rows[DELETED], ACTIVE),
            lambda ledger, rows: ledger.create([NewAccount("A", "B", f"n{n}@x.example") for n in range(2)]),
        ],
        ids=["activate", "enable", "restore", "create"],
    )
    def test_every_way_to_active_needs_them(self, activation: Any) -> None:
        company = make_company(licences=2)
        make_account(company, ACTIVE)
        rows = {status: [make_account(company, status).pk for _ in range(2)] for status in (PENDING, DISABLED, DELETED)}
        with pytest.raises(LicencesShort) as short, changing(company.pk) as ledger:
            activation(ledger, rows)
        assert (short.value.wanted, short.value.free) == (2, 1)
        assert Account.objects.filter(status=ACTIVE).count() == 1

    def test_other_ways_need_none(self) -> None:
        company = make_company(licences=0)
        deleted = [make_account(company, DELETED, disabled_by=Hand.PERSON) for _ in range(2)]
        with changing(company.pk) as ledger:
            ledger.create([NewAccount("A", "B", "a@x.example", PENDING, PendingReason.LICENCE)])
            ledger.restore([deleted[0].pk], DISABLED)
            ledger.restore([deleted[1].pk], PENDING, PendingReason.LICENCE)

    def test_cut_below_use_disables_nobody_and_activates_nobody(self) -> None:
        company = make_company(licences=3)
        active = [make_account(company, ACTIVE).pk for _ in range(3)]
        waiting = make_account(company, PENDING)
        with changing(company.pk) as ledger:
            ledger.set_licences(1)
            assert ledger.free_licences == -2
            ledger.disable(active[:2], Hand.PERSON)
            assert ledger.free_licences == 0
        with pytest.raises(LicencesShort), changing(company.pk) as ledger:
            ledger.activate([waiting.pk])
        with changing(company.pk) as ledger:
            ledger.disable(active[2:], Hand.PERSON)
            ledger.activate([waiting.pk])
        assert Account.objects.get(status=ACTIVE) == waiting


class TestRestore:
    def test_gives_disabled_back_only_to_who_had_been(self) -> None:
        company = make_company()
        had, had_not = make_account(company, DELETED, disabled_by=Hand.PERSON), make_account(company, DELETED)
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.restore([had.pk, had_not.pk], DISABLED)
        with changing(company.pk) as ledger:
            ledger.restore([had.pk], DISABLED)
        assert facts(had) == OWN | {"status": "disabled", "disabled_by": "person", "was_active": True}

    def test_is_over_after_the_days_that_the_settings_keep(self, settings: Any) -> None:
        settings.PBPORTAL_KEEP_DELETED_DAYS = 30
        company = make_company()
        account = make_account(company)
        now = datetime.now(UTC)
        with changing(company.pk) as ledger:
            ledger.delete([account.pk], Hand.PERSON, now)
        account.refresh_from_db()
        assert account.restorable_until == now + timedelta(days=30)
        assert account.is_restorable(now + timedelta(days=30, seconds=-1))
        assert not account.is_restorable(now + timedelta(days=30))
        Account.objects.update(restorable_until=now - timedelta(seconds=1))
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.restore([account.pk], ACTIVE)

    def test_needs_the_address_to_be_free(self) -> None:
        company = make_company()
        deleted = make_account(company, DELETED, email="amara@brightwater.example")
        make_account(company, email="Amara@brightwater.example")
        with pytest.raises(IntegrityError), changing(company.pk) as ledger:
            ledger.restore([deleted.pk], ACTIVE)


class TestLeaving:
    @pytest.mark.parametrize("name", ["delete", "convert"])
    def test_loses_every_group_at_once(self, name: str) -> None:
        company = make_company()
        leaver, stayer = make_account(company, claimed=True), make_account(company, claimed=True)
        make_group(company, "Dispatch", leaver, stayer)
        make_group(company, "Finance", leaver)
        with changing(company.pk) as ledger:
            OPERATIONS[name][1](ledger, [leaver.pk])
        members = GroupMembership.objects.values_list("group__name", "account")
        assert list(members) == [("Dispatch", stayer.pk)]

    def test_convert_takes_only_claimed_accounts(self) -> None:
        company = make_company()
        unclaimed = make_account(company)
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.convert([unclaimed.pk])

    def test_convert_keeps_the_login_and_drops_the_role(self) -> None:
        company = make_company()
        account = make_account(company, claimed=True, role=AccountRole.ADMIN)
        with changing(company.pk) as ledger:
            ledger.convert([account.pk])
        account.refresh_from_db()
        assert (account.claimed, account.role) == (True, "user")

    def test_withdraw_takes_only_who_never_was_active(self) -> None:
        company = make_company()
        fresh = make_account(company, PENDING, identified=True)
        was = make_account(company, PENDING, identified=True, was_active=True)
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.withdraw([was.pk], AT)
        with changing(company.pk) as ledger:
            ledger.withdraw([fresh.pk], AT)
        assert facts(fresh) == OWN | {"status": "deleted", "deleted_by": "connector", "deleted_at": True}
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.restore([fresh.pk], ACTIVE)

    def test_delete_remembers_who_had_disabled(self) -> None:
        company = make_company()
        account = make_account(company, DISABLED, disabled_by=Hand.PERSON)
        with changing(company.pk) as ledger:
            ledger.delete([account.pk], Hand.CONNECTOR, AT)
        account.refresh_from_db()
        assert (account.disabled_by, account.deleted_by, account.deleted_at) == ("person", "connector", AT)


class TestGroups:
    def test_are_created_renamed_taken_up_and_handed_back(self) -> None:
        company = make_company()
        with changing(company.pk) as ledger:
            own, mirror = ledger.create_groups(
                [NewGroup("Dispatch"), NewGroup("Drivers", ManagedBy.AZURE_AD, TENANT, "group-1")]
            )
            ledger.rename_groups({mirror.pk: "All drivers", own.pk: "Dispatchers"})
            ledger.hand_back_groups([mirror.pk])
        rows = Group.objects.values_list("name", "managed_by", "directory_object_id")
        assert list(rows) == [("All drivers", "pb", "group-1"), ("Dispatchers", "pb", "")]
        with changing(company.pk) as ledger:
            ledger.take_up_groups([mirror.pk])
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.take_up_groups([own.pk])
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.take_up_groups([mirror.pk])
        assert list(rows.all()) == [("All drivers", "azure_ad", "group-1"), ("Dispatchers", "pb", "")]

    def test_are_joined_and_left_in_pairs(self) -> None:
        company = make_company()
        ada, ben = make_account(company), make_account(company)
        dispatch, finance = make_group(company, "Dispatch"), make_group(company, "Finance")
        everybody = {(group.pk, account.pk) for group in (dispatch, finance) for account in (ada, ben)}
        pairs = GroupMembership.objects.values_list("group", "account")
        with changing(company.pk) as ledger:
            ledger.join(everybody)
        assert set(pairs) == everybody
        with changing(company.pk) as ledger:
            ledger.leave([(dispatch.pk, ada.pk), (finance.pk, ben.pk)])
        assert set(pairs.all()) == {(dispatch.pk, ben.pk), (finance.pk, ada.pk)}
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.leave([(dispatch.pk, ben.pk), (dispatch.pk, ada.pk)])
        with pytest.raises(IntegrityError), changing(company.pk) as ledger:
            ledger.join([(dispatch.pk, ben.pk)])
        assert set(pairs.all()) == {(dispatch.pk, ben.pk), (finance.pk, ada.pk)}

    def test_take_nobody_and_nothing_of_another_company(self) -> None:
        company, other = make_company(), make_company(name="Sable Street Brewing")
        mine, theirs = make_group(company), make_group(other)
        ada, stranger, gone = make_account(company), make_account(other), make_account(company, DELETED)
        GroupMembership.objects.create(group=theirs, account=stranger)
        for pair in [(mine.pk, stranger.pk), (theirs.pk, ada.pk), (mine.pk, gone.pk)]:
            with pytest.raises(Stale), changing(company.pk) as ledger:
                ledger.join([pair])
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.leave([(theirs.pk, stranger.pk)])
        with pytest.raises(Stale), changing(company.pk) as ledger:
            ledger.rename_groups({theirs.pk: "Mine"})
        assert GroupMembership.objects.count() == 1

    def test_cost_the_same_for_few_and_for_many_members(self) -> None:
        costs = set()
        for size in (2, 200):
            company = make_company(name=f"Company of {size}")
            group, ids = make_group(company), [make_account(company).pk for _ in range(size)]
            pairs = [(group.pk, pk) for pk in ids]
            with changing(company.pk) as ledger, CaptureQueriesContext(connection) as queries:
                ledger.join(pairs)
                ledger.leave(pairs)
            costs.add(len(queries))
        assert costs == {5}


class TestRevision:
    def test_grows_once_however_much_changed(self) -> None:
        company = make_company()
        account = make_account(company)
        with changing(company.pk) as ledger:
            assert ledger.revision == 0
            ledger.disable([account.pk], Hand.PERSON)
            ledger.enable([account.pk])
        with changing(company.pk) as ledger:
            assert ledger.revision == 1
        company.refresh_from_db()
        assert company.roster_revision == 1

    def test_grows_with_whatever_is_written(self) -> None:
        company = make_company()
        group, pair = make_group(company), [(make_group(company).pk, make_account(company).pk)]
        writes: list[Callable[[Ledger], Any]] = [
            lambda ledger: ledger.create([NewAccount("Ada", "Lovelace", "ada@brightwater.example")]),
            lambda ledger: ledger.create_groups([NewGroup("Crew")]),
            lambda ledger: ledger.rename_groups({group.pk: "Builders"}),
            lambda ledger: ledger.join(pair),
            lambda ledger: ledger.leave(pair),
            lambda ledger: ledger.set_licences(5),
        ]
        seen = []
        for write in writes:
            with changing(company.pk) as ledger:
                write(ledger)
            company.refresh_from_db()
            seen.append(company.roster_revision)
        assert seen == [1, 2, 3, 4, 5, 6]

    def test_stays_where_an_exception_undid_the_changes(self) -> None:
        company = make_company()
        account = make_account(company)

        def disable_twice() -> None:
            with changing(company.pk) as ledger:
                ledger.disable([account.pk], Hand.PERSON)
                ledger.disable([account.pk], Hand.PERSON)

        with pytest.raises(Stale):
            disable_twice()
        account.refresh_from_db()
        company.refresh_from_db()
        assert (account.status, company.roster_revision) == ("active", 0)


class TestPurge:
    def test_empties_what_can_no_longer_be_restored(self) -> None:
        company = make_company()
        now = datetime.now(UTC)
        due = make_account(company, DELETED, identified=True, claimed=True, restorable_until=now - timedelta(seconds=1))
        barred = make_account(company, DELETED, identified=True, barred=True, restorable_until=now)
        withdrawn = make_account(company, DELETED, restorable_until=None)
        kept = make_account(company, DELETED, restorable_until=now + timedelta(seconds=1))
        living = make_account(company)
        assert purge_deleted(now) == 3
        assert purge_deleted(now) == 0
        rows = Account.objects.order_by("pk").values_list("pk", "email", "directory_object_id", "user")
        assert list(rows) == [
            (due.pk, "", "", None),
            (barred.pk, "", barred.directory_object_id, None),
            (withdrawn.pk, "", "", None),
            (kept.pk, kept.email, "", None),
            (living.pk, living.email, "", None),
        ]

    def test_a_login_that_opens_nothing_any_more_goes_and_no_other(self) -> None:
        company = make_company()
        due = make_account(company, DELETED, claimed=True, restorable_until=AT)
        kept = make_account(company, DELETED, claimed=True)
        living = make_account(company, claimed=True)
        staff = make_staff(company.partner)
        purge_deleted(AT)
        assert set(User.objects.values_list("pk", flat=True)) == {kept.user_id, living.user_id, staff.pk}
        assert due.user_id not in {kept.user_id, living.user_id}

    def test_lifting_the_bar_afterwards_cuts_the_identity(self) -> None:
        company = make_company()
        barred = make_account(company, DELETED, identified=True, barred=True, restorable_until=None)
        purge_deleted(AT)
        with changing(company.pk) as ledger:
            ledger.unbar([barred.pk])
        barred.refresh_from_db()
        assert (barred.barred, barred.directory_object_id, barred.directory_tenant_id) == (False, "", "")
