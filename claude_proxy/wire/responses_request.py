"""The body of a Responses request: strict types, and errors that name the path of the fault.

Shapes follow `openai.types.responses` of the SDK 3.54. `null` equals absence everywhere. Input items and tools have
many types, some without a tag: they stay `msgspec.Raw` here and are decoded one by one (`wire/responses_items.py`,
`wire/responses_tools.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import NULL, check_nesting, check_utf8, decode, repaired
from claude_proxy.wire.known_fields import prune
from claude_proxy.wire.responses_tools import TextFormat, ToolChoice

T = TypeVar("T", bound=Struct)


class _Known(Struct, forbid_unknown_fields=True):
    """An object whose unknown fields are refused here and named by `read_responses_request`."""


class Reasoning(_Known):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class TextConfig(_Known):
    format: TextFormat | None = None
    verbosity: str | None = None


class CacheOptions(_Known):
    mode: str | None = None
    ttl: str | None = None
    prewarm: bool | None = None
    comparison_response_id: str | None = None


class StreamOptions(_Known):
    include_obfuscation: bool | None = None


class ConversationReference(_Known):
    id: str


class ResponsesRequest(_Known):
    """The body of POST responses: every field of the SDK's create params, then the extensions."""

    model: str
    access_programs: Raw = NULL
    background: bool | None = None
    background_options: Raw = NULL
    context_management: Raw = NULL
    conversation: str | ConversationReference | None = None
    image: Raw = NULL
    include: list[str] | None = None
    input: str | list[Raw] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] | None = None
    moderation: Raw = NULL
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: Raw = NULL
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: str | None = None
    reasoning: Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    text: TextConfig | None = None
    tool_choice: str | ToolChoice | None = None
    tools: list[Raw] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: str | None = None
    user: str | None = None
    # extensions
    anthropic: Raw = NULL
    client_metadata: Raw = NULL

    @property
    def conversation_id(self) -> str | None:
        given = self.conversation
        return given.id if isinstance(given, ConversationReference) else given


# ------------------------------------------------------------------------------------------------ reading it

_read_keys = msgspec.json.Decoder(dict[str, Raw]).decode


@cache
def _decoder(type_: type[T]) -> Callable[[bytes | Raw], T]:
    return msgspec.json.Decoder(type_).decode


def read_known(type_: type[T], data: Raw | bytes, at: str = "") -> tuple[T, list[str]]:
    """`data` as a `type_`, and the paths of the fields in it that hold a value and that no type here has.

    `at` is the path of `data`. Raises InvalidRequest.
    """
    read = _decoder(type_)
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return read(data), []
    pruned, unknown = prune(bytes(data), type_, at)
    return decode(read, pruned, at), unknown


def read_responses_request(body: bytes) -> tuple[ResponsesRequest, dict[str, Raw], frozenset[str]]:
    """The request in `body`, all its top-level fields as they stand there, and the paths of those no type here has.

    Raises InvalidRequest whose `param` is the path of the fault.
    """
    if not body.isascii():
        check_utf8(body)
    body = repaired(body)
    fields = decode(_read_keys, body)  # first, because it finds all that is not JSON
    request, unknown = read_known(ResponsesRequest, body)
    for param, value in _raw_values(request):
        check_nesting(value, param)
    return request, fields, frozenset(unknown)


def _raw_values(request: ResponsesRequest) -> Iterator[tuple[str, Raw]]:
    """The values that stay undecoded, with their params."""
    for name in ("anthropic", "client_metadata", "context_management", "moderation", "prompt"):
        value: Raw = getattr(request, name)
        yield name, value
    for index, tool in enumerate(request.tools or ()):
        yield f"tools[{index}]", tool
    if isinstance(request.input, list):
        for index, item in enumerate(request.input):
            yield f"input[{index}]", item
    if request.text is not None and request.text.format is not None:
        yield "text.format.schema", request.text.format.schema
