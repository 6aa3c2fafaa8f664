"""Steps in which too many leave or join at once, and a person decides."""

from __future__ import annotations

from connectors import decisions
from connectors.states import ChangeKind
from tests.demo.scene import Scene

NEWCOMERS = 90


def _leavers(s: Scene) -> list[str]:
    """Return local parts of those whom the mass removal takes away."""
    described = {one["id"]: one for one in s.tenant.describe()["users"]}
    held = [one.object_id for one in decisions.holds_of(s.connector)]
    return sorted(described[object_id]["mail"].partition("@")[0] for object_id in held)


def _mass_removal(s: Scene) -> None:
    s.let_pass(hours=25)
    groups = {one["displayName"]: one for one in s.tenant.describe()["groups"]}
    s.tenant.remove_member(s.notes["sync"], groups["Warehouse"]["id"])
    for object_id in groups["Customer Service"]["members"]:
        s.tenant.remove_member(s.notes["sync"], object_id)
    s.run({"george.tanner": "Active", "ivan.kozlov": "Active", "ruth.cartwright": "Active"})
    s.outcome.must(len(_leavers(s)) > 30, f"only {len(_leavers(s))} are held")


def _one_approved(s: Scene) -> None:
    george = s.person("george.tanner").id
    decisions.approve(s.connector, [(george, ChangeKind.DISABLE)], actor=s.actor)
    s.world.person_does("approve change", george)
    before = len(_leavers(s))
    s.run({"george.tanner": "Disabled", "ivan.kozlov": "Active"}, held=before - 1)


def _one_kept(s: Scene) -> None:
    ruth = s.person("ruth.cartwright").id
    decisions.keep(s.connector, [ruth], actor=s.actor)
    s.world.person_does("keep", ruth, directory=s.directory())
    s.run({"ruth.cartwright": "Active", "ivan.kozlov": "Active"})


def _all_approved(s: Scene) -> None:
    holds = decisions.holds_of(s.connector)
    decisions.approve_all(s.connector, seen=decisions.holds_digest(holds), actor=s.actor)
    for hold in holds:
        s.world.person_does("approve change", hold.object_id)
    s.run({"ruth.cartwright": "Active", "ivan.kozlov": "Disabled"}, held=0)


def _flood(s: Scene) -> None:
    ids = [s.hire(f"Joiner Number{number:03d}").id for number in range(NEWCOMERS)]
    s.tenant.add_members(s.notes["sync"], ids)
    s.notes["joiner"] = ids[0]
    s.run({"joiner.number000": "none", "joiner.number001": "none"}, held=NEWCOMERS)


def _flood_decided(s: Scene) -> None:
    decisions.decline(s.connector, [s.notes["joiner"]], actor=s.actor)
    s.world.person_does("decline", s.notes["joiner"])
    holds = decisions.holds_of(s.connector)
    decisions.approve_all(s.connector, seen=decisions.holds_digest(holds), actor=s.actor)
    for hold in holds:
        s.world.person_does("approve change", hold.object_id)
    s.run({"joiner.number000": "none", "joiner.number001": "Active"}, held=0)


STEPS = (
    ("mass removal: held", _mass_removal),
    ("mass removal: one approved", _one_approved),
    ("mass removal: one kept", _one_kept),
    ("mass removal: all others approved", _all_approved),
    ("a flood of joiners: held", _flood),
    ("a flood of joiners: one declined, the others approved", _flood_decided),
)
