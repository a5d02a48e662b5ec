"""Signatures of thinking blocks: which text, by which model, after which conversation.

A signature is opaque to clients and can be checked here without memory: it holds digests of the model, of the
block's text, of everything that stood before the block, and whether the block opened its message. Earlier
thinking is not part of "everything before": it may be left out of a conversation, and then later blocks still hold.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from claude_proxy.simulator.valid_request import Block, blocks

_MARK = b"simulated thinking\0"
_REDACTED_MARK = b"simulated redacted thinking\0"
_SIZE = 12
THINKING = frozenset({"thinking", "redacted_thinking"})


class Prefix:
    """A running digest of a conversation."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._hash = hashlib.sha256()
        self._role = ""
        for name in ("system", "tools"):
            value = body.get(name) or []
            self._add([{"type": "text", "text": value}] if isinstance(value, str) else value)

    def _add(self, values: list[Any]) -> None:
        for value in values:
            self._hash.update(msgspec.json.encode(_stable_part(value), order="deterministic") + b"\n")

    def feed(self, role: str, block: Block) -> None:
        """Append `block` of a message by `role`; adjacent messages of one role are one turn."""
        if block["type"] in THINKING:
            return
        if role != self._role:
            self._hash.update(b"\0" + role.encode())
            self._role = role
        self._add([block])

    def digest(self) -> bytes:
        return self._hash.digest()[:_SIZE]


def prefix_of(body: dict[str, Any]) -> Prefix:
    """The digest after all messages of `body`, to which the first block of the answer is bound."""
    prefix = Prefix(body)
    for message in body["messages"]:
        for block in blocks(message):
            prefix.feed(message["role"], block)
    return prefix


def _stable_part(block: Any) -> Any:
    """`block` without the fields that may change between two requests of one conversation."""
    if not isinstance(block, dict):
        return block
    bare = {
        key: _stable_part(value) for key, value in block.items() if key not in {"cache_control", "citations", "caller"}
    }
    if isinstance(content := bare.get("content"), list):
        bare["content"] = [_stable_part(inner) for inner in content]
    return bare


@dataclass(frozen=True)
class SignedBlock:
    """The content of a signature."""

    model: bytes
    text: bytes
    prefix: bytes
    leading: bool


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_SIZE]


def sign(model: str, text: str, prefix: bytes, *, leading: bool) -> str:
    return _pack(_MARK, _digest(model) + _digest(text) + prefix + bytes([leading]))


def redact(model: str, text: str, prefix: bytes, *, leading: bool) -> str:
    """The `data` of a redacted_thinking block: a signature as well; the text cannot be recovered from it."""
    return _pack(_REDACTED_MARK, _digest(model) + _digest(text) + prefix + bytes([leading]))


def _pack(mark: bytes, payload: bytes) -> str:
    payload = mark + payload
    return base64.b64encode(payload + hashlib.sha256(payload).digest()[:_SIZE]).decode()


def read_signature(block: Block) -> SignedBlock | None:
    """The content of a thinking block's signature or of redacted `data`; None if it was not made here."""
    redacted = block["type"] == "redacted_thinking"
    mark = _REDACTED_MARK if redacted else _MARK
    try:
        packed = base64.b64decode(block["data" if redacted else "signature"], validate=True)
    except (binascii.Error, ValueError):
        return None
    payload, check = packed[:-_SIZE], packed[-_SIZE:]
    if not payload.startswith(mark) or hashlib.sha256(payload).digest()[:_SIZE] != check:
        return None
    fields = list(_slices(payload[len(mark) :]))
    return SignedBlock(fields[0], fields[1], fields[2], payload[-1] == 1)


def _slices(payload: bytes) -> Iterator[bytes]:
    for start in range(0, 3 * _SIZE, _SIZE):
        yield payload[start : start + _SIZE]


def same_text(signed: SignedBlock, text: str) -> bool:
    return signed.text == _digest(text)


def same_model(signed: SignedBlock, model: str) -> bool:
    return signed.model == _digest(model)
