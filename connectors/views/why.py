"""“Why?”: a name or an email, answered from the directory as it is now and from what the portal knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from connectors import sync
from connectors.directory import DirectoryError, Person
from connectors.models import Connector, SyncChange
from connectors.states import LIVE, ConnectorStatus
from connectors.views.pages import find, tabs, trail
from connectors.why import Answer, Door, Facts, Memory, explain
from pbportal.sealed import Unreadable
from tenants.models import Account, AccountQuerySet
from tenants.portals import Place, place_page
from tenants.roles import Can
from tenants.roster import ACTS, Act, acts_that_apply

LISTED = 20
"""So many people are offered to choose from; who means somebody else types more."""


Troubles = list[tuple[Connector, DirectoryError | Unreadable]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Hold somebody whom a text may mean: of a connector's directory, or of an account, or of both."""

    name: str
    email: str
    what: str
    connector: Connector | None
    object_id: str = ""
    account: Account | None = None

    @property
    def query(self) -> str:
        """Return the address's words that mean exactly this person."""
        words: dict[str, object] = {}
        if self.account is not None:
            words["account"] = self.account.pk
        elif self.object_id:
            words["person"] = self.object_id
        if self.connector is not None:
            words["of"] = self.connector.pk
        return urlencode(words)


@dataclass(frozen=True, slots=True)
class Resend:
    """Hold the button that sends an invitation again: where it is posted, for which account, as which act."""

    url: str
    account: int
    act: Act


@never_cache
@require_GET
@place_page(Can.SEE)
def company_why(request: HttpRequest, place: Place) -> HttpResponse:
    """Answer why somebody has, or has not, an account in the company, whichever of its connectors decides that."""
    live = place.access.of(Connector).filter(status__in=LIVE).select_related("company").order_by("pk")
    return _page(request, place, list(live), place.url("why"), {})


@never_cache
@require_GET
@place_page(Can.SEE)
def connector_why(request: HttpRequest, place: Place, connector_id: int) -> HttpResponse:
    """Answer why one connector does what it does with somebody."""
    row = find(place, connector_id)
    context = {"connector": row, "tabs_of_connector": tabs(place, row, "why"), "trail": trail(place, row, "Why?")}
    return _page(request, place, [row], place.url("connector-why", connector_id=row.pk), context)


def _page(
    request: HttpRequest, place: Place, connectors: list[Connector], url: str, context: dict[str, Any]
) -> HttpResponse:
    text = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:320]
    words = {name: request.GET[name] for name in ("q", "person", "account", "of") if request.GET.get(name)}
    asked = bool(text or "person" in words or "account" in words)
    context |= {"q": text, "self_url": url, "asked": asked, "self_query": urlencode(words)}
    if not asked:
        return place.render(request, "connectors/why/page.html", context, at="connectors")
    if "HX-Request" not in request.headers and "now" not in request.GET:
        # Reading takes some seconds: the page is there at once, and asks for its answer by itself.
        return place.render(request, "connectors/why/page.html", {**context, "waiting": True}, at="connectors")
    context |= _answer(request, place, connectors, text)
    part = "HX-Request" in request.headers
    template = "connectors/why/answer.html" if part else "connectors/why/page.html"
    return place.render(request, template, context, at="connectors")


def _answer(request: HttpRequest, place: Place, connectors: list[Connector], text: str) -> dict[str, Any]:
    chosen = _chosen(request, place, connectors)
    if chosen is not None:
        return _explained(place, chosen, text)
    candidates, troubles = _candidates(place, connectors, text)
    exact = [one for one in candidates if text.casefold() in (one.email.casefold(), one.object_id)]
    if len(exact) == 1 or len(candidates) == 1:
        one = (exact or candidates)[0]
        trouble = next((error for row, error in troubles if row == one.connector), None)
        return _explained(place, one, text, trouble)
    if not candidates:
        nobody = Candidate(text, "", "", connectors[0] if connectors else None)
        return _shown(place, nobody, _nobody(connectors, text, troubles))
    return {"candidates": candidates[:LISTED], "more": len(candidates) > LISTED, "troubles": troubles}


