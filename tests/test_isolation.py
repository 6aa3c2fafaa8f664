"""Nobody sees another tenant: a walk of every URL, by everybody, with everybody's objects.

A URL that EXPECTATIONS does not know fails, and so does an argument that ARGUMENTS cannot fill: whoever adds a page
declares what it answers to whom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils.http import int_to_base36

from tenants.models import User
from tests.isolation_tenants import (
    OUTSIDE,
    Rows,
    Scene,
    Standing,
    Tenant,
    make_scene,
    owners_of_changes,
    rows_of_everybody,
    tenant_models,
)

Answers = Mapping[Standing, int | str]
Inside = tuple[int | str, int | str, int | str, int | str, int | str, int | str]
LOGIN = "sent to sign in"
AGAIN = "asked again who they are"


@dataclass(frozen=True)
class Expected:
    """Hold what a URL answers to GET and to POST: a status, LOGIN, AGAIN, or the path that it redirects to.

    `post_of_others`: to a POST of what POSTED says, naming rows of a tenant that the visitor is outside.
    """

    get: Answers
    post: Answers
    post_of_others: Answers | None = None


@dataclass(frozen=True)
class Url:
    """Hold one pattern of the urlconf: its qualified name, or its route where it has none, and its arguments."""

    key: str
    route: str
    arguments: tuple[str, ...]


# ── What each page answers ───────────────────────────────────────────────────────────────────────────────────


def everybody(answer: int | str) -> dict[Standing, int | str]:
    """Return the same answer for everybody."""
    return dict.fromkeys(Standing, answer)


def partner_portal(
    operator: int | str, administrator: int | str, technician: int | str, viewer: int | str, other_staff: int | str
) -> dict[Standing, int | str]:
    """Return the answers of a page of the partner portal, which sends company logins and strangers to sign in."""
    return everybody(LOGIN) | {
        Standing.OPERATOR: operator,
        Standing.ADMINISTRATOR: administrator,
        Standing.TECHNICIAN: technician,
        Standing.VIEWER: viewer,
        Standing.OTHER_STAFF: other_staff,
    }


STAFF = (
    Standing.OPERATOR,
    Standing.ADMINISTRATOR,
    Standing.TECHNICIAN,
    Standing.VIEWER,
    Standing.OTHER_STAFF,
)
STAFF_OK = partner_portal(200, 200, 200, 200, 200)
STAFF_405 = partner_portal(405, 405, 405, 405, 405)
STAFF_403 = partner_portal(403, 403, 403, 403, 403)
INSIDE_OK = partner_portal(200, 200, 200, 200, 404)
INSIDE_403 = partner_portal(403, 403, 403, 403, 404)
HOME = "/partner/"
INTEGRATIONS = "/business/connectors/"
ACCOUNTS = "/partner/tenants/account/"
ACTIVITY = "/partner/tenants/auditentry/"
COMPANIES = "/partner/tenants/company/"
CONNECTORS = "/partner/connectors/connector/"


def model_pages(
    model: str, *, shown: Answers = INSIDE_OK, listed: Answers = STAFF_OK, posted: Answers = STAFF_OK
) -> dict[str, Expected]:
    """Return what the admin pages of a model answer that shows rows and changes none."""
    redirected = {standing: ACTIVITY if answer == 200 else answer for standing, answer in shown.items()}
    unchanged = {standing: 403 if answer == 200 else answer for standing, answer in shown.items()}
    legacy = f"partner/{model.replace('.', '/')}/<path:object_id>/"
    name = f"admin:{model.replace('.', '_')}"
    return {
        f"{name}_changelist": Expected(listed, posted),
        f"{name}_add": Expected(STAFF_403, STAFF_403),
        f"{name}_history": Expected(redirected, redirected),
        f"{name}_delete": Expected(unchanged, unchanged),
        f"{name}_change": Expected(shown, unchanged),
        # An address of old versions: it sends everybody to the page above, whatever the object.
        legacy: Expected(partner_portal(*["…/change/"] * 5), partner_portal(*["…/change/"] * 5)),
    }


def company_pages(name: str, get: Inside | int, post: Inside | int = 405) -> dict[str, Expected]:
    """Return what a page of both portals answers: a status for whatever is wrong with the request itself, or six
    answers: operator, partner's administrator, technician, viewer, company administrator, company user.

    A login of the other portal's kind, and whoever is outside the company, gets 404, a stranger is sent to sign in.
    """
    return {
        f"partner:{name}": Expected(_in_partner(get), _in_partner(post)),
        f"business:{name}": Expected(_in_business(get), _in_business(post)),
    }


def _in_partner(inside: Inside | int) -> Answers:
    if isinstance(inside, int):
        return everybody(inside)
    return everybody(404) | {
        Standing.ANONYMOUS: LOGIN,
        Standing.OPERATOR: inside[0],
        Standing.ADMINISTRATOR: inside[1],
        Standing.TECHNICIAN: inside[2],
        Standing.VIEWER: inside[3],
    }


def _in_business(inside: Inside | int) -> Answers:
    if isinstance(inside, int):
        return everybody(inside)
    return everybody(404) | {
        Standing.ANONYMOUS: LOGIN,
        Standing.COMPANY_ADMINISTRATOR: _at_business(inside[4]),
        Standing.COMPANY_USER: _at_business(inside[5]),
    }


def _at_business(answer: int | str) -> int | str:
    return answer.replace("…/", "/business/") if isinstance(answer, str) else answer


def who_sees(answer: int | str) -> Inside:
    return (answer, answer, answer, answer, answer, 403)


def who_runs(answer: int | str) -> Inside:
    return (answer, answer, answer, 403, answer, 403)


def who_rules(answer: int | str) -> Inside:
    return (answer, answer, 403, 403, answer, 403)


LIST, SETUP = "…/connectors/", "…/connectors/#/setup/"

OPERATOR_LISTS = partner_portal(200, 403, 403, 403, 403)
OPERATOR_SEES = partner_portal(200, 403, 403, 403, 404)
COMPANIES_ADD_FORM = partner_portal(200, 200, 403, 403, 200)
COMPANIES_NOT_ADDED = partner_portal(LIST, 422, 403, 403, 422)
# A new company's connector is installed next.
COMPANIES_ADDED = partner_portal(LIST, LIST, 403, 403, LIST)
COMPANIES_SETTINGS = partner_portal(*["…/settings/"] * 4, 404)
# Back to the list, with a word about what was done, or that nobody was selected; a viewer's list has no actions.
CONNECTORS_ACTED_ON = partner_portal(CONNECTORS, CONNECTORS, CONNECTORS, 200, CONNECTORS)
ACCOUNTS_ENDED = partner_portal(AGAIN, AGAIN, ACCOUNTS, 200, AGAIN)
ACCOUNTS_LEFT_ALONE = partner_portal(AGAIN, ACCOUNTS, ACCOUNTS, 200, ACCOUNTS)

# Back to the list, with a word about what was done, or that nothing was ticked.
NOTHING_TICKED = partner_portal(HOME, HOME, HOME, 403, HOME)
NOT_PAUSED = partner_portal("…resume/?connectors=#", "…resume/?connectors=#", "…resume/?connectors=#", 403, 404)
# No rule is chosen yet: to the page where they are.
RULES_TO_CHOOSE = partner_portal("…rules/?connectors=#", "…rules/?connectors=#", "…rules/?connectors=#", 403, 404)

NOTIFICATIONS = everybody(404) | dict.fromkeys(STAFF, 200) | {Standing.ANONYMOUS: LOGIN}
NOTIFICATIONS_405 = everybody(405)


def who_manages_staff(answer: int | str) -> dict[Standing, int | str]:
    """Return the answers of a page about one member of a partner's staff."""
    return everybody(404) | {
        Standing.ANONYMOUS: LOGIN,
        Standing.OPERATOR: answer,
        Standing.ADMINISTRATOR: answer,
        Standing.TECHNICIAN: 403,
        Standing.VIEWER: 403,
    }


