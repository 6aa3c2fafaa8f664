"""A person at a browser: pages opened, forms filled in, and everything about a page that must hold on every page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tenants.models import User
from tests.world import PASSWORD, confirm_again

WIDE, NARROW = 1280, 390
BETWEEN = (1024, 820)
"""Widths in between, of tablets and halved windows, where a page must not scroll sideways either."""
HEIGHT = 900
_PICTURED = (("light", WIDE), ("light", NARROW), ("dark", NARROW), ("dark", WIDE))
_COLOUR = {"runOnly": ["color-contrast"]}
View = tuple[str, int, dict[str, Any] | None]
"""A theme, a width, and what axe is asked there; None asks it nothing."""
# What a theme changes is colour alone, and a colour is the same in each width: last comes what only a wide page shows.
LIGHT: tuple[View, ...] = (("light", WIDE, {}), *(("light", width, None) for width in BETWEEN), ("light", NARROW, None))
DARK: tuple[View, ...] = (("dark", NARROW, {}), ("dark", WIDE, _COLOUR))
# Of a page that a tour looks at, what this visit shows is new; its colours are those of the tour.
ONCE_MORE: tuple[View, ...] = (("light", NARROW, {}),)
SECONDS = 15
"""So long something that must come may take on a loaded machine."""

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Chromium says so of every page that answers a form with what is wrong in it.
_EXPECTED = "Failed to load resource: the server responded with a status of 4"

_WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`);
});
"""
_AXE = """async ([options, known]) => {
  // Of rows that are made alike, the first ones tell as much as all of them, in a fraction of the time.
  const shapes = new Map();
  const alike = [...document.querySelectorAll("tbody > tr, .groups > li")].filter((row) => {
    const shape = [row, ...row.querySelectorAll("*")].map((it) => it.tagName + it.getAttribute("class")).join();
    shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
    return !row.hidden && shapes.get(shape) > 3;
  });
  for (const row of alike) row.hidden = true;
  // And elements of one look, from the page's root down, have one contrast: two of them tell it.
  const telling = /^(class|style|type|role|open|disabled|checked|aria-.*|data-.*)$/;
  const looks = new Map([[null, ""]]);
  const look = (it) => {
    if (!looks.has(it)) {
      const own = [...it.attributes].filter((one) => telling.test(one.name)).map((one) => `[${one.name}=${one.value}]`);
      looks.set(it, `${look(it.parentElement)}>${it.tagName}${own.join("")}`);
    }
    return looks.get(it);
  };
  const coloured = (it) => it.matches("input, select, textarea")
    || [...it.childNodes].some((one) => one.nodeType === Node.TEXT_NODE && one.data.trim());
  const seen = new Map(known.map((one) => [one, 2]));
  const marked = [...document.body.querySelectorAll("*")].filter((it) => {
    if (!it.checkVisibility() || !coloured(it)) return false;
    const found = look(it);
    seen.set(found, (seen.get(found) ?? 0) + 1);
    return seen.get(found) <= 2;
  });
  for (const it of marked) it.setAttribute("data-looked-at", "");
  axe.configure({rules: [{id: "color-contrast", selector: "[data-looked-at]"}]});
  const asked = {resultTypes: ["violations"], preload: false, ...options};
  const found = options.runOnly && !marked.length ? {violations: []} : await axe.run(document, asked);
  for (const it of marked) it.removeAttribute("data-looked-at");
  for (const row of alike) row.hidden = false;
  return [
    found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(" | ")}`),
    [...seen.keys()],
  ];
}"""
_SIDEWAYS = """() => [
  document.documentElement.scrollWidth - document.documentElement.clientWidth,
  "axe" in window,
]"""
# In a card, no cell reaches into the next, and no word of ordinary length is cut in two.
_CRAMPED = """() => [...document.querySelectorAll(".table--cards :is(td, th)")].flatMap((cell) => {
  if (!cell.checkVisibility() || cell.closest("thead")) return [];
  const found = cell.scrollWidth > cell.clientWidth + 1 ? [`${cell.innerText} runs over`] : [];
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (walker.currentNode.parentElement.closest(".sr, code")) continue;
    for (const word of walker.currentNode.data.matchAll(/(?<=^|\\s)\\p{L}{2,14}(?=$|\\s)/gu)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      if (range.getClientRects().length > 1) found.push(`${word[0]} is cut`);
    }
  }
  return found;
}).slice(0, 3)"""


