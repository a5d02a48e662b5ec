"""Asking the daemon over its own port."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from claude_proxy import __version__
from claude_proxy.errors import ServiceError

if TYPE_CHECKING:
    from http.client import HTTPConnection

USER_AGENT = f"claude-proxy/{__version__}"
# By this name the daemon lets everybody in, whatever address it listens on.
HEADERS = {"Host": "localhost", "User-Agent": USER_AGENT}


def connect(url: str, timeout: float) -> "HTTPConnection":
    """A connection to the daemon at `url`; it is made with the first request."""
    from http.client import HTTPConnection  # noqa: PLC0415 - a fifth of a command's start, and most need none

    address = urlsplit(url)
    return HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=timeout)


def key_headers(key_file: str | None) -> dict[str, str]:
    """What a request must carry for a daemon that demands the key in `key_file`; nothing where it demands none."""
    if key_file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {Path(key_file).read_text('utf-8').strip()}"}
    except (OSError, UnicodeDecodeError) as exc:
        raise ServiceError(f"cannot read the daemon's key in {key_file}", hint=str(exc)) from exc


def get_json(
    url: str, path: str, timeout: float = 5.0, headers: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """What `GET path` answers at the daemon's address, whatever its status; None when it is no JSON object, or silent.

    The connection is direct: proxies of the environment are for the world outside.
    """
    connection = connect(url, timeout)
    from http.client import HTTPException  # noqa: PLC0415 - it is loaded by now

    try:
        connection.request("GET", path, headers={**HEADERS, "Connection": "close", **(headers or {})})
        data = json.loads(connection.getresponse().read(1024 * 1024))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return data if isinstance(data, dict) else None
