"""What a plan depends on, read from the database into the planner's values."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from connectors.directory import GroupReading, Snapshot
from connectors.models import Connector, PersonMark, SyncChange
from connectors.plan import (
    PLANNER_VERSION,
    AccountFacts,
    Limits,
    Link,
    Mark,
    MirrorFacts,
    Roster,
    Rules,
)
from connectors.states import (
    DESTRUCTIVE,
    GROWTH,
    RULE_CHOICES,
    Action,
    ChangeKind,
    MarkKind,
    Outcome,
    Situation,
)
from tenants.models import Account, Group, GroupMembership
from tenants.roster import PRESENT
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason

BRAKE_WINDOW = timedelta(hours=24)

_STATUS = {member.value: member for member in AccountStatus}
_ROLE = {member.value: member for member in AccountRole}
_PENDING = {member.value: member for member in PendingReason}
_MANAGED = {member.value: member for member in ManagedBy}
_HAND = {member.value: member for member in Hand}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Hold everything one plan depends on but the directory, and the revisions it was read at.

    `taken_back` are accounts that were handed back to Password Boss and may be managed again.
    `invites`: new people are sent an invitation. `stable_until` is the first moment at which time alone could change
    a plan made from this.
    """

    rules: Rules
    roster: Roster
    limits: Limits
    revision: int
    settings_revision: int
    mark_ids: dict[Mark, int]
    taken_back: tuple[int, ...]
    invites: bool
    stable_until: datetime


def load(connector_id: int, now: datetime) -> Loaded:
    """Read rules, roster and limits of a connector; the revisions first, so that a change in between is noticed."""
    connector = Connector.objects.select_related("company").get(pk=connector_id)
    accounts, first_expiry = _accounts(connector, now)
    marks = {
        Mark(object_id, MarkKind(kind), value, other): pk
        for pk, object_id, kind, value, other in PersonMark.objects.filter(connector=connector).values_list(
            "pk", "object_id", "kind", "value", "other"
        )
    }
    return Loaded(
        rules=rules_of(connector),
        roster=Roster(
            accounts=accounts,
            mirrors=_mirrors(connector),
            marks=frozenset(marks),
            licences=connector.company.licences,
            active=sum(account.status is AccountStatus.ACTIVE for account in accounts),
        ),
        limits=_limits(connector, accounts, now),
        revision=connector.company.roster_revision,
        settings_revision=connector.settings_revision,
        mark_ids=marks,
        taken_back=tuple(
            account.id
            for account in accounts
            if account.managed_by is ManagedBy.PB
            and account.link is not None
            and not account.barred
            and account.status in PRESENT
        ),
        invites=connector.send_invitations,
        stable_until=min(now + BRAKE_WINDOW, first_expiry or datetime.max.replace(tzinfo=now.tzinfo)),
    )


def rules_of(connector: Connector) -> Rules:
    """Return a connector's sync rules and settings, with the default where a rule was never saved."""
    actions = {situation: choices[0] for situation, choices in RULE_CHOICES.items()}
    for situation, action in connector.rules.values_list("situation", "action"):
        actions[Situation(situation)] = Action(action)
    return Rules(
        actions=actions,
        direct_members_only=connector.direct_members_only,
        leave_out_guests=connector.leave_out_guests,
        allow_onmicrosoft=connector.allow_onmicrosoft,
    )


def known_people(connector: Connector) -> list[str]:
    """Return the object ids of everybody of the connector's tenant who has an account, or may have it again."""
    theirs = Account.objects.filter(company=connector.company_id, directory_tenant_id=connector.tenant_id)
    # A person may restore what a person deleted, and then keeps it in what is known to hold.
    asked = ~Q(status=AccountStatus.DELETED) | Q(deleted_by=Hand.PERSON, link__connector=connector, purged_at=None)
    return list(theirs.exclude(directory_object_id="").filter(asked).values_list("directory_object_id", flat=True))


