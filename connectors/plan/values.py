"""What goes into a plan and what comes out of it: frozen values, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.states import (
    RULE_CHOICES,
    Action,
    Attention,
    ChangeKind,
    HoldCause,
    LeftOutReason,
    MarkKind,
    Situation,
    SkipReason,
)
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason

PLANNER_VERSION = 2
"""Part of the digest that lets a quiet run skip planning: raise it with every change of what is decided."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Hold a connector's sync rules and the settings that decide who counts as in the group."""

    actions: Mapping[Situation, Action] = field(
        default_factory=lambda: {situation: choices[0] for situation, choices in RULE_CHOICES.items()}
    )
    direct_members_only: bool = False
    leave_out_guests: bool = False
    allow_onmicrosoft: bool = False

    def __post_init__(self) -> None:
        for situation, choices in RULE_CHOICES.items():
            if self.actions.get(situation) not in choices:
                raise ValueError(f"The rule for {situation.label} cannot say {self.actions.get(situation)!r}.")


@dataclass(frozen=True, slots=True)
class Link:
    """Hold what a live link remembers: the directory's last word on the email, and what held at the last run."""

    directory_email: str = ""
    situations: frozenset[Situation] = frozenset()


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Hold one account of the company as the planner needs it.

    `link` is this connector's live link; `linked_elsewhere` tells of another connector's. `restorable` says of a
    deleted account that its 30 days are not over. `claimed`: its owner has proven the address. `barred`: a sync must
    leave its owner alone. `vouched`: a person enabled, restored or approved it since the last run.
    `waiting_since` orders those who wait for a licence (any number that grows with time).
    """

    id: int
    email: str
    first_name: str
    last_name: str
    status: AccountStatus
    role: AccountRole = AccountRole.USER
    pending_reason: PendingReason = PendingReason.NONE
    managed_by: ManagedBy = ManagedBy.PB
    was_active: bool = False
    disabled_by: Hand = Hand.NONE
    deleted_by: Hand = Hand.NONE
    restorable: bool = False
    claimed: bool = False
    barred: bool = False
    vouched: bool = False
    waiting_since: int = 0
    tenant_id: str = ""
    object_id: str = ""
    link: Link | None = None
    linked_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class MirrorFacts:
    """Hold one group of the company that has a directory id of this tenant.

    `live` says that this connector mirrors it now; otherwise it was handed back and may be taken up.
    `members` are account ids, also of accounts the connector does not manage.
    """

    group_id: int
    directory_id: str
    name: str
    live: bool
    members: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Hold one thing a connector remembers about a directory person.

    value: HELD and APPROVED name a ChangeKind, KEPT a Situation, SAME_PERSON, SOMEONE_ELSE and CONFIRMED an
    account id; DECLINED nothing. `other` is HELD's HoldCause, and nothing elsewhere.
    """

    object_id: str
    kind: MarkKind
    value: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """Hold everything of the company that a plan depends on.

    `licences` is None where they are unlimited; `active` counts all Active accounts of the company.
    `accounts` are all living ones, and of the deleted ones those that are restorable, barred or linked.
    """

    accounts: tuple[AccountFacts, ...] = ()
    mirrors: tuple[MirrorFacts, ...] = ()
    marks: frozenset[Mark] = frozenset()
    licences: int | None = None
    active: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Hold the brake: its numbers, and what the last 24 hours already did without approval.

    `destroyed` and `grown` are object ids; of `destroyed` only people who are not back since.
    `first_run` says that no run of this connector was ever completed.
    """

    destructive_floor: int = 5
    destructive_percent: int = 20
    half_floor: int = 2
    half_percent: int = 50
    growth_floor: int = 10
    growth_percent: int = 50
    first_run: bool = False
    destroyed: frozenset[str] = frozenset()
    grown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Because:
    """Say why a change is planned: the situation and rule, or a person's decision, and the evidence."""

    situation: Situation | None = None
    rule: Action | None = None
    decision: str = ""
    via: str = ""
    evidence: str = ""

    def sentence(self) -> str:
        """Return the reason as plain text for a record or a page."""
        parts = []
        if self.situation is not None:
            rule = f", rule: {self.rule.label.lower()}" if self.rule is not None else ""
            parts.append(f"{self.situation.label}{rule}")
        if self.decision:
            parts.append(self.decision)
        if self.evidence:
            parts.append(self.evidence)
        if self.via:
            parts.append(f"via the group {self.via}")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Change:
    """Hold one change a run makes, complete enough to be applied and to be read.

    `object_id` is the person's, or for group kinds the directory group's id; `account_id` and `group_id` are None
    where the thing does not exist yet. `before` and `after` are what the line shows (a status label, a name, a group).
    `status` and `pending_reason` are what an account kind ends in. `approved` says a person approved this very change.
    RELINK and ADOPT carry the account and the identity (`object_id`) it gets.
    """

    kind: ChangeKind
    object_id: str
    because: Because
    account_id: int | None = None
    group_id: int | None = None
    directory_group_id: str = ""
    name: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    before: str = ""
    after: str = ""
    status: AccountStatus | None = None
    pending_reason: PendingReason = PendingReason.NONE
    approved: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Hold a change that waits for a person, and why."""

    change: Change
    cause: HoldCause


@dataclass(frozen=True, slots=True)
class Skipped:
    """Hold a situation found that leads to no change, and why; `other` is the account in the way, if any."""

    object_id: str
    reason: SkipReason
    situation: Situation | None
    account_id: int | None = None
    name: str = ""
    email: str = ""
    other: int | None = None
    question: bool = False
    """A person may decide *same person* or *someone else*."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Hold a member of the sync group whom a setting leaves out."""

    object_id: str
    name: str
    reason: LeftOutReason
    via: str = ""


@dataclass(frozen=True, slots=True)
class LinkNote:
    """Hold what a live link must remember from now on."""

    account_id: int
    directory_email: str
    situations: frozenset[Situation]


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Hold everything one run does and found; the same value is previewed, applied and approved.

    `changes` are in the order they are applied; any subset that a person approves is valid on its own.
    `notes` are the links whose memory differs from what was found; `marks_set` and `marks_ended` likewise.
    `bars_ended` and `vouched_seen` are account ids whose flag has done its work.
    """

    changes: tuple[Change, ...] = ()
    held: tuple[Held, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[LinkNote, ...] = ()
    marks_set: frozenset[Mark] = frozenset()
    marks_ended: frozenset[Mark] = frozenset()
    bars_ended: tuple[int, ...] = ()
    vouched_seen: tuple[int, ...] = ()
    attention: frozenset[Attention] = frozenset()
    in_scope: int = 0
    licences_wanted: int = 0
    """How many more licences would let everybody in who waits for one."""
    second_look: frozenset[str] = frozenset()
    """People who would lose something by what was read, held or not: their records are read again before it happens."""
    second_group_look: bool = False
    """Some of them because they are not in the group: the group is read again as well."""

    @property
    def quiet(self) -> bool:
        """Say whether applying the plan writes nothing at all."""
        return not (
            self.changes or self.notes or self.marks_set or self.marks_ended or self.bars_ended or self.vouched_seen
        )
