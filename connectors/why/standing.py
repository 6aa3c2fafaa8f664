"""The outcome of who stays as they are: the plan has no line of them, or there is no plan."""

from __future__ import annotations

from connectors.directory import GroupState
from connectors.plan import AccountFacts, Skipped
from connectors.states import Action, Situation, SkipReason
from connectors.why.skips import REASONS
from connectors.why.values import Door, Facts, Memory, day, quoted
from connectors.why.ways import NEEDED, NEXT_RUN, Verdict, licence, setting, soon, way_back
from tenants.states import AccountStatus, Hand, ManagedBy, PendingReason


def standing(facts: Facts) -> Verdict:
    """Return the outcome of who is in no line of the plan."""
    account = facts.account
    if account is None:
        return _without_account(facts)
    if account.linked_elsewhere:
        return REASONS[SkipReason.OTHER_CONNECTOR](facts, _NO_LINE)
    if account.status is AccountStatus.PERSONAL:
        return _personal(facts)
    if account.status is AccountStatus.DELETED:
        return _deleted(facts, account)
    if account.link is None:
        return _unmanaged(facts, account)
    if not facts.complete:
        return _group_unknown(facts, "stays as it is")
    return _managed(facts, account)


_NO_LINE = Skipped("", SkipReason.OTHER_CONNECTOR, None)


def _without_account(facts: Facts) -> Verdict:
    name, group = facts.name, quoted(facts.group_name)
    if facts.person is None:
        return Verdict(
            "directory",
            "info",
            "user-skip",
            f"{name} is not in the directory, and has no account here.",
            f"a user in Entra who is in {group}.",
            "Check the spelling first: an address is looked up as it is written in Entra.",
        )
    if not facts.complete:
        return _group_unknown(facts, "gets no account")
    if facts.left_out is not None:
        return Verdict(
            "setting",
            "warn",
            "filter",
            f"{name} has no account: they are in the sync group, and a setting leaves them out.",
            setting(facts, facts.left_out),
            NEXT_RUN,
            (Door.SETTINGS,),
        )
    thing = f"{name} in {group}."
    more = f"Directly, or through a group that is in it. {NEXT_RUN}"
    if not facts.person.enabled:
        thing = f"{name} enabled in Entra, and in {group}."
        more = "Either alone changes nothing."
    elif facts.rules.actions[Situation.NEW] is Action.NOTHING:
        more = "The rule for somebody new says do nothing, so that must change too."
    elif not facts.address:
        more = "They also need a usable email address in Entra before they get an account."
    return Verdict(
        "group", "warn", "user-skip", f"{name} has no account, because they are not in the sync group.", thing, more
    )


def _group_unknown(facts: Facts, outcome: str) -> Verdict:
    deleted = facts.group_state is GroupState.GONE
    state = "does not exist any more" if deleted else "cannot be read completely"
    thing = "another sync group." if deleted else "a sync group that can be read, with all groups nested in it."
    return Verdict(
        "group",
        "warn",
        "users-missing",
        f"{facts.name} {outcome}, because the sync group {state}."
        if facts.account is None
        else f"{facts.name}’s account {outcome}, because the sync group {state}.",
        thing,
        "Nobody loses an account by this, and nobody gets one.",
        (Door.GROUPS,),
    )


def _personal(facts: Facts) -> Verdict:
    return Verdict(
        "account",
        "info",
        "home",
        f"{facts.name} left the company, and the account lives on as its owner’s own.",
        "its owner, invited to rejoin.",
        "No sync pulls a personal account back.",
        (Door.ACCOUNT,),
    )


def _unmanaged(facts: Facts, account: AccountFacts) -> Verdict:
    """Return the outcome of an account that no connector manages."""
    sentence = f"{facts.name} has an account that Password Boss manages. It is {account.status.label}."
    if account.barred:
        sentence = (
            f"{facts.name}’s account is managed by Password Boss, because a person handed it back."
            f" It is {account.status.label}."
        )
        return Verdict(
            "decision",
            "ok",
            "mark",
            sentence,
            "that decision lifted: let the connector manage it again.",
            "Until then no sync changes the account.",
            (Door.ACCOUNT,),
        )
    who = facts.name if facts.person is not None else "somebody with this address"
    waits = account.status is AccountStatus.ACTIVE and not account.claimed
    return Verdict(
        "group" if facts.person is not None else "directory",
        "ok",
        "mark",
        sentence,
        f"{who} in {quoted(facts.group_name)}.",
        "Then it becomes managed by Azure AD. Until then no sync changes it.",
        (Door.ACCOUNT, Door.RESEND) if waits else (Door.ACCOUNT,),
    )


