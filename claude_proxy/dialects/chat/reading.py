"""One reading of upstream's events, for the stream and the fold alike: events in, pieces of an answer out.

    before message_start -> in the message -> message_stop: Finished
                                           -> pause_turn: Paused, then message_start again, the answer goes on
                                           -> error event: `failure` is set, nothing more is read

Within the message blocks open, grow and close by `index`. Only `message_stop` ends an answer: everything else
that ends a stream is a failure, never a made-up finish. Source: Anthropic's "Streaming Messages" page; unknown
events, blocks and deltas are ignored, as it asks.
"""

import msgspec
from msgspec import UNSET, Raw, Struct

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.pieces import (
    CallInput,
    CallStarted,
    Cited,
    Finished,
    Piece,
    Reasoning,
    Run,
    Started,
    Text,
)
from claude_proxy.errors import ProxyError, UpstreamDisconnected
from claude_proxy.translate.blocks import BlockCollector
from claude_proxy.translate.failure import event_failure
from claude_proxy.translate.memory import TEXT, Part, Turn
from claude_proxy.translate.runs import DELTA, Expected, ends_with_newline, expected, find_run
from claude_proxy.translate.text_filters import CustomInput, JsonObjectFinder, StopFinder, TextFilter
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import RedactedThinkingBlock, ThinkingBlock, Usage
from claude_proxy.wire.chat_reply import Annotation, URLCitation
from claude_proxy.wire.sse import EventDecoder, match_event

MAX_PAUSES = 5
# The thinking of one turn that is kept for the next; more is not remembered, which is always allowed.
MAX_THINKING = 4 * 1024 * 1024

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
OpenRun = tuple[Expected, int]  # the deltas of a block, and the index of its call
NOT_KNOWN: OpenRun = (expected("text", 0), -1)
REFUSED = "Claude declined to answer this request."


class _Block(Struct):
    """A block that is open: what its deltas and its end need to know."""

    type: str
    call: int = -1
    id: str = ""
    input: Raw | None = None  # a tool's input as the block began with it
    said: bool = False  # something of its input went out
    custom: CustomInput | None = None
    start: int = 0  # a text block's place in the whole text, in characters
    citations: list[anthropic.Citation] = []
    thinking: list[str] = []
    size: int = 0  # of the thinking so far
    signature: str = ""


