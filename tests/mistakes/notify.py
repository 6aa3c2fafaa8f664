"""Mistakes in notifications: told too often, not at all, to the wrong people, or twice."""

from __future__ import annotations

from tests.mistakes.row import Mistake, mistake

DECIDE_PY = "connectors/notify/decide.py"
LETTERS_PY = "connectors/notify/letters.py"
SENDING_PY = "connectors/notify/sending.py"
FACTS_PY = "connectors/notify/facts.py"
SUBSCRIPTIONS_PY = "tenants/subscriptions.py"
_TABLE = ("tests/connectors/test_notify_decide.py",)
_NOTIFY = "tests/connectors/test_notify.py"
_MAILS = "tests/connectors/test_mails_page.py"
_SUBSCRIPTIONS = "tests/tenants/test_subscriptions.py"

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "a mail's event is over at the first run that does not see it",
        DECIDE_PY,
        "    if now - told.absent_since >= LINGER:\n",
        "    if now >= told.absent_since:\n",
        _TABLE,
    ),
    mistake(
        0,
        "a mail tells of every new reason at once",
        DECIDE_PY,
        "    if now - told.told_at >= GAP and (",
        "    if (",
        _TABLE,
    ),
    mistake(
        0,
        "a mail says resolved of a connector that was removed",
        DECIDE_PY,
        "        return Decision(key, None, None) if told",
        "        return Decision(key, LetterKind.ENDED, None) if told",
        _TABLE,
    ),
    mistake(
        0,
        "a mail reminds of what no run looks at",
        DECIDE_PY,
        "    if pulse is Pulse.STANDS and key.kind in FOUND_BY_RUNS:\n",
        "    if pulse is Pulse.STANDS and key.kind not in EventKind:\n",
        _TABLE,
    ),
    mistake(
        0,
        "a mail about an empty group is followed by one about what it holds",
        FACTS_PY,
        "for cause, number in held.items() if cause != HoldCause.EMPTY_GROUP}",
        "for cause, number in held.items()}",
        (f"{_NOTIFY}::TestEvents",),
    ),
    mistake(
        0,
        "a mail says resolved to who never heard of trouble",
        LETTERS_PY,
        "        if letter is not LetterKind.ENDED or recipient.address in told[rows[key].pk]\n",
        "",
        (f"{_NOTIFY}::TestWhom",),
    ),
    mistake(
        0,
        "a mail that waits is sent beside the newer one",
        LETTERS_PY,
        "    Letter.objects.filter(event__in=over, claimed_at=None, sent_at=None, refused_at=None).delete()\n",
        "",
        (f"{_NOTIFY}::TestAMailServerThatFails",),
    ),
    mistake(
        0,
        "a mail that was taken and never noted is sent again",
        SENDING_PY,
        "WAITING = Q(claimed_at=None, sent_at=None, refused_at=None)\n",
        "WAITING = Q(sent_at=None, refused_at=None)\n",
        (f"{_NOTIFY}::test_a_sender_killed_between_sending_and_noting_leaves_a_mail_in_doubt_and_no_second_one",),
    ),
    mistake(
        0,
        "a mail that somebody else took meanwhile is sent once more",
        SENDING_PY,
        "    taken = [row for row in bundle if row.pk in mine]\n",
        "    taken = bundle\n",
        (f"{_NOTIFY}::TestPace",),
    ),
    mistake(
        0,
        "a mail is put together across tenants",
        SENDING_PY,
        "        tenant = company.partner_id if row.staff_id is not None else -company.pk\n",
        "        tenant = 0\n",
        (f"{_NOTIFY}::TestWhom",),
    ),
    mistake(
        0,
        "a mail leaves to who may not have it any more",
        SENDING_PY,
        "        (staying if (row.address, row.staff) in may else gone).append(row)\n",
        "        staying.append(row)\n",
        (f"{_NOTIFY}::TestWhom",),
    ),
    mistake(
        0,
        "a mail server that cannot be reached is asked every minute",
        SENDING_PY,
        "        _put_off(rows, now)\n        logger.warning(",
        "        logger.warning(",
        (f"{_NOTIFY}::TestAMailServerThatFails",),
    ),
    mistake(
        0,
        "a mail about a partner's staff is shown to the company",
        "connectors/views/mails.py",
        "    return rows.filter(staff=None) if place.portal is USER else rows\n",
        "    return rows\n",
        (_MAILS,),
    ),
    mistake(
        0,
        "a mail goes to no administrator who has not chosen",
        SUBSCRIPTIONS_PY,
        "            wishes[membership.pk] = Wish(frozenset(EVERYTHING if administrator else ()))\n",
        "            wishes[membership.pk] = Wish(frozenset())\n",
        (_SUBSCRIPTIONS,),
    ),
    mistake(
        0,
        "a company's licences go below use without a word",
        "tenants/views/settings.py",
        "            below = _below(form, used, ",
        "            below = 0 * _below(form, used, ",
        ("tests/tenants/test_settings.py",),
    ),
)
