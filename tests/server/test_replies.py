import asyncio
import logging

import pytest
from aiohttp import web

from claude_proxy.errors import InvalidRequest, UpstreamRefused
from claude_proxy.server.exchange import EXCHANGE
from tests.support.endpoint import serving


async def test_each_reply_carries_the_common_headers() -> None:
    async def fine(request: web.Request) -> web.StreamResponse:
        request[EXCHANGE].warnings = ("seed", "logit_bias")
        return web.json_response({})

    async with serving(fine) as (client, _):
        headers = (await client.post("/x")).headers
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-processing-ms"].isdecimal()
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["server"] == "claude-proxy"
    assert headers["x-claude-proxy-warnings"] == "seed, logit_bias"


async def test_an_error_of_ours_becomes_its_status_headers_and_body() -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        raise UpstreamRefused("slow down", status=429, type="requests", code="rate", headers={"retry-after": "7"})

    async with serving(refuse) as (client, state):
        reply = await client.post("/x", data=b"{}")
        assert (reply.status, reply.headers["retry-after"]) == (429, "7")
        assert (await reply.json())["error"]["code"] == "rate"
    assert state.counters.last_error == "429 rate: slow down"


async def test_an_unforeseen_error_is_a_500_and_the_server_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError("secret detail")

    async with serving(fail) as (client, _):
        for _ in range(2):
            reply = await client.post("/x", data=b"{}")
            assert (reply.status, "secret detail" in await reply.text()) == (500, False)
    assert "ZeroDivisionError" in caplog.text


async def test_each_request_is_one_line_with_the_id_that_the_client_got(caplog: pytest.LogCaptureFixture) -> None:
    async def fine(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, headers={"x-request-id": "req_of_upstream"})

    async with serving(fine) as (client, _):
        with caplog.at_level(logging.INFO, "claude_proxy.requests"):
            await client.post("/x", data=b"{}")
    lines = [record.getMessage() for record in caplog.records if record.name == "claude_proxy.requests"]
    assert len(lines) == 1
    assert "POST /x id=req_of_upstream" in lines[0]
    assert "status=200" in lines[0]


@pytest.mark.parametrize(("error", "logged"), [(InvalidRequest("late"), False), (ZeroDivisionError("late"), True)])
async def test_an_error_after_the_client_left_is_only_logged_if_nobody_foresaw_it(
    caplog: pytest.LogCaptureFixture, error: Exception, logged: bool
) -> None:
    began = asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise error from None
        raise AssertionError

    async with serving(wait) as (client, state):
        asking = asyncio.create_task(client.post("/x", data=b"{}").__aenter__())
        await began.wait()
        asking.cancel()
        await asyncio.wait([asking])
    assert state.counters.last_error is None
    assert ("ZeroDivisionError" in caplog.text) is logged
    assert sum(record.levelno >= logging.ERROR for record in caplog.records) == logged


async def test_what_still_runs_when_the_server_stops_is_told_so() -> None:
    running = asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        running.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(wait) as (client, state):
        asking = asyncio.create_task(client.post("/x", data=b"{}"))
        await running.wait()
        state.stopping = True
        for exchange in state.open:
            assert exchange.task is not None
            exchange.task.cancel()
        reply = await asking
        assert (reply.status, (await reply.json())["error"]["code"]) == (503, "service_unavailable")
