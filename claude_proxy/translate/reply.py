"""The reading of a Messages reply, one for all dialects: upstream's bytes in, calls of a ReplyHandler out.

    reading -> finished   `message_stop`: the reply is whole
            -> paused     `message_stop` after `pause_turn`: `resume`, then read the continuation
            -> cut        the handler has ended the reply at a stop text (`cut_short`)
            -> failed     an `error` event, an event that cannot be read, or content of no open block

Within a message, blocks are open from `content_block_start` to `content_block_stop`, by the index that upstream gives
them. A stream that ends in any other state than finished or cut is a failure. Source: Anthropic's "Streaming Messages"
page; unknown types of events, blocks and deltas are ignored, as it asks. An event of a known type that cannot be read
is a failure, because text may be lost with it.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct

from claude_proxy.errors import ProxyError, UpstreamDisconnected
from claude_proxy.translate.block_collector import BlockCollector
from claude_proxy.translate.draft import ReplyContext
from claude_proxy.translate.failure import event_failure
from claude_proxy.translate.memory import RememberedTurn
from claude_proxy.translate.reply_handler import Block, DeltaBatch, ReplyHandler
from claude_proxy.translate.text_filters import CustomInput
from claude_proxy.translate.turn_recorder import TurnRecorder
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import ContentBlock, Delta, Event, StartedMessage, Usage
from claude_proxy.wire.delta_batches import DeltaKind, DeltaPattern, delta_pattern
from claude_proxy.wire.event_framer import EventFramer

MAX_PAUSES = 5
REPEATED = "repeated"  # the kind of a tool call that was begun before: it is ignored

_NO_INPUT = (b"{}", b"null")
_BATCHED: dict[str, DeltaKind] = {"text": "text", "tool_use": "input_json", "thinking": "thinking"}
_CONTENT = frozenset({"text_delta", "input_json_delta", "thinking_delta"})


class Message(Struct):
    """What upstream has said about the reply as a whole. `usage` is that of the message being read."""

    started: bool = False
    id: str = ""
    model: str = ""
    current_id: str | None = None  # of the message being read; after a pause or a splice it is not `id`
    usage: Usage | None = None
    service_tier: str | None = None
    stop_reason: str | None = None
    explanation: str | None = None


class ReplyReader:
    """Reads the events of one reply; see the module's docstring for its states."""

    def __init__(self, context: ReplyContext, handler: ReplyHandler) -> None:
        self.status: Literal["reading", "paused", "finished", "cut", "failed"] = "reading"
        self.failure: ProxyError | None = None
        self.message = Message()
        self.collector = BlockCollector() if context.server_tools else None
        self._context = context
        self._handler = handler
        self._framer = EventFramer(self)
        self._recorder = TurnRecorder()
        self._open: dict[int, Block] = {}  # by upstream's index
        self._next_index = 0
        self._paused_usages: list[Usage] = []  # of the messages that ended with a pause

    @property
    def over(self) -> bool:
        """Nothing more is to be read: the reply is whole, was cut, or has failed."""
        return self.status in ("finished", "cut", "failed")

    @property
    def paused(self) -> bool:
        return self.status == "paused"

    @property
    def cut(self) -> bool:
        """The reply was ended here, at a stop text, and upstream does not know it."""
        return self.status == "cut"

    @property
    def usage(self) -> Usage | None:
        """The counters of all messages of the reply so far; None where upstream has told none."""
        if not self._paused_usages:
            return self.message.usage
        known = [*self._paused_usages, self.message.usage]
        return anthropic.summed([usage for usage in known if usage is not None])

    def feed(self, data: bytes) -> None:
        """Read what `data` completes; it may be cut anywhere. A failure of upstream's is kept in `failure`.

        Raises UpstreamDisconnected for an event without end.
        """
        self._framer.feed(data)

    def close(self) -> None:
        """Upstream's bytes have ended. Raises the ProxyError that kept the reply from being whole."""
        if self.failure is not None:
            raise self.failure
        if self.status not in ("finished", "cut"):
            raise UpstreamDisconnected("upstream ended its answer before it was whole")

    def resume(self) -> None:
        """Go on after a pause: the next message continues this reply."""
        self.status = "reading"
        self._framer = EventFramer(self)
        self._paused_usages.append(self.message.usage or Usage())
        self.message.usage = self.message.current_id = None
        self._open = {}
        if self.collector is not None:  # the request that goes on has the blocks of the message that paused
            self.collector = BlockCollector()

    def release(self) -> None:
        """Let go of framer and handler, which refer back here: only the garbage collector would free the reply.

        Nothing can be read afterwards, and the failure is not kept.
        """
        del self._framer, self._handler
        self.failure = None

    def cut_short(self) -> None:
        """Read nothing more: the reply ends here, before upstream's end. For the handler."""
        self.status = "cut"

    def remembered(self, model: str, prefix: bytes) -> RememberedTurn | None:
        """The turn as it must go back to `model`, if a plain client could not send it back itself."""
        if self.status != "finished" or self._paused_usages:
            return None
        if self.collector is None:
            return self._recorder.turn(model, prefix)
        blocks = self.collector.blocks()
        return self._recorder.collected_turn(model, prefix, blocks, self.collector.text_length) if blocks else None

    # -------------------------------------------------------------------------------------- the framer's consumer

    def batch_pattern(self) -> DeltaPattern | None:
        """The deltas that change nothing but the content of the one block that is open."""
        if self.status != "reading" or len(self._open) != 1:
            return None
        ((upstream_index, block),) = self._open.items()
        kind = _BATCHED.get(block.kind)
        if kind is None or block.custom_input is not None or not self._handler.accepts_batch(kind, block):
            return None
        return delta_pattern(kind, upstream_index)

    def on_batch(self, strings: list[bytes]) -> None:
        ((upstream_index, block),) = self._open.items()
        batch = DeltaBatch(_BATCHED[block.kind], block, strings)
        if batch.kind == "thinking":
            self._recorder.thinking(block.index, batch.text())
        elif batch.kind == "input_json":
            block.has_input = True
        else:
            self._recorder.text()
        if self.collector is not None:
            self.collector.delta(upstream_index, batch.kind, batch.text())
        self._handler.on_batch(batch)

    def on_event(self, data: bytes) -> None:
        if self.status != "reading":
            return
        try:
            event = anthropic.read_event(data)
            if event is not None:
                self._event(event, data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._fail(UpstreamDisconnected("upstream sent an event that cannot be read, so its reply is not whole"))

    def _event(self, event: Event, data: bytes) -> None:
        match event.type:
            case "content_block_delta" if event.index in self._open:
                self._delta(event, data)
            case "content_block_delta":
                self._delta_of_no_block(event.delta)
            case "content_block_start":
                self._ensure_started(StartedMessage())
                self._block_start(event, data)
            case "content_block_stop":
                self._block_stop(event.index)
            case "message_start":
                self._message_start(event.message or StartedMessage())
            case "message_delta":
                self._message_delta(event)
            case "message_stop" if self.message.started:
                self._message_stop()
            case "error":
                self._fail(event_failure(event.error or anthropic.ErrorDetail()))

    # ------------------------------------------------------------------------------------------------ the message

    def _fail(self, failure: ProxyError) -> None:
        self.failure = failure
        self.status = "failed"

    def _ensure_started(self, message: StartedMessage) -> None:
        if not self.message.started:
            self.message.started = True
            self.message.id, self.message.model = message.id, message.model
            self._handler.on_start(message.id, message.model)

    def _message_start(self, message: StartedMessage) -> None:
        """The first message begins the reply; the same one again is ignored; another one goes on behind it."""
        again = self.message.started and message.id == self.message.current_id
        if self.message.started and not again and self._open:
            self._fail(UpstreamDisconnected("upstream began another message in the middle of a block"))
            return
        self._merge_usage(message.usage)
        if again:
            return
        self._ensure_started(message)
        self.message.current_id = message.id
        self._open = {}
        if self.collector is not None:
            self.collector.start_message()
        for raw in message.content:
            self._whole_block(raw, anthropic.read_content_block(raw))

    def _whole_block(self, raw: Raw, start: ContentBlock) -> None:
        """A block that stands in the message's start: it is begun and ended at once."""
        block = self._begin(start)
        if block.kind == REPEATED:
            return
        if self.collector is not None:
            self.collector.add(raw)
        self._initial_content(block)
        self._end(block)

    def _message_delta(self, event: Event) -> None:
        self._merge_usage(event.usage)
        if event.delta is not None:
            self.message.stop_reason = event.delta.stop_reason or self.message.stop_reason
            if event.delta.stop_details is not None:
                self.message.explanation = event.delta.stop_details.explanation

    def _merge_usage(self, usage: Usage | None) -> None:
        """Counters are cumulative: later ones replace earlier ones, absent ones keep them."""
        if usage is None:
            return
        self.message.service_tier = usage.service_tier or self.message.service_tier
        if self.message.usage is None:
            self.message.usage = usage
            return
        for name in Usage.__struct_fields__:
            if (value := getattr(usage, name)) is not None:
                setattr(self.message.usage, name, value)

    def _message_stop(self) -> None:
        can_continue = self.collector is not None and not self.collector.overflowed
        if self.message.stop_reason == "pause_turn" and can_continue and len(self._paused_usages) < MAX_PAUSES:
            self.status = "paused"
            return
        self.status = "finished"
        self._handler.on_end(self.message.stop_reason, self.message.explanation)

    # ------------------------------------------------------------------------------------------------- its blocks

    def _block_start(self, event: Event, data: bytes) -> None:
        start = event.content_block or ContentBlock()
        known = self._open.get(event.index)
        if known is not None and start.id and known.id == start.id:
            return  # the same start again
        block = self._open[event.index] = self._begin(start)
        if block.kind == REPEATED:
            return
        if self.collector is not None:
            self.collector.start(event.index, data)
        self._initial_content(block)

    def _begin(self, start: ContentBlock) -> Block:
        if start.type == "tool_use" and start.id in self._recorder.calls:
            return Block(-1, REPEATED, start)
        block = Block(self._next_index, start.type, start, signature=start.signature)
        self._next_index += 1
        match start.type:
            case "tool_use":
                block.name = self._context.client_names.get(start.name, start.name)
                if block.name in self._context.custom_tools:
                    block.custom_input = CustomInput()
                self._recorder.call(start.id)
            case "redacted_thinking":
                self._recorder.other(only_collected=False)
                self._recorder.redacted(start.data)
            case "text":
                pass
            case kind:
                self._recorder.other(only_collected=self.collector is not None and kind != "thinking")
        self._handler.on_block_start(block)
        return block

    def _initial_content(self, block: Block) -> None:
        """What a block holds at its start counts as its first delta. A tool's input there is looked at when it ends."""
        if block.start.text and block.kind == "text":
            self._text(block, block.start.text)
        elif block.start.thinking and block.kind == "thinking":
            self._thinking(block, block.start.thinking)

    def _delta(self, event: Event, data: bytes) -> None:
        block, delta = self._open[event.index], event.delta
        if delta is None or block.kind == REPEATED:
            return
        collector = self.collector
        match delta.type:
            case "text_delta" if delta.text and block.kind == "text":
                if collector is not None:
                    collector.delta(event.index, "text", delta.text)
                self._text(block, delta.text)
            case "input_json_delta" if delta.partial_json:
                if collector is not None:
                    collector.delta(event.index, "input_json", delta.partial_json)
                self._input(block, delta.partial_json)
            case "thinking_delta" if delta.thinking and block.kind == "thinking":
                if collector is not None:
                    collector.delta(event.index, "thinking", delta.thinking)
                self._thinking(block, delta.thinking)
            case "signature_delta":
                block.signature = delta.signature
                if collector is not None:
                    collector.signature(event.index, delta.signature)
            case "citations_delta" if delta.citation is not None:
                if collector is not None:
                    collector.citation(event.index, data)
                self._handler.on_citation(block, delta.citation)

    def _delta_of_no_block(self, delta: Delta | None) -> None:
        if delta is not None and delta.type in _CONTENT:
            self._fail(UpstreamDisconnected("upstream sent content outside of a block, so its reply is not whole"))

    def _text(self, block: Block, text: str) -> None:
        self._recorder.text()
        self._handler.on_text(block, text)

    def _thinking(self, block: Block, text: str) -> None:
        self._recorder.thinking(block.index, text)
        self._handler.on_thinking(block, text)

    def _input(self, block: Block, fragment: str) -> None:
        if block.custom_input is not None:
            fragment = block.custom_input.feed(fragment)
        if fragment:
            block.has_input = True
            self._handler.on_input(block, fragment)

    def _block_stop(self, upstream_index: int) -> None:
        block = self._open.pop(upstream_index, None)
        if block is not None and block.kind != REPEATED:
            self._end(block)

    def _end(self, block: Block) -> None:
        if block.kind == "tool_use":
            self._end_input(block)
        elif block.kind == "thinking":
            self._recorder.thinking_ended(block.index, block.signature)
        self._handler.on_block_end(block)

    def _end_input(self, block: Block) -> None:
        """Hand over an input that stood in the block's start, and what a custom tool's input has left."""
        initial = block.start.input
        text = "" if initial is UNSET or bytes(initial) in _NO_INPUT else bytes(initial).decode()
        if block.custom_input is None:
            if not block.has_input:
                self._handler.on_input(block, text or "{}")
        else:
            initial_text = block.custom_input.feed(text) if text and not block.has_input else ""
            if left := initial_text + block.custom_input.close():
                self._handler.on_input(block, left)
