"""What waits for a person's decision on a connector: in which sections, who, since when, and by what arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Case, CharField, Count, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce, Concat
from django.http import QueryDict

from connectors.decisions import Hold
from connectors.entra import is_guid
from connectors.models import Connector, SyncChange
from connectors.plan import Limits
from connectors.plan.brake import most_that_may_join, most_that_may_leave
from connectors.states import DESTRUCTIVE, GROWTH, ChangeKind, HoldCause, MarkKind, Outcome, Situation
from connectors.sync.load import BRAKE_WINDOW
from tenants.portals import Place
from tenants.states import AccountStatus, Labelled

LONGEST_WORD = 200
MOST_TICKED = 200


class Section(Labelled):
    """Name what kind of decision people wait for; the values stand in addresses."""

    LEAVING = "leaving", "Losing their accounts"
    EMPTY = "empty", "Nobody in the sync group"
    JOINING = "joining", "Getting accounts"
    ADMINISTRATORS = "administrators", "Administrators’ accounts"
    ADDRESSES = "addresses", "Addresses met twice"


CAUSES = {
    Section.LEAVING: HoldCause.BRAKE,
    Section.EMPTY: HoldCause.EMPTY_GROUP,
    Section.JOINING: HoldCause.GROWTH,
    Section.ADMINISTRATORS: HoldCause.ADMIN,
}


@dataclass(frozen=True, slots=True)
class Crowd:
    """Hold how many wait in a section, by kind and by situation, since when, and how many are decided already."""

    section: Section
    number: int = 0
    decided: int = 0
    since: datetime | None = None
    kinds: Mapping[ChangeKind, int] = field(default_factory=dict)
    situations: Mapping[Situation, int] = field(default_factory=dict)


def change_of(person: str, what: str | Cast) -> Concat:
    """Return what tells one change of one person from every other, in a line and in a mark alike.

    Marks are then asked for as one set. Asked for line by line, a database that has not counted the table yet looked
    through all marks for each line, for minutes.
    """
    return Concat(person, Value(" "), what, output_field=CharField())


def held_lines(place: Place, row: Connector) -> QuerySet[Any]:
    """Return the lines of what is held now: `since` when, whether `ruled`, and `ruled_by` whom what no run has done."""
    marks = row.marks.annotate(change=change_of("object_id", "value"))
    held, approved = (marks.filter(kind=kind).values("change") for kind in (MarkKind.HELD, MarkKind.APPROVED))
    confirmed = row.marks.filter(kind=MarkKind.CONFIRMED).values("object_id")
    of_person = row.marks.filter(object_id=OuterRef("object_id"))
    of_change = of_person.filter(value=OuterRef("kind"))
    return (
        place.access.of(SyncChange)
        .annotate(change=change_of("object_id", "kind"))
        .filter(change__in=held, run=row.findings_id, outcome=Outcome.HELD)
        .annotate(
            ruled=_whether(Q(change__in=approved) | Q(object_id__in=confirmed)),
            since=Subquery(of_change.filter(kind=MarkKind.HELD).values("since")[:1]),
            ruled_by=Coalesce(
                Subquery(of_change.filter(kind=MarkKind.APPROVED).values("by")[:1]),
                Subquery(of_person.filter(kind=MarkKind.CONFIRMED).values("by")[:1]),
            ),
        )
    )


def _whether(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def questions(place: Place, row: Connector) -> QuerySet[Any]:
    """Return the lines of newcomers whose address an account has; `ruled_by` and `ruled_as` tell of an answer."""
    answers = row.marks.filter(
        object_id=OuterRef("object_id"),
        kind__in=[MarkKind.SAME_PERSON, MarkKind.SOMEONE_ELSE],
        value=Cast(OuterRef("other_id"), CharField()),
    )
    given = row.marks.annotate(change=change_of("object_id", "value")).filter(
        kind__in=[MarkKind.SAME_PERSON, MarkKind.SOMEONE_ELSE]
    )
    lines: QuerySet[Any] = place.access.of(SyncChange).filter(
        run=row.findings_id, connector__removed_at=None, outcome=Outcome.SKIPPED, question=True
    )
    told: QuerySet[Any] = lines.alias(change=change_of("object_id", Cast("other_id", CharField()))).annotate(
        ruled=_whether(Q(change__in=given.values("change"))),
        ruled_by=Subquery(answers.values("by")[:1]),
        ruled_as=Subquery(answers.values("kind")[:1]),
    )
    return told


def lines_of(section: Section, place: Place, row: Connector) -> QuerySet[Any]:
    """Return the lines of one section."""
    if section is Section.ADDRESSES:
        return questions(place, row).order_by("email", "pk")
    return held_lines(place, row).filter(cause=CAUSES[section]).order_by("situation", "name", "pk")


def crowds(place: Place, row: Connector) -> dict[Section, Crowd]:
    """Return every section with what waits in it, in three queries."""
    sections = {cause: section for section, cause in CAUSES.items()}
    numbers: Counter[tuple[Section, bool, str, str]] = Counter()
    groups = held_lines(place, row).order_by().values("cause", "kind", "situation", "ruled")
    for group in groups.annotate(number=Count("pk")):
        section = sections[HoldCause(group["cause"])]
        numbers[section, group["ruled"], group["kind"], group["situation"]] += group["number"]
    asked = questions(place, row).order_by().values("ruled").annotate(number=Count("pk"))
    for group in asked:
        numbers[Section.ADDRESSES, group["ruled"], "", ""] += group["number"]
    held = row.marks.filter(kind=MarkKind.HELD).order_by().values("other").annotate(since=Min("since"))
    since = {sections[HoldCause(group["other"])]: group["since"] for group in held}
    return {section: _crowd(section, numbers, since.get(section)) for section in Section}


def _crowd(section: Section, numbers: Mapping[tuple[Section, bool, str, str], int], since: datetime | None) -> Crowd:
    kinds: Counter[ChangeKind] = Counter()
    situations: Counter[Situation] = Counter()
    number = decided = 0
    for (where, ruled, kind, situation), amount in numbers.items():
        if where is not section:
            continue
        if ruled:
            decided += amount
            continue
        number += amount
        if kind:
            kinds[ChangeKind(kind)] += amount
        if situation:
            situations[Situation(situation)] += amount
    return Crowd(section, number, decided, since, kinds, situations)


# ── Who of them ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold which people of a section an address means: all, those that fit a word and a kind, or those selected."""

    section: Section
    word: str = ""
    kind: str = ""
    ticked: tuple[str, ...] | None = None

    def among(self, lines: QuerySet[Any]) -> QuerySet[Any]:
        """Return those of a section's lines that are meant."""
        if self.word:
            lines = lines.filter(Q(name__icontains=self.word) | Q(email__icontains=self.word))
        if self.kind:
            lines = lines.filter(kind=self.kind)
        return lines if self.ticked is None else lines.filter(object_id__in=self.ticked)

    @property
    def query(self) -> str:
        """Return the choice as an address names it, but for who is ticked."""
        words = QueryDict(mutable=True)
        words["of"] = self.section.value
        if self.word:
            words["q"] = self.word
        if self.kind:
            words["kind"] = self.kind
        return words.urlencode()


