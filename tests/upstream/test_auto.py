"""Which of its two backends `auto` asks, with the direct one in front of a played upstream."""

import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from claude_proxy.config import load
from claude_proxy.credentials.base import Credential, Finding, Kind, Secret, Source
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.errors import UpstreamUnreachable
from claude_proxy.upstream.anthropic import AnthropicBackend
from claude_proxy.upstream.auto import AutoBackend
from claude_proxy.upstream.base import Abilities, BackendChanged, NativeRequest, Reply
from claude_proxy.upstream.claude_cli.backend import ClaudeCliBackend
from claude_proxy.upstream.claude_cli.environment import CLOUDS, Cloud
from claude_proxy.upstream.claude_cli.program import OLDEST, Program
from tests.support.raw import Connection, RawServer, answer, raw_server

REFUSALS = (
    "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
    "Third-party apps now draw from your extra usage, not your plan limits.",
)


class One(Source):
    """A source with one credential."""

    description = "of the test"

    def __init__(self, kind: Kind, name: str) -> None:
        self.name = name
        self._credential = Credential(kind, Secret("sk-ant-oat01-made-up-made-up"), name, follows_base_url=True)

    def look(self) -> Finding:
        return Finding(self.name, "found", credential=self._credential)


class Cli(ClaudeCliBackend):
    """The CLI's backend without a program: it counts the requests."""

    installed = True
    set_up_for: Cloud | None = None
    asked = 0

    @property
    def cloud(self) -> Cloud | None:
        return self.set_up_for

    async def program(self) -> Program:
        if not self.installed:
            raise UpstreamUnreachable("the program `claude` was not found")
        return Program(Path("/bin/claude"), OLDEST, None)

    async def messages(self, body: bytes, *, betas: Sequence[str] = (), client_retries: int = 0) -> Reply:
        self.asked += 1
        raise UpstreamUnreachable("asked the CLI")


@asynccontextmanager
async def auto(
    *,
    message: str = REFUSALS[0],
    status: str = "400 Bad Request",
    kind: Kind = "oauth",
    source: str = "Claude CLI login",
) -> AsyncIterator[tuple[AutoBackend, Cli, RawServer]]:
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": message}}).encode()

    async def play(peer: Connection) -> None:
        while True:
            await peer.request()
            await peer.send(answer(body, status))

    async with raw_server(play) as upstream:
        config = load({"base_url": upstream.url, "retries": 0}, {})
        chain = CredentialChain([One(kind, source)], config)
        cli = Cli(config, chain, {})
        backend = AutoBackend(AnthropicBackend(config, chain, {}), cli, chain)
        try:
            yield backend, cli, upstream
        finally:
            await backend.close()


@pytest.mark.parametrize("message", REFUSALS)
async def test_a_refused_plan_login_changes_to_the_cli_for_good(message: str, caplog: pytest.LogCaptureFixture) -> None:
    async with auto(message=message) as (backend, cli, upstream):
        assert backend.name == "anthropic"
        with caplog.at_level(logging.WARNING), pytest.raises(BackendChanged):
            await backend.messages(b"{}")
        assert (backend.name, backend.status().name) == ("claude_cli", "claude_cli")
        for _ in range(2):
            with pytest.raises(UpstreamUnreachable, match="asked the CLI"):
                await backend.messages(b"{}")
        assert (len(upstream.requests), cli.asked) == (1, 2)
        assert "refuses this plan login" in (backend.status().reason or "")
    assert len([line for line in caplog.messages if "from now on" in line]) == 1


async def test_abilities_are_those_of_the_backend_that_answers() -> None:
    async with auto() as (backend, cli, _):
        assert backend.abilities == Abilities()
        with pytest.raises(BackendChanged):
            await backend.messages(b"{}")
        assert backend.abilities.without_fields == cli.abilities.without_fields
        assert await backend.models() is None


async def test_native_requests_stay_direct() -> None:
    async with auto() as (backend, _, upstream):
        with pytest.raises(BackendChanged):
            await backend.messages(b"{}")
        with await backend.native(NativeRequest("POST", "/v1/messages", b"{}")) as reply:
            assert reply.status == 400
        assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("kind", "source"), [("api_key", "ANTHROPIC_API_KEY"), ("api_key", "Console key"), ("oauth", "Anthropic profile x")]
)
async def test_a_key_and_a_console_login_never_change_to_the_cli(kind: Kind, source: str) -> None:
    async with auto(kind=kind, source=source) as (backend, _, _):
        with await backend.messages(b"{}") as reply:
            assert (reply.status, reply.ended) == (400, False)
            assert REFUSALS[0].encode() in await reply.read()
            assert reply.ended
        assert backend.name == "anthropic"


async def test_other_errors_come_back_as_they_are() -> None:
    async with auto(message="max_tokens: too many") as (backend, _, _):
        with await backend.messages(b"{}") as reply:
            assert b"too many" in await reply.read()
        assert backend.name == "anthropic"


async def test_without_a_cli_the_refusal_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    async with auto() as (backend, cli, _):
        cli.installed = False
        with await backend.messages(b"{}") as reply:
            assert REFUSALS[0].encode() in await reply.read()
        assert backend.name == "anthropic"
    assert "was not found" in caplog.text


async def test_a_cli_that_is_set_up_for_a_cloud_answers_at_once() -> None:
    async with auto() as (backend, cli, upstream):
        cli.set_up_for = CLOUDS[0]
        with pytest.raises(BackendChanged, match="Amazon Bedrock"):
            await backend.messages(b"{}")
        assert not upstream.requests


async def test_a_key_of_this_program_goes_before_a_cloud() -> None:
    async with auto(kind="api_key", source="system keyring", message="no") as (backend, cli, upstream):
        cli.set_up_for = CLOUDS[0]
        with await backend.messages(b"{}") as reply:
            assert reply.status == 400
        assert len(upstream.requests) == 1
