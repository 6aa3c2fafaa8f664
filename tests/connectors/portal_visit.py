"""Somebody in one of the portals of a stage's company, and what the pages say to them."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.models import Company
from tenants.roles import Role
from tenants.states import AccountRole
from tests.connectors.wizard_scene import text_of
from tests.world import confirm_again, make_account, make_staff


class Visitor:
    """Hold a browser in one of the portals, and where the company's pages are in it."""

    def __init__(self, company: Company, portal: str = "partner", role: Role = Role.PARTNER_ADMINISTRATOR) -> None:
        self.client = Client()
        if portal == "partner":
            self.before = f"/partner/companies/{company.slug}/"
            self.user = make_staff(company.partner, role)
        else:
            self.before = "/business/"
            user = make_account(company, role=AccountRole.ADMIN, claimed=True).user
            assert user is not None
            self.user = user
        self.client.force_login(self.user)

    def says_who(self) -> None:
        """Have said just now, with the password, who it is."""
        confirm_again(self.client)

    def get(self, rest: str, **words: Any) -> HttpResponse:
        return self.client.get(self.before + rest, **words)

    def post(self, rest: str, data: dict[str, Any]) -> HttpResponse:
        return self.client.post(self.before + rest, data)

    def reads(self, rest: str) -> str:
        """Return what a page says."""
        answer = self.get(rest)
        assert answer.status_code == 200, answer.status_code
        return text_of(answer)

    def told(self, answer: HttpResponse) -> str:
        """Return what the page says to which an answer leads."""
        assert answer.status_code == 302, text_of(answer)
        return text_of(self.client.get(answer.headers["Location"]))

    def queries(self, rest: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert self.get(rest).status_code == 200
        return len(captured)
