"""Which logins may be signed in at all: asked at every request, so that who may not loses every session at once."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from tenants.models import User
from tenants.states import AccountStatus


def may_enter(user: User) -> bool:
    """Say whether a login may be signed in: staff, or the owner of an account that is neither Disabled nor Deleted.

    Who is Pending may: they are told that they are waiting.
    """
    if not user.is_active:
        return False
    if user.is_staff:
        return True
    account = getattr(user, "account", None)
    return account is not None and account.status not in {AccountStatus.DISABLED, AccountStatus.DELETED}


class LoginBackend(AuthenticationBackend):  # type: ignore[misc]
    """Find logins by email and password, and in sessions; those that may not enter, never."""

    def get_user(self, user_id: Any) -> Any:
        user = User.objects.select_related("account__company").filter(pk=user_id).first()
        return user if user is not None and may_enter(user) else None

    def user_can_authenticate(self, user: Any) -> bool:
        return may_enter(user)
