import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_proxy.config import Config, load
from claude_proxy.errors import ConfigError
from claude_proxy.server.policy import POLICY
from claude_proxy.server.reload import AT_ONCE, Reload
from tests.server.conftest import Serve, Served

PAGE = {"Origin": "https://page.example"}


def reload(served: Served, file: Path) -> Callable[[], None]:
    return Reload(
        served.server.app, served.state.config, lambda: load({"base_url": served.upstream.url, "retries": 0}, {}, file)
    )


async def test_the_next_request_finds_what_may_change_at_once(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    async with serve() as served:
        assert (await served.client.get("/health", headers=PAGE)).status == 403
        file.write_text('allowed_origins = ["https://page.example"]\naliases = { gpt-4o = "sonnet" }\nmodels_ttl = 5')
        reload(served, file)()
        assert (await served.client.get("/health", headers=PAGE)).status == 200
        assert (await (await served.client.get("/v1/models/gpt-4o")).json())["id"] == "gpt-4o"
        assert served.state.catalog.ttl == 5


async def test_what_needs_a_restart_is_named_and_not_touched(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("port = 1\nmax_body = 1\nstrict = true")
    async with serve() as served:
        before = served.state.config
        with caplog.at_level(logging.INFO, "claude_proxy.server.reload"):
            reload(served, file)()
        assert served.state.config == load({"base_url": before.base_url, "retries": 0, "strict": True}, {})
        assert served.server.app[POLICY].max_body == before.max_body
    assert [record.message for record in caplog.records] == [
        "settings read again; changed: strict",
        "the change of max_body takes effect after restart",
        "the change of port takes effect after restart",
    ]


@pytest.mark.parametrize("error", [ConfigError("it is broken", hint="mend it"), PermissionError(13, "no", "file")])
async def test_settings_that_cannot_be_read_leave_the_old_ones_in_force(
    serve: Serve, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken() -> Config:
        raise error

    async with serve() as served:
        before = served.state.config
        Reload(served.server.app, before, broken)()
        assert served.state.config is before
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.message.startswith("the settings stay as they are: ")
    assert "Traceback" not in caplog.text


def test_what_may_change_at_once_are_settings() -> None:
    for name in AT_ONCE:
        assert hasattr(Config(), name)
