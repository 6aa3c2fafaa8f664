"""What can be said of credentials and addresses before Microsoft is asked."""

from __future__ import annotations

import pytest

from connectors.entra import check_client_id, check_secret, check_tenant
from connectors.entra.clouds import ENDPOINTS, within
from connectors.states import Cloud
from tests.connectors.entra_scene import Scene

GUID = "8d3c1c2e-0f6b-4c39-9c55-6a3f3f0c9a11"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (GUID, GUID),
        (f" {GUID.upper()}\n", GUID),
        ("Contoso.onmicrosoft.com", "contoso.onmicrosoft.com"),
        ("contoso.com", "contoso.com"),
    ],
)
def test_a_tenant_is_a_guid_or_a_domain(typed: str, meant: str) -> None:
    assert check_tenant(typed) == meant


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter the Tenant ID"),
        ("contoso", "A Tenant ID is either a GUID"),
        ("https://login.microsoftonline.com/contoso.com", "A Tenant ID is either a GUID"),
        ("contoso.com/../common", "A Tenant ID is either a GUID"),
        (GUID[:-1], "A Tenant ID is either a GUID"),
        ("a." * 200 + "com", "A Tenant ID is either a GUID"),
        ("common", "This stands for all tenants together"),
        ("Organizations", "This stands for all tenants together"),
        ("9188040d-6c67-4c5b-b112-36a304b66dad", "This stands for all tenants together"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        check_tenant(typed)


def test_a_client_id_is_a_guid() -> None:
    assert check_client_id(f" {GUID.upper()} ") == GUID
    for typed, sentence in (("", "Enter the Client ID"), ("Password Boss", "A Client ID is a GUID")):
        with pytest.raises(ValueError, match=f"^{sentence}"):
            check_client_id(typed)


def test_a_secret_is_not_its_id() -> None:
    assert check_secret(" em8Q~abcDEF_-.~123 ") == "em8Q~abcDEF_-.~123"
    for typed, sentence in (
        ("  ", "Enter the client secret"),
        (GUID, "This is the Secret ID, not the secret"),
        ("two words", "This is no client secret"),
        ("em8Q~\x00abc", "This is no client secret"),
        ("x" * 1001, "This is no client secret"),
    ):
        with pytest.raises(ValueError, match=f"^{sentence}"):
            check_secret(typed)


def test_credentials_show_no_secret(scene: Scene) -> None:
    credentials = scene.credentials(secret=lambda: scene.app.secret)
    assert scene.app.secret not in repr(credentials)
    assert "secret" not in repr(credentials)


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("https://graph.microsoft.com/v1.0/groups", True),
        ("HTTPS://Graph.Microsoft.com/v1.0/groups", True),
        ("https://graph.microsoft.com:443/v1.0/groups", True),
        ("http://graph.microsoft.com/v1.0/groups", False),
        ("https://graph.microsoft.com", False),
        ("https://graph.microsoft.com.evil.example/v1.0", False),
        ("https://graph.microsoft.com@evil.example/v1.0", False),
        ("https://graph.microsoft.com\\@evil.example/v1.0", False),
        ("https://graph.microsoft.com:444/v1.0", False),
        ("https://evil.example/https://graph.microsoft.com/", False),
        ("//graph.microsoft.com/v1.0", False),
        ("https://graph.microsoft.com/\n", False),
        ("https://gräph.microsoft.com/", False),
    ],
)
def test_only_the_origin_itself_is_inside(url: str, inside: bool) -> None:
    assert within(url, ("https://graph.microsoft.com",)) is inside


def test_each_cloud_has_its_own_graph() -> None:
    assert {endpoints.scope for endpoints in ENDPOINTS.values()} == {
        "https://graph.microsoft.com/.default",
        "https://graph.microsoft.us/.default",
        "https://dod-graph.microsoft.us/.default",
        "https://microsoftgraph.chinacloudapi.cn/.default",
    }
    assert set(ENDPOINTS) == set(Cloud)
