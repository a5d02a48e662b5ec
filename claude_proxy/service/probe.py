"""Requests of our own commands to the daemon, over its own port."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from claude_proxy import __version__
from claude_proxy.errors import ServiceError
from claude_proxy.service.record import Record

if TYPE_CHECKING:
    from http.client import HTTPConnection

USER_AGENT = f"claude-proxy/{__version__}"
# The daemon accepts this name on every address.
HEADERS = {"Host": "localhost", "User-Agent": USER_AGENT}
MAX_BODY = 16 * 1024 * 1024
PROOF_TIMEOUT = 5.0  # a healthy daemon answers /health within milliseconds


def connect(record: Record, timeout: float) -> "HTTPConnection":
    """A connection to the daemon, and to no other program that listens on its port by now.

    The daemon proves itself by the instance id from its pidfile before anything else is sent: a key or a prompt must
    not reach a program that took the port when the daemon left it. The connection is direct, proxies of the
    environment are for other machines. Raises ServiceError.
    """
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - costs a fifth of a command's start

    if record.url is None:
        raise _silent(record, "it does not listen, because it is starting or stopping")
    address = urlsplit(record.url)
    connection = HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=min(timeout, PROOF_TIMEOUT))
    try:
        connection.request("GET", "/health", headers=HEADERS)
        health = _object(connection.getresponse().read(MAX_BODY))
    except (OSError, HTTPException) as exc:
        connection.close()
        raise _silent(record, str(exc) or type(exc).__name__) from exc
    if health is None or health.get("instance") != record.instance:
        connection.close()
        raise _silent(record, f"another program answers at {record.url}")
    connection.auto_open = 0  # a second connection would not be verified
    if connection.sock is not None:
        connection.sock.settimeout(timeout)
    return connection


def is_itself(record: Record, timeout: float = 2.0) -> bool:
    """Whether the daemon answers at its address, and not another program."""
    try:
        connect(record, timeout).close()
    except ServiceError:
        return False
    return True


def get_json(
    record: Record, path: str, timeout: float = 5.0, headers: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """What the daemon answers to `GET path`, with the key it demands; None when that is not a JSON object.

    Its status does not matter. Raises ServiceError when the daemon does not answer, or its key cannot be read.
    """
    from http.client import HTTPException  # noqa: PLC0415

    key = key_headers(record.key_file)
    connection = connect(record, timeout)
    try:
        connection.request("GET", path, headers={**HEADERS, **key, **(headers or {})})
        return _object(connection.getresponse().read(MAX_BODY))
    except (OSError, HTTPException) as exc:
        raise _silent(record, str(exc) or type(exc).__name__) from exc
    finally:
        connection.close()


def key_headers(key_file: str | None) -> dict[str, str]:
    """The headers for a daemon that demands the key in `key_file`; none where it demands none."""
    if key_file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {Path(key_file).read_text('utf-8').strip()}"}
    except (OSError, UnicodeDecodeError) as exc:
        raise ServiceError(f"cannot read the daemon's key in {key_file}", hint=str(exc)) from exc


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _silent(record: Record, reason: str) -> ServiceError:
    return ServiceError(
        f"the daemon (pid {record.pid}) does not answer: {reason}",
        hint="`claude-proxy logs` may say why, `claude-proxy restart` restarts it",
    )
