from claude_proxy.dialects.responses.usage import response_usage
from claude_proxy.wire.anthropic import OutputTokensDetails, Usage


def test_the_input_includes_what_was_read_from_the_cache_and_written_to_it():
    counted = response_usage(
        Usage(
            input_tokens=3,
            cache_read_input_tokens=100,
            cache_creation_input_tokens=20,
            output_tokens=30,
            output_tokens_details=OutputTokensDetails(thinking_tokens=12),
        )
    )
    assert (counted.input_tokens, counted.output_tokens, counted.total_tokens) == (123, 30, 153)
    details = counted.input_tokens_details
    assert (details.cached_tokens, details.cache_write_tokens) == (100, 20)
    assert counted.output_tokens_details.reasoning_tokens == 12


def test_a_counter_that_upstream_left_out_is_zero():
    assert response_usage(Usage(output_tokens=2)).total_tokens == 2
