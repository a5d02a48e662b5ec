import logging
from collections.abc import Iterator

import pytest

from claude_proxy.server.last_warning import MAX_TEXT, LastWarning


@pytest.fixture
def last() -> Iterator[LastWarning]:
    handler = LastWarning()
    handler.attach()
    yield handler
    handler.detach()


def test_the_last_warning_is_kept_and_nothing_else(last: LastWarning) -> None:
    log = logging.getLogger("claude_proxy.server.any")
    log.warning("first")
    log.warning("others can read %s", "a\nfile")
    log.info("an answer")
    log.error("an error")
    assert last.message == "others can read a\\nfile"
    assert last.at is not None


def test_it_holds_no_secret_and_is_bounded(last: LastWarning) -> None:
    logging.getLogger("claude_proxy").warning("key %s %s", "sk-ant-api03-" + "x" * 40, "y" * 9000)
    assert last.message is not None
    assert "xxxx" not in last.message
    assert len(last.message) == MAX_TEXT
