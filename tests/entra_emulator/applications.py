"""An application's life in a tenant: registration, secrets, certificates, consent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.x509 import load_pem_x509_certificate

from tests.entra_emulator.objects import (
    READ_GROUPS,
    READ_USERS,
    Application,
    DirectoryObject,
    NotThere,
    Secret,
    ServicePrincipal,
    directory_id,
)
from tests.entra_emulator.signing import SigningKeys
from tests.entra_emulator.verbs import verb

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator


class Applications:
    """The verbs of `Tenant` that concern applications."""

    emulator: Emulator
    id: str
    name: str
    service_principals: dict[str, ServicePrincipal]

    def __init__(self) -> None:
        super().__init__()
        self.signing = SigningKeys()
        self.administrators: set[str] = set()
        self.users_may_consent = True
        self._consents: dict[tuple[str, str], set[str]] = {}

    def _number(self) -> int:
        raise NotImplementedError

    def _now(self) -> datetime:
        raise NotImplementedError

    def _touch(self, item: DirectoryObject | None = None) -> None:
        raise NotImplementedError

    @verb
    def register_app(
        self,
        name: str = "Password Boss",
        *,
        roles: Iterable[str] = (READ_GROUPS, READ_USERS),
        consented: bool = False,
        client_id: str | None = None,
        secret: str | None = None,
        secret_expires: datetime | str | None = None,
        multi_tenant: bool = False,
        redirect_uris: Iterable[str] = (),
    ) -> Application:
        """Register an application here, with one secret (24 months unless told) and asked-for roles.

        As in Entra's portal, its own tenant gets a service principal at once: without consent it is
        given tokens without roles. In any other tenant it is unknown until consent.
        """
        number = self._number()
        application = Application(
            (client_id or directory_id(self.id, "application", number)).lower(),
            name,
            self.id,
            multi_tenant,
            roles=tuple(roles),
            redirect_uris=list(redirect_uris),
        )
        self.emulator.applications[application.client_id] = application
        self.add_secret(application.client_id, secret=secret, expires=secret_expires)
        self._ensure_principal(application)
        if consented:
            self.grant_consent(application.client_id)
        return application

    @verb
    def add_secret(
        self, client_id: str, *, secret: str | None = None, expires: datetime | str | None = None
    ) -> Application:
        """Add a secret beside the ones there are; ``expires`` a moment or ISO text, default two years."""
        application = self._registration(client_id)
        number = self._number()
        if isinstance(expires, str):
            expires = datetime.fromisoformat(expires)
        application.secrets.append(
            Secret(
                directory_id(self.id, "secret id", number),
                secret or f"em8Q~{directory_id(self.id, 'secret', number).replace('-', '')}",
                self._now(),
                expires or self._now() + timedelta(days=730),
            )
        )
        return application

    @verb
    def expire_secret(self, client_id: str) -> Application:
        """Let every secret of an application run out now."""
        application = self._registration(client_id)
        for secret in application.secrets:
            secret.expires = min(secret.expires, self._now() - timedelta(seconds=1))
        return application

    @verb
    def remove_secret(self, client_id: str, key_id: str | None = None) -> Application:
        """Delete one secret by its id, or all of them."""
        application = self._registration(client_id)
        application.secrets = [item for item in application.secrets if key_id not in (None, item.key_id)]
        return application

    @verb
    def add_certificate(self, client_id: str, pem: str) -> Application:
        """Upload a certificate (PEM) for assertions; as in Entra's portal, nothing but a certificate is taken."""
        application = self._registration(client_id)
        if "PRIVATE KEY" in pem:
            raise ValueError("This file holds a private key: upload the certificate alone.")
        load_pem_x509_certificate(pem.encode())
        application.certificates.append(pem)
        return application

    @verb
    def remove_certificate(self, client_id: str, pem: str | None = None) -> Application:
        """Delete one certificate, or all of them."""
        application = self._registration(client_id)
        application.certificates = [item for item in application.certificates if pem not in (None, item)]
        return application

    @verb
    def grant_consent(
        self, client_id: str, roles: Iterable[str] | None = None, *, delay: float = 0
    ) -> ServicePrincipal:
        """Grant application roles (all the registration asks for), effective after ``delay`` seconds.

        Consenting to an application of another tenant makes its service principal here.
        """
        application = self._registration(client_id, anywhere=True)
        principal = self._ensure_principal(application)
        now = self._now()
        principal.previous_roles = principal.roles_at(now)
        principal.roles = frozenset(application.roles if roles is None else roles)
        principal.effective_at = now + timedelta(seconds=delay)
        self._touch(principal)
        return principal

    @verb
    def make_administrator(self, user_id: str) -> None:
        """Let a person consent for the whole tenant."""
        self.administrators.add(user_id.lower())

    @verb
    def forbid_user_consent(self) -> None:
        """Let only administrators consent to applications, as many tenants do."""
        self.users_may_consent = False

    @verb
    def add_redirect_uris(self, client_id: str, *uris: str) -> Application:
        """Register further redirect URIs."""
        application = self._registration(client_id)
        application.redirect_uris += [uri for uri in uris if uri not in application.redirect_uris]
        return application

    @verb
    def rotate_signing_key(self) -> None:
        """Sign ID tokens with a new key from now on."""
        self.signing.rotate()

    def consent_of_person(self, client_id: str, user_id: str, scopes: Iterable[str]) -> None:
        """Remember what a person consented to; the application is known in the tenant from then on."""
        self._ensure_principal(self._registration(client_id, anywhere=True))
        self._consents.setdefault((client_id, user_id), set()).update(scopes)

    def consented_scopes(self, client_id: str, user_id: str) -> set[str]:
        return self._consents.get((client_id, user_id), set())

    @verb
    def revoke_consent(self, client_id: str, roles: Iterable[str] | None = None) -> ServicePrincipal:
        """Take granted roles back (all, or the ones named). Tokens already issued keep theirs."""
        principal = self._ensure_principal(self._registration(client_id, anywhere=True))
        principal.roles = frozenset() if roles is None else principal.roles - frozenset(roles)
        principal.previous_roles, principal.effective_at = principal.roles, None
        self._touch(principal)
        return principal

    @verb
    def revoke_tokens(self, client_id: str) -> None:
        """Void every token issued so far to an application (continuous access evaluation)."""
        self._ensure_principal(self._registration(client_id, anywhere=True)).token_generation += 1

    @verb
    def remove_enterprise_app(self, client_id: str) -> None:
        """Delete the service principal: how an administrator takes an application out of the tenant."""
        if self.service_principals.pop(client_id.lower(), None) is None:
            raise NotThere(f"{self.name} has no service principal of {client_id}")
        self._touch()

    @verb
    def disable_app(self, client_id: str) -> None:
        self._ensure_principal(self._registration(client_id, anywhere=True)).account_enabled = False

    @verb
    def enable_app(self, client_id: str) -> None:
        self._ensure_principal(self._registration(client_id, anywhere=True)).account_enabled = True

    @verb
    def delete_app(self, client_id: str) -> None:
        """Delete the registration, and with it every service principal of it."""
        application = self._registration(client_id)
        del self.emulator.applications[application.client_id]
        for tenant in self.emulator.tenants.values():
            tenant.service_principals.pop(application.client_id, None)
            tenant._touch()

    def _registration(self, client_id: str, *, anywhere: bool = False) -> Application:
        application = self.emulator.applications.get(client_id.lower())
        if application is None or not (anywhere or application.home == self.id):
            raise NotThere(f"{self.name} has no registration {client_id!r}")
        return application

    def _ensure_principal(self, application: Application) -> ServicePrincipal:
        if application.client_id not in self.service_principals:
            self.service_principals[application.client_id] = ServicePrincipal(
                directory_id(self.id, "principal", application.client_id),
                application.name,
                app_id=application.client_id,
            )
        return self.service_principals[application.client_id]
