"""Signing in, in a real browser: an invitation, Microsoft's own pages, a passkey, and a second factor."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from tenants.invitations import queue, send_due
from tenants.models import Account
from tests.entra_emulator.people import SABLE_STREET
from tests.journeys.browsing import Visitor
from tests.journeys.scene import MAREN, Scene
from tests.world import PASSWORD, make_account

NEW_PASSWORD = "twelve green bottles hanging"
Visiting = Callable[..., Visitor]


def newcomer(scene: Scene) -> Account:
    """Save an account that a person of Sable Street Brewing has waiting, with its identity."""
    tenant = scene.tenant(SABLE_STREET)
    lena = tenant.user("Lena Fischer")
    return make_account(
        scene.company("Sable Street Brewing"),
        email=lena.mail,
        first_name="Lena",
        last_name="Fischer",
        directory_tenant_id=tenant.id,
        directory_object_id=lena.id,
    )


def at_microsoft(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_label("Or sign-in name").fill(name)
    visitor.press("Sign in")


@pytest.mark.parametrize("script", [True, False])
def test_an_invitation_sets_a_password(scene: Scene, visitor: Visiting, script: bool) -> None:
    account = newcomer(scene)
    queue([account.pk])
    send_due(timezone.now(), 10)
    link = re.search(r"https?://\S+(/welcome/\S+)", mail.outbox[-1].body)
    assert link
    lena = visitor(script=script)
    lena.open(link[1])
    lena.look()
    lena.page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    lena.page.get_by_label("Password again").fill("something else")
    lena.press("Set password and sign in")
    assert "The two passwords differ." in lena.page.content()
    lena.look()
    lena.page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    lena.page.get_by_label("Password again").fill(NEW_PASSWORD)
    lena.press("Set password and sign in")
    assert lena.page.url == f"{scene.origin}{reverse('own_account')}"
    lena.look()
    lena.open(link[1], status=410)
    lena.look()


@pytest.mark.parametrize("script", [True, False])
def test_microsofts_pages_lead_in_and_back(scene: Scene, visitor: Visiting, script: bool) -> None:
    account = newcomer(scene)
    lena = visitor(script=script)
    lena.open(reverse("account_login"))
    lena.look()
    lena.press("Sign in with Microsoft")
    assert lena.page.url.startswith(scene.microsoft)
    lena.look()
    at_microsoft(lena, account.email)
    lena.look()
    lena.press("Accept")
    assert lena.page.url == f"{scene.origin}{reverse('own_account')}"
    assert Account.objects.get(pk=account.pk).user is not None
    stranger = visitor(script=script)
    stranger.open(reverse("account_login"))
    stranger.press("Sign in with Microsoft")
    at_microsoft(stranger, f"owen.marsh@{SABLE_STREET}")
    stranger.press("Accept")
    assert "You cannot sign in this way" in stranger.page.content()
    stranger.look()
    stranger.open(reverse("account_login"))
    stranger.press("Sign in with Microsoft")
    stranger.press("Cancel")
    assert "You came back without signing in" in stranger.page.content()
    stranger.look()


def test_staff_set_up_an_app_and_a_passkey_and_use_both(
    scene: Scene, visitor: Visiting, settings: Any, tmp_path: Path
) -> None:
    settings.PBPORTAL_STAFF_SECOND_FACTOR = True
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
    maren = visitor()
    devices = maren.context.new_cdp_session(maren.page)
    devices.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    maren.sign_in(MAREN)
    assert maren.page.url == f"{scene.origin}{reverse('mfa_index')}"
    maren.look()
    maren.page.get_by_role("link", name="Set up an authenticator app").click()
    maren.look()
    maren.page.get_by_label("Password").fill(PASSWORD)
    maren.press("Confirm")
    maren.look()
    secret = maren.page.locator("code").inner_text()
    maren.page.get_by_label("Authenticator code").fill(code_of(secret))
    maren.press("Set up")
    maren.look()
    maren.open(reverse("mfa_index"))
    maren.page.get_by_role("link", name="Add a passkey").click()
    maren.look()
    maren.page.get_by_label("Sign in with it alone").check()
    maren.press("Add a passkey")
    maren.look()
    for name in ("mfa_list_webauthn", "mfa_view_recovery_codes", "usersessions_list", "socialaccount_connections"):
        maren.open(reverse(name))
        maren.look()
    maren.open(reverse("account_logout"))
    maren.press("Sign out")
    maren.press("Use a passkey")
    assert maren.page.url == f"{scene.origin}/partner/"
    again = visitor()
    again.sign_in(MAREN)
    assert again.page.url == f"{scene.origin}{reverse('mfa_authenticate')}"
    again.look()


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