class ReplyReader:
    """Reads the events of one answer; see the module's first lines for its states."""

    def __init__(self, context: ChatReplyContext) -> None:
        self.context = context
        self.id = ""
        self.model = ""
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.finished = False
        self.failure: ProxyError | None = None
        self.paused = False
        self.cut = False  # the answer ended at a stop text, and upstream does not know
        self.skipped = 0  # events that could not be read
        self.collector = BlockCollector() if context.server_tools else None
        self._decoder = EventDecoder()
        self._blocks: dict[int, _Block] = {}
        self._calls: set[str] = set()
        self._open: OpenRun | None = NOT_KNOWN  # as `open_run` says; asked again after each event that was read
        self._pauses = 0
        self._stop_reason: str | None = None
        self._explanation: str | None = None
        self._before_pause: Usage | None = None
        self._length = 0  # of the text so far, in characters
        self._last_was_text = True
        self._ends_with_newline = False
        self._said_reasoning = False
        self._parts: list[Part] = []
        self._thought = 0
        self._filters: list[TextFilter] = []
        if context.json_mode:
            self._filters.append(JsonObjectFinder())
        if context.stops:
            self._filters.append(StopFinder(context.stops))

    @property
    def over(self) -> bool:
        """Nothing more is to be read: the answer is whole, or it failed."""
        return self.finished or self.failure is not None

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces in the events that `data` completes; `data` may be cut anywhere.

        A failure of upstream's is kept in `failure`; UpstreamDisconnected is raised for an event without end.
        """
        pieces: list[Piece] = []
        place, size = 0, len(data)
        usual = b"\r" not in data  # as line end, that is: within JSON it does not stand as such
        idle = usual and self._decoder.between_events
        while place < size:
            if idle:
                if data.startswith(DELTA, place) and (run := self._run(data, place)) is not None:
                    piece, place = run
                    pieces.append(piece)
                    continue
                if (whole := match_event(data, place)) is not None:
                    if not place:
                        self._decoder.passed_by()
                    place = whole.end()
                    pieces += self.read(whole[1])
                    continue
            end = data.find(b"\n\n", place) + 2
            text = data[place:] if end < 2 else data[place:end]
            for event in self._decoder.feed(text):
                pieces += self.read(event)
            place += len(text)
            idle = usual and self._decoder.between_events
        return pieces

    def _run(self, data: bytes, place: int) -> tuple[Run, int] | None:
        """The run of deltas at `place`, noted as passed on, and the place behind it."""
        if self._open is NOT_KNOWN:
            self._open = self.open_run()
        if self._open is None:
            return None
        deltas, call = self._open
        if (found := find_run(data, place, deltas)) is None:
            return None
        literals, end = found
        return self._passed_on(Run(deltas.kind, call, literals)), end

    def read(self, data: bytes) -> list[Piece]:
        """The pieces in one event's data. A failure of upstream's is kept in `failure`, not raised."""
        if self.finished or self.failure is not None:
            return []
        self._open = NOT_KNOWN
        try:
            event = anthropic.read_event(data)
            if self.collector is not None:
                self.collector.feed(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.skipped += 1
            return []
        match event.type:
            case "content_block_delta":
                return self._delta(event)
            case "content_block_start":
                begun = [] if self.id else self._message_start(anthropic.StartedMessage())
                return begun + self._block_start(event.index, event.content_block or anthropic.ContentBlock())
            case "content_block_stop":
                return self._block_stop(event.index)
            case "message_start":
                return self._message_start(event.message or anthropic.StartedMessage())
            case "message_delta":
                self._message_delta(event)
            case "message_stop" if self.id:
                return self._message_stop()
            case "error":
                self.failure = event_failure(event.error or anthropic.ErrorDetail())
        return []

    def open_run(self) -> OpenRun | None:
        """The deltas that change nothing here but the content of the block that is open.

        None while any filter, position or pending text could make a delta mean more than its own string.
        """
        if self.over or self._filters or self.collector is not None or len(self._blocks) != 1:
            return None
        ((index, block),) = self._blocks.items()
        match block.type:
            case "text" if self._last_was_text and self._length:
                return expected("text", index), 0
            case "tool_use" if block.said and block.custom is None and not self.context.legacy_functions:
                return expected("input_json", index), block.call
            case "thinking" if block.said and self.context.show_reasoning:
                return expected("thinking", index), 0
        return None

    def _passed_on(self, run: Run) -> Run:
        (block,) = self._blocks.values()
        if run.kind == "text":
            self._ends_with_newline = ends_with_newline(run.literals[-1])
        elif run.kind == "thinking" and self._thought + block.size <= MAX_THINKING:
            text = run.text()
            block.thinking.append(text)
            block.size += len(text)
        return run

    def close(self) -> None:
        """Upstream's bytes have ended. Raises what kept the answer from being whole."""
        if self.failure is not None:
            raise self.failure
        if not self.finished:
            raise UpstreamDisconnected("upstream ended its answer before it was whole")

    def resume(self) -> None:
        """Go on after a pause: the next message continues this answer."""
        self._open = NOT_KNOWN
        self.paused = False
        self._decoder = EventDecoder()
        self._before_pause = anthropic.summed(usage for usage in (self._before_pause, self.usage) if usage)
        self.usage = None
        if self.collector is not None:
            self.collector = BlockCollector()

    def remembered(self, model: str, prefix: bytes) -> Turn | None:
        """The turn as it has to go back to `model`, if a plain client could not send it back itself."""
        if not self.finished or not self._calls or not self._thought or self._thought > MAX_THINKING or self._pauses:
            return None
        calls = tuple(part for part in self._parts if isinstance(part, str))
        if self.collector is not None:
            return Turn(model, prefix, tuple(self.collector.blocks()), calls, self._length)
        if sum(part is TEXT for part in self._parts) > 1:
            return None  # a client joins its texts: where one ended is not known any more
        return Turn(model, prefix, tuple(self._parts), calls)

    # -------------------------------------------------------------------------------------------- the message

    def _message_start(self, message: anthropic.StartedMessage) -> list[Piece]:
        self._blocks = {}
        self._merge(message.usage)
        if self.id:
            return []
        self.id = "chatcmpl-" + message.id.removeprefix("msg_")
        self.model = message.model
        return [Started(self.id, self.model)]

    def _message_delta(self, event: anthropic.Event) -> None:
        self._merge(event.usage)
        if event.delta is not None:
            self._stop_reason = event.delta.stop_reason or self._stop_reason
            if event.delta.stop_details is not None:
                self._explanation = event.delta.stop_details.explanation

    def _merge(self, usage: Usage | None) -> None:
        """Later counters replace earlier ones, absent ones keep them: they are cumulative."""
        if usage is None:
            return
        self.service_tier = usage.service_tier or self.service_tier
        if self.usage is None:
            self.usage = usage
            return
        for name in Usage.__struct_fields__:
            if (value := getattr(usage, name)) is not None:
                setattr(self.usage, name, value)

    def _message_stop(self) -> list[Piece]:
        if self._stop_reason == "pause_turn" and self.collector is not None and self._pauses < MAX_PAUSES:
            self._pauses += 1
            self.paused = True
            return []
        pieces: list[Piece] = []
        left = ""
        for text_filter in self._filters:
            left = text_filter.feed(left) + text_filter.close()
        if left:
            pieces += self._said(left)
        return [*pieces, self._finish(self._reason())]

    def _reason(self) -> str:
        reason = FINISH_REASONS.get(self._stop_reason or "", "stop")
        return "stop" if reason == "tool_calls" and not self._calls else reason

    def _finish(self, reason: str) -> Finished:
        self.finished = True
        refusal = None
        if reason == "content_filter" and not self._length:
            refusal = self._explanation or REFUSED
        known = [usage for usage in (self._before_pause, self.usage) if usage is not None]
        return Finished(reason, refusal, anthropic.summed(known))

    # -------------------------------------------------------------------------------------------- its blocks

    def _block_start(self, index: int, block: anthropic.ContentBlock) -> list[Piece]:
        if index in self._blocks and self._blocks[index].id == block.id and block.id:
            return []  # said twice
        match block.type:
            case "text":
                self._blocks[index] = _Block("text", start=self._length)
                return self._text(self._blocks[index], block.text)
            case "tool_use":
                return self._call_start(index, block)
            case "thinking":
                opened = self._blocks[index] = _Block("thinking", signature=block.signature)
                self._last_was_text = False
                return self._reasoning(opened, block.thinking)
            case "redacted_thinking":
                self._last_was_text = False
                self._keep(RedactedThinkingBlock(block.data), len(block.data))
            case _:
                self._last_was_text = False
                self._thought += self.collector is not None  # a block that only the collector can give back
        return []

    def _call_start(self, index: int, block: anthropic.ContentBlock) -> list[Piece]:
        self._last_was_text = False
        if block.id in self._calls:
            self._blocks[index] = _Block("repeated", id=block.id)
            return []
        number = len(self._calls)
        self._calls.add(block.id)
        self._parts.append(block.id)
        name = self.context.client_names.get(block.name, block.name)
        custom = name in self.context.custom_tools
        begun = block.input if block.input is not UNSET and bytes(block.input) not in (b"{}", b"null") else None
        self._blocks[index] = _Block(
            "tool_use", call=number, id=block.id, input=begun, custom=CustomInput() if custom else None
        )
        return [CallStarted(number, block.id, name, custom)]

    def _delta(self, event: anthropic.Event) -> list[Piece]:
        block, delta = self._blocks.get(event.index), event.delta
        if block is None or delta is None:
            return []
        match delta.type:
            case "text_delta":
                return self._text(block, delta.text)
            case "input_json_delta" if block.call >= 0:
                return self._input(block, delta.partial_json)
            case "thinking_delta":
                return self._reasoning(block, delta.thinking)
            case "signature_delta":
                block.signature = delta.signature
            case "citations_delta" if delta.citation is not None:
                block.citations.append(delta.citation)
        return []

    def _block_stop(self, index: int) -> list[Piece]:
        block = self._blocks.pop(index, None)
        match block:
            case _Block(type="tool_use"):
                return self._input_end(block)
            case _Block(type="thinking") if block.signature:
                thinking = ThinkingBlock("".join(block.thinking), block.signature)
                self._keep(thinking, block.size + len(block.signature))
            case _Block(type="text"):
                return self._citations(block)
        return []

    def _keep(self, part: ThinkingBlock | RedactedThinkingBlock, size: int) -> None:
        self._thought += size
        if self._thought <= MAX_THINKING:
            self._parts.append(part)

    # ---------------------------------------------------------------------------------- what they are made of

    def _text(self, block: _Block, text: str) -> list[Piece]:
        if not text:
            return []
        apart = ""
        if not self._last_was_text:
            if self._length and not self._ends_with_newline and not text.startswith("\n"):
                apart = "\n\n"
            self._parts.append(TEXT)
            block.start += len(apart)
        elif not self._parts:
            self._parts.append(TEXT)
        self._last_was_text = True
        text = apart + text
        for text_filter in self._filters:
            text = text_filter.feed(text)
        pieces = self._said(text) if text else []
        if self._filters and isinstance(self._filters[-1], StopFinder) and self._filters[-1].over:
            self.cut = True
            self.usage = self._before_pause = None  # upstream is stopped before it has said what this costs
            pieces.append(self._finish("stop"))
        return pieces

    def _said(self, text: str) -> list[Piece]:
        self._length += len(text)
        self._ends_with_newline = text.endswith("\n")
        return [Text(text)]

    def _reasoning(self, block: _Block, text: str) -> list[Piece]:
        if not text:
            return []
        if self._thought + block.size <= MAX_THINKING:
            block.thinking.append(text)
            block.size += len(text)
        if not self.context.show_reasoning:
            return []
        apart = "\n\n" if self._said_reasoning and not block.said else ""
        block.said = self._said_reasoning = True
        return [Reasoning(apart + text)]

    def _input(self, block: _Block, fragment: str) -> list[Piece]:
        if block.custom is not None:
            text = block.custom.feed(fragment)
            return [CallInput(block.call, text, custom=True)] if text else []
        if not fragment:
            return []
        block.said = True
        return [CallInput(block.call, fragment, custom=False)]

    def _input_end(self, block: _Block) -> list[Piece]:
        begun = bytes(block.input).decode() if block.input is not None else ""
        if block.custom is not None:
            text = (block.custom.feed(begun) if begun else "") + block.custom.close()
            return [CallInput(block.call, text, custom=True)] if text else []
        return [] if block.said else [CallInput(block.call, begun or "{}", custom=False)]

    def _citations(self, block: _Block) -> list[Piece]:
        found: dict[str, Annotation] = {}
        for citation in block.citations:
            url = citation.url or citation.source or ""
            if url.startswith(("http://", "https://")):
                cited = URLCitation(url, citation.title or "", block.start, self._length)
                found.setdefault(url, Annotation("url_citation", cited))
        return [Cited(list(found.values()))] if found else []
