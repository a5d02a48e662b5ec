"""A launchd agent: what is written, and the steps around it.

It starts at login and again after a crash, and logs into our own file: launchd has no log to keep. It has no
socket of its own, because a socket of launchd's is handed over by a C function that Python does not have.
"""

import contextlib
import os
import plistlib
from collections.abc import Mapping
from pathlib import Path

from claude_proxy.service.background import STOP_MARGIN
from claude_proxy.service.supervisor import Order, Supervisor

LABEL = "local.claude-proxy"


def render(order: Order) -> str:
    """The agent's property list."""
    agent = {
        "Label": LABEL,
        "ProgramArguments": [*order.command, "--background"],
        "EnvironmentVariables": dict(order.environ),
        "RunAtLoad": True,
        # An end that was asked for is an end; a crash is not.
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ExitTimeOut": int(order.drain + STOP_MARGIN),
        "ProcessType": "Interactive",  # else its streams are slowed down while a person waits for them
        "Umask": 0o077,
        "HardResourceLimits": {"Core": 0},
        "SoftResourceLimits": {"Core": 0, "NumberOfFiles": 65536},
        # What the interpreter says before the daemon logs, and if it dies.
        "StandardOutPath": str(order.log_file),
        "StandardErrorPath": str(order.log_file),
    }
    return plistlib.dumps(agent, sort_keys=False).decode()


class Launchd(Supervisor):
    """The user's own launchd, on macOS."""

    name = "launchd"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.file = Path(environ.get("HOME") or Path.home()) / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._domain = f"gui/{os.getuid()}"
        self._target = f"{self._domain}/{LABEL}"

    def missing(self) -> str | None:
        done = self.tried("launchctl", "print", self._domain)
        return None if done.returncode == 0 else f"launchd does not run for this user: {done.stderr.strip()}"

    def files(self, order: Order) -> dict[Path, str]:
        return {self.file: render(order)}

    def is_installed(self) -> bool:
        return self.file.is_file()

    def is_waiting(self) -> bool:
        return False

    def install(self, order: Order) -> None:
        order.log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write(order)
        self.run("launchctl", "enable", self._target)

    def uninstall(self) -> None:
        self.stop()
        with contextlib.suppress(FileNotFoundError):
            self.file.unlink()

    def start(self) -> None:
        """Load the agent, which starts it."""
        if self._is_loaded():
            self.run("launchctl", "kickstart", self._target)
        else:
            self.run("launchctl", "bootstrap", self._domain, str(self.file))

    def stop(self) -> None:
        """Unload the agent: else launchd would start it again."""
        if self._is_loaded():
            self.run("launchctl", "bootout", self._target)

    def logs_command(self, lines: int, *, follow: bool) -> None:
        """The log is our own file."""

    def _is_loaded(self) -> bool:
        return self.tried("launchctl", "print", self._target).returncode == 0
