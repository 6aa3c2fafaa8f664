"""Signing in: every refusal its own sentence, nothing remembered that should not be, and no secret anywhere."""

from __future__ import annotations

import datetime
import logging
import traceback
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from connectors.directory import (
    ConsentMissing,
    CredentialRejected,
    DirectoryError,
    Remedy,
    Throttled,
    Unavailable,
    Unexpected,
    Verification,
)
from connectors.entra import Certificate, EntraDirectory, plain_session
from connectors.states import Cloud
from tests.connectors.entra_scene import NOBODY, Recording, Rewriting, Scene

BOTH = frozenset({"Group.Read.All", "User.Read.All"})
TOKEN = "/oauth2/v2.0/token"


def refused(scene: Scene, **credentials: Any) -> DirectoryError:
    """Return the error that verifying with these credentials ends in."""
    directory = scene.directory(credentials=scene.credentials(**credentials))
    with pytest.raises(DirectoryError) as caught:
        directory.verify()
    return caught.value


def test_verifying_tells_the_tenant_and_the_permissions(scene: Scene) -> None:
    credentials = scene.credentials(tenant="Brightwater.example", client_id=scene.app.client_id.upper())
    assert scene.directory(credentials=credentials).verify() == Verification(scene.tenant.id, BOTH)


@pytest.mark.parametrize(
    ("spoil", "kind", "sentence", "code"),
    [
        (
            lambda s: {"secret": lambda: "wrong~secret"},
            CredentialRejected,
            "The client secret is wrong. Enter the value of a secret",
            "AADSTS7000215",
        ),
        (
            lambda s: {"secret": lambda: s.app.secret_id},
            CredentialRejected,
            "The client secret is wrong: this is the Secret ID.",
            "AADSTS7000215",
        ),
        (
            lambda s: s.tenant.expire_secret(s.app.client_id) and {},
            CredentialRejected,
            "The client secret has expired.",
            "AADSTS7000222",
        ),
        (
            lambda s: {"client_id": NOBODY},
            CredentialRejected,
            "Microsoft knows no application with this Client ID",
            "AADSTS700016",
        ),
        (
            lambda s: {"tenant": "nobody.example"},
            CredentialRejected,
            "Microsoft knows no tenant nobody.example in the cloud Global.",
            "AADSTS90002",
        ),
        (
            lambda s: {"tenant": NOBODY},
            CredentialRejected,
            f"Microsoft knows no tenant {NOBODY} in the cloud Global.",
            "AADSTS90002",
        ),
        (lambda s: {"cloud": Cloud.CHINA}, CredentialRejected, "Microsoft knows no tenant", "AADSTS90002"),
        (
            lambda s: s.tenant.disable_app(s.app.client_id) or {},
            CredentialRejected,
            "The application is disabled in this tenant.",
            "AADSTS7000112",
        ),
        (
            lambda s: s.tenant.remove_enterprise_app(s.app.client_id) or {},
            ConsentMissing,
            "The application permissions Group.Read.All and User.Read.All",
            "AADSTS7000229",
        ),
        (
            lambda s: s.tenant.delete_app(s.app.client_id) or {},
            CredentialRejected,
            "Microsoft knows no application with this Client ID",
            "AADSTS700016",
        ),
    ],
)
def test_every_refusal_has_its_own_sentence(
    scene: Scene, spoil: Any, kind: type[DirectoryError], sentence: str, code: str
) -> None:
    secret = scene.app.secret
    error = refused(scene, **{"secret": lambda: secret, **spoil(scene)})
    assert type(error) is kind
    assert error.sentence.startswith(sentence)
    assert error.reference.startswith(f"{code}, request ")
    assert error.remedy is Remedy.CUSTOMER


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (53003, CredentialRejected, "A Conditional Access policy of the tenant blocks this application."),
        (90038, CredentialRejected, "The tenant TENANT lives in another cloud, not in Global."),
        (700027, CredentialRejected, "Microsoft does not accept the certificate"),
        (700024, CredentialRejected, "Microsoft finds the sign-in outside its time."),
        (7000218, CredentialRejected, "Microsoft got no client secret."),
        (50196, Throttled, "Microsoft was asked for this application's token too often."),
        (70011, Unexpected, "Microsoft refused to issue a token in a way this connector does not expect."),
        (90055, Throttled, "Microsoft asks this connector to slow down."),
        (90033, Unavailable, "Microsoft's service has a fault at the moment (status 503)."),
    ],
)
def test_every_code_of_microsoft_has_its_class(
    scene: Scene, code: int, kind: type[DirectoryError], sentence: str
) -> None:
    scene.emulator.faults.add(path=TOKEN, aadsts=code, times=None)
    error = refused(scene)
    assert type(error) is kind
    assert error.sentence.startswith(sentence.replace("TENANT", scene.tenant.id))


