"""`claude-proxy doctor`: checks of the installation, the daemon, upstream and the account, each with a hint."""

import asyncio
import email.utils
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import urlsplit

import click

from claude_proxy import __version__
from claude_proxy.cli import output
from claude_proxy.cli.models import list_models
from claude_proxy.cli.settings import load as load_settings
from claude_proxy.cli.settings import setting_flags
from claude_proxy.config import Config
from claude_proxy.errors import ProxyError, UpstreamError
from claude_proxy.paths import paths
from claude_proxy.service import choice, daemon, ports, probe

State = Literal["ok", "note", "failed"]
COLOURS: dict[State, str] = {"ok": "green", "note": "yellow", "failed": "red"}
# Seconds. The expiry of logins is compared with the clock: a clock that is behind renews them too late.
MAX_SKEW = 120.0


@dataclass(frozen=True)
class Check:
    """The result of one check. A failed one has a hint."""

    name: str
    state: State
    detail: str
    hint: str | None = None


@click.command(short_help="Check the installation, the daemon, upstream and the account.")
@click.option("--json", "as_json", is_flag=True, help="print a JSON list of the checks")
@setting_flags
@click.pass_context
def doctor(ctx: click.Context, *, flags: dict[str, object], as_json: bool) -> None:
    """Check the installation, the daemon, upstream and the account. Costs nothing, changes nothing.

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
    output.show(
        f"{click.style(check.state.ljust(6), fg=COLOURS[check.state])}  "
        f"{check.name:<12} {output.printable(check.detail)}"
    )
    if check.hint:
        output.show(f"{' ' * 21}{output.printable(check.hint)}")


def _checks(flags: dict[str, object]) -> Iterator[Check]:
    yield _versions()
    try:
        config = load_settings(flags)
    except ProxyError as exc:
        yield _failed("settings", exc)
        return
    yield _settings(config)
    yield _run("files", _files)
    yield _run("daemon", lambda: _daemon(config))
    yield _run("service", _service)
    if config.simulator:
        yield Check("upstream", "note", "the built-in simulator: no account is needed")
        return
    credentials = list(_credentials(config))
    yield from credentials
    yield _run("upstream", lambda: _upstream(config))
    if not any(check.state == "failed" for check in credentials):
        yield _run("models", lambda: _models(config))


def _run(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except ProxyError as exc:
        return _failed(name, exc)


def _failed(name: str, exc: ProxyError) -> Check:
    return Check(name, "failed", exc.message.partition(";")[0], exc.hint)


def _versions() -> Check:
    parts = [f"{name} {importlib.metadata.version(name)}" for name in ("aiohttp", "keyring", "msgspec")]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Check("versions", "ok", ", ".join([f"claude-proxy {__version__}", python, *parts, platform.platform()]))


def _settings(config: Config) -> Check:
    given = [f"{name} by {origin}" for name, origin in config.origins.items()]
    file = paths().config_file
    return Check("settings", "ok", ", ".join(given) or f"all at their defaults ({file} does not exist)")


def _files() -> Check:
    places = paths()
    with daemon.exclusive(places, timeout=1.0):
        pass
    if places.log_file.exists() and os.name == "posix" and places.log_file.stat().st_mode & 0o077:
        hint = f"chmod 600 {places.log_file}"
        return Check("files", "failed", f"others can read {places.log_file}", hint)
    return Check("files", "ok", f"{places.state} is writable")


def _daemon(config: Config) -> Check:
    record = daemon.find(paths())
    if record is None:
        service = choice.installed(os.environ)
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


def _service() -> Check:
    here = choice.supervisor(os.environ)
    if here is None or (reason := here.missing()):
        detail = "no supported service manager" if here is None else reason
        return Check("service", "note", f"{detail}; the daemon has to be started by hand")
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
        yield Check("credential", "failed", f"none can be used; sources: {looked}", hint)


def _upstream(config: Config) -> Check:
    """Whether upstream's host answers over the network that requests use, and whether its clock agrees with ours."""
    try:
        status, date = asyncio.run(_ask_upstream(config))
    except UpstreamError as exc:
        hint = exc.hint or "check `base_url`, the network connection and HTTPS_PROXY"
        return Check("upstream", "failed", f"{config.base_url}: {exc.message}", hint)
    if 300 <= status < 400:
        detail = f"{config.base_url} answers with a redirect ({status}), which is never followed"
        return Check("upstream", "failed", detail, "set `base_url` to the address that serves the Messages API")
    return _clock(config.base_url, date)


async def _ask_upstream(config: Config) -> tuple[int, str | None]:
    """The status and the `Date` header of a reply, asked for without a credential by the backend's own HTTP client.

    Raises ProxyError.
    """
    from claude_proxy.transport.dial import ClientSettings
    from claude_proxy.transport.pool import ConnectionPool

    seconds = config.connect_timeout
    pool = ConnectionPool(ClientSettings(config.base_url, seconds, seconds, seconds), os.environ)
    url = urlsplit(config.base_url)
    head = f"GET {url.path or '/'} HTTP/1.1\r\nhost: {url.netloc}\r\nuser-agent: {probe.USER_AGENT}\r\n\r\n"
    try:
        connection = await pool.acquire()
        with await connection.send_request(head.encode(), None) as reply:
            return reply.status, reply.headers.get("date")
    finally:
        pool.close()
        await asyncio.sleep(0)  # transports close in their own callbacks


def _clock(url: str, date: str | None) -> Check:
    try:
        skew = time.time() - email.utils.parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError):
        return Check("upstream", "ok", f"{url} answers")
    if abs(skew) > MAX_SKEW:
        detail = f"{url} answers, and this machine's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        return Check("upstream", "failed", detail, "set the clock: the expiry of logins is compared with it")
    return Check("upstream", "ok", f"{url} answers; the clocks agree")


def _models(config: Config) -> Check:
    return Check("models", "ok", f"{len(list_models(config))} can be used")
