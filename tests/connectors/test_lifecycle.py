"""What people do to a connector: each act, what it refuses, its one entry, and that no secret is told."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from connectors import lifecycle
from connectors.directory import ConsentMissing, CredentialRejected, Throttled
from connectors.entra import forget_tokens
from connectors.lifecycle import Refused
from connectors.models import AccountLink, Connector, GroupLink, PersonMark, SelectedGroup, SyncRule, SyncRun
from connectors.states import (
    RULE_CHOICES,
    Action,
    ChangeKind,
    Cloud,
    ConnectorStatus,
    MarkKind,
    RunState,
    RunTrigger,
    Situation,
)
from tenants.audit import sentence_of
from tenants.models import Account, AuditEntry, Company, Group
from tenants.roles import Can
from tenants.states import AccountStatus, ManagedBy
from tests.entra_emulator import Emulator, Tenant
from tests.stage import Stage
from tests.world import make_account, make_company, make_partner, make_staff

ACTOR = "Command line (ops)"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def tenant(emulator: Emulator) -> Tenant:
    return emulator.add_tenant("Brightwater Logistics", domain="brightwater.example")


@pytest.fixture
def typed(tenant: Tenant) -> dict[str, Any]:
    """Return what a person types for a tenant whose application has consent."""
    app = tenant.register_app(consented=True)
    return {"tenant": tenant.id, "client_id": app.client_id, "secret": app.secret, "cloud": Cloud.GLOBAL}


@pytest.fixture
def company(db: None) -> Company:
    return make_company()


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    return Stage(emulator, "Ada Lovelace", "Grace Hopper", "Alan Turing", additional=["Engineers"])


def entries() -> list[tuple[str, str]]:
    """Return every act recorded so far, as (code, sentence), oldest first."""
    return [(entry.action, sentence_of(entry)) for entry in AuditEntry.objects.order_by("pk")]


def acts() -> list[str]:
    return [code for code, _ in entries()]


def queued() -> int:
    return OrmQ.objects.count()


def scheduled(connector: Connector) -> bool:
    return Schedule.objects.filter(name=f"sync:{connector.pk}").exists()


def refusal(act: Callable[[], object]) -> tuple[str, str]:
    """Return the sentence and the field that an act is refused with."""
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.sentence, caught.value.field


def hold_lease(connector: Connector) -> SyncRun:
    """Let it look as if a worker were in the middle of a run."""
    Connector.objects.filter(pk=connector.pk).update(
        lease_token="a" * 32, lease_taken_at=timezone.now(), lease_until=timezone.now() + timedelta(seconds=90)
    )
    return SyncRun.objects.create(
        connector=connector,
        company=connector.company,
        connector_name=connector.name,
        trigger=RunTrigger.SCHEDULE,
        state=RunState.RUNNING,
        started_at=timezone.now(),
    )


def fresh(connector: Connector) -> Connector:
    found: Connector = Connector.objects.get(pk=connector.pk)
    return found


# Installing


def test_a_whole_setup_step_by_step(
    emulator: Emulator, tenant: Tenant, typed: dict[str, Any], company: Company
) -> None:
    staff, engineers = tenant.add_group("Password Boss Users"), tenant.add_group("Engineers")
    connector = lifecycle.install(company, **typed, secret_expires_on=date(2027, 5, 1), actor=ACTOR)
    assert (connector.status, connector.tenant_id, connector.generation) == (ConnectorStatus.SETUP_INCOMPLETE, "", 1)
    assert emulator.journal.where() == []
    assert lifecycle.verify(connector, actor=ACTOR).tenant_id == tenant.id
    assert (fresh(connector).tenant_id, fresh(connector).generation) == (tenant.id, 2)
    lifecycle.select_groups(
        connector, sync_group_id=staff.id.upper(), additional=[engineers.id, engineers.id], actor=ACTOR
    )
    lifecycle.save_rules(
        connector, actions={Situation.DELETED: Action.DELETE}, settings={"leave_out_guests": True}, actor=ACTOR
    )
    assert (scheduled(connector), queued()) == (False, 0)
    for _ in range(2):
        row = lifecycle.activate(connector, actor=ACTOR)
        assert row.status == ConnectorStatus.WAITING
    assert (scheduled(connector), queued()) == (True, 1)
    row = fresh(connector)
    assert (row.sync_group_id, row.sync_group_name, row.leave_out_guests) == (staff.id, "Password Boss Users", True)
    assert list(row.selected_groups.values_list("directory_id", "name")) == [(engineers.id, "Engineers")]
    assert list(row.rules.values_list("situation", "action")) == [("deleted", "delete")]
    assert row.secret is not None
    assert row.secret.reveal() == typed["secret"]
    name = "Microsoft Entra ID"
    assert entries() == [
        (
            "connector.installed",
            f"{ACTOR} began the installation of {name} for the tenant {tenant.id} (Global), client ID"
            f" {typed['client_id']}.",
        ),
        ("connector.verified", f"{ACTOR} verified the connection of {name} to the tenant {tenant.id}."),
        (
            "connector.groups_selected",
            f"{ACTOR} chose the groups of {name}: sync group Password Boss Users; additional groups: Engineers.",
        ),
        (
            "connector.rules_saved",
            f"{ACTOR} changed how {name} synchronises: DELETED: Disable → Delete; leave out guests: yes.",
        ),
        (
            "connector.activated",
            f"{ACTOR} saved {name}; it synchronises the group Password Boss Users from now on.",
        ),
    ]


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("tenant", ""),
        ("tenant", "contoso"),
        ("tenant", "common"),
        ("tenant", "https://login.microsoftonline.com/x"),
        ("tenant", "a" * 300),
        ("client_id", ""),
        ("client_id", "My application"),
        ("secret", ""),
        ("secret", "0f0e0d0c-0b0a-4908-8706-050403020100"),
        ("secret", "two words"),
        ("cloud", "mars"),
        ("secret_expires_on", date(2020, 1, 1)),
    ],
)
def test_what_cannot_be_right_is_refused_with_a_sentence_and_not_saved(
    field: str, bad: object, typed: dict[str, Any], company: Company
) -> None:
    sentence, named = refusal(lambda: lifecycle.install(company, **typed | {field: bad}, actor=ACTOR))
    assert named == field
    assert sentence.endswith(".")
    assert (Connector.objects.count(), acts()) == (0, [])


def test_a_second_connector_to_the_same_tenant_is_refused_until_the_first_is_removed(
    tenant: Tenant, typed: dict[str, Any], company: Company
) -> None:
    first = lifecycle.install(company, **typed, actor=ACTOR)
    lifecycle.verify(first, actor=ACTOR)
    taken = (
        "This company already has a connector to this tenant. Change that one, or remove it before installing another.",
        "tenant",
    )
    assert refusal(lambda: lifecycle.install(company, **typed, actor=ACTOR)) == taken
    # As a domain it is another text: the proof tells that it is the same tenant.
    second = lifecycle.install(company, **typed | {"tenant": tenant.domain}, actor=ACTOR)
    assert refusal(lambda: lifecycle.verify(second, actor=ACTOR)) == taken
    assert fresh(second).tenant_id == ""
    lifecycle.remove(first, actor=ACTOR)
    lifecycle.verify(second, actor=ACTOR)
    assert fresh(second).tenant_id == tenant.id
    other = make_company(company.partner, "Sable Street Brewing")
    assert lifecycle.install(other, **typed, actor=ACTOR).status == ConnectorStatus.SETUP_INCOMPLETE


def test_other_credentials_of_an_unfinished_setup_undo_its_verification(
    emulator: Emulator, tenant: Tenant, typed: dict[str, Any], company: Company
) -> None:
    group = tenant.add_group("Password Boss Users")
    connector = lifecycle.install(company, **typed, actor=ACTOR)
    lifecycle.verify(connector, actor=ACTOR)
    lifecycle.select_groups(connector, sync_group_id=group.id, actor=ACTOR)
    words = {key: typed[key] for key in ("tenant", "client_id")}
    row = lifecycle.correct(connector, **words, actor=ACTOR)
    assert (row.tenant_id, row.sync_group_id, row.generation) == ("", group.id, 3)
    assert row.secret is not None
    assert row.secret.reveal() == typed["secret"]
    other = emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    row = lifecycle.correct(connector, **words | {"tenant": other.id}, secret="another~secret", actor=ACTOR)
    assert (row.tenant, row.sync_group_id, row.sync_group_name) == (other.id, "", "")
    assert row.secret is not None
    assert row.secret.reveal() == "another~secret"
    assert acts()[-2:] == ["connector.corrected", "connector.corrected"]


def test_the_credentials_of_a_live_connector_are_not_corrected_but_replaced(stage: Stage) -> None:
    words = {"tenant": stage.tenant.id, "client_id": stage.app.client_id}
    sentence, _ = refusal(lambda: lifecycle.correct(stage.connector, **words, actor=ACTOR))
    assert sentence == "This connector is in use: replace its secret, which proves the new one first."


# Verifying


def test_a_rejected_proof_of_an_unfinished_setup_leaves_it_unfinished(
    tenant: Tenant, typed: dict[str, Any], company: Company
) -> None:
    connector = lifecycle.install(company, **typed | {"secret": "wrong~secret"}, actor=ACTOR)
    with pytest.raises(CredentialRejected):
        lifecycle.verify(connector, actor=ACTOR)
    row = fresh(connector)
    assert (row.status, row.tenant_id, row.generation) == (ConnectorStatus.SETUP_INCOMPLETE, "", 1)
    assert acts() == ["connector.installed", "connector.rejected"]


def test_a_live_connector_that_microsoft_refuses_becomes_unauthorized_and_back_by_verifying(stage: Stage) -> None:
    stage.run()
    stage.tenant.revoke_consent(stage.app.client_id)
    run = hold_lease(stage.connector)
    with pytest.raises(ConsentMissing) as caught:
        lifecycle.verify(stage.connector, actor=ACTOR)
    row = fresh(stage.connector)
    assert (row.status, row.status_sentence, row.lease_token) == (
        ConnectorStatus.UNAUTHORIZED,
        caught.value.sentence,
        "",
    )
    assert SyncRun.objects.get(pk=run.pk).state == RunState.ABANDONED
    assert not scheduled(stage.connector)
    stage.tenant.grant_consent(stage.app.client_id)
    lifecycle.verify(stage.connector, actor=ACTOR)
    row = fresh(stage.connector)
    assert (row.status, row.status_sentence, row.generation) == (ConnectorStatus.CONNECTED, "", 2)
    assert (scheduled(stage.connector), queued()) == (True, 1)
    assert acts()[-2:] == ["connector.rejected", "connector.verified"]


def test_a_connector_that_never_ran_waits_again_once_it_is_verified(stage: Stage) -> None:
    Connector.objects.update(status=ConnectorStatus.UNAUTHORIZED, status_sentence="The secret expired.")
    lifecycle.verify(stage.connector, actor=ACTOR)
    assert fresh(stage.connector).status == ConnectorStatus.WAITING


def test_a_transient_fault_leaves_status_and_record_alone(stage: Stage) -> None:
    stage.emulator.faults.add(path="/oauth2/v2.0/token", status=503, retry_after="60", times=None)
    before = fresh(stage.connector)
    with pytest.raises(Throttled):
        lifecycle.verify(stage.connector, actor=ACTOR)
    assert (fresh(stage.connector).status, fresh(stage.connector).generation) == (before.status, before.generation)
    assert acts() == []


def test_a_tenant_name_that_moved_to_another_tenant_is_not_followed(stage: Stage) -> None:
    Connector.objects.update(tenant_id="11111111-2222-4333-8444-555555555555", tenant=stage.tenant.domain)
    other = stage.emulator.add_tenant(
        "Elsewhere", domain="elsewhere.example", id="11111111-2222-4333-8444-555555555555"
    )
    sentence, field = refusal(
        lambda: lifecycle.replace_secret(
            stage.connector,
            tenant=stage.tenant.domain,
            secret=stage.app.secret,
            secret_expires_on=None,
            actor=ACTOR,
        )
    )
    assert field == "tenant"
    assert sentence == (
        f"This leads to another tenant ({stage.tenant.id}) than the one this connector belongs to ({other.id})."
        " Install a connector of its own for the other tenant."
    )
    assert fresh(stage.connector).generation == 1


def test_a_proof_that_somebody_overtook_is_not_saved(stage: Stage) -> None:
    """The generation rises while Microsoft is asked: two people press the button, or a secret is replaced."""
    stage.emulator.faults.add(
        path="/oauth2/v2.0/token",
        call=lambda: Connector.objects.filter(pk=stage.connector.pk).update(generation=9),
    )
    sentence, _ = refusal(lambda: lifecycle.verify(stage.connector, actor=ACTOR))
    assert sentence == (
        "Somebody else changed or verified the connection while Microsoft was asked. Look at it, and try again."
    )
    assert (fresh(stage.connector).generation, acts()) == (9, [])


def test_a_rejection_that_somebody_overtook_is_not_saved(stage: Stage) -> None:
    stage.tenant.revoke_consent(stage.app.client_id)
    stage.emulator.faults.add(
        path="/oauth2/v2.0/token",
        call=lambda: Connector.objects.filter(pk=stage.connector.pk).update(generation=9),
    )
    with pytest.raises(ConsentMissing):
        lifecycle.verify(stage.connector, actor=ACTOR)
    assert (fresh(stage.connector).status, acts()) == (ConnectorStatus.WAITING, [])


def test_nothing_is_asked_for_a_connector_without_credentials(emulator: Emulator, company: Company) -> None:
    connector = Connector.objects.create(company=company)
    sentence, _ = refusal(lambda: lifecycle.verify(connector, actor=ACTOR))
    assert sentence == "Enter the Tenant ID, the Client ID and the client secret first, or use a certificate."
    assert emulator.journal.where() == []


# The secret and the token


def test_a_new_secret_is_proven_before_the_old_one_is_dropped(stage: Stage) -> None:
    stage.run()
    old = stage.app.secret
    with pytest.raises(CredentialRejected):
        lifecycle.replace_secret(stage.connector, secret="wrong~secret", secret_expires_on=None, actor=ACTOR)
    row = fresh(stage.connector)
    assert row.secret is not None
    assert (row.secret.reveal(), row.generation, row.status) == (old, 1, ConnectorStatus.CONNECTED)
    stage.tenant.add_secret(stage.app.client_id)
    lifecycle.replace_secret(
        stage.connector, secret=f" {stage.app.secret}\n", secret_expires_on=date(2028, 11, 1), actor=ACTOR
    )
    row = fresh(stage.connector)
    assert row.secret is not None
    assert (row.secret.reveal(), row.generation, row.secret_expires_on) == (stage.app.secret, 2, date(2028, 11, 1))
    assert stage.app.secret != old
    assert entries()[-1] == (
        "connector.secret_replaced",
        f"{ACTOR} replaced the client secret of Microsoft Entra ID, client ID {stage.app.client_id};"
        " it expires: 2028-11-01.",
    )


def test_an_expired_secret_is_replaced_and_the_connector_is_connected_again(stage: Stage) -> None:
    stage.run()
    stage.tenant.expire_secret(stage.app.client_id)
    forget_tokens()
    stage.run()
    assert stage.refreshed().status == ConnectorStatus.UNAUTHORIZED
    stage.tenant.add_secret(stage.app.client_id)
    lifecycle.replace_secret(stage.connector, secret=stage.app.secret, secret_expires_on=None, actor=ACTOR)
    assert stage.refreshed().status == ConnectorStatus.CONNECTED
    assert (scheduled(stage.connector), queued()) == (True, 1)
    assert stage.run().refused == ""


def test_another_application_of_the_same_tenant_may_take_over(stage: Stage) -> None:
    app = stage.tenant.register_app("Password Boss 2", consented=True)
    lifecycle.replace_secret(
        stage.connector, secret=app.secret, client_id=app.client_id.upper(), secret_expires_on=None, actor=ACTOR
    )
    assert fresh(stage.connector).client_id == app.client_id


def test_a_secret_that_no_key_opens_is_told_with_what_to_do_and_can_be_replaced(stage: Stage) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE connectors_connector SET secret = 'v1:bm90IGEgdG9rZW4='")
    sentence, field = refusal(lambda: lifecycle.verify(stage.connector, actor=ACTOR))
    assert (sentence.startswith("This secret cannot be opened"), field) == (True, "secret")
    Connector.objects.update(failure="credentials_unreadable")
    lifecycle.replace_secret(stage.connector, secret=stage.app.secret, secret_expires_on=None, actor=ACTOR)
    row = fresh(stage.connector)
    assert row.secret is not None
    assert (row.secret.reveal(), row.failure) == (stage.app.secret, "")


def test_a_token_is_told_once_and_dies_when_a_new_one_is_made(stage: Stage) -> None:
    assert not lifecycle.token_matches(fresh(stage.connector), "")
    first = lifecycle.regenerate_token(stage.connector, actor=ACTOR)
    assert lifecycle.token_matches(fresh(stage.connector), first)
    second = lifecycle.regenerate_token(stage.connector, actor=ACTOR)
    row = fresh(stage.connector)
    assert [lifecycle.token_matches(row, one) for one in (first, second, second.upper(), "", "é", "\ud800")] == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert len({first, second}) == 2
    assert second not in row.token_hash
    assert acts() == ["connector.token_regenerated", "connector.token_regenerated"]


def test_no_secret_is_told_by_the_record_or_by_an_error(typed: dict[str, Any], company: Company) -> None:
    secret = "Zq8~the-secret-that-nobody-may-see"
    connector = lifecycle.install(company, **typed | {"secret": secret}, actor=ACTOR)
    told = []
    for act in (
        lambda: lifecycle.verify(connector, actor=ACTOR),
        lambda: lifecycle.replace_secret(connector, secret=secret, secret_expires_on=None, actor=ACTOR),
        lambda: lifecycle.install(company, **typed | {"secret": f"{secret} {secret}"}, actor=ACTOR),
    ):
        with pytest.raises((CredentialRejected, Refused)) as caught:
            act()
        told.append("".join(traceback.format_exception(caught.value)))
    token = lifecycle.regenerate_token(connector, actor=ACTOR)
    told += [json.dumps(entry.detail) + sentence_of(entry) for entry in AuditEntry.objects.all()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM connectors_connector")
        told.append(repr(cursor.fetchall()))
    assert len(told) == 7
    assert [text for text in told if secret in text or token in text] == []


# Groups, rules, limits


def test_groups_are_chosen_only_after_the_proof_and_only_where_they_exist(
    tenant: Tenant, typed: dict[str, Any], company: Company
) -> None:
    group = tenant.add_group("Password Boss Users")
    connector = lifecycle.install(company, **typed, actor=ACTOR)

    def choose(*ids: str) -> Callable[[], object]:
        return lambda: lifecycle.select_groups(connector, sync_group_id=ids[0], additional=ids[1:], actor=ACTOR)

    assert refusal(choose(group.id))[0] == "Verify the connection first: groups are chosen from what it can read."
    lifecycle.verify(connector, actor=ACTOR)
    by_id = "A group is chosen by its Object ID, a GUID. Search for the group, or copy the ID from its page in Entra."
    assert refusal(choose("Password Boss Users")) == (by_id, "sync_group_id")
    assert refusal(choose(group.id, "x")) == (by_id, "additional")
    nobody = "00000000-0000-4000-8000-000000000000"
    sentence, _ = refusal(choose(group.id, nobody))
    assert sentence.endswith(f"({nobody})")
    assert (fresh(connector).sync_group_id, SelectedGroup.objects.count()) == ("", 0)


def test_changing_the_groups_of_a_live_connector_stops_the_run_and_asks_for_another(stage: Stage) -> None:
    run = hold_lease(stage.connector)
    drivers = stage.tenant.add_group("Drivers")
    lifecycle.select_groups(stage.connector, sync_group_id=stage.group.id, additional=[drivers.id], actor=ACTOR)
    row = fresh(stage.connector)
    assert (row.lease_token, row.lease_until, row.settings_revision) == ("", None, 2)
    assert list(row.selected_groups.values_list("name", flat=True)) == ["Drivers"]
    record = SyncRun.objects.get(pk=run.pk)
    assert (record.state, record.sentence) == (
        RunState.ABANDONED,
        "The connector's groups were changed in the middle of this run. The next run goes on.",
    )
    assert queued() == 1
    # The same choice again changes nothing.
    lifecycle.select_groups(stage.connector, sync_group_id=stage.group.id, additional=[drivers.id], actor=ACTOR)
    assert (fresh(stage.connector).settings_revision, queued(), len(acts())) == (2, 1, 1)


def test_a_chosen_group_that_was_deleted_since_does_not_prevent_other_changes(stage: Stage) -> None:
    stage.tenant.delete_group(stage.groups["Engineers"].id)
    drivers = stage.tenant.add_group("Drivers")
    lifecycle.select_groups(
        stage.connector,
        sync_group_id=stage.group.id,
        additional=[stage.groups["Engineers"].id, drivers.id],
        actor=ACTOR,
    )
    assert list(fresh(stage.connector).selected_groups.values_list("name", flat=True)) == ["Engineers", "Drivers"]


def test_groups_of_a_tenant_that_was_changed_meanwhile_are_not_saved(
    tenant: Tenant, typed: dict[str, Any], company: Company
) -> None:
    group = tenant.add_group("Password Boss Users")
    connector = lifecycle.install(company, **typed, actor=ACTOR)
    lifecycle.verify(connector, actor=ACTOR)
    tenant.emulator.faults.add(path="/groups", call=lambda: Connector.objects.update(tenant_id=""))
    sentence, _ = refusal(lambda: lifecycle.select_groups(connector, sync_group_id=group.id, actor=ACTOR))
    assert sentence == "The connection was changed meanwhile. Verify it, and choose the groups again."
    assert fresh(connector).sync_group_id == ""


def test_microsoft_is_asked_outside_of_every_transaction(db: None, emulator: Emulator) -> None:
    stage = Stage(emulator)
    drivers = stage.tenant.add_group("Drivers")
    depth = len(connection.savepoint_ids)
    inside: list[int] = []
    emulator.faults.add(path="/", times=None, call=lambda: inside.append(len(connection.savepoint_ids) - depth))
    lifecycle.verify(stage.connector, actor=ACTOR)
    lifecycle.select_groups(stage.connector, sync_group_id=drivers.id, actor=ACTOR)
    lifecycle.replace_secret(stage.connector, secret=stage.app.secret, secret_expires_on=None, actor=ACTOR)
    assert (len(inside) > 6, set(inside)) == (True, {0})


@pytest.mark.parametrize("situation", list(Situation))
def test_every_rule_that_product_knows_is_saved_and_no_other(situation: Situation, stage: Stage) -> None:
    for action in Action:
        if action in RULE_CHOICES[situation]:
            lifecycle.save_rules(stage.connector, actions={situation: action}, actor=ACTOR)
            stored = SyncRule.objects.filter(situation=situation).values_list("action", flat=True).first()
            assert (stored or RULE_CHOICES[situation][0]) == action
        else:
            sentence, field = refusal(
                lambda action=action: lifecycle.save_rules(stage.connector, actions={situation: action}, actor=ACTOR)
            )
            assert (sentence.startswith(f"The rule for {situation.label} cannot say '{action}'."), field) == (
                True,
                "actions",
            )


@pytest.mark.parametrize(
    ("actions", "settings"),
    [
        ({"gone": "delete"}, {}),
        ({"new": ""}, {}),
        ({}, {"direct_members_only": "yes"}),
        ({}, {"destructive_floor": True}),
        ({}, {"status": True}),
    ],
)
def test_rules_and_settings_that_do_not_exist_are_refused(
    actions: dict[str, str], settings: dict[str, Any], stage: Stage
) -> None:
    assert refusal(lambda: lifecycle.save_rules(stage.connector, actions=actions, settings=settings, actor=ACTOR))[
        0
    ].endswith(".")
    assert (fresh(stage.connector).settings_revision, acts()) == (1, [])


def test_rules_that_are_so_already_write_nothing(stage: Stage) -> None:
    defaults = {situation: choices[0] for situation, choices in RULE_CHOICES.items()}
    lifecycle.save_rules(stage.connector, actions=defaults, settings={"send_invitations": True}, actor=ACTOR)
    assert (SyncRule.objects.count(), fresh(stage.connector).settings_revision, acts(), queued()) == (0, 1, [], 0)


def test_which_right_a_change_needs_depends_on_what_it_changes(stage: Stage) -> None:
    live = stage.connector
    draft = Connector.objects.create(company=stage.company)
    harsh, mild = {Situation.DELETED: Action.DELETE}, {Situation.DELETED: Action.NOTHING}
    rules = lifecycle.right_for_rules
    assert [lifecycle.right_for_groups(live), lifecycle.right_for_groups(draft)] == [
        Can.RULE_CONNECTORS,
        Can.RUN_CONNECTORS,
    ]
    assert [rules(draft, harsh, {}), rules(draft, mild, {}), rules(draft, {}, {"leave_out_guests": True})] == [
        Can.RULE_CONNECTORS,
        Can.RUN_CONNECTORS,
        Can.RUN_CONNECTORS,
    ]
    assert [rules(live, mild, {}), rules(live, {}, {"leave_out_guests": True})] == [
        Can.RUN_CONNECTORS,
        Can.RULE_CONNECTORS,
    ]
    assert rules(live, {}, {"leave_out_guests": False}) == Can.RUN_CONNECTORS
    SyncRule.objects.create(connector=live, situation=Situation.DELETED, action=Action.DELETE)
    assert rules(live, harsh, {}) == Can.RUN_CONNECTORS


def test_limits_are_saved_within_reason(stage: Stage) -> None:
    lifecycle.save_limits(stage.connector, limits={"destructive_floor": 9, "destructive_percent": 20}, actor=ACTOR)
    assert fresh(stage.connector).destructive_floor == 9
    assert entries() == [
        (
            "connector.limits_saved",
            f"{ACTOR} changed the brake of Microsoft Entra ID: destructive floor: 5 → 9.",
        )
    ]
    for bad in ({"destructive_floor": 0}, {"half_percent": 101}, {"growth_floor": "9"}, {"half_floor": True}):
        assert refusal(lambda bad=bad: lifecycle.save_limits(stage.connector, limits=bad, actor=ACTOR))[1] == next(
            iter(bad)
        )
    assert refusal(lambda: lifecycle.save_limits(stage.connector, limits={"pk": 9}, actor=ACTOR))[0].startswith(
        "There is no limit 'pk'."
    )
    assert len(acts()) == 1


# From activation to removal


def test_nothing_is_activated_before_it_is_proven_and_has_a_group(
    tenant: Tenant, typed: dict[str, Any], company: Company
) -> None:
    connector = lifecycle.install(company, **typed, actor=ACTOR)
    assert refusal(lambda: lifecycle.activate(connector, actor=ACTOR))[0].startswith("Verify the connection first")
    lifecycle.verify(connector, actor=ACTOR)
    assert refusal(lambda: lifecycle.activate(connector, actor=ACTOR))[0].startswith("Choose the sync group first")
    for act in (lifecycle.pause, lifecycle.resume):
        assert refusal(lambda act=act: act(connector, actor=ACTOR))[0].startswith("This connector does not synchronise")
    assert fresh(connector).status == ConnectorStatus.SETUP_INCOMPLETE


def test_a_pause_stops_the_run_in_flight_and_the_schedule_until_somebody_resumes(stage: Stage) -> None:
    run = hold_lease(stage.connector)
    Connector.objects.update(run_again=RunTrigger.MANUAL)
    actor = make_staff(stage.company.partner)
    row = lifecycle.pause(stage.connector, reason=" Migration ", actor=actor)
    assert (row.paused_by, row.pause_reason, row.lease_token, row.run_again) == (
        f"{actor.name} ({actor.email})",
        "Migration",
        "",
        "",
    )
    assert SyncRun.objects.get(pk=run.pk).state == RunState.ABANDONED
    assert not scheduled(stage.connector)
    assert stage.run().run is None
    for same in ("", "Migration"):
        lifecycle.pause(stage.connector, reason=same, actor=ACTOR)
    assert (fresh(stage.connector).pause_reason, fresh(stage.connector).paused_by) == ("Migration", row.paused_by)
    row = lifecycle.resume(stage.connector, actor=actor)
    assert (row.paused_at, row.paused_by, row.pause_reason) == (None, "", "")
    assert (scheduled(stage.connector), queued()) == (True, 1)
    lifecycle.resume(stage.connector, actor=actor)
    assert (acts(), queued()) == (["connector.paused", "connector.resumed"], 1)
    assert stage.run().run is not None
    assert refusal(lambda: lifecycle.pause(stage.connector, reason="x" * 1001, actor=ACTOR))[1] == "reason"


def test_removing_hands_everything_back_and_destroys_what_the_connector_had(stage: Stage) -> None:
    stage.tenant.add_member(stage.groups["Engineers"].id, stage.people["ada"].id)
    stage.run()
    own = make_account(stage.company)
    lifecycle.regenerate_token(stage.connector, actor=ACTOR)
    PersonMark.objects.create(
        connector=stage.connector, object_id=stage.people["ada"].id, kind=MarkKind.APPROVED, value=ChangeKind.DISABLE
    )
    identities = set(Account.objects.exclude(pk=own.pk).values_list("directory_object_id", flat=True))
    lifecycle.resume(stage.connector, actor=ACTOR)
    run = hold_lease(stage.connector)
    lifecycle.remove(stage.connector, actor=ACTOR)
    row = fresh(stage.connector)
    assert (row.status, row.secret, row.token_hash, row.lease_token, row.attention) == (
        ConnectorStatus.REMOVED,
        None,
        "",
        "",
        [],
    )
    assert row.removed_at is not None
    assert (AccountLink.objects.count(), GroupLink.objects.count(), PersonMark.objects.count()) == (0, 0, 0)
    assert not scheduled(stage.connector)
    assert {account.managed_by for account in Account.objects.all()} == {ManagedBy.PB}
    assert set(Account.objects.exclude(pk=own.pk).values_list("directory_object_id", flat=True)) == identities
    assert {account.status for account in Account.objects.all()} == {AccountStatus.ACTIVE}
    group = Group.objects.get()
    assert (group.managed_by, group.directory_object_id) == (ManagedBy.PB, stage.groups["Engineers"].id)
    assert group.memberships.count() == 1
    assert SyncRun.objects.get(pk=run.pk).state == RunState.ABANDONED
    assert SyncRun.objects.filter(state=RunState.SUCCEEDED).count() == 1
    assert entries()[-1] == (
        "connector.removed",
        f"{ACTOR} removed Microsoft Entra ID; 3 accounts and 1 groups were handed back to Password Boss.",
    )
    entries_before = len(acts())
    lifecycle.remove(stage.connector, actor=ACTOR)
    assert len(acts()) == entries_before
    refused = "This connector was removed. Install a new one to synchronise this tenant again."
    for act in (
        lambda: lifecycle.verify(stage.connector, actor=ACTOR),
        lambda: lifecycle.resume(stage.connector, actor=ACTOR),
        lambda: lifecycle.activate(stage.connector, actor=ACTOR),
        lambda: lifecycle.regenerate_token(stage.connector, actor=ACTOR),
        lambda: lifecycle.save_rules(stage.connector, actions={}, actor=ACTOR),
        lambda: lifecycle.select_groups(stage.connector, sync_group_id=stage.group.id, actor=ACTOR),
        lambda: lifecycle.replace_secret(stage.connector, secret="a~b", secret_expires_on=None, actor=ACTOR),
    ):
        assert refusal(act)[0] == refused


def test_a_new_installation_for_the_same_tenant_recognises_the_accounts(stage: Stage) -> None:
    stage.run()
    before = dict(Account.objects.values_list("directory_object_id", "pk"))
    lifecycle.remove(stage.connector, actor=ACTOR)
    words = {"tenant": stage.tenant.id, "client_id": stage.app.client_id, "secret": stage.app.secret}
    again = lifecycle.install(stage.company, **words, actor=ACTOR)
    lifecycle.verify(again, actor=ACTOR)
    lifecycle.select_groups(again, sync_group_id=stage.group.id, actor=ACTOR)
    lifecycle.activate(again, actor=ACTOR)
    stage.connector = again
    assert stage.run().refused == ""
    assert (again.pk in AccountLink.objects.values_list("connector", flat=True), stage.links()) == (True, 3)
    assert dict(Account.objects.values_list("directory_object_id", "pk")) == before


def test_a_removal_costs_the_same_for_few_and_for_many(db: None, emulator: Emulator) -> None:
    def cost(number: int) -> int:
        stage = Stage(emulator, name=f"Company {number}", domain=f"c{number}.example")
        stage.hire_many(number)
        stage.run()
        assert stage.links() == number
        with CaptureQueriesContext(connection) as queries:
            lifecycle.remove(stage.connector, actor=ACTOR)
        assert stage.links() == 0
        return len(queries)

    assert cost(3) == cost(60)


def test_a_company_with_connectors_to_two_tenants_keeps_the_other_one(stage: Stage) -> None:
    other = Stage(stage.emulator, "Zoe Zimmer", name="Second", domain="second.example")
    Connector.objects.filter(pk=other.connector.pk).update(company=stage.company)
    stage.run()
    other.run()
    assert AccountLink.objects.count() == 4
    lifecycle.remove(stage.connector, actor=ACTOR)
    link = AccountLink.objects.get()
    assert (link.connector_id, link.account.managed_by) == (other.connector.pk, ManagedBy.AZURE_AD)


def test_an_unreachable_microsoft_refuses_a_choice_of_groups_and_changes_nothing(stage: Stage) -> None:
    drivers = stage.tenant.add_group("Drivers")
    stage.emulator.faults.add(path="/", status=503, retry_after="60", times=None)
    with pytest.raises(Throttled):
        lifecycle.select_groups(stage.connector, sync_group_id=drivers.id, actor=ACTOR)
    assert (fresh(stage.connector).sync_group_id, acts()) == (stage.group.id, [])


def test_installing_asks_nobody_elses_partner(typed: dict[str, Any], company: Company) -> None:
    """The entry of an act belongs to the company's partner, and to nobody else."""
    stranger = make_partner("Northgate Systems")
    lifecycle.install(company, **typed, actor=ACTOR)
    entry = AuditEntry.objects.get()
    assert (entry.company, entry.partner, entry.partner == stranger) == (company, company.partner, False)
