"""The four Microsoft clouds: their login hosts, their Graph hosts, and which tenants live where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cloud:
    """One national cloud.

    Source: microsoft-graph-docs ``concepts/deployments.md``. ``login_hosts`` names every host that
    answers for it, the first being the one its documents advertise.
    """

    name: str
    login_hosts: tuple[str, ...]
    graph_host: str

    @property
    def graph(self) -> str:
        """The Graph origin, which is also the resource of a scope."""
        return f"https://{self.graph_host}"

    @property
    def login(self) -> str:
        return f"https://{self.login_hosts[0]}"


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud("global", ("login.microsoftonline.com", "login.windows.net"), "graph.microsoft.com"),
        Cloud("usgov", ("login.microsoftonline.us",), "graph.microsoft.us"),
        Cloud("dod", ("login.microsoftonline.us",), "dod-graph.microsoft.us"),
        Cloud(
            "china",
            ("login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
            "microsoftgraph.chinacloudapi.cn",
        ),
    )
}

CLOUD_OF_GRAPH_HOST = {cloud.graph_host: cloud for cloud in CLOUDS.values()}
CLOUDS_OF_LOGIN_HOST: dict[str, tuple[Cloud, ...]] = {}
for _cloud in CLOUDS.values():
    for _host in _cloud.login_hosts:
        CLOUDS_OF_LOGIN_HOST[_host] = (*CLOUDS_OF_LOGIN_HOST.get(_host, ()), _cloud)

HOSTS = (*CLOUDS_OF_LOGIN_HOST, *CLOUD_OF_GRAPH_HOST)
ORIGINS = tuple(f"https://{host}" for host in HOSTS)
