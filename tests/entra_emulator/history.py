"""What the directory was: the log of changes that delta answers from, and the index that lags behind."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.entra_emulator.objects import DirectoryObject, attributes_of, graph_name
from tests.entra_emulator.verbs import verb

CREATED, CHANGED, SOFT_DELETED, RESTORED, DELETED, MEMBER = (
    "created",
    "changed",
    "soft-deleted",
    "restored",
    "deleted",
    "member",
)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one user or group: which properties, or which member of what kind."""

    kind: type[DirectoryObject]
    id: str
    what: str
    names: frozenset[str] = frozenset()
    member: str = ""
    member_kind: type[DirectoryObject] | None = None


class History:
    """The part of `Tenant` that remembers.

    ``untidy`` makes delta answers as untidy as Graph's may be: replays, removed objects in the first
    round. ``delta_valid_from`` is the place in the log before which tokens are void.
    """

    def __init__(self) -> None:
        self.log: list[Change] = []
        self.untidy = False
        self.delta_valid_from = 0
        self.index: Any = None

    def note(
        self,
        item: DirectoryObject,
        what: str,
        *,
        attributes: Iterable[str] = (),
        member: DirectoryObject | None = None,
    ) -> None:
        """Write a change into the log."""
        names = frozenset(graph_name(name) for name in attributes)
        kind = type(member) if member else None
        self.log.append(Change(type(item), item.id, what, names, member.id if member else "", kind))

    @verb
    def untidy_delta(self, untidy: bool = True) -> None:
        """Let delta repeat itself, and mention the removed in its first round."""
        self.untidy = untidy

    @verb
    def reset_delta(self) -> None:
        """Void every delta token issued so far, as a server does that lost its state: 410 with Location."""
        self.log.append(Change(DirectoryObject, "", "reset"))
        self.delta_valid_from = len(self.log)

    @verb
    def hold_index(self) -> None:
        """Let advanced queries see the directory as it is now, whatever happens to it later."""
        held = copy.copy(self)
        for name in ("people", "groups", "others", "service_principals"):
            objects: dict[str, DirectoryObject] = getattr(self, name)
            setattr(held, name, {key: _copy(item) for key, item in objects.items()})
        held.__dict__["members"] = {key: dict(value) for key, value in self.__dict__["members"].items()}
        held.__dict__.update(index=None, _cache={}, _cached_at=-1)
        self.index = held

    @verb
    def release_index(self) -> None:
        """Let advanced queries see the present again."""
        self.index = None


def _copy(item: Any) -> Any:
    return type(item)(**{name: getattr(item, name) for name in attributes_of(type(item))})
