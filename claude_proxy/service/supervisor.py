"""What systemd and launchd have in common: a service that is installed for this user and that they run."""

import contextlib
import socket
import subprocess
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from claude_proxy import files
from claude_proxy.config import Config
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service.background import serve_command

# A service manager has an environment of its own. These variables name places: without them the service would read
# another credential store or settings file, or would not find `claude` to renew a login.
KEPT_VARIABLES = ("PATH", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")
# What a manager's program may take: a stop waits for open answers.
_TIMEOUT = 600.0
# What the process needs besides request bodies: itself, a thousand streams, and a `claude` that renews a login.
MEMORY_BASE = 1024**3
# A body in work takes about four times its size: its bytes, the decoded request, and the translated one.
MEMORY_PER_BODY_BYTE = 4
# Neither a unit file nor a property list can hold these: control characters, surrogates (bytes that are not UTF-8),
# line and paragraph separators, and noncharacters of XML.
_UNFIT_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_UNFIT = "\ufffe\uffff"


@dataclass(frozen=True)
class ServiceSpec:
    """What a service runs, and how. `drain` is in seconds, `memory` the limit in bytes; None sets no limit.

    Raises ServiceError when a text is one that a service's file cannot hold.
    """

    command: tuple[str, ...]
    addresses: tuple[str, ...]
    drain: float
    log_file: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    memory: int | None = None

    def __post_init__(self) -> None:
        for text in (*self.command, *self.addresses, str(self.log_file), *self.environ, *self.environ.values()):
            if any(unicodedata.category(sign) in _UNFIT_CATEGORIES or sign in _UNFIT for sign in text):
                raise ServiceError(
                    f"a service cannot be given {text!a}: it holds a control character or bytes that are not UTF-8"
                )


def service_spec(config: Config, paths: Paths, environ: Mapping[str, str]) -> ServiceSpec:
    """The service for these settings, which it will read again from their file."""
    hosts = [config.host.strip("[]")]
    if config.host.lower() == "localhost":
        hosts = ["127.0.0.1", "::1"] if _has_ipv6() else ["127.0.0.1"]
    return ServiceSpec(
        command=tuple(serve_command()),
        addresses=tuple(f"[{host}]:{config.port}" if ":" in host else f"{host}:{config.port}" for host in hosts),
        drain=config.drain_timeout,
        log_file=paths.log_file,
        environ={name: environ[name] for name in KEPT_VARIABLES if environ.get(name)},
        memory=MEMORY_BASE + MEMORY_PER_BODY_BYTE * config.max_body_total if config.max_body_total else None,
    )


def _has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback address: a socket unit with an address it lacks does not start."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


class Supervisor(ABC):
    """A service manager of this user. Methods that act raise ServiceError with the manager's own message."""

    name: Literal["systemd", "launchd"]

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    @abstractmethod
    def missing(self) -> str | None:
        """Why this manager cannot be used here; None if it can."""

    @abstractmethod
    def files(self, spec: ServiceSpec) -> dict[Path, str]:
        """What `install` writes, by path."""

    @abstractmethod
    def is_installed(self) -> bool: ...

    @abstractmethod
    def is_waiting(self) -> bool:
        """Whether a request would start the service."""

    @abstractmethod
    def install(self, spec: ServiceSpec) -> None:
        """Write the files and make the manager load them."""

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

    def is_current(self, spec: ServiceSpec) -> bool:
        """Whether the installed files are those for `spec`."""
        return all(_text_of(file) == text for file, text in self.files(spec).items())

    def write(self, spec: ServiceSpec) -> None:
        """Write the files, with mode 0600: a unit of another user's making would run as this user."""
        for file, text in self.files(spec).items():
            try:
                files.write(file, text)
            except OSError as exc:
                raise ServiceError(f"cannot write {file}: {exc.strerror}") from exc

    def run(self, *command: str) -> str:
        """Run one of the manager's programs; returns what it wrote. Raises ServiceError when it fails."""
        done = self.try_to_run(*command)
        if done.returncode != 0:
            reason = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
            raise ServiceError(f"`{' '.join(command)}` failed: {reason}", hint="`claude-proxy logs` may say more")
        return done.stdout

    def try_to_run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the manager's programs; a failure is an exit code, also when the program is missing."""
        try:
            return subprocess.run(  # noqa: S603 - the manager's own programs, with arguments of ours
                command, capture_output=True, text=True, env=self._environ, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            return subprocess.CompletedProcess(command, 127, "", str(exc))


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
