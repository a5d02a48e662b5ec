"""Compaction: the model summarises a conversation, and an item that holds the summary stands for it from then on."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from claude_proxy.dialects.responses.context import ResponseContext
from claude_proxy.dialects.responses.encrypted import SealedSummary, seal_summary, unseal_summary
from claude_proxy.dialects.responses.events import EventWriter
from claude_proxy.dialects.responses.items import Output, add_refusal
from claude_proxy.translate.reply import ReplyReader
from claude_proxy.translate.reply_handler import Block, ReplyHandler
from claude_proxy.wire.anthropic import TextBlock
from claude_proxy.wire.responses_reply import CompactionItem

SUMMARY_REQUEST = (
    "Summarise the conversation up to this point, so that it can be continued from your summary alone by someone who"
    " has not seen it. Keep every instruction and preference that is still in force, what was asked for, what was done"
    " and found out (with names, paths, figures and code that are still needed, word for word), decisions with their"
    " reasons, what failed, and what remains to be done. Answer with the summary and nothing else."
)
SUMMARY_HEADING = "Summary of the conversation so far:\n\n"
NO_SUMMARY = "The conversation could not be summarised."
_CUT = ("max_tokens", "model_context_window_exceeded")


class _Item(Struct):
    type: str | None = None
    encrypted_content: str | None = None


_read_item = msgspec.json.Decoder(_Item).decode


def ends_with_trigger(given: str | Sequence[Raw] | None) -> bool:
    """Whether the last item of a request asks for a compaction."""
    if given is None or isinstance(given, str):
        return False
    return len(given) > 0 and is_trigger(given[-1])


def is_trigger(item: Raw) -> bool:
    return b"compaction_trigger" in bytes(item) and _read(item).type == "compaction_trigger"


def since_compaction(items: Sequence[Raw]) -> Sequence[Raw]:
    """`items` from the last compaction that was made here: it stands for all that came before."""
    for index in range(len(items) - 1, -1, -1):
        if b'"compaction"' not in bytes(items[index]):
            continue
        item = _read(items[index])
        if item.type == "compaction" and unseal_summary(item.encrypted_content or "") is not None:
            return items[index:]
    return items


def _read(item: Raw) -> _Item:
    try:
        return _read_item(item)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # the reader will say what is wrong with it
        return _Item()


class CompactionReply(ReplyHandler):
    """Reads a summary into one compaction item. It has what `ResponseReply` has.

    A summary that was cut or refused is none: the response is then incomplete, or holds the refusal.
    """

    def __init__(self, context: ResponseContext, own_id: str, events: EventWriter | None) -> None:
        self.reader = ReplyReader(context, self)
        self.output = Output(own_id, events, encrypted_reasoning=False)
        self.incomplete_reason: str | None = None
        self._texts: list[str] = []

    def on_text(self, block: Block, text: str) -> None:
        self._texts.append(text)

    def on_end(self, stop_reason: str | None, explanation: str | None) -> None:
        summary = "".join(self._texts).strip()
        if stop_reason in _CUT:
            self.incomplete_reason = "max_output_tokens"
        elif stop_reason == "refusal" or not summary:
            add_refusal(self.output, explanation or NO_SUMMARY)
        else:
            self._add(summary)

    def _add(self, summary: str) -> None:
        id_ = self.output.new_id("cmp")
        sealed = seal_summary(SealedSummary([TextBlock(SUMMARY_HEADING + summary)]))
        index = self.output.add(CompactionItem(id_, ""))
        self.output.event("response.compaction.compacting", item_id=id_, output_index=index)
        self.output.done(index, CompactionItem(id_, sealed))
