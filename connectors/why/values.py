"""What “Why?” is answered from, and the answer: frozen values, nothing else."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connectors.directory import GroupState, Person
from connectors.plan import AccountFacts, Change, Held, Rules, Skipped
from connectors.plan.situations import account_name, holding_now
from connectors.states import LeftOutReason, Situation
from tenants.states import AccountStatus


class Door(StrEnum):
    """Name a page on which the one thing can be done; whoever shows the answer knows its address, and who may."""

    RULES = "rules"
    GROUPS = "groups"
    SETTINGS = "settings"
    AUTH = "auth"
    HELD = "held"
    PREVIEW = "preview"
    ACCOUNT = "account"
    RESEND = "resend"
    FREE_LICENCES = "free_licences"
    BUY_LICENCES = "buy_licences"
    CONNECTOR = "connector"
    INSTALL = "install"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Wait:
    """Hold somebody who waits for a licence, and since when."""

    name: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Licences:
    """Hold the company's licences as one person meets them.

    `purchased` is None where they are unlimited. `ahead` are those who wait longer, longest first; `short` says how
    many more free ones it takes until it is this person's turn, 0 where none is missing.
    """

    purchased: int | None = None
    used: int = 0
    ahead: tuple[Wait, ...] = ()
    short: int = 0

    @property
    def free(self) -> int:
        """Return how many are free now; 1 where they are unlimited."""
        return 1 if self.purchased is None else max(self.purchased - self.used, 0)


@dataclass(frozen=True, slots=True)
class Decision:
    """Hold what a person decided about somebody, as the end of a sentence, and who and when where that is known."""

    what: str
    by: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class LastChange:
    """Hold what happened last to an account; `run` is the run that did it, None for an act of a person."""

    sentence: str
    at: datetime
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Hold what the portal remembers where no directory can be asked; `sentence` says why, with the next step.

    `situations` are those of the last run for an account with a link, None where there is none; `finding` is what the
    last run found of somebody it held, skipped or left out.
    """

    sentence: str
    reference: str = ""
    door: Door = Door.CONNECTOR
    as_of: datetime | None = None
    situations: frozenset[Situation] | None = None
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold everything known of one person, for one connector.

    `asked` is what was typed; `person` the directory's record, None where it has none, and then `gone` says that it
    had one. `via` is the nested group of a member of the sync group, '' for a direct one, None for no member.
    `account` is theirs, by identity, or by the address alone where it could become theirs; `holder` is somebody
    else's account with their address, and `twins` are other newcomers with it. `stopped` says why no run happens now.
    The lines of the plan that concern them are `bond`, `change`, `held`, `skipped` and `left_out`.
    """

    asked: str = ""
    tenant: str = ""
    group_name: str = ""
    group_state: GroupState = GroupState.COMPLETE
    group_sentence: str = ""
    rules: Rules = field(default_factory=Rules)
    stopped: str = ""
    person: Person | None = None
    gone: bool = False
    unread: str = ""
    via: str | None = None
    address: str = ""
    account: AccountFacts | None = None
    holder: AccountFacts | None = None
    twins: tuple[str, ...] = ()
    bond: Change | None = None
    change: Change | None = None
    held: Held | None = None
    skipped: tuple[Skipped, ...] = ()
    left_out: LeftOutReason | None = None
    licences: Licences = field(default_factory=Licences)
    restorable_until: datetime | None = None
    decisions: tuple[Decision, ...] = ()
    last: LastChange | None = None
    memory: Memory | None = None

    @property
    def name(self) -> str:
        """Return the name to show, set off where it is written from right to left."""
        if self.account is not None:
            return isolated(account_name(self.account))
        if self.person is not None:
            return isolated(self.person.name or self.person.mail)
        return isolated(self.asked)

    @property
    def complete(self) -> bool:
        """Say whether the sync group was read completely."""
        return self.group_state is GroupState.COMPLETE

    @property
    def in_scope(self) -> bool:
        """Say whether they count as in the sync group."""
        return self.via is not None and self.left_out is None

    @property
    def holding(self) -> frozenset[Situation]:
        """Return the leaving situations that positively hold."""
        if self.unread or (self.person is None and not self.gone):
            return frozenset()
        return holding_now(self.person, in_scope=self.in_scope, complete=self.complete)


@dataclass(frozen=True, slots=True)
class Fact:
    """Hold one fact with its evidence.

    `mark` is '' where it is as it should be, "stop" where it decides the outcome, "next" where it would stand in the
    way after that, "fact" where it is neither. `code` is an identifier, `status` an account's, `at` when it was.
    """

    title: str
    text: str
    icon: str = "check-circle"
    mark: str = ""
    aside: str = ""
    code: str = ""
    status: AccountStatus | None = None
    at: datetime | None = None
    door: Door | None = None
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold an outcome, the one thing that would change it, and the facts in order.

    `tone` is that of a notice. `thing_label` introduces the one thing, which `more` explains.
    """

    name: str
    tone: str
    icon: str
    verdict: str
    thing: str
    more: str
    facts: tuple[Fact, ...]
    doors: tuple[Door, ...] = ()
    thing_label: str = "The one thing that would change it"


def isolated(text: str) -> str:
    """Return a text that stays in its place in a sentence, whichever way it is written."""
    if any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text):
        return f"\u2068{text}\u2069"
    return text


def quoted(text: str) -> str:
    """Return the name of a group in quotation marks."""
    return f"“{isolated(text)}”"


def day(moment: datetime) -> str:
    """Return a date as text."""
    return f"{moment.day} {moment:%b %Y}"