THE_STAFF = "/partner/tenants/staffmembership/"
NOTIFICATIONS_OF_OTHERS = who_manages_staff(200)
NOTIFICATIONS_SAVED = who_manages_staff("/partner/notifications/")

NO_PARTNER_PORTAL = everybody(404) | dict.fromkeys(STAFF, HOME) | {Standing.ANONYMOUS: LOGIN}
CHANGE_PASSWORD = "/accounts/password/change/"
FACTORS = "/accounts/2fa/"
OWN_ACCOUNT = "/account/"
ADMINISTRATORS = (Standing.COMPANY_ADMINISTRATOR, Standing.OTHER_COMPANY)
GOES_HOME = everybody(OWN_ACCOUNT) | dict.fromkeys(STAFF, HOME) | dict.fromkeys(ADMINISTRATORS, INTEGRATIONS)
GATE = Expected(everybody(200), everybody(200))
NOTICE = Expected(everybody(200), everybody(405))
CLOSED = Expected(everybody(404), everybody(404))


def own(get: int | str, post: int | str) -> Expected:
    """Return the answers of a page about the visitor's own sign-in: strangers are sent to sign in."""
    return Expected(everybody(get) | {Standing.ANONYMOUS: LOGIN}, everybody(post) | {Standing.ANONYMOUS: LOGIN})


