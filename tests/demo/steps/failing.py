"""Steps in which Microsoft answers badly or not at all, or refuses."""

from __future__ import annotations

from typing import Any

from connectors import lifecycle
from connectors.states import ConnectorStatus
from tests.demo.scene import Scene
from tests.entra_emulator import people

PAGE = 40
"""People on a page, so that there is a second one."""


def _leaver_and_joiner(s: Scene, leaver: str, joiner: str) -> dict[str, str]:
    """Change the directory so that a run has something to do; return what the story says of it."""
    s.tenant.remove_member(s.notes["sync"], s.person(leaver).id)
    s.hire(joiner, s.notes["sync"])
    return {leaver: "Disabled", joiner.lower().replace(" ", "."): "Active"}


def _on_page_two(s: Scene, **fault: Any) -> None:
    path = f"/groups/{s.notes['sync']}/(transitiveM|m)embers"
    s.microsoft.faults.add(path=path, times=None, page_size=PAGE)
    s.microsoft.faults.add(path=path, page=2, **fault)


def _nothing_then_everything(s: Scene, says: dict[str, str], **fault: Any) -> None:
    """Let a run meet a fault that does not go away, then one that meets none."""
    _on_page_two(s, times=None, **fault)
    s.run_in_vain()
    s.microsoft.faults.clear()
    s.run(says)


def _answered_503(s: Scene) -> None:
    _nothing_then_everything(s, _leaver_and_joiner(s, "igor.stojanovic", "Fault One"), status=503)


def _waited_out(s: Scene, says: dict[str, str], retry_after: float | str) -> None:
    """Let one page be throttled for so short that the run waits in place, and completes."""
    _on_page_two(s, status=429, retry_after=retry_after)
    runs = s.run(says)
    s.microsoft.faults.clear()
    s.outcome.must(len(runs) == 1, f"{len(runs)} runs were made, not one that waited")


def _throttled_whole(s: Scene) -> None:
    _waited_out(s, _leaver_and_joiner(s, "jerzy.wrobel", "Fault Two"), 1)


def _throttled_decimal(s: Scene) -> None:
    _waited_out(s, _leaver_and_joiner(s, "kofi.mensah", "Fault Three"), "0.7")


def _throttled_long(s: Scene) -> None:
    says = _leaver_and_joiner(s, "liam.darcy", "Fault Four")
    _on_page_two(s, status=429, retry_after=600)
    s.run_in_vain()
    s.microsoft.faults.clear()
    until = s.connector.throttled_until
    s.outcome.must(until is not None, "the connector does not know until when Microsoft asked it to wait")
    before = s.seen()
    s.microsoft.forget_journal()
    refused = s.synchronise()
    s.outcome.must(not refused, "a run was made before Microsoft's time was over")
    s.outcome.must(not s.microsoft.journal.where(), "Microsoft was asked before its time was over")
    s.unchanged(before, ConnectorStatus.CONNECTED)
    s.let_pass(minutes=11)
    s.run(says)


def _cut_off(s: Scene) -> None:
    _nothing_then_everything(s, _leaver_and_joiner(s, "mateusz.pawlowski", "Fault Five"), cut=400)


def _truncated(s: Scene) -> None:
    _nothing_then_everything(s, _leaver_and_joiner(s, "nikola.jovanovic", "Fault Six"), truncate=True)


def _secret_expired(s: Scene) -> None:
    client_id, _ = people.portal_application(s.domain)
    s.notes["kept away"] = "oscar.munoz"
    s.tenant.remove_member(s.notes["sync"], s.person(s.notes["kept away"]).id)
    s.tenant.expire_secret(client_id)
    # A token from before would be good for the rest of its hour.
    s.tenant.revoke_tokens(client_id)
    s.run_in_vain(ConnectorStatus.UNAUTHORIZED)
    s.outcome.must("expired" in s.connector.status_sentence, "the sentence does not say that the secret expired")
    before = s.seen()
    s.outcome.must(not s.synchronise(), "an Unauthorized connector ran")
    s.unchanged(before, ConnectorStatus.UNAUTHORIZED)


def _secret_replaced(s: Scene) -> None:
    client_id, _ = people.portal_application(s.domain)
    s.notes["secret"] = s.tenant.add_secret(client_id).secret
    lifecycle.replace_secret(s.connector, secret=s.notes["secret"], secret_expires_on=None, actor=s.actor)
    s.run({s.notes["kept away"]: "Disabled"}, request=False)


def _consent_revoked(s: Scene) -> None:
    client_id, _ = people.portal_application(s.domain)
    s.tenant.remove_member(s.notes["sync"], s.person("pawel.jablonski").id)
    verbs = [
        {"tenant": s.tenant.id, "verb": "revoke_consent", "args": [client_id]},
        {"tenant": s.tenant.id, "verb": "revoke_tokens", "args": [client_id]},
    ]
    _on_page_two(s, change=verbs)
    run = s.run_in_vain(ConnectorStatus.UNAUTHORIZED)
    s.microsoft.faults.clear()
    s.outcome.must(run.requests > 1, "the run had not begun when the consent was revoked")


def _consent_granted(s: Scene) -> None:
    s.tenant.grant_consent(people.portal_application(s.domain)[0])
    lifecycle.verify(s.connector, actor=s.actor)
    s.run({"pawel.jablonski": "Disabled"}, request=False)


STEPS = (
    ("one page answered 503: nothing changes, the next run completes", _answered_503),
    ("throttled, Retry-After whole: waited out", _throttled_whole),
    ("throttled, Retry-After decimal: waited out", _throttled_decimal),
    ("throttled, Retry-After long: nothing is asked until then", _throttled_long),
    ("cut off in mid-body: nothing changes, the next run completes", _cut_off),
    ("truncated JSON: nothing changes, the next run completes", _truncated),
    ("secret expired: Unauthorized", _secret_expired),
    ("secret replaced: Connected", _secret_replaced),
    ("consent revoked in the middle of a run: Unauthorized, nothing changes", _consent_revoked),
    ("consent granted and verified again: Connected", _consent_granted),
)
