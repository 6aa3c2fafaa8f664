"""The mails that a demo has sent: read from the folder it puts them into, kept where they can be looked at, pictured.

`./dev shots mails` takes a picture of one of each kind, wide and narrow, light and dark, in the folder they lie in.
"""

from __future__ import annotations

import email
import email.policy
import re
import shutil
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from pathlib import Path

from tests.demo.processes import ROOT

KEPT = ROOT / "var" / "life"
"""Where the mails of the last told story of a connector's life lie."""

_BETWEEN = re.compile(rb"^-{79}\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mail:
    """Hold one mail that was sent."""

    id: str
    to: str
    subject: str
    text: str
    html: str


def mails_in(folder: Path) -> list[Mail]:
    """Return the mails that Django's file backend has put into a folder, oldest first."""
    files = sorted(folder.glob("*.log"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    return [mail for file in files for mail in _mails_of(file, file.stat().st_size)]


@cache
def _mails_of(file: Path, size: int) -> tuple[Mail, ...]:
    """Return a file's mails; one that has grown is read again."""
    parts = _BETWEEN.split(file.read_bytes())
    # A mail that is being written has no line behind it yet.
    return tuple(_mail(part) for part in parts[:-1] if part.strip())


def _mail(raw: bytes) -> Mail:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    if not isinstance(message, EmailMessage):
        raise TypeError("The policy makes another kind of message.")
    return Mail(
        id=str(message["Message-ID"]),
        to=str(message["To"]),
        subject=str(message["Subject"]),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def keep(mails: list[Mail], folder: Path = KEPT) -> None:
    """Put mails into a folder as files that a browser opens, and a list of them; what lay there before is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    for number, mail in enumerate(mails, 1):
        name = f"{number:03d}-{re.sub('[^a-z0-9]+', '-', mail.subject.lower()).strip('-')[:60]}"
        (folder / f"{name}.html").write_text(mail.html or f"<pre>{mail.text}</pre>", encoding="utf-8")
        (folder / f"{name}.txt").write_text(f"To: {mail.to}\nSubject: {mail.subject}\n\n{mail.text}", encoding="utf-8")
        lines.append(f"{name}  {mail.to}  {mail.subject}\n")
    (folder / "mails.txt").write_text("".join(lines), encoding="utf-8")


def picture() -> int:
    """Take the pictures; return the exit code."""
    from playwright.sync_api import sync_playwright

    pages = sorted(KEPT.glob("*.html"))
    program = shutil.which("chromium")
    if not pages or program is None:
        what = "There are no mails yet: ./dev demo --once --story life" if not pages else "There is no chromium here."
        print(what, file=sys.stderr)
        return 1
    # One of a kind is enough to look at: the same mail goes to everybody who is told.
    first = {page.stem.partition("-")[2]: page for page in reversed(pages)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page()
        for page in sorted(first.values()):
            tab.goto(page.as_uri())
            for scheme in ("light", "dark"):
                for width in (1280, 390):
                    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                    tab.set_viewport_size({"width": width, "height": 900})
                    tab.screenshot(path=KEPT / f"{page.stem}-{width}-{scheme}.png", full_page=True)
            print(page.stem, flush=True)
        browser.close()
    return 0