def chromium() -> str | None:
    """Return where the system's Chromium is, None where there is none."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextmanager
def running() -> Iterator[Browser]:
    """Run a browser.

    Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    """
    former = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(_ARGUMENTS))
            yield browser
            browser.close()
    finally:
        if former is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = former


class Visitor:
    """Somebody with a browser of their own.

    `script` says whether its pages may run any.
    """

    def __init__(self, browser: Browser, origin: str, *, script: bool = True) -> None:
        self.origin = origin
        self.script = script
        self.complaints: list[str] = []
        self._turned = ("light", WIDE)
        self._looks: dict[str, list[str]] = {"light": [], "dark": []}
        self.context: BrowserContext = browser.new_context(
            base_url=origin,
            viewport={"width": WIDE, "height": HEIGHT},
            java_script_enabled=script,
            reduced_motion="reduce",
            color_scheme="light",
            locale="en-GB",
            timezone_id="UTC",
        )
        self.context.set_default_timeout(SECONDS * 1000)
        self.context.add_init_script(_WATCH)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def enter_as(self, user: User, *, sure: bool = False) -> None:
        """Be signed in, without the pages for it; `sure`: and have just confirmed who it is."""
        client = Client()
        client.force_login(user)
        if sure:
            confirm_again(client)
        value = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": self.origin}])

    def sign_in(self, email: str) -> None:
        """Sign in with the password that everybody has."""
        self.open(reverse("account_login"))
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")

    def open(self, path: str, *, status: int = 200) -> None:
        """Open a page of the portal, which must answer with this status."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path} answered {answer.status}"

    def press(self, label: str, *, of: str = "") -> None:
        """Press a button, that of one thing in a list where there are several, and wait for where it leads."""
        where = self.page.get_by_role("listitem").filter(has_text=of) if of else self.page.get_by_role("main")
        with self.page.expect_navigation():
            where.get_by_role("button", name=label, exact=not of).first.click()

    def follow(self, label: str) -> None:
        """Follow a link of the page, and wait for where it leads."""
        with self.page.expect_navigation():
            self.page.get_by_role("main").get_by_role("link", name=label).first.click()

    def go_to(self, name: str, role: str) -> None:
        """Come to something of the page with the Tab key alone."""
        there = self.page.get_by_role(role, name=name, exact=True).first
        there.wait_for()
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if there.evaluate("(it) => it === document.activeElement"):
                return
        raise AssertionError(f"The Tab key does not come to the {role} {name}.")

    def strike(self, key: str) -> None:
        """Press a key that leads to another page, and wait for that."""
        with self.page.expect_navigation():
            self.page.keyboard.press(key)

    def reads(self, text: str) -> None:
        """Wait until the page says something."""
        self.page.get_by_role("main").get_by_text(text).first.wait_for()

    @property
    def heading(self) -> str:
        """Return the page's one heading."""
        return self.page.get_by_role("heading", level=1).inner_text()

    def look(self, views: tuple[View, ...] = ONCE_MORE) -> None:
        """Assert what holds of every page; the tours look at each page in all its views."""
        self.page.wait_for_load_state()
        found = [problem for scheme, width, asked in views for problem in self._looked_at(scheme, width, asked)]
        self._turn("light", WIDE)
        found += self.complaints
        self.complaints.clear()
        assert found == [], "\n".join([self.page.url, *found])

    def _turn(self, scheme: Any, width: int) -> None:
        if scheme != self._turned[0]:
            self.page.emulate_media(color_scheme=scheme)
        if width != self._turned[1]:
            self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self._turned = (scheme, width)

    def _looked_at(self, scheme: Any, width: int, asked: dict[str, Any] | None) -> Iterator[str]:
        self._turn(scheme, width)
        where = f"{width} px, {scheme}"
        sideways, ready = self.page.evaluate(_SIDEWAYS)
        if sideways:
            yield f"{where}: {sideways} px sideways"
        if width == NARROW:
            for cramped in self.page.evaluate(_CRAMPED):
                yield f"{where}: {cramped}"
        if not self.script or asked is None:
            return
        if not ready:
            self.page.evaluate(AXE_SCRIPT)
        violations, self._looks[scheme] = self.page.evaluate(_AXE, [asked, self._looks[scheme]])
        for violation in violations:
            yield f"{where}: {violation}"

    def picture(self, folder: Path, name: str) -> None:
        """Take a picture of the whole page in each width and theme."""
        self.page.wait_for_load_state()
        for scheme, width in _PICTURED:
            self._turn(scheme, width)
            self.page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        self._turn("light", WIDE)

    def close(self) -> None:
        """Close the browser, whose pages say nothing more to the portal."""
        self.context.close()
