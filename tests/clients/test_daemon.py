"""The whole daemon on real sockets: agreement of stream and fold, disconnecting clients, memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp import web
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.clients.conftest import MODEL
from tests.support.daemon import Daemon, claude_proxy, daemon_process, judge, listening, proxied
from tests.support.daemon import daemon as running_daemon
from tests.support.judge import assert_valid_chunk, assert_valid_completion, assert_valid_error

ADD = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}},
}


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield http


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with session() as http:
        yield http


def chat(text: str, **more: object) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


async def folded(http: aiohttp.ClientSession, url: str, body: object) -> tuple[int, Any]:
    async with http.post(f"{url}/chat/completions", json=body) as response:
        return response.status, await response.json()


async def streamed(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> tuple[int, list[Any]]:
    """The status, and the JSON of every frame; the last one is the text `[DONE]` where the stream ended well."""
    body = body | {"stream": True, "stream_options": {"include_usage": True}}
    async with http.post(f"{url}/chat/completions", json=body) as response:
        text = await response.text()
        if response.status != 200:
            return response.status, [json.loads(text)]
    assert text.endswith("\n\n")
    frames = [frame for frame in text.split("\n\n")[:-1] if not frame.startswith(":")]
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    data = [frame.removeprefix("data: ") for frame in frames]
    return 200, [each if each == "[DONE]" else json.loads(each) for each in data]


def fold(chunks: list[Any]) -> dict[str, Any]:
    """What a plain client makes of the chunks: texts joined, calls by index, the last of what comes once."""
    message: dict[str, Any] = {"tool_calls": {}}
    reason = usage = None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            reason = choice["finish_reason"] or reason
            for key, value in choice["delta"].items():
                if key == "tool_calls":
                    for part in value:
                        call = message["tool_calls"].setdefault(part["index"], {"arguments": ""})
                        call |= {name: part[name] for name in ("id", "type") if name in part}
                        call["name"] = call.get("name", "") + part["function"].get("name", "")
                        call["arguments"] += part["function"].get("arguments", "")
                elif key == "annotations":
                    stripped = [{name: item[name] for name in item if name != "index"} for item in value]
                    message.setdefault(key, []).extend(stripped)
                elif isinstance(value, str) and key != "role":
                    message[key] = message.get(key, "") + value
    return {"message": message, "reason": reason, "usage": usage}


def plain(completion: Any) -> dict[str, Any]:
    """A completion in the shape `fold` gives."""
    choice = completion["choices"][0]
    kept = ("content", "refusal", "reasoning_content", "annotations")
    message = {name: choice["message"][name] for name in kept if choice["message"].get(name)}
    message["tool_calls"] = {
        index: {"id": call["id"], "type": call["type"], **call["function"]}
        for index, call in enumerate(choice["message"].get("tool_calls", ()))
    }
    return {"message": message, "reason": choice["finish_reason"], "usage": completion["usage"]}


SCRIPTS = [
    "text Hello, world",
    'text "two\\nlines, ünïcödé 😀"',
    "words 300",
    "empty",
    "thinking Hm.; text Done.",
    "redacted; text Done.",
    "thinking One.; text A.; thinking Two.; text B.",
    'tool add {"a": 1}',
    "tool add {}",
    'text Sum:; tool add {"a": 1}; tool add {"a": 2}; tool add {"a": 3}',
    "thinking Hm.; tool add {}",
    "tools-broken-json add {{{",
    "web_search weather; citation https://example.org | A page | It rains.; text Bye.",
    "text Half; stop max_tokens",
    "text Half; stop stop_sequence",
    "text Half; stop model_context_window_exceeded",
    "refusal That is not allowed.",
    "text No.; refusal",
    "text A; pause; next; text B",
    "text A; ping; text B",
    "unknown-event; text A",
    "text A; restart; text B",
    "text 日本語 and more; chunk 1",
    "text 日本語 and more; chunk 7; crlf",
    "words 50; crlf",
]


@pytest.mark.parametrize("script", SCRIPTS)
async def test_folding_the_stream_gives_the_folded_answer(http: aiohttp.ClientSession, daemon: Daemon, script: str):
    text = "\n".join(f"/simulate {line}" for line in script.split("; "))
    search: dict[str, Any] = {"web_search_options": {}} if "web_search" in script else {}
    body = chat(text, tools=[ADD], reasoning_effort="high", **search)
    status, completion = await folded(http, daemon.openai, body)
    _, frames = await streamed(http, daemon.openai, body)
    assert status == 200, completion
    assert_valid_completion(completion)
    *chunks, done = frames
    assert done == "[DONE]"
    for chunk in chunks:
        assert_valid_chunk(chunk)
    ours = fold(chunks)
    ours["message"] = {name: value for name, value in ours["message"].items() if value or name == "tool_calls"}
    theirs = plain(completion)
    for side in (ours, theirs):  # made anew for each answer
        side["usage"] = {**side["usage"], "prompt_tokens_details": None}
        for call in side["message"]["tool_calls"].values():
            del call["id"]
    assert ours == theirs


BROKEN = ["error overloaded_error Busy", "error api_error", "cut"]


@pytest.mark.parametrize("before", ["", "text Half; ", "thinking Hm.; ", 'tool add {"a": 1}; '])
@pytest.mark.parametrize("end", BROKEN)
async def test_a_broken_answer_never_looks_whole(http: aiohttp.ClientSession, daemon: Daemon, before: str, end: str):
    text = "\n".join(f"/simulate {line}" for line in f"{before}{end}".split("; "))
    status, error = await folded(http, daemon.openai, chat(text, tools=[ADD], reasoning_effort="high"))
    assert status >= 500
    assert_valid_error(error)
    status, frames = await streamed(http, daemon.openai, chat(text, tools=[ADD], reasoning_effort="high"))
    assert "[DONE]" not in frames
    assert_valid_error(frames[-1])
    assert not [choice for frame in frames[:-1] for choice in frame["choices"] if choice["finish_reason"]]


@pytest.mark.parametrize("where", ["user", "tool result", "arguments", "description", "schema"])
async def test_half_a_character_anywhere_is_no_reason_to_refuse(
    http: aiohttp.ClientSession, daemon: Daemon, where: str
):
    """JavaScript clients cut strings in two within a character; JSON can say the half, Unicode cannot."""
    half = {place: "cut \ud83d" if place == where else "whole" for place in ("user", "tool result", "arguments")}
    call = {
        "id": "t",
        "type": "function",
        "function": {"name": "add", "arguments": json.dumps({"a": half["arguments"]})},
    }
    described = "cut \ud83d" if where == "description" else "whole"
    schema = {"type": "object", "title": "cut \ud83d" if where == "schema" else "whole"}
    body = {
        "model": MODEL,
        "tools": [{"type": "function", "function": {"name": "add", "description": described, "parameters": schema}}],
        "messages": [
            {"role": "user", "content": half["user"]},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "t", "content": half["tool result"]},
        ],
    }
    status, answer = await folded(http, daemon.openai, body)
    assert status == 200, answer


class Upstream:
    """Begins every reply and never ends it; knows how many are open."""

    HEAD = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"m"}}\n\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n'
    )

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_post("/v1/messages", self.answer)
        self.app.router.add_get("/v1/models", self.models)

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [], "has_more": False})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.opened.set()
        try:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            await response.write(self.HEAD)
            await asyncio.Event().wait()
        finally:
            self.closed.set()
        raise AssertionError("an event that nobody sets was set")


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "folded"])
async def test_a_client_that_leaves_ends_the_upstream_request_at_once(http: aiohttp.ClientSession, stream: bool):
    upstream = Upstream()
    async with listening(upstream.app) as address, proxied(address) as url:
        asking = http.post(f"{url}/openai/v1/chat/completions", json=chat("hi", stream=stream))
        if stream:
            response = await asking
            await response.content.readuntil(b'"Hi"')
            response.close()
        else:
            task = asyncio.ensure_future(asking)
            await upstream.opened.wait()
            task.cancel()
        async with asyncio.timeout(20):
            await upstream.closed.wait()


async def test_the_first_token_comes_before_the_last_is_made(http: aiohttp.ClientSession):
    upstream = Upstream()  # its reply has no end: what arrives was not waited for
    async with listening(upstream.app) as address, proxied(address) as url, asyncio.timeout(20):
        response = await http.post(f"{url}/v1/chat/completions", json=chat("hi", stream=True))
        await response.content.readuntil(b'"Hi"')
        assert response.headers["content-type"].startswith("text/event-stream")
        response.close()


async def test_two_hundred_streams_at_once_are_all_whole_and_fit_in_100_mb(http: aiohttp.ClientSession):
    with daemon_process() as url:
        pid = json.loads(await asyncio.to_thread(claude_proxy, "status", "--json"))["pid"]
        asking = [streamed(http, f"{url}/openai/v1", chat(f"/simulate words {100 + n}")) for n in range(200)]
        answers = await asyncio.gather(*asking)
        rss = psutil.Process(pid).memory_info().rss
    assert {(status, frames[-1]) for status, frames in answers} == {(200, "[DONE]")}
    counts = [fold(frames[:-1])["usage"]["completion_tokens"] for _, frames in answers]
    assert all(count >= 100 + n for n, count in enumerate(counts))
    assert rss < 100e6


def test_starting_twice_stopping_twice_and_asking_between_is_no_trouble():
    with daemon_process() as url:
        assert "already running" in _stderr("start", "--simulator")
        assert json.loads(claude_proxy("status", "--json"))["url"] == url
    assert "not running" in _stderr("stop")


def _stderr(*arguments: str) -> str:
    import subprocess
    import sys

    command = [sys.executable, "-m", "claude_proxy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr


# ------------------------------------------------------------------------------- whatever comes, no 5xx

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
PART = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": TEXT})}),
    st.fixed_dictionaries({"type": st.sampled_from(["text", "file", "input_audio", "refusal"]), "file": JSON}),
)
CALL = st.fixed_dictionaries(
    {"id": TEXT, "type": st.just("function"), "function": st.fixed_dictionaries({"name": TEXT, "arguments": TEXT})}
)
MESSAGE = st.one_of(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "developer", "user", "assistant"]),
            "content": TEXT | st.lists(PART, max_size=3) | st.none(),
        }
    ),
    st.fixed_dictionaries({"role": st.just("assistant"), "tool_calls": st.lists(CALL, max_size=2)}),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": TEXT, "content": TEXT | JSON}),
)
TOOL = st.fixed_dictionaries(
    {"type": st.just("function"), "function": st.fixed_dictionaries({"name": TEXT}, optional={"parameters": JSON})}
)
OPTIONAL = {
    "temperature": st.floats(-1, 3),
    "top_p": st.floats(-1, 2),
    "max_tokens": st.integers(-1, 10**6),
    "n": st.integers(-1, 3),
    "stop": TEXT | st.lists(TEXT, max_size=6),
    "stream": st.booleans(),
    "tools": st.lists(TOOL, max_size=2),
    "tool_choice": st.sampled_from(["auto", "none", "required", "any"]) | JSON,
    "reasoning_effort": st.sampled_from(["none", "minimal", "low", "high", "max", "odd"]),
    "response_format": JSON | st.fixed_dictionaries({"type": st.sampled_from(["json_object", "json_schema", "text"])}),
    "user": TEXT,
    "seed": JSON,
    "logit_bias": JSON,
    "metadata": JSON,
}
REQUEST = st.fixed_dictionaries({"model": st.sampled_from([MODEL, "claude-opus-5-5", "sonnet", "gpt-4o"])}).flatmap(
    lambda model: st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=5)}, optional=OPTIONAL).map(
        lambda rest: model | rest
    )
)


def test_whatever_a_client_sends_is_answered_or_refused_but_never_fails():
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        daemon = runner.run(stack.enter_async_context(running_daemon()))
        http = runner.run(stack.enter_async_context(session()))

        @given(body=REQUEST | JSON)
        @settings(max_examples=150, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
        def ask(body: Any) -> None:
            runner.run(_answered_or_refused(http, daemon, body))

        try:
            ask()
        finally:
            runner.run(stack.aclose())


async def _answered_or_refused(http: aiohttp.ClientSession, daemon: Daemon, body: Any) -> None:
    daemon.sent.clear()
    json_type = {"content-type": "application/json"}
    async with http.post(f"{daemon.openai}/chat/completions", data=json.dumps(body), headers=json_type) as response:
        text = await response.text()
    assert response.status in {200, 400, 404, 413}, (response.status, text)
    judge(daemon.sent)
    if response.status != 200:
        assert_valid_error(json.loads(text))
