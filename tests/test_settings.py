"""What the settings make of an environment: typed values, or one refusal with a sentence for each thing wrong."""

import base64
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured

from pbportal import checks
from pbportal.environment import development_key
from tenants.models import Partner
from tests.conftest import ROOT

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
PRODUCTION = {
    "SECRET_KEY": "correct horse battery staple, and forty more characters of it",
    "PBPORTAL_FIELD_KEYS": KEY,
    "PORTAL_ORIGIN": "https://portal.example.com",
}
SECRET_KEY_RULE = (
    "at least 50 random characters; print some with python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
)
FIELD_KEYS_RULE = (
    "one or more keys separated by commas, the first of which encrypts; print one with"
    " python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'."
)
ORIGIN_RULE = "an https origin such as https://portal.example.com, without a path (http only for localhost)."

Read = Callable[..., dict[str, Any]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return the settings that an environment of nothing but the given names makes."""

    def read_with(**names: str) -> dict[str, Any]:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in ({"PBPORTAL_ENV_FILE": os.devnull} | names).items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "pbportal" / "settings.py"))

    return read_with


def refusals(read: Read, **names: str) -> list[str]:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(**names)
    first, *sentences = str(refused.value).splitlines()
    assert first == "The settings cannot be used."
    return sentences


def test_three_values_make_a_production(read: Read) -> None:
    made = read(**PRODUCTION)
    names = (
        "DEBUG",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "PARTNER_ORIGIN",
        "SESSION_COOKIE_SECURE",
        "ENTRA_SESSION",
    )
    assert {name: made[name] for name in names} == {
        "DEBUG": False,
        "ALLOWED_HOSTS": ["portal.example.com"],
        "CSRF_TRUSTED_ORIGINS": ["https://portal.example.com"],
        "PARTNER_ORIGIN": "https://portal.example.com",
        "SESSION_COOKIE_SECURE": True,
        "ENTRA_SESSION": checks.PRODUCTION_SESSION,
    }


def test_nothing_at_all_is_refused_with_all_that_is_missing(read: Read) -> None:
    assert refusals(read) == [
        f"SECRET_KEY is missing: set it to {SECRET_KEY_RULE}",
        f"PBPORTAL_FIELD_KEYS is missing: set it to {FIELD_KEYS_RULE}",
        f"PORTAL_ORIGIN is missing: set it to {ORIGIN_RULE}",
    ]


def test_an_empty_value_is_a_missing_one(read: Read) -> None:
    assert refusals(read, **PRODUCTION | {"SECRET_KEY": " "}) == [f"SECRET_KEY is missing: set it to {SECRET_KEY_RULE}"]


def test_a_developer_needs_nothing_and_keeps_the_keys(read: Read) -> None:
    first, second = read(DEBUG="true"), read(DEBUG="yes")
    assert first["SECRET_KEY"] == second["SECRET_KEY"] != ""
    assert first["PBPORTAL_FIELD_KEYS"] == second["PBPORTAL_FIELD_KEYS"] != [""]
    assert first["PBPORTAL_FIELD_KEYS"] != [first["SECRET_KEY"]]
    assert "localhost" in first["ALLOWED_HOSTS"]
    assert first["SESSION_COOKIE_SECURE"] is False


def test_processes_that_start_together_agree_on_the_development_key(tmp_path: Path) -> None:
    path = tmp_path / "var" / "development.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(development_key, [path] * 32))
    assert keys == {path.read_text()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["development.key"]


DATABASE_RULE = "sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME, special characters percent-encoded."
EMAIL_RULE = "smtp://HOST:PORT, smtp+tls://USER:PASSWORD@HOST:PORT, smtp+ssl://…, filemail:///FOLDER or consolemail://."


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("DEBUG", "perhaps", "true or false."),
        ("SECRET_KEY", "short-secret", SECRET_KEY_RULE),
        ("SECRET_KEY", "abab" * 20, SECRET_KEY_RULE),
        ("SECRET_KEY", "django-insecure-" + PRODUCTION["SECRET_KEY"], SECRET_KEY_RULE),
        ("SECRET_KEY_FALLBACKS", "short-secret", "former values of SECRET_KEY, separated by commas."),
        ("PBPORTAL_FIELD_KEYS", "short-secret", FIELD_KEYS_RULE),
        ("PBPORTAL_FIELD_KEYS", f"{KEY},", FIELD_KEYS_RULE),
        ("PBPORTAL_FIELD_KEYS", f"{KEY},ключ", FIELD_KEYS_RULE),
        ("PORTAL_ORIGIN", "portal.example.org", ORIGIN_RULE),
        ("PORTAL_ORIGIN", "http://portal.example.org", ORIGIN_RULE),
        ("PARTNER_ORIGIN", "https://partner.example.org/admin", ORIGIN_RULE),
        ("PARTNER_ORIGIN", "https://me:secret@partner.example.org", ORIGIN_RULE),
        ("PARTNER_ORIGIN", "https://partner.example.org:port", ORIGIN_RULE),
        ("ALLOWED_HOSTS", "a b", "names separated by commas."),
        ("CSRF_TRUSTED_ORIGINS", "portal.example.org", "origins with scheme, separated by commas."),
        ("PBPORTAL_TRUSTED_PROXIES", "-1", "a whole number from 0 to 10."),
        ("DATABASE_URL", "mysql://me:secret@db.example.org/x", DATABASE_RULE),
        ("DATABASE_URL", "postgres://me:sec#ret@db.example.org/x", DATABASE_RULE),
        ("DATABASE_URL", "postgres://me:secret@db.example.org:port/x", DATABASE_RULE),
        ("DATABASE_URL", "postgres://me:secret@db.example.org/", DATABASE_RULE),
        ("DATABASE_URL", "postgres://[me:secret@db.example.org/x", DATABASE_RULE),
        ("DATABASE_URL", "sqlite://:memory:", DATABASE_RULE),
        ("DATABASE_URL", "sqlite://var/here.sqlite3", DATABASE_RULE),
        ("DATABASE_URL", "var/here.sqlite3", DATABASE_RULE),
        ("PBPORTAL_WORKERS", "two", "a whole number from 1 to 64."),
        ("PBPORTAL_WORKERS", "0", "a whole number from 1 to 64."),
        ("PBPORTAL_RUN_SECONDS", "1e3", "a whole number from 30 to 86400."),
        ("PBPORTAL_RUN_SECONDS_MOST", "nine", "a whole number from 30 to 86400."),
        ("PBPORTAL_RETRY_SECONDS", "nine", "a whole number from 1 to 604800."),
        (
            "PBPORTAL_PROXIES",
            "proxy.example.org:3128",
            "the address of a proxy, such as http://proxy.example.com:3128.",
        ),
        ("ENTRA_SESSION", "plain session", "the dotted path of a function."),
        ("ENTRA_LOGIN_ORIGINS", "http://127.0.0.1:8300", "pairs ORIGIN=ORIGIN separated by commas."),
        ("EMAIL_URL", "mail.example.org", EMAIL_RULE),
        ("EMAIL_URL", "smtp://me:secret@:25", EMAIL_RULE),
        ("PBPORTAL_MAIL_FROM", "the portal", "an address such as portal@example.com or Portal <portal@example.com>."),
        ("PBPORTAL_KEEP_RUNS_DAYS", "0", "a whole number from 1 to 36500."),
        ("PBPORTAL_KEEP_DELETED_DAYS", "for ever", "a whole number from 1 to 36500."),
        ("PBPORTAL_LOG_LEVEL", "loud", "DEBUG, INFO, WARNING or ERROR."),
        ("PBPORTAL_LOG_FORMAT", "xml", "json or text."),
    ],
)
def test_a_wrong_value_is_refused_and_not_repeated(read: Read, name: str, value: str, rule: str) -> None:
    sentences = refusals(read, **PRODUCTION | {name: value})
    assert sentences == [f"{name} is not usable: it must be {rule}"]
    assert value not in sentences[0].replace(rule, "")


def test_every_fault_is_told_at_once(read: Read) -> None:
    names = PRODUCTION | {"PORTAL_ORIGIN": "portal", "PBPORTAL_WORKERS": "many", "DATABASE_URL": "oracle://x/y"}
    assert [sentence.split()[0] for sentence in refusals(read, **names)] == [
        "PORTAL_ORIGIN",
        "DATABASE_URL",
        "PBPORTAL_WORKERS",
    ]


def test_a_misspelt_name_is_told_the_nearest(read: Read) -> None:
    assert refusals(read, **PRODUCTION, PBPORTAL_WORKER="3", PBPORTAL_FIELD_KEY=KEY) == [
        "PBPORTAL_FIELD_KEY is no setting of this portal: the nearest name is PBPORTAL_FIELD_KEYS.",
        "PBPORTAL_WORKER is no setting of this portal: the nearest name is PBPORTAL_WORKERS.",
    ]


def test_any_host_is_refused_in_production_only(read: Read) -> None:
    assert refusals(read, **PRODUCTION, ALLOWED_HOSTS="*") == [
        "ALLOWED_HOSTS is not usable: * lets a forged host name into links; name the hosts."
    ]
    assert "*" in read(DEBUG="true", ALLOWED_HOSTS="*")["ALLOWED_HOSTS"]


def test_two_portals_may_have_two_hosts(read: Read) -> None:
    made = read(**PRODUCTION, PARTNER_ORIGIN="https://Partner.example.com:8443/", ALLOWED_HOSTS="lb-1, lb-2")
    assert made["PARTNER_ORIGIN"] == "https://partner.example.com:8443"
    assert made["ALLOWED_HOSTS"] == ["lb-1", "lb-2", "partner.example.com", "portal.example.com"]
    assert made["CSRF_TRUSTED_ORIGINS"] == ["https://partner.example.com:8443", "https://portal.example.com"]


def test_plain_http_on_this_machine_sets_no_secure_cookie(read: Read) -> None:
    made = read(**PRODUCTION | {"PORTAL_ORIGIN": "http://localhost:8000"})
    names = ("SESSION_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_NAME")
    assert [made[name] for name in names] == [False, False, 0, "sessionid"]


def test_on_https_no_other_host_can_set_a_cookie(read: Read) -> None:
    made = read(**PRODUCTION)
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS")
    assert [made[name] for name in names] == ["__Host-sessionid", "__Host-csrftoken", 31_536_000, True]


def test_a_proxy_in_front_is_believed_only_where_it_is_declared(read: Read) -> None:
    assert "SECURE_PROXY_SSL_HEADER" not in read(**PRODUCTION)
    made = read(**PRODUCTION, PBPORTAL_TRUSTED_PROXIES="1")
    assert made["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert made["ALLAUTH_TRUSTED_PROXY_COUNT"] == 1


def test_sqlite_takes_its_write_lock_at_once(read: Read) -> None:
    database = read(**PRODUCTION, DATABASE_URL="sqlite:///data/portal.sqlite3")["DATABASES"]["default"]
    assert database["NAME"] == str(ROOT / "data" / "portal.sqlite3")
    assert database["OPTIONS"] == {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    assert read(**PRODUCTION, DATABASE_URL="sqlite:////srv/p.db")["DATABASES"]["default"]["NAME"] == "/srv/p.db"


def test_postgresql_keeps_its_connections(read: Read) -> None:
    url = "postgres://portal:p%23ss@db.example.com:5433/main?sslmode=require"
    database = read(**PRODUCTION, DATABASE_URL=url)["DATABASES"]["default"]
    assert database == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "main",
        "USER": "portal",
        "PASSWORD": "p#ss",
        "HOST": "db.example.com",
        "PORT": 5433,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 10, "sslmode": "require"},
    }


def test_the_queue_follows_the_number_of_workers(read: Read) -> None:
    queue = read(**PRODUCTION, PBPORTAL_WORKERS="7")["Q_CLUSTER"]
    assert (queue["workers"], queue["queue_limit"], queue["bulk"]) == (7, 7, 1)
    assert queue["retry"] > 1_800 * 2 + 60


def test_a_retry_that_would_run_a_task_twice_is_refused(read: Read) -> None:
    names = PRODUCTION | {"PBPORTAL_RUN_SECONDS": "60", "PBPORTAL_RUN_SECONDS_MOST": "100"}
    assert read(**names, PBPORTAL_RETRY_SECONDS="261")["Q_CLUSTER"]["retry"] == 261
    assert refusals(read, **names, PBPORTAL_RETRY_SECONDS="260") == [
        "PBPORTAL_RETRY_SECONDS is not usable: with PBPORTAL_RUN_SECONDS_MOST at 100 it must be more than 260."
    ]
    assert refusals(read, **names | {"PBPORTAL_RUN_SECONDS": "101"}) == [
        "PBPORTAL_RUN_SECONDS is not usable: it must be at most PBPORTAL_RUN_SECONDS_MOST."
    ]


def test_the_mail_server_is_one_address(read: Read) -> None:
    made = read(**PRODUCTION, EMAIL_URL="smtp+tls://me:p%40ss@mail.example.com:587")
    names = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS", "EMAIL_USE_SSL")
    assert [made[name] for name in names] == ["mail.example.com", 587, "me", "p@ss", True, False]
    assert made["DEFAULT_FROM_EMAIL"] == "pbportal@portal.example.com"


def test_consent_may_leave_for_microsoft_and_nothing_else_may(read: Read) -> None:
    pair = "https://login.microsoftonline.com=http://127.0.0.1:8300"
    policy = read(DEBUG="true", ENTRA_LOGIN_ORIGINS=pair)["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert policy["form-action"][-1] == "http://127.0.0.1:8300"
    assert policy["default-src"] == ["'self'"]
    assert not any("unsafe" in source for sources in policy.values() for source in sources)


def shown_in(*, file: str, directory: Path, names: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    (directory / "portal.env").write_text(file, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "PBPORTAL_ENV_FILE": str(directory / "portal.env")} | (names or {})
    code = "from pbportal import settings as s; print(s.DEBUG, s.SECRET_KEY, s.PBPORTAL_WORKERS, s.PORTAL_ORIGIN)"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_a_file_holds_what_the_environment_does_not(tmp_path: Path) -> None:
    file = "# the portal\n\nexport DEBUG=false\n" + "".join(f"{name}='{value}'\n" for name, value in PRODUCTION.items())
    shown = shown_in(file=file + "PBPORTAL_WORKERS=3\n", directory=tmp_path, names={"PBPORTAL_WORKERS": "5"})
    assert (shown.stdout, shown.stderr) == (f"False {PRODUCTION['SECRET_KEY']} 5 https://portal.example.com\n", "")


def test_a_line_of_the_file_that_is_none_is_named_and_not_shown(tmp_path: Path) -> None:
    shown = shown_in(file="DEBUG=true\nSECRET_KEY: swordfish\n", directory=tmp_path)
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-1].endswith(
        "Line 2 of portal.env is not usable: write NAME=value, no space before NAME or =."
    )
    assert "swordfish" not in shown.stderr + shown.stdout


def example_lines() -> list[tuple[str, str]]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = [line.removeprefix("#").partition("=") for line in lines if "=" in line and not line.startswith("# ")]
    return [(name, value) for name, _, value in pairs]


def test_the_example_names_every_setting_and_no_other(read: Read) -> None:
    asked = read(**PRODUCTION)["env"].names
    assert sorted(set(asked)) == sorted(asked)
    assert sorted({name for name, _ in example_lines()}) == sorted(asked)


def test_the_example_can_be_used_as_it_stands(read: Read) -> None:
    example = {name: value for name, value in example_lines() if value}
    made = read(**PRODUCTION | example)
    assert made["DATABASES"]["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert made["PARTNER_ORIGIN"] == "https://partner.example.com"


def test_an_emulated_microsoft_is_no_production(settings: Any) -> None:
    settings.DEBUG = False
    settings.ENTRA_SESSION = checks.PRODUCTION_SESSION
    assert checks.microsoft_is_microsoft() == []
    settings.ENTRA_SESSION = "tests.entra_emulator.session.in_process"
    settings.ENTRA_LOGIN_ORIGINS = {"https://login.microsoftonline.com": "http://127.0.0.1:8300"}
    assert [error.id for error in checks.microsoft_is_microsoft()] == ["pbportal.E001", "pbportal.E002"]
    settings.DEBUG = True
    assert checks.microsoft_is_microsoft() == []


def test_a_production_is_told_what_it_must_not_be(settings: Any, tmp_path: Path) -> None:
    def told() -> list[str]:
        return [message.id for message in checks.production_is_one()]

    settings.DEBUG = True
    assert told() == ["pbportal.E021"]
    settings.DEBUG = False
    settings.BASE_DIR = tmp_path
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.MAIL_SERVER_IS_NAMED = True
    assert told() == []
    settings.MAIL_SERVER_IS_NAMED = False
    assert told() == ["pbportal.W001"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "development.key").write_text(f"{settings.PBPORTAL_FIELD_KEYS[0]}\n")
    assert told() == ["pbportal.E022", "pbportal.E023", "pbportal.E024"]


def test_the_settings_that_the_readme_asks_for_pass_every_check_of_a_deployment(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {*PRODUCTION, "EMAIL_URL"}
    assert {name for name in names if f"`{name}`" not in readme} == set()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **PRODUCTION,
        "EMAIL_URL": "smtp+tls://portal:word@mail.example.com:587",
        "PBPORTAL_ENV_FILE": os.devnull,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'portal.sqlite3'}",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"]
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "System check identified no issues (1 silenced).\n"), ran.stderr


@pytest.mark.django_db
def test_a_migrated_portal_has_its_shared_cache() -> None:
    caches["default"].set("rate", 5)
    assert caches["default"].get("rate") == 5


def test_a_child_process_shares_the_database_of_its_test(child_environment: dict[str, str]) -> None:
    Partner.objects.create(name="Northwind IT", slug="northwind-it")
    code = "import django; django.setup(); from tenants.models import Partner; print(*Partner.objects.all())"
    shown = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (shown.stdout, shown.stderr) == ("Northwind IT\n", "")
