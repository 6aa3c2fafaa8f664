"""Nonsense sent to every page, form, callback and API address: each answer is a page or a sentence, none a crash.

    python -m tests.fuzz [EXAMPLES]     so many for each address, 60 by default; prints how many were tried

What a page reads is found in the source and on the page itself, so that a field added tomorrow is tried tomorrow.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = re.compile(r"[A-Z“‘][^<>{}]{8,}[.!?:”’]")


@dataclass(frozen=True)
class Sent:
    """Hold one request: whom it comes from, and what it carries."""

    method: str
    visitor: str
    fields: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes | None


ODD = (
    "",
    " ",
    "0",
    "-1",
    "1",
    "2",
    "٣",
    "1e9",
    "9" * 400,
    str(2**63),
    "NaN",
    "\x00",
    "a\x00b",
    "x" * 20_000,
    "<script>alert(1)</script>",
    "{{ 7|add:7 }}",
    "%s%n{0}",
    "' OR 1=1 --",
    "=HYPERLINK(1)",
    "../../etc/passwd",
    "//evil.example/",
    "https://evil.example/",
    "0000-00-00",
    "9999-12-31",
    "31.02.2026",
    "2026-11-23T10:00",
    "true",
    "on",
    "null",
    "[]",
    '{"a": 1}',
    "a@b.example",
    "a@b",
    "@",
    "delete",
    "convert",
    "disable",
    "create",
    "enable",
    "approve",
    "everybody",
    "global",
    "common",
    "organizations",
    "localhost",
    "00000000-0000-0000-0000-000000000000",
    "\u202eabc",
    "é" * 300,
    "\ufffe",
    "😀",
)
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(-(2**70), 2**70).map(str),
)


@cache
def names_read() -> tuple[str, ...]:
    """Return every name that the source reads from a request, or gives a field of a form."""
    found = set()
    for app in ("connectors", "tenants", "pbportal"):
        for path in sorted((ROOT / app).rglob("*.py")):
            text = path.read_text()
            found |= set(re.findall(r"(?:POST|GET|params|query)\.get(?:list)?\(\s*[\"']([\w-]+)[\"']", text))
            found |= set(re.findall(r"^    (\w+) = forms\.\w+", text, re.MULTILINE))
    return tuple(sorted(found))


def names_on(page: str) -> list[str]:
    """Return the names of the fields of a page's forms."""
    return sorted(set(re.findall(r'<(?:input|select|textarea|button)[^>]*\bname="([^"]+)"', page)))


def requests(visitors: list[str], names: list[str]) -> st.SearchStrategy[Sent]:
    """Return nonsense for one address, most of it in fields that the address knows."""
    known = st.sampled_from([*names, *names_read()]) if names else st.sampled_from(names_read())
    fields = st.dictionaries(known | st.text(max_size=5), st.lists(VALUES, min_size=1, max_size=3), max_size=9)
    headers = st.fixed_dictionaries(
        {},
        optional={
            "HX-Request": st.just("true"),
            "Authorization": VALUES.map(lambda text: "Bearer " + text.encode("latin-1", "ignore").decode("latin-1")),
            "Accept": st.sampled_from(["*/*", "application/json", "text/csv", ""]),
            "Content-Type": st.sampled_from(["application/json", "text/plain", "multipart/form-data; boundary=x"]),
        },
    )
    return st.builds(
        Sent,
        method=st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "HEAD"]),
        visitor=st.sampled_from(visitors),
        fields=fields,
        headers=headers.map(lambda found: {name: re.sub(r"[\r\n\x00]", "", text) for name, text in found.items()}),
        body=st.none() | st.binary(max_size=200),
    )


@contextmanager
def playing() -> Iterator[Any]:
    """Set a scene in the database: one connected company with people, runs and held changes, and who looks at it."""
    from connectors.models import SyncRun
    from tenants.models import Account, Group
    from tenants.roles import Role
    from tenants.states import AccountRole, AccountStatus
    from tests.entra_emulator import Emulator
    from tests.isolation_tenants import make_tenant
    from tests.stage import Stage
    from tests.world import make_account, make_group, make_operator, make_staff

    emulator = Emulator()
    with emulator.install():
        stage = Stage(emulator, *(f"Person{number} Name{number}" for number in range(6)), additional=["Engineers"])
        stage.run()
        for person in list(stage.people.values())[:4]:
            stage.tenant.remove_member(stage.group.id, person.id)
        stage.run()
        company = stage.company
        make_account(company, AccountStatus.PENDING)
        make_account(company, AccountStatus.DISABLED)
        administrator = make_account(company, role=AccountRole.ADMIN, claimed=True).user
        tenant = make_tenant(company.partner, "Other", "Inner")
        rows = {
            **tenant.rows,
            "tenants.company": company,
            "connectors.connector": stage.connector,
            "connectors.syncrun": SyncRun.objects.filter(connector=stage.connector).latest("pk"),
            "tenants.group": Group.objects.filter(company=company).first() or make_group(company, "By hand"),
            "tenants.account": Account.objects.filter(company=company, user__isnull=False).latest("pk"),
        }
        visitors = {
            "operator": make_operator(),
            "partner": make_staff(company.partner, Role.PARTNER_ADMINISTRATOR),
            "business": administrator,
            "nobody": None,
        }
        yield type(tenant)(tenant.outer, tenant.inner, company, rows), visitors


