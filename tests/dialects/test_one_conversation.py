"""One conversation in every dialect: what goes upstream is the same, and so is what each makes of the reply."""

import json
from typing import Any

import pytest

from claude_proxy.dialects.base import GeneratingDialect
from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.dialects.completions.dialect import COMPLETIONS
from claude_proxy.dialects.responses.dialect import RESPONSES
from claude_proxy.options import Options
from claude_proxy.translate.models import model_for
from tests.support.messages_stream import (
    block_start,
    block_stop,
    delta,
    message_end,
    message_start,
    text_block,
    thinking_block,
    tool_block,
)

MODEL = "claude-opus-4-8"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALLS = [("call_1", '{"city":"Oslo"}', "rain"), ("call_2", '{"city":"Rome"}', "sun")]

CHAT_REQUEST: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Where is this, and what is the weather?"},
                {"type": "image_url", "image_url": {"url": PIXEL}},
            ],
        },
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": id_, "type": "function", "function": {"name": "look", "arguments": arguments}}
                for id_, arguments, _ in CALLS
            ],
        },
        *({"role": "tool", "tool_call_id": id_, "content": result} for id_, _, result in CALLS),
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}],
    "max_tokens": 500,
    "reasoning_effort": "high",
}
RESPONSES_REQUEST: dict[str, Any] = {
    "instructions": "Be brief.",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Where is this, and what is the weather?"},
                {"type": "input_image", "image_url": PIXEL},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        *({"type": "function_call", "call_id": id_, "name": "look", "arguments": sent} for id_, sent, _ in CALLS),
        *({"type": "function_call_output", "call_id": id_, "output": result} for id_, _, result in CALLS),
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [{"type": "function", "name": "look", "description": "Looks.", "parameters": SCHEMA, "strict": False}],
    "max_output_tokens": 500,
    "reasoning": {"effort": "high"},
}

SEARCH = (
    block_start(0, type="server_tool_use", id="srv_1", name="web_search", input={"query": "weather"})
    + block_stop(0)
    + block_start(1, type="web_search_tool_result", tool_use_id="srv_1", content=[])
    + block_stop(1)
)
CITED = (
    block_start(2, type="text", text="")
    + delta(2, type="text_delta", text="It rains.")
    + delta(2, type="citations_delta", citation={"type": "web_search_result_location", "url": "https://w.org"})
    + block_stop(2)
)
START = message_start(input_tokens=10, cache_read_input_tokens=5, output_tokens=1)
REPLIES = {
    "text": START + text_block(0, "Hello", " world") + message_end(output_tokens=7),
    "calls": START
    + thinking_block(0, "Hm.")
    + text_block(1, "I look.")
    + tool_block(2, '{"city":', '"Oslo"}', id_="toolu_1")
    + tool_block(3, '{"city":"Rome"}', id_="toolu_2")
    + message_end("tool_use", output_tokens=9),
    "citations": START + SEARCH + CITED + message_end(output_tokens=8),
    "refusal": START + message_end("refusal", {"explanation": "No."}, output_tokens=2),
    "limit": START + text_block(0, "Half a sen") + message_end("max_tokens", output_tokens=500),
}


def fold(dialect: GeneratingDialect, request: dict[str, Any], reply: bytes) -> dict[str, Any]:
    """The body that `dialect` makes of `reply`, and, as `upstream`, the Messages request that it is the reply to."""
    read = dialect.read(json.dumps({"model": MODEL, **request}).encode())
    translated = read.translate(model=model_for(MODEL, {}), options=Options(), memory=None)
    folded = translated.folded(id_="abc", created=5)
    (choice,) = folded.choices
    choice.feed(reply)
    choice.close()
    body: dict[str, Any] = json.loads(folded.body())
    return body | {"upstream": json.loads(translated.translations[0].body)}


def chat(reply: bytes) -> dict[str, Any]:
    body = fold(CHAT, {**CHAT_REQUEST, "web_search_options": {}}, reply)
    message, usage = body["choices"][0]["message"], body["usage"]
    return {
        "text": message["content"] or "",
        "reasoning": message.get("reasoning_content", ""),
        "refusal": message["refusal"],
        "calls": [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", ())],
        "citations": [note["url_citation"]["url"] for note in message["annotations"]],
        "usage": (usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"]),
        "cut": body["choices"][0]["finish_reason"] == "length",
    }


def responses(reply: bytes) -> dict[str, Any]:
    request = {**RESPONSES_REQUEST, "tools": [*RESPONSES_REQUEST["tools"], {"type": "web_search"}]}
    body = fold(RESPONSES, request, reply)
    items, usage = body["output"], body["usage"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    texts = [part for part in parts if part["type"] == "output_text"]
    return {
        "text": "".join(part["text"] for part in texts),
        "reasoning": "".join(part["text"] for item in items if item["type"] == "reasoning" for part in item["summary"]),
        "refusal": next((part["refusal"] for part in parts if part["type"] == "refusal"), None),
        "calls": [(i["call_id"], i["name"], i["arguments"]) for i in items if i["type"] == "function_call"],
        "citations": [note["url"] for part in texts for note in part["annotations"]],
        "usage": (usage["input_tokens"], usage["output_tokens"], usage["input_tokens_details"]["cached_tokens"]),
        "cut": body["incomplete_details"] == {"reason": "max_output_tokens"},
    }


def test_the_same_conversation_goes_upstream_as_the_same_request():
    sent = fold(CHAT, CHAT_REQUEST, REPLIES["text"])["upstream"]
    assert fold(RESPONSES, RESPONSES_REQUEST, REPLIES["text"])["upstream"] == sent
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_says_the_same_in_chat_and_in_responses(name: str):
    assert responses(REPLIES[name]) == chat(REPLIES[name])


def test_the_reply_is_what_upstream_has_said():
    assert chat(REPLIES["calls"]) == {
        "text": "I look.",
        "reasoning": "Hm.",
        "refusal": None,
        "calls": [("toolu_1", "look", '{"city":"Oslo"}'), ("toolu_2", "look", '{"city":"Rome"}')],
        "citations": [],
        "usage": (15, 9, 5),
        "cut": False,
    }
    assert chat(REPLIES["citations"])["citations"] == ["https://w.org"]
    assert chat(REPLIES["refusal"])["refusal"] == "No."
    assert chat(REPLIES["limit"])["cut"]


@pytest.mark.parametrize("name", ["text", "limit"])
def test_a_text_is_the_same_in_legacy_completions(name: str):
    body = fold(COMPLETIONS, {"prompt": "Hello", "max_tokens": 500}, REPLIES[name])
    expected = chat(REPLIES[name])
    (choice,) = body["choices"]
    assert choice["text"] == expected["text"]
    assert (choice["finish_reason"] == "length") == expected["cut"]
    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == expected["usage"][:2]
