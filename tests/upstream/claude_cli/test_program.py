from pathlib import Path

import pytest

from claude_proxy.errors import UpstreamUnreachable
from claude_proxy.upstream.claude_cli.program import OLDEST, Program, ask_version, fingerprint, locate


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_it_is_found_by_its_setting_and_else_where_installers_put_it(tmp_path: Path) -> None:
    installed = script(tmp_path / ".local/bin/claude", "")
    other = script(tmp_path / "other", "")
    assert locate("", {"PATH": str(tmp_path / "nothing")}, tmp_path) == installed
    assert locate(str(other), {}, tmp_path) == other
    assert locate(str(tmp_path / "none"), {}, tmp_path) is None


def test_the_version_is_asked_of_the_program(tmp_path: Path) -> None:
    program = ask_version(script(tmp_path / "claude", "echo '2.1.331 (Claude Code)'"), {}, tmp_path)
    assert (program.version, program.version_text, program.problem) == ((2, 1, 331), "2.1.331", None)
    assert program.fingerprint == fingerprint(program.path)


@pytest.mark.parametrize("text", ["echo hello", "exit 1"])
def test_a_program_that_tells_no_version_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(UpstreamUnreachable, match="version"):
        ask_version(script(tmp_path / "claude", text), {}, tmp_path)


def test_a_program_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnreachable, match="could not be run"):
        ask_version(tmp_path / "claude", {}, tmp_path)


def test_the_fingerprint_changes_with_what_a_link_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "claude"
    link.symlink_to(script(tmp_path / "1/claude", "one"))
    before = fingerprint(link)
    link.unlink()
    link.symlink_to(script(tmp_path / "2/claude", "two"))
    assert fingerprint(link) != before
    link.unlink()
    assert fingerprint(link) is None


def test_versions_differ_in_what_they_can_do() -> None:
    assert not Program(Path(), OLDEST, None).traits.model_by_setting
    assert Program(Path(), (2, 1, 331), None).traits.model_by_setting
    assert Program(Path(), (3, 0, 0), None).traits.model_by_setting


def test_a_version_that_is_too_old_says_so() -> None:
    assert "2.1.196 is older than 2.1.197" in (Program(Path(), (2, 1, 196), None).problem or "")
