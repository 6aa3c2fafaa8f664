"""The page of one's own sessions, on which a browser is called what its owner calls it."""

from __future__ import annotations

from typing import Any

from allauth.usersessions.views import ListUserSessionsView

_BROWSERS = (
    # The order decides: nearly every browser also names those that it wants to be taken for.
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def called(user_agent: str) -> str:
    """Return what a person calls a browser and its machine, by what it says of itself."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if not browser and not system:
        return user_agent[:60] or "A browser that does not say what it is"
    return f"{browser or 'A browser'} on {system}" if system else browser


class Sessions(ListUserSessionsView):  # type: ignore[misc]
    """Show where somebody is signed in, the present session first, and end all others."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        rows = sorted(found["sessions"], key=lambda row: (not row.is_current(), -row.created_at.timestamp()))
        return found | {"sessions": [(row, called(row.user_agent)) for row in rows]}


list_sessions = Sessions.as_view()
