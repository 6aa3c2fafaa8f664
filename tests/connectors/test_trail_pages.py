"""Where one is: each page of a connector says in its breadcrumbs whose it is, with a way to every level above."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from connectors.models import SyncRun
from tests.connectors.portal_visit import Visitor
from tests.entra_emulator import Emulator
from tests.stage import Stage

pytestmark = pytest.mark.django_db

NAME = "Microsoft Entra ID"


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.install():
        found = Stage(emulator, "Ada Lovelace", "Grace Hopper")
        found.run()
        yield found


def trail(visitor: Visitor, rest: str) -> list[tuple[str, str]]:
    """Return a page's breadcrumbs, each with where it leads; '' for the page itself."""
    visitor.says_who()
    page = visitor.get(rest).content.decode()
    found = re.findall(r'<li(?: aria-current="page")?>(?:<a href="([^"]*)">)?<bdi>([^<]*)</bdi>', page)
    return [(html.unescape(label), url.removeprefix(visitor.before)) for url, label in found]


PAGES = {
    "": [],
    "runs/": [("Runs", "")],
    "held/": [("Held changes", "")],
    "why/": [("Why?", "")],
    "brake/": [("Safety brake", "")],
    "pause/": [("Pause", "")],
    "remove/": [("Remove", "")],
    "setup/azure/": [("Azure Auth", "")],
    "setup/azure/replace/": [("Azure Auth", "setup/azure/"), ("Replace", "")],
    "setup/groups/": [("Users & Groups", "")],
    "setup/rules/": [("Sync rules", "")],
    "setup/preview/": [("Sync rules", "setup/rules/"), ("Preview", "")],
}


@pytest.mark.parametrize("rest", PAGES)
@pytest.mark.parametrize("portal", ["partner", "business"])
def test_each_page_of_a_connector_says_whose_it_is(stage: Stage, portal: str, rest: str) -> None:
    own = f"connectors/{stage.connector.pk}/"
    above = [("Integrations", "connectors/")]
    if portal == "partner":
        company = (stage.company.name, "")
        above = [("Companies", "/partner/tenants/company/"), company, ("Connectors", "connectors/")]
    below = [(label, own + url if url else "") for label, url in PAGES[rest]]
    found = trail(Visitor(stage.company, portal), own + rest)
    assert found == [*above, (NAME, own if rest else ""), *below]


def test_a_run_stands_below_its_connectors_runs(stage: Stage) -> None:
    run = SyncRun.objects.latest("pk")
    own = f"connectors/{stage.connector.pk}/"
    label = f"Run of {run.started_at.day} {run.started_at:%b, %H:%M}"
    assert trail(Visitor(stage.company, "business"), f"runs/{run.pk}/") == [
        ("Integrations", "connectors/"),
        (NAME, own),
        ("Runs", f"{own}runs/"),
        (label, ""),
    ]


def test_a_page_of_the_company_itself_says_no_more_than_before(stage: Stage) -> None:
    partner, business = Visitor(stage.company), Visitor(stage.company, "business")
    assert trail(partner, "users/") == [("Companies", "/partner/tenants/company/"), (stage.company.name, "")]
    assert trail(business, "users/") == []
