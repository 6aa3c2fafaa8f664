"""A plan as a page shows it before anything is saved: who, what, why, the licences, and how many are invited."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.utils import timezone

from connectors.directory import Snapshot
from connectors.models import Connector
from connectors.plan import Change, Rules, SyncPlan
from connectors.states import ChangeKind, HoldCause, Outcome, SkipReason
from connectors.sync import Draft, preview
from tenants.states import AccountStatus

KEPT_SECONDS = 120
"""So long one reading of the directory serves the pages of a preview; the run itself always reads anew."""

_PRIVATE_MAIL = """
aol.com gmail.com gmx.com gmx.de gmx.net googlemail.com hotmail.co.uk hotmail.com hotmail.fr icloud.com live.co.uk
live.com mac.com mail.com me.com msn.com outlook.com proton.me protonmail.com web.de yahoo.co.uk yahoo.com
"""
_PRIVATE = frozenset(_PRIVATE_MAIL.split())
_GROUP_KINDS = frozenset(kind for kind in ChangeKind if kind.startswith("group_"))
_MEMBERSHIPS = frozenset({ChangeKind.GROUP_JOIN, ChangeKind.GROUP_LEAVE})


@dataclass(frozen=True, slots=True)
class Line:
    """Hold what happens to one person or group, or why nothing does; `confirm` is an administrator's account id."""

    part: str
    what: str
    name: str
    email: str
    before: str
    after: str
    because: str
    object_id: str
    confirm: int | None = None


@dataclass(frozen=True, slots=True)
class GroupLine:
    """Hold what happens to one additional group; `sentence` says why it stays as it is, '' where it does not."""

    name: str
    members: int
    joins: int
    leaves: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Licences:
    """Hold the arithmetic: `purchased` is None where they are unlimited; `missing` is what people wait for."""

    purchased: int | None
    used: int
    freed: int
    taken: int
    missing: int

    @property
    def left(self) -> int | None:
        """Return how many are free afterwards."""
        return None if self.purchased is None else self.purchased - self.used + self.freed - self.taken


@dataclass(frozen=True, slots=True)
class Forecast:
    """Hold everything that a preview's page shows of one plan."""

    lines: tuple[Line, ...]
    counts: dict[str, int]
    groups: tuple[GroupLine, ...]
    licences: Licences
    invitations: int
    read_at: datetime
    in_scope: int
    corporate: int
    addresses: int
    domain: str


PARTS = {
    "held": "Held until a person decides",
    "skipped": "Skipped",
    "pending": "Pending approval",
    "leaving": "Disabled, deleted or converted",
    "created": "New accounts",
    "adopted": "Linked to an account that exists",
    "returning": "Enabled or restored",
    "other": "Other changes",
    "groups": "Groups",
    "left_out": "Left out by a setting",
}
"""The parts of the list, those that need a second look first."""

_PART_OF = {
    ChangeKind.CREATE: "created",
    ChangeKind.CREATE_PENDING: "pending",
    ChangeKind.SUSPEND: "pending",
    ChangeKind.ADOPT: "adopted",
    ChangeKind.RELINK: "adopted",
    ChangeKind.ENABLE: "returning",
    ChangeKind.ACTIVATE: "returning",
    ChangeKind.RESTORE: "returning",
    ChangeKind.DISABLE: "leaving",
    ChangeKind.CONVERT: "leaving",
    ChangeKind.DELETE: "leaving",
    ChangeKind.WITHDRAW: "leaving",
}


def forecast(row: Connector, draft: Draft, *, send_invitations: bool, fresh: bool = False) -> Forecast:
    """Return what a run would do once the draft is saved, by the very plan that it would use; raises DirectoryError.

    The directory's first look is kept for some minutes, the page itself for as long as nothing it depends on changes.
    """
    saved = tuple(row.selected_groups.order_by("directory_id").values_list("directory_id", flat=True))
    additional = saved if draft.additional is None else tuple(sorted(draft.additional))
    rules = draft.rules
    direct = row.direct_members_only if rules is None else rules.direct_members_only
    looked_at = _digest(
        row.pk, row.generation, row.last_run_at, draft.sync_group_id or row.sync_group_id, additional, direct
    )
    shown_key = f"forecast:{_digest(looked_at, row.settings_revision, row.company.roster_revision, _told(rules))}"
    shown_key = f"{shown_key}:{row.company.licences}:{send_invitations:d}"
    if not fresh and isinstance(known := cache.get(shown_key), Forecast):
        return known
    snapshot_key = f"first-look:{looked_at}"
    kept = None if fresh else cache.get(snapshot_key)
    first, read_at = kept if isinstance(kept, tuple) else (None, timezone.now())
    found = preview(row, draft=draft, snapshot=first)
    if first is None:
        cache.set(snapshot_key, (found.snapshot, read_at), KEPT_SECONDS)
    shown = _forecast(row, found.plan, found.snapshot, read_at, send_invitations=send_invitations)
    cache.set(shown_key, shown, KEPT_SECONDS)
    return shown