@pytest.mark.parametrize(
    ("document", "kind", "reference"),
    [
        ({"error": "temporarily_unavailable"}, Unavailable, "temporarily_unavailable, request "),
        ({"error": "invalid_client", "error_codes": [7099999]}, CredentialRejected, "AADSTS7099999, request "),
        (
            {"error": "unauthorized_client", "error_description": "AADSTS700016: none"},
            CredentialRejected,
            "AADSTS700016,",
        ),
        ({"error": "invalid_grant", "error_codes": [65001]}, ConsentMissing, "AADSTS65001, request "),
        ({"error": "invalid_tenant"}, CredentialRejected, "invalid_tenant, request "),
        ({"error": "invalid_resource"}, CredentialRejected, "invalid_resource, request "),
        ({"error": "<script>"}, Unexpected, "status 400, request "),
    ],
)
def test_where_no_number_is_known_the_word_decides(scene: Scene, document: Any, kind: Any, reference: str) -> None:
    scene.emulator.faults.add(path=TOKEN, status=400, document=document)
    error = refused(scene)
    assert type(error) is kind
    assert error.reference.startswith(reference)


def test_a_tenant_that_discovery_calls_another_clouds_is_a_wrong_cloud(scene: Scene) -> None:
    scene.emulator.faults.add(
        path="openid-configuration", status=400, document={"error": "invalid_request", "error_codes": [90038]}
    )
    assert refused(scene).sentence.startswith(f"The tenant {scene.tenant.id} lives in another cloud, not in Global.")


def test_what_the_library_refuses_has_a_sentence(scene: Scene) -> None:
    error = refused(scene, tenant="")
    assert type(error) is Unexpected
    assert error.sentence == "The sign-in to Microsoft failed here (ValueError). Nothing was changed."


def test_a_discovery_document_without_a_usable_issuer_is_enough(scene: Scene) -> None:
    issuer = f'"issuer":"https://login.microsoftonline.com/{scene.tenant.id}/v2.0"'.encode()
    session = Rewriting(
        scene.emulator.session(), lambda url, body: body.replace(issuer, b'"issuer":"https://[odd"'), host="login."
    )
    assert scene.directory(session=session).verify().tenant_id == scene.tenant.id


def test_without_a_session_the_setting_names_it(scene: Scene, settings: Any) -> None:
    settings.ENTRA_SESSION = "tests.entra_emulator.session.in_process"
    with scene.emulator.install(), EntraDirectory(scene.credentials()) as directory:
        assert directory.verify().tenant_id == scene.tenant.id


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"path": "/v1.0/users", "status": 400}, "Microsoft Graph refused a request with status 400"),
        ({"path": "/v1.0/groups", "status": 401}, "Microsoft Graph does not accept this application's token any more"),
        ({"path": "/v1.0/users", "document": {}}, "Microsoft answered a listing without its items."),
    ],
)
def test_a_probe_refused_in_any_other_way_has_its_sentence(scene: Scene, fault: Any, sentence: str) -> None:
    scene.emulator.faults.add(times=None, **fault)
    assert refused(scene).sentence.startswith(sentence)


