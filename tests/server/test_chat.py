"""Chat completions through the real application on loopback, with the simulator or a raw socket as upstream."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from claude_proxy.simulator.app import Options
from tests.support.daemon import Daemon, daemon, proxied
from tests.support.judge import assert_valid_chunk, assert_valid_completion, assert_valid_error
from tests.support.raw import LAST_CHUNK, SSE_HEAD, Connection, answer, chunk, raw_server

MODEL = "claude-opus-5-5"
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def proxy() -> AsyncIterator[Daemon]:
    async with daemon(aliases={"mine": "claude-opus-5"}, retries=0) as running:
        yield running


async def ask(
    http: aiohttp.ClientSession, url: str, content: object = "hi", **fields: Any
) -> tuple[int, Any, dict[str, str]]:
    """Status, JSON (or the list of payloads of a stream) and lower-case headers of the answer to one message."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}
    async with http.post(f"{url}/openai/v1/chat/completions", json=body) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        text = await response.text()
    if not headers["content-type"].startswith("text/event-stream"):
        return response.status, json.loads(text), headers
    frames = [frame.removeprefix("data: ") for frame in text.split("\n\n") if frame and not frame.startswith(":")]
    return response.status, [frame if frame == "[DONE]" else json.loads(frame) for frame in frames], headers


def script(*lines: str) -> str:
    return "\n".join(f"/simulate {line}" for line in lines)


