"""The lines of the fleet: connectors and companies without one, as far as a visitor may see them, the worst first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Count, Max
from django.http import QueryDict
from django.urls import reverse

from connectors.attention import Need, credential_of, days_left, know_groups, needs_of
from connectors.fleet import FIGURES, Concern, Facts, Group, concern_of, counts_in
from connectors.models import AccountLink, Connector, PersonMark
from connectors.states import Attention, ConnectorStatus, MarkKind
from connectors.views.causes import told_by_status
from connectors.views.shown import ICONS, TONES, step_reached
from connectors.views.steps import NOWHERE, Step, Ways
from tenants.access import StaffGrants
from tenants.models import Account, Company, User
from tenants.roles import Can
from tenants.states import AccountStatus, PendingReason

NO_CONNECTOR = "none"
SECRETS = {"7": "Within 7 days", "30": "Within 30 days", "ended": "Ended", "unknown": "Not given"}
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Said:
    """Hold what a line is listed for, as it is shown: what, the sentence, and the next step as a link, if there is one.

    `more` names what else it needs a person for.
    """

    tone: str
    icon: str
    what: str
    sentence: str
    step: str = ""
    url: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one line of the fleet; without a connector it is a company that has none.

    `accounts` are the Active ones through this connector, or the company's where there is none.
    """

    company: Company
    connector: Connector | None
    facts: Facts
    needs: tuple[Need, ...]
    accounts: int
    removed_at: datetime | None = None

    @property
    def concern(self) -> Concern:
        """Return what the line is listed for."""
        return self.facts.concern

    @property
    def status(self) -> str:
        """Return the status in words."""
        return ConnectorStatus(self.connector.status).label if self.connector else "No connector"

    @property
    def badge(self) -> tuple[str, str]:
        """Return tone and icon of the status."""
        return TONES[ConnectorStatus(self.connector.status)] if self.connector else ("idle", "plug")


def lines_of(user: User, now: datetime, *, removed: bool = False) -> list[Line]:
    """Return the whole fleet that a visitor may see, the worst first; `removed` asks for what was removed instead.

    However many there are, it takes the same number of queries.
    """
    rows = Connector.objects.visible_to(user).select_related("company__partner")
    # The secret is not opened for a list.
    rows = rows.defer("secret", "token_hash").order_by("company__name", "pk")
    living = rows.exclude(status=ConnectorStatus.REMOVED)
    counted = _Counted(user)
    if removed:
        connectors, companies = list(rows.filter(status=ConnectorStatus.REMOVED)), []
    else:
        connectors = list(living)
        without = Company.objects.visible_to(user).select_related("partner")
        without = without.exclude(pk__in=living.order_by().values("company"))
        companies = list(without.annotate(removed=Max("connectors__removed_at")))
    know_groups(connectors)
    lines = [counted.line(one.company, one, now) for one in connectors]
    lines += [counted.line(one, None, now, removed_at=one.removed) for one in companies]
    return sorted(lines, key=lambda line: (line.concern, line.company.name.casefold(), line.company.pk))


class _Counted:
    """Hold the numbers of accounts and of held changes, each counted in one query for everybody."""

    def __init__(self, user: User) -> None:
        accounts = Account.objects.visible_to(user).order_by()
        waiting = accounts.filter(status=AccountStatus.PENDING).values_list("company", "pending_reason")
        self.pending = {(company, reason): number for company, reason, number in waiting.annotate(Count("pk"))}
        active = accounts.filter(status=AccountStatus.ACTIVE).values_list("company")
        self.active = dict(active.annotate(Count("pk")))
        links = AccountLink.objects.visible_to(user).filter(account__status=AccountStatus.ACTIVE)
        self.linked = dict(links.order_by().values_list("connector").annotate(Count("pk")))
        marks = PersonMark.objects.visible_to(user).filter(kind=MarkKind.HELD)
        self.held = dict(marks.order_by().values_list("connector").annotate(Count("object_id", distinct=True)))

    def line(
        self, company: Company, connector: Connector | None, now: datetime, removed_at: datetime | None = None
    ) -> Line:
        needs = tuple(needs_of(connector, now)) if connector else ()
        expires = credential_of(connector).expires_on if connector else None
        facts = Facts(
            company=company.pk,
            status=ConnectorStatus(connector.status) if connector else None,
            attention=frozenset(need.attention for need in needs),
            secret_days=None if expires is None else days_left(expires, now),
            held=self.held.get(connector.pk, 0) if connector else 0,
            pending=self.pending.get((company.pk, PendingReason.RULE), 0),
            waiting=self.pending.get((company.pk, PendingReason.LICENCE), 0),
            active=self.active.get(company.pk, 0),
            licences=company.licences,
        )
        accounts = self.linked.get(connector.pk, 0) if connector else facts.active
        return Line(company, connector, facts, needs, accounts, removed_at)


