"""Where each of Microsoft's clouds lives: its sign-in and Graph origins, which always change together."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.states import Cloud


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Hold one cloud's origins (Microsoft: Graph "National cloud deployments").

    `login` is asked; `logins` are all origins that may speak for it. `graph` is the token's resource as well.
    `instance` names are what a tenant's discovery document calls its own cloud.
    """

    login: str
    graph: str
    logins: tuple[str, ...]
    instances: tuple[str, ...]

    @property
    def scope(self) -> str:
        return f"{self.graph}/.default"


_GLOBAL = "https://login.microsoftonline.com"
_US = "https://login.microsoftonline.us"
_CHINA = "https://login.chinacloudapi.cn"
_CHINA_NEWER = "https://login.partner.microsoftonline.cn"

ENDPOINTS = {
    Cloud.GLOBAL: Endpoints(_GLOBAL, "https://graph.microsoft.com", (_GLOBAL,), ("microsoftonline.com",)),
    Cloud.US_GOVERNMENT: Endpoints(_US, "https://graph.microsoft.us", (_US,), ("microsoftonline.us",)),
    Cloud.US_DOD: Endpoints(_US, "https://dod-graph.microsoft.us", (_US,), ("microsoftonline.us",)),
    Cloud.CHINA: Endpoints(
        _CHINA,
        "https://microsoftgraph.chinacloudapi.cn",
        (_CHINA, _CHINA_NEWER),
        ("partner.microsoftonline.cn", "chinacloudapi.cn"),
    ),
}


def within(url: str, origins: tuple[str, ...]) -> bool:
    """Say whether a URL lies on one of these origins.

    The text itself is compared, up to and including the slash after the host: a parser that reads `\\` or `@`
    differently from the one that connects cannot be led astray.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    for origin in origins:
        for prefix in (f"{origin}/", f"{origin}:443/"):
            if url[: len(prefix)].lower() == prefix:
                return True
    return False


def home_of(instance: str) -> Cloud | None:
    """Return the first cloud that calls itself by this name, None where no cloud does."""
    for cloud, endpoints in ENDPOINTS.items():
        if instance.lower() in endpoints.instances:
            return cloud
    return None
