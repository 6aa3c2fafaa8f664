"""The operations on a partner's staff: invite, change the role, remove, and what becomes of an invitation."""

from __future__ import annotations

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from tenants import invitations
from tenants.audit import Action, record
from tenants.models import Invitation, Partner, StaffMembership, User
from tenants.roles import STAFF_ROLES, Role
from tenants.roster import Refused
from tenants.states import Labelled, LoginKind

INVITED = Action("staff.invited", "{actor} invited {subject} to the staff of {partner} as {role}.", ("partner", "role"))
ADDED = Action("staff.added", "{actor} added {subject} to the staff of {partner} as {role}.", ("partner", "role"))
ROLE_CHANGED = Action(
    "staff.role_changed",
    "{actor} made {subject} {role} of {partner}, {before} before.",
    ("partner", "role", "before"),
)
REMOVED = Action("staff.removed", "{actor} removed {subject} from the staff of {partner}.", ("partner",))
INVITED_AGAIN = Action(
    "staff.invited_again", "{actor} had {subject} invited again to the staff of {partner}.", ("partner",)
)
REVOKED = Action(
    "staff.invitation_revoked", "{actor} revoked the invitation of {subject} to the staff of {partner}.", ("partner",)
)


class Standing(Labelled):
    """Say how far somebody has come to being able to sign in."""

    SIGNS_IN = "signs_in", "Signs in"
    SENDING = "sending", "Invitation is being sent"
    INVITED = "invited", "Invited"
    EXPIRED = "expired", "Invitation has expired"
    REVOKED = "revoked", "Invitation revoked"
    NEVER_INVITED = "never_invited", "Not invited"


WAITING = frozenset(Standing) - {Standing.SIGNS_IN}


def standing_of(user: User, now: datetime) -> Standing:
    """Return how far a staff login has come; its invitation is best read along with it."""
    if user.has_usable_password():
        return Standing.SIGNS_IN
    invitation: Invitation | None = getattr(user, "invitation", None)
    if invitation is None or invitation.accepted_at is not None:
        return Standing.NEVER_INVITED
    if invitation.revoked_at is not None:
        return Standing.REVOKED
    if invitation.sent_at is None or invitation.expires_at is None:
        return Standing.SENDING
    return Standing.INVITED if now < invitation.expires_at else Standing.EXPIRED


def invite(partner: Partner, *, email: str, name: str, role: Role, actor: User) -> StaffMembership:
    """Make somebody staff of a partner, and ask for their invitation where they cannot sign in yet. Raises Refused.

    The caller checks Can.MANAGE_STAFF. Who had been removed begins anew: an old password, second factor or connected
    Microsoft identity opens nothing.
    """
    email, name = email.strip().lower(), " ".join(name.split())
    if role not in STAFF_ROLES:
        raise ValueError("Staff is administrator, technician or viewer of a partner.")
    try:
        validate_email(email)
    except ValidationError as wrong:
        raise Refused("That is not an email address: give one such as name@example.com.") from wrong
    if len(email) > 254:
        raise Refused("That email address is too long: give one of at most 254 characters.")
    if not name:
        raise Refused("Give the name of the person: the record of who did what is read by it.")
    if len(name) > 200 or not name.isprintable():
        raise Refused("That name cannot be kept: give at most 200 letters, on one line.")
    with transaction.atomic():
        locked = _locked(partner)
        user = User.objects.select_for_update().filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, None, name=name, kind=LoginKind.STAFF)
        elif user.kind != LoginKind.STAFF or user.is_superuser:
            raise Refused(
                "This address cannot be invited. Use another address of theirs, with which they sign in nowhere else."
            )
        elif StaffMembership.objects.filter(partner=locked, user=user).exists():
            raise Refused(f"{email} is in the staff already. Change the role there, or invite another address.")
        elif not user.is_active:
            _begin_anew(user, name)
        membership = StaffMembership.objects.create(partner=locked, user=user, role=role)
        waits = not user.has_usable_password()
        if waits:
            invitations.queue_staff(user)
        _tell(INVITED if waits else ADDED, membership, actor, role=Role(role).label.lower())
    return membership


