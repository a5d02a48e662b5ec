import time
from typing import Any

import pytest

from claude_proxy.dialects.api import OPENAI
from claude_proxy.dialects.base import ErrorReport
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.live import MAX_NAME, MAX_OPEN, MAX_ROWS, MAX_VIEWERS, LiveFeed, TooManyViewers, open_rows
from claude_proxy.translate.draft import Note
from claude_proxy.wire.anthropic import Usage


def exchange(**facts: Any) -> Exchange:
    return Exchange(id="req_1", method="POST", path="/v1/x", client="curl", dialect=OPENAI, **facts)


def test_a_row_holds_the_facts_of_a_request_and_when_it_began() -> None:
    feed, began = LiveFeed(), time.time()
    done = exchange(model="sonnet", status=200, usage=Usage(input_tokens=3, output_tokens=4), warnings=("seed",))
    done.first_byte, done.ended = done.started + 0.5, done.started + 1.5
    done.notes = (Note("warning", "seed", "has no effect"),)
    feed(done)
    (row,) = feed.since(0)
    assert (row.number, row.client, row.model, row.status) == (1, "curl", "sonnet", 200)
    assert (row.first_token, row.duration) == (0.5, 1.5)
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (3, None, 4)
    assert row.notes == (("warning", "seed", "has no effect"),)
    assert abs(row.started - began) < 5


def test_what_is_not_known_stays_unknown() -> None:
    feed = LiveFeed()
    feed(exchange())
    (row,) = feed.since(0)
    assert (row.first_token, row.input_tokens, row.status, row.model, row.error) == (None,) * 5


def test_probes_are_left_out() -> None:
    feed = LiveFeed()
    feed(exchange(quiet=True))
    assert feed.since(0) == []
    assert open_rows([exchange(quiet=True)]) == []


def test_only_the_last_rows_are_kept_and_a_viewer_gets_those_it_has_not_seen() -> None:
    feed = LiveFeed()
    for _ in range(MAX_ROWS + 5):
        feed(exchange())
    assert [row.number for row in feed.since(MAX_ROWS + 3)] == [MAX_ROWS + 4, MAX_ROWS + 5]
    assert len(feed.since(0)) == MAX_ROWS


def test_text_that_a_client_has_chosen_is_bounded_and_an_error_holds_no_secret() -> None:
    feed = LiveFeed()
    secret = "sk-ant-api03-" + "x" * 40
    error = ErrorReport(400, "invalid_request_error", None, f"{secret} {'y' * 9000}")
    feed(exchange(model="m" * 9000, warnings=("w" * 9000,) * 900, error=error))
    (row,) = feed.since(0)
    assert row.model == "m" * MAX_NAME
    assert len(str(row)) < 10_000
    assert secret not in str(row)


def test_the_oldest_open_requests_are_shown() -> None:
    open_ = [exchange() for _ in range(MAX_OPEN + 5)]
    open_[-1].started -= 100
    rows = open_rows(open_)
    assert len(rows) == MAX_OPEN
    assert rows[0].started < time.time() - 90


def test_viewers_are_woken_and_their_number_is_bounded() -> None:
    feed = LiveFeed()
    viewers = [feed.viewer() for _ in range(MAX_VIEWERS)]
    events = [viewer.__enter__() for viewer in viewers]
    with pytest.raises(TooManyViewers), feed.viewer():
        pass
    feed(exchange())
    assert all(event.is_set() for event in events)
    for viewer in viewers:
        viewer.__exit__(None, None, None)
    with feed.viewer() as event:
        assert not event.is_set()