def _nobody(connectors: list[Connector], text: str, troubles: Troubles) -> Facts:
    """Return what is known of somebody whom neither a directory nor the company has."""
    memory = None
    if troubles:
        row, error = troubles[0]
        memory = Memory(str(error), getattr(error, "reference", ""), Door.CONNECTOR, row.last_success_at)
    elif not any(row.live for row in connectors):
        memory = Memory("No directory is connected here, so nobody is synchronised.", door=Door.INSTALL)
    return Facts(
        asked=text,
        tenant=", ".join(row.tenant for row in connectors if row.tenant),
        group_name=next((row.sync_group_name for row in connectors if row.sync_group_name), ""),
        memory=memory,
    )


def _chosen(request: HttpRequest, place: Place, connectors: list[Connector]) -> Candidate | None:
    """Return whom the address names. Raises Http404 where that is nobody of this company."""
    of = _number(request.GET.get("of", ""))
    named = next((one for one in connectors if one.pk == of), None)
    account_id = _number(request.GET.get("account", ""))
    if account_id is not None:
        account = place.access.get(_accounts(place), account_id)
        return Candidate(str(account), account.email, "", named or _keeper(account, connectors), account=account)
    person = request.GET.get("person", "")[:36].lower()
    if not person:
        return None
    row = named or (connectors[0] if connectors else None)
    if row is None:
        raise Http404
    return Candidate("", "", "", row, person)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _accounts(place: Place) -> AccountQuerySet[Account]:
    return place.access.accounts.filter(purged_at=None).select_related("link")


def _keeper(account: Account, connectors: list[Connector]) -> Connector | None:
    """Return the connector that decides over an account: its own, that of its directory, or the first there is."""
    link = getattr(account, "link", None)
    for fits in (
        lambda one: link is not None and link.connector_id == one.pk,
        lambda one: bool(account.directory_tenant_id) and one.tenant_id == account.directory_tenant_id,
        lambda one: True,
    ):
        found = next((one for one in connectors if fits(one)), None)
        if found is not None:
            return found
    return None


def _candidates(place: Place, connectors: list[Connector], text: str) -> tuple[list[Candidate], Troubles]:
    """Return whom a text may mean: of the directories, of the accounts, and of what the last runs found."""
    people: list[tuple[Connector, Person]] = []
    troubles: Troubles = []
    for row in connectors:
        if row.status in (ConnectorStatus.REMOVED, ConnectorStatus.SETUP_INCOMPLETE):
            continue
        try:
            people += [(row, one) for one in sync.people_matching(row, text)]
        except (DirectoryError, Unreadable) as error:
            troubles.append((row, error))
    accounts = list(_accounts(place).named(text).order_by("last_name", "first_name", "email", "pk")[: LISTED + 1])
    found: list[Candidate] = []
    # The directory may call somebody by another name or address than their account.
    theirs = _accounts(place).filter(directory_object_id__in=[person.object_id for _, person in people])
    identified = [*theirs.order_by("-status", "pk"), *accounts]
    owned = {(one.directory_tenant_id, one.directory_object_id): one for one in identified if one.directory_object_id}
    by_address = {one.email.lower(): one for one in accounts if not one.directory_object_id}
    used: set[int] = set()
    for row, person in people:
        account = owned.get((row.tenant_id, person.object_id)) or _of_address(by_address, person, used)
        used |= {account.pk} if account is not None else set()
        what = account.get_status_display() if account is not None else "No account"
        own = account if account is not None and account.directory_object_id else None
        email = person.mail or person.user_principal_name
        found.append(Candidate(person.name, email, what, row, person.object_id, own))
    for account in accounts:
        if account.pk not in used:
            keeper = _keeper(account, connectors)
            found.append(Candidate(str(account), account.email, account.get_status_display(), keeper, account=account))
    if troubles:
        found += _remembered(place, [row for row, _ in troubles], text)
    return found, troubles


def _of_address(by_address: dict[str, Account], person: Person, used: set[int]) -> Account | None:
    """Return the account without an identity that has a person's address, and is nobody else's yet."""
    found = by_address.get(person.mail.lower()) or by_address.get(person.user_principal_name.lower())
    return found if found is not None and found.pk not in used else None


