"""The backend with a small program in the CLI's place, which speaks its protocol."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from claude_proxy.config import load
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.claude_cli_paths import claude_cli_paths
from claude_proxy.credentials.environment import EnvironmentVariable
from claude_proxy.credentials.stored_login import StoredLogin
from claude_proxy.errors import CredentialUnusable, NotFound, UpstreamUnreachable
from claude_proxy.upstream.base import NativeRequest
from claude_proxy.upstream.claude_cli.backend import RENEWAL_GRACE, ClaudeCliBackend
from tests.support.claude_cli import log_in

BODY = json.dumps({"model": "claude-x", "messages": [{"role": "user", "content": "hi"}]}).encode()

# Answers with its environment and arguments as text; `fail` makes it report an error of upstream's so many times.
CLI = """#!{python} -S
import json, os, sys
here = {here!r}
if sys.argv[1:] == ["--version"]:
    print(open(here + "/version").read()); sys.exit()
def say(**line):
    print(json.dumps(line), flush=True)
for line in sys.stdin:
    line = json.loads(line)
    if line["type"] == "control_request":
        say(type="control_response", response={{"subtype": "success", "request_id": line["request_id"]}})
    elif line["type"] == "user":
        count = int(open(here + "/fail").read())
        if count:
            open(here + "/fail", "w").write(str(count - 1))
            say(type="result", subtype="success", is_error=True, api_error_status=529, result="busy")
            continue
        limits = {{"status": "allowed", "resetsAt": 5, "rateLimitType": "five_hour"}}
        say(type="rate_limit_event", rate_limit_info=limits)
        say(type="stream_event", event={{"type": "message_start", "message": {{"id": "msg_1"}}}})
        text = json.dumps({{"environ": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd()}})
        say(type="stream_event", event={{"type": "seen", "text": text}})
        say(type="stream_event", event={{"type": "message_delta", "delta": {{"stop_reason": "end_turn"}}}})
