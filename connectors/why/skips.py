"""Why a situation leads to no change, each reason with its outcome."""

from __future__ import annotations

from collections.abc import Callable

from connectors.plan import Skipped
from connectors.states import Situation, SkipReason
from connectors.why.values import Door, Facts, isolated
from connectors.why.ways import NEXT_RUN, Verdict, unread, way_back


def skipped(facts: Facts) -> Verdict:
    """Return the outcome of what the plan passes over."""
    # Several situations may hold; a rule that says nothing is the least of them.
    line = min(facts.skipped, key=lambda one: _WEIGHT.get(one.reason, 0))
    return REASONS[line.reason](facts, line)


_WEIGHT = {SkipReason.RULE: 2, SkipReason.KEPT: 1}


def _rule(facts: Facts, line: Skipped) -> Verdict:
    name = facts.name
    if line.situation is Situation.NEW:
        return Verdict(
            "rule",
            "warn",
            "minus-circle",
            f"{name} gets no account, because the rule for somebody new says: do nothing.",
            "another rule for NEW.",
            f"Or create the account by hand. {NEXT_RUN}",
            (Door.RULES,),
        )
    if line.situation is Situation.RETURNED:
        return Verdict(
            "rule",
            "warn",
            "minus-circle",
            f"{name} is back, and the account stays as it is, because the rule RETURNED says: do nothing.",
            "another rule for RETURNED.",
            "Or a person enables or restores the account.",
            (Door.RULES, Door.ACCOUNT),
        )
    why = {
        Situation.DISABLED: "although they are disabled in Entra",
        Situation.DELETED: "although they are no longer in the directory",
    }.get(line.situation or Situation.REMOVED, "although they are not in the sync group")
    return Verdict(
        "rule",
        "ok",
        "check-circle",
        f"{name} keeps the account, {why}: the rule {(line.situation or Situation.REMOVED).label} says: do nothing.",
        f"another rule for {(line.situation or Situation.REMOVED).label}.",
        "",
        (Door.RULES,),
    )


def _kept(facts: Facts, line: Skipped) -> Verdict:
    situation = line.situation or Situation.REMOVED
    thing, _ = way_back(facts, situation) if situation is not Situation.RETURNED else ("", "")
    end = f"It ends by itself with {thing}" if thing else "It ends by itself when they leave again."
    return Verdict(
        "decision",
        "ok",
        "shield",
        f"{facts.name}’s account stays as it is, because a person keeps it.",
        "another decision about the account.",
        end,
        (Door.ACCOUNT,),
    )


def _spared(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "spared",
        "warn",
        "shield",
        f"{facts.name} keeps the account, because the company would be left without an active administrator.",
        "another active administrator.",
        "Then the rules apply to this account as to any other.",
        (Door.ACCOUNT,),
    )


def _no_email(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "email",
        "warn",
        "user-skip",
        f"{facts.name} gets no account, because the directory has no usable email address for them.",
        "a usable address in their mail attribute in Entra.",
        NEXT_RUN,
    )


def _two_newcomers(facts: Facts, line: Skipped) -> Verdict:
    others = ", ".join(isolated(twin) for twin in facts.twins) or "somebody else"
    return Verdict(
        "email",
        "warn",
        "user-skip",
        f"{facts.name} gets no account, because {others} in the sync group has the same email address.",
        "different addresses in Entra, or only one of them in the sync group.",
        f"Neither of them gets an account before. {NEXT_RUN}",
    )


def _address_taken(facts: Facts, line: Skipped) -> Verdict:
    holder = _holder(facts)
    if not line.question:
        return Verdict(
            "email",
            "warn",
            "user-skip",
            f"{facts.name} gets no account yet, because {holder} has the address.",
            "the address freed.",
            f"It is free as soon as that account is deleted. {NEXT_RUN}",
            (Door.ACCOUNT,),
        )
    return Verdict(
        "email",
        "warn",
        "user-skip",
        f"{facts.name} gets no account, because {holder} has the address and carries another identity.",
        "a person’s word: is it the same person, or someone else?",
        "Renamed, or recreated in Entra: the same person. An address passed on: someone else, who waits for it.",
        (Door.HELD,),
    )


