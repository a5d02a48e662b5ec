"""The output items of a response while they grow, each from the blocks of one kind.

An item is added when it begins and done when it ends, with events between; texts are kept as pieces of JSON strings,
because both upstream's events and ours are JSON. The rules of order are those that the SDKs' accumulators demand:
an item is added once, its parts before their deltas, and every item is done before the response is.
"""

from typing import Protocol

import msgspec
from msgspec import UNSET, Raw, UnsetType

from claude_proxy.dialects.responses.context import ToolForm
from claude_proxy.dialects.responses.encrypted import SealedThinking, seal
from claude_proxy.dialects.responses.events import DeltaTemplate, EventWriter
from claude_proxy.translate.reply_handler import Block, DeltaBatch
from claude_proxy.wire.anthropic import RedactedThinkingBlock, ThinkingBlock
from claude_proxy.wire.responses_reply import (
    CustomToolCallItem,
    FunctionCallItem,
    MessageItem,
    OutputItem,
    OutputRefusal,
    OutputText,
    ReasoningItem,
    SummaryText,
    URLCitation,
)

_encode = msgspec.json.Encoder().encode
_read_text = msgspec.json.Decoder(str).decode


class Output:
    """The items of one response in order, and the events that tell of them; without `events` nothing is told."""

    def __init__(self, own_id: str, events: EventWriter | None, *, encrypted_reasoning: bool) -> None:
        self.items: list[OutputItem] = []  # those that are done, and those that are open as they began
        self.events = events
        self._own_id = own_id
        self._encrypted_reasoning = encrypted_reasoning
        self._done: set[int] = set()

    @property
    def done_items(self) -> list[OutputItem]:
        return [item for index, item in enumerate(self.items) if index in self._done]

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._own_id}{len(self.items):03x}"

    def add(self, item: OutputItem) -> int:
        """Begin an item; returns its output index."""
        index = len(self.items)
        self.items.append(item)
        self.event("response.output_item.added", output_index=index, item=item)
        return index

    def done(self, index: int, item: OutputItem) -> None:
        self.items[index] = item
        self._done.add(index)
        self.event("response.output_item.done", output_index=index, item=self.for_client(item))

    def for_client(self, item: OutputItem) -> OutputItem:
        """The item as the client gets it: `encrypted_content` only where it was asked for."""
        if self._encrypted_reasoning or not isinstance(item, ReasoningItem):
            return item
        return msgspec.structs.replace(item, encrypted_content=UNSET)

    def event(self, name: str, /, **fields: object) -> None:
        if self.events is not None:
            self.events.event(name, **fields)

    def delta(self, template: DeltaTemplate, inner: bytes) -> None:
        if self.events is not None:
            self.events.delta(template, inner)


class OpenItem(Protocol):
    """An item that is not done yet."""

    def end(self, status: str) -> None:
        """Finish it. `status` is completed or incomplete."""


class GrowingText:
    """A text that comes in pieces, kept as the inside of a JSON string."""

    def __init__(self) -> None:
        self._inner = bytearray()  # a list of small pieces would take ten times the text's size

    def __bool__(self) -> bool:
        return bool(self._inner)

    def add(self, text: str) -> bytes:
        """Add `text`; returns it as the inside of a JSON string."""
        piece = _encode(text)[1:-1]
        self._inner += piece
        return piece

    def add_batch(self, batch: DeltaBatch) -> bytes:
        strings = batch.strings
        piece = strings[0][1:-1] if len(strings) == 1 else b"".join([string[1:-1] for string in strings])
        self._inner += piece
        return piece

    @property
    def json(self) -> bytes:
        """The whole text as a JSON string."""
        return b'"' + self._inner + b'"'

    @property
    def text(self) -> str:
        return _read_text(self.json)


