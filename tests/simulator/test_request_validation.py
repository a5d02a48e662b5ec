"""Whatever is sent is answered or refused: a good request, spoiled in many small ways."""

import copy
import random

import msgspec
import pytest

from claude_proxy.simulator.api_error import ApiError
from claude_proxy.simulator.api_headers import BETAS, VERSIONS
from claude_proxy.simulator.message_events import events, message
from claude_proxy.simulator.prompt_cache import PromptCache
from claude_proxy.simulator.request_validation import messages_request
from claude_proxy.simulator.responder import compose

MARK = {"type": "ephemeral"}
SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "enum": ["x"]},
        "b": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2},
        "c": {"anyOf": [{"type": "number", "maximum": 3}]},
        "d": {"allOf": [{"$ref": "#/$defs/z"}]},
    },
    "required": ["a", "b", "c", "d"],
    "$defs": {"z": {"const": 1}},
}
GOOD = {
    "model": "claude-opus-4-6",
    "max_tokens": 3000,
    "system": [{"type": "text", "text": "s", "cache_control": MARK}],
    "tools": [
        {"name": "t", "input_schema": SCHEMA, "cache_control": MARK | {"ttl": "1h"}},
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "low"},
    "metadata": {"user_id": "u"},
    "stop_sequences": ["zz"],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi\n/simulate tool t\n/simulate next\n/simulate tool t"},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
                {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                {"type": "tool_use", "id": "a", "name": "t", "input": {"x": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]},
    ],
}
ODD = [None, True, 0, -1, 1.5, "", "x", " ", [], {}, [1], {"a": 1}, {"type": "text"}, ["string", "null"], {"$ref": "#"}]
WORDS = ["type", "text", "content", "enum", "$ref", "minItems", "required", "properties", "minimum", "allOf", "items"]


def places(value):
    """Every container in `value` with every key into it."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def spoiled(chance):
    body = copy.deepcopy(GOOD)
    for _ in range(chance.choice([1, 1, 2, 3])):
        inside, key = chance.choice(list(places(body)))
        if chance.random() < 0.2:
            del inside[key]
        elif chance.random() < 0.2 and isinstance(inside, dict):
            inside[chance.choice(WORDS)] = copy.deepcopy(chance.choice(ODD))
        else:
            inside[key] = copy.deepcopy(chance.choice(ODD))
    return body


def test_the_good_request_is_answered():
    request = messages_request(msgspec.json.encode(GOOD), "2023-06-01", frozenset())
    assert compose(request).stop_reason == "tool_use"


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_sent_is_answered_or_refused(seed):
    chance = random.Random(seed)
    cache, ends = PromptCache(), set()
    for _ in range(25):
        body, betas = msgspec.json.encode(spoiled(chance)), chance.choice([frozenset[str](), BETAS])
        try:
            request = messages_request(body, chance.choice(sorted(VERSIONS)), betas)
            answer = compose(request)
            billed = cache.bill(request)
            assert message(answer, billed, request)["role"] == "assistant"
            assert list(events(answer, billed, request, "req"))
            ends.add(200)
        except ApiError as error:
            ends.add(error.status)
    assert ends <= {200, 400, 404}