def confirmed(path: str) -> Expected:
    """Return the answers of an own page that asks for the password first."""
    again = f"/accounts/reauthenticate/?next={quote(path, safe='')}"
    return own(again, again)


def before_signing_in(get: int | str, post: int | str) -> Expected:
    """Return the answers of a page that sends home whoever is signed in already."""
    return Expected(GOES_HOME | {Standing.ANONYMOUS: get}, GOES_HOME | {Standing.ANONYMOUS: post})


SIGNING_IN: dict[str, Expected] = {
    "home": Expected(GOES_HOME | {Standing.ANONYMOUS: LOGIN}, everybody(405)),
    "own_account": Expected(
        everybody(200) | dict.fromkeys(STAFF, FACTORS) | {Standing.ANONYMOUS: LOGIN},
        everybody(405) | {Standing.ANONYMOUS: LOGIN},
    ),
    "welcome": Expected(everybody(410), everybody(410)),
    "signin_choose": Expected(everybody(LOGIN), everybody(LOGIN)),
    "account_login": before_signing_in(200, 200),
    "account_logout": own(200, LOGIN),
    "account_inactive": NOTICE,
    "account_reauthenticate": own(200, 200),
    "microsoft_again": own(404, 405),
    "account_change_password": own(200, 200),
    # Everybody here has a password.
    "account_set_password": own(CHANGE_PASSWORD, CHANGE_PASSWORD),
    "account_reset_password": GATE,
    "account_reset_password_done": NOTICE,
    "account_reset_password_from_key": GATE,
    "account_reset_password_from_key_done": NOTICE,
    "mfa_index": own(200, 405),
    "mfa_authenticate": before_signing_in(LOGIN, LOGIN),
    "mfa_reauthenticate": own("/accounts/reauthenticate/", "/accounts/reauthenticate/"),
    "mfa_activate_totp": confirmed("/accounts/2fa/totp/activate/"),
    # Nobody here has a second factor to show or to take away.
    "mfa_deactivate_totp": own(404, 404),
    "mfa_view_recovery_codes": own(404, 405),
    "mfa_generate_recovery_codes": confirmed("/accounts/2fa/recovery-codes/generate/"),
    "mfa_download_recovery_codes": own(404, 404),
    "mfa_list_webauthn": own(200, 405),
    "mfa_add_webauthn": confirmed("/accounts/2fa/webauthn/add/"),
    "mfa_login_webauthn": before_signing_in(LOGIN, LOGIN),
    "mfa_reauthenticate_webauthn": own("/accounts/reauthenticate/", "/accounts/reauthenticate/"),
    "mfa_remove_webauthn": confirmed("/accounts/2fa/webauthn/keys/1/remove/"),
    "mfa_edit_webauthn": confirmed("/accounts/2fa/webauthn/keys/1/edit/"),
    "usersessions_list": own(200, "/accounts/sessions/"),
    "socialaccount_connections": own(200, 200),
    # The portal of this walk has no application for Microsoft's sign-in; test_microsoft.py has.
    "microsoft_login": CLOSED,
    "microsoft_callback": CLOSED,
    "socialaccount_login_cancelled": NOTICE,
    "socialaccount_login_error": Expected(everybody(401), everybody(405)),
    "account_signup": CLOSED,
    "account_email": CLOSED,
    "account_email_verification_sent": CLOSED,
    "account_confirm_email": CLOSED,
    "account_confirm_login_code": CLOSED,
    "socialaccount_signup": CLOSED,
}