def content_of(frames: list[Any], index: int = 0) -> str:
    choices = [choice for frame in frames if frame != "[DONE]" for choice in frame["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices if choice["index"] == index)


# ---------------------------------------------------------------------------------------------- stream and fold


@pytest.mark.parametrize("absent", [{}, {"stream": False}, {"stream": None}])
async def test_without_stream_the_answer_is_one_completion(http: aiohttp.ClientSession, proxy: Daemon, absent: Any):
    status, body, headers = await ask(http, proxy.url, script("thinking hm", "text Good day."), **absent)
    assert status == 200
    completion = assert_valid_completion(body)
    assert completion.id.startswith("chatcmpl-")
    assert completion.choices[0].message.content == "Good day."
    assert body["choices"][0]["message"]["reasoning_content"] == "hm"
    assert headers["content-type"] == "application/json"
    assert proxy.bodies[0]["stream"] is True


async def test_a_stream_gives_the_same_answer_in_chunks(http: aiohttp.ClientSession, proxy: Daemon):
    said = script("thinking hm", "text Good day.", 'tool look {"a":1}')
    _, folded, _ = await ask(http, proxy.url, said, tools=TOOLS)
    options = {"include_usage": True}
    status, frames, headers = await ask(http, proxy.url, said, tools=TOOLS, stream=True, stream_options=options)
    assert status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    *chunks, done = frames
    assert done == "[DONE]"
    assert [assert_valid_chunk(frame).id for frame in chunks] == [folded["id"]] * len(chunks)
    assert content_of(chunks) == folded["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"] == folded["usage"]
    assert chunks[-2]["choices"][0]["finish_reason"] == folded["choices"][0]["finish_reason"] == "tool_calls"


async def test_every_answer_says_who_gave_it(http: aiohttp.ClientSession, proxy: Daemon):
    for stream in (False, True):
        _, body, headers = await ask(http, proxy.url, model="mine", stream=stream)
        assert (body[0] if stream else body)["model"] == "mine"
        assert headers["x-claude-proxy-model"] == "claude-opus-5"
        assert headers["x-request-id"].startswith("req_")
        assert headers["openai-version"] == "2020-10-01"
        assert int(headers["openai-processing-ms"]) >= 0
        assert int(headers["x-ratelimit-remaining-requests"]) >= 0
    assert [body["model"] for body in proxy.bodies] == ["claude-opus-5"] * 2


async def test_a_lines_name_and_a_prefix_are_resolved(http: aiohttp.ClientSession, proxy: Daemon):
    await ask(http, proxy.url, model="haiku")
    await ask(http, proxy.url, model="anthropic/claude-opus-5")
    assert [body["model"] for body in proxy.bodies] == ["claude-haiku-5-5", "claude-opus-5"]


async def test_betas_of_the_client_go_up_beside_ours(http: aiohttp.ClientSession, proxy: Daemon):
    body = {
        "model": "claude-sonnet-4-5",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": TOOLS,
        "reasoning_effort": "low",
    }
    headers = CIMultiDict(
        [("anthropic-beta", "context-1m-2025-08-07"), ("anthropic-beta", "context-management-2025-06-27")]
    )
    async with http.post(f"{proxy.openai}/chat/completions", json=body, headers=headers) as response:
        assert response.status == 200
    await ask(http, proxy.url)
    first, second = (sent.headers.get("anthropic-beta") for sent in proxy.sent if sent.path == "/v1/messages")
    assert first == "interleaved-thinking-2025-05-14,context-1m-2025-08-07,context-management-2025-06-27"
    assert second is None


# ---------------------------------------------------------------------------------------------- several choices


async def test_several_choices_are_several_requests_with_one_sum(http: aiohttp.ClientSession, proxy: Daemon):
    _, one, _ = await ask(http, proxy.url, script("text Three."))
    _, body, _ = await ask(http, proxy.url, script("text Three."), n=3)
    completion = assert_valid_completion(body)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert {choice.message.content for choice in completion.choices} == {"Three."}
    assert body["usage"]["completion_tokens"] == 3 * one["usage"]["completion_tokens"]
    assert len(proxy.bodies) == 4


async def test_several_choices_stream_by_index_and_end_once(http: aiohttp.ClientSession, proxy: Daemon):
    usage = {"include_usage": True}
    _, frames, _ = await ask(http, proxy.url, script("text One two."), n=3, stream=True, stream_options=usage)
    *chunks, done = frames
    assert done == "[DONE]"
    assert len({assert_valid_chunk(frame).id for frame in chunks}) == 1
    assert [content_of(chunks, index) for index in range(3)] == ["One two."] * 3
    ends = [choice for frame in chunks for choice in frame["choices"] if choice["finish_reason"]]
    assert sorted(choice["index"] for choice in ends) == [0, 1, 2]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert sum(bool(frame.get("usage")) for frame in chunks) == 1


async def test_one_failing_choice_fails_the_whole_answer(http: aiohttp.ClientSession, proxy: Daemon):
    status, body, _ = await ask(http, proxy.url, script("status 500 times=1", "text x"), n=3)
    assert status == 500
    assert_valid_error(body)
    _, frames, _ = await ask(http, proxy.url, script("text x", "error overloaded_error"), n=2, stream=True)
    assert_valid_error(frames[-1])


# ------------------------------------------------------------------------------------------ pauses and thinking


@pytest.mark.parametrize("stream", [False, True])
async def test_a_paused_answer_is_continued(http: aiohttp.ClientSession, proxy: Daemon, stream: bool):
    said = script("text First.", "web_search cats", "pause", "next", "text Then.")
    _, body, _ = await ask(http, proxy.url, said, web_search_options={}, stream=stream)
    text = content_of(body) if stream else body["choices"][0]["message"]["content"]
    assert text == "First.\n\nThen."
    first, second = proxy.bodies
    assert second["messages"][:-1] == first["messages"]
    *_, last = second["messages"]
    assert last["role"] == "assistant"
    kinds = [block["type"] for block in last["content"] if block["type"] != "thinking"]
    assert kinds == ["text", "server_tool_use", "web_search_tool_result"]
    if not stream:
        assert_valid_completion(body)
        assert body["choices"][0]["finish_reason"] == "stop"


async def test_a_pause_that_never_ends_is_given_up_as_a_stop(http: aiohttp.ClientSession, proxy: Daemon):
    said = script(*["web_search cats", "pause", "next"] * 8)
    status, body, _ = await ask(http, proxy.url, said, web_search_options={})
    assert status == 200
    assert body["choices"][0]["finish_reason"] == "stop"
    assert len(proxy.bodies) == 6


def turn(call: Any, **more: Any) -> list[dict[str, Any]]:
    """A tool turn as a plain client replays it."""
    return [
        {"role": "assistant", "content": None, "tool_calls": [call], **more},
        {"role": "tool", "tool_call_id": call["id"], "content": "sun"},
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_plain_client_gets_its_thinking_back_in_a_tool_turn(
    http: aiohttp.ClientSession, proxy: Daemon, stream: bool
):
    question = {"role": "user", "content": script("thinking The sun?", "tool look", "next", "text Sunny.")}
    _, body, _ = await ask(http, proxy.url, messages=[question], tools=TOOLS, stream=stream)
    if stream:
        deltas = [
            call for frame in body[:-1] for choice in frame["choices"] for call in choice["delta"].get("tool_calls", [])
        ]
        call = {**deltas[0], "function": {"name": "look", "arguments": deltas[-1]["function"]["arguments"]}}
        del call["index"]
    else:
        (call,) = body["choices"][0]["message"]["tool_calls"]
    status, body, _ = await ask(http, proxy.url, messages=[question, *turn(call)], tools=TOOLS)
    assert status == 200
    assert body["choices"][0]["message"]["content"] == "Sunny."
    thinking, use = proxy.bodies[-1]["messages"][1]["content"]
    assert (thinking["type"], thinking["thinking"], use["type"]) == ("thinking", "The sun?", "tool_use")
    assert thinking["signature"]
    assert thinking["signature"] not in json.dumps(body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "foreign",
    [
        {"type": "thinking", "thinking": "x", "signature": "Zm9yZWlnbg=="},
        {"type": "redacted_thinking", "data": "Zm9yZWlnbg=="},
    ],
    ids=["signed", "redacted"],
)
async def test_thinking_that_upstream_refuses_is_left_out_and_asked_again(
    http: aiohttp.ClientSession, proxy: Daemon, foreign: dict[str, str], stream: bool
):
    call = {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    question = {"role": "user", "content": script("tool look", "next", "text Sunny.")}
    messages = [question, *turn(call, thinking_blocks=[foreign])]
    status, body, _ = await ask(http, proxy.url, messages=messages, tools=TOOLS, stream=stream)
    assert status == 200
    assert (content_of(body) if stream else body["choices"][0]["message"]["content"]) == "Sunny."
    first, second = proxy.bodies
    assert first["messages"][1]["content"][0]["type"] == foreign["type"]
    assert [block["type"] for block in second["messages"][1]["content"]] == ["tool_use"]


# ------------------------------------------------------------------------------------------------------ warnings


async def test_what_had_no_effect_is_named_in_a_header_and_logged_once(
    http: aiohttp.ClientSession, proxy: Daemon, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "claude_proxy.server.generation")
    for _ in range(3):
        _, _, headers = await ask(http, proxy.url, seed=5, presence_penalty=1)
        assert headers["x-claude-proxy-warnings"] == "presence_penalty, seed"
    told = [record for record in caplog.records if record.getMessage().startswith("seed from ")]
    assert [record.levelname for record in told] == ["WARNING", "DEBUG", "DEBUG"]
    _, _, headers = await ask(http, proxy.url, temperature=1)
    assert "x-claude-proxy-warnings" not in headers


async def test_a_retired_model_is_named_in_header_and_log_and_the_reply_names_its_successor(
    http: aiohttp.ClientSession, proxy: Daemon, caplog: pytest.LogCaptureFixture
):
    status, body, headers = await ask(http, proxy.url, model="claude-3-5-haiku-20241022")
    assert (status, body["model"], headers["x-claude-proxy-model"]) == (200, "claude-haiku-5-5", "claude-haiku-5-5")
    assert headers["x-claude-proxy-warnings"] == "model"
    assert proxy.bodies[-1]["model"] == "claude-haiku-5-5"
    logged = [record for record in caplog.records if "claude-3-5-haiku-20241022 is retired" in record.getMessage()]
    assert [record.levelname for record in logged] == ["WARNING"]


async def test_a_retired_model_is_a_404_that_names_its_successor_where_the_setting_says_so(
    http: aiohttp.ClientSession,
):
    async with daemon(retired_models="refuse") as strict:
        status, body, _ = await ask(http, strict.url, model="claude-3-5-haiku-20241022")
    assert (status, body["error"]["code"], body["error"]["param"]) == (404, "model_not_found", "model")
    assert "claude-haiku-5-5" in body["error"]["message"]


async def test_strict_refuses_what_would_have_had_no_effect(http: aiohttp.ClientSession):
    async with daemon(strict=True) as strict:
        status, body, _ = await ask(http, strict.url, seed=5)
        assert (status, body["error"]["param"], body["error"]["code"]) == (400, "seed", "unsupported_parameter")
        assert_valid_error(body)
        assert (await ask(http, strict.url))[0] == 200
        assert len(strict.bodies) == 1


# -------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ("status 401", 401, "invalid_api_key"),
        ("status 403", 403, "insufficient_quota"),
        ("status 404", 404, "not_found"),
        ("status 413 html", 413, "request_too_large"),
        ("status 429 retry-after=7", 429, "rate_limit_exceeded"),
        ('status 400 message="prompt is too long: 9 tokens > 8 maximum"', 400, "context_length_exceeded"),
    ],
)
async def test_an_error_before_the_first_byte_is_a_real_status(
    http: aiohttp.ClientSession, proxy: Daemon, said: str, status: int, code: str, stream: bool
):
    found, body, headers = await ask(http, proxy.url, script(said), stream=stream)
    assert (found, body["error"]["code"]) == (status, code)
    assert_valid_error(body)
    assert headers["content-type"].startswith("application/json")
    if status == 429:
        assert headers["retry-after"] == "7"
        assert "Please try again in 7s" in body["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_does_not_exist_is_not_found(http: aiohttp.ClientSession, proxy: Daemon, stream: bool):
    status, body, _ = await ask(http, proxy.url, model="gpt-4o", stream=stream)
    assert (status, body["error"]["code"], body["error"]["param"]) == (404, "model_not_found", "model")


@pytest.mark.parametrize(
    ("said", "code"), [("error overloaded_error Busy", "server_is_overloaded"), ("cut", "upstream_disconnected")]
)
async def test_an_error_after_the_first_byte_ends_the_stream_with_an_event(
    http: aiohttp.ClientSession, proxy: Daemon, said: str, code: str
):
    status, frames, _ = await ask(http, proxy.url, script("text One", said), stream=True)
    assert status == 200
    *chunks, last = frames
    assert_valid_error(last)
    assert last["error"]["code"] == code
    assert content_of(chunks) == "One"
    assert not any(choice["finish_reason"] for frame in chunks for choice in frame["choices"])


@pytest.mark.parametrize(("said", "status"), [("error overloaded_error Busy", 503), ("cut", 502)])
async def test_a_folded_answer_that_breaks_is_an_error_with_its_status(
    http: aiohttp.ClientSession, proxy: Daemon, said: str, status: int
):
    found, body, _ = await ask(http, proxy.url, script("text One", said))
    assert found == status
    assert_valid_error(body)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"n": 0}, "n"),
        ({"temperature": "hot"}, "temperature"),
        ({"model": None}, "model"),
    ],
)
async def test_a_request_that_cannot_be_said_never_goes_upstream(
    http: aiohttp.ClientSession, proxy: Daemon, fields: dict[str, Any], param: str
):
    status, body, _ = await ask(http, proxy.url, **fields)
    assert (status, body["error"]["param"]) == (400, param)
    assert_valid_error(body)
    assert not proxy.bodies


