"""Runs in the background through the real SDK and the whole daemon."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from claude_proxy.dialects.base import ErrorReport
from claude_proxy.errors import StoreError
from claude_proxy.server.background import MAX_UNSAVED, Following
from claude_proxy.store import runs
from claude_proxy.store.responses import Responses
from tests.support.daemon import daemon
from tests.support.openai_client import MODEL, storing_daemon, strict_client
from tests.support.waiting import stalled

STALL = "/simulate text Hello\n/simulate stall"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Any]:
    async with storing_daemon(tmp_path) as (_, client):
        yield client


async def begun(client: Any, text: str, **fields: Any) -> Any:
    return await client.responses.create(model=MODEL, input=text, background=True, **fields)


async def ended(client: Any, id_: str) -> Any:
    """The response once it has ended."""
    async with asyncio.timeout(10):
        while True:
            response = await client.responses.retrieve(id_)
            if response.status not in ("queued", "in_progress"):
                return response


async def test_a_run_answers_at_once_and_is_read_when_it_has_ended(client: Any):
    queued = await begun(client, "/simulate text Hello", metadata={"a": "b"})
    assert (queued.status, queued.background, queued.output) == ("queued", True, [])
    response = await ended(client, queued.id)
    assert (response.status, response.output_text, response.metadata) == ("completed", "Hello", {"a": "b"})


async def test_a_run_survives_its_client_and_is_followed_by_another(client: Any):
    stream = await begun(client, "/simulate words 50", stream=True)
    first = [await anext(stream) for _ in range(3)]
    assert [event.type for event in first] == ["response.created", "response.queued", "response.in_progress"]
    await stream.close()
    id_ = first[0].response.id
    rest = [event async for event in await client.responses.retrieve(id_, stream=True, starting_after=2)]
    assert [event.sequence_number for event in rest] == list(range(3, 3 + len(rest)))
    assert rest[-1].type == "response.completed"
    await ended(client, id_)
    again = [event async for event in await client.responses.retrieve(id_, stream=True)]
    assert [event.sequence_number for event in again] == list(range(len(again)))
    assert again[-1].response.output_text == rest[-1].response.output_text
    assert [event async for event in await client.responses.retrieve(id_, stream=True, starting_after=len(again))] == []


async def test_a_run_that_is_cancelled_says_so_to_all(client: Any):
    stream = await begun(client, STALL, stream=True)
    id_ = (await anext(stream)).response.id
    assert (await client.responses.retrieve(id_)).status == "in_progress"
    cancelled = await client.responses.cancel(id_)
    assert cancelled.status == "cancelled"
    events = [event async for event in stream]
    assert (events[-1].type, events[-1].response.status) == ("response.failed", "cancelled")
    assert (await client.responses.retrieve(id_)).status == "cancelled"
    assert (await client.responses.cancel(id_)).status == "cancelled"


async def test_a_run_is_deleted_while_it_lives(client: Any):
    id_ = (await begun(client, STALL)).id
    await client.responses.delete(id_)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(id_)


@pytest.mark.parametrize("fault", ["cut", "error overloaded_error", "status 400 message=no"])
async def test_a_run_that_fails_is_stored_as_failed(client: Any, fault: str):
    id_ = (await begun(client, f"/simulate {fault}")).id
    url = f"{client.base_url}responses/{id_}"
    body: dict[str, Any] = {}
    async with aiohttp.ClientSession() as http, asyncio.timeout(10):
        while body.get("status") not in ("failed", "completed"):
            body = await (await http.get(url)).json()
    assert body["status"] == "failed"
    assert body["error"]["message"]


async def test_a_run_continues_and_is_continued(client: Any):
    first = await client.responses.create(model=MODEL, input="/simulate text One")
    stream = await begun(client, "/simulate text Two", previous_response_id=first.id, stream=True)
    events = [event async for event in stream]
    third = await client.responses.create(model=MODEL, input="And?", previous_response_id=events[-1].response.id)
    assert third.status == "completed"


async def test_a_run_adds_to_its_conversation(client: Any):
    conversation = await client.conversations.create()
    response = await begun(client, "/simulate text One", conversation=conversation.id)
    await ended(client, response.id)
    items = await client.conversations.items.list(conversation.id, order="asc")
    assert [item.role for item in items.data] == ["user", "assistant"]


async def test_a_run_needs_the_store(client: Any):
    with pytest.raises(openai.BadRequestError, match="must be stored") as raised:
        await begun(client, "x", store=False)
    assert raised.value.param == "background"
    async with daemon() as running, strict_client(running) as without:
        with pytest.raises(openai.BadRequestError, match="must be stored"):
            await begun(without, "x")


async def test_what_cannot_be_translated_is_refused_at_once(client: Any):
    with pytest.raises(openai.BadRequestError):
        await begun(client, "x", prompt={"id": "pmpt_1"})


async def test_a_run_that_cannot_be_stored_does_not_begin(tmp_path: Path):
    (tmp_path / "data").write_text("a file where the directory should be")
    async with storing_daemon(tmp_path) as (running, client):
        with pytest.raises(openai.InternalServerError) as raised:
            await begun(client, "x")
        assert raised.value.status_code == 503
        assert running.bodies == []


async def test_only_runs_can_be_cancelled_and_streamed(client: Any):
    plain = await client.responses.create(model=MODEL, input="x")
    with pytest.raises(openai.BadRequestError, match="can be cancelled"):
        await client.responses.cancel(plain.id)
    with pytest.raises(openai.BadRequestError, match="without `background`"):
        await client.responses.retrieve(plain.id, stream=True)
    run = await begun(client, STALL)
    with pytest.raises(openai.BadRequestError, match="without `stream`"):
        await client.responses.retrieve(run.id, stream=True)
    with pytest.raises(openai.NotFoundError):
        await client.responses.cancel("resp_nowhere")
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve("resp_nowhere", stream=True)


@pytest.mark.parametrize(
    ("query", "param"), [("stream=maybe", "stream"), ("stream=true&starting_after=x", "starting_after")]
)
async def test_a_bad_query_names_the_parameter(client: Any, query: str, param: str):
    url = f"{client.base_url}responses/resp_1?{query}"
    async with aiohttp.ClientSession() as http, http.get(url) as reply:
        assert (reply.status, (await reply.json())["error"]["param"]) == (400, param)


async def test_a_run_holds_one_slot_until_it_ends(tmp_path: Path):
    async with storing_daemon(tmp_path, max_concurrency=1) as (proxy, client):
        done: Any = await begun(client, "/simulate text Hello", stream=True)
        assert [event.type async for event in done][-1] == "response.completed"
        running: Any = await begun(client, STALL)
        waiting = asyncio.create_task(begun(client, "/simulate text Hello"))
        await stalled(lambda: len(proxy.bodies))
        assert not waiting.done()
        async with aiohttp.ClientSession() as http:  # a POST would wait for a slot as well
            await http.delete(f"{client.base_url}responses/{running.id}")
        assert (await waiting).status == "queued"


async def test_at_the_stop_a_run_that_does_not_end_fails_with_the_reason(tmp_path: Path):
    async with storing_daemon(tmp_path) as (_, client):
        id_ = (await begun(client, STALL)).id
    async with storing_daemon(tmp_path) as (_, client):
        response: Any = await client.get(f"/responses/{id_}", cast_to=object)
    assert response["status"] == "failed"
    assert "stopping" in response["error"]["message"]


async def test_a_run_whose_end_cannot_be_stored_is_read_from_memory(
    client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(Responses, "update", fails)
    ids = [(await begun(client, "/simulate text Hello")).id for _ in range(MAX_UNSAVED + 1)]
    responses = [await ended(client, id_) for id_ in ids[1:]]
    assert {response.output_text for response in responses} == {"Hello"}
    await stalled(lambda: len(caplog.records))
    assert (await client.responses.retrieve(ids[0])).status == "queued"  # only so many are kept in memory
    assert "how response" in caplog.text


async def test_events_that_cannot_be_stored_are_a_warning(
    client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(runs.BackgroundRuns, "append_events", fails)
    stream = await begun(client, "/simulate text Hello", stream=True)
    id_ = [event async for event in stream][-1].response.id
    assert (await ended(client, id_)).output_text == "Hello"
    await stalled(lambda: len(caplog.records))
    events = [event async for event in await client.responses.retrieve(id_, stream=True)]
    assert [event.type for event in events] == ["response.completed"]
    assert "the events of response" in caplog.text


async def fails(*_: object) -> bool:
    raise StoreError("the disk is full")


async def test_while_a_run_is_silent_those_who_follow_it_get_keepalives(tmp_path: Path):
    body = {"model": MODEL, "input": STALL, "background": True, "stream": True}
    async with storing_daemon(tmp_path, keepalive_interval=0.01) as (proxy, _):
        url = f"{proxy.openai}/responses"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as reply:
            line = b""
            while not line.startswith(b'data: {"type":"keepalive"'):
                before, line = line, await reply.content.readline()
            assert before == b"event: keepalive\n"


def test_the_frames_of_a_follower_go_on_after_the_last_event():
    following = Following(4)
    assert b'"sequence_number":4}' in following.keepalive()
    error = ErrorReport(503, "server_error", "service_unavailable", "stopping")
    assert json.loads(following.error_event(error, "req_1").partition(b"data: ")[2]) == {
        "type": "error",
        "sequence_number": 5,
        "error": {"type": "server_error", "code": "service_unavailable", "message": "stopping", "param": None},
    }


# ------------------------------------------------------------------------------------------------------ a crash


@contextmanager
def served(home: Path, *limits: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The daemon as a process of its own, with `limits` of the shell's ulimit; yields its address."""
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_STATE_HOME": str(home)}
    command = [sys.executable, "-m", "claude_proxy", "serve", "--simulator", "--port=0"]
    if limits:
        command = ["bash", "-c", f'ulimit {" ".join(limits)}; exec "$@"', "bash", *command]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "listening on" in line)
        yield line.partition("listening on ")[2].partition(",")[0], process
    finally:
        process.kill()
        process.communicate()


