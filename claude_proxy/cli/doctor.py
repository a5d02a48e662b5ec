"""`claude-proxy doctor`: checks from the files to the account; each failing line says what to do."""

import asyncio
import email.utils
import importlib.metadata
import json
import os
import platform
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import click

from claude_proxy import __version__
from claude_proxy.cli import output
from claude_proxy.cli.models import listed
from claude_proxy.cli.settings import load as load_settings
from claude_proxy.cli.settings import setting_flags
from claude_proxy.config import Config
from claude_proxy.errors import ProxyError
from claude_proxy.log import one_line
from claude_proxy.paths import paths
from claude_proxy.service import background, choice, ports, probe, process

State = Literal["ok", "note", "failed"]
COLOURS: dict[State, str] = {"ok": "green", "note": "yellow", "failed": "red"}
# Logins are checked against the clock; a token that is believed to last is not renewed in time.
MAX_SKEW = 120.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. What failed has a hint."""

    name: str
    state: State
    detail: str
    hint: str | None = None


@click.command(short_help="Check everything from the port to the account.")
@click.option("--json", "as_json", is_flag=True, help="print a JSON list of the checks")
@setting_flags
@click.pass_context
def doctor(ctx: click.Context, *, flags: dict[str, object], as_json: bool) -> None:
    """Check everything from the port to the account. Costs nothing, changes nothing.

    Exits with 1 when a check fails.
    """
    checks: list[Check] = []
    for check in _checks(flags):
        checks.append(check)
        if not as_json:
            _show(check)
    if as_json:
        output.show(json.dumps([asdict(check) for check in checks], indent=2))
    if any(check.state == "failed" for check in checks):
        ctx.exit(1)


def _show(check: Check) -> None:
    output.show(f"{click.style(check.state.ljust(6), fg=COLOURS[check.state])}  {check.name:<12} {check.detail}")
    if check.hint:
        output.show(f"{' ' * 21}{check.hint}")


def _checks(flags: dict[str, object]) -> Iterator[Check]:
    yield _versions()
    try:
        config = load_settings(flags)
    except ProxyError as exc:
        yield _failed("settings", exc)
        return
    yield _settings(config)
    yield _guarded("files", _files)
    yield _guarded("daemon", lambda: _daemon(config))
    yield _guarded("service", _service)
    if config.simulator:
        yield Check("upstream", "note", "the built-in simulator: no account is looked for")
        return
    credentials = list(_credentials(config))
    yield from credentials
    yield _guarded("upstream", lambda: _upstream(config))
    if not any(check.state == "failed" for check in credentials):
        yield _guarded("models", lambda: _models(config))


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except ProxyError as exc:
        return _failed(name, exc)


def _failed(name: str, exc: ProxyError) -> Check:
    return Check(name, "failed", one_line(exc.message.partition(";")[0]), exc.hint)


def _versions() -> Check:
    parts = [f"{name} {importlib.metadata.version(name)}" for name in ("aiohttp", "keyring", "msgspec")]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Check("versions", "ok", ", ".join([f"claude-proxy {__version__}", python, *parts, platform.platform()]))


def _settings(config: Config) -> Check:
    given = [f"{name} by {origin}" for name, origin in config.origins.items()]
    file = paths().config_file
    return Check("settings", "ok", ", ".join(given) or f"all at their defaults ({file} is not there)")


def _files() -> Check:
    places = paths()
    with process.turn(places, timeout=1.0):
        pass
    if places.log_file.exists() and os.name == "posix" and places.log_file.stat().st_mode & 0o077:
        hint = f"chmod 600 {places.log_file}"
        return Check("files", "failed", f"others can read {places.log_file}", hint)
    return Check("files", "ok", f"{places.state} can be written to")


def _daemon(config: Config) -> Check:
    record = process.find(paths())
    if record is None:
        service = choice.installed(os.environ)
        if service and service.is_waiting():
            return Check("daemon", "ok", f"{service.name} listens, and the first request will start it")
        ports.check_free(config.host, config.port)
        return Check("daemon", "note", f"not running; port {config.port} is free", "`claude-proxy start` starts it")
    if not background.is_itself(record):
        detail = f"pid {record.pid} runs, and {record.url or 'its port'} does not answer"
        return Check("daemon", "failed", detail, "`claude-proxy restart`, and see `claude-proxy logs`")
    version = (probe.get_json(record.url or "", "/health") or {}).get("version")
    if version != __version__:
        detail = f"pid {record.pid} is version {version}, and {__version__} is installed"
        return Check("daemon", "failed", detail, "`claude-proxy restart` changes over")
    return Check("daemon", "ok", f"pid {record.pid} answers at {record.url}")


def _service() -> Check:
    here = choice.supervisor(os.environ)
    if here is None or (reason := here.missing()):
        detail = "no service manager that is known" if here is None else reason
        return Check("service", "note", f"{detail}: the daemon does not start by itself")
    if not here.is_installed():
        hint = "`claude-proxy service install` starts it at every login"
        return Check("service", "note", f"not installed in {here.name}", hint)
    return Check("service", "ok", f"installed in {here.name}")


def _credentials(config: Config) -> Iterator[Check]:
    from claude_proxy.credentials.chain import credential_chain, winner

    findings = asyncio.run(credential_chain(config, os.environ).survey())
    chosen = winner(findings)
    for finding in findings:
        if finding.state != "not here":
            state: State = "ok" if finding.state == "found" else "failed" if finding.stops else "note"
            used = ", and is used" if finding is chosen else ""
            yield Check(
                "credential", state, f"{finding.source}: {finding.state}{used} ({finding.detail})", finding.hint
            )
    if chosen is None:
        looked = ", ".join(finding.source for finding in findings)
        hint = "`claude auth login`, or ANTHROPIC_API_KEY, or `claude-proxy credentials set`"
        yield Check("credential", "failed", f"none can be used; looked at: {looked}", hint)


def _upstream(config: Config) -> Check:
    """Whether upstream's host answers, with TLS that is fine, and whether its clock is ours."""
    request = urllib.request.Request(  # noqa: S310 - settings allow http and https only
        config.base_url, method="HEAD", headers={"User-Agent": probe.USER_AGENT}
    )
    try:
        with urllib.request.urlopen(request, timeout=config.connect_timeout) as response:  # noqa: S310
            date = response.headers.get("Date")
    except urllib.error.HTTPError as exc:  # an answer all the same
        date = exc.headers.get("Date")
        exc.close()
    except (OSError, ValueError) as exc:
        return Check("upstream", "failed", f"{config.base_url}: {_reason(exc)}", _advice(exc))
    return _clock(config.base_url, date)


def _clock(url: str, date: str | None) -> Check:
    try:
        skew = time.time() - email.utils.parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Check("upstream", "ok", f"{url} answers")
    if abs(skew) > MAX_SKEW:
        detail = f"{url} answers, and this clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        return Check("upstream", "failed", detail, "set the clock: logins are renewed by it")
    return Check("upstream", "ok", f"{url} answers; the clock is right")


def _reason(exc: Exception) -> str:
    reason = getattr(exc, "reason", exc)
    return one_line(str(reason))


def _advice(exc: Exception) -> str:
    if isinstance(getattr(exc, "reason", exc), ssl.SSLError):
        return "if a proxy of yours opens TLS, name its authority in SSL_CERT_FILE"
    return "is the network there, and HTTPS_PROXY right?"


def _models(config: Config) -> Check:
    return Check("models", "ok", f"{len(listed(config))} can be used")
