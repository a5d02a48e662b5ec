"""The Messages API over HTTP: our own headers, the credential in force, and what is tried a second time.

A request is sent again only before its reply has begun: once on a fresh connection when a pooled one turned out
to be dead, once with another credential when upstream no longer takes this one, and as often as `retries` allows
when upstream is busy or cannot be reached.
"""

import asyncio
import logging
import random
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from claude_proxy import __version__
from claude_proxy.config import Config
from claude_proxy.credentials.base import Credential
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.headers import auth_headers, may_go_to
from claude_proxy.errors import InvalidRequest, UpstreamRefused, UpstreamUnreachable
from claude_proxy.transport.pool import Pool
from claude_proxy.transport.reply import ConnectionLost, HTTPReply
from claude_proxy.upstream import retry
from claude_proxy.upstream.base import UpstreamRequest
from claude_proxy.wire.anthropic import VERSION

log = logging.getLogger(__name__)

USER_AGENT = f"claude-proxy/{__version__}"
MAX_HEADS = 64

_UNFIT_FOR_A_HEADER = re.compile(r"[\x00\r\n]")


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
        url = urlsplit(config.base_url)
        self._config = config
        self._chain = chain
        self._host = url.netloc.rpartition("@")[2]
        self._base_path = url.path.rstrip("/")
        self._pool = Pool(config, environ)
        self._jitter = jitter
        self._credential: Credential | None = None
        self._heads: dict[tuple[object, ...], bytes] = {}  # of requests with that credential

    async def send(self, request: UpstreamRequest) -> HTTPReply:
        left = retry.budget(self._config.retries, request.headers)
        for attempt in range(left):
            try:
                reply = await self._reply(request)
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
        return await self._reply(request)

    async def close(self) -> None:
        self._pool.close()
        await asyncio.sleep(0)  # the transports end in their own callbacks

    async def _reply(self, request: UpstreamRequest) -> HTTPReply:
        credential = await self._chain.credential()
        reply = await self._sent(request, credential)
        if reply.status == 401 and (other := await self._other(credential, reply)) is not None:
            reply.close()
            reply = await self._sent(request, other)
        if 300 <= reply.status < 400:
            reply.close()
            raise _redirected(reply.status)
        return reply

    async def _other(self, credential: Credential, reply: HTTPReply) -> Credential | None:
        """Another credential, now that upstream has refused this one."""
        try:
            return await self._chain.refused(credential)
        except BaseException:
            reply.close()
            raise

    async def _sent(self, request: UpstreamRequest, credential: Credential) -> HTTPReply:
        head = self._head(request, credential)
        try:
            return await self._asked(head, request.body)
        except ConnectionLost:
            self._pool.retire()
            return await self._asked(head, request.body)

    async def _asked(self, head: bytes, body: bytes | None) -> HTTPReply:
        connection = await self._pool.connection()
        return await connection.ask(
            head,
            body,
            first_byte_timeout=self._config.first_byte_timeout,
            read_timeout=self._config.read_timeout,
        )

    def _head(self, request: UpstreamRequest, credential: Credential) -> bytes:
        """The head of a request. Raises CredentialUnusable, and InvalidRequest for what no head may hold.

        Most requests of a client have the same: all but its end is remembered, for the credential in force.
        """
        if credential is not self._credential:
            may_go_to(credential, self._config)
            self._heads.clear()
            self._credential = credential
        key = (request.method, request.path, request.body is None, *request.headers.items())
        head = self._heads.get(key)
        if head is None:
            head = self._fresh_head(request, upstream_headers(request.headers, auth_headers(credential)))
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[key] = head
        return head + (b"\r\n" if request.body is None else b"content-length: %d\r\n\r\n" % len(request.body))

    def _fresh_head(self, request: UpstreamRequest, headers: Mapping[str, str]) -> bytes:
        lines = [f"{request.method} {self._base_path}{_checked(request.path)} HTTP/1.1", f"host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request.body is None:
            lines.remove(f"content-type: {headers['content-type']}")
        if _UNFIT_FOR_A_HEADER.search("".join(lines)):
            raise InvalidRequest("a header of this request, or the credential, holds a line break")
        # What came in as bytes that are no text goes out as the same bytes.
        return "\r\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


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
    path = path.partition("#")[0]  # a fragment is no part of what is asked for
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
