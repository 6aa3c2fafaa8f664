"""The record of who did what: every declared action emitted, append-only, complete, and inside a transaction."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from tenants.audit import Action, declared_actions, record, sentence_of
from tenants.companies import change_company, create_company, create_partner, rename_partner
from tenants.models import AuditEntry, Company, Partner, StaffMembership, User
from tenants.roster import Act, Pasted, create_account, create_accounts, perform
from tenants.states import AccountRole, AccountStatus
from tenants.subscriptions import subscribe
from tests.world import make_account, make_company, make_operator, make_partner, make_staff


def _act(act: Act, status: AccountStatus = AccountStatus.ACTIVE, **fields: object) -> Callable[[Company, User], object]:
    return lambda company, actor: perform(
        act, company, [make_account(company, status, identified=True, **fields).pk], actor=actor
    )


# Every action of tenants → what emits it.
EMITTED: dict[str, Callable[[Company, User], object]] = {
    "account.approved": _act(Act.APPROVE, AccountStatus.PENDING),
    "account.enabled": _act(Act.ENABLE, AccountStatus.DISABLED),
    "account.disabled": _act(Act.DISABLE),
    "account.deleted": _act(Act.DELETE),
    "account.purged": _act(Act.PURGE, AccountStatus.DELETED),
    "account.created_together": lambda company, actor: create_accounts(
        company, [Pasted(1, "Ngozi", "Eze", "ngozi@x.example"), Pasted(2, "Ada", "Eze", "ada@x.example")], actor=actor
    ),
    "account.restored": _act(Act.RESTORE, AccountStatus.DELETED),
    "account.converted": _act(Act.CONVERT, claimed=True),
    "account.made_admin": _act(Act.MAKE_ADMIN),
    "account.made_user": _act(Act.MAKE_USER, AccountStatus.DISABLED, role=AccountRole.ADMIN),
    "account.handed_back": _act(Act.HAND_BACK),
    "account.bar_lifted": _act(Act.LIFT_BAR, barred=True),
    "account.invited_again": _act(Act.RESEND_INVITATION),
    "account.invitation_revoked": _act(Act.REVOKE_INVITATION),
    "account.created": lambda company, actor: create_account(
        company, first_name="Ngozi", last_name="Eze", email="ngozi@brightwater.example", actor=actor
    ),
    "company.created": lambda company, actor: create_company(company.partner, name="Sable Street", actor=actor),
    "company.changed": lambda company, actor: change_company(company, {"licences": 3}, actor=actor),
    "subscription.changed": lambda company, actor: subscribe(
        StaffMembership.objects.get(user=make_staff(company.partner)), [], None, actor=actor
    ),
    "partner.created": lambda company, actor: create_partner(name="Northgate Systems", actor=actor),
    "partner.renamed": lambda company, actor: rename_partner(company.partner, name="Northgate", actor=actor),
}


def test_every_action_of_tenants_is_emitted_here() -> None:
    own = {
        code for code in declared_actions() if code.startswith(("account.", "company.", "partner.", "subscription."))
    }
    assert set(EMITTED) == own


@pytest.mark.django_db
@pytest.mark.parametrize("code", EMITTED)
def test_an_action_writes_one_entry_that_reads_as_a_sentence(code: str) -> None:
    company, actor = make_company(), make_operator()
    EMITTED[code](company, actor)
    [entry] = AuditEntry.objects.all()
    assert entry.action == code
    assert set(entry.detail) == set(declared_actions()[code].keys)
    sentence = sentence_of(entry)
    assert sentence.startswith("Ines Carvalho (operator@portal.example) ")
    assert entry.subject in sentence
    assert "{" not in sentence.replace("{'", "")
    created = Partner.objects.exclude(pk=company.partner_id).first()
    assert entry.partner == (created if code == "partner.created" else company.partner)
    assert (entry.company is None) == code.startswith(("partner.", "subscription."))


@pytest.mark.django_db
class TestRecord:
    def test_copies_names_so_that_they_outlive_deletion(self) -> None:
        company, actor = make_company(), make_operator()
        entry = _written(company, actor)
        Company.objects.filter(pk=company.pk).update(name="Renamed")
        actor.delete()
        entry = AuditEntry.objects.get(pk=entry.pk)
        assert (entry.company_name, entry.actor_label, entry.actor) == (
            "Brightwater Logistics",
            "Ines Carvalho (operator@portal.example)",
            None,
        )

    def test_takes_a_label_for_what_acts_by_itself(self) -> None:
        entry = _written(make_company(), "Connector Brightwater Entra ID")
        assert sentence_of(entry) == "Connector Brightwater Entra ID tried Something."

    def test_names_a_login_without_a_name_by_its_address(self) -> None:
        entry = _written(make_company(), make_operator(name=""))
        assert entry.actor_label == "operator@portal.example"

    def test_takes_exactly_the_declared_keys(self) -> None:
        company = make_company()
        for detail in ({}, {"count": 1, "secret": "s"}):
            with pytest.raises(ValueError, match=r"takes the detail \['count'\]"):
                record(COUNTED, company=company, actor="Somebody", subject="x", detail=detail)
        assert AuditEntry.objects.count() == 0

    def test_takes_a_company_or_a_partner_not_both(self) -> None:
        company = make_company()
        with pytest.raises(ValueError, match="already belongs"):
            record(TRIED, company=company, partner=company.partner, actor="A", subject="", detail={})
        partner = make_partner()
        assert record(TRIED, partner=partner, actor="A", subject="", detail={}).partner == partner
        assert record(TRIED, actor="A", subject="", detail={}).partner is None

    def test_keeps_what_fits_of_a_long_subject(self) -> None:
        entry = record(TRIED, actor="A" * 600, subject="b" * 800, detail={})
        entry.refresh_from_db()
        assert (len(entry.actor_label), len(entry.subject)) == (500, 700)

    def test_of_an_action_that_is_gone_shows_the_bare_facts(self) -> None:
        company = make_company()
        entry = AuditEntry(company=company, actor_label="A", action="gone.by", subject="x")
        assert sentence_of(entry) == "A: gone.by x"


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_written_only_inside_a_transaction() -> None:
    assert not connection.in_atomic_block
    with pytest.raises(transaction.TransactionManagementError):
        record(TRIED, actor="A", subject="", detail={})
    assert AuditEntry.objects.count() == 0


@pytest.mark.django_db
def test_entries_are_append_only_from_every_side() -> None:
    entry = _written(make_company(), "A")
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(subject="b"),
        lambda: AuditEntry.objects.bulk_update([entry], ["subject"]),
        lambda: AuditEntry.objects.bulk_create(
            [entry], update_conflicts=True, unique_fields=["id"], update_fields=["subject"]
        ),
    ):
        with pytest.raises(TypeError, match="is never"):
            attempt()
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry(pk=entry.pk, actor_label="B", action="b", subject="b").save()
    assert AuditEntry.objects.get().subject == "Something"


def test_a_code_is_declared_once_and_its_sentence_names_only_its_keys() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Action("account.deleted", "{actor} deleted {subject}.")
    with pytest.raises(KeyError):
        Action("test.unknown_word", "{actor} did {this}.")
    assert "test.unknown_word" not in declared_actions()


TRIED = Action("test.tried", "{actor} tried {subject}.")
COUNTED = Action("test.counted", "{actor} counted {count}.", ("count",))


def _written(company: Company, actor: User | str) -> AuditEntry:
    return record(TRIED, company=company, actor=actor, subject="Something", detail={})