def test_the_wrong_us_cloud_is_named_as_a_wrong_cloud() -> None:
    dod = Scene(cloud="dod")
    error = refused(dod, cloud=Cloud.US_GOVERNMENT)
    assert type(error) is CredentialRejected
    assert error.sentence.startswith(f"The tenant {dod.tenant.id} lives in another cloud, not in US Government.")


def test_a_discovery_document_that_names_another_cloud_is_a_wrong_cloud(scene: Scene) -> None:
    session = Rewriting(
        scene.emulator.session(),
        lambda url, body: body.replace(b'_name":"microsoftonline.com"', b'_name":"microsoftonline.us"'),
        host="login.",
    )
    with pytest.raises(CredentialRejected) as caught:
        scene.directory(session=session).verify()
    assert caught.value.sentence.startswith(
        f"The tenant {scene.tenant.id} lives in the cloud US Government, not in Global."
    )
    assert scene.asked(TOKEN) == []


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (b"https://login.microsoftonline.com/", b"https://login.evil.example/", CredentialRejected),
        (b'"token_endpoint":"https', b'"token_endpoint":"http', CredentialRejected),
        (b'"token_endpoint"', b'"no_endpoint"', Unexpected),
        (b"TENANT", NOBODY.encode(), Unexpected),
    ],
)
def test_the_secret_goes_to_no_other_address(scene: Scene, before: bytes, after: bytes, kind: Any) -> None:
    before = before.replace(b"TENANT", scene.tenant.id.encode())
    session = Rewriting(scene.emulator.session(), lambda url, body: body.replace(before, after), host="login.")
    with pytest.raises(kind):
        scene.directory(session=session).verify()
    assert scene.emulator.strays == []
    assert scene.asked(TOKEN) == []


def test_trap_01_a_token_proves_nothing() -> None:
    scene = Scene(roles=())
    assert scene.directory()._graph.tokens.token().permissions == frozenset()
    error = refused(scene)
    assert isinstance(error, ConsentMissing)
    assert error.permissions == BOTH
    for role, missing in (("User.Read.All", "Group.Read.All"), ("Group.Read.All", "User.Read.All")):
        half = Scene(roles=(role,))
        error = refused(half)
        assert isinstance(error, ConsentMissing)
        assert error.permissions == {missing}
        assert error.sentence.startswith(f"The application permission {missing} is not granted in this tenant.")


def test_trap_01_each_permission_is_tried_and_not_only_read_from_the_token(scene: Scene) -> None:
    scene.emulator.faults.add(path=r"^/v1.0/users$", status=403, times=None)
    error = refused(scene)
    assert isinstance(error, ConsentMissing)
    assert error.permissions == {"User.Read.All"}
    assert error.reference.startswith("Authorization_RequestDenied, request ")


def test_a_wider_permission_is_enough() -> None:
    scene = Scene(roles=("Directory.Read.All",))
    assert scene.directory().verify() == Verification(scene.tenant.id, frozenset({"Directory.Read.All"}))


def test_trap_02_a_token_from_before_the_consent_is_replaced() -> None:
    scene = Scene(roles=())
    with pytest.raises(ConsentMissing):
        scene.read()
    scene.tenant.grant_consent(scene.app.client_id, BOTH)
    assert scene.read().sync_group.complete
    assert len(scene.asked(TOKEN)) == 3, "kept after the first run, refused in the second, and then replaced"


def test_trap_02_verifying_looks_at_no_token_from_before(scene: Scene) -> None:
    scene.read()
    scene.tenant.revoke_consent(scene.app.client_id, ["User.Read.All"])
    error = refused(scene)
    assert isinstance(error, ConsentMissing)
    assert error.permissions == {"User.Read.All"}