# The filter


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hold what the address asks for; words it does not know are passed over."""

    q: str = ""
    status: str = ""
    attention: str = ""
    ends: str = ""
    partner: str = ""
    show: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Wanted:
        """Read an address."""

        def one_of(name: str, known: Iterable[str]) -> str:
            value = query.get(name, "")
            return value if value in set(known) else ""

        partner = query.get("partner", "")
        return cls(
            q=query.get("q", "").replace("\x00", "").strip()[:_LONGEST],
            status=one_of("status", [*ConnectorStatus, NO_CONNECTOR]),
            attention=one_of("attention", Attention),
            ends=one_of("secret", SECRETS),
            partner=partner if partner.isascii() and partner.isdecimal() and len(partner) < 19 else "",
            show=one_of("show", FIGURES),
        )

    @property
    def removed(self) -> bool:
        """Say whether it asks for removed connectors, which are no part of the fleet otherwise."""
        return self.status == ConnectorStatus.REMOVED

    @property
    def anything(self) -> bool:
        """Say whether it leaves anything out."""
        return any((self.q, self.status, self.attention, self.ends, self.partner, self.show))

    def fits(self, line: Line) -> bool:
        """Say whether a line is among what is asked for."""
        facts, word = line.facts, self.q.casefold()
        names = [line.company.name]
        if line.connector:
            names += [line.connector.tenant, line.connector.name, line.connector.sync_group_name]
        return (
            (not word or any(word in name.casefold() for name in names))
            and (not self.status or self.status == (facts.status or NO_CONNECTOR))
            and (not self.attention or self.attention in facts.attention)
            and (not self.ends or self._secret_fits(facts))
            and (not self.partner or int(self.partner) == line.company.partner_id)
            and (not self.show or counts_in(self.show, facts))
        )

    def _secret_fits(self, facts: Facts) -> bool:
        if facts.status is None:
            return False
        if facts.secret_days is None:
            return self.ends == "unknown"
        if self.ends == "ended":
            return facts.secret_days < 0
        return self.ends in ("7", "30") and facts.secret_days <= int(self.ends)


# What a line says


def said_of(line: Line, grants: StaffGrants) -> Said:
    """Return what a line is listed for, with the next step that the visitor may take."""
    row, concern = line.connector, line.concern
    may = grants.at(line.company.partner_id)
    if row is None:
        was = f"Its connector was removed on {_day(line.removed_at)}. " if line.removed_at else ""
        sentence = f"{was}Nobody is synchronised."
        if Can.RUN_CONNECTORS not in may:
            return Said("idle", "plug", "Not installed", sentence)
        return Said("idle", "plug", "Not installed", sentence, "Install", _page(line, "install"))
    step, url = _step(line, row, concern, may)
    if concern is Concern.UNAUTHORIZED:
        sentence = first_sentence(row.status_sentence) or "Nobody loses an account by this."
        more = tuple(need.attention.label for need in line.needs if not told_by_status(row, need.attention))
        return Said("bad", "lock-alert", "Microsoft refuses the connection", sentence, step, url, more)
    if concern is Concern.SETUP_INCOMPLETE:
        return Said("idle", "list", f"Step {step_reached(row)} of 4 is next", "Nothing is synchronised yet.", step, url)
    if concern is Concern.WAITING:
        return Said("idle", "clock", "The first sync is next", "It begins within five minutes.")
    if concern is Concern.REMOVED:
        return Said("idle", "trash", f"Removed on {_day(row.removed_at)}", "Its accounts stay, managed by PB.")
    if concern is Concern.APPROVAL:
        number = line.facts.pending
        what = f"{number:,} {'account waits' if number == 1 else 'accounts wait'} for approval"
        return Said("idle", "hourglass", what, "A person approves each, as the sync rule asks.", step, url)
    if concern is Concern.LICENCES_OVER:
        sentence = "Nobody is disabled, and nobody is activated until fewer are in use."
        return Said("idle", "hourglass", "More licences in use than there are", sentence, step, url)
    needs = sorted(line.needs, key=lambda need: concern_of(need.attention))
    if not needs:
        return Said("", "", "", "")
    first, *rest = needs
    what = first.attention.label
    if concern is Concern.HELD and line.facts.held:
        what = f"{line.facts.held:,} {'change is' if line.facts.held == 1 else 'changes are'} held"
    return Said(
        _tone(concern),
        ICONS.get(first.attention, "warning"),
        what,
        first_sentence(first.sentence),
        step,
        url,
        tuple(need.attention.label for need in rest),
    )


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, which says what is the matter."""
    first = text.split(". ")[0].strip().rstrip(".")
    return f"{first}." if first else ""


_BAD = {Concern.CREDENTIALS_UNREADABLE, Concern.SECRET_ENDED, Concern.FAILED}


def _tone(concern: Concern) -> str:
    if concern in _BAD:
        return "bad"
    return "warn" if concern <= Concern.SECRET_ENDS else "idle"


def _step(line: Line, row: Connector, concern: Concern, may: frozenset[Can]) -> Step:
    """Return the next step of a line; where the visitor may do nothing about it, at least the way to see it."""
    ways = Ways(partial(_page, line), may.__contains__)
    if concern is Concern.APPROVAL:
        return ways.step(row, Attention.LICENCES_SHORT)
    if concern is Concern.LICENCES_OVER:
        return Step("See who uses one", f"{_page(line, 'users')}?status={AccountStatus.ACTIVE}")
    step = NOWHERE
    if concern is Concern.UNAUTHORIZED:
        step = ways.mend(row)
    elif concern is Concern.SETUP_INCOMPLETE:
        step = ways.go_on(row)
    elif attention := next((need.attention for need in line.needs if concern_of(need.attention) is concern), None):
        step = ways.step(row, attention)
    if step.url or concern.group is Group.FINE:
        return step
    return Step("See it", _page(line, "connector", connector_id=row.pk))


def _page(line: Line, name: str, **arguments: Any) -> str:
    return reverse(f"partner:{name}", kwargs={"company": line.company.slug, **arguments})


def _day(moment: datetime | None) -> str:
    return f"{moment.day} {moment:%b %Y}" if moment else "an unknown day"