def seen_of(row: Connector, values: Iterable[object]) -> str:
    """Return a word for what was shown of a draft; one that is changed, or saved over by somebody, has another."""
    return _digest(row.pk, row.settings_revision, row.generation, *values)


def _told(rules: Rules | None) -> str:
    if rules is None:
        return "as saved"
    actions = sorted((situation.value, action.value) for situation, action in rules.actions.items())
    return repr((actions, rules.direct_members_only, rules.leave_out_guests, rules.allow_onmicrosoft))


def _digest(*values: object) -> str:
    return hashlib.blake2b(repr(values).encode(), digest_size=16).hexdigest()


def _forecast(
    row: Connector, plan: SyncPlan, snapshot: Snapshot, read_at: datetime, *, send_invitations: bool
) -> Forecast:
    lines = sorted(_lines(plan), key=lambda line: (list(PARTS).index(line.part), line.name.casefold(), line.email))
    invited = sum(change.kind is ChangeKind.CREATE for change in plan.changes) if send_invitations else 0
    addresses = _addresses(plan)
    domains = Counter(address.rpartition("@")[2] for address in addresses)
    corporate = sum(number for domain, number in domains.items() if domain not in _PRIVATE)
    return Forecast(
        lines=tuple(lines),
        counts=dict(Counter(line.part for line in lines)),
        groups=tuple(_groups(plan, snapshot)),
        licences=_licences(row, plan),
        invitations=invited,
        read_at=read_at,
        in_scope=plan.in_scope,
        corporate=corporate,
        addresses=len(addresses),
        domain=next((domain for domain, _ in domains.most_common() if domain not in _PRIVATE), ""),
    )


def _lines(plan: SyncPlan) -> Iterator[Line]:
    for change in plan.changes:
        if change.kind not in _MEMBERSHIPS:
            yield _line(change, "groups" if change.kind in _GROUP_KINDS else _PART_OF.get(change.kind, "other"))
    for held in plan.held:
        confirm = held.change.account_id if held.cause is HoldCause.ADMIN else None
        yield _line(held.change, "held", f"{held.cause.label} · {held.change.because.sentence()}", confirm)
    for skipped in plan.skipped:
        yield Line(
            "skipped",
            Outcome.SKIPPED.label,
            skipped.name,
            skipped.email,
            "",
            "",
            SkipReason(skipped.reason).label,
            skipped.object_id,
        )
    for left_out in plan.left_out:
        via = f" · via the group {left_out.via}" if left_out.via else ""
        because = f"{left_out.reason.label}{via}"
        yield Line("left_out", Outcome.LEFT_OUT.label, left_out.name, "", "", "", because, left_out.object_id)


def _line(change: Change, part: str, because: str = "", confirm: int | None = None) -> Line:
    return Line(
        part,
        change.kind.label,
        change.name,
        change.email,
        change.before,
        change.after,
        because or change.because.sentence(),
        change.object_id,
        confirm,
    )


def _groups(plan: SyncPlan, snapshot: Snapshot) -> Iterator[GroupLine]:
    joins = Counter(one.directory_group_id for one in plan.changes if one.kind is ChangeKind.GROUP_JOIN)
    leaves = Counter(one.directory_group_id for one in plan.changes if one.kind is ChangeKind.GROUP_LEAVE)
    for group in sorted(snapshot.additional, key=lambda reading: reading.name.casefold()):
        yield GroupLine(group.name or group.id, len(group.members), joins[group.id], leaves[group.id], group.sentence)


def _licences(row: Connector, plan: SyncPlan) -> Licences:
    used = row.company.accounts.filter(status=AccountStatus.ACTIVE)
    active = set(used.values_list("pk", flat=True))
    ended = {
        one.account_id: one.status for one in plan.changes if one.status is not None and one.account_id is not None
    }
    freed = sum(status is not AccountStatus.ACTIVE for pk, status in ended.items() if pk in active)
    taken = sum(status is AccountStatus.ACTIVE for pk, status in ended.items() if pk not in active)
    taken += sum(one.account_id is None and one.status is AccountStatus.ACTIVE for one in plan.changes)
    return Licences(row.company.licences, len(active), freed, taken, plan.licences_wanted)


def _addresses(plan: SyncPlan) -> list[str]:
    people = [*plan.changes, *(held.change for held in plan.held)]
    found = {one.object_id: one.email.lower() for one in people if one.kind not in _GROUP_KINDS and one.email}
    return list(found.values())
