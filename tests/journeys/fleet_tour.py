"""The tour of the fleet: its page full and empty, a rule set on its way, resuming, and many accounts by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.urls import reverse

from connectors.models import Connector
from connectors.states import ConnectorStatus
from tests import world
from tests.demo import fleet_rows
from tests.demo.fleet import make_tenants
from tests.journeys.browsing import Visitor
from tests.journeys.scene import MAREN, Scene

WRONG = "Ada, Lovelace, ada@x.example\nGrace Hopper\nAda, King, ada@x.example"


def fleet(scene: Scene, newcomer: Callable[[], Visitor]) -> Iterator[tuple[str, Visitor]]:
    """Visit the partner portal's home, and what is done from there to many at once."""
    beginner = newcomer()
    beginner.enter_as(world.make_staff(world.make_partner("Fenwick IT"), name="Robin Fenwick"))
    beginner.open(reverse("admin:index"))
    yield "fleet-empty", beginner
    beginner.open(reverse("admin:tenants_company_changelist"))
    yield "companies-empty", beginner
    make_tenants(scene.emulator)
    fleet_rows.seed_fleet()
    rows = Connector.objects.filter(company__partner__slug="harbour-ridge-it")
    visitor = newcomer()
    visitor.enter_as(scene.user(MAREN))
    for name, path in (
        ("fleet", reverse("admin:index")),
        ("fleet-removed", f"{reverse('admin:index')}?status=removed"),
        ("fleet-nothing", f"{reverse('admin:index')}?q=nobody-of-this-name"),
        ("companies-none", f"{reverse('admin:tenants_company_changelist')}?q=nobody-of-this-name"),
    ):
        visitor.open(path)
        yield name, visitor
    chosen = rows.filter(company__name__in=["Coldwater Marine", "Te Awa Health", "Kestrel & Vale Architects"])
    ids = ",".join(str(row.pk) for row in chosen)
    visitor.open(f"{reverse('admin:fleet-rules')}?connectors={ids}&removed=nothing")
    visitor.reads("Nobody is concerned now.")
    visitor.page.get_by_text("It cannot be seen what it would do").wait_for()
    yield "fleet-rules", visitor
    visitor.press("Apply to those selected")
    yield "fleet-rules-done", visitor
    held = chosen.get(company__name="Coldwater Marine")
    visitor.open(f"{reverse('admin:fleet-rules-one', args=[held.pk])}?removed=convert&new=nothing")
    yield "fleet-rules-one", visitor
    paused = rows.filter(status=ConnectorStatus.CONNECTED).exclude(paused_at=None)
    visitor.open(f"{reverse('admin:fleet-resume')}?connectors={','.join(str(row.pk) for row in paused)}")
    visitor.page.get_by_text("cannot be told").nth(1).or_(visitor.page.get_by_text("change nobody").nth(1)).wait_for()
    yield "fleet-resume", visitor
    visitor.open(reverse("admin:fleet-resume-one", args=[paused[0].pk]))
    yield "fleet-resume-one", visitor
    several = reverse("partner:new-users", args=["saltmarsh"])
    visitor.open(several)
    yield "users-several", visitor
    visitor.page.get_by_label("People").fill(WRONG)
    visitor.press("Read these lines")
    yield "users-several-refused", visitor
    visitor.page.get_by_label("People").fill("Ada, Lovelace, ada@x.example\nGrace, Hopper, grace@x.example")
    visitor.press("Read these lines")
    yield "users-several-shown", visitor
