"""Our own `encrypted_content`: signed thinking that a stateless client keeps for us, and sends back.

It is not encrypted: Anthropic's signature and data are opaque already, and the thinking is what the client may read as
a summary anyway. The form is a version, and base64url of JSON. A foreign or damaged content is read as None and left
out, which is always allowed.
"""

import base64
import binascii
from typing import TypeVar

import msgspec
from msgspec import Struct

from claude_proxy.wire.anthropic import RedactedThinkingBlock, TextBlock, ThinkingBlock

_VERSION = "cp1."
_COMPACTION_VERSION = "cpc1."
MAX_SIZE = 32 * 1024 * 1024


class SealedThinking(Struct, frozen=True):
    """The thinking blocks of one reasoning item; they are valid only for the model that made them."""

    model: str
    blocks: list[ThinkingBlock | RedactedThinkingBlock]


class SealedSummary(Struct, frozen=True):
    """The summary that stands for a conversation that was compacted."""

    texts: list[TextBlock]


def seal(thinking: SealedThinking) -> str:
    return _VERSION + base64.urlsafe_b64encode(msgspec.json.encode(thinking)).decode("ascii")


def unseal(content: str) -> SealedThinking | None:
    """What `seal` has sealed; None for anything else."""
    return _unsealed(content, _VERSION, SealedThinking)


def seal_summary(summary: SealedSummary) -> str:
    return _COMPACTION_VERSION + base64.urlsafe_b64encode(msgspec.json.encode(summary)).decode("ascii")


def unseal_summary(content: str) -> SealedSummary | None:
    return _unsealed(content, _COMPACTION_VERSION, SealedSummary)


S = TypeVar("S", SealedThinking, SealedSummary)


def _unsealed(content: str, version: str, type_: type[S]) -> S | None:
    if not content.startswith(version) or len(content) > MAX_SIZE:
        return None
    try:
        data = base64.b64decode(content.removeprefix(version), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=type_)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