def test_trap_03_a_corrected_secret_is_tried_at_once(scene: Scene) -> None:
    scene.emulator.faults.add(path=TOKEN, status=429, retry_after=3600)
    with pytest.raises(Throttled):
        scene.directory().verify()
    assert scene.directory().verify().tenant_id == scene.tenant.id


def test_trap_03_a_consent_just_given_is_seen_at_once(scene: Scene) -> None:
    other = scene.emulator.add_tenant("Harbour Ridge", domain="harbour.example")
    app = other.register_app(multi_tenant=True)
    directory = scene.directory(credentials=scene.credentials(client_id=app.client_id, secret=lambda: app.secret))
    with pytest.raises(CredentialRejected):
        directory.verify()
    scene.tenant.grant_consent(app.client_id)
    assert directory.verify().permissions == BOTH


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"path": "openid-configuration", "status": 400, "aadsts": 90002}, CredentialRejected),
        ({"path": "openid-configuration", "status": 500}, Unavailable),
        ({"path": "openid-configuration", "drop": True}, Unavailable),
        ({"path": "openid-configuration", "truncate": True}, Unavailable),
        ({"path": "openid-configuration", "status": 404, "document": {}}, Unexpected),
        ({"path": "openid-configuration", "document": {"issuer": 7}}, Unexpected),
        ({"path": "openid-configuration", "document": ["no", "object"]}, Unavailable),
        ({"path": TOKEN, "status": 401, "aadsts": 7000215}, CredentialRejected),
        ({"path": TOKEN, "status": 500}, Unavailable),
        ({"path": TOKEN, "drop": True}, Unavailable),
        ({"path": TOKEN, "cut": 10}, Unavailable),
        ({"path": TOKEN, "truncate": True}, Unavailable),
        ({"path": TOKEN, "status": 400, "document": {"error": ["odd"], "error_codes": "odd"}}, Unexpected),
        ({"path": TOKEN, "document": {"token_type": "Bearer"}}, Unexpected),
        ({"path": TOKEN, "document": {"access_token": 7, "expires_in": 3599}}, Unexpected),
        ({"path": TOKEN, "document": {"access_token": "a\nb", "expires_in": 3599}}, Unexpected),
        ({"path": TOKEN, "document": {"access_token": "abc", "expires_in": -1}}, Unexpected),
    ],
)
def test_trap_04_every_way_to_fail_ends_in_a_sentence(scene: Scene, fault: Any, kind: Any) -> None:
    scene.emulator.faults.add(times=None, **fault)
    error = refused(scene)
    assert type(error) is kind
    assert error.sentence.endswith(".")


def test_trap_05_nothing_is_asked_without_a_time_limit(scene: Scene) -> None:
    session = Recording(scene.emulator.session())
    scene.read(scene.directory(session=session))
    assert len(session.sent) == 4
    for sent in session.sent:
        connect, answer = sent["timeout"]
        assert 0 < connect <= 10
        assert 0 < answer <= 30
        assert sent["allow_redirects"] is False


def test_trap_05_a_sign_in_that_hangs_is_unavailable(scene: Scene) -> None:
    scene.emulator.faults.add(path=TOKEN, latency=3600, times=None)
    assert refused(scene).sentence.startswith("Microsoft did not answer in time.")


def test_trap_06_a_token_of_five_minutes_is_used_for_a_whole_reading(scene: Scene) -> None:
    scene.emulator.token_lifetime = 200
    scene.crowd(3)
    directory = scene.directory()
    scene.read(directory, known=[NOBODY])
    scene.read(directory)
    assert len(scene.asked(TOKEN)) == 1


def test_a_token_is_kept_for_the_next_run_of_the_same_generation(scene: Scene) -> None:
    scene.read()
    scene.read()
    assert len(scene.asked(TOKEN)) == 1
    assert len(scene.asked("openid-configuration")) == 1
    scene.read(scene.directory(credentials=scene.credentials(generation=2)))
    assert len(scene.asked(TOKEN)) == 2
    scene.read(scene.directory(credentials=scene.credentials(generation=2, key="18")))
    assert len(scene.asked(TOKEN)) == 3


