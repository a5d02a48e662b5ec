import msgspec

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.translate.draft import ReplyContext
from tests.dialects.chat.case import translated


def test_what_every_dialect_needs_is_part_of_it():
    assert {field.name for field in msgspec.structs.fields(ReplyContext)} < {
        field.name for field in msgspec.structs.fields(ChatReplyContext)
    }


def test_the_reply_is_written_under_the_name_that_the_client_asked_for():
    translation = translated({"model": "sonnet", "functions": [{"name": "f"}]})
    assert (translation.reply.model, translation.reply.legacy_functions) == ("sonnet", True)
