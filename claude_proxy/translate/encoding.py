"""The finished request as bytes, the client's own fields of the Messages API merged in."""

import msgspec
from msgspec import Raw

from claude_proxy.translate.draft import Draft
from claude_proxy.translate.memory import prefix_of
from claude_proxy.wire.decoding import NULL, decode, repaired

_read_object = msgspec.json.Decoder(dict[str, object]).decode


def encode_request(draft: Draft, overrides: Raw = NULL, *, param: str = "anthropic") -> bytes:
    """The body of the Messages request. Raises InvalidRequest if `overrides` is not a JSON object.

    `overrides` are fields that the client sets itself. They are merged in key by key, but an object of another `type`
    replaces ours; `null` removes a field. So everything can be overridden but `stream`.
    """
    data = msgspec.json.encode(draft.body)
    if draft.extra_fields:
        fields = msgspec.json.decode(data, type=dict[str, Raw])
        data = msgspec.json.encode({**fields, **draft.extra_fields})
    if overrides != NULL:
        theirs = decode(_read_object, repaired(bytes(overrides)), param)
        theirs.pop("stream", None)
        data = msgspec.json.encode(_deep_merged(_read_object(data), theirs))
        draft.server_tools = True  # `overrides` may hold tools that run upstream
        draft.note("mapped", param, "merged into the request, last")
    return _within_limits(draft, data)


def _within_limits(draft: Draft, data: bytes) -> bytes:
    """`data` without the fields that the backend cannot carry; a warning for each."""
    if not draft.model.limits.without_fields:
        return data
    fields = msgspec.json.decode(data, type=dict[str, Raw])
    for name, reason in draft.model.limits.without_fields.items():
        if fields.pop(name, None) is not None:
            draft.warn(name, reason)
    return msgspec.json.encode(fields)


# What POST /v1/messages/count_tokens takes; it refuses any other field.
_COUNTED = frozenset(
    {"cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools"}
)
_read_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def counted(body: bytes) -> bytes:
    """The request that counts the tokens of the Messages request `body`."""
    return msgspec.json.encode({name: value for name, value in _read_fields(body).items() if name in _COUNTED})


def _deep_merged(ours: dict[str, object], theirs: dict[str, object]) -> dict[str, object]:
    merged = dict(ours)
    for key, value in theirs.items():
        if value is None:
            merged.pop(key, None)
            continue
        mine = merged.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            merged[key] = _deep_merged({} if _differ_in_type(mine, value) else mine, value)
        else:
            merged[key] = value
    return merged


def _differ_in_type(ours: dict[str, object], theirs: dict[str, object]) -> bool:
    """Whether two objects are of different `type`s, which have different fields."""
    return "type" in ours and "type" in theirs and ours["type"] != theirs["type"]


def bound_prefix(draft: Draft) -> bytes:
    """The digest of everything before the reply, where thinking is bound to it and may have to be remembered."""
    return prefix_of(draft.body) if draft.model.binds_thinking and draft.body.tools else b""
