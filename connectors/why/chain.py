"""The chain: each fact with its evidence, in the order in which they decide, and the answer made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from connectors.directory import GroupState, Person
from connectors.plan import AccountFacts, Rules
from connectors.plan.email import LONGEST, TENANT_DOMAINS
from connectors.plan.table import State, state_of
from connectors.states import Action, HoldCause, LeftOutReason, Situation, SkipReason
from connectors.why.values import Answer, Decision, Door, Fact, Facts, Memory, day, isolated, quoted
from connectors.why.verdict import judge
from tenants.states import AccountStatus, Hand, ManagedBy, PendingReason

_NAMED = 3
"""So many of those who wait longer for a licence are named."""


def explain(facts: Facts) -> Answer:
    """Return the outcome first, then the one thing, then the facts in order."""
    verdict = judge(facts)
    return Answer(
        name=facts.name,
        tone=verdict.tone,
        icon=verdict.icon,
        verdict=verdict.sentence,
        thing=verdict.thing,
        more=verdict.more,
        facts=tuple(_chain(facts, verdict.stop, verdict.tone)),
        doors=verdict.doors,
        thing_label=verdict.label,
    )


def _chain(facts: Facts, stop: str, tone: str) -> Iterator[Fact]:
    stopped = not stop
    for key, make in _STEPS:
        fact = make(facts)
        if fact is None:
            continue
        if key == stop:
            stopped = True
            icon = "warning" if fact.icon == "check-circle" and key != "account" else fact.icon
            fact = replace(fact, mark="stop", icon=icon)
        elif fact.mark == "stop":
            # It would stand in the way as well, but it is not what decides.
            fact = replace(fact, mark="next" if stopped or tone == "warn" else "fact")
        yield fact


def _directory(facts: Facts) -> Fact:
    if facts.memory is not None:
        as_of = facts.memory.as_of
        title = "The directory cannot be asked" if as_of is not None else "No directory was asked"
        return Fact(title, facts.memory.reference or "What follows is the portal’s own memory.", "cloud-off", "stop")
    if facts.unread:
        return Fact("In the directory, with a record that cannot be used", facts.unread, "warning", "stop")
    if facts.person is not None:
        return Fact("In the directory", _found_by(facts, facts.person), aside=facts.tenant, code=facts.person.object_id)
    if facts.gone:
        text = "The directory holds no user with the object ID of this account any more."
        code = facts.account.object_id if facts.account is not None else ""
        return Fact("No longer in the directory", text, "x-circle", "stop", facts.tenant, code)
    return Fact("Not in the directory", "Nobody has this address or name.", "x-circle", "stop", facts.tenant)


def _found_by(facts: Facts, person: Person) -> str:
    asked = facts.asked.casefold()
    if asked and asked in (person.mail.casefold(), person.user_principal_name.casefold()):
        return "Found by this email. Object ID"
    if "@" in asked and facts.account is None:
        return "Found by another address of theirs. Object ID"
    return "Object ID"


def _enabled(facts: Facts) -> Fact | None:
    if facts.person is None:
        return None
    if facts.person.enabled:
        return Fact("Enabled in Entra", "May sign in to Microsoft.")
    return Fact("Disabled in Entra", "May not sign in to Microsoft.", "minus-circle", "stop")


def _group(facts: Facts) -> Fact | None:
    if facts.memory is not None:
        return _group_remembered(facts.memory)
    if facts.group_state is GroupState.GONE:
        text = facts.group_sentence or "It was deleted in Entra."
        return Fact("The sync group does not exist any more", text, "users-missing", "stop")
    if not facts.complete:
        return Fact("The sync group cannot be read", facts.group_sentence, "users-missing", "stop")
    if facts.person is None:
        return None
    group = quoted(facts.group_name)
    if facts.via is None:
        text = f"{group} was read completely, with the groups nested in it."
        return Fact("Not in the sync group", text, "user-skip", "stop")
    if facts.via:
        return Fact("In the sync group", f"Through {quoted(facts.via)}, which is nested in {group}.")
    return Fact("In the sync group", f"Directly in {group}.")


def _group_remembered(memory: Memory) -> Fact | None:
    if memory.situations is None:
        if not memory.finding:
            return None
        return Fact("At the last run", memory.finding, "clock", "fact", at=memory.as_of)
    if not memory.situations:
        text = "They were enabled and in the sync group."
    else:
        text = f"{' and '.join(_HELD_THEN[one] for one in Situation if one in memory.situations)}."
        text = text[0].upper() + text[1:]
    return Fact("At the last run", text, "clock", "fact", at=memory.as_of)


_HELD_THEN = {
    Situation.NEW: "they were new",
    Situation.DISABLED: "they were disabled in Entra",
    Situation.REMOVED: "they were not in the sync group",
    Situation.DELETED: "they were not in the directory",
    Situation.RETURNED: "they were back",
}


def _setting_step(facts: Facts) -> Fact | None:
    if facts.left_out is None:
        return None
    if facts.left_out is LeftOutReason.GUEST:
        text = "They are a guest, a user invited from another organisation. Guests are treated as not in the group."
    else:
        text = "Only direct members count. Whoever is in a nested group is treated as not in the group."
    return Fact(f"Left out: {_SETTINGS[facts.left_out]}", text, "filter", "stop", door=Door.SETTINGS)


_SETTINGS = {LeftOutReason.GUEST: "Leave out guests", LeftOutReason.NESTED: "Direct members only"}


def _email(facts: Facts) -> Fact | None:
    person = facts.person
    if person is None:
        return None
    if not facts.address:
        return Fact("No usable email", _address_fault(person, facts.rules), "mail", "stop")
    source = "mail attribute" if person.mail else "user principal name, because mail is empty"
    if facts.holder is not None:
        text = f"{facts.address}, from the {source}. {_whose(facts.holder)}"
        return Fact("Email is in use here", text, "mail", "stop")
    if any(line.reason is SkipReason.RESTORE_TWICE for line in facts.skipped):
        text = f"{facts.address}: another deleted account of somebody who is back has it too."
        return Fact("Email is wanted twice", text, "mail", "stop")
    if facts.twins:
        others = ", ".join(isolated(twin) for twin in facts.twins)
        return Fact(
            "Email is met twice", f"{facts.address}, and {others} in the sync group has it too.", "mail", "stop"
        )
    account = facts.account
    if account is not None and account.status is not AccountStatus.DELETED and account.email.lower() != facts.address:
        text = (
            f"{facts.address}, from the {source}. The account keeps {account.email}: its address never changes,"
            " and no one-time link goes there meanwhile."
        )
        return Fact("Email differs from the account’s", text, "mail", "fact")
    mine = "theirs in this company" if account is not None else "free in this company"
    return Fact("Email is usable", f"{facts.address}, from the {source}, and {mine}.")


def _whose(holder: AccountFacts) -> str:
    if holder.status is AccountStatus.PERSONAL:
        return "Somebody who left the company keeps it with a personal account."
    name = f"{holder.first_name} {holder.last_name}".strip() or holder.email
    return f"It is the address of {isolated(name)}’s account, {holder.status.label}."


def _address_fault(person: Person, rules: Rules) -> str:
    written = person.mail or person.user_principal_name
    if not written:
        return "Neither the mail attribute nor the user principal name holds one."
    source = "mail attribute" if person.mail else "user principal name, which counts because mail is empty,"
    lower = written.lower()
    if "#ext#" in lower:
        fault = "is Microsoft’s name for a guest, to which no mail goes"
    elif lower.endswith(TENANT_DOMAINS) and not rules.allow_onmicrosoft:
        fault = "is at a domain that Microsoft gives every tenant; a setting of the connector allows these"
    elif len(written) > LONGEST:
        fault = f"is longer than {LONGEST} characters"
    else:
        fault = "is not an email address"
    return f"The {source} is {written}: it {fault}."


def _rule(facts: Facts) -> Fact | None:
    if facts.memory is not None or facts.unread:
        return None
    actions = facts.rules.actions
    situation = _situation(facts)
    if situation is None:
        return None
    action = actions[situation]
    mark = "stop" if action is Action.NOTHING and situation in (Situation.NEW, Situation.RETURNED) else ""
    label = action.label[0].lower() + action.label[1:]
    icon = "minus-circle" if mark else "list"
    return Fact(f"Rule {situation.label}: {label}", _WHEN[situation], icon, mark or "fact", door=Door.RULES)


def _situation(facts: Facts) -> Situation | None:
    """Return the situation whose rule applies now, or would apply next."""
    line = facts.change or (facts.held.change if facts.held is not None else None)
    if line is not None and line.because.situation is not None:
        return line.because.situation
    if facts.skipped and facts.skipped[0].situation is not None:
        return facts.skipped[0].situation
    if facts.account is None:
        return Situation.NEW if facts.person is not None and facts.person.enabled else None
    if facts.account.link is None:
        return None
    state = state_of(facts.account)
    if state in (State.DISABLED, State.DELETED, State.DELETED_DISABLED):
        return Situation.RETURNED
    return next(
        (one for one in (Situation.DISABLED, Situation.REMOVED, Situation.DELETED) if one in facts.holding), None
    )


_WHEN = {
    Situation.NEW: "For somebody new in the sync group.",
    Situation.DISABLED: "For somebody who is disabled in Entra.",
    Situation.REMOVED: "For somebody who is no longer in the sync group.",
    Situation.DELETED: "For somebody who is no longer in the directory.",
    Situation.RETURNED: "For somebody who is back, and whose account the connector had disabled or deleted.",
}


def _decision(facts: Facts) -> Fact | None:
    decisions = facts.decisions or tuple(Decision(what) for what in _decided(facts))
    if not decisions:
        return None
    parts = []
    for one in decisions:
        by = f", {isolated(one.by)}" if one.by else ""
        since = f", {day(one.since)}" if one.since is not None else ""
        parts.append(f"{one.what}{by}{since}.")
    return Fact("A person decided", " ".join(parts), "user", "fact")


def _decided(facts: Facts) -> Iterator[str]:
    """Return the decisions that the account or the plan tells of, without who made them."""
    account = facts.account
    if account is not None and account.deleted_by is Hand.PERSON:
        yield "Deleted the account"
    elif account is not None and account.barred:
        yield "Handed the account back to Password Boss"
    if account is not None and account.disabled_by is Hand.PERSON:
        yield "Disabled the account"
    reasons = {line.reason for line in facts.skipped}
    if SkipReason.KEPT in reasons:
        yield "Keeps the account as it is"
    if SkipReason.DECLINED in reasons:
        yield "Declined to create or restore the account"


def _spared(facts: Facts) -> Fact | None:
    if all(line.reason is not SkipReason.SPARED for line in facts.skipped):
        return None
    text = "Nobody else would be an active administrator of the company after the run."
    return Fact("The last active administrator", text, "shield", "stop")


def _licence(facts: Facts) -> Fact | None:
    licences, account = facts.licences, facts.account
    waits = licences.short > 0
    asks = account is None or account.status is not AccountStatus.ACTIVE
    coming = facts.change is not None and facts.change.status is AccountStatus.ACTIVE
    if facts.memory is not None or facts.person is None or not (waits or asks or coming):
        return None
    if licences.purchased is None:
        return Fact("Licences are unlimited", f"{licences.used:,} are in use.")
    used = f"{licences.used:,} of {licences.purchased:,} in use."
    if not waits:
        if licences.free:
            title = "A licence is free" if licences.free == 1 else f"{licences.free:,} licences are free"
            return Fact(title, used)
        return Fact("No licence is left", used, "hourglass", "stop")
    text = used
    if licences.ahead:
        named = [
            f"{isolated(one.name)} since {day(one.since)}" if one.since is not None else isolated(one.name)
            for one in licences.ahead[:_NAMED]
        ]
        more = len(licences.ahead) - _NAMED
        rest = f", {more:,} more" if more > 0 else ""
        text = f"{used} Waiting, longest first: {', '.join(named)}{rest}, then {facts.name}."
    return Fact("No licence is left", text, "hourglass", "stop")


def _held(facts: Facts) -> Fact | None:
    if facts.held is None:
        return None
    cause = HoldCause(facts.held.cause)
    return Fact("Held until a person decides", f"{cause.label}.", "held", "stop", door=Door.HELD)


def _runs(facts: Facts) -> Fact | None:
    if not facts.stopped or facts.memory is not None:
        return None
    return Fact("No run happens now", facts.stopped, "pause", "stop", door=Door.CONNECTOR)


def _account(facts: Facts) -> Fact:
    account = facts.account
    if account is None:
        return Fact("No account today", "Nobody of this address or identity has one here.", "user", "fact")
    managed = "Managed by Azure AD" if account.managed_by is ManagedBy.AZURE_AD else "Managed by PB"
    parts = [managed]
    if account.status is AccountStatus.PENDING:
        reason = {PendingReason.LICENCE: "no licence was left", PendingReason.RULE: "the sync rule asks for approval"}
        parts.append(f"pending because {reason.get(account.pending_reason, 'it was so before')}")
    if account.status is AccountStatus.DISABLED:
        parts.append("disabled by a person" if account.disabled_by == "person" else "disabled by the connector")
    if account.status is AccountStatus.DELETED and facts.restorable_until is not None:
        parts.append(f"restorable until {day(facts.restorable_until)}")
    if account.status in (AccountStatus.ACTIVE, AccountStatus.PENDING):
        parts.append(
            "its owner has accepted the invitation"
            if account.claimed
            else "its owner has not accepted the invitation yet"
        )
    return Fact("Account today", f"{', '.join(parts)}.", "user", "fact", aside=account.email, status=account.status)


def _last(facts: Facts) -> Fact | None:
    if facts.last is None:
        return None
    # What was recorded as a reason may begin in lower case; here it is a sentence.
    sentences = (one[:1].upper() + one[1:] for one in facts.last.sentence.split(". "))
    return Fact("Last change", ". ".join(sentences), "clock", "fact", at=facts.last.at, run=facts.last.run)


_STEPS: tuple[tuple[str, Callable[[Facts], Fact | None]], ...] = (
    ("directory", _directory),
    ("enabled", _enabled),
    ("group", _group),
    ("setting", _setting_step),
    ("email", _email),
    ("rule", _rule),
    ("decision", _decision),
    ("spared", _spared),
    ("licence", _licence),
    ("held", _held),
    ("runs", _runs),
    ("account", _account),
    ("last", _last),
)