async def test_a_run_that_a_kill_interrupts_is_failed_after_the_next_start(tmp_path: Path):
    with served(tmp_path) as (url, process):
        async with AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="any") as client:
            done = await client.responses.create(model=MODEL, input="/simulate text Hello")
            stream: Any = await begun(client, STALL, stream=True)
            id_ = (await anext(stream)).response.id
            process.send_signal(signal.SIGKILL)
            process.wait()
    with served(tmp_path) as (url, _):
        async with AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="any") as client:
            assert (await client.responses.retrieve(done.id)).output_text == "Hello"
            assert (await client.responses.retrieve(id_)).status == "failed"
            events = [event async for event in await client.responses.retrieve(id_, stream=True, starting_after=5)]
            assert [(event.type, event.sequence_number) for event in events] == [("response.failed", 6)]


@pytest.mark.skipif(sys.platform != "linux", reason="other shells count the limit in other units")
async def test_a_full_disk_is_a_warning_and_no_answer_fails(tmp_path: Path):
    with served(tmp_path, "-f", "1000") as (url, _):  # no file may be larger than 1 MB
        async with AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="any", max_retries=0) as client:
            warned, kept = False, []
            for _ in range(10):
                raw = await client.responses.with_raw_response.create(
                    model=MODEL, input="/simulate text Hello", instructions="x" * 300_000
                )
                assert raw.parse().output_text == "Hello"
                warned = warned or raw.headers.get("x-claude-proxy-warnings") == "store"
                if raw.headers.get("x-claude-proxy-warnings") is None:
                    kept.append(raw.parse().id)
            assert warned
            assert kept
            for id_ in kept:
                assert (await client.responses.retrieve(id_)).output_text == "Hello"
