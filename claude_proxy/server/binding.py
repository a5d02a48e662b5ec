"""Listening sockets: TCP, on loopback unless a key is required, and a unix socket for this user alone."""

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from claude_proxy.config import Config, is_loopback
from claude_proxy.errors import ConfigError, ServiceError
from claude_proxy.files import make_directory

BACKLOG = 1024
PORTS_TRIED = 5


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for `host`: one for an address, one per family for `localhost`. Port 0 is a free one."""
    for tries_left in reversed(range(PORTS_TRIED if port == 0 else 1)):
        made: list[socket.socket] = []
        try:
            return _bound_all(host, port, made)
        except OSError as exc:
            for each in made:
                each.close()
            # A port that is free in one family may be in use in the other: then another one is tried.
            if not tries_left or exc.errno != errno.EADDRINUSE:
                raise _cannot_bind(exc, host, port) from exc
    raise AssertionError


def _bound_all(host: str, port: int, made: list[socket.socket]) -> list[socket.socket]:
    families = [(socket.AF_INET6 if ":" in host else socket.AF_INET, host.strip("[]"))]
    if host.lower() == "localhost":
        families = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    for family, address in families:
        try:
            made.append(_bound(family, address, made[0].getsockname()[1] if made else port))
        except OSError as exc:
            if not made or exc.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # a machine without IPv6
                raise
    return made


def _bound(family: int, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Allows a port with connections of an earlier run; one that another program listens on is still refused.
        if sys.platform != "win32":  # where it would not
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _cannot_bind(exc: OSError, host: str, port: int) -> ServiceError:
    match exc.errno:
        case errno.EADDRINUSE:
            return ServiceError(
                f"port {port} on {host} is already in use",
                hint="stop the program that uses it, or choose another one with `--port`",
            )
        case errno.EACCES:
            return ServiceError(f"port {port} may not be used by this user", hint="choose one above 1023")
        case _:
            return ServiceError(f"cannot listen on {host} port {port}: {exc.strerror}")


def check_reachable(listening: Iterable[socket.socket], config: Config) -> None:
    """Raise ConfigError for a socket that others can reach while no key is required.

    A service manager may hand over a socket on every address, not only on `config.host`.
    """
    if config.api_key_file:
        return
    for each in filter(is_tcp, listening):
        literal = each.getsockname()[0]
        if not is_loopback(literal):
            raise ConfigError(
                f"the listening socket is on {literal}, which other machines can reach",
                hint="listen on 127.0.0.1 (`ListenStream=127.0.0.1:8000`), or require a key with `api_key_file`",
            )


@contextlib.contextmanager
def bind_unix(file: str) -> Iterator[socket.socket]:
    """A listening unix socket that only this user can reach; its file is gone afterwards.

    A stale socket of ours is replaced. Raises ServiceError when a program listens on it, and ConfigError when the
    path cannot be used.
    """
    path = Path(file).expanduser()
    try:
        make_directory(path.parent)
        about = path.parent.stat()
        if about.st_uid != os.getuid() or about.st_mode & 0o022:
            raise ConfigError(f"others can change {path.parent}, so a socket there could be replaced")
        _remove_stale(path)
        made = _bound_unix(path)
    except OSError as exc:
        raise ConfigError(f"unix_socket {path} cannot be used: {exc.strerror or exc}") from exc
    try:
        yield made
    finally:
        made.close()
        path.unlink(missing_ok=True)


def _bound_unix(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    return made


def _remove_stale(path: Path) -> None:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(about.st_mode) or about.st_uid != os.getuid():
        raise ConfigError(f"{path} exists already, and is not a socket of claude-proxy")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ServiceError(f"another program listens on {path} already")


def is_tcp(bound: socket.socket) -> bool:
    """Whether `bound` has a port: it is not a unix socket."""
    return bound.family in (socket.AF_INET, socket.AF_INET6)


def address(bound: socket.socket, host: str) -> str:
    """The address to print for a socket that was bound for `host`."""
    if not is_tcp(bound):
        return f"unix:{bound.getsockname()}"
    literal, port = bound.getsockname()[:2]
    if host.lower() == "localhost" and is_loopback(literal):
        return f"http://localhost:{port}"
    name = f"[{literal}]" if ":" in literal else literal
    return f"http://{name}:{port}"
