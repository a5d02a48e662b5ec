"""The Messages API over HTTP: our own headers, the credential in force, and retries.

A request is sent again only before its reply has begun: once on a fresh connection when a pooled one turned out
to be closed, once with another credential after a 401, and up to `retries` times while upstream is busy or cannot
be reached.
"""

import asyncio
import logging
import random
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlsplit

from claude_proxy import __version__
from claude_proxy.config import Config
from claude_proxy.credentials.base import Credential
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.headers import auth_headers, may_go_to
from claude_proxy.errors import CredentialUnusable, InvalidRequest, UpstreamRefused, UpstreamUnreachable
from claude_proxy.redaction import redactor
from claude_proxy.transport.dial import ClientSettings
from claude_proxy.transport.pool import ConnectionPool
from claude_proxy.transport.reply import ConnectionLost, HTTPReply
from claude_proxy.upstream import retry
from claude_proxy.upstream.base import Abilities, BackendStatus, Identity, NativeRequest
from claude_proxy.wire.anthropic import VERSION

log = logging.getLogger(__name__)

USER_AGENT = f"claude-proxy/{__version__}"
MAX_HEADS = 64

_INVALID_IN_HEADER = re.compile(r"[\x00\r\n]")


def _jitter() -> float:
    """A random factor for delays, so that clients which failed together do not retry together; never below 1."""
    return random.uniform(1.0, 1.25)  # noqa: S311 - no secret