def choice_of(words: QueryDict, section: Section) -> Choice:
    """Return which people the words of an address mean; what it does not know is passed over."""
    kind = words.get("kind", "")
    ticked = tuple(dict.fromkeys(one.lower() for one in words.getlist("p") if is_guid(one)))[:MOST_TICKED]
    return Choice(
        section,
        words.get("q", "").strip().replace("\x00", "")[:LONGEST_WORD],
        kind if kind in DESTRUCTIVE | GROWTH else "",
        ticked if ticked or "ticked" in words else None,
    )


def holds(lines: QuerySet[Any]) -> list[Hold]:
    """Return lines as what is held."""
    rows = lines.order_by("object_id").values_list("object_id", "kind", "cause")
    return [Hold(object_id, ChangeKind(kind), HoldCause(cause)) for object_id, kind, cause in rows]


def kinds_of(lines: QuerySet[Any]) -> dict[ChangeKind, int]:
    """Count lines by the kind of their change."""
    rows = lines.order_by().values_list("kind").annotate(number=Count("pk"))
    return {ChangeKind(kind): number for kind, number in rows}


# ── Why ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sum:
    """Hold the arithmetic of the brake, so that it can be checked."""

    accounts: int
    recent: int
    most: int
    held: int

    @property
    def total(self) -> int:
        return self.held + self.recent


def sum_of(crowd: Crowd, place: Place, row: Connector, now: datetime) -> Sum | None:
    """Return why the brake held a section; None where it was not the brake's arithmetic."""
    if crowd.section not in (Section.LEAVING, Section.JOINING):
        return None
    leaving = crowd.section is Section.LEAVING
    counted = (AccountStatus.ACTIVE, AccountStatus.PENDING)
    accounts = place.access.accounts.filter(link__connector=row, status__in=counted, barred=False).count()
    recent = place.access.of(SyncChange).filter(
        connector=row,
        at__gt=now - BRAKE_WINDOW,
        outcome=Outcome.APPLIED,
        approved=False,
        kind__in=DESTRUCTIVE if leaving else GROWTH,
    )
    if leaving:
        recent = recent.exclude(account__status__in=counted, account__link__isnull=False)
    else:
        recent = recent.filter(run__first=False)
    number = recent.order_by().values("object_id").distinct().count()
    limits = Limits(
        destructive_floor=row.destructive_floor,
        destructive_percent=row.destructive_percent,
        half_floor=row.half_floor,
        half_percent=row.half_percent,
        growth_floor=row.growth_floor,
        growth_percent=row.growth_percent,
    )
    most = most_that_may_leave(limits, accounts + number) if leaving else most_that_may_join(limits, accounts)
    return Sum(accounts, number, most, crowd.number + crowd.decided)
