"""A tenant, an application with consent, and a client that is nothing but requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.entra_emulator import Application, Clock, Emulator, Tenant

GRAPH = "https://graph.microsoft.com"
LOGIN = "https://login.microsoftonline.com"


def token_request(app: Application, tenant: str, *, graph: str = GRAPH, **changes: str | None) -> dict[str, Any]:
    """The form of a client-credentials request, as entra-docs v2-oauth2-client-creds-grant-flow.md writes it."""
    form = {
        "client_id": app.client_id,
        "client_secret": app.secret,
        "scope": f"{graph}/.default",
        "grant_type": "client_credentials",
        **changes,
    }
    return {name: value for name, value in form.items() if value is not None}


@dataclass
class Client:
    """A session with a bearer token for one cloud's Graph."""

    session: requests.Session
    app: Application
    tenant: Tenant
    token: str = field(default="", repr=False)

    def post_token(self, tenant: str | None = None, *, login: str = "", **changes: str | None) -> requests.Response:
        name = tenant if tenant is not None else self.tenant.id
        login = login or self.tenant.cloud.login
        form = token_request(self.app, name, graph=self.tenant.cloud.graph, **changes)
        return self.session.post(f"{login}/{name}/oauth2/v2.0/token", data=form, timeout=5)

    def sign_in(self) -> Client:
        """Fetch a token and use it from now on."""
        answer = self.post_token()
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self

    def get(self, url: str, *, headers: dict[str, str] | None = None, eventual: bool = False) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if eventual:
            sent["ConsistencyLevel"] = "eventual"
        base = f"{self.tenant.cloud.graph}/v1.0"
        return self.session.get(url if url.startswith("https:") else base + url, headers=sent, timeout=5)

    def pages(self, url: str, *, eventual: bool = False) -> list[list[dict[str, Any]]]:
        found, following = [], url
        while following:
            answer = self.get(following, eventual=eventual)
            assert answer.status_code == 200, answer.text
            found.append(answer.json()["value"])
            following = answer.json().get("@odata.nextLink", "")
        return found

    def batch(self, *steps: dict[str, Any]) -> requests.Response:
        return self.session.post(
            f"{self.tenant.cloud.graph}/v1.0/$batch",
            json={"requests": list(steps)},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=5,
        )


def error_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def emulator() -> Emulator:
    """An emulator whose time stands still, at the moment MSAL will see as well."""
    return Emulator(clock=Clock(datetime.now(UTC)))


@pytest.fixture
def tenant(emulator: Emulator) -> Tenant:
    return emulator.add_tenant("Brightwater Logistics", domain="brightwater.example")


@pytest.fixture
def app(tenant: Tenant) -> Application:
    return tenant.register_app(consented=True)


@pytest.fixture
def client(emulator: Emulator, tenant: Tenant, app: Application) -> Client:
    return Client(emulator.session(), app, tenant).sign_in()
