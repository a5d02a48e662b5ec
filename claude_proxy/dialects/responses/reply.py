"""A Messages reply in the terms of the Responses API: output items from blocks, with the events that tell of them.

Adjacent text blocks are one message. An item is done when the next one begins or the reply ends, because only the
end tells whether the last one is incomplete; a tool that runs upstream is done when its result has come. The blocks of
parallel calls may be interleaved.
"""

from claude_proxy.dialects.responses.context import ResponseContext, ToolForm
from claude_proxy.dialects.responses.events import EventWriter
from claude_proxy.dialects.responses.hosted_tools import OpenEmulatedCall, OpenMcpCall, OpenSearch
from claude_proxy.dialects.responses.items import OpenCall, OpenMessage, OpenReasoning, Output, add_refusal
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.translate.reply_handler import Block, DeltaBatch, ReplyHandler
from claude_proxy.translate.text_filters import JsonFinder
from claude_proxy.wire.anthropic import Citation
from claude_proxy.wire.delta_batches import DeltaKind
from claude_proxy.wire.responses_reply import MessageItem, URLCitation

DEFAULT_REFUSAL = "Claude declined to answer this request."
_CUT = ("max_tokens", "model_context_window_exceeded")
_EMULATED = ("local_shell", "shell", "apply_patch")
_SEARCHES = ("web_search", "web_fetch")


class ResponseReply(ReplyHandler):
    """Fills `output`; after the end, `incomplete_reason` says why the response is not completed, if it is not."""

    def __init__(self, context: ResponseContext, own_id: str, events: EventWriter | None) -> None:
        self.reader = ReplyReader(context, self)
        self.output = Output(own_id, events, encrypted_reasoning=context.include_encrypted_reasoning)
        self.incomplete_reason: str | None = None
        self._context = context
        self._filter = JsonFinder() if context.json_mode else None
        self._open: OpenMessage | OpenReasoning | OpenCall | OpenEmulatedCall | None = None
        self._calls: dict[int, OpenCall | OpenEmulatedCall] = {}  # whose blocks are open, by block index
        self._upstream_tools: dict[str, OpenSearch | OpenMcpCall] = {}  # by the id of their call
        self._citations: dict[str, Citation] = {}  # of the text block that is open, by URL
        self._block_start = 0  # where the text of that block begins in its message

    # -------------------------------------------------------------------------------------------------- batches

    def accepts_batch(self, kind: DeltaKind, block: Block) -> bool:
        match kind:
            case "text":
                return self._filter is None
            case "thinking":
                return self._context.show_reasoning
            case "input_json":
                return True

    def on_batch(self, batch: DeltaBatch) -> None:
        if batch.kind == "text":
            self._message().add_batch(batch, count=self._context.server_tools)
        elif batch.kind == "input_json":
            self._calls[batch.block.index].add_batch(batch)
        elif isinstance(self._open, OpenReasoning):
            self._open.add_batch(batch)

    # --------------------------------------------------------------------------------------------------- blocks

    def on_block_start(self, block: Block) -> None:
        start = block.start
        match block.kind:
            case "text":
                self._citations = {}
                self._block_start = self._open.length if isinstance(self._open, OpenMessage) else 0
            case "thinking" | "redacted_thinking":
                self._close()
                self._open = OpenReasoning(self.output, block, self._context.upstream_model)
            case "tool_use":
                self._flush_filter()
                self._close()
                self._calls[block.index] = self._call(block)
            case "server_tool_use" if start.name in _SEARCHES:
                self._close()
                sources = self._context.include_search_sources
                self._upstream_tools[block.id] = OpenSearch(self.output, block, sources=sources)
            case "mcp_tool_use":
                self._close()
                self._upstream_tools[block.id] = OpenMcpCall(self.output, block)
            case _ if (tool := self._upstream_tools.pop(start.tool_use_id, None)) is not None:
                tool.finish(block)
            case _:  # a block that is no item: the texts around it are messages of their own
                self._close()

    def on_text(self, block: Block, text: str) -> None:
        if self._filter is not None:
            text = self._filter.feed(text)
        if text:
            self._message().add(text)

    def on_thinking(self, block: Block, text: str) -> None:
        if isinstance(self._open, OpenReasoning):
            if self._context.show_reasoning:
                self._open.add(text)
            else:
                self._open.add_hidden(text)

    def on_input(self, block: Block, text: str) -> None:
        if (tool := self._upstream_tools.get(block.id)) is not None:
            tool.add(text)
        elif (call := self._calls.get(block.index)) is not None:
            call.add(text)

    def on_citation(self, block: Block, citation: Citation) -> None:
        url = citation.url or citation.source or ""
        if url.startswith(("http://", "https://")):
            self._citations.setdefault(url, citation)

    def on_block_end(self, block: Block) -> None:
        if block.kind == "text" and isinstance(self._open, OpenMessage):
            for url, citation in self._citations.items():
                self._open.annotate(URLCitation(url, citation.title or "", self._block_start, self._open.length))
            self._citations = {}
        elif (call := self._calls.pop(block.index, None)) is not None:
            self._close()
            self._open = call

    # ---------------------------------------------------------------------------------------------------- the end

    def on_end(self, stop_reason: str | None, explanation: str | None) -> None:
        self._flush_filter()
        if stop_reason in _CUT:
            self.incomplete_reason = "max_output_tokens"
        elif stop_reason == "refusal" and any(isinstance(item, MessageItem) for item in self.output.items):
            self.incomplete_reason = "content_filter"
        status = "incomplete" if self.incomplete_reason else "completed"
        self._close(status)
        for call in self._calls.values():
            call.end(status)
        for tool in self._upstream_tools.values():
            tool.end("incomplete")
        self._upstream_tools.clear()
        if stop_reason == "refusal" and self.incomplete_reason is None:
            add_refusal(self.output, explanation or DEFAULT_REFUSAL)

    # ------------------------------------------------------------------------------------------------- open items

    def _flush_filter(self) -> None:
        """Write the text that is held back, before anything that must stand behind it."""
        if self._filter is not None and not self._filter.over:
            if held_back := self._filter.close():
                self._message().add(held_back)
            self._filter = JsonFinder()

    def _message(self) -> OpenMessage:
        """The message that text belongs to now."""
        if not isinstance(self._open, OpenMessage):
            self._close()
            self._open = OpenMessage(self.output)
            self._block_start = 0
        return self._open

    def _call(self, block: Block) -> OpenCall | OpenEmulatedCall:
        form = self._context.tools.get(block.name) or ToolForm("custom" if block.custom_input else "function")
        if form.kind in _EMULATED:
            return OpenEmulatedCall(self.output, block, form)
        return OpenCall(self.output, block, form)

    def _close(self, status: str = "completed") -> None:
        if self._open is not None:
            self._open.end(status)
            self._open = None
