from claude_proxy.simulator.prompt_cache import PromptCache, input_tokens

MARK = {"cache_control": {"type": "ephemeral"}}
LONG = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
MODEL = "claude-opus-5"  # caches from 512 tokens on


def words(number, **more):
    return {"type": "text", "text": "word " * number} | more


def billed(cache, request):
    usage = cache.bill(request)
    assert usage.fresh + usage.read + usage.written == input_tokens(request)
    return usage.fresh, usage.read, usage.written_5m, usage.written_1h


def test_the_second_time_a_marked_prefix_is_read(asked):
    cache = PromptCache()
    request = asked(model=MODEL, system=[words(599, **MARK)]).accepted()
    assert billed(cache, request) == (4, 0, 600, 0)
    assert billed(cache, request) == (4, 600, 0, 0)


def test_automatic_caching_marks_the_last_block(asked):
    cache = PromptCache()
    request = asked(model=MODEL, system=[words(599)], **MARK).accepted()
    assert billed(cache, request) == (0, 0, 604, 0)
    assert billed(cache, request) == (0, 604, 0, 0)


def test_a_growing_conversation_reads_what_it_wrote(asked):
    cache = PromptCache()
    messages = [{"role": "user", "content": [words(599)]}]
    billed(cache, asked(model=MODEL, messages=messages, **MARK).accepted())
    messages += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "more"}]
    assert billed(cache, asked(model=MODEL, messages=messages, **MARK).accepted()) == (0, 603, 8, 0)


def test_a_prefix_that_is_too_short_is_not_cached(asked):
    cache = PromptCache()
    request = asked(model=MODEL, system=[words(300, **MARK)]).accepted()
    assert billed(cache, request) == billed(cache, request) == (305, 0, 0, 0)


def test_the_counters_tell_the_lifetimes_apart(asked):
    cache = PromptCache()
    system = [words(599, **LONG), words(99, **MARK)]
    assert billed(cache, asked(model=MODEL, system=system).accepted()) == (4, 0, 100, 600)


def test_another_effort_keeps_the_system_and_loses_the_messages(asked):
    cache = PromptCache()
    question = {"model": MODEL, "system": [words(599, **MARK)], **MARK}
    billed(cache, asked(**question).accepted())
    changed = asked(**question, output_config={"effort": "low"}).accepted()
    assert billed(cache, changed) == (0, 600, 4, 0)


def test_another_model_has_a_cache_of_its_own(asked):
    cache = PromptCache()
    billed(cache, asked(model=MODEL, system=[words(599, **MARK)]).accepted())
    other = asked(model="claude-fable-5", system=[words(599, **MARK)]).accepted()
    assert billed(cache, other) == (4, 0, 600, 0)


def test_only_so_many_prefixes_are_remembered(asked):
    cache = PromptCache(bound=1)
    first, second = (asked(model=MODEL, system=[words(number, **MARK)]).accepted() for number in (599, 699))
    billed(cache, first)
    billed(cache, second)
    assert billed(cache, first) == (4, 0, 600, 0)
