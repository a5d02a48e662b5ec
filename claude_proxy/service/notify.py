"""What a service manager passes to the daemon: systemd's notification socket, listening sockets, and its name.

See sd_notify(3), sd_listen_fds(3) and systemd.exec(5). Each variable is removed from the environment when it is read,
so that it is not inherited by programs that the daemon starts.
"""

import os
import socket
import stat
from collections.abc import MutableMapping

from claude_proxy.service.record import Manager

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START


class Notifier:
    """Reports the state of the service to its manager; does nothing when there is none that listens."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._watchdog = int(microseconds) / 1e6 if microseconds.isdigit() and pid in ("", str(os.getpid())) else None

    @property
    def interval(self) -> float | None:
        """Longest time between two `beat`s in seconds; None without a watchdog."""
        return self._watchdog / 3 if self._watchdog else None

    def ready(self, text: str) -> None:
        self._send("READY=1", f"STATUS={text}")

    def beat(self, text: str) -> None:
        """Reset the watchdog, and show `text` as the status."""
        self._send("WATCHDOG=1", f"STATUS={text}")

    def stopping(self, text: str) -> None:
        self._send("STOPPING=1", f"STATUS={text}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            try:
                out.connect(self._address)
                out.send("\n".join(lines).encode())
            except OSError:
                # The manager is gone; the service goes on.
                self._address = ""


def listening_sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that the manager passed to this process; none if they are for another one."""
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    sockets = []
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)):
        os.set_inheritable(descriptor, False)
        sockets.append(socket.socket(fileno=descriptor))
    return sockets


def manager(environ: MutableMapping[str, str]) -> Manager:
    """What started this process, as far as the environment tells."""
    if environ.pop("SYSTEMD_EXEC_PID", "") == str(os.getpid()):
        return "systemd"
    # launchd sets the job's label here; in a terminal the variable holds 0 or an application's name.
    if environ.get("XPC_SERVICE_NAME", "").endswith("claude-proxy"):
        return "launchd"
    return "foreground"


def logs_to_journal(environ: MutableMapping[str, str], descriptor: int = 2) -> bool:
    """Whether `descriptor` (stderr) is connected to the journal."""
    try:
        info = os.fstat(descriptor)
    except OSError:
        return False
    return stat.S_ISSOCK(info.st_mode) and environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"
