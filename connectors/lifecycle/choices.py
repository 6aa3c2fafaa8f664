"""What a connector synchronises, and how: its groups, its rules, and the brake's limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from connectors.decisions import Refused
from connectors.directory import SyncGroupMissing
from connectors.entra import is_guid
from connectors.lifecycle.rows import changing, interrupt, refuse_removed, request_run
from connectors.models import Connector, SelectedGroup, SyncRule
from connectors.states import RULE_CHOICES, Action, Situation
from connectors.sync import directory_of
from connectors.sync.load import rules_of
from tenants import audit
from tenants.audit import Actor, record
from tenants.roles import Can

GROUPS_SELECTED = audit.Action(
    "connector.groups_selected",
    "{actor} chose the groups of {subject}: sync group {sync_group}; additional groups: {additional}.",
    ("sync_group", "additional"),
)
RULES_SAVED = audit.Action(
    "connector.rules_saved", "{actor} changed how {subject} synchronises: {changes}.", ("changes",)
)
LIMITS_SAVED = audit.Action(
    "connector.limits_saved", "{actor} changed the brake of {subject}: {changes}.", ("changes",)
)

SETTINGS = ("direct_members_only", "leave_out_guests", "allow_onmicrosoft", "send_invitations")
"""Fields that `save_rules` takes beside the rules; all are true or false."""

LIMITS = {
    "destructive_floor": (1, 1_000_000),
    "destructive_percent": (0, 100),
    "half_floor": (1, 1_000_000),
    "half_percent": (0, 100),
    "growth_floor": (0, 1_000_000),
    "growth_percent": (0, 10_000),
}
"""Fields that `save_limits` takes, each with its least and its most."""

_HARSH = frozenset({Action.DELETE, Action.CONVERT})


def right_for_groups(connector: Connector) -> Can:
    """Return the right that choosing groups needs: until it is saved, a connector belongs to who installs it."""
    return Can.RULE_CONNECTORS if connector.live else Can.RUN_CONNECTORS


def right_for_rules(connector: Connector, actions: Mapping[Situation, Action], settings: Mapping[str, bool]) -> Can:
    """Return the right that saving these rules and settings needs, judged by those that would change."""
    before = rules_of(connector).actions
    harsh = any(action in _HARSH and before[situation] != action for situation, action in actions.items())
    live = connector.live and any(getattr(connector, name) != value for name, value in settings.items())
    return Can.RULE_CONNECTORS if harsh or live else Can.RUN_CONNECTORS


def select_groups(
    connector: Connector, *, sync_group_id: str, additional: Collection[str] = (), actor: Actor
) -> Connector:
    """Choose the sync group and the additional ones; a run in flight, which reads the former choice, is stopped.

    Groups that were not chosen before are looked up. Raises Refused, and DirectoryError where they cannot be.
    """
    row: Connector = Connector.objects.get(pk=connector.pk)
    refuse_removed(row)
    if not row.tenant_id:
        raise Refused("Verify the connection first: groups are chosen from what it can read.")
    sync_group_id = _group_id(sync_group_id, "sync_group_id")
    wanted = list(dict.fromkeys(_group_id(group_id, "additional") for group_id in additional))
    names = dict(row.selected_groups.values_list("directory_id", "name"))
    names |= {row.sync_group_id: row.sync_group_name}
    # One chosen before is not asked for again: that it was deleted since must not prevent other changes.
    names |= _read_names(row, [group_id for group_id in (sync_group_id, *wanted) if group_id not in names])
    return save_groups(row, sync_group_id=sync_group_id, additional=wanted, names=names, actor=actor)


def save_groups(
    row: Connector, *, sync_group_id: str, additional: Sequence[str], names: Mapping[str, str], actor: Actor
) -> Connector:
    """Save the choice of groups that were read; `names` are the names of all of them, by id. Raises Refused."""
    with changing(row.pk) as now:
        if now.tenant_id != row.tenant_id:
            raise Refused("The connection was changed meanwhile. Verify it, and choose the groups again.")
        before = list(now.selected_groups.values_list("directory_id", flat=True))
        if (now.sync_group_id, set(before)) == (sync_group_id, set(additional)):
            return now
        now.selected_groups.exclude(directory_id__in=additional).delete()
        SelectedGroup.objects.bulk_create(
            SelectedGroup(connector=now, directory_id=group_id, name=names[group_id])
            for group_id in additional
            if group_id not in before
        )
        now.sync_group_id, now.sync_group_name = sync_group_id, names[sync_group_id]
        fields = interrupt(now, "The connector's groups were changed in the middle of this run. The next run goes on.")
        _save(now, ["sync_group_id", "sync_group_name", *fields], actor)
        told = ", ".join(names[group_id] or group_id for group_id in additional) or "none"
        detail = {"sync_group": now.sync_group_name or sync_group_id, "additional": told}
        record(GROUPS_SELECTED, company=now.company, actor=actor, subject=now.name, detail=detail)
    return now


def save_rules(
    connector: Connector,
    *,
    actions: Mapping[Situation, Action] | Mapping[str, str],
    settings: Mapping[str, bool] | None = None,
    actor: Actor,
) -> Connector:
    """Save sync rules and any of SETTINGS; what is not named stays. Raises Refused."""
    chosen, wanted = check_rules(actions), check_settings(settings or {})
    with changing(connector.pk) as now:
        before = rules_of(now).actions
        rules = {situation: action for situation, action in chosen.items() if before[situation] != action}
        values = {name: value for name, value in wanted.items() if getattr(now, name) != value}
        if not rules and not values:
            return now
        changes = [f"{one.label}: {before[one].label} → {action.label}" for one, action in rules.items()]
        changes += [f"{_words(now, name)}: {'yes' if value else 'no'}" for name, value in values.items()]
        for situation, action in rules.items():
            SyncRule.objects.update_or_create(connector=now, situation=situation, defaults={"action": action})
        for name, value in values.items():
            setattr(now, name, value)
        _save(now, list(values), actor)
        detail = {"changes": "; ".join(changes)}
        record(RULES_SAVED, company=now.company, actor=actor, subject=now.name, detail=detail)
    return now


def save_limits(connector: Connector, *, limits: Mapping[str, int], actor: Actor) -> Connector:
    """Save any of LIMITS; what is not named stays. Raises Refused."""
    for name, value in limits.items():
        if name not in LIMITS:
            raise Refused(f"There is no limit {name!r}. Choose from: {', '.join(LIMITS)}.")
        least, most = LIMITS[name]
        if type(value) is not int or not least <= value <= most:
            words = _words(connector, name)
            raise Refused(f"“{words.capitalize()}” is a whole number from {least} to {most}.", field=name)
    with changing(connector.pk) as now:
        before = {name: getattr(now, name) for name in limits}
        values = {name: value for name, value in limits.items() if before[name] != value}
        if not values:
            return now
        for name, value in values.items():
            setattr(now, name, value)
        _save(now, list(values), actor)
        detail = {
            "changes": "; ".join(f"{_words(now, name)}: {before[name]} → {value}" for name, value in values.items())
        }
        record(LIMITS_SAVED, company=now.company, actor=actor, subject=now.name, detail=detail)
    return now


def _save(now: Connector, fields: list[str], actor: Actor) -> None:
    """Save the locked row's fields, and let a run in flight notice that its plan is an old one."""
    now.settings_revision += 1
    now.save(update_fields=[*fields, "settings_revision"])
    request_run(now, actor)


