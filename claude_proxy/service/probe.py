"""Asking the daemon over its own port."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from claude_proxy import __version__

USER_AGENT = f"claude-proxy/{__version__}"


def connect(url: str, timeout: float) -> http.client.HTTPConnection:
    """A connection to the daemon at `url`; it is made with the first request."""
    address = urlsplit(url)
    return http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=timeout)


def get_json(
    url: str, path: str, timeout: float = 5.0, headers: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """What `GET path` answers at the daemon's address, whatever its status; None when it is no JSON object, or silent.

    The connection is direct: proxies of the environment are for the world outside.
    """
    connection = connect(url, timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close", "User-Agent": USER_AGENT, **(headers or {})})
        data = json.loads(connection.getresponse().read(1024 * 1024))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return data if isinstance(data, dict) else None
