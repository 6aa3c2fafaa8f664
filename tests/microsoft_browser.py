"""A browser between the portal's test client and the emulated Microsoft: it follows redirects, and presses buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from django.test import Client
from django.urls import reverse

from tests.entra_emulator import Application, Emulator, User

CALLBACK = "http://testserver/accounts/microsoft/login/callback/"


def register_portal(emulator: Emulator, settings: Any) -> Application:
    """Register the portal's own application with the emulated Microsoft, and put it into the settings."""
    maker = emulator.add_tenant("Password Boss", domain="passwordboss.example")
    app = maker.register_app("Password Boss portal", roles=(), multi_tenant=True, redirect_uris=[CALLBACK])
    settings.MICROSOFT_SIGNIN_CLIENT_ID, settings.MICROSOFT_SIGNIN_CLIENT_SECRET = app.client_id, app.secret
    return app


_TYPED = {"person": "id", "name": "user_principal_name"}


@dataclass
class Browser:
    """One person's browser: a session with the portal, none with Microsoft."""

    emulator: Emulator
    portal: Client = field(default_factory=Client)
    types: str = "person"
    """What is filled in at Microsoft: the person chosen, or the sign-in name."""

    def to_microsoft(self, *, process: str = "login", next: str = "") -> str:
        """Press the portal's button; return the address at Microsoft that it leads to."""
        address = f"{reverse('microsoft_login')}?process={process}" + (f"&next={next}" if next else "")
        answer = self.portal.post(address)
        assert answer.status_code == 302, answer.content
        return str(answer.headers["Location"])

    def at_microsoft(self, address: str, person: User | None, step: str = "accept") -> str:
        """Sign in there, consent if need be; return where Microsoft sends the browser back."""
        with self.emulator.session() as session:
            form = {"step": step, self.types: "" if person is None else getattr(person, _TYPED[self.types])}
            answer: requests.Response = session.post(address, data=form, allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def back(self, address: str) -> Any:
        """Come back to the portal."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == CALLBACK
        return self.portal.get(f"{parts.path}?{parts.query}")

    def sign_in(self, person: User, **words: str) -> Any:
        """Go all the way; return what the portal answers at the end."""
        return self.back(self.at_microsoft(self.to_microsoft(**words), person))

    @property
    def who(self) -> str:
        """Return the address of who is signed in to the portal, '' for nobody."""
        page = self.portal.get(reverse("usersessions_list"))
        return str(page.wsgi_request.user.email) if page.status_code == 200 else ""
