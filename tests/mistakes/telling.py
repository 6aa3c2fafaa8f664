"""Mistakes in what people are told, and in who may sign in as staff: "Why?", activity, staff."""

from __future__ import annotations

from tests.mistakes.row import Mistake, mistake

_WHY = ("tests/connectors/test_why.py",)
_WHY_PAGES = ("tests/connectors/test_why_pages.py",)
_PEOPLE = ("tests/connectors/test_entra_people.py",)
_ACTIVITY = ("tests/tenants/test_activity.py",)
_STAFF = ("tests/tenants/test_staff.py",)

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "“Why?” tells of a planned change before the hold that keeps it back",
        "connectors/why/verdict.py",
        "    if facts.held is not None:\n        return _held(facts, facts.held)\n",
        "",
        _WHY,
    ),
    mistake(
        0,
        "“Why?” counts a licence as if nobody waited longer",
        "connectors/why/survey.py",
        "place + 1 - (purchased - at_the_end)",
        "1 - (purchased - at_the_end)",
        _WHY,
    ),
    mistake(
        0,
        "“Why?” takes whom a setting leaves out for somebody in the sync group",
        "connectors/why/values.py",
        "return self.via is not None and self.left_out is None",
        "return self.via is not None",
        _WHY,
    ),
    mistake(
        0,
        "“Why?” asks Microsoft while Microsoft asks to wait",
        "connectors/sync/asking.py",
        'raise Throttled(f"Microsoft asked to wait until {until:%H:%M} UTC,'
        ' and is asked nothing before.", until=until)',
        "return",
        _WHY_PAGES,
    ),
    mistake(
        0,
        "an apostrophe ends the text that people are looked for by",
        "connectors/entra/people.py",
        """    literal = text.replace("'", "''")\n""",
        "    literal = text\n",
        _PEOPLE,
    ),
    mistake(
        0,
        "a setting that forgets old entries forgets whatever it is given",
        "tenants/models.py",
        "at__lt=horizon.before",
        "at__isnull=False",
        _ACTIVITY,
    ),
    mistake(
        0,
        "a company's activity is that of all companies its partner has",
        "tenants/views/activity.py",
        "Paginator(wanted.narrow(place.access.of(AuditEntry)), PAGE)",
        "Paginator(wanted.narrow(AuditEntry.objects.visible_to(place.access.user)), PAGE)",
        _ACTIVITY,
    ),
    mistake(
        0,
        "an administrator who never accepted the invitation counts as one who is left",
        "tenants/staff.py",
        'if not any(other.user.has_usable_password() for other in others.select_related("user")):',
        "if not others.exists():",
        _STAFF,
    ),
    mistake(
        0,
        "who is removed from the staff keeps every session",
        "tenants/staff.py",
        "            user.is_active = False\n",
        "",
        _STAFF,
    ),
    mistake(
        0,
        "who is invited again signs in with the password of before",
        "tenants/staff.py",
        "    user.set_unusable_password()\n",
        "",
        _STAFF,
    ),
)
