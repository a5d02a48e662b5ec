import asyncio
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from claude_proxy.simulator.app import SENT, Options, simulator_app
from tests.cli.conftest import COMMAND, ROOT, Run, environment
from tests.support.daemon import listening

KEY = "sk-ant-api03-made-up-for-the-tests-AAAAAAAAAAAAwxyz"
TOKEN = "sk-ant-oat01-made-up-for-the-tests-BBBBBBBBBBBBabcd"

RING = """
import json, pathlib
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

class Filed(KeyringBackend):
    priority = 1
    file = pathlib.Path(__file__).with_name("kept")
    def get_password(self, service, username):
        return self.file.read_text() if self.file.exists() else None
    def set_password(self, service, username, password):
        self.file.write_text(password)
    def delete_password(self, service, username):
        if not self.file.exists():
            raise PasswordDeleteError("no such entry")
        self.file.unlink()
"""


class Ring:
    """A system keyring that is a file, for the processes of a test."""

    def __init__(self, directory: Path) -> None:
        (directory / "ring_of_test.py").write_text(RING)
        self.file = directory / "kept"
        self.variables = {
            "PYTHON_KEYRING_BACKEND": "ring_of_test.Filed",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{directory}",
        }

    def set(self, typed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "credentials", "set"],
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment(**self.variables),
        )


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path)


def log_in(home: Path, **fields: object) -> None:
    login = {
        "accessToken": TOKEN,
        "expiresAt": 4_000_000_000_000,
        "subscriptionType": "max",
        "scopes": ["user:inference"],
    }
    (home / ".claude").mkdir()
    (home / ".claude/.credentials.json").write_text(json.dumps({"claudeAiOauth": login | fields}))


def test_every_source_is_shown_in_order_and_the_one_in_use(run: Run, home: Path):
    log_in(home)
    (home / ".claude.json").write_text(json.dumps({"primaryApiKey": KEY}))
    done = run("credentials")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].split() == ["SOURCE", "ANSWER", "DETAIL"]
    assert next(line for line in lines if "in use" in line).startswith("Claude CLI login ")
    assert "login …abcd, max plan, expires in" in done.stdout
    assert "API key …wxyz" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_a_plan_login_comes_with_the_terms(run: Run, home: Path):
    log_in(home)
    assert "may refuse a plan login" in run("credentials").stderr
    assert "may refuse" not in run("credentials", ANTHROPIC_API_KEY=KEY).stderr


def test_without_any_the_table_is_shown_and_the_ways_out(run: Run):
    done = run("credentials")
    assert done.returncode == 1
    assert "ANTHROPIC_API_KEY" in done.stdout
    assert "error: no Anthropic credential found\nhint: log in" in done.stderr


def test_what_is_unusable_says_what_to_do(run: Run, home: Path):
    log_in(home, accessToken="")
    done = run("credentials", ANTHROPIC_API_KEY=KEY)
    assert done.returncode == 0
    assert "Claude CLI login: run `claude auth login`" in done.stderr
    assert "the login has ended" in done.stdout


def test_json_says_the_same_to_programs(run: Run, home: Path):
    log_in(home)
    done = run("credentials", "--json")
    document = json.loads(done.stdout)
    assert document["in_use"] == "Claude CLI login"
    assert document["error"] is None
    found = next(each for each in document["sources"] if each["source"] == "Claude CLI login")
    assert found["state"] == "found"
    assert found["kind"] == "oauth"
    assert found["tail"] == "…abcd"
    assert found["scopes"] == ["user:inference"]
    assert TOKEN not in done.stdout


def test_json_without_any_is_still_json(run: Run):
    done = run("credentials", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["in_use"] is None


def test_a_key_is_set_used_and_forgotten(run: Run, ring: Ring, home: Path):
    log_in(home)
    done = ring.set(f"{KEY}\n")
    assert done.returncode == 0, done.stderr
    assert ring.file.read_text() == KEY
    assert KEY not in done.stdout + done.stderr
    assert json.loads(run("credentials", "--json", **ring.variables).stdout)["in_use"] == "system keyring"
    assert "removed" in run("credentials", "forget", **ring.variables).stderr
    assert not ring.file.exists()
    assert "no key was stored" in run("credentials", "forget", **ring.variables).stderr


def test_a_key_is_typed_without_being_shown(ring: Ring):
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "credentials", "set"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env=environment(**ring.variables),
    )
    os.close(terminal)
    shown = read_until(controller, b"API key")
    os.write(controller, f"{KEY}\n".encode())
    shown += read_until(controller, b"next request")
    assert process.wait(60) == 0
    os.close(controller)
    assert ring.file.read_text() == KEY
    assert KEY.encode() not in shown


def read_until(descriptor: int, words: bytes) -> bytes:
    shown = b""
    while words not in shown:
        shown += os.read(descriptor, 1000)
    return shown


def test_what_is_no_key_is_not_stored(ring: Ring):
    done = ring.set("two words\n")
    assert done.returncode == 1
    assert "not a key" in done.stderr
    assert "two words" not in done.stderr
    assert not ring.file.exists()


async def test_upstream_is_asked_for_nothing_that_costs(run: Run):
    simulator = simulator_app(Options(record=10))
    async with listening(simulator) as url:
        variables = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
        done = await asyncio.to_thread(run, "credentials", "check", **variables)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{url} accepts it: ANTHROPIC_API_KEY (API key …wxyz)\n"
        assert [sent.path for sent in simulator[SENT]] == ["/v1/models?limit=1"]


async def test_a_refusal_is_told_without_what_it_quotes(run: Run):
    async def refuse(request: web.Request) -> web.Response:
        message = f"invalid x-api-key: {request.headers['x-api-key']}"
        body = {"type": "error", "error": {"type": "authentication_error", "message": message}}
        return web.json_response(body, status=401)

    app = web.Application()
    app.router.add_get("/v1/models", refuse)
    async with listening(app) as url:
        variables = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url}
        done = await asyncio.to_thread(run, "credentials", "check", **variables)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "invalid x-api-key" in done.stderr
    assert KEY not in done.stderr


def test_without_a_credential_nobody_is_asked(run: Run):
    done = run("credentials", "check")
    assert done.returncode == 1
    assert "no Anthropic credential found" in done.stderr


def test_the_simulator_is_not_asked(run: Run):
    done = run("credentials", "check", CLAUDE_PROXY_SIMULATOR="1")
    assert done.returncode == 0
    assert "needs no credential" in done.stdout
