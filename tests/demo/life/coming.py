"""The first weeks: the installation, people who come, leave and return, a pause, and licences that run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors import lifecycle
from connectors.states import ConnectorStatus
from tenants import companies
from tests.demo.life.scene import Life
from tests.demo.steps import arriving
from tests.demo.steps.arriving import ENOUGH, set_licences
from tests.entra_emulator import people

SECRET_DAYS = 40


def _installed(s: Life) -> None:
    companies.change_company(s.company, {"notification_emails": ["it@brightwater.example"]}, actor=s.actor)
    arriving.first_sync(s)
    s.told("1 change is held", "licences are short")


def _settled(s: Life) -> None:
    for _, act in arriving.FIRST[1:3]:
        act(s)
    s.told("No change is held any more", "Licences suffice again", over=True)


def _secret_typed(s: Life) -> None:
    """Use a secret that ends in some weeks, as the directory says and as somebody typed."""
    client_id, _ = people.portal_application(s.domain)
    ends = datetime.now(UTC) + s.passed + timedelta(days=SECRET_DAYS)
    secret = s.tenant.add_secret(client_id, expires=ends.isoformat()).secret
    day = (datetime.now(UTC) + timedelta(days=SECRET_DAYS)).date()
    lifecycle.replace_secret(s.connector, secret=secret, secret_expires_on=day, actor=s.actor)
    s.run({"priya.raghunathan": "Active"}, request=False)
    s.told()


def _first_week(s: Life) -> None:
    s.days_pass(3)
    s.hire("Hugo Winter", s.notes["sync"])
    s.hire("Nele Sommer", s.notes["sync"])
    s.tenant.remove_member(s.notes["sync"], s.person("alan.prescott").id)
    s.run({"hugo.winter": "Active", "nele.sommer": "Active", "alan.prescott": "Disabled"})
    s.told()


def _long_leave(s: Life) -> None:
    s.days_pass(4)
    s.tenant.disable_user(s.person("bjorn.ekstrom").id)
    s.run({"bjorn.ekstrom": "Disabled"})
    s.days_pass(3)
    s.tenant.enable_user(s.person("bjorn.ekstrom").id)
    s.run({"bjorn.ekstrom": "Active"})
    s.told("expires in 30 days")


def _paused(s: Life) -> None:
    s.days_pass(2)
    lifecycle.pause(s.connector, reason="The directory is being tidied up.", actor=s.actor)
    before = s.seen()
    s.hire("Iris Lenz", s.notes["sync"])
    s.tenant.remove_member(s.notes["sync"], s.person("carlos.quiroga").id)
    for _ in range(2):
        s.days_pass(2)
        s.outcome.must(not s.synchronise(), "a paused connector ran")
    s.unchanged(before, ConnectorStatus.CONNECTED)
    s.told()


def _resumed(s: Life) -> None:
    s.days_pass(1)
    lifecycle.resume(s.connector, actor=s.actor)
    s.run({"iris.lenz": "Active", "carlos.quiroga": "Disabled"}, request=False)
    s.told()


SETTLING = (
    ("day 0: installed; what needs a person is told by mail", _installed),
    ("day 0: the administrator is confirmed and licences are bought; the mails are resolved", _settled),
    ("day 0: the secret ends in 40 days, and somebody typed that", _secret_typed),
)
WEEKS = (
    ("week 1: two are hired and one leaves", _first_week),
    ("week 2: somebody is on long leave and returns; the secret ends in 30 days", _long_leave),
    ("week 2: paused with a reason; people come and go, and nothing happens", _paused),
    ("week 3: resumed; what was missed is made up for", _resumed),
)


def _licences_run_out(s: Life) -> None:
    s.days_pass(2)
    set_licences(s, s.world.company.active)
    s.hire("Ottilie Brandt", s.notes["sync"])
    s.hire("Anton Berger", s.notes["sync"])
    s.run({"anton.berger": "Pending approval", "ottilie.brandt": "Pending approval"})
    s.told("licences are short")


def _one_leaves(s: Life) -> None:
    s.days_pass(1)
    s.tenant.remove_member(s.notes["sync"], s.person("gareth.llewellyn").id)
    s.run({"gareth.llewellyn": "Disabled", "anton.berger": "Active", "ottilie.brandt": "Pending approval"})
    s.told("Reminder: ")


def _licences_bought(s: Life) -> None:
    set_licences(s, ENOUGH)
    s.run({"ottilie.brandt": "Active"})
    s.told("Licences suffice again", over=True)


LICENCES = (
    ("week 4: licences run out; two wait, and it is told", _licences_run_out),
    ("week 4: one leaves, and who waited longest gets the licence", _one_leaves),
    ("week 4: licences are bought; nobody waits any more", _licences_bought),
)