def _group_id(text: str, field: str) -> str:
    group_id = text.strip().lower()
    if not is_guid(group_id):
        raise Refused(
            "A group is chosen by its Object ID, a GUID. Search for the group, or copy the ID from its page in Entra.",
            field=field,
        )
    return group_id


def _read_names(row: Connector, group_ids: list[str]) -> dict[str, str]:
    if not group_ids:
        return {}
    names = {}
    with directory_of(row) as directory:
        for group_id in group_ids:
            try:
                names[group_id] = directory.group(group_id).name[:256]
            except SyncGroupMissing as missing:
                raise Refused(f"{missing.sentence} ({group_id})", field="sync_group_id") from None
    return names


def check_rules(actions: Mapping[Situation, Action] | Mapping[str, str]) -> dict[Situation, Action]:
    """Return rules that may be saved. Raises Refused."""
    return dict(_rule(situation, action) for situation, action in actions.items())


def _rule(situation: Situation | str, action: Action | str) -> tuple[Situation, Action]:
    if situation not in set(Situation):
        raise Refused(f"There is no situation {situation!r}. Choose from: {', '.join(Situation)}.", field="actions")
    choices = RULE_CHOICES[Situation(situation)]
    if action not in choices:
        raise Refused(
            f"The rule for {Situation(situation).label} cannot say {str(action)!r}. Choose from: {', '.join(choices)}.",
            field="actions",
        )
    return Situation(situation), Action(action)


def check_settings(settings: Mapping[str, bool]) -> dict[str, bool]:
    """Return settings that may be saved. Raises Refused."""
    for name, value in settings.items():
        if name not in SETTINGS or not isinstance(value, bool):
            raise Refused(f"There is no setting {name!r} that says {value!r}. Choose from: {', '.join(SETTINGS)}.")
    return dict(settings)


def _words(row: Connector, name: str) -> str:
    field: Any = row._meta.get_field(name)
    return str(field.verbose_name)
