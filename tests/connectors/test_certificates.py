"""Signing in with a certificate: made here, accepted by Microsoft before it is used, renewed without a gap."""

from __future__ import annotations

import hashlib
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from connectors import lifecycle
from connectors.attention import credential_of, needs_of
from connectors.directory import CredentialRejected, DirectoryError, Throttled
from connectors.entra import forget_tokens, make_pair, read_certificate
from connectors.lifecycle import Refused
from connectors.models import AccountLink, Connector, SyncRun
from connectors.states import Cloud, ConnectorStatus, CredentialKind
from tenants.audit import sentence_of
from tenants.models import AuditEntry
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_company

ACTOR = "Command line (ops)"
TOKEN = "/oauth2/v2.0/token"
NOON = datetime(2026, 11, 23, 12, 0, 30, 5, tzinfo=UTC)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(db: None, emulator: Emulator) -> Stage:
    return Stage(emulator, "Ada Lovelace", "Grace Hopper", additional=["Engineers"])


def fresh(connector: Connector) -> Connector:
    found: Connector = Connector.objects.get(pk=connector.pk)
    return found


def holds(connector: Connector) -> dict[str, Any]:
    """Return everything that a connector signs in with, opened."""
    row = fresh(connector)
    sealed = {name: getattr(row, name) for name in ("secret", "private_key", "next_private_key")}
    opened = {name: value.reveal() if value is not None else None for name, value in sealed.items()}
    plain = ("certificate", "next_certificate", "secret_expires_on", "client_id", "tenant", "tenant_id", "generation")
    return opened | {name: getattr(row, name) for name in plain}


def make(stage: Stage, **words: Any) -> str:
    """Make a certificate, and return it as it is uploaded."""
    lifecycle.make_certificate(stage.connector, actor=ACTOR, **words)
    return fresh(stage.connector).next_certificate


def upload(stage: Stage) -> str:
    """Make a certificate and upload it to the application; return it."""
    pem = make(stage)
    stage.tenant.add_certificate(stage.app.client_id, pem)
    return pem


def certified(stage: Stage) -> str:
    """Let the connector sign in with a certificate, and with nothing else; return the certificate."""
    pem = upload(stage)
    lifecycle.use_certificate(stage.connector, actor=ACTOR)
    stage.tenant.remove_secret(stage.app.client_id)
    return pem


def acts() -> list[tuple[str, str]]:
    return [(entry.action, sentence_of(entry)) for entry in AuditEntry.objects.order_by("pk")]


def refusal(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.sentence, caught.value.field


# The pair itself


def test_a_pair_is_what_microsoft_takes_and_ends_with_its_last_day() -> None:
    pair = make_pair("Password Boss Connector 1a2b3c4d", NOON, years=2)
    certificate = load_pem_x509_certificate(pair.certificate.encode())
    key = load_pem_private_key(pair.private_key.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    assert isinstance(certificate.public_key(), RSAPublicKey)
    assert key.public_key() == certificate.public_key()
    assert (key.key_size, type(certificate.signature_hash_algorithm)) == (2048, SHA256)
    assert certificate.subject.rfc4514_string() == "CN=Password Boss Connector 1a2b3c4d"
    assert certificate.not_valid_before_utc == datetime(2026, 11, 23, 11, 50, 30, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(2028, 11, 23, 23, 59, 59, tzinfo=UTC)
    facts = read_certificate(pair.certificate)
    assert facts.expires_on == date(2028, 11, 23)
    assert facts.thumbprint == hashlib.sha1(facts.der, usedforsecurity=False).hexdigest().upper()
    assert facts.sha256 == hashlib.sha256(facts.der).hexdigest().upper()
    assert pair.private_key not in repr(pair)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2028, 2, 29, 9, 0, tzinfo=UTC), date(2029, 2, 28)),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), date(2027, 12, 31)),
    ],
)
def test_a_year_is_a_year_on_every_day(now: datetime, day: date) -> None:
    assert read_certificate(make_pair("x", now, years=1).certificate).expires_on == day


# Making it


def test_a_certificate_that_is_made_waits_and_changes_nothing_that_is_in_use(stage: Stage) -> None:
    before = holds(stage.connector)
    pem = make(stage)
    after = holds(stage.connector)
    key = after.pop("next_private_key")
    assert after | {"next_private_key": None} == before | {"next_certificate": pem}
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    assert credential_of(fresh(stage.connector)).kind is CredentialKind.SECRET
    assert stage.run().refused == ""
    facts = read_certificate(pem)
    assert [line for line in acts() if line[0].startswith("connector.certificate")] == [
        (
            "connector.certificate_made",
            f"{ACTOR} made a certificate for Microsoft Entra ID, thumbprint {facts.thumbprint}, good until"
            f" {facts.expires_on}. It is not in use yet.",
        )
    ]


