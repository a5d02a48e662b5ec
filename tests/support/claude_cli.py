"""A daemon that answers through the real Claude CLI with a made-up plan login; the simulator is Anthropic."""

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from claude_proxy.config import load
from claude_proxy.credentials.chain import CredentialChain
from claude_proxy.credentials.claude_cli_paths import claude_cli_paths
from claude_proxy.credentials.stored_login import StoredLogin
from claude_proxy.server.app import proxy_app
from claude_proxy.server.binding import bind
from claude_proxy.server.lifecycle import Server
from claude_proxy.server.state import STATE, State
from claude_proxy.simulator.app import SENT, Options, Sent, simulator_app
from claude_proxy.upstream.factory import make_backend
from tests.support.daemon import listening

TOKEN = "sk-ant-oat01-" + "made-up-" * 8
AN_HOUR = 3600.0


def log_in(home: Path, *, token: str = TOKEN, expires_in: float = 8 * AN_HOUR) -> None:
    """Put a plan login where the Claude CLI keeps its own."""
    directory = home / ".claude"
    directory.mkdir(mode=0o700, exist_ok=True)
    login = {
        "accessToken": token,
        "refreshToken": None,
        "expiresAt": int((time.time() + expires_in) * 1000),
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    file = directory / ".credentials.json"
    file.write_text(json.dumps({"claudeAiOauth": login}))
    file.chmod(0o600)


@dataclass(frozen=True)
class CliDaemon:
    """A daemon at `url`; `sent` is what the simulator has received."""

    url: str
    sent: Any  # a deque of Sent
    state: State

    @property
    def openai(self) -> str:
        return f"{self.url}/openai/v1"

    @property
    def messages(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.method == "POST" and sent.path.split("?")[0] == "/v1/messages"]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(sent.body) for sent in self.messages]


@asynccontextmanager
async def cli_daemon(
    program: str,
    home: Path,
    *,
    options: Options | None = None,
    upstream: web.Application | None = None,
    environ: dict[str, str] | None = None,
    **settings: object,
) -> AsyncIterator[CliDaemon]:
    """A daemon whose backend is the CLI at `program` unless `settings` say otherwise."""
    simulator = upstream or simulator_app(options or Options(record=1000))
    variables = {"HOME": str(home), "PATH": os.environ["PATH"], **(environ or {})}
    async with listening(simulator) as address:
        given = {"base_url": address, "retries": 0, "backend": "cli", "claude_cli": program, **settings}
        config = load(given, {})
        chain = CredentialChain([StoredLogin(claude_cli_paths(variables, home))], config)
        backend = make_backend(config, chain, variables)
        app = proxy_app(config, backend, chain)
        server = Server(app)
        try:
            url = await server.start(bind("127.0.0.1", 0), "127.0.0.1")
            yield CliDaemon(url, simulator.get(SENT, ()), app[STATE])
        finally:
            await server.close()
            await backend.close()
