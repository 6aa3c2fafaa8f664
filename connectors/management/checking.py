"""``manage.py connector check``: everything a run would read, read once, with a transcript for an expert."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from connectors.directory import DirectoryError, GroupReading
from connectors.entra import EntraDirectory, Transcript
from connectors.management.console import Failed
from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.sync import credentials_of, run_seconds
from connectors.sync.reading import read


@dataclass(slots=True)
class Check:
    """Hold what a check found, step by step: what was tried, whether it worked, and what to say of it."""

    steps: list[tuple[str, bool, str]] = field(default_factory=list)
    requests: int = 0

    @property
    def ok(self) -> bool:
        """Say whether a run would find everything it needs."""
        return all(worked for _, worked, _ in self.steps)


def check(connector: Connector, transcript_path: str | None) -> Check:
    """Prove the connection and read all that a run reads; changes nothing, at Microsoft or here."""
    if connector.status == ConnectorStatus.REMOVED:
        raise Failed("This connector was removed: there is nothing to check.")
    found = Check()
    with _transcript(transcript_path) as transcript:
        directory = EntraDirectory(credentials_of(connector), seconds=run_seconds(connector), transcript=transcript)
        with directory:
            try:
                _steps(found, connector, directory)
            except DirectoryError as error:
                name = "snapshot" if found.steps else "connection"
                found.steps.append(
                    (name, False, f"{error.sentence} ({error.reference})" if error.reference else error.sentence)
                )
            found.requests = directory.requests
    return found


def _steps(found: Check, connector: Connector, directory: EntraDirectory) -> None:
    proof = directory.verify()
    found.steps.append(
        ("connection", True, f"Verified: tenant {proof.tenant_id}, permissions {', '.join(sorted(proof.permissions))}.")
    )
    if not connector.sync_group_id:
        found.steps.append(("sync group", False, "No sync group is chosen yet: finish the setup."))
        return
    snapshot = read(connector, directory)
    found.steps.append(_group("sync group", connector.sync_group_name, snapshot.sync_group))
    names = dict(connector.selected_groups.values_list("directory_id", "name"))
    found.steps += [_group("additional group", names.get(one.id, ""), one) for one in snapshot.additional]
    if snapshot.gone:
        found.steps.append(
            ("people", True, f"{len(snapshot.gone)} people with accounts are not in the directory any more.")
        )


def _group(what: str, name: str, reading: GroupReading) -> tuple[str, bool, str]:
    label = reading.name or name or reading.id
    if not reading.complete:
        return what, False, f"{label}: {reading.state}. {reading.sentence}".rstrip()
    nested = sum(1 for via in reading.members.values() if via)
    return what, True, f"{label}: {len(reading.members)} people, {nested} of them through nested groups."


@contextmanager
def _transcript(path: str | None) -> Iterator[Transcript | None]:
    """Write the transcript when everything was asked, also where something failed."""
    if path is None:
        yield None
        return
    try:
        # Nobody else reads it before its owner has looked at it, and an older one is not lost.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failed(f"The transcript cannot be written to {path}: {error.strerror}. Give another file.") from None
    transcript = Transcript()
    with os.fdopen(number, "w", encoding="utf-8") as file:
        try:
            yield transcript
        finally:
            file.write(transcript.text())
