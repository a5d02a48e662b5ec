"""`claude-proxy env`: the environment variables that OpenAI clients read."""

import os
import shlex

import click

from claude_proxy.cli.settings import load
from claude_proxy.paths import paths
from claude_proxy.service import daemon

# Clients require a key. The daemon accepts any text, and does not send it anywhere.
DUMMY_KEY = "claude-proxy"
SHELLS = ("sh", "fish", "powershell")


@click.command(short_help="Print the variables that point OpenAI clients at the daemon.")
@click.option("--shell", type=click.Choice(SHELLS), help="the shell; by default the one in $SHELL")
def env(shell: str | None) -> None:
    """Print the variables that point OpenAI clients at the daemon.

    \b
    eval "$(claude-proxy env)"                        # sh, bash, zsh
    claude-proxy env --shell fish | source            # fish
    claude-proxy env --shell powershell | Out-String | Invoke-Expression
    """
    shell = shell or _shell_of(os.environ.get("SHELL", ""))
    url, key_file = _daemon()
    for name, value in variables(openai_url(url)).items():
        by_file = key_file and value == DUMMY_KEY
        click.echo(_key_line(shell, name, key_file) if key_file and by_file else _line(shell, name, value))


def variables(url: str, key: str = DUMMY_KEY) -> dict[str, str]:
    """The variables that point OpenAI clients at `url`, with the name that older libraries read."""
    return {"OPENAI_BASE_URL": url, "OPENAI_API_BASE": url, "OPENAI_API_KEY": key}


def _daemon() -> tuple[str, str | None]:
    """The daemon's address, or the one it would have, and the file of the key it demands."""
    record = daemon.find(paths())
    if record and record.url:
        return record.url, record.key_file
    config = load()
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{config.port}", config.api_key_file or None


def openai_url(url: str) -> str:
    return f"{url.rstrip('/')}/openai/v1"


def _shell_of(path: str) -> str:
    if path.endswith("fish"):
        return "fish"
    return "powershell" if os.name == "nt" and not path else "sh"


def _key_line(shell: str, name: str, file: str) -> str:
    """A line that makes the shell read the key from its file: printed, it would stay in the terminal's history."""
    match shell:
        case "fish":
            return f"set -gx {name} (cat '{file}')"
        case "powershell":
            return f"$env:{name} = (Get-Content '{file}')"
        case _:
            return f'export {name}="$(cat {shlex.quote(file)})"'


def _line(shell: str, name: str, value: str) -> str:
    match shell:
        case "fish":
            return f"set -gx {name} '{value}'"
        case "powershell":
            return f"$env:{name} = '{value}'"
        case _:
            return f"export {name}='{value}'"