def _remembered(place: Place, connectors: list[Connector], text: str) -> list[Candidate]:
    """Return whom the last runs of connectors held, skipped or left out without an account."""
    by_run = {row.findings_id: row for row in connectors if row.findings_id}
    lines = place.access.of(SyncChange).filter(run__in=list(by_run), account=None).exclude(object_id="")
    for word in text.split()[:5]:
        lines = lines.filter(Q(name__icontains=word) | Q(email__icontains=word))
    found: dict[str, Candidate] = {}
    for line in lines.order_by("name", "pk")[:LISTED]:
        one = Candidate(line.name, line.email, "No account", by_run[line.run_id], line.object_id)
        found.setdefault(line.object_id, one)
    return list(found.values())


def _explained(
    place: Place, one: Candidate, text: str, trouble: DirectoryError | Unreadable | None = None
) -> dict[str, Any]:
    if one.connector is None:
        if one.account is None:
            raise Http404
        return _shown(place, one, sync.without_connector(place.access.company, one.account))
    asked = text or one.email or one.name
    facts = sync.ask(one.connector, object_id=one.object_id, account=one.account, asked=asked, trouble=trouble)
    return _shown(place, one, facts)


def _shown(place: Place, one: Candidate, facts: Facts) -> dict[str, Any]:
    answer = explain(facts)
    query = one.query if one.account is not None or one.object_id else urlencode({"q": facts.asked})
    return {
        "answer": answer,
        "read_at": timezone.now() if facts.memory is None else None,
        "again_query": f"{query}&now=1",
        "doors": _doors(place, one, answer),
        "resend": _resend(place, one) if Door.RESEND in answer.doors else None,
        "facts": [
            (fact, _address(place, one, fact.door), place.url("run", run_id=fact.run) if fact.run else "")
            for fact in answer.facts
        ],
    }


_LABELS = {
    Door.RULES: "See the rules",
    Door.SETTINGS: "See the settings",
    Door.GROUPS: "Choose another group",
    Door.AUTH: "Verify Connection",
    Door.HELD: "See what waits for a decision",
    Door.PREVIEW: "See the preview",
    Door.ACCOUNT: "Find the account",
    Door.FREE_LICENCES: "Find accounts to free",
    Door.BUY_LICENCES: "Change the number of licences",
    Door.CONNECTOR: "Go to the connector",
    Door.INSTALL: "Install",
}


def _doors(place: Place, one: Candidate, answer: Answer) -> list[tuple[str, str]]:
    """Return label and address of the pages on which the one thing is done, as far as the visitor may."""
    found = [(_LABELS[door], _address(place, one, door)) for door in answer.doors if door in _LABELS]
    return [(label, url) for label, url in found if url]


def _resend(place: Place, one: Candidate) -> Resend | None:
    """Return how the invitation is sent again, None where the visitor may not, or there is nothing to send."""
    account, act = one.account, Act.RESEND_INVITATION
    if account is None or not place.access.may(ACTS[act]) or act not in acts_that_apply([account], timezone.now()):
        return None
    return Resend(f"{place.url('users')}?{urlencode({'q': account.email})}", account.pk, act)


_STEPS = {
    Door.RULES: "step-rules",
    Door.SETTINGS: "step-rules",
    Door.GROUPS: "step-groups",
    Door.AUTH: "step-auth",
    Door.PREVIEW: "preview",
}


def _address(place: Place, one: Candidate, door: Door | None) -> str:
    """Return where a door leads, '' where the visitor may not go or there is nothing."""
    row, may = one.connector, place.access.may
    if door in (None, Door.RUN, Door.RESEND):
        return ""
    if door in _STEPS:
        return place.url(_STEPS[door], connector_id=row.pk) if row and row.live and may(Can.RUN_CONNECTORS) else ""
    if door is Door.HELD:
        return place.url("held", connector_id=row.pk) if row is not None else ""
    if door is Door.CONNECTOR:
        return place.url("connector", connector_id=row.pk) if row is not None else ""
    if door is Door.INSTALL:
        return place.url("install") if may(Can.RUN_CONNECTORS) else ""
    if door is Door.BUY_LICENCES:
        return place.url("settings") if may(Can.MANAGE_COMPANIES) else ""
    if door is Door.FREE_LICENCES:
        return f"{place.url('users')}?status=active"
    email = one.account.email if one.account is not None else one.email
    return f"{place.url('users')}?{urlencode({'q': email})}" if email else place.url("users")
