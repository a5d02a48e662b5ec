"""Validates requests to upstream and replies to clients with the official SDKs' own types.

Anthropic's request types are TypedDicts with traps, hence more than a `validate_python`: without a config they
let unknown keys pass; their `Iterable` fields are validated only while somebody walks them; their unions also
hold the response models, which allow extra keys.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

# The 2.x types no longer know these; older models and API versions do.
_SAMPLING: dict[str, type[int] | tuple[type[int], type[float]]] = {
    "temperature": (int, float),
    "top_p": (int, float),
    "top_k": int,
}
# Common extensions of OpenAI's replies; nothing else is allowed.
_EXTENSIONS = {"annotations", "reasoning_content", "reasoning_details", "cache_write_tokens"}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TypedDictExtraConfigWarning: the config is meant to reach the nested ones
    _STRICT = ConfigDict(extra="forbid", strict=True)
    _PLAIN: TypeAdapter[Any] = TypeAdapter(list[MessageCreateParamsNonStreaming], config=_STRICT)
    _STREAMED: TypeAdapter[Any] = TypeAdapter(list[MessageCreateParamsStreaming], config=_STRICT)
_COMPLETION = TypeAdapter(ChatCompletion)
_CHUNK = TypeAdapter(ChatCompletionChunk)


def assert_valid_upstream(body: Mapping[str, Any]) -> None:
    """Fail, naming the params, unless `body` is a valid request of Anthropic's SDK without unknown keys."""
    for name, kind in _SAMPLING.items():
        assert isinstance(body.get(name, 0), kind), f"{name} is {body[name]!r}"
    rest = {key: value for key, value in body.items() if key not in _SAMPLING}
    for tool in rest.get("tools", ()):
        if "input_schema" in tool:
            assert tool["input_schema"].get("type") == "object", f"input_schema of {tool['name']}: {tool}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = _drained((_STREAMED if rest.get("stream") else _PLAIN).validate_python([rest])[0])
    except ValidationError as exc:
        raise AssertionError("\n".join(_why(exc))) from None
    assert got == rest


def assert_valid_completion(body: object) -> ChatCompletion:
    """`body` as the SDK's ChatCompletion; fails on a wrong type, a stray key or a key that must always be there."""
    completion = _COMPLETION.validate_python(body, strict=True)
    _assert_no_strangers(completion)
    for choice in body["choices"]:  # type: ignore[index] # validated above
        assert {"index", "message", "finish_reason", "logprobs"} <= choice.keys()
        assert {"role", "content", "refusal"} <= choice["message"].keys()
    return completion


def assert_valid_chunk(body: object) -> ChatCompletionChunk:
    """`body` as the SDK's ChatCompletionChunk; fails like `assert_valid_completion`."""
    chunk = _CHUNK.validate_python(body, strict=True)
    _assert_no_strangers(chunk)
    for choice in body["choices"]:  # type: ignore[index] # validated above
        assert {"index", "delta", "finish_reason", "logprobs"} <= choice.keys()
        for call in choice["delta"].get("tool_calls", ()):
            assert "index" in call
    return chunk


def assert_valid_error(body: Any) -> None:
    """OpenAI's error: all four keys, and nothing beside them."""
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    assert isinstance(body["error"]["type"], str)


def _assert_no_strangers(model: BaseModel) -> None:
    strangers = [place for place in unknown_keys(model) if place.rpartition(".")[2] not in _EXTENSIONS]
    assert not strangers


def unknown_keys(value: object, at: str = "$") -> list[str]:
    """The params of unknown keys that `value`, a response model, accepted."""
    if isinstance(value, BaseModel):
        own = [f"{at}.{key}" for key in value.model_extra or {}]
        return own + [
            place for key in type(value).model_fields for place in unknown_keys(getattr(value, key), f"{at}.{key}")
        ]
    if isinstance(value, list):
        return [place for index, item in enumerate(value) for place in unknown_keys(item, f"{at}[{index}]")]
    return []


def _drained(value: object) -> object:
    """`value` with every lazy iterator walked: walking is what validates it."""
    match value:
        case BaseModel():
            assert not unknown_keys(value), f"{unknown_keys(value)} in {value!r}"
            return value.model_dump(mode="json", exclude_unset=True)
        case Mapping():
            return {key: _drained(item) for key, item in value.items()}
        case None | str() | bytes() | int() | float():
            return value
        case Iterable():
            return [_drained(item) for item in value]
        case _:
            raise AssertionError(f"{value!r} is no JSON value")


def _why(exc: ValidationError) -> list[str]:
    """The errors of those branches of each union whose type or role matched; the others are noise."""
    groups = defaultdict(list)
    for error in exc.errors(include_url=False, include_input=False):
        if "union[" not in str(error["loc"][1:2]):
            groups[error["loc"][:2]].append(error)
    near = [
        group for group in groups.values() if not any(error["loc"][2:] in (("type",), ("role",)) for error in group)
    ]
    chosen = near or list(groups.values())[:3]
    return sorted({f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for group in chosen for error in group})
