"""Steps in which licences or administrators become few."""

from __future__ import annotations

from connectors.states import Attention, SkipReason
from tenants import roster
from tenants.states import AccountRole
from tests.demo.scene import Scene
from tests.demo.steps.arriving import ENOUGH, set_licences


def _run_out(s: Scene) -> None:
    set_licences(s, s.world.company.active)
    s.hire("Ottilie Brandt", s.notes["sync"])
    s.run({"ottilie.brandt": "Pending approval"})
    s.hire("Anton Berger", s.notes["sync"])
    s.run({"ottilie.brandt": "Pending approval", "anton.berger": "Pending approval"})
    s.outcome.must(Attention.LICENCES_SHORT in s.connector.attention, "short licences get no attention")


def _one_freed(s: Scene) -> None:
    s.tenant.remove_member(s.notes["sync"], s.person("gareth.llewellyn").id)
    s.run({"gareth.llewellyn": "Disabled", "ottilie.brandt": "Active", "anton.berger": "Pending approval"})


def _cut_below_use(s: Scene) -> None:
    before = s.world.company.active
    set_licences(s, before - 5)
    s.tenant.remove_member(s.notes["sync"], s.person("hamza.siddiqui").id)
    s.run({"hamza.siddiqui": "Disabled", "anton.berger": "Pending approval"})
    s.outcome.must(s.world.company.active == before - 1, "licences were cut, and others than who left lost theirs")
    set_licences(s, ENOUGH)
    s.run({"anton.berger": "Active"})


def _last_administrators(s: Scene) -> None:
    _give_role(s, roster.Act.MAKE_ADMIN, "ingrid.halvorsen", AccountRole.ADMIN)
    _give_role(s, roster.Act.MAKE_USER, "amara.okafor", AccountRole.USER)
    ingrid, daniel = s.person("ingrid.halvorsen").id, s.person("daniel.harcourt").id
    s.tenant.remove_member(s.notes["sync"], ingrid)
    s.tenant.disable_user(daniel)
    spared = {ingrid: SkipReason.SPARED, daniel: SkipReason.SPARED}
    both = {"ingrid.halvorsen": "Active", "daniel.harcourt": "Active"}
    s.run(both, skipped=spared)
    s.outcome.must(Attention.SPARED in s.connector.attention, "spared administrators get no attention")
    s.run(both, skipped=spared)
    s.tenant.add_member(s.notes["sync"], ingrid)
    s.run({"ingrid.halvorsen": "Active", "daniel.harcourt": "Disabled"})
    s.tenant.enable_user(daniel)
    s.run({"daniel.harcourt": "Active"})


def _give_role(s: Scene, act: roster.Act, local: str, role: AccountRole) -> None:
    account = s.account(local)
    roster.perform(act, s.company, [account.pk], actor=s.actor)
    s.world.person_does("set role", account.email, role=role)


STEPS = (
    ("licences run out", _run_out),
    ("one licence freed: the first who waits gets it", _one_freed),
    ("licences cut below use: nobody is disabled, nobody activated", _cut_below_use),
    ("the last two administrators leave together: both are spared", _last_administrators),
)
