"""The settings: one frozen dataclass, read from flags, environment and file, each value with its origin.

A field is a setting: its name, type, range, default and help are written once, below. The name gives the file's key
(`max_body`), the environment variable (`CLAUDE_PROXY_MAX_BODY`) and the flag (`--max-body`). Flags win over the
environment, the environment over the file, the file over the defaults. Nothing is read from the current directory: a
project must not be able to redirect a credential.
"""

import difflib
import ipaddress
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta

from claude_proxy.errors import ConfigError
from claude_proxy.files import others_can_change
from claude_proxy.options import Options
from claude_proxy.setting import Count, Dollars, Seconds, Setting, as_argument, as_text, setting, settings_of

ENV_PREFIX = "CLAUDE_PROXY_"
ANTHROPIC_BASE_URL = "https://api.anthropic.com"
MAX_FILE = 1024 * 1024

Origin = Literal["flag", "environment", "file", "default"]

# RFC 1123 labels of up to 63 characters, or an address in brackets. A name that DNS cannot hold would fail per request.
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Config(Options):
    """The settings of one run. Times are seconds, sizes are bytes."""

    host: str = setting("localhost", "address to listen on; one that other machines can reach needs `api_key_file`")
    port: Annotated[int, Meta(ge=0, le=65535)] = setting(8000, "TCP port to listen on; 0 takes a free one")
    base_url: str = setting(
        ANTHROPIC_BASE_URL, "address of the Messages API; https, or http to loopback", env="ANTHROPIC_BASE_URL"
    )
    backend: Literal["auto", "direct", "cli"] = setting(
        "auto",
        "how Claude is asked: `direct` over HTTP, `cli` by the Claude CLI, `auto` directly until Anthropic refuses the"
        " plan login outside Claude Code",
    )
    claude_cli: str = setting("", "path of the Claude CLI; by default `claude` where its installers put it", file=True)
    cli_processes: Count = setting(6, "processes of the Claude CLI at the same time; further requests wait")
    cli_spare: Count = setting(1, "processes of the Claude CLI started ahead, once it is in use")
    cli_memory: Count = setting(
        2 * 1024 * 1024 * 1024, "bytes that all processes of the Claude CLI may take, counted as 256 MiB each"
    )
    simulator: bool = setting(False, "answer from the built-in simulator: no account, no cost, no Claude")
    aliases: Mapping[str, str] = setting(
        MappingProxyType({}), 'further model names, as a table: `gpt-4o = "sonnet"`', at_once=True
    )
    retired_models: Literal["successor", "refuse"] = setting(
        "successor",
        "retired Claude models: `successor` answers with the newest of their line, `refuse` with a 404",
        at_once=True,
    )
    allowed_hosts: tuple[str, ...] = setting(
        (), "further accepted values of the Host header, beside localhost, 127.0.0.1 and [::1]", at_once=True
    )
    allowed_origins: tuple[str, ...] = setting(
        (), "web pages that may use this server, as scheme://host:port; by default none", at_once=True
    )
    api_key_file: str = setting(
        "", "file with the key that every request must carry; created when it does not exist", file=True
    )
    same_user: bool = setting(
        True, "refuse connections from programs of other users, and send them no stored login (Linux)"
    )
    unix_socket: str = setting(
        "", "path of a unix socket to listen on as well; only this user can connect to it", file=True
    )
    max_body: Count = setting(32 * 1024 * 1024, "largest request body accepted; upstream's own limit is 32 MB")
    max_body_total: Count = setting(
        256 * 1024 * 1024, "bytes of all request bodies held at the same time; further requests wait; 0 sets no limit"
    )
    connect_timeout: Seconds = setting(10.0, "longest time to connect to upstream")
    first_byte_timeout: Seconds = setting(600.0, "longest time from sending a request to the head of its reply")
    read_timeout: Seconds = setting(600.0, "longest silence of upstream within a reply; its pings end a silence")
    retries: Count = setting(
        1, "how often a request is sent again while upstream is busy or unreachable; at most 4 times"
    )
    max_concurrency: Count = setting(2000, "requests that run at the same time; as many more wait; 0 sets no limit")
    idle_timeout: Seconds = setting(0.0, "exit after this time without a request; 0 never exits")
    drain_timeout: Seconds = setting(30.0, "how long open answers may take to finish after `stop`")
    keepalive_interval: Seconds = setting(
        15.0, "interval of the comments sent to a waiting client while the model is silent", at_once=True
    )
    models_ttl: Seconds = setting(600.0, "how long upstream's list of models is cached", at_once=True)
    store: bool = setting(True, "keep responses that clients want stored, with what was sent for them, on this machine")
    store_max_size: Count = setting(
        512 * 1024 * 1024, "bytes that the store may take; the oldest responses are deleted; 0 sets no limit"
    )
    store_max_age: Seconds = setting(
        2_592_000.0, "how long stored responses and unchanged conversations are kept; 0 sets no limit"
    )
    usage: bool = setting(
        True, "keep a ledger of requests on this machine: names, times and figures, never prompts or answers"
    )
    budget_day_tokens: Count = setting(
        0, "tokens of all kinds that a day may use; then requests get a 429 until midnight; 0 sets no limit"
    )
    budget_month_tokens: Count = setting(0, "tokens of all kinds that a calendar month may use; 0 sets no limit")
    budget_day_usd: Dollars = setting(
        0.0, "US dollars at list price that a day may cost; then requests get a 429 until midnight; 0 sets no limit"
    )
    budget_month_usd: Dollars = setting(0.0, "US dollars at list price that a calendar month may cost; 0 sets no limit")
    billing_guard: Literal["off", "warn", "stop"] = setting(
        "warn",
        "when upstream bills a plan login for extra usage: `warn` in the log, or `stop` until the plan's window resets",
        at_once=True,
    )
    otel: bool = setting(
        False, "send traces and metrics without content by OpenTelemetry, to where the OTEL_* variables say"
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "lowest level to log: debug, info, warning or error", at_once=True
    )
    log_format: Literal["text", "json"] = setting("text", "format of log lines: text or json", at_once=True)

    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)

    def origin(self, name: str) -> Origin:
        """Where the value of setting `name` came from."""
        return self.origins.get(name, "default")

    @property
    def upstream_is_anthropic(self) -> bool:
        return urlsplit(self.base_url).hostname == urlsplit(ANTHROPIC_BASE_URL).hostname

    @property
    def upstream_is_loopback(self) -> bool:
        return is_loopback(urlsplit(self.base_url).hostname or "")

    def flags(self) -> dict[str, str]:
        """The settings that flags gave, as texts that `load` accepts as flags again."""
        return {item.name: as_text(getattr(self, item.name)) for item in SETTINGS if self.origin(item.name) == "flag"}