def test_one_certificate_waits_at_a_time_until_it_is_thrown_away(stage: Stage) -> None:
    first = make(stage)
    sentence, _ = refusal(lambda: make(stage))
    assert sentence == (
        "A certificate is made already and waits until it is proven. Use that one, or throw it away first."
    )
    for _ in range(2):
        lifecycle.forget_certificate(stage.connector, actor=ACTOR)
    assert (holds(stage.connector)["next_certificate"], holds(stage.connector)["next_private_key"]) == ("", None)
    assert make(stage, years=2) != first
    assert [code for code, _ in acts()] == [
        "connector.certificate_made",
        "connector.certificate_forgotten",
        "connector.certificate_made",
    ]


@pytest.mark.parametrize("years", [0, 3, -1])
def test_a_certificate_is_made_for_one_or_two_years(years: int, stage: Stage) -> None:
    assert refusal(lambda: make(stage, years=years)) == ("A certificate is made for 1 or 2 years.", "years")
    assert holds(stage.connector)["next_certificate"] == ""


# Using it


def test_a_certificate_is_used_once_microsoft_accepts_it_and_the_secret_is_forgotten(stage: Stage) -> None:
    stage.run()
    pem = make(stage)
    before = holds(stage.connector)
    with pytest.raises(CredentialRejected) as caught:
        lifecycle.use_certificate(stage.connector, actor=ACTOR)
    assert caught.value.sentence == (
        "Microsoft does not accept the certificate: it is not uploaded to this application, or no longer, or it has"
        " expired. Compare its thumbprint with those under Certificates & secrets. One just uploaded takes a minute to"
        " work."
    )
    assert caught.value.reference.startswith("AADSTS700027")
    assert (holds(stage.connector), fresh(stage.connector).status) == (before, ConnectorStatus.CONNECTED)

    stage.tenant.add_certificate(stage.app.client_id, pem)
    assert lifecycle.use_certificate(stage.connector, actor=ACTOR).tenant_id == stage.tenant.id
    day = read_certificate(pem).expires_on
    assert holds(stage.connector) == before | {
        "secret": None,
        "private_key": before["next_private_key"],
        "certificate": pem,
        "next_private_key": None,
        "next_certificate": "",
        "secret_expires_on": day,
        "generation": before["generation"] + 1,
    }
    assert credential_of(fresh(stage.connector)) == (CredentialKind.CERTIFICATE, day)
    assert acts()[-1] == (
        "connector.certificate_used",
        f"{ACTOR} let Microsoft Entra ID sign in with the certificate {read_certificate(pem).thumbprint}, client ID"
        f" {stage.app.client_id}; it expires: {day}.",
    )
    stage.tenant.remove_secret(stage.app.client_id)
    forget_tokens()
    stage.hire("Alan Turing")
    assert stage.run().refused == ""
    assert stage.statuses() == {"ada": "active", "grace": "active", "alan": "active"}


def test_a_certificate_is_renewed_while_the_old_one_stays_in_use(stage: Stage) -> None:
    old = certified(stage)
    new = make(stage)
    assert (holds(stage.connector)["certificate"], new == old) == (old, False)
    forget_tokens()
    assert stage.run().refused == ""
    with pytest.raises(CredentialRejected):
        lifecycle.use_certificate(stage.connector, actor=ACTOR)
    forget_tokens()
    assert stage.run().refused == ""
    assert stage.refreshed().status == ConnectorStatus.CONNECTED
    stage.tenant.add_certificate(stage.app.client_id, new)
    lifecycle.use_certificate(stage.connector, actor=ACTOR)
    stage.tenant.remove_certificate(stage.app.client_id, old)
    forget_tokens()
    assert (stage.run().refused, holds(stage.connector)["certificate"]) == ("", new)


def test_links_rules_groups_and_history_stay_with_another_application(stage: Stage) -> None:
    stage.run()
    kept = (
        list(AccountLink.objects.values_list("pk", "account_id")),
        list(SyncRun.objects.values_list("pk", flat=True)),
        list(stage.connector.selected_groups.values_list("directory_id", flat=True)),
        fresh(stage.connector).sync_group_id,
        fresh(stage.connector).token_hash,
    )
    app = stage.tenant.register_app("Password Boss 2", consented=True)
    stage.tenant.add_certificate(app.client_id, make(stage))
    lifecycle.use_certificate(stage.connector, client_id=app.client_id, actor=ACTOR)
    assert fresh(stage.connector).client_id == app.client_id
    assert len(kept[0]) == 2
    assert kept == (
        list(AccountLink.objects.values_list("pk", "account_id")),
        list(SyncRun.objects.values_list("pk", flat=True)),
        list(stage.connector.selected_groups.values_list("directory_id", flat=True)),
        fresh(stage.connector).sync_group_id,
        fresh(stage.connector).token_hash,
    )
    assert stage.statuses() == {"ada": "active", "grace": "active"}


