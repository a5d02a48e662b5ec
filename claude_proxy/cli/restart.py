"""`claude-proxy restart`."""

import os

import click

from claude_proxy.cli import output
from claude_proxy.cli.report import CredentialCheck, report_start, report_stop, report_waiting
from claude_proxy.cli.settings import load, settings
from claude_proxy.config import Config, check_upstream_is_elsewhere
from claude_proxy.paths import paths
from claude_proxy.service import choice, daemon, lifecycle


@click.command(short_help="Stop the daemon if it runs, and start it.")
@settings
def restart(config: Config) -> None:
    """Stop the daemon if it runs, and start it.

    It starts with the current settings of the file and the environment. The flags it was started with are kept,
    unless they are given again.
    """
    places = paths()
    with daemon.exclusive(places):
        record = daemon.find(places)
        service = choice.installed(os.environ)
        wanted = load({**(record.flags if record else {}), **config.flags()})
        if not service:  # a service has settings of its own
            check_upstream_is_elsewhere(wanted, [wanted.port])
        if stopped := lifecycle.stop(places, os.environ, report_waiting):
            report_stop(stopped)
        check = CredentialCheck(wanted)
        if service:
            if lifecycle.update_service(service, places, os.environ):
                output.say(f"updated the service in {service.name}")
            running = lifecycle.start_service(service, config, places)
        else:
            running = lifecycle.start_in_background(wanted, places, os.environ, check)
        lines = report_start(running, check)
    for line in lines:
        output.show(line)
