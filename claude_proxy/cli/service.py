"""`claude-proxy service`: the daemon as a user service of systemd or launchd."""

import os

import click

from claude_proxy.cli import output
from claude_proxy.cli.start import supervised
from claude_proxy.cli.stop import stopped
from claude_proxy.config import SETTINGS, Config, environment_names, load
from claude_proxy.errors import ServiceError
from claude_proxy.paths import Paths, paths
from claude_proxy.service import choice, ports, process
from claude_proxy.service.supervisor import Supervisor, order


@click.group(short_help="Install the daemon as a user service (systemd, launchd).")
def service() -> None:
    """Install the daemon as a user service (systemd, launchd).

    It is then there after every login, and comes back after a crash. Under systemd the port is there at once and
    the first request starts the daemon; with the setting `idle_timeout` it leaves again when nobody asks anything.
    """


@service.command(short_help="Write the service, enable it, and start it.")
@click.option("--enable-linger", is_flag=True, help="keep it after logout, and start it at boot (systemd)")
def install(*, enable_linger: bool) -> None:
    """Write the service, enable it, and start it. Installing again renews what was written.

    A service does not see this shell: its settings are those of the settings file (`claude-proxy config path`).
    """
    here, places = _usable(), paths()
    config = _settings_of_a_service(places)
    _warn_of_what_stays_behind(places)
    with process.turn(places):
        stopped(places)
        ports.check_free(config.host, config.port)
        wanted = order(config, places, os.environ)
        here.install(wanted)
        for file in here.files(wanted):
            output.say(f"wrote {file}")
        up = supervised(here, config, places)
    for line in up.facts:
        output.show(line)
    if enable_linger:
        here.run("loginctl", "enable-linger")
    elif here.name == "systemd":
        output.say("it is there while you are logged in; `--enable-linger` keeps it from boot to shutdown")


@service.command(short_help="Stop the service and remove what was written.")
def uninstall() -> None:
    """Stop the service and remove what was written. Settings and logs stay. Without a service nothing happens."""
    places = paths()
    here = choice.installed(os.environ)
    if here is None:
        output.say("no service is installed")
        return
    with process.turn(places):
        here.uninstall()
    output.say(f"removed the service from {here.name}; settings and logs are where they were")


@service.command(short_help="Print what would be written.")
def show() -> None:
    """Print what would be written."""
    here = choice.supervisor(os.environ)
    if here is None:
        raise _unavailable()
    places = paths()
    for file, text in here.files(order(_settings_of_a_service(places), places, os.environ)).items():
        output.show(f"# {file}\n{text}")


def refreshed(here: Supervisor, places: Paths) -> None:
    """Bring what is installed up to date with the settings of now: a new port needs a new socket."""
    config = _settings_of_a_service(places)
    wanted = order(config, places, os.environ)
    if not here.is_current(wanted):
        ports.check_free(config.host, config.port)
        here.install(wanted)
        output.say(f"{here.name} has taken up what changed")


def _settings_of_a_service(places: Paths) -> Config:
    return load({}, {}, places.config_file)


def _usable() -> Supervisor:
    here = choice.supervisor(os.environ)
    if here is None:
        raise _unavailable()
    if reason := here.missing():
        raise ServiceError(reason, hint="`claude-proxy start` runs the daemon without it")
    return here


def _unavailable() -> ServiceError:
    return ServiceError(
        "there is no service manager here that is known (systemd, launchd)",
        hint="`claude-proxy start` runs the daemon in the background",
    )


def _warn_of_what_stays_behind(places: Paths) -> None:
    for item in SETTINGS:
        for name in environment_names(item.name):
            if os.environ.get(name):
                output.warn(f"the service will not see {name}: write `{item.name}` into {places.config_file}")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
        if os.environ.get(name):
            output.warn(f"the service will not see {name}: `claude-proxy credentials set` keeps a key for it")
