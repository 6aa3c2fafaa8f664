"""The pages that people see at the emulated login: plain HTML, no script, and a policy that allows none."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from urllib.parse import urlsplit

from tests.entra_emulator.wire import Answer

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 34rem; padding: 0 1rem; }
:root { color-scheme: light dark; }
h1 { font-size: 1.375rem; } h2 { font-size: 1.125rem; }
label { display: block; font-weight: 600; margin-block: 1rem 0.25rem; }
select, input { box-sizing: border-box; font: inherit; padding: 0.375rem; width: 100%; }
button { font: inherit; margin: 1.25rem 0.5rem 0 0; padding: 0.5rem 1rem; }
small { display: block; opacity: 0.85; }
[role="alert"] { border-inline-start: 0.25rem solid; padding-inline-start: 0.75rem; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def page(title: str, body: str, *, status: int = 200, redirect_uri: str = "") -> Answer:
    """Make one page; browsers hold the redirect after its form to ``redirect_uri``'s origin."""
    parts = urlsplit(redirect_uri)
    target = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}"
        "<p><small>This is an emulated Microsoft on this machine. No real password is asked for.</small></p>"
        "</main></body></html>"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; "
        f"base-uri 'none'; frame-ancestors 'none'; form-action 'self'{target}",
    }
    return Answer(status, html.encode(), headers)


def sign_in_page(
    application: str, people: Iterable[tuple[str, list[tuple[str, str]]]], *, problem: str, redirect_uri: str
) -> Answer:
    """Make the page that asks who signs in; ``people`` are (tenant, [(object id, what is shown)])."""
    options = "".join(
        f'<optgroup label="{escape(tenant)}">'
        + "".join(f'<option value="{escape(id)}">{escape(shown)}</option>' for id, shown in found)
        + "</optgroup>"
        for tenant, found in people
    )
    body = (
        f"<p>to go on to <strong>{escape(application)}</strong></p>{_alert(problem)}"
        '<form method="post"><label for="person">Person</label>'
        f'<select id="person" name="person"><option value="">Choose, or type below</option>{options}</select>'
        '<label for="name">Or sign-in name</label>'
        '<input id="name" name="name" autocomplete="off" placeholder="someone@company.example">'
        '<button name="step" value="sign_in">Sign in</button>'
        '<button name="step" value="cancel" formnovalidate>Cancel</button></form>'
    )
    return page("Sign in", body, redirect_uri=redirect_uri)


def consent_page(
    application: str, person: tuple[str, str], asked: Iterable[str], *, for_all: str, redirect_uri: str
) -> Answer:
    """Make the page that asks for consent; ``for_all`` names the organisation an administrator consents for."""
    id, shown = person
    listed = "".join(f"<li>{escape(name)}</li>" for name in asked)
    whom = f"on behalf of everybody in <strong>{escape(for_all)}</strong>" if for_all else "on your behalf"
    body = (
        f"<p>{escape(shown)}</p><p><strong>{escape(application)}</strong> asks, {whom}, for:</p><ul>{listed}</ul>"
        f'<form method="post"><input type="hidden" name="person" value="{escape(id)}">'
        '<button name="step" value="accept">Accept</button><button name="step" value="decline">Cancel</button></form>'
    )
    return page("Permissions requested", body, redirect_uri=redirect_uri)


def need_admin_page(application: str, person: tuple[str, str], *, redirect_uri: str) -> Answer:
    """Make the page an ordinary person gets where only an administrator can consent (AADSTS90094)."""
    id, shown = person
    body = (
        f"<p>{escape(shown)}</p><p role='alert'>{escape(application)} needs permission to access resources in your "
        "organisation that only an administrator can grant. Ask an administrator to grant it (AADSTS90094).</p>"
        f'<form method="post"><input type="hidden" name="person" value="{escape(id)}">'
        '<button name="step" value="return">Return to the application without granting consent</button></form>'
    )
    return page("Need admin approval", body, redirect_uri=redirect_uri)


def error_page(code: int, text: str) -> Answer:
    """Make the page that keeps a browser at Microsoft: nothing is sent back to the application."""
    body = f'<p role="alert">AADSTS{code}: {escape(text)}</p>'
    return page("Sorry, but we’re having trouble signing you in.", body, status=400)


def _alert(problem: str) -> str:
    return f'<p role="alert">{escape(problem)}</p>' if problem else ""
