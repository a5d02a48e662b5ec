"""One request against a process whose lines the test writes."""

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import pytest

from claude_proxy.errors import UpstreamDisconnected, UpstreamTimeout
from claude_proxy.upstream.claude_cli.output import MESSAGE_STOP
from claude_proxy.upstream.claude_cli.request import cli_request
from claude_proxy.upstream.claude_cli.run import Run

if TYPE_CHECKING:
    from claude_proxy.upstream.claude_cli.process import LineConsumer, Process

START = {"type": "message_start", "message": {"id": "msg_1"}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}


class Played:
    """A process without a program: `says` writes a line of its output."""

    def __init__(self) -> None:
        self.consumer: LineConsumer | None = None
        self.written: list[dict[str, Any]] = []
        self.ended: float | None = None
        self.paused = False

    def write(self, lines: Iterable[bytes]) -> None:
        self.written += [json.loads(line) for line in lines]

    def end(self, *, after: float = 0.0) -> None:
        self.consumer = None
        self.ended = after

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def says(self, *lines: dict[str, Any]) -> None:
        for line in lines:
            if self.consumer is not None:
                self.consumer.on_line(json.dumps(line).encode())

    def accepts(self) -> None:
        """Answer both control requests."""
        for id_ in ("initialize", "settings"):
            self.says({"type": "control_response", "response": {"subtype": "success", "request_id": id_}})

    def streams(self, *events: dict[str, Any]) -> None:
        self.says(*({"type": "stream_event", "event": event} for event in events))


def started(messages: list[Any] | None = None, **options: Any) -> tuple[Run, Played]:
    body = {"model": "claude-x", "messages": messages or [{"role": "user", "content": "hi"}]}
    request = cli_request(json.dumps(body).encode(), (), model_by_setting=True)
    process = Played()
    run = Run(cast("Process", process), request, **{"first_byte_timeout": 5, "read_timeout": 5, **options})
    run.start()
    return run, process


def kinds(process: Played) -> list[str]:
    return [line["type"] for line in process.written]


async def test_the_conversation_goes_step_by_step() -> None:
    talk = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    run, process = started(talk)
    assert kinds(process) == ["control_request"] * 2
    process.accepts()
    assert kinds(process)[2:] == ["user"]
    process.says({"type": "result", "subtype": "success", "is_error": False, "num_turns": 0})
    assert kinds(process)[3:] == ["assistant", "user"]
    run.reply.close()


async def test_events_come_as_they_are_and_the_process_ends_at_the_stop_reason() -> None:
    begun: list[bool] = []
    run, process = started(on_begin=lambda: begun.append(True))
    process.accepts()
    process.says({"type": "system", "subtype": "init"}, {"type": "unknown"})
    process.streams(START, DELTA, END)
    with run.reply as reply:
        await reply.wait_for_head()
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
        body = await reply.read()
    frames = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in (START, DELTA, END)]
    assert body.replace(b" ", b"") == (b"".join(frames) + MESSAGE_STOP).replace(b" ", b"")
    assert (process.ended, begun) == (0.0, [True])


@pytest.mark.parametrize("cut", [{"type": "message_stop"}, START])
async def test_an_answer_without_a_stop_reason_is_cut(cut: dict[str, Any]) -> None:
    run, process = started()
    process.accepts()
    process.streams(START, DELTA, cut)
    assert process.ended == 0.0
    with pytest.raises(UpstreamDisconnected):
        await run.reply.read()
    run.reply.close()


async def test_an_error_before_the_first_event_is_a_status() -> None:
    run, process = started()
    process.accepts()
    process.says(
        {"type": "system", "subtype": "api_retry", "retry_delay_ms": 3000},
        {"type": "assistant", "error": "rate_limit"},
        {"type": "result", "subtype": "success", "is_error": True, "result": "slow sk-ant-api03-abcdef"},
    )
    with run.reply as reply:
        await reply.wait_for_head()
        assert (reply.status, reply.headers["retry-after"]) == (429, "3")
        assert json.loads(await reply.read())["error"] == {"type": "rate_limit_error", "message": "slow sk-ant-***"}
    assert process.ended == 0.0


async def test_an_error_after_it_is_an_event() -> None:
    run, process = started()
    process.accepts()
    process.streams(START)
    process.says({"type": "result", "subtype": "success", "is_error": True, "api_error_status": 529, "result": "busy"})
    with run.reply as reply:
        assert b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"' in await reply.read()


async def test_an_end_without_an_answer_is_an_error() -> None:
    run, process = started()
    process.accepts()
    process.says({"type": "result", "subtype": "error_max_turns", "is_error": True})
    with run.reply as reply:
        await reply.wait_for_head()
        assert reply.status == 500
        assert b"error_max_turns" in await reply.read()


async def test_settings_that_are_not_accepted_are_an_error() -> None:
    run, process = started()
    response = {"subtype": "error", "request_id": "settings", "error": "no"}
    process.says({"type": "control_response", "response": response})
    with run.reply as reply:
        await reply.wait_for_head()
        assert reply.status == 500


async def test_requests_of_the_cli_are_refused() -> None:
    run, process = started()
    process.says({"type": "control_request", "request_id": "7", "request": {"subtype": "can_use_tool"}})
    assert process.written[-1]["response"] == {"subtype": "error", "request_id": "7", "error": "not available"}
    run.reply.close()


async def test_the_limits_of_the_plan_become_headers() -> None:
    run, process = started()
    process.accepts()
    process.says({"type": "rate_limit_event", "rate_limit_info": {"status": "allowed", "resetsAt": 9}})
    process.streams(START)
    await run.reply.wait_for_head()
    assert run.reply.headers["anthropic-ratelimit-unified-reset"] == "9"
    run.reply.close()


async def test_a_process_that_ends_too_early_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    run, process = started()
    assert process.consumer is not None
    process.consumer.on_exit(1, "a\nreason")
    with pytest.raises(UpstreamDisconnected, match="exit code 1"):
        await run.reply.wait_for_head()
    run.reply.close()
    assert "a reason" in caplog.text


async def test_closing_ends_the_process_at_once() -> None:
    run, process = started()
    process.accepts()
    process.streams(START)
    run.reply.close()
    assert process.ended == 0.0


async def test_before_the_answer_a_process_may_finish_renewing_the_login() -> None:
    run, process = started(renewal_grace=10.0)
    run.reply.close()
    assert process.ended == 10.0


async def test_silence_is_a_timeout() -> None:
    run, process = started(first_byte_timeout=0.01)
    with pytest.raises(UpstreamTimeout):
        await run.reply.wait_for_head()
    run.reply.close()
    assert process.ended == 0.0


async def test_a_client_that_is_slow_holds_the_process_back() -> None:
    run, process = started()
    process.accepts()
    process.streams(START)
    big = {**DELTA, "delta": {"type": "text_delta", "text": "x" * 300_000}}
    process.streams(big)
    before = process.paused
    reading = asyncio.create_task(run.reply.read())
    await asyncio.sleep(0)
    assert (before, process.paused) == (True, False)
    process.streams(END)
    assert len(await reading) > 300_000
    run.reply.close()
