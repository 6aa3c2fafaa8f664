"""The acts of people: where each applies, what it does and records, and how each refusal reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.audit import sentence_of
from tenants.models import Account, AuditEntry, Company, User
from tenants.roles import Can
from tenants.roster import ACTS, Act, Refused, acts_that_apply, create_account, perform, purge_deleted
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy
from tests.world import make_account, make_company, make_staff

NOW = datetime(2026, 11, 23, 9, 42, tzinfo=UTC)
ACTIVE, PENDING, DISABLED, DELETED, PERSONAL = (
    AccountStatus.ACTIVE,
    AccountStatus.PENDING,
    AccountStatus.DISABLED,
    AccountStatus.DELETED,
    AccountStatus.PERSONAL,
)


def test_each_act_asks_for_the_right_of_the_rights_table() -> None:
    assert dict(ACTS) == {
        Act.APPROVE: Can.MANAGE_ACCOUNTS,
        Act.ENABLE: Can.MANAGE_ACCOUNTS,
        Act.DISABLE: Can.MANAGE_ACCOUNTS,
        Act.DELETE: Can.END_ACCOUNTS,
        Act.RESTORE: Can.END_ACCOUNTS,
        Act.PURGE: Can.END_ACCOUNTS,
        Act.CONVERT: Can.END_ACCOUNTS,
        Act.MAKE_ADMIN: Can.END_ACCOUNTS,
        Act.MAKE_USER: Can.END_ACCOUNTS,
        Act.HAND_BACK: Can.RULE_CONNECTORS,
        Act.LIFT_BAR: Can.RULE_CONNECTORS,
        Act.RESEND_INVITATION: Can.MANAGE_ACCOUNTS,
        Act.REVOKE_INVITATION: Can.MANAGE_ACCOUNTS,
    }


class TestWhatApplies:
    # status → the acts for an unclaimed user's account that PB manages
    PLAIN = {
        ACTIVE: {Act.DISABLE, Act.DELETE, Act.MAKE_ADMIN, Act.RESEND_INVITATION, Act.REVOKE_INVITATION},
        PENDING: {Act.APPROVE, Act.DISABLE, Act.DELETE, Act.MAKE_ADMIN, Act.REVOKE_INVITATION},
        DISABLED: {Act.ENABLE, Act.DELETE, Act.MAKE_ADMIN, Act.REVOKE_INVITATION},
        DELETED: {Act.RESTORE, Act.PURGE},
        PERSONAL: set(),
    }

    @staticmethod
    def account(status: AccountStatus, **fields: Any) -> Account:
        until = datetime(2026, 12, 1, tzinfo=UTC) if status is DELETED else None
        return Account(status=status, restorable_until=until, **fields)

    @pytest.mark.parametrize("status", AccountStatus)
    def test_to_one_account(self, status: AccountStatus) -> None:
        plain = self.PLAIN[status]
        present = status in {ACTIVE, PENDING, DISABLED}

        def seen(**fields: Any) -> set[Act]:
            return set(acts_that_apply([self.account(status, **fields)], NOW))

        assert seen() == plain
        unclaimed = {Act.RESEND_INVITATION, Act.REVOKE_INVITATION}
        assert seen(user=User(pk=1)) == plain - unclaimed | ({Act.CONVERT} if present else set())
        swapped = (plain - {Act.MAKE_ADMIN}) | ({Act.MAKE_USER} if present else set())
        assert seen(role=AccountRole.ADMIN) == swapped
        assert seen(managed_by=ManagedBy.AZURE_AD) == plain | ({Act.HAND_BACK} if present else set())
        assert seen(barred=True) == plain | {Act.LIFT_BAR}

    def test_to_a_deleted_account_only_until_its_time_is_over(self) -> None:
        late = datetime(2026, 12, 1, tzinfo=UTC)
        assert acts_that_apply([self.account(DELETED)], late) == {Act.PURGE}
        assert acts_that_apply([Account(status=DELETED, purged_at=NOW)], NOW) == frozenset()

    def test_to_a_selection_only_what_fits_all_of_it(self) -> None:
        both = [self.account(ACTIVE), self.account(DISABLED)]
        assert acts_that_apply(both, NOW) == {Act.DELETE, Act.MAKE_ADMIN, Act.REVOKE_INVITATION}
        assert acts_that_apply([*both, self.account(DELETED)], NOW) == frozenset()

    def test_to_nobody_nothing(self) -> None:
        assert acts_that_apply([], NOW) == frozenset()


@pytest.fixture
def company(db: None) -> Company:
    return make_company(licences=10)


@pytest.fixture
def maren(company: Company) -> User:
    return make_staff(company.partner, email="maren@harbourridge.example")


def state(account: Account) -> dict[str, Any]:
    account.refresh_from_db()
    flags = ("barred", "vouched", "was_active", "claimed", "has_identity")
    return {
        "status": account.status,
        "by": account.disabled_by or account.deleted_by or account.pending_reason,
        "managed": account.managed_by,
        "role": account.role,
        "flags": {flag for flag in flags if getattr(account, flag)},
    }


LINKED = {"managed": "azure_ad", "role": "user"}

# act → (what a linked account is before, and after)
STORIES: list[tuple[Act, AccountStatus, dict[str, Any], dict[str, Any]]] = [
    (Act.APPROVE, PENDING, {}, {"status": "active", "by": "", "flags": {"vouched", "was_active"}}),
    (Act.ENABLE, DISABLED, {}, {"status": "active", "by": "", "flags": {"vouched", "was_active"}}),
    (Act.DISABLE, ACTIVE, {}, {"status": "disabled", "by": "person", "flags": {"was_active"}}),
    (Act.DISABLE, PENDING, {}, {"status": "disabled", "by": "person", "flags": set()}),
    (Act.DELETE, ACTIVE, {}, {"status": "deleted", "by": "person", "flags": {"barred", "was_active"}}),
    (
        Act.RESTORE,
        DELETED,
        {"barred": True},
        {"status": "active", "by": "", "flags": {"vouched", "was_active"}},
    ),
    (
        Act.RESTORE,
        DELETED,
        {"disabled_by": Hand.PERSON},
        {"status": "disabled", "by": "person", "flags": {"vouched", "was_active"}},
    ),
    (
        Act.RESTORE,
        DELETED,
        {"was_active": False},
        {"status": "pending", "by": "rule", "flags": {"vouched"}},
    ),
    (Act.MAKE_ADMIN, ACTIVE, {}, {"status": "active", "by": "", "role": "admin", "flags": {"was_active"}}),
    (
        Act.MAKE_USER,
        ACTIVE,
        {"role": AccountRole.ADMIN},
        {"status": "active", "by": "", "flags": {"was_active"}},
    ),
    (
        Act.HAND_BACK,
        ACTIVE,
        {},
        {"status": "active", "by": "", "managed": "pb", "flags": {"barred", "was_active"}},
    ),
    (Act.LIFT_BAR, ACTIVE, {"barred": True}, {"status": "active", "by": "", "flags": {"was_active"}}),
]


@pytest.mark.parametrize(("act", "status", "fields", "after"), STORIES)
def test_an_act_does_what_its_name_says(
    company: Company,
    maren: User,
    act: Act,
    status: AccountStatus,
    fields: dict[str, Any],
    after: dict[str, Any],
) -> None:
    make_account(company, role=AccountRole.ADMIN)
    accounts = [make_account(company, status, identified=True, **fields) for _ in range(3)]
    perform(act, company, [account.pk for account in accounts], actor=maren)
    wanted = LINKED | after | {"flags": after["flags"] | {"has_identity"}}
    assert [state(account) for account in accounts] == [wanted] * 3
    [entry] = AuditEntry.objects.all()
    assert (entry.company, entry.actor, entry.subject) == (company, maren, "3 accounts")
    assert entry.detail == {"accounts": sorted(account.email for account in accounts)}
    assert sentence_of(entry).startswith("Maren Lindqvist (maren@harbourridge.example) ")
    company.refresh_from_db()
    assert company.roster_revision == 1


def test_purging_erases_the_person_and_leaves_the_record_of_the_deletion(company: Company, maren: User) -> None:
    account = make_account(
        company, claimed=True, identified=True, first_name="Amara", email="amara@brightwater.example"
    )
    stays = make_account(company, DELETED)
    login = account.user
    assert login is not None
    perform(Act.DELETE, company, [account.pk], actor=maren)
    perform(Act.PURGE, company, [account.pk], actor=maren)
    account.refresh_from_db()
    told = (
        account.full_name,
        account.email,
        account.user,
        account.status,
        account.deleted_by,
        account.restorable_until,
    )
    assert told == ("", "", None, "deleted", "person", None)
    assert (account.deleted_at is not None, account.purged_at is not None) == (True, True)
    # Deleted by a person: the identity alone stays, for no sync to create the account again.
    assert (account.barred, account.has_identity) == (True, True)
    assert not User.objects.filter(pk=login.pk).exists()
    deleted, purged = AuditEntry.objects.order_by("pk")
    assert "amara@brightwater.example" in sentence_of(deleted)
    assert sentence_of(purged).endswith(f" purged the deleted account #{account.pk}.")
    assert purged.detail == {"accounts": [f"#{account.pk}"]}
    stays.refresh_from_db()
    assert stays.purged_at is None
    perform(Act.PURGE, company, [stays.pk], actor=maren)
    with pytest.raises(Refused, match="not there any more"):
        perform(Act.PURGE, company, [account.pk], actor=maren)
    with pytest.raises(Refused, match="not there any more"):
        perform(Act.RESTORE, company, [account.pk], actor=maren)


def test_several_are_purged_and_counted(company: Company, maren: User) -> None:
    accounts = [make_account(company, DELETED, identified=True) for _ in range(3)]
    perform(Act.PURGE, company, [account.pk for account in accounts], actor=maren)
    assert set(Account.objects.values_list("email", "directory_object_id")) == {("", "")}
    assert sentence_of(AuditEntry.objects.get()).endswith(" purged 3 deleted accounts.")
    living = make_account(company)
    with pytest.raises(Refused, match="Purge now applies to deleted accounts"):
        perform(Act.PURGE, company, [living.pk], actor=maren)


def test_convert_cuts_the_identity_and_leaves_the_login(company: Company, maren: User) -> None:
    account = make_account(company, claimed=True, identified=True)
    perform(Act.CONVERT, company, [account.pk], actor=maren)
    assert state(account) == {
        "status": "personal",
        "by": "",
        "managed": "pb",
        "role": "user",
        "flags": {"was_active", "claimed"},
    }


def test_an_account_without_an_identity_is_neither_barred_nor_vouched(company: Company, maren: User) -> None:
    account = make_account(company)
    perform(Act.DELETE, company, [account.pk], actor=maren)
    assert state(account)["flags"] == {"was_active"}
    perform(Act.RESTORE, company, [account.pk], actor=maren)
    assert state(account)["flags"] == {"was_active"}


def test_one_account_is_recorded_by_its_name(company: Company, maren: User) -> None:
    account = make_account(company, first_name="Amara", last_name="Okafor", email="amara@brightwater.example")
    perform(Act.DISABLE, company, [account.pk], actor=maren)
    entry = AuditEntry.objects.get()
    assert entry.subject == "Amara Okafor (amara@brightwater.example)"
    assert sentence_of(entry) == (
        "Maren Lindqvist (maren@harbourridge.example) disabled Amara Okafor (amara@brightwater.example)."
    )


def refusal(act: Act, company: Company, accounts: list[Account], actor: User) -> str:
    """Return the sentence of a refusal that must have changed nothing."""
    before = list(Account.objects.order_by("pk").values())
    with pytest.raises(Refused) as refused:
        perform(act, company, [account.pk for account in accounts], actor=actor)
    assert list(Account.objects.order_by("pk").values()) == before
    assert AuditEntry.objects.count() == 0
    return refused.value.sentence


class TestRefusals:
    def test_nobody_selected(self, company: Company, maren: User) -> None:
        assert refusal(Act.ENABLE, company, [], maren) == "Nobody is selected. Select at least one account."

    def test_somebody_of_another_company_or_purged(self, company: Company, maren: User) -> None:
        stranger = make_account(make_company(name="Quarrystone Legal"), DISABLED)
        purged = make_account(company, DELETED, identified=True, barred=True, restorable_until=None)
        purge_deleted(NOW)
        sentence = "Some of the selected accounts are not there any more. Load the page again."
        assert refusal(Act.ENABLE, company, [stranger], maren) == sentence
        assert refusal(Act.LIFT_BAR, company, [purged], maren) == sentence

    def test_an_act_that_does_not_apply_to_all(self, company: Company, maren: User) -> None:
        disabled = make_account(company, DISABLED)
        active = make_account(company, first_name="Amara", last_name="Okafor", email="amara@brightwater.example")
        assert refusal(Act.ENABLE, company, [disabled, active], maren) == (
            "Enable applies to disabled accounts, and Amara Okafor (amara@brightwater.example)"
            " is not one of them. Take it out of the selection."
        )

    def test_no_licence(self, company: Company, maren: User) -> None:
        Company.objects.update(licences=2)
        make_account(company)
        waiting = [make_account(company, PENDING) for _ in range(2)]
        advice = "Buy more licences, or disable or delete accounts that are not needed."
        assert refusal(Act.APPROVE, company, waiting, maren) == (f"2 licences are needed and one is free. {advice}")
        Company.objects.update(licences=0)
        assert refusal(Act.APPROVE, company, waiting[:1], maren) == (
            f"One licence is needed and none is free. {advice}"
        )
        Company.objects.update(licences=4)
        waiting += [make_account(company, PENDING) for _ in range(3)]
        assert refusal(Act.APPROVE, company, waiting, maren) == (f"5 licences are needed and 3 are free. {advice}")

    @pytest.mark.parametrize("act", [Act.DISABLE, Act.DELETE, Act.CONVERT, Act.MAKE_USER])
    def test_the_last_active_administrator(self, company: Company, maren: User, act: Act) -> None:
        amara = make_account(
            company,
            first_name="Amara",
            email="amara@brightwater.example",
            role=AccountRole.ADMIN,
            claimed=True,
        )
        waiting = make_account(company, PENDING, role=AccountRole.ADMIN, claimed=True)
        assert refusal(act, company, [amara], maren) == (
            "Brightwater Logistics would be left without an active administrator."
            " Make somebody else administrator first, or leave Amara (amara@brightwater.example) out."
        )
        perform(act, company, [waiting.pk], actor=maren)
        other = make_account(company, role=AccountRole.ADMIN)
        perform(act, company, [amara.pk], actor=maren)
        other.refresh_from_db()
        assert other.status == "active"

    def test_a_company_without_an_administrator_can_lose_nobody(self, company: Company, maren: User) -> None:
        user = make_account(company)
        perform(Act.DISABLE, company, [user.pk], actor=maren)
        assert state(user)["status"] == "disabled"

    def test_restoring_to_an_address_that_is_taken(self, company: Company, maren: User) -> None:
        deleted = make_account(company, DELETED, email="amara@brightwater.example")
        make_account(company, DISABLED, email="Amara@Brightwater.example")
        assert refusal(Act.RESTORE, company, [deleted], maren) == (
            "Amara@Brightwater.example has a new account since, and it is disabled."
            " Delete that one first, or keep it instead."
        )

    def test_restoring_one_address_twice(self, company: Company, maren: User) -> None:
        twins = [make_account(company, DELETED, email=email) for email in ("amara@x.example", "Amara@x.example")]
        assert refusal(Act.RESTORE, company, twins, maren) == (
            "Two of the deleted accounts have the address amara@x.example. Restore only one of them."
        )

    def test_restoring_an_identity_that_is_taken(self, company: Company, maren: User) -> None:
        deleted = make_account(company, DELETED, identified=True)
        identity = {
            "directory_tenant_id": deleted.directory_tenant_id,
            "directory_object_id": deleted.directory_object_id,
        }
        twin = make_account(company, DELETED, first_name="Amara", last_name="", email="a@x.example", **identity)
        assert refusal(Act.RESTORE, company, [deleted, twin], maren) == (
            f"Two of the deleted accounts are of the same person in Entra, one of them {deleted}"
            f" ({deleted.email}). Restore only one of them."
        )
        make_account(company, first_name="Ngozi", last_name="", email="ngozi@x.example", **identity)
        assert refusal(Act.RESTORE, company, [deleted], maren) == (
            "Ngozi (ngozi@x.example) is the account that the same person in Entra has now."
            " Delete that one first, or keep it instead."
        )

    def test_the_same_object_id_in_another_tenant_is_somebody_else(self, company: Company, maren: User) -> None:
        deleted = make_account(company, DELETED, identified=True)
        make_account(company, directory_tenant_id="another", directory_object_id=deleted.directory_object_id)
        perform(Act.RESTORE, company, [deleted.pk], actor=maren)
        assert state(deleted)["status"] == "active"


@pytest.mark.parametrize("act", [Act.DISABLE, Act.RESTORE])
def test_an_act_costs_the_same_for_two_accounts_and_for_two_hundred(company: Company, maren: User, act: Act) -> None:
    Company.objects.update(licences=None)
    status = {Act.DISABLE: ACTIVE, Act.RESTORE: DELETED}[act]
    costs = set()
    for size in (2, 200):
        ids = [make_account(company, status, identified=True).pk for _ in range(size)]
        with CaptureQueriesContext(connection) as queries:
            perform(act, company, ids, actor=maren)
        costs.add(len(queries))
    assert len(costs) == 1
    assert costs.pop() <= 14


class TestCreateAccount:
    def test_makes_an_active_account_and_records_it(self, company: Company, maren: User) -> None:
        account = create_account(
            company,
            first_name=" Amara ",
            last_name="Okafor",
            email=" Amara.Okafor@brightwater.example ",
            role=AccountRole.ADMIN,
            actor=maren,
        )
        assert (account.email, account.full_name) == ("Amara.Okafor@brightwater.example", "Amara Okafor")
        assert state(account) == {
            "status": "active",
            "by": "",
            "managed": "pb",
            "role": "admin",
            "flags": {"was_active"},
        }
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.detail) == ("account.created", {"role": "Administrator"})

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            (
                {"first_name": "", "last_name": " "},
                "An account needs a name: give a first or a last name.",
            ),
            (
                {"first_name": "x" * 201},
                "That name cannot be kept: give at most 200 letters each, on one line.",
            ),
            (
                {"last_name": "Oka\x00for"},
                "That name cannot be kept: give at most 200 letters each, on one line.",
            ),
            (
                {"email": "amara"},
                "That is not an email address: give one such as name@example.com.",
            ),
            (
                {"email": f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 10}.example"},
                "That email address is too long: give one of at most 254 characters.",
            ),
            (
                {"email": "HELD@brightwater.example"},
                "held@brightwater.example already has an account here, and it is personal."
                " Use that one, or give another email address.",
            ),
        ],
    )
    def test_refuses_what_cannot_be_kept(
        self, company: Company, maren: User, fields: dict[str, str], sentence: str
    ) -> None:
        make_account(company, PERSONAL, email="held@brightwater.example")
        good = {"first_name": "Amara", "last_name": "Okafor", "email": "amara@brightwater.example"}
        with pytest.raises(Refused) as refused:
            create_account(company, **(good | fields), actor=maren)
        assert refused.value.sentence == sentence
        assert Account.objects.count() == 1

    def test_needs_a_licence(self, company: Company, maren: User) -> None:
        Company.objects.update(licences=0)
        with pytest.raises(Refused, match="One licence is needed and none is free"):
            create_account(company, first_name="A", last_name="", email="a@x.example", actor=maren)
        assert AuditEntry.objects.count() == 0

    def test_takes_an_address_that_a_deleted_account_has_freed(self, company: Company, maren: User) -> None:
        make_account(company, DELETED, email="amara@brightwater.example")
        create_account(company, first_name="Amara", last_name="", email="amara@brightwater.example", actor=maren)
        assert Account.objects.filter(status=ACTIVE).count() == 1
