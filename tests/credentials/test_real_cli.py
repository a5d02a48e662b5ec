"""The stored login beside the real Claude CLI: it reads and renews its store, we only read it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from claude_proxy import config
from claude_proxy.credentials.chain import CredentialChain, credential_chain
from claude_proxy.credentials.claude_cli_paths import claude_cli_paths
from claude_proxy.credentials.renewer import RETRY_RENEWAL
from claude_proxy.errors import CredentialUnusable, NoCredential
from tests.credentials.contract import SECRET
from tests.credentials.oauth_endpoint import OAuthEndpoint, oauth_endpoint
from tests.support.components import program

pytestmark = pytest.mark.component("claude")

AN_HOUR = 3_600_000


class Login:
    """A login of the real CLI in a temporary home, whose OAuth endpoint is ours."""

    def __init__(self, claude_cli, endpoint: OAuthEndpoint) -> None:
        claude = Path(program("claude") or "claude")
        self.claude_cli, self.endpoint, self.claude = claude_cli, endpoint, claude
        path = f"{claude.parent}:{os.environ.get('PATH', os.defpath)}"
        self.environ = {"HOME": str(claude_cli.home), "USER": "somebody", "PATH": path, **endpoint.environment()}

    def expires_in(self, milliseconds: int) -> None:
        tokens = self.endpoint.issue()
        self.claude_cli.log_in(
            tokens["access_token"],
            refreshToken=tokens["refresh_token"],
            expiresAt=int(time.time() * 1000) + milliseconds,
        )

    def stored(self) -> dict[str, object]:
        """The login as it lies in the store."""
        return json.loads(self.claude_cli.paths.login_file.read_text())["claudeAiOauth"]  # type: ignore[no-any-return]

    def chain(self, **extra: str) -> CredentialChain:
        return credential_chain(config.Config(), self.environ | extra, self.claude_cli.home)

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.claude, *arguments],
            env=self.environ | {"DISABLE_AUTOUPDATER": "1"} | extra,
            cwd=self.claude_cli.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def status(self, **extra: str) -> dict[str, object]:
        return json.loads(self.run("auth", "status", **extra).stdout)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def endpoint_of_module(tmp_path_factory):
    with oauth_endpoint(tmp_path_factory.mktemp("authority")) as endpoint:
        yield endpoint


@pytest.fixture
def login(claude_cli, endpoint_of_module):
    endpoint = endpoint_of_module
    endpoint.status, endpoint.refreshes, endpoint.double_uses = 200, 0, 0
    return Login(claude_cli, endpoint)


async def text(chain: CredentialChain) -> str:
    return (await chain.credential()).secret.reveal()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"CLAUDE_CONFIG_DIR": "moved"},
        {"CLAUDE_SECURESTORAGE_CONFIG_DIR": "safe"},
        {"CLAUDE_CONFIG_DIR": "moved", "CLAUDE_SECURESTORAGE_CONFIG_DIR": ""},
    ],
)
async def test_we_read_what_the_cli_wrote_and_leave_it_as_it_is(login, variables):
    moved = {name: f"{login.claude_cli.home}/{place}" if place else "" for name, place in variables.items()}
    tokens = login.endpoint.issue()
    done = login.run(
        "auth",
        "login",
        CLAUDE_CODE_OAUTH_REFRESH_TOKEN=tokens["refresh_token"],
        CLAUDE_CODE_OAUTH_SCOPES="user:inference user:profile",
        **moved,
    )
    assert done.returncode == 0, done.stderr
    file = claude_cli_paths(login.environ | moved, login.claude_cli.home).login_file
    before = file.read_bytes()
    credential = await login.chain(**moved).credential()
    assert credential.secret.reveal() == json.loads(before)["claudeAiOauth"]["accessToken"]
    assert credential.expires_at is not None
    assert file.read_bytes() == before
    assert login.status(**moved)["loggedIn"]


async def test_a_login_that_has_expired_is_renewed_by_the_cli(login):
    login.expires_in(-AN_HOUR)
    old = login.stored()["accessToken"]
    renewed = await text(login.chain())
    assert renewed == login.stored()["accessToken"] != old
    assert (login.endpoint.refreshes, login.endpoint.double_uses) == (1, 0)
    assert login.status()["loggedIn"]


async def test_a_login_that_soon_expires_is_renewed_by_the_cli_and_used_meanwhile(login):
    login.expires_in(100_000)
    old, chain = login.stored()["accessToken"], login.chain()
    assert await text(chain) == old
    async with asyncio.timeout(60):
        while await text(chain) == old:  # noqa: ASYNC110 - the CLI is another process
            await asyncio.sleep(0.05)
    assert await text(chain) == login.stored()["accessToken"]
    assert (login.endpoint.refreshes, login.endpoint.double_uses) == (1, 0)
    assert login.status()["loggedIn"]


async def test_it_is_renewed_each_time_in_a_home_that_the_cli_knows(login):
    # By then `auth status` has less to do, and often ends before its renewal has begun.
    login.status()
    chain = login.chain()
    for _ in range(4):
        login.expires_in(-AN_HOUR)
        old = login.stored()["accessToken"]
        assert await text(chain) == login.stored()["accessToken"] != old
    assert (login.endpoint.refreshes, login.endpoint.double_uses) == (4, 0)


async def test_a_login_that_lasts_is_not_renewed(login):
    login.expires_in(AN_HOUR)
    assert await text(login.chain()) == login.stored()["accessToken"]
    assert login.endpoint.refreshes == 0


async def test_a_refused_login_that_the_cli_renewed_meanwhile_is_replaced(login):
    login.expires_in(AN_HOUR)
    chain = login.chain()
    old = await chain.credential()
    login.expires_in(-AN_HOUR)
    login.status()
    replacement = await chain.refused(old)
    assert replacement is not None
    assert replacement.secret.reveal() == login.stored()["accessToken"]
    assert (login.endpoint.refreshes, login.endpoint.double_uses) == (1, 0)


async def test_an_ended_login_says_so(login):
    login.expires_in(-AN_HOUR)
    login.claude_cli.log_in(
        "sk-ant-oat01-made-up", refreshToken="sk-ant-ort01-never-issued", expiresAt=1_700_000_000_000
    )
    with pytest.raises(CredentialUnusable, match="the login has ended") as caught:
        await login.chain().credential()
    assert "claude auth login" in caught.value.text


async def test_an_endpoint_that_fails_costs_nothing_and_is_tried_again(login):
    login.expires_in(-AN_HOUR)
    before = login.stored()
    login.endpoint.status = 503
    chain = login.chain()
    with pytest.raises(CredentialUnusable, match="expired"):
        await chain.credential()
    assert login.stored() == before
    login.endpoint.status = 200
    now = time.time()
    chain._clock = chain._renewer._clock = lambda: now + RETRY_RENEWAL + 1
    assert await text(chain) == login.stored()["accessToken"] != before["accessToken"]


async def test_a_logout_is_seen_by_the_next_request(login):
    login.expires_in(AN_HOUR)
    chain = login.chain()
    await chain.credential()
    assert login.run("auth", "logout").returncode == 0
    with pytest.raises(NoCredential):
        await chain.credential()


async def test_fifty_requests_cause_one_renewal(login):
    login.expires_in(-AN_HOUR)
    chain = login.chain()
    assert set(await asyncio.gather(*(text(chain) for _ in range(50)))) == {login.stored()["accessToken"]}
    assert (login.endpoint.refreshes, login.endpoint.double_uses) == (1, 0)


DAEMON = """if True:
    import asyncio, os, sys, pathlib
    from claude_proxy import config
    from claude_proxy.credentials.chain import credential_chain
    async def main():
        chain = credential_chain(config.Config(), os.environ)
        print("ready", flush=True)
        sys.stdin.readline()
        print((await chain.credential()).secret.reveal(), flush=True)
    asyncio.run(main())