# ------------------------------------------------------------------------------------ when upstream is let go of

BEGUN = (
    b'data: {"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":1}}}\n\n'
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
)


def said(text: str) -> bytes:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return b"data: %b\n\n" % json.dumps(delta).encode()


class Talker:
    """An upstream that says something and then waits until the other side has left."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        while b"/v1/messages" not in await connection.request():
            await connection.send(answer(b'{"data":[]}'))
        self.asked.set()
        await connection.send(SSE_HEAD + chunk(b"".join(self.pieces)))
        await connection.gone()
        self.left.set()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_upstream_request(http: aiohttp.ClientSession, stream: bool):
    talker = Talker(BEGUN, said("One"))
    async with raw_server(talker) as upstream, proxied(upstream.url) as url, asyncio.timeout(10):
        asking = asyncio.create_task(ask(http, url, stream=stream))
        await talker.asked.wait()
        asking.cancel()
        await talker.left.wait()


async def test_a_client_that_left_does_no_harm_to_the_next(http: aiohttp.ClientSession, proxy: Daemon):
    body = {"model": MODEL, "messages": [{"role": "user", "content": script("text One", "stall")}], "stream": True}
    async with asyncio.timeout(10), http.post(f"{proxy.openai}/chat/completions", json=body) as response:
        await response.content.readuntil(b"\n\n")
        response.close()
    status, answered, _ = await ask(http, proxy.url, script("text Two"))
    assert (status, answered["choices"][0]["message"]["content"]) == (200, "Two")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_blank_stop_text_ends_the_upstream_request(http: aiohttp.ClientSession, stream: bool):
    talker = Talker(BEGUN, said("One\n"), said("\ntwo"))
    async with raw_server(talker) as upstream, proxied(upstream.url) as url, asyncio.timeout(10):
        status, body, _ = await ask(http, url, stop=["\n\n"], stream=stream, stream_options={"include_usage": True})
        await talker.left.wait()
    assert status == 200
    assert (content_of(body) if stream else body["choices"][0]["message"]["content"]) == "One"
    assert "usage" not in body if not stream else not any(frame.get("usage") for frame in body[:-1])
    assert not stream or body[-1] == "[DONE]"


async def test_the_first_chunk_does_not_wait_for_the_end(http: aiohttp.ClientSession):
    talker = Talker(BEGUN, said("One"))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with raw_server(talker) as upstream, proxied(upstream.url) as url, asyncio.timeout(10):
        async with http.post(f"{url}/openai/v1/chat/completions", json=body) as response:
            first = await response.content.readuntil(b"\n\n")
            second = await response.content.readuntil(b"\n\n")
        await talker.left.wait()
    assert b'"role":"assistant"' in first
    assert b'"content":"One"' in second


async def test_while_upstream_is_silent_a_stream_gets_comments(http: aiohttp.ClientSession):
    talker = Talker(BEGUN)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with (
        raw_server(talker) as upstream,
        proxied(upstream.url, keepalive_interval=0.05) as url,
        asyncio.timeout(10),
        http.post(f"{url}/openai/v1/chat/completions", json=body) as response,
    ):
        await response.content.readuntil(b"\n\n")
        assert await response.content.readuntil(b"\n\n") == b": ping\n\n"


async def test_slow_tokens_and_small_reads_change_nothing(http: aiohttp.ClientSession):
    async with daemon(options=Options(record=10)) as proxy:
        _, plain, _ = await ask(http, proxy.url, script("text Größe 😀", 'tool look {"ä":1}'), tools=TOOLS)
        lines = script("chunk 1", "crlf", "text Größe 😀", 'tool look {"ä":1}')
        _, cut, _ = await ask(http, proxy.url, lines, tools=TOOLS)
    messages = [body["choices"][0]["message"] for body in (plain, cut)]
    for message in messages:
        message["tool_calls"][0].pop("id")
    assert messages[0] == messages[1]


ENDED = (
    b'data: {"type":"content_block_stop","index":0}\n\n'
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)


async def test_an_upstream_that_never_ends_its_reply_is_not_waited_for(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("claude_proxy.server.generation.DRAIN", 0.01)
    talker = Talker(BEGUN, said("One"), ENDED)
    async with raw_server(talker) as upstream, proxied(upstream.url) as url, asyncio.timeout(10):
        status, body, _ = await ask(http, url)
        await talker.left.wait()
    assert (status, body["choices"][0]["message"]["content"]) == (200, "One")


async def test_an_event_that_cannot_be_read_fails_the_reply(http: aiohttp.ClientSession):
    talker = Talker(BEGUN, b"data: {broken\n\n", said("One"), ENDED)
    async with raw_server(talker) as upstream, proxied(upstream.url) as url, asyncio.timeout(10):
        status, body, _ = await ask(http, url)
    assert (status, body["error"]["code"]) == (502, "upstream_disconnected")


async def test_a_choice_that_has_ended_lets_go_of_its_upstream_while_others_go_on(http: aiohttp.ClientSession):
    left = asyncio.Event()
    begun: list[Connection] = []

    async def talk(connection: Connection) -> None:
        while b"/v1/messages" not in await connection.request():
            await connection.send(answer(b'{"data":[]}'))
        begun.append(connection)
        if len(begun) == 1:
            await connection.send(SSE_HEAD + chunk(BEGUN + said("One\n\n")))
            await connection.gone()
            left.set()
        else:
            await connection.send(SSE_HEAD + chunk(BEGUN))
            await left.wait()
            await connection.send(chunk(said("Two") + ENDED) + LAST_CHUNK)

    async with raw_server(talk) as upstream, proxied(upstream.url) as url, asyncio.timeout(10):
        _, body, _ = await ask(http, url, n=2, stop="\n\n")
    assert sorted(choice["message"]["content"] for choice in body["choices"]) == ["One", "Two"]
    assert "usage" not in body
