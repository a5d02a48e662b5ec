"""The input of a tool call in the history. Upstream wants a JSON object; clients may have kept something else."""

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.wire.decoding import check_nesting, repaired

_read_object = msgspec.json.Decoder(dict[str, Raw]).decode
_read_text = msgspec.json.Decoder(str).decode


def object_input(draft: Draft, arguments: str | None, *, param: str) -> Raw:
    """A function's arguments byte for byte if they are a JSON object; else wrapped in one, with a warning."""
    text = (arguments or "").strip()
    if not text:
        return Raw(b"{}")
    data = repaired(text.encode())
    try:
        members = _read_object(data)
        # Most arguments are flat. A scan of all of them for nesting would take as long as decoding them.
        if any(memoryview(value)[0] in b"{[" for value in members.values()):
            check_nesting(data, param)
    except (msgspec.MsgspecError, RecursionError, InvalidRequest):
        inner = _text_in(data)
        if inner is not None and inner.strip() != text:
            return object_input(draft, inner, param=param)
    else:
        return Raw(data)
    draft.warn(param, 'the arguments are not a JSON object; they were sent as {"_raw": "…"}')
    return Raw(msgspec.json.encode({"_raw": text}))


def text_input(text: str | None) -> Raw:
    """The input of a custom tool, which is sent as a function with one text."""
    return Raw(msgspec.json.encode({"input": text or ""}))


def _text_in(data: bytes) -> str | None:
    """The text of a JSON string: arguments that a client encoded twice."""
    try:
        return _read_text(data)
    except msgspec.MsgspecError:
        return None
