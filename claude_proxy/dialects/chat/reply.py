"""A Messages reply in the terms of Chat Completions: one text, one reasoning text, numbered calls, a finish reason.

Both forms of our answer, the stream and the fold, are a ChatOutput that this handler fills.
"""

from typing import Protocol

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.translate.reply_handler import Block, DeltaBatch, ReplyHandler
from claude_proxy.translate.text_filters import JsonFinder, StopFinder, TextFilter
from claude_proxy.wire.anthropic import Citation
from claude_proxy.wire.chat_reply import Annotation, URLCitation
from claude_proxy.wire.delta_batches import DeltaKind

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "pause_turn": "stop",
    "compaction": "stop",
}
DEFAULT_REFUSAL = "Claude declined to answer this request."
SEPARATOR = "\n\n"


class ChatOutput(Protocol):
    """Takes the parts of a choice, in order. Calls are numbered from 0, client's tools only."""

    def started(self, message_id: str) -> None: ...

    def text(self, text: str) -> None: ...

    def reasoning(self, text: str) -> None: ...

    def call_started(self, number: int, block: Block) -> None: ...

    def call_input(self, number: int, block: Block, text: str) -> None:
        """More arguments, as JSON; plain text for a custom tool."""

    def batch(self, number: int, batch: DeltaBatch) -> None:
        """Many texts, reasoning texts or arguments at once; `number` is the call's, for arguments."""

    def citations(self, annotations: list[Annotation]) -> None: ...

    def finished(self, reason: str, refusal: str | None) -> None: ...


class ChatReply(ReplyHandler):
    """Fills `output` with one choice.

    Texts of adjacent blocks are joined as they are; texts with another block between them are joined by a blank line
    unless one of them brings a line end itself. Filters (stop texts, JSON) see the model's text without these lines.
    """

    def __init__(self, context: ChatReplyContext, output: ChatOutput) -> None:
        self.reader = ReplyReader(context, self)
        self._context = context
        self._output = output
        self._filters: list[TextFilter] = []
        if context.json_mode:
            self._filters.append(JsonFinder())
        self._stop_finder = StopFinder(context.stops) if context.stops else None
        if self._stop_finder is not None:
            self._filters.append(self._stop_finder)
        self._numbers: dict[int, int] = {}  # of the calls, by block index
        self._text = _JoinedText()
        self._reasoning_block: int | None = None  # the block whose thinking was passed on last
        self._citations: dict[str, Annotation] = {}  # of the open text block, by URL
        self._block_start = 0  # where the text of the open text block begins

    # -------------------------------------------------------------------------------------------------- batches

    def accepts_batch(self, kind: DeltaKind, block: Block) -> bool:
        match kind:
            case "text":
                return not self._filters and self._text.goes_on
            case "thinking":
                return self._reasoning_block == block.index
            case "input_json":
                return not self._context.legacy_functions

    def on_batch(self, batch: DeltaBatch) -> None:
        number = 0
        if batch.kind == "text":
            self._text.add_batch(batch, count=self._context.server_tools)
        elif batch.kind == "input_json":
            number = self._numbers[batch.block.index]
        self._output.batch(number, batch)

    # ---------------------------------------------------------------------------------------------- single deltas

    def on_start(self, id_: str, model: str) -> None:
        self._output.started(id_)

    def on_block_start(self, block: Block) -> None:
        if block.kind == "text":
            self._block_start = self._text.length
            self._citations = {}
            return
        self._text.interrupted = True
        if block.kind == "tool_use":
            number = self._numbers[block.index] = len(self._numbers)
            self._output.call_started(number, block)

    def on_text(self, block: Block, text: str) -> None:
        if self._text.interrupted:
            self._interrupt()
        for text_filter in self._filters:
            text = text_filter.feed(text)
        if text:
            self._pass_on(text)
        if self._stop_finder is not None and self._stop_finder.over:
            self.reader.cut_short()
            self._output.finished("stop", None)

    def _interrupt(self) -> None:
        """Another block stands between the text so far and what comes: no stop text reaches over it."""
        if self._stop_finder is not None and (held_back := self._stop_finder.close()):
            self._pass_on(held_back)
        self._text.interrupted = False
        self._text.separate = True

    def _pass_on(self, text: str) -> None:
        if separator := self._text.separator_before(text):
            if self._block_start == self._text.length:
                self._block_start += len(separator)
            text = separator + text
        self._text.add(text)
        self._output.text(text)

    def on_thinking(self, block: Block, text: str) -> None:
        if not self._context.show_reasoning:
            return
        first_of_block = self._reasoning_block is not None and self._reasoning_block != block.index
        self._reasoning_block = block.index
        self._output.reasoning(SEPARATOR + text if first_of_block else text)

    def on_input(self, block: Block, text: str) -> None:
        if (number := self._numbers.get(block.index)) is not None:  # else a server tool's
            self._output.call_input(number, block, text)

    # -------------------------------------------------------------------------------------------------- citations

    def on_citation(self, block: Block, citation: Citation) -> None:
        url = citation.url or citation.source or ""
        if url.startswith(("http://", "https://")) and url not in self._citations:
            self._citations[url] = Annotation("url_citation", URLCitation(url, citation.title or "", 0, 0))

    def on_block_end(self, block: Block) -> None:
        if block.kind != "text" or not self._citations:
            return
        for annotation in self._citations.values():
            annotation.url_citation.start_index = self._block_start
            annotation.url_citation.end_index = self._text.length
        self._output.citations(list(self._citations.values()))
        self._citations = {}

    # ---------------------------------------------------------------------------------------------------- the end

    def on_end(self, stop_reason: str | None, explanation: str | None) -> None:
        held_back = ""
        for text_filter in self._filters:
            held_back = text_filter.feed(held_back) + text_filter.close()
        if held_back:
            self._pass_on(held_back)
        reason = FINISH_REASONS.get(stop_reason or "", "stop")
        if reason == "tool_calls" and not self._numbers:
            reason = "stop"
        refusal = None
        if reason == "content_filter" and not self._text.length:
            refusal = explanation or DEFAULT_REFUSAL
        self._output.finished(reason, refusal)


class _JoinedText:
    """What is known of the text so far: enough to join the next text to it."""

    def __init__(self) -> None:
        self.length = 0  # in characters; without the batches that nothing needs to count
        self.interrupted = False  # another block has begun since the last text
        self.separate = False  # the next text comes after another block
        self._last: str | bytes = ""  # the text, or the JSON string, that was added last

    @property
    def goes_on(self) -> bool:
        """Whether the next text is added to text that is there, with nothing between."""
        return self.length > 0 and not self.interrupted and not self.separate

    def add(self, text: str) -> None:
        self.length += len(text)
        self._last = text

    def add_batch(self, batch: DeltaBatch, *, count: bool) -> None:
        self._last = batch.strings[-1]
        if count:
            self.length += len(batch.text())

    def separator_before(self, text: str) -> str:
        """What to put between the text so far and `text`."""
        separate, self.separate = self.separate, False
        if not separate or not self.length or text.startswith("\n") or self._ends_with_newline():
            return ""
        return SEPARATOR

    def _ends_with_newline(self) -> bool:
        if isinstance(self._last, str):
            return self._last.endswith("\n")
        return string_ends_with_newline(self._last)


def string_ends_with_newline(string: bytes) -> bool:
    """Whether the text of a JSON string, given with its quotes, ends with a line end."""
    if not string.endswith(b'\\n"'):
        return False
    before = string[:-2]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1