EXPECTATIONS: dict[str, Expected] = {
    **SIGNING_IN,
    "healthz": Expected(everybody(200), everybody(405)),
    "readyz": Expected(everybody("200 or 503"), everybody(405)),
    "admin:index": Expected(STAFF_OK, STAFF_405),
    "admin:fleet-csv": Expected(STAFF_OK, STAFF_405),
    "admin:fleet-rules": Expected(NOTHING_TICKED, NOTHING_TICKED),
    "admin:fleet-resume": Expected(partner_portal(*[HOME] * 5), partner_portal(*[HOME] * 5)),
    # It is not paused: to the page that says so.
    "admin:fleet-resume-one": Expected(NOT_PAUSED, STAFF_405),
    "admin:fleet-rules-done": Expected(partner_portal(*[HOME] * 5), STAFF_405),
    "admin:fleet-rules-one": Expected(RULES_TO_CHOOSE, STAFF_405),
    "admin:fleet-actions": Expected(STAFF_405, NOTHING_TICKED),
    "admin:login": Expected(NO_PARTNER_PORTAL, NO_PARTNER_PORTAL),
    "admin:logout": Expected(
        everybody(HOME) | dict.fromkeys(STAFF, 405), everybody(HOME) | dict.fromkeys(STAFF, LOGIN)
    ),
    "admin:password_change": Expected(partner_portal(*[CHANGE_PASSWORD] * 5), partner_portal(*[CHANGE_PASSWORD] * 5)),
    "admin:password_change_done": Expected(partner_portal(*[FACTORS] * 5), partner_portal(*[FACTORS] * 5)),
    "admin:autocomplete": Expected(STAFF_403, STAFF_405),
    "admin:jsi18n": Expected(STAFF_OK, STAFF_405),
    "admin:app_list": Expected(partner_portal(*[COMPANIES] * 5), partner_portal(*[COMPANIES] * 5)),
    "partner/(?P<url>.*)$": Expected(partner_portal(*[404] * 5), partner_portal(*[404] * 5)),
    **model_pages("tenants.partner", shown=OPERATOR_SEES, listed=OPERATOR_LISTS, posted=STAFF_405),
    # An empty name is no name.
    "admin:tenants_partner_add": Expected(OPERATOR_LISTS, partner_portal(422, 403, 403, 403, 403)),
    "admin:tenants_partner_change": Expected(OPERATOR_SEES, partner_portal(422, 403, 403, 403, 404)),
    **model_pages("tenants.company"),
    "admin:tenants_company_add": Expected(
        COMPANIES_ADD_FORM,
        COMPANIES_ADDED,
        # The form comes back: another partner is no choice in it.
        post_of_others=COMPANIES_NOT_ADDED,
    ),
    "admin:tenants_company_change": Expected(COMPANIES_SETTINGS, COMPANIES_SETTINGS),
    **model_pages("tenants.account"),
    "admin:tenants_account_changelist": Expected(STAFF_OK, ACCOUNTS_ENDED, ACCOUNTS_LEFT_ALONE),
    **model_pages("tenants.group"),
    **model_pages("tenants.groupmembership"),
    **model_pages("tenants.staffmembership", posted=STAFF_405),
    "admin:staff-invite": Expected(partner_portal(200, 200, 403, 403, 200), partner_portal(422, 422, 403, 403, 422)),
    "admin:staff-member": Expected(
        partner_portal(200, 200, 403, 403, 404), partner_portal(THE_STAFF, THE_STAFF, 403, 403, 404)
    ),
    **model_pages("tenants.auditentry", posted=STAFF_405),
    "admin:find": Expected(STAFF_OK, STAFF_405),
    "admin:activity-csv": Expected(STAFF_OK, STAFF_405),
    **model_pages("connectors.connector", posted=CONNECTORS_ACTED_ON),
    **model_pages("connectors.syncrun"),
    **model_pages("connectors.syncchange"),
    **model_pages("connectors.personmark"),
    "notifications": Expected(NOTIFICATIONS, NOTIFICATIONS_405),
    # Whoever manages staff, and everybody for themselves; the row here is somebody else's.
    "notifications-of": Expected(NOTIFICATIONS_OF_OTHERS, NOTIFICATIONS_SAVED),
    **company_pages("home", (LIST, LIST, LIST, LIST, LIST, "…/users/")),
    **company_pages("users", (200, 200, 200, 200, 200, 200), who_rules(AGAIN)),
    "business:users": Expected(
        _in_business((200, 200, 200, 200, 200, 200)),
        _in_business(who_rules(AGAIN)),
        _in_business(who_rules("…/users/")),
    ),
    **company_pages("new-user", who_runs(200), who_runs(422)),
    **company_pages("new-users", who_runs(200), who_runs(422)),
    **company_pages("activity", who_sees(200)),
    **company_pages("activity-csv", who_sees(200)),
    **company_pages("groups", who_sees(200)),
    **company_pages("group", who_sees(200)),
    # An empty name is no name.
    **company_pages("mails", who_sees(200), (404, 404, 404, 403, 404, 403)),
    **company_pages("settings", who_sees(200), (422, 422, 403, 403, 403, 403)),
    **company_pages("connectors", who_sees(200)),
    **company_pages("connector-actions", 405, who_runs(LIST)),
    # Its setup is unfinished: who may go on with it is led there.
    **company_pages("connector", (SETUP, SETUP, SETUP, 200, SETUP, 403)),
    **company_pages("why", who_sees(200)),
    **company_pages("connector-why", who_sees(200)),
    **company_pages("runs", who_sees(200)),
    **company_pages("run", who_sees(200)),
    **company_pages("run-csv", who_sees(200)),
    **company_pages("run-awaited", who_sees("…/runs/#/")),
    **company_pages("held", who_sees(200)),
    **company_pages("held-csv", who_sees(200)),
    **company_pages("held-decide", who_rules(AGAIN), who_rules(AGAIN)),
    **company_pages("held-who", who_rules(AGAIN), who_rules(AGAIN)),
    # Its setup is unfinished: a brake has nothing to hold yet.
    **company_pages("brake", who_sees(SETUP), who_rules(SETUP)),
    **company_pages("put-right", who_rules(200), who_rules("…/runs/#/put-right/")),
    **company_pages("remove", who_rules(AGAIN), who_rules(AGAIN)),
    **company_pages("install", who_runs(200), who_runs("…/connectors/install/")),
    **company_pages("setup", who_runs(f"{SETUP}azure/")),
    **company_pages("step-token", who_runs(200), who_rules(200)),
    **company_pages("step-auth", who_runs(200), who_runs(422)),
    **company_pages("verify", 405, who_runs(f"{SETUP}azure/")),
    **company_pages("pause", who_runs(SETUP), who_runs(SETUP)),
    **company_pages("resume", who_runs(SETUP), who_runs(SETUP)),
    **company_pages("expiry", 405, who_runs(SETUP)),
    **company_pages("certificate", 405, who_runs(f"{SETUP}azure/")),
    # There is none: test_replacing.py asks for one that is there.
    **company_pages("certificate-file", who_runs(404)),
    **company_pages("replace", who_runs(SETUP), who_runs(SETUP)),
    **company_pages("consent", who_runs(SETUP)),
    **company_pages("step-groups", who_runs(SETUP), who_runs(SETUP)),
    **company_pages("group-search", who_runs(SETUP)),
    **company_pages("step-rules", who_runs(SETUP), who_runs(SETUP)),
    **company_pages("preview", who_runs(SETUP), who_runs(SETUP)),
    # Microsoft's answer without a state of this session: a page that says nothing of anybody.
    "consent-callback-partner": Expected(everybody(200), everybody(405)),
    "consent-callback-business": Expected(everybody(200), everybody(405)),
    # No session opens these, whoever's it is.
    "api-description": Expected(everybody(200), everybody(405)),
    "api-status": Expected(everybody(401), everybody(405)),
    "api-synchronise": Expected(everybody(405), everybody(401)),
    "api-runs": Expected(everybody(401), everybody(405)),
    "api-run": Expected(everybody(401), everybody(405)),
    "api-run-after": Expected(everybody(401), everybody(405)),
}

