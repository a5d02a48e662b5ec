"""Each setting as a flag: a command decorated with `@settings` takes them and gets a Config."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from claude_proxy import config
from claude_proxy.config import SETTINGS, Config
from claude_proxy.paths import paths
from claude_proxy.setting import Setting

_Command = TypeVar("_Command", bound=Callable[..., Any])


def settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag per setting; it is called with the Config that flags, environment and file give."""

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
        with_flags = _option(item)(with_flags)
    return with_flags


def load(flags: Mapping[str, object] | None = None) -> Config:
    """The settings in force for this user, with `flags` on top."""
    return config.load(flags or {}, os.environ, paths().config_file)


def _option(item: Setting) -> Callable[[_Command], _Command]:
    if item.kind is bool:
        return click.option(f"{item.flag}/--no-{item.flag[2:]}", item.name, default=None, help=item.help)
    return click.option(item.flag, item.name, metavar=_metavar(item), help=item.help)


def _metavar(item: Setting) -> str:
    return "USD" if item.unit == "US dollars" else _METAVARS.get(item.kind, "TEXT")


_METAVARS = {int: "N", float: "SECONDS", tuple: "A,B", Mapping: "NAME=MODEL,…"}