def test_a_revoked_token_is_replaced_in_the_middle_of_a_reading(scene: Scene) -> None:
    scene.crowd(30)
    expected = scene.read()
    scene.emulator.faults.add(
        path="/members",
        page_size=10,
        times=None,
    )
    scene.emulator.faults.add(
        path="/members",
        page=2,
        change={"tenant": scene.tenant.id, "verb": "revoke_tokens", "args": [scene.app.client_id]},
    )
    assert scene.read() == expected
    assert len(scene.asked(TOKEN)) == 2


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        ("expire_secret", CredentialRejected),
        ("disable_app", CredentialRejected),
        ("delete_app", CredentialRejected),
        ("remove_enterprise_app", ConsentMissing),
    ],
)
def test_what_happens_to_the_application_shows_in_the_next_reading(scene: Scene, spoil: str, kind: Any) -> None:
    secret = scene.app.secret
    scene.crowd(1)
    credentials = scene.credentials(secret=lambda: secret)
    scene.read(scene.directory(credentials=credentials))
    getattr(scene.tenant, spoil)(scene.app.client_id)
    scene.emulator.clock.advance(hours=2)
    scene.tenant.revoke_tokens(scene.app.client_id) if spoil == "expire_secret" else None
    with pytest.raises(kind):
        scene.read(scene.directory(credentials=credentials))


def test_trap_24_a_permanent_error_is_not_tried_again(scene: Scene) -> None:
    scene.tenant.expire_secret(scene.app.client_id)
    with pytest.raises(CredentialRejected):
        scene.read()
    assert len(scene.asked(TOKEN)) == 1
    assert scene.waited == []


def test_trap_24_a_403_is_tried_again_once_with_a_fresh_token(scene: Scene) -> None:
    scene.tenant.revoke_consent(scene.app.client_id)
    with pytest.raises(ConsentMissing):
        scene.read()
    assert len(scene.asked(TOKEN)) == 2
    assert scene.asked("/v1.0/") == [
        *[f"GET /v1.0/groups/{scene.group.id}?$select=id,displayName,visibility,groupTypes,mailEnabled,securityEnabled"]
        * 2,
        "GET /v1.0/groups?$top=1&$select=id",
    ]