# Inherited fields come first in a dataclass; a reader wants the port before the translation's options.
SETTINGS: tuple[Setting, ...] = tuple(
    sorted(settings_of(Config), key=lambda item: item.name in {each.name for each in settings_of(Options)})
)
_BY_NAME = {item.name: item for item in SETTINGS}


def environment_names(name: str) -> tuple[str, ...]:
    """The environment variables that set `name`, the strongest first."""
    other = _BY_NAME[name].env
    return (ENV_PREFIX + name.upper(), *([other] if other else []))


def as_arguments(flags: Mapping[str, str]) -> list[str]:
    """`flags` as a command line, for a process of ours that is to see the same settings."""
    return [as_argument(item, flags[item.name]) for item in SETTINGS if item.name in flags]


def is_loopback(host: str) -> bool:
    """Whether `host` can only mean this machine: localhost, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_upstream_is_elsewhere(config: Config, ports: Iterable[int]) -> None:
    """Raise ConfigError when `base_url` is the daemon that listens on `ports`: it would ask itself in a loop."""
    url = urlsplit(config.base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    if config.simulator or not config.upstream_is_loopback or port not in ports:
        return
    hint = "set it to the address of the Messages API, or leave it out for Anthropic's"
    if config.origin("base_url") == "environment":
        hint = "`unset ANTHROPIC_BASE_URL` (or CLAUDE_PROXY_BASE_URL): it is for clients of claude-proxy"
    raise ConfigError(f"base_url {config.base_url} is claude-proxy's own address", hint=hint)


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    file: Path | None = None,
) -> Config:
    """The settings in force. A flag whose value is `None` was not given; a missing `file` counts as an empty one.

    Raises ConfigError naming the setting, its origin and what would be accepted.
    """
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}

    def take(name: str, value: object, origin: Origin, where: str) -> None:
        if name == "base_url":  # no value of it is printed before its password is removed
            value = _without_password(value, where)
        values[name] = _BY_NAME[name].convert(value, where)
        origins[name] = origin

    for name, value in _file_values(file).items():
        take(name, value, "file", f"{name} in {file}")
    for name in _BY_NAME:
        for variable in reversed(environment_names(name)):
            if environ.get(variable):
                take(name, environ[variable], "environment", variable)
    for name, value in flags.items():
        if value is not None:
            take(name, value, "flag", _BY_NAME[name].flag)
    config = Config(**values, origins=origins)  # type: ignore[arg-type] # converted above, field by field
    _check(config)
    if sys.platform == "win32":
        _check_on_windows(config)
    return config


def _file_values(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        text = _read_private(file)
        data = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise ConfigError(f"cannot read {file}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as exc:
        raise ConfigError(f"{file} is not valid TOML: {exc}") from exc
    for key in data:
        if key not in _BY_NAME:
            close = difflib.get_close_matches(key, _BY_NAME, n=1)
            hint = f"did you mean `{close[0]}`?" if close else "`claude-proxy config` lists every setting"
            raise ConfigError(f"unknown setting `{key}` in {file}", hint=hint)
    return data


def _read_private(file: Path) -> str:
    """The text of a file that decides where a credential goes: it must be this user's alone to change."""
    # Without blocking: a FIFO may be in its place.
    with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
        for path, info in ((file, os.fstat(stream.fileno())), (file.parent, file.parent.stat())):
            if others_can_change(info):
                raise ConfigError(
                    f"other users can change {path}",
                    hint=f"check what it holds, then `chown {_user()} {path}` and `chmod go-w {path}`",
                )
        return stream.read(MAX_FILE).decode("utf-8")


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else ""