"""


class Daemon:
    """Another process of ours; `ask` makes it want a credential, `answer` is what it got."""

    def __init__(self, login: Login) -> None:
        ours = {name: os.environ[name] for name in ("PYTHON_KEYRING_BACKEND", "XDG_STATE_HOME")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", DAEMON],
            env=login.environ | ours,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def ask(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        return self.process.communicate(timeout=60)[0].strip()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def daemon(login):
    """A function that starts a Daemon, which does not outlive the test."""
    started: list[Daemon] = []

    def start() -> Daemon:
        started.append(Daemon(login))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def test_two_daemons_the_cli_and_one_expired_token_lose_nothing(login, daemon):
    login.expires_in(-AN_HOUR)
    daemons = [daemon(), daemon()]
    for each in daemons:
        each.ask()
    assert login.status()["loggedIn"]
    assert {each.answer() for each in daemons} == {login.stored()["accessToken"]}
    assert (login.endpoint.refreshes, login.endpoint.double_uses) == (1, 0)


def test_a_daemon_killed_while_the_cli_renews_costs_no_login(login, daemon):
    login.expires_in(-AN_HOUR)
    old = login.stored()["accessToken"]
    login.endpoint.refreshing.clear()
    login.endpoint.hold = threading.Event()
    victim, heir = daemon(), daemon()
    victim.ask()
    assert login.endpoint.refreshing.wait(60)
    victim.kill()
    heir.ask()
    login.endpoint.hold.set()
    assert heir.answer() == login.stored()["accessToken"] != old
    assert (login.endpoint.refreshes, login.endpoint.double_uses) == (1, 0)
    assert login.status()["loggedIn"]


class TestTheOrder:
    """What the CLI itself says it would use, beside what we use."""

    METHODS = {  # noqa: RUF012 - a table
        "ANTHROPIC_AUTH_TOKEN": "oauth_token",
        "ANTHROPIC_API_KEY": "api_key",
        "apiKeyHelper": "api_key_helper",
        "CLAUDE_CODE_OAUTH_TOKEN": "oauth_token",
        "Claude CLI login": "claude.ai",
        "Claude CLI Console key": "api_key",
        "Anthropic profile (login)": "oauth_token",
    }

    @pytest.mark.parametrize("first", range(len(METHODS)))
    async def test_of_all_that_are_there_the_clis_choice_is_ours(self, login, first):
        here = list(self.METHODS)[first:]
        environ = {name: SECRET for name in here if name.isupper()}
        config_dir = login.claude_cli.paths.config
        config_dir.mkdir(exist_ok=True)
        if "apiKeyHelper" in here:
            (config_dir / "settings.json").write_text(json.dumps({"apiKeyHelper": f"echo {SECRET}"}))
        if "Claude CLI login" in here:
            login.expires_in(AN_HOUR)
        if "Claude CLI Console key" in here:
            login.claude_cli.keep_key(SECRET)
        profile = login.claude_cli.home / ".config/anthropic"
        for name, document in {
            "configs": {"version": "1.0", "authentication": {"type": "user_oauth", "client_id": "x"}},
            "credentials": {"type": "oauth_token", "access_token": SECRET, "expires_at": 4_000_000_000},
        }.items():
            (profile / name).mkdir(parents=True)
            (profile / name / "default.json").write_text(json.dumps(document))
            (profile / name / "default.json").chmod(0o600)
        ours = await login.chain(**environ).credential()
        assert ours.source == here[0]
        theirs = login.status(**environ)
        assert theirs["authMethod"] == self.METHODS[ours.source]
