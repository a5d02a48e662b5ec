"""Who may send requests, as the settings say: names of this machine, origins of web pages, the key."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from claude_proxy.config import Config
from claude_proxy.server.page_access import PageAccess

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})  # 0.0.0.0 and [::] are reachable, but name no machine
MAX_KNOWN_HOSTS = 64

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass
class Policy:
    """The settings that the guard reads. The key and the page's sessions stay what they were at the start."""

    hosts: frozenset[str]
    origins: frozenset[str]
    max_body: int
    key: bytes | None = field(default=None, repr=False)
    page: PageAccess = field(default_factory=PageAccess, repr=False)
    known_hosts: set[str] = field(default_factory=set, repr=False)  # Host headers that were allowed, as they came

    @classmethod
    def of(cls, config: Config, key: bytes | None = None) -> "Policy":
        origins = (_origin(text) for text in config.allowed_origins)
        return cls(
            hosts=LOCAL_HOSTS | {host.lower() for host in config.allowed_hosts},
            origins=frozenset(origin for origin in origins if origin is not None),
            max_body=config.max_body,
            key=key,
        )

    def renew(self, config: Config) -> None:
        """Take over the hosts and origins of `config`, for the requests to come."""
        fresh = Policy.of(config)
        self.hosts, self.origins = fresh.hosts, fresh.origins
        self.known_hosts.clear()

    def allows_host(self, host: str) -> bool:
        """Whether a Host header names this machine."""
        if host in self.known_hosts:
            return True
        found = _HOST.fullmatch(host)
        if found is None or not {found[1].lower(), host.lower()} & self.hosts:
            return False
        if len(self.known_hosts) < MAX_KNOWN_HOSTS:
            self.known_hosts.add(host)
        return True

    def allows_origin(self, origin: str) -> bool:
        return _origin(origin) in self.origins


POLICY = web.AppKey("policy", Policy)


def _origin(text: str) -> str | None:
    """`text` as scheme://host:port with the port written out; None if it is not an origin, such as `null`."""
    try:
        url = urlsplit(text)
        port = url.port or _DEFAULT_PORTS.get(url.scheme)
    except ValueError:
        return None
    if (
        not url.scheme
        or not url.hostname
        or "@" in url.netloc
        or text.lower() != f"{url.scheme}://{url.netloc}".lower()
    ):
        return None
    return f"{url.scheme}://{url.hostname}:{port}"
