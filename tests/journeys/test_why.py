"""“Why?” in a browser: a question typed, somebody chosen, and the answer with the one thing that would change it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from connectors.models import Connector
from tenants.models import Company
from tenants.roles import Role
from tenants.roster import Act, perform
from tests.demo import seed
from tests.entra_emulator import people
from tests.journeys.browsing import Visitor
from tests.journeys.scene import AMARA, BRIGHTWATER, Scene
from tests.stage import Stage
from tests.world import make_account, make_staff

Newcomer = Callable[..., Visitor]


@pytest.fixture
def connector(scene: Scene) -> Connector:
    connector = scene.connect(BRIGHTWATER, people.BRIGHTWATER, actions=seed.RULES, settings=seed.SETTINGS)
    tenant = scene.tenant(people.BRIGHTWATER)
    for name in ("Priya Okafor", "Priya Okonjo"):
        tenant.add_user(name, mail=f"{name.lower().replace(' ', '.')}@brightwater.example")
    return connector


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_question_finds_its_person_and_its_answer(
    scene: Scene, connector: Connector, visitor: Newcomer, script: bool
) -> None:
    one = visitor(script=script)
    one.enter_as(scene.user(AMARA))
    one.open(reverse("business:connectors"))
    one.follow("Why has somebody no account?")
    one.page.get_by_label("Name or email address").fill("Priya Ok")
    one.page.get_by_role("button", name="Explain").click()
    one.reads("2 people fit")
    one.look()
    one.follow("Priya Okonjo")
    if not script:
        one.follow("Show the answer")
    one.reads("Priya Okonjo has no account, because they are not in the sync group.")
    assert one.heading == "Priya Okonjo"
    one.look()
    group = scene.tenant(people.BRIGHTWATER).group(people.SYNC_GROUP)
    scene.tenant(people.BRIGHTWATER).add_member(
        group.id, scene.tenant(people.BRIGHTWATER).user("priya.okonjo@brightwater.example").id
    )
    one.follow("Read again now")
    one.reads("At the next run Priya Okonjo gets an account")


TICKETS = {
    "ada": "Ada Lovelace has an active account, and has not accepted the invitation yet.",
    "grace@lumenvale.example": "Grace Hopper’s account is disabled, because they are disabled in Entra.",
    "dijkstra": "Edsger Dijkstra gets no account, because a person deleted the one they had.",
    "turing": "Alan Turing has an account that waits for a licence.",
    "kiosk": "Kiosk Machine gets no account, because the directory has no usable email address for them.",
    "gwen@elsewhere.example": "Gwen Guest has no account: they are in the sync group, and a setting leaves them out.",
    "tony hoare": "Tony Hoare has no account, because they are not in the sync group.",
    "nobody@lumenvale.example": "nobody@lumenvale.example is not in the directory, and has no account here.",
    "mary@home.example": "Mary Shaw has an account that Password Boss manages. It is Active.",
    "newcomer": "because the account of Donald Knuth (Active) has the address and carries another identity.",
}


@pytest.fixture
def morning(scene: Scene) -> Stage:
    """Return a company in which somebody stands in each of many ways."""
    names = ("Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Donald Knuth", "Barbara Liskov")
    stage = Stage(scene.emulator, *names, name="Lumen Vale", domain="lumenvale.example", leave_out_guests=True)
    make_account(stage.company, email="mary@home.example", first_name="Mary", last_name="Shaw")
    stage.run()
    staff = make_staff(stage.company.partner)
    perform(Act.DELETE, stage.company, [stage.account("Edsger").pk], actor=staff)
    stage.tenant.disable_user(stage.people["grace"].id)
    stage.run()
    Company.objects.filter(pk=stage.company.pk).update(licences=4)
    stage.hire("Alan Turing")
    stage.hire("Kiosk Machine", mail=None, user_principal_name="kiosk@lumenvale.onmicrosoft.com")
    guest = stage.tenant.add_guest("Gwen Guest", "gwen@elsewhere.example")
    stage.tenant.add_member(stage.group.id, guest.id)
    stage.tenant.add_user("Tony Hoare", mail="tony@lumenvale.example")
    stage.run()
    stage.tenant.update_user(stage.people["donald"].id, mail="donald.k@lumenvale.example")
    stage.hire("Newcomer Nine", mail="donald@lumenvale.example")
    return stage


def test_a_morning_of_tickets_is_answered_one_after_the_other(scene: Scene, morning: Stage, visitor: Newcomer) -> None:
    one = visitor()
    one.enter_as(make_staff(morning.company.partner, Role.PARTNER_TECHNICIAN))
    one.open(reverse("partner:connectors", args=[morning.company.slug]))
    one.follow("Why has somebody no account?")
    for question, answer in TICKETS.items():
        one.page.get_by_label("Name or email address").fill(question)
        one.page.get_by_role("button", name="Explain").click()
        one.reads(answer)
        one.look()
