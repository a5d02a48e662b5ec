"""What a request must be before it is answered: JSON, of the right shape, for a model that is there."""

import hashlib
import json
from typing import Any

import msgspec

from claude_proxy.simulator.apierror import ApiError, invalid
from claude_proxy.simulator.conversation import Request
from claude_proxy.simulator.models import find_model


def messages_request(body: bytes, version: str, betas: frozenset[str]) -> Request:
    """The request to POST /v1/messages in `body`. Raises the ApiError the real API would answer with."""
    value = _decoded(body)
    return _request(value, body, betas)


def count_request(body: bytes, version: str, betas: frozenset[str]) -> Request:
    """The same for POST /v1/messages/count_tokens, which takes fewer fields."""
    value = _decoded(body)
    return _request(value, body, betas)


def _request(value: dict[str, Any], body: bytes, betas: frozenset[str]) -> Request:
    model = find_model(value["model"])
    if model is None or model.lifecycle == "retired":
        raise ApiError(404, f"model: {value['model']}")
    return Request(value, model, hashlib.sha256(body).digest(), betas)


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise invalid(f"The request body is not valid JSON: {_reason(body, exc)}") from None


def _reason(body: bytes, exc: Exception) -> str:
    """What is wrong with `body`, with the place as line, column and character."""
    if isinstance(exc, RecursionError):
        return "it is nested too deeply"
    try:
        json.loads(body)
    except json.JSONDecodeError as problem:
        return f"unexpected character: line {problem.lineno} column {problem.colno} (char {problem.pos})"
    except (UnicodeDecodeError, RecursionError) as problem:
        return str(problem)
    return "no low surrogate in string"
