"""The fields of the OpenAI SDK's request types at every depth, and requests that use each of them."""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from typing_extensions import get_type_hints, is_typeddict

_BREAKPOINT = {"mode": "explicit", "ttl": "30m"}
_PNG = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_PERSON = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

# Together they hold every nested field of the SDK.
REQUESTS: tuple[dict[str, Any], ...] = (
    {
        "model": "claude-opus-4-8",
        "messages": [
            {"role": "system", "name": "n", "content": [{"type": "text", "text": "s"}]},
            {"role": "user", "name": "a", "content": "A"},
            {
                "role": "user",
                "name": "b",
                "content": [
                    {"type": "text", "text": "t", "prompt_cache_breakpoint": _BREAKPOINT},
                    {"type": "image_url", "image_url": {"url": _PNG, "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_data": "SGk=", "filename": "f.txt"}},
                    {"type": "file", "file": {"file_id": "file_1"}},
                ],
            },
            {
                "role": "assistant",
                "audio": {"id": "x"},
                "refusal": "no",
                "content": [{"type": "text", "text": "u"}, {"type": "refusal", "refusal": "r"}],
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "2", "type": "custom", "custom": {"name": "c", "input": "i"}},
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": "r"},
            {"role": "tool", "tool_call_id": "2", "content": "r"},
            {"role": "assistant", "function_call": {"name": "old", "arguments": '{"a":1}'}},
            {"role": "function", "name": "old", "content": "r"},
            {"role": "user", "content": "B"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": _PERSON, "strict": True}},
            {
                "type": "custom",
                "custom": {
                    "name": "c",
                    "description": "d",
                    "format": {"type": "grammar", "grammar": {"definition": "start: x", "syntax": "lark"}},
                },
            },
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {
                "type": "approximate",
                "approximate": {"city": "Bern", "country": "CH", "region": "BE", "timezone": "Europe/Zurich"},
            },
        },
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "description": "d", "schema": _PERSON, "strict": True},
        },
        "stream_options": {"include_usage": True, "include_obfuscation": True},
        "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
        "audio": {"format": "wav", "voice": {"id": "v"}},
        "moderation": {"model": "m", "policy": {"input": {"mode": "block"}, "output": {"mode": "block"}}},
        "prediction": {
            "type": "content",
            "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": _BREAKPOINT}],
        },
    },
    {
        "model": "claude-opus-4-8",
        "messages": [{"role": "user", "content": "A"}],
        "functions": [{"name": "f", "description": "d", "parameters": _PERSON}],
        "function_call": {"name": "f"},
        "prompt_cache_options": {"mode": "explicit"},
    },
    {
        "model": "claude-opus-4-8",
        "messages": [{"role": "user", "content": "A"}],
        "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
        },
    },
    {
        "model": "claude-opus-4-8",
        "messages": [{"role": "user", "content": "A"}],
        "tools": [{"type": "custom", "custom": {"name": "c"}}],
        "tool_choice": {"type": "custom", "custom": {"name": "c"}},
    },
)


def nested_fields() -> set[str]:
    """The paths of all fields below the top, like `messages[].content[].text`."""
    return {path for path in _walk(CompletionCreateParamsNonStreaming, "", ()) if "." in path}


def _walk(type_: Any, path: str, above: tuple[Any, ...]) -> Iterator[str]:
    if is_typeddict(type_):
        if type_ in above:
            return
        for name, hint in get_type_hints(type_).items():
            where = f"{path}.{name}".lstrip(".")
            yield where
            yield from _walk(hint, where, (*above, type_))
        return
    origin = get_origin(type_)
    array = inspect.isclass(origin) and issubclass(origin, Iterable) and not issubclass(origin, dict)
    for argument in get_args(type_):
        if not isinstance(argument, str):
            yield from _walk(argument, f"{path}[]" if array else path, above)


def without(value: Any, path: str) -> Iterator[Any]:
    """`value` without the field at `path`, once for each place where it has that field."""
    head, _, rest = path.partition(".")
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from ([*value[:index], less, *value[index + 1 :]] for less in without(item, path))
    elif isinstance(value, dict) and (name := head.removesuffix("[]")) in value:
        if not rest:
            yield {key: member for key, member in value.items() if key != name}
        else:
            yield from ({**value, name: less} for less in without(value[name], rest))
