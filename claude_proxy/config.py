"""The settings: one frozen dataclass, read from flags, environment and file, each value with its origin.

A field is a setting: its name, type, default and help stand once, below. From the name follow the file's key
(`max_body`), the environment variable (`CLAUDE_PROXY_MAX_BODY`) and the flag (`--max-body`). Flags win over
the environment, the environment over the file, the file over the defaults. Nothing is read from the current
directory: a project that one happens to stand in must not be able to redirect a credential.
"""

import dataclasses
import difflib
import ipaddress
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

import platformdirs

from claude_proxy.errors import ConfigError

APP = "claude-proxy"
ENV_PREFIX = "CLAUDE_PROXY_"
ANTHROPIC_BASE_URL = "https://api.anthropic.com"
LOG_LEVELS = ("debug", "info", "warning", "error")

Origin = Literal["flag", "environment", "file", "default"]


class Setting(NamedTuple):
    """One setting, whatever its value: `env` is a second environment variable that sets it."""

    name: str
    default: Any
    help: str
    env: str | None


def _setting(default: Any, help_text: str, *, env: str | None = None) -> Any:
    # By a factory, because a mapping is no default that a dataclass takes.
    return field(default_factory=lambda: default, metadata={"default": default, "help": help_text, "env": env})


@dataclass(frozen=True)
class Config:
    """The settings of one run. Times are seconds, sizes are bytes."""

    host: str = _setting("localhost", "address to listen on; one that others can reach needs `api_key_file`")
    port: int = _setting(8000, "TCP port to listen on; 0 takes a free one")
    base_url: str = _setting(
        ANTHROPIC_BASE_URL, "where the Messages API is; https, or http to loopback", env="ANTHROPIC_BASE_URL"
    )
    simulator: bool = _setting(False, "answer from the built-in simulator: no account, no cost, no Claude")
    aliases: Mapping[str, str] = _setting(MappingProxyType({}), 'further model names, as a table: `gpt-4o = "sonnet"`')
    max_tokens: int = _setting(0, "upper bound for max_tokens; 0 leaves it to the model")
    reasoning_text: bool = _setting(True, "return the model's thinking as `reasoning_content`")
    prompt_caching: bool = _setting(True, "ask for automatic prompt caching, which OpenAI clients expect")
    max_choices: int = _setting(8, "the most answers that one request may ask for with `n`")
    fast_mode: bool = _setting(False, "let `service_tier: fast` ask for Claude's fast mode, which costs more")
    strict: bool = _setting(False, "refuse what cannot be translated (400) instead of warning about it")
    allowed_hosts: tuple[str, ...] = _setting(
        (), "further values of the Host header that may come in, beside localhost, 127.0.0.1 and [::1]"
    )
    allowed_origins: tuple[str, ...] = _setting(
        (), "web pages that may use this server, as scheme://host:port; none unless named here"
    )
    api_key_file: str = _setting("", "file with the key that every request must carry; made when it is not there")
    same_user: bool = _setting(True, "refuse programs of other users of this machine (Linux)")
    unix_socket: str = _setting("", "path of a unix socket to listen on besides, for this user alone")
    max_body: int = _setting(32 * 1024 * 1024, "largest request body accepted; upstream's own limit is 32 MB")
    max_body_total: int = _setting(
        256 * 1024 * 1024, "bytes of all request bodies held at the same time; further requests wait; 0 sets no limit"
    )
    connect_timeout: float = _setting(10.0, "how long connecting to upstream may take")
    first_byte_timeout: float = _setting(600.0, "how long upstream may take from a request to the head of its reply")
    read_timeout: float = _setting(600.0, "how long upstream may stay silent within a reply; its pings are no silence")
    retries: int = _setting(1, "how often a request is tried again while upstream is busy or away; at most 4 times")
    max_concurrency: int = _setting(2000, "requests that run at the same time; as many more wait; 0 sets no limit")
    idle_timeout: float = _setting(0.0, "end when nobody has asked anything for so long; 0 never does")
    drain_timeout: float = _setting(30.0, "how long running answers may go on after `stop`")
    keepalive_interval: float = _setting(15.0, "how often a waiting client gets a comment while the model is silent")
    models_ttl: float = _setting(600.0, "how long upstream's list of models is kept")
    log_level: str = _setting("info", "how much to log: debug, info, warning or error")
    log_format: Literal["text", "json"] = _setting("text", "how a log line looks: text or json")

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


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(item.name, **item.metadata) for item in dataclasses.fields(Config) if item.name != "origins"
)
_BY_NAME = {item.name: item for item in SETTINGS}


