"""Tours of every page, one after the other, for whoever looks at them: the journeys' tests, and the screenshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from connectors import lifecycle
from connectors.models import Connector, SyncChange, SyncRun
from tenants.models import Account, Group, StaffMembership
from tests.connectors import held_scene
from tests.demo import seed
from tests.entra_emulator import people
from tests.journeys import mails
from tests.journeys.browsing import Visitor
from tests.journeys.fleet_tour import fleet
from tests.journeys.scene import AMARA, BRIGHTWATER, DELIA, MAREN, SABLE, TOMASZ, Scene
from tests.world import PASSWORD

DAY = timedelta(days=1)
LOOSENED = (
    "limits=1&destructive_floor=5&destructive_percent=60&half_floor=2&half_percent=80&growth_floor=10&growth_percent=50"
)
Stop = tuple[str, Visitor]
Newcomer = Callable[[], Visitor]
"""Somebody with a new browser."""


def signing_in(scene: Scene, newcomer: Newcomer) -> Iterator[Stop]:
    """Visit what strangers see."""
    visitor = newcomer()
    for name, path, status in (
        ("sign-in", reverse("account_login"), 200),
        ("password-forgotten", reverse("account_reset_password"), 200),
        ("password-mail-sent", reverse("account_reset_password_done"), 200),
        ("invitation-over", reverse("welcome", args=["none-such"]), 410),
        ("microsoft-cancelled", reverse("socialaccount_login_cancelled"), 200),
        ("microsoft-error", reverse("socialaccount_login_error"), 401),
        ("consent-of-others", f"{reverse('consent-callback-partner')}?admin_consent=True", 200),
        ("error-404", "/nothing/here/", 404),
        ("error-400", f"{reverse('account_login')}?{'x&' * 2000}", 400),
    ):
        visitor.open(path, status=status)
        yield name, visitor
    # No page of the portal answers so: what Chromium itself says of the status would be a complaint.
    visitor.page.route("**/broken/", lambda route: route.fulfill(body=render_to_string("500.html")))
    visitor.open("/broken/")
    yield "error-500", visitor
    for name, cookies in (("error-403-out-of-date", False), ("sign-in-wrong", True)):
        visitor.open(reverse("account_login"))
        visitor.page.get_by_label("Email").fill(MAREN)
        visitor.page.get_by_label("Password").fill("not this one")
        if not cookies:
            visitor.context.clear_cookies()
        visitor.press("Sign in")
        yield name, visitor


def own_pages(scene: Scene, newcomer: Newcomer) -> Iterator[Stop]:
    """Visit what a company's administrator sees of the own sign-in."""
    visitor = newcomer()
    visitor.sign_in(AMARA)
    for name, path in (
        ("own-account", reverse("own_account")),
        ("own-second-factor", reverse("mfa_index")),
        ("own-confirm", reverse("mfa_activate_totp")),
        ("own-password", reverse("account_change_password")),
        ("own-microsoft", reverse("socialaccount_connections")),
        ("own-sessions", reverse("usersessions_list")),
        ("sign-out", reverse("account_logout")),
    ):
        visitor.open(path)
        yield name, visitor
    visitor.open(reverse("mfa_activate_totp"))
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Confirm")
    yield "own-authenticator", visitor
    visitor.open(reverse("mfa_add_webauthn"))
    yield "own-passkey", visitor
    visitor.open(reverse("partner:users", args=[scene.company(SABLE).slug]), status=404)
    yield "own-error-404", visitor


def _connected(scene: Scene) -> Connector:
    """Connect Brightwater, and let half of its people go, so that there is something to see."""
    connector = scene.connect(
        BRIGHTWATER, people.BRIGHTWATER, additional=seed.ADDITIONAL, actions=seed.RULES, settings=seed.SETTINGS
    )
    tenant = scene.tenant(people.BRIGHTWATER)
    for person in list(tenant.people_in(tenant.group(people.SYNC_GROUP).id, direct=True))[:40]:
        tenant.remove_member(tenant.group(people.SYNC_GROUP).id, person.id)
    scene.synchronise(connector)
    return connector


