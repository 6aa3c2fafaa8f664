"""What a directory says: frozen facts about people and groups, and the ways asking can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Person:
    """Hold what a directory says of one person.

    `object_id` is the directory object id, lower case. Texts are stripped; an absent one is ''.
    """

    object_id: str
    enabled: bool
    guest: bool
    display_name: str
    given_name: str
    surname: str
    mail: str
    user_principal_name: str

    @property
    def name(self) -> str:
        """Return the name to show for this person."""
        return self.display_name or f"{self.given_name} {self.surname}".strip() or self.user_principal_name


class GroupState(StrEnum):
    COMPLETE = "complete"
    GONE = "gone"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class GroupReading:
    """Hold one group as it was read: all of its people, or the fact that it could not be read.

    `members` maps the object id of each person in it, those of nested groups included, to the display
    name of the nested group they are in it through; '' stands for a direct member. A person who is both is direct.
    `unread` are members whose records say nothing usable: they are in the group, and not among `members`.
    A group that is not COMPLETE has no members here, which never means that it is empty.
    """

    id: str
    state: GroupState
    name: str = ""
    members: Mapping[str, str] = field(default_factory=dict)
    sentence: str = ""
    """Why it is not COMPLETE, for an administrator; '' where it is."""

    unread: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.state is not GroupState.COMPLETE and self.members:
            raise ValueError("A group that was not read completely has no members to tell of.")

    @property
    def complete(self) -> bool:
        """Say whether every member of the group, nested ones included, was read."""
        return self.state is GroupState.COMPLETE


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold one complete reading of everything a sync run needs.

    `people` holds every member of the sync group and every asked person who exists; `asked` are the object ids
    that were looked up by id, and `gone` those of them the directory positively does not hold any more.
    `unread` are people whose record said nothing usable, each with a sentence: nothing is known of them, but that the
    sync group's `unread` lists some. They are nowhere else here, and nothing may be concluded from that.
    Raises ValueError where anything asked for is missing: an incomplete snapshot cannot be made.
    """

    tenant_id: str
    sync_group: GroupReading
    people: Mapping[str, Person]
    asked: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    additional: tuple[GroupReading, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sync_group.members.keys() <= self.people.keys():
            raise ValueError("A member of the sync group was not read.")
        if not self.gone <= self.asked:
            raise ValueError("A person is called gone who was never looked up.")
        if any(object_id in self.people for object_id in self.gone):
            raise ValueError("A person cannot be both read and gone.")
        if any(object_id not in self.people and object_id not in self.gone for object_id in self.asked):
            raise ValueError("A person was looked up and is neither read nor gone.")
        if not self.sync_group.unread <= self.unread.keys():
            raise ValueError("A member of the sync group is unread, and nothing says why.")
        if any(object_id in self.people or object_id in self.asked for object_id in self.unread):
            raise ValueError("A person cannot be both read and unread.")


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """Hold what a person needs to choose a group: `kind` is a word for people, `warning` a sentence or ''.

    `members` is None where the directory does not tell; `sample` holds some members' display names. A group that is
    not `readable` keeps its members from this application, and cannot be synchronised.
    """

    id: str
    name: str
    kind: str
    members: int | None
    sample: tuple[str, ...] = ()
    warning: str = ""
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Verification:
    """Hold the proof that a connection works: the tenant's GUID and the permissions its token carries."""

    tenant_id: str
    permissions: frozenset[str]


class Remedy(StrEnum):
    """Say who must act for an error to end."""

    CUSTOMER = "customer"
    WAIT = "wait"
    US = "us"


class Cause(StrEnum):
    """Name what must be put right before a directory that refuses a connection accepts it again."""

    CREDENTIAL = "credential"
    CONSENT = "consent"
    IDS = "ids"
    OTHER = "other"


class DirectoryError(Exception):
    """Say in a sentence, with a next step, why a directory could not be asked.

    `reference` is Microsoft's code and request id where there are any; never a secret, never a payload. `field` names
    what was typed wrongly: "tenant", "client_id", "secret", "cloud", or '' where it is not one of them.
    """

    remedy: Remedy = Remedy.US

    def __init__(self, sentence: str, *, reference: str = "", field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.reference = reference
        self.field = field


class CredentialRejected(DirectoryError):
    """Microsoft refuses the application, its secret, or the tenant: Unauthorized."""

    remedy = Remedy.CUSTOMER


class ConsentMissing(DirectoryError):
    """The application lacks a permission in this tenant: Unauthorized. `permissions` names the missing ones."""

    remedy = Remedy.CUSTOMER

    def __init__(self, sentence: str, *, permissions: frozenset[str], reference: str = "") -> None:
        super().__init__(sentence, reference=reference)
        self.permissions = permissions


class SyncGroupMissing(DirectoryError):
    """A group that a person asked for by id does not exist in the tenant."""

    remedy = Remedy.CUSTOMER


class Throttled(DirectoryError):
    """Microsoft asks to wait longer than a run should hold a worker: nothing before `until`."""

    remedy = Remedy.WAIT

    def __init__(self, sentence: str, *, until: datetime, reference: str = "") -> None:
        super().__init__(sentence, reference=reference)
        self.until = until


class Unavailable(DirectoryError):
    """Microsoft cannot be reached, or its answer was cut off: the next run tries again, nothing changes.

    `status` is that of an answer that told of a fault of its own; 0 where there was none.
    """

    remedy = Remedy.WAIT

    def __init__(self, sentence: str, *, reference: str = "", status: int = 0) -> None:
        super().__init__(sentence, reference=reference)
        self.status = status


class Unexpected(DirectoryError):
    """Microsoft answered in a way this program does not understand: ours to look into."""

    remedy = Remedy.US
