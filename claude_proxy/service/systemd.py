"""A systemd user service with its socket: the unit files, and the commands that install, start and stop it.

The socket listens from login on, and the first request starts the service. The service reports readiness
(sd_notify), answers the watchdog, is restarted after a crash, and logs to the journal.
"""

import contextlib
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from claude_proxy.service.background import STOP_MARGIN
from claude_proxy.service.supervisor import ServiceSpec, Supervisor

SERVICE = "claude-proxy.service"
SOCKET = "claude-proxy.socket"

_SERVICE = """\
[Unit]
Description=claude-proxy, an OpenAI-compatible API for Claude
Requires=claude-proxy.socket
After=claude-proxy.socket
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# The shell's built-in `kill`: small systems lack the program.
ExecReload=/bin/sh -c 'kill -HUP "$MAINPID"'
{environment}Restart=on-failure
RestartSec=1
# Exit code 2 is a wrong setting: a restart would not help.
RestartPreventExitStatus=2
WatchdogSec=30
TimeoutStartSec=60
# Open answers may finish first.
TimeoutStopSec={stop}
# A process that the watchdog found hanging finishes no answers.
TimeoutAbortSec=5
KillMode=mixed

UMask=0077
LimitCORE=0
LimitNOFILE=65536
TasksMax=256
# Follows the setting max_body_total. If another process of this service is killed for it, the daemon goes on.
MemoryMax={memory}
OOMPolicy=continue
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# Netlink tells which user a connection belongs to.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# PrivateDevices, ProtectClock, ProtectKernel*, CapabilityBoundingSet, and PrivateUsers where user namespaces are
# restricted are not used: they need a privileged manager, and a user's service would not start.
ProtectControlGroups=yes
ProtectHostname=yes
ProtectProc=invisible
# The home stays writable, because the Claude CLI renews its login there. MemoryDenyWriteExecute is not used, because
# the CLI's JavaScript engine needs writable and executable memory.
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


def render_service(command: str, *, drain: float, environ: Mapping[str, str], memory: int | None) -> str:
    """The service's unit. `command` is in the unit file's own syntax, see `command_line`."""
    places = [environ.get(name, "") for name in ("CLAUDE_CONFIG_DIR", "XDG_STATE_HOME")]
    return _SERVICE.format(
        command=command,
        environment="".join(f"Environment={_quote(f'{name}={text}')}\n" for name, text in environ.items()),
        stop=math.ceil(drain + STOP_MARGIN),
        memory="infinity" if memory is None else f"{memory // 1024**2}M",
        # A relative path would make the unit invalid, and the daemon ignores it.
        writable=" ".join(["%h", "-%t", "-%T", "-%V", *(_quote(f"-{path}") for path in places if path[:1] == "/")]),
    )


def render_socket(addresses: Sequence[str]) -> str:
    """The socket's unit."""
    return _SOCKET.format(listen="\n".join(f"ListenStream={address.replace('%', '%%')}" for address in addresses))


def command_line(command: Sequence[str]) -> str:
    """`command` as ExecStart has it: quoted, and with nothing that systemd would expand.

    The prefix `:` switches variables off for the whole line. `$$` would do so for arguments only: the path of the
    program is taken as it is. Versions before 244 do not know the prefix, so it is used only where it is needed.
    A path with a quote or a backslash is refused as a program, but not as an argument of a shell.
    """
    if any(sign in command[0] for sign in "'\"\\"):
        command = ["/bin/sh", "-c", 'exec "$0" "$@"', *command]
    line = " ".join(_quote(part) for part in command)
    return f":{line}" if "$" in line else line


def _quote(text: str) -> str:
    """`text` as one word (systemd.syntax(7)), with specifiers such as %h turned off (systemd.unit(5))."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if any(sign in text for sign in " '\"\\;") else text


class Systemd(Supervisor):
    """The systemd instance of this user."""

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
            return "systemd is not installed"
        done = self.try_to_run("systemctl", "--user", "show", "--property=Version")
        return None if done.returncode == 0 else f"systemd does not run for this user: {done.stderr.strip()}"

    def files(self, spec: ServiceSpec) -> dict[Path, str]:
        service = render_service(command_line(spec.command), drain=spec.drain, environ=spec.environ, memory=spec.memory)
        return {self.directory / SERVICE: service, self.directory / SOCKET: render_socket(spec.addresses)}

    def is_installed(self) -> bool:
        return (self.directory / SERVICE).is_file()

    def is_waiting(self) -> bool:
        return self.try_to_run("systemctl", "--user", "is-active", "--quiet", SOCKET).returncode == 0

    def install(self, spec: ServiceSpec) -> None:
        self.write(spec)
        self.run("systemctl", "--user", "daemon-reload")
        self.run("systemctl", "--user", "enable", SOCKET)

    def uninstall(self) -> None:
        self.stop()
        self.run("systemctl", "--user", "disable", SOCKET)
        for name in (SERVICE, SOCKET):
            with contextlib.suppress(FileNotFoundError):
                (self.directory / name).unlink()
        self.run("systemctl", "--user", "daemon-reload")
        self.try_to_run("systemctl", "--user", "reset-failed", SERVICE, SOCKET)

    def start(self) -> None:
        """Start the service; returns once it has reported that it is ready."""
        self.try_to_run("systemctl", "--user", "reset-failed", SERVICE, SOCKET)
        self.run("systemctl", "--user", "start", SOCKET, SERVICE)

    def stop(self) -> None:
        self.run("systemctl", "--user", "stop", SOCKET, SERVICE)

    def logs_command(self, lines: int, *, follow: bool) -> list[str]:
        return ["journalctl", "--user", "--unit", SERVICE, "--lines", str(lines), *(["--follow"] if follow else [])]
