from claude_proxy.translate.reply_handler import Block, DeltaBatch, ReplyHandler
from claude_proxy.wire.anthropic import ContentBlock

BLOCK = Block(0, "text", ContentBlock(type="text"))


def test_the_text_of_a_batch_is_its_strings_decoded():
    batch = DeltaBatch("text", BLOCK, [rb'"a\\n"', rb'"\u00e9"', b'""', rb'"\ud83d"', rb'"\ude00"'])
    assert batch.text() == "a\\n\u00e9\U0001f600"


def test_a_handler_takes_deltas_one_by_one_unless_it_says_otherwise():
    assert not ReplyHandler().accepts_batch("text", BLOCK)
