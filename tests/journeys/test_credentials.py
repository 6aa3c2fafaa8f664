"""What a connector signs in with, in the weeks after: an expired secret replaced, a certificate in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from django.urls import reverse

from connectors.entra import forget_tokens
from connectors.states import ConnectorStatus
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import DELIA, MAREN, SABLE, Scene
from tests.world import PASSWORD

Newcomer = Callable[..., Visitor]


def confirms(one: Visitor) -> None:
    """Say who it is once more."""
    assert one.heading == "Confirm it is you"
    one.page.get_by_label("Password").fill(PASSWORD)
    one.press("Confirm")


def test_a_secret_expires_and_is_replaced(scene: Scene, visitor: Newcomer) -> None:
    connector = scene.connect(SABLE, people.SABLE_STREET)
    tenant = scene.tenant(people.SABLE_STREET)
    tenant.expire_secret(connector.client_id)
    forget_tokens()
    scene.synchronise(connector)
    one = visitor()
    one.enter_as(scene.user(MAREN))
    one.open(reverse("partner:connector", args=[connector.company.slug, connector.pk]))
    one.reads("Microsoft refuses the connection")
    one.reads("The client secret has expired.")
    one.follow("Azure Auth")
    one.follow("Replace the secret…")
    confirms(one)
    assert one.heading == "Replace the secret"

    # The wrong one first: nothing is changed by it.
    one.page.get_by_label("Client Secret").fill("wrong-secret-0123456789-wrong-secret")
    one.press("Prove and replace")
    one.reads("Nothing was changed")
    one.look()
    one.page.get_by_label("Client Secret").fill(tenant.add_secret(connector.client_id).secret)
    one.page.get_by_label("The secret expires on").fill("2099-05-31")
    one.press("Prove and replace")
    one.reads("The secret was proven with Microsoft and is in use.")
    one.reads("31 May 2099")
    one.look()
    scene.work()
    connector.refresh_from_db()
    assert connector.status == ConnectorStatus.CONNECTED
    one.open(reverse("partner:connector", args=[connector.company.slug, connector.pk]))
    one.reads("The client secret is good until 31 May 2099.")


def test_a_certificate_is_made_uploaded_and_used(scene: Scene, visitor: Newcomer, tmp_path: Path) -> None:
    connector = scene.connect(SABLE, people.SABLE_STREET)
    tenant = scene.tenant(people.SABLE_STREET)
    one = visitor()
    one.enter_as(scene.user(DELIA))
    one.open(reverse("business:step-auth", args=[connector.pk]))
    one.follow("Use a certificate…")
    confirms(one)
    one.page.get_by_label("Good for").select_option("2 years")
    one.press("Make the certificate")
    one.reads("The certificate is made.")
    with one.page.expect_download() as download:
        one.page.get_by_role("link", name="Download .cer").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.suffix == ".cer"
    certificate = load_der_x509_certificate(file.read_bytes())

    # Proven before it is uploaded, it is refused, and the secret goes on.
    one.press("Prove and use")
    one.reads("Microsoft does not accept the certificate: it is not uploaded to this application")
    one.look()
    tenant.add_certificate(connector.client_id, certificate.public_bytes(Encoding.PEM).decode())
    one.press("Prove and use")
    one.reads("The certificate was proven with Microsoft and is in use.")
    one.look()
    tenant.remove_secret(connector.client_id)
    forget_tokens()
    scene.synchronise(connector)
    assert (connector.status, connector.secret) == (ConnectorStatus.CONNECTED, None)
