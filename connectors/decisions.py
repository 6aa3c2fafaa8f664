"""What people decide about a run's findings: marks that the next plan obeys, each saved with who decided.

Whoever decides asks for a run afterwards. A run in flight notices by the settings' revision, and plans again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q

from connectors.entra import is_guid
from connectors.models import AccountLink, Connector, PersonMark, SyncChange
from connectors.states import GROWTH, ChangeKind, ConnectorStatus, HoldCause, MarkKind
from tenants import roster
from tenants.audit import Action, Actor, record
from tenants.models import Account
from tenants.roles import Can
from tenants.states import AccountRole, AccountStatus

ACTS: dict[str, Can] = {
    "approve": Can.RULE_CONNECTORS,
    "approve_all": Can.RULE_CONNECTORS,
    "keep": Can.RULE_CONNECTORS,
    "decline": Can.RULE_CONNECTORS,
    "same_person": Can.RULE_CONNECTORS,
    "someone_else": Can.RULE_CONNECTORS,
    "confirm_administrator": Can.RULE_CONNECTORS,
}
"""The right that each decision needs in the connector's company."""

_NAMED = 10
"""An audit entry names at most so many people, and counts the others."""

_PEOPLE = ("count", "people")
APPROVED = Action("connector.approved", "{actor} approved {count} held changes of {subject}: {people}.", _PEOPLE)
KEPT = Action("connector.kept", "{actor} keeps {count} accounts of {subject} as they are: {people}.", _PEOPLE)
DECLINED = Action("connector.declined", "{actor} declined {count} accounts of {subject}: {people}.", _PEOPLE)
SAME_PERSON = Action(
    "connector.same_person",
    "{actor} decided for {subject} that {person} in the directory is the owner of the account {account}.",
    ("person", "account"),
)
SOMEONE_ELSE = Action(
    "connector.someone_else",
    "{actor} decided for {subject} that {person} in the directory is not the owner of the account {account}.",
    ("person", "account"),
)
CONFIRMED = Action(
    "connector.administrator_confirmed",
    "{actor} confirmed for {subject} that {person} in the directory is the administrator {account}.",
    ("person", "account"),
)


class Refused(roster.Refused):
    """Say in a sentence, with the next step, why an act is not done; `field` names the input at fault, if one is."""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """Hold what was decided about a person, and what is held of them now; '' where nothing is."""

    object_id: str
    asked: str
    now: str


class Stale(Refused):
    """The findings are not as the page showed them any more; nothing was decided. `differences` says where."""

    def __init__(self, differences: Iterable[Difference]) -> None:
        super().__init__(
            "What waits for a decision has changed since this list was made, and nothing was decided. Look at the"
            " present list and decide again."
        )
        self.differences = tuple(sorted(differences))


@dataclass(frozen=True, slots=True, order=True)
class Hold:
    """Hold one held change as it is remembered: whom, what, and why it is held."""

    object_id: str
    kind: ChangeKind
    cause: HoldCause


def holds_of(connector: Connector) -> list[Hold]:
    """Return everything that is held, in the order of object ids."""
    return _holds(PersonMark.objects.filter(connector=connector, kind=MarkKind.HELD))


def holds_digest(holds: Iterable[Hold]) -> str:
    """Return a text that is the same only for the same holds: what a page shows comes back with its decision."""
    total = hashlib.blake2b(digest_size=16)
    for hold in sorted(holds):
        total.update(f"{hold.object_id} {hold.kind} {hold.cause}\n".encode())
    return total.hexdigest()


def approve(connector: Connector, holds: Collection[tuple[str, ChangeKind]], *, actor: Actor) -> int:
    """Approve held changes, each by person and kind; return how many.

    Raises Stale where one of them is not held, or not as that kind. An administrator's account is confirmed instead.
    """
    wanted = {(object_id.lower(), ChangeKind(kind)) for object_id, kind in holds}
    if not wanted:
        return 0
    with _deciding(connector) as row:
        found = _kinds(_held(row, {object_id for object_id, _ in wanted}))
        _refuse_stale(
            Difference(object_id, kind, ", ".join(sorted(found[object_id])))
            for object_id, kind in wanted
            if kind not in found[object_id]
        )
        if any(found[object_id][kind] is HoldCause.ADMIN for object_id, kind in wanted):
            raise Refused(
                "An administrator's account is linked only after somebody has confirmed whose it is. Confirm it on its"
                " own, and approve the rest."
            )
        _approve(row, wanted, actor)
    return len(wanted)


