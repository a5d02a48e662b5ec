"""Checks of this machine: versions, settings, files, the daemon and its service."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping

from claude_proxy import __version__
from claude_proxy.config import Config
from claude_proxy.diagnosis.check import Check
from claude_proxy.paths import Paths
from claude_proxy.service import choice, daemon, ports, probe


def check_versions() -> Check:
    parts = [f"{name} {importlib.metadata.version(name)}" for name in ("aiohttp", "keyring", "msgspec")]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Check("versions", "ok", ", ".join([f"claude-proxy {__version__}", python, *parts, platform.platform()]))


def check_settings(config: Config, places: Paths) -> Check:
    given = [f"{name} by {origin}" for name, origin in config.origins.items()]
    return Check("settings", "ok", ", ".join(given) or f"all at their defaults ({places.config_file} does not exist)")


def check_files(places: Paths) -> Check:
    with daemon.exclusive(places, timeout=1.0):
        pass
    if places.log_file.exists() and os.name == "posix" and places.log_file.stat().st_mode & 0o077:
        hint = f"chmod 600 {places.log_file}"
        return Check("files", "failed", f"others can read {places.log_file}", hint)
    return Check("files", "ok", f"{places.state} is writable")


def check_daemon(config: Config, environ: Mapping[str, str], places: Paths) -> Check:
    record = daemon.find(places)
    if record is None:
        service = choice.installed(environ)
        if service and service.is_waiting():
            return Check("daemon", "ok", f"{service.name} listens, and the first request will start it")
        ports.check_free(config.host, config.port)
        return Check("daemon", "note", f"not running; port {config.port} is free", "`claude-proxy start` starts it")
    if not probe.is_itself(record):
        detail = f"pid {record.pid} runs, and does not answer at {record.url or 'its port'}"
        return Check("daemon", "failed", detail, "`claude-proxy restart`, and see `claude-proxy logs`")
    version = (probe.get_json(record, "/health") or {}).get("version")
    if version != __version__:
        detail = f"pid {record.pid} is version {version}, and {__version__} is installed"
        return Check("daemon", "failed", detail, "`claude-proxy restart` switches to it")
    return Check("daemon", "ok", f"pid {record.pid} answers at {record.url}")


def check_service(environ: Mapping[str, str]) -> Check:
    here = choice.supervisor(environ)
    if here is None or (reason := here.missing()):
        detail = "no supported service manager" if here is None else reason
        return Check("service", "note", f"{detail}; the daemon has to be started by hand")
    if not here.is_installed():
        hint = "`claude-proxy service install` starts it at every login"
        return Check("service", "note", f"not installed in {here.name}", hint)
    return Check("service", "ok", f"installed in {here.name}")
