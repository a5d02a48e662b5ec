"""The pieces an answer is read as, between upstream's events and what either form of our answer is made of."""

import msgspec
from msgspec import Struct

from claude_proxy.translate.runs import RunKind
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.chat_reply import Annotation

_read_text = msgspec.json.Decoder(str).decode


class Started(Struct, gc=False):
    """The answer begins; `id` is OpenAI's form of the message's id."""

    id: str
    model: str


class Text(Struct, gc=False):
    text: str


class Reasoning(Struct, gc=False):
    text: str


class CallStarted(Struct, gc=False):
    """A call of a client's tool; `index` counts these calls only, from 0."""

    index: int
    id: str
    name: str
    custom: bool


class CallInput(Struct, gc=False):
    """More of a call's arguments, as JSON text, or of a custom tool's text."""

    index: int
    text: str
    custom: bool


class Run(Struct, gc=False):
    """Many deltas of one block at once: their strings, as JSON; `call` as in CallInput."""

    kind: RunKind
    call: int
    literals: list[bytes]

    def text(self) -> str:
        """All of it, decoded."""
        return _read_text(b'"' + b"".join(literal[1:-1] for literal in self.literals) + b'"')


class Cited(Struct, gc=False):
    annotations: list[Annotation]


class Finished(Struct, gc=False):
    """The answer is whole. `usage` is None where upstream has not said it."""

    reason: str
    refusal: str | None
    usage: Usage | None


Piece = Started | Text | Reasoning | CallStarted | CallInput | Run | Cited | Finished
