"""Validates a request: JSON, fields and types, then the rules of the model."""

import hashlib
import json
import re
from typing import Any

import msgspec

from claude_proxy.simulator import (
    cache_control_rules,
    conversation_rules,
    mcp_rules,
    media_rules,
    parameter_rules,
    thinking_rules,
    tool_rules,
)
from claude_proxy.simulator.api_error import ApiError, invalid
from claude_proxy.simulator.api_headers import NEWER_VERSION
from claude_proxy.simulator.model_table import find_model
from claude_proxy.simulator.request_validators import COUNTED, CREATED, CREATED_NEWER
from claude_proxy.simulator.valid_request import Request
from claude_proxy.simulator.validators import Object

# A surrogate that is not half of a pair: valid in JSON's grammar, but not a Unicode character.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)


def messages_request(
    body: bytes, version: str, betas: frozenset[str], *, adaptive_with_forced_tool: bool = False
) -> Request:
    """The validated request to POST /v1/messages. Raises the ApiError of the real API."""
    validator = CREATED_NEWER if version == NEWER_VERSION else CREATED
    request = _request(body, validator, version, betas, adaptive_with_forced_tool=adaptive_with_forced_tool)
    parameter_rules.prompt_length(request)
    return request


def count_request(
    body: bytes, version: str, betas: frozenset[str], *, adaptive_with_forced_tool: bool = False
) -> Request:
    """The same for POST /v1/messages/count_tokens, which takes fewer fields."""
    return _request(body, COUNTED, version, betas, adaptive_with_forced_tool=adaptive_with_forced_tool)


def _request(
    body: bytes, validator: Object, version: str, betas: frozenset[str], *, adaptive_with_forced_tool: bool
) -> Request:
    value = _decoded(body)
    validator.check(value, "", betas)
    model = find_model(value["model"])
    if model is None or model.lifecycle == "retired":
        raise ApiError(404, f"model: {value['model']}")
    request = Request(value, model, _digest(value), betas, adaptive_with_forced_tool=adaptive_with_forced_tool)
    cache_control_rules.check(request)
    conversation_rules.check(request, version)
    mcp_rules.check(request)
    tool_rules.check(request)
    thinking_rules.check(request)
    parameter_rules.check(request)
    media_rules.check(request)
    return thinking_rules.check_blocks(request)


def _digest(value: dict[str, Any]) -> bytes:
    """The seed of generated ids: the same request gets the same message, streamed or not."""
    seed = {name: member for name, member in value.items() if name != "stream"}
    return hashlib.sha256(msgspec.json.encode(seed, order="deterministic")).digest()


def _decoded(body: bytes) -> Any:
    if lone := _lone_surrogate(body):
        raise _not_json(f"no low surrogate in string: {_position(body, lone)}")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise _not_json("recursion limit exceeded") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _not_json(_reason(body, exc)) from None


def _not_json(reason: str) -> ApiError:
    return invalid(f"The request body is not valid JSON: {reason}")


def _lone_surrogate(body: bytes) -> int | None:
    if b"\\ud" not in body and b"\\uD" not in body:
        return None
    return next((found.start(2) for found in _LONE_SURROGATE.finditer(body) if found[2]), None)


def _reason(body: bytes, exc: Exception) -> str:
    """Why `body` is not JSON, and at which position."""
    try:
        json.loads(body)
    except json.JSONDecodeError as problem:
        return f"unexpected character: {_position(body, problem.pos)}"
    except (UnicodeDecodeError, RecursionError):
        return "str is not valid UTF-8: surrogates not allowed"
    return str(exc)  # Python's json accepts NaN and Infinity, which are not JSON


def _position(body: bytes, pos: int) -> str:
    line = body.count(b"\n", 0, pos) + 1
    column = pos - body.rfind(b"\n", 0, pos)
    return f"line {line} column {column} (char {pos})"
