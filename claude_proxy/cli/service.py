"""`claude-proxy service`: the daemon as a user service of systemd or launchd."""

import os

import click

from claude_proxy.cli import output
from claude_proxy.cli.report import report_start, report_stop, report_waiting
from claude_proxy.config import SETTINGS, environment_names
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths, paths
from claude_proxy.service import choice, daemon, lifecycle, ports
from claude_proxy.service.supervisor import Supervisor


@click.group(short_help="Install the daemon as a user service (systemd, launchd).")
def service() -> None:
    """Install the daemon as a user service (systemd, launchd).

    It is started at every login, and again after a crash. Under systemd only the port is opened at login, and the
    first request starts the daemon; with the setting `idle_timeout` it exits when no requests come, until the next.
    """


@service.command(short_help="Write the service, enable it, and start it.")
@click.option("--enable-linger", is_flag=True, help="start it at boot, and keep it running after logout (systemd)")
def install(*, enable_linger: bool) -> None:
    """Write the service, enable it, and start it. Installing again updates it.

    A service does not see this shell's environment: its settings are those of the file (`claude-proxy config path`).
    """
    here, places = _usable(), paths()
    config, spec = lifecycle.planned_service(places, os.environ)
    _warn_of_variables(places)
    with daemon.exclusive(places):
        if stopped := lifecycle.stop(places, os.environ, report_waiting):
            report_stop(stopped)
        ports.check_free(config.host, config.port)
        with output.progress(f"installing the service in {here.name}"):
            here.install(spec)
        for file in here.files(spec):
            output.say(f"wrote {file}")
        with output.progress("starting the daemon"):
            started = lifecycle.start_service(here, config, places)
        lines = report_start(started)
    for line in lines:
        output.show(line)
    if enable_linger:
        here.run("loginctl", "enable-linger")
    elif here.name == "systemd":
        output.say("it runs while you are logged in; `--enable-linger` keeps it running from boot to shutdown")


@service.command(short_help="Stop the service and remove its files.")
def uninstall() -> None:
    """Stop the service and remove its files. Settings and logs are kept. Without a service nothing happens."""
    places = paths()
    here = choice.installed(os.environ)
    if here is None:
        output.say("no service is installed")
        return
    with daemon.exclusive(places):
        here.uninstall()
    output.say(f"removed the service from {here.name}; settings and logs are kept")


@service.command(short_help="Print the files that `install` would write.")
def show() -> None:
    """Print the files that `install` would write."""
    here = choice.supervisor(os.environ)
    if here is None:
        raise _unavailable()
    _, spec = lifecycle.planned_service(paths(), os.environ)
    for file, text in here.files(spec).items():
        output.show(f"# {file}\n{text}")


def _usable() -> Supervisor:
    here = choice.supervisor(os.environ)
    if here is None:
        raise _unavailable()
    if reason := here.missing():
        raise ServiceError(reason, hint="`claude-proxy start` runs the daemon without a service manager")
    return here


def _unavailable() -> ServiceError:
    return ServiceError(
        "this system has no supported service manager (systemd, launchd)",
        hint="`claude-proxy start` runs the daemon in the background",
    )


def _warn_of_variables(places: Paths) -> None:
    """Warn about variables of this shell that would matter, because a service does not see them."""
    for item in SETTINGS:
        for name in environment_names(item.name):
            if os.environ.get(name):
                output.warn(f"the service will not see {name}: write `{item.name}` into {places.config_file}")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
        if os.environ.get(name):
            output.warn(f"the service will not see {name}: `claude-proxy credentials set` stores a key for it")
