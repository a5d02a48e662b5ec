"""The Responses API over a WebSocket, through the whole daemon."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from openai.types.responses import ResponsesServerEvent
from pydantic import TypeAdapter

from tests.server.conftest import Serve
from tests.support.daemon import Daemon, daemon
from tests.support.openai_client import MODEL, storing_daemon, texts_sent
from tests.support.raw import SSE_HEAD, Connection
from tests.support.waiting import stalled

EVENT: TypeAdapter[Any] = TypeAdapter(ResponsesServerEvent)
PATH = "/openai/v1/responses"


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with storing_daemon(tmp_path) as (proxy, _):
        yield proxy


@asynccontextmanager
async def connected(url: str, **headers: str) -> AsyncIterator[ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as http, http.ws_connect(url + PATH, headers=headers) as socket:
        yield socket


async def create(socket: ClientWebSocketResponse, text: Any, **fields: Any) -> None:
    await socket.send_json({"type": "response.create", "model": MODEL, "input": text, **fields})


async def received(socket: ClientWebSocketResponse) -> dict[str, Any]:
    event: dict[str, Any] = await socket.receive_json(timeout=10)
    EVENT.validate_python(event, strict=True)
    return event


async def response(socket: ClientWebSocketResponse) -> list[dict[str, Any]]:
    """The events of one response."""
    events = [await received(socket)]
    while events[-1]["type"] not in ("response.completed", "response.incomplete", "response.failed"):
        assert events[-1]["type"] != "error" or "sequence_number" in events[-1], events[-1]
        events.append(await received(socket))
    return events


# ------------------------------------------------------------------------------------------------------- answers


async def test_the_events_are_those_of_a_stream(proxy: Daemon):
    async with connected(proxy.url) as socket:
        await create(socket, "/simulate text Hello")
        events = await response(socket)
    async with aiohttp.ClientSession() as http:
        body = {"model": MODEL, "input": "/simulate text Hello", "stream": True}
        async with http.post(proxy.url + PATH, json=body) as reply:
            frames = (await reply.text()).split("\n\n")[:-1]
    streamed = [json.loads(frame.partition("\ndata: ")[2]) for frame in frames]
    assert [event["type"] for event in events] == [event["type"] for event in streamed]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["output"][0]["content"] == streamed[-1]["response"]["output"][0]["content"]


async def test_one_connection_answers_one_request_after_the_other(proxy: Daemon):
    async with connected(proxy.url) as socket:
        for text in ("One", "Two"):
            await create(socket, f"/simulate text {text}")
        texts = [(await response(socket))[-1]["response"]["output"][0]["content"][0]["text"] for _ in range(2)]
    assert texts == ["One", "Two"]


@pytest.mark.parametrize("stored", [True, False])
async def test_a_response_is_continued_on_its_connection_also_if_it_is_not_stored(proxy: Daemon, stored: bool):
    async with connected(proxy.url) as socket:
        await create(socket, "/simulate text One", store=stored)
        first = (await response(socket))[-1]["response"]
        await create(socket, "/simulate text Two", store=stored, previous_response_id=first["id"])
        second = (await response(socket))[-1]["response"]
        await create(socket, "And?", store=stored, previous_response_id=second["id"])
        await response(socket)
    assert texts_sent(proxy) == [
        ("user", "/simulate text One"),
        ("assistant", "One"),
        ("user", "/simulate text Two"),
        ("assistant", "Two"),
        ("user", "And?"),
    ]
    async with connected(proxy.url) as socket:
        await create(socket, "x", previous_response_id=first["id"])
        event = await received(socket)
    assert event["type"] == ("response.created" if stored else "error")


async def test_a_response_of_a_daemon_without_a_store_is_continued():
    async with daemon() as proxy, connected(proxy.url) as socket:
        await create(socket, "/simulate text One")
        first = (await response(socket))[-1]["response"]
        await create(socket, "And?", previous_response_id=first["id"])
        await response(socket)
        assert len(texts_sent(proxy)) == 3


async def test_only_the_newest_responses_are_remembered():
    async with daemon() as proxy, connected(proxy.url) as socket:
        await create(socket, "/simulate text One")
        first = (await response(socket))[-1]["response"]
        for _ in range(16):
            await create(socket, "/simulate text Two")
            await response(socket)
        await create(socket, "And?", previous_response_id=first["id"])
        assert (await received(socket))["error"]["code"] == "previous_response_not_found"


async def test_a_request_without_generation_prepares_the_next(proxy: Daemon):
    async with connected(proxy.url) as socket:
        await create(socket, "Remember this.", generate=False, store=False)
        prepared = (await response(socket))[-1]["response"]
        assert (prepared["status"], prepared["output"], prepared["usage"]) == ("completed", [], None)
        assert proxy.bodies == []
        await create(socket, "And?", store=False, previous_response_id=prepared["id"])
        await response(socket)
    assert texts_sent(proxy) == [("user", "Remember this. And?")]


# --------------------------------------------------------------------------------------------------------- lanes


async def test_lanes_run_side_by_side_and_each_event_names_its_lane(proxy: Daemon):
    async with connected(proxy.url) as socket:
        await create(socket, "/simulate text Hel\n/simulate stall", stream_id="slow")
        while (await received(socket))["type"] != "response.output_text.delta":
            pass
        await create(socket, "/simulate text Hello", stream_id="fast")
        events = await response(socket)
    assert {event["stream_id"] for event in events} == {"fast"}


async def test_there_are_only_so_many_lanes_and_messages(proxy: Daemon):
    async with connected(proxy.url) as socket:
        for number in range(33):
            await create(socket, "/simulate stall", stream_id=str(number))
        while (event := await received(socket))["type"] != "error":
            pass
        assert (event["error"]["code"], event["stream_id"]) == ("too_many_requests", "32")


# --------------------------------------------------------------------------------------------------------- errors

BAD: list[tuple[str, str | None]] = [
    ("{", None),
    ("[]", None),
    ("{}", "type"),
    ('{"type":5}', "type"),
    ('{"type":"response.nonsense"}', "type"),
    ('{"type":"response.create"}', "model"),
    ('{"type":"response.create","stream_id":5}', "stream_id"),
    ('{"type":"response.create","stream_id":""}', "stream_id"),
    ('{"type":"response.create","model":"claude-haiku-4-5"}', "input"),
    ('{"type":"response.create","model":"claude-haiku-4-5","input":[{"role":"critic"}]}', "input[0].role"),
    ('{"type":"response.create","model":"claude-haiku-4-5","input":"x","background":true}', "background"),
    ('{"type":"response.create","model":"claude-haiku-4-5","input":"x","conversation":"conv_1"}', "conversation"),
    (
        '{"type":"response.create","model":"claude-haiku-4-5","input":"x","previous_response_id":"y"}',
        "previous_response_id",
    ),
]


@pytest.mark.parametrize(("text", "param"), BAD, ids=[text[:60] for text, _ in BAD])
async def test_a_bad_message_is_an_error_event_and_the_connection_goes_on(proxy: Daemon, text: str, param: str | None):
    async with connected(proxy.url) as socket:
        await socket.send_str(text)
        event = await received(socket)
        assert (event["type"], event["error"]["param"]) == ("error", param)
        assert 400 <= event["status"] < 500
        await create(socket, "/simulate text Hello")
        assert (await response(socket))[-1]["type"] == "response.completed"


async def test_an_error_names_its_lane(proxy: Daemon):
    async with connected(proxy.url) as socket:
        await create(socket, "x", stream_id="a", previous_response_id="resp_nowhere")
        event = await received(socket)
    assert (event["stream_id"], event["error"]["code"]) == ("a", "previous_response_not_found")


async def test_a_refusal_of_upstream_is_an_error_event_with_its_status(proxy: Daemon):
    async with connected(proxy.url) as socket:
        await create(socket, "/simulate status 429 message=slow")
        event = await received(socket)
    assert (event["type"], event["status"], event["error"]["code"]) == ("error", 429, "rate_limit_exceeded")


async def test_a_cut_response_is_failed(proxy: Daemon):
    async with connected(proxy.url) as socket:
        await create(socket, "/simulate text Hel\n/simulate cut")
        event = {"type": ""}
        types = []
        while event["type"] != "response.failed":
            event = await socket.receive_json(timeout=10)
            types.append(event["type"])
    assert types[-2:] == ["error", "response.failed"]


async def test_steering_is_answered_with_its_input(proxy: Daemon):
    async with connected(proxy.url) as socket:
        steer = {"type": "response.steer", "previous_response_id": "resp_1", "input": "faster"}
        await socket.send_json(steer)
        event = await received(socket)
        assert event["error"]["code"] == "steering_not_supported"
        assert event["steer"] == {"input": "faster", "previous_response_id": "resp_1"}
        await socket.send_json({**steer, "previous_response_id": 5})
        assert (await socket.receive_json())["type"] == "response.steer.failed"


async def test_a_binary_message_is_refused(proxy: Daemon):
    async with connected(proxy.url) as socket:
        await socket.send_bytes(b"{}")
        assert (await received(socket))["error"]["message"] == "messages must be text"


async def test_a_message_that_is_too_large_ends_the_connection(tmp_path: Path):
    async with storing_daemon(tmp_path, max_body=1000) as (proxy, _), connected(proxy.url) as socket:
        await create(socket, "x" * 2000)
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1009


# ---------------------------------------------------------------------------------------------------- the handshake


async def test_a_plain_get_is_told_to_upgrade(proxy: Daemon):
    async with aiohttp.ClientSession() as http, http.get(proxy.url + PATH) as reply:
        assert (reply.status, reply.headers["upgrade"]) == (426, "websocket")
        assert (await reply.json())["error"]["code"] == "upgrade_required"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_page_cannot_open_it(proxy: Daemon, headers: dict[str, str]):
    with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
        async with connected(proxy.url, **headers):
            pass
    assert raised.value.status == 403


async def test_with_a_key_it_needs_the_key(tmp_path: Path):
    key = tmp_path / "key"
    async with daemon(api_key_file=str(key)) as proxy:
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            async with connected(proxy.url):
                pass
        assert raised.value.status == 401
        async with connected(proxy.url, Authorization=f"Bearer {key.read_text().strip()}") as socket:
            await create(socket, "/simulate text Hello")
            await response(socket)


# ------------------------------------------------------------------------------------------------------------ ends


async def test_a_client_that_leaves_ends_the_request_upstream(serve: Serve):
    left = asyncio.Event()

    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD)
        await peer.gone()
        left.set()

    async with serve(play) as served:
        async with connected(served.url) as socket:
            await create(socket, "x", model="claude-sonnet-5")
            await stalled(lambda: len(served.sent()))
        async with asyncio.timeout(10):
            await left.wait()


async def test_an_idle_connection_is_closed_at_the_stop(serve: Serve):
    async with serve() as served, connected(served.url) as socket:
        draining = asyncio.create_task(served.server.drain(30, asyncio.Event()))
        assert (await socket.receive()).type is WSMsgType.CLOSE
        await asyncio.wait_for(draining, 5)
        assert socket.close_code == 1001


async def test_a_response_that_does_not_end_in_time_is_told_why(serve: Serve):
    async def play(peer: Connection) -> None:
        await peer.request()
        await peer.send(SSE_HEAD)
        await peer.gone()

    async with serve(play) as served, connected(served.url) as socket:
        await create(socket, "x", model="claude-sonnet-5")
        await stalled(lambda: len(served.sent()))
        draining = asyncio.create_task(served.server.drain(0.05, asyncio.Event()))
        events = [await socket.receive_json() for _ in range(4)]
        await asyncio.wait_for(draining, 5)
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "error",
        "response.failed",
    ]
    assert "stopping" in events[2]["error"]["message"]


async def test_a_client_that_leaves_while_events_are_sent_is_no_error(proxy: Daemon, caplog: pytest.LogCaptureFixture):
    async with connected(proxy.url) as socket:
        for lane in "abc":
            await create(socket, "/simulate words 20000", stream_id=lane)
        await received(socket)
        socket._response.close()  # without a closing handshake
    await stalled(lambda: len(caplog.records))
    gc.collect()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
