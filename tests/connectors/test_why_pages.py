"""“Why?”, asked of the emulator through the pages: each kind of answer, and that asking changes and costs nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connectors import decisions, lifecycle
from connectors.entra import forget_tokens
from connectors.models import Connector, SyncRun
from connectors.states import Action, ConnectorStatus, Situation
from tenants.models import Account, AuditEntry
from tenants.roles import Role
from tenants.roster import Act, perform
from tenants.states import AccountRole, AccountStatus
from tests.connectors.test_pages import Visitor
from tests.connectors.wizard_scene import text_of
from tests.entra_emulator import Emulator
from tests.stage import Stage
from tests.world import make_account, make_company, make_staff

pytestmark = pytest.mark.django_db

HX = {"HX-Request": "true"}


@pytest.fixture
def emulator(db: None) -> Iterator[Emulator]:
    emulator = Emulator()
    with emulator.install():
        yield emulator


@pytest.fixture
def stage(emulator: Emulator) -> Stage:
    return Stage(emulator, "Ada Lovelace", "Grace Hopper", "Edsger Dijkstra")


def asked(stage: Stage, words: str, *, page: str = "", portal: str = "partner") -> str:
    """Return what the answer says to whoever asks: the outcome, the one thing and the facts."""
    page = page or f"connectors/{stage.connector.pk}/why/"
    return text_of(Visitor(stage, portal).get(f"{page}?q={words}", headers=HX))


# Ten and more answers


def _new(stage: Stage) -> str:
    return "ada@brightwater.example"


def _here(stage: Stage) -> str:
    stage.run()
    return "ada"


def _no_licence(stage: Stage) -> str:
    stage.company.licences = 1
    stage.company.save()
    stage.run()
    return "grace@brightwater.example"


def _nested(stage: Stage) -> str:
    dispatch = stage.tenant.add_group("Dispatch")
    stage.tenant.add_member(stage.group.id, dispatch.id)
    person = stage.tenant.add_user("Alan Turing", mail="alan@brightwater.example")
    stage.tenant.add_member(dispatch.id, person.id)
    return "Turing"


def _not_in_the_group(stage: Stage) -> str:
    stage.tenant.add_user("Alan Turing", mail="alan@brightwater.example")
    return "alan@brightwater.example"


def _nobody(stage: Stage) -> str:
    return "nobody@brightwater.example"


def _disabled(stage: Stage) -> str:
    stage.run()
    stage.tenant.disable_user(stage.people["ada"].id)
    stage.run()
    return "ada"


def _gone(stage: Stage) -> str:
    stage.run()
    stage.tenant.soft_delete_user(stage.people["ada"].id)
    return "ada"


def _no_email(stage: Stage) -> str:
    stage.hire("Kiosk Machine", mail=None, user_principal_name="kiosk@brightwater.onmicrosoft.com")
    return "kiosk"


def _guest(stage: Stage) -> str:
    Connector.objects.update(leave_out_guests=True)
    guest = stage.tenant.add_guest("Alan Turing", "alan@elsewhere.example")
    stage.tenant.add_member(stage.group.id, guest.id)
    return "alan@elsewhere.example"


def _address_taken(stage: Stage) -> str:
    stage.run()
    stage.tenant.update_user(stage.people["ada"].id, mail="ada.king@brightwater.example")
    stage.hire("Newcomer Nine", mail="ada@brightwater.example")
    return "Newcomer"


def _held(stage: Stage) -> str:
    stage.run()
    for name in ("ada", "grace"):
        stage.tenant.disable_user(stage.people[name].id)
    return "ada"


def _kept(stage: Stage) -> str:
    _held(stage)
    stage.run()
    decisions.keep(stage.refreshed(), [stage.people["ada"].id], actor=make_staff(stage.company.partner))
    return "ada"


def _deleted_by_a_person(stage: Stage) -> str:
    stage.run()
    actor = make_staff(stage.company.partner)
    perform(Act.DELETE, stage.company, [stage.account("Ada").pk], actor=actor)
    return "ada"


def _by_hand(stage: Stage) -> str:
    make_account(stage.company, email="alan@home.example", first_name="Alan", last_name="Turing")
    return "alan@home.example"


def _paused(stage: Stage) -> str:
    lifecycle.pause(stage.connector, reason="", actor=make_staff(stage.company.partner))
    return "ada@brightwater.example"


def _group_gone(stage: Stage) -> str:
    stage.run()
    stage.tenant.delete_group(stage.group.id)
    return "ada"


def _by_another_address(stage: Stage) -> str:
    stage.tenant.add_user(
        "Alan Turing", mail="alan@brightwater.example", proxy_addresses=["smtp:old.alan@brightwater.example"]
    )
    return "old.alan@brightwater.example"


ANSWERS: dict[Callable[[Stage], str], tuple[str, ...]] = {
    _new: ("At the next run Ada Lovelace gets an account.", "What is still needed: nothing.", "Found by this email."),
    _here: ("Ada Lovelace has an active account, and has not accepted the invitation yet.", "Last change Created."),
    _no_licence: (
        "Grace Hopper has an account that waits for a licence.",
        "The one thing that would change it: 2 more free licences. 1 of 1 are in use, and one person has been waiting",
        "Change the number of licences",
        "No licence is left 1 of 1 in use. Waiting, longest first: Edsger Dijkstra since",
    ),
    _nested: ("In the sync group Through “Dispatch”, which is nested in “Password Boss Users”.",),
    _not_in_the_group: (
        "Alan Turing has no account, because they are not in the sync group.",
        "The one thing that would change it: Alan Turing in “Password Boss Users”.",
        "Enabled in Entra May sign in",
    ),
    _nobody: (
        "nobody@brightwater.example is not in the directory, and has no account here.",
        "The one thing that would change it: a user in Entra who is in “Password Boss Users”.",
    ),
    _disabled: (
        "Ada Lovelace’s account is disabled, because they are disabled in Entra.",
        "The one thing that would change it: Ada Lovelace enabled in Entra.",
        "Account today ada@brightwater.example Disabled Managed by Azure AD, disabled by the connector.",
        "Last change Disabled, Active → Disabled.",
    ),
    _gone: (
        "At the next run Ada Lovelace’s account is disabled.",
        "No longer in the directory",
        "Ada Lovelace’s user in Entra restored.",
    ),
    _no_email: (
        "gets no account, because the directory has no usable email address for them.",
        "The user principal name, which counts because mail is empty, is kiosk@brightwater.onmicrosoft.com",
    ),
    _guest: ("a setting leaves them out.", "the setting Leave out guests taken away."),
    _address_taken: (
        "because the account of Ada Lovelace (Active) has the address and carries another identity.",
        "is it the same person, or someone else?",
    ),
    _held: (
        "Ada Lovelace’s account is to be disabled, and that waits for a person.",
        "The one thing that would change it: a person’s decision.",
    ),
    _kept: ("Ada Lovelace’s account stays as it is, because a person keeps it.", "A person decided Keeps the account"),
    _deleted_by_a_person: (
        "Ada Lovelace gets no account, because a person deleted the one they had.",
        "Last change Maren Lindqvist",
    ),
    _by_hand: (
        "Alan Turing has an account that Password Boss manages. It is Active.",
        "Not in the directory",
        "somebody with this address in “Password Boss Users”.",
    ),
    _paused: ("At the next run Ada Lovelace gets an account.", "What is still needed: a run.", "resume it first"),
    _group_gone: ("stays as it is, because the sync group does not exist any more.", "another sync group."),
    _by_another_address: ("Found by another address of theirs. Object ID",),
}


@pytest.mark.parametrize("make", ANSWERS, ids=lambda make: make.__name__.strip("_"))
def test_an_answer_says_the_outcome_and_the_one_thing(make: Callable[[Stage], str], stage: Stage) -> None:
    said = asked(stage, make(stage))
    assert [words for words in ANSWERS[make] if words not in said] == [], said


@pytest.mark.parametrize("portal", ["partner", "business"])
def test_both_portals_and_the_company_give_the_same_answer(stage: Stage, portal: str) -> None:
    for page in ("why/", f"connectors/{stage.connector.pk}/why/"):
        said = asked(stage, "ada@brightwater.example", page=page, portal=portal)
        assert "At the next run Ada Lovelace gets an account." in said


def test_the_answer_is_what_the_next_run_does(stage: Stage) -> None:
    said = {name: asked(stage, f"{name}@brightwater.example") for name in stage.people}
    stage.run()
    assert {name: stage.account(name).status for name in said} == dict.fromkeys(said, "active")
    assert all("gets an account" in answer for answer in said.values())


def test_asking_is_no_run_takes_no_lease_and_writes_nothing(stage: Stage) -> None:
    stage.run()
    stage.tenant.disable_user(stage.people["ada"].id)
    columns = [field.attname for field in Connector._meta.concrete_fields if field.attname != "secret"]
    before = Connector.objects.filter(pk=stage.connector.pk).values(*columns).get()
    runs = SyncRun.objects.count()
    visitor = Visitor(stage, "partner")
    with CaptureQueriesContext(connection) as captured:
        assert visitor.get(f"connectors/{stage.connector.pk}/why/?q=ada", headers=HX).status_code == 200
    assert [one["sql"] for one in captured if re.match(r"\s*(INSERT|UPDATE|DELETE)", one["sql"])] == []
    assert Connector.objects.filter(pk=stage.connector.pk).values(*columns).get() == before
    assert SyncRun.objects.count() == runs


def test_no_transaction_is_open_while_microsoft_is_asked(stage: Stage) -> None:
    # A test is itself one transaction: what would be opened inside shows as a savepoint.
    visitor = Visitor(stage, "partner")
    with CaptureQueriesContext(connection) as captured:
        visitor.get(f"connectors/{stage.connector.pk}/why/?q=ada", headers=HX)
    assert [one["sql"] for one in captured if one["sql"].startswith("SAVEPOINT")] == []


def test_the_page_is_there_at_once_and_asks_nobody(stage: Stage) -> None:
    visitor = Visitor(stage, "partner")
    page = visitor.get(f"connectors/{stage.connector.pk}/why/?q=ada@brightwater.example")
    assert 'hx-trigger="load"' in page.content.decode()
    assert "Show the answer" in text_of(page)
    assert list(stage.emulator.journal) == []
    whole = visitor.get(f"connectors/{stage.connector.pk}/why/?q=ada@brightwater.example&now=1")
    assert "gets an account" in text_of(whole)
    assert "<html" in whole.content.decode()


def test_an_empty_question_explains_what_can_be_asked(stage: Stage) -> None:
    visitor = Visitor(stage, "business")
    for query in ("", "?q=", "?q=%20%00", "?now=1"):
        assert "Type a name or an email address." in text_of(visitor.get(f"why/{query}"))
    assert list(stage.emulator.journal) == []


def test_several_people_who_fit_are_offered_and_each_link_leads_to_one(stage: Stage) -> None:
    stage.run()
    stage.tenant.add_user("Ada Byron", mail="ada.byron@brightwater.example")
    visitor = Visitor(stage, "partner")
    page = visitor.get("why/?q=ada", headers=HX)
    assert "Who is meant?" in text_of(page)
    links = re.findall(r'href="(/[^"]*why/\?[^"]+)"', page.content.decode())
    said = [text_of(visitor.client.get(link.replace("&amp;", "&"), headers=HX)) for link in links]
    assert sorted(("not in the sync group" in one, "an active account" in one) for one in said) == [
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("portal", ["partner", "business"])
def test_an_invitation_is_sent_again_from_the_answer(stage: Stage, portal: str) -> None:
    stage.run()
    ada = stage.account("Ada")
    visitor = Visitor(stage, portal)
    page = visitor.get(f"why/?account={ada.pk}", headers=HX).content.decode()
    form = re.search(r'<form method="post" action="([^"]+)">(.*?)</form>', page, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(selected|act)" value="([^"]+)"', form[2]))
    assert fields == {"selected": str(ada.pk), "act": "resend_invitation"}
    answer = visitor.client.post(form[1].replace("&amp;", "&"), fields, follow=True)
    assert "Resend invitation: done for 1 person." in text_of(answer)
    assert [account.pk for account in answer.context["found"]] == [ada.pk]


def test_an_invitation_is_offered_again_only_to_who_may_send_it(stage: Stage) -> None:
    stage.run()
    client = Client()
    client.force_login(make_staff(stage.company.partner, Role.PARTNER_VIEWER))
    address = f"/partner/companies/{stage.company.slug}/why/?account={stage.account('Ada').pk}&now=1"
    page = client.get(address)
    assert "has not accepted the invitation yet" in text_of(page)
    assert "Resend invitation" not in text_of(page)


def test_who_is_called_otherwise_in_the_directory_is_one_person_in_the_list(stage: Stage) -> None:
    stage.run()
    stage.tenant.update_user(stage.people["ada"].id, mail="countess@brightwater.example", display_name="Countess King")
    stage.tenant.add_user("Countess Other", mail="other@brightwater.example")
    page = text_of(Visitor(stage, "partner").get("why/?q=countess", headers=HX))
    assert "Countess King countess@brightwater.example Active" in page
    assert "Countess Other other@brightwater.example No account" in page


def test_an_account_is_asked_about_by_its_number(stage: Stage) -> None:
    stage.run()
    visitor = Visitor(stage, "partner")
    said = text_of(visitor.get(f"why/?account={stage.account('Ada').pk}", headers=HX))
    assert "Ada Lovelace has an active account" in said
    other = make_account(make_company(name="Elsewhere"), email="foreign@elsewhere.example")
    assert visitor.get(f"why/?account={other.pk}", headers=HX).status_code == 404
    assert visitor.get("why/?account=99999999999999999999&q=ada", headers=HX).status_code == 200


@pytest.mark.parametrize("text", ["'", '"', "\\", "%", "') or (true", "&$top=1", "x" * 900, "ada'@brightwater.example"])
def test_whatever_is_typed_is_only_looked_for(stage: Stage, text: str) -> None:
    page = Visitor(stage, "partner").get(f"connectors/{stage.connector.pk}/why/", data={"q": text}, headers=HX)
    assert page.status_code == 200
    assert "is not in the directory" in text_of(page)


# Where Microsoft cannot be asked


def test_while_microsoft_is_out_of_reach_it_answers_from_memory_and_says_so(stage: Stage) -> None:
    stage.hire("Kiosk Machine", mail=None, user_principal_name="kiosk@brightwater.onmicrosoft.com")
    stage.run()
    stage.emulator.faults.add(status=503, retry_after=3600, times=None)
    said = asked(stage, "ada")
    assert "Ada Lovelace has an account: Active, managed by Azure AD." in said
    assert "From the portal’s own memory." in said
    assert "At the last run They were enabled and in the sync group." in said
    kiosk = asked(stage, "kiosk")
    assert "has no account. At the last run: Skipped: The directory has no usable email address" in kiosk
    assert "has no account here, and the directory cannot be asked." in asked(stage, "nobody@x.example")


def test_while_microsoft_refuses_the_secret_it_says_how_to_mend_that(stage: Stage) -> None:
    stage.run()
    stage.tenant.revoke_consent(stage.app.client_id)
    forget_tokens()
    said = asked(stage, "ada")
    assert "Why not from the directory:" in said
    assert "Verify Connection" in said


def test_while_microsoft_asks_to_wait_it_is_asked_nothing(stage: Stage) -> None:
    stage.run()
    Connector.objects.update(throttled_until=stage.clock.now.replace(year=stage.clock.now.year + 1))
    stage.emulator.journal.clear()
    said = asked(stage, "ada")
    assert "and is asked nothing before." in said
    assert list(stage.emulator.journal) == []


def test_a_company_without_a_connector_answers_of_its_accounts(emulator: Emulator, stage: Stage) -> None:
    make_account(stage.company, email="alan@home.example", first_name="Alan", last_name="Turing")
    Connector.objects.update(
        status=ConnectorStatus.REMOVED, secret=None, token_hash="", removed_at=stage.clock.now, lease_token=""
    )
    said = asked(stage, "alan", page="why/")
    assert "Alan Turing has an account: Active, managed by Password Boss." in said
    assert "This company has no connector, so nobody is synchronised." in said
    assert "No directory is connected here" in asked(stage, "nobody@x.example", page="why/")


# Who may, and what it costs


def test_a_viewer_asks_and_a_company_user_does_not(stage: Stage) -> None:
    viewer = Visitor(stage, "partner", Role.PARTNER_VIEWER)
    page = viewer.get(f"connectors/{stage.connector.pk}/why/?q=ada@brightwater.example", headers=HX)
    assert "gets an account" in text_of(page)
    assert "See the rules" not in text_of(page), "The tab of the rules is not a viewer's."
    user = Visitor(stage, "business")
    Account.objects.filter(role=AccountRole.ADMIN).update(role=AccountRole.USER)
    assert user.get("why/").status_code == 403


def test_a_companys_administrator_hears_nothing_of_who_has_left(stage: Stage) -> None:
    make_account(
        stage.company, AccountStatus.PERSONAL, email="ada@brightwater.example", first_name="Zelda", last_name="Left"
    )
    said = {portal: asked(stage, "ada@brightwater.example", portal=portal) for portal in ("partner", "business")}
    assert "somebody who left the company keeps the address" in said["business"]
    assert [word for word in said.values() if "Zelda" in word] == []
    assert "Zelda Left" in text_of(Visitor(stage, "partner").get("why/?q=zelda", headers=HX)), "Staff may ask of them."
    assert "Zelda" not in text_of(Visitor(stage, "business").get("why/?q=left", headers=HX))


def test_an_answer_costs_the_same_whatever_the_company_holds(stage: Stage) -> None:
    stage.run()
    visitor = Visitor(stage, "partner")
    page = f"connectors/{stage.connector.pk}/why/?q=ada@brightwater.example&now=1"
    visitor.get(page)
    before = visitor.queries(page)
    stage.hire_many(30)
    stage.run()
    for number in range(20):
        make_account(stage.company, first_name="Ada", last_name=str(number))
        AuditEntry.objects.create(company=stage.company, actor_label="Maren", action="account.enabled", subject="x")
    assert visitor.queries(page) == before


def test_the_rule_that_decides_is_named(stage: Stage) -> None:
    stage.run()
    stage.connector.rules.create(situation=Situation.REMOVED, action=Action.NOTHING)
    stage.tenant.remove_member(stage.group.id, stage.people["ada"].id)
    said = asked(stage, "ada")
    assert "Ada Lovelace keeps the account, although they are not in the sync group: the rule REMOVED says" in said


def test_the_last_change_of_a_groups_member_names_the_group(emulator: Emulator) -> None:
    stage = Stage(emulator, "Ada Lovelace", additional=["Engineers"])
    stage.tenant.add_member(stage.groups["Engineers"].id, stage.people["ada"].id)
    stage.run()
    assert "Joined group “Engineers”. An active member of the directory group." in asked(stage, "ada")
