"""The scene of the long story: weeks that pass, and every mail accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connectors import schedule
from tests.demo.post import Mail, mails_in
from tests.demo.scene import Scene

WATCHERS = ("maren@harbourridge.example", "it@brightwater.example")
"""Who is told of everything: the partner's administrator, and the address that the company named."""
LINGER_MINUTES = 16
"""A little longer than what is over must have been over before it is told."""


class Life(Scene):
    """Hold one company over the weeks."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self._read: set[str] = set()

    @property
    def mails(self) -> list[Mail]:
        """Return every mail so far."""
        return mails_in(Path(self.portal.settings_file).parent / "mail")

    def days_pass(self, days: int) -> None:
        """Let whole days pass; nothing runs meanwhile, as if the portal had stood still."""
        self.let_pass(days=days)

    def told(self, *subjects: str, over: bool = False) -> None:
        """See that exactly these mails were sent since the last time, each to everybody who is told.

        A subject is named by a part of it. `over`: something has ended, which is told once it has been so for a while.
        """
        schedule.notify_people()
        if over:
            self.let_pass(minutes=LINGER_MINUTES)
            schedule.notify_people()
        wanted = {(part, address) for part in subjects for address in WATCHERS}
        self.wait(lambda: len(self._new()) >= len(wanted), f"only {self._said(self._new())} was sent")
        new = self._new()
        self._read |= {mail.id for mail in new}
        found = Counter((_part(mail, subjects), mail.to) for mail in new)
        for part, address in sorted(wanted | found.keys()):
            number = found[part, address]
            self.outcome.must(number == ((part, address) in wanted), f"{number} mails “{part}” were sent to {address}")
        self.outcome.seen["mails"] = sorted({mail.subject for mail in new})
        self.outcome.expected["mails"] = sorted(subjects)

    def _new(self) -> list[Mail]:
        return [mail for mail in self.mails if mail.id not in self._read and not _is_invitation(mail)]

    def _said(self, mails: Iterable[Mail]) -> str:
        return ", ".join(f"“{mail.subject}” to {mail.to}" for mail in mails) or "nothing"


def _is_invitation(mail: Mail) -> bool:
    return mail.subject.startswith("Your Password Boss account")


def _part(mail: Mail, subjects: Iterable[str]) -> str:
    """Return which of the parts a mail's subject has; the whole subject where it has none."""
    return next((part for part in subjects if part.lower() in mail.subject.lower()), mail.subject)
