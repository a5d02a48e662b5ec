"""Items as they are kept and listed: each with an id, in the form that OpenAI's lists of items have."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import Raw, Struct

from claude_proxy.dialects.responses.compaction import is_trigger

ENCRYPTED_REASONING = "reasoning.encrypted_content"

_ID_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "shell_call": "sh",
    "shell_call_output": "sho",
    "apply_patch_call": "apc",
    "apply_patch_call_output": "apco",
    "compaction": "cmp",
}
# Fields that a listed item must have and that clients leave out.
_STATUS = {"status": Raw(b'"completed"')}
_DEFAULTS: dict[str, dict[str, Raw]] = {
    **{name: _STATUS for name in _ID_PREFIXES if name not in ("reasoning", "compaction")},
    "reasoning": {"summary": Raw(b"[]")},
}
_PART_DEFAULTS: dict[str, dict[str, Raw]] = {
    "output_text": {"annotations": Raw(b"[]"), "logprobs": Raw(b"[]")},
    "input_image": {"detail": Raw(b'"auto"')},
}
_NULL = Raw(b"null")

_encode = msgspec.json.Encoder().encode
_read_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_read_list = msgspec.json.Decoder(list[Raw]).decode


class StoredItem(Struct, frozen=True):
    """An item with its id."""

    id: str
    json: Raw


class _Head(Struct):
    type: str | None = None
    id: object = None


_read_head = msgspec.json.Decoder(_Head).decode


def stored_input(given: str | Sequence[Raw] | None, own_id: str) -> list[StoredItem]:
    """The input of a request as items; ids that are missing are made from `own_id`, the request's own."""
    if isinstance(given, str):
        given = [Raw(_encode({"role": "user", "content": given}))]
    kept = [item for item in given or () if not is_trigger(item)]
    return [stored_item(item, f"{own_id}i{index:03x}") for index, item in enumerate(kept)]


def stored_item(item: Raw, own_id: str) -> StoredItem:
    """`item`, which is valid, with the fields that a listed item must have."""
    head = _read_head(item)
    type_ = head.type or "message"
    id_ = head.id if isinstance(head.id, str) and head.id else f"{_ID_PREFIXES.get(type_, 'item')}_{own_id}"
    given = {name: value for name, value in _read_fields(item).items() if value != _NULL}
    defaults = {"id": Raw(_encode(id_)), "type": Raw(_encode(type_)), **_DEFAULTS.get(type_, {})}
    fields = {**defaults, **given, "id": defaults["id"]}
    if type_ == "message":
        fields["content"] = _message_content(fields)
    return StoredItem(id_, Raw(_encode(fields)))


def _message_content(fields: dict[str, Raw]) -> Raw:
    """The content of a message as a list of parts."""
    text_type = "output_text" if fields.get("role") == Raw(b'"assistant"') else "input_text"
    content = msgspec.json.decode(fields.get("content", Raw(b"[]")), type=str | list[Raw])
    if isinstance(content, str):
        part = Raw(_encode({"type": text_type, "text": content}))
        return Raw(_encode([_stored_part(part, text_type)]))
    return Raw(_encode([_stored_part(part, text_type) for part in content]))


def _stored_part(part: Raw, text_type: str) -> dict[str, Raw]:
    fields = {name: value for name, value in _read_fields(part).items() if value != _NULL}
    type_ = _read_head(part).type or ""
    if type_ == "text":
        type_ = text_type
        fields["type"] = Raw(_encode(type_))
    return {**_PART_DEFAULTS.get(type_, {}), **fields}


def item_for_client(item: bytes | Raw, include: Collection[str]) -> Raw:
    """A kept item as a client gets it: the signed thinking of a reasoning item only where `include` names it."""
    if ENCRYPTED_REASONING in include or b'"encrypted_content"' not in bytes(item):
        return Raw(bytes(item))
    fields = _read_fields(item)
    if _read_head(item).type == "reasoning":
        fields.pop("encrypted_content", None)
    return Raw(_encode(fields))


def body_for_client(body: bytes, include: Collection[str]) -> bytes:
    """A kept response as a client gets it."""
    if ENCRYPTED_REASONING in include or b'"encrypted_content"' not in body:
        return body
    fields = _read_fields(body)
    output = _read_list(fields.get("output", Raw(b"[]")))
    fields["output"] = Raw(_encode([item_for_client(item, include) for item in output]))
    return _encode(fields)


class _Background(Struct):
    background: bool = False


def is_background(body: bytes) -> bool:
    """Whether the kept response was generated in the background."""
    return msgspec.json.decode(body, type=_Background).background


def with_output(body: bytes, output: Sequence[Raw]) -> bytes:
    """The body of a response with other output items."""
    return _encode({**_read_fields(body), "output": output})


def failed_body(body: bytes, message: str) -> bytes:
    """The body of a response that has not ended, as that of one that has failed."""
    error = {"code": "server_error", "message": message}
    return _encode({**_read_fields(body), "status": "failed", "error": error})
