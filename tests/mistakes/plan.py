"""Mistakes in deciding what to do with what was read."""

from __future__ import annotations

from tests.mistakes.row import Mistake, Patch, mistake

DECIDE_PY = "connectors/plan/decide.py"
SITUATIONS_PY = "connectors/plan/situations.py"
GROUPS_PY = "connectors/plan/groups.py"
LEAVING_PY = "connectors/plan/leaving.py"
ADDRESSES_PY = "connectors/plan/addresses.py"
MARKS_PY = "connectors/plan/marks.py"
MEMORY_PY = "connectors/plan/memory.py"
TRAPS = ("tests/connectors/test_plan_traps.py", "tests/connectors/test_sync_traps.py")
IN_STEP = ("tests/connectors/test_sync_traps.py",)

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        14,
        "who loses something by one look is not asked for again",
        DECIDE_PY,
        "            *(leaver.known.object_id for leaver in leavers),\n",
        "",
        TRAPS,
    ),
    mistake(
        14,
        "who is missing from one listing has left the group",
        DECIDE_PY,
        "        second_group_look=any(\n",
        "        second_group_look=False and any(\n",
        IN_STEP,
    ),
    mistake(
        21,
        "a sync group that cannot be read has lost everybody",
        SITUATIONS_PY,
        "        return NOTHING_HOLDS if in_scope or not complete else _REMOVED\n",
        "        return NOTHING_HOLDS if in_scope else _REMOVED\n",
        TRAPS,
    ),
    mistake(
        21,
        "an additional group that cannot be read has no members",
        GROUPS_PY,
        "        if not reading.complete:\n            continue\n",
        "",
        TRAPS,
    ),
    mistake(
        21,
        "who could not be read is deleted",
        SITUATIONS_PY,
        "        if person is None and object_id not in gone:\n",
        "        if False:\n",
        TRAPS,
    ),
    mistake(
        21,
        "who could not be read leaves every group",
        DECIDE_PY,
        "                    *(account.id for account in census.unread.values() if account.link is not None),\n",
        "",
        TRAPS,
    ),
    Mistake(
        22,
        "a deleted sync group has zero members",
        (
            Patch(
                DECIDE_PY,
                "    complete = snapshot.sync_group.complete\n    marks",
                "    complete = snapshot.sync_group.state is not GroupState.UNREADABLE\n    marks",
            ),
            Patch(SITUATIONS_PY, "in_scope or not complete else _REMOVED\n", "in_scope else _REMOVED\n"),
        ),
        TRAPS,
    ),
    mistake(
        22,
        "an emptied sync group takes everybody's account",
        DECIDE_PY,
        "        nobody_in_scope=empty,\n",
        "        nobody_in_scope=False,\n",
        IN_STEP,
    ),
    mistake(
        22,
        "nothing brakes a mass removal",
        "connectors/plan/brake.py",
        "    return many or half\n",
        "    return False\n",
        IN_STEP,
    ),
    mistake(
        22,
        "the last 24 hours are not counted in: a mass removal in small steps",
        "connectors/plan/brake.py",
        "    number = len(leaving | limits.destroyed)\n",
        "    number = len(leaving)\n",
        ("tests/connectors/test_plan_brake.py::test_the_last_twenty_four_hours_count_for_the_sum_and_for_the_whole",),
    ),
    mistake(
        22,
        "the mirror of a deleted group is emptied",
        GROUPS_PY,
        "        if not reading.complete:\n            continue\n",
        "        if reading.state is GroupState.UNREADABLE:\n            continue\n",
        IN_STEP,
    ),
    mistake(
        27,
        "identities are compared with their case",
        SITUATIONS_PY,
        "        object_id = account.object_id.lower()\n        other = owners",
        "        object_id = account.object_id\n        other = owners",
        TRAPS,
    ),
    mistake(
        27,
        "tenants are compared with their case",
        SITUATIONS_PY,
        "        if not account.object_id or account.tenant_id.lower() != tenant:\n",
        "        if not account.object_id or account.tenant_id != tenant_id:\n",
        TRAPS,
    ),
    mistake(
        27,
        "decisions are looked up with their case",
        MARKS_PY,
        "        self._known = {(mark.object_id.lower(), mark.kind",
        "        self._known = {(mark.object_id, mark.kind",
        TRAPS,
    ),
    mistake(
        27,
        "decisions are ended with their case",
        MEMORY_PY,
        "        object_id = mark.object_id.lower()\n",
        "        object_id = mark.object_id\n",
        TRAPS,
    ),
    Mistake(
        27,
        "mirrors are found by name",
        (
            Patch(
                GROUPS_PY,
                "    chosen = {reading.id.lower(): reading for",
                "    chosen = {reading.name or reading.id: reading for",
            ),
            Patch(
                GROUPS_PY,
                "        directory_id = mirror.directory_id.lower()\n",
                "        directory_id = mirror.name\n",
            ),
        ),
        IN_STEP,
    ),
    mistake(
        28,
        "an account belongs to whoever has its address now",
        SITUATIONS_PY,
        "        person = people.get(object_id)\n",
        "        person = next((one for one in people.values() if one.mail.lower() == account.email.lower()), None)\n",
        IN_STEP,
    ),
    Mistake(
        28,
        "who has the address of an account gets it",
        (
            Patch(
                ADDRESSES_PY,
                "        account.managed_by is ManagedBy.PB\n        and account.link is None\n",
                "        True\n",
            ),
            Patch(ADDRESSES_PY, "        and not account.object_id\n", ""),
        ),
        IN_STEP,
    ),
    mistake(
        28,
        "an address in use is given a second account",
        "connectors/plan/joining.py",
        "            return SkipReason.ADDRESS_TAKEN, holder.id\n        if",
        "            return None, None\n        if",
        IN_STEP,
    ),
    mistake(
        22,
        "an unread person anywhere fills an empty group",
        DECIDE_PY,
        "    empty = complete and not census.scope and not snapshot.sync_group.unread\n",
        "    empty = complete and not census.scope and not snapshot.unread\n",
        ("tests/connectors/test_plan_reads.py::test_an_unread_person_outside_the_group_does_not_fill_it",),
    ),
    mistake(
        28,
        "a decision that could not be used lies in wait",
        MEMORY_PY,
        "                return self._judged(object_id) and not waits\n",
        "                return self._judged(object_id) and not self._in_question(mark)\n",
        (
            "tests/connectors/test_plan_addresses.py"
            "::test_a_decision_that_could_not_be_used_gives_nobodys_account_away_later",
        ),
    ),
    mistake(
        28,
        "an address nobody could use is none",
        "connectors/plan/naming.py",
        "    return reported_address(person).lower()[:LONGEST] or remembered\n",
        "    reported = reported_address(person).lower()\n"
        '    return remembered if "onmicrosoft" in reported else reported or remembered\n',
        ("tests/connectors/test_plan_people.py::test_an_address_that_nobody_could_use_is_another_one_all_the_same",),
    ),
    mistake(
        0,
        "what holds for the owner of a deleted account is forgotten",
        DECIDE_PY,
        "    watched = watch_deleted(snapshot, census.scope, roster.accounts)\n",
        "    watched: list[tuple[str, LinkNote]] = []\n",
        ("tests/connectors/test_plan_keep.py",),
    ),
)
