"""What systemd and launchd have in common: a service that is installed for this user, and runs without us."""

import contextlib
import os
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from claude_proxy.config import Config
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service.background import serve_command

# A service manager starts with an environment of its own. These say where things are, not what they hold: without
# them the service would look for another store, another settings file, or for no `claude` to renew a login.
KEPT_VARIABLES = ("PATH", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")
_TIMEOUT = 600.0  # a stop lets open answers finish first


@dataclass(frozen=True)
class Order:
    """What a service is to run, and how. `drain` is how many seconds it may take to end."""

    command: tuple[str, ...]
    addresses: tuple[str, ...]
    drain: float
    log_file: Path
    environ: Mapping[str, str] = field(default_factory=dict)


def order(config: Config, paths: Paths, environ: Mapping[str, str]) -> Order:
    """What is to be installed for these settings, which the service will read again from their file."""
    hosts = [config.host.strip("[]")]
    if config.host.lower() == "localhost":
        hosts = ["127.0.0.1", "::1"] if _speaks_ipv6() else ["127.0.0.1"]
    return Order(
        command=tuple(serve_command()),
        addresses=tuple(f"[{host}]:{config.port}" if ":" in host else f"{host}:{config.port}" for host in hosts),
        drain=config.drain_timeout,
        log_file=paths.log_file,
        environ={name: environ[name] for name in KEPT_VARIABLES if environ.get(name)},
    )


def _speaks_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback address: a socket unit with an address it lacks does not start."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


class Supervisor(ABC):
    """A service manager of this user. Every method that acts raises ServiceError with the manager's own words."""

    name: Literal["systemd", "launchd"]

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    @abstractmethod
    def missing(self) -> str | None:
        """Why this manager cannot be used here; None if it can."""

    @abstractmethod
    def files(self, order: Order) -> dict[Path, str]:
        """What `install` writes, by place."""

    @abstractmethod
    def is_installed(self) -> bool: ...

    @abstractmethod
    def is_waiting(self) -> bool:
        """Whether a request would start the service."""

    @abstractmethod
    def install(self, order: Order) -> None:
        """Write the files, and have the manager take them up."""

    @abstractmethod
    def uninstall(self) -> None:
        """Stop the service and remove what `install` wrote."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def logs_command(self, lines: int, *, follow: bool) -> list[str] | None:
        """The program that shows the log; None if the log is our own file."""

    def is_current(self, order: Order) -> bool:
        """Whether the files are those that `order` asks for."""
        return all(_text_of(file) == text for file, text in self.files(order).items())

    def write(self, order: Order) -> None:
        for file, text in self.files(order).items():
            _write(file, text)

    def run(self, *command: str) -> str:
        """Run one of the manager's programs; returns what it wrote. Raises ServiceError when it fails."""
        done = self.tried(*command)
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip() or f"it ended with exit code {done.returncode}"
            raise ServiceError(f"`{' '.join(command)}` failed: {words}", hint="`claude-proxy logs` may say more")
        return done.stdout

    def tried(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the manager's programs, whatever comes of it."""
        try:
            return subprocess.run(  # noqa: S603 - the manager's own programs, with words of ours
                command, capture_output=True, text=True, env=self._environ, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            return subprocess.CompletedProcess(command, 127, "", str(exc))


def _write(file: Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, "utf-8")
        fresh.replace(file)
    except OSError as exc:
        raise ServiceError(f"cannot write {file}: {exc.strerror}") from exc


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