def environment_names(name: str) -> tuple[str, ...]:
    """The environment variables that set `name`, the strongest first."""
    other = _BY_NAME[name].env
    return (ENV_PREFIX + name.upper(), *([other] if other else []))


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine and nothing else: localhost, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_upstream_is_elsewhere(config: Config, ports: Iterable[int]) -> None:
    """Raise ConfigError when `base_url` is the daemon that listens on `ports`: it would ask itself without end."""
    url = urlsplit(config.base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    if config.simulator or not config.upstream_is_loopback or port not in ports:
        return
    hint = "name the address of the Messages API, or leave it out for Anthropic's"
    if config.origin("base_url") == "environment":
        hint = "`unset ANTHROPIC_BASE_URL` (or CLAUDE_PROXY_BASE_URL): it is for programs that ask claude-proxy"
    raise ConfigError(f"base_url {config.base_url} is claude-proxy's own address", hint=hint)


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    file: Path | None = None,
) -> Config:
    """The settings in force. A flag that is `None` was not given; a missing `file` is an empty one.

    Raises ConfigError naming the setting, its origin and what would be accepted.
    """
    values: dict[str, object] = {}
    origins: dict[str, Origin] = {}

    def take(name: str, value: object, origin: Origin, where: str) -> None:
        values[name] = _converted(name, value, where)
        origins[name] = origin

    for name, value in _file_values(file).items():
        take(name, value, "file", f"{name} in {file}")
    for name in _BY_NAME:
        for variable in reversed(environment_names(name)):
            if environ.get(variable):
                take(name, environ[variable], "environment", variable)
    for name, value in flags.items():
        if value is not None:
            take(name, value, "flag", "--" + name.replace("_", "-"))
    config = Config(**values, origins=origins)  # type: ignore[arg-type] # converted above, field by field
    _check(config)
    if sys.platform == "win32":
        _check_on_windows(config)
    return config


