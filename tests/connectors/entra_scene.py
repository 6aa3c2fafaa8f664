"""One emulated tenant and the door to it, for tests of reading: nothing between them is faked."""

from __future__ import annotations

from typing import Any

import requests

from connectors.directory import Snapshot
from connectors.entra import Credentials, EntraDirectory
from connectors.states import Cloud
from tests.entra_emulator import Emulator, Group, User

NOBODY = "00000000-0000-4000-8000-000000000000"


class Scene:
    """Hold a tenant with a consented application and an empty sync group.

    Waiting takes no time: `waited` collects the seconds, and the emulator's clock goes on by them.
    """

    def __init__(self, *, cloud: str = "global", roles: tuple[str, ...] = ("Group.Read.All", "User.Read.All")) -> None:
        self.emulator = Emulator()
        self.tenant = self.emulator.add_tenant("Brightwater Logistics", domain="brightwater.example", cloud=cloud)
        self.app = self.tenant.register_app(roles=roles, consented=bool(roles))
        self.group: Group = self.tenant.add_group("Password Boss Users")
        self.waited: list[float] = []
        self.cloud = {
            "global": Cloud.GLOBAL,
            "usgov": Cloud.US_GOVERNMENT,
            "dod": Cloud.US_DOD,
            "china": Cloud.CHINA,
        }[cloud]

    def credentials(self, **changes: Any) -> Credentials:
        words: dict[str, Any] = {
            "tenant": self.tenant.id,
            "client_id": self.app.client_id,
            "cloud": self.cloud,
            "secret": lambda: self.app.secret,
            "key": "17",
            "generation": 1,
        }
        return Credentials(**{**words, **changes})

    def directory(self, **words: Any) -> EntraDirectory:
        words.setdefault("session", self.emulator.session())
        return EntraDirectory(
            words.pop("credentials", None) or self.credentials(),
            **{"sleep": self.sleep, "now": self.emulator.clock.now, **words},
        )

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.emulator.clock.advance(seconds)

    def hire(self, name: str, *groups: Group, **properties: Any) -> User:
        """Add a person with names and mail, to the sync group unless other groups are named."""
        given, _, surname = name.partition(" ")
        mail = f"{name.lower().replace(' ', '.')}@brightwater.example"
        shown = properties.pop("display_name", name)
        person = self.tenant.add_user(shown, **{"given_name": given, "surname": surname, "mail": mail, **properties})
        for group in groups or (self.group,):
            self.tenant.add_member(group.id, person.id)
        return person

    def crowd(self, count: int, *groups: Group) -> list[User]:
        return [self.hire(f"Person Number{number:04}", *groups) for number in range(count)]

    def nest(self, name: str, parent: Group | None = None, **properties: Any) -> Group:
        """Add a group inside another, the sync group unless told."""
        group = self.tenant.add_group(name, **properties)
        self.tenant.add_member((parent or self.group).id, group.id)
        return group

    def read(self, directory: EntraDirectory | None = None, **words: Any) -> Snapshot:
        """Take a snapshot of the sync group."""
        return (directory or self.directory()).snapshot(self.group.id, **{"additional": (), "known": (), **words})

    def asked(self, path: str = "", **exactly: Any) -> list[str]:
        """Return what the emulator was asked, as 'METHOD path'."""
        return [f"{entry.method} {entry.path}" for entry in self.emulator.journal.where(path, **exactly)]


class Recording(requests.Session):
    """Pass requests on to a session of the emulator, keeping with what options each was sent."""

    def __init__(self, inner: requests.Session) -> None:
        super().__init__()
        self.inner = inner
        self.sent: list[dict[str, Any]] = []

    def request(self, method: Any, url: Any, **words: Any) -> requests.Response:
        self.sent.append({"method": method, "url": url, **words})
        return self.inner.request(method, url, **words)


class Rewriting(requests.Session):
    """Pass requests on, and answer the Graph ones with `rewrite(url, bytes) -> bytes` in place of the body."""

    def __init__(self, inner: requests.Session, rewrite: Any, *, host: str = "graph.") -> None:
        super().__init__()
        self.inner = inner
        self.rewrite = rewrite
        self.host = host

    def request(self, method: Any, url: Any, **words: Any) -> requests.Response:
        response = self.inner.request(method, url, **words)
        if self.host in str(url).split("/")[2] and response.status_code == 200:
            content = self.rewrite(str(url), response.content)
            response._content = content
            response._content_consumed = True
        return response