def test_another_tenant_is_refused_with_the_reason(stage: Stage) -> None:
    stage.run()
    lifecycle.verify(stage.connector, actor=ACTOR)
    other = stage.emulator.add_tenant("Elsewhere", domain="elsewhere.example")
    app = other.register_app(consented=True)
    other.add_certificate(app.client_id, make(stage))
    before = holds(stage.connector)
    sentence, field = refusal(
        lambda: lifecycle.use_certificate(stage.connector, client_id=app.client_id, tenant=other.id, actor=ACTOR)
    )
    assert (sentence, field) == (
        f"This leads to another tenant ({other.id}) than the one this connector belongs to ({stage.tenant.id})."
        " Install a connector of its own for the other tenant.",
        "tenant",
    )
    assert holds(stage.connector) == before


def test_a_secret_may_take_the_certificates_place_again(stage: Stage) -> None:
    certified(stage)
    stage.tenant.add_secret(stage.app.client_id)
    lifecycle.replace_secret(stage.connector, secret=stage.app.secret, secret_expires_on=date(2099, 1, 1), actor=ACTOR)
    after = holds(stage.connector)
    assert (after["secret"], after["certificate"], after["private_key"], after["secret_expires_on"]) == (
        stage.app.secret,
        "",
        None,
        date(2099, 1, 1),
    )


def test_a_certificate_that_is_taken_out_of_entra_makes_the_connector_unauthorized(stage: Stage) -> None:
    certified(stage)
    stage.run()
    stage.tenant.remove_certificate(stage.app.client_id)
    forget_tokens()
    stage.run()
    row = stage.refreshed()
    assert (row.status, row.status_reference.partition(",")[0]) == (ConnectorStatus.UNAUTHORIZED, "AADSTS700027")
    new = upload(stage)
    lifecycle.use_certificate(stage.connector, actor=ACTOR)
    assert (stage.refreshed().status, stage.connector.certificate) == (ConnectorStatus.CONNECTED, new)


def test_a_proof_that_does_not_come_about_leaves_everything_as_it_was(stage: Stage) -> None:
    upload(stage)
    before = holds(stage.connector)
    stage.emulator.faults.add(path=TOKEN, status=503, retry_after="60", times=None)
    with pytest.raises(Throttled):
        lifecycle.use_certificate(stage.connector, actor=ACTOR)
    assert holds(stage.connector) == before


def test_a_pair_that_was_made_anew_meanwhile_is_not_the_one_that_was_proven(stage: Stage) -> None:
    upload(stage)

    def another() -> None:
        lifecycle.forget_certificate(stage.connector, actor="Somebody else")
        lifecycle.make_certificate(stage.connector, actor="Somebody else")

    stage.emulator.faults.add(path=TOKEN, call=another)
    before = holds(stage.connector)
    sentence, _ = refusal(lambda: lifecycle.use_certificate(stage.connector, actor=ACTOR))
    assert sentence.startswith("Somebody else changed or verified the connection")
    after = holds(stage.connector)
    assert (after["secret"], after["certificate"], after["generation"]) == (before["secret"], "", before["generation"])


def test_nothing_is_used_that_was_not_made(stage: Stage) -> None:
    sentence, _ = refusal(lambda: lifecycle.use_certificate(stage.connector, actor=ACTOR))
    assert sentence == "Make the certificate first, and upload it to the application in Microsoft Entra."


def test_a_key_that_no_longer_opens_is_told_with_what_to_do(stage: Stage) -> None:
    make(stage)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE connectors_connector SET next_private_key = 'v1:bm90IGEgdG9rZW4='")
    sentence, _ = refusal(lambda: lifecycle.use_certificate(stage.connector, actor=ACTOR))
    assert sentence == (
        "The certificate's private key cannot be opened with the portal's keys. Throw the certificate away, and make"
        " another one."
    )
    lifecycle.forget_certificate(stage.connector, actor=ACTOR)
    certified(stage)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE connectors_connector SET private_key = 'v1:bm90IGEgdG9rZW4='")
    forget_tokens()
    stage.run()
    assert [need.sentence for need in needs_of(stage.refreshed(), timezone.now())] == [
        "Make a new certificate on the tab Azure Auth."
    ]


# While the setup is unfinished


