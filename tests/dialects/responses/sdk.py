"""The newest OpenAI SDK as the judge of responses and of their events."""

from typing import Any

from openai._types import omit
from openai.lib.streaming.responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.support.judge import unknown_keys

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_RESPONSE: TypeAdapter[Response] = TypeAdapter(Response)

# Keys that this version of the SDK does not have: older versions demand the `name`, and OpenAI itself sends `store`.
_EXTENSIONS = ("name", "store")
# Fields that a response must always have, beside those without which the SDK does not read it.
_ALWAYS = {
    *("background", "error", "incomplete_details", "instructions", "max_output_tokens", "metadata", "reasoning"),
    *("previous_response_id", "service_tier", "status", "store", "temperature", "text", "top_p", "truncation"),
    *("usage", "user"),
}


def assert_valid_response(body: Any) -> Response:
    """`body` as the SDK's Response; fails on a wrong type, a stray key or a key that must always be there."""
    response = _RESPONSE.validate_python(_with_known_code(body), strict=True)
    assert not _strangers(response), _strangers(response)
    assert not _ALWAYS - body.keys(), _ALWAYS - body.keys()
    return response


def assert_valid_event(event: Any) -> Any:
    """`event` as one of the SDK's; an error event is nested, as OpenAI sends it, and a keep-alive is of no type."""
    if event["type"] in ("error", "keepalive"):
        assert event.keys() - {"error"} == {"type", "sequence_number"}
        return None
    known = {**event, "response": _with_known_code(event["response"])} if "response" in event else event
    read = _EVENT.validate_python(known, strict=True)
    assert not _strangers(read), _strangers(read)
    if "response" in event:
        assert_valid_response(event["response"])
    return read


def _with_known_code(response: Any) -> Any:
    """`response`, where a code that Codex acts on and the SDK does not list is replaced."""
    error = response["error"]
    if error is None or error["code"] not in ("context_length_exceeded", "insufficient_quota", "server_is_overloaded"):
        return response
    return {**response, "error": {**error, "code": "server_error"}}


def _strangers(model: Any) -> list[str]:
    return [path for path in unknown_keys(model) if path.rpartition(".")[2] not in _EXTENSIONS]


def accumulated(events: list[dict[str, Any]]) -> Any:
    """The final response that the SDK's accumulator makes of the events; None if there is none."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=omit)
    for event in events:
        if (read := assert_valid_event(event)) is not None:
            state.handle_event(read)
    return state._completed_response