def try_address(url: Any, tenant: Any, visitors: dict[str, Any], examples: int, *, seeded: bool = True) -> int:
    """Send nonsense to one address; return how many requests were answered well. Raises for the first that was not."""
    from django.core.cache import cache as shared_cache
    from django.db import transaction
    from django.test import Client

    from tests.test_isolation import _path

    path = _path(url, tenant)
    portal = url.key.partition(":")[0]
    wanted = {"partner": ["partner"], "business": ["business"], "admin": ["operator", "partner"]}.get(portal)
    who = wanted or list(visitors)
    tried = 0

    def client_of(name: str) -> Client:
        client = Client()
        if visitors[name] is not None:
            client.force_login(visitors[name])
        return client

    with transaction.atomic():
        shown = client_of(who[-1] if portal != "admin" else "operator").get(path)
        names = names_on("" if shown.streaming else shown.content.decode(errors="replace"))
        transaction.set_rollback(True)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(who, names))
    def attempt(sent: Sent) -> None:
        nonlocal tried
        # Limits on calls would answer instead of the page.
        shared_cache.clear()
        with transaction.atomic():
            client = client_of(sent.visitor)
            headers = {name: text for name, text in sent.headers.items() if name != "Content-Type"}
            if sent.method in ("GET", "HEAD"):
                answer = client.generic(sent.method, path, QUERY_STRING=_query(sent), headers=headers)
            elif sent.body is not None:
                kind = sent.headers.get("Content-Type", "application/octet-stream")
                answer = client.generic(sent.method, path, sent.body, content_type=kind, headers=headers)
            elif sent.method == "POST":
                answer = client.post(path, sent.fields, headers=headers)
            else:
                answer = client.generic(sent.method, path, headers=headers)
            judge(answer, sent)
            transaction.set_rollback(True)
        tried += 1

    (seed(4711)(attempt) if seeded else attempt)()
    return tried


def _query(sent: Sent) -> str:
    from django.utils.http import urlencode

    return urlencode(sent.fields, doseq=True)


def judge(answer: Any, sent: Sent) -> None:
    """Assert that an answer is no crash, shows no trace, and where it refuses, says something."""
    # 503 is what /readyz says of a portal without a worker.
    assert answer.status_code < 500 or answer.status_code == 503, (answer.status_code, sent)
    text = b"".join(answer.streaming_content) if answer.streaming else answer.content
    said = text.decode(errors="replace")
    assert "Traceback (most recent call last)" not in said, sent
    if answer.status_code in (400, 403, 404, 409, 410, 422, 429) and sent.method != "HEAD":
        assert SENTENCE.search(re.sub(r"<[^>]+>", " ", said)), (answer.status_code, said[:300], sent)


def try_all(examples: int, *, seeded: bool) -> tuple[int, list[str]]:
    """Send nonsense to every address; return how many requests were answered well, and a line for each that was not."""
    from tests.test_isolation import all_urls

    tried, broken = 0, []
    with playing() as (tenant, visitors):
        for url in all_urls():
            try:
                tried += try_address(url, tenant, visitors, examples, seeded=seeded)
            except Exception as error:
                broken.append(f"{url.key}: {type(error).__name__}: {str(error)[:2000]}")
    return tried, broken


def main(arguments: list[str]) -> int:
    """Try every address; return the exit code."""
    examples = int(arguments[0]) if arguments else 60
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.emulated_settings"
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import setup_test_environment

    from tests.test_isolation import all_urls

    setup_test_environment(debug=False)
    logging.disable(logging.CRITICAL)
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    started = time.monotonic()
    tried, broken = try_all(examples, seeded=False)
    for told in broken:
        print(told)
    seconds = time.monotonic() - started
    print(f"{tried} requests to {len(all_urls())} addresses were answered in {seconds:.0f} seconds;", end=" ")
    print(f"{len(broken)} addresses broke.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
