"""The portal that journeys walk through: its people, the emulated Microsoft beside it, and the queue worked off."""

from __future__ import annotations

import pydoc
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.test.utils import override_settings
from django.urls import reverse
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from connectors import schedule
from connectors.models import Connector
from connectors.schedule import owners
from connectors.states import RunTrigger
from tenants.models import Company, User
from tests.demo import seed
from tests.entra_emulator import Emulator, Tenant, people
from tests.entra_emulator.server import serving

LOGIN = "https://login.microsoftonline.com"


@dataclass(frozen=True)
class Scene:
    """Hold a running portal, where its Microsoft asks browsers to sign in, and what both are about."""

    origin: str
    microsoft: str
    emulator: Emulator

    def tenant(self, domain: str) -> Tenant:
        """Return the directory with a domain."""
        return self.emulator.tenant(domain)

    def company(self, name: str) -> Company:
        """Return the company of a name."""
        return Company.objects.get(name=name)

    def user(self, email: str) -> User:
        """Return the login of an address."""
        return User.objects.get(email=email)

    def connect(self, name: str, domain: str, **words: Any) -> Connector:
        """Connect a company to the directory of a domain, and let its first synchronisation happen."""
        connector = seed.connect(self.company(name), domain, **words)
        self.work()
        connector.refresh_from_db()
        return connector

    def synchronise(self, connector: Connector) -> None:
        """Let a connector's schedule come round once."""
        schedule.request(connector.pk, RunTrigger.SCHEDULE)
        self.work()
        connector.refresh_from_db()

    def work(self) -> int:
        """Do what waits in the queue, as the worker would; return how many tasks there were."""
        count = 0
        while fetched := owners.fetch("journeys", 1):
            for pk, payload in fetched:
                package = SignedPackage.loads(payload)
                pydoc.locate(package["func"])(*package["args"], **package["kwargs"])
                OrmQ.objects.filter(pk=pk).delete()
                count += 1
        return count


@contextmanager
def playing(origin: str) -> Iterator[Scene]:
    """Set the scene for a portal that is served at an origin: the demo's companies, and nothing connected yet."""
    emulator = Emulator()
    people.populate(emulator)
    sign_in_id, sign_in_secret = people.register_sign_in(emulator, f"{origin}{reverse('microsoft_callback')}")
    back = [f"{origin}{reverse(f'consent-callback-{portal}')}" for portal in ("partner", "business")]
    for domain in (people.BRIGHTWATER, people.SABLE_STREET, people.COPPER_LANTERN):
        emulator.tenant(domain).add_redirect_uris(people.portal_application(domain)[0], *back)
    with emulator.install(), serving(emulator) as server:
        policy = deepcopy(settings.CONTENT_SECURITY_POLICY)
        policy["DIRECTIVES"]["form-action"].append(server.url)
        with override_settings(
            PORTAL_ORIGIN=origin,
            PARTNER_ORIGIN=origin,
            CONTENT_SECURITY_POLICY=policy,
            ENTRA_LOGIN_ORIGINS={LOGIN: server.url},
            MICROSOFT_SIGNIN_CLIENT_ID=sign_in_id,
            MICROSOFT_SIGNIN_CLIENT_SECRET=sign_in_secret,
        ):
            cache.clear()
            seed.seed()
            yield Scene(origin, server.url, emulator)
            cache.clear()


SABLE = "Sable Street Brewing"
BRIGHTWATER = "Brightwater Logistics"
MAREN = "maren@harbourridge.example"
TOMASZ = "tomasz@harbourridge.example"
AMARA = "amara.okafor@brightwater.example"
DELIA = "delia@sablestreet.example"
