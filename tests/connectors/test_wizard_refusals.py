"""Each failure that an administrator can cause at Azure Auth, with its sentence; and what a wizard must survive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.models import Connector
from connectors.states import ConnectorStatus
from connectors.sync.load import rules_of
from tenants.models import AuditEntry
from tests.connectors.wizard_scene import Visit, hidden, text_of, told
from tests.entra_emulator import Emulator

pytestmark = pytest.mark.django_db

NOBODY = "00000000-0000-4000-8000-000000000000"
TOKEN = "/oauth2/v2.0/token"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


def consented(emulator: Emulator, portal: str) -> Visit:
    found = Visit(emulator, portal)
    found.tenant.grant_consent(found.app.client_id)
    return found


@pytest.fixture(params=["partner", "business"])
def visit(request: pytest.FixtureRequest, emulator: Emulator) -> Visit:
    return consented(emulator, request.param)


@pytest.fixture
def partner(emulator: Emulator) -> Visit:
    return consented(emulator, "partner")


@pytest.fixture
def business(emulator: Emulator) -> Visit:
    return consented(emulator, "business")


def nothing(visit: Visit) -> None:
    """Leave the tenant as it is."""


def expire(visit: Visit) -> None:
    visit.tenant.expire_secret(visit.app.client_id)


def disable(visit: Visit) -> None:
    visit.tenant.disable_app(visit.app.client_id)


def fault(**words: Any) -> Callable[[Visit], None]:
    return lambda visit: visit.emulator.faults.add(times=None, **words) and None


FAILURES: dict[str, tuple[Callable[[Visit], None], dict[str, str], str]] = {
    "a wrong secret": (
        nothing,
        {"secret": "wrong-secret-0123456789-wrong-secret"},
        "The client secret is wrong. Enter the value of a secret of this application, not its Secret ID.",
    ),
    "the secret's ID": (nothing, {"secret": NOBODY}, "This is the Secret ID, not the secret."),
    "an expired secret": (
        expire,
        {},
        "The client secret has expired. Create a new one under Certificates & secrets, and enter its value.",
    ),
    "an unknown application": (
        nothing,
        {"client_id": NOBODY},
        "Microsoft knows no application with this Client ID in this tenant. Check the Client ID and the Tenant ID;",
    ),
    "a disabled application": (
        disable,
        {},
        "The application is disabled in this tenant. Enable it under Enterprise applications,",
    ),
    "an unknown tenant": (
        nothing,
        {"tenant": NOBODY},
        f"Microsoft knows no tenant {NOBODY} in the cloud Global. Check the Tenant ID, and the cloud.",
    ),
    "another cloud": (
        nothing,
        {"cloud": "china"},
        "in the cloud China (21Vianet). Check the Tenant ID, and the cloud.",
    ),
    "a tenant that lives in another cloud": (
        fault(path=TOKEN, status=400, aadsts=90038),
        {},
        "lives in another cloud, not in Global. Choose its cloud, and use the application registered there.",
    ),
    "a policy that blocks": (
        fault(path=TOKEN, status=400, aadsts=53003),
        {},
        "A Conditional Access policy of the tenant blocks this application. An administrator must exclude it",
    ),
    "a clock that is wrong": (
        fault(path=TOKEN, status=401, aadsts=700024),
        {},
        "Microsoft finds the sign-in outside its time. Check the clock of this server.",
    ),
    "Microsoft that was asked too often": (
        fault(path=TOKEN, status=429, retry_after=600),
        {},
        "Microsoft asks this connector to slow down. It waits as long as Microsoft says and then goes on by itself.",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_says_what_to_do(partner: Visit, failure: str) -> None:
    refused(partner, failure)


@pytest.mark.parametrize("failure", ["a wrong secret", "an unknown tenant"])
def test_a_failure_says_the_same_in_the_user_portal(business: Visit, failure: str) -> None:
    refused(business, failure)


def refused(visit: Visit, failure: str) -> None:
    """Verify a connection that must fail, and look for the sentence of it."""
    prepare, typed, sentence = FAILURES[failure]
    connector = visit.begin()
    prepare(visit)
    page = visit.enter(connector, **typed)
    assert page.status_code == 422
    assert sentence in text_of(page)
    assert visit.app.secret not in page.content.decode()
    connector.refresh_from_db()
    assert (connector.tenant_id, connector.status) == ("", ConnectorStatus.SETUP_INCOMPLETE)


# What a wizard must survive


def with_a_group(visit: Visit) -> Connector:
    """Return a connector that lacks nothing but Save Changes."""
    connector = visit.begin()
    visit.enter(connector)
    group = visit.tenant.add_group("Password Boss Users")
    person = visit.tenant.add_user("Ada Lovelace", mail="ada@brightwater.example")
    visit.tenant.add_member(group.id, person.id)
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": group.id})
    connector.refresh_from_db()
    assert connector.sync_group_id == group.id
    return connector


def rules(connector: Connector) -> dict[str, str]:
    """Return what the form of the rules sends where nothing was changed in it."""
    return {key.value: action.value for key, action in rules_of(connector).actions.items()} | {"send_invitations": "on"}


def seen(visit: Visit, connector: Connector) -> str:
    """Press Save Changes, and return the mark of the preview that is then shown."""
    shown = visit.client.post(visit.step(connector, "rules/"), rules(connector) | {"save": "1"})
    return hidden(visit.client.get(shown.headers["Location"]), "seen")


def test_every_button_pressed_twice_does_it_once(visit: Visit) -> None:
    connector = visit.begin()
    assert [visit.enter(connector).status_code for _ in range(2)] == [302, 302]
    connector.refresh_from_db()
    assert connector.tenant_id == visit.tenant.id
    group, other = (visit.tenant.add_group(name) for name in ("Password Boss Users", "Engineers"))
    for sent in ({"sync_group": group.id}, {"add": other.id}, {"drop": other.id}, {"add": other.id}):
        for _ in range(2):
            assert visit.client.post(visit.step(connector, "groups/"), sent).status_code == 302
    connector.refresh_from_db()
    assert (connector.sync_group_id, connector.selected_groups.count()) == (group.id, 1)
    sent = rules(connector) | {"save": "1", "seen": seen(visit, connector)}
    for _ in range(2):
        assert visit.client.post(visit.step(connector, "rules/"), sent).status_code == 302
    assert Connector.objects.get().status == ConnectorStatus.WAITING
    assert AuditEntry.objects.filter(action="connector.activated").count() == 1


def test_the_forms_of_the_wizard_sent_again_after_save_change_nothing(visit: Visit) -> None:
    once = hidden(visit.client.get(visit.url("connectors/install/")), "once")
    visit.client.post(visit.url("connectors/install/"), {"once": once})
    connector = Connector.objects.get()
    visit.enter(connector)
    group, other = (visit.tenant.add_group(name) for name in ("Password Boss Users", "Engineers"))
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": group.id})
    connector.refresh_from_db()
    visit.client.post(visit.step(connector, "rules/"), rules(connector) | {"save": "1", "seen": seen(visit, connector)})
    saved = Connector.objects.values().get()
    assert saved["status"] == ConnectorStatus.WAITING
    entries = AuditEntry.objects.count()
    again = visit.client.post(visit.url("connectors/install/"), {"once": once})
    assert again.headers["Location"] == visit.step(connector, "")
    assert visit.enter(connector, secret="another-secret-0123456789-another").status_code in (302, 422)
    visit.client.post(visit.step(connector, "groups/"), {"sync_group": other.id})
    visit.client.post(visit.step(connector, "rules/"), rules(connector) | {"removed": "delete", "save": "1"})
    after = Connector.objects.values().get()
    # A sealed secret equals nothing but itself.
    del after["secret"], saved["secret"]
    connector.refresh_from_db()
    assert connector.secret is not None
    assert connector.secret.reveal() == visit.app.secret
    assert (after, AuditEntry.objects.count()) == (saved, entries)
    assert rules_of(connector).actions == rules_of(Connector.objects.get()).actions


def test_one_administrator_goes_on_where_another_left_off(visit: Visit) -> None:
    connector = with_a_group(visit)
    colleague = visit.sign_in(visit.sign_up())
    resumed = colleague.get(visit.step(connector, ""))
    assert resumed.headers["Location"] == visit.step(connector, "rules/")
    assert "Microsoft Entra ID" in text_of(colleague.get(visit.url("connectors/install/")))


def test_two_administrators_at_once_save_once_and_the_second_is_told(visit: Visit) -> None:
    connector = with_a_group(visit)
    colleague = visit.sign_in(visit.sign_up())
    sent = rules(connector) | {"save": "1", "seen": seen(visit, connector)}
    other_group = visit.tenant.add_group("Engineers")
    assert colleague.post(visit.step(connector, "groups/"), {"sync_group": other_group.id}).status_code == 302
    late = visit.client.post(visit.step(connector, "rules/"), sent)
    assert "Nothing is saved yet." in told(visit.client, late)
    assert Connector.objects.get().status == ConnectorStatus.SETUP_INCOMPLETE


def test_credentials_that_a_colleague_entered_meanwhile_are_not_verified_unseen(visit: Visit) -> None:
    connector = visit.begin()
    visit.enter(connector, secret="wrong-secret-0123456789-wrong-secret")
    colleague = visit.sign_in(visit.sign_up())
    assert colleague.post(visit.step(connector, "azure/"), visit.typed()).status_code == 302
    connector.refresh_from_db()
    assert connector.tenant_id == visit.tenant.id
    assert visit.enter(connector, secret="wrong-secret-0123456789-wrong-secret").status_code == 422
    connector.refresh_from_db()
    assert connector.tenant_id == "", "what was typed last counts, and is not proven"


def test_who_was_signed_out_meanwhile_comes_back_to_the_same_step(visit: Visit) -> None:
    connector = with_a_group(visit)
    visit.client.logout()
    for step in ("azure/", "groups/", "rules/", "preview/"):
        answer = visit.client.get(visit.step(connector, step))
        assert answer.headers["Location"] == f"/accounts/login/?next={visit.step(connector, step)}"
    assert visit.client.post(visit.step(connector, "rules/"), rules(connector) | {"save": "1"}).status_code == 302
    assert Connector.objects.get().status == ConnectorStatus.SETUP_INCOMPLETE
