"""`claude-proxy completion`: the script that makes a shell complete our commands."""

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

from claude_proxy.cli import output
from claude_proxy.cli.main import cli

SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", required=False, type=click.Choice(SHELLS))
def completion(shell: str | None) -> None:
    """Print the completion script of a shell, by default that of the one in $SHELL.

    \b
    eval "$(claude-proxy completion bash)"                                             # in ~/.bashrc
    eval "$(claude-proxy completion zsh)"                                              # in ~/.zshrc
    claude-proxy completion fish > ~/.config/fish/completions/claude-proxy.fish        # once
    """
    name = shell or PurePath(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise click.UsageError(f"name a shell: {', '.join(SHELLS)}")
    complete = get_completion_class(name)
    assert complete is not None  # noqa: S101 - click has these three
    output.show(complete(cli, {}, "claude-proxy", "_CLAUDE_PROXY_COMPLETE").source())
