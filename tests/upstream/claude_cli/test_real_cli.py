"""The real Claude CLI as a backend, the newest and the oldest one, with the simulator in Anthropic's place."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, APIStatusError, AsyncOpenAI

from claude_proxy.simulator.app import Options
from tests.support.claude_cli import CliDaemon, cli_daemon, log_in
from tests.support.components import ROOT, claude_programs

pytestmark = [pytest.mark.component("claude"), pytest.mark.component("claude-old")]

HAIKU, OPUS = "claude-haiku-4-5", "claude-opus-5"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "\uff37eather\u200b of a city. " + "Long. " * 1000,
        "parameters": {"type": "object", "properties": {"z": {"type": "string"}, "city": {"type": "string"}}},
    },
}
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718"
        "e3660000000049454e44ae426082"
    )
).decode()

Opened = tuple[CliDaemon, AsyncOpenAI]
Open = Callable[..., AbstractAsyncContextManager[Opened]]


@pytest.fixture(params=["new", "old"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(version: str, home: Path) -> Open:
    """Opens a daemon on one of the programs, with a client."""

    @asynccontextmanager
    async def open_(**settings: Any) -> AsyncIterator[Opened]:
        log_in(home)
        async with (
            cli_daemon(claude_programs()[version], home, **settings) as daemon,
            AsyncOpenAI(base_url=daemon.openai, api_key="x", max_retries=0) as client,
        ):
            yield daemon, client

    return open_


# For what does not depend on the version.
newest_only = pytest.mark.parametrize("version", ["new"], indirect=True)


def said(text: str, **more: Any) -> dict[str, Any]:
    """The arguments of a request whose user says `text`; `/simulate` makes the simulator's answer."""
    return {"model": HAIKU, "messages": [{"role": "user", "content": text}], **more}


async def streamed(client: AsyncOpenAI, **arguments: Any) -> list[Any]:
    return [chunk async for chunk in await client.chat.completions.create(stream=True, **arguments)]


def texts(message: dict[str, Any]) -> list[str]:
    """The texts of a message of the simulator's, without those the CLI adds."""
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [block["text"] for block in blocks if block["type"] == "text" and "<system-reminder>" not in block["text"]]


