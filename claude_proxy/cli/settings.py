"""Each setting as a flag: a command that takes settings says `@settings` and gets a Config."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from claude_proxy import config
from claude_proxy.config import SETTINGS, Config

_Command = TypeVar("_Command", bound=Callable[..., Any])


def settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag per setting; it is called with the Config they, the environment and the file make."""

    @functools.wraps(function)
    def with_config(*, flags: Mapping[str, object], **parameters: Any) -> Any:
        return function(config=load(flags), **parameters)

    return setting_flags(with_config)


def setting_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag per setting; it is called with those that were given, for `load`."""

    @functools.wraps(function)
    def with_flags(*arguments: Any, **parameters: Any) -> Any:
        given = {item.name: parameters.pop(item.name) for item in SETTINGS}
        return function(*arguments, flags=given, **parameters)

    for item in reversed(SETTINGS):
        with_flags = _option(item.name, item.default, item.help)(with_flags)
    return with_flags


def load(flags: Mapping[str, object] | None = None) -> Config:
    """The settings in force for this user, with `flags` on top."""
    return config.load(flags or {}, os.environ, config.paths().config_file)


def flags_of(settings_in_force: Config) -> dict[str, str]:
    """The settings that flags gave, as texts that `load` reads again."""
    return {
        item.name: as_text(getattr(settings_in_force, item.name))
        for item in SETTINGS
        if settings_in_force.origin(item.name) == "flag"
    }


def as_arguments(flags: Mapping[str, str]) -> list[str]:
    """`flags` as a command line, for a process of ours that is to see the same settings."""
    return [_argument(item.name, item.default, flags[item.name]) for item in SETTINGS if item.name in flags]


def as_text(value: object) -> str:
    """A setting's value as a flag or an environment variable takes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case Mapping():
            return ",".join(f"{key}={text}" for key, text in value.items())
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _argument(name: str, default: object, text: str) -> str:
    if isinstance(default, bool):
        return f"--{_dashed(name)}" if text == "true" else f"--no-{_dashed(name)}"
    return f"--{_dashed(name)}={text}"


def _option(name: str, default: object, help_text: str) -> Callable[[_Command], _Command]:
    flag = _dashed(name)
    if isinstance(default, bool):
        return click.option(f"--{flag}/--no-{flag}", name, default=None, help=help_text)
    return click.option(f"--{flag}", name, metavar=_metavar(default), help=help_text)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _metavar(default: object) -> str:
    match default:
        case int():
            return "N"
        case float():
            return "SECONDS"
        case tuple():
            return "A,B"
        case Mapping():
            return "NAME=MODEL,…"
        case _:
            return "TEXT"
