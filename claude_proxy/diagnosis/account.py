"""Checks of what lies beyond this machine: the credential, upstream, and the models that can be used."""

import asyncio
import email.utils
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from claude_proxy.config import Config
from claude_proxy.credentials.chain import credential_chain, winner
from claude_proxy.diagnosis.check import Check, State
from claude_proxy.diagnosis.model_list import list_models
from claude_proxy.errors import UpstreamError
from claude_proxy.paths import Paths
from claude_proxy.service import probe
from claude_proxy.transport.dial import ClientSettings
from claude_proxy.transport.pool import ConnectionPool

# Seconds. The expiry of logins is compared with the clock: a clock that is behind renews them too late.
MAX_SKEW = 120.0


def check_credentials(config: Config, environ: Mapping[str, str]) -> Iterator[Check]:
    findings = asyncio.run(credential_chain(config, environ).survey())
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


def check_upstream(config: Config, environ: Mapping[str, str]) -> Check:
    """Whether upstream's host answers over the network that requests use, and whether its clock agrees with ours."""
    try:
        status, date = asyncio.run(_ask_upstream(config, environ))
    except UpstreamError as exc:
        hint = exc.hint or "check `base_url`, the network connection and HTTPS_PROXY"
        return Check("upstream", "failed", f"{config.base_url}: {exc.message}", hint)
    if 300 <= status < 400:
        detail = f"{config.base_url} answers with a redirect ({status}), which is never followed"
        return Check("upstream", "failed", detail, "set `base_url` to the address that serves the Messages API")
    return compare_clocks(config.base_url, date)


async def _ask_upstream(config: Config, environ: Mapping[str, str]) -> tuple[int, str | None]:
    """The status and the `Date` header of a reply, asked for without a credential by the backend's own HTTP client.

    Raises ProxyError.
    """
    seconds = config.connect_timeout
    pool = ConnectionPool(ClientSettings(config.base_url, seconds, seconds, seconds), environ)
    url = urlsplit(config.base_url)
    head = f"GET {url.path or '/'} HTTP/1.1\r\nhost: {url.netloc}\r\nuser-agent: {probe.USER_AGENT}\r\n\r\n"
    try:
        connection = await pool.acquire()
        with await connection.send_request(head.encode(), None) as reply:
            return reply.status, reply.headers.get("date")
    finally:
        pool.close()
        await asyncio.sleep(0)  # transports close in their own callbacks


def compare_clocks(url: str, date: str | None) -> Check:
    """Whether upstream's `Date` header agrees with this machine's clock."""
    try:
        skew = time.time() - email.utils.parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError):
        return Check("upstream", "ok", f"{url} answers")
    if abs(skew) > MAX_SKEW:
        detail = f"{url} answers, and this machine's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        return Check("upstream", "failed", detail, "set the clock: the expiry of logins is compared with it")
    return Check("upstream", "ok", f"{url} answers; the clocks agree")


def check_models(config: Config, environ: Mapping[str, str], places: Paths) -> Check:
    return Check("models", "ok", f"{len(list_models(config, environ, places))} can be used")
