"""Steps in which the groups change: nested ones, and every end an additional group can come to."""

from __future__ import annotations

from connectors import lifecycle
from connectors.states import Attention
from tests.demo.scene import ENTRA, Scene
from tests.entra_emulator.people import SYNC_GROUP


def _moved(s: Scene) -> None:
    priya = s.person("priya.raghunathan").id
    s.tenant.remove_member(s.notes["Finance"], priya)
    s.tenant.add_member(s.notes["Sales"], priya)
    s.run({"priya.raghunathan": "Active"}, groups={"Finance": "Azure AD, 8", "Sales": "Azure AD, 16"})


def _joined_nested(s: Scene) -> None:
    s.notes["night"] = s.tenant.group("Night Shift").id
    s.notes["nils"] = s.hire("Nils Holm", s.notes["night"]).id
    s.run({"nils.holm": "Active"})


def _left_nested(s: Scene) -> None:
    s.tenant.remove_member(s.notes["night"], s.notes["nils"])
    s.run({"nils.holm": "Disabled"})


def _renamed(s: Scene) -> None:
    s.tenant.rename_group(s.notes["Finance"], "Finance and Payroll")
    s.run(groups={"Finance": "none", "Finance and Payroll": "Azure AD, 8"})


def _emptied(s: Scene) -> None:
    s.tenant.empty_group(s.notes["Leads of O'Brien & Sons"])
    s.run(groups={"Leads of O'Brien & Sons": "Azure AD, 0"})


def _unreadable(s: Scene) -> None:
    s.tenant.hide_group(s.notes["Customer Service"])
    s.tenant.disable_user(s.person("lucy.meadows").id)
    s.run({"lucy.meadows": "Disabled"}, groups={"Customer Service": "Azure AD, 16"})
    s.outcome.must(Attention.GROUP_UNREADABLE in s.connector.attention, "the unreadable group gets no attention")


def _readable_again(s: Scene) -> None:
    s.tenant.show_group(s.notes["Customer Service"])
    s.run(groups={"Customer Service": "Azure AD, 15"})


def select(s: Scene, *additional: str, sync_group: str = "") -> None:
    """Let a person choose the groups, by id; the act asks for a run itself."""
    sync_group = sync_group or s.connector.sync_group_id
    lifecycle.select_groups(s.connector, sync_group_id=sync_group, additional=additional, actor=s.actor)
    s.world.person_does("change", ENTRA, sync_group=sync_group, additional=additional)


def _deselected(s: Scene) -> None:
    before = s.world.connectors[ENTRA].additional
    select(s, *(one for one in before if one != s.notes["Yard Announcements"]))
    s.run(groups={"Yard Announcements": "PB, 8"}, request=False)
    select(s, *before)
    s.run(groups={"Yard Announcements": "Azure AD, 8"}, request=False)


def _deleted(s: Scene) -> None:
    s.tenant.delete_group(s.notes["IT"])
    s.run(groups={"IT": "PB, 8"})


def _sync_group_emptied(s: Scene) -> None:
    described = next(one for one in s.tenant.describe()["groups"] if one["id"] == s.notes["sync"])
    s.tenant.empty_group(s.notes["sync"])
    going = s.person("wei.wang").id
    s.tenant.disable_user(going)
    s.run({"wei.wang": "Disabled", "priya.raghunathan": "Active"})
    s.outcome.must(Attention.SYNC_GROUP_EMPTY in s.connector.attention, "the empty sync group gets no attention")
    s.tenant.add_members(s.notes["sync"], described["members"])
    s.tenant.enable_user(going)
    s.run({"wei.wang": "Active"}, held=0)


def _sync_group_deleted(s: Scene) -> None:
    described = next(one for one in s.tenant.describe()["groups"] if one["id"] == s.notes["sync"])
    s.tenant.delete_group(s.notes["sync"])
    s.tenant.disable_user(s.person("meiling.tan").id)
    s.tenant.update_user(s.person("diego.hernandez").id, given_name="Dieguito")
    s.run({"meiling.tan": "Disabled", "diego.hernandez": "Active"}, held=0)
    s.outcome.must(Attention.SYNC_GROUP_MISSING in s.connector.attention, "the missing sync group gets no attention")
    s.outcome.must(s.account("diego.hernandez").first_name == "Diego", "without a sync group, somebody was renamed")
    s.notes["sync"] = s.tenant.add_group(f"{SYNC_GROUP}, the new one").id
    s.tenant.add_members(s.notes["sync"], described["members"])
    select(s, *s.world.connectors[ENTRA].additional, sync_group=s.notes["sync"])
    s.run({"meiling.tan": "Disabled", "diego.hernandez": "Active"}, held=0, request=False)
    s.outcome.must(s.account("diego.hernandez").first_name == "Dieguito", "the other sync group changed nothing")


STEPS = (
    ("moved between additional groups", _moved),
    ("joined through a nested group", _joined_nested),
    ("left through a nested group", _left_nested),
    ("an additional group renamed", _renamed),
    ("an additional group emptied: kept, empty", _emptied),
    ("an additional group made unreadable: off-boarding goes on", _unreadable),
    ("an additional group readable again", _readable_again),
    ("an additional group deselected: handed back; reselected: taken up", _deselected),
    ("an additional group deleted: handed back", _deleted),
)
SYNC_GROUP_STEPS = (
    ("sync group emptied: REMOVED held, until it is filled again", _sync_group_emptied),
    ("sync group deleted: only what is positively known; another one chosen", _sync_group_deleted),
)
