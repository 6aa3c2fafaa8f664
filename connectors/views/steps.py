"""The next step about each thing that needs a person, and the way there: in the fleet and on a connector's own page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from connectors.attention import Need
from connectors.directory import Cause
from connectors.models import Connector
from connectors.states import Attention, ConnectorStatus, Outcome
from connectors.views.causes import cause_of, told_by_status
from tenants.portals import Place
from tenants.roles import Can
from tenants.states import AccountRole, AccountStatus


class Step(NamedTuple):
    """Hold the words and the address of a next step, both '' where there is none for the visitor."""

    words: str
    url: str


NOWHERE = Step("", "")
VERIFY = "Verify the connection"


@dataclass(frozen=True, slots=True)
class Ways:
    """Hold where a visitor may go about one connector: the addresses of its company's pages, and the rights there."""

    url: Callable[..., str]
    may: Callable[[Can], bool]

    def step(self, row: Connector, attention: Attention) -> Step:
        """Return the next step about something that needs a person."""
        if attention is Attention.SKIPPED and row.findings_id is not None:
            found = self.url("run", run_id=row.findings_id)
            return Step("See who is skipped", f"{found}?outcome={Outcome.SKIPPED}#changes")
        if attention in _FILTERS:
            words, query = _FILTERS[attention]
            return Step(words, f"{self.url('users')}?{query}")
        if attention in _CREDENTIAL:
            return self._credential(row)
        return self._page(row, *_PAGES[attention]) if attention in _PAGES else NOWHERE

    def mend(self, row: Connector) -> Step:
        """Return the next step about a connection that Microsoft refuses, by its cause."""
        cause = cause_of(row)
        if cause is Cause.CREDENTIAL:
            return self._credential(row)
        if cause is Cause.IDS:
            return self._replace(row, "Correct the IDs")
        return self._page(row, "Grant consent" if cause is Cause.CONSENT else VERIFY, "step-auth", Can.RUN_CONNECTORS)

    def go_on(self, row: Connector) -> Step:
        """Return the next step about a setup that is not finished."""
        return self._page(row, "Continue setup", "setup", Can.RUN_CONNECTORS)

    def _credential(self, row: Connector) -> Step:
        return self._replace(row, "Renew the certificate" if row.certificate else "Enter a new secret")

    def _replace(self, row: Connector, words: str) -> Step:
        step = self._page(row, words, "replace", Can.RUN_CONNECTORS)
        return Step(words, f"{step.url}?with={'certificate' if row.certificate else 'secret'}") if step.url else step

    def _page(self, row: Connector, words: str, name: str, right: Can) -> Step:
        return Step(words, self.url(name, connector_id=row.pk)) if self.may(right) else NOWHERE


def ways_at(place: Place) -> Ways:
    """Return where the visitor of a place may go."""
    return Ways(place.url, place.access.may)


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold one thing as the page shows it; `url` is '' where the visitor can do nothing about it here."""

    icon: str
    title: str
    sentence: str
    step: str
    url: str
    tone: str = "warn"


_PAGES: Mapping[Attention, tuple[str, str, Can]] = {
    Attention.HELD: ("Review the changes", "held", Can.SEE),
    Attention.SYNC_GROUP_MISSING: ("Choose another group", "step-groups", Can.RULE_CONNECTORS),
    Attention.SYNC_GROUP_UNREADABLE: ("See the groups", "step-groups", Can.RUN_CONNECTORS),
    Attention.SYNC_GROUP_EMPTY: ("See the groups", "step-groups", Can.RUN_CONNECTORS),
    Attention.GROUP_UNREADABLE: ("See the groups", "step-groups", Can.RUN_CONNECTORS),
    Attention.UNREACHABLE: ("See the runs", "runs", Can.SEE),
    Attention.FAILED: ("See the runs", "runs", Can.SEE),
    Attention.PAUSED: ("Resume…", "resume", Can.RUN_CONNECTORS),
}
_CREDENTIAL = {Attention.CREDENTIALS_UNREADABLE, Attention.SECRET_EXPIRES, Attention.SECRET_ENDED}
_FILTERS: Mapping[Attention, tuple[str, str]] = {
    Attention.SPARED: ("See the administrators", f"role={AccountRole.ADMIN}"),
    Attention.LICENCES_SHORT: ("See who waits", f"status={AccountStatus.PENDING}"),
}


def told_in_list(ways: Ways, row: Connector, needs: Iterable[tuple[str, Need]]) -> list[Asked]:
    """Return what the company's list says that a connector needs, the two most urgent things, with their next steps."""
    told = []
    if row.status == ConnectorStatus.UNAUTHORIZED:
        told = [Asked("lock-alert", "Microsoft refuses the connection", row.status_sentence, *ways.mend(row), "bad")]
    told += [
        Asked(icon, need.attention.label, need.sentence, *ways.step(row, need.attention))
        for icon, need in needs
        if not told_by_status(row, need.attention)
    ]
    return told[:2]


def asked_of(
    place: Place, row: Connector, needs: Iterable[tuple[str, Need]], *, held: int, skipped: int
) -> list[Asked]:
    """Return what a connector asks of a person, each with its next step; what its status says is not said again."""
    ways = ways_at(place)
    return [
        Asked(icon, _title(need.attention, held, skipped), need.sentence, *ways.step(row, need.attention))
        for icon, need in needs
        if not told_by_status(row, need.attention)
    ]


def _title(attention: Attention, held: int, skipped: int) -> str:
    if attention is Attention.HELD and held:
        return f"{held:,} {'change is' if held == 1 else 'changes are'} held"
    if attention is Attention.SKIPPED and skipped:
        return f"{skipped:,} {'person is' if skipped == 1 else 'people are'} skipped"
    return attention.label
