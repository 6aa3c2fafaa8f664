"""What Microsoft is asked with: a secret that ends, as warned of, and Microsoft out of reach for a while."""

from __future__ import annotations

from connectors import lifecycle
from connectors.states import ConnectorStatus
from tests.demo.life.scene import Life
from tests.entra_emulator import people


def _fortnight(s: Life) -> None:
    s.days_pass(2)
    s.run({"priya.raghunathan": "Active"})
    s.told("expires in 14 days")


def _unreachable(s: Life) -> None:
    s.days_pass(7)
    s.microsoft.faults.add(path=f"/groups/{s.notes['sync']}/", times=None, status=503)
    s.run_in_vain()
    s.told("expires in 7 days")
    s.let_pass(minutes=61)
    s.run_in_vain()
    s.told("Microsoft is unreachable")
    s.microsoft.faults.clear()
    s.run({"priya.raghunathan": "Active"})
    s.told("Microsoft is reachable again", over=True)


def _last_day(s: Life) -> None:
    s.days_pass(6)
    s.run({"priya.raghunathan": "Active"})
    s.told("expires tomorrow")


def _expired(s: Life) -> None:
    s.days_pass(2)
    s.tenant.remove_member(s.notes["sync"], s.person("oscar.munoz").id)
    s.run_in_vain(ConnectorStatus.UNAUTHORIZED)
    s.outcome.must("expired" in s.connector.status_sentence, "the sentence does not say that the secret expired")
    s.told("the client secret has expired", "Microsoft refuses the connector")
    before = s.seen()
    s.days_pass(1)
    s.outcome.must(not s.synchronise(), "an Unauthorized connector ran")
    s.unchanged(before, ConnectorStatus.UNAUTHORIZED)
    s.told("Reminder: ")


def _replaced(s: Life) -> None:
    client_id, _ = people.portal_application(s.domain)
    s.notes["secret"] = s.tenant.add_secret(client_id).secret
    lifecycle.replace_secret(s.connector, secret=s.notes["secret"], secret_expires_on=None, actor=s.actor)
    s.run({"oscar.munoz": "Disabled"}, request=False)
    s.told("Microsoft accepts the connector again", "does not expire soon any more", over=True)


WARNED = (
    ("week 4: the secret ends in 14 days", _fortnight),
    ("week 5: it ends in 7 days, and Microsoft is out of reach for more than an hour", _unreachable),
    ("week 6: it ends tomorrow", _last_day),
)
EXPIRED = (
    ("week 6: the secret has ended; Unauthorized, told, and told again", _expired),
    ("week 6: another secret: Connected, and what was missed is made up for", _replaced),
)
