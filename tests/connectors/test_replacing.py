"""The pages that replace what a connector signs in with, and those of its certificate, in both portals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate
from django.http import HttpResponse

from connectors import lifecycle
from connectors.entra import forget_tokens, read_certificate
from connectors.models import AccountLink, Connector, SyncRun
from connectors.states import ConnectorStatus
from tenants.audit import sentence_of
from tenants.models import AuditEntry
from tenants.roles import Role
from tests.connectors.portal_visit import Visitor
from tests.connectors.wizard_scene import Visit, text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_company


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        stage = Stage(emulator, "Ada Lovelace", "Grace Hopper")
        lifecycle.verify(stage.connector, actor="ops")
        stage.run()
        yield stage


@pytest.fixture(params=["partner", "business"])
def visitor(request: pytest.FixtureRequest, stage: Stage) -> Visitor:
    return Visitor(stage.company, request.param)


@pytest.fixture
def sure(visitor: Visitor) -> Visitor:
    visitor.says_who()
    return visitor


def at(stage: Stage, page: str = "replace/") -> str:
    return f"connectors/{stage.connector.pk}/setup/azure/{page}"


def form(stage: Stage, **changes: str) -> dict[str, str]:
    return {
        "with": "secret",
        "client_id": stage.app.client_id,
        "tenant": stage.tenant.id,
        "secret": "",
        "secret_expires_on": "",
    } | changes


def error_at(page: HttpResponse, field: str) -> str:
    """Return what stands under a field."""
    assert page.status_code == 422
    _, _, rest = page.content.decode().partition(f'id="id_{field}_error">')
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", rest.partition("</div>")[0])).strip()


def stored(stage: Stage) -> Connector:
    found: Connector = Connector.objects.get(pk=stage.connector.pk)
    return found


# A secret


def test_a_secret_is_replaced_after_saying_who_one_is_and_once_it_is_proven(stage: Stage, visitor: Visitor) -> None:
    assert "Replace the secret…" in visitor.reads(at(stage, ""))
    for answer in (visitor.get(at(stage)), visitor.post(at(stage), form(stage, secret="a~b"))):
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    visitor.says_who()
    old = stage.app.secret
    page = visitor.post(at(stage), form(stage, secret="not-the-secret"))
    assert error_at(page, "secret").startswith("The client secret is wrong.")
    assert "Nothing was changed" in text_of(page)
    assert "not-the-secret" not in page.content.decode()
    row = stored(stage)
    assert row.secret is not None
    assert (row.secret.reveal(), row.status) == (old, ConnectorStatus.CONNECTED)
    stage.tenant.add_secret(stage.app.client_id)
    answer = visitor.post(at(stage), form(stage, secret=stage.app.secret, secret_expires_on="2099-05-31"))
    assert "The secret was proven with Microsoft and is in use. The former secret is forgotten here" in visitor.told(
        answer
    )
    row = stored(stage)
    assert row.secret is not None
    assert (row.secret.reveal() == stage.app.secret != old, row.secret_expires_on) == (True, date(2099, 5, 31))


def test_an_expired_secret_turns_unauthorized_and_its_successor_connected(stage: Stage, sure: Visitor) -> None:
    stage.tenant.expire_secret(stage.app.client_id)
    forget_tokens()
    stage.run()
    assert "The client secret has expired." in sure.reads(f"connectors/{stage.connector.pk}/")
    stage.tenant.add_secret(stage.app.client_id)
    told = sure.told(sure.post(at(stage), form(stage, secret=stage.app.secret)))
    assert ("Unauthorized" in told, stored(stage).status) == (False, ConnectorStatus.CONNECTED)


def test_another_tenant_is_refused_at_its_field(stage: Stage, sure: Visitor) -> None:
    other = stage.emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    app = other.register_app(consented=True)
    page = sure.post(at(stage), form(stage, client_id=app.client_id, tenant=other.id, secret=app.secret))
    assert error_at(page, "tenant").startswith("This leads to another tenant")
    assert error_at(page, "secret") == "Enter the secret again: a page never shows it."
    assert page.content.decode().count('role="alert" tabindex="-1" autofocus') == 1
    assert (stored(stage).client_id, stored(stage).tenant_id) == (stage.app.client_id, stage.tenant.id)


def test_another_application_of_the_tenant_takes_over_once_it_has_consent(stage: Stage, sure: Visitor) -> None:
    app = stage.tenant.register_app("Password Boss 2", redirect_uris=["http://localhost:8000/azure/callback"])
    sent = form(stage, client_id=app.client_id.upper(), secret=app.secret)
    page = sure.post(at(stage), sent)
    assert page.status_code == 422
    shown = text_of(page)
    assert "are not granted in this tenant" in shown
    assert f"client_id={app.client_id}" in shown
    assert stored(stage).client_id == stage.app.client_id
    kept = (AccountLink.objects.count(), SyncRun.objects.count(), stored(stage).sync_group_id)
    stage.tenant.grant_consent(app.client_id)
    sure.told(sure.post(at(stage), sent))
    assert stored(stage).client_id == app.client_id
    assert kept == (2, SyncRun.objects.count(), stage.group.id)


def test_what_is_missing_is_said_at_its_field(stage: Stage, sure: Visitor) -> None:
    page = sure.post(at(stage), form(stage, secret_expires_on="soon"))
    assert error_at(page, "secret").startswith("Enter the client secret: the Value that Microsoft showed once")
    assert error_at(page, "secret_expires_on") == "Enter a day as year-month-day, for example 2027-11-30, or nothing."


def test_the_day_is_told_later_without_the_secret(stage: Stage, visitor: Visitor) -> None:
    before = stored(stage)
    assert "The day is saved." in visitor.told(visitor.post(at(stage, "expiry/"), {"secret_expires_on": "2099-05-31"}))
    row = stored(stage)
    assert (row.secret_expires_on, row.generation) == (date(2099, 5, 31), before.generation)
    assert 'value="2099-05-31"' in visitor.get(at(stage, "")).content.decode()
    for day, sentence in (("2020-01-01", "This day is over."), ("soon", "Enter a day as year-month-day")):
        answer = visitor.post(at(stage, "expiry/"), {"secret_expires_on": day})
        assert error_at(answer, "secret_expires_on").startswith(sentence)
    assert stored(stage).secret_expires_on == date(2099, 5, 31)
    for _ in range(2):
        visitor.post(at(stage, "expiry/"), {"secret_expires_on": ""})
    assert stored(stage).secret_expires_on is None
    told = [sentence_of(entry) for entry in AuditEntry.objects.filter(action="connector.expiry_told").order_by("pk")]
    assert [sentence.partition(" entered ")[2] for sentence in told] == [
        "when the client secret of Microsoft Entra ID expires: 2099-05-31.",
        "when the client secret of Microsoft Entra ID expires: not known.",
    ]


def test_a_certificate_says_its_day_itself(stage: Stage, visitor: Visitor) -> None:
    stage.tenant.add_certificate(stage.app.client_id, _made(stage))
    lifecycle.use_certificate(stage.connector, actor="ops")
    day = stored(stage).secret_expires_on
    answer = visitor.post(at(stage, "expiry/"), {"secret_expires_on": "2099-05-31"})
    assert answer.status_code == 422
    assert stored(stage).secret_expires_on == day
    assert "Save the date" not in visitor.reads(at(stage, ""))


def test_a_setup_that_is_not_finished_has_nothing_to_replace(stage: Stage, sure: Visitor) -> None:
    row, _ = lifecycle.begin(stage.company, actor="ops")
    assert sure.get(f"connectors/{row.pk}/setup/azure/replace/").headers["Location"].endswith(f"/{row.pk}/setup/")


def test_a_form_of_the_setup_that_comes_late_changes_nothing(stage: Stage, visitor: Visitor) -> None:
    answer = visitor.post(at(stage, ""), form(stage, secret="a~b", cloud="global"))
    assert "This connector is in use by now, and nothing was changed" in visitor.told(answer)


# A certificate


def test_a_certificate_takes_the_secrets_place_and_is_renewed(stage: Stage, sure: Visitor) -> None:
    page = sure.reads(at(stage, "replace/?with=certificate"))
    assert ("Make the certificate" in page, "Prove and use" in page) == (True, False)
    told = sure.told(sure.post(at(stage, "certificate/"), {"years": "2"}))
    assert "The certificate is made. Upload it to the application in Entra, then prove it." in told
    pem = stored(stage).next_certificate
    facts = read_certificate(pem)
    assert facts.thumbprint in told
    assert f'APP="{stage.app.client_id}" cat > password-boss-connector.pem' in told
    assert '--append --cert "@password-boss-connector.pem"' in told
    assert "A new certificate waits until it is proven" in sure.reads(at(stage, ""))

    sent = form(stage, **{"with": "certificate"})
    refused = sure.post(at(stage), sent)
    assert refused.status_code == 422
    assert "Microsoft does not accept the certificate: it is not uploaded" in text_of(refused)
    assert stored(stage).secret is not None
    stage.tenant.add_certificate(stage.app.client_id, pem)
    told = sure.told(sure.post(at(stage), sent))
    assert "The certificate was proven with Microsoft and is in use. The former secret is forgotten here" in told
    assert f"Expires on {facts.expires_on.day} {facts.expires_on:%b %Y}" in told
    row = stored(stage)
    assert (row.certificate, row.secret, row.secret_expires_on) == (pem, None, facts.expires_on)

    sure.post(at(stage, "certificate/"), {"years": "1"})
    new = stored(stage).next_certificate
    assert (stored(stage).certificate, new != pem) == (pem, True)
    stage.tenant.add_certificate(stage.app.client_id, new)
    assert "The former certificate is forgotten here" in sure.told(sure.post(at(stage), sent))
    assert stored(stage).certificate == new


def test_a_certificate_is_made_without_saying_who_one_is_and_used_only_after_it(stage: Stage, visitor: Visitor) -> None:
    visitor.post(at(stage, "certificate/"), {"years": "1"})
    pem = stored(stage).next_certificate
    stage.tenant.add_certificate(stage.app.client_id, pem)
    answer = visitor.post(at(stage), form(stage, **{"with": "certificate"}))
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert (stored(stage).certificate, stored(stage).next_certificate) == ("", pem)


def test_a_certificate_that_waits_is_thrown_away(stage: Stage, visitor: Visitor) -> None:
    visitor.post(at(stage, "certificate/"), {})
    assert "A certificate is made already and waits" in _followed(visitor, stage, {"years": "1"})
    assert "The new certificate was thrown away." in _followed(visitor, stage, {"forget": "1"})
    assert stored(stage).next_certificate == ""


def _followed(visitor: Visitor, stage: Stage, data: dict[str, str]) -> str:
    visitor.says_who()
    return visitor.told(visitor.post(at(stage, "certificate/"), data))


def test_the_file_is_the_certificate_and_holds_no_key(stage: Stage, visitor: Visitor) -> None:
    file = at(stage, "certificate/file/")
    assert visitor.get(file).status_code == 404
    lifecycle.make_certificate(stage.connector, actor="ops")
    pem = stored(stage).next_certificate
    der = visitor.get(file)
    assert load_der_x509_certificate(der.content) == load_pem_x509_certificate(pem.encode())
    assert der.headers["Content-Disposition"] == (
        f'attachment; filename="password-boss-connector-{stage.connector.pk}.cer"'
    )
    text = visitor.get(f"{file}?form=pem")
    assert (text.content.decode(), "PRIVATE" in text.content.decode()) == (pem, False)
    assert text.headers["Content-Disposition"].endswith('.pem"')


def test_no_page_shows_a_key_or_a_secret(stage: Stage, sure: Visitor) -> None:
    stage.tenant.add_certificate(stage.app.client_id, _made(stage))
    lifecycle.use_certificate(stage.connector, actor="ops")
    lifecycle.make_certificate(stage.connector, actor="ops")
    row = stored(stage)
    lines = [
        line
        for key in (row.private_key, row.next_private_key)
        if key is not None
        for line in key.reveal().splitlines()
        if not line.startswith("-----")
    ]
    assert len(lines) > 40
    pages = [at(stage, page) for page in ("", "replace/", "replace/?with=secret", "certificate/file/?form=pem")]
    pages += [f"connectors/{row.pk}/", "connectors/", f"connectors/{row.pk}/runs/"]
    for page in pages:
        shown = sure.get(page).content.decode()
        assert [line for line in [*lines, stage.app.secret, "PRIVATE"] if line in shown] == [], page


def _made(stage: Stage) -> str:
    lifecycle.make_certificate(stage.connector, actor="ops")
    return stored(stage).next_certificate


def test_a_viewer_neither_makes_nor_sees_nor_uses_a_certificate(stage: Stage) -> None:
    viewer = Visitor(stage.company, role=Role.PARTNER_VIEWER)
    viewer.says_who()
    answers = [
        viewer.get(at(stage)),
        viewer.post(at(stage), form(stage)),
        viewer.post(at(stage, "certificate/"), {}),
        viewer.get(at(stage, "certificate/file/")),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert stored(stage).next_certificate == ""


def test_nobody_outside_gets_at_the_file(stage: Stage) -> None:
    lifecycle.make_certificate(stage.connector, actor="ops")
    assert Visitor(stage.company).get(at(stage, "certificate/file/")).status_code == 200
    other = make_company(name="Sable Street Brewing")
    for portal in ("partner", "business"):
        stranger = Visitor(other, portal)
        here = f"/partner/companies/{stage.company.slug}/" if portal == "partner" else "/business/"
        for page in ("certificate/file/", "certificate/", "replace/"):
            assert stranger.client.post(here + at(stage, page), {}).status_code in (404, 405), page
            assert stranger.client.get(here + at(stage, page)).status_code in (404, 405), page
    assert stored(stage).next_certificate != ""


def test_a_removed_connector_makes_none(stage: Stage, visitor: Visitor) -> None:
    lifecycle.remove(stage.connector, actor="ops")
    assert "This connector was removed." in visitor.told(visitor.post(at(stage, "certificate/"), {}))


# In the wizard


@pytest.mark.parametrize("portal", ["partner", "business"])
def test_the_wizard_installs_with_a_certificate(portal: str, db: None) -> None:
    emulator = Emulator()
    with emulator.install():
        visit = Visit(emulator, portal)
        visit.tenant.remove_secret(visit.app.client_id)
        connector = visit.begin()
        auth = visit.step(connector, "azure/")
        assert "Recommended: a certificate instead of a client secret" in text_of(visit.client.get(auth))
        page = text_of(visit.client.get(f"{auth}?with=certificate"))
        assert ("Make the certificate" in page, "What you noted" in page, "Azure CLI" in page) == (True, False, False)
        visit.client.post(f"{auth}certificate/", {"years": "1"})
        connector.refresh_from_db()
        pem = connector.next_certificate
        # Left and taken up again, the page is still about the certificate.
        page = text_of(visit.client.get(auth))
        assert read_certificate(pem).thumbprint in page
        assert "Upload the certificate" in page
        assert "Client Secret" not in page
        assert "$SECRET" not in page

        typed = {"with": "certificate", "client_id": visit.app.client_id, "tenant": visit.tenant.id, "cloud": "global"}
        refused = visit.client.post(auth, typed)
        assert (refused.status_code, "Microsoft does not accept the certificate" in text_of(refused)) == (422, True)
        visit.tenant.add_certificate(visit.app.client_id, pem)
        answer = visit.client.post(auth, typed)
        assert "/adminconsent?" in answer.headers["Location"]
        back = visit.client.get(visit.at_microsoft(answer.headers["Location"]))
        assert back.headers["Location"] == visit.step(connector, "azure/consent/")
        assert "The consent works" in text_of(visit.client.get(back.headers["Location"]))
        done = visit.client.post(f"{auth}verify/")
        assert "Connection Verified" in text_of(visit.client.get(done.headers["Location"]))
        connector.refresh_from_db()
        assert (connector.certificate, connector.secret, connector.tenant_id) == (pem, None, visit.tenant.id)
        generation = connector.generation
        # Pressed once more with the same words, it is proven once more and nothing else.
        assert visit.client.post(auth, typed).status_code == 302
        connector.refresh_from_db()
        assert (connector.generation, connector.certificate) == (generation + 1, pem)


def test_the_wizard_goes_back_to_a_secret(db: None) -> None:
    emulator = Emulator()
    with emulator.install():
        visit = Visit(emulator)
        visit.tenant.grant_consent(visit.app.client_id)
        connector = visit.begin()
        auth = visit.step(connector, "azure/")
        visit.client.post(f"{auth}certificate/", {})
        assert visit.client.post(auth, visit.typed(**{"with": "secret"})).status_code == 302
        connector.refresh_from_db()
        assert (connector.certificate, connector.tenant_id) == ("", visit.tenant.id)
        assert connector.secret is not None
