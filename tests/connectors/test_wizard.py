"""The install wizard in both portals: each step, each way it can fail, and how it is taken up again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.utils import timezone

from connectors import lifecycle
from connectors.models import Connector
from connectors.states import Action, ConnectorStatus, RunTrigger, Situation
from connectors.sync import run
from connectors.sync.load import rules_of
from tenants.models import Account, AuditEntry
from tenants.roles import Role
from tenants.states import AccountRole
from tests.connectors.wizard_scene import Visit, hidden, text_of, told
from tests.entra_emulator import Emulator, Group
from tests.world import make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture(params=["partner", "business"])
def visit(request: pytest.FixtureRequest, emulator: Emulator) -> Visit:
    return Visit(emulator, request.param)


@pytest.fixture
def partner(emulator: Emulator) -> Visit:
    return Visit(emulator)


@pytest.fixture
def business(emulator: Emulator) -> Visit:
    return Visit(emulator, "business")


def people(visit: Visit, *names: str) -> Group:
    group = visit.tenant.add_group("Password Boss Users")
    for name in names:
        first = name.partition(" ")[0]
        person = visit.tenant.add_user(name, given_name=first, mail=f"{first.lower()}@brightwater.example")
        visit.tenant.add_member(group.id, person.id)
    return group


def ready(visit: Visit, *names: str) -> Connector:
    """Return a connector that lacks nothing but Save Changes."""
    connector = visit.verified()
    group = people(visit, *(names or ("Ada Lovelace", "Grace Hopper")))
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": group.id})
    connector.refresh_from_db()
    return connector


def save(visit: Visit, connector: Connector, **rules: str) -> str:
    """Press Save Changes, look at what it shows, and press it there; return where that leads."""
    defaults = {situation.value: action.value for situation, action in rules_of(connector).actions.items()}
    settings = {name: "on" for name in lifecycle.SETTINGS if getattr(connector, name)}
    answer = visit.client.post(visit.step(connector, "rules/"), defaults | settings | rules | {"save": "1"})
    page = visit.client.get(answer.headers["Location"])
    sent = defaults | settings | rules | {"save": "1", "seen": hidden(page, "seen")}
    return str(visit.client.post(visit.step(connector, "rules/"), sent).headers["Location"])


def live(visit: Visit, *names: str) -> Connector:
    connector = ready(visit, *names)
    assert save(visit, connector) == visit.url()
    run(connector.pk, RunTrigger.SCHEDULE)
    connector.refresh_from_db()
    assert connector.status == ConnectorStatus.CONNECTED
    return connector


# From Install to Connected


def test_everything_from_install_to_connected(visit: Visit) -> None:
    visit.tenant.grant_consent(visit.app.client_id)
    installed = visit.client.get(visit.url())
    assert visit.url("connectors/install/") in installed.content.decode()
    connector = visit.begin()
    assert (connector.status, connector.live) == (ConnectorStatus.SETUP_INCOMPLETE, False)
    answer = visit.enter(connector, secret_expires_on="2099-11-01")
    assert "Connection Verified" in told(visit.client, answer)
    group, others = people(visit, "Ada Lovelace", "Grace Hopper"), visit.tenant.add_group("Engineers")
    found = visit.client.get(visit.step(connector, "groups/search/"), {"g": "pass"}, headers={"HX-Request": "true"})
    assert "Password Boss Users Security group · 2 members: " in text_of(found)
    assert {"Ada", "Grace"} <= set(text_of(found).split())
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": group.id})
    visit.client.post(visit.step(connector, "groups/"), {"add": others.id})
    assert save(visit, connector) == visit.url()
    connector.refresh_from_db()
    assert (connector.status, connector.sync_group_name) == (ConnectorStatus.WAITING, "Password Boss Users")
    assert "Waiting for connect" in text_of(visit.client.get(visit.url()))
    run(connector.pk, RunTrigger.SCHEDULE)
    assert "Connected" in text_of(visit.client.get(visit.url()))
    assert sorted(Account.objects.filter(managed_by="azure_ad").values_list("first_name", flat=True)) == [
        "Ada",
        "Grace",
    ]


# Authentication token


def test_the_token_is_shown_once_and_kept_as_a_hash(visit: Visit) -> None:
    page = visit.client.get(visit.url("connectors/install/"))
    shown = visit.client.post(visit.url("connectors/install/"), {"once": hidden(page, "once")})
    connector = Connector.objects.get(company=visit.company)
    token = next(word for word in text_of(shown).split() if word.startswith("pbc_"))
    assert lifecycle.token_matches(connector, token)
    assert (connector.token_hash == token, token in str(connector.__dict__)) == (False, False)
    again = visit.client.get(visit.step(connector, "token/"))
    assert ("The token was shown" in text_of(again), "pbc_" in again.content.decode()) == (True, False)
    assert shown.headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


def test_install_pressed_twice_begins_once_and_shows_one_token(partner: Visit) -> None:
    once = hidden(partner.client.get(partner.url("connectors/install/")), "once")
    shown = [partner.client.post(partner.url("connectors/install/"), {"once": once}) for _ in range(2)]
    tokens = {next(word for word in text_of(page).split() if word.startswith("pbc_")) for page in shown}
    assert (len(tokens), Connector.objects.filter(company=partner.company).count()) == (1, 1)
    assert AuditEntry.objects.filter(action="connector.begun").count() == 1


@pytest.mark.parametrize("once", ["", "pbc_a-token-of-my-own", "x:y:z"])
def test_nobody_begins_with_a_token_of_their_own(partner: Visit, once: str) -> None:
    assert partner.client.post(partner.url("connectors/install/"), {"once": once}).status_code == 302
    assert Connector.objects.count() == 0


def test_regenerate_kills_the_old_token_and_is_for_administrators(partner: Visit) -> None:
    connector = partner.begin()
    before = connector.token_hash
    page = partner.client.post(partner.step(connector, "token/"))
    connector.refresh_from_db()
    token = next(word for word in text_of(page).split() if word.startswith("pbc_"))
    assert (connector.token_hash != before, lifecycle.token_matches(connector, token)) == (True, True)
    technician = partner.sign_in(partner.sign_up(Role.PARTNER_TECHNICIAN))
    assert "Regenerate" not in text_of(technician.get(partner.step(connector, "token/")))
    assert technician.post(partner.step(connector, "token/")).status_code == 403


# Azure Auth


def test_the_guide_has_this_portals_addresses_and_a_script_with_the_two_permissions(visit: Visit) -> None:
    page = visit.client.get(visit.step(visit.begin(), "azure/"))
    shown = text_of(page)
    for word in (
        "http://localhost:8000/azure/callback",
        "http://localhost:8000/business/connectors/azure/callback",
        "Group.Read.All",
        "User.Read.All",
        "5b567255-7703-4780-807c-7be8301ae99b",
        "df021288-bdef-4463-88db-98f22de89214",
        "az ad app create",
        "Passwords are never synchronised",
    ):
        assert word in shown


def field_error(page: str, field: str) -> str:
    """Return what stands under a field."""
    _, _, rest = page.partition(f'id="id_{field}_error">')
    return text_of_html(rest.partition("</div>")[0])


def text_of_html(part: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", part))).strip()


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"secret": "not-the-secret"}, "secret", "The client secret is wrong. Enter the value of a secret"),
        ({"secret": "0f0f0f0f-0000-4000-8000-000000000000"}, "secret", "This is the Secret ID, not the secret."),
        ({"secret": ""}, "secret", "Enter the client secret: the Value that Microsoft showed once"),
        ({"client_id": ""}, "client_id", "Enter the Client ID: it is on the overview page"),
        ({"tenant": "not a tenant!"}, "tenant", "A Tenant ID is either a GUID,"),
        (
            {"client_id": "00000000-0000-4000-8000-000000000000"},
            "client_id",
            "Microsoft knows no application with this Client ID in this tenant.",
        ),
        ({"client_id": "an app"}, "client_id", "A Client ID is a GUID."),
        (
            {"tenant": "00000000-0000-4000-8000-000000000000"},
            "tenant",
            "Microsoft knows no tenant 00000000-0000-4000-8000-000000000000 in the cloud Global.",
        ),
        ({"tenant": "common"}, "tenant", "This stands for all tenants together."),
        ({"secret_expires_on": "2020-01-01"}, "secret_expires_on", "This day is over."),
    ],
)
def test_what_was_typed_wrongly_is_said_at_its_field(
    partner: Visit, typed: dict[str, str], field: str, sentence: str
) -> None:
    partner.tenant.grant_consent(partner.app.client_id)
    connector = partner.begin()
    page = partner.enter(connector, **typed)
    shown = page.content.decode()
    assert page.status_code == 422
    assert field_error(shown, field).startswith(sentence)
    assert f'aria-describedby="id_{field}_error' in shown
    assert partner.app.secret not in shown
    connector.refresh_from_db()
    assert connector.tenant_id == ""


def summary_of(page: HttpResponse) -> list[tuple[str, str]]:
    """Return where each line of the summary leads, and the field it names; the focus is on the summary."""
    [part] = re.findall(
        r'<div class="notice notice--bad" role="alert" tabindex="-1" autofocus>.*?</ul>', page.content.decode(), re.S
    )
    return re.findall(r'<li><a href="#(\w+)">([^<]*)</a>: \w', part)


def test_everything_that_is_wrong_is_said_at_once_on_top_with_the_way_to_each_field(partner: Visit) -> None:
    connector = partner.begin()
    wrong = {"client_id": "abc", "tenant": "not a tenant!", "secret_expires_on": "soon"}
    page = partner.enter(connector, **wrong)
    assert summary_of(page) == [
        ("id_client_id", "Client ID"),
        ("id_secret", "Client Secret"),
        ("id_tenant", "Tenant ID"),
        ("id_secret_expires_on", "The secret expires on"),
    ]
    shown = page.content.decode()
    assert field_error(shown, "secret") == "Enter the secret again: a page never shows it."
    assert all(shown.index("autofocus") < shown.index(f' id="id_{name}"') for name in partner.typed())
    assert partner.app.secret not in shown


def test_a_secret_that_was_saved_is_not_asked_for_again(partner: Visit) -> None:
    partner.tenant.grant_consent(partner.app.client_id)
    connector = partner.begin()
    page = partner.enter(connector, tenant="00000000-0000-4000-8000-000000000000")
    assert summary_of(page) == [("id_tenant", "Tenant ID")]
    assert "One is stored. Leave this empty to keep it, or enter another Value." in text_of(page)
    assert re.search(r'<input type="password"[^>]* required', page.content.decode()) is None
    assert partner.enter(connector, secret="").status_code == 302


def test_the_browser_itself_tells_of_a_client_id_that_is_none(partner: Visit) -> None:
    page = partner.client.get(partner.step(partner.begin(), "azure/")).content.decode()
    [field] = re.findall(r'<input[^>]*name="client_id"[^>]*>', page)
    [pattern] = re.findall(r'pattern="([^"]*)"', field)
    ids = (partner.app.client_id, f" {partner.app.client_id.upper()} ", "abc", f"{partner.app.client_id}0")
    assert [bool(re.fullmatch(html.unescape(pattern), one)) for one in ids] == [True, True, False, False]
    assert "A Client ID is a GUID" in field


def test_an_expired_secret_and_a_disabled_application_and_the_wrong_cloud_say_so(partner: Visit) -> None:
    partner.tenant.grant_consent(partner.app.client_id)
    connector = partner.begin()
    shown = partner.enter(connector, cloud="china").content.decode()
    assert "cloud" in field_error(shown, "tenant") + field_error(shown, "cloud")
    partner.tenant.disable_app(partner.app.client_id)
    shown = partner.enter(connector).content.decode()
    assert field_error(shown, "client_id").startswith("The application is disabled in this tenant.")
    partner.tenant.enable_app(partner.app.client_id)
    partner.tenant.expire_secret(partner.app.client_id)
    shown = partner.enter(connector).content.decode()
    assert field_error(shown, "secret").startswith("The client secret has expired.")


def test_microsoft_out_of_reach_blames_no_field(partner: Visit) -> None:
    connector = partner.begin()
    partner.emulator.faults.add(drop=True, times=None, path="/oauth2/v2.0/token")
    page = partner.enter(connector)
    assert page.status_code == 422
    assert "Microsoft cannot be reached from here. Nothing was changed; the next run tries again." in text_of(page)
    assert "field__error" not in page.content.decode()


def test_trap_24_a_rejected_credential_is_asked_for_once(partner: Visit) -> None:
    partner.tenant.grant_consent(partner.app.client_id)
    connector = partner.begin()
    partner.emulator.forget_journal()
    partner.enter(connector, secret="not-the-secret")
    assert len(partner.emulator.journal.where(method="POST")) == 1


def test_a_corrected_secret_is_asked_for_anew_and_an_empty_one_keeps_what_is_stored(partner: Visit) -> None:
    partner.tenant.grant_consent(partner.app.client_id)
    connector = partner.begin()
    assert partner.enter(connector, secret="not-the-secret").status_code == 422
    assert partner.enter(connector).status_code == 302
    connector.refresh_from_db()
    generation = connector.generation
    assert partner.enter(connector, secret="").status_code == 302
    connector.refresh_from_db()
    assert (connector.tenant_id, connector.generation) == (partner.tenant.id, generation + 1)


def test_a_tenant_that_has_a_connector_is_refused_at_its_field(partner: Visit) -> None:
    partner.verified()
    second = partner.begin()
    page = partner.enter(second)
    assert field_error(page.content.decode(), "tenant").startswith("This company already has a connector to this")


# Taking it up again


def test_a_setup_goes_on_at_the_step_it_reached(visit: Visit) -> None:
    def reached(connector: Connector) -> str:
        location = str(visit.client.get(visit.step(connector, "")).headers["Location"])
        return location.removeprefix(visit.step(connector, ""))

    connector = visit.begin()
    assert reached(connector) == "token/"
    visit.enter(connector, secret="not-the-secret")
    assert reached(connector) == "azure/"
    visit.tenant.grant_consent(visit.app.client_id)
    visit.enter(connector)
    assert reached(connector) == "groups/"
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": people(visit, "Ada Lovelace").id})
    assert reached(connector) == "rules/"
    connector.refresh_from_db()
    save(visit, connector)
    assert visit.client.get(visit.step(connector, "")).headers["Location"] == visit.url(f"connectors/{connector.pk}/")


def test_a_step_that_is_not_reached_leads_back(partner: Visit) -> None:
    connector = partner.begin()
    for step in ("groups/", "rules/", "preview/", "groups/search/", "azure/consent/"):
        answer = partner.client.get(partner.step(connector, step))
        assert (answer.status_code, answer.headers["Location"]) == (302, partner.step(connector, ""))


def test_back_after_save_shows_the_live_connectors_tab(visit: Visit) -> None:
    connector = live(visit)
    for step in ("azure/", "groups/", "rules/"):
        page = visit.client.get(visit.step(connector, step))
        assert (page.status_code, "Step 1" in text_of(page)) == (200, False)


def test_save_pressed_twice_saves_once(partner: Visit) -> None:
    connector = ready(partner)
    assert save(partner, connector) == partner.url()
    sent = {situation.value: action.value for situation, action in rules_of(connector).actions.items()}
    again = partner.client.post(
        partner.step(connector, "rules/"), sent | {"send_invitations": "on", "save": "1", "seen": "old"}
    )
    assert again.status_code == 302
    assert AuditEntry.objects.filter(action="connector.activated").count() == 1


# Users & Groups


def test_groups_say_what_is_unusual_about_them(partner: Visit) -> None:
    connector = partner.verified()
    partner.tenant.add_microsoft_365_group("All staff")
    partner.tenant.add_group("Nobody here")
    hidden_group = partner.tenant.add_group("Hidden people")
    partner.tenant.hide_group(hidden_group.id)
    shown = text_of(partner.client.get(partner.step(connector, "groups/")))
    for sentence in ("It is not a security group", "Nobody is in it.", "Its members are hidden from this application"):
        assert sentence in shown


def test_one_sync_group_replaced_by_another_and_any_number_of_additional_ones(visit: Visit) -> None:
    connector = visit.verified()
    one, two, three = (visit.tenant.add_group(name) for name in ("One", "Two", "Three"))
    for post in (
        {"sync_group": one.id},
        {"sync_group": two.id},
        {"add": three.id},
        {"add": one.id},
        {"drop": three.id},
    ):
        visit.client.post(visit.step(connector, "groups/"), post)
    connector.refresh_from_db()
    assert connector.sync_group_id == two.id
    assert list(connector.selected_groups.values_list("directory_id", flat=True)) == [one.id]


def test_a_group_that_is_gone_or_made_up_is_refused_in_words(partner: Visit) -> None:
    connector = partner.verified()
    for made_up in ("00000000-0000-4000-8000-000000000000", "not-a-guid"):
        answer = partner.client.post(partner.step(connector, "groups/"), {"sync_group": made_up})
        assert "group" in told(partner.client, answer)
    connector.refresh_from_db()
    assert connector.sync_group_id == ""


def test_groups_of_a_live_connector_are_saved_only_after_their_difference_was_seen(visit: Visit) -> None:
    connector = live(visit, "Ada Lovelace", "Grace Hopper", "Alan Turing")
    other = visit.tenant.add_group("Pilot")
    before = connector.sync_group_id
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": other.id})
    connector.refresh_from_db()
    assert connector.sync_group_id == before
    assert "This choice is not saved" in text_of(visit.client.get(visit.step(connector, "groups/")))
    blind = visit.client.post(visit.step(connector, "groups/"), {"save": "1", "seen": "never"})
    assert "Nothing is saved yet." in told(visit.client, blind)
    page = visit.client.get(visit.step(connector, "preview/"), {"choice": "1"})
    assert text_of(page).count("Nobody is in the sync group") == 3
    visit.client.post(visit.step(connector, "groups/"), {"save": "1", "seen": hidden(page, "seen")})
    connector.refresh_from_db()
    assert connector.sync_group_id == other.id


def test_a_technician_looks_at_a_live_connectors_groups_and_changes_none(partner: Visit) -> None:
    connector = live(partner)
    technician = partner.sign_in(partner.sign_up(Role.PARTNER_TECHNICIAN))
    page = technician.get(partner.step(connector, "groups/"))
    assert (page.status_code, "Use as sync group" in text_of(page)) == (200, False)
    other = partner.tenant.add_group("Pilot")
    assert technician.post(partner.step(connector, "groups/"), {"sync_group": other.id}).status_code == 403


def test_a_group_that_cannot_be_synchronised_is_not_offered(visit: Visit) -> None:
    connector = visit.verified()
    secret, open_to_all = visit.tenant.add_group("Secret people"), visit.tenant.add_group("Open people")
    visit.tenant.hide_group(secret.id)
    page = visit.client.get(visit.step(connector, "groups/")).content.decode()
    assert re.findall(r'name="(sync_group|add)" value="([^"]*)"', page) == [("sync_group", open_to_all.id)]
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": open_to_all.id})
    visit.tenant.add_group("Other people")
    page = visit.client.get(visit.step(connector, "groups/")).content.decode()
    assert f'value="{secret.id}"' not in page
    assert '<label class="field__label" for="g">Search groups by name</label>' in page


def test_every_step_goes_on_from_its_foot(partner: Visit) -> None:
    connector = partner.verified()
    partner.client.post(partner.step(connector, "groups/"), {"sync_group": partner.tenant.add_group("People").id})
    for step, following in (("token/", "azure/"), ("azure/", "groups/"), ("groups/", "rules/")):
        page = partner.client.get(partner.step(connector, step)).content.decode()
        above, foot = page.split('<div class="form-actions">')
        assert f'<a class="button button--primary" href="{partner.step(connector, following)}">Next' in foot, step
        assert ("button--primary" in above, "Next<" in above) == (False, False), step


def test_a_tenant_that_is_not_known_offers_nobody_a_link_into_it(partner: Visit) -> None:
    connector = partner.begin()
    typed = {"tenant": "00000000-0000-4000-8000-000000000000"}
    assert "Somebody else gives consent?" not in text_of(partner.enter(connector, **typed))
    assert "Somebody else gives consent?" in text_of(partner.enter(connector, secret="not-the-secret"))


# Sync rules and the preview


def test_the_rules_lead_to_the_preview_once(partner: Visit) -> None:
    connector = live(partner)
    url = partner.step(connector, "rules/")
    page = text_of(partner.client.get(url))
    assert (page.count("Show the preview"), page.count("See all, and search")) == (1, 0)
    part = partner.client.get(partner.step(connector, "preview/"), headers={"HX-Request": "true"})
    assert text_of(part).count("See all, and search") == 1


def test_the_preview_is_the_very_plan_of_the_first_run(partner: Visit) -> None:
    make_account(partner.company, email="grace@brightwater.example", first_name="Grace", last_name="H")
    connector = ready(partner, "Ada Lovelace", "Grace Hopper")
    partner.tenant.add_member(
        connector.sync_group_id, partner.tenant.add_user("Kiosk", mail="kiosk@brightwater.onmicrosoft.com").id
    )
    page = text_of(partner.client.get(partner.step(connector, "preview/"), {"again": "1"}))
    assert "3 people in Password Boss Users" in page
    assert ("New accounts 1" in page, "Invitations by email 1" in page, "Skipped 1" in page) == (True, True, True)
    assert (Account.objects.filter(company=partner.company).count(), Connector.objects.get().status) == (
        1,
        ConnectorStatus.SETUP_INCOMPLETE,
    )
    save(partner, connector)
    result = run(connector.pk, RunTrigger.SCHEDULE)
    assert result.run is not None
    result.run.refresh_from_db()
    assert result.run.counts == {"applied.adopt": 1, "applied.create": 1, "applied.rename": 1, "skipped.no_email": 1}


def test_the_preview_is_searched_filtered_and_paged(partner: Visit) -> None:
    connector = ready(partner, *(f"Person{number:03} Numbered" for number in range(60)))
    first = text_of(partner.client.get(partner.step(connector, "preview/")))
    assert ("1–50 of 60" in first, "Person029" in first, "Person030" in first) == (True, True, False)
    second = text_of(partner.client.get(partner.step(connector, "preview/"), {"page": "2"}))
    assert "Person030" in second
    found = text_of(partner.client.get(partner.step(connector, "preview/"), {"q": "person007"}))
    assert ("Person007" in found, "Person008" in found) == (True, False)
    none = text_of(partner.client.get(partner.step(connector, "preview/"), {"part": "skipped"}))
    assert "Nobody fits this filter." in none


def test_pages_of_a_preview_read_the_directory_once_and_read_again_reads(partner: Visit) -> None:
    connector = ready(partner)
    partner.emulator.forget_journal()
    partner.client.get(partner.step(connector, "preview/"))
    asked = len(partner.emulator.journal)
    partner.client.get(partner.step(connector, "preview/"), {"q": "ada"})
    assert (asked > 0, len(partner.emulator.journal)) == (True, asked)
    partner.client.get(partner.step(connector, "preview/"), {"again": "1"})
    assert len(partner.emulator.journal) > asked


def test_convert_warns_where_addresses_are_a_companys_own(partner: Visit) -> None:
    connector = ready(partner)
    values = {situation.value: action.value for situation, action in rules_of(connector).actions.items()}
    page = partner.client.get(partner.step(connector, "preview/"), values | {"rules": "1", "deleted": "convert"})
    assert "2 of 2 addresses are a company’s own, such as brightwater.example" in text_of(page)


def test_an_administrators_account_waits_until_somebody_confirms_it_in_the_preview(partner: Visit) -> None:
    delia = make_account(partner.company, email="ada@brightwater.example", role=AccountRole.ADMIN, first_name="Ada")
    connector = ready(partner, "Ada Lovelace")
    url = partner.step(connector, "preview/")
    page = partner.client.get(url)
    assert "An administrator's account is linked only when a person confirms it" in text_of(page)
    partner.client.post(url, {"person": hidden(page, "person"), "account": str(delia.pk)})
    assert "Confirm: the same person" not in text_of(partner.client.get(url))
    technician = partner.sign_in(partner.sign_up(Role.PARTNER_TECHNICIAN))
    assert technician.post(url, {"person": "x", "account": "1"}).status_code == 403


def test_rules_that_harm_are_for_administrators(partner: Visit) -> None:
    connector = ready(partner)
    technician = partner.sign_in(partner.sign_up(Role.PARTNER_TECHNICIAN))
    page = technician.get(partner.step(connector, "rules/")).content.decode()
    assert ('value="delete"' in page, 'value="convert"' in page) == (False, False)
    values = {situation.value: action.value for situation, action in rules_of(connector).actions.items()}
    answer = technician.post(partner.step(connector, "rules/"), values | {"deleted": "delete", "save": "1"})
    assert answer.status_code == 422
    lifecycle.save_rules(connector, actions={Situation.DELETED: Action.DELETE}, actor="Test")
    softened = technician.post(partner.step(connector, "rules/"), values | {"send_invitations": "on", "preview": "1"})
    assert softened.status_code == 302


def test_rules_of_a_live_connector_show_their_difference_before_they_are_saved(visit: Visit) -> None:
    connector = live(visit, "Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov")
    ada = Account.objects.get(first_name="Ada")
    person = next(one for one in visit.tenant.people.values() if one.display_name == "Ada Lovelace")
    visit.tenant.remove_member(connector.sync_group_id, person.id)
    values = {situation.value: action.value for situation, action in rules_of(connector).actions.items()}
    asked = values | {"removed": "delete", "send_invitations": "on"}
    shown = visit.client.post(visit.step(connector, "rules/"), asked | {"save": "1"})
    page = visit.client.get(shown.headers["Location"])
    assert "Nothing is saved yet." in text_of(page)
    assert "REMOVED, rule: delete · not a member of the sync group at two complete reads" in text_of(page)
    assert rules_of(connector).actions[Situation.REMOVED] == Action.DISABLE
    visit.client.post(visit.step(connector, "rules/"), asked | {"save": "1", "seen": hidden(page, "seen")})
    assert rules_of(connector).actions[Situation.REMOVED] == Action.DELETE
    ada.refresh_from_db()
    assert ada.status == "active"


def test_what_somebody_else_saved_meanwhile_is_seen_before_saving(partner: Visit) -> None:
    connector = ready(partner)
    values = {situation.value: action.value for situation, action in rules_of(connector).actions.items()}
    sent = values | {"send_invitations": "on", "save": "1"}
    page = partner.client.get(partner.client.post(partner.step(connector, "rules/"), sent).headers["Location"])
    lifecycle.save_rules(connector, actions={Situation.NEW: Action.CREATE_PENDING}, actor="Somebody else")
    answer = partner.client.post(partner.step(connector, "rules/"), sent | {"seen": hidden(page, "seen")})
    assert "Nothing is saved yet." in told(partner.client, answer)
    assert Connector.objects.get().status == ConnectorStatus.SETUP_INCOMPLETE


# Verify Connection of a live connector


def test_verify_connection_mends_an_unauthorized_connector(visit: Visit) -> None:
    connector = live(visit)
    visit.tenant.disable_app(visit.app.client_id)
    page = visit.client.post(visit.step(connector, "azure/verify/"))
    assert "The application is disabled in this tenant." in text_of(page)
    connector.refresh_from_db()
    assert connector.status == ConnectorStatus.UNAUTHORIZED
    visit.tenant.enable_app(visit.app.client_id)
    assert "Connection Verified" in told(visit.client, visit.client.post(visit.step(connector, "azure/verify/")))
    connector.refresh_from_db()
    assert connector.status == ConnectorStatus.CONNECTED


def test_every_act_asks_for_its_csrf_token(partner: Visit) -> None:
    connector = live(partner)
    strict = partner.sign_in(partner.user, enforce_csrf_checks=True)
    steps = (
        "token/",
        "azure/",
        "azure/verify/",
        "azure/replace/",
        "azure/certificate/",
        "groups/",
        "rules/",
        "preview/",
    )
    answers = [strict.post(partner.step(connector, step)).status_code for step in steps]
    answers.append(strict.post(partner.url("connectors/install/")).status_code)
    assert answers == [403] * 9


def test_a_secret_that_expires_is_kept_as_a_day(partner: Visit) -> None:
    partner.tenant.grant_consent(partner.app.client_id)
    connector = partner.begin()
    day = timezone.localdate() + timedelta(days=90)
    partner.enter(connector, secret_expires_on=day.isoformat())
    connector.refresh_from_db()
    assert connector.secret_expires_on == day
