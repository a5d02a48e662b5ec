"""Upstream's counters in the terms of the Responses API."""

from claude_proxy.wire.anthropic import Usage
from claude_proxy.wire.responses_reply import InputTokensDetails, OutputTokensDetails, ResponseUsage


def response_usage(usage: Usage) -> ResponseUsage:
    """`usage` in OpenAI's form, where the input includes the tokens read from the cache and written to it."""
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    input_tokens = (usage.input_tokens or 0) + read + written
    output_tokens = usage.output_tokens or 0
    details = usage.output_tokens_details
    return ResponseUsage(
        input_tokens=input_tokens,
        input_tokens_details=InputTokensDetails(cached_tokens=read, cache_write_tokens=written),
        output_tokens=output_tokens,
        output_tokens_details=OutputTokensDetails((details.thinking_tokens or 0) if details else 0),
        total_tokens=input_tokens + output_tokens,
    )
