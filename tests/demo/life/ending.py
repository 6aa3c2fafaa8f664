"""What ends: accounts deleted, restored and purged, and a connector removed and installed again."""

from __future__ import annotations

from connectors import decisions, lifecycle, schedule
from connectors.models import AccountLink, Connector
from connectors.states import ConnectorStatus
from tenants import roster
from tenants.models import Account, AuditEntry
from tests.demo.life.scene import Life
from tests.demo.scene import ENTRA
from tests.demo.seed import ADDITIONAL, RULES, SETTINGS, connect
from tests.oracle import End
from tests.oracle.facts import recommended_rules

GONE = ("emil.nagy", "henrik.sorensen", "pawel.jablonski", "nikola.jovanovic")


def _deleted(s: Life) -> None:
    s.days_pass(3)
    for local in GONE:
        s.notes[local] = s.person(local).id
        s.tenant.soft_delete_user(s.notes[local])
    s.run(dict.fromkeys(GONE, "Deleted"))
    s.told()


def _restored_in_entra(s: Life) -> None:
    s.days_pass(5)
    s.tenant.restore_user(s.notes["emil.nagy"])
    s.run({"emil.nagy": "Active"})


def _restored_by_a_person(s: Life) -> None:
    account = s.account("henrik.sorensen")
    roster.perform(roster.Act.RESTORE, s.company, [account.pk], actor=s.actor)
    s.world.person_does("restore", account.email, now=s.now)
    s.run({"henrik.sorensen": "Active"})
    s.days_pass(1)
    s.run({"henrik.sorensen": "Active"})


def _purged_by_hand(s: Life) -> None:
    account = s.account("nikola.jovanovic")
    roster.perform(roster.Act.PURGE, s.company, [account.pk], actor=s.actor)
    s.world.person_does("purge", account.email)
    schedule.tidy()
    account.refresh_from_db()
    s.outcome.must((account.email, account.full_name, account.has_identity) == ("", "", False), "a name is left")
    s.run({"pawel.jablonski": "Deleted"})
    s.told()


DELETED = (
    ("week 8: four are deleted in Entra, and their accounts with them", _deleted),
    ("week 9: one is restored in Entra, and comes back by itself", _restored_in_entra),
    ("week 9: one is restored by a person, and kept", _restored_by_a_person),
    ("week 9: one is purged by hand", _purged_by_hand),
)


def _removed(s: Life) -> None:
    s.days_pass(3)
    before = s.connector
    lifecycle.remove(before, actor=s.actor)
    s.world.person_does("remove", ENTRA)
    s.note(End(s.world.company), End(s.seen().company), ConnectorStatus.REMOVED, ["priya.raghunathan"])
    gone = Connector.objects.get(pk=before.pk)
    s.outcome.must(gone.secret is None and gone.token_hash == "", "the removed connector still has a secret")
    s.outcome.must(not AccountLink.objects.filter(connector=before).exists(), "an account is still linked")
    s.days_pass(1)
    s.outcome.must(not s.runs_since(), "a removed connector ran")
    s.told()


def _installed_again(s: Life) -> None:
    s.tenant.update_user(s.person("eleanor.whitcombe").id, surname="Whitcombe-Hale", mail=s.address("e.hale"))
    additional = [s.notes[name] for name in ADDITIONAL]
    connect(
        s.company,
        s.domain,
        sync_group=s.notes["sync"],
        additional=additional,
        actions=RULES,
        settings=SETTINGS,
        secret=s.notes["secret"],
    )
    s.world.person_does(
        "install",
        ENTRA,
        tenant_id=s.tenant.id,
        sync_group=s.notes["sync"],
        additional=tuple(additional),
        rules=recommended_rules() | RULES,
        leave_out_guests=True,
    )
    s.run({"eleanor.whitcombe": "Active", "e.hale": "none", "daniel.harcourt": "Active"}, held=1, request=False)
    s.told("1 change is held")
    daniel = s.account("daniel.harcourt")
    decisions.confirm_administrator(s.connector, daniel.directory_object_id, daniel.pk, actor=s.actor)
    s.world.person_does("confirm administrator", daniel.directory_object_id, address=daniel.email)
    s.run({"daniel.harcourt": "Active"}, held=0)
    s.told("No change is held any more", over=True)


REMOVED = (
    ("week 10: the connector is removed; accounts and groups stay", _removed),
    ("week 10: the same tenant again: the same people, under another name and address too", _installed_again),
)


def _purged_in_time(s: Life) -> None:
    pawel = s.account("pawel.jablonski")
    s.days_pass(20)
    schedule.tidy()
    pawel.refresh_from_db()
    told = (pawel.email, pawel.full_name, pawel.has_identity, pawel.purged_at is not None)
    s.outcome.must(told == ("", "", False, True), f"after its days the account is {told}")
    s.outcome.must(pawel.deleted_by == "connector", "it is forgotten who deleted it")
    s.run({"priya.raghunathan": "Active"})
    s.told()


def _hired_again(s: Life) -> None:
    s.days_pass(2)
    s.hire("Pawel Jablonski", s.notes["sync"], local="pawel.jablonski")
    s.run({"pawel.jablonski": "Active"})
    found = Account.objects.filter(company=s.company, email__istartswith="pawel.jablonski@")
    s.outcome.must(found.count() == 1, f"there are {found.count()} accounts of that address")


def _twelve_weeks(s: Life) -> None:
    s.outcome.must(s.passed.days >= 84, f"only {s.passed.days} days have passed")
    acts = set(AuditEntry.objects.filter(company=s.company).values_list("action", flat=True))
    for act in ("connector.paused", "connector.put_right", "connector.removed", "account.purged", "account.restored"):
        s.outcome.must(act in acts, f"the record does not know of {act}")
    s.run({"priya.raghunathan": "Active"})
    s.told()


PURGED = (
    ("week 13: the days of a deleted account are over: it is purged", _purged_in_time),
    ("week 13: its owner is hired again, and is new", _hired_again),
    ("week 13: twelve weeks, and everything stands in the record", _twelve_weeks),
)