def _file_values(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise ConfigError(f"cannot read {file}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file} is not valid TOML: {exc}") from exc
    for key in data:
        if key not in _BY_NAME:
            close = difflib.get_close_matches(key, _BY_NAME, n=1)
            hint = f"did you mean `{close[0]}`?" if close else "`claude-proxy config` lists every setting"
            raise ConfigError(f"unknown setting `{key}` in {file}", hint=hint)
    return data


def _converted(name: str, value: object, where: str) -> object:
    default = _BY_NAME[name].default
    match default, value:
        case bool(), bool():
            return value
        case bool(), str():
            return _boolean(value, where)
        case int(), int() if not isinstance(value, bool) and not isinstance(default, bool):
            return value
        case float(), float() | int() if not isinstance(value, bool):
            return float(value)
        case str(), str():
            return value
        case int() | float(), str():
            return _number(type(default), value, where)
        case tuple(), str():
            return tuple(part.strip() for part in value.split(",") if part.strip())
        case tuple(), list() | tuple() if all(isinstance(part, str) for part in value):
            return tuple(value)
        case Mapping(), Mapping() if all(isinstance(part, str) for part in value.values()):
            return MappingProxyType(dict(value))
        case Mapping(), str():
            return MappingProxyType(_pairs(value, where))
    raise ConfigError(f"{where} must be {_wanted(default)}, not {value!r}")


def _boolean(value: str, where: str) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    try:
        return words[value.lower()]
    except KeyError:
        raise ConfigError(f"{where} must be true or false, not {value!r}") from None


def _number(kind: type[int | float], value: str, where: str) -> int | float:
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{where} must be {_wanted(kind())}, not {value!r}") from None


def _pairs(value: str, where: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(middle for _, middle, _ in pairs):
        raise ConfigError(f"{where} must look like `name=model,name=model`, not {value!r}")
    return {left.strip(): right.strip() for left, _, right in pairs}


def _wanted(default: object) -> str:
    match default:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number of seconds"
        case str():
            return "text"
        case tuple():
            return "a list of texts"
        case _:
            return "a table of texts"


def _check(config: Config) -> None:
    if not is_loopback(config.host) and not config.api_key_file:
        raise ConfigError(
            f"host {config.host!r} is not a loopback address",
            hint="this port is a door to your account; use 127.0.0.1, or demand a key with `api_key_file`",
        )
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"port {config.port} is not between 0 and 65535")
    if config.api_key_file and not Path(config.api_key_file).expanduser().is_absolute():
        raise ConfigError(f"api_key_file {config.api_key_file!r} is not an absolute path", hint="a daemon stands in /")
    url = _upstream(config)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or url.username:
        raise ConfigError(f"base_url {config.base_url!r} is not an http(s) address")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise ConfigError(
            f"base_url {config.base_url!r} would send your credential unencrypted",
            hint="use https; http is for loopback addresses only",
        )
    if config.log_level.lower() not in LOG_LEVELS:
        raise ConfigError(f"log_level {config.log_level!r} is not one of {', '.join(LOG_LEVELS)}")
    if config.log_format not in ("text", "json"):
        raise ConfigError(f"log_format {config.log_format!r} is not one of text, json")
    for name in (
        "max_tokens",
        "max_body",
        "max_body_total",
        "connect_timeout",
        "first_byte_timeout",
        "read_timeout",
        "drain_timeout",
        "idle_timeout",
        "retries",
        "max_concurrency",
        "keepalive_interval",
        "models_ttl",
    ):
        if not getattr(config, name) >= 0:  # put this way round, it catches what is not a number, too
            raise ConfigError(f"{name} must not be negative")
    if 0 < config.max_body_total < config.max_body:
        raise ConfigError("max_body_total must be 0 or at least max_body, or the largest request could never run")


def _check_on_windows(config: Config) -> None:
    for name in ("api_key_file", "unix_socket"):  # what protects them elsewhere is the mode of a file
        if getattr(config, name):
            raise ConfigError(f"{name} is not available on Windows")


def _upstream(config: Config) -> SplitResult:
    try:
        url = urlsplit(config.base_url)
        _ = url.port  # which is looked at only now
    except ValueError as exc:
        raise ConfigError(f"base_url {config.base_url!r} is not an http(s) address: {exc}") from exc
    return url


@dataclass(frozen=True)
class Paths:
    """Where this program keeps its own files. Directories are made 0700, when something is first written."""

    config_file: Path
    state: Path

    @property
    def log_file(self) -> Path:
        return self.state / "claude-proxy.log"

    @property
    def pid_file(self) -> Path:
        return self.state / "claude-proxy.pid"

    @property
    def lock_file(self) -> Path:
        """Held by the daemon for as long as it lives."""
        return self.state / "claude-proxy.lock"

    @property
    def turn_file(self) -> Path:
        """Held by a command while it starts or stops the daemon."""
        return self.state / "claude-proxy.turn"


def paths() -> Paths:
    """The places for this user, by the platform's own rules (XDG on Linux, ~/Library on macOS).

    Raises ConfigError when this user has no home directory.
    """
    dirs = platformdirs.PlatformDirs(APP, appauthor=False)
    try:
        config, state = Path(dirs.user_config_dir), Path(dirs.user_state_dir)
    except RuntimeError:
        config = state = Path()
    if not (config.is_absolute() and state.is_absolute()):  # an older platformdirs leaves the `~` in its place
        raise ConfigError("this user has no home directory", hint="set HOME to a directory that you can write to")
    return Paths(config_file=config / "config.toml", state=_writable(state))


def _writable(state: Path) -> Path:
    """`state`, or the session's directory when the home is read-only.

    The session's directory is the second choice: it goes when the user logs out, and a daemon may stay.
    """
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{_uid()}")
    if not _can_write(state) and session.is_dir() and _can_write(session):
        return session / APP
    return state


def _can_write(directory: Path) -> bool:
    """Whether `directory` can be written to, or be made."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
