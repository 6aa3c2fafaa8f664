"""The routes of signing in: every page of allauth that is open, and those that are closed, by the names it uses."""

from __future__ import annotations

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as socialaccount
from django.urls import URLPattern, URLResolver, path, re_path

from tenants.signin import microsoft, sessions, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("account/", views.own_account, name="own_account"),
    path("welcome/<str:token>/", views.welcome, name="welcome"),
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/choose/", views.choose, name="signin_choose"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/inactive/", account.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/reauthenticate/microsoft/", views.microsoft_again, name="microsoft_again"),
    path("accounts/password/change/", account.password_change, name="account_change_password"),
    path("accounts/password/set/", account.password_set, name="account_set_password"),
    path("accounts/password/reset/", account.password_reset, name="account_reset_password"),
    path("accounts/password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("accounts/2fa/", mfa.index, name="mfa_index"),
    path("accounts/2fa/authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("accounts/2fa/reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("accounts/2fa/totp/activate/", totp.activate_totp, name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("accounts/2fa/recovery-codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "accounts/2fa/recovery-codes/generate/",
        recovery_codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "accounts/2fa/recovery-codes/download/",
        recovery_codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("accounts/2fa/webauthn/", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("accounts/2fa/webauthn/add/", webauthn.add_webauthn, name="mfa_add_webauthn"),
    path("accounts/2fa/webauthn/login/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path(
        "accounts/2fa/webauthn/reauthenticate/",
        webauthn.reauthenticate_webauthn,
        name="mfa_reauthenticate_webauthn",
    ),
    path("accounts/2fa/webauthn/keys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
    path("accounts/2fa/webauthn/keys/<int:pk>/edit/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path("accounts/sessions/", sessions.list_sessions, name="usersessions_list"),
    path("accounts/microsoft/", socialaccount.connections, name="socialaccount_connections"),
    path("accounts/microsoft/login/", microsoft.login, name="microsoft_login"),
    path("accounts/microsoft/login/callback/", microsoft.callback, name="microsoft_callback"),
    path("accounts/microsoft/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"),
    path("accounts/microsoft/error/", socialaccount.login_error, name="socialaccount_login_error"),
    # Closed: nobody signs up, and an address never changes.
    path("accounts/signup/", views.closed, name="account_signup"),
    path("accounts/email/", views.closed, name="account_email"),
    path("accounts/confirm-email/", views.closed, name="account_email_verification_sent"),
    path("accounts/confirm-email/<str:key>/", views.closed, name="account_confirm_email"),
    path("accounts/login/code/confirm/", views.closed, name="account_confirm_login_code"),
    path("accounts/microsoft/signup/", views.closed, name="socialaccount_signup"),
]
