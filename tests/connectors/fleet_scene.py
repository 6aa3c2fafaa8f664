"""A partner with companies whose connectors are in any state, built in the database, and somebody who looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.models import AccountLink, Connector, PersonMark, SyncRun
from connectors.states import ConnectorStatus, MarkKind, RunState, RunTrigger
from tenants.models import Company, Partner, User
from tenants.roles import Role
from tests.connectors.wizard_scene import text_of
from tests.world import TENANT, make_account, make_company, make_partner, make_staff

_IMPLIED: dict[ConnectorStatus, dict[str, Any]] = {
    ConnectorStatus.SETUP_INCOMPLETE: {},
    ConnectorStatus.WAITING: {},
    ConnectorStatus.CONNECTED: {"completed_runs": 3},
    ConnectorStatus.UNAUTHORIZED: {
        "status_sentence": "The client secret is wrong. Enter its Value.",
        "status_reference": "AADSTS7000215, request 0f0d4b0e-0000-4000-8000-000000000000",
    },
    ConnectorStatus.REMOVED: {"removed_at": datetime.fromisoformat("2026-11-03T10:00:00+00:00")},
}


def make_connector(
    company: Company, status: ConnectorStatus = ConnectorStatus.CONNECTED, *, people: int = 0, **fields: Any
) -> Connector:
    """Save a connector in a state, with so many Active accounts."""
    set_up = {} if status is ConnectorStatus.SETUP_INCOMPLETE else {"tenant_id": TENANT, "sync_group_id": TENANT}
    values = {"tenant": f"{company.slug}.example", "client_id": TENANT, **set_up, **_IMPLIED[status], **fields}
    row: Connector = Connector.objects.create(company=company, status=status, **values)
    for _ in range(people):
        AccountLink.objects.create(connector=row, account=make_account(company, managed_by="azure_ad"))
    return row


def make_run(row: Connector, hours: float, last: float | None = None, **fields: Any) -> SyncRun:
    """Save a record of runs that began so many hours ago."""
    now = timezone.now()
    values: dict[str, Any] = {
        "trigger": RunTrigger.SCHEDULE,
        "state": RunState.SUCCEEDED,
        "started_at": now - timedelta(hours=hours),
        "finished_at": now - timedelta(hours=hours if last is None else last),
    }
    names = {"connector": row, "company": row.company, "connector_name": row.name}
    return SyncRun.objects.create(**(names | values | fields))


def hold(row: Connector, number: int) -> None:
    """Let changes of so many people be held."""
    for one in range(number):
        person = f"00000000-0000-4000-8000-{one:012d}"
        PersonMark.objects.create(connector=row, object_id=person, kind=MarkKind.HELD, value="disable", other="brake")
    row.attention = ["held"]
    row.save()


class Fleet:
    """Hold a partner, and a member of its staff at the partner portal."""

    def __init__(self, role: Role = Role.PARTNER_ADMINISTRATOR) -> None:
        self.partner: Partner = make_partner("Harbour Ridge IT")
        self.client = self.enter(make_staff(self.partner, role))

    def enter(self, user: User) -> Client:
        """Return a browser in which somebody is signed in."""
        client = Client()
        client.force_login(user)
        return client

    def company(self, name: str, **fields: Any) -> Company:
        """Save one of the partner's companies."""
        return make_company(self.partner, name, **fields)

    def connector(self, name: str, status: ConnectorStatus = ConnectorStatus.CONNECTED, **fields: Any) -> Connector:
        """Save a company with a connector."""
        return make_connector(self.company(name), status, **fields)

    def get(self, path: str = "/partner/", client: Client | None = None) -> HttpResponse:
        answer = (client or self.client).get(path)
        assert answer.status_code == 200
        return answer

    def names(self, query: str = "", client: Client | None = None) -> list[str]:
        """Return the companies that the page lists, in their order."""
        parts = self.get(f"/partner/{query}", client).context["parts"]
        return [one.line.company.name for part in parts for one in part.lines]

    def csv(self, query: str = "") -> str:
        """Return the text of the download, without its mark."""
        answer = self.client.get(f"/partner/fleet.csv{query}")
        assert isinstance(answer, StreamingHttpResponse)
        return b"".join(cast("Iterator[bytes]", answer.streaming_content)).decode("utf-8-sig")

    def act(self, action: str, *rows: Connector, client: Client | None = None, query: str = "", **more: str) -> str:
        """Press a button for the ticked ones; return what the page says then."""
        data = {"action": action, "selected": [row.pk for row in rows], **more}
        answer = (client or self.client).post(f"/partner/fleet/actions/{query}", data, follow=True)
        assert answer.status_code == 200
        return text_of(answer)

    def queries(self, path: str) -> int:
        """Return what a page costs the database."""
        with CaptureQueriesContext(connection) as captured:
            self.get(path)
        return len(captured)
