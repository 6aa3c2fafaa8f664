"""What outcomes are said with: the verdict's shape, and the words that several of them share."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.states import LeftOutReason, Situation
from connectors.why.values import Door, Facts, quoted

NEXT_RUN = "It then happens by itself at the next run."
NEEDED = "What is still needed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold an outcome; `stop` names the step of the chain that decides it, '' where none does."""

    stop: str
    tone: str
    icon: str
    sentence: str
    thing: str
    more: str = ""
    doors: tuple[Door, ...] = ()
    label: str = "The one thing that would change it"


def unread(facts: Facts) -> Verdict:
    """Return the outcome of somebody of whom nothing can be read."""
    return Verdict(
        "directory",
        "warn",
        "warning",
        f"Microsoft’s record of {facts.name} cannot be used, and nothing is changed for them.",
        "a record that can be read.",
        "Every run tries again; it mends itself as soon as Microsoft shows the record.",
    )


def soon(facts: Facts, sentence: str) -> Verdict:
    """Return the outcome of what happens by itself, if runs do."""
    if facts.stopped:
        return Verdict("runs", "warn", "clock", sentence, "a run.", facts.stopped, (Door.CONNECTOR,), NEEDED)
    return Verdict(
        "",
        "ok",
        "clock",
        sentence,
        "nothing.",
        "Runs begin every five minutes, and at once with Synchronize Now.",
        (Door.CONNECTOR,),
        NEEDED,
    )


def way_back(facts: Facts, situation: Situation) -> tuple[str, str]:
    """Return what would end a leaving situation, and the step of the chain it hangs on."""
    name = facts.name
    if situation is Situation.DELETED:
        return f"{name}’s user in Entra restored. Microsoft keeps deleted users for 30 days.", "directory"
    if situation is Situation.DISABLED:
        return f"{name} enabled in Entra.", "enabled"
    if facts.left_out is not None:
        return setting(facts, facts.left_out), "setting"
    return f"{name} in {quoted(facts.group_name)} again.", "group"


def setting(facts: Facts, reason: LeftOutReason) -> str:
    """Return what would end that a setting leaves somebody out."""
    if reason is LeftOutReason.GUEST:
        return "the setting Leave out guests taken away."
    return f"{facts.name} as a direct member of {quoted(facts.group_name)}, or the setting Direct members only off."


def licence(facts: Facts, sentence: str) -> Verdict:
    """Return the outcome of who waits for a licence."""
    licences = facts.licences
    number = max(licences.short, 1)
    few = "1 more free licence." if number == 1 else f"{number:,} more free licences."
    used = f"{licences.used:,} of {licences.purchased or 0:,} are in use"
    ahead = {0: "and nobody has been waiting longer", 1: "and one person has been waiting longer"}.get(
        len(licences.ahead), f"and {len(licences.ahead):,} people have been waiting longer"
    )
    more = f"{used}, {ahead}. {NEXT_RUN}"
    return Verdict("licence", "warn", "hourglass", sentence, few, more, (Door.BUY_LICENCES, Door.FREE_LICENCES))
