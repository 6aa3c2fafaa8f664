"""The ways out of a section of held changes: how each is called, and in sentences what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connectors.states import ChangeKind, Situation
from connectors.views.waiting import Crowd, Section
from tenants.states import Labelled


class Act(Labelled):
    """Name what may be decided about many people at once; the values stand in addresses."""

    APPROVE = "approve", "Approve"
    KEEP = "keep", "Keep"
    DECLINE = "decline", "Decline"


CREATIONS = frozenset({ChangeKind.CREATE, ChangeKind.CREATE_PENDING})
ACTS = {
    Section.LEAVING: (Act.APPROVE, Act.KEEP),
    Section.EMPTY: (Act.APPROVE, Act.KEEP),
    Section.JOINING: (Act.APPROVE, Act.DECLINE),
}
"""What may be decided about several people of a section at once."""

Bullet = tuple[str, str]
"""An icon and a sentence."""


@dataclass(frozen=True, slots=True)
class Way:
    """Hold one way out: its heading, what it does, and the texts of its buttons, '' where it has none."""

    act: Act
    title: str
    bullets: tuple[Bullet, ...]
    asks: str
    does: str
    ticked: str
    destroys: bool


def ways_of(section: Section, kinds: Mapping[ChangeKind, int], freed: int | None, waiting: int) -> list[Way]:
    """Return the ways out for so many changes of each kind.

    `freed` is how many licences an approval frees, None where licences are unlimited or it frees none; `waiting` is how
    many accounts wait for one.
    """
    return [_WAYS[act](section, kinds, freed, waiting) for act in ACTS.get(section, ())]


def _approve(section: Section, kinds: Mapping[ChangeKind, int], freed: int | None, waiting: int) -> Way:
    number = sum(kinds.values())
    verb = verb_of(kinds)
    leaving = section is not Section.JOINING
    bullets = _when_approved(kinds)
    if leaving and freed is not None:
        words = f"{freed:,} {'licence becomes' if freed == 1 else 'licences become'} free"
        waits = f"; {people(waiting)} {'waits' if waiting == 1 else 'wait'} for one" if waiting else ""
        bullets.append(("users", f"{words}{waits}."))
    return Way(
        Act.APPROVE,
        "They did leave" if leaving else "They belong here",
        tuple(bullets),
        f"{verb} this one…" if number == 1 else f"{verb} these {number:,}…",
        f"{verb} exactly this one" if number == 1 else f"{verb} exactly these {number:,}",
        f"{verb} those selected…",
        leaving,
    )


def _keep(section: Section, kinds: Mapping[ChangeKind, int], freed: int | None, waiting: int) -> Way:
    number = sum(kinds.values())
    they = (
        "The person keeps the account as it is"
        if number == 1
        else f"The {number:,} people keep their accounts as they are"
    )
    bullets = (
        ("user", f"{they}."),
        ("sync", "The rule leaves them alone in the situation they are in, until it ends."),
        ("info", "Put them right in Microsoft Entra, and nothing more is needed."),
    )
    these = "Keep this account" if number == 1 else f"Keep these {number:,} accounts"
    return Way(Act.KEEP, "It was a mistake", bullets, f"{these}…", these, "Keep those selected…", False)


def _decline(section: Section, kinds: Mapping[ChangeKind, int], freed: int | None, waiting: int) -> Way:
    number = sum(amount for kind, amount in kinds.items() if kind in CREATIONS)
    restored = sum(kinds.values()) - number
    bullets: list[Bullet] = []
    if number:
        they = "The person gets no account" if number == 1 else f"The {number:,} people get no accounts"
        bullets.append(("user-skip", f"{they}, as long as they stay in the group."))
        bullets.append(("sync", "Who leaves the group and comes back later is new again."))
    if restored:
        they = "One account stays" if restored == 1 else f"{restored:,} accounts stay"
        bullets.append(("undo", f"{they} deleted, as long as their owners stay in the group."))
    bullets.append(("info", "Take them out of the sync group in Microsoft Entra, and nothing more is needed."))
    these = "Decline this one" if number + restored == 1 else f"Decline these {number + restored:,}"
    return Way(Act.DECLINE, "It was a mistake", tuple(bullets), f"{these}…", these, "Decline those selected…", False)


_WAYS = {Act.APPROVE: _approve, Act.KEEP: _keep, Act.DECLINE: _decline}


def _when_approved(kinds: Mapping[ChangeKind, int]) -> list[Bullet]:
    found: list[Bullet] = []
    if number := kinds.get(ChangeKind.DISABLE, 0):
        found.append(("minus-circle", f"{people(number)} can no longer sign in to Password Boss."))
        found.append(("undo", "Their passwords are kept. Who returns to the group is enabled again."))
    if number := kinds.get(ChangeKind.DELETE, 0):
        found.append(("trash", f"{accounts(number, 'is', 'are')} deleted, and can be restored for 30 days."))
    if number := kinds.get(ChangeKind.CONVERT, 0):
        words = "leaves the company for good, and keeps the account as an own one"
        several = "leave the company for good, and keep their accounts as their own"
        found.append(("user", f"{people(number)} {words if number == 1 else several}."))
    if number := kinds.get(ChangeKind.WITHDRAW, 0):
        found.append(("minus-circle", f"{accounts(number, 'was', 'were')} never active, and end. Who returns is new."))
    if number := sum(kinds.get(kind, 0) for kind in CREATIONS):
        found.append(("plus", f"{accounts(number, 'is', 'are')} created. Where no licence is left, they wait for one."))
    if number := kinds.get(ChangeKind.RESTORE, 0):
        found.append(("undo", f"{accounts(number, 'is', 'are')} restored as before."))
    return found


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────

_VERBS = {
    ChangeKind.DISABLE: "disable",
    ChangeKind.DELETE: "delete",
    ChangeKind.CONVERT: "convert",
    ChangeKind.WITHDRAW: "withdraw",
    ChangeKind.CREATE: "create",
    ChangeKind.CREATE_PENDING: "create",
    ChangeKind.RESTORE: "restore",
}
_HAPPENED = {
    Situation.REMOVED: ("{} person is not in the sync group any more", "{} people are not in the sync group any more"),
    Situation.DISABLED: ("{} is disabled in Microsoft Entra", "{} are disabled in Microsoft Entra"),
    Situation.DELETED: ("{} is not in the directory any more", "{} are not in the directory any more"),
    Situation.NEW: ("{} person is new in the sync group", "{} people are new in the sync group"),
    Situation.RETURNED: (
        "{} is back whose account this connector had deleted",
        "{} are back whose accounts this connector had deleted",
    ),
}


HEADINGS = {
    Situation.REMOVED: "Removed from the sync group",
    Situation.DISABLED: "Disabled in Microsoft Entra",
    Situation.DELETED: "Deleted from the directory",
    Situation.NEW: "New in the sync group",
    Situation.RETURNED: "Back in the sync group",
}
"""How people are headed on a list that holds several situations."""


def verb_of(kinds: Iterable[ChangeKind]) -> str:
    """Return the verb of what does all of these, capitalised."""
    verbs = sorted({_VERBS[kind] for kind in kinds if kind in _VERBS}, key=list(_VERBS.values()).index)
    return " or ".join([", ".join(verbs[:-1]), verbs[-1]] if len(verbs) > 1 else verbs).capitalize() or "Change"


def question_of(crowd: Crowd) -> str:
    """Return the question that a section asks."""
    number = crowd.number
    if not number:
        return "Held changes"
    if crowd.section is Section.ADMINISTRATORS:
        return (
            "Whose administrator’s account is this?"
            if number == 1
            else f"Whose are these {number:,} administrators’ accounts?"
        )
    if crowd.section is Section.ADDRESSES:
        return (
            "One address, two people: the same person?"
            if number == 1
            else f"{number:,} addresses met twice: the same people?"
        )
    return f"{verb_of(crowd.kinds)} {accounts(number)}?"


def what_happened(crowd: Crowd, in_scope: int) -> str:
    """Say what led to a section; `in_scope` is how many people are in the sync group now."""
    parts = [
        sentences[number != 1].format(f"{number:,}")
        for situation, sentences in _HAPPENED.items()
        if (number := crowd.situations.get(situation, 0))
    ]
    if crowd.section is Section.EMPTY and parts:
        if in_scope:
            return "Nobody was in the sync group when these were held. Who is in it again is not among them."
        return "Nobody is in the sync group. Either it was emptied by mistake, or everybody left."
    if crowd.section not in ACTS or not parts:
        return ""
    return f"{', '.join(parts[:-1])} and {parts[-1]}." if len(parts) > 1 else f"{parts[0]}."


_MEANWHILE = {
    Section.LEAVING: "Until somebody decides, {} working; every other change goes on as usual.",
    Section.EMPTY: "Until somebody decides, {} working; every other change goes on as usual.",
    Section.JOINING: "Until somebody decides, nothing changes for {}; every other change goes on as usual.",
    Section.ADMINISTRATORS: (
        "Until somebody says whose they are, the accounts stay as they are, and nobody is linked to them."
    ),
    Section.ADDRESSES: (
        "Until somebody decides, the newcomers have no account, and the accounts that have their addresses stay as they"
        " are."
    ),
}


def meanwhile(crowd: Crowd) -> str:
    """Say what happens until somebody decides."""
    number = crowd.number
    if crowd.section is Section.JOINING:
        return _MEANWHILE[crowd.section].format("this person" if number == 1 else f"these {number:,} people")
    return _MEANWHILE[crowd.section].format("this person keeps" if number == 1 else f"these {number:,} people keep")


def accounts(number: int, one: str = "", several: str = "") -> str:
    """Return a number of accounts in words, with the verb that fits it."""
    noun, verb = ("account", one) if number == 1 else ("accounts", several)
    return f"{number:,} {noun} {verb}".rstrip()


def people(number: int) -> str:
    """Return a number of people in words."""
    return f"{number:,} {'person' if number == 1 else 'people'}"
