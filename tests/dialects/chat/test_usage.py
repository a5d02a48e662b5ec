from claude_proxy.dialects.chat.usage import completion_usage
from claude_proxy.wire.anthropic import OutputTokensDetails, Usage


def test_the_prompt_counts_each_token_once():
    usage = completion_usage(Usage(5, 100, 2000, 42, OutputTokensDetails(30)))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (2105, 42, 2147)
    assert (usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.cache_write_tokens) == (2000, 100)
    assert usage.completion_tokens_details.reasoning_tokens == 30


def test_counters_that_upstream_has_not_told_are_zero():
    assert completion_usage(Usage()).total_tokens == 0
    assert (
        completion_usage(Usage(output_tokens_details=OutputTokensDetails())).completion_tokens_details.reasoning_tokens
        == 0
    )
