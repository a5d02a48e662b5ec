"""`claude-proxy config`: every setting, its value, where that came from, and what it means."""

import json
import textwrap
from collections.abc import Mapping

import click

from claude_proxy.cli import output
from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.config import SETTINGS, Config, environment_names
from claude_proxy.errors import ConfigError
from claude_proxy.paths import paths
from claude_proxy.setting import as_text


@click.group(invoke_without_command=True, short_help="Show every setting, its value, and where that came from.")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@setting_flags
@click.pass_context
def config(ctx: click.Context, *, flags: Mapping[str, object], as_json: bool) -> None:
    """Show every setting, its value, and where that came from.

    Flags win over environment variables, these over the file, and the file over the defaults.
    """
    if ctx.invoked_subcommand is not None:
        return
    in_force = load(flags)
    if as_json:
        output.show(json.dumps(_as_json(in_force), indent=2))
        return
    file = paths().config_file
    output.say(f"file: {file}" + ("" if file.exists() else " (not there; `claude-proxy config init` writes one)"))
    output.say(f"store: {paths().store_file}" + ("" if in_force.store else " (not used: `store` is false)"))
    rows = [
        [item.name, _shown(getattr(in_force, item.name)), in_force.origin(item.name), item.help] for item in SETTINGS
    ]
    for line in output.columns([["SETTING", "VALUE", "FROM", "MEANING"], *rows]):
        output.show(line)


@config.command(short_help="Print where the file is looked for.")
def path() -> None:
    """Print where the file is looked for."""
    output.show(str(paths().config_file))


@config.command(short_help="Write a commented file with every setting at its default.")
def init() -> None:
    """Write a commented file with every setting at its default. An existing file is left alone."""
    file, text = paths().config_file, template()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConfigError(f"{file} is already there", hint="edit it, or move it away first") from None
    output.say("wrote a file with every setting at its default, commented out")
    output.show(str(file))


def template() -> str:
    """A settings file that changes nothing: each setting with its help, its other names and its default."""
    parts = ["# Settings of claude-proxy. Take away a `#` to change one; `claude-proxy config` shows what is in force."]
    for item in SETTINGS:
        names = " or ".join(environment_names(item.name))
        comment = textwrap.fill(f"{item.help} (environment: {names})", 110)
        value = f"{item.name} = {_toml(item.default)}"
        parts.append(textwrap.indent(f"{comment}\n", "# ") + f"#{value}")
    return "\n\n".join(parts) + "\n"


def _toml(value: object) -> str:
    match value:
        case bool():
            return as_text(value)
        case int() | float():
            return repr(value)
        case Mapping():
            return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(text)}" for key, text in value.items()) + " }"
        case tuple():
            return json.dumps(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def _shown(value: object) -> str:
    return as_text(value) or "-"


def _as_json(config: Config) -> dict[str, object]:
    return {
        item.name: {
            "value": _plain(getattr(config, item.name)),
            "from": config.origin(item.name),
            "help": item.help,
        }
        for item in SETTINGS
    }


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value
