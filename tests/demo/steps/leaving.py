"""Steps in which people leave, are called otherwise, or have an address that somebody else had."""

from __future__ import annotations

from connectors import decisions
from connectors.models import SyncChange
from connectors.states import ChangeKind, SkipReason
from tests.demo.scene import Scene


def _removed_from_group(s: Scene) -> None:
    s.tenant.remove_member(s.notes["sync"], s.person("alan.prescott").id)
    s.run({"alan.prescott": "Disabled"})


def _disabled(s: Scene) -> None:
    s.tenant.disable_user(s.person("bjorn.ekstrom").id)
    s.run({"bjorn.ekstrom": "Disabled"})


def _disabled_and_removed(s: Scene) -> None:
    carlos = s.person("carlos.quiroga").id
    s.tenant.disable_user(carlos)
    s.tenant.remove_member(s.notes["sync"], carlos)
    s.run({"carlos.quiroga": "Disabled"})
    line = SyncChange.objects.filter(run__in=s.outcome.runs, object_id=carlos, kind=ChangeKind.DISABLE).first()
    s.outcome.must(line is not None and line.situation == "disabled", "equal actions, and DISABLED gives no reason")


def _deleted(s: Scene) -> None:
    s.notes |= {"derek": s.person("derek.stubbs").id, "emil": s.person("emil.nagy").id}
    s.tenant.soft_delete_user(s.notes["derek"])
    s.tenant.soft_delete_user(s.notes["emil"])
    s.run({"derek.stubbs": "Deleted", "emil.nagy": "Deleted"})


def _deleted_weeks_later(s: Scene) -> None:
    alan = s.person("alan.prescott").id
    s.let_pass(days=21)
    s.tenant.soft_delete_user(alan)
    s.run({"alan.prescott": "Deleted"})


def _renamed(s: Scene) -> None:
    s.tenant.update_user(s.person("eleanor.whitcombe").id, surname="Whitcombe-Hale")
    s.run({"eleanor.whitcombe": "Active"})
    s.outcome.must(s.account("eleanor.whitcombe").last_name == "Whitcombe-Hale", "the account has the old name")


def _email_changed(s: Scene) -> None:
    henrik = s.person("henrik.sorensen").id
    s.tenant.update_user(henrik, mail=s.address("h.sorensen"), user_principal_name=s.address("h.sorensen"))
    s.run({"henrik.sorensen": "Active", "h.sorensen": "none"})
    shown = SyncChange.objects.filter(run__in=s.outcome.runs, object_id=henrik, kind=ChangeKind.EMAIL)
    s.outcome.must(shown.count() == 1, "that the directory reports another address is not shown once")


def _address_free(s: Scene) -> None:
    s.hire("Deirdre Stubbs", s.notes["sync"], local="derek.stubbs")
    s.run({"derek.stubbs": "Active"})
    s.outcome.must(s.account("derek.stubbs").first_name == "Deirdre", "the address has not gone to the new hire")


def _address_taken(s: Scene) -> None:
    for local in ("bjorn.ekstrom", "carlos.quiroga"):
        s.tenant.update_user(s.person(local).id, mail=None, user_principal_name=s.address(f"former.{local}"))
    s.notes["bjorn"] = s.hire("Björn Ekström", s.notes["sync"], local="bjorn.ekstrom").id
    s.notes["carla"] = s.hire("Carla Quiroga", s.notes["sync"], local="carlos.quiroga").id
    s.run(
        {"bjorn.ekstrom": "Disabled", "carlos.quiroga": "Disabled"},
        skipped={s.notes["bjorn"]: SkipReason.ADDRESS_TAKEN, s.notes["carla"]: SkipReason.ADDRESS_TAKEN},
    )


def _same_person(s: Scene) -> None:
    account = s.account("bjorn.ekstrom")
    decisions.same_person(s.connector, s.notes["bjorn"], account.pk, actor=s.actor)
    s.world.person_does("same person", s.notes["bjorn"], address=account.email)
    s.run({"bjorn.ekstrom": "Active"})


def _someone_else(s: Scene) -> None:
    account = s.account("carlos.quiroga")
    decisions.someone_else(s.connector, s.notes["carla"], account.pk, actor=s.actor)
    s.world.person_does("someone else", s.notes["carla"], address=account.email)
    s.run({"carlos.quiroga": "Disabled"}, skipped={s.notes["carla"]: SkipReason.ADDRESS_TAKEN})
    s.tenant.soft_delete_user(account.directory_object_id)
    s.run({"carlos.quiroga": "Active"})
    s.outcome.must(s.account("carlos.quiroga").first_name == "Carla", "the freed address has not gone to who waited")


STEPS = (
    ("removed from the group", _removed_from_group),
    ("disabled", _disabled),
    ("disabled and removed at once", _disabled_and_removed),
    ("deleted", _deleted),
    ("a disabled one deleted weeks later", _deleted_weeks_later),
    ("rename", _renamed),
    ("email change", _email_changed),
    ("an address reused by a new hire: it is free", _address_free),
    ("an address reused by a new hire: its account is still there", _address_taken),
    ("an address reused, the same person: relinked", _same_person),
    ("an address reused, someone else: waits until it is free", _someone_else),
)