ARGUMENTS: dict[str, Callable[[Url, Tenant], Any]] = {
    "object_id": lambda url, tenant: tenant.row(_model_of(url)).pk,
    "app_label": lambda url, tenant: "tenants",
    "company": lambda url, tenant: tenant.company.slug,
    "connector_id": lambda url, tenant: tenant.row("connectors.connector").pk,
    "run_id": lambda url, tenant: tenant.row("connectors.syncrun").pk,
    "person": lambda url, tenant: "00000000-0000-4000-8000-000000000001",
    "group_id": lambda url, tenant: tenant.row("tenants.group").pk,
    "membership_id": lambda url, tenant: tenant.row("tenants.staffmembership").pk,
    "uid": lambda url, tenant: vars(tenant.row("connectors.connector"))["uid"],
    "url": lambda url, tenant: f"nowhere/{tenant.company.pk}",
    "token": lambda url, tenant: f"no-link-of-{tenant.company.pk}",
    "uidb36": lambda url, tenant: int_to_base36(tenant.row("tenants.account").user_id),
    "key": lambda url, tenant: "set-password",
    "pk": lambda url, tenant: 1,
}

POSTED: dict[str, Callable[[Tenant], dict[str, Any]]] = {
    "admin:tenants_account_changelist": lambda tenant: {
        "action": "delete",
        "confirmed": "yes",
        "_selected_action": [tenant.row("tenants.account").pk],
    },
    "admin:connectors_connector_changelist": lambda tenant: {
        "action": "pause",
        "_selected_action": [tenant.row("connectors.connector").pk],
    },
    "admin:fleet-actions": lambda tenant: {
        "action": "pause",
        "selected": [tenant.row("connectors.connector").pk],
    },
    "admin:staff-member": lambda tenant: {"act": "remove"},
    "notifications-of": lambda tenant: {"kinds": ["held"], "scope": "chosen", "chosen": [tenant.company.pk]},
    "admin:tenants_company_change": lambda tenant: {"name": "Taken over", "licences": "1"},
    "admin:tenants_company_add": lambda tenant: {"name": "Planted", "partner": tenant.company.partner_id},
}
"""What is posted where an empty form would not get far."""
for _portal in ("partner", "business"):
    POSTED[f"{_portal}:connector-actions"] = lambda tenant: {
        "action": "pause",
        "selected": [tenant.row("connectors.connector").pk],
    }
    POSTED[f"{_portal}:users"] = lambda tenant: {
        "act": "delete",
        "selected": [tenant.row("tenants.account").pk],
    }
