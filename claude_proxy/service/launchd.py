"""A launchd agent: its property list, and the commands that install, start and stop it.

It is started at login and again after a crash, and logs into our own file, because launchd keeps no log. It has no
socket, because launchd hands sockets over by a C function that Python does not offer.
"""

import contextlib
import math
import os
import plistlib
from collections.abc import Mapping
from pathlib import Path

from claude_proxy.service.background import STOP_MARGIN
from claude_proxy.service.state import make_state_directory
from claude_proxy.service.supervisor import ServiceSpec, Supervisor

LABEL = "local.claude-proxy"


def render(spec: ServiceSpec) -> str:
    """The agent's property list."""
    agent = {
        "Label": LABEL,
        "ProgramArguments": [*spec.command, "--background"],
        "EnvironmentVariables": dict(spec.environ),
        "RunAtLoad": True,
        # Restart it after a crash, not after a stop.
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ExitTimeOut": math.ceil(spec.drain + STOP_MARGIN),
        "ProcessType": "Interactive",  # other types have their CPU and I/O throttled
        "Umask": 0o077,
        "HardResourceLimits": {"Core": 0},
        "SoftResourceLimits": {"Core": 0, "NumberOfFiles": 65536},
        # For what the interpreter writes before logging is set up, and when it crashes.
        "StandardOutPath": str(spec.log_file),
        "StandardErrorPath": str(spec.log_file),
    }
    return plistlib.dumps(agent, sort_keys=False).decode()


class Launchd(Supervisor):
    """The launchd instance of this user, on macOS."""

    name = "launchd"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.file = Path(environ.get("HOME") or Path.home()) / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._domain = f"gui/{os.getuid()}"
        self._target = f"{self._domain}/{LABEL}"

    def missing(self) -> str | None:
        done = self.try_to_run("launchctl", "print", self._domain)
        return None if done.returncode == 0 else f"launchd does not run for this user: {done.stderr.strip()}"

    def files(self, spec: ServiceSpec) -> dict[Path, str]:
        return {self.file: render(spec)}

    def is_installed(self) -> bool:
        return self.file.is_file()

    def is_waiting(self) -> bool:
        return False

    def install(self, spec: ServiceSpec) -> None:
        make_state_directory(spec.log_file)
        self.write(spec)
        self.run("launchctl", "enable", self._target)

    def uninstall(self) -> None:
        self.stop()
        with contextlib.suppress(FileNotFoundError):
            self.file.unlink()

    def start(self) -> None:
        """Load the agent, which starts it; a loaded one is started again."""
        if self._is_loaded():
            self.run("launchctl", "kickstart", self._target)
        else:
            self.run("launchctl", "bootstrap", self._domain, str(self.file))

    def stop(self) -> None:
        """Unload the agent, because launchd restarts a loaded one."""
        if self._is_loaded():
            self.run("launchctl", "bootout", self._target)

    def logs_command(self, lines: int, *, follow: bool) -> None:
        """The log is our own file."""

    def _is_loaded(self) -> bool:
        return self.try_to_run("launchctl", "print", self._target).returncode == 0
