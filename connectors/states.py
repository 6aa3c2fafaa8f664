"""The words of the connector as enums: its status, situations, actions, runs and changes."""

from __future__ import annotations

from tenants.states import Labelled


class ConnectorStatus(Labelled):
    SETUP_INCOMPLETE = "setup_incomplete", "Setup incomplete"
    WAITING = "waiting", "Waiting for connect"
    CONNECTED = "connected", "Connected"
    UNAUTHORIZED = "unauthorized", "Unauthorized"
    REMOVED = "removed", "Removed"


LIVE = frozenset({ConnectorStatus.WAITING, ConnectorStatus.CONNECTED, ConnectorStatus.UNAUTHORIZED})
"""Statuses of a saved, not removed connector."""


class Cloud(Labelled):
    GLOBAL = "global", "Global"
    US_GOVERNMENT = "us_government", "US Government"
    US_DOD = "us_dod", "US Government (DoD)"
    CHINA = "china", "China (21Vianet)"


class CredentialKind(Labelled):
    """Name what a connector signs in with."""

    SECRET = "secret", "Client secret"
    CERTIFICATE = "certificate", "Certificate"


class Situation(Labelled):
    NEW = "new", "NEW"
    DISABLED = "disabled", "DISABLED"
    REMOVED = "removed", "REMOVED"
    DELETED = "deleted", "DELETED"
    RETURNED = "returned", "RETURNED"


LEAVING = frozenset({Situation.DISABLED, Situation.REMOVED, Situation.DELETED})
"""Situations that may move an account to the right."""


class Action(Labelled):
    NOTHING = "nothing", "Do nothing"
    CREATE = "create", "Create an account"
    CREATE_PENDING = "create_pending", "Create a pending account an administrator must approve"
    DISABLE = "disable", "Disable"
    CONVERT = "convert", "Convert to personal"
    DELETE = "delete", "Delete"
    ENABLE = "enable", "Enable"
    PENDING = "pending", "Pending approval"


STRENGTH = {Action.NOTHING: 0, Action.DISABLE: 1, Action.CONVERT: 2, Action.DELETE: 3}
"""The order of actions in which a rule only ever moves an account to the right."""

_LEAVING_CHOICES = (Action.DISABLE, Action.DELETE, Action.CONVERT, Action.NOTHING)
RULE_CHOICES: dict[Situation, tuple[Action, ...]] = {
    Situation.NEW: (Action.CREATE, Action.CREATE_PENDING, Action.NOTHING),
    Situation.DISABLED: _LEAVING_CHOICES,
    Situation.REMOVED: _LEAVING_CHOICES,
    Situation.DELETED: _LEAVING_CHOICES,
    Situation.RETURNED: (Action.ENABLE, Action.PENDING, Action.NOTHING),
}
"""What a sync rule may say in each situation; the first is the default."""


class RunTrigger(Labelled):
    SCHEDULE = "schedule", "Schedule"
    MANUAL = "manual", "Synchronize Now"
    API = "api", "API"
    COMMAND = "command", "Command"
    APPROVAL = "approval", "Approval"
    PREVIEW = "preview", "Preview"
    PUT_RIGHT = "put_right", "Put right"


class RunState(Labelled):
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ABANDONED = "abandoned", "Abandoned"


class ChangeKind(Labelled):
    """Name one kind of line in a plan and in a run's record."""

    CREATE = "create", "Created"
    CREATE_PENDING = "create_pending", "Created, pending approval"
    ADOPT = "adopt", "Adopted"
    RELINK = "relink", "Relinked"
    ENABLE = "enable", "Enabled"
    ACTIVATE = "activate", "Activated"
    RESTORE = "restore", "Restored"
    SUSPEND = "suspend", "Returned, pending approval"
    DISABLE = "disable", "Disabled"
    CONVERT = "convert", "Converted to personal"
    DELETE = "delete", "Deleted"
    WITHDRAW = "withdraw", "Withdrawn"
    RENAME = "rename", "Renamed"
    EMAIL = "email", "Email differs in the directory"
    GROUP_CREATE = "group_create", "Group created"
    GROUP_TAKE_UP = "group_take_up", "Group taken up"
    GROUP_RENAME = "group_rename", "Group renamed"
    GROUP_JOIN = "group_join", "Joined group"
    GROUP_LEAVE = "group_leave", "Left group"
    GROUP_HAND_BACK = "group_hand_back", "Group handed back"