@pytest.mark.parametrize(
    ("name", "login", "graph"),
    [
        ("global", "login.microsoftonline.com", "graph.microsoft.com"),
        ("usgov", "login.microsoftonline.us", "graph.microsoft.us"),
        ("dod", "login.microsoftonline.us", "dod-graph.microsoft.us"),
        ("china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_trap_25_sign_in_scope_and_graph_change_together(name: str, login: str, graph: str) -> None:
    scene = Scene(cloud=name)
    person = scene.hire("Ada Byron")
    assert scene.directory().verify().tenant_id == scene.tenant.id
    assert list(scene.read().people) == [person.id]
    assert {entry.host for entry in scene.emulator.journal} == {login, graph}
    assert scene.emulator.strays == []


def test_trap_26_the_environment_changes_neither_trust_nor_way(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.PBPORTAL_PROXIES = {"https": "http://proxy.example:3128"}
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere.example:3128")
    chosen = plain_session().merge_environment_settings("https://graph.microsoft.com/", {}, None, None, None)
    assert chosen["verify"] is True
    assert dict(chosen["proxies"]) == {"https": "http://proxy.example:3128"}
    tempted = requests.Session().merge_environment_settings("https://graph.microsoft.com/", {}, None, None, None)
    assert tempted["verify"] == "/nowhere.pem"


def test_trap_26_two_tenants_under_one_key_never_share_a_token(scene: Scene) -> None:
    other = Scene()
    other.tenant.delete_group(other.group.id)
    moved = scene.emulator.add_tenant("Harbour Ridge", domain="harbour.example")
    app = moved.register_app(consented=True)
    scene.directory().verify()
    scene.read()
    credentials = scene.credentials(tenant=moved.id, client_id=app.client_id, secret=lambda: app.secret)
    assert scene.read(scene.directory(credentials=credentials)).tenant_id == moved.id


def test_a_token_for_another_tenant_is_not_used(scene: Scene) -> None:
    other = scene.emulator.add_tenant("Harbour Ridge", domain="harbour.example")
    app = other.register_app(consented=True)
    issued = scene.directory(
        credentials=scene.credentials(tenant=other.id, client_id=app.client_id, secret=lambda: app.secret, key="18")
    )._graph.tokens.token()
    request = issued.bearer(requests.Request("GET", "https://graph.microsoft.com/").prepare())
    foreign = request.headers["Authorization"].removeprefix("Bearer ")
    scene.emulator.faults.add(
        path=TOKEN, document={"token_type": "Bearer", "expires_in": 3599, "access_token": foreign}
    )
    assert refused(scene).sentence == (
        "Microsoft issued a token for another tenant than the one asked for. It was not used."
    )


def test_an_opaque_token_is_good_enough(scene: Scene) -> None:
    scene.emulator.faults.add(
        path=TOKEN, document={"token_type": "Bearer", "expires_in": "3599", "access_token": "opaque.to!.us"}
    )
    for path, value in (("/v1.0/users", []), ("/v1.0/groups", [])):
        scene.emulator.faults.add(path=path, document={"value": value})
    assert scene.directory().verify() == Verification(scene.tenant.id, frozenset())


def test_a_certificate_takes_the_place_of_a_secret(scene: Scene) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pbportal")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    scene.tenant.add_certificate(scene.app.client_id, public)
    credentials = scene.credentials(certificate=Certificate(lambda: private, public), secret=lambda: "")
    assert "PRIVATE" not in repr(credentials)
    assert scene.directory(credentials=credentials).verify().tenant_id == scene.tenant.id
    broken = scene.credentials(certificate=Certificate(lambda: "no key", public))
    with pytest.raises(CredentialRejected, match=r"^The certificate cannot be used"):
        scene.directory(credentials=broken).verify()


class Sealed:
    def __init__(self, secret: str) -> None:
        self._secret = secret

    def reveal(self) -> str:
        return self._secret


def test_a_sealed_secret_is_opened_only_to_sign_in(scene: Scene) -> None:
    class Unopenable(Exception):
        """The portal lost the key."""

    def broken() -> str:
        raise Unopenable

    assert scene.directory(credentials=scene.credentials(secret=Sealed(scene.app.secret))).verify()
    with pytest.raises(Unopenable):
        scene.directory(credentials=scene.credentials(secret=broken)).verify()


@pytest.mark.parametrize(
    "fault",
    [
        {"path": TOKEN, "status": 401, "aadsts": 7000215},
        {"path": TOKEN, "drop": True},
        {"path": TOKEN, "truncate": True},
        {"path": TOKEN, "status": 503},
        {"path": "/groups", "status": 403},
        {"path": "/groups", "drop": True},
        {"path": "/groups", "truncate": True},
        {"path": "/groups", "status": 401},
        {"path": "/groups", "document": {"value": "odd"}},
    ],
)
def test_no_error_and_no_log_shows_a_secret_or_a_token(
    scene: Scene, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = scene.app.secret
    scene.emulator.faults.add(times=None, **fault)
    directory = scene.directory(credentials=scene.credentials(secret=Sealed(secret)))
    with pytest.raises(DirectoryError) as caught:
        directory.verify()
    # Everything a crash reporter could print: each frame from the call on, each chained exception.
    told = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True, lookup_lines=False).format()
    )
    shown = told + caplog.text + repr(vars(caught.value)) + repr(directory.log)
    assert "test_no_error_and_no_log_shows" in told
    assert shown.count(secret) == told.count(f"secret = '{secret}'"), "only this test's own variable shows it"
    assert "eyJ" not in shown
