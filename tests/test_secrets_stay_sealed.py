"""Secrets planted, everything driven, everything searched: database, logs, mail, pages, queue, errors, objects."""

from __future__ import annotations

import base64
import dataclasses
import gc
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.core.signals import got_request_exception
from django.db import connection, models
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter, get_exception_reporter_filter
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from connectors import lifecycle, notify
from connectors.entra import plain_session
from connectors.entra.token import forget_tokens
from connectors.models import Connector
from connectors.states import RunTrigger
from connectors.sync import run
from pbportal.logs import JsonFormatter, TextFormatter
from tenants.invitations import queue, send_due
from tests.connectors.test_wizard import people, save
from tests.connectors.wizard_scene import Visit, hidden, text_of
from tests.entra_emulator import Emulator
from tests.world import PASSWORD, confirm_again, make_account

pytestmark = pytest.mark.django_db

WRONG = "CanaryWrong~secret.that-nobody-issued-8271"
NEW_PASSWORD = "canary twelve green bottles 4417"


@dataclasses.dataclass
class Told:
    """Hold all that the portal told anybody, and every secret it was told itself."""

    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    pages: list[str] = dataclasses.field(default_factory=list)
    lines: list[str] = dataclasses.field(default_factory=list)

    def found_in(self, text: str) -> list[str]:
        """Return the names of the secrets that a text holds, as they are or as they may be written."""
        return [name for name, secret in self.secrets.items() if any(form in text for form in _forms(secret))]


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield secret.replace("~", "%7E")


class Listener(logging.Handler):
    """Keep each record as the code made it, before anything is blotted out, and as both formatters print it."""

    def __init__(self, told: Told) -> None:
        super().__init__(logging.DEBUG)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.lines.append(f"{record.getMessage()} {record.args} {record.exc_text or ''}")
        self._told.lines += [JsonFormatter().format(record), TextFormatter().format(record)]


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    listener, root = Listener(told), logging.getLogger()
    former = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(listener)
    yield told
    root.removeHandler(listener)
    root.setLevel(former)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


def drive(told: Told, visit: Visit) -> Connector:
    """Install, verify wrongly and rightly, save, run, fail, replace, regenerate, invite, sign in, set a second factor.

    Each page is kept, but for the one that shows a secret to its owner, once.
    """

    def keep(answer: HttpResponse, *, shows: str = "") -> HttpResponse:
        told.pages.append(f"{answer.headers} {'' if shows else answer.content.decode()}")
        return answer

    told.secrets |= {"client secret": visit.app.secret, "wrong secret": WRONG, "password": PASSWORD}
    visit.tenant.grant_consent(visit.app.client_id)
    page = visit.client.get(visit.url("connectors/install/"))
    shown = keep(visit.client.post(visit.url("connectors/install/"), {"once": hidden(page, "once")}), shows="token")
    token = re.search(r"pbc_[\w-]{43}", text_of(shown))
    assert token is not None
    told.secrets["connector token"] = token[0]
    connector: Connector = Connector.objects.get(company=visit.company)
    assert lifecycle.connector_of(connector.uid, token[0]) == connector
    keep(visit.enter(connector, secret=WRONG))
    keep(visit.enter(connector, tenant="nowhere.example", secret=WRONG))
    keep(visit.enter(connector))
    group = people(visit, "Ada Lovelace", "Grace Hopper")
    keep(visit.client.post(visit.step(connector, "groups/"), {"sync_group": group.id}))
    save(visit, connector)
    run(connector.pk, RunTrigger.SCHEDULE)
    for rest in ("connectors/", f"connectors/{connector.pk}/", f"connectors/{connector.pk}/setup/azure/", "users/"):
        keep(visit.client.get(visit.url(rest)))
    visit.tenant.expire_secret(visit.app.client_id)
    forget_tokens()
    run(connector.pk, RunTrigger.SCHEDULE)
    connector.refresh_from_db()
    assert connector.status == "unauthorized"
    keep(visit.client.get(visit.url(f"connectors/{connector.pk}/")))
    sign_in_with_a_certificate(told, visit, connector)
    bearer = {"authorization": f"Bearer {token[0]}"}
    keep(visit.client.get(reverse("api-status", args=[connector.uid]), headers=bearer))
    keep(visit.client.post(reverse("api-synchronise", args=[connector.uid]), headers=bearer))
    keep(visit.client.get(reverse("api-status", args=[connector.uid]), headers={"authorization": f"Bearer {WRONG}"}))
    return connector


