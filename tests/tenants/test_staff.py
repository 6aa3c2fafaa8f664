"""Staff: who invites, changes and removes whom, as each role; what a removal ends, and what an invitation begins."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tenants import invitations, staff
from tenants.activity import details_of
from tenants.audit import declared_actions, sentence_of
from tenants.models import AuditEntry, Invitation, Partner, StaffMembership, User
from tenants.roles import Role
from tenants.roster import Refused
from tenants.staff import Standing, standing_of
from tests.world import PASSWORD, make_account, make_company, make_operator, make_partner, make_staff

pytestmark = pytest.mark.django_db
LIST = "/partner/tenants/staffmembership/"
NEW = "ngozi@harbour-ridge-it.example"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def said(page: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def of(user: User, partner: Partner) -> StaffMembership:
    return StaffMembership.objects.get(user=user, partner=partner)


def page_of(membership: StaffMembership) -> str:
    return reverse("admin:staff-member", args=[membership.pk])


def invitation(**changes: str) -> dict[str, str]:
    return {"name": "Ngozi Eze", "email": NEW, "role": "technician", **changes}


@pytest.fixture
def partner() -> Partner:
    return make_partner()


@pytest.fixture
def maren(partner: Partner) -> User:
    return make_staff(partner)


@pytest.fixture
def tomasz(partner: Partner) -> User:
    return make_staff(partner, Role.PARTNER_TECHNICIAN, name="Tomasz Wiśniewski")


# As each role


@pytest.mark.parametrize("role", [Role.PARTNER_TECHNICIAN, Role.PARTNER_VIEWER])
def test_who_does_not_manage_staff_sees_the_colleagues_and_changes_nobody(
    partner: Partner, maren: User, role: Role
) -> None:
    client = browser(make_staff(partner, role, name="Priya Raman"))
    page = client.get(LIST)
    assert "Maren Lindqvist" in said(page)
    assert [word for word in ("staff/invite", "/partner/staff/") if word in page.content.decode()] == []
    refused = [
        client.get(reverse("admin:staff-invite")),
        client.post(reverse("admin:staff-invite"), invitation()),
        client.get(page_of(of(maren, partner))),
        client.post(page_of(of(maren, partner)), {"act": "remove"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert StaffMembership.objects.count() == 2


def test_a_partners_administrator_invites_and_the_link_makes_the_login(partner: Partner, maren: User) -> None:
    client = browser(maren)
    answer = client.post(reverse("admin:staff-invite"), invitation(email=f" {NEW.upper()} "), follow=True)
    assert "Ngozi Eze is invited. The link leaves for ngozi@harbour-ridge-it.example within a minute." in said(answer)
    assert "Invitation is being sent" in said(answer)
    assert invitations.send_due(timezone.now(), 10) == 1
    assert "Invited the link works until" in said(client.get(LIST))
    [link] = re.findall(r"https?://\S*?(/\S+)", str(mail.outbox[0].body))
    stranger = Client()
    assert stranger.get(link).status_code == 200
    stranger.post(link, {"password": "a good long passphrase 7", "again": "a good long passphrase 7"})
    ngozi = User.objects.get(email=NEW)
    assert (ngozi.has_usable_password(), of(ngozi, partner).role) == (True, "technician")
    assert "Signs in" in said(client.get(f"{LIST}?q=ngozi"))


def test_an_operator_manages_every_partners_staff(partner: Partner, maren: User, tomasz: User) -> None:
    other = make_partner("Northgate Systems")
    client = browser(make_operator())
    assert {"Maren Lindqvist", "Harbour Ridge IT"} <= set(
        re.findall(r"Maren Lindqvist|Harbour Ridge IT", said(client.get(LIST)))
    )
    answer = client.post(reverse("admin:staff-invite"), invitation(partner_id=str(other.pk), role="administrator"))
    assert answer.headers["Location"] == LIST
    assert of(User.objects.get(email=NEW), other).role == "administrator"
    client.post(page_of(of(tomasz, partner)), {"act": "role", "role": "viewer"})
    assert of(tomasz, partner).role == "viewer"


def test_nobody_reaches_the_staff_of_another_partner(partner: Partner, maren: User, tomasz: User) -> None:
    other = make_partner("Northgate Systems")
    client = browser(make_staff(other, name="Joost van Rijn"))
    for page in (LIST, reverse("admin:staff-invite")):
        assert re.findall("Maren|Harbour", said(client.get(page))) == []
    theirs = page_of(of(tomasz, partner))
    assert [client.get(theirs).status_code, client.post(theirs, {"act": "remove"}).status_code] == [404, 404]
    # The one partner that may be chosen is the own one, whatever is posted.
    client.post(reverse("admin:staff-invite"), invitation(partner_id=str(partner.pk)))
    assert of(User.objects.get(email=NEW), other).partner == other
    administrator = make_account(make_company(partner), role="admin", claimed=True).user
    assert administrator is not None
    assert browser(administrator).get(LIST).status_code in {302, 404}


def test_who_manages_one_of_two_partners_invites_to_that_one(partner: Partner, maren: User) -> None:
    other = make_partner("Northgate Systems")
    StaffMembership.objects.create(partner=other, user=maren, role=Role.PARTNER_VIEWER)
    answer = browser(maren).post(reverse("admin:staff-invite"), invitation(partner_id=str(other.pk)))
    assert (answer.status_code, "Its own administrators invite its staff." in said(answer)) == (422, True)
    assert browser(maren).post(reverse("admin:staff-invite"), invitation(partner_id=str(partner.pk))).status_code == 302
    assert [row.partner for row in StaffMembership.objects.filter(user__email=NEW)] == [partner]


# Inviting


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"email": "nobody"}, "That is not an email address"),
        ({"email": f"{'x' * 260}@x.example"}, "That email address is too long"),
        ({"name": "   "}, "Enter the name."),
        ({"name": "N" * 300}, "at most 200 letters"),
        ({"role": "operator"}, "Select a valid choice"),
        ({"email": "taken@brightwater.example"}, "This address cannot be invited."),
        ({"email": "operator@portal.example"}, "This address cannot be invited."),
    ],
)
def test_an_invitation_that_cannot_be_says_why_and_keeps_what_was_typed(
    partner: Partner, maren: User, changes: dict[str, str], sentence: str
) -> None:
    make_operator()
    make_account(make_company(), email="taken@brightwater.example", claimed=True)
    page = browser(maren).post(reverse("admin:staff-invite"), invitation(**changes))
    assert (page.status_code, sentence in said(page)) == (422, True), said(page)
    assert 'value="Ngozi Eze"' in page.content.decode() or "name" in changes
    assert StaffMembership.objects.filter(partner=partner).count() == 1


def test_nobody_is_invited_twice_to_one_partner(partner: Partner, maren: User) -> None:
    for expected in (302, 422):
        assert browser(maren).post(reverse("admin:staff-invite"), invitation()).status_code == expected
    assert Invitation.objects.filter(staff__email=NEW).count() == 1


def test_who_signs_in_for_another_partner_is_added_and_needs_no_link(partner: Partner, maren: User) -> None:
    joost = make_staff(make_partner("Northgate Systems"), name="Joost van Rijn")
    member = staff.invite(partner, email=joost.email, name="J", role=Role.PARTNER_VIEWER, actor=maren)
    assert (member.user, Invitation.objects.count()) == (joost, 0)
    joost.refresh_from_db()
    assert (joost.name, joost.check_password(PASSWORD)) == ("Joost van Rijn", True)
    assert AuditEntry.objects.get().action == "staff.added"


def test_who_was_removed_and_is_invited_again_begins_anew(partner: Partner, maren: User, tomasz: User) -> None:
    Authenticator.objects.create(user=tomasz, type=Authenticator.Type.TOTP, data={})
    SocialAccount.objects.create(user=tomasz, provider="microsoft", uid="tenant:object")
    Invitation.objects.create(staff=tomasz, wanted_at=timezone.now(), accepted_at=timezone.now())
    staff.remove(of(tomasz, partner), actor=maren)
    staff.invite(partner, email=tomasz.email, name="Tomasz W.", role=Role.PARTNER_VIEWER, actor=maren)
    tomasz.refresh_from_db()
    assert (tomasz.is_active, tomasz.has_usable_password(), tomasz.name) == (True, False, "Tomasz W.")
    assert (Authenticator.objects.count(), SocialAccount.objects.count()) == (0, 0)
    assert invitations.send_due(timezone.now(), 10) == 1


# Changing and removing


def test_removing_ends_every_session_at_once(partner: Partner, maren: User, tomasz: User) -> None:
    theirs = browser(tomasz)
    assert theirs.get(LIST).status_code == 200
    answer = browser(maren).post(page_of(of(tomasz, partner)), {"act": "remove"}, follow=True)
    assert "Tomasz Wiśniewski is not in the staff of Harbour Ridge IT any more." in said(answer)
    assert theirs.get(LIST).status_code == 302
    assert not Client().login(email=tomasz.email, password=PASSWORD)


def test_removing_from_one_of_two_partners_leaves_the_other(partner: Partner, maren: User, tomasz: User) -> None:
    other = make_partner("Northgate Systems")
    StaffMembership.objects.create(partner=other, user=tomasz, role=Role.PARTNER_VIEWER)
    theirs = browser(tomasz)
    staff.remove(of(tomasz, partner), actor=maren)
    page = said(theirs.get(LIST))
    assert ("Tomasz" in page, "Maren" in page) == (True, False)


def test_removing_who_was_only_invited_ends_the_link(partner: Partner, maren: User) -> None:
    member = staff.invite(partner, email=NEW, name="Ngozi", role=Role.PARTNER_VIEWER, actor=maren)
    invitations.send_due(timezone.now(), 10)
    [link] = re.findall(r"https?://\S*?(/\S+)", str(mail.outbox[0].body))
    staff.remove(member, actor=maren)
    assert Client().get(link).status_code == 410


@pytest.mark.parametrize("act", [{"act": "remove"}, {"act": "role", "role": "viewer"}])
def test_the_last_administrator_who_can_sign_in_stays(partner: Partner, maren: User, act: dict[str, str]) -> None:
    staff.invite(partner, email=NEW, name="Ngozi", role=Role.PARTNER_ADMINISTRATOR, actor=maren)
    client, own = browser(maren), page_of(of(maren, partner))
    assert "is the last administrator of Harbour Ridge IT who can sign in." in said(client.post(own, act, follow=True))
    assert of(maren, partner).role == "administrator"
    make_staff(partner, name="Grace Okonkwo")
    client.post(own, act)
    assert not StaffMembership.objects.filter(user=maren, role="administrator").exists()


def test_a_changed_role_holds_from_the_next_page_on(partner: Partner, maren: User, tomasz: User) -> None:
    theirs = browser(tomasz)
    assert theirs.get(reverse("admin:staff-invite")).status_code == 403
    page = browser(maren).post(page_of(of(tomasz, partner)), {"act": "role", "role": "administrator"}, follow=True)
    assert "Tomasz Wiśniewski is partner administrator of Harbour Ridge IT now." in said(page)
    assert theirs.get(reverse("admin:staff-invite")).status_code == 200
    count = AuditEntry.objects.count()
    staff.change_role(of(tomasz, partner), Role.PARTNER_ADMINISTRATOR, actor=maren)
    assert AuditEntry.objects.count() == count


def test_an_invitation_is_sent_again_and_revoked(partner: Partner, maren: User) -> None:
    member = staff.invite(partner, email=NEW, name="Ngozi", role=Role.PARTNER_VIEWER, actor=maren)
    client = browser(maren)
    links = []
    for _ in range(2):
        client.post(page_of(member), {"act": "resend"})
        invitations.send_due(timezone.now(), 10)
        links += re.findall(r"https?://\S*?(/\S+)", str(mail.outbox[-1].body))
    assert [Client().get(link).status_code for link in links] == [410, 200]
    assert "The link that Ngozi was sent no longer works." in said(
        client.post(page_of(member), {"act": "revoke"}, follow=True)
    )
    assert Client().get(links[1]).status_code == 410
    assert "Invitation revoked" in said(client.get(LIST))
    page = said(client.get(page_of(member)))
    assert ("Send a new link" in page, "Revoke the invitation" in page) == (True, False)


def test_who_signs_in_has_no_invitation_to_send_or_revoke(partner: Partner, maren: User, tomasz: User) -> None:
    for act in (staff.invite_again, staff.revoke_invitation):
        with pytest.raises(Refused, match="There is nothing to send or to revoke"):
            act(of(tomasz, partner), actor=maren)
    assert "Send a new link" not in said(browser(maren).get(page_of(of(tomasz, partner))))


def test_an_act_nobody_knows_is_no_page(partner: Partner, maren: User, tomasz: User) -> None:
    for data in ({}, {"act": "promote"}, {"act": "role", "role": "operator"}):
        assert browser(maren).post(page_of(of(tomasz, partner)), data).status_code == 404


@pytest.mark.parametrize(
    ("fields", "standing"),
    [
        (None, Standing.NEVER_INVITED),
        ({}, Standing.SENDING),
        ({"sent_at": 0, "expires_at": 7}, Standing.INVITED),
        ({"sent_at": -9, "expires_at": -2}, Standing.EXPIRED),
        ({"revoked_at": 0}, Standing.REVOKED),
    ],
)
def test_a_standing_says_how_far_somebody_has_come(fields: dict[str, int] | None, standing: Standing) -> None:
    now = timezone.now()
    user = User(email=NEW)
    user.set_unusable_password()
    if fields is not None:
        Invitation(staff=user, **{name: now + timedelta(days=days) for name, days in fields.items()})
    assert standing_of(user, now) == standing
    user.set_password(PASSWORD)
    assert standing_of(user, now) == Standing.SIGNS_IN


# The list, and the record


def test_the_list_is_filtered_and_costs_the_same_for_many(partner: Partner, maren: User, tomasz: User) -> None:
    client = browser(maren)

    def listed(query: str = "") -> list[str]:
        rows = client.get(f"{LIST}?{query}").content.decode().partition("<tbody>")[2]
        return re.findall(r"<bdi>(Maren Lindqvist|Tomasz Wiśniewski)</bdi>", rows)

    assert listed("q=wiśn") == ["Tomasz Wiśniewski"]
    assert listed("role=administrator") == ["Maren Lindqvist"]
    assert listed("role=nonsense&partner=x&q=%00") == listed("")
    assert "Nobody fits this filter" in said(client.get(f"{LIST}?q=nobody"))

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(LIST)
        return len(captured)

    queries()
    before = queries()
    for number in range(20):
        staff.invite(partner, email=f"p{number}@x.example", name="Priya", role=Role.PARTNER_VIEWER, actor=maren)
    assert queries() == before


def test_every_act_is_recorded_for_the_partner(partner: Partner, maren: User, tomasz: User) -> None:
    member = staff.invite(partner, email=NEW, name="Ngozi", role=Role.PARTNER_VIEWER, actor=maren)
    staff.invite_again(member, actor=maren)
    staff.revoke_invitation(member, actor=maren)
    staff.change_role(member, Role.PARTNER_TECHNICIAN, actor=maren)
    staff.remove(member, actor=maren)
    joost = make_staff(make_partner("Northgate Systems"))
    staff.invite(partner, email=joost.email, name="J", role=Role.PARTNER_VIEWER, actor=maren)
    entries = list(AuditEntry.objects.order_by("pk"))
    assert {entry.action for entry in entries} == {code for code in declared_actions() if code.startswith("staff.")}
    assert {entry.partner for entry in entries} == {partner}
    assert [details_of(entry) for entry in entries] == [[]] * 6
    actor, subject = f"Maren Lindqvist ({maren.email})", f"Ngozi ({NEW})"
    assert [sentence_of(entry) for entry in entries[:5]] == [
        f"{actor} invited {subject} to the staff of Harbour Ridge IT as partner viewer.",
        f"{actor} had {subject} invited again to the staff of Harbour Ridge IT.",
        f"{actor} revoked the invitation of {subject} to the staff of Harbour Ridge IT.",
        f"{actor} made {subject} partner technician of Harbour Ridge IT, partner viewer before.",
        f"{actor} removed {subject} from the staff of Harbour Ridge IT.",
    ]
