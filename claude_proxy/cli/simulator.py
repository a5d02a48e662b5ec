"""`claude-proxy simulator`: the simulated Messages API in the foreground."""

import click

from claude_proxy.cli import output
from claude_proxy.config import is_loopback
from claude_proxy.service import ports

SECONDS = click.FloatRange(min=0)


@click.command(short_help="Run the simulated Messages API: no account, no cost.")
@click.option("--host", default="127.0.0.1", show_default=True, help="loopback address to listen on")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one")
@click.option("--latency", default=0.0, type=SECONDS, help="seconds before the first byte of every answer")
@click.option("--pace", default=0.0, type=SECONDS, help="seconds between two tokens of a stream")
def simulator(*, host: str, port: int, latency: float, pace: float) -> None:
    """Run the simulated Messages API: no account, no cost.

    It accepts any key, refuses what the real API refuses, and says in every answer that it is simulated. Ctrl-C
    stops it. `claude-proxy start --simulator` starts a daemon with a simulator of its own.
    """
    from claude_proxy.simulator.options import Options
    from claude_proxy.simulator.standalone import run

    if not is_loopback(host):
        raise click.UsageError(f"{host} is not a loopback address")
    ports.check_free(host, port)
    run(Options(latency=latency, token_delay=pace), host=host, port=port, ready=_ready)


def _ready(address: str) -> None:
    output.say("the simulated Messages API is running; Ctrl-C stops it")
    output.show(f"ANTHROPIC_BASE_URL={address}")
