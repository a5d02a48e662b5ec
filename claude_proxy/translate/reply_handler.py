"""What a dialect gets of a Messages reply: its blocks, their deltas, and the handler that is called with them."""

import msgspec
from msgspec import Struct

from claude_proxy.translate.text_filters import CustomInput
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import ContentBlock
from claude_proxy.wire.delta_batches import DeltaKind

_read_text = msgspec.json.Decoder(str).decode


class Block(Struct, eq=False):
    """A content block that is open, as its handler sees it."""

    index: int  # counts all blocks of the reply from 0, across its messages
    kind: str  # upstream's `type`
    start: ContentBlock  # as upstream began it
    name: str = ""  # of a tool, as the client knows it
    signature: str = ""  # of thinking
    custom_input: CustomInput | None = None  # of a tool whose input is one text instead of JSON
    has_input: bool = False  # some input of a tool call was handed over

    @property
    def id(self) -> str:
        return self.start.id


class DeltaBatch(Struct, gc=False):
    """Deltas of one block, handed over at once: their texts as JSON strings, quotes included."""

    kind: DeltaKind
    block: Block
    strings: list[bytes]

    def text(self) -> str:
        """All of it, decoded."""
        return _read_text(b'"' + b"".join(string[1:-1] for string in self.strings) + b'"')


class ReplyHandler:
    """What a dialect does with a reply. Each method is called in the order of the stream; the defaults do nothing."""

    def accepts_batch(self, kind: DeltaKind, block: Block) -> bool:
        """Whether deltas of `block`, the only open one, may come as a batch now instead of one by one."""
        return False

    def on_start(self, id_: str, model: str) -> None:
        """The reply begins. `id_` is upstream's; both may be empty."""

    def on_block_start(self, block: Block) -> None: ...

    def on_text(self, block: Block, text: str) -> None: ...

    def on_thinking(self, block: Block, text: str) -> None: ...

    def on_input(self, block: Block, text: str) -> None:
        """More of a tool call's input: JSON, or plain text for a custom tool."""

    def on_batch(self, batch: DeltaBatch) -> None: ...

    def on_citation(self, block: Block, citation: anthropic.Citation) -> None: ...

    def on_block_end(self, block: Block) -> None: ...

    def on_end(self, stop_reason: str | None, explanation: str | None) -> None:
        """The reply is whole; `explanation` belongs to a refusal."""