def sign_in_with_a_certificate(told: Told, visit: Visit, connector: Connector) -> None:
    """Make a certificate, let it be refused and accepted, run with it, and make the next one."""

    def keys() -> dict[str, str]:
        """Return a line out of the middle of each key's text, which no two keys share."""
        row = Connector.objects.get(pk=connector.pk)
        held = {"private key": row.private_key, "next private key": row.next_private_key}
        return {name: key.reveal().splitlines()[8] for name, key in held.items() if key is not None}

    confirm_again(visit.client)
    here = f"connectors/{connector.pk}/setup/azure/"
    typed = {"with": "certificate", "client_id": visit.app.client_id, "tenant": visit.tenant.id}
    visit.client.post(visit.url(f"{here}certificate/"), {"years": "1"})
    told.secrets["first private key"] = keys()["next private key"]
    refused = visit.client.post(visit.url(f"{here}replace/"), typed)
    visit.tenant.add_certificate(visit.app.client_id, Connector.objects.get(pk=connector.pk).next_certificate)
    used = visit.client.post(visit.url(f"{here}replace/"), typed)
    assert (refused.status_code, used.status_code) == (422, 302)
    forget_tokens()
    run(connector.pk, RunTrigger.SCHEDULE)
    visit.client.post(visit.url(f"{here}certificate/"), {"years": "1"})
    assert keys()["private key"] == told.secrets["first private key"]
    told.secrets |= keys()
    told.pages += [
        f"{page.headers} {page.content.decode()}"
        for page in (
            refused,
            used,
            *(
                visit.client.get(visit.url(f"{here}{rest}"))
                for rest in ("", "replace/?with=certificate", "replace/?with=secret", "certificate/file/?form=pem")
            ),
        )
    ]
    visit.tenant.expire_secret(visit.app.client_id)
    visit.tenant.remove_certificate(visit.app.client_id)
    forget_tokens()
    run(connector.pk, RunTrigger.SCHEDULE)
    connector.refresh_from_db()
    assert connector.status == "unauthorized"