class AnthropicBackend:
    """A Backend that asks `config.base_url`. `environ` names proxies and certificate authorities."""

    name = "anthropic"
    abilities = Abilities()

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
        settings = ClientSettings(
            config.base_url, config.connect_timeout, config.first_byte_timeout, config.read_timeout
        )
        self._pool = ConnectionPool(settings, environ)
        self._checks_owner = config.upstream_is_loopback and config.same_user
        self._jitter = jitter
        self._credential: Credential | None = None
        self._heads: dict[tuple[object, ...], bytes] = {}  # of requests with that credential

    async def messages(self, body: bytes, *, betas: Sequence[str] = (), client_retries: int = 0) -> HTTPReply:
        headers = {"anthropic-beta": ",".join(betas)} if betas else {}
        return await self._send(NativeRequest("POST", "/v1/messages", body, headers), client_retries)

    async def models(self, after: str | None = None) -> HTTPReply:
        path = "/v1/models?limit=1000" + (f"&after_id={quote(after, safe='')}" if after else "")
        return await self._send(NativeRequest("GET", path), 0)

    async def native(self, request: NativeRequest) -> HTTPReply:
        return await self._send(request, retry.client_retries(request.headers))

    async def identity(self) -> Identity:
        credential = await self._chain.credential()
        return Identity(
            self.name,
            credential.source,
            credential.kind,
            credential.subscription,
            credential.expires_at,
            credential.secret.tail,
        )

    def status(self) -> BackendStatus:
        return BackendStatus(self.name)

    async def close(self) -> None:
        self._pool.close()
        await asyncio.sleep(0)  # the transports close in their own callbacks

    async def _send(self, request: NativeRequest, client_retries: int) -> HTTPReply:
        """Send a request, with retries while upstream is busy or cannot be reached."""
        for attempt in range(retry.budget(self._config.retries, client_retries)):
            try:
                reply = await self._send_authenticated(request)
            except UpstreamUnreachable as exc:
                delay = retry.backoff(attempt)
                log.info("%s; trying again in %.1f s", exc.message, delay)
            else:
                requested = retry.delay_after(reply.status, reply.headers, attempt)
                if requested is None:
                    return reply
                delay = requested
                reply.close()
                log.info("upstream answered %d; trying again in %.1f s", reply.status, delay)
            await asyncio.sleep(delay * self._jitter())
        return await self._send_authenticated(request)

    async def _send_authenticated(self, request: NativeRequest) -> HTTPReply:
        """Send a request with the credential in force, and with another one if upstream refuses that."""
        credential = await self._chain.credential()
        reply = await self._send_with(credential, request)
        if reply.status == 401 and (other := await self._replacement(credential, reply)) is not None:
            reply.close()
            reply = await self._send_with(other, request)
        if 300 <= reply.status < 400:
            reply.close()
            raise _redirect_error(reply.status)
        return reply

    async def _replacement(self, credential: Credential, reply: HTTPReply) -> Credential | None:
        """Another credential, after upstream has refused this one."""
        try:
            return await self._chain.refused(credential)
        except BaseException:
            reply.close()
            raise

    async def _send_with(self, credential: Credential, request: NativeRequest) -> HTTPReply:
        """Send a request once more if the connection was lost before the reply began."""
        head = self._head(request, credential)
        try:
            return await self._send_once(credential, head, request)
        except ConnectionLost:
            self._pool.retire()
            return await self._send_once(credential, head, request)

    async def _send_once(self, credential: Credential, head: bytes, request: NativeRequest) -> HTTPReply:
        connection = await self._pool.acquire()
        if credential.stored_login and self._checks_owner and connection.is_foreign():
            connection.close()
            raise _foreign_upstream_error(credential)
        reply = await connection.send_request(head, request.body, head_only=request.method == "HEAD")
        reply.headers = redactor.redact_headers(reply.headers)
        return reply

    def _head(self, request: NativeRequest, credential: Credential) -> bytes:
        """The head of a request. Raises CredentialUnusable, and InvalidRequest for characters that a head cannot hold.

        Most requests of a client have the same head: all but its end is cached while the credential is in force.
        """
        if credential is not self._credential:
            may_go_to(credential, self._config)
            redactor.add(credential.secret.reveal())  # upstream may quote it, and a gateway's token has no known form
            self._heads.clear()
            self._credential = credential
        key = (request.method, request.path, request.body is None, *request.headers.items())
        head = self._heads.get(key)
        if head is None:
            head = self._build_head(request, upstream_headers(request.headers, auth_headers(credential)))
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[key] = head
        return head + (b"\r\n" if request.body is None else b"content-length: %d\r\n\r\n" % len(request.body))

    def _build_head(self, request: NativeRequest, headers: Mapping[str, str]) -> bytes:
        lines = [f"{request.method} {self._base_path}{_checked_path(request.path)} HTTP/1.1", f"host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request.body is None:
            lines.remove(f"content-type: {headers['content-type']}")
        if _INVALID_IN_HEADER.search("".join(lines)):
            raise InvalidRequest("a header of this request, or the credential, contains a line break")
        # aiohttp decodes header bytes that are not UTF-8 as surrogates; they are sent as the same bytes.
        return "\r\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def upstream_headers(requested: Mapping[str, str], auth: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request to upstream; `requested` are the client's, `auth` the credential's.

    Of the client's headers `accept`, `content-type` and every `anthropic-*` are taken over, no others. Beta names of
    both sides are kept, each once.
    """
    headers = {
        "user-agent": USER_AGENT,
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "anthropic-version": VERSION,
    }
    betas: dict[str, None] = {}
    for source in (requested, auth):
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


def _checked_path(path: str) -> str:
    path = path.partition("#")[0]  # a fragment is never sent
    if not path.startswith("/v1/") or not path.isascii() or not path.isprintable() or " " in path:
        raise InvalidRequest("the query of this request contains characters that are not allowed in a URL")
    return path


def _foreign_upstream_error(credential: Credential) -> CredentialUnusable:
    return CredentialUnusable(
        f"the login from {credential.source} was not sent: a program of another user answers at the base URL's port",
        hint="check `base_url`; if you trust that program, set `same_user = false`",
    )


def _redirect_error(status: int) -> UpstreamRefused:
    return UpstreamRefused(
        f"upstream answered with a redirect ({status}); redirects are not followed, since the credential would be sent"
        " to the new address",
        status=502,
        type="server_error",
        code="upstream_redirect",
        hint="check `base_url`",
    )
