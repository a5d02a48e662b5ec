import os
import threading

import pytest

from claude_proxy import __version__
from claude_proxy.credentials.base import Finding, Source
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.errors import NoCredential
from tests.server.conftest import KEY, Serve


async def test_health_says_which_process_answers_and_nothing_of_the_account(serve: Serve) -> None:
    async with serve() as served:
        reply = await served.client.get("/health")
        assert (reply.status, await reply.json()) == (
            200, {"status": "ok", "version": __version__, "instance": "a-nonce"},
        )  # fmt: skip


async def test_health_is_not_ok_while_the_server_stops(serve: Serve) -> None:
    async with serve() as served:
        served.state.stopping = True
        reply = await served.client.get("/health")
        assert (reply.status, (await reply.json())["status"]) == (503, "stopping")


async def test_status_tells_what_a_person_wants_to_know(serve: Serve) -> None:
    async with serve() as served:
        await served.client.get("/nowhere", headers={"User-Agent": "curl/8"})
        told = await (await served.client.get("/status")).json()
    assert told["pid"] == os.getpid()
    assert told["address"] == served.url
    assert told["base_url"] == f"{served.url}/openai/v1"
    assert told["upstream"] == {"base_url": served.upstream.url, "is_anthropic": False, "simulator": False}
    assert told["requests"] == told["clients"]["curl"] == 1
    assert "Invalid URL" in told["last_error"]["message"]


async def test_status_shows_no_more_of_a_credential_than_its_tail(serve: Serve) -> None:
    async with serve() as served:
        await served.state.chain.credential()
        reply = await served.client.get("/status")
        told = (await reply.json())["credential"]
        assert (told["found"], told["source"], told["kind"], told["tail"]) == (
            True, "ANTHROPIC_API_KEY", "api_key", "\u2026test",
        )  # fmt: skip
        assert KEY[:-4][-6:] not in (await reply.text()).replace("\u2026test", "")


async def test_status_says_what_to_do_without_a_credential(serve: Serve) -> None:
    async with serve(credential=False) as served:
        with pytest.raises(NoCredential):
            await served.state.chain.credential()
        told = (await (await served.client.get("/status")).json())["credential"]
    assert told["found"] is False
    assert "claude auth login" in told["hint"]


class Hanging(Source):
    name = "hanging"
    description = "a source that does not answer"
    look_timeout = 3600.0

    def __init__(self) -> None:
        self.release = threading.Event()

    def look(self) -> Finding:
        self.release.wait(60)
        return self.not_here("nothing")


async def test_status_does_not_wait_for_a_source_of_credentials(serve: Serve) -> None:
    source = Hanging()
    async with serve() as served:
        served.state.chain = CredentialChain([source], served.state.config)
        told = (await (await served.client.get("/status")).json())["credential"]
        source.release.set()
    assert (told["found"], told["message"]) == (None, "the search for one has not ended yet")
