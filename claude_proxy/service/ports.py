"""Whether a port is free, and which program listens on it."""

import errno
import os
import socket
import sys

from claude_proxy.errors import ServiceError


def check_free(host: str, port: int) -> None:
    """Raise ServiceError when `port` cannot be listened on, naming the program that does where the system tells."""
    if port == 0:
        return
    unavailable: OSError | None = None
    found = False
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, protocol) as probe:
                if sys.platform != "win32":  # there it would let two programs share the port
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
                found = True
        except OSError as exc:
            if exc.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise cannot_listen(host, port, exc) from exc
            unavailable = exc  # `localhost` on a machine without IPv6
    if unavailable is not None and not found:
        raise cannot_listen(host, port, unavailable) from unavailable


def cannot_listen(host: str, port: int, exc: OSError) -> ServiceError:
    """The error for a port that cannot be listened on, with a hint."""
    if exc.errno == errno.EADDRINUSE:
        owner = owner_of(port)
        return ServiceError(
            f"port {port} is in use" + (f" by {owner}" if owner else " by another program"),
            hint="stop that program, or choose another port: `--port 8001`, or `--port 0` for any free one",
        )
    if exc.errno == errno.EACCES:
        return ServiceError(f"port {port} needs privileges", hint="choose one above 1023: `--port 8000`")
    return ServiceError(f"cannot listen on {host}:{port}: {os.strerror(exc.errno or 0)}")


def owner_of(port: int) -> str | None:
    """The program that listens on `port`, as `name (pid N)`; None where the system does not say."""
    import psutil  # noqa: PLC0415 - slow to import, and needed only for this error

    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                return f"{psutil.Process(one.pid).name()} (pid {one.pid})"
    except psutil.Error:
        pass
    return None
