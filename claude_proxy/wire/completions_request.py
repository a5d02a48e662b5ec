"""The body of a legacy completion request: strict types, and errors that name the path of the fault.

The types follow `openai.types.completion_create_params` of the SDK 3.54. `null` equals absence everywhere.
"""

from contextlib import suppress

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import NULL, check_nesting, check_utf8, decode, repaired
from claude_proxy.wire.known_fields import prune


class _Known(Struct, forbid_unknown_fields=True):
    """An object whose unknown fields are refused here and named by `read_completions_request`."""


class StreamOptions(_Known):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionsRequest(_Known):
    """The body of POST completions: every field of the SDK's create params, then the extension."""

    model: str
    prompt: Raw = NULL  # a text or several; tokens are refused with a reason
    best_of: int | None = None
    echo: bool | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: int | None = None
    max_tokens: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str | None] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    user: str | None = None
    # extension
    anthropic: Raw = NULL


_read_request = msgspec.json.Decoder(CompletionsRequest).decode


def read_completions_request(body: bytes) -> tuple[CompletionsRequest, frozenset[str]]:
    """The request in `body`, and the paths of the fields that hold a value and that no type here has.

    Raises InvalidRequest whose `param` is the path of the fault.
    """
    if not body.isascii():
        check_utf8(body)
    body = repaired(body)
    unknown: list[str] = []
    try:
        request = _read_request(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        with suppress(msgspec.MsgspecError):
            body, unknown = prune(body, CompletionsRequest)
        request = decode(_read_request, body)
    check_nesting(request.anthropic, "anthropic")
    return request, frozenset(unknown)