def spoken(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The conversation that the simulator saw, without what the CLI adds."""
    return [(each["role"], texts(each)) for each in body["messages"] if each["role"] != "system"]


async def test_an_answer_is_streamed_and_whole_and_asked_for_once(opened: Open) -> None:
    async with opened() as (daemon, client):
        whole = await client.chat.completions.create(**said("/simulate text one two three"))
        chunks = await streamed(client, **said("/simulate text one two three"), stream_options={"include_usage": True})
        assert whole.choices[0].message.content == "one two three"
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three"
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens > 0
        assert len(daemon.messages) == 2


async def test_system_prompt_parameters_and_tools_arrive_exactly(opened: Open) -> None:
    async with opened() as (daemon, client):
        messages: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "/simulate text hello"}]
        await client.chat.completions.create(
            model=HAIKU,
            messages=messages,
            max_tokens=321,
            temperature=0.25,
            stop=["END"],
            tools=[WEATHER, {"type": "function", "function": {"name": "Bash", "parameters": {"type": "object"}}}],
            tool_choice="none",
        )
        (body,) = daemon.bodies
    assert body["system"][-1]["text"] == "Be kind."
    assert (body["max_tokens"], body["temperature"], body["stop_sequences"]) == (321, 0.25, ["END"])
    assert body["tool_choice"] == {"type": "none"}
    assert [tool["name"] for tool in body["tools"]] == ["get_weather", "Bash"]
    assert body["tools"][0]["description"] == WEATHER["function"]["description"]
    assert list(body["tools"][0]["input_schema"]["properties"]) == ["z", "city"]


async def test_tools_over_three_turns(opened: Open) -> None:
    async with opened() as (daemon, client):
        messages: list[Any] = [{"role": "user", "content": '/simulate tool get_weather {"city": "Paris"}'}]
        for city in ("Rome", "Oslo"):
            answer = await client.chat.completions.create(model=HAIKU, messages=messages, tools=[WEATHER])
            (choice,) = answer.choices
            assert choice.finish_reason == "tool_calls"
            calls = choice.message.tool_calls or []
            messages += [
                choice.message.model_dump(exclude_none=True),
                {"role": "tool", "tool_call_id": calls[0].id, "content": "sunny"},
                {"role": "user", "content": f'/simulate tool get_weather {{"city": "{city}"}}'},
            ]
        answer = await client.chat.completions.create(model=HAIKU, messages=messages, tools=[WEATHER])
        body = daemon.bodies[-1]
        assert len(daemon.messages) == 3
    assert answer.choices[0].finish_reason == "tool_calls"
    kinds = [(each["role"], [block["type"] for block in each["content"]]) for each in body["messages"]]
    used = [block for role, blocks in kinds for block in blocks if block in ("tool_use", "tool_result")]
    assert used == ["tool_use", "tool_result"] * 2
    inputs = [block["input"] for each in body["messages"] for block in each["content"] if block["type"] == "tool_use"]
    assert inputs == [{"city": "Paris"}, {"city": "Rome"}]


async def test_thinking_is_streamed_and_goes_back_with_its_signature(opened: Open) -> None:
    async with opened() as (daemon, client):
        first: Any = {"role": "user", "content": "/simulate thinking deep\n/simulate tool get_weather {}"}
        more: Any = {"model": OPUS, "tools": [WEATHER], "reasoning_effort": "low"}
        chunks = await streamed(client, messages=[first], **more)
        thought = "".join(
            getattr(each.choices[0].delta, "reasoning_content", "") or "" for each in chunks if each.choices
        )
        (call,) = [
            each.choices[0].delta.tool_calls[0]
            for each in chunks
            if each.choices and each.choices[0].delta.tool_calls and each.choices[0].delta.tool_calls[0].id
        ]
        again: Any = [
            first,
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": call.id, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
        ]
        await client.chat.completions.create(messages=again, **more)
        body = daemon.bodies[-1]
    assert thought == "deep"
    assert body["output_config"]["effort"] == "low"
    (block,) = [
        block
        for each in body["messages"]
        for block in each["content"]
        if isinstance(block, dict) and block["type"] == "thinking"
    ]
    assert block["thinking"] == "deep"
    assert block["signature"]


async def test_images_documents_and_a_json_schema(opened: Open) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    async with opened() as (daemon, client):
        content: Any = [
            {"type": "text", "text": "/what is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ]
        answer = await client.chat.completions.create(
            model=HAIKU,
            messages=[{"role": "user", "content": content}],
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}},
        )
        (body,) = daemon.bodies
    assert set(json.loads(answer.choices[0].message.content or "")) == {"ok"}
    (image,) = [
        block
        for each in body["messages"]
        for block in each["content"]
        if isinstance(block, dict) and block["type"] == "image"
    ]
    assert image["source"]["data"] == PIXEL


async def test_a_long_conversation_keeps_its_order_and_its_texts(opened: Open) -> None:
    talk = [
        ("user", "/help"),
        ("assistant", "one"),
        ("user", "see @secret.txt and @/etc/hostname"),
        ("assistant", "two"),
        ("user", "/model opus"),
        ("assistant", "three"),
        ("user", "/clear\n/simulate text done"),
    ]
    async with opened() as (daemon, client):
        messages: Any = [{"role": role, "content": text} for role, text in talk]
        answer = await client.chat.completions.create(model=HAIKU, messages=messages)
        (body,) = daemon.bodies
    assert answer.choices[0].message.content == "done"
    assert spoken(body) == [(role, [text]) for role, text in talk]


async def test_long_prompts_go_as_they_are(opened: Open) -> None:
    async with opened() as (daemon, client):
        text = "word " * 60_000 + "\n/simulate text done"
        answer = await client.chat.completions.create(**said(text))
        assert answer.choices[0].message.content == "done"
        assert [spoken(body) for body in daemon.bodies] == [[("user", [text])]]


async def test_ends_that_the_cli_would_go_on_after_are_not_gone_on_with(opened: Open) -> None:
    """The process is ended at the stop reason. By then the CLI may have begun another request, which ends with it."""
    scripts = ("stop max_tokens", "refusal no", "stop model_context_window_exceeded", "empty")
    async with opened() as (daemon, client):
        for script in scripts:
            await client.chat.completions.create(**said(f"/simulate text hello\n/simulate {script}"))
        await asyncio.sleep(0.3)  # the time that another request would need
        assert len(scripts) <= len(daemon.messages) <= len(scripts) + 1


ERRORS = (
    ("status 400 message=max_tokens:\\ too\\ many", 400, None),
    ("status 401 message=invalid", 401, "invalid_api_key"),
    ("status 403 message=no", 403, "insufficient_quota"),
    ("status 404 message=model:\\ x", 404, "model_not_found"),
    ("status 429 message=slow", 429, "rate_limit_exceeded"),
    ("status 500 message=broken", 500, "internal_server_error"),
    ("status 529 message=Overloaded", 503, "server_is_overloaded"),
)


async def test_errors_are_those_of_the_direct_way(opened: Open) -> None:
    async with opened() as (_, client):
        for script, status, code in ERRORS:
            with pytest.raises(APIStatusError) as caught:
                await client.chat.completions.create(**said(f"/simulate {script}"))
            assert (caught.value.status_code, caught.value.code) == (status, code)
            assert "sk-ant" not in str(caught.value)


async def test_a_used_up_plan_says_when_it_begins_anew(opened: Open) -> None:
    reset = int(time.time()) + 3600
    limits = f"anthropic-ratelimit-unified-status=rejected anthropic-ratelimit-unified-reset={reset}"
    window = "anthropic-ratelimit-unified-representative-claim=five_hour"
    async with opened() as (daemon, client):
        with pytest.raises(APIStatusError) as caught:
            await client.chat.completions.create(**said(f"/simulate status 429 message=slow {limits} {window}"))
        assert caught.value.status_code == 429
        assert 3500 < int(caught.value.response.headers["retry-after"]) <= 3600
        plan: Any = daemon.state.spending.limits.report()["plan"]
    assert (plan["status"], plan["reset"], plan["window"]) == ("rejected", reset, "five_hour")


async def test_an_error_in_the_middle_is_an_error(opened: Open) -> None:
    async with opened() as (_, client):
        with pytest.raises(APIError):
            await streamed(client, **said("/simulate text one two\n/simulate error overloaded_error busy"))


async def test_without_a_login_it_says_what_to_do(opened: Open, home: Path) -> None:
    async with opened() as (daemon, client):
        (home / ".claude/.credentials.json").unlink()
        with pytest.raises(APIStatusError, match="not logged in") as caught:
            await client.chat.completions.create(**said("hello"))
        assert caught.value.status_code == 401
        assert not daemon.messages


@newest_only
async def test_a_client_that_leaves_ends_its_process_at_once(opened: Open) -> None:
    async with opened(options=Options(record=100, token_delay=0.05), cli_spare=0) as (daemon, client):
        stream = await client.chat.completions.create(stream=True, **said("/simulate words 2000"))
        await anext(aiter(stream))
        assert children("claude")
        await stream.close()
        async with asyncio.timeout(2):
            while children("claude"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        assert len(daemon.messages) == 1


DAEMON = """if True:
    import asyncio, json, sys
    from pathlib import Path
    from claude_proxy.simulator.app import Options
    from tests.support.claude_cli import cli_daemon
    async def main():
        async with cli_daemon(sys.argv[1], Path(sys.argv[2]), options=Options(token_delay=0.05)) as daemon:
            print(daemon.openai, flush=True)
            await asyncio.sleep(60)
    asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_process_outlives_a_daemon_that_is_killed(version: str, home: Path) -> None:
    log_in(home)
    command = [sys.executable, "-c", DAEMON, claude_programs()[version], str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as daemon:  # noqa: ASYNC220 - fast
        assert daemon.stdout is not None
        url = (await asyncio.to_thread(daemon.stdout.readline)).strip()
        async with AsyncOpenAI(base_url=url, api_key="x", max_retries=0) as client:
            stream = await client.chat.completions.create(stream=True, **said("/simulate words 2000"))
            await anext(aiter(stream))
            running = children("claude")
            os.kill(daemon.pid, signal.SIGKILL)
            async with asyncio.timeout(2):
                while any(is_alive(pid) for pid in running):  # noqa: ASYNC110 - other processes
                    await asyncio.sleep(0.01)
            assert running
            await stream.close()


@newest_only
async def test_twenty_requests_at_once(opened: Open) -> None:
    async with opened(cli_processes=4) as (daemon, client):
        answers = await asyncio.gather(
            *(client.chat.completions.create(**said(f"/simulate text {number}")) for number in range(20))
        )
        assert [answer.choices[0].message.content for answer in answers] == [str(number) for number in range(20)]
        assert len(daemon.messages) == 20


@newest_only
async def test_several_choices_are_several_processes(opened: Open) -> None:
    async with opened() as (daemon, client):
        answer = await client.chat.completions.create(**said("/simulate text hello"), n=2)
        assert [choice.message.content for choice in answer.choices] == ["hello"] * 2
        assert len(daemon.messages) == 2


@newest_only
async def test_the_responses_dialect(opened: Open) -> None:
    async with opened() as (_, client):
        answer = await client.responses.create(model=HAIKU, input="/simulate text hello", instructions="Be kind.")
        assert answer.output_text == "hello"


@newest_only
async def test_what_cannot_be_carried_is_a_warning_and_refused_when_strict(opened: Open) -> None:
    async with opened() as (_, client):
        raw = await client.chat.completions.with_raw_response.create(**said("/simulate text hello"), user="me")
        assert "metadata" in raw.headers["x-claude-proxy-warnings"]
    async with opened(strict=True) as (_, client):
        with pytest.raises(APIStatusError, match="metadata"):
            await client.chat.completions.create(**said("/simulate text hello"), user="me")


async def test_nothing_of_the_users_machine_is_sent(opened: Open, home: Path, tmp_path: Path) -> None:
    """Instructions, settings, hooks, MCP servers and memory, wherever the CLI would look for them."""
    ran = tmp_path / "ran"
    hook = {"type": "command", "command": f"touch {ran}"}
    settings = {
        "hooks": {"SessionStart": [{"hooks": [hook]}], "UserPromptSubmit": [{"hooks": [hook]}]},
        "env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "sk-ant-api03-planted-planted"},
        "model": OPUS,
        "outputStyle": "Explanatory",
    }
    server = {"mcpServers": {"planted": {"command": "touch", "args": [str(ran)]}}}
    state = Path(os.environ["XDG_STATE_HOME"])
    for directory in (home, state, state / "claude-proxy"):
        (directory / ".claude").mkdir(parents=True, exist_ok=True)
        (directory / ".claude/settings.json").write_text(json.dumps(settings))
        (directory / ".claude/CLAUDE.md").write_text("PLANTED")
        (directory / "CLAUDE.md").write_text("PLANTED")
        (directory / "AGENTS.md").write_text("PLANTED")
        (directory / ".mcp.json").write_text(json.dumps(server))
    (home / ".claude.json").write_text(json.dumps(server))
    planted = {"ANTHROPIC_API_KEY": "sk-ant-api03-environment", "ANTHROPIC_MODEL": OPUS, "CLAUDE_CODE_EXTRA_BODY": "{}"}
    async with opened(environ=planted) as (daemon, client):
        await client.chat.completions.create(**said("/simulate text hello"))
        (sent,) = daemon.messages
    assert b"PLANTED" not in sent.body
    assert b"planted-planted" not in sent.body
    assert "x-api-key" not in sent.headers
    assert sent.headers["authorization"].startswith("Bearer sk-ant-oat01-made-up-")
    assert json.loads(sent.body)["model"] == HAIKU
    assert not ran.exists()


async def test_the_prompt_is_neither_on_a_command_line_nor_on_the_disk(opened: Open, home: Path) -> None:
    secret = "xyzzy-plugh"
    async with opened(options=Options(record=100, token_delay=0.05)) as (_, client):
        messages: Any = [
            {"role": "system", "content": secret},
            {"role": "user", "content": f"{secret}\n/simulate words 200"},
        ]
        stream = await client.chat.completions.create(model=HAIKU, messages=messages, stream=True)
        await anext(aiter(stream))
        commands = list(children("claude").values())
        await stream.close()
    assert commands
    assert not [command for command in commands if secret in command]
    assert not holding(secret, home)


# Everything the CLI adds to a request, by version: the page docs/backends.md lists it.
ADDED_FIELDS = {"metadata", "system", "tools", "thinking", "temperature"}


async def test_the_cli_adds_only_what_the_documentation_lists(opened: Open, version: str) -> None:
    async with opened() as (daemon, client):
        await client.chat.completions.create(**said("/simulate text hello", max_tokens=100))
        (body,) = daemon.bodies
    asked = {"model", "messages", "max_tokens", "stream"}
    assert body.keys() - asked == ADDED_FIELDS
    assert (body["tools"], body["thinking"], body["temperature"]) == ([], {"type": "disabled"}, 1)
    assert body["metadata"].keys() == {"user_id"}
    system = [block["text"] for block in body["system"]]
    assert system[0].startswith("x-anthropic-billing-header: cc_version=2.1.")
    assert system[1:] == ["You are a Claude agent, built on Anthropic's Claude Agent SDK."]
    (message,) = body["messages"]
    reminders = [block["text"] for block in message["content"] if "<system-reminder>" in block["text"]]
    titles = (
        ["# Environment", "You are powered by the model", "Today's date is"] if version == "new" else ["# currentDate"]
    )
    assert len(reminders) == len(titles)
    assert all(title in reminder for title, reminder in zip(titles, reminders, strict=True))


async def test_on_a_model_with_efforts_it_adds_the_default_effort(opened: Open) -> None:
    async with opened() as (daemon, client):
        await client.chat.completions.create(
            **said("/simulate text hello", max_tokens=100, reasoning_effort="none") | {"model": OPUS}
        )
        (body,) = daemon.bodies
    assert body.keys() == {
        "model",
        "messages",
        "max_tokens",
        "stream",
        "thinking",
        "metadata",
        "system",
        "tools",
        "output_config",
    }
    assert body["output_config"] == {"effort": "high"}


def is_alive(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def holding(text: str, directory: Path) -> list[Path]:
    """The files below `directory` that hold `text`."""
    return [path for path in directory.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def children(name: str) -> dict[int, str]:
    """The descendants of this process whose command names a program `name`, by pid."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: commands[pid] for pid in found - {os.getpid()} if f"/{name}" in commands[pid]}