"""


def install(directory: Path, version: str = "2.1.331", fail: int = 0) -> Path:
    program = directory / "claude"
    program.write_text(CLI.format(python=sys.executable, here=str(directory)))
    program.chmod(0o755)
    (directory / "version").write_text(version)
    (directory / "fail").write_text(str(fail))
    return program


@asynccontextmanager
async def backend(
    home: Path, program: Path, environ: dict[str, str] | None = None, **settings: object
) -> AsyncIterator[ClaudeCliBackend]:
    variables = {"HOME": str(home), "PATH": "/usr/bin:/bin", **(environ or {})}
    config = load({"claude_cli": str(program), "retries": 0, "cli_spare": 0, **settings}, variables)
    sources = [
        EnvironmentVariable("ANTHROPIC_API_KEY", "api_key", variables),
        EnvironmentVariable("CLAUDE_CODE_OAUTH_TOKEN", "oauth", variables),
        StoredLogin(claude_cli_paths(variables, home)),
    ]
    made = ClaudeCliBackend(config, CredentialChain(sources, config), variables)
    try:
        yield made
    finally:
        await made.close()


async def seen(made: ClaudeCliBackend) -> dict[str, Any]:
    """What the program saw of one request."""
    with await made.messages(BODY) as reply:
        body = (await reply.read()).decode()
    event = next(line for line in body.splitlines() if '"seen"' in line)
    found: dict[str, Any] = json.loads(json.loads(event.removeprefix("data: "))["text"])
    return found


async def test_a_request_is_answered_in_an_empty_directory_of_our_own(home: Path, tmp_path: Path) -> None:
    log_in(home)
    async with backend(home, install(tmp_path), {"ANTHROPIC_BASE_URL": "", "OTHER": "x"}) as made:
        found = await seen(made)
        status = made.status()
    assert list(Path(found["cwd"]).iterdir()) == []  # noqa: ASYNC240
    assert found["cwd"].startswith(str(home))
    assert not {"ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "OTHER"} & found["environ"].keys()
    assert (status.name, status.version) == ("claude_cli", "2.1.331")


async def test_a_base_url_of_the_settings_reaches_it(home: Path, tmp_path: Path) -> None:
    log_in(home)
    async with backend(home, install(tmp_path), base_url="http://127.0.0.1:9") as made:
        assert (await seen(made))["environ"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9"


async def test_a_stored_login_does_not_follow_the_environment(home: Path, tmp_path: Path) -> None:
    log_in(home)
    async with backend(home, install(tmp_path), {"ANTHROPIC_BASE_URL": "https://elsewhere.example"}) as made:
        with pytest.raises(CredentialUnusable, match=r"elsewhere\.example"):
            await made.messages(BODY)


async def test_a_token_of_the_environment_reaches_it_where_it_is_in_force(home: Path, tmp_path: Path) -> None:
    async with backend(home, install(tmp_path), {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-made-up"}) as made:
        assert (await seen(made))["environ"]["CLAUDE_CODE_OAUTH_TOKEN"] == "sk-ant-oat01-made-up"
        assert (await made.identity()).source == "CLAUDE_CODE_OAUTH_TOKEN"


async def test_a_cloud_of_the_users_settings_is_handed_through(home: Path, tmp_path: Path) -> None:
    log_in(home)
    block = {"env": {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "eu-west-1", "ANTHROPIC_API_KEY": "no"}}
    (home / ".claude/settings.json").write_text(json.dumps(block))
    async with backend(home, install(tmp_path)) as made:
        environ = (await seen(made))["environ"]
        assert (environ["CLAUDE_CODE_USE_BEDROCK"], environ["AWS_REGION"]) == ("1", "eu-west-1")
        assert "ANTHROPIC_API_KEY" not in environ
        assert (await made.identity()).source == "Amazon Bedrock"


async def test_the_model_is_a_flag_for_older_versions(home: Path, tmp_path: Path) -> None:
    log_in(home)
    async with backend(home, install(tmp_path, "2.1.197")) as made:
        assert "--model" in (await seen(made))["argv"]
    async with backend(home, install(tmp_path)) as made:
        assert "--model" not in (await seen(made))["argv"]


async def test_a_program_that_was_replaced_is_asked_for_its_version_again(home: Path, tmp_path: Path) -> None:
    log_in(home)
    async with backend(home, install(tmp_path, "2.1.197"), cli_spare=1) as made:
        await seen(made)
        assert made.status().version == "2.1.197"
        (tmp_path / "claude").unlink()
        (tmp_path / "longer").write_text("keeps the inode from being used again")
        install(tmp_path, "2.1.331")
        assert "--model" not in (await seen(made))["argv"]
        assert made.status().version == "2.1.331"


async def test_a_version_that_is_too_old_is_not_used(home: Path, tmp_path: Path) -> None:
    async with backend(home, install(tmp_path, "2.0.1")) as made:
        with pytest.raises(UpstreamUnreachable, match=r"2\.0\.1 is older"):
            await made.messages(BODY)


async def test_without_a_program_it_says_what_to_do(home: Path, tmp_path: Path) -> None:
    async with backend(home, tmp_path / "none") as made:
        with pytest.raises(UpstreamUnreachable, match="was not found") as caught:
            await made.messages(BODY)
        assert "install it" in caught.value.text


async def test_a_directory_that_is_not_empty_is_not_used(home: Path, tmp_path: Path) -> None:
    (home / ".local/state/claude-proxy/claude-cli").mkdir(parents=True)
    (home / ".local/state/claude-proxy/claude-cli/CLAUDE.md").write_text("planted")
    async with backend(home, install(tmp_path)) as made:
        with pytest.raises(UpstreamUnreachable, match="must be empty"):
            await made.messages(BODY)


async def test_an_overloaded_upstream_is_asked_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(home)
    monkeypatch.setattr("claude_proxy.upstream.retry.FIRST_DELAY", 0.0)
    async with backend(home, install(tmp_path, fail=1), retries=1) as made:
        with await made.messages(BODY) as reply:
            assert reply.status == 200
    async with backend(home, install(tmp_path, fail=2), retries=1) as made:
        with await made.messages(BODY, client_retries=1) as reply:
            assert reply.status == 529


async def test_a_process_is_started_ahead_for_the_next_request(home: Path, tmp_path: Path) -> None:
    log_in(home)
    async with backend(home, install(tmp_path), cli_spare=1) as made:
        await seen(made)
        async with asyncio.timeout(5):
            while not made._pool._spares:  # noqa: ASYNC110 - a task of the pool
                await asyncio.sleep(0.01)
        await seen(made)


async def test_it_has_neither_native_requests_nor_a_list_of_models(home: Path, tmp_path: Path) -> None:
    async with backend(home, install(tmp_path)) as made:
        assert await made.models() is None
        with pytest.raises(NotFound):
            await made.native(NativeRequest("GET", "/v1/models"))


async def test_a_login_that_soon_expires_lets_an_abandoned_process_finish(home: Path, tmp_path: Path) -> None:
    log_in(home, expires_in=60)
    async with backend(home, install(tmp_path)) as made:
        await made._chain.credential()
        assert made._renewal_grace() == RENEWAL_GRACE
    log_in(home, expires_in=3600)
    async with backend(home, install(tmp_path)) as made:
        assert made._renewal_grace() == 0.0
        await made._chain.credential()
        assert made._renewal_grace() == 0.0
