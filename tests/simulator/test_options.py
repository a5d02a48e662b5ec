import time

from claude_proxy.simulator.options import Options


def test_by_default_nothing_is_slow_nothing_is_kept_and_the_strict_api_is_simulated():
    options = Options()
    assert (options.latency, options.token_delay, options.record) == (0.0, 0.0, 0)
    assert options.api_key is None
    assert not options.adaptive_with_forced_tool
    assert options.clock is time.time


async def test_the_switch_for_forced_tools_reaches_both_endpoints(start):
    body = {
        "model": "claude-opus-5",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": "t", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any"},
        "thinking": {"type": "adaptive"},
    }
    for accepted in (False, True):
        simulator = await start(adaptive_with_forced_tool=accepted)
        for path, more in (("/v1/messages", {"max_tokens": 50}), ("/v1/messages/count_tokens", {})):
            async with simulator.post(path, json=body | more) as reply:
                assert reply.status == (200 if accepted else 400)
