"""What a tenant holds (people, groups, applications), and every change that can happen to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from tests.entra_emulator.applications import Applications
from tests.entra_emulator.clouds import CLOUDS, Cloud
from tests.entra_emulator.history import CHANGED, CREATED, DELETED, MEMBER, RESTORED, SOFT_DELETED, History
from tests.entra_emulator.objects import (
    RESTORABLE,
    Device,
    DirectoryObject,
    Group,
    NotThere,
    OrgContact,
    ServicePrincipal,
    User,
    attributes_of,
    directory_id,
)
from tests.entra_emulator.verbs import verb

if TYPE_CHECKING:
    from tests.entra_emulator.emulator import Emulator

D = TypeVar("D", User, Group)


class Tenant(Applications, History):
    """One directory, with a verb for everything that can happen in it.

    Verbs take and give object ids as strings (in any case) and return the object they made or
    changed. Unknown ids raise `NotThere`. Ids are deterministic: they follow from the tenant's
    domain and the order of the calls.
    """

    def __init__(
        self, emulator: Emulator, name: str, *, domain: str, cloud: str = "global", id: str | None = None
    ) -> None:
        super().__init__()
        self.emulator = emulator
        self.name = name
        self.cloud: Cloud = CLOUDS[cloud]
        self.id = (id or directory_id("tenant", domain)).lower()
        label = re.sub(r"[^a-z0-9]", "", domain.split(".")[0].lower())
        suffix = {"usgov": "us", "dod": "us", "china": "partner.onmschina.cn"}.get(cloud, "com")
        self.initial_domain = f"{label}.{suffix}" if cloud == "china" else f"{label}.onmicrosoft.{suffix}"
        self.domains = [domain.lower(), self.initial_domain]
        self.people: dict[str, User] = {}
        self.principal_names: dict[str, str] = {}
        self.groups: dict[str, Group] = {}
        self.others: dict[str, Device | OrgContact] = {}
        self.service_principals: dict[str, ServicePrincipal] = {}
        self.deleted: dict[str, User | Group] = {}
        self.members: dict[str, dict[str, None]] = {}
        self.revision = 0
        self._made = 0
        self._cache: dict[Any, Any] = {}
        self._cached_at = -1

    def __repr__(self) -> str:
        return f"<Tenant {self.name} {self.id} ({self.cloud.name})>"

    @property
    def domain(self) -> str:
        return self.domains[0]

    # --- reading -------------------------------------------------------------------------------

    def get(self, id: str) -> DirectoryObject | None:
        """Find any living object by id."""
        id = id.lower()
        return self.people.get(id) or self.groups.get(id) or self.others.get(id) or self._principal(id)

    def _principal(self, id: str) -> ServicePrincipal | None:
        return next((item for item in self.service_principals.values() if item.id == id), None)

    @verb
    def user(self, key: str) -> User:
        """Find a living person by id, user principal name, mail or display name."""
        wanted = key.lower()
        if wanted in self.people:
            return self.people[wanted]
        for name in ("user_principal_name", "mail", "display_name"):
            for person in self.people.values():
                if (getattr(person, name) or "").lower() == wanted:
                    return person
        raise NotThere(f"{self.name} has no person {key!r}")

    @verb
    def group(self, key: str) -> Group:
        """Find a living group by id or display name."""
        wanted = key.lower()
        if wanted in self.groups:
            return self.groups[wanted]
        for group in self.groups.values():
            if (group.display_name or "").lower() == wanted:
                return group
        raise NotThere(f"{self.name} has no group {key!r}")

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """Keep what ``make`` answers until the directory changes."""
        if self._cached_at != self.revision:
            self._cache.clear()
            self._cached_at = self.revision
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def member_ids(self, group_id: str, *, transitive: bool = False) -> list[str]:
        """List the ids of living members, in the order of their ids; service principals included."""
        found: list[str] = self.cached(
            ("members", group_id, transitive), lambda: self._member_ids(group_id, transitive)
        )
        return found

    def _member_ids(self, group_id: str, transitive: bool) -> list[str]:
        found: set[str] = set()
        waiting = [group_id]
        while waiting:
            for id in self.members.get(waiting.pop(), ()):
                if id not in found and self.get(id) is not None:
                    found.add(id)
                    if transitive and id in self.groups:
                        waiting.append(id)
        return sorted(found)

    def holds_hidden_group(self, group_id: str) -> bool:
        """Tell whether a group with hidden membership is nested in this one, however deep."""
        hidden = {group.id for group in self.groups.values() if group.hidden}
        return bool(hidden) and not hidden.isdisjoint(self.member_ids(group_id, transitive=True))

    def group_ids_of(self, object_id: str, *, transitive: bool = False) -> list[str]:
        """List the ids of the living groups an object is a member of."""
        found: set[str] = set()
        waiting = [object_id]
        while waiting:
            id = waiting.pop()
            for group_id in self.groups:
                if group_id not in found and id in self.members[group_id]:
                    found.add(group_id)
                    if transitive:
                        waiting.append(group_id)
        return sorted(found)

    @verb
    def people_in(self, group_id: str, *, direct: bool = False) -> list[User]:
        """List the living people of a group, nested ones included unless ``direct``."""
        ids = self.member_ids(self.group(group_id).id, transitive=not direct)
        return [self.people[id] for id in ids if id in self.people]

    @verb
    def describe(self) -> dict[str, Any]:
        """Tell the whole directory as plain data, for an oracle that must not ask the client."""
        return {
            "id": self.id,
            "name": self.name,
            "domain": self.domain,
            "cloud": self.cloud.name,
            "users": [user.properties() for user in self.people.values()],
            "groups": [{**group.properties(), "members": self.member_ids(group.id)} for group in self.groups.values()],
            "deleted": [item.properties() for item in self.deleted.values()],
        }

    # --- people --------------------------------------------------------------------------------

    @verb
    def add_user(
        self,
        display_name: str | None,
        *,
        user_principal_name: str | None = None,
        id: str | None = None,
        **properties: Any,
    ) -> User:
        """Add a person; keywords are `User`'s attributes. Without one, the principal name is made up."""
        number = self._number()
        if user_principal_name is None:
            mail = properties.get("mail") or ""
            own = mail.rpartition("@")[2].lower() in self.domains
            taken = mail.lower() in self.principal_names
            user_principal_name = mail if own and not taken else f"user{number}@{self.domain}"
        user = User(
            (id or directory_id(self.id, "user", number)).lower(),
            display_name,
            user_principal_name,
            **{"created_date_time": self._now(), **properties},
        )
        if user.mail and not user.proxy_addresses:
            user.proxy_addresses = [f"SMTP:{user.mail}"]
        if user.mail_nickname is None:
            user.mail_nickname = re.sub(r"[^A-Za-z0-9._-]", "", user_principal_name.split("@")[0]) or None
        self._enter(user, CREATED)
        return user

    @verb
    def add_guest(self, display_name: str | None, mail: str, **properties: Any) -> User:
        """Invite a guest: a principal name with ``#EXT#`` at the tenant's initial domain."""
        local = mail.replace("@", "_")
        return self.add_user(
            display_name,
            user_principal_name=f"{local}#EXT#@{self.initial_domain}",
            mail=mail,
            **{"user_type": "Guest", "external_user_state": "Accepted", "other_mails": [mail], **properties},
        )

    @verb
    def update_user(self, user_id: str, **changes: Any) -> User:
        """Change any attributes of a person: a rename, a new mail, a moved principal name."""
        user = self._person(user_id)
        if changes.get("mail") and "proxy_addresses" not in changes:
            aliases = [f"smtp:{item[5:]}" for item in user.proxy_addresses]
            changes["proxy_addresses"] = [f"SMTP:{changes['mail']}", *aliases]
        self._change(user, changes)
        return user

    @verb
    def disable_user(self, user_id: str) -> User:
        return self.update_user(user_id, account_enabled=False)

    @verb
    def enable_user(self, user_id: str) -> User:
        return self.update_user(user_id, account_enabled=True)

    @verb
    def soft_delete_user(self, user_id: str) -> User:
        """Delete a person as an administrator does: restorable for 30 days, memberships remembered."""
        user = self._person(user_id)
        del self.people[user.id]
        del self.principal_names[user.user_principal_name.lower()]
        user.deleted_date_time = self._now()
        self.deleted[user.id] = user
        self.note(user, SOFT_DELETED)
        self._touch(user)
        return user

    @verb
    def restore_user(self, user_id: str) -> User:
        """Bring a soft-deleted person back with their memberships; their principal name must be free."""
        user = self._deleted(user_id, User)
        self._enter(user, RESTORED)
        del self.deleted[user.id]
        user.deleted_date_time = None
        return user

    @verb
    def purge_user(self, user_id: str) -> None:
        """Delete a person for good, from wherever they are."""
        id = user_id.lower()
        user = self.people.pop(id, None) or self.deleted.pop(id, None)
        if user is None:
            raise NotThere(f"{self.name} has no person {user_id!r}, living or deleted")
        if user.deleted_date_time is None and isinstance(user, User):
            del self.principal_names[user.user_principal_name.lower()]
        self._forget(user)

    # --- groups --------------------------------------------------------------------------------

    @verb
    def add_group(self, display_name: str, *, id: str | None = None, **properties: Any) -> Group:
        """Add a group, a security group unless the keywords (`Group`'s attributes) say otherwise."""
        group = Group(
            (id or directory_id(self.id, "group", self._number())).lower(),
            display_name,
            **{"created_date_time": self._now(), **properties},
        )
        if group.mail_nickname is None:
            group.mail_nickname = re.sub(r"[^A-Za-z0-9._-]", "", display_name) or group.id[:8]
        self.groups[group.id] = group
        self.members[group.id] = {}
        self.note(group, CREATED)
        self._touch()
        return group

    @verb
    def add_microsoft_365_group(self, display_name: str, **properties: Any) -> Group:
        nickname = re.sub(r"[^a-z0-9]", "", display_name.lower())
        mail = f"{nickname}@{self.domain}"
        defaults = {
            "group_types": ["Unified"],
            "mail": mail,
            "mail_enabled": True,
            "security_enabled": False,
            "visibility": "Private",
            "mail_nickname": nickname,
            "proxy_addresses": [f"SMTP:{mail}"],
        }
        return self.add_group(display_name, **{**defaults, **properties})

    @verb
    def update_group(self, group_id: str, **changes: Any) -> Group:
        group = self._group(group_id)
        self._change(group, changes)
        return group

    @verb
    def rename_group(self, group_id: str, display_name: str) -> Group:
        return self.update_group(group_id, display_name=display_name)

    @verb
    def hide_group(self, group_id: str) -> Group:
        """Hide the membership (HiddenMembership): unreadable without Member.Read.Hidden."""
        return self.update_group(group_id, visibility="HiddenMembership")

    @verb
    def show_group(self, group_id: str) -> Group:
        return self.update_group(group_id, visibility=None)

    @verb
    def delete_group(self, group_id: str) -> None:
        """Delete a group: a Microsoft 365 group is restorable, a security group is gone."""
        group = self._group(group_id)
        del self.groups[group.id]
        if "Unified" in group.group_types:
            group.deleted_date_time = self._now()
            self.deleted[group.id] = group
            self.note(group, SOFT_DELETED)
            self._touch(group)
        else:
            self._forget(group)

    @verb
    def restore_group(self, group_id: str) -> Group:
        group = self._deleted(group_id, Group)
        del self.deleted[group.id]
        group.deleted_date_time = None
        self.groups[group.id] = group
        self.note(group, RESTORED)
        self._touch(group)
        return group

    @verb
    def add_member(self, group_id: str, object_id: str) -> None:
        """Put any object (person, group, device, …) into a group."""
        group = self._group(group_id)
        member = self.get(object_id)
        if member is None:
            raise NotThere(f"{self.name} has no object {object_id!r}")
        self.members[group.id][member.id] = None
        self.note(group, MEMBER, member=member)
        self._touch()

    @verb
    def add_members(self, group_id: str, object_ids: Iterable[str]) -> None:
        for object_id in object_ids:
            self.add_member(group_id, object_id)

    @verb
    def remove_member(self, group_id: str, object_id: str) -> None:
        group = self._group(group_id)
        if object_id.lower() not in self.members[group.id]:
            raise NotThere(f"{object_id!r} is not a member of {group.display_name!r}")
        del self.members[group.id][object_id.lower()]
        self.note(group, MEMBER, member=self.get(object_id) or self.deleted[object_id.lower()])
        self._touch()

    @verb
    def empty_group(self, group_id: str) -> None:
        for member_id in list(self.members[self._group(group_id).id]):
            self.remove_member(group_id, member_id)

    # --- other objects -------------------------------------------------------------------------

    @verb
    def add_device(self, display_name: str, **properties: Any) -> Device:
        number = self._number()
        device = Device(
            directory_id(self.id, "device", number),
            display_name,
            **{
                "device_id": directory_id(self.id, "hardware", number),
                "operating_system": "Windows",
                **properties,
            },
        )
        self.others[device.id] = device
        self._touch()
        return device

    @verb
    def add_org_contact(self, display_name: str, **properties: Any) -> OrgContact:
        contact = OrgContact(directory_id(self.id, "contact", self._number()), display_name, **properties)
        self.others[contact.id] = contact
        self._touch()
        return contact

    # --- inside --------------------------------------------------------------------------------

    def _number(self) -> int:
        self._made += 1
        return self._made

    def _now(self) -> datetime:
        return self.emulator.clock.now()

    def _claim(self, principal_name: str, user: User) -> None:
        """Let a person have a principal name; raise ValueError where another living one has it."""
        wanted = principal_name.lower()
        if self.principal_names.get(wanted, user.id) != user.id:
            raise ValueError(f"another person of {self.name} has the principal name {principal_name!r}")
        if self.principal_names.get(user.user_principal_name.lower()) == user.id:
            del self.principal_names[user.user_principal_name.lower()]
        self.principal_names[wanted] = user.id

    def _enter(self, user: User, what: str) -> None:
        self._claim(user.user_principal_name, user)
        self.people[user.id] = user
        self.note(user, what)
        self._touch(user)

    def _change(self, item: User | Group, changes: dict[str, Any]) -> None:
        for name in changes:
            if name not in attributes_of(type(item)) or name == "id":
                raise TypeError(f"a {type(item).__name__.lower()} has no {name!r} to change")
        if isinstance(item, User) and "user_principal_name" in changes:
            self._claim(changes["user_principal_name"], item)
        changed = [name for name, value in changes.items() if getattr(item, name) != value]
        for name in changed:
            setattr(item, name, changes[name])
        if changed:
            self.note(item, CHANGED, attributes=changed)
        self._touch(item)

    def _touch(self, item: DirectoryObject | None = None) -> None:
        if item is not None:
            item.rendered.clear()
        self.revision += 1

    def _forget(self, item: User | Group) -> None:
        for group_id, members in self.members.items():
            if members.pop(item.id, "absent") is None and group_id in self.groups:
                self.note(self.groups[group_id], MEMBER, member=item)
        self.members.pop(item.id, None)
        self.note(item, DELETED)
        self._touch()

    def _person(self, user_id: str) -> User:
        try:
            return self.people[user_id.lower()]
        except KeyError:
            raise NotThere(f"{self.name} has no living person {user_id!r}") from None

    def _group(self, group_id: str) -> Group:
        try:
            return self.groups[group_id.lower()]
        except KeyError:
            raise NotThere(f"{self.name} has no living group {group_id!r}") from None

    def _deleted(self, id: str, kind: type[D]) -> D:
        item = self.deleted.get(id.lower())
        if not isinstance(item, kind):
            raise NotThere(f"{self.name} has no deleted {kind.__name__} {id!r}")
        if self._now() - (item.deleted_date_time or self._now()) > RESTORABLE:
            raise NotThere(f"{item.display_name!r} was deleted more than 30 days ago")
        return item