def _managed(facts: Facts, account: AccountFacts) -> Verdict:
    name = facts.name
    if account.status is AccountStatus.PENDING:
        if account.pending_reason is PendingReason.LICENCE and facts.in_scope:
            return licence(facts, f"{name} has an account that waits for a licence.")
        return Verdict(
            "account",
            "warn",
            "hourglass",
            f"{name} has an account that waits for an administrator’s approval.",
            "a person who approves it.",
            "It needs a licence then. No sync approves it.",
            (Door.ACCOUNT,),
        )
    if account.status is AccountStatus.DISABLED:
        return _disabled(facts, account)
    if not facts.holding:
        return _well(facts, account)
    return Verdict("rule", "ok", "check-circle", f"{name} keeps the account.", "another rule.", "", (Door.RULES,))


def _well(facts: Facts, account: AccountFacts) -> Verdict:
    """Return the outcome of an active account in its place: all that may be missing is its owner."""
    name = facts.name
    until = f"It stays so until {name} is out of {quoted(facts.group_name)}, or disabled in Entra."
    if account.claimed:
        well = f"{name} has an active account, and everything is as it should be."
        return Verdict("", "ok", "check-circle", well, "nothing.", until, label=NEEDED)
    waits = f"{name} has an active account, and has not accepted the invitation yet."
    # While the directory reports another address, no one-time link goes to the old one.
    moved = facts.address and facts.address != account.email.lower()
    return Verdict("", "ok", "mail", waits, f"{name} to accept it.", until, () if moved else (Door.RESEND,), NEEDED)


def _disabled(facts: Facts, account: AccountFacts) -> Verdict:
    if account.disabled_by is Hand.PERSON:
        return REASONS[SkipReason.DISABLED_BY_PERSON](facts, _NO_LINE)
    holding = facts.holding
    for situation, why in (
        (Situation.DELETED, "they are no longer in the directory"),
        (Situation.DISABLED, "they are disabled in Entra"),
        (Situation.REMOVED, "they are not in the sync group"),
    ):
        if situation not in holding:
            continue
        if situation is Situation.REMOVED and facts.left_out is not None:
            why = "a setting leaves them out of the sync group"
        thing, stop = way_back(facts, situation)
        more = "Then the rule RETURNED decides what becomes of the account."
        if situation is Situation.DISABLED and Situation.REMOVED in holding:
            thing, more = f"{facts.name} enabled in Entra, and in {quoted(facts.group_name)}.", f"Both. {more}"
        return Verdict(
            stop,
            "warn",
            "minus-circle",
            f"{facts.name}’s account is disabled, because {why}.",
            thing,
            more,
            (Door.RULES,) if stop != "setting" else (Door.SETTINGS,),
        )
    return soon(facts, f"{facts.name}’s account is disabled, and the next run looks at it again.")


def _deleted(facts: Facts, account: AccountFacts) -> Verdict:
    until = f" until {day(facts.restorable_until)}" if facts.restorable_until is not None else ""
    if account.deleted_by is Hand.PERSON or account.link is None:
        by = "a person" if account.deleted_by is Hand.PERSON else "a connector"
        return Verdict(
            "decision",
            "info",
            "trash",
            f"{facts.name}’s account was deleted by {by}.",
            f"a person who restores it{until}." if until else "a new account.",
            "" if until else "Nothing is left of this one.",
            (Door.ACCOUNT,),
        )
    situation = min(facts.holding, key=_LATER.index) if facts.holding else Situation.REMOVED
    thing, stop = way_back(facts, situation)
    return Verdict(
        stop,
        "warn",
        "trash",
        f"{facts.name}’s account was deleted by the connector.",
        thing,
        f"Within its time{until}, the account is then restored; later they get a new one.",
        (Door.ACCOUNT,),
    )


_LATER = (Situation.DELETED, Situation.DISABLED, Situation.REMOVED)


# From memory


def remembered(facts: Facts, memory: Memory) -> Verdict:
    """Return the outcome where no directory answers."""
    account = facts.account
    if account is not None:
        managed = "Azure AD" if account.managed_by is ManagedBy.AZURE_AD else "Password Boss"
        outcome = f"{facts.name} has an account: {account.status.label}, managed by {managed}."
    elif memory.finding:
        outcome = f"{facts.name} has no account. At the last run: {memory.finding}"
    else:
        outcome = f"{facts.name} has no account here, and the directory cannot be asked."
    return Verdict(
        "directory",
        "warn",
        "cloud-off",
        outcome,
        memory.sentence,
        "This is what the portal remembers; the directory may say something else by now.",
        (memory.door,),
        "Why not from the directory",
    )
