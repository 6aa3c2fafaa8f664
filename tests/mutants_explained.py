"""The planted mistakes that no test can notice, each with the reason why it changes nothing."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {
    "addresses.find_holders: account.id < other.id → account.id <= other.id": (
        "The same account twice changes nothing: ids differ."
    ),
    (
        "addresses.meet_newcomers: account is None or state is None or met[newcomer.address] > 1 → state is None "
        "or met[newcomer.address] > 1"
    ): ("Of no account there is no state: the first question is there for its type."),
    "decide._bond: '' → 'not '": (
        "An account is relinked to a person who was read: the other case is there for its type."
    ),
    (
        "decide.plan_sync: change.account_id is not None and change.status in _LEAVES_EVERY_GROUP → change.status"
        " in _LEAVES_EVERY_GROUP and change.status in _LEAVES_EVERY_GROUP"
    ): ("Who leaves has an account: the question is there for its type."),
    (
        "decide.plan_sync: complete and (not census.scope) and (not snapshot.sync_group.unread) → not "
        "census.scope and (not snapshot.sync_group.unread)"
    ): (
        "Of a group that was not read completely nobody is in scope, REMOVED holds for nobody, and attention "
        "names it first."
    ),
    (
        "decide.plan_sync: leaving and (not _another_administrator(roster.accounts, leaving, "
        "draft.entries.changes)) → not _another_administrator(roster.accounts, leaving, draft.entries.changes) "
        "and (not _another_administrator(roster.accounts, leaving, draft.entries.changes))"
    ): ("Nobody to spare: the second draft, which it saves, is the first."),
    "decide.plan_sync: one.in_scope and one.person is not None → one.in_scope and one.in_scope": (
        "Who is in scope has been read: the second question is there for its type."
    ),
    "email._encodes: return False → return None": ("None is as false as False."),
    (
        "email.usable_address: not written.isascii() and (not _encodes(written.partition('@')[0], parts[2])) → "
        "not _encodes(written.partition('@')[0], parts[2]) and (not _encodes(written.partition('@')[0], "
        "parts[2]))"
    ): ("What is ASCII and fits the pattern encodes: it is passed over early to save time."),
    ("groups.mirror_groups: _precedence(mirror) < _precedence(other) → _precedence(mirror) <= _precedence(other)"): (
        "The same group twice changes nothing: ids differ."
    ),
    (
        "groups.mirror_groups: by_id or {account.id: account for account in accounts} → {account.id: account for "
        "account in accounts} or {account.id: account for account in accounts}"
    ): ("It is made once to save time, and is the same each time."),
    "joining.JoiningRules._creations: for one in fitting if isinstance(cell, Move) → for one in fitting": (
        "Where the rule creates nobody, nobody is fitting: the question is there for its type."
    ),
    (
        "joining.JoiningRules._newcomer_skipped: reason is SkipReason.ADDRESS_TAKEN and other is not None and "
        "(not self.marks.someone_else(one.object_id, other)) → reason is SkipReason.ADDRESS_TAKEN and (not "
        "self.marks.someone_else(one.object_id, other))"
    ): ("A taken address names the account that has it: the question is there for its type."),
    "joining.find_returns: one.state is State.ACTIVE or not one.back → not one.back or not one.back": (
        "An active account has no row and waits for nothing: it is passed over early to save time."
    ),
    (
        "leaving.LeavingRules._before_the_brake: def _before_the_brake(self, leaver: Leaver, result: Departures) "
        "-> Demand | None: return None → def _before_the_brake(self, leaver: Leaver, result: Departures) -> "
        "Demand | None: pass"
    ): ("A function that ends returns None."),
    ("leaving.question_rules: if not one.holding: continue else: pass → if not one.holding: pass else: pass"): (
        "Nothing is asked where nothing holds: it is passed over early to save time."
    ),
    (
        "licences.Licences.take: def take(self) -> bool: self.wanted += 1 return False → def take(self) -> bool: "
        "self.wanted += 1 pass"
    ): ("None is as false as False."),
    "licences.Licences.take: return False → return None": ("None is as false as False."),
    "lines.change_order: 0 → -1": (
        "New accounts have different addresses, so that this is compared for accounts that are here alone."
    ),
    "lines.change_order: 0 → 1": (
        "New accounts have different addresses, so that this is compared for accounts that are here alone."
    ),
    "lines.change_order: change.account_id or 0 → change.account_id or change.account_id": (
        "New accounts have different addresses, so that this is compared for accounts that are here alone."
    ),
    "memory._Endings._over: return False → return None": ("None is as false as False."),
    "memory._Endings._over: return False → return None #2": ("None is as false as False."),
    (
        "naming._directory_email: if remembered and remembered == person.mail: return remembered else: pass → if "
        "remembered and remembered == person.mail: pass else: pass"
    ): ("The address that was remembered is reported still: it is found out early to save time."),
    (
        "situations.Known.back: self.in_scope and self.person is not None and self.person.enabled → self.in_scope"
        " and self.person.enabled"
    ): ("Who is in scope has been read: the question is there for its type."),
    (
        "situations.find_owners: _preference(*found) < _preference(*other) → _preference(*found) <= _preference(*other)"
    ): ("The same account twice changes nothing: ids differ."),
    (
        "situations.find_scope: if not (rules.direct_members_only or rules.leave_out_guests): return (members, "
        "()) else: pass → if not (rules.direct_members_only or rules.leave_out_guests): pass else: pass"
    ): ("Without such a setting nobody is left out: the members are returned as they are to save time."),
    (
        "table.state_of: def state_of(account: AccountFacts) -> State | None: return None → def state_of(account:"
        " AccountFacts) -> State | None: pass"
    ): ("A function that ends returns None."),
    "values: 2 → 1": ("The planner's version, which is raised by hand: any number that was not used before does."),
    "values: 2 → 3": ("The planner's version, which is raised by hand: any number that was not used before does."),
}
