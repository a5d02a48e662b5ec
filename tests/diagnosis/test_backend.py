import os
from pathlib import Path
from typing import Any

import pytest

from claude_proxy.config import load
from claude_proxy.diagnosis import backend as module
from claude_proxy.diagnosis.backend import changed_because, check_backend
from claude_proxy.diagnosis.check import Check
from claude_proxy.paths import paths


@pytest.fixture
def claude(tmp_path: Path) -> str:
    """A program that says it is the Claude CLI."""
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\necho '2.1.331 (Claude Code)'\n")
    program.chmod(0o755)
    return str(program)


def check(environ: dict[str, str] | None = None, **settings: Any) -> Check:
    return check_backend(load(settings, {}), {**os.environ, "PATH": "", **(environ or {})}, paths())


def test_direct_needs_no_program() -> None:
    assert check(backend="direct").state == "ok"


def test_auto_says_what_would_answer(claude: str) -> None:
    found = check(claude_cli=claude)
    assert (found.state, found.hint) == ("ok", None)
    assert "asked directly" in found.detail
    assert f"the Claude CLI 2.1.331 ({claude}) would answer" in found.detail
    assert "nothing would answer" in check(claude_cli="/nowhere/claude").detail


def test_cli_needs_one_that_works(claude: str) -> None:
    assert check(backend="cli", claude_cli=claude).detail.endswith("answers (`backend = cli`)")
    missing = check(backend="cli", claude_cli="/nowhere/claude")
    assert missing.state == "failed"
    assert "install it" in (missing.hint or "")


def test_a_cloud_is_named(claude: str) -> None:
    assert "set up for Amazon Bedrock" in check({"CLAUDE_CODE_USE_BEDROCK": "1"}, claude_cli=claude).detail
    assert check({"CLAUDE_CODE_USE_BEDROCK": "1"}, claude_cli="/nowhere/claude").state == "failed"


def test_a_daemon_that_has_changed_says_why(claude: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "changed_because", lambda _: "Anthropic refuses this plan login")
    assert check(claude_cli=claude).detail.endswith("answers: Anthropic refuses this plan login")


def test_without_a_daemon_nothing_has_changed() -> None:
    assert changed_because(paths()) is None
