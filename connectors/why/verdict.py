"""The outcome of somebody's facts: what the next run does to them, or why it does nothing."""

from __future__ import annotations

from connectors.plan import Change, Held
from connectors.states import ChangeKind, HoldCause, Situation
from connectors.why.skips import skipped
from connectors.why.standing import remembered, standing
from connectors.why.values import Door, Facts, isolated, quoted
from connectors.why.ways import Verdict, licence, soon, unread, way_back
from tenants.states import AccountStatus, PendingReason


def judge(facts: Facts) -> Verdict:
    """Return the outcome: what the next run does to somebody, or why it does nothing."""
    if facts.memory is not None:
        return remembered(facts, facts.memory)
    if facts.unread:
        return unread(facts)
    if facts.held is not None:
        return _held(facts, facts.held)
    if facts.change is not None:
        return _changing(facts, facts.change)
    if facts.bond is not None:
        return _bonding(facts, facts.bond)
    if facts.skipped:
        return skipped(facts)
    return standing(facts)


# Held


def _held(facts: Facts, held: Held) -> Verdict:
    name, kind = facts.name, held.change.kind
    if held.cause is HoldCause.ADMIN:
        return Verdict(
            "held",
            "warn",
            "held",
            f"{name} has an administrator’s account here, and it is linked only when a person says whose it is.",
            "a person’s confirmation that the account is theirs.",
            "Until then the account stays as it is, managed by PB.",
            (Door.PREVIEW,),
        )
    what = INTENDED[kind].format(name=name)
    if held.cause is HoldCause.EMPTY_GROUP:
        return Verdict(
            "held",
            "warn",
            "held",
            f"{what}, and that waits for a person, because nobody is in the sync group.",
            f"people in {quoted(facts.group_name)} again.",
            "Until then, or until somebody approves it, the account stays as it is.",
            (Door.HELD,),
        )
    many = "join" if held.cause is HoldCause.GROWTH else "leave"
    until = (
        "Until somebody approves or declines it, there is no account."
        if facts.account is None
        else "Until somebody approves it or keeps the account, it stays as it is."
    )
    return Verdict(
        "held",
        "warn",
        "held",
        f"{what}, and that waits for a person.",
        "a person’s decision.",
        f"More people {many} at once than the brake allows. {until}",
        (Door.HELD,),
    )


INTENDED = {
    ChangeKind.CREATE: "{name} is to get an account",
    ChangeKind.CREATE_PENDING: "{name} is to get a pending account",
    ChangeKind.RESTORE: "{name}’s deleted account is to be restored",
    ChangeKind.DISABLE: "{name}’s account is to be disabled",
    ChangeKind.CONVERT: "{name}’s account is to become personal",
    ChangeKind.DELETE: "{name}’s account is to be deleted",
    ChangeKind.WITHDRAW: "{name}’s pending account is to be withdrawn",
    ChangeKind.ADOPT: "{name}’s account is to become managed by Azure AD",
}


# Planned


def _changing(facts: Facts, change: Change) -> Verdict:
    name = facts.name
    if change.kind in LOSSES:
        return _losing(facts, change)
    if change.pending_reason is PendingReason.LICENCE:
        verb = "gets an account" if facts.account is None else "gets the account back"
        return licence(facts, f"At the next run {name} {verb}, which then waits for a licence.")
    if change.kind in (ChangeKind.CREATE, ChangeKind.CREATE_PENDING):
        what = "an account" if change.status is AccountStatus.ACTIVE else "an account that an administrator approves"
        sentence = f"At the next run {name} gets {what}."
    elif change.kind is ChangeKind.ACTIVATE:
        sentence = f"At the next run {name}’s account becomes active: a licence is free."
    elif change.status is AccountStatus.ACTIVE:
        sentence = f"At the next run {name}’s account is {change.kind.label.lower()}."
    elif change.status is AccountStatus.DISABLED:
        sentence = f"At the next run {name}’s account is restored, and stays disabled, as a person had left it."
    else:
        sentence = f"At the next run {name}’s account comes back, and waits for an administrator’s approval."
    return soon(facts, sentence)


LOSSES = {
    ChangeKind.DISABLE: "is disabled",
    ChangeKind.CONVERT: "becomes personal and leaves the company",
    ChangeKind.DELETE: "is deleted",
    ChangeKind.WITHDRAW: "is withdrawn",
}


def _losing(facts: Facts, change: Change) -> Verdict:
    situation = change.because.situation or Situation.REMOVED
    thing, stop = way_back(facts, situation)
    after = {
        ChangeKind.DISABLE: "After the run, the same thing brings the account back as the rule RETURNED says.",
        ChangeKind.DELETE: "After the run, the same thing restores the account within 30 days.",
        ChangeKind.CONVERT: "After the run, only its owner can rejoin.",
        ChangeKind.WITHDRAW: "After the run, the same thing makes a new account.",
    }[change.kind]
    more = f"It must happen before the next run. {after}"
    if change.approved:
        more = f"A person approved it. {more}"
    return Verdict(
        stop,
        "warn",
        "warning",
        f"At the next run {facts.name}’s account {LOSSES[change.kind]}.",
        thing,
        more,
        (Door.RULES,),
    )


def _bonding(facts: Facts, bond: Change) -> Verdict:
    if facts.person is not None and bond.object_id != facts.person.object_id:
        return soon(
            facts,
            f"At the next run this account becomes {isolated(bond.after)}’s: a person decided that both are one.",
        )
    how = {
        ChangeKind.ADOPT: "becomes managed by Azure AD, and stays as it is otherwise",
        ChangeKind.RELINK: "goes over to the directory’s new record of them",
    }[bond.kind]
    return soon(facts, f"At the next run {facts.name}’s account {how}.")
