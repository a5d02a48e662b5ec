"""Starting, stopping and updating the daemon, whether this program or a service manager runs it.

Each function needs the lock of `daemon.exclusive`, except `ensure_running`, which takes it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from claude_proxy.config import Config, as_arguments, check_upstream_is_elsewhere, load
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths
from claude_proxy.service import background, choice, daemon, ports
from claude_proxy.service.record import Record
from claude_proxy.service.supervisor import ServiceSpec, Supervisor, service_spec

_INTERVAL = 0.02


@dataclass(frozen=True)
class Running:
    """A daemon that answers. `started_by` is None if it ran before, else `claude-proxy` or a service manager's name."""

    record: Record
    started_by: str | None = None


@dataclass(frozen=True)
class Stopped:
    """A daemon that was stopped. `record` is None if the service manager only waited for a first request."""

    record: Record | None
    service: str | None = None
    killed: bool = False


def ensure_running(config: Config, paths: Paths, environ: Mapping[str, str], check: Callable[[], None]) -> Running:
    """The daemon: the one that runs, or one that is started now. See `start_in_background` for `check`."""
    with daemon.exclusive(paths):
        if record := find_listening(paths):
            return Running(record)
        if service := choice.installed(environ):
            return start_service(service, config, paths)
        return start_in_background(config, paths, environ, check)


def find_listening(paths: Paths, timeout: float = background.START_TIMEOUT) -> Record | None:
    """The daemon that runs, once it listens; one that is stopping is awaited, and then there is none.

    Raises ServiceError when it does neither within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while (record := daemon.find(paths)) and record.url is None:
        if time.monotonic() > deadline:
            raise ServiceError(
                f"the daemon (pid {record.pid}) has been starting or stopping for more than {timeout:g} s",
                hint="see `claude-proxy logs`; `claude-proxy stop` ends it",
            )
        time.sleep(_INTERVAL)
    return record


def start_in_background(config: Config, paths: Paths, environ: Mapping[str, str], check: Callable[[], None]) -> Running:
    """Start the daemon without a service manager.

    Raises before anything is started when it could not serve. `check` is called for what this room does not know,
    such as whether there is a credential.
    """
    check_upstream_is_elsewhere(config, [config.port])
    check()
    ports.check_free(config.host, config.port)
    return Running(
        background.start(paths, arguments=as_arguments(config.flags()), environ=environ), started_by="claude-proxy"
    )


def start_service(service: Supervisor, config: Config, paths: Paths) -> Running:
    """Start the installed service. Raises ServiceError when flags were given: a service reads the settings file."""
    if given := config.flags():
        raise ServiceError(
            f"{service.name} runs the daemon, which gets no flags from this command: {', '.join(as_arguments(given))}",
            hint=f"write them into {paths.config_file}; `claude-proxy service uninstall` removes the service",
        )
    service.start()
    return Running(background.wait_until_ready(paths), started_by=service.name)


def stop(paths: Paths, environ: Mapping[str, str], waiting: Callable[[float], None]) -> Stopped | None:
    """Stop the daemon; None if there was none.

    `waiting` is called with its drain time in seconds when stopping takes more than a second.
    """
    record = daemon.find(paths)
    service = choice.installed(environ)
    if service and (record.manager == service.name if record else service.is_waiting()):
        # By its manager: it would take any other end for a crash, or the next request would start it again.
        service.stop()
        return Stopped(record, service.name)
    if record is None:
        return None
    return Stopped(record, killed=background.stop(record, waiting=lambda: waiting(record.drain)))


def update_service(service: Supervisor, paths: Paths, environ: Mapping[str, str]) -> bool:
    """Rewrite the installed service when the settings ask for another one, such as another port. True if it was."""
    config, spec = planned_service(paths, environ)
    if service.is_current(spec):
        return False
    ports.check_free(config.host, config.port)
    service.install(spec)
    return True


def planned_service(paths: Paths, environ: Mapping[str, str]) -> tuple[Config, ServiceSpec]:
    """The settings that a service sees, which are those of the file alone, and the service for them."""
    config = load({}, {}, paths.config_file)
    return config, service_spec(config, paths, environ)
