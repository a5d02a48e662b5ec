"""Upstream's counters in Chat Completions' terms."""

from claude_proxy.translate.reply import ReplyReader
from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.chat_reply import CompletionTokensDetails, CompletionUsage, PromptTokensDetails


def reply_usage(reader: ReplyReader) -> Usage | None:
    """The counters of a reply, as far as upstream has told them; None where OpenAI's form cannot be filled.

    A reply that was cut at a stop text ends before upstream has counted its output. Its counter is then the last one
    that upstream told, with the start of the message.
    """
    usage = reader.usage
    return None if reader.cut and usage is not None and usage.output_tokens is None else usage


def completion_usage(usage: Usage) -> CompletionUsage:
    """`usage` in OpenAI's form, where the prompt includes the tokens read from the cache and written to it."""
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    prompt = (usage.input_tokens or 0) + read + written
    output = usage.output_tokens or 0
    details = usage.output_tokens_details
    return CompletionUsage(
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=read, cache_write_tokens=written, audio_tokens=0),
        completion_tokens_details=CompletionTokensDetails(
            reasoning_tokens=(details.thinking_tokens or 0) if details else 0,
            audio_tokens=0,
            accepted_prediction_tokens=0,
            rejected_prediction_tokens=0,
        ),
    )
