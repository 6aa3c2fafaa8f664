"""Asking a connector's directory: what it proves itself with, and the two looks of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection

from django.conf import settings

from connectors.directory import CredentialRejected, Snapshot
from connectors.entra import Certificate, Credentials, EntraDirectory
from connectors.models import Connector
from connectors.plan import SyncPlan
from connectors.states import Cloud
from connectors.sync.load import known_people


def credentials_of(connector: Connector) -> Credentials:
    """Return what a connector proves itself with, its secret still sealed; raises CredentialRejected without one."""
    if not connector.has_credential:
        raise CredentialRejected(
            "This connector has neither a client secret nor a certificate: enter or make one, and verify the"
            " connection."
        )
    certificate = None
    if connector.private_key is not None:
        certificate = Certificate(connector.private_key, connector.certificate)
    return Credentials(
        tenant=connector.tenant_id or connector.tenant,
        client_id=connector.client_id,
        cloud=Cloud(connector.cloud),
        secret=connector.secret or _nothing,
        key=str(connector.pk),
        generation=connector.generation,
        certificate=certificate,
    )


def _nothing() -> str:
    """Stand where a secret would: who signs in with a certificate has none."""
    return ""


def directory_of(connector: Connector, *, before_request: Callable[[], None] | None = None) -> EntraDirectory:
    """Open a connector's directory, through the session that the settings name."""
    return EntraDirectory(
        credentials_of(connector),
        before_request=before_request,
        seconds=run_seconds(connector),
    )


def run_seconds(connector: Connector) -> float:
    """Return how long a run of this connector may take: it grows with the people it may have to ask about."""
    return float(min(settings.PBPORTAL_RUN_SECONDS + connector.people // 50, settings.PBPORTAL_RUN_SECONDS_MOST))


def read(connector: Connector, directory: EntraDirectory, *, additional: Collection[str] | None = None) -> Snapshot:
    """Read everything a plan needs, completely or not at all; raises DirectoryError.

    `additional` are the additional groups in place of those that are saved.
    """
    if additional is None:
        additional = connector.selected_groups.values_list("directory_id", flat=True)
    return directory.snapshot(
        connector.sync_group_id,
        additional=list(additional),
        known=known_people(connector),
        direct_members_only=connector.direct_members_only,
    )


def second_look(connector: Connector, directory: EntraDirectory, snapshot: Snapshot, plan: SyncPlan) -> Snapshot:
    """Read again whom a plan would take something from, and the group where that is the reason."""
    return directory.second_look(
        snapshot,
        people=plan.second_look,
        sync_group_id=connector.sync_group_id,
        removed=plan.second_group_look,
        direct_members_only=connector.direct_members_only,
    )
