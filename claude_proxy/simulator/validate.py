"""What a request must be before it is answered: JSON, of the right shape, within the rules of its model."""

import hashlib
import json
import re
from typing import Any

import msgspec

from claude_proxy.simulator import breakpoints, media, messages, parameters, thinking, tools
from claude_proxy.simulator.apierror import ApiError, invalid
from claude_proxy.simulator.conversation import Request
from claude_proxy.simulator.door import NEWER_VERSION
from claude_proxy.simulator.models import find_model
from claude_proxy.simulator.shape import Object
from claude_proxy.simulator.shapes import COUNTED, CREATED, CREATED_NEWER

# A surrogate that is not half of a pair: JSON's grammar allows it, Unicode has no such character.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)


def messages_request(body: bytes, version: str, betas: frozenset[str]) -> Request:
    """The request to POST /v1/messages in `body`. Raises the ApiError that the real API would answer with."""
    request = _request(body, CREATED_NEWER if version == NEWER_VERSION else CREATED, version, betas)
    parameters.prompt_length(request)
    return request


def count_request(body: bytes, version: str, betas: frozenset[str]) -> Request:
    """The same for POST /v1/messages/count_tokens, which takes fewer fields."""
    return _request(body, COUNTED, version, betas)


def _request(body: bytes, shape: Object, version: str, betas: frozenset[str]) -> Request:
    value = _decoded(body)
    shape.check(value, "", betas)
    model = find_model(value["model"])
    if model is None or model.lifecycle == "retired":
        raise ApiError(404, f"model: {value['model']}")
    request = Request(value, model, _digest(value), betas)
    breakpoints.check(request)
    messages.check(request, version)
    tools.check(request)
    thinking.check(request)
    parameters.check(request)
    media.check(request)
    return thinking.check_blocks(request)


def _digest(value: dict[str, Any]) -> bytes:
    """What ids are made from: the same request is answered with the same message, streamed or not."""
    asked = {name: member for name, member in value.items() if name != "stream"}
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).digest()


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
    """What is wrong with `body`, and where."""
    try:
        json.loads(body)
    except json.JSONDecodeError as problem:
        return f"unexpected character: {_position(body, problem.pos)}"
    except (UnicodeDecodeError, RecursionError):
        return "str is not valid UTF-8: surrogates not allowed"
    return str(exc)  # what only Python takes for JSON: NaN, Infinity


def _position(body: bytes, place: int) -> str:
    line = body.count(b"\n", 0, place) + 1
    column = place - body.rfind(b"\n", 0, place)
    return f"line {line} column {column} (char {place})"