def user_portal(scene: Scene, newcomer: Newcomer) -> Iterator[Stop]:
    """Visit the pages of a company's administrator."""
    empty = newcomer()
    empty.enter_as(scene.user(DELIA))
    empty.open(reverse("business:connectors"))
    yield "integrations-empty", empty
    connector = _connected(scene)
    visitor = newcomer()
    visitor.enter_as(scene.user(AMARA), sure=True)
    yield from _company_pages("user", visitor, connector, "business", [])
    for name, person in (
        ("held-who", held_scene.ask_about_address(connector, 1)[0]),
        ("held-administrator", held_scene.ask_about_administrator(connector, 2)[0]),
    ):
        visitor.open(reverse("business:held-who", args=[connector.pk, person]))
        yield f"user-{name}", visitor
    visitor.open(f"{reverse('business:held', args=[connector.pk])}?of=addresses")
    yield "user-held-addresses", visitor


def partner_portal(scene: Scene, newcomer: Newcomer) -> Iterator[Stop]:
    """Visit the pages of a partner's administrator."""
    connector = _connected(scene)
    visitor = newcomer()
    visitor.enter_as(scene.user(MAREN), sure=True)
    run = SyncRun.objects.filter(connector=connector).latest("pk")
    for name, path in (
        ("home", reverse("admin:index")),
        ("companies", reverse("admin:tenants_company_changelist")),
        ("company-new", reverse("admin:tenants_company_add")),
        ("accounts", reverse("admin:tenants_account_changelist")),
        ("connectors", reverse("admin:connectors_connector_changelist")),
        ("connector", reverse("admin:connectors_connector_change", args=[connector.pk])),
        ("runs", reverse("admin:connectors_syncrun_changelist")),
        ("run", reverse("admin:connectors_syncrun_change", args=[run.pk])),
        ("find", f"{reverse('admin:find')}?q=br"),
        ("find-nothing", f"{reverse('admin:find')}?q=q"),
        ("staff", reverse("admin:tenants_staffmembership_changelist")),
        ("staff-invite", reverse("admin:staff-invite")),
        ("staff-member", reverse("admin:staff-member", args=[StaffMembership.objects.get(user__email=TOMASZ).pk])),
        ("activity", reverse("admin:tenants_auditentry_changelist")),
    ):
        visitor.open(path)
        yield f"admin-{name}", visitor
    yield from _company_pages("partner", visitor, connector, "partner", [connector.company.slug])
    failed = held_scene.make_run(connector, state="failed", sentence="The client secret has expired.")
    running = held_scene.make_run(
        connector, state="running", finished_at=None, phase="applying", done=120, total=300, trigger="approval"
    )
    for name, path in (
        ("run-failed", reverse("partner:run", args=[connector.company.slug, failed.pk])),
        ("run-running", reverse("partner:run", args=[connector.company.slug, running.pk])),
        (
            "run-awaited",
            f"{reverse('partner:run-awaited', args=[connector.company.slug, connector.pk])}?after={running.pk}",
        ),
    ):
        visitor.open(path)
        yield f"partner-{name}", visitor


