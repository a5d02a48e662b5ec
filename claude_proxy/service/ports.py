"""Whether a port is free, and who has it."""

import errno
import os
import socket
import sys

from claude_proxy.errors import ServiceError


def check_free(host: str, port: int) -> None:
    """Raise ServiceError, naming the owner where it can be known, when `port` cannot be listened on."""
    if port == 0:
        return
    missing: OSError | None = None
    some = False
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, protocol) as probe:
                if sys.platform != "win32":  # there it means that two programs may share the port
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
                some = True
        except OSError as exc:
            if exc.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise cannot_listen(host, port, exc) from exc
            missing = exc  # `localhost` on a machine without IPv6
    if missing is not None and not some:
        raise cannot_listen(host, port, missing) from missing


def cannot_listen(host: str, port: int, exc: OSError) -> ServiceError:
    """The error for a port that cannot be listened on, with what to do about it."""
    if exc.errno == errno.EADDRINUSE:
        owner = owner_of(port)
        return ServiceError(
            f"port {port} is taken" + (f" by {owner}" if owner else " by another program"),
            hint="end that program, or choose another port: `--port 8001`, or `--port 0` for any free one",
        )
    if exc.errno == errno.EACCES:
        return ServiceError(f"port {port} is not for ordinary users", hint="choose one above 1023: `--port 8000`")
    return ServiceError(f"cannot listen on {host}:{port}: {os.strerror(exc.errno or 0)}")


def owner_of(port: int) -> str | None:
    """The program that listens on `port`, as `name (pid N)`; None where the system does not tell."""
    import psutil  # noqa: PLC0415 - needed only once something is wrong

    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                return f"{psutil.Process(one.pid).name()} (pid {one.pid})"
    except psutil.Error:
        pass
    return None