def _holder(facts: Facts) -> str:
    if facts.holder is None:
        return "another account of this company"
    name = f"{facts.holder.first_name} {facts.holder.last_name}".strip() or facts.holder.email
    return f"the account of {isolated(name)} ({facts.holder.status.label})"


def _address_personal(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "email",
        "warn",
        "home",
        f"{facts.name} gets no account, because somebody who left the company keeps the address.",
        "the personal account’s owner, invited to rejoin.",
        "A personal account is its owner’s: no sync takes it back. Or give this person another address in Entra.",
    )


def _restore_taken(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "email",
        "warn",
        "user-skip",
        f"{facts.name}’s deleted account is not restored, because {_holder(facts)} has its address.",
        "the address freed.",
        "It is free as soon as that account is deleted.",
        (Door.ACCOUNT,),
    )


def _restore_twice(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "email",
        "warn",
        "user-skip",
        f"{facts.name}’s account is not restored, because another deleted one with its address returns too.",
        "only one of the two in the sync group.",
        "Or a person restores one of them.",
        (Door.ACCOUNT,),
    )


def _not_claimed(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "account",
        "warn",
        "user-skip",
        f"{facts.name}’s account does not become personal, because its owner has never accepted the invitation.",
        "the invitation accepted.",
        "Or another rule: disabled and deleted can be any account.",
        (Door.RULES, Door.ACCOUNT),
    )


def _deleted_by_person(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "decision",
        "warn",
        "trash",
        f"{facts.name} gets no account, because a person deleted the one they had.",
        "that decision lifted: restore the account, or let the connector manage them again.",
        "It also ends when they leave the sync group.",
        (Door.ACCOUNT,),
    )


def _handed_back(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "decision",
        "ok",
        "mark",
        f"{facts.name}’s account is managed by Password Boss, because a person handed it back.",
        "that decision lifted: let the connector manage it again.",
        "Until then no sync changes the account.",
        (Door.ACCOUNT,),
    )


def _disabled_by_person(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "decision",
        "warn",
        "minus-circle",
        f"{facts.name}’s account is disabled, because a person disabled it. A sync does not enable it.",
        "a person who enables it.",
        "",
        (Door.ACCOUNT,),
    )


def _disabled_newcomer(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "enabled",
        "warn",
        "user-skip",
        f"{facts.name} has no account, because they are disabled in Entra.",
        f"{facts.name} enabled in Entra.",
        NEXT_RUN,
    )


def _declined(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "decision",
        "warn",
        "x-circle",
        f"{facts.name} gets no account, because a person declined it.",
        f"{facts.name} out of the sync group, and in it again.",
        "Or create the account by hand: the connector then links it.",
    )


def _unread(facts: Facts, line: Skipped) -> Verdict:
    return unread(facts)


def _other_connector(facts: Facts, line: Skipped) -> Verdict:
    return Verdict(
        "account",
        "ok",
        "sync",
        f"{facts.name}’s account is managed by another connector of this company.",
        "the other connector.",
        "Ask there what becomes of the account.",
        (Door.ACCOUNT,),
    )


REASONS: dict[SkipReason, Callable[[Facts, Skipped], Verdict]] = {
    SkipReason.RULE: _rule,
    SkipReason.KEPT: _kept,
    SkipReason.SPARED: _spared,
    SkipReason.NO_EMAIL: _no_email,
    SkipReason.TWO_NEWCOMERS: _two_newcomers,
    SkipReason.ADDRESS_TAKEN: _address_taken,
    SkipReason.ADDRESS_PERSONAL: _address_personal,
    SkipReason.RESTORE_TAKEN: _restore_taken,
    SkipReason.RESTORE_TWICE: _restore_twice,
    SkipReason.NOT_CLAIMED: _not_claimed,
    SkipReason.DELETED_BY_PERSON: _deleted_by_person,
    SkipReason.HANDED_BACK: _handed_back,
    SkipReason.DISABLED_BY_PERSON: _disabled_by_person,
    SkipReason.DISABLED_NEWCOMER: _disabled_newcomer,
    SkipReason.DECLINED: _declined,
    SkipReason.UNREAD: _unread,
    SkipReason.OTHER_CONNECTOR: _other_connector,
}