def _company_pages(
    prefix: str, visitor: Visitor, connector: Connector, portal: str, company: list[str]
) -> Iterator[Stop]:
    def at(name: str, *more: int) -> str:
        return reverse(f"{portal}:{name}", args=[*company, *more])

    run = SyncRun.objects.filter(connector=connector).latest("pk")
    group = Group.objects.filter(company=connector.company, memberships__isnull=False).first()
    assert group is not None
    held = SyncChange.objects.filter(connector=connector, outcome="held").exclude(account=None).latest("pk").account
    assert held is not None
    for name, path in (
        ("connectors", at("connectors")),
        ("connector", at("connector", connector.pk)),
        ("connector-pause", at("pause", connector.pk)),
        ("connector-remove", at("remove", connector.pk)),
        ("tab-brake", at("brake", connector.pk)),
        ("tab-brake-loosened", f"{at('brake', connector.pk)}?{LOOSENED}"),
        ("runs", at("runs", connector.pk)),
        ("run", at("run", run.pk)),
        ("tab-azure-auth", at("step-auth", connector.pk)),
        ("replace-secret", f"{at('replace', connector.pk)}?with=secret"),
        ("tab-token", at("step-token", connector.pk)),
        ("tab-groups", at("step-groups", connector.pk)),
        ("tab-rules", at("step-rules", connector.pk)),
        ("why", at("why")),
        ("why-choose", f"{at('connector-why', connector.pk)}?q=adaeze.o&now=1"),
        ("why-here", f"{at('why')}?q=priya.raghunathan@brightwater.example&now=1"),
        ("why-held", f"{at('connector-why', connector.pk)}?account={held.pk}&now=1"),
        ("held", at("held", connector.pk)),
        ("held-decide", f"{at('held-decide', connector.pk)}?of=leaving&act=approve"),
        ("users", at("users")),
        ("users-nobody", f"{at('users')}?q=nobody-of-this-name"),
        ("user-new", at("new-user")),
        ("activity", at("activity")),
        ("activity-nothing", f"{at('activity')}?q=nothing-of-this-name&since=not-a-day"),
        ("groups", at("groups")),
        ("group", at("group", group.pk)),
    ):
        visitor.open(path)
        yield f"{prefix}-{name}", visitor
    visitor.open(f"{at('replace', connector.pk)}?with=certificate")
    visitor.press("Make the certificate")
    yield f"{prefix}-replace-certificate", visitor
    visitor.open(at("users"))
    for account in Account.objects.filter(company=connector.company, status="active").order_by("last_name")[:3]:
        visitor.page.get_by_role("checkbox", name=account.email).check()
    visitor.press("Actions for those selected…")
    yield f"{prefix}-users-acts", visitor
    visitor.open(at("put-right", _approved_too_quickly(connector).pk))
    yield f"{prefix}-put-right", visitor
    until = timezone.now() + timedelta(days=3)
    lifecycle.pause(connector, reason="The tenant moves to another domain", until=until, actor="Maren Lindqvist")
    visitor.open(at("resume", connector.pk))
    yield f"{prefix}-connector-resume", visitor
    visitor.press("Resume Microsoft Entra ID")
    Connector.objects.filter(pk=connector.pk).update(
        status="unauthorized",
        status_sentence="The client secret has expired. Create a new one, and enter its value.",
        status_reference="AADSTS7000222",
    )
    visitor.open(at("connector", connector.pk))
    yield f"{prefix}-connector-unauthorized", visitor


def _approved_too_quickly(connector: Connector) -> SyncRun:
    """Return a run that disabled and deleted people, of whom some cannot come back."""
    found: SyncRun = SyncRun.objects.filter(connector=connector).earliest("pk")
    accounts = list(Account.objects.filter(link__connector=connector, status="active").order_by("pk")[:7])
    for number, account in enumerate(accounts):
        kind = "delete" if number == 6 else "disable"
        SyncChange.objects.create(
            run=found,
            connector=connector,
            outcome="applied",
            kind=kind,
            situation="removed",
            account=account,
            object_id=account.directory_object_id,
            name=account.full_name,
            email=account.email,
            before="Active",
        )
    gone = Account.objects.filter(pk__in=[account.pk for account in accounts[1:6]])
    gone.update(status="disabled", disabled_by="connector")
    gone.filter(pk=accounts[5].pk).update(disabled_by="person")
    Account.objects.filter(pk=accounts[6].pk).update(
        status="deleted", deleted_by="connector", deleted_at=timezone.now(), restorable_until=timezone.now() + DAY
    )
    return found


