"""Steps in which people come: the first synchronisation, and those who return."""

from __future__ import annotations

from connectors import decisions, lifecycle
from connectors.states import Action, Situation, SkipReason
from tenants import companies
from tests.demo.scene import ENTRA, NONE, Scene
from tests.demo.seed import ADDITIONAL, RULES, SETTINGS
from tests.entra_emulator import people
from tests.oracle.facts import recommended_rules

ENOUGH = 250
"""Licences that nobody waits for."""


def first_sync(s: Scene) -> None:
    """Connect as the wizard does: credentials, proof, groups, rules, save; the first run follows by itself."""
    client_id, secret = people.portal_application(s.domain)
    groups = {name: s.tenant.group(name).id for name in (people.SYNC_GROUP, *ADDITIONAL)}
    connector = lifecycle.install(s.company, tenant=s.domain, client_id=client_id, secret=secret, actor=s.actor)
    lifecycle.verify(connector, actor=s.actor)
    additional = [groups[name] for name in ADDITIONAL]
    connector = lifecycle.select_groups(
        connector, sync_group_id=groups[people.SYNC_GROUP], additional=additional, actor=s.actor
    )
    lifecycle.save_rules(connector, actions=RULES, settings=SETTINGS, actor=s.actor)
    lifecycle.activate(connector, actor=s.actor)
    s.notes |= groups | {"sync": groups[people.SYNC_GROUP]}
    s.world.person_does(
        "install",
        ENTRA,
        tenant_id=s.tenant.id,
        sync_group=groups[people.SYNC_GROUP],
        additional=tuple(additional),
        rules=recommended_rules() | RULES,
        leave_out_guests=True,
    )
    reasons = {
        "Reception Day": SkipReason.TWO_NEWCOMERS,
        "Reception Evening": SkipReason.TWO_NEWCOMERS,
        "Sync Service": SkipReason.NO_EMAIL,
        "Harold Finch": SkipReason.DISABLED_NEWCOMER,
        "Zoë Baptiste": SkipReason.ADDRESS_PERSONAL,
        "Callum Fraser": SkipReason.DISABLED_BY_PERSON,
    }
    s.run(
        {
            "priya.raghunathan": "Active",
            "margaret.ashdown": "Active",
            "daniel.harcourt": "Active",
            "callum.fraser": "Disabled",
            "zoe.baptiste": "Personal",
            "zeynep.kaya": "Pending approval",
            "reception": NONE,
            "marta.ruiz@ferncastle.example": NONE,
        },
        held=1,
        skipped={s.tenant.user(name).id: reason for name, reason in reasons.items()},
        groups={
            "Sales": "Azure AD, 15",
            "Board": NONE,
            "Lost Property": NONE,
            "First aiders": "PB, 1",
        },
        request=False,
    )


def _administrator_confirmed(s: Scene) -> None:
    daniel, account = s.person("daniel.harcourt"), s.account("daniel.harcourt")
    decisions.confirm_administrator(s.connector, daniel.id, account.pk, actor=s.actor)
    s.world.person_does("confirm administrator", daniel.id, address=account.email)
    s.run({"daniel.harcourt": "Active"}, held=0)


def _licences_bought(s: Scene) -> None:
    set_licences(s, ENOUGH)
    s.run({"zeynep.kaya": "Active"})


def set_licences(s: Scene, licences: int) -> None:
    """Let a person buy or return licences."""
    companies.set_licences(s.company, licences, actor=s.actor)
    s.world.person_does("set licences", licences=licences)


def _hire(s: Scene) -> None:
    s.hire("Hugo Winter", s.notes["sync"])
    s.run({"hugo.winter": "Active"})


FIRST = (
    ("first sync: created, pending, adopted, skipped with reasons, groups", first_sync),
    ("an administrator's account is adopted when a person confirmed it", _administrator_confirmed),
    ("licences bought: those who waited are activated", _licences_bought),
    ("hire", _hire),
)


def _return(s: Scene) -> None:
    franjo = s.person("franjo.babic").id
    s.tenant.remove_member(s.notes["sync"], franjo)
    s.run({"franjo.babic": "Disabled"})
    s.tenant.add_member(s.notes["sync"], franjo)
    s.run({"franjo.babic": "Active"})


def _restored_in_entra(s: Scene) -> None:
    s.tenant.restore_user(s.notes["emil"])
    s.run({"emil.nagy": "Active"})


def _pending_one_leaves(s: Scene) -> None:
    s.world.person_does("change rule", situation=Situation.NEW, action=Action.CREATE_PENDING)
    lifecycle.save_rules(s.connector, actions={Situation.NEW: Action.CREATE_PENDING}, actor=s.actor)
    s.notes["petra"] = s.hire("Petra Lang", s.notes["sync"]).id
    s.run({"petra.lang": "Pending approval"})
    s.tenant.remove_member(s.notes["sync"], s.notes["petra"])
    s.run({"petra.lang": "Deleted"})


def _pending_one_returns(s: Scene) -> None:
    s.tenant.add_member(s.notes["sync"], s.notes["petra"])
    s.run({"petra.lang": "Pending approval"})
    s.world.person_does("change rule", situation=Situation.NEW, action=Action.CREATE)
    lifecycle.save_rules(s.connector, actions={Situation.NEW: Action.CREATE}, actor=s.actor)
    s.run({"petra.lang": "Pending approval"}, request=False)


AGAIN = (
    ("return: removed from the group and back in it", _return),
    ("return: restored in Entra", _restored_in_entra),
    ("a pending one leaves: withdrawn", _pending_one_leaves),
    ("a pending one returns: NEW once more", _pending_one_returns),
)