def approve_all(connector: Connector, *, seen: str, actor: Actor) -> int:
    """Approve everything that is held but administrators' accounts; return how many.

    `seen` is `holds_digest` of what the person was shown. Raises Stale where that is not what is held now.
    """
    with _deciding(connector) as row:
        holds = holds_of(row)
        if holds_digest(holds) != seen:
            raise Stale(Difference(hold.object_id, "", hold.kind) for hold in holds)
        wanted = {(hold.object_id, hold.kind) for hold in holds if hold.cause is not HoldCause.ADMIN}
        if wanted:
            _approve(row, wanted, actor)
    return len(wanted)


def keep(connector: Connector, object_ids: Collection[str], *, actor: Actor) -> int:
    """Keep people's accounts in every situation that holds for them, each until it ends; return how many people.

    Raises Stale where somebody has no account through this connector, or is in no such situation any more.
    """
    wanted = {object_id.lower() for object_id in object_ids}
    if not wanted:
        return 0
    with _deciding(connector) as row:
        situations: dict[str, list[str]] = {}
        links = AccountLink.objects.filter(connector=row, account__directory_tenant_id=row.tenant_id).exclude(
            situations=""
        )
        for chunk in roster.chunks(wanted):
            found = links.filter(account__directory_object_id__in=chunk)
            for object_id, words in found.values_list("account__directory_object_id", "situations"):
                situations[object_id] = words.split(",")
        _refuse_stale(Difference(object_id, "keep", "") for object_id in wanted - situations.keys())
        by = _record(KEPT, row, wanted, actor)
        _forget(row, wanted, Q(kind__in=[MarkKind.HELD, MarkKind.APPROVED]))
        _remember(row, MarkKind.KEPT, ((one, word) for one in wanted for word in situations[one]), by)
    return len(wanted)


def decline(connector: Connector, object_ids: Collection[str], *, actor: Actor) -> int:
    """Decline to create or restore held accounts until their owners leave the group; return how many.

    Raises Stale where somebody's creation or restoration is not held.
    """
    wanted = {object_id.lower() for object_id in object_ids}
    if not wanted:
        return 0
    with _deciding(connector) as row:
        found = _kinds(_held(row, wanted))
        _refuse_stale(
            Difference(object_id, "decline", ", ".join(sorted(found[object_id])))
            for object_id in wanted
            if not GROWTH & found[object_id].keys()
        )
        by = _record(DECLINED, row, wanted, actor)
        _forget(row, wanted, Q(kind__in=[MarkKind.HELD, MarkKind.APPROVED], value__in=GROWTH))
        _remember(row, MarkKind.DECLINED, ((one, "") for one in wanted), by)
    return len(wanted)


def same_person(connector: Connector, object_id: str, account_id: int, *, actor: Actor) -> None:
    """Say that a newcomer owns the account that has their address: the next run gives it the newcomer's identity."""
    _say_who(connector, object_id, account_id, MarkKind.SAME_PERSON, SAME_PERSON, actor)


def someone_else(connector: Connector, object_id: str, account_id: int, *, actor: Actor) -> None:
    """Say that a newcomer does not own the account that has their address: they wait until the address is free."""
    _say_who(connector, object_id, account_id, MarkKind.SOMEONE_ELSE, SOMEONE_ELSE, actor)


def confirm_administrator(connector: Connector, object_id: str, account_id: int, *, actor: Actor) -> None:
    """Confirm that an administrator's account belongs to a directory person, so that a run may link it.

    Raises Stale where it is not an administrator's account without a live link any more.
    """
    with _deciding(connector) as row:
        person = _person(object_id)
        account = (
            Account.objects.filter(pk=account_id, company=row.company_id, role=AccountRole.ADMIN, link=None)
            .exclude(status=AccountStatus.PERSONAL)
            .filter(purged_at=None)
            .first()
        )
        if account is None or account.directory_object_id not in ("", person):
            raise Stale([Difference(person, MarkKind.CONFIRMED, "")])
        _decide_about(row, person, account, MarkKind.CONFIRMED, CONFIRMED, actor, replaces=[MarkKind.CONFIRMED])


def _say_who(
    connector: Connector, object_id: str, account_id: int, kind: MarkKind, action: Action, actor: Actor
) -> None:
    with _deciding(connector) as row:
        person = _person(object_id)
        account = (
            Account.objects.filter(pk=account_id, company=row.company_id)
            .exclude(status__in=[AccountStatus.DELETED, AccountStatus.PERSONAL])
            .exclude(directory_object_id=person)
            .filter(~Q(directory_object_id="") | Q(link__isnull=False))
            .first()
        )
        if account is None:
            raise Stale([Difference(person, kind, "")])
        if kind is MarkKind.SAME_PERSON:
            _refuse_whose_owner_stays(row, account)
        _decide_about(row, person, account, kind, action, actor, replaces=[MarkKind.SAME_PERSON, MarkKind.SOMEONE_ELSE])


