"""One conversation through the whole daemon in every dialect, streamed and not, each read by its own SDK."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from claude_proxy.dialects.completions.request import SENTENCE
from tests.support.daemon import Daemon, daemon
from tests.support.openai_client import strict_client

MODEL = "claude-opus-4-8"
LIMIT = 200
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RESULTS = [("call_1", '{"city":"Oslo"}', "rain"), ("call_2", '{"city":"Rome"}', "sun")]
QUESTION = "Where is this, and what is the weather?"

# What upstream answers, and how chat, responses and native name the end of it.
SCRIPTS = {
    "text": ["thinking Hm.", "text Hello world."],
    "calls": ["thinking Hm.", "text I look.", 'tool look {"city":"Oslo"}', 'tool look {"city":"Rome"}'],
    "citations": ["web_search weather", "citation https://w.example/a | Weather | It rains."],
    "refusal": ["refusal No."],
    "limit": [f"words {2 * LIMIT}"],
}
ENDS: dict[str, dict[str, Any]] = {
    "text": {"chat": "stop", "responses": ("completed", None), "native": "end_turn"},
    "calls": {"chat": "tool_calls", "responses": ("completed", None), "native": "tool_use"},
    "citations": {"chat": "stop", "responses": ("completed", None), "native": "end_turn"},
    "refusal": {"chat": "content_filter", "responses": ("completed", None), "native": "refusal"},
    "limit": {"chat": "length", "responses": ("incomplete", "max_output_tokens"), "native": "max_tokens"},
}


def script(name: str) -> str:
    return "\n".join(f"/simulate {line}" for line in SCRIPTS[name])


def chat_request(name: str) -> dict[str, Any]:
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    calls = [
        {"id": id_, "type": "function", "function": {"name": "look", "arguments": arguments}}
        for id_, arguments, _ in RESULTS
    ]
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}, picture]},
            {"role": "assistant", "content": "I look.", "tool_calls": calls},
            *({"role": "tool", "tool_call_id": id_, "content": result} for id_, _, result in RESULTS),
            {"role": "user", "content": script(name)},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}],
        "web_search_options": {},
        "max_tokens": LIMIT,
        "reasoning_effort": "high",
    }


def responses_request(name: str) -> dict[str, Any]:
    picture = {"type": "input_image", "image_url": PIXEL, "detail": "auto"}
    return {
        "model": MODEL,
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": QUESTION}, picture]},
            {"role": "assistant", "content": "I look."},
            *({"type": "function_call", "call_id": id_, "name": "look", "arguments": sent} for id_, sent, _ in RESULTS),
            *({"type": "function_call_output", "call_id": id_, "output": result} for id_, _, result in RESULTS),
            {"role": "user", "content": script(name)},
        ],
        "tools": [
            {"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA, "strict": False},
            {"type": "web_search"},
        ],
        "max_output_tokens": LIMIT,
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
    }


@asynccontextmanager
async def fresh() -> AsyncIterator[tuple[Daemon, Any]]:
    """A daemon whose upstream has cached nothing yet, so that the counters of two daemons can be compared."""
    async with daemon() as running, strict_client(running) as client:
        yield running, client


async def in_chat(request: dict[str, Any], *, stream: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What chat makes of the reply to `request`, and the Messages request that it sent for it."""
    async with fresh() as (running, client):
        if stream:
            async with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
                async for _ in events:
                    pass
                completion: Any = events.current_completion_snapshot  # the final one raises for a refusal or a limit
        else:
            completion = await client.chat.completions.create(**request)
        (sent,) = running.bodies
    (choice,) = completion.choices
    message, usage = choice.message.to_dict(), completion.usage
    return {
        "text": message.get("content") or "",
        "thinking": message.get("reasoning_content") or "",
        "refusal": message.get("refusal"),
        "calls": [
            (call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls") or ()
        ],
        "citations": [note["url_citation"]["url"] for note in message.get("annotations") or ()],
        "usage": (
            usage.prompt_tokens,
            usage.prompt_tokens_details.cached_tokens,
            usage.prompt_tokens_details.cache_write_tokens,
            usage.completion_tokens,
            usage.completion_tokens_details.reasoning_tokens,
        ),
        "end": choice.finish_reason,
    }, sent


async def in_responses(request: dict[str, Any], *, stream: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    async with fresh() as (running, client):
        if stream:
            async with client.responses.stream(**request) as events:
                last: Any = [event async for event in events][-1]
            response: Any = last.response
        else:
            response = await client.responses.create(**request)
        (sent,) = running.bodies
    body = response.to_dict()
    items, usage = body["output"], body["usage"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    texts = [part for part in parts if part["type"] == "output_text"]
    return {
        "text": "".join(part["text"] for part in texts),
        "thinking": "".join(part["text"] for item in items if item["type"] == "reasoning" for part in item["summary"]),
        "refusal": next((part["refusal"] for part in parts if part["type"] == "refusal"), None),
        "calls": [(i["call_id"], i["name"], i["arguments"]) for i in items if i["type"] == "function_call"],
        "citations": [note["url"] for part in texts for note in part["annotations"]],
        "usage": (
            usage["input_tokens"],
            usage["input_tokens_details"]["cached_tokens"],
            usage["input_tokens_details"]["cache_write_tokens"],
            usage["output_tokens"],
            usage["output_tokens_details"]["reasoning_tokens"],
        ),
        "end": (body["status"], (body.get("incomplete_details") or {}).get("reason")),
    }, sent


async def in_native(request: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """What comes for a Messages request, which has no dialect to translate."""
    async with daemon() as running, AsyncAnthropic(base_url=running.url, api_key="any", max_retries=0) as sdk:
        client: Any = sdk
        if stream:
            async with client.messages.stream(**request) as events:
                message = await events.get_final_message()
        else:
            message = await client.messages.create(**request)
    body = message.to_dict()
    blocks, usage = body["content"], body["usage"]
    texts = [block for block in blocks if block["type"] == "text"]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return {
        "text": "".join(block["text"] for block in texts),
        "thinking": "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        "refusal": (body.get("stop_details") or {}).get("explanation"),
        "calls": [(b["id"], b["name"], compact(b["input"])) for b in blocks if b["type"] == "tool_use"],
        "citations": [note["url"] for block in texts for note in block.get("citations") or ()],
        "usage": (
            usage["input_tokens"] + read + written,
            read,
            written,
            usage["output_tokens"],
            usage["output_tokens_details"]["thinking_tokens"],
        ),
        "end": body["stop_reason"],
    }


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_conversation_says_the_same_in_chat_responses_and_native(name: str, stream: bool):
    chat, sent = await in_chat(chat_request(name), stream=stream)
    responses, sent_by_responses = await in_responses(responses_request(name), stream=stream)
    assert sent_by_responses == sent
    native = await in_native({key: value for key, value in sent.items() if key != "stream"}, stream=stream)
    assert {"chat": chat.pop("end"), "responses": responses.pop("end"), "native": native.pop("end")} == ENDS[name]
    assert chat == native
    assert responses == native


async def test_every_kind_of_content_arrives():
    said = {name: (await in_chat(chat_request(name), stream=False))[0] for name in SCRIPTS}
    assert (said["text"]["text"], said["text"]["thinking"]) == ("Hello world.", "Hm.")
    calls = [call[1:] for call in said["calls"]["calls"]]
    assert calls == [("look", '{"city":"Oslo"}'), ("look", '{"city":"Rome"}')]
    assert said["citations"]["citations"] == ["https://w.example/a"]
    assert said["refusal"]["refusal"] == "No."
    assert said["limit"]["usage"][3] == LIMIT
    assert said["limit"]["text"].startswith("word1 word2")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ["text", "limit"])
async def test_a_text_is_the_same_in_legacy_completions(name: str, stream: bool):
    prompt = "\n".join(row for row in script(name).splitlines() if "thinking" not in row)
    asked: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": LIMIT}
    # The SDK's own type has no null for a finish reason, which every chunk of OpenAI's but the last one has.
    async with daemon() as running, AsyncOpenAI(base_url=running.openai, api_key="any", max_retries=0) as sdk:
        client: Any = sdk
        if stream:
            request = {**asked, "prompt": prompt, "stream": True, "stream_options": {"include_usage": True}}
            chunks: list[Any] = [chunk async for chunk in await client.completions.create(**request)]
        else:
            chunks = [await client.completions.create(**asked, prompt=prompt)]
        (sent,) = running.bodies
    messages = [{"role": "system", "content": SENTENCE}, {"role": "user", "content": prompt}]
    chat, sent_by_chat = await in_chat({**asked, "messages": messages}, stream=stream)
    assert sent_by_chat == sent
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.text for choice in choices) == chat["text"]
    assert choices[-1].finish_reason == chat["end"] == ENDS[name]["chat"]
    usage = chunks[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (chat["usage"][0], chat["usage"][3])