def _accounts(connector: Connector, now: datetime) -> tuple[tuple[AccountFacts, ...], datetime | None]:
    """Return the accounts of a plan, and when the first deleted one of them stops being restorable."""
    restorable = Q(deleted_by=Hand.CONNECTOR, restorable_until__gt=now, purged_at=None)
    linked = Q(link__connector=connector, purged_at=None)
    rows = (
        Account.objects.filter(company=connector.company_id)
        .filter(~Q(status=AccountStatus.DELETED) | ~Q(directory_object_id="") & (restorable | Q(barred=True) | linked))
        .order_by()
        .values_list(
            "pk",
            "email",
            "first_name",
            "last_name",
            "status",
            "role",
            "pending_reason",
            "managed_by",
            "was_active",
            "disabled_by",
            "deleted_by",
            "restorable_until",
            "purged_at",
            "user_id",
            "barred",
            "vouched",
            "waiting_since",
            "directory_tenant_id",
            "directory_object_id",
            "link__connector_id",
            "link__directory_email",
            "link__situations",
        )
    )
    facts = []
    first_expiry: datetime | None = None
    remembered: dict[str, frozenset[Situation]] = {"": frozenset()}
    tenants: dict[str, str] = {}
    own = connector.pk
    for row in rows.iterator(chunk_size=5000):
        status = _STATUS[row[4]]
        expiry = row[11] if status is AccountStatus.DELETED and row[10] == Hand.CONNECTOR and row[12] is None else None
        if expiry is not None and expiry > now and (first_expiry is None or expiry < first_expiry):
            first_expiry = expiry
        link = None
        if row[19] == own:
            if row[21] not in remembered:
                remembered[row[21]] = frozenset(Situation(word) for word in row[21].split(","))
            link = Link(row[20], remembered[row[21]])
        facts.append(
            AccountFacts(
                id=row[0],
                email=row[1],
                first_name=row[2],
                last_name=row[3],
                status=status,
                role=_ROLE[row[5]],
                pending_reason=_PENDING[row[6]],
                managed_by=_MANAGED[row[7]],
                was_active=row[8],
                disabled_by=_HAND[row[9]],
                deleted_by=_HAND[row[10]],
                restorable=expiry is not None and expiry > now,
                claimed=row[13] is not None,
                barred=row[14],
                vouched=row[15],
                waiting_since=int(row[16].timestamp() * 1000) if row[16] else 0,
                tenant_id=tenants.setdefault(row[17], row[17]),
                object_id=row[18],
                link=link,
                linked_elsewhere=row[19] not in (None, own),
            )
        )
    return tuple(facts), first_expiry


def _mirrors(connector: Connector) -> tuple[MirrorFacts, ...]:
    groups = list(
        Group.objects.filter(company=connector.company_id, directory_tenant_id=connector.tenant_id)
        .exclude(directory_object_id="")
        .order_by("pk")
        .values_list("pk", "directory_object_id", "name", "link__connector_id")
    )
    members: dict[int, set[int]] = defaultdict(set)
    if groups:
        pairs = GroupMembership.objects.filter(
            group__company=connector.company_id, group__directory_tenant_id=connector.tenant_id
        )
        for group_id, account_id in pairs.values_list("group_id", "account_id").iterator(chunk_size=5000):
            members[group_id].add(account_id)
    return tuple(
        MirrorFacts(pk, directory_id, name, owner == connector.pk, frozenset(members[pk]))
        for pk, directory_id, name, owner in groups
    )


def _limits(connector: Connector, accounts: tuple[AccountFacts, ...], now: datetime) -> Limits:
    recent = SyncChange.objects.filter(
        Q(kind__in=DESTRUCTIVE) | Q(kind__in=GROWTH, run__first=False),
        connector=connector,
        at__gt=now - BRAKE_WINDOW,
        outcome=Outcome.APPLIED,
        approved=False,
    )
    destroyed: set[str] = set()
    grown: set[str] = set()
    for kind, object_id in recent.order_by().values_list("kind", "object_id"):
        (grown if ChangeKind(kind) in GROWTH else destroyed).add(object_id)
    if destroyed:
        destroyed -= {
            account.object_id
            for account in accounts
            if account.status in (AccountStatus.ACTIVE, AccountStatus.PENDING) and account.link is not None
        }
    return Limits(
        destructive_floor=connector.destructive_floor,
        destructive_percent=connector.destructive_percent,
        half_floor=connector.half_floor,
        half_percent=connector.half_percent,
        growth_floor=connector.growth_floor,
        growth_percent=connector.growth_percent,
        first_run=connector.completed_runs == 0,
        destroyed=frozenset(destroyed),
        grown=frozenset(grown),
    )


def digest(snapshot: Snapshot, *, settings_revision: int, revision: int) -> str:
    """Return a text that is the same only where a plan from the same directory, settings and roster is the same."""
    total = hashlib.blake2b(digest_size=32)

    def add(*values: object) -> None:
        total.update(repr(values).encode())

    def add_group(group: GroupReading) -> None:
        add(group.id, group.state, group.name, len(group.members), sorted(group.unread))
        members = group.members
        for object_id in sorted(members):
            add(object_id, members[object_id])

    add(PLANNER_VERSION, settings_revision, revision, snapshot.tenant_id, len(snapshot.additional))
    add_group(snapshot.sync_group)
    for group in sorted(snapshot.additional, key=lambda reading: reading.id):
        add_group(group)
    people = snapshot.people
    for object_id in sorted(people):
        person = people[object_id]
        add(
            object_id,
            person.enabled,
            person.guest,
            person.display_name,
            person.given_name,
            person.surname,
            person.mail,
            person.user_principal_name,
        )
    add(*sorted(snapshot.gone))
    add(*sorted(snapshot.unread.items()))
    return total.hexdigest()
