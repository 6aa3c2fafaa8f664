"""What people do by mistake: a group emptied, a mass removal approved too quickly, and a drip over a day."""

from __future__ import annotations

from connectors import decisions, lifecycle
from connectors.models import SyncRun
from connectors.states import Attention, RunTrigger
from tests.demo.life.scene import Life

WAVE = 6
"""So many leave at a time in the drip: each wave alone is far below what the brake allows."""

NEEDED_LATER = (
    *("emil.nagy", "henrik.sorensen", "pawel.jablonski", "nikola.jovanovic"),
    *("priya.raghunathan", "eleanor.whitcombe", "george.tanner", "ivan.kozlov"),
)
"""Who leaves at another time, or never."""


def _emptied(s: Life) -> None:
    s.days_pass(3)
    described = {group["id"]: group for group in s.tenant.describe()["groups"]}
    s.notes["members"] = ",".join(described[s.notes["sync"]]["members"])
    s.tenant.empty_group(s.notes["sync"])
    s.run({"priya.raghunathan": "Active", "ivan.kozlov": "Active"})
    s.outcome.must(len(decisions.holds_of(s.connector)) > 100, "hardly anybody is held")
    s.outcome.must(Attention.SYNC_GROUP_EMPTY in s.connector.attention, "the empty group gets no attention")
    s.told("the sync group is empty")


def _one_kept(s: Life) -> None:
    s.days_pass(1)
    priya = s.person("priya.raghunathan").id
    decisions.keep(s.connector, [priya], actor=s.actor)
    s.world.person_does("keep", priya, directory=s.directory())
    s.run({"priya.raghunathan": "Active"})
    s.outcome.must(priya not in {hold.object_id for hold in decisions.holds_of(s.connector)}, "the kept one is held")
    s.told("Reminder: ")


def _filled_again(s: Life) -> None:
    s.tenant.add_members(s.notes["sync"], s.notes["members"].split(","))
    s.run({"priya.raghunathan": "Active", "ivan.kozlov": "Active"}, held=0)
    s.told("the sync group is in order again", over=True)


EMPTIED = (
    ("week 3: somebody empties the sync group by mistake: all are held, and it is told", _emptied),
    ("week 3: a day later one is kept; who has not looked is reminded", _one_kept),
    ("week 3: the group is filled again: the held changes leave the list by themselves", _filled_again),
)


def _mass_removal(s: Life) -> None:
    s.days_pass(4)
    groups = {one["displayName"]: one for one in s.tenant.describe()["groups"]}
    s.notes["warehouse"] = groups["Warehouse"]["id"]
    s.tenant.remove_member(s.notes["sync"], s.notes["warehouse"])
    s.run({"george.tanner": "Active", "ivan.kozlov": "Active"})
    s.outcome.must(len(decisions.holds_of(s.connector)) > 20, "hardly anybody is held")
    s.told("changes are held")


def _approved_too_quickly(s: Life) -> None:
    holds = decisions.holds_of(s.connector)
    decisions.approve_all(s.connector, seen=decisions.holds_digest(holds), actor=s.actor)
    for hold in holds:
        s.world.person_does("approve change", hold.object_id)
    [run] = s.run({"george.tanner": "Disabled", "ivan.kozlov": "Disabled"}, held=0)
    s.notes["wrong run"] = str(run.pk)
    s.told("No change is held any more", over=True)


def _put_right(s: Life) -> None:
    s.days_pass(1)
    run = SyncRun.objects.get(pk=s.notes["wrong run"])
    taken = [loss.loss.email for loss in lifecycle.remedy_of(run).returns]
    s.outcome.must(len(taken) > 20, f"only {len(taken)} can be brought back")
    record = lifecycle.put_right(run, seen=lifecycle.remedy_of(run).seen, actor=s.actor)
    s.outcome.must(record.trigger == RunTrigger.PUT_RIGHT, "what was put right has no record of its own")
    s.world.person_does("put right", addresses=taken, directory=s.directory())
    s.run({"george.tanner": "Active", "ivan.kozlov": "Active"}, held=0, request=False)
    s.days_pass(1)
    s.run({"george.tanner": "Active", "ivan.kozlov": "Active"}, held=0)
    s.told()


def _back_in_the_group(s: Life) -> None:
    s.days_pass(2)
    s.tenant.add_member(s.notes["sync"], s.notes["warehouse"])
    s.run({"george.tanner": "Active"})
    george = s.person("george.tanner").id
    kept = {one.object_id for one in s.seen().memory if one.kind == "kept"}
    s.outcome.must(george not in kept, "who is in the group again is still kept")
    s.told()


PUT_RIGHT = (
    ("week 7: a whole department is taken out of the group: held, and told", _mass_removal),
    ("week 7: somebody approves too quickly", _approved_too_quickly),
    ("week 7: the run is put right: all are enabled, and kept while they are outside", _put_right),
    ("week 7: the department is back in the group, and the keep has ended", _back_in_the_group),
)


def _drip(s: Life) -> None:
    s.days_pass(3)
    direct = s.tenant.describe()["groups"]
    members = next(group["members"] for group in direct if group["id"] == s.notes["sync"])
    needed_later = [s.address(local) for local in NEEDED_LATER]
    users = s.company.accounts.filter(status="active", role="user").exclude(email__in=needed_later)
    leaving = sorted({user.directory_object_id for user in users} & set(members))
    for wave in range(6):
        going = leaving[wave * WAVE : (wave + 1) * WAVE]
        for object_id in going:
            s.tenant.remove_member(s.notes["sync"], object_id)
        s.run()
        if decisions.holds_of(s.connector):
            break
        s.let_pass(hours=4)
    held = {hold.object_id for hold in decisions.holds_of(s.connector)}
    s.outcome.must(wave > 1, "the brake held so few at once")
    s.outcome.must(held == set(going), "not exactly the last wave is held")
    s.notes["held"] = ",".join(going)
    s.notes["next"] = leaving[(wave + 1) * WAVE]
    s.told("changes are held")


def _next_day(s: Life) -> None:
    s.days_pass(2)
    s.tenant.remove_member(s.notes["sync"], s.notes["next"])
    s.run(held=WAVE)
    left = s.company.accounts.get(directory_object_id=s.notes["next"])
    s.outcome.must(left.status == "disabled", "what is held since yesterday keeps a new leaver from leaving")
    s.told("Reminder: ")


def _held_return(s: Life) -> None:
    s.tenant.add_members(s.notes["sync"], s.notes["held"].split(","))
    s.run(held=0)
    s.told("No change is held any more", over=True)


DRIP = (
    ("week 8: people leave in small waves over a day: the last 24 hours are counted in", _drip),
    ("week 8: what is held since then does not hold up a new leaver", _next_day),
    ("week 8: the held ones are back in the group, and leave the list by themselves", _held_return),
)
