"""The Messages API over HTTP: our own headers, the credential in force, and what is tried a second time.

A request is sent again only before its reply has begun: once on a fresh connection when a pooled one turned out
to be dead, once with another credential when upstream no longer takes this one, and as often as `retries` allows
when upstream is busy or cannot be reached.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from yarl import URL

from claude_proxy import __version__
from claude_proxy.config import Config
from claude_proxy.credentials.base import Credential
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.headers import auth_headers, may_go_to
from claude_proxy.errors import InvalidRequest, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from claude_proxy.upstream import retry
from claude_proxy.upstream.base import Reply, UpstreamRequest
from claude_proxy.upstream.pool import Pool
from claude_proxy.upstream.reply import FOREIGN, ConnectionLost, HTTPReply, upstream_error
from claude_proxy.wire.anthropic import VERSION

log = logging.getLogger(__name__)

USER_AGENT = f"claude-proxy/{__version__}"


def _jitter() -> float:
    """A factor that keeps clients who failed together from coming back together; never earlier than asked for."""
    return random.uniform(1.0, 1.25)  # noqa: S311 - no secret


class AnthropicBackend:
    """A Backend that asks `config.base_url`. `environ` is where proxies and further authorities are named."""

    def __init__(
        self,
        config: Config,
        chain: CredentialChain,
        environ: Mapping[str, str],
        *,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._config = config
        self._chain = chain
        self._base = config.base_url.rstrip("/")
        self._pool = Pool(config, environ)
        self._jitter = jitter

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[Reply]:
        async with AsyncExitStack() as stack:
            yield await self._patient_reply(request, stack)

    async def close(self) -> None:
        await self._pool.close()

    async def _patient_reply(self, request: UpstreamRequest, stack: AsyncExitStack) -> HTTPReply:
        left = retry.budget(self._config.retries, request.headers)
        for attempt in range(left):
            try:
                reply = await self._reply(request, stack)
            except UpstreamUnreachable as exc:
                pause = retry.pause(attempt)
                log.info("%s; trying again in %.1f s", exc.message, pause)
            else:
                wanted = retry.pause_after(reply.status, reply.headers, attempt)
                if wanted is None:
                    return reply
                pause = wanted
                reply.close()
                log.info("upstream answered %d; trying again in %.1f s", reply.status, pause)
            await asyncio.sleep(pause * self._jitter())
        return await self._reply(request, stack)

    async def _reply(self, request: UpstreamRequest, stack: AsyncExitStack) -> HTTPReply:
        credential = await self._chain.credential()
        reply = await self._sent(request, credential, stack)
        if reply.status == 401 and (other := await self._chain.refused(credential)) is not None:
            reply.close()
            reply = await self._sent(request, other, stack)
        if 300 <= reply.status < 400:
            raise _redirected(reply.status)
        return reply

    async def _sent(self, request: UpstreamRequest, credential: Credential, stack: AsyncExitStack) -> HTTPReply:
        may_go_to(credential, self._config)
        headers = upstream_headers(request.headers, auth_headers(credential))
        if request.body is None:
            del headers["content-type"]
        try:
            return await self._attempt(request, headers, stack)
        except ConnectionLost:
            await self._pool.retire()
            return await self._attempt(request, headers, stack)

    async def _attempt(self, request: UpstreamRequest, headers: Mapping[str, str], stack: AsyncExitStack) -> HTTPReply:
        session = await stack.enter_async_context(self._pool.session())
        try:
            response = await session.request(
                request.method,
                URL(self._base + _checked(request.path), encoded=True),
                data=request.body,
                headers=headers,
                allow_redirects=False,
                proxy=self._pool.proxy,
            )
        except aiohttp.SocketTimeoutError as exc:
            limit = self._config.first_byte_timeout
            raise UpstreamTimeout(f"upstream has not begun to answer within {limit:g} s") from exc
        except FOREIGN as exc:
            raise upstream_error(exc) from exc
        stack.callback(response.close)
        reply = HTTPReply(response, self._config.read_timeout)
        stack.callback(reply.close)
        return reply


def upstream_headers(asked: Mapping[str, str], auth: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request to upstream, from a fixed list; `asked` are the caller's, `auth` the credential's.

    Taken over are `accept`, `content-type` and Anthropic's own. Beta names of both sides are kept, each once.
    """
    headers = {
        "user-agent": USER_AGENT,
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "anthropic-version": VERSION,
    }
    betas: dict[str, None] = {}
    for source in (asked, auth):
        for name, value in source.items():
            lower = name.lower()
            if lower == "anthropic-beta":
                betas.update(dict.fromkeys(filter(None, map(str.strip, value.split(",")))))
            elif lower in ("accept", "content-type") or lower.startswith("anthropic-"):
                headers[lower] = value
    if betas:
        headers["anthropic-beta"] = ",".join(betas)
    headers.update((name, value) for name, value in auth.items() if name.lower() != "anthropic-beta")
    return headers


def _checked(path: str) -> str:
    if not path.startswith("/v1/") or not path.isascii() or not path.isprintable() or " " in path:
        raise InvalidRequest("the query of this request holds characters that no URL may hold")
    return path


def _redirected(status: int) -> UpstreamRefused:
    return UpstreamRefused(
        f"upstream answered with a redirect ({status}), which is never followed: it would carry the credential along",
        status=502,
        type="server_error",
        code="upstream_redirect",
        hint="check `base_url`",
    )


BACKENDS = {"anthropic": AnthropicBackend}
