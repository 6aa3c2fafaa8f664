"""Mistakes in deciding about held changes: more is done than was shown, by more than may, or without asking again."""

from __future__ import annotations

from tests.mistakes.row import Mistake, mistake

DECIDING = "connectors/views/deciding.py"
WAITING = "connectors/views/waiting.py"
HELD = "tests/connectors/test_held_pages.py::"
AGAIN = "tests/tenants/test_again.py::"

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "a list that has changed is decided about as if it had been shown",
        DECIDING,
        '    if request.POST.get("seen") != holds_digest(found):\n',
        "    if False:\n",
        (f"{HELD}test_a_stale_page_decides_nothing_and_shows_the_difference",),
    ),
    mistake(
        0,
        "a page that is not the one that was shown passes for it",
        DECIDING,
        'return then if same == request.POST.get("seen") else None',
        "return then",
        (f"{HELD}test_a_page_that_cannot_be_put_together_again_is_refused_without_a_difference",),
    ),
    mistake(
        0,
        "who was decided about before counts as gone since",
        DECIDING,
        '        .exclude(change__in=approved.values("change"))\n',
        "",
        (f"{HELD}test_who_was_decided_about_before_the_page_is_no_difference",),
    ),
    mistake(
        0,
        "those ticked stand for everybody",
        WAITING,
        "return lines if self.ticked is None else lines.filter(object_id__in=self.ticked)",
        "return lines",
        (f"{HELD}test_those_ticked_are_approved_and_no_others",),
    ),
    mistake(
        0,
        "a word narrows the list, and not the decision",
        WAITING,
        "        if self.word:\n            lines =",
        "        if False:\n            lines =",
        (f"{HELD}test_all_that_fit_a_word_are_approved_and_no_others",),
    ),
    mistake(
        0,
        "a declined restoration happens",
        "connectors/plan/joining.py",
        "        elif cell.kind is ChangeKind.RESTORE and marks.declined(one.object_id):\n",
        "        elif False:\n",
        ("tests/connectors/test_decisions.py",),
    ),
    mistake(
        0,
        "an answer is taken for whatever account is in the way by now",
        DECIDING,
        ' or request.POST.get("account") != str(account_id)',
        "",
        (f"{HELD}test_an_answer_to_another_question_decides_nothing",),
    ),
    mistake(
        0,
        "a decision is taken without asking who it is",
        DECIDING,
        "@asks_again\ndef _decide(",
        "def _decide(",
        (f"{HELD}test_who_decides_says_first_who_they_are",),
    ),
    mistake(
        0,
        "a form sent late is carried out",
        "tenants/signin/again.py",
        "        if recently_confirmed(request, FORM_SECONDS if sent else None):\n",
        "        if sent or recently_confirmed(request):\n",
        (f"{AGAIN}test_who_has_not_confirmed_lately_is_asked_and_led_back",),
    ),
    mistake(
        0,
        "a spreadsheet executes what a stranger wrote",
        "tenants/sheets.py",
        """return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text""",
        "return text",
        ("tests/tenants/test_sheets.py",),
    ),
    mistake(
        0,
        "the run does not say who approved",
        "connectors/sync/record.py",
        "        if change.approved:\n",
        "        if False:\n",
        ("tests/connectors/test_decisions.py::test_a_run_says_who_approved_each_change",),
    ),
)