def _begin_anew(user: User, name: str) -> None:
    """Let somebody who was removed be invited as if for the first time."""
    Authenticator.objects.filter(user=user).delete()
    SocialAccount.objects.filter(user=user).delete()
    Invitation.objects.filter(staff=user).delete()
    user.set_unusable_password()
    user.name, user.is_active = name, True
    user.save(update_fields=["password", "name", "is_active"])


def change_role(membership: StaffMembership, role: Role, *, actor: User) -> None:
    """Give somebody another role; nothing is written where it is theirs already. Raises Refused."""
    if role not in STAFF_ROLES:
        raise ValueError("Staff is administrator, technician or viewer of a partner.")
    with transaction.atomic():
        stored = _stored(membership)
        before = Role(stored.role)
        if before is role:
            return
        if before is Role.PARTNER_ADMINISTRATOR:
            _refuse_without_administrator(stored)
        stored.role = role
        stored.save(update_fields=["role"])
        _tell(ROLE_CHANGED, stored, actor, role=role.label.lower(), before=before.label.lower())


def remove(membership: StaffMembership, *, actor: User) -> None:
    """Take somebody out of a partner's staff; who is staff of nobody else loses every session at once. Raises Refused.

    What they did stays in the record under their name.
    """
    with transaction.atomic():
        stored = _stored(membership)
        if Role(stored.role) is Role.PARTNER_ADMINISTRATOR:
            _refuse_without_administrator(stored)
        user = User.objects.select_for_update().get(pk=stored.user_id)
        _tell(REMOVED, stored, actor)
        stored.delete()
        if not user.is_superuser and not user.memberships.exists():
            # A login that is not active is refused at the next request of every session.
            user.is_active = False
            user.save(update_fields=["is_active"])
            _end_invitation(user)


def invite_again(membership: StaffMembership, *, actor: User) -> None:
    """Send somebody who waits a new link; links sent before die at once. Raises Refused."""
    with transaction.atomic():
        stored = _stored(membership)
        _refuse_who_signs_in(stored.user)
        invitations.queue_staff(stored.user)
        _tell(INVITED_AGAIN, stored, actor)


def revoke_invitation(membership: StaffMembership, *, actor: User) -> None:
    """End the invitation of somebody who waits; they stay in the staff and can be invited again. Raises Refused."""
    with transaction.atomic():
        stored = _stored(membership)
        _refuse_who_signs_in(stored.user)
        _end_invitation(stored.user)
        _tell(REVOKED, stored, actor)


def _locked(partner: Partner) -> Partner:
    """Lock the partner's row: who is its last administrator is asked by one at a time."""
    return Partner.objects.select_for_update(no_key=True).get(pk=partner.pk)


def _stored(membership: StaffMembership) -> StaffMembership:
    _locked(membership.partner)
    stored = StaffMembership.objects.select_related("user", "partner").filter(pk=membership.pk).first()
    if stored is None:
        raise Refused("That person is not in the staff any more. Load the page again.")
    return stored


def _refuse_without_administrator(leaving: StaffMembership) -> None:
    """Refuse to leave a partner without an administrator who can sign in: nobody of it could let anybody in again."""
    others = StaffMembership.objects.filter(
        partner=leaving.partner, role=Role.PARTNER_ADMINISTRATOR, user__is_active=True
    ).exclude(pk=leaving.pk)
    if not any(other.user.has_usable_password() for other in others.select_related("user")):
        raise Refused(
            f"{leaving.user} is the last administrator of {leaving.partner} who can sign in."
            " Make somebody else administrator first."
        )


def _refuse_who_signs_in(user: User) -> None:
    if user.has_usable_password():
        raise Refused(f"{user} accepted the invitation and signs in. There is nothing to send or to revoke.")


def _end_invitation(user: User) -> None:
    waiting = Invitation.objects.filter(staff=user, accepted_at=None, revoked_at=None)
    waiting.update(token_hash="", revoked_at=timezone.now())


def _tell(action: Action, membership: StaffMembership, actor: User, **detail: str) -> None:
    user, partner = membership.user, membership.partner
    subject = f"{user.name} ({user.email})" if user.name else user.email
    record(action, partner=partner, actor=actor, subject=subject, detail={"partner": partner.name, **detail})