def test_an_unfinished_setup_signs_in_with_a_certificate(stage: Stage) -> None:
    company = make_company(name="Sable Street Brewing")
    connector, _ = lifecycle.begin(company, actor=ACTOR)
    typed = {"tenant": stage.tenant.id, "client_id": stage.app.client_id, "cloud": Cloud.GLOBAL, "actor": ACTOR}
    sentence, _ = refusal(lambda: lifecycle.correct(connector, **typed, certificate=True))
    assert sentence == "Make the certificate first, and upload it to the application in Microsoft Entra."
    lifecycle.make_certificate(connector, actor=ACTOR)
    pem = fresh(connector).next_certificate
    stage.tenant.add_certificate(stage.app.client_id, pem)
    lifecycle.correct(connector, **typed, certificate=True)
    assert lifecycle.verify(connector, actor=ACTOR).tenant_id == stage.tenant.id
    # Typed once more, the certificate stays; a day typed with it is a secret's and counts for nothing.
    lifecycle.correct(connector, **typed, certificate=True, secret_expires_on=date(2099, 1, 1))
    row = fresh(connector)
    assert (row.certificate, row.secret_expires_on) == (pem, read_certificate(pem).expires_on)
    lifecycle.verify(connector, actor=ACTOR)
    lifecycle.select_groups(connector, sync_group_id=stage.group.id, actor=ACTOR)
    assert lifecycle.activate(connector, actor=ACTOR).status == ConnectorStatus.WAITING
    lifecycle.pause(connector, actor=ACTOR)


def test_the_database_keeps_one_credential_with_its_key(stage: Stage) -> None:
    certified(stage)
    for wrong in (
        {"secret": "a~b"},
        {"certificate": ""},
        {"private_key": None},
        {"next_certificate": "PEM"},
        {"next_private_key": "key"},
    ):
        row = fresh(stage.connector)
        for name, value in wrong.items():
            setattr(row, name, value)
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()


def test_removing_destroys_both_keys(stage: Stage) -> None:
    certified(stage)
    make(stage)
    lifecycle.remove(stage.connector, actor=ACTOR)
    after = holds(stage.connector)
    assert {name: after[name] for name in ("private_key", "certificate", "next_private_key", "next_certificate")} == {
        "private_key": None,
        "certificate": "",
        "next_private_key": None,
        "next_certificate": "",
    }
    for act in (lifecycle.make_certificate, lifecycle.use_certificate, lifecycle.forget_certificate):
        assert refusal(lambda act=act: act(stage.connector, actor=ACTOR))[0].startswith("This connector was removed.")


# Nothing tells the key


@pytest.mark.parametrize(
    "fault", [{"path": TOKEN, "status": 401, "aadsts": 700027}, {"path": "/groups", "status": 403}]
)
def test_no_error_log_record_task_or_repr_tells_a_private_key(
    fault: dict[str, Any], stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    certified(stage)
    upload(stage)
    held = holds(stage.connector)
    # Each line of a key's text tells as much as the whole.
    lines = [
        line
        for name in ("private_key", "next_private_key")
        for line in held[name].splitlines()
        if not line.startswith("-----")
    ]
    assert len(lines) > 40
    del held
    stage.emulator.faults.add(times=None, **fault)
    told = []
    for act in (lifecycle.use_certificate, lifecycle.verify):
        with pytest.raises(DirectoryError) as caught:
            act(stage.connector, actor=ACTOR)
        trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True, lookup_lines=False)
        # This test's own frame is the outermost; it holds the lines that are looked for.
        trace.stack.pop(0)
        told.append("".join(trace.format()) + repr(vars(caught.value)))
        assert act.__name__ in told[-1]
    row = fresh(stage.connector)
    told += [caplog.text, repr(row), repr(vars(row)), repr(row.private_key)]
    told += [json.dumps(entry.detail) + sentence_of(entry) for entry in AuditEntry.objects.all()]
    told += [task.payload for task in OrmQ.objects.all()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM connectors_connector")
        told.append(repr(cursor.fetchall()))
    assert "connector.certificate_used" in {code for code, _ in acts()}
    assert [text for text in told if "PRIVATE KEY" in text or any(line in text for line in lines)] == []


def test_the_days_of_a_certificate_warn_like_those_of_a_secret(stage: Stage) -> None:
    certified(stage)
    row = fresh(stage.connector)
    assert row.secret_expires_on is not None
    last = datetime.combine(row.secret_expires_on, datetime.min.time(), UTC)
    codes = [[str(need.attention) for need in needs_of(row, last + timedelta(days=days))] for days in (-31, -30, 0, 1)]
    assert codes == [[], ["secret_expires"], ["secret_expires"], ["secret_ended"]]
