"""Somebody at the wizard's pages, in either portal, with an emulated Microsoft in the same process."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpResponse
from django.test import Client

from connectors.models import Connector
from tenants.models import Company, User
from tenants.roles import Role
from tenants.states import AccountRole
from tests.entra_emulator import Emulator
from tests.entra_emulator import User as Person
from tests.world import make_account, make_company, make_staff

CALLBACKS = {"partner": "/azure/callback", "business": "/business/connectors/azure/callback"}
ORIGIN = "http://localhost:8000"


class Visit:
    """Hold one company, a tenant of its own with an application, and somebody signed in to a portal."""

    def __init__(self, emulator: Emulator, portal: str = "partner", *, role: Role = Role.PARTNER_ADMINISTRATOR) -> None:
        self.emulator = emulator
        self.portal = portal
        self.company: Company = make_company(licences=40)
        self.tenant = emulator.add_tenant("Brightwater Logistics", domain="brightwater.example")
        self.app = self.tenant.register_app(redirect_uris=[f"{ORIGIN}{path}" for path in CALLBACKS.values()])
        self.administrator: Person = self.tenant.add_user("Ingrid Holm")
        self.tenant.make_administrator(self.administrator.id)
        self.user = self.sign_up(role)
        self.client = self.sign_in(self.user)

    def sign_up(self, role: Role = Role.PARTNER_ADMINISTRATOR) -> User:
        """Save another login of the same portal and company."""
        if self.portal == "partner":
            return make_staff(self.company.partner, role)
        account = make_account(self.company, role=AccountRole.ADMIN, claimed=True)
        assert account.user is not None
        return account.user

    def sign_in(self, user: User, **words: Any) -> Client:
        """Return a browser in which somebody is signed in."""
        client = Client(**words)
        client.force_login(user)
        return client

    def url(self, rest: str = "connectors/") -> str:
        """Return the address of a page of the company."""
        before = f"/partner/companies/{self.company.slug}/" if self.portal == "partner" else "/business/"
        return before + rest

    def step(self, connector: Connector, name: str) -> str:
        return self.url(f"connectors/{connector.pk}/setup/{name}")

    def begin(self) -> Connector:
        """Press Install, as far as to the page that shows the token."""
        page = self.client.get(self.url("connectors/install/"))
        shown = self.client.post(self.url("connectors/install/"), {"once": hidden(page, "once")})
        assert shown.status_code == 200
        found: Connector = Connector.objects.filter(company=self.company).latest("pk")
        return found

    def typed(self, **changes: str) -> dict[str, str]:
        """Return what is typed for the tenant's application."""
        return {
            "client_id": self.app.client_id,
            "secret": self.app.secret,
            "tenant": self.tenant.id,
            "secret_expires_on": "",
            "cloud": "global",
            **changes,
        }

    def enter(self, connector: Connector, **changes: str) -> HttpResponse:
        """Press Verify Connection in the wizard."""
        return self.client.post(self.step(connector, "azure/"), self.typed(**changes))

    def at_microsoft(self, url: str, step: str = "accept", person: Person | None = None) -> str:
        """Press a button of Microsoft's consent page; return where the browser is sent, path and query."""
        form = {"step": step, "person": (person or self.administrator).id}
        answer = self.emulator.session().post(url, data=form, allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        target = urlsplit(answer.headers["Location"])
        assert f"{target.scheme}://{target.netloc}" == ORIGIN
        return f"{target.path}?{target.query}"

    def verified(self) -> Connector:
        """Return a connector whose connection is proven."""
        self.tenant.grant_consent(self.app.client_id)
        connector = self.begin()
        assert self.enter(connector).status_code == 302
        connector.refresh_from_db()
        assert connector.tenant_id == self.tenant.id
        return connector


def hidden(page: HttpResponse, name: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    assert found is not None, name
    return html.unescape(found[1])


def text_of(page: HttpResponse) -> str:
    """Return what a page says, without its markup."""
    inner = re.sub(r"<[^>]+>", " ", page.content.decode())
    return re.sub(r"\s+", " ", html.unescape(inner))


def state_of(url: str) -> str:
    """Return the state in an address."""
    return dict(parse_qsl(urlsplit(url).query)).get("state", "")


def told(client: Client, answer: HttpResponse) -> str:
    """Follow a redirect, and return what its page says."""
    return text_of(client.get(answer.headers["Location"]))
