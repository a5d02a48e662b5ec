"""A systemd user service with its socket: what is written, and the steps around it.

The socket is there from login on, and the first request starts the service. The service speaks the readiness
protocol, feeds the watchdog, is started again after a crash, and logs into the journal.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from claude_proxy.service.background import STOP_MARGIN
from claude_proxy.service.supervisor import Order, Supervisor

SERVICE = "claude-proxy.service"
SOCKET = "claude-proxy.socket"

_SERVICE = """\
[Unit]
Description=claude-proxy, an OpenAI-compatible door to Claude
Requires=claude-proxy.socket
After=claude-proxy.socket
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# By the shell's own `kill`: the program of that name is absent from small systems.
ExecReload=/bin/sh -c 'kill -HUP "$MAINPID"'
{environment}Restart=on-failure
RestartSec=1
# A wrong setting does not mend itself.
RestartPreventExitStatus=2
WatchdogSec=30
TimeoutStartSec=60
# Open answers may finish first.
TimeoutStopSec={stop:g}
# What the watchdog found hanging has no answers to finish.
TimeoutAbortSec=5
KillMode=mixed

UMask=0077
LimitCORE=0
LimitNOFILE=65536
TasksMax=256
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# Netlink is asked who has connected.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# What needs privileges of the manager (PrivateDevices, ProtectClock, ProtectKernel*, CapabilityBoundingSet, and
# PrivateUsers where user namespaces are restricted) would keep a user's service from starting: it is absent.
ProtectControlGroups=yes
ProtectHostname=yes
ProtectProc=invisible
# The home stays writable: the Claude CLI renews its login there when it is asked to. Its JavaScript engine is why
# MemoryDenyWriteExecute is absent.
ProtectSystem=strict
ReadWritePaths={writable}

[Install]
Also=claude-proxy.socket
"""

_SOCKET = """\
[Unit]
Description=The port of claude-proxy

[Socket]
{listen}

[Install]
WantedBy=sockets.target
"""


def render_service(command: str, *, drain: float, environ: Mapping[str, str]) -> str:
    """The service's unit. `command` is in the unit file's own syntax, see `command_line`."""
    places = [environ[name] for name in ("CLAUDE_CONFIG_DIR", "XDG_STATE_HOME") if name in environ]
    return _SERVICE.format(
        command=command,
        environment="".join(f"Environment={_word(f'{name}={text}')}\n" for name, text in environ.items()),
        stop=drain + STOP_MARGIN,
        writable=" ".join(["%h", "-%t", "-%T", "-%V", *(_word(f"-{place}") for place in places)]),
    )


def render_socket(addresses: Sequence[str]) -> str:
    return _SOCKET.format(listen="\n".join(f"ListenStream={address}" for address in addresses))


def command_line(command: Sequence[str]) -> str:
    """`command` as the unit file has it: quoted, and with nothing in it that systemd would expand."""
    return " ".join(_word(part.replace("$", "$$")) for part in command)


def _word(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if any(sign in text for sign in " '\"\\;") else text


class Systemd(Supervisor):
    """The user's own systemd."""

    name = "systemd"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        session = Path(f"/run/user/{os.getuid()}")
        if not environ.get("XDG_RUNTIME_DIR") and session.is_dir():  # after `su`, or from cron
            self._environ["XDG_RUNTIME_DIR"] = str(session)
        config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".config")
        self.directory = Path(config) / "systemd" / "user"

    def missing(self) -> str | None:
        if shutil.which("systemctl", path=self._environ.get("PATH")) is None:
            return "systemd is not here"
        done = self.tried("systemctl", "--user", "show", "--property=Version")
        return None if done.returncode == 0 else f"systemd does not run for this user: {done.stderr.strip()}"

    def files(self, order: Order) -> dict[Path, str]:
        service = render_service(command_line(order.command), drain=order.drain, environ=order.environ)
        return {self.directory / SERVICE: service, self.directory / SOCKET: render_socket(order.addresses)}

    def is_installed(self) -> bool:
        return (self.directory / SERVICE).is_file()

    def is_waiting(self) -> bool:
        return self.tried("systemctl", "--user", "is-active", "--quiet", SOCKET).returncode == 0

    def install(self, order: Order) -> None:
        self.write(order)
        self.run("systemctl", "--user", "daemon-reload")
        self.run("systemctl", "--user", "enable", SOCKET)

    def uninstall(self) -> None:
        self.stop()
        self.run("systemctl", "--user", "disable", SOCKET)
        for name in (SERVICE, SOCKET):
            with contextlib.suppress(FileNotFoundError):
                (self.directory / name).unlink()
        self.run("systemctl", "--user", "daemon-reload")
        self.tried("systemctl", "--user", "reset-failed", SERVICE, SOCKET)

    def start(self) -> None:
        """Returns when the service has said that it is ready."""
        self.tried("systemctl", "--user", "reset-failed", SERVICE, SOCKET)
        self.run("systemctl", "--user", "start", SOCKET, SERVICE)

    def stop(self) -> None:
        self.run("systemctl", "--user", "stop", SOCKET, SERVICE)

    def logs_command(self, lines: int, *, follow: bool) -> list[str]:
        return ["journalctl", "--user", "--unit", SERVICE, "--lines", str(lines), *(["--follow"] if follow else [])]
