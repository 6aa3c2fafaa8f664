"""Setting a connector up in one go, as a script does: everything is proven and resolved before anything is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hmac import compare_digest
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from connectors.decisions import Refused
from connectors.directory import GroupSummary, SyncGroupMissing, Verification
from connectors.entra import EntraDirectory, is_guid
from connectors.lifecycle.choices import SETTINGS, check_rules, check_settings, save_groups, save_rules
from connectors.lifecycle.credentials import certified_draft, correct, draft, install
from connectors.lifecycle.life import activate
from connectors.lifecycle.proof import prove, save_proof
from connectors.models import Connector
from connectors.states import RULE_CHOICES, Action, Cloud, ConnectorStatus, Situation
from connectors.sync import directory_of
from connectors.sync.load import rules_of
from pbportal.sealed import Unreadable
from tenants.audit import Actor
from tenants.models import Company

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Setup:
    """Hold a connector that is proven and not saved: the row, what Microsoft said of it, and all that was chosen."""

    row: Connector
    proof: Verification
    sync_group: GroupSummary
    additional: tuple[GroupSummary, ...]
    actions: Mapping[Situation, Action]
    settings: Mapping[str, bool]


@sensitive_variables("secret")
def prepare(
    company: Company,
    *,
    tenant: str,
    client_id: str,
    secret: str = "",
    certificate: str = "",
    cloud: Cloud | str = Cloud.GLOBAL,
    secret_expires_on: date | None = None,
    sync_group: str,
    additional: Sequence[str] = (),
    actions: Mapping[Situation, Action] | Mapping[str, str],
    settings: Mapping[str, bool],
) -> Setup:
    """Prove a connection and resolve its groups, each told by id or exact name; saves nothing.

    With a certificate, in PEM, no secret is asked for: the pair was made for one of the company's connectors before.
    Rules and settings that are not named get their defaults. Raises Refused and DirectoryError.
    """
    if certificate:
        row = certified_draft(company, certificate, tenant=tenant, client_id=client_id, cloud=cloud)
    else:
        row = draft(
            company,
            tenant=tenant,
            client_id=client_id,
            secret=secret,
            cloud=cloud,
            secret_expires_on=secret_expires_on,
        )
    rules = {situation: choices[0] for situation, choices in RULE_CHOICES.items()} | check_rules(actions)
    proof = prove(row)
    with directory_of(row) as directory:
        chosen = _resolve(directory, sync_group, "sync_group")
        others = {group.id: group for group in (_resolve(directory, word, "additional") for word in additional)}
    wanted = {name: getattr(row, name) for name in SETTINGS} | check_settings(settings)
    return Setup(row, proof, chosen, tuple(others.values()), rules, wanted)


def twin_of(setup: Setup) -> Connector | None:
    """Return the connector that the company already has to this tenant, None where it has none."""
    twins = Connector.objects.filter(company=setup.row.company_id, tenant_id=setup.proof.tenant_id)
    twin: Connector | None = twins.exclude(status=ConnectorStatus.REMOVED).first()
    # A setup that was begun for its certificate, and went as far as its proof, is the one that is to be finished.
    return None if twin is not None and twin.pk == setup.row.pk and not twin.live else twin


def differences(there: Connector, setup: Setup) -> list[str]:
    """Say, a line each, in what a saved connector is not as the setup would make it; never what a secret is."""
    lines = [
        f"{words}: {before}, not {after}"
        for words, before, after in (
            ("client ID", there.client_id, setup.row.client_id),
            ("cloud", Cloud(there.cloud).label, Cloud(setup.row.cloud).label),
        )
        if before != after
    ]
    if there.sync_group_id != setup.sync_group.id:
        before = _told(there.sync_group_name, there.sync_group_id)
        lines.append(f"sync group: {before}, not {_named(setup.sync_group)}")
    if setup.row.certificate:
        if there.certificate != setup.row.certificate:
            lines.append(f"certificate: {'another one' if there.certificate else 'a client secret'} is in use")
    elif not _same_secret(there, setup.row):
        lines.append(f"client secret: {'a certificate is in use' if there.certificate else 'another one is stored'}")
    day = setup.row.secret_expires_on
    if day is not None and day != there.secret_expires_on:
        lines.append(f"expiry of the secret: {there.secret_expires_on or 'not known'}, not {day}")
    stored = dict(there.selected_groups.values_list("directory_id", "name"))
    asked = {group.id: group for group in setup.additional}
    lines += [
        f"additional group that is not asked for: {_told(stored[one], one)}" for one in stored if one not in asked
    ]
    lines += [f"additional group that is missing: {_named(asked[one])}" for one in asked if one not in stored]
    rules = rules_of(there).actions
    for situation, action in setup.actions.items():
        if rules[situation] != action:
            lines.append(f"rule for {situation.label}: {rules[situation]}, not {action}")
    for name, value in setup.settings.items():
        if getattr(there, name) != value:
            lines.append(f"{name.replace('_', ' ')}: {'no' if value else 'yes'}, not {'yes' if value else 'no'}")
    if not there.live:
        lines.append("setup: not finished")
    return lines


def carry_out(setup: Setup, *, actor: Actor) -> Connector:
    """Save and activate what was prepared, in one transaction. Raises Refused."""
    row = setup.row
    names = {group.id: group.name[:256] for group in (setup.sync_group, *setup.additional)}
    with transaction.atomic():
        typed: dict[str, Any] = {"tenant": row.tenant, "client_id": row.client_id, "cloud": row.cloud}
        if row.certificate:
            installed = correct(row, **typed, certificate=True, actor=actor)
        else:
            secret = row.secret.reveal() if row.secret else ""
            day = row.secret_expires_on
            installed = install(row.company, **typed, secret=secret, secret_expires_on=day, actor=actor)
        save_proof(installed, setup.proof, actor=actor)
        installed.refresh_from_db()
        save_groups(
            installed,
            sync_group_id=setup.sync_group.id,
            additional=[group.id for group in setup.additional],
            names=names,
            actor=actor,
        )
        save_rules(installed, actions=setup.actions, settings=setup.settings, actor=actor)
        return activate(installed, actor=actor)


def _resolve(directory: EntraDirectory, word: str, field: str) -> GroupSummary:
    word = word.strip()
    if not word:
        raise Refused("A group is named by its Object ID or its exact name.", field=field)
    if is_guid(word):
        try:
            return directory.group(word)
        except SyncGroupMissing as missing:
            raise Refused(f"{missing.sentence} ({word})", field=field) from None
    found = directory.search_groups(word, limit=50)
    named = [group for group in found if group.name.casefold() == word.casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(group.id for group in named[:_LISTED])
        raise Refused(
            f"{len(named)} groups are called “{word}”. Name the one you mean by its Object ID: {ids}.", field=field
        )
    like = ", ".join(f"“{group.name}”" for group in found[:_LISTED])
    hint = f"Groups with such a name: {like}." if like else "Look its name up in Entra, or give its Object ID."
    raise Refused(f"This tenant has no group called “{word}”. {hint}", field=field)


def _same_secret(there: Connector, row: Connector) -> bool:
    if there.secret is None or row.secret is None:
        return False
    try:
        return compare_digest(there.secret.reveal().encode(), row.secret.reveal().encode())
    except Unreadable:
        return False


def _named(group: GroupSummary) -> str:
    return _told(group.name, group.id)


def _told(name: str, group_id: str) -> str:
    return f"{name} ({group_id})" if name and name != group_id else group_id or "none"
