"""`claude-proxy config`: every setting, its value, where it is set, and what it means."""

import json
import os
import textwrap
from collections.abc import Mapping

import click

from claude_proxy.cli import output
from claude_proxy.cli.settings import load, setting_flags
from claude_proxy.config import SETTINGS, Config, environment_names
from claude_proxy.errors import ConfigError
from claude_proxy.files import make_directory
from claude_proxy.paths import paths
from claude_proxy.setting import as_text


@click.group(invoke_without_command=True, short_help="Show every setting, its value, and where it is set.")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@setting_flags
@click.pass_context
def config(ctx: click.Context, *, flags: Mapping[str, object], as_json: bool) -> None:
    """Show every setting, its value, and where it is set.

    Flags override environment variables, those override the file, and the file overrides the defaults.
    """
    if ctx.invoked_subcommand is not None:
        return
    in_force = load(flags)
    if as_json:
        output.show(json.dumps(_as_json(in_force), indent=2))
        return
    file = paths().config_file
    output.say(f"file: {file}" + ("" if file.exists() else " (does not exist; `claude-proxy config init` writes one)"))
    output.say(f"store: {paths().store_file}" + ("" if in_force.store else " (not used: `store` is false)"))
    rows = [
        [item.name, _shown(getattr(in_force, item.name)), in_force.origin(item.name), item.help] for item in SETTINGS
    ]
    output.table(["SETTING", "VALUE", "FROM", "MEANING"], rows)


@config.command(short_help="Print the path of the settings file.")
def path() -> None:
    """Print the path of the settings file."""
    output.show(str(paths().config_file))


@config.command(short_help="Write a settings file that documents every setting.")
def init() -> None:
    """Write a settings file that documents every setting. An existing file is not overwritten."""
    file, text = paths().config_file, template()
    make_directory(file.parent)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConfigError(f"{file} exists already", hint="edit it, or rename it first") from None
    output.say("wrote a settings file with every setting commented out, at its default")
    output.show(str(file))


def template() -> str:
    """A settings file that changes nothing: each setting with its help, its variables, and its default as a comment."""
    parts = ["# Settings of claude-proxy. Remove a `#` to set one; `claude-proxy config` shows the values in force."]
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