class OpenMessage:
    """A message with one text part, from text blocks with no other item between them."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._id = output.new_id("msg")
        self._index = output.add(MessageItem(self._id, "assistant", "in_progress", []))
        self._at = {"item_id": self._id, "output_index": self._index, "content_index": 0}
        output.event("response.content_part.added", **self._at, part=OutputText("", [], []))
        self._template = DeltaTemplate("response.output_text.delta", **self._at, logprobs=())
        self._text = GrowingText()
        self._annotations: list[URLCitation] = []
        self.length = 0  # in characters, as far as the caller counts

    def add(self, text: str) -> None:
        self.length += len(text)
        self._output.delta(self._template, self._text.add(text))

    def add_batch(self, batch: DeltaBatch, *, count: bool) -> None:
        if count:
            self.length += len(batch.text())
        self._output.delta(self._template, self._text.add_batch(batch))

    def annotate(self, citation: URLCitation) -> None:
        number = len(self._annotations)
        self._annotations.append(citation)
        name = "response.output_text.annotation.added"
        self._output.event(name, **self._at, annotation_index=number, annotation=citation)

    def end(self, status: str) -> None:
        text = self._text.json
        part = OutputText(Raw(text), self._annotations, [])
        self._output.event("response.output_text.done", **self._at, text=text, logprobs=[])
        self._output.event("response.content_part.done", **self._at, part=part)
        self._output.done(self._index, MessageItem(self._id, "assistant", status, [part]))


def add_refusal(output: Output, refusal: str) -> None:
    """Add a whole message that refuses."""
    id_ = output.new_id("msg")
    index = output.add(MessageItem(id_, "assistant", "in_progress", []))
    at = {"item_id": id_, "output_index": index, "content_index": 0}
    output.event("response.content_part.added", **at, part=OutputRefusal(""))
    output.event("response.refusal.delta", **at, delta=refusal)
    output.event("response.refusal.done", **at, refusal=refusal)
    output.event("response.content_part.done", **at, part=OutputRefusal(refusal))
    output.done(index, MessageItem(id_, "assistant", "completed", [OutputRefusal(refusal)]))


class OpenReasoning:
    """A reasoning item, from one thinking block; without a text it has no summary."""

    def __init__(self, output: Output, block: Block, model: str) -> None:
        self._output = output
        self._block = block
        self._model = model
        self._id = output.new_id("rs")
        self._index = output.add(ReasoningItem(self._id, [], "in_progress"))
        self._at = {"item_id": self._id, "output_index": self._index, "summary_index": 0}
        self._template = DeltaTemplate("response.reasoning_summary_text.delta", **self._at)
        self._shown = GrowingText()
        self._whole = self._shown

    def add(self, text: str) -> None:
        self._begin_summary()
        self._output.delta(self._template, self._shown.add(text))

    def add_batch(self, batch: DeltaBatch) -> None:
        self._begin_summary()
        self._output.delta(self._template, self._shown.add_batch(batch))

    def add_hidden(self, text: str) -> None:
        """Add thinking that is not shown, but signed."""
        if self._whole is self._shown:
            self._whole = GrowingText()
        self._whole.add(text)

    def _begin_summary(self) -> None:
        if not self._shown:
            self._output.event("response.reasoning_summary_part.added", **self._at, part=SummaryText(""))

    def end(self, status: str) -> None:
        summary = []
        if self._shown:
            text = self._shown.json
            summary = [SummaryText(Raw(text))]
            self._output.event("response.reasoning_summary_text.done", **self._at, text=text)
            self._output.event("response.reasoning_summary_part.done", **self._at, part=summary[0])
        self._output.done(self._index, ReasoningItem(self._id, summary, status, self._sealed()))

    def _sealed(self) -> str | UnsetType:
        blocks: list[ThinkingBlock | RedactedThinkingBlock] = []
        if self._block.kind == "redacted_thinking":
            blocks = [RedactedThinkingBlock(self._block.start.data)]
        elif self._block.signature:
            blocks = [ThinkingBlock(self._whole.text, self._block.signature)]
        return seal(SealedThinking(self._model, blocks)) if blocks else UNSET


class OpenCall:
    """A function call or a custom tool call."""

    def __init__(self, output: Output, block: Block, form: ToolForm) -> None:
        self._output = output
        self._block = block
        self._form = form
        self._custom = form.kind == "custom"
        self._id = output.new_id("ctc" if self._custom else "fc")
        self._index = output.add(self._item("", "in_progress"))
        self._at = {"item_id": self._id, "output_index": self._index}
        kind = "custom_tool_call_input" if self._custom else "function_call_arguments"
        self._template = DeltaTemplate(f"response.{kind}.delta", **self._at)
        self._input = GrowingText()

    def _item(self, text: str | Raw, status: str) -> FunctionCallItem | CustomToolCallItem:
        name, namespace = self._form.name or self._block.name, self._form.namespace or UNSET
        if self._custom:
            return CustomToolCallItem(self._id, self._block.id, name, text, namespace)
        return FunctionCallItem(self._id, self._block.id, name, text, status, namespace)

    def add(self, text: str) -> None:
        self._output.delta(self._template, self._input.add(text))

    def add_batch(self, batch: DeltaBatch) -> None:
        self._output.delta(self._template, self._input.add_batch(batch))

    def end(self, status: str) -> None:
        text = self._input.json
        if self._custom:
            self._output.event("response.custom_tool_call_input.done", **self._at, input=text)
        else:
            name = self._form.name or self._block.name
            self._output.event("response.function_call_arguments.done", **self._at, name=name, arguments=text)
        self._output.done(self._index, self._item(Raw(text), status))