def _check(config: Config) -> None:
    """Raise ConfigError for what no single field's type can express."""
    if not is_loopback(config.host) and not config.api_key_file:
        raise ConfigError(
            f"host {config.host!r} is not a loopback address",
            hint="programs that reach this port use your account; use 127.0.0.1, or require a key with `api_key_file`",
        )
    if 0 < config.max_body_total < config.max_body:
        raise ConfigError("max_body_total must be 0 or at least max_body, or the largest request could never run")
    url = _upstream(config)
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise ConfigError(
            f"base_url {config.base_url!r} would send your credential unencrypted",
            hint="use https; http is for loopback addresses only",
        )


def _check_on_windows(config: Config) -> None:
    for item in SETTINGS:
        if item.file and getattr(config, item.name):  # elsewhere the mode of the file protects it
            raise ConfigError(f"{item.name} is not available on Windows")


def _without_password(value: object, where: str) -> object:
    """`value`, an address. Raises ConfigError, without repeating it, when it holds a user name or a password."""
    if "@" in str(value):
        raise ConfigError(
            f"{where} must not hold a user name or a password",
            hint="credentials come from the sources that `claude-proxy credentials` lists",
        )
    return value


def _upstream(config: Config) -> SplitResult:
    shown = config.base_url.partition("?")[0].partition("#")[0]  # a query may hold a key
    problem = ConfigError(f"base_url {shown!r} is not an http(s) address")
    try:
        url = urlsplit(config.base_url)
        _ = url.port  # urlsplit checks it only when it is read
    except ValueError as exc:
        raise ConfigError(f"{problem.message}: {exc}") from None
    if url.scheme not in ("http", "https") or not _is_host(url.hostname or "") or url.query or url.fragment:
        raise problem
    if not (config.base_url.isascii() and config.base_url.isprintable() and " " not in config.base_url):
        raise problem
    return url


def _is_host(name: str) -> bool:
    """Whether `name` is an address or a name that DNS can hold."""
    if ":" in name:  # urlsplit has taken the brackets of an IPv6 address
        return True
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.removesuffix(".").split("."))
