from typing import Any

import pytest

from claude_proxy.config import Config
from claude_proxy.dialects.api import OPENAI
from claude_proxy.server.exchange import Exchange
from claude_proxy.server.state import MAX_WARNED, State


@pytest.fixture
def state() -> State:
    unused: Any = None
    return State(Config(), unused, unused, unused)


def test_a_request_is_open_until_it_is_finished_and_keeps_no_task(state: State) -> None:
    exchange = Exchange("req_1", "GET", "/x", "curl", OPENAI)
    state.begin(exchange)
    assert state.open == {exchange}
    state.finish(exchange)
    assert not state.open
    assert exchange.task is None
    assert exchange.ended is not None
    assert state.counters.served == 1


def test_a_parameter_is_new_once_for_each_client(state: State) -> None:
    assert state.first_time(("curl", "seed"))
    assert not state.first_time(("curl", "seed"))
    assert state.first_time(("OpenAI/Python", "seed"))


def test_what_was_warned_about_is_bounded(state: State) -> None:
    for number in range(MAX_WARNED + 10):
        state.first_time(("curl", f"p{number}"))
    assert len(state.warned) == MAX_WARNED