NAMING = {"object_id", "membership_id", "company", "connector_id", "run_id", "group_id", "uid"}
"""Arguments that name a tenant or a row of it: what the visitor is to that tenant decides the answer."""


# ── The walk ─────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def all_urls() -> tuple[Url, ...]:
    """Return every pattern of the urlconf."""
    return tuple(_walk(get_resolver().url_patterns, "", ()))


def _walk(patterns: Any, route: str, namespaces: tuple[str, ...]) -> Iterator[Url]:
    for pattern in patterns:
        part = re.sub(r"^\^", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            inside = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _walk(pattern.url_patterns, route + part, inside)
        elif isinstance(pattern, URLPattern):
            whole = route + part
            key = ":".join((*namespaces, pattern.name)) if pattern.name else whole
            yield Url(key, whole, tuple(re.findall(r"<(?:\w+:)?(\w+)>", whole)))


def _model_of(url: Url) -> str:
    found = re.match(r"partner/(\w+)/(\w+)/", url.route)
    if found is None:
        raise LookupError(f"{url.key} does not say which model its object_id is of: give ARGUMENTS a value for it.")
    return f"{found[1]}.{found[2]}"


def _path(url: Url, tenant: Tenant) -> str:
    values = {name: ARGUMENTS[name](url, tenant) for name in url.arguments}
    if url.key != url.route:
        return reverse(url.key, kwargs=values)
    path = url.route.removesuffix("$")
    for name, value in values.items():
        path = re.sub(rf"<(?:\w+:)?{name}>|\(\?P<{name}>[^)]*\)", str(value), path)
    return f"/{path}"


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _answer(response: HttpResponse) -> int | str:
    if response.status_code not in {301, 302}:
        return response.status_code
    target = response.headers["Location"]
    if target.startswith((reverse("admin:login"), "/accounts/login/")):
        return LOGIN
    if target.startswith(f"{reverse('account_reauthenticate')}?next=%2F") and "%2Faccounts%2F" not in target:
        return AGAIN
    if re.match(r"/(?:partner/companies/[\w-]+|business)/", target):
        inner = re.sub(r"^/partner/companies/[\w-]+/", "…/", target.partition("?")[0])
        return re.sub(r"/\d+/", "/#/", inner)
    target = re.sub(r"^/partner/fleet/(\w+)/\?connectors=\d+$", r"…\1/?connectors=#", target)
    return re.sub(r"^\S+/\d+/change/$", "…/change/", target)


def _expected(answers: Answers, standing: Standing, seen: int | str) -> int | str:
    """Return what is expected; where one of several statuses is, the one that was seen if it is among them."""
    answer = answers[standing]
    if isinstance(answer, str) and re.fullmatch(r"\d+( or \d+)+", answer):
        return seen if str(seen) in answer.split(" or ") else answer
    return answer


def test_every_url_is_declared_and_every_declaration_has_its_url() -> None:
    assert sorted(EXPECTATIONS) == sorted({url.key for url in all_urls()})


def test_every_argument_has_a_value() -> None:
    assert {name for url in all_urls() for name in url.arguments} == set(ARGUMENTS)


def test_what_is_posted_goes_to_urls_that_exist() -> None:
    assert set(POSTED) <= set(EXPECTATIONS)


@dataclass(frozen=True)
class Walk:
    """Hold the scene that every URL is asked in, what its rows hold, and each visitor's browser as it was signed in."""

    scene: Scene
    rows: Rows
    clients: dict[str, Client]
    cookies: dict[str, str]

    def client(self, visitor: str) -> Client:
        """Return a visitor's browser without what former answers gave it, or took from it."""
        client = self.clients[visitor]
        client.cookies.clear()
        client.cookies.load(self.cookies[visitor])
        return client


@pytest.fixture(scope="module")
def walk(django_db_setup: None, django_db_blocker: Any) -> Iterator[Walk]:
    """Set the scene once: of each request, everything is undone."""
    with django_db_blocker.unblock(), _undone():
        scene = make_scene()
        clients = {visitor: _client(scene, visitor) for visitor in scene.visitors}
        cookies = {visitor: client.cookies.output(attrs=[], header="") for visitor, client in clients.items()}
        yield Walk(scene, rows_of_everybody(), clients, cookies)


@pytest.fixture
def scene(walk: Walk, db: None) -> Scene:
    return walk.scene


def test_every_model_of_a_tenant_has_its_rows(scene: Scene) -> None:
    labels = {model._meta.label_lower for model in tenant_models()}
    assert [set(tenant.rows) for tenant in scene.tenants.values()] == [labels] * 3


@pytest.mark.django_db
@pytest.mark.parametrize("url", all_urls(), ids=lambda url: url.key)
def test_a_url_answers_everybody_as_declared_and_tells_nobody_of_others(url: Url, walk: Walk) -> None:
    declared = EXPECTATIONS[url.key]
    scene = walk.scene
    seen: dict[str, int | str] = {}
    wanted: dict[str, int | str] = {}
    writes: list[str] = []
    for visitor, method, name in _requests(url, scene):
        tenant, standings = scene.tenants[name], scene.standings[visitor]
        data = POSTED[url.key](tenant) if method == "post" and url.key in POSTED else {}
        writes.clear()
        with _undone(), connection.execute_wrapper(_remembering(writes)):
            response = getattr(walk.client(visitor), method)(_path(url, tenant), data)
            body = b"".join(response.streaming_content) if response.streaming else response.content
            changed = owners_of_changes(walk.rows, rows_of_everybody()) if writes else set()
        line = f"{method} {name} by {visitor}"
        seen[line] = _answer(response)
        own = standings[scene.home_of(visitor)]
        answers = declared.get if method == "get" else declared.post
        if data and declared.post_of_others and standings[name] in OUTSIDE:
            answers = declared.post_of_others
        # A company user has no right to the page: whose row is named does not come to matter.
        named = NAMING & {*url.arguments} and not (own is Standing.COMPANY_USER and url.key.startswith("business:"))
        wanted[line] = _expected(answers, standings[name] if named else own, seen[line])
        told = f"{body.decode(errors='replace')} {response.headers}".lower()
        # Who is sent to sign in brings the address they asked for.
        told = told.replace(_path(url, tenant).lower(), "") if seen[line] == LOGIN else told
        assert [word for word in scene.forbidden(visitor) if word.lower() in told] == [], line
        if method == "get" or seen[line] in {LOGIN, 403, 404, 405}:
            assert changed == set(), line
        assert changed & scene.untouchable(visitor) == set(), line
    wrong = {line for line in seen if seen[line] != wanted[line]}
    assert {line: seen[line] for line in wrong} == {line: wanted[line] for line in wrong}


def _remembering(writes: list[str]) -> Callable[..., Any]:
    """Return a database wrapper that notes every statement that may change a row of ours."""

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if re.match(r"\s*(INSERT|UPDATE|DELETE)\b.*(tenants_|connectors_)", sql, re.DOTALL | re.IGNORECASE):
            writes.append(sql)
        return execute(sql, *rest)

    return note


def _client(scene: Scene, visitor: str) -> Client:
    client = Client()
    if isinstance(user := scene.visitors[visitor], User):
        client.force_login(user)
    return client


def _requests(url: Url, scene: Scene) -> Iterator[tuple[str, str, str]]:
    """Return (visitor, method, tenant whose objects are named) for each request worth making."""
    for visitor in scene.visitors:
        names = ["home"]
        if url.arguments or url.key in POSTED:
            # To whom another company is the same as home, it would answer the same.
            standings = scene.standings[visitor]
            names += [name for name in ("sibling", "foreign") if standings[name] != standings["home"]]
        for name in names:
            yield from ((visitor, method, name) for method in ("get", "post"))


def test_the_words_are_there_to_be_leaked(scene: Scene) -> None:
    client = _client(scene, "operator")
    for model in ("account", "group", "groupmembership", "auditentry", "company"):
        page = client.get(reverse(f"admin:tenants_{model}_changelist")).content.decode()
        for tenant in scene.tenants.values():
            assert (tenant.outer if model == "company" else tenant.inner) in page, model


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("account", "company__id__exact={company}"),
        ("account", "id__exact={account}"),
        ("account", "q=x.example"),
        ("group", "company__id__exact={company}"),
        ("company", "partner__id__exact={partner}"),
        ("auditentry", "company__id__exact={company}"),
    ],
)
def test_a_filter_finds_nobody_of_another_tenant(model: str, query: str, scene: Scene) -> None:
    foreign = scene.tenants["foreign"]
    values = {
        "company": foreign.company.pk,
        "partner": foreign.company.partner_id,
        "account": foreign.row("tenants.account").pk,
    }
    told = {}
    for visitor in ("operator", "administrator"):
        page = _client(scene, visitor).get(
            f"{reverse(f'admin:tenants_{model}_changelist')}?{query.format(**values)}", follow=True
        )
        told[visitor] = "zephyrin" in page.content.decode().lower()
    assert told == {"operator": True, "administrator": False}


@pytest.mark.parametrize("text", ["ltd", "x.example"])
def test_the_search_over_all_companies_finds_nobody_of_another_tenant(text: str, scene: Scene) -> None:
    leaked, found = {}, {}
    for visitor in ("operator", "administrator", "technician", "viewer", "other partner"):
        page = _client(scene, visitor).get(f"{reverse('admin:find')}?q={text}").content.decode().lower()
        leaked[visitor] = [word for word in scene.forbidden(visitor) if word.lower() in page]
        words = (tenant.outer.lower() for tenant in scene.tenants.values())
        found[visitor] = [word for word in words if f"{word} ltd" in page]
    assert {visitor: words for visitor, words in leaked.items() if words} == {}
    own = ["quillfeather", "marrowby"]
    assert found == dict.fromkeys(found, own) | {
        "operator": [*own, "zephyrine"],
        "other partner": ["zephyrine"],
    }