DESTRUCTIVE = frozenset({ChangeKind.DISABLE, ChangeKind.CONVERT, ChangeKind.DELETE, ChangeKind.WITHDRAW})
"""Kinds that the brake counts as destruction."""

GROWTH = frozenset({ChangeKind.CREATE, ChangeKind.CREATE_PENDING, ChangeKind.RESTORE})
"""Kinds that the brake counts as growth; a restoration that ends pending or disabled is RESTORE too."""


class Outcome(Labelled):
    APPLIED = "applied", "Applied"
    HELD = "held", "Held"
    SKIPPED = "skipped", "Skipped"
    LEFT_OUT = "left_out", "Left out"
    FAILED = "failed", "Failed"


class HoldCause(Labelled):
    BRAKE = "brake", "More leave at once than the brake allows"
    GROWTH = "growth", "More join at once than the brake allows"
    EMPTY_GROUP = "empty_group", "Nobody is in the sync group"
    ADMIN = "admin", "An administrator's account is linked only when a person confirms it"


class MarkKind(Labelled):
    """Name what a connector remembers about one directory person between runs."""

    HELD = "held", "Held"
    APPROVED = "approved", "Approved"
    KEPT = "kept", "Kept"
    DECLINED = "declined", "Creation or restoration declined"
    SAME_PERSON = "same_person", "Same person: relink"
    SOMEONE_ELSE = "someone_else", "Someone else"
    CONFIRMED = "confirmed", "Administrator's account confirmed"


class SkipReason(Labelled):
    """Say why a situation found leads to no change; the label is its sentence."""

    RULE = "rule", "The sync rule says: do nothing."
    KEPT = "kept", "A person keeps this account as it is."
    SPARED = "spared", "The company would be left without an active administrator."
    NO_EMAIL = "no_email", "The directory has no usable email address for this person."
    TWO_NEWCOMERS = "two_newcomers", "Another newcomer has the same email address."
    ADDRESS_TAKEN = "address_taken", "An account with this email address belongs to somebody else's identity."
    ADDRESS_PERSONAL = "address_personal", "A personal account of this company keeps this email address."
    RESTORE_TAKEN = "restore_taken", "The deleted account's email address is in use again."
    RESTORE_TWICE = "restore_twice", "Two deleted accounts with this email address would return at once."
    NOT_CLAIMED = "not_claimed", "Only an account whose owner has accepted it can become personal."
    DELETED_BY_PERSON = "deleted_by_person", "A person deleted this account; it is not created again."
    HANDED_BACK = "handed_back", "A person handed this account back to Password Boss."
    DISABLED_BY_PERSON = "disabled_by_person", "A person disabled this account; a sync does not enable it."
    DISABLED_NEWCOMER = "disabled_newcomer", "This person is disabled in the directory and has no account."
    DECLINED = "declined", "A person declined to create or restore this account."
    UNREAD = "unread", "The directory's record of this person cannot be used; nothing is changed for them."
    OTHER_CONNECTOR = "other_connector", "Another connector of this company manages this account."


class LeftOutReason(Labelled):
    GUEST = "guest", "Guests are left out by this connector's setting."
    NESTED = "nested", "Only direct members are taken by this connector's setting."


class Attention(Labelled):
    """Name what a connector needs a person for; stored facts and findings decide it."""

    HELD = "held", "Changes are held"
    SYNC_GROUP_MISSING = "sync_group_missing", "The sync group was deleted"
    SYNC_GROUP_UNREADABLE = "sync_group_unreadable", "The sync group cannot be read"
    SYNC_GROUP_EMPTY = "sync_group_empty", "Nobody is in the sync group"
    GROUP_UNREADABLE = "group_unreadable", "An additional group cannot be read"
    SKIPPED = "skipped", "People are skipped"
    SPARED = "spared", "The last administrators are leaving"
    LICENCES_SHORT = "licences_short", "Licences are short"
    THROTTLED = "throttled", "Slowed by Microsoft"
    UNREACHABLE = "unreachable", "Microsoft is unreachable"
    FAILED = "failed", "The last run failed"
    CREDENTIALS_UNREADABLE = "credentials_unreadable", "The stored secret or key cannot be opened"
    SECRET_EXPIRES = "secret_expires", "The secret or certificate expires soon"
    SECRET_ENDED = "secret_ended", "The secret or certificate has expired"
    PAUSED = "paused", "Paused"


class LetterKind(Labelled):
    """Name what a mail tells of an event."""

    BEGAN = "began", "Began"
    CHANGED = "changed", "Changed"
    REMINDER = "reminder", "Goes on"
    ENDED = "ended", "Resolved"
