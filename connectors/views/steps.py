"""What a connector's own page says of each thing that needs a person: how many, the sentence, and the way there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connectors.attention import Need
from connectors.models import Connector
from connectors.states import Attention, Outcome
from tenants.portals import Place
from tenants.roles import Can
from tenants.states import AccountRole, AccountStatus


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold one thing as the page shows it; `url` is '' where the visitor can do nothing about it here."""

    icon: str
    title: str
    sentence: str
    step: str
    url: str


_PAGES: Mapping[Attention, tuple[str, str, Can]] = {
    Attention.HELD: ("Review the changes", "held", Can.SEE),
    Attention.SYNC_GROUP_MISSING: ("Choose another group", "step-groups", Can.RULE_CONNECTORS),
    Attention.SYNC_GROUP_UNREADABLE: ("See the groups", "step-groups", Can.RUN_CONNECTORS),
    Attention.SYNC_GROUP_EMPTY: ("See the groups", "step-groups", Can.RUN_CONNECTORS),
    Attention.GROUP_UNREADABLE: ("See the groups", "step-groups", Can.RUN_CONNECTORS),
    Attention.UNREACHABLE: ("See the runs", "runs", Can.SEE),
    Attention.FAILED: ("See the runs", "runs", Can.SEE),
    Attention.CREDENTIALS_UNREADABLE: ("Go to Azure Auth", "step-auth", Can.RUN_CONNECTORS),
    Attention.SECRET_EXPIRES: ("Go to Azure Auth", "step-auth", Can.RUN_CONNECTORS),
    Attention.SECRET_ENDED: ("Go to Azure Auth", "step-auth", Can.RUN_CONNECTORS),
    Attention.PAUSED: ("Resume…", "resume", Can.RUN_CONNECTORS),
}
_FILTERS: Mapping[Attention, tuple[str, str]] = {
    Attention.SPARED: ("See the administrators", f"role={AccountRole.ADMIN}"),
    Attention.LICENCES_SHORT: ("See who waits", f"status={AccountStatus.PENDING}"),
}


def asked_of(
    place: Place, row: Connector, needs: Iterable[tuple[str, Need]], *, held: int, skipped: int
) -> list[Asked]:
    """Return what a connector asks of a person, each with its next step."""
    return [
        Asked(icon, _title(need.attention, held, skipped), need.sentence, *_step(place, row, need.attention))
        for icon, need in needs
    ]


def _title(attention: Attention, held: int, skipped: int) -> str:
    if attention is Attention.HELD and held:
        return f"{held:,} {'change is' if held == 1 else 'changes are'} held"
    if attention is Attention.SKIPPED and skipped:
        return f"{skipped:,} {'person is' if skipped == 1 else 'people are'} skipped"
    return attention.label


def _step(place: Place, row: Connector, attention: Attention) -> tuple[str, str]:
    """Return the words and the address of the next step, both '' where there is none for the visitor."""
    if attention is Attention.SKIPPED and row.findings_id is not None:
        found = place.url("run", run_id=row.findings_id)
        return "See who is skipped", f"{found}?outcome={Outcome.SKIPPED}#changes"
    if attention in _FILTERS:
        words, query = _FILTERS[attention]
        return words, f"{place.url('users')}?{query}"
    if attention in _PAGES:
        words, name, right = _PAGES[attention]
        if place.access.may(right):
            return words, place.url(name, connector_id=row.pk)
    return "", ""
