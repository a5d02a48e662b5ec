import pytest

from claude_proxy.simulator import tokens


@pytest.mark.parametrize("text", ["", "Hello there", " a\n\n b ", "世界" * 20, "x" * 100, "\n"])
def test_tokens_join_to_the_text(text):
    assert "".join(tokens.split(text)) == text
    assert tokens.count(text) == len(tokens.split(text))


def test_a_long_word_is_several_tokens():
    assert tokens.count("x" * 33) == 3


@pytest.mark.parametrize(
    ("block", "number"),
    [
        ({"type": "text", "text": "a b c", "cache_control": None}, 3),
        ({"type": "image", "source": {}}, tokens.IMAGE),
        ({"type": "document", "source": {"type": "text", "data": "a b"}}, 2),
        ({"type": "document", "source": {"type": "content", "content": "a b"}}, 2),
        ({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}}, 1),
        ({"type": "document", "source": {"type": "url", "url": "https://example.com"}}, tokens.PDF),
        ({"type": "tool_result", "tool_use_id": "a"}, 4),
        ({"type": "tool_result", "tool_use_id": "a", "content": "a b"}, 6),
        ({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "a"}]}, 5),
        ({"type": "tool_use", "id": "a", "name": "b", "input": {}}, 4),
    ],
)
def test_every_block_has_a_price(block, number):
    assert tokens.count_block(block) == number