def _refuse_whose_owner_stays(row: Connector, account: Account) -> None:
    """Refuse to give away an account that no run would take from its owner, as far as the last run tells."""
    link: AccountLink | None = getattr(account, "link", None)
    if link is not None and link.connector_id != row.pk:
        raise Refused(
            "Another connector of this company manages the account. Remove that one first, or say someone else."
        )
    if account.barred:
        raise Refused(
            "The account was handed back to Password Boss, and no run may change it. Delete it, and the newcomer gets"
            " an account of their own."
        )
    if link is not None and not link.situations:
        raise Refused(
            f"The owner of {account.email} is still in the sync group, under another address, and keeps the account. If"
            " both users in Entra are one person, take the older one out of the group, and decide again after the next"
            " run; else say someone else."
        )


def _decide_about(
    row: Connector,
    person: str,
    account: Account,
    kind: MarkKind,
    action: Action,
    actor: Actor,
    *,
    replaces: list[MarkKind],
) -> None:
    names = _names(row, [person])
    detail = {"person": names.get(person, person), "account": account.email}
    by = record(action, company=row.company, actor=actor, subject=row.name, detail=detail).actor_label
    _forget(row, {person}, Q(kind__in=replaces))
    _remember(row, kind, [(person, str(account.pk))], by)


@contextmanager
def _deciding(connector: Connector) -> Iterator[Connector]:
    """Lock the connector's row, ahead of its company's as a run does; every plan made before is made again."""
    with transaction.atomic():
        locked = Connector.objects.select_related("company").select_for_update(no_key=True, of=("self",))
        row: Connector = locked.get(pk=connector.pk)
        if row.status == ConnectorStatus.REMOVED:
            raise Refused("This connector was removed, and nothing waits for a decision any more.")
        yield row
        Connector.objects.filter(pk=row.pk).update(settings_revision=F("settings_revision") + 1)


def _approve(row: Connector, wanted: set[tuple[str, ChangeKind]], actor: Actor) -> None:
    by = _record(APPROVED, row, {object_id for object_id, _ in wanted}, actor)
    _remember(row, MarkKind.APPROVED, wanted, by)


def _refuse_stale(differences: Iterable[Difference]) -> None:
    found = list(differences)
    if found:
        raise Stale(found)


def _held(row: Connector, object_ids: set[str]) -> list[Hold]:
    marks = PersonMark.objects.filter(connector=row, kind=MarkKind.HELD)
    return [hold for chunk in roster.chunks(object_ids) for hold in _holds(marks.filter(object_id__in=chunk))]


def _holds(marks: Iterable[PersonMark]) -> list[Hold]:
    return sorted(Hold(mark.object_id, ChangeKind(mark.value), HoldCause(mark.other)) for mark in marks)


def _kinds(holds: Iterable[Hold]) -> defaultdict[str, dict[ChangeKind, HoldCause]]:
    found: defaultdict[str, dict[ChangeKind, HoldCause]] = defaultdict(dict)
    for hold in holds:
        found[hold.object_id][hold.kind] = hold.cause
    return found


def _remember(row: Connector, kind: MarkKind, marks: Iterable[tuple[str, str]], by: str) -> None:
    rows = [
        PersonMark(connector=row, object_id=person, kind=kind, value=value, by=by) for person, value in sorted(marks)
    ]
    # Who decided first is who decided: the same decision again changes nothing.
    PersonMark.objects.bulk_create(rows, batch_size=1_000, ignore_conflicts=True)


def _forget(row: Connector, object_ids: set[str], which: Q) -> None:
    for chunk in roster.chunks(object_ids):
        PersonMark.objects.filter(which, connector=row, object_id__in=chunk).delete()


def _record(action: Action, row: Connector, object_ids: set[str], actor: Actor) -> str:
    named = sorted(object_ids)[:_NAMED]
    names = _names(row, named)
    people = [names.get(object_id, object_id) for object_id in named]
    if len(object_ids) > _NAMED:
        people.append(f"and {len(object_ids) - _NAMED} more")
    detail = {"count": len(object_ids), "people": ", ".join(people)}
    return record(action, company=row.company, actor=actor, subject=row.name, detail=detail).actor_label


def _names(row: Connector, object_ids: Sequence[str]) -> dict[str, str]:
    """Return how the last findings call people, by object id."""
    lines = SyncChange.objects.filter(run=row.findings_id, object_id__in=object_ids).values_list(
        "object_id", "name", "email"
    )
    return {object_id: name or email for object_id, name, email in lines if name or email}


def _person(object_id: str) -> str:
    if not is_guid(object_id):
        raise Refused("A person of the directory is named by the object ID, a GUID.", field="object_id")
    return object_id.lower()