def wizard(scene: Scene, newcomer: Newcomer) -> Iterator[Stop]:
    """Visit each step of the wizard, and the ways in which a step refuses."""
    visitor = newcomer()
    visitor.enter_as(scene.user(MAREN))
    tenant = scene.tenant(people.SABLE_STREET)
    client_id, secret = people.portal_application(people.SABLE_STREET)
    page = visitor.page
    visitor.open(reverse("partner:install", args=[scene.company(SABLE).slug]))
    yield "wizard-0-install", visitor
    visitor.press("Install")
    yield "wizard-1-token", visitor
    page.get_by_label("I have saved the token").check()
    visitor.press("Next")
    yield "wizard-2-azure-auth", visitor
    visitor.follow("Use a certificate instead")
    yield "wizard-2-certificate-make", visitor
    visitor.press("Make the certificate")
    yield "wizard-2-certificate", visitor
    visitor.press("Throw this certificate away")
    visitor.follow("Use a client secret instead")
    page.get_by_label("Client ID").fill(client_id)
    page.get_by_label("Client Secret").fill("not the secret")
    page.get_by_label("Tenant ID").fill(tenant.id)
    visitor.press("Verify Connection")
    yield "wizard-2-azure-auth-error", visitor
    tenant.revoke_consent(client_id)
    page.get_by_label("Client Secret").fill(secret)
    visitor.press("Verify Connection")
    connector = Connector.objects.get(company=scene.company(SABLE))
    visitor.open(reverse("partner:consent", args=[connector.company.slug, connector.pk]))
    yield "wizard-2-consent-waiting", visitor
    tenant.grant_consent(client_id)
    visitor.open(reverse("partner:step-auth", args=[connector.company.slug, connector.pk]))
    visitor.press("Verify Connection")
    yield "wizard-2-azure-auth-verified", visitor
    visitor.follow("Next")
    yield "wizard-3-groups", visitor
    visitor.press("Use as sync group", of=people.SYNC_GROUP)
    visitor.press("Select", of="Brewers")
    yield "wizard-3-groups-chosen", visitor
    visitor.follow("Next")
    visitor.reads("Read from Entra")
    yield "wizard-4-rules", visitor
    visitor.follow("See all, and search")
    yield "wizard-4-preview", visitor
    visitor.press("Save Changes")
    yield "wizard-5-waiting", visitor


def notifications(scene: Scene, newcomer: Newcomer) -> Iterator[Stop]:
    """Visit who is told of what, a company's Settings, and every sort of mail."""
    connector = scene.connect(BRIGHTWATER, people.BRIGHTWATER)
    company, maren = connector.company, scene.user(MAREN)
    visitor = newcomer()
    visitor.enter_as(maren)
    visitor.open(reverse("notifications"))
    yield "notifications", visitor
    visitor.open(reverse("notifications-of", args=[StaffMembership.objects.get(user=maren).pk]))
    yield "notifications-of", visitor
    visitor.page.get_by_label("Only the companies ticked here").check()
    visitor.press("Save notifications")
    yield "notifications-of-refused", visitor
    visitor.open(reverse("partner:settings", args=[company.slug]))
    yield "partner-settings", visitor
    visitor.page.get_by_label("Licences").fill("7")
    visitor.page.get_by_label("Notification addresses").fill("it@brightwater.example\nnobody")
    visitor.press("Save settings")
    yield "partner-settings-refused", visitor
    visitor.page.get_by_label("Notification addresses").fill("it@brightwater.example\nhelpdesk@brightwater.example")
    visitor.press("Save settings")
    yield "partner-settings-below", visitor
    visitor.press("Save 7 licences")
    yield "partner-settings-over", visitor
    own = newcomer()
    own.enter_as(scene.user(AMARA))
    own.open(reverse("business:settings"))
    yield "user-settings", own
    visitor.open(reverse("partner:mails", args=[company.slug]))
    yield "partner-mails-none", visitor
    mails.in_every_state(company, maren)
    visitor.open(reverse("partner:mails", args=[company.slug]))
    yield "partner-mails", visitor
    own.open(reverse("business:mails"))
    yield "user-mails", own
    for name, mail in mails.every_sort(company, [scene.company(SABLE)], maren):
        visitor.page.goto("about:blank")
        visitor.page.set_content(mails.html_of(mail))
        yield f"mail-{name}", visitor


TOURS = (signing_in, own_pages, user_portal, partner_portal, wizard, notifications, fleet)
