"""Asking the daemon over its own port."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from claude_proxy import __version__


def get_json(url: str, path: str, timeout: float = 5.0) -> dict[str, Any] | None:
    """What `GET path` answers at the daemon's address, whatever its status; None when it is no JSON object, or silent.

    The connection is direct: proxies of the environment are for the world outside.
    """
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close", "User-Agent": f"claude-proxy/{__version__}"})
        data = json.loads(connection.getresponse().read(1024 * 1024))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return data if isinstance(data, dict) else None