def invite_and_sign_in(told: Told, visit: Visit) -> None:
    """Invite somebody, who sets a password, signs in and out, and sets up a second factor."""
    account = make_account(visit.company, email="lena@brightwater.example")
    queue([account.pk])
    send_due(timezone.now(), 10)
    link = re.search(r"/welcome/([\w-]+)/", str(mail.outbox[-1].body))
    assert link is not None
    told.secrets |= {"invitation's link": link[1], "new password": NEW_PASSWORD}
    client = Client()
    client.post(link[0], {"password": NEW_PASSWORD, "again": NEW_PASSWORD})
    told.pages.append(client.get(reverse("own_account")).content.decode())
    client.post(reverse("account_logout"))
    client.post(reverse("account_login"), {"login": account.email, "password": NEW_PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": NEW_PASSWORD})
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    assert client.post(reverse("mfa_activate_totp"), {"code": code}).status_code == 302
    assert Authenticator.objects.filter(user__email=account.email, type="totp").count() == 1
    told.secrets["second factor"] = secret
    for name in ("mfa_index", "own_account", "usersessions_list"):
        told.pages.append(client.get(reverse(name)).content.decode())


def whole_database() -> Iterator[tuple[str, str]]:
    """Return every row of every table as a text, sessions and queued tasks as what they hold."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 (a name of the database's)
            for row in cursor.fetchall():
                yield table, " ".join(map(str, row))
    for session in Session.objects.all():
        yield "sessions, decoded", json.dumps(session.get_decoded())
    for payload in OrmQ.objects.values_list("payload", flat=True):
        yield "queued tasks, decoded", repr(SignedPackage.loads(payload))
    for task in Task.objects.all():
        yield "tasks", f"{task.args} {task.kwargs} {task.result}"


def every_repr() -> Iterator[tuple[str, str]]:
    """Return how every row of ours shows itself, and every other object of ours that is alive."""
    for label in ("tenants", "connectors"):
        for model in apps.get_app_config(label).get_models():
            yield from ((f"repr of {model.__name__}", f"{row!r} {row} {vars(row)}") for row in model.objects.all())
    for thing in gc.get_objects():
        kind = type(thing)
        ours = str(kind.__module__).startswith(("connectors.", "tenants.", "pbportal."))
        if ours and not isinstance(thing, type | models.Model | models.QuerySet):
            yield f"repr of {kind.__qualname__}", repr(thing)


def test_no_secret_is_anywhere_but_with_its_owner(told: Told, emulator: Emulator) -> None:
    for portal in ("partner",):
        visit = Visit(emulator, portal)
        connector = drive(told, visit)
        notify.write_due(timezone.now())
        assert notify.send_due(timezone.now(), 10) > 0
        invite_and_sign_in(told, visit)
    out = io.StringIO()
    for command in (["connectors"], ["connectors", "--json"], ["connector", "check", str(connector.pk)]):
        try:
            call_command(*command, stdout=out, stderr=out)
        except SystemExit as end:
            out.write(f" ended with {end.code}")
    rows = list(whole_database())
    assert len({table for table, _ in rows}) > 15
    assert any(connector.tenant_id in text for _, text in rows), "what is no secret is found, so a secret would be"
    places = [
        *rows,
        *(("a page", page) for page in told.pages),
        *(("a log line", line) for line in told.lines),
        *(("a mail", f"{message.subject} {message.body} {message.alternatives}") for message in mail.outbox[:-1]),
        ("a command", out.getvalue()),
        *every_repr(),
    ]
    assert len(told.pages) > 10
    assert len(told.lines) > 10
    leaks = {(place, name) for place, text in places for name in told.found_in(text)}
    assert leaks == set()


class BrokenOff(Exception):
    """Raised where nobody expects anything."""


def broken_session() -> Any:
    session = plain_session()

    def send(*args: Any, **kwargs: Any) -> Any:
        raise BrokenOff("in the middle of a request")

    session.send = send
    session.request = send
    return session


def test_an_error_report_names_none(told: Told, emulator: Emulator, settings: Any) -> None:
    visit = Visit(emulator)
    connector = visit.begin()
    told.secrets |= {"typed secret": WRONG, "password": NEW_PASSWORD}
    reports: list[str] = []

    def report(sender: Any, request: Any, **kwargs: Any) -> None:
        kind, value, trace = sys.exc_info()
        reporter = ExceptionReporter(request, kind, value, trace)
        reports.extend([reporter.get_traceback_text(), reporter.get_traceback_html()])

    settings.ENTRA_SESSION = f"{__name__}.broken_session"
    visit.client.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        answer = visit.enter(connector, secret=WRONG)
    finally:
        got_request_exception.disconnect(report)
    if answer.status_code == 500:
        assert any("BrokenOff" in text for text in reports)
    told.pages.append(answer.content.decode())
    assert [told.found_in(text) for text in [*reports, *told.pages, *told.lines] if told.found_in(text)] == []


def test_a_report_shows_no_value_of_a_form(settings: Any) -> None:
    settings.DEBUG = False
    request = RequestFactory().post("/", {"whatever": WRONG, "name": "Ada"})
    shown = get_exception_reporter_filter(request).get_post_parameters(request)
    assert shown.dict() == dict.fromkeys(("whatever", "name"), "********************")
